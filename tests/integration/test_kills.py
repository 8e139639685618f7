"""Processes that are killed or stopped at any moment leave whole files or none, and can go on."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atomlens.cli import main
from atomlens.datasets import Toy
from atomlens.neighbors import make_builder
from atomlens.neighbors.cache import cached_store
from atomlens.reports.tables import read_rows
from killing import N_KILLS, Kills, run
from label_makers import argon_crystal, needs_raspalib

WATER = "3\nwater\nO 0 0 0.1\nH 0 0.76 -0.5\nH 0 -0.76 -0.5\n"
TRAIN = ("train", "toy", "--limit", "60", "--model", "cgcnn", "--epochs", "6", "--quiet")
SMALL = ("--set", "model.n_features=8", "--set", "checkpoint_seconds=0")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if ".part" in p.name)


def trained(out: Path, cache: Path) -> "Callable[[], int]":
    """Return a training that goes on where it was killed."""

    def work() -> int:
        os.environ["ATOMLENS_CACHE"] = str(cache)
        again = ["--resume"] if out.is_dir() and any(out.iterdir()) else []
        return main([*TRAIN, *SMALL, "--out", str(out), *again])

    return work


def model_of(folder: Path) -> tuple[bytes, object, object]:
    """Return what two equal trainings have in common: weights, figures, curve without times."""
    history = [
        {k: v for k, v in row.items() if k != "seconds"}
        for row in read_rows(folder / "history.csv")
    ]
    return (
        (folder / "model.safetensors").read_bytes(),
        json.loads((folder / "metrics.json").read_text()),
        history,
    )


def test_a_training_killed_again_and_again_ends_with_the_same_model(tmp_path: Path) -> None:
    """The graphs' cache is killed with it. What is over is compared and begun anew."""
    whole = tmp_path / "whole"
    assert main([*TRAIN, *SMALL, "--out", str(tmp_path / "warm")]) == 0  # compiles what there is
    first = run(trained(whole, tmp_path / "cache-whole"))
    assert first.code == 0, first.said
    kills, number = Kills("train", first.seconds), 0
    while kills.n_killed < N_KILLS:
        out, cache = tmp_path / f"run{number}", tmp_path / f"cache{number}"
        over = kills.kill(trained(out, cache))
        if not over and kills.n_killed == N_KILLS:
            over = run(trained(out, cache)).code == 0
            assert over
        if (out / "settings.json").exists():  # there is a model, so all of it is there
            kills.n_whole += not over
            assert model_of(out) == model_of(whole)
        if over:
            assert not (out / "training").exists()
            assert not leftovers(out)
            number += 1
    print(kills.told())


def test_a_killed_cache_of_graphs_is_whole_or_not_there(tmp_path: Path) -> None:
    structures = Toy(n=200).load().structures
    builder = make_builder("voronoi")

    def work(folder: Path) -> int:
        cached_store(structures, builder, cache_dir=folder)
        return 0

    work(tmp_path / "warm")
    first = run(lambda: work(tmp_path / "whole"))
    assert first.code == 0, first.said
    files = contents(tmp_path / "whole")
    kills = Kills("cache", first.seconds)
    number = 0
    while kills.n_killed < N_KILLS:
        folder = tmp_path / f"cache{number}"
        over = kills.kill(lambda folder=folder: work(folder))
        whole = [p for p in folder.glob("*") if not p.name.startswith(".")]
        if whole:
            kills.n_whole += not over
            assert {k: v for k, v in contents(folder).items() if "/." not in f"/{k}"} == files
        if over or kills.n_killed == N_KILLS:
            assert run(lambda folder=folder: work(folder)).code == 0
            assert contents(folder) == files  # and nothing else
            number += 1
    print(kills.told())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "m"
    arguments = ["train", "toy", "--limit", "30", "--model", "mean", "--quiet"]
    assert main([*arguments, "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_killed_prediction_leaves_the_old_file_or_the_new_one(
    ending: str, model: Path, tmp_path: Path
) -> None:
    waters = tmp_path / "waters"
    waters.mkdir()
    for number in range(60):
        (waters / f"{number}.xyz").write_text(WATER)
    out = tmp_path / "out" / f"p.{ending}"
    arguments = ["predict", str(model), str(waters), "--out", str(out), "--workers", "1", "--quiet"]
    first = run(lambda: main(arguments))
    assert first.code == 0, first.said
    new, old = out.read_bytes(), b"what stood there before"
    kills = Kills(f"predict {ending}", first.seconds)
    while kills.n_killed < N_KILLS:
        out.write_bytes(old)
        over = kills.kill(lambda: main(arguments))
        found = out.read_bytes()
        assert found in ((new,) if over else (old, new))
        kills.n_whole += not over and found == new
    assert run(lambda: main(arguments)).code == 0
    assert contents(out.parent) == {out.name: new}
    print(kills.told())


PRESSED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job of a shell may ignore it
from atomlens.__main__ import run

class Press:
    left = int(sys.argv.pop(1))
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        cls.left -= 1
        if cls.left == 0:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Press)
