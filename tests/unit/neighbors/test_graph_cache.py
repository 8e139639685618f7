import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from atomlens.datasets import Toy
from atomlens.errors import GraphError
from atomlens.graphs import GraphStore
from atomlens.neighbors import BUILDERS, build_store, cache
from atomlens.neighbors.base import EdgeArrays, GraphBuilder
from atomlens.neighbors.cache import cached_store
from atomlens.structures.arrays import Structure, StructureArrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Near(GraphBuilder):
    """All pairs within a distance; refuses structures with more atoms than ``most``."""

    name: ClassVar[str] = "near"
    cutoff: float = 1.7
    most: int = 1000

    def edges(self, structure: Structure) -> EdgeArrays:
        if len(structure.atomic_numbers) > self.most:
            raise GraphError(f"{structure.name}: too many atoms for {structure.name}.")
        vectors = structure.positions[None] - structure.positions[:, None]
        distances = np.linalg.norm(vectors, axis=-1)
        target, source = np.nonzero((distances < self.cutoff) & (distances > 0))
        return EdgeArrays(
            source=source,
            target=target,
            distances=distances[target, source],
            edge_vectors=vectors[target, source],
            images=np.zeros((len(source), 3), dtype=np.int64),
            edge_weights=np.ones(len(source)),
        )


@pytest.fixture(scope="module")
def structures() -> StructureArrays:
    return Toy(n=20).load().structures


@pytest.fixture
def forbid_building(monkeypatch):
    def forbidden(*args, **kwargs):
        pytest.fail("the graphs were built again")

    monkeypatch.setattr(cache, "build_store", forbidden)


def only_folder(parent: Path) -> Path:
    (folder,) = parent.iterdir()
    return folder


def assert_same_graphs(a: GraphStore, b: GraphStore) -> None:
    one, other = a.batch(), b.batch()
    assert one.parts().keys() == other.parts().keys()
    for name, x in one.parts().items():
        assert torch.equal(x, other.parts()[name]), name


def test_cached_graphs_are_those_that_were_built(structures, tmp_path):
    built = build_store(structures, Near())
    first = cached_store(structures, Near(), cache_dir=tmp_path)
    again = cached_store(structures, Near(), cache_dir=tmp_path)
    for result in (first, again):
        assert_same_graphs(result.store, built.store)
        assert np.array_equal(result.kept, np.arange(20))
        assert len(result.failures) == 0


def test_the_second_time_nothing_is_built(structures, tmp_path, forbid_building, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cache, "build_store", build_store)
        cached_store(structures, Near(), cache_dir=tmp_path)
    cached_store(structures, Near(), cache_dir=tmp_path)


def test_the_store_is_mapped_and_gives_batches_without_warnings(structures, tmp_path):
    store = cached_store(structures, Near(), cache_dir=tmp_path).store
    batch = store.select({"edge_weights"}).batch(torch.tensor([3, 1]))
    assert batch.n_graphs == 2
    assert batch.edge_index.dtype == torch.long
    store.distances.fill_(0.0)  # copy-on-write: the file must not change
    assert torch.all(cached_store(structures, Near(), cache_dir=tmp_path).store.distances > 0)


@pytest.mark.parametrize("builder", [Near(cutoff=1.8), Near(most=999)])
def test_other_settings_have_a_cache_of_their_own(structures, tmp_path, builder):
    cached_store(structures, Near(), cache_dir=tmp_path)
    other = cached_store(structures, builder, cache_dir=tmp_path)
    assert_same_graphs(other.store, build_store(structures, builder).store)
    assert len(list(tmp_path.iterdir())) == 2


def test_other_structures_have_a_cache_of_their_own(structures, tmp_path):
    cached_store(structures, Near(), cache_dir=tmp_path)
    moved = replace(structures, positions=structures.positions * 1.01)
    assert_same_graphs(
        cached_store(moved, Near(), cache_dir=tmp_path).store, build_store(moved, Near()).store
    )


