"""Processes that are killed or stopped at any moment leave whole files or none, and can go on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from atomlens.cli import main
from atomlens.reports.tables import read_rows
from label_makers import argon_crystal, needs_raspalib

WATER = "3\nwater\nO 0 0 0.1\nH 0 0.76 -0.5\nH 0 -0.76 -0.5\n"
TRAIN = ("train", "toy", "--limit", "60", "--model", "cgcnn", "--epochs", "6", "--quiet")
SMALL = ("--set", "model.n_features=8", "--set", "checkpoint_seconds=0")


def start(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "atomlens", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if ".part" in p.name)


def test_a_training_killed_again_and_again_ends_with_the_same_model(tmp_path: Path) -> None:
    """The graphs' cache is killed with it."""
    whole, out = tmp_path / "whole", tmp_path / "killed"
    cache = {"ATOMLENS_CACHE": str(tmp_path / "cache")}
    process = start(*TRAIN, *SMALL, "--out", str(whole))
    process.communicate()
    assert process.returncode == 0
    began = False
    for seconds in (1.2, 1.9, 2.6, 3.3):
        again = ("--resume",) if out.is_dir() and any(out.iterdir()) else ()
        process = start(*TRAIN, *SMALL, "--out", str(out), *again, **cache)
        time.sleep(seconds)
        process.kill()
        _, said = process.communicate()
        assert "Traceback" not in said
        assert "bug" not in said
        began = began or out.is_dir()
    again = ("--resume",) if out.is_dir() and any(out.iterdir()) else ()
    process = start(*TRAIN, *SMALL, "--out", str(out), *again, **cache)
    _, said = process.communicate()
    assert process.returncode == 0, said
    weights = "model.safetensors"
    assert (out / weights).read_bytes() == (whole / weights).read_bytes()
    assert not (out / "training").exists()
    assert not leftovers(out)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "m"
    arguments = ["train", "toy", "--limit", "30", "--model", "mean", "--quiet"]
    assert main([*arguments, "--out", str(folder)]) == 0
    return folder


def test_a_killed_prediction_leaves_the_old_file_or_the_new_one(
    model: Path, tmp_path: Path
) -> None:
    waters = tmp_path / "waters"
    waters.mkdir()
    for number in range(40):
        (waters / f"{number}.xyz").write_text(WATER)
    out = tmp_path / "p.json"
    out.write_text("[]")
    for seconds in (1.0, 1.6, 2.2):
        process = start("predict", str(model), str(waters), "--out", str(out))
        time.sleep(seconds)
        process.kill()
        process.communicate()
        assert len(json.loads(out.read_text())) in (0, 40)
    assert main(["predict", str(model), str(waters), "--out", str(out)]) == 0
    assert len(json.loads(out.read_text())) == 40
    assert not leftovers(tmp_path)


def test_ctrl_c_is_quiet_from_the_first_moment(model: Path) -> None:
    for seconds in (0.15, 0.4, 0.8, 1.4):
        process = start("predict", str(model), "C", "CC")
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
        assert "Traceback" not in said, (seconds, said)
        assert "bug" not in said, (seconds, said)
        assert process.returncode in (0, 130, -signal.SIGINT), (seconds, said)


@needs_raspalib
def test_a_killed_batch_of_labels_goes_on_where_it_stopped(tmp_path: Path) -> None:
    crystals = tmp_path / "crystals"
    crystals.mkdir()
    for number in range(3):
        argon_crystal(17.0 + number).write(crystals / f"argon-{number}.cif")
    out = tmp_path / "labels.csv"
    short = ("--cutoff", "8", "--cycles", "50", "--equilibration", "20")
    arguments = ["label", str(crystals), "--with", "gcmc", "--gas", "CH4", "--pressure", "5"]
    arguments += [*short, "--out", str(out), "--quiet"]
    process = start(*arguments)
    for _ in range(600):
        if out.exists() or process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    process.communicate()
    finished = read_rows(out)
    assert finished
    assert main(arguments) == 2  # nothing is overwritten without a word
    assert read_rows(out) == finished
    assert main([*arguments, "--resume"]) == 0
    rows = read_rows(out)
    assert [row["name"] for row in rows] == ["argon-0", "argon-1", "argon-2"]
    assert rows[0] == finished[0]
    assert not leftovers(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


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
