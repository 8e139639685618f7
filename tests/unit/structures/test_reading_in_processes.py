"""Reading in several processes gives what one gives, and outlives them."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import molecule

from atomlens.errors import Failure, SettingsError, StructureError
from atomlens.structures import read_structures, stream_structures
from atomlens.structures.workers import Outcome, chosen_readers, chosen_workers, outcomes

ROCK_SALT = """data_NaCl
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c {c}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na 0 0 0
Cl 0.5 0.5 0.5
"""


@pytest.fixture
def inputs(tmp_path: Path) -> list[object]:
    """Files of two folders, some bad, some of equal names, texts and an object."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for i in range(12):
            (tmp_path / folder / f"c{i}.cif").write_text(ROCK_SALT.format(c=5 + i / 10))
    (tmp_path / "a" / "bad.cif").write_text("data_x\n_cell_length_a 5\n")
    (tmp_path / "b" / "odd.cif").write_text(ROCK_SALT.format(c=5).replace("Cl", "Xx"))
    two = "2\nhydrogen\nH 0 0 0\nD 0 0 0.74\n"
    (tmp_path / "b" / "frames.xyz").write_text(two * 3)
    return [str(tmp_path / "a"), "CCO", molecule("H2O"), "no such thing", str(tmp_path / "b")]


def as_said(items: "list[Atoms | Failure]") -> list[object]:
    return [
        (i.name, i.message)
        if isinstance(i, Failure)
        else (i.info["name"], i.positions.tolist(), i.info.get("warnings"))
        for i in items
    ]


def test_items_names_and_warnings_do_not_depend_on_the_number_of_processes(
    inputs: list[object],
) -> None:
    said = []
    for n_workers in (1, 2):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            items = read_structures(inputs, n_workers=n_workers).items
        said.append((as_said(list(items)), [str(w.message) for w in heard]))
    assert said[0] == said[1]
    assert sum(isinstance(one, Failure) for one in items) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = list(stream_structures(inputs, n_workers=2))
    assert as_said([item for part in parts for item in part]) == said[0][0]
    assert len(parts) == 30  # one a file, text or object


def test_one_process_beside_this_one_reads_what_this_one_reads(
    inputs: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def streamed() -> list[object]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = stream_structures(inputs)
            return as_said([item for part in parts for item in part])

    here = streamed()
    monkeypatch.setattr("atomlens.structures.workers.chosen_readers", lambda *_: 1)
    monkeypatch.setattr("atomlens.structures.reading._from_file", None)  # of this process
    assert streamed() == here
    assert len(here) == 32


def test_a_script_without_a_guard_can_read_in_processes(
    inputs: list[object], tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import atomlens as al\nprint('begin'); print(len(al.read({inputs[0]!r}, n_workers=2)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["begin", "12"]


def die_at(number: int, fatal: int) -> int:
    if number == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_once(number: int, mark: Path) -> int:
    if number == 3 and not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def shout(number: int) -> int:
    print("what a package prints")
    warnings.warn("doubtful", stacklevel=1)
    if number == 1:
        raise StructureError("bad")
    return number


def test_an_input_that_ends_its_process_is_an_error_and_the_others_are_read() -> None:
    found = list(outcomes([(die_at, (i, 5)) for i in range(20)], 2, together=4))
    assert [o.value for o in found if o.error is None] == [i for i in range(20) if i != 5]
    assert isinstance(found[5].error, StructureError)
    assert "SIGKILL" in str(found[5].error)


def test_a_process_that_somebody_kills_costs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    found = list(outcomes([(die_once, (i, mark)) for i in range(8)], 2, together=4))
    assert [o.get() for o in found] == list(range(8))
    assert mark.exists()


@pytest.mark.parametrize("n_workers", [1, 2])
def test_errors_warnings_and_prints_keep_their_place(
    n_workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    found = list(outcomes([(shout, (i,)) for i in range(3)], n_workers))
    assert [o.value for o in found] == [0, None, 2]
    with pytest.warns(UserWarning, match="doubtful"), pytest.raises(StructureError, match="bad"):
        found[1].get()
    capfd.readouterr()


def test_processes_end_when_nobody_wants_their_outcomes_any_more() -> None:
    found = outcomes([(time.sleep, (1.0,)) for _ in range(400)], 2, together=1)
    assert next(found) == Outcome(None, None)
    start = time.monotonic()
    found.close()
    assert time.monotonic() - start < 100  # all of it would be 200


def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import time, os\n"
        "from atomlens.structures.workers import outcomes\n"
        "found = outcomes([(os.getpid, ())] + [(time.sleep, (1.0,))] * 50, 2, together=1)\n"
        "print(next(found).value, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.kill()
    process.communicate()
    for _ in range(3000):
        if is_over(worker):
            break
        time.sleep(0.1)
    assert is_over(worker)


def is_over(process: int) -> bool:
    """Say whether a process has ended, be it that nobody has asked for its exit code."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_single_worker_beside_this_process_is_another_one() -> None:
    found = outcomes([(os.getpid, ())] * 3, 1, beside=True)
    assert os.getpid() not in {outcome.value for outcome in found}
    assert next(outcomes([(os.getpid, ())], 1)).value == os.getpid()


def test_readers_and_this_process_share_the_cores_as_their_work_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("atomlens.structures.workers.n_cores", lambda: 2)
    assert chosen_readers(0, 6.0, 6.0) == 1
    assert chosen_readers(0, 6.0, 0.0) == 2
    assert chosen_readers(0, 6.0, 600.0) == 1
    assert chosen_readers(0, 0.5, 0.5) == chosen_readers(1, 6.0, 6.0) == 0
    assert chosen_readers(3, 0.0, 0.0) == 3
    monkeypatch.setattr("atomlens.structures.workers.n_cores", lambda: 1)
    assert chosen_readers(0, 6.0, 6.0) == 0


def test_processes_are_started_only_where_there_is_enough_to_do() -> None:
    assert chosen_workers(0, 0.5) == 1
    assert chosen_workers(3, 0.0) == 3
    for absurd in (-1, 100_000):
        with pytest.raises(SettingsError, match="n_workers"):
            chosen_workers(absurd, 1.0)