run()
"""


@pytest.mark.parametrize("n_imports", [1, 40, 150, 400, 1200])
def test_ctrl_c_is_quiet_from_the_first_moment(n_imports: int, model: Path) -> None:
    """Moments are counted in imports, which are most of a short command on every machine."""
    command = [sys.executable, "-c", PRESSED, str(n_imports), "predict", str(model), "C", "CC"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert "Traceback" not in ended.stderr, ended.stderr
    assert "bug" not in ended.stderr, ended.stderr
    assert ended.returncode == 130 or (n_imports > 400 and ended.returncode == 0), ended.stderr


SWALLOWED = """
import ctypes, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job of a shell may ignore it
import atomlens.cli
from atomlens.__main__ import run
from atomlens.cli.guard import run_guarded

@ctypes.CFUNCTYPE(None)
def compiler_calls_back():
    raise KeyboardInterrupt  # what Ctrl-C does in here

def command(options):
    compiler_calls_back()
    time.sleep(30)
    return 0

atomlens.cli.main = lambda: run_guarded(command, None)
run()
"""


def test_ctrl_c_in_a_callback_is_neither_lost_nor_a_traceback() -> None:
    run = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, text=True)
    assert run.returncode == 130
    assert run.stderr.startswith("atomlens: stopped by you.")
    assert "Traceback" not in run.stderr


@needs_raspalib
def test_a_killed_batch_of_labels_goes_on_where_it_stopped(tmp_path: Path) -> None:
    crystals = tmp_path / "crystals"
    crystals.mkdir()
    for number in range(3):
        argon_crystal(17.0 + number).write(crystals / f"argon-{number}.cif")
    short = ("--cutoff", "8", "--cycles", "50", "--equilibration", "20", "--quiet")
    arguments = [
        "label",
        str(crystals),
        "--with",
        "gcmc",
        "--gas",
        "CH4",
        "--pressure",
        "5",
        *short,
    ]

    def labelled(out: Path) -> Callable[[], int]:
        again = ["--resume"] if out.exists() else []
        return lambda: main([*arguments, "--out", str(out), *again])

    first = run(labelled(tmp_path / "whole.csv"))
    assert first.code == 0, first.said
    whole = [untimed(row) for row in read_rows(tmp_path / "whole.csv")]
    assert [row["name"] for row in whole] == ["argon-0", "argon-1", "argon-2"]
    kills, number = Kills("label", first.seconds), 0
    while kills.n_killed < N_KILLS:
        out = tmp_path / f"out{number}" / "labels.csv"
        before = read_rows(out) if out.exists() else []
        over = kills.kill(labelled(out))
        if kills.n_killed == N_KILLS and not over:
            over = run(labelled(out)).code == 0
            assert over
        rows = read_rows(out) if out.exists() else []
        assert rows[: len(before)] == before
        assert [untimed(row) for row in rows] == whole[: len(rows)]
        if over:
            assert len(rows) == 3
            assert list(contents(out.parent)) == [out.name]
            number += 1
            if out.exists():
                assert main([*arguments, "--out", str(out)]) == 2  # nothing is overwritten
                assert read_rows(out) == rows
        else:
            kills.n_whole += len(rows) == 3
    print(kills.told())


def untimed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if "seconds" not in name}


@needs_raspalib
def test_labels_of_other_settings_stay_in_the_table(tmp_path: Path) -> None:
    argon_crystal(17.0).write(tmp_path / "argon.cif")
    out = tmp_path / "labels.jsonl"
    short = ("--cutoff", "8", "--cycles", "50", "--equilibration", "20", "--out", str(out))
    arguments = ["label", str(tmp_path / "argon.cif"), "--with", "gcmc", "--gas", "CH4", *short]
    assert main([*arguments, "--pressure", "5"]) == 0
    assert main([*arguments, "--pressure", "10", "--resume"]) == 0
    assert main([*arguments, "--pressure", "5", "10", "--resume"]) == 0
    assert [row["pressure"] for row in read_rows(out)] == [5, 10]
