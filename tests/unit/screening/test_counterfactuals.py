"""Exchanges are valid, and ranked by what a model with known answers says of them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.spacegroup import crystal

from atomlens.chemistry.exchanges import charges, exchanges, ions, replacements
from atomlens.cli import main
from atomlens.elements import SYMBOLS
from atomlens.errors import SettingsError, StructureError
from atomlens.screening.counterfactuals import counterfactuals
from atomlens.structures import to_atoms
from terms_makers import classes_predictor, lens_predictor, terms_predictor

LIGHT = (1, 6, 7, 8, 9)


def test_every_exchange_of_a_molecule_is_another_valid_neutral_molecule() -> None:
    from rdkit import Chem

    found = exchanges(to_atoms("OC(=O)c1ccccc1N"), LIGHT).found
    smiles = [e.atoms.info["smiles"] for e in found]
    assert len(set(smiles)) == len(smiles) > 40
    own = Chem.CanonSmiles("OC(=O)c1ccccc1N")
    for e, text in zip(found, smiles, strict=True):
        made = Chem.MolFromSmiles(text)
        assert made is not None
        assert Chem.GetFormalCharge(made) == 0
        assert "." not in text
        assert text != own
        assert set(e.atoms.numbers.tolist()) <= set(LIGHT)
        assert Chem.MolToSmiles(made) == text


def test_what_chemists_would_try_is_among_them() -> None:
    found = {e.atoms.info["smiles"]: e for e in exchanges(to_atoms("CCO"), LIGHT).found}
    for text, change, size in (
        ("CCN", "O2 → N", 1),
        ("CCF", "O2 → F", 1),
        ("CCC", "O2 → C", 1),
        ("CC", "OH on C1 → H", 1),
        ("CCC#N", "OH on C1 → CN", 3),
        ("OCCO", "H on C0 → OH", 1),
    ):
        assert (found[text].change, found[text].size) == (change, size)
    assert "CCOF" not in found
    assert not any("OO" in text for text in found)


def test_atoms_are_called_as_in_the_file_that_was_given(tmp_path: Path) -> None:
    ethanol = molecule("CH3CH2OH")  # hydrogens between the heavy atoms
    place = ethanol.get_chemical_symbols().index("O")
    changes = {e.change for e in exchanges(ethanol, LIGHT).found}
    assert f"O{place} → N" in changes


def test_charges_are_those_of_the_textbook() -> None:
    assert charges({"Sr": 1, "Ti": 1, "O": 3}) == {"Sr": 2, "Ti": 4, "O": -2}
    assert charges({"Li": 1, "Fe": 1, "P": 1, "O": 4}) == {"Li": 1, "Fe": 2, "P": 5, "O": -2}
    assert charges({"Cu": 1, "Zn": 1}) is None
    assert ions()["Na"] == {1: 1.16}


def test_ions_are_replaced_by_their_like() -> None:
    everything = list(ions())
    assert {"Ca", "Ba", "Eu"} & set(replacements("Sr", 2, everything))
    assert "Mg" not in replacements("Sr", 2, everything)
    assert set(replacements("O", -2, everything)) == {"S", "Se"}
    assert "N" not in replacements("V", 5, everything)


def test_without_charges_the_group_counts_and_noble_gases_stay_out():
    def found(symbol: str) -> set[str]:
        return set(replacements(symbol, None, list(SYMBOLS[1:])))

    assert {"C", "Ge", "Sn", "P"} <= found("Si")
    assert {"N", "P", "Sb", "Se"} <= found("As")
    assert {"B", "Al", "In"} <= found("Ga")
    assert found("Be") == {"Mg"}
    assert not found("H")
    assert found("Ar") <= {"He", "Ne", "Kr", "Xe", "Rn"}
    gases = {"He", "Ne", "Ar", "Kr", "Xe", "Rn"}
    assert not any(found(symbol) & gases for symbol in ("Si", "As", "C", "Cl", "Fe"))


def test_a_crystal_changes_one_site_of_each_orbit_and_nothing_else() -> None:
    perovskite = crystal(
        ["Sr", "Ti", "O"],
        [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)],
        spacegroup=221,
        cellpar=[3.905] * 3 + [90] * 3,
    )
    found = exchanges(perovskite, range(1, 90)).found
    sites = {e.change.split(" ")[0] for e in found}
    assert sites == {"Sr0", "Ti1", "O2"}
    for e in found:
        assert int((e.atoms.numbers != perovskite.numbers).sum()) == 1
        np.testing.assert_array_equal(e.atoms.positions, perovskite.positions)
        assert e.atoms.pbc.all()


def test_an_alloy_is_changed_by_size() -> None:
    found = exchanges(bulk("CuZn", "cesiumchloride", a=2.95), (13, 28, 29, 30, 8, 55))
    assert {e.change for e in found.found} >= {"Cu0 → Zn", "Zn1 → Ni"}
    assert not any(e.change.endswith(("O", "Cs")) for e in found.found)
    assert "No charges" in found.notes[0]


def test_a_formula_changes_one_element_and_keeps_the_others() -> None:
    found = exchanges(to_atoms("formula:Fe2O3"), range(1, 90)).found
    assert all(len(set(e.atoms.numbers.tolist())) == 2 for e in found)
    assert "Fe → Cr" in {e.change for e in found}
    assert all(e.atoms.info.get("is_formula") for e in found)


def test_the_largest_shift_comes_first() -> None:
    found = counterfactuals(terms_predictor(), to_atoms("CCO"))
    shifts = [abs(c.shift) for c in found.found]
    assert shifts == sorted(shifts, reverse=True)
    by_structure = {c.structure: c for c in found.found}
    # terms: H 0.1, C 1, N 5, O 2: OH (2.1) by NH2 (5.2)
    assert by_structure["CCN"].shift == pytest.approx(3.1, abs=1e-5)
    assert found.start == pytest.approx(2 + 2 + 0.6, abs=1e-5)


def test_what_is_doubtful_in_the_structure_itself_is_said() -> None:
    trained = replace(terms_predictor(), elements=(1, 6))
    found = counterfactuals(trained, to_atoms("CCO"))
    assert found.notes[0].startswith("The structure itself: ")
    (row, *_), (change, *_) = found.to_rows(), found.found
    assert (row["unit"], row["warning"]) == (found.unit, change.warning or None)
    unknown = replace(change, std=np.nan, clear=None).to_row(1, "y")
    assert (unknown["clear"], unknown["interval"]) == (None, None)
    assert "O" in found.notes[0]
    sure = counterfactuals(terms_predictor(), to_atoms("CCO"))
    assert not any("itself:" in note for note in sure.notes)


def test_past_a_value_the_smallest_change_comes_first() -> None:
    found = counterfactuals(terms_predictor(), to_atoms("CCO"), past=7.0)
    assert found.found
    assert all(c.prediction > 7.0 for c in found.found)
    sizes = [c.size for c in found.found]
    assert sizes == sorted(sizes)
    below = counterfactuals(terms_predictor(), to_atoms("CCO"), past=3.0)
    assert below.found
    assert all(c.prediction < 3.0 for c in below.found)
    assert counterfactuals(terms_predictor(), to_atoms("CCO"), past=1e6).found == ()


@pytest.mark.parametrize("past", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_refused(past: float) -> None:
    with pytest.raises(SettingsError, match="give a number"):
        counterfactuals(terms_predictor(), to_atoms("CCO"), past=past)


def test_what_has_no_bonds_or_no_partner_is_refused() -> None:
    from ase import Atoms

    with pytest.raises(StructureError, match="no bond orders were found"):
        exchanges(Atoms("FeC5", np.arange(18).reshape(6, 3) * 0.9), LIGHT)
    with pytest.raises(SettingsError, match="nothing"):
        counterfactuals(terms_predictor(), to_atoms("CCO"), target="nothing")


def test_the_command_writes_a_ranked_table_and_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = lens_predictor().save(tmp_path / "model"), tmp_path / "out"
    command = ["explain", str(folder), "CCO", "--out", str(out), "--quiet"]
    assert main([*command, "--method", "counterfactual"]) == 0
    assert "exchanges were tried" in capsys.readouterr().out
    with (out / "CCO-counterfactuals.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = json.loads((out / "CCO-counterfactuals.json").read_text())
    assert [r["structure"] for r in rows] == [c["structure"] for c in found["counterfactuals"]]
    assert (out / "CCO-counterfactuals.html").stat().st_size > 100_000
    assert main([*command, "--past", "3"]) == 2
    assert main([*command, "--method", "counterfactual", "--at", "3"]) == 2
    assert main([*command, "--method", "counterfactual", "--target", "nothing"]) == 2
    assert main([*command, "--method", "counterfactual", "--past", "1e9"]) == 0
    assert "None of them" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "kind"), [("O=CO", "yes"), ("CCC", "no")])
def test_of_a_class_they_say_whose_probability_they_move(text: str, kind: str) -> None:
    found = counterfactuals(classes_predictor(), to_atoms(text))
    assert found.unit == f"probability of {kind}"
    assert found.start > 0.5
    assert found.to_rows()[0]["unit"] == found.unit