def test_another_version_of_the_graphs_has_a_cache_of_its_own(structures, tmp_path, monkeypatch):
    cached_store(structures, Near(), cache_dir=tmp_path)
    monkeypatch.setattr(cache, "GRAPH_VERSION", cache.GRAPH_VERSION + 1)
    cached_store(structures, Near(), cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_names_do_not_decide_but_failures_are_told_by_name(
    structures, tmp_path, forbid_building, monkeypatch
):
    small = Near(most=int(np.sort(structures.n_atoms)[15]))
    with monkeypatch.context() as patch:
        patch.setattr(cache, "build_store", build_store)
        first = cached_store(structures, small, cache_dir=tmp_path)
    renamed = replace(structures, names=tuple(f"new{i}" for i in range(20)))
    again = cached_store(renamed, small, cache_dir=tmp_path)
    failed = np.setdiff1d(np.arange(20), again.kept)
    assert 0 < len(failed) < 20
    assert np.array_equal(first.kept, again.kept)
    assert [f.name for f in again.failures] == [f"new{i}" for i in failed]
    for failure in again.failures:
        assert failure.message == f"{failure.name}: too many atoms for {failure.name}."


def test_that_no_structure_has_a_graph_is_kept_too(structures, tmp_path):
    for _ in range(2):
        result = cached_store(structures, Near(most=0), cache_dir=tmp_path)
        assert len(result.store) == len(result.kept) == 0
        assert len(result.failures) == 20


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_builder_has_a_cache(structures, tmp_path, name):
    builder = BUILDERS[name]()
    built = build_store(structures, builder)
    for _ in range(2):
        assert_same_graphs(cached_store(structures, builder, cache_dir=tmp_path).store, built.store)


def truncate(folder: Path) -> None:
    path = folder / "distances.npy"
    path.write_bytes(path.read_bytes()[:-8])


def flip_a_bit(folder: Path) -> None:
    path = folder / "edge_source.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def remove_an_array(folder: Path) -> None:
    (folder / "kept.npy").unlink()


def empty_the_header(folder: Path) -> None:
    (folder / "header.json").write_text("")


def take_the_header_of_other_settings(folder: Path) -> None:
    header = json.loads((folder / "header.json").read_text())
    header["identity"]["settings"]["cutoff"] = 9.0
    (folder / "header.json").write_text(json.dumps(header))


def swap_an_array(folder: Path) -> None:
    np.save(folder / "distances.npy", np.zeros(3, dtype=np.float32))


def put_a_pickle(folder: Path) -> None:
    np.save(folder / "distances.npy", np.array([{}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip_a_bit,
        remove_an_array,
        empty_the_header,
        take_the_header_of_other_settings,
        swap_an_array,
        put_a_pickle,
    ],
)
def test_a_damaged_cache_is_built_again_with_a_word(structures, tmp_path, damage):
    cached_store(structures, Near(), cache_dir=tmp_path)
    damage(only_folder(tmp_path))
    with pytest.warns(UserWarning, match="cached graphs are damaged"):
        again = cached_store(structures, Near(), cache_dir=tmp_path)
    assert_same_graphs(again.store, build_store(structures, Near()).store)
    assert_same_graphs(cached_store(structures, Near(), cache_dir=tmp_path).store, again.store)


def test_a_folder_that_cannot_be_written_is_done_without(structures, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="cannot be kept"):
        result = cached_store(structures, Near(), cache_dir=tmp_path / "file")
    assert_same_graphs(result.store, build_store(structures, Near()).store)


def test_the_folder_of_the_user_is_the_default(structures, tmp_path, monkeypatch):
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path))
    cached_store(structures, Near())
    assert only_folder(tmp_path / "graphs").is_dir()


def test_writers_at_the_same_time_leave_one_whole_cache(structures, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        results = list(
            pool.map(lambda _: cached_store(structures, Near(), cache_dir=tmp_path), range(8))
        )
    for result in results:
        assert_same_graphs(result.store, results[0].store)
    assert sorted(p.name for p in only_folder(tmp_path).iterdir())[-1].endswith(".npy")


def test_progress_is_told_while_graphs_are_built(structures, tmp_path):
    heard = []
    cached_store(
        structures,
        Near(),
        cache_dir=tmp_path,
        progress=lambda done, total: heard.append((done, total)),
    )
    assert heard[-1] == (20, 20)


WRITER = """
import sys, time
sys.path.insert(0, {folder!r})
import numpy as np
from test_graph_cache import Near
from atomlens.datasets import Toy
from atomlens.neighbors import cache
from atomlens.neighbors.cache import cached_store
save, count = np.save, 0
def slow(path, array, **options):
    global count
    save(path, array, **options)
    count += 1
    if count == 3:
        print('writing', flush=True)
        time.sleep(60)
cache.np.save = slow
cached_store(Toy(n=20).load().structures, Near(), cache_dir=cache.Path(sys.argv[1]))
"""


def test_a_kill_while_it_is_written_leaves_no_cache(
    structures, tmp_path, forbid_building, monkeypatch
):
    code = WRITER.format(folder=str(Path(__file__).parent))
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"writing\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    left = list(tmp_path.iterdir())
    assert left
    assert all(p.name.endswith(".part") for p in left)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "build_store", build_store)
        built = cached_store(structures, Near(), cache_dir=tmp_path)
    again = cached_store(structures, Near(), cache_dir=tmp_path)
    assert_same_graphs(built.store, again.store)
