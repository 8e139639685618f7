"""Freed memory stays with the process; compiled code is that of the sources as they are now."""

import gc
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import atomlens
from atomlens.machine import compiler, folder_digest, long_lived, plain, worth_compiling
from atomlens.training.data import prepare

PACKAGE = Path(atomlens.__file__).parent
KERNELS = ("neighbors", "graphs", "structures", "models/cgcnn", "models/scann")
"""Folders with compiled loops."""

needs_numba = pytest.mark.skipif(compiler() is None, reason="numba is not installed")

PROGRAM = """
import resource, torch
torch.set_num_threads(1)
from atomlens.machine import keep_freed_memory
keep_freed_memory()
def step():
    return [torch.ones(1_000_000) for _ in range(8)]
for _ in range(10): step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10): step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the allocator of Linux")
def test_later_steps_touch_no_new_pages() -> None:
    """32 MB in pages of 4 kB are 8,000 faults a step, unless the memory was kept.

    The first steps are not counted: where the blocks come to lie is settled after some. The
    environment asks to give everything back, which the package overrules; without it the
    allocator adapts by itself in some runs.
    """
    environment = {
        "THP_MEM_ALLOC_ENABLE": "0",
        "MALLOC_TRIM_THRESHOLD_": "131072",
        "PYTHONPATH": str(PACKAGE.parent),
    }
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True
    )
    assert int(run.stdout) < 1000


ENTRY = """
from loops.called import size
from atomlens.machine import entry_point
@entry_point
def total(values):
    found = 0.0
    for value in values:
        found += size(value)
    return found
"""
CALLED = """
from atomlens.machine import inlined
@inlined
def size(value):
    return abs(value)
"""
MEASURE = """
import numpy as np
from loops.entry import total
print(total(np.array([-1.0, 2.0])), sum(total.stats.cache_hits.values()))
"""


@needs_numba
@pytest.mark.parametrize("package", ["loops", "others"])
def test_a_change_in_a_called_kernel_is_seen_with_a_warm_cache(
    package: str, tmp_path: Path
) -> None:
    """numba by itself looks at the file of the entry point alone, not at the others."""
    for folder in {"loops", package}:
        (tmp_path / "source" / folder).mkdir(parents=True)
        (tmp_path / "source" / folder / "__init__.py").write_text("")
    entry = ENTRY.replace("loops.called", f"{package}.called")
    (tmp_path / "source" / "loops" / "entry.py").write_text(entry)
    source = tmp_path / "source" / package
    (source / "called.py").write_text(CALLED)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(source.parent), str(PACKAGE.parent))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": str(tmp_path / "compiled"),
    }

    def measure() -> tuple[float, int]:
        run = subprocess.run(
            [sys.executable, "-c", MEASURE],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        total, hits = run.stdout.split()
        return float(total), int(hits)

    assert measure() == (3.0, 0)
    total, hits = measure()
    assert hits > 0, "nothing was kept, so this test shows nothing"
    assert total == 3.0
    (source / "called.py").write_text(CALLED.replace("abs(value)", "value * value"))
    assert measure() == (5.0, 0)


@needs_numba
@pytest.mark.parametrize("folder", KERNELS)
def test_what_compiled_code_calls_is_in_the_key_of_what_is_kept(folder: str) -> None:
    """The key is a digest of the folders of all that is called."""
    n_called = 0
    for path in sorted((PACKAGE / folder).glob("*.py")):
        if path.stem == "triton_kernels":  # compiled by Triton, which need not be installed
            continue
        module = import_module(".".join(("atomlens", *folder.split("/"), path.stem)))
        for function in [f for f in vars(module).values() if hasattr(f, "py_func")]:
            for name in function.py_func.__code__.co_names:
                called = function.py_func.__globals__.get(name)
                if hasattr(called, "py_func"):
                    file = Path(called.py_func.__code__.co_filename)
                    if file.parent != PACKAGE / folder:
                        key = function._cache._cache_file._source_stamp
                        assert folder_digest(file.parent) in key, f"{path.name}: {name}"
                    n_called += 1
    assert n_called or folder == "graphs"


def test_only_the_machine_compiles() -> None:
    """So that nothing is kept under numba's own key."""
    for path in PACKAGE.rglob("*.py"):
        if path.name != "machine.py":
            assert not re.search(r"\bnjit\b|cache=True", path.read_text()), path.name


