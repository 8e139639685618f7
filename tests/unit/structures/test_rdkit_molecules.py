"""Molecules of rdkit: their conformers, queries, and hydrogens that they leave out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from atomlens.errors import StructureError
from atomlens.structures import read, read_structures, to_atoms
from atomlens.structures.arrays import has_made_geometry, warnings_of
from atomlens.structures.objects import atoms_of

PROPANOL = "CCCO"


def embedded(n: int, *, with_hydrogens: bool = True) -> Any:
    molecule = Chem.AddHs(Chem.MolFromSmiles(PROPANOL))
    rdDistGeom.EmbedMultipleConfs(molecule, n, randomSeed=7)
    return molecule if with_hydrogens else Chem.RemoveHs(molecule)


def test_of_several_conformers_the_first_is_taken_and_said() -> None:
    molecule = embedded(4)
    (atoms,) = atoms_of(molecule)
    assert np.allclose(atoms.positions, molecule.GetConformers()[0].GetPositions())
    assert any(
        said.startswith("the first of its 4 conformers was taken; conformers=4")
        for said in warnings_of(atoms)
    )
    assert warnings_of(atoms_of(embedded(1))[0]) == []


def test_as_many_conformers_as_are_asked_for_are_those_of_the_molecule() -> None:
    molecule = embedded(4)
    for n, n_found in ((3, 3), (9, 4)):
        found = read([molecule], conformers=n)
        assert [atoms.info["conformer"] for atoms in found] == list(range(n_found))
        for atoms, given in zip(found, molecule.GetConformers(), strict=False):
            assert np.allclose(atoms.positions, given.GetPositions())


def test_a_query_is_no_molecule_without_hydrogens() -> None:
    with pytest.raises(StructureError, match=r"is a pattern \(SMARTS\)"):
        to_atoms(Chem.MolFromSmarts("CCO"))
    assert len(to_atoms(Chem.MolFromSmiles("CCO"))) == 9


def test_hydrogens_that_are_added_make_a_made_geometry(tmp_path: Path) -> None:
    bare, whole = embedded(1, with_hydrogens=False), embedded(1)
    for molecule, is_made in ((bare, True), (whole, False)):
        (atoms,) = atoms_of(molecule)
        assert has_made_geometry(atoms) is is_made
        path = tmp_path / f"{is_made}.sdf"
        path.write_text(Chem.MolToMolBlock(molecule) + "$$$$\n", encoding="utf-8")
        result = _quietly(path)
        assert [has_made_geometry(one) for one in result] == [is_made]


def _quietly(path: Path) -> Any:
    from atomlens.structures.files import read_file

    return [entry.atoms for entry in read_file(path)]


def test_conformers_are_without_effect_only_where_there_is_one() -> None:
    with pytest.warns(UserWarning, match="an rdkit molecule of several"):
        read_structures([embedded(1)], conformers=2)
