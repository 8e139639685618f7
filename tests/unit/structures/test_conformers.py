"""Conformers of a SMILES and models of an mmCIF: several forms of one structure."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from atomlens.errors import SettingsError
from atomlens.structures import read, to_atoms
from atomlens.structures.forms import name_of_forms
from atomlens.structures.records import quiet
from atomlens.structures.smiles import ALIKE, conformers_of


def distances(atoms: Atoms) -> np.ndarray:
    heavy = atoms.positions[atoms.numbers > 1]
    return np.linalg.norm(heavy[:, None] - heavy[None], axis=-1)


def test_conformers_of_a_chain_differ_and_are_one_molecule() -> None:
    found = read("CCCCCCO", conformers=4)
    assert [atoms.info["conformer"] for atoms in found] == [0, 1, 2, 3]
    assert {atoms.get_chemical_formula() for atoms in found} == {"C6H14O"}
    shapes = [distances(atoms) for atoms in found]
    for i, one in enumerate(shapes):
        assert all(np.abs(one - other).max() > ALIKE for other in shapes[:i])
    assert np.array_equal(found[0].positions, to_atoms("CCCCCCO").positions)


def test_a_rigid_molecule_has_one_conformer() -> None:
    for smiles in ("C", "c1ccccc1", "C#N", "FC(F)(F)F"):
        assert len(read(f"smiles:{smiles}", conformers=5)) == 1, smiles


def test_conformers_do_not_depend_on_how_the_smiles_is_written() -> None:
    one, other = conformers_of("CCCCCO", 3), conformers_of("OCCCCC", 3)
    assert len(one) == len(other) > 1
    for a, b in zip(one, other, strict=True):
        assert np.sort(distances(a).ravel()) == pytest.approx(np.sort(distances(b).ravel()))


def test_without_the_choice_there_is_one_shape_and_no_number() -> None:
    (atoms,) = read("CCCCCCO")
    assert "conformer" not in atoms.info


def test_the_models_of_an_mmcif_are_conformers_if_asked_for(tmp_path: Path) -> None:
    rows = [f"{i} {s} {m} {x} 0 0" for m in (1, 2, 3) for i, s, x in ((1, "C", 0), (2, "O", m))]
    (tmp_path / "x.cif").write_text(
        "data_x\nloop_\n_atom_site.id\n_atom_site.type_symbol\n_atom_site.pdbx_PDB_model_num\n"
        "_atom_site.Cartn_x\n_atom_site.Cartn_y\n_atom_site.Cartn_z\n" + "\n".join(rows) + "\n"
    )
    with quiet():
        assert "conformer" not in read(tmp_path / "x.cif")[2].info
        found = read(tmp_path / "x.cif", conformers=2)
    assert [atoms.info["conformer"] for atoms in found] == [0, 1]
    assert [atoms.positions[1, 0] for atoms in found] == [1, 2]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a-0000", "a-0001"], "a"),
        (["CCO", "CCO-2", "CCO-3"], "CCO"),
        (["x", "x"], "x"),
        (["mp-1234"], "mp-1234"),
        (["b-model-1", "b-model-2"], "b"),
    ],
)
def test_forms_share_the_name_of_their_structure(names: list[str], expected: str) -> None:
    assert name_of_forms(names) == expected


def test_an_impossible_number_is_refused() -> None:
    with pytest.raises(SettingsError, match="0 conformers"):
        read("CCO", conformers=0)
