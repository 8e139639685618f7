"""Changes by a click: what follows, what stays, what is refused."""

import numpy as np
import pytest
from ase.build import bulk

pytest.importorskip("fastapi")

from atomlens.errors import SettingsError, StructureError
from atomlens.structures import to_atoms
from atomlens.structures.bonding import molecule_of
from atomlens.web.edits import change_atom


def smiles(atoms) -> str:
    from rdkit import Chem

    return Chem.MolToSmiles(Chem.RemoveHs(molecule_of(atoms)))


@pytest.mark.parametrize(
    ("before", "atom", "element", "after"),
    [
        ("CCO", 2, "N", "CCN"),
        ("CCO", 0, "O", "OCO"),
        ("CCO", 2, None, "CC"),
        ("CCO", 2, "H", "CC"),
        ("CCO", 3, "F", "OCCF"),
        ("c1ccccc1", 0, "N", "c1ccncc1"),
        ("c1ccccc1", 6, "C", "Cc1ccccc1"),
        ("C[N+](=O)[O-]", 1, "C", "CC(=O)O"),
        ("C[N+](=O)[O-]", 3, None, "CN=O"),
        ("C[C@H](N)C(=O)O", 2, "O", "CC(O)C(=O)O"),
    ],
)
def test_hydrogens_follow_where_bonds_are_known(before, atom, element, after) -> None:
    from rdkit import Chem

    changed = change_atom(to_atoms(f"smiles:{before}"), atom, element)
    plain = Chem.MolFromSmiles(smiles(changed.atoms))
    Chem.RemoveStereochemistry(plain)
    assert Chem.MolToSmiles(plain) == Chem.CanonSmiles(after)
    assert len(changed.origin) == len(changed.atoms)


def test_what_stays_lies_over_what_it_was() -> None:
    before = to_atoms("smiles:CC(=O)Oc1ccccc1C(=O)O")
    changed = change_atom(before, 13, "Cl")  # a hydrogen of the methyl group
    heavy = [(i, k) for k, i in enumerate(changed.origin) if i >= 0 and before.numbers[i] > 1]
    gaps = [np.linalg.norm(before.positions[i] - changed.atoms.positions[k]) for i, k in heavy]
    assert np.median(gaps) < 0.8


def test_on_request_and_in_crystals_the_others_stay() -> None:
    ethanol = to_atoms("smiles:CCO")
    changed = change_atom(ethanol, 2, "S", hydrogens_follow=False)
    assert changed.atoms.get_chemical_formula() == "C2H6S"
    np.testing.assert_array_equal(changed.atoms.positions, ethanol.positions)
    salt = to_atoms(bulk("NaCl", "rocksalt", a=5.64, cubic=True))
    vacancy = change_atom(salt, 0, None)
    assert vacancy.atoms.get_chemical_formula() == "Cl4Na3"
    assert vacancy.origin == tuple(range(1, 8))
    assert vacancy.atoms.pbc.all()
    formula = change_atom(to_atoms("formula:TiO2"), 0, "Zr")
    assert formula.atoms.info["is_formula"]


@pytest.mark.filterwarnings("ignore:.*an odd number of electrons")
def test_the_structure_before_is_left_alone() -> None:
    atoms = to_atoms("smiles:CCO")
    numbers, positions = atoms.numbers.copy(), atoms.positions.copy()
    for follow in (True, False):
        change_atom(atoms, 2, "N", hydrogens_follow=follow)
        change_atom(atoms, 2, None, hydrogens_follow=follow)
    np.testing.assert_array_equal(atoms.numbers, numbers)
    np.testing.assert_array_equal(atoms.positions, positions)


@pytest.mark.parametrize(
    ("text", "atom", "element", "error"),
    [
        ("CCO", 9, "N", SettingsError),
        ("CCO", -1, "N", SettingsError),
        ("CCO", 0, "Q", SettingsError),
        ("CCO", 0, "X", SettingsError),
        ("CCO", 0, "", SettingsError),
        ("CCO", 0, "c", SettingsError),
        ("CCO", 1, "F", StructureError),
        ("CCO", 1, "H", StructureError),
        ("c1ccccc1", 0, "O", StructureError),
        ("[He]", 0, None, StructureError),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(text, atom, element, error) -> None:
    with pytest.raises(error, match=r"[;.]"):
        change_atom(to_atoms(f"smiles:{text}"), atom, element)
