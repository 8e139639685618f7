"""Claim S5: the attention maps of four molecules match their orbitals."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.bonds import REACH, bond_matrix
from atomlens.studies.base import Claim, JudgedTraining, Verdict
from atomlens.studies.orbitals.numbers import ENVIRONMENT
from atomlens.studies.orbitals.sample import PaperMolecule
from atomlens.studies.orbitals.solution import FrontierOrbitals, Values
from atomlens.studies.verdicts import (
    NEEDED,
    make_claim,
    of_training,
    part_words,
    trainings_part,
)

LEAST = 0.6
"""Spearman's correlation over the heavy atoms, fixed beforehand."""


class PaperCase(NamedTuple):
    """One model on a molecule of the paper."""

    label: str
    molecule: FrontierOrbitals
    scores: Values
    """(n_atoms,) attention"""
    agreement: float
    """Spearman's correlation over the heavy atoms."""
    controls: Mapping[str, Sequence[float]]
    """The same of each network of each control, and of the table by element and neighbours."""
    control_scores: Mapping[str, Sequence[Values]]
    """(n_atoms,) attention of each network of each control, and what the table gives the atoms."""


NEEDED_HERE = (*NEEDED, ENVIRONMENT)
"""Controls of S5: a table that has seen orbitals, but not this molecule, too."""


def orbital_claim(paper: PaperMolecule, cases: Sequence[PaperCase], reason: str = "") -> Claim:
    """Judge one molecule of the paper: one structure, so the trainings are what is drawn.

    Args:
        paper: The molecule and its orbital.
        cases: Every model of the orbital.
        reason: Why there is none.
    """
    criterion = f"Spearman(attention, share of the orbital) > {LEAST} over heavy atoms"
    cases = sorted(cases, key=lambda case: case.label)
    training = ", ".join(case.label for case in cases)
    judged: list[JudgedTraining] = []
    chance = ""
    n_held = 0
    if cases:
        n_heavy = int((cases[0].molecule.atomic_numbers != 1).sum())
        chance = f"{chance_of_correlation(n_heavy, LEAST):.0%} of all orders of {n_heavy} atoms"
        found = trainings_part(
            "Spearman",
            [case.agreement for case in cases],
            _pooled([case.controls for case in cases]),
            limit=LEAST,
        )
        judged.append(of_training(training, [found], NEEDED_HERE))
        n_held = sum(case.agreement > LEAST for case in cases)
    if cases and paper.orbital == "lumo":
        criterion += ", or vinyl carbons and carbonyl oxygens all above methyl and ester oxygen"
        orders = trainings_part(
            "published order, lowest of the first minus highest of the others",
            [order_margin(case.molecule, case.scores) for case in cases],
            _pooled(
                [
                    {
                        name: [order_margin(case.molecule, s) for s in scores]
                        for name, scores in case.control_scores.items()
                    }
                    for case in cases
                ]
            ),
        )
        by_order = of_training(training, [orders], NEEDED_HERE)
        n_held = sum(
            case.agreement > LEAST or published_order(case.molecule, case.scores) for case in cases
        )
        words = [part_words(orders)]
        if _BEST_FIRST.index(by_order.verdict) < _BEST_FIRST.index(judged[0].verdict):
            words = [part_words(judged[0].parts[0])]
            judged = [by_order]
    else:
        words = []
    return make_claim(
        "S5",
        f"The attention map of {paper.name} matches its {paper.orbital.upper()}.",
        criterion,
        judged,
        chance=chance,
        reason=reason,
        words=words,
        needed=NEEDED_HERE,
        counts=(n_held, len(cases)) if cases else None,
    )


_BEST_FIRST: tuple[Verdict, ...] = ("holds", "as much in controls", "not tested", "fails")


def _pooled(of_cases: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """Return the numbers of every control over all models, each network once."""
    found: dict[str, set[float]] = {}
    for controls in of_cases:
        for name, values in controls.items():
            found.setdefault(name, set()).update(values)
    return {name: sorted(values) for name, values in found.items()}


def chance_of_correlation(n: int, least: float) -> float:
    """Return how often an order of n atoms by chance has a rank correlation above ``least``."""
    from scipy.stats import t

    if n < 3:
        return np.nan
    return float(t.sf(least * np.sqrt((n - 2) / (1 - least**2)), n - 2))


def order_margin(molecule: FrontierOrbitals, scores: Values) -> float:
    """Return by how much an ester's atoms stand in the published order, in even shares.

    Above 0 if all vinyl carbons and carbonyl oxygens are above methyl and ester oxygen.
    """
    top, bottom = _ester_atoms(molecule)
    return float((scores[top].min() - scores[bottom].max()) * len(scores) / scores.sum())


def published_order(molecule: FrontierOrbitals, scores: Values) -> bool:
    """Tell whether an unsaturated ester's atoms stand in the order of the published model.

    Its LUMO attention has C=C carbons and C=O oxygen on top, methyl carbon and ester oxygen at
    the bottom (the authors' notebook).
    """
    return order_margin(molecule, scores) > 0


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
