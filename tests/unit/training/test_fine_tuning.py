"""A training that starts from a trained model: what is taken, what is fresh, what stays."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase.build import molecule
from torch import nn

from atomlens.datasets import load_dataset
from atomlens.datasets.base import Dataset, Sample
from atomlens.errors import ModelError, SettingsError, TrainingError
from atomlens.predictor import Predictor, load
from atomlens.predictor.folder import read_settings
from atomlens.training import TrainingProgress, TrainSettings, train
from atomlens.training.member import MemberTraining
from atomlens.training.transfer import train_mode

pytestmark = pytest.mark.usefixtures("no_pictures")

SMALL: dict[str, Any] = {"n_layers": 2, "n_features": 16, "n_heads": 2, "n_embedding": 8}
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 16, "n_threads": 1}
STILL: dict[str, Any] = {**QUICK, "learning_rate": 1e-30, "min_learning_rate": 0.0}
"""A step of this size changes no number in 32 bits."""


@pytest.fixture(scope="module")
def toy() -> Dataset:
    return load_dataset("toy", limit=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, toy: Dataset) -> Path:
    """Folder of the pretrained model."""
    out = tmp_path_factory.mktemp("pretrained") / "toy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atomlens.training.pipeline.draw", lambda *_: True)
        train(toy, out=out, model="scann-plus", model_settings=SMALL, **QUICK)
    return out


def weights(predictor: Predictor, member: int = 0) -> dict[str, torch.Tensor]:
    return predictor.models[member].state_dict()


def changed(one: Predictor, other: Predictor, member: int = 0, of: int = 0) -> set[str]:
    """Names of the weights that differ by a bit."""
    mine, theirs = weights(one, member), weights(other, of)
    return {name for name in mine if not torch.equal(mine[name], theirs[name])}


class Listener(TrainingProgress):
    def __init__(self) -> None:
        self.heard = ""

    def message(self, text: str) -> None:
        self.heard += text

    warning = message


def sulfides() -> list[Sample]:
    """Molecules with an element that the toy data have not, as often as a training needs."""
    names = ["H2O", "CH4", "SH2", "CH3SH", "NH3", "CS", "SO2", "C2H6", "CO2", "N2"] * 2
    return [
        Sample(atoms=molecule(name), targets={"size": float(len(name) + i)}, identifier=f"{i}")
        for i, name in enumerate(names)
    ]


def test_all_weights_and_the_architecture_are_taken(folder: Path, toy: Dataset) -> None:
    before, after = load(folder), train(toy, start_from=folder, **STILL)
    assert after.config == before.config
    assert after.builder == before.builder
    assert not changed(after, before)


def test_a_predictor_serves_as_well_as_its_folder(folder: Path, toy: Dataset) -> None:
    by_object = train(toy, start_from=load(folder), **QUICK)
    assert not changed(by_object, train(toy, start_from=str(folder), **QUICK))
    assert by_object.record.settings["start_from"] == "a scann-plus model in memory (signal)"


def test_fine_tuning_changes_the_weights(folder: Path, toy: Dataset) -> None:
    assert changed(train(toy, start_from=folder, **QUICK), load(folder)) == set(
        weights(load(folder))
    )


def test_the_scaling_is_that_of_the_new_data(folder: Path, toy: Dataset) -> None:
    other = replace(toy, values=100 + 7 * toy.values)
    before, after = load(folder), train(other, start_from=folder, **STILL)
    assert not changed(after, before)
    np.testing.assert_allclose(after.scaling.stds, 7 * np.array(before.scaling.stds))
    np.testing.assert_allclose(
        after.predict(toy.structures).values, 100 + 7 * before.predict(toy.structures).values
    )


def test_the_origin_is_recorded_and_stands_on_the_card(
    folder: Path, toy: Dataset, tmp_path: Path
) -> None:
    train(toy, start_from=folder, out=tmp_path / "tuned", **QUICK)
    origin = load(tmp_path / "tuned").record.started_from
    assert origin["weights_sha256"] == read_settings(folder)["weights_sha256"]
    assert (origin["name"], origin["targets"]) == (str(folder), ["signal"])
    card = (tmp_path / "tuned" / "README.md").read_text()
    assert origin["weights_sha256"] in card
    assert str(folder) in card


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"model": "scann"}, "model='scann' contradicts"),
        ({"builder": "radius"}, "builder='radius' contradicts"),
        ({"builder_settings": {"cutoff": 3.0}}, r"builder\.cutoff=3\.0 contradicts"),
        ({"model_settings": {"n_layers": 5}}, r"model\.n_layers=5 contradicts .* which has 2"),
        ({"model_settings": {"readout": "mean"}}, "readout"),
        ({"frozen_layers": 3}, "more than the 2 local layers"),
    ],
)
def test_what_contradicts_the_pretrained_model_is_refused(
    folder: Path, toy: Dataset, asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        train(toy, start_from=folder, **QUICK, **asked)


def test_what_agrees_with_it_and_dropout_may_be_said(folder: Path, toy: Dataset) -> None:
    asked = {"n_layers": 2, "dropout": 0.0, "attention_dropout": 0.3}
    tuned = train(toy, model="scann-plus", start_from=folder, model_settings=asked, **QUICK)
    assert (tuned.config.dropout, tuned.config.attention_dropout) == (0.0, 0.3)


def test_outputs_that_are_new_are_fresh_and_said_so(folder: Path, toy: Dataset) -> None:
    double = replace(
        toy,
        targets=(toy.targets[0], replace(toy.targets[0], name="twice")),
        values=np.hstack([toy.values, 2 * toy.values]),
    )
    listener = Listener()
    tuned = train(double, target=["signal", "twice"], start_from=folder, progress=listener, **STILL)
    assert changed(tuned, load(folder)) == {"output.weight", "output.bias"}
    assert weights(tuned)["output.weight"].shape == (2, 16)
    assert "Some outputs are fresh: twice (not learned before)" in listener.heard
    assert torch.equal(
        weights(tuned)["output.weight"][0], weights(load(folder))["output.weight"][0]
    )


def test_another_unit_is_said(folder: Path, toy: Dataset) -> None:
    listener = Listener()
    other = replace(toy, targets=(replace(toy.targets[0], unit="MeV"),))
    train(other, start_from=folder, progress=listener, **STILL)
    assert f"was learned in {toy.targets[0].unit} and is learned in MeV now" in listener.heard
    listener = Listener()
    none = replace(toy, targets=(replace(toy.targets[0], unit=""),))
    train(none, start_from=folder, progress=listener, **STILL)
    assert f"learned in {toy.targets[0].unit}; the new data name no unit" in listener.heard


def test_settings_that_may_differ_are_said_if_they_do(folder: Path, toy: Dataset) -> None:
    listener = Listener()
    tuned = train(
        toy, start_from=folder, progress=listener, model_settings={"dropout": 0.3}, **STILL
    )
    before = load(folder).models[0].config.dropout
    said = f"Other settings than before: dropout 0.3 ({before!r} before)."
    assert said in listener.heard
    assert said in tuned.record.started_from["notes"]
    plain = train(toy, start_from=folder, **STILL)
    assert not any("Other settings" in note for note in plain.record.started_from["notes"])


def test_the_licence_of_the_start_goes_with_what_was_made_of_it(
    folder: Path, toy: Dataset, tmp_path: Path
) -> None:
    licensed = tmp_path / "licensed"
    given = load(folder)
    about = load("box:formula-gap").record.about
    replace(given, record=replace(given.record, about=about)).save(licensed)
    train(toy, start_from=licensed, out=tmp_path / "tuned", **STILL)
    assert about is not None
    card = (tmp_path / "tuned" / "README.md").read_text()
    assert f"Licence of what it started from: {about.licence}" in card


def test_the_output_layer_can_be_fresh(folder: Path, toy: Dataset) -> None:
    tuned = train(toy, start_from=folder, fresh_output=True, **STILL)
    assert changed(tuned, load(folder)) == {"output.weight", "output.bias"}


@pytest.mark.filterwarnings("ignore:.*its probabilities are worse")  # nothing is learned
def test_classes_do_not_take_over_the_outputs_of_numbers(folder: Path, toy: Dataset) -> None:
    both = (toy.targets[0], replace(toy.targets[0], name="b"))
    two = replace(toy, targets=both, values=toy.values[:, [0, 0]])
    source = train(two, target=["signal", "b"], start_from=folder, **STILL)
    labels = (toy.values > np.median(toy.values)).astype(float)
    kind = replace(toy.targets[0], kind="classification", classes=("low", "high"), unit="")
    listener = Listener()
    train(
        replace(toy, targets=(kind,), values=labels), start_from=source, progress=listener, **STILL
    )
    assert "classes" in listener.heard


def test_a_loss_with_noise_adds_outputs_and_one_without_drops_them(
    folder: Path, toy: Dataset
) -> None:
    listener = Listener()
    noisy = train(toy, start_from=folder, loss="robust-l1", progress=listener, **STILL)
    before = weights(load(folder))["output.weight"]
    assert torch.equal(weights(noisy)["output.weight"][:1], before)
    assert "log-scale outputs are fresh" in listener.heard
    back = train(toy, start_from=noisy, progress=listener, **STILL)
    assert not changed(back, load(folder))
    assert "left out" in listener.heard


def test_new_elements_get_fresh_rows_in_a_larger_table(folder: Path, toy: Dataset) -> None:
    source = load(folder)
    assert 16 not in source.elements
    listener = Listener()
    tuned = train(sulfides(), start_from=source, progress=listener, seed=1, **STILL)
    rows = (weights(tuned)["embedding.weight"] != weights(source)["embedding.weight"]).any(dim=1)
    assert set(rows.nonzero().flatten().tolist()) == {16}
    assert "has not learned S, which gets a fresh embedding." in listener.heard


def test_a_table_that_is_too_small_grows(folder: Path, toy: Dataset) -> None:
    source = shrunk(load(folder), 10)
    tuned = train(sulfides(), start_from=source, **STILL)
    assert tuned.config.n_elements == 17
    assert torch.equal(weights(tuned)["embedding.weight"][:10], weights(source)["embedding.weight"])


def shrunk(source: Predictor, n_elements: int) -> Predictor:
    """The predictor with fewer rows in its element table, as published checkpoints have."""
    config = replace(source.config, n_elements=n_elements)
    model = type(source.models[0])(config)
    state = weights(source)
    model.load_state_dict(state | {"embedding.weight": state["embedding.weight"][:n_elements]})
    return replace(source, models=(model,), elements=())


FROZEN = {"embedding", "input", "distance_input", "angle_input", "layers.0", "edge_updates.0"}


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_frozen_weights_keep_every_bit_and_the_others_move(
    folder: Path, toy: Dataset, optimizer: str
) -> None:
    tuned = train(
        toy, start_from=folder, frozen_layers=1, ema_decay=0.9, optimizer=optimizer, **QUICK
    )
    moved = changed(tuned, load(folder))
    still = {name for name in weights(tuned) if any(name.startswith(f"{f}.") for f in FROZEN)}
    assert still
    assert moved == set(weights(tuned)) - still


def test_frozen_weights_are_not_in_the_optimiser(
    folder: Path, toy: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[MemberTraining] = []
    run = MemberTraining.run
    monkeypatch.setattr(MemberTraining, "run", lambda self: (seen.append(self), run(self)))
    train(toy, start_from=folder, frozen_layers=2, **QUICK)
    model, optimizer = seen[0].model, seen[0].optimizer
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    frozen = [p for part in model.frozen_parts(2) for p in part.parameters()]  # type: ignore[operator]
    assert held.isdisjoint(map(id, frozen))
    assert all(p.grad is None for p in frozen)
    assert len(held) == len(list(model.parameters())) - len(frozen)


def test_a_table_with_fresh_rows_is_not_frozen(folder: Path) -> None:
    listener = Listener()
    tuned = train(sulfides(), start_from=folder, frozen_layers=1, progress=listener, **QUICK)
    moved = changed(tuned, load(folder))
    assert "embedding.weight" in moved
    assert "input.weight" not in moved
    assert "but not the embeddings" in listener.heard


def test_running_statistics_of_a_frozen_part_stay() -> None:
    model = nn.Sequential(
        nn.Sequential(nn.BatchNorm1d(3), nn.Dropout()), nn.BatchNorm1d(3), nn.Dropout()
    )
    model[0].requires_grad_(False)
    train_mode(model)
    model(torch.randn(8, 3))
    assert torch.equal(model[0][0].running_mean, torch.zeros(3))
    assert not torch.equal(model[1].running_mean, torch.zeros(3))
    assert [m.training for m in (model[0][1], model[2])] == [False, True]


def test_member_i_starts_from_member_i(folder: Path, toy: Dataset) -> None:
    two = train(toy, model_settings=SMALL, ensemble=2, model="scann-plus", **QUICK)
    three = train(toy, start_from=two, ensemble=3, **STILL)
    assert [bool(changed(three, two, i, i % 2)) for i in range(3)] == [False] * 3
    assert changed(three, two, 1, 0)
    listener = Listener()
    train(toy, start_from=two, progress=listener, **STILL)
    assert "an ensemble of 2, of which the first is used" in listener.heard


def test_a_closed_form_model_is_refused(toy: Dataset) -> None:
    ridge = train(toy, model="ridge")
    with pytest.raises(SettingsError, match="nothing to fine-tune"):
        train(toy, start_from=ridge, **QUICK)


def test_a_model_that_is_not_there_is_an_error(toy: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model"):
        train(toy, start_from=tmp_path / "nothing", **QUICK)


@pytest.mark.parametrize("setting", [{"frozen_layers": 1}, {"fresh_output": True}])
def test_freezing_needs_something_to_start_from(toy: Dataset, setting: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="needs a model to start from"):
        train(toy, **QUICK, **setting)


def test_the_settings_can_name_the_model(folder: Path, toy: Dataset) -> None:
    settings = TrainSettings(start_from=str(folder), frozen_layers=1)
    tuned = train(toy, settings=settings, **QUICK)
    assert tuned.config == load(folder).config
    assert tuned.record.settings["frozen_layers"] == 1


class Killed(BaseException):
    """Stands for a kill: nothing in the package catches it."""


@pytest.mark.parametrize("step", [0, 4])
def test_a_killed_fine_tuning_needs_no_pretrained_folder_and_loses_no_bit(
    folder: Path, toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    source = Path(shutil.copytree(folder, tmp_path / "source"))
    settings = {**QUICK, "epochs": 3, "frozen_layers": 1, "checkpoint_seconds": 0.0}
    undisturbed = train(toy, start_from=source, **settings)
    one_step, done = MemberTraining._one_step, iter(range(1000))

    def fatal(self: MemberTraining) -> None:
        if next(done) == step:
            raise Killed
        one_step(self)

    with monkeypatch.context() as patch:
        patch.setattr(MemberTraining, "_one_step", fatal)
        with pytest.raises(Killed):
            train(toy, start_from=source, out=tmp_path / "run", **settings)
    shutil.rmtree(source)
    resumed = train(toy, start_from=source, out=tmp_path / "run", resume=True, **settings)
    assert not changed(resumed, undisturbed)
    assert resumed.metrics == undisturbed.metrics
    assert resumed.record.started_from == undisturbed.record.started_from
    assert not (tmp_path / "run" / "training").exists()


def test_a_run_is_not_resumed_from_another_model(
    folder: Path, toy: Dataset, tmp_path: Path
) -> None:
    source, out = load(folder), tmp_path / "run"
    other = train(toy, start_from=source, **QUICK)
    train(toy, start_from=source, out=out, max_seconds=0.0, **{**QUICK, "epochs": 3})
    with pytest.raises(TrainingError, match="started from another model"):
        train(toy, start_from=other, out=out, resume=True, **{**QUICK, "epochs": 3})


def test_outputs_are_taken_by_name_and_not_by_place(folder: Path, toy: Dataset) -> None:
    both = (toy.targets[0], replace(toy.targets[0], name="other"))
    values = np.hstack([toy.values, 3 - 2 * toy.values])
    source = train(
        replace(toy, targets=both, values=values),
        target=["signal", "other"],
        start_from=folder,
        **QUICK,
    )
    turned = train(
        replace(toy, targets=both[::-1], values=values[:, ::-1]),
        target=["other", "signal"],
        start_from=source,
        **STILL,
    )
    np.testing.assert_allclose(
        turned.predict(toy.structures).values[:, ::-1],
        source.predict(toy.structures).values,
        rtol=1e-5,
    )
    alone = train(toy, start_from=source, **STILL)
    np.testing.assert_allclose(
        alone.predict(toy.structures).values[:, 0],
        source.predict(toy.structures).values[:, 0],
        rtol=1e-5,
    )


def test_classes_are_taken_by_their_labels(folder: Path, toy: Dataset) -> None:
    def labelled(*classes: str) -> Dataset:
        kind = replace(toy.targets[0], kind="classification", classes=classes, unit="")
        names = ("low", "high")
        high = (toy.values > np.median(toy.values)).astype(int)
        numbers = [[float(classes.index(names[v]))] for v in high[:, 0]]
        return replace(toy, targets=(kind,), values=np.array(numbers))

    source = train(labelled("low", "high"), start_from=folder, **QUICK)
    turned = train(labelled("high", "low"), start_from=source, **STILL)
    here, there = (m.predict(toy.structures).probabilities[0] for m in (source, turned))
    assert here is not None
    assert there is not None
    np.testing.assert_allclose(there[:, ::-1], here, atol=1e-6)


def test_a_number_of_another_name_is_taken_and_that_is_said(folder: Path, toy: Dataset) -> None:
    listener = Listener()
    renamed = replace(toy, targets=(replace(toy.targets[0], name="gap"),))
    tuned = train(renamed, start_from=folder, progress=listener, **STILL)
    assert not changed(tuned, load(folder))
    assert "The output of signal is taken for gap; if that is another" in listener.heard


@pytest.mark.parametrize("unit", ["K", ""])
def test_another_property_has_a_fresh_output(folder: Path, toy: Dataset, unit: str) -> None:
    opposite = replace(
        toy, targets=(replace(toy.targets[0], name="melting", unit=unit),), values=-toy.values
    )
    listener = Listener()
    tuned = train(opposite, start_from=folder, progress=listener, **STILL)
    assert changed(tuned, load(folder)) == {"output.weight", "output.bias"}
    apart = "name and unit than" if unit else "name than"
    assert f"fresh: melting has another {apart} signal" in listener.heard
    assert ("not both known" in listener.heard) == (not unit)
    assert "melting has another name" in "".join(tuned.record.started_from["notes"])
    listener = Listener()
    taken = train(opposite, start_from=folder, progress=listener, fresh_output=False, **STILL)
    assert not changed(taken, load(folder))
    assert "The output of signal is taken for melting." in listener.heard


def test_a_finished_training_from_scratch_is_the_same_whatever_is_said_of_its_output(
    toy: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "m"
    train(toy, model="scann-plus", model_settings=SMALL, fresh_output=False, out=out, **QUICK)
    listener = Listener()
    same = {"out": out, "resume": True, "progress": listener, **QUICK}
    train(toy, model="scann-plus", model_settings=SMALL, **same)
    assert "Nothing to do" in listener.heard
