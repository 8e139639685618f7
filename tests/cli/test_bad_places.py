"""Every command that writes: on a full disk, in a closed folder, beside another of its kind.

One sentence, exit code 2, and what can be seen of the output is whole or not there.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from atomlens.cli import main
from killing import Running, as_anybody, run, small_files
from label_makers import argon_crystal

TINY = ("--set", "model.n_features=8", "--set", "model.n_layers=1", "--set", "builder=nearest")
RESULTS = ("csv", "json", "jsonl", "parquet", "xlsx")
COMMANDS: dict[str, list[str]] = {
    "train": [
        "train",
        "toy",
        "--limit",
        "30",
        "--model",
        "cgcnn",
        "--epochs",
        "2",
        "--out",
        "OUT/m",
    ],
    "fit": ["train", "toy", "--limit", "30", "--model", "ridge", "--out", "OUT/m"],
    **{
        f"predict {kind}": ["predict", "MODEL", "WATER", "CCO", "--out", f"OUT/p.{kind}"]
        for kind in RESULTS
    },
    "embedding": ["predict", "MODEL", "WATER", "--embedding", "OUT/e.npz"],
    "explain": ["explain", "MODEL", "WATER", "CCO", "--draw", "2d", "--out", "OUT/pages"],
    "evaluate": ["evaluate", "MODEL", "toy", "--limit", "30", "--out", "OUT/report"],
    "cv": ["cv", "toy", "--limit", "30", "--model", "ridge", "--folds", "2", "--out", "OUT/cv"],
    "faithful": "faithful MODEL toy --limit 4 --all --methods occlusion --out OUT/check".split(),
    "screen": ["screen", "MODEL", "WATER", "CCO", "--workers", "1", "--out", "OUT/screen"],
    "graph": ["graph", "WATER", "--format", "json", "--out", "OUT/graph.json"],
}
if find_spec("optuna"):
    COMMANDS["tune"] = ["tune", "toy", "--limit", "30", "--model", "ridge", "--trials", "1"]
    COMMANDS["tune"] += ["--out", "OUT/tune"]
if find_spec("raspalib"):
    COMMANDS["label"] = ["label", "ARGON", "--with", "gcmc", "--pressure", "5", "--gas", "CH4"]
    COMMANDS["label"] += ["--cutoff", "8", "--cycles", "50", "--equilibration", "20"]
    COMMANDS["label"] += ["--out", "OUT/l.csv"]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Inputs of the commands, and a model that can be explained."""
    folder = tmp_path_factory.mktemp("material")
    (folder / "water.xyz").write_text("3\nwater\nO 0 0 0.1\nH 0 0.76 -0.5\nH 0 -0.76 -0.5\n")
    argon_crystal().write(folder / "argon.cif")
    model = ["train", "toy", "--limit", "30", "--model", "cgcnn", "--epochs", "1", "--quiet"]
    assert main([*model, "--set", "model.n_features=8", "--out", str(folder / "m")]) == 0
    return {
        "MODEL": str(folder / "m"),
        "WATER": str(folder / "water.xyz"),
        "ARGON": str(folder / "argon.cif"),
    }


@pytest.fixture(scope="module")
def typed(material: dict[str, str]) -> Callable[[str, Path], Callable[[], int]]:
    """Return what a command does when it is typed with an output in some folder."""

    def command(name: str, out: Path) -> Callable[[], int]:
        words = [material.get(w, w).replace("OUT", str(out)) for w in COMMANDS[name]]
        quiet = [] if name in ("graph", "evaluate", "faithful") else ["--quiet"]
        return lambda: main([*words, *quiet])

    return command


@pytest.fixture(scope="module")
def undisturbed(
    typed: Callable[[str, Path], Callable[[], int]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, bytes]]:
    """Return what a command writes where nothing is in its way.

    Each is typed once, in this process: what it imports is there in those that are forked later.
    """

    @cache
    def written(name: str) -> dict[str, bytes]:
        out = tmp_path_factory.mktemp("good") / "out"
        assert typed(name, out)() == 0
        return seen(out)

    return written


def seen(folder: Path) -> dict[str, bytes]:
    """Return all files that a reader would find; the state of a training is not for readers."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and "training" not in p.relative_to(folder).parts
    }


def check_refused(said: str) -> None:
    lines = [one for one in said.splitlines() if one.startswith("atomlens:")]
    notes = ("atomlens: warning", "atomlens: signal: nothing can be said of")
    errors = [one for one in lines if not one.startswith(notes)]
    assert len(errors) == 1, said
    assert "bug" not in said, said
    assert "Traceback" not in said, said


def play(n_bytes: int) -> int:
    """Return by how much two writings of a file may differ: some say when they were made."""
    return n_bytes // 50 + 8


def check_whole(found: dict[str, bytes], reference: dict[str, bytes]) -> None:
    """Whatever is there is there to its last byte, which its size shows."""
    for name, content in found.items():
        assert name in reference, f"{name} was left behind"
        if name.endswith("screen.json"):  # says how far it came
            json.loads(content)
            continue
        expected = len(reference[name])
        assert abs(len(content) - expected) <= play(expected), name


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(
    name: str,
    typed: Callable[[str, Path], Callable[[], int]],
    undisturbed: Callable[[str], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    reference = undisturbed(name)
    assert reference
    largest = max(map(len, reference.values()))
    for n_bytes in (0, max(largest - play(largest) - 1, 0)):
        out = tmp_path / f"bad{n_bytes}"
        ended = run(typed(name, out), before=small_files(n_bytes))
        assert ended.code == 2, (n_bytes, ended.said)
        check_refused(ended.said)
        check_whole(seen(out) if out.exists() else {}, reference)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_closed_folder_is_one_sentence(
    name: str, typed: Callable[[str, Path], Callable[[], int]], tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    ended = run(typed(name, closed), before=as_anybody)
    assert ended.code == 2, ended.said
    check_refused(ended.said)
    assert list(closed.iterdir()) == []


@pytest.mark.parametrize("name", [one for one in COMMANDS if one != "faithful"])  # half a minute
def test_two_of_a_kind_on_one_output_leave_one_whole_output(
    name: str,
    typed: Callable[[str, Path], Callable[[], int]],
    undisturbed: Callable[[str], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    reference = undisturbed(name)
    both = [Running(typed(name, tmp_path / "out")) for _ in range(2)]
    ended = [one.wait() for one in both]
    assert 0 in [one.code for one in ended], ended
    for one in ended:
        if one.code:
            assert one.code == 2
            check_refused(one.said)
        assert "bug" not in one.said
    found = seen(tmp_path / "out")
    assert set(found) == set(reference)
    check_whole(found, reference)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(place)], capture_output=True
    )
    if made.returncode:
        pytest.skip("disks cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("name", ["train", "predict csv", "explain"])
def test_a_disk_that_fills_up_keeps_what_stood_on_it(
    name: str, typed: Callable[[str, Path], Callable[[], int]], small_disk: Path
) -> None:
    (small_disk / "notes").write_bytes(os.urandom(40_000))
    before = seen(small_disk)
    if name == "predict csv":
        (small_disk / "more").write_bytes(bytes(8_000))
        before = seen(small_disk)
    ended = run(typed(name, small_disk))
    assert ended.code == 2, ended.said
    check_refused(ended.said)
    after = seen(small_disk)
    assert {k: v for k, v in after.items() if k in before} == before
    assert not [name for name in after if ".part" in name]
