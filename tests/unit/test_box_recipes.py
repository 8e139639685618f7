"""What the recipe of the box does with networks that were trained apart."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import box
import numpy as np
import pytest
import torch
from box import ON, QUEUE, Entry, apart_from, is_better, trained_on
from box_cards import ABOUT
from box_finish import Member, assemble, in_scaling, joined, portable

from atomlens.datasets import Dataset, Toy, load_dataset
from atomlens.errors import ModelError
from atomlens.models.lens import Lens, LensConfig
from atomlens.neighbors import build_store
from atomlens.predictor import Predictor
from atomlens.predictor.folder.box import BOX
from atomlens.predictor.inference import run_models
from atomlens.predictor.record import About, TrainingRecord
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling
from atomlens.training import TrainSettings

TARGETS = (Target(name="level"), Target(name="energy", extensive=True))


@pytest.fixture(scope="module")
def data() -> Dataset:
    toy = Toy(n=40).load()
    draw = np.random.default_rng(0)
    numbers = toy.structures.atomic_numbers
    sums = np.add.reduceat(numbers * 1.5, toy.structures.offsets[:-1])
    values = np.stack([draw.normal(-3, 2, 40), sums + draw.normal(0, 1, 40)], axis=1)
    parts = {"train": np.arange(30), "validation": np.arange(30, 36), "test": np.arange(36, 40)}
    return replace(toy, targets=TARGETS, values=values, held=None, splits=parts)


def member(data: Dataset, reference: str, seed: int) -> Member:
    torch.manual_seed(seed)
    extensive = tuple(t.extensive for t in TARGETS)
    config = LensConfig(n_layers=1, n_features=16, n_heads=2, n_outputs=2, extensive=extensive)
    model = Lens(config)
    return Member(
        weights=dict(model.state_dict()),
        config=asdict(config),
        scaling=TargetScaling.fit(TARGETS, data.values, data.structures, reference=reference),
        history=(),
        seconds=1.0,
        device="CPU",
        settings={},
    )


def test_members_of_different_scalings_say_together_what_they_say_apart(data: Dataset) -> None:
    first, second = member(data, "elements:energy", 0), member(data, "none", 1)
    about = About(summary="", data="", licence="", split="", command="", compute="", needs="")
    together = assemble([first, second], data, about)
    apart = assemble([second], data, about)
    store = build_store(data.structures, together.builder).store
    rows = data.structures
    got = run_models(together.models[1:], store).values[0]
    alone = run_models(apart.models, store).values[0]
    np.testing.assert_allclose(
        together.scaling.decode(got, rows), apart.scaling.decode(alone, rows), rtol=1e-4, atol=1e-4
    )
    assert not np.allclose(got[:, 1], alone[:, 1], atol=0.1)


def test_scalings_that_no_number_an_element_can_join_are_refused(data: Dataset) -> None:
    with pytest.raises(ModelError, match="level is not learned an atom"):
        in_scaling(member(data, "none", 0), member(data, "elements", 0).scaling)


SMALL = {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8}
QUICK = {"epochs": 1, "learning_rate": 1e-3, "batch_size": 16}


def test_networks_beside_those_of_the_box_join_them(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Entry(name="both", load=lambda _: data, settings=QUICK, model=SMALL | {"n_layers": 2})
    entry = replace(beside, settings=QUICK | {"ensemble": 2}, model=SMALL, beside=beside)
    monkeypatch.setattr(box, "QUEUE", (entry,))
    call = ["box.py", "--train-only", "--out", str(tmp_path), "--data", str(tmp_path / "none")]
    for more in ([], ["--beside", "both"]):
        monkeypatch.setattr("sys.argv", [*call, *more])
        box.main()
    two, one = (Predictor.load(tmp_path / name) for name in ("both", "both-beside"))
    together = joined(two, one)
    assert [m.config.n_layers for m in together.models] == [1, 1, 2]
    assert [row["member"] for row in together.record.history] == [0, 1, 2]
    assert together.record.seconds == pytest.approx(two.record.seconds + one.record.seconds)
    assert together.record.settings["ensemble"] == [2, 2, 1]
    assert together.record.settings["batch_size"] == 16
    raw, apart = (p.predict(data.structures).values for p in (together, one))
    mean = (2 * two.predict(data.structures).values + apart) / 3
    np.testing.assert_allclose(raw, mean, atol=1e-5)
    other = replace(one, scaling=replace(one.scaling, means=(1.0, 2.0)))
    with pytest.raises(ModelError, match="another scaling"):
        joined(two, other)


def of_formulas(folder: Path, formulas: list[str], **parts: list[int]) -> Dataset:
    table = folder / "formulas.csv"
    table.write_text("formula,gap\n" + "".join(f"{f},{i}.5\n" for i, f in enumerate(formulas)))
    splits = {part: np.array(rows, dtype=np.int64) for part, rows in parts.items()}
    return replace(load_dataset(table, "gap"), splits=splits)


def test_a_pretraining_has_nothing_of_the_formulas_that_judge(tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    judges = of_formulas(
        tmp_path / "later",
        ["NaCl", "MgO", "Si2O4", "KBr"],
        train=[0],
        validation=[1, 2],
        test=[3],
    )
    given = of_formulas(
        tmp_path,
        ["KBr", "NaCl", "Mg4O4", "LiF", "SiO2", "GaAs"],
        train=[0, 1, 2, 3],
        validation=[4, 5],
        test=[],
    )
    kept = apart_from(judges, given)
    assert kept.values.ravel().tolist() == [1.5, 3.5, 5.5]
    assert {part: rows.tolist() for part, rows in kept.splits.items()} == {
        "train": [0, 1], "validation": [2], "test": [],
    }  # fmt: skip


@pytest.mark.parametrize("entry", QUEUE, ids=lambda e: e.name)
def test_what_is_trained_on_takes_the_model_and_all_settings_but_those_of_the_steps(
    entry: Entry,
) -> None:
    on = trained_on(entry)
    assert on.model == {}
    assert on.pretraining is None
    assert {k: v for k, v in on.settings.items() if k not in ON} == {
        k: v for k, v in entry.settings.items() if k not in ON
    }
    TrainSettings(**on.settings, split="source", fresh_output=False)
    assert on.settings["optimizer"] == "muon"


def test_a_card_names_no_folder_of_the_machine_that_trained() -> None:
    record = TrainingRecord(
        settings={"start_from": "/home/me/runs/first", "seed": 0},
        started_from={"name": "/home/me/runs/first", "model": "lens"},
        remarks=("Fine-tuning /home/me/runs/first. It is fresh.",),
    )
    kept = portable(record)
    assert kept.settings == {"start_from": "first", "seed": 0}
    assert kept.started_from == {"name": "first", "model": "lens"}
    assert kept.remarks == ("Fine-tuning first. It is fresh.",)
    assert portable(TrainingRecord(settings={"start_from": None})).settings == {"start_from": None}


@pytest.mark.parametrize("name", sorted(ABOUT))
def test_the_card_of_a_model_says_what_its_recipe_says(name: str) -> None:
    settings = json.loads((BOX / name / "settings.json").read_text())
    assert About.from_dict(settings["training"]["about"]) == ABOUT[name]
    card = (BOX / name / "README.md").read_text()
    assert ABOUT[name].compute in card
    swallowed = re.findall(r"^- .*\n(?!- |\n)(.+)", card, re.MULTILINE)
    assert swallowed == []  # without an empty line it is read as a part of the last item


@pytest.mark.parametrize(("errors", "better"), [((0.95, 1.03), True), ((1.03, 0.98), False)])
def test_a_percent_of_one_target_counts_as_much_as_of_another(
    errors: tuple[float, float], better: bool
) -> None:
    def with_errors(*maes: float) -> Any:
        targets = {str(i): {"mae": mae, "mad": 1.0} for i, mae in enumerate(maes)}
        return SimpleNamespace(metrics={"validation": {"targets": targets}})

    old = (0.03, 0.19)
    new = tuple(now * before for now, before in zip(errors, old, strict=True))
    assert is_better(with_errors(*new), with_errors(*old)) is better
    assert not is_better(with_errors(*old), with_errors(*old))
