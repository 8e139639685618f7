"""From target values to what a network learns, and back.

    encoded = (value [/ n_atoms if extensive] - element reference - mean) / std

Every number in it comes from the rows that are given to `TargetScaling.fit`: the training
part. Class numbers and logits pass through untouched. A spectrum has one mean and one std for
its whole grid, so that its shape is kept and every point weighs as much as its values vary;
with an L1 loss that is the loss of the raw values up to a factor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import number_in
from atomlens.errors import DatasetError, ModelError, SettingsError
from atomlens.printing import few, reason
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target, output_slices, value_slices

_PENALTY_EXTENSIVE, _PENALTY_INTENSIVE = 1e-6, 1e-2
"""Ridge penalty of the element reference; one pure sample of an element weighs 1. Energies are
nearly sums over atoms; other values are not, and a rare element must not fit their noise."""
_CONSTANT = 1e-10
"""A spread below this share of the largest value is rounding, not information."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetScaling:
    """Shift and scale of each target; plain numbers, so that JSON keeps every bit."""

    targets: tuple[Target, ...]
    means: tuple[float, ...]
    """By target; 0 for classes and for nonnegative targets, whose zero must stay zero."""
    stds: tuple[float, ...]
    """By target, never 0; 1 for classes and for targets that are constant in training."""
    references: tuple[dict[int, float], ...]
    """By target: share of each atomic number, weighted with its fraction; may be empty."""

    @classmethod
    def fit(
        cls,
        targets: Sequence[Target],
        values: NDArray[np.float64],
        structures: StructureArrays,
        *,
        reference: str = "none",
        kind: Literal["standard", "none"] = "standard",
    ) -> "TargetScaling":
        """Measure the training part.

        Args:
            targets: What the columns of ``values`` mean.
            values: (n, n_values), NaN where unknown; only training rows.
            structures: The n structures.
            reference: ``elements`` first takes away a ridge regression on the element
                fractions, per atom for extensive targets (their atomic reference energies);
                ``elements:NAME,NAME`` does so for these targets only.
            kind: ``none`` leaves mean and spread alone.

        Raises:
            DatasetError: a target, or a point of a spectrum, is unknown for all rows.
            SettingsError: an element reference of a spectrum, of classes, of a target that cannot
                be negative, or of one that is not there.
        """
        means, stds, references = [], [], []
        referenced = _referenced(reference, targets)
        for target, place in zip(targets, value_slices(tuple(targets)), strict=True):
            per_atom = _per_atom(values[:, place], target, structures)
            known = np.isfinite(per_atom)
            if not known.any():
                raise DatasetError(
                    f"Target {target.name!r} has no known value in the training part; "
                    "choose another split or target."
                )
            _check_points(target, known)
            free = target.kind == "regression" and not target.nonnegative
            shares: dict[int, float] = {}
            largest = float(np.abs(per_atom[known]).max())
            if free and target.name in referenced:
                if target.is_spectrum:
                    raise SettingsError(
                        f"reference=elements is for single numbers, and {target.name!r} is a "
                        "spectrum; use reference=none."
                    )
                shares = _element_reference(
                    per_atom[:, 0], structures, known[:, 0], target.extensive
                )
                per_atom = per_atom - _reference_of(shares, structures)[:, None]
            rest = per_atom[known]
            scaled = kind == "standard" and target.kind == "regression"
            means.append(float(rest.mean()) if scaled and free else 0.0)
            stds.append(_spread(rest, largest) if scaled else 1.0)
            references.append(shares)
        return cls(
            targets=tuple(targets),
            means=tuple(means),
            stds=tuple(stds),
            references=tuple(references),
        )

    def encode(
        self, values: NDArray[np.float64], structures: StructureArrays
    ) -> NDArray[np.float32]:
        """(n, n_values) values in their units -> (n, n_values) to be learned; NaN stays."""
        encoded = np.empty(values.shape, dtype=np.float32)
        places = zip(self.targets, value_slices(self.targets), strict=True)
        for index, (target, place) in enumerate(places):
            per_atom = _per_atom(values[:, place], target, structures)
            per_atom = per_atom - _reference_of(self.references[index], structures)[:, None]
            encoded[:, place] = (per_atom - self.means[index]) / self.stds[index]
        return encoded

    def decode(self, outputs: NDArray[Any], structures: StructureArrays) -> NDArray[np.float64]:
        """(n, n_outputs) of a model -> (n, n_outputs) in units; logits as they are."""
        decoded = np.array(outputs, dtype=np.float64)
        for column, (target, place) in enumerate(self._columns()):
            if target.kind == "classification":
                continue
            per_atom = decoded[:, place] * self.stds[column] + self.means[column]
            per_atom = per_atom + _reference_of(self.references[column], structures)[:, None]
            decoded[:, place] = per_atom * _amount(target, structures)[:, None]
        return decoded

    def decode_std(self, std: NDArray[Any], structures: StructureArrays) -> NDArray[np.float64]:
        """(n, n_outputs) standard deviations of the outputs -> in units."""
        decoded = np.array(std, dtype=np.float64)
        for column, (target, place) in enumerate(self._columns()):
            if target.kind == "regression":
                decoded[:, place] *= self.stds[column] * _amount(target, structures)[:, None]
        return decoded

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON, from which `from_dict` makes the same again."""
        return {
            "targets": [t.to_dict() for t in self.targets],
            "means": list(self.means),
            "stds": list(self.stds),
            "references": [{str(z): v for z, v in r.items()} for r in self.references],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "TargetScaling":
        """Make a scaling again from `to_dict`.

        Raises:
            ModelError: the content is not a scaling.
        """
        try:
            scaling = cls(
                targets=tuple(Target.from_dict(t) for t in content["targets"]),
                means=tuple(number_in(v) for v in content["means"]),
                stds=tuple(number_in(v) for v in content["stds"]),
                references=tuple(
                    {int(z): number_in(v) for z, v in r.items()} for r in content["references"]
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
            raise ModelError(
                f"the scaling of the targets is damaged ({reason(problem)})"
            ) from problem
        numbers = (scaling.means, scaling.stds, scaling.references)
        same_length = {len(n) for n in numbers} == {len(scaling.targets)}
        shares = [share for reference in scaling.references for share in reference.values()]
        sound = (
            same_length
            and len({t.name for t in scaling.targets}) == len(scaling.targets) > 0
            and bool(np.isfinite([*scaling.means, *scaling.stds, *shares]).all())
            and min(scaling.stds) > 0
            and all(0 <= z < 119 for r in scaling.references for z in r)
            and all(0 in r for r in scaling.references if r)
        )
        if not sound:
            raise ModelError("the scaling of the targets has impossible numbers")
        return scaling

    def _columns(self) -> list[tuple[Target, slice]]:
        return list(zip(self.targets, output_slices(self.targets), strict=True))


def element_fractions(
    structures: StructureArrays, elements: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n, n_elements) share of the atoms of each structure that are of each listed element."""
    column = np.full(256, len(elements), dtype=np.int64)
    column[elements] = np.arange(len(elements))
    rows = np.repeat(np.arange(len(structures)), structures.n_atoms)
    flat = rows * (len(elements) + 1) + column[structures.atomic_numbers]
    counts = np.bincount(flat, minlength=len(structures) * (len(elements) + 1))
    counts = counts.reshape(len(structures), len(elements) + 1)[:, :-1]
    fractions: NDArray[np.float64] = counts / structures.n_atoms[:, None]
    return fractions