FIRST = """
import atomlens as al
from ase.build import bulk
found = al.load("mp").predict(bulk("NaCl", "rocksalt", a=5.64, cubic=True))
from atomlens.graphs.copying import copy_loops
from atomlens.neighbors.tessellation import tessellate
from atomlens.structures.kernels import nearness
loops = (tessellate, nearness, *copy_loops())
print(found.ok.all(), [len(loop.signatures) for loop in loops])
"""


@needs_numba
def test_the_first_crystal_of_a_new_user_waits_for_no_compiler(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = str(PACKAGE.parent)
    done = subprocess.run(
        [sys.executable, "-c", FIRST], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split("\n")[-2] == "True [0, 0, 0, 0, 0]"


@needs_numba
def test_much_work_is_compiled_and_so_is_little_work_that_adds_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("atomlens.machine._is_on_disk", lambda _: False)
    numba = pytest.importorskip("numba")
    loop = numba.njit(lambda n: n + 1)
    assert not worth_compiling(loop, 40, 100)
    assert not worth_compiling(loop, 60, 100)
    assert worth_compiling(loop, 1, 100)
    assert worth_compiling(numba.njit(lambda n: n + 2), 101, 100)
    compiled_before = numba.njit(lambda n: n + 3)
    assert compiled_before(1) == 4
    assert worth_compiling(compiled_before, 1, 100)
    assert worth_compiling(len, 1, 100)  # never compiled


@needs_numba
def test_a_training_compiles_however_little_there_is_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Plain Python adds up in another order, so the first model of a machine would be another."""
    monkeypatch.setattr("atomlens.machine._is_on_disk", lambda _: False)
    loop = pytest.importorskip("numba").njit(lambda n: n + 3)
    found: list[bool] = []

    def prepared(*given: Any) -> Any:
        found.append(worth_compiling(loop, 1, 100))
        return prepare(*given)

    monkeypatch.setattr("atomlens.training.pipeline.prepare", prepared)
    table = tmp_path / "t.csv"
    table.write_text("formula,y\n" + "".join(f"Na{i}Cl,{i}\n" for i in range(1, 31)))
    atomlens.train(table, target="y", model="ridge")
    assert found == [True]
    assert not worth_compiling(loop, 1, 100)


@needs_numba
def test_plain_and_compiled_loops_find_the_same_faces() -> None:
    from dataclasses import replace

    from ase.build import bulk, molecule

    from atomlens.neighbors import make_builder
    from atomlens.neighbors.kernels import run
    from atomlens.neighbors.tessellation import tessellate
    from atomlens.structures.arrays import StructureArrays, structure_of

    rattled = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    rattled.rattle(0.2, seed=1)
    systems = [rattled, bulk("Fe"), bulk("ZnO", "wurtzite", a=3.2, c=5.2), molecule("C6H6")]
    arrays = StructureArrays.from_structures([structure_of(one) for one in systems])
    kernel = make_builder("voronoi").kernel(arrays)  # type: ignore[attr-defined]
    assert getattr(plain(tessellate), "py_func", None) is None
    faces = []
    for loop in (plain(tessellate), tessellate):
        table = run(replace(kernel, loop=loop, plain_atoms=-1))
        n = int(table.progress[1])
        rows = sorted(
            zip(table.ends[:, :n].T.tolist(), table.values[:, :n].T.tolist(), strict=True)
        )
        faces.append((table.counts.tolist(), [e for e, _ in rows], [v for _, v in rows]))
    assert faces[0][:2] == faces[1][:2]
    assert np.allclose(faces[0][2], faces[1][2], rtol=0, atol=1e-9)


@needs_numba
def test_a_division_by_zero_in_plain_python_is_left_to_compiled_code() -> None:
    from dataclasses import replace

    from ase.build import bulk

    from atomlens.neighbors import kernels, make_builder
    from atomlens.structures.arrays import StructureArrays, structure_of

    arrays = StructureArrays.from_structures([structure_of(bulk("Fe"))])
    kernel = make_builder("voronoi").kernel(arrays)  # type: ignore[attr-defined]

    def fails(*_: object) -> int:
        raise ZeroDivisionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "worth_compiling", lambda *_: False)
        patch.setattr(kernels, "plain", lambda loop: fails)
        table = kernels.run(replace(kernel))
    assert table.counts.tolist() == [14]


def test_what_is_there_is_spared_the_collector_only_for_a_while() -> None:
    def fails() -> None:
        with long_lived():
            assert gc.get_freeze_count() > 0
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert gc.get_freeze_count() == 0
