"""Sanity of scores: random weights, displaced atoms, other seeds, larger cells, equal sites."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.chemistry.orbits import find_orbits
from atomlens.errors import AtomlensError
from atomlens.explain.gradients import reference_answers
from atomlens.explain.question import Values
from atomlens.models.base import PropertyModel
from atomlens.predictor import Predictor
from atomlens.predictor.measuring import spearman
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.studies.faithful.asked import Asked
from atomlens.studies.statistics import Interval, bootstrap

DISPLACEMENTS = (0.01, 0.02, 0.05)
"""Å; standard deviation of the displacement of each coordinate."""
_TOLERANCE = 1e-3
"""Å; within which sites are taken to be equal."""


class Stage(NamedTuple):
    """A network whose last parts are random."""

    name: str
    predictor: Predictor


def inside(
    first: Sequence[Values],
    second: Sequence[Values],
    measure: Callable[[Values, Values], float],
    seed: int,
    fewest: int = 3,
) -> Interval:
    """Return the mean of a measure over structures, with an interval; NaN values are left out.

    So are structures of fewer than ``fewest`` parts: two correlate with 1 or -1 whatever they are.
    """
    found = []
    for a, b in zip(first, second, strict=True):
        known = np.isfinite(a) & np.isfinite(b)
        found.append(measure(a[known], b[known]) if known.sum() >= fewest else np.nan)
    values = np.array(found)
    return bootstrap(values[np.isfinite(values)], seed=seed)


def random_from_the_readout(predictor: Predictor, seed: int) -> list[Stage]:
    """Return networks of which more and more is random, from the readout down to the elements."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = [type(m)(m.config).state_dict() for m in predictor.models]
    parts = _parts(predictor.models[0])
    shown = {1, 2, (len(parts) + 1) // 2, len(parts)}
    stages = []
    for n_random in sorted(n for n in shown if 0 < n <= len(parts)):
        chosen = tuple(parts[-n_random:])
        models = tuple(
            _with_random(m, weights, chosen)
            for m, weights in zip(predictor.models, fresh, strict=True)
        )
        name = "all" if n_random == len(parts) else " + ".join(reversed(chosen[-2:]))
        if n_random > 2 and n_random < len(parts):
            name = f"last {n_random} of {len(parts)} parts"
        stages.append(Stage(name, replace(predictor, models=models)))
    return stages


def _parts(model: PropertyModel) -> list[str]:
    """Return the parts with weights in the order in which they are used, lists one by one."""
    weights = [name for name, _ in model.named_parameters()]
    names: list[str] = []
    for name, child in model.named_children():
        several = isinstance(child, torch.nn.ModuleList)
        names += [f"{name}.{key}" for key, _ in child.named_children()] if several else [name]
    return [n for n in names if any(weight.startswith(f"{n}.") for weight in weights)]


def _with_random(
    model: PropertyModel, fresh: dict[str, torch.Tensor], parts: tuple[str, ...]
) -> PropertyModel:
    """Return a copy of a network in which some parts have the weights ``fresh``."""
    copy = deepcopy(model)
    own = copy.state_dict()
    for name in own:
        if name.startswith(tuple(f"{part}." for part in parts)):
            own[name] = fresh[name].to(own[name].device)
    copy.load_state_dict(own)
    return copy


def displaced(structures: StructureArrays, size: float, seed: int) -> StructureArrays:
    """Return the structures with every atom moved by chance, ``size`` Å in each direction."""
    moves = np.random.default_rng(seed).normal(0, size, structures.positions.shape)
    return replace(structures, positions=structures.positions + moves)


def doubled(structures: StructureArrays) -> StructureArrays:
    """Return periodic structures twice along their first vector that repeats."""
    return StructureArrays.from_structures(_doubled(s) for s in structures)


def _doubled(structure: Structure) -> Structure:
    axis = int(np.argmax(structure.pbc))
    cell = structure.cell.copy()
    shift = cell[axis].copy()
    cell[axis] *= 2
    charges = structure.charges
    return structure._replace(
        atomic_numbers=np.tile(structure.atomic_numbers, 2),
        positions=np.concatenate([structure.positions, structure.positions + shift]),
        cell=cell,
        charges=None if charges is None else np.tile(charges, 2),
    )


def cell_change(asked: Asked, method: str, scores: Values) -> tuple[float, int]:
    """Return how much the scores of sites change with a doubled cell, and of how many crystals.

    The largest change over the largest score, after both are scaled to the same sum of sizes:
    what is asked is whether the cell decides who is important.
    """
    rows = np.flatnonzero(asked.structures.pbc.any(axis=1))
    if not len(rows):
        return np.nan, 0
    crystals = asked.structures.subset(rows)
    found, _ = Asked.about(
        asked.predictor, doubled(crystals), asked.questions[0].target.name
    ).scores(method)
    split = np.split(found, np.cumsum(2 * crystals.n_atoms)[:-1])
    worst = 0.0
    for row, both in zip(rows.tolist(), split, strict=True):
        a, b = asked.structures.offsets[row : row + 2]
        before = _to_one(scores[a:b])
        after = _to_one(both) * 2
        largest = float(np.abs(before).max())
        if largest > 0:
            change = max(np.abs(half - before).max() for half in np.split(after, 2))
            worst = max(worst, float(change) / largest)
    return worst, len(rows)


def _to_one(scores: Values) -> Values:
    """Return scores whose sizes add up to one, or zeros as they are."""
    total = np.abs(scores).sum()
    return scores / total if total > 0 else scores


def orbit_spread(structures: StructureArrays, scores: Values) -> tuple[float, int]:
    """Return the largest difference between equal sites over the largest score of a structure.

    Also in how many structures there are equal sites.
    """
    worst, n = 0.0, 0
    for index, structure in enumerate(structures):
        own = scores[structures.offsets[index] : structures.offsets[index + 1]]
        try:
            labels = find_orbits(structure, _TOLERANCE).labels
        except AtomlensError:
            continue
        if len(np.unique(labels)) == len(labels):
            continue
        n += 1
        spread = max(float(np.ptp(own[labels == label])) for label in np.unique(labels))
        worst = max(worst, spread / max(float(np.abs(own).max()), 1e-300))
    return (worst, n) if n else (np.nan, 0)


class Promised(NamedTuple):
    """How well a promised sum holds."""

    error: float
    """The largest, in the unit of the property; NaN where no sum is promised, or none could hold"""
    n_whole: int
    """Structures whose prediction is the sum"""
    n_cut: int
    """Structures of which a network says less than 0, which counts as 0: no sum knows of that"""


def completeness(asked: Asked, method: str, scores: Values) -> Promised:
    """Return the largest error of the sum that a method promises, where nothing was cut.

    Args:
        asked: The structures and their predictions.
        method: Name of the explainer.
        scores: (n_atoms,) what it says.
    """
    worst, n_whole, n_cut = np.nan, 0, 0
    starts = np.concatenate([[0], np.cumsum([len(q.structure_index) for q in asked.questions])])
    for question, a, b in zip(asked.questions, starts[:-1], starts[1:], strict=True):
        index, own = question.structure_index, scores[a:b]
        if method == "contribution" and question.labels is None:
            expected = question.values - question.offset
        elif method == "integrated-gradients":
            expected = question.values - reference_answers(question)
        else:
            return Promised(np.nan, 0, 0)
        off = np.abs(np.bincount(index, weights=own) - expected)
        whole: NDArray[np.bool_] = np.ones(len(off), dtype=np.bool_)
        if question.target.nonnegative:  # each member is cut at 0 before their mean is taken
            said = question.answers(question.batch, question.structures)
            whole = np.logical_and.reduce(said.by_member > 0, axis=0)
        n_whole, n_cut = n_whole + int(whole.sum()), n_cut + int((~whole).sum())
        worst = float(np.fmax.reduce(np.append(off[whole], worst)))
    return Promised(worst, n_whole, n_cut)


def all_equal(structure: Structure) -> bool:
    """Say whether symmetry makes all atoms of a structure equal, so that they have no order."""
    if structure.is_formula or len(np.unique(structure.atomic_numbers)) > 1:
        return False
    try:
        return len(np.unique(find_orbits(structure, _TOLERANCE).labels)) == 1
    except AtomlensError:
        return False


def between_members(by_member: Values, split: Callable[[Values], list[Values]]) -> list[float]:
    """Return the mean rank correlation between the members of an ensemble in each structure.

    Args:
        by_member: (n_members, n_atoms) scores.
        split: Cuts (n_atoms,) into the units of each structure.
    """
    parts = [split(member) for member in by_member]
    found = []
    for structure in zip(*parts, strict=True):
        pairs = [
            spearman(np.abs(a), np.abs(b))
            for i, a in enumerate(structure)
            for b in structure[i + 1 :]
        ]
        found.append(float(np.nanmean(pairs)) if np.isfinite(pairs).any() else np.nan)
    return found


def top_overlap(first: Values, second: Values, n: int = 3) -> float:
    """Return which share of the n most important units two scores have in common."""
    n = min(n, len(first))
    own, other = (np.argsort(-np.abs(s), kind="stable")[:n] for s in (first, second))
    return len(np.intersect1d(own, other)) / n
