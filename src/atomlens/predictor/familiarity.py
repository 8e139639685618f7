"""How unlike the training data a structure is, as the model itself sees it.

The vectors that a model makes of some training structures are gathered around landmarks
(k-means). The distance of a new vector to the nearest landmark, along axes in which the training
vectors spread alike, is compared with the distances of the validation part: 97 says that 97 of
100 validation structures are nearer to what was seen in training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from atomlens.predictor.inputs import unseen_elements
from atomlens.structures.arrays import StructureArrays

Values = NDArray[np.float64]
Kind = Literal["molecule", "periodic structure", "formula"]

STRANGE = 99.0
"""Above this many percent a prediction comes with a warning."""
_KINDS: tuple[Kind, ...] = get_args(Kind)
_N_LANDMARKS = 256
_SMALLEST_SHARE = 1e-4
"""Axes along which training vectors vary less, in parts of the widest, are rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Familiarity:
    """What of the training data is kept to say how unlike it an input is."""

    centre: Values
    """(n_features,) mean of the training vectors"""
    axes: Values
    """(n_features, n_axes) onto which vectors are projected; training vectors have variance 1"""
    landmarks: Values
    """(n_landmarks, n_axes)"""
    levels: Values
    """(n_levels,) distances of the validation part, at evenly spaced percentages from 0 to 100"""
    kinds: tuple[Kind, ...]
    """Of the training structures."""
    most_atoms: int
    """In a training structure."""

    @classmethod
    def fit(
        cls, training: Values, validation: Values, structures: StructureArrays, *, seed: int = 0
    ) -> "Familiarity":
        """Choose landmarks among training vectors, and measure the validation part.

        Args:
            training: (n_train, n_features) vectors of training structures, a sample of them.
            validation: (n, n_features)
            structures: All training structures.
            seed: Of k-means.
        """
        from scipy.cluster.vq import kmeans2

        centre = training.mean(axis=0)
        spread, vectors = np.linalg.eigh(np.cov(training.T))
        kept = spread > _SMALLEST_SHARE * spread[-1]
        axes = vectors[:, kept] / np.sqrt(spread[kept])
        places = (training - centre) @ axes
        n_landmarks = min(_N_LANDMARKS, len(places))
        landmarks, _ = kmeans2(places, n_landmarks, minit="++", seed=seed)
        plain = cls(
            centre=_stored(centre),
            axes=_stored(axes),
            landmarks=_stored(landmarks),
            levels=np.zeros(0),
            kinds=tuple(kind for kind in _KINDS if kind in set(kinds_of(structures))),
            most_atoms=int(structures.n_atoms.max()),
        )
        levels = np.quantile(plain.distances(validation), np.linspace(0, 1, 1001))
        return cls(**{**_fields(plain), "levels": _stored(levels)})

    def distances(self, vectors: Values) -> Values:
        """(n, n_features) -> (n,) distance to the nearest landmark."""
        places = (vectors - self.centre) @ self.axes
        squares = np.square(places).sum(axis=1)[:, None] - 2 * places @ self.landmarks.T
        nearest = (squares + np.square(self.landmarks).sum(axis=1)).min(axis=1)
        distances: Values = np.sqrt(np.maximum(nearest, 0.0))
        return distances

    def percentages(self, vectors: Values) -> Values:
        """(n, n_features) -> (n,) share of the validation part that is nearer, 0 to 100."""
        shares = np.linspace(0, 100, len(self.levels))
        found: Values = np.interp(self.distances(vectors), self.levels, shares)
        return found

    def tensors(self) -> dict[str, Tensor]:
        """Return the numbers to be stored, in 32 bits."""
        return {name: torch.from_numpy(getattr(self, name)).float() for name in _ARRAYS}

    def to_dict(self) -> dict[str, Any]:
        """Return the rest, ready for JSON."""
        return {"kinds": list(self.kinds), "most_atoms": self.most_atoms}

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
        kinds, most_atoms = tuple(content["kinds"]), int(content["most_atoms"])
        return cls(**arrays, kinds=kinds, most_atoms=most_atoms)


_ARRAYS = ("centre", "axes", "landmarks", "levels")


def _fields(familiarity: Familiarity) -> dict[str, Any]:
    return {name: getattr(familiarity, name) for name in (*_ARRAYS, "kinds", "most_atoms")}


def _stored(values: Values) -> Values:
    """Return numbers as they will be when they are read again."""
    rounded: Values = values.astype(np.float32).astype(np.float64)
    return rounded


def kinds_of(structures: StructureArrays) -> tuple[Kind, ...]:
    """(n,) what each structure is."""
    periodic = np.asarray(structures.pbc.any(axis=1))
    return tuple(
        "formula" if formula else "periodic structure" if repeats else "molecule"
        for formula, repeats in zip(structures.is_formula, periodic, strict=True)
    )


def doubts(
    structures: StructureArrays,
    seen: tuple[int, ...],
    familiarity: Familiarity | None,
    unlike: Values | None,
) -> tuple[str, ...]:
    """(n,) a warning for each structure that is unlike the training data, else nothing.

    Args:
        structures: The n inputs.
        seen: Atomic numbers of the training part; empty if unknown.
        familiarity: What else is known of the training part.
        unlike: (n,) percentages, if they are known.
    """
    said = [[text] if text else [] for text in unseen_elements(structures, seen)]
    if familiarity is not None:
        for index, kind in enumerate(kinds_of(structures)):
            if kind not in familiarity.kinds:
                known = " and ".join(f"{k}s" for k in familiarity.kinds)
                said[index].append(f"this is a {kind}, and the training data had {known} only")
        for index in [] if unlike is None else np.flatnonzero(unlike > STRANGE).tolist():
            said[index].append(
                "it is unlike the training data (farther away than 99 % of the validation part), "
                "so the error may be larger than it says"
            )
    return tuple("; ".join(texts) for texts in said)
