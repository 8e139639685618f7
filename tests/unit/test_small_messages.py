"""Small slips of callers, each of which is one sentence."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from ase import Atoms
from ase.build import molecule

import atomlens as al
from atomlens.errors import AtomlensError
from atomlens.structures.formats.xyz import read_xyz

SMILES = ["CCO", "CC", "C", "O", "N", "CN"]
FRAME = pd.DataFrame({"smiles": SMILES, "y": range(6), "e": range(6)})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: al.load(None), "NoneType"),
        (lambda: al.load_dataset([molecule("H2O")]), "hold no values to learn from"),
        (
            lambda: al.load_dataset(pd.DataFrame([["C", "C"]], columns=["smiles"] * 2)),
            "two columns",
        ),
        (lambda: al.load_dataset(FRAME, ["y", "y"]), "'y' is named twice"),
        (lambda: al.load_dataset(FRAME, "y", energy_column="e"), "polymorphs lowest"),
    ],
    ids=["model", "structures", "columns", "targets", "energies"],
)
def test_a_slip_is_a_sentence(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(AtomlensError, match=words):
        call()


def test_decimals_are_numbers() -> None:
    frame = FRAME.assign(y=[Decimal(n) / 4 for n in range(6)])
    assert al.load_dataset(frame, "y").values[:, 0].tolist() == [n / 4 for n in range(6)]


def test_classes_of_quantities_are_doubted() -> None:
    frame = pd.DataFrame({"smiles": [f"{'C' * n}O" for n in range(1, 31)], "y": range(30)})
    frame["y"] += 0.5
    with pytest.warns(UserWarning, match="30 classes in 30 rows"):
        al.load_dataset(frame, "y", kinds={"y": "classification"})


def test_double_precision_of_fortran_is_read() -> None:
    text = "3\n\nO 0.0D0 0. 0.1173D0\nH 0.0 0.7572D+00 -.4692d0\nH 0.0 -7.572D-1 -0.4692\n"
    (entry,) = read_xyz(text)
    assert isinstance(entry.atoms, Atoms)
    assert entry.atoms.positions[:, 1].tolist() == [0, 0.7572, -0.7572]
    assert entry.atoms.positions[:, 2].tolist() == [0.1173, -0.4692, -0.4692]
