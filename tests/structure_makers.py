"""Structures that several tests take."""

from ase import Atoms
from ase.spacegroup import crystal
from rdkit import Chem
from rdkit.Chem import rdDistGeom


def smfe12() -> Atoms:
    """The ThMn12 structure; iron on the sites 8f, 8i and 8j."""
    sites = [(0, 0, 0), (0.25, 0.25, 0.25), (0.36, 0, 0), (0.28, 0.5, 0)]
    return crystal(
        ["Sm", "Fe", "Fe", "Fe"], sites, spacegroup=139, cellpar=[8.5, 8.5, 4.77, 90, 90, 90]
    )


def mol_block(smiles: str) -> str:
    """The text of a MOL file with coordinates."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    return str(Chem.MolToMolBlock(mol))
