"""3D coordinates for a molecule that has none.

Coordinates come from ETKDG (Riniker and Landrum, J. Chem. Inf. Model. 55, 2562, 2015) with a
fixed seed, relaxed with MMFF94 or else UFF. They depend on the molecule alone: its canonical
SMILES is embedded, whatever order its atoms were given in, and of two mirror images one is the
reflection of the other. Centres that the force fields do not know get their polyhedron (see
`polyhedra`). What is made is tried before it is used: no bond is far from the sum of its radii, no
two atoms lie on one another, alike bonds of a metal are about as long; else other ways are tried.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import NONMETALS
from atomlens.errors import StructureError
from atomlens.printing import reason
from atomlens.structures.molecules.geometry_checks import (
    geometry_problem,
    long_multiple_bond,
    uneven_bonds,
)
from atomlens.structures.molecules.measured_geometries import measured_positions, output_order
from atomlens.structures.molecules.polyhedra import (
    Centre,
    bind,
    centres_of,
    has_stated_corners,
    is_mirrored,
    lone_centre_positions,
    snapped,
)

_SEED = 20240229
_SECONDS = 10
"""rdkit looks at the clock between steps, so a large molecule may take twice as long."""


def positions_of(molecule: Any, what: str, conformer: int) -> NDArray[np.float64]:
    """Return coordinates for a connected molecule with all its hydrogens.

    Args:
        molecule: Sanitized; the hydrogens are atoms.
        what: What messages call it.
        conformer: Other numbers lead to other shapes of a flexible molecule.

    Returns:
        (n_atoms, 3) Å, in the order of the molecule's atoms.

    Raises:
        StructureError: no way leads to coordinates that a molecule can have.
    """
    known = measured_positions(molecule)
    if known is not None:
        return known
    try:
        found = _canonical_positions(molecule, what, conformer)
        return found if found is not None else _embedded(molecule, what, conformer)
    except StructureError:
        raise
    except Exception as error:  # rdkit met bonds that its tables do not know
        raise StructureError(
            f"{what}: no 3D coordinates can be made for {_odd_parts(molecule)} ({reason(error)}); "
            "give a file with coordinates"
        ) from error


def _odd_parts(molecule: Any) -> str:
    metals = sorted(
        {a.GetSymbol() for a in molecule.GetAtoms() if a.GetAtomicNum() not in NONMETALS}
    )
    return f"the bonds of {', '.join(metals)}" if metals else "its bonds"


def _canonical_positions(molecule: Any, what: str, conformer: int) -> NDArray[np.float64] | None:
    """Return the coordinates of the canonical form; None if the two cannot be matched."""
    from rdkit import Chem

    tracked = Chem.Mol(molecule)
    for atom in tracked.GetAtoms():
        atom.SetIntProp("_given", atom.GetIdx())
    heavy = Chem.RemoveHs(tracked)
    smiles = Chem.MolToSmiles(heavy)
    given = [heavy.GetAtomWithIdx(i).GetIntProp("_given") for i in output_order(heavy)]
    mirrored = Chem.Mol(heavy)
    for atom in mirrored.GetAtoms():
        atom.InvertChirality()
    mirror_smiles = Chem.MolToSmiles(mirrored)
    reflect = mirror_smiles < smiles
    if reflect:
        smiles = mirror_smiles
        given = [heavy.GetAtomWithIdx(i).GetIntProp("_given") for i in output_order(mirrored)]
    plain = Chem.MolFromSmiles(smiles)
    if plain is None or plain.GetNumAtoms() != len(given):
        return None
    canonical = Chem.AddHs(plain)
    order = _matched(canonical, molecule, given)
    if order is None:
        return None
    made = _embedded(canonical, what, conformer)
    if reflect:
        made = made * np.array([-1.0, 1.0, 1.0])
    positions = np.empty_like(made)
    positions[order] = made
    return positions


def _matched(canonical: Any, molecule: Any, given: list[int]) -> NDArray[np.int_] | None:
    """Return the given atom (n_atoms,) that each atom of the canonical form is."""
    order = np.full(canonical.GetNumAtoms(), -1)
    order[: len(given)] = given
    taken = set(given)
    for k, i in enumerate(given):
        own = [
            a.GetIdx()
            for a in canonical.GetAtomWithIdx(k).GetNeighbors()
            if a.GetIdx() >= len(given)
        ]
        theirs = [
            a.GetIdx()
            for a in molecule.GetAtomWithIdx(i).GetNeighbors()
            if a.GetAtomicNum() == 1 and a.GetIdx() not in taken
        ]
        if len(own) != len(theirs):
            return None
        order[own] = theirs
    if len(order) != molecule.GetNumAtoms() or sorted(order.tolist()) != list(range(len(order))):
        return None
    numbers = [a.GetAtomicNum() for a in molecule.GetAtoms()]
    same = all(a.GetAtomicNum() == numbers[order[a.GetIdx()]] for a in canonical.GetAtoms())
    return order if same else None


def _embedded(molecule: Any, what: str, conformer: int) -> NDArray[np.float64]:
    """Return coordinates that pass the checks, by the first way that gives some."""
    from rdkit.Chem import rdMolDescriptors

    centres = centres_of(molecule)
    alone = lone_centre_positions(molecule, centres)
    if alone is not None:
        return alone
    problem = ""
    first = _SEED + 1000 * conformer
    for seed, random in ((first, False), (first, True), (first + 1, True), (first + 2, True)):
        made = _distance_geometry(molecule, centres, seed, random)
        if made is None:
            continue
        for how in (_relaxed, _relaxed_by_uff, lambda molecule, _: molecule):
            relaxed = how(made, centres)
            positions = snapped(relaxed, centres)
            problem = (
                geometry_problem(relaxed, positions)
                or uneven_bonds(relaxed, positions)
                or long_multiple_bond(relaxed, positions)
            )
            if not problem:
                return positions
    if not problem:
        raise StructureError(
            f"{what}: no 3D coordinates satisfy its bonds; check rings and stereo centres or give "
            "a file with coordinates"
        )
    raise StructureError(
        f"{what}: the 3D coordinates that can be made for it are no molecule's ({problem}); give a "
        f"file with coordinates of {rdMolDescriptors.CalcMolFormula(molecule)}"
    )


def _distance_geometry(molecule: Any, centres: list[Centre], seed: int, random: bool) -> Any | None:
    """Return a copy with a conformer, or None if no coordinates satisfy the bounds."""
    from rdkit import Chem, DistanceGeometry
    from rdkit.Chem import rdDistGeom

    copy = Chem.Mol(molecule)
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.timeout = _SECONDS
    parameters.useRandomCoords = random
    parameters.maxIterations = 20 if random else 10
    if centres:
        bounds = rdDistGeom.GetMoleculeBoundsMatrix(copy)
        for centre in centres:
            bind(bounds, centre, copy)
        if not DistanceGeometry.DoTriangleSmoothing(bounds):
            return None
        parameters.SetBoundsMat(bounds)
    if rdDistGeom.EmbedMolecule(copy, parameters) < 0:
        return None
    return _right_handed(copy, centres)


def _right_handed(molecule: Any, centres: list[Centre]) -> Any | None:
    """Return a molecule whose stated corners are not mirrored, reflected if need be and possible.

    None if that cannot be: distances are bound, and a mirror keeps them.
    """
    positions = np.array(molecule.GetConformer().GetPositions())
    stated = [c for c in centres if has_stated_corners(molecule.GetAtomWithIdx(c.atom))]
    if not any(is_mirrored(positions, centre) for centre in stated):
        return molecule
    positions[:, 0] *= -1
    tags = (str(atom.GetChiralTag()) for atom in molecule.GetAtoms())
    has_others = any(tag.startswith("CHI_TETRAHEDRAL") for tag in tags)
    if has_others or any(is_mirrored(positions, centre) for centre in stated):
        return None
    molecule.GetConformer().SetPositions(positions)
    return molecule


def _relaxed_by_uff(molecule: Any, centres: list[Centre]) -> Any:
    """Return a copy relaxed without MMFF94, which lacks some bonds and takes them as single."""
    return _relaxed(molecule, centres, mmff=False)


def _relaxed(molecule: Any, centres: list[Centre], *, mmff: bool = True) -> Any:
    """Return a relaxed copy; the centres' polyhedra stay as they are."""
    from rdkit import Chem
    from rdkit.Chem import rdForceFieldHelpers

    copy = Chem.Mol(molecule)
    if copy.GetNumAtoms() < 2:
        return copy
    fixed = [i for centre in centres for i in (centre.atom, *centre.neighbours)]
    if mmff and rdForceFieldHelpers.MMFFHasAllMoleculeParams(copy):
        if not fixed:
            rdForceFieldHelpers.MMFFOptimizeMolecule(copy, maxIters=500)
            return copy
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(copy)
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(copy, properties)
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(copy):
        if not fixed:
            rdForceFieldHelpers.UFFOptimizeMolecule(copy, maxIters=500)
            return copy
        field = rdForceFieldHelpers.UFFGetMoleculeForceField(copy)
    else:
        return copy
    for i in fixed:
        field.AddFixedPoint(i)
    field.Initialize()
    field.Minimize(maxIts=500)
    return copy
