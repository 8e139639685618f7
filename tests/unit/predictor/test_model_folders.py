"""Saving and loading models: whole or not at all, and never by unpickling."""

import json
import math
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_predictors import ETHANOL, EVERY_KIND, WATER, make_predictor

from atomlens.cli import models
from atomlens.datasets import load_dataset
from atomlens.errors import ModelError
from atomlens.predictor import (
    Calibration,
    Predictor,
    TargetCalibration,
    TrainingRecord,
    load,
)
from atomlens.predictor.folder.card import model_card
from atomlens.predictor.samples import TrainingSamples
from atomlens.targets import Target


@pytest.mark.parametrize("kind", sorted(EVERY_KIND))
def test_saving_and_loading_changes_no_bit(tmp_path: Path, kind: str) -> None:
    made = EVERY_KIND[kind]
    back = load(made.save(tmp_path / "model"))
    assert back.record == made.record
    assert back.metrics == made.metrics
    assert (back.config, back.builder, back.scaling) == (made.config, made.builder, made.scaling)
    assert (back.calibration, back.elements, back.noise) == (
        made.calibration,
        made.elements,
        made.noise,
    )
    one, other = (p.predict([WATER, ETHANOL]) for p in (made, back))
    for field in ("values", "std", "interval_low", "interval_high"):
        assert np.array_equal(getattr(one, field), getattr(other, field), equal_nan=True)
    again = load(back.save(tmp_path / "again"))
    files = ["settings.json", "model.safetensors", "metrics.json", "README.md", "history.csv"]
    assert all(
        (tmp_path / "model" / f).read_bytes() == (tmp_path / "again" / f).read_bytes()
        for f in files
    )
    assert again.model_name == made.model_name


def test_loading_never_unpickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_predictor().save(tmp_path / "model")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    load(folder)


def test_a_pickle_in_place_of_the_weights_is_refused(tmp_path: Path) -> None:
    folder = make_predictor().save(tmp_path / "model")
    content = json.loads((folder / "settings.json").read_text())
    evil = pickle.dumps({"a": 1})
    (folder / "model.safetensors").write_bytes(evil)
    import hashlib

    content["weights_sha256"] = hashlib.sha256(evil).hexdigest()
    (folder / "settings.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="cannot be read"):
        load(folder)


FILES = ["settings.json", "model.safetensors", "metrics.json", "split.json", "failures.json"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_cut_file_is_a_sentence_with_its_name(tmp_path: Path, name: str, share: float) -> None:
    folder = make_predictor().save(tmp_path / "model")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=name):
        load(folder)


def test_flipped_characters_in_the_settings_never_give_a_traceback(tmp_path: Path) -> None:
    folder = make_predictor().save(tmp_path / "model")
    path = folder / "settings.json"
    text = path.read_text()
    generator = np.random.default_rng(0)
    refused = []
    for _ in range(150):
        place = int(generator.integers(len(text)))
        piece = generator.choice(["x", "null", "-1", "[]", "{", '"', "", "1e999"])
        path.write_text(text[:place] + str(piece) + text[place + int(generator.integers(9)) :])
        try:
            load(folder)
        except ModelError as problem:
            refused.append(str(problem))
    assert len(refused) > 75
    assert not any("\n" in message for message in refused)


def test_a_flipped_bit_in_the_weights_is_noticed(tmp_path: Path) -> None:
    folder = make_predictor().save(tmp_path / "model")
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-5] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(ModelError, match="damaged"):
        load(folder)


