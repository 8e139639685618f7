"""What the validation part is used for: choosing epochs, calibrating, or each with its own rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atomlens.datasets.base import Dataset
from atomlens.errors import TrainingError
from atomlens.neighbors import make_builder
from atomlens.training import TrainSettings, train
from atomlens.training.data import prepare
from table_makers import table_of_formulas


@pytest.fixture
def table(tmp_path: Path) -> Dataset:
    """240 samples of 60 formulas, each four times."""
    return table_of_formulas(tmp_path / "table.csv", 4)


def prepared(data: Dataset, **settings: object):
    builder = make_builder("formula", reduce=True)
    return prepare(data, builder, TrainSettings(split="random:.5/.4/.1", **settings), None)


def test_one_part_does_both_unless_a_share_is_kept(table: Dataset) -> None:
    data = prepared(table)
    assert data.choosing is data.calibrating is data.split.validation


def test_a_share_that_calibrates_chooses_no_epoch_and_shares_no_formula(table: Dataset) -> None:
    data = prepared(table, calibration_share=0.25)
    both = np.concatenate([data.choosing, data.calibrating])
    assert sorted(both.tolist()) == sorted(data.split.validation.tolist())
    assert len(data.calibrating) == pytest.approx(len(both) / 4, abs=3)
    names = [
        {tuple(data.dataset.structures[int(i)].atomic_numbers) for i in rows}
        for rows in (data.choosing, data.calibrating)
    ]
    assert not names[0] & names[1]


def test_a_share_that_leaves_nothing_is_refused(table: Dataset) -> None:
    few = replace(TrainSettings(split="random:rest/1/10"), calibration_share=0.5)
    with pytest.raises(TrainingError, match=r"calibration_share=0\.5 of 1 validation samples"):
        prepare(table, make_builder("formula", reduce=True), few, None)


def test_the_card_says_what_was_done(table: Dataset, tmp_path: Path) -> None:
    small = {"n_features": 8, "n_hidden": (8, 8, 8, 8)}
    settings = {"epochs": 1, "split": "random:.5/.4/.1", "loss": "robust-l1"}
    for share, words in ((0.0, "The same part chose the epoch"), (0.5, "50% of the validation")):
        out = tmp_path / str(share)
        model = train(
            table,
            model="finder",
            target="gap",
            out=out,
            model_settings=small,
            calibration_share=share,
            **settings,
        )
        card = (out / "README.md").read_text()
        assert words in card
        assert "had seen it (5 parts)" in card
        assert model.calibration.targets[0].n_folds == 5
        assert model.calibration.targets[0].n == pytest.approx(96 if not share else 48, abs=3)
        assert model.calibration.targets[0].n == len(model.record.split["validation"]) * (
            1 if not share else 0.5
        )
