"""Claim S5: the attention maps of four molecules match their orbitals."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import REACH, bond_matrix
from atomlens.studies.base import Claim, Verdict
from atomlens.studies.orbitals.numbers import Agreement
from atomlens.studies.orbitals.sample import PaperMolecule
from atomlens.studies.orbitals.solution import FrontierOrbitals, Values

LEAST = 0.6
"""Spearman's correlation over the heavy atoms, fixed beforehand."""


def orbital_claim(
    paper: PaperMolecule,
    label: str,
    molecule: FrontierOrbitals,
    scores: Values,
    found: Mapping[str, Agreement],
) -> Claim:
    """Judge one molecule of the paper.

    Args:
        paper: The molecule and its orbital.
        label: Of the model.
        molecule: Its calculated orbitals.
        scores: (n_atoms,) attention.
        found: Agreement by ``attention`` and the name of each control.
    """
    rho = found["attention"].heavy
    holds = rho > LEAST
    criterion = f"Spearman(attention, share of the orbital) > {LEAST} over heavy atoms"
    evidence = f"Spearman {rho:+.2f}"
    ranking = published_order(molecule, scores) if paper.orbital == "lumo" else None
    if ranking is not None:
        criterion += ", or vinyl carbons and carbonyl oxygens all above methyl and ester oxygen"
        evidence += f"; published order {'found' if ranking else 'not found'}"
        holds = holds or ranking
    others = [f"{name} {a.heavy:+.2f}" for name, a in found.items() if name != "attention"]
    verdict: Verdict = "holds" if holds else "fails"
    return Claim(
        identifier="S5",
        statement=(
            f"{label}: the attention map of {paper.name} matches its {paper.orbital.upper()}."
        ),
        criterion=criterion,
        verdict=verdict,
        evidence=f"{evidence} (controls: {', '.join(others)})",
    )


def untested_claim(paper: PaperMolecule, reason: str) -> Claim:
    """Return the claim about a molecule that could not be judged."""
    return Claim(
        identifier="S5",
        statement=f"The attention map of {paper.name} matches its {paper.orbital.upper()}.",
        criterion=f"Spearman(attention, share of the orbital) > {LEAST} over heavy atoms",
        verdict="not tested",
        evidence=reason,
    )


def published_order(molecule: FrontierOrbitals, scores: Values) -> bool:
    """Tell whether an unsaturated ester's atoms stand in the order of the published model.

    Its LUMO attention has C=C carbons and C=O oxygen on top, methyl carbon and ester oxygen at
    the bottom (the authors' notebook).
    """
    top, bottom = _ester_atoms(molecule)
    return bool(scores[top].min() > scores[bottom].max())


def _ester_atoms(molecule: FrontierOrbitals) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return vinyl carbons and carbonyl oxygens, and methyl carbons and ester oxygens."""
    numbers, bonds = (
        molecule.atomic_numbers,
        bond_matrix(molecule.atomic_numbers, molecule.positions, REACH),
    )
    n_neighbours = bonds.sum(axis=1)
    to_oxygen = (bonds & (numbers == 8)).any(axis=1)
    vinyl = (numbers == 6) & (n_neighbours == 3) & ~to_oxygen
    carbonyl = (numbers == 8) & (n_neighbours == 1)
    low = ((numbers == 6) & (n_neighbours == 4)) | ((numbers == 8) & (n_neighbours == 2))
    return np.flatnonzero(vinyl | carbonyl), np.flatnonzero(low)
