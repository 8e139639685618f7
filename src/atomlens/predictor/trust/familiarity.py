"""How unlike the training data a structure is, as the model itself sees it.

Of the vectors that a model makes of some training structures, landmarks are kept: means of
clusters (k-means) where there are many structures, and the vectors farthest from all landmarks
so far where there are few; all of them where that is no more. The distance of a new vector to the
nearest landmark is compared with the distances of the validation part: 97 says that 97 of 100
validation structures are nearer to what was seen in training. Of a small validation part the
farthest is no bound: a tenth of new structures would be beyond nine others. There 100 begins where
an exponential tail has one in a thousand left. Vectors are means over atoms and do not show sizes,
so a molecule of more atoms than any of the training part is at 100, too.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from atomlens.boundary import count_in
from atomlens.elements import SYMBOLS
from atomlens.predictor.trust.usual_surroundings import UsualSurroundings, stored
from atomlens.structures.arrays import StructureArrays

Values = NDArray[np.float64]
Kind = Literal["molecule", "periodic structure", "formula"]

_KINDS: tuple[Kind, ...] = get_args(Kind)
_N_MEANS, _N_FARTHEST = 256, 768
_MANY = 1000
"""With as many validation structures the farthest of them is where 100 begins."""
_COPY = 2e-3
"""Of the farthest landmark's distance to the mean: nearer than this is a copy, up to 16 bits."""
_ROWS = 4096
"""Vectors whose distances to all landmarks are in memory at once."""
_MOST_AXES = 128
_FLATTEST = 1e-3
"""Of the largest variance: with less, a direction counts no more. Nonsense changes what training
hardly varied: along axes of one length methane in bohr was as near as methane."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Familiarity:
    """What of the training data is kept to say how unlike it an input is."""

    centre: Values
    """(n_features,) mean of the training vectors"""
    axes: Values
    """(n_features, n_axes) principal axes of the training vectors; the less these vary along one,
    the longer it is (models of the box have all of one length)"""
    landmarks: Values
    """(n_landmarks, n_axes)"""
    levels: Values
    """(n_levels,) distances of the validation part, at evenly spaced percentages from 0 to 100"""
    kinds: tuple[Kind, ...]
    """Of the training structures."""
    most_atoms: int
    """In a training structure."""
    surroundings: UsualSurroundings | None = None
    """How atoms of the training data stand; None where that was not measured."""

    @classmethod
    def fit(
        cls, training: Values, validation: Values, structures: StructureArrays, *, seed: int = 0
    ) -> "Familiarity":
        """Choose landmarks among training vectors, and measure the validation part.

        Args:
            training: (n_train, n_features) vectors of training structures, a sample of them, two
                at least.
            validation: (n, n_features) one at least
            structures: All training structures.
            seed: Of k-means.
        """
        centre = training.mean(axis=0)
        spread, vectors = np.linalg.eigh(np.cov(training.T).reshape(len(centre), -1))
        spread, vectors = spread[::-1][:_MOST_AXES], vectors[:, ::-1][:, :_MOST_AXES]
        least = max(_FLATTEST * float(spread[0]), 1e-300)
        unit = max(float(spread[0]), 0.0) ** 0.25  # both axes and places fit into 16 bits
        axes = vectors * (unit / np.sqrt(np.maximum(spread, least)))
        places = (training - centre) @ axes
        plain = cls(
            centre=stored(centre),
            axes=stored(axes, np.float16),
            landmarks=stored(_landmarks(places, seed), np.float16),
            levels=np.zeros(0),
            kinds=tuple(kind for kind in _KINDS if kind in set(kinds_of(structures))),
            most_atoms=int(structures.n_atoms.max()),
        )
        levels = _levels(plain.distances(validation))
        levels[-1] = max(levels[-1], _COPY * float(np.linalg.norm(places, axis=1).max()))
        return replace(plain, levels=stored(levels))

    def distances(self, vectors: Values, seen: Sequence[str] = ()) -> Values:
        """(n, n_features) -> (n,) distance to the nearest landmark.

        Landmarks are fewer than the training structures, so ``seen``, (n,) parts of the training
        as `TrainedModel.seen_in` names them, tells what is at none: what was learned from.
        """
        found = _to_nearest((vectors - self.centre) @ self.axes, self.landmarks)
        found[[i for i, part in enumerate(seen) if part == "train"]] = 0.0
        return found

    def percentages(self, distances: Values) -> Values:
        """(n,) distances -> (n,) share of the validation part that is nearer, 0 to 100."""
        shares = np.linspace(0, 100, len(self.levels))
        found: Values = np.interp(distances, self.levels, shares)
        return np.where(distances <= self.levels[0], 0.0, found)

    def remoteness(self, distances: Values) -> Values:
        """(n,) distances -> (n,) the same over the usual one.

        The usual one is the median of the validation part.
        """
        usual = float(self.levels[len(self.levels) // 2])
        return distances / usual if usual > 0 else np.ones(len(distances))

    def tensors(self) -> dict[str, Tensor]:
        """Return the numbers to be stored, in 16 or 32 bits."""
        own = {
            name: torch.from_numpy(getattr(self, name)).to(dtype) for name, dtype in _ARRAYS.items()
        }
        return own if self.surroundings is None else own | self.surroundings.tensors()

    def to_dict(self) -> dict[str, Any]:
        """Return the rest, ready for JSON."""
        own: dict[str, Any] = {"kinds": list(self.kinds), "most_atoms": self.most_atoms}
        around = self.surroundings
        return own if around is None else own | {"surroundings": around.to_dict()}

    @classmethod
    def read(cls, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "Familiarity":
        """Take back what `to_dict` and `tensors` returned.

        Raises:
            KeyError, TypeError, ValueError: the content is something else.
        """
        arrays = {name: tensors[name].double().numpy() for name in _ARRAYS}
        n_features, n_axes = arrays["axes"].shape
        sound = (
            arrays["centre"].shape == (n_features,)
            and arrays["landmarks"].shape[1:] == (n_axes,)
            and len(arrays["landmarks"]) > 0
            and arrays["levels"].ndim == 1
            and len(arrays["levels"]) > 1
            and bool(np.all(np.diff(arrays["levels"]) >= 0))
        )
        if not sound:
            raise ValueError("arrays that do not fit together")
        if not set(content["kinds"]) <= set(_KINDS):
            raise ValueError("unknown kinds of structures")
        kinds, most_atoms = tuple(content["kinds"]), count_in(content["most_atoms"])
        known = content.get("surroundings")
        around = None if known is None else UsualSurroundings.read(known, tensors)
        return cls(**arrays, kinds=kinds, most_atoms=most_atoms, surroundings=around)


_ARRAYS = {
    "centre": torch.float32,
    "axes": torch.float16,
    "landmarks": torch.float16,
    "levels": torch.float32,
}


def _landmarks(places: Values, seed: int) -> Values:
    """(at most 1024, n_axes) what stands for all places."""
    different = np.unique(places, axis=0)
    if len(different) <= _N_MEANS + _N_FARTHEST:
        return different
    from scipy.cluster.vq import kmeans2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a cluster that lost all its places stays
        means, _ = kmeans2(places, _first_means(places, _N_MEANS, seed), minit="matrix")
    return _with_farthest(places, means, _N_FARTHEST)


def _first_means(places: Values, n: int, seed: int) -> Values:
    """(n, n_axes) places drawn one after the other, by the square of the distance to the others.

    k-means++ (Arthur and Vassilvitskii, SODA 2007), in time that grows with n and not its square.
    """
    random, squares = np.random.default_rng(seed), np.square(places).sum(axis=1)
    chosen = [places[random.integers(len(places))]]
    nearest = np.full(len(places), np.inf)
    for _ in range(n - 1):
        nearest = np.minimum(nearest, _squares_to(chosen[-1], places, squares))
        ends = np.cumsum(nearest)
        found = np.searchsorted(ends, random.random() * ends[-1])
        chosen.append(places[min(int(found), len(places) - 1)])
    return np.array(chosen)


def _with_farthest(places: Values, landmarks: Values, n_more: int) -> Values:
    """Return landmarks with ``n_more`` places, each the farthest from all that are there."""
    chosen = list(landmarks)
    squares, nearest = np.square(places).sum(axis=1), np.square(_to_nearest(places, landmarks))
    for _ in range(n_more):
        chosen.append(places[nearest.argmax()])
        nearest = np.minimum(nearest, _squares_to(chosen[-1], places, squares))
    return np.array(chosen)


def _squares_to(place: Values, places: Values, squares: Values) -> Values:
    """(n,) squared distances; ``squares`` are those of the places to 0."""
    found: Values = np.maximum(squares - 2 * (places @ place) + place @ place, 0.0)
    return found


def _levels(distances: Values) -> Values:
    """(1001,) distances at evenly spaced percentages of the validation part, from 0 to 100.

    Of n structures, fewer than a thousand, the farthest is at n / (n + 1), as a new one is beyond
    it that often; 100 is where an exponential tail beyond the median has one in a thousand left,
    and no nearer than the farthest.
    """
    wanted, n = np.linspace(0, 1, 1001), len(distances)
    if n >= _MANY:
        return np.quantile(distances, wanted)
    ranked, middle = np.sort(distances), float(np.median(distances))
    beyond = ranked[ranked > middle] - middle
    length = float(beyond.mean()) if len(beyond) else 0.0
    end = max(float(ranked[-1]), middle + length * float(np.log(0.5 * _MANY)))
    known = np.arange(n + 2) / (n + 1)
    levels: Values = np.interp(wanted, known, np.concatenate([ranked[:1], ranked, [end]]))
    return levels


def _to_nearest(places: Values, landmarks: Values) -> Values:
    """(n,) distance of each place to the nearest landmark."""
    if len(places) > _ROWS:
        parts = range(0, len(places), _ROWS)
        return np.concatenate([_to_nearest(places[i : i + _ROWS], landmarks) for i in parts])
    squares = np.square(places).sum(axis=1)[:, None] - 2 * places @ landmarks.T
    nearest = (squares + np.square(landmarks).sum(axis=1)).min(axis=1)
    distances: Values = np.sqrt(np.maximum(nearest, 0.0))
    return distances


def varied_rows(structures: StructureArrays, n: int, *, seed: int = 0) -> NDArray[np.int64]:
    """(at most n,) rows of structures that show how much there is: one of each composition first.

    Then a second of each that has two, and so on, in an order drawn with the seed.
    """
    order = np.random.default_rng(seed).permutation(len(structures))
    owners = np.repeat(np.arange(len(structures)), structures.n_atoms)
    counts = np.zeros((len(structures), len(SYMBOLS)), dtype=np.int32)
    np.add.at(counts, (owners, structures.atomic_numbers), 1)
    kinds = np.unique(counts[order], axis=0, return_inverse=True)[1].ravel()
    together = np.argsort(kinds, kind="stable")
    first = np.searchsorted(kinds[together], kinds[together])
    turn = np.empty(len(order), dtype=np.int64)
    turn[together] = np.arange(len(order)) - first
    rows: NDArray[np.int64] = np.sort(order[np.argsort(turn, kind="stable")[:n]])
    return rows


def kinds_of(structures: StructureArrays) -> tuple[Kind, ...]:
    """(n,) what each structure is."""
    periodic = np.asarray(structures.pbc.any(axis=1))
    return tuple(
        "formula" if formula else "periodic structure" if repeats else "molecule"
        for formula, repeats in zip(structures.is_formula, periodic, strict=True)
    )