def _per_atom(
    columns: NDArray[np.float64], target: Target, structures: StructureArrays
) -> NDArray[np.float64]:
    per_atom: NDArray[np.float64] = columns / _amount(target, structures)[:, None]
    return per_atom


def _check_points(target: Target, known: NDArray[np.bool_]) -> None:
    """Raise a DatasetError if nothing can be learned about a point of the grid."""
    missing = np.flatnonzero(~known.any(axis=0))
    if len(missing):
        points = np.array(target.grid)[missing]
        raise DatasetError(
            f"Target {target.name!r} has no known value in the training part at {len(missing)} of "
            f"the {len(target.grid)} points of its grid (between {points[0]:g} and "
            f"{points[-1]:g} {target.grid_unit}); choose a grid inside the data."
        )


def _amount(target: Target, structures: StructureArrays) -> NDArray[np.float64]:
    """(n,) number of atoms for extensive targets, else 1."""
    if target.extensive:
        return structures.n_atoms.astype(np.float64)
    return np.ones(len(structures))


def _referenced(reference: str, targets: Sequence[Target]) -> set[str]:
    """Return the names of the targets that a linear fit on the elements is taken from.

    Without names these are all that can be negative numbers.
    """
    word, _, listed = reference.partition(":")
    if word != "elements":
        return set()
    if not listed:
        return {t.name for t in targets if t.kind == "regression" and not t.nonnegative}
    chosen = {name.strip() for name in listed.split(",")}
    known = {t.name: t for t in targets}
    for name in sorted(chosen):
        if name not in known:
            raise SettingsError(
                f"reference={reference}: there is no target {name!r}; the targets are {few(known)}."
            )
        if known[name].kind != "regression" or known[name].nonnegative:
            raise SettingsError(
                f"reference={reference}: {name!r} is a class or cannot be negative, so nothing "
                "can be subtracted from it; leave it out."
            )
    return chosen


def _element_reference(
    per_atom: NDArray[np.float64],
    structures: StructureArrays,
    known: NDArray[np.bool_],
    extensive: bool,
) -> dict[int, float]:
    """Fit ``per_atom`` with a sum of fraction times share; an unseen element gets the mean.

    The fractions of a structure add up to one, so the mean can be a part of every share.
    """
    elements = np.unique(structures.atomic_numbers).astype(np.int64)
    fractions = element_fractions(structures, elements)[known]
    mean = float(per_atom[known].mean())
    penalty = _PENALTY_EXTENSIVE if extensive else _PENALTY_INTENSIVE
    gram = fractions.T @ fractions + penalty * np.eye(len(elements))
    shares = np.linalg.solve(gram, fractions.T @ (per_atom[known] - mean)) + mean
    return {0: mean} | dict(zip(elements.tolist(), shares.tolist(), strict=True))


def _reference_of(shares: dict[int, float], structures: StructureArrays) -> NDArray[np.float64]:
    """(n,) reference of each structure; key 0 holds the share of elements unseen in training."""
    if not shares:
        return np.zeros(len(structures))
    table = np.full(256, shares[0])
    table[list(shares)] = list(shares.values())
    sums = np.bincount(
        np.repeat(np.arange(len(structures)), structures.n_atoms),
        weights=table[structures.atomic_numbers],
        minlength=len(structures),
    )
    reference: NDArray[np.float64] = sums / structures.n_atoms
    return reference


def _spread(values: NDArray[np.float64], largest: float) -> float:
    """Return the standard deviation, or 1 where it is only the rounding of ``largest``."""
    std = float(values.std())
    return std if std > _CONSTANT * largest else 1.0
