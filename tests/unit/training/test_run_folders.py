"""Who may write to the folder of a run, and checkpoints."""

import json
import math
from pathlib import Path

import pytest
import torch

from atomlens.errors import TrainingError
from atomlens.training.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint
from atomlens.training.run_folder import check_out, claimed, first_difference, open_run


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not lose me")
    for resume in (False, True):
        with pytest.raises(TrainingError, match=str(tmp_path)):
            check_out(tmp_path, resume=resume)


def put_state(out: Path) -> None:
    folder = out / "training" / "member0"
    folder.mkdir(parents=True)
    (folder / CHECKPOINT).touch()


def test_what_a_failed_start_left_is_in_nobodys_way(tmp_path: Path) -> None:
    open_run(tmp_path, {"data": "a"}, write=True)
    check_out(tmp_path, resume=False)
    open_run(tmp_path, {"data": "b"}, write=True)


def test_a_failed_start_leaves_nothing_and_a_state_stays(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    with pytest.raises(TrainingError, match="no"), claimed(out):
        raise TrainingError("no")
    assert not out.exists()
    put_state(out)
    with pytest.raises(TrainingError, match="no"), claimed(out):
        raise TrainingError("no")
    assert (out / "training" / "member0").is_dir()


def test_only_one_process_trains_in_a_folder(tmp_path: Path) -> None:
    held = claimed(tmp_path)
    with held, pytest.raises(TrainingError, match="another process trains"), claimed(tmp_path):
        pass
    with claimed(tmp_path):
        pass


def test_an_interrupted_training_offers_to_resume(tmp_path: Path) -> None:
    put_state(tmp_path)
    with pytest.raises(TrainingError, match="--resume"):
        check_out(tmp_path, resume=False)
    check_out(tmp_path, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_new_or_empty_folder_is_welcome(tmp_path: Path, resume: bool) -> None:
    check_out(tmp_path, resume=resume)
    check_out(tmp_path / "new", resume=resume)


def test_other_data_or_settings_cannot_resume(tmp_path: Path) -> None:
    run = {"data": "a", "settings": {"epochs": 5, "split": "x"}}
    open_run(tmp_path, run, write=True)
    assert open_run(tmp_path, run, write=True) == tmp_path / "training"
    with pytest.raises(TrainingError, match=r"settings\.epochs was 5 and is now 6"):
        open_run(tmp_path, {"data": "a", "settings": {"epochs": 6, "split": "x"}}, write=True)
    with pytest.raises(TrainingError, match="the data are not the same"):
        open_run(tmp_path, {"data": "b", "settings": {"epochs": 5, "split": "x"}}, write=True)


def test_a_run_from_before_a_setting_existed_had_its_default(tmp_path: Path) -> None:
    open_run(tmp_path, {"settings": {"epochs": 5}}, write=True)
    open_run(tmp_path, {"settings": {"epochs": 5, "frozen_layers": 0}}, write=True)
    with pytest.raises(TrainingError, match=r"settings\.frozen_layers was 0 and is now 2"):
        open_run(tmp_path, {"settings": {"epochs": 5, "frozen_layers": 2}}, write=True)


def test_the_same_holds_for_the_settings_of_a_model(tmp_path: Path) -> None:
    before = {"model": "scann", "config": {"n_layers": 8}}
    open_run(tmp_path, before, write=True)
    open_run(tmp_path, {**before, "config": {"n_layers": 8, "ring_features": False}}, write=True)
    changed = {**before, "config": {"n_layers": 8, "ring_features": True}}
    with pytest.raises(TrainingError, match=r"config\.ring_features was False and is now True"):
        open_run(tmp_path, changed, write=True)


@pytest.mark.parametrize(
    "odd",
    [
        3.5,
        {"targets": [1.5]},
        {"targets": "x"},
        {"builder": {"name": []}},
        {"builder": {"name": "nearest", "settings": 2}},
        {"settings": []},
        {"model": {}},
    ],
)
def test_a_description_that_is_none_is_a_sentence(tmp_path: Path, odd: object) -> None:
    now = {"model": "scann", "targets": [{"name": "gap"}]}
    open_run(tmp_path, now, write=True)
    (tmp_path / "training" / "run.json").write_text(json.dumps(odd))
    with pytest.raises(TrainingError, match="this file is damaged"):
        open_run(tmp_path, now, write=True)


def test_a_missing_setting_is_a_difference() -> None:
    assert first_difference({"a": {"b": 1}}, {"a": {}}) == "a.b was given and is not now"


def test_a_checkpoint_keeps_every_bit(tmp_path: Path) -> None:
    tensors = {"model.w": torch.randn(3, 4), "loop.sum": torch.tensor(0.1, dtype=torch.float64)}
    state = {"best": math.inf, "rate": 0.1 + 0.2, "history": [{"epoch": 1, "mae": math.nan}]}
    Checkpoint(tensors=tensors, state=state).write(tmp_path)
    back = read_checkpoint(tmp_path)
    assert back is not None
    assert torch.equal(back.group("model")["w"], tensors["model.w"])
    assert torch.equal(back.group("loop")["sum"], tensors["loop.sum"])
    assert back.state["rate"] == 0.1 + 0.2
    assert back.state["best"] == math.inf
    assert math.isnan(back.state["history"][0]["mae"])


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None


@pytest.mark.parametrize("keep", [0, 7, 100])
def test_a_cut_checkpoint_is_a_sentence(tmp_path: Path, keep: int) -> None:
    Checkpoint(tensors={"model.w": torch.randn(100)}, state={}).write(tmp_path)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TrainingError, match="damaged"):
        read_checkpoint(tmp_path)


def test_trainings_in_threads_do_not_disturb_each_other() -> None:
    from concurrent.futures import ThreadPoolExecutor

    from atomlens.datasets import load_dataset
    from atomlens.training import train

    data = load_dataset("toy", limit=30)
    small = {"n_layers": 1, "n_features": 8, "n_heads": 2, "dropout": 0.3}

    def learned(_: int) -> torch.Tensor:
        model = train(data, model="scann-plus", epochs=2, batch_size=8, model_settings=small)
        return model.models[0].state_dict()["output.weight"]

    alone = learned(0)
    with ThreadPoolExecutor(3) as pool:
        assert all(torch.equal(alone, together) for together in pool.map(learned, range(3)))
