"""`benchmarks/claims.py` as typed: from folders of trained models to verdicts."""

import csv
import io
import json
import runpy
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "claims.py"


def trained(
    folder: Path,
    error: float,
    n_train: int = 1000,
    losses: Sequence[float] = (),
    test: Sequence[str] = (),
) -> None:
    """What a training leaves that the claims read."""
    folder.mkdir(parents=True)
    content = {"n_train": n_train, "test": {"targets": {"y": {"mae": error}}}}
    (folder / "metrics.json").write_text(json.dumps(content))
    if test:
        (folder / "split.json").write_text(json.dumps({"train": [], "test": list(test)}))
    with (folder / "history.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", "train_loss", "validation_loss"])
        rows.writerows([i, loss, loss] for i, loss in enumerate(losses, start=1))


def typed(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script in this process, from its first line to its last."""
    command, code = [str(SCRIPT), *arguments], 0
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(folder),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", command)
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as ended:
            if isinstance(ended.code, str):
                err.write(ended.code)
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def in_a_process(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_ladder_is_judged_split_by_split(tmp_path: Path) -> None:
    rungs = (
        "cgcnn",
        "cgcnn-edge",
        "cgcnn-attention",
        "cgcnn-charge-geometry",
        "ae-cgcnn-2",
        "ae-cgcnn",
    )
    for k, rung in enumerate(rungs):
        for split in range(3):
            error = 1.0 - (0.1 + 1e-3 * split) * k
            trained(tmp_path / f"{rung}_{split}", error, losses=[2.0, error])
    done = typed("ladder", *(f"{r}={r}_?" for r in rungs), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = (line for line in done.stdout.splitlines() if line.startswith(("A1", "A2")))
    assert first.startswith("A1 holds")
    assert second.startswith("A2 holds")  # 0.5 of the first rung's error


def test_a_model_that_loses_one_task_is_not_better_everywhere(tmp_path: Path) -> None:
    for split in range(3):
        for task, own, rival in (("gap", 0.3, 0.4), ("phonons", 0.5, 0.45)):
            trained(tmp_path / f"{task}_finder_{split}", own + 1e-3 * split)
            trained(tmp_path / f"{task}_forest_{split}", rival)
    groups = [
        f"{task}:{name}={task}_{folder}_?"
        for task in ("gap", "phonons")
        for name, folder in (("finder", "finder"), ("rf-magpie", "forest"))
    ]
    both = typed("better", "--id", "F1", *groups, folder=tmp_path)
    assert both.stdout.startswith("F1 fails"), both.stdout + both.stderr
    won = typed("better", "--id", "F1", *groups[:2], folder=tmp_path)
    assert won.stdout.startswith("F1 holds"), won.stdout + won.stderr


def test_a_learning_curve_that_has_not_converged_is_not_tested(tmp_path: Path) -> None:
    for n in (1000, 2000, 5000, 10000):
        for seed in range(3):
            falling = [3.0, 2.0, 1.0, 1.1, 1.2, 1.3, 1.2, 1.3, 1.2, 1.3]
            trained(tmp_path / f"c-{n}-{seed}", n**-0.21 * (1 + 1e-3 * seed), n, falling)
            trained(tmp_path / f"e-{n}-{seed}", n**-0.21 * (1 + 1e-3 * seed), n, falling[:3])
    assert typed("power-law", "c-*", folder=tmp_path).stdout.startswith("F7 holds")
    early = typed("power-law", "e-*", folder=tmp_path).stdout
    assert early.startswith("F7 not tested")
    assert "not converged" in early


def test_a_pattern_without_models_is_said(tmp_path: Path) -> None:
    done = in_a_process("power-law", "nothing-*", folder=tmp_path)
    assert done.returncode != 0
    assert "nothing-*: there is no finished model" in done.stderr
    assert "Traceback" not in done.stderr


def test_models_that_cannot_be_judged_are_named(tmp_path: Path) -> None:
    trained(tmp_path / "one-0", 0.1)
    (tmp_path / "one-0" / "history.csv").unlink()
    (tmp_path / "two-0").mkdir()
    several = {"n_train": 10, "test": {"targets": {"y": {"mae": 1.0}, "z": {"mae": 2.0}}}}
    (tmp_path / "two-0" / "metrics.json").write_text(json.dumps(several))
    for arguments, words in (
        (["ladder", "cgcnn=one-?"], "one-0: there is no training loss"),
        (["better", "t:finder=two-?"], "two-0: metrics.json has the test errors of 2 targets"),
    ):
        done = typed(*arguments, folder=tmp_path)
        assert done.returncode != 0
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_models_are_compared_on_the_same_test_parts(tmp_path: Path) -> None:
    for k, (own, rival) in enumerate(((0.30, 0.40), (0.31, 0.42), (0.30, 0.41))):
        part = [f"{k}-{i}" for i in range(250)]
        trained(tmp_path / f"finder_{k}", own, test=part)
        trained(tmp_path / f"forest_{k}", rival, test=part)
        trained(tmp_path / f"stray_{2 - k}", rival, test=part)
        trained(tmp_path / f"seed_{k}", own, test=["always", "these"])
        trained(tmp_path / f"other_{k}", rival, test=["always", "these"])

    def compared(own: str, rival: str) -> subprocess.CompletedProcess[str]:
        groups = [f"gap:finder={own}_?", f"gap:forest={rival}_?"]
        return typed("better", "--model", "finder", *groups, folder=tmp_path)

    assert compared("finder", "forest").stdout.startswith("F1 holds")
    mixed = compared("finder", "stray")
    assert mixed.returncode != 0
    assert "gap: finder_0 and stray_0 have different test parts" in mixed.stderr
    assert compared("seed", "other").stdout.startswith("gap: one test part for all trainings")
    (tmp_path / "forest_2" / "metrics.json").unlink()
    assert "forest has 2 trainings and finder 3" in compared("finder", "forest").stderr
