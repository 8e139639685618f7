"""A training that is interrupted and resumed ends with the same bits as one left alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atomlens.datasets import load_dataset
from atomlens.errors import ModelError, TrainingError, TrainingStopped
from atomlens.predictor import Predictor, load
from atomlens.training import TrainingProgress, TrainingState, train
from atomlens.training.member import MemberTraining

pytestmark = pytest.mark.usefixtures("no_pictures")

SETTINGS: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "checkpoint_seconds": 0.0,
    "n_threads": 1,
    "model_settings": {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8},
}
"""48 training samples: 3 steps an epoch, 12 in all."""


class Killed(BaseException):
    """Stands for a kill: nothing in the package catches it."""


def run(out: Path | None = None, **changes: Any) -> Predictor:
    return train(load_dataset("toy", limit=60), out=out, **{**SETTINGS, **changes})


def same(one: Predictor, other: Predictor) -> bool:
    pairs = zip(one.models, other.models, strict=True)
    weights = all(
        torch.equal(a, b)
        for x, y in pairs
        for a, b in zip(x.state_dict().values(), y.state_dict().values(), strict=True)
    )
    return weights and one.metrics == other.metrics and one.calibration == other.calibration


def killed_before(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the training die just before the step of this number (from 0)."""
    one_step = MemberTraining._one_step
    done = iter(range(1000))

    def fatal(self: MemberTraining) -> None:
        if next(done) == step:
            raise Killed
        one_step(self)

    monkeypatch.setattr(MemberTraining, "_one_step", fatal)


CASES: list[tuple[int, dict[str, Any]]] = [
    (1, {}),
    (3, {"clipping": "autoclip", "schedule": "restarts", "restart_epochs": 1}),
    (7, {"ema_decay": 0.9, "loss": "robust-l1", "optimizer": "adamw"}),
    (8, {"schedule": "plateau", "plateau_patience": 1, "patience": 2, "warmup_epochs": 1.5}),
    (9, {"optimizer": "muon", "model": "lens"}),
    (14, {"ensemble": 2, "epochs": 3}),
]


@pytest.mark.parametrize(("step", "settings"), CASES)
def test_a_killed_training_ends_as_if_nothing_had_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, settings: dict[str, Any]
) -> None:
    undisturbed = run(**settings)
    with monkeypatch.context() as patch:
        killed_before(patch, step)
        with pytest.raises(Killed):
            run(tmp_path / "run", **settings)
    resumed = run(tmp_path / "run", resume=True, **settings)
    assert same(undisturbed, resumed)
    assert same(undisturbed, load(tmp_path / "run"))


KILLED = """
import os, signal, sys
from atomlens.datasets import load_dataset
from atomlens.training import TrainingProgress, counters, train
counters._TICK = 0.0
class Kill(TrainingProgress):
    def step(self, state):
        if state.epoch == 2: os.kill(os.getpid(), signal.SIGKILL)
train(load_dataset("toy", limit=60), out=sys.argv[1], progress=Kill(), **eval(sys.argv[2]))
"""


def test_sigkill_at_a_step_costs_nothing(tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = {**SETTINGS, "epochs": 6}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(out), repr(settings)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not (out / "settings.json").exists()
    assert same(run(epochs=6), run(out, resume=True, epochs=6))


def test_a_kill_while_the_checkpoint_is_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, done = os.replace, iter(range(1000))

    def fatal(source: Any, target: Any) -> None:
        if str(target).endswith("checkpoint.safetensors") and next(done) == 5:
            raise Killed
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fatal)
        with pytest.raises(Killed):
            run(tmp_path / "run")
    assert same(run(), run(tmp_path / "run", resume=True))


def test_a_kill_while_the_model_is_written_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def fatal(source: Any, target: Any) -> None:
        if str(target).endswith("model.safetensors"):
            raise Killed
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fatal)
        with pytest.raises(Killed):
            run(tmp_path / "run")
    with pytest.raises(ModelError, match="has not finished"):
        load(tmp_path / "run")
    assert same(run(), run(tmp_path / "run", resume=True))


class PressCtrlC(TrainingProgress):
    def epoch(self, state: TrainingState) -> None:
        if state.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def keyboard() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("keyboard")
def test_ctrl_c_says_how_to_resume_and_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "run"
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingStopped, match="--resume") as stopped:
        run(out, checkpoint_seconds=1000.0, progress=PressCtrlC())
    assert isinstance(stopped.value, KeyboardInterrupt)
    assert not isinstance(stopped.value, Exception), "a loop that skips failures would go on"
    assert signal.getsignal(signal.SIGINT) is before
    assert same(run(), run(out, checkpoint_seconds=1000.0, resume=True))


@pytest.mark.usefixtures("keyboard")
def test_ctrl_c_without_a_folder_is_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(progress=PressCtrlC())


def test_a_time_budget_stops_cleanly_and_can_be_lifted(tmp_path: Path) -> None:
    out = tmp_path / "run"
    stopped = run(out, max_seconds=0.0)
    assert len(stopped.record.history) == 1
    assert "time budget" in stopped.record.ended
    assert np.isfinite(stopped.predict(load_dataset("toy", limit=3).structures).values).all()
    assert same(stopped, load(out))
    resumed = run(out, resume=True)
    assert len(resumed.record.history) == 4
    assert same(run(), resumed)


def test_resuming_what_is_finished_returns_it(tmp_path: Path) -> None:
    first = run(tmp_path / "run")
    assert not (tmp_path / "run" / "training").exists()
    assert same(first, run(tmp_path / "run", resume=True))


def test_other_settings_cannot_be_resumed(tmp_path: Path) -> None:
    run(tmp_path / "run", max_seconds=0.0)
    with pytest.raises(TrainingError, match=r"settings\.batch_size was 16 and is now 8"):
        run(tmp_path / "run", resume=True, batch_size=8)


def test_a_finished_run_is_not_overwritten(tmp_path: Path) -> None:
    run(tmp_path / "run", max_seconds=0.0)
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    with pytest.raises(TrainingError, match="not empty"):
        run(tmp_path / "run", seed=1)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before


def poisoned_after(monkeypatch: pytest.MonkeyPatch, n_steps: int) -> None:
    done = iter(range(1000))

    def poison(parameters: list[torch.nn.Parameter], largest: float) -> None:
        if next(done) >= n_steps:
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.fill_(float("nan"))

    monkeypatch.setattr("atomlens.training.member.clip_by_norm", poison)


def test_a_loss_that_is_no_number_names_epoch_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned_after(monkeypatch, 0)
    with pytest.raises(TrainingError, match=r"epoch 1.*learning rate of 0\.00.*Lower"):
        run()


def test_the_best_model_before_a_bad_loss_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned_after(monkeypatch, 7)
    with pytest.raises(TrainingError, match="best model until then is saved"):
        run(tmp_path / "run")
    kept = load(tmp_path / "run")
    assert [row["epoch"] for row in kept.record.history] == [1, 2]
    assert all(p.isfinite().all() for p in kept.models[0].parameters())


def test_every_member_of_an_ensemble_has_its_own_weights() -> None:
    trained = run(ensemble=2, epochs=1)
    first, second = (m.state_dict()["head.weight"] for m in trained.models)
    assert not torch.equal(first, second)
