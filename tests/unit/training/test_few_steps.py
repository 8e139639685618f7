"""Small sets by the settings of large ones take few steps, which is said with what suits them."""

from typing import Any

import numpy as np
import pytest
from ase.build import molecule

from atomlens.datasets import Dataset
from atomlens.datasets.splits import Split
from atomlens.models import MODELS, model_config
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.training import TrainSettings
from atomlens.training.remarks import tell_about_data


class Told:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def warning(self, text: str) -> None: ...


def told(n_train: int, model: str = "lens", **settings: Any) -> str:
    n = n_train + 2
    data = Dataset(
        name="own",
        structures=StructureArrays.from_atoms([molecule("H2O")] * n),
        targets=(Target(name="gap", unit="eV"),),
        values=np.linspace(0, 1, n)[:, None],
    )
    rows = np.arange(n)
    split = Split(train=rows[:-2], validation=rows[-2:-1], test=rows[-1:])
    said = Told()
    given = TrainSettings(**settings)
    tell_about_data(data, split, MODELS[model], given, model_config(model), said)
    return " ".join(text for text in said.messages if "steps" in text)


@pytest.mark.parametrize(
    ("n_train", "size"), [(1152, 32), (800, 32), (799, 16), (400, 16), (40, 8)]
)
def test_batches_that_suit_a_small_set_are_told(n_train: int, size: int) -> None:
    said = told(n_train)
    assert f"--batch-size {size} (in Python batch_size={size})" in said
    assert f"{-(-n_train // 128) * 100} steps in 100 epochs" in said
    assert "--set optimizer=muon" in said
    assert "muon" not in told(n_train, "cgcnn")


@pytest.mark.parametrize(
    ("n_train", "model", "settings"),
    [
        (1153, "lens", {}),
        (800, "lens", {"epochs": 50}),
        (800, "lens", {"batch_size": 64}),
        (800, "lens", {"schedule_seconds": 60.0}),
        (800, "ridge", {}),
    ],
)
def test_nothing_is_said_of_chosen_batches_or_enough_steps(
    n_train: int, model: str, settings: dict[str, Any]
) -> None:
    assert told(n_train, model, **settings) == ""
