"""How the atoms of a structure stand beside those of the training data: nearer, farther, apart.

The vector that a network makes of a whole structure is a mean, in which a squeezed cell, missing
atoms or a vacuum hardly show. So two numbers are looked at beside it: the distance of each atom to
its nearest neighbour, and the volume of the cell beside what volumes of elements add up to, which
are fitted to the training structures. Of both, mean and spread are kept for each pair of elements,
an atom's and that of its nearest neighbour. What counts as strange is measured on the validation
part.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from atomlens.elements import SYMBOLS
from atomlens.elements.naming import atom_label
from atomlens.elements.radii import COVALENT_RADII
from atomlens.graphs import GraphStore
from atomlens.structures.arrays import StructureArrays

Values = NDArray[np.float64]
Whole = NDArray[np.int64]

VACUUM = 5.0
"""Å; a wider layer without an atom is a vacuum, as no atoms that wide are in touch across it."""
_MANY = 0.05
"""Share of training structures with a vacuum that makes one nothing to tell."""
_RARE = (0.0075, 0.0075, 0.0025)
"""Share of the validation part beyond each limit."""
_BEYOND = 4.0
"""Limits; what is this much stranger than hardly any of the validation part is beyond all of it."""
_LEAST_CRYSTALS = 100
"""As many show what volumes elements have."""
_USUAL_VOLUME = 15.0
"""Å3, where nothing is known of an element."""
_LARGE = 0.15
"""Logarithm of a volume over the fitted one; what is farther off counts less in the fit."""
_FARTHEST = 6.0
"""Å, for atoms that have no neighbour."""
_OWN, _SHARED = 3.0, 5.0
"""As many structures with a pair weigh as much as the mean of its element, and as all spreads."""
_MOST = len(SYMBOLS)
_FINEST, _ROUNDING = 0.01, 1e-3
"""The least standard deviation, of a logarithm, and what is added to limits."""


class _Measured(NamedTuple):
    """What is measured of n structures with n_atoms together."""

    owners: Whole
    """(n_atoms,) number of its structure"""
    pairs: Whole
    """(n_atoms,) its element, and that of its nearest neighbour, as one number"""
    nearest: Values
    """(n_atoms,) logarithm of the distance to it, in sums of covalent radii"""
    distances: Values
    """(n_atoms,) the same, Å"""
    counts: Values
    """(n, n_elements) atoms of each element"""
    volumes: Values
    """(n,) logarithm, Å3; NaN for what does not repeat in all directions or has a vacuum"""
    layers: Values
    """(n,) `empty_layers`, Å"""


class JudgedSurroundings(NamedTuple):
    """What `UsualSurroundings` say of n structures."""

    sentences: tuple[str, ...]
    """What is strange about each; empty where nothing is"""
    beyond: NDArray[np.bool_]
    """(n,) which are so far from all training structures that nothing is known of errors"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UsualSurroundings:
    """What is kept of the surroundings of training atoms."""

    pairs: Whole
    """(n_pairs, 2) atomic numbers: of an atom, and of its nearest neighbour"""
    counts: Values
    """(n_pairs,) training structures that have such atoms"""
    nearest: Values
    """(n_pairs, 2) mean and standard deviation over these of the logarithm of the distance in
    sums of covalent radii"""
    packing: Values
    """(n_pairs, 2) the same of the volume of the structure over the sum of its elements'"""
    volumes: Values
    """(n_elements,) Å3; zeros where training had hardly any crystals"""
    limits: Values
    """(3,) what is strange, in standard deviations: denser, looser, one atom nearer to another"""
    vacuum: float
    """Share of the training structures with a layer of vacuum"""
    widest: float
    """Å, of all layers without an atom in them"""
    n_repeats: int
    """In how many directions the training structures repeat at least"""

    @classmethod
    def fit(
        cls,
        training: tuple[StructureArrays, GraphStore],
        validation: tuple[StructureArrays, GraphStore],
    ) -> "UsualSurroundings":
        """Measure training and validation structures.

        Args:
            training: Structures and their graphs, whose nodes are atoms.
            validation: The same.
        """
        atoms = _measured(*training)
        volumes = stored(_fitted_volumes(atoms), np.float32)
        found, counts, nearest = _by_pair(atoms, atoms.nearest)
        _, _, packing = _by_pair(atoms, np.nan_to_num(_excess(atoms, volumes))[atoms.owners])
        plain = cls(
            pairs=np.stack([found // _MOST, found % _MOST], axis=1),
            counts=stored(counts, np.float32),
            nearest=stored(nearest, np.float16),
            packing=stored(packing, np.float16),
            volumes=volumes,
            limits=np.zeros(len(_RARE)),
            vacuum=float((atoms.layers > VACUUM).mean()),
            widest=float(atoms.layers.max(initial=0.0)),
            n_repeats=int(training[0].pbc.sum(axis=1).min()),
        )
        scores = plain._scores(_measured(*validation))
        limits = [np.quantile(own, 1 - rare) for own, rare in zip(scores.T, _RARE, strict=True)]
        return replace(plain, limits=stored(np.array(limits) + _ROUNDING, np.float32))

    def sentences(self, structures: StructureArrays, store: GraphStore) -> tuple[str, ...]:
        """(n,) what is strange about each structure; empty where nothing is."""
        return self.judge(structures, store).sentences

    def judge(self, structures: StructureArrays, store: GraphStore) -> "JudgedSurroundings":
        """Say what is strange about structures, and which are beyond all that training had.

        Nothing is said of molecules where all training structures repeat: they are another kind.
        """
        atoms = _measured(structures, store)
        n_repeats = structures.pbc.sum(axis=1)
        known = (n_repeats > 0) | (self.n_repeats == 0)
        scores = self._scores(atoms)
        strange = (scores > self.limits) & known[:, None]
        beyond = (strange & (scores > _BEYOND * self.limits)).any(axis=1)
        wide = atoms.layers > max(VACUUM, 1.05 * self.widest if self.vacuum > _MANY else 0.0)
        fewer = known & (n_repeats < self.n_repeats)
        said = [""] * len(structures)
        for index in np.flatnonzero(strange.any(axis=1) | wide | fewer).tolist():
            parts = [self._of_vacuum(float(atoms.layers[index]))] if wide[index] else []
            if fewer[index] and not wide[index]:
                n = int(n_repeats[index])
                times = f"in {n} direction{'s' if n > 1 else ''} only"
                parts.append(f"it repeats {times}, and the training data in {self.n_repeats}")
            parts += self._of_atoms(structures, atoms, index, strange[index])
            unknown = ", so no error is estimated" if beyond[index] else ""
            said[index] = f"{', and '.join(parts)}; its answers may be far off{unknown}"
        return JudgedSurroundings(tuple(said), beyond)

    def _of_vacuum(self, layer: float) -> str:
        what = f"it has a layer of {layer:.1f} Å without an atom, and"
        if 0 < self.vacuum <= _MANY:
            few = f"{100 * self.vacuum:.2g} %"
            return f"{what} only {few} of the training data have one above {VACUUM:g} Å"
        widest = self.widest if self.vacuum else VACUUM
        return f"{what} none of the training data has one above {widest:.0f} Å"

    def _of_atoms(
        self, structures: StructureArrays, atoms: _Measured, index: int, strange: NDArray[np.bool_]
    ) -> list[str]:
        first, last = int(structures.offsets[index]), int(structures.offsets[index + 1])
        own = slice(first, last)
        usual, spread = self._expected(atoms.pairs[own], self.nearest)
        off = atoms.nearest[own] - usual
        parts = []
        if strange[0] or strange[1]:
            what = "denser" if strange[0] else "looser"
            change = round(100 * float(np.expm1(off.mean())))
            fits = change < 0 if strange[0] else change > 0
            how = "nearer" if strange[0] else "farther"
            near = f"; nearest neighbours are {abs(change)} % {how} than usual" if fits else ""
            parts.append(f"it is packed {what} than the training data ({_CAUSES[what]}{near})")
        if strange[2]:
            atom = int((off / spread).argmin())
            apart = float(atoms.distances[own][atom])
            numbers = structures.atomic_numbers[own].astype(np.int_)
            parts.append(
                f"{atom_label(numbers, atom)} has a {SYMBOLS[int(atoms.pairs[own][atom] % _MOST)]} "
                f"at {apart:.2f} Å, where {apart * float(np.exp(-off[atom])):.2f} Å are usual"
            )
        return parts

    def _scores(self, atoms: _Measured) -> Values:
        """(n, 3) standard deviations towards each limit."""
        n, owners = len(atoms.volumes), atoms.owners
        counts = np.maximum(np.bincount(owners, minlength=n), 1)
        usual, spread = self._expected(atoms.pairs, self.nearest)
        off = (atoms.nearest - usual) / spread
        apart = np.bincount(owners, off, minlength=n) / counts
        usual, spread = self._expected(atoms.pairs, self.packing)
        weights, excess = spread**-2, _excess(atoms, self.volumes)
        filled = np.nan_to_num(excess)[owners]
        room: Any = np.bincount(owners, (filled - usual) * weights, minlength=n)
        room = room / np.maximum(np.bincount(owners, weights, minlength=n), 1e-9)
        room = room / np.sqrt(np.bincount(owners, spread**2, minlength=n) / counts + 1e-9)
        apart += np.where(np.isfinite(excess), room, 0.0)
        least = np.full(n, np.inf)
        np.minimum.at(least, owners, off)
        flat = atoms.layers > VACUUM  # a volume is none beside a vacuum
        apart = np.where(flat, 0.0, apart)
        return np.stack([-apart, apart, -least], axis=1)

    def _expected(self, pairs: Whole, known: Values) -> tuple[Values, Values]:
        """(n_atoms,) each: the usual value, and its standard deviation.

        Those of a pair that is rare lean on those of its element, and that on all.
        """
        c, (mean, spread) = self.counts, known.T
        own, variance = self.pairs[:, 0], np.square(spread)
        total, shared = c.sum(), float((c * variance).sum() / c.sum())
        overall = float((c * mean).sum() / total)
        of_all = float((c * (variance + np.square(mean - overall))).sum() / total)
        n_element = np.bincount(own, c, minlength=_MOST)
        weight = n_element / (n_element + _OWN)
        element = np.bincount(own, c * mean, minlength=_MOST) / np.maximum(n_element, 1)
        around = np.square(mean - element[own])
        within = np.bincount(own, c * (variance + around), minlength=_MOST)
        within = (within + _SHARED * of_all) / (n_element + _SHARED)
        element = weight * element + (1 - weight) * overall
        table = np.zeros((3, _MOST * _MOST))
        table[:, own * _MOST + self.pairs[:, 1]] = c, c * mean, c * variance
        n_pair, sums, squares = table[:, pairs]
        of_element = pairs // _MOST
        weight = n_pair / (n_pair + _OWN)
        usual = weight * sums / np.maximum(n_pair, 1) + (1 - weight) * element[of_element]
        of_pair = (squares + _SHARED * shared) / (n_pair + _SHARED)
        spread = np.sqrt(weight * of_pair + (1 - weight) * within[of_element])
        return usual, np.maximum(spread, _FINEST)

    def tensors(self) -> dict[str, Tensor]:
        """Return the numbers to be stored, in few bits."""
        return {
            f"{PREFIX}{name}": torch.from_numpy(getattr(self, name)).to(kind)
            for name, kind in _ARRAYS.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the rest, ready for JSON."""
        return {name: getattr(self, name) for name in _NUMBERS}

    @classmethod
    def read(cls, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "UsualSurroundings":
        """Take back what `to_dict` and `tensors` returned.

        Raises:
            KeyError, TypeError, ValueError: the content is something else.
        """
        arrays: dict[str, Any] = {n: tensors[f"{PREFIX}{n}"].double().numpy() for n in _ARRAYS}
        arrays["pairs"] = arrays["pairs"].astype(np.int64)
        n = len(arrays["pairs"])
        sound = (
            n > 0
            and arrays["pairs"].shape == (n, 2)
            and bool(((arrays["pairs"] > 0) & (arrays["pairs"] < _MOST)).all())
            and arrays["counts"].shape == (n,)
            and bool((arrays["counts"] > 0).all())
            and arrays["nearest"].shape == arrays["packing"].shape == (n, 2)
            and arrays["volumes"].shape == (_MOST,)
            and arrays["limits"].shape == (len(_RARE),)
        )
        if not sound:
            raise ValueError("arrays of surroundings that do not fit together")
        return cls(
            **arrays,
            vacuum=float(content["vacuum"]),
            widest=float(content["widest"]),
            n_repeats=int(content["n_repeats"]),
        )


_CAUSES = {
    "denser": "squeezed, or too many atoms",
    "looser": "expanded, or atoms are missing",
}
PREFIX = "surroundings."
_ARRAYS = {
    "pairs": torch.uint8,
    "counts": torch.float32,
    "nearest": torch.float16,
    "packing": torch.float16,
    "volumes": torch.float32,
    "limits": torch.float32,
}
_NUMBERS = ("vacuum", "widest", "n_repeats")


def stored(values: Values, kind: type = np.float32) -> Values:
    """Return numbers as they will be when they are read again."""
    rounded: Values = values.astype(kind).astype(np.float64)
    return rounded


def _measured(structures: StructureArrays, store: GraphStore) -> _Measured:
    """Measure structures, whose graphs stand in the same order."""
    numbers = structures.atomic_numbers.astype(np.int64)
    first_atoms = store.node_offsets[:-1].cpu().numpy().astype(np.int64)
    shift = np.repeat(first_atoms, store.edge_counts.cpu().numpy())
    source = store.edge_source.cpu().numpy().astype(np.int64) + shift
    target = store.edge_target.cpu().numpy().astype(np.int64) + shift
    distances = store.distances.cpu().numpy().astype(np.float64)
    order = np.lexsort((source, distances, target))
    nearest = order[np.flatnonzero(np.diff(target[order], prepend=-1))]
    others, apart = numbers.copy(), np.full(len(numbers), _FARTHEST)
    others[target[nearest]] = numbers[source[nearest]]
    apart[target[nearest]] = distances[nearest]
    layers = empty_layers(structures)
    whole = structures.pbc.all(axis=1) & (layers <= VACUUM)
    volumes = np.full(len(structures), np.nan)
    volumes[whole] = np.log(np.abs(np.linalg.det(structures.cells[whole])))
    return _Measured(
        owners=np.repeat(np.arange(len(structures), dtype=np.int64), structures.n_atoms),
        pairs=numbers * _MOST + others,
        nearest=np.log(apart / (COVALENT_RADII[numbers] + COVALENT_RADII[others])),
        distances=apart,
        counts=structures.element_counts(_MOST),
        volumes=volumes,
        layers=layers,
    )


def _fitted_volumes(measured: _Measured) -> Values:
    """(n_elements,) Å3, whose sums are nearest to the volumes of structures, in logarithms.

    Gauss-Newton steps; structures that are far off count less (Huber's weights).
    """
    rows = np.isfinite(measured.volumes)
    if int(rows.sum()) < _LEAST_CRYSTALS:
        return np.zeros(_MOST)
    counts, wanted = measured.counts[rows], measured.volumes[rows]
    found = np.full(_MOST, _USUAL_VOLUME)
    for _ in range(12):
        sums = counts @ found
        slopes, rest = counts * found / sums[:, None], wanted - np.log(sums)
        weighted = slopes.T / np.maximum(1.0, np.abs(rest) / _LARGE)
        step = np.linalg.solve(weighted @ slopes + np.eye(_MOST), weighted @ rest)
        found *= np.exp(np.clip(step, -0.5, 0.5))
    return found


def _excess(measured: _Measured, volumes: Values) -> Values:
    """(n,) logarithm of the volume over the sum of the elements'; NaN where there is none."""
    sums = measured.counts @ volumes
    with np.errstate(divide="ignore"):
        return np.where(sums > 0, measured.volumes - np.log(sums), np.nan)


def _by_pair(atoms: _Measured, values: Values) -> tuple[Whole, Values, Values]:
    """Return the pairs that occur, in how many structures, and (n_pairs, 2) mean and deviation.

    Atoms of one structure are one observation.
    """
    n = int(atoms.owners.max(initial=0)) + 1
    each, place = np.unique(atoms.pairs * n + atoms.owners, return_inverse=True)
    means = np.bincount(place, values) / np.bincount(place)
    pairs, of = np.unique(each // n, return_inverse=True)
    counts = np.bincount(of).astype(np.float64)
    mean = np.bincount(of, means) / counts
    variance = np.bincount(of, np.square(means - mean[of])) / counts
    return pairs, counts, np.stack([mean, np.sqrt(variance)], axis=1)


def empty_layers(structures: StructureArrays) -> Values:
    """(n,) Å, the widest layer between two lattice planes without the centre of an atom in it.

    Planes are those along faces of the reduced cell. 0 for structures that do not repeat.
    """
    from atomlens.neighbors.features import reduced_cells

    reduced = reduced_cells(structures.cells, structures.pbc)
    cells = structures.cells if reduced is None else reduced
    found = np.zeros(len(structures))
    for index in np.flatnonzero(structures.pbc.any(axis=1)).tolist():
        structure = structures[index]
        repeats = np.flatnonzero(structure.pbc)
        basis = cells[index][repeats]
        inverse = np.linalg.pinv(basis)
        parts = structure.positions @ inverse
        parts = np.sort(parts - np.floor(parts), axis=0)
        gaps = np.diff(parts, axis=0, append=parts[:1] + 1).max(axis=0)
        found[index] = float((gaps / np.linalg.norm(inverse, axis=0)).max())
    return found
