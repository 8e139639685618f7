"""What a GPU would do, done on a CPU: batches of a fixed size, recorded steps, a timed schedule."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atomlens.datasets import load_dataset
from atomlens.errors import SettingsError
from atomlens.graphs import GraphStore
from atomlens.graphs.padding import Capacity, counts_of
from atomlens.neighbors import build_store, make_builder
from atomlens.predictor import Predictor
from atomlens.training import TrainingProgress, TrainSettings, train
from atomlens.training.capture import RecordedSteps, can_record
from atomlens.training.member import MemberTraining
from atomlens.training.step import capacity_for, matmul_precision, mixes_rows, resident
from clocks import set_ticking
from model_makers import small_model

pytestmark = pytest.mark.usefixtures("no_pictures")

SETTINGS: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 20,
    "learning_rate": 3e-3,
    "n_threads": 1,
    "ema_decay": 0.9,
    "model_settings": {"n_layers": 1, "n_features": 16, "n_heads": 2, "dropout": 0.0},
}
"""48 training samples: 2 full steps and one of 8 an epoch."""


@pytest.fixture
def fixed_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training on the CPU take batches of a fixed size, as it does on CUDA."""

    def capacity(_: Any, store: Any, rows: Any, batch_size: int) -> Capacity:
        nodes, edges = counts_of(store)
        return Capacity.of(nodes[rows], edges[rows], batch_size)

    monkeypatch.setattr("atomlens.training.member.capacity_for", capacity)


def run(model: str = "scann-plus", out: Path | None = None, **changes: Any) -> Predictor:
    settings = {**SETTINGS, **changes}
    return train(load_dataset("toy", limit=60), model=model, out=out, **settings)


def losses(predictor: Predictor) -> list[float]:
    return [row["train_loss"] for row in predictor.record.history]


