"""Dividing a data set into training, validation and test part.

Every split is a function of the data set, the specification and the seed alone. Sizes are
exact except for ``composition``, whose groups cannot be cut.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.split_files import PARTS, fold_key, read_parts, write_parts
from atomlens.errors import DatasetError, SettingsError, unknown_name
from atomlens.structures.arrays import StructureArrays

_WORDS = ("random", "stratified", "composition")

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Indices of the samples of each part; no sample is in two parts."""

    train: Indices
    """(n_train,)"""
    validation: Indices
    """(n_validation,)"""
    test: Indices
    """(n_test,)"""

    def __post_init__(self) -> None:
        """Check that no sample is in two parts, or twice in one."""
        together = np.concatenate([self.train, self.validation, self.test])
        values, counts = np.unique(together, return_counts=True)
        if np.any(counts > 1):
            raise DatasetError(
                f"Sample number {values[counts > 1][0]} stands more than once in the split; "
                "put every sample into one part."
            )

    def to_json(self, path: str | Path, names: Sequence[str]) -> None:
        """Write the names of each part; a name that repeats is written as ``name#2``."""
        write_parts({part: getattr(self, part) for part in PARTS}, path, names)

    @classmethod
    def from_json(cls, path: str | Path, names: Sequence[str]) -> "Split":
        """Read a split by the names of the samples, or by their numbers from 0; names go first.

        A name that several samples have means all of them. A CSV file with the columns ``name``
        and ``split`` is read as well. Samples that the file does not mention are in no part.

        Raises:
            DatasetError: the file is not a split, or mentions a sample that is not there.
        """
        return cls(**read_parts(path, names))


def make_split(spec: str, dataset: Dataset, seed: int = 0) -> Split:
    """Divide a data set.

    Args:
        spec: ``random:SIZES``, ``stratified:SIZES`` (each part sees the whole range of the
            first target, or all classes in proportion), ``composition:SIZES`` (no reduced
            formula is in two parts), ``source`` (as the data set itself says; without a
            validation part, a tenth of its training part becomes one), ``fold:K`` (tests on the
            samples that the data set puts into fold K of a cross-validation, and divides the
            others like ``source``), or the path of a JSON file (see `Split.from_json`) or of a
            CSV file with the columns ``name`` and ``split``. SIZES is ``train/validation/test``:
            fractions (with a dot), numbers of samples (without), or ``rest`` once;
            ``.8/.1/.1`` if left out.
        dataset: What is divided.
        seed: Decides the random order. One permutation is cut into training, then test, then
            validation part, so that ``random:110000/rest/10000`` is the published QM9 split
            in which "the rest after training and test is validation".

    Raises:
        SettingsError: the specification is not understood or asks for too much.
        DatasetError: a split file does not fit the data set.
    """
    word, _, sizes = spec.partition(":")
    if word in _WORDS:
        counts = part_sizes(sizes or ".8/.1/.1", len(dataset))
        if word == "random":
            return _random(counts, len(dataset), seed)
        if word == "stratified":
            return _stratified(counts, dataset, seed)
        return _by_composition(counts, dataset, seed)
    if spec == "source":
        return _from_source(dataset, seed)
    if word == "fold":
        return _from_fold(dataset, sizes, seed)
    path = Path(spec)
    if path.suffix.lower() in {".json", ".csv", ".tsv"} or path.exists():
        if not path.is_file():
            raise SettingsError(f"The split file {path} does not exist; check the path.")
        return Split.from_json(path, dataset.structures.names)
    raise SettingsError(
        unknown_name("split", word, [*_WORDS, "source", "fold", "FILE.json", "FILE.csv"])
    )


def part_sizes(text: str, n: int) -> tuple[int, int, int]:
    """Return the sizes of training, validation and test part of ``n`` samples.

    Fractions that add up to one share out every sample (largest remainder first).
    """
    tokens = [t.strip() for t in text.split("/")]
    if len(tokens) != 3:
        raise SettingsError(
            f"The split sizes {text!r} are not three: give train/validation/test, for example "
            ".8/.1/.1 or 3000/300/rest."
        )
    sizes = [_size(t, text) for t in tokens]
    fractions = [s for s in sizes if isinstance(s, float)]
    if sum(fractions) > 1 + 1e-9:
        raise SettingsError(
            f"The fractions of the split {text!r} add up to {sum(fractions):g}, more than 1."
        )
    if sizes.count(None) > 1:
        raise SettingsError(f"The split {text!r} says 'rest' more than once.")
    counts = _round(sizes, n)
    missing = sum(counts) - n
    if missing > 0:
        raise SettingsError(
            f"The split {text!r} needs {sum(counts)} samples, {missing} more than the {n} "
            "there are."
        )
    if None in sizes:
        counts[sizes.index(None)] = n - sum(counts)
    if counts[0] == 0:
        raise SettingsError(f"The split {text!r} of {n} samples leaves none for training.")
    for part, size, count in zip(PARTS, sizes, counts, strict=True):
        if count == 0 and isinstance(size, float) and size > 0:
            raise SettingsError(
                f"The split {text!r} of {n} samples leaves none for {part}; use more samples."
            )
    return counts[0], counts[1], counts[2]


def _size(token: str, text: str) -> float | int | None:
    if token == "rest":
        return None
    try:
        value: float | int = int(token) if token.lstrip("+-").isdigit() else float(token)
    except ValueError:
        value = -1
    too_large = isinstance(value, float) and value > 1
    if not math.isfinite(value) or value < 0 or too_large:
        raise SettingsError(
            f"The split size {token!r} in {text!r} is neither a fraction between 0 and 1 (with "
            "a dot), nor a number of samples, nor 'rest'."
        )
    return value


