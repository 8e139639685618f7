"""Fine-tuning says what of the new structures the pretrained model does not see or know."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from made_predictors import make_predictor

from atomlens.datasets import Dataset
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.formulas import from_formula
from atomlens.training.transfer import Pretrained, about_kinds


def given(*structures: Atoms) -> Dataset:
    arrays = StructureArrays.from_atoms(structures)
    return Dataset(name="x", structures=arrays, targets=(), values=np.zeros((len(arrays), 0)))


SALT, WATER, FORMULA = bulk("NaCl", "rocksalt", 5.6), molecule("H2O"), from_formula("NaCl")


@pytest.mark.parametrize(
    ("builder", "learned", "data", "said"),
    [
        (
            "formula",
            ("formula",),
            (SALT, FORMULA),
            "so of 1 structure with",
        ),
        ("formula", ("formula",), (FORMULA,), ""),
        ("formula", ("periodic structure",), (SALT,), ""),
        ("voronoi", ("periodic structure",), (WATER,), "learned from periodic structures only"),
        ("voronoi", ("periodic structure", "molecule"), (WATER, SALT), ""),
        ("voronoi", (), (WATER,), ""),
    ],
)
def test_what_is_new_to_it_is_said(
    builder: str, learned: tuple[str, ...], data: tuple[Atoms, ...], said: str
) -> None:
    predictor = make_predictor(builder=builder)
    predictor = replace(predictor, record=replace(predictor.record, kinds=learned))
    found = about_kinds(Pretrained(name="old", predictor=predictor), given(*data))
    assert len(found) == bool(said)
    assert all(said in sentence for sentence in found)
