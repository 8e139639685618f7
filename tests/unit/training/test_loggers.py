"""``--log``: every epoch reaches TensorBoard, MLflow or Weights & Biases.

TensorBoard is the real one. MLflow and Weights & Biases are played by small stand-ins that keep
what they are given, and are real where they are installed (a database, a run without a network).
"""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atomlens.cli import main
from atomlens.errors import MissingDependencyError, SettingsError
from atomlens.training.loggers import LoggedTraining, final_figures
from atomlens.training.progress import TrainingProgress, TrainingState


def _state(epoch: int) -> TrainingState:
    return TrainingState(
        member=0,
        n_members=1,
        epoch=epoch,
        n_epochs=2,
        step=0,
        n_steps=1,
        seconds=1.0,
        seconds_left=1.0,
        learning_rate=1e-3,
        train_loss=0.5 / epoch,
        validation={"gap (eV)": 0.25 / epoch},
    )


def test_tensorboard_gets_curves_and_settings(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    heard: list[int] = []

    class Listener(TrainingProgress):
        def epoch(self, state: TrainingState) -> None:
            heard.append(state.epoch)

    logged = LoggedTraining("tensorboard", tmp_path, {"epochs": 2}, Listener())
    for epoch in (1, 2):
        logged.epoch(_state(epoch))
    logged.close({"test gap mae": 0.125})
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    curve = found.Scalars("validation MAE gap (eV)")
    assert [(e.step, e.value) for e in curve] == [(1, 0.25), (2, 0.125)]
    assert found.Scalars("test gap mae")[0].value == 0.125
    assert heard == [1, 2]


def test_the_command_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("formula,x\n" + "".join(f"Na{i}Cl,{i}\n" for i in range(1, 15)))
    typed = ["train", "t.csv", "--target", "x", "--model", "lens", "--epochs", "1", "--quiet"]
    small = ["--set", "model.n_layers=1", "--set", "model.n_features=16"]
    assert main([*typed, *small, "--out", "runs/x", "--log", "tensorboard"]) == 0
    assert list(Path("runs/x-log/tensorboard").glob("events*"))


def test_mlflow_gets_names_that_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[tuple[dict[str, float], int | None]] = []
    fake: Any = SimpleNamespace(
        set_experiment=lambda name: None,
        start_run=lambda run_name: None,
        log_params=lambda values: kept.append((values, None)),
        log_metrics=lambda values, step=None: kept.append((values, step)),
        end_run=lambda: None,
    )
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    logged = LoggedTraining("mlflow", tmp_path / "gap", {"note": "x" * 999})
    logged.epoch(_state(1))
    logged.close({"test gap mae": 0.125})
    assert len(kept[0][0]["note"]) == 250  # type: ignore[arg-type]
    assert kept[1] == (
        {"validation MAE gap _eV_": 0.25, "train loss": 0.5, "learning rate": 1e-3},
        1,
    )


def test_wandb_gets_curves_and_a_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    summary: dict[str, float] = {}
    run = SimpleNamespace(
        log=lambda values, step: kept.append((values, step)),
        summary=summary,
        finish=lambda: kept.append("finished"),
    )
    fake: Any = SimpleNamespace(init=lambda **given: kept.append(given) or run)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    logged = LoggedTraining("wandb", tmp_path / "gap", {"epochs": 2})
    logged.epoch(_state(1))
    logged.close({"test gap mae": 0.125})
    assert kept[0] == {"project": "atomlens", "name": "gap", "config": {"epochs": 2}}
    assert kept[1][1] == 1
    assert kept[-1] == "finished"
    assert summary == {"test gap mae": 0.125}


@pytest.mark.filterwarnings("ignore")
def test_the_real_mlflow_keeps_curves_and_settings_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    logged = LoggedTraining("mlflow", tmp_path / "gap", {"epochs": 2, "note": "x" * 999})
    for epoch in (1, 2):
        logged.epoch(_state(epoch))
    logged.close({"test gap mae": 0.125})
    client = mlflow.MlflowClient()
    (run,) = mlflow.search_runs(experiment_names=["atomlens"], output_format="list")
    assert (run.info.run_name, run.info.status) == ("gap", "FINISHED")
    assert run.data.params["epochs"] == "2"
    assert run.data.metrics["test gap mae"] == 0.125
    curve = client.get_metric_history(run.info.run_id, "validation MAE gap _eV_")
    assert [(m.step, m.value) for m in curve] == [(1, 0.25), (2, 0.125)]


@pytest.mark.filterwarnings("ignore")
def test_the_real_wandb_runs_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    logged = LoggedTraining("wandb", tmp_path / "gap", {"epochs": 2})
    for epoch in (1, 2):
        logged.epoch(_state(epoch))
    logged.close({"test gap mae": 0.125})
    assert list(Path("wandb").glob("offline-run-*/*.wandb"))
    summary = capfd.readouterr().err.partition("Run summary:")[2]
    for name, value in (("test gap mae", 0.125), ("validation MAE gap (eV)", 0.125)):
        assert f"{name} {value}" in summary


@pytest.mark.parametrize("kind", ["mlflow", "wandb"])
def test_a_logger_that_is_not_installed_is_named(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(MissingDependencyError, match=rf"atomlens\[{kind}\]"):
        LoggedTraining(kind, tmp_path)
    with pytest.raises(SettingsError, match="Did you mean"):
        LoggedTraining("tensorbord", tmp_path)


def test_final_figures_are_flat() -> None:
    metrics = {"test": {"targets": {"gap": {"mae": 1.0, "n": 3, "unit": "eV"}}}, "n_train": 3}
    assert final_figures(metrics) == {"test gap mae": 1.0}
