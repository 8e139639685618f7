"""Energies that programs write into the titles of XYZ."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import atomlens as al
from atomlens.errors import DatasetError

XTB = " energy: -{:.12f} gnorm: 0.000432 xtb: 6.6.1 (8d0f1dd)"
ORCA = "Coordinates from ORCA-job my opt E -{:.12f}"
CREST = "        -{:.8f}"


def written(folder: Path, *titles: str) -> Path:
    for i, title in enumerate(titles):
        text = f"2\n{title.format(1 + i / 8, i)}\nH 0 0 0\nF 0 0 0.{90 + i}\n"
        (folder / f"m{i}.xyz").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("title", "said"),
    [
        (XTB, "energies in Ha were read from titles that xtb wrote"),
        (ORCA, "titles that ORCA wrote"),
        (CREST, "numbers alone, .* energies in Ha, as CREST writes them"),
        (CREST + " !CONF1", "as CREST writes them"),
    ],
)
def test_energies_in_titles_are_totals_in_hartree_and_told(
    tmp_path: Path, title: str, said: str
) -> None:
    with pytest.warns(UserWarning, match=said):
        data = al.load_dataset(written(tmp_path, title, title), "energy")
    np.testing.assert_allclose(data.values[:, 0], [-1, -1.125])
    (target,) = data.targets
    assert (target.unit, target.extensive) == ("Ha", True)


def test_a_number_alone_counts_only_if_all_are(tmp_path: Path) -> None:
    with pytest.warns(
        UserWarning, match=r"ORCA and xtb wrote, which are not .*; 1 of 3 structures"
    ):
        data = al.load_dataset(written(tmp_path, XTB, ORCA, CREST), "energy")
    assert data.without_value == ("m2",)


@pytest.mark.parametrize("title", ["0 1", "-1 2", "12", "-3", "-0.5", "Step 4 E", "frame -1.23456"])
def test_other_numbers_are_no_energies(tmp_path: Path, title: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DatasetError, match=r"no values to learn|energy"):
            al.load_dataset(written(tmp_path, title, title), "energy")


def test_numbers_alone_that_are_too_small_for_total_energies_are_none(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no values to learn"):
        al.load_dataset(written(tmp_path, "-1.2345", "-0.3141"), "energy")


def test_another_unit_that_the_user_gives_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path, XTB, XTB)
    said = "says Ha and the unit that was given is eV"
    with pytest.warns(UserWarning, match="xtb wrote"), pytest.warns(UserWarning, match=said):
        al.load_dataset(folder, "energy", units={"energy": "eV"})


@pytest.mark.parametrize(
    ("title", "unit", "extensive"),
    [
        ("energy=-{} Ha", "Ha", True),
        ("energy = -{} (hartree)", "hartree", True),
        ("energy=-{} eV/atom", "eV/atom", False),
        ("energy[kcal/mol]=-{}", "kcal/mol", True),
        ("energy=-{} energy_unit=Ry", "Ry", True),
        ("energy=-{} converged", "eV", True),
        ("energy=-{}", "eV", True),
    ],
)
def test_the_unit_that_a_title_states_is_put_before_that_of_ase(
    tmp_path: Path, title: str, unit: str, extensive: bool
) -> None:
    (target,) = al.load_dataset(written(tmp_path, title, title), "energy").targets
    assert (target.unit, target.extensive) == (unit, extensive)


def test_other_values_of_titles_have_their_units_too(tmp_path: Path) -> None:
    data = al.load_dataset(written(tmp_path, "gap={} eV x[GPa]={}", "gap={} eV x[GPa]=7"))
    assert [(t.name, t.unit) for t in data.targets] == [("gap", "eV"), ("x", "GPa")]
