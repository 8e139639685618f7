"""The class of a material follows from its formula."""

import numpy as np
import pytest
from ase.formula import Formula

from atomlens.chemistry.material_classes import MATERIAL_CLASSES, material_class
from atomlens.elements import SYMBOLS


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("SrTiO3", "oxide"),
        ("CaCO3", "oxide"),
        ("PbFCl", "halide"),
        ("BaTiO2F", "oxide"),
        ("CH3NH3PbI3", "halide"),
        ("BaZrS3", "chalcogenide"),
        ("GaAs", "pnictide"),
        ("TiC", "tetrelide or boride"),
        ("LaNi5H6", "hydride"),
        ("Cu3Au", "intermetallic"),
        ("XeF2", "other"),
    ],
)
def test_the_most_abundant_nonmetal_decides(formula: str, expected: str) -> None:
    numbers = [SYMBOLS.index(symbol) for symbol in Formula(formula)]
    assert material_class(np.array(numbers, dtype=np.uint8)) == expected
    assert expected in MATERIAL_CLASSES


def test_of_equal_families_the_more_electronegative_decides() -> None:
    assert material_class(np.array([83, 8, 17], dtype=np.uint8)) == "halide"


def test_nothing_is_of_no_class() -> None:
    assert material_class(np.array([], dtype=np.uint8)) == "other"