def _round(sizes: Sequence[float | int | None], n: int) -> list[int]:
    """Turn fractions into numbers; those that fill the data set leave no sample out."""
    exact = [s * n if isinstance(s, float) else float(s or 0) for s in sizes]
    counts = [math.floor(e + 1e-9) for e in exact]
    fractions = [i for i, s in enumerate(sizes) if isinstance(s, float)]
    target = math.floor(sum(exact[i] for i in fractions) + 1e-6)
    spare = target - sum(counts[i] for i in fractions)
    for i in sorted(fractions, key=lambda i: counts[i] - exact[i])[:spare]:
        counts[i] += 1
    return counts


def _random(counts: tuple[int, int, int], n: int, seed: int) -> Split:
    order = np.random.default_rng(seed).permutation(n).astype(np.int64)
    train, validation, test = counts
    return Split(
        train=order[:train],
        test=order[train : train + test],
        validation=order[train + test : train + test + validation],
    )


def _stratified(counts: tuple[int, int, int], dataset: Dataset, seed: int) -> Split:
    """Walk along the samples sorted by target and deal them out at even distances."""
    if not dataset.targets:
        raise SettingsError(f"{dataset.name}: a stratified split needs a target.")
    n = len(dataset)
    generator = np.random.default_rng(seed)
    order = np.lexsort((generator.permutation(n), dataset.values[:, 0]))
    places, labels = [], []
    for label, size in enumerate((*counts, n - sum(counts))):
        places.append((np.arange(size) + generator.random(size)) / max(size, 1))
        labels.append(np.full(size, label))
    dealt = np.concatenate(labels)[np.argsort(np.concatenate(places), kind="stable")]
    train, validation, test = (
        generator.permutation(order[dealt == label]).astype(np.int64) for label in range(3)
    )
    return Split(train=train, validation=validation, test=test)


def _by_composition(counts: tuple[int, int, int], dataset: Dataset, seed: int) -> Split:
    """Put whole formulas into the parts, at random in proportion to the room that is left."""
    _, group = np.unique(reduced_formulas(dataset.structures), return_inverse=True)
    group = group.reshape(-1)
    sizes = np.bincount(group)
    wanted = sum(c > 0 for c in counts)
    if len(sizes) < wanted:
        raise SettingsError(
            f"{dataset.name}: {len(sizes)} different formulas cannot be divided into {wanted} "
            "parts; use random or stratified."
        )
    generator = np.random.default_rng(seed)
    room = np.array([*counts, len(dataset) - sum(counts)], dtype=np.float64)
    part_of = np.zeros(len(sizes), dtype=np.int64)
    empty = {label for label in range(3) if counts[label] > 0}
    left = len(sizes)
    for g in generator.permutation(len(sizes)):
        fits = np.where(room >= sizes[g], room, 0.0)
        if len(empty) >= left:  # every part gets at least one formula
            label = min(empty)
        elif fits.sum() > 0:
            label = int(generator.choice(4, p=fits / fits.sum()))
        else:
            label = int(np.argmax(room))
        part_of[g] = label
        room[label] -= sizes[g]
        empty.discard(label)
        left -= 1
    train, validation, test = (
        generator.permutation(np.flatnonzero(part_of[group] == label)).astype(np.int64)
        for label in range(3)
    )
    return Split(train=train, validation=validation, test=test)


def reduced_formulas(structures: StructureArrays) -> NDArray[np.str_]:
    """(n,) a key that two structures share if their elements stand in the same ratio."""
    keys = []
    for structure in structures:
        numbers, amounts = np.unique(structure.atomic_numbers, return_counts=True)
        divisor = int(np.gcd.reduce(amounts)) if len(amounts) else 1
        pairs = zip(numbers.tolist(), (amounts // divisor).tolist(), strict=True)
        keys.append(" ".join(f"{z}:{n}" for z, n in pairs))
    return np.array(keys, dtype=np.str_)


def _from_source(dataset: Dataset, seed: int) -> Split:
    if "train" not in dataset.splits:
        raise SettingsError(
            f"{dataset.name}: the data set brings no split of its own; use random:.8/.1/.1."
        )
    nothing = np.zeros(0, dtype=np.int64)
    train = dataset.splits["train"]
    validation = dataset.splits.get("validation", nothing)
    if len(validation) == 0:
        validation, train = _tenth(train, seed)
    return Split(train=train, validation=validation, test=dataset.splits.get("test", nothing))


def _from_fold(dataset: Dataset, fold: str, seed: int) -> Split:
    folds = {key: rows for key, rows in dataset.splits.items() if key.startswith(fold_key(""))}
    if not folds:
        raise SettingsError(
            f"{dataset.name}: the split fold:{fold} needs a column 'fold' or 'test_fold' with the "
            "fold in which each row is tested."
        )
    wanted = fold_key(fold)
    if wanted not in folds:
        known = sorted(key.removeprefix(fold_key("")) for key in folds)
        raise SettingsError(f"{dataset.name}: {unknown_name('fold', fold, known)}")
    others = [rows for key, rows in folds.items() if key != wanted]
    if not others:
        raise SettingsError(f"{dataset.name}: every row is in {wanted}; there is none to train on.")
    validation, train = _tenth(np.sort(np.concatenate(others)), seed)
    return Split(train=train, validation=validation, test=folds[wanted])


def _tenth(rows: Indices, seed: int) -> tuple[Indices, Indices]:
    """Return a random tenth of the rows, and the others."""
    shuffled = np.random.default_rng(seed).permutation(rows)
    return shuffled[: len(rows) // 10], shuffled[len(rows) // 10 :]