@pytest.mark.usefixtures("fixed_sizes")
def test_fixed_sizes_train_as_ordinary_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**SETTINGS["model_settings"], "attention_dropout": 0.0}
    filled = run(model_settings=settings)
    monkeypatch.setattr("atomlens.training.member.capacity_for", capacity_for)
    plain = run(model_settings=settings)
    np.testing.assert_allclose(losses(filled), losses(plain), rtol=1e-4)
    for a, b in zip(filled.models[0].parameters(), plain.models[0].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


class Recorder(RecordedSteps):
    """Keeps the work of a kind instead of a CUDA graph, and does it at every replay."""

    made: "list[Recorder]" = []  # noqa: RUF012

    def __init__(self, work: Callable[[int], None], *rest: Any) -> None:
        super().__init__(work, *rest)
        self.made.append(self)

    def _recorded(self, step: int) -> Any:
        for _ in range(3):
            self.work(step)  # what must leave no trace
        return step

    def replay(self, kind: Any) -> None:
        self.work(self.graphs[kind])


@pytest.mark.usefixtures("fixed_sizes")
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "muon"])
def test_recording_leaves_no_trace_and_each_kind_is_recorded_once(
    monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    """Replaying the first step of a kind in the place of the others gives the same training."""
    settings = {**SETTINGS["model_settings"], "n_embedding": 8}
    eager = run("lens", model_settings=settings, epochs=4, optimizer=optimizer)
    Recorder.made.clear()
    monkeypatch.setattr("atomlens.training.member.can_record", lambda *_: True)
    monkeypatch.setattr("atomlens.training.member.RecordedSteps", Recorder)
    recorded = run("lens", model_settings=settings, epochs=4, optimizer=optimizer)
    assert losses(recorded) == losses(eager)
    assert all(
        torch.equal(a, b)
        for a, b in zip(recorded.models[0].parameters(), eager.models[0].parameters(), strict=True)
    )
    (one,) = Recorder.made
    assert one.graphs == {"graph": 0, None: 1, "mask": 4}


class Heard(TrainingProgress):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.usefixtures("fixed_sizes")
def test_steps_that_cannot_be_recorded_are_done_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Impossible(RecordedSteps):
        def _recorded(self, step: int) -> Any:
            self.work(step)
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

    eager = run()
    monkeypatch.setattr("atomlens.training.member.can_record", lambda *_: True)
    monkeypatch.setattr("atomlens.training.member.RecordedSteps", Impossible)
    heard = Heard()
    found = run(progress=heard)
    assert losses(found) == losses(eager)
    assert sum("cannot be recorded as CUDA graphs (operation not" in s for s in heard.said) == 1


@pytest.mark.usefixtures("fixed_sizes")
def test_fixed_steps_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run("lens")

    class Killed(BaseException):
        pass

    one_step, done = MemberTraining._one_step, iter(range(1000))

    def fatal(self: MemberTraining) -> None:
        if next(done) == 5:
            raise Killed
        one_step(self)

    with monkeypatch.context() as patch:
        patch.setattr(MemberTraining, "_one_step", fatal)
        with pytest.raises(Killed):
            run("lens", out=tmp_path, checkpoint_seconds=0.0)
    resumed = run("lens", out=tmp_path, checkpoint_seconds=0.0, resume=True)
    assert losses(resumed) == losses(whole)


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule has as many steps as ever, as slow as the machine may be."""
    set_ticking(monkeypatch)


@pytest.mark.usefixtures("ticking")
def test_a_schedule_by_time_ends_at_its_limit_with_the_lowest_rate(tmp_path: Path) -> None:
    found = run(schedule_seconds=2.0, warmup_epochs=0.5, out=tmp_path, learning_rate=1e-3)
    history = found.record.history
    assert "the 2 s of its schedule were over" in found.record.ended
    assert 2.0 <= history[-1]["seconds"] < 2.1
    assert len(history) != SETTINGS["epochs"]
    rates = [row["learning_rate"] for row in history]
    # of the last epoch's last step, after which the validation may use up what time is left
    assert rates[-1] == pytest.approx(1e-5, rel=0.2)
    assert max(rates) <= 1e-3
    assert not (tmp_path / "training").exists()


@pytest.mark.usefixtures("ticking")
def test_a_schedule_by_time_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    changes = {"schedule_seconds": 3.0, "out": tmp_path}
    first = run(max_seconds=0.8, **changes)
    before = first.record.history[-1]
    assert "time budget of 0.8 s" in first.record.ended
    assert (tmp_path / "training").exists()
    second = run(resume=True, **changes)
    assert len(second.record.history) > len(first.record.history)
    assert second.record.history[: len(first.record.history)] == first.record.history
    assert before["learning_rate"] > second.record.history[-1]["learning_rate"]
    assert 3.0 <= second.record.history[-1]["seconds"] < 3.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"schedule": "plateau"}, "not the clock"), ({"devices": 2}, "devices=1")],
)
def test_schedules_that_cannot_go_by_the_clock(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        TrainSettings(schedule_seconds=60.0, **changes)


CUDA = torch.device("cuda")


def test_what_is_recorded_and_with_which_precision() -> None:
    usual = TrainSettings()
    assert can_record(usual, CUDA)
    assert not can_record(usual, torch.device("cpu"))
    for change in (
        {"clipping": "autoclip"},
        {"devices": 2},
        {"precision": "bf16-mixed"},
        {"record_steps": False},
    ):
        assert not can_record(usual.changed(change), CUDA), change
    assert matmul_precision(usual, CUDA) == "high"
    assert matmul_precision(usual, torch.device("cpu")) == "highest"
    assert matmul_precision(usual.changed({"matmul_precision": "highest"}), CUDA) == "highest"


def test_models_that_normalise_over_a_batch_keep_the_sizes_of_their_graphs() -> None:
    assert mixes_rows(small_model("cgcnn"))
    assert not mixes_rows(small_model("lens"))


@pytest.mark.parametrize(("free", "moves"), [(1.0, False), (3.0, True)])
def test_graphs_move_to_a_device_with_twice_the_room(
    monkeypatch: pytest.MonkeyPatch, free: float, moves: bool
) -> None:
    store = build_store(load_dataset("toy", limit=5).structures, make_builder("voronoi")).store
    assert store.n_bytes > store.select(set()).n_bytes > 0
    room = int(free * store.n_bytes)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (room, room))
    moved = store.select(set())
    monkeypatch.setattr(GraphStore, "to", lambda *_: moved)
    assert (resident(store, torch.device("cuda")) is moved) == moves