def changed_settings(folder: Path, change: dict[str, Any]) -> None:
    path = folder / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "Upgrade atomlens"),
        ({"version": "1"}, "Upgrade atomlens"),
        ({"version": None}, "does not say in which version"),
        ({"format": "other"}, "not the settings file of a model"),
        ({"builder": {"name": "voronoy", "settings": {}}}, "Did you mean 'voronoi'"),
        ({"model": {"name": "skann", "config": {}, "n_members": 1}}, "Did you mean 'scann'"),
        ({"model": {"name": "scann", "config": {"layers": 3}, "n_members": 1}}, "n_layers"),
        ({"noise": "loud"}, "loud"),
        ({"elements": None}, "damaged"),
        ({"calibration": []}, "calibration"),
    ],
)
def test_settings_that_make_no_model_are_a_sentence(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folder = make_predictor().save(tmp_path / "model")
    changed_settings(folder, change)
    with pytest.raises(ModelError, match=message):
        load(folder)


def test_weights_of_another_size_are_a_sentence(tmp_path: Path) -> None:
    folder = make_predictor().save(tmp_path / "model")
    content = json.loads((folder / "settings.json").read_text())
    content["model"]["config"]["n_features"] = 32
    changed_settings(folder, content)
    with pytest.raises(ModelError, match="do not fit"):
        load(folder)


@pytest.mark.parametrize("name", ["n_features", "n_layers", "n_elements"])
def test_huge_sizes_are_refused_without_trying(tmp_path: Path, name: str) -> None:
    folder = make_predictor().save(tmp_path / "model")
    content = json.loads((folder / "settings.json").read_text())
    content["model"]["config"][name] = 10**12
    changed_settings(folder, content)
    with pytest.raises(ModelError, match="do not fit"):
        load(folder)


def test_what_is_no_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model"):
        load(tmp_path / "nothing")
    with pytest.raises(ModelError, match="not a trained model"):
        load(tmp_path)
    (tmp_path / "training").mkdir()
    with pytest.raises(ModelError, match="--resume"):
        load(tmp_path)


def test_saving_spares_other_peoples_folders(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(ModelError, match="not empty"):
        make_predictor().save(tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["thesis.txt"]


def test_saving_again_replaces_the_model_whole(tmp_path: Path) -> None:
    make_predictor().save(tmp_path / "model")
    bare = replace(make_predictor(n_members=2), record=TrainingRecord())
    bare.save(tmp_path / "model")
    assert len(load(tmp_path / "model").models) == 2
    assert load(tmp_path / "model").record == TrainingRecord()


def test_a_kill_while_saving_leaves_no_half_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    before = os.replace

    def fatal(source: Any, target: Any) -> None:
        if str(target).endswith("README.md"):
            raise KeyboardInterrupt
        before(source, target)

    monkeypatch.setattr(os, "replace", fatal)
    with pytest.raises(KeyboardInterrupt):
        make_predictor().save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_the_card_says_what_a_score_does_not_mean(tmp_path: Path) -> None:
    card = (make_predictor(n_members=2).save(tmp_path / "model") / "README.md").read_text()
    assert "not what would change if the atom were removed" in card
    assert "An ensemble of 2 models" in card
    assert "MAE 0.1 eV" in card


def calibrated(quantile: float, *, n: int, **given: Any) -> Predictor:
    """Return a predictor with another calibration."""
    model = make_predictor(**given)
    one = TargetCalibration(n=n, rmse=0.5, spread_factor=0.0, floor=0.5, quantile=quantile)
    return replace(model, calibration=Calibration(targets=(one,)))


def of_formulas() -> Predictor:
    """Return a ridge that has learned from formulas."""
    model = make_predictor(builder="formula")
    return replace(model, record=replace(model.record, kinds=("formula",)))


@pytest.mark.parametrize(
    ("model", "said", "unsaid"),
    [
        (make_predictor(), ["An attention score", "90 % interval is"], ["contribution", "There"]),
        (calibrated(math.inf, n=5), ["There is no 90 % interval", "there were 5"], ["interval is"]),
        (calibrated(math.inf, n=1, n_members=2), ["there was 1", "members, resc"], ["interval is"]),
        (
            replace(make_predictor(), calibration=Calibration.nothing(1)),
            ["no error estimate"],
            ["90 % interval", "rescaled"],
        ),
        (
            replace(make_predictor(n_members=2), calibration=Calibration.nothing(1)),
            ["no errors of a validation part", "There is no 90 % interval"],
            ["rescaled"],
        ),
        (
            of_formulas(),
            ["no attention to show", "composition alone", "Settings of epochs", "Fe2O3"],
            ["An attention score", "kinds of bonding", "neighbours", "molecules/"],
        ),
        (
            make_predictor(Target(name="metal", kind="classification", classes=("no", "yes"))),
            ["A class has no error estimate"],
            ["interval", "`_std`"],
        ),
        (
            EVERY_KIND["many"],
            ["- `homo`: The error estimate", "same for every atom", "- `metal`: A class"],
            [],
        ),
    ],
)
def test_every_sentence_of_a_card_follows_from_what_the_model_has(
    model: Predictor, said: list[str], unsaid: list[str]
) -> None:
    card = model_card(model)
    for words in said:
        assert words in card
    for words in unsaid:
        assert words not in card


@pytest.mark.parametrize("kinds", ["formula", ["alloy"], {"molecule": 1}, 3, [["molecule"]]])
def test_kinds_that_are_none_are_a_sentence(tmp_path: Path, kinds: object) -> None:
    folder = make_predictor().save(tmp_path / "m")
    content = json.loads((folder / "settings.json").read_text())
    content["training"]["kinds"] = kinds
    (folder / "settings.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"settings\.json"):
        load(folder)


@pytest.mark.parametrize("share", ["a", [1], True, 1e308, -1, {}])
def test_a_card_is_written_whatever_the_settings_say(tmp_path: Path, share: object) -> None:
    folder = make_predictor().save(tmp_path / "m")
    content = json.loads((folder / "settings.json").read_text())
    content["training"]["settings"]["calibration_share"] = share
    content["training"]["versions"] = {"python": "half a letter: \ud800"}
    (folder / "settings.json").write_text(json.dumps(content))
    again = load(folder).save(tmp_path / "again")
    assert "was kept for it" not in (again / "README.md").read_text()


def test_samples_that_are_no_file_or_beyond_memory_are_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "m"
    make_predictor().save(folder)
    samples = folder / "samples.safetensors"
    os.mkfifo(samples)
    with pytest.warns(UserWarning, match=r"samples\.safetensors, a file of the model: .*no.* file"):
        load(folder)
    samples.unlink()
    with samples.open("wb") as stream:
        stream.truncate(10**13)  # holes of a sparse file cost nothing
    with pytest.warns(UserWarning, match=r"samples\.safetensors, a file of the model: .*larger"):
        load(folder)


def test_a_card_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    make_predictor().save(folder)
    (folder / "README.md").write_bytes(b"Mod\xe8le")
    with pytest.raises(ModelError, match=r"README\.md, the card of the model: .*--format json"):
        models._trained(folder, "table")
    assert '"settings"' in models._trained(folder, "json")


def test_settings_that_decide_answers_and_were_changed_are_refused(tmp_path: Path) -> None:
    folder = make_predictor().save(tmp_path / "m")
    path = folder / "settings.json"
    saved = json.loads(path.read_text())

    def changed(*keys: Any, value: Any) -> dict[str, Any]:
        content = json.loads(json.dumps(saved))
        place = content
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        return content

    scaling = saved["scaling"]
    for content in (
        changed("scaling", "targets", 0, "unit", value="THz"),
        changed("scaling", "means", value=[3 * x + 1 for x in scaling["means"]]),
        changed("scaling", "stds", value=[3 * x for x in scaling["stds"]]),
        changed("calibration", 0, "quantile", value=0.001),
        changed("elements", value=saved["elements"][:-1]),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(ModelError, match=r"settings\.json: units.* not those that were saved"):
            load(folder)
        del content["answers_sha256"]
        path.write_text(json.dumps(content))
        load(folder)  # as folders of earlier days
    path.write_text(json.dumps(changed("training", "data", value="my data"), sort_keys=True))
    assert load(folder).record.data == "my data"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("history.csv", b"epoch,loss\n1,\xff\n"),
        ("history.csv", b"epoch,loss\n1,two\n"),
        ("samples.safetensors", b"nothing"),
    ],
)
def test_a_model_does_without_what_it_only_keeps(tmp_path: Path, name: str, content: bytes) -> None:
    made = make_predictor()
    folder = made.save(tmp_path / "m")
    (folder / name).write_bytes(content)
    with pytest.warns(UserWarning, match=f"{name}.*[Tt]he model works without"):
        again = load(folder)
    assert again.predict("CCO").values == pytest.approx(made.predict("CCO").values)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("elements",), [10**9]),
        (("model", "name"), {}),
        (("model", "name"), [1, 2]),
        (("model", "config"), "x"),
        (("builder", "settings", "n_neighbors"), 10**9),
        (("calibration", 0, "floor"), 1e19),
    ],
)
def test_what_predict_refuses_is_not_described(
    tmp_path: Path, keys: tuple[str | int, ...], value: object
) -> None:
    folder = make_predictor().save(tmp_path / "m")
    content = json.loads((folder / "settings.json").read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    del content["answers_sha256"]  # as folders of earlier days
    (folder / "settings.json").write_text(json.dumps(content))
    for form in ("table", "json"):
        with pytest.raises(ModelError, match=r"settings\.json") as said:
            models._trained(folder, form)
        assert "object has no attribute" not in str(said.value)


def test_samples_that_are_missing_or_changed_are_told(tmp_path: Path) -> None:
    data = load_dataset("toy", limit=6)
    parts = {name: np.arange(2) + 2 * i for i, name in enumerate(("train", "validation", "test"))}
    record = TrainingRecord(samples=TrainingSamples.of(data, parts))
    folder = replace(make_predictor(), record=record).save(tmp_path / "m")
    path = folder / "samples.safetensors"
    content = path.read_bytes()
    load(folder)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.warns(UserWarning, match=r"samples\.safetensors: this file .* is damaged"):
        assert load(folder).record.samples is None
    path.unlink()
    with pytest.warns(UserWarning, match="does not know what it was trained on"):
        assert load(folder).record.samples is None
    with pytest.warns(UserWarning, match="does not know"):
        again = load(folder).save(tmp_path / "again")
    load(again)  # it says itself that it has none
