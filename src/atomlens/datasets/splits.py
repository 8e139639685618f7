"""Dividing a data set into training, validation and test part.

Every split is a function of the data set, the specification and the seed alone. Sizes are
exact except where relatives stay together (``composition``, ``scaffold``, ``group``, ``time``).
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.relatives import find_column, relatives, times_of
from atomlens.datasets.split_files import PARTS, Indices, Parts, fold_key, read_parts, write_parts
from atomlens.errors import DatasetError, SettingsError, unknown_name, warn
from atomlens.printing import counted, cut, shown
from atomlens.structures.arrays import StructureArrays

MIN_GROUPS = 20
"""With fewer formulas than this, parts are not made of whole formulas."""
WITH_SIZES = ("random", "stratified", "composition", "scaffold", "group", "time")
"""Kinds of splits that say how large their parts shall be."""
_OF_COLUMNS = ("group", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Indices of the samples of each part; no sample is in two parts."""

    train: Indices
    """(n_train,)"""
    validation: Indices
    """(n_validation,)"""
    test: Indices
    """(n_test,)"""
    remarks: tuple[str, ...] = ()
    """What came out otherwise than one may think, a sentence each."""

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
    def from_json(
        cls, path: str | Path, names: Sequence[str], row_numbers: Indices | None = None
    ) -> "Split":
        """Read a split by the names of the samples, or by their numbers from 0; names go first.

        A name that several samples have means all of them. A CSV file with the columns ``name``
        and ``split`` is read as well. Samples that the file does not mention are in no part.

        Args:
            path: The file.
            names: Those of the samples.
            row_numbers: (n,) number of each sample among all rows of its source, which the numbers
                of the file count, also those that were left out; None if the samples are all.

        Raises:
            DatasetError: the file is not a split, or mentions a sample that is not there.
        """
        return split_of(read_parts(path, names, row_numbers))


def make_split(spec: str, dataset: Dataset, seed: int = 0) -> Split:
    """Divide a data set.

    Args:
        spec: ``random:SIZES``, ``stratified:SIZES`` (each part sees the whole range of the
            first target, or all classes in proportion), ``composition:SIZES`` (no reduced
            formula is in two parts), ``scaffold:SIZES`` (no Bemis-Murcko scaffold is in two
            parts), ``group:COLUMN:SIZES`` (no value of a column of the table is), ``time:COLUMN:
            SIZES`` (the newest by a column of numbers or dates are tested, those before them
            validate, and equal moments stay together; what no part takes is the oldest),
            ``source`` (as the data set itself says; without a
            validation part, a tenth of its training part becomes one), ``fold:K`` (tests on the
            samples that the data set puts into fold K of a cross-validation, and divides the
            others like ``source``; ``fold:K/J`` validates on fold J), ``elements:K/N`` (the rarer
            elements are dealt into N groups: tests on all samples with an element of group K,
            validates on those with one of the next group), or the path of a JSON file (see
            `Split.from_json`) or of a CSV file with the columns ``name`` and ``split``. SIZES
            is ``train/validation/test``: fractions (with a dot), numbers of samples (without), or
            ``rest`` once; ``.8/.1/.1`` if left out.
        dataset: What is divided. Samples that are forms of one structure (they have one row
            number) count as one, and all are in one part.
        seed: Decides the random order. One permutation is cut into training, then test, then
            validation part, so that ``random:110000/rest/10000`` is the published QM9 split
            in which "the rest after training and test is validation".

    Raises:
        SettingsError: the specification is not understood or asks for too much.
        DatasetError: a split file does not fit the data set.
    """
    split = divide(spec, dataset, seed)
    for remark in split.remarks:
        warn(f"{dataset.name}: {remark}")
    return split


def divide(spec: str, dataset: Dataset, seed: int = 0) -> Split:
    """Divide a data set as `make_split` does, and warn of nothing: what is odd is in ``remarks``.

    Raises:
        SettingsError, DatasetError: as `make_split`.
    """
    firsts = first_forms(dataset.row_numbers)
    if firsts is not None:
        return _of_all_forms(spec, dataset, seed, firsts)
    word, _, sizes = spec.partition(":")
    if word in WITH_SIZES:
        column = ""
        if word in _OF_COLUMNS:
            column, sizes = _column_and_sizes(word, sizes, dataset)
        counts = part_sizes(sizes or ".8/.1/.1", len(dataset))
        if word == "random":
            return _random(counts, len(dataset), seed)
        if word == "stratified":
            return _stratified(counts, dataset, seed)
        if word == "composition":
            return _by_composition(counts, dataset, seed)
        if word == "time":
            return _by_time(counts, dataset, column)
        return _by_relatives(counts, dataset, f"{word}:{column}" if column else word, seed)
    if spec == "source":
        return _from_source(dataset, seed)
    if word == "fold":
        return _from_fold(dataset, sizes, seed)
    if word == "elements":
        return _by_elements(dataset, sizes)
    path = Path(spec)
    if path.suffix.lower() in {".json", ".csv", ".tsv"} or os.path.exists(path):
        if not os.path.exists(path):
            raise SettingsError(f"The split file {path} does not exist; check the path.")
        return Split.from_json(path, dataset.structures.names, dataset.row_numbers)
    raise SettingsError(
        unknown_name(
            "split", word, [*WITH_SIZES, "source", "fold", "elements", "FILE.json", "FILE.csv"]
        )
    )


def first_forms(row_numbers: Indices | None) -> Indices | None:
    """Return the first sample of each row; None if no row has several."""
    if row_numbers is None or len(np.unique(row_numbers)) == len(row_numbers):
        return None
    return np.sort(np.unique(row_numbers, return_index=True)[1]).astype(np.int64)


def first_form_of(row_numbers: Indices | None, n: int) -> Indices:
    """(n,) of each of n samples the first one of its row, which is itself where rows have one."""
    if row_numbers is None or first_forms(row_numbers) is None:
        return np.arange(n)
    _, firsts, places = np.unique(row_numbers, return_index=True, return_inverse=True)
    found: Indices = firsts[places.reshape(-1)].astype(np.int64)
    return found


def _of_all_forms(spec: str, dataset: Dataset, seed: int, firsts: Indices) -> Split:
    """Divide the rows, and put all samples of a row into its part."""
    splits = dataset.splits_among(firsts)
    split = divide(spec, replace(dataset.subset(firsts), splits=splits), seed)
    numbers = np.asarray(dataset.row_numbers)
    parts: dict[str, Indices] = {}
    for part in PARTS:
        rows = numbers[firsts[getattr(split, part)]]
        order = np.argsort(numbers, kind="stable")
        starts = np.searchsorted(numbers[order], rows, side="left")
        ends = np.searchsorted(numbers[order], rows, side="right")
        pieces = [order[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        parts[part] = np.concatenate([np.zeros(0, dtype=np.int64), *pieces]).astype(np.int64)
    return replace(split_of(parts), remarks=split.remarks)


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
    _doubt_counts(sizes, text, n)
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


def _doubt_counts(sizes: Sequence[float | int | None], text: str, n: int) -> None:
    """Refuse one training sample, and warn of counts that look like per cent: ``80/10/10``.

    Raises:
        SettingsError: ``1/0/0`` of more samples than one.
    """
    numbers = [size for size in sizes if isinstance(size, int)]
    if len(numbers) < len(sizes) or sum(numbers) not in (1, 10, 100) or n <= sum(numbers):
        return
    shares = "/".join(f"{size / sum(numbers):g}" for size in numbers)
    shares = shares.replace("1/0/0", "1.0/0.0/0.0")
    if sum(numbers) == 1:
        raise SettingsError(
            f"The split {text!r} of {n} samples takes one sample; write {shares} for all of them."
        )
    warn(
        f"The split {text!r} takes {sum(numbers)} of {n} samples; write {shares} if those are "
        "shares of all."
    )


def _size(token: str, text: str) -> float | int | None:
    if token == "rest":
        return None
    try:
        digits = token.lstrip("+-").isdigit()
        value: float | int = int(token) if digits else -1 if "_" in token else float(token)
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
    keys = reduced_formulas(dataset.structures)
    _refuse_few(keys, "formulas", counts, dataset)
    return _whole_groups(keys, counts, seed)


def _by_relatives(counts: tuple[int, int, int], dataset: Dataset, by: str, seed: int) -> Split:
    """Put whole groups of relatives into the parts, large ones into training."""
    found = relatives(dataset, by)
    _refuse_few(found.keys, found.what, counts, dataset)
    split = _whole_groups(found.keys, counts, seed, large_first=True)
    names, sizes = np.unique(found.keys, return_counts=True)
    largest = shown(str(names[sizes.argmax()]))
    why = f"as {found.what} are not cut; the largest, {largest}, has {sizes.max()}"
    return replace(split, remarks=(*found.remarks, *_other_sizes(split, counts, why)))


def _by_time(counts: tuple[int, int, int], dataset: Dataset, column: str) -> Split:
    """Test on the newest samples and validate on those before; equal moments stay together."""
    times = times_of(dataset, column)
    _refuse_few(times, f"values of {cut(column, 60)}", counts, dataset)
    order = np.argsort(times, kind="stable").astype(np.int64)
    _, sizes = np.unique(times, return_counts=True)
    edges = np.concatenate([[0], np.cumsum(sizes)])  # between two moments
    n, ends = len(order), [len(order)]
    wanted = n
    for place, count in enumerate((counts[2], counts[1], counts[0])):
        wanted -= count
        lower = sum(c > 0 for c in (counts[0], counts[1], counts[2])[: 2 - place])
        there = int(np.searchsorted(edges, ends[-1]))
        choices = edges[lower : there + (count == 0)]  # a moment for each part before this one
        ends.append(int(choices[np.abs(choices - wanted).argmin()]))
    validation, test = slice(ends[2], ends[1]), slice(ends[1], n)
    split = Split(train=order[ends[3] : ends[2]], validation=order[validation], test=order[test])
    why = f"as equal values of {cut(column, 60)} are not divided"
    own = [t.name for t in dataset.targets if find_column(dataset, column) == t.name]
    said = (
        [
            f"The parts are divided by {own[0]}, which is what is learned: training has its lowest "
            "values and the test its highest."
        ]
        if own
        else []
    )
    return replace(split, remarks=(*said, *_other_sizes(split, counts, why)))


def _refuse_few(
    keys: NDArray[Any], what: str, counts: tuple[int, int, int], dataset: Dataset
) -> None:
    """Raise a SettingsError if there are fewer groups than parts."""
    n_groups, wanted = len(np.unique(keys)), sum(c > 0 for c in counts)
    if n_groups < wanted:
        raise SettingsError(
            f"{dataset.name}: {n_groups} different {what} cannot be divided into {wanted} "
            "parts; use random or stratified."
        )


def _whole_groups(
    keys: NDArray[np.str_], counts: tuple[int, int, int], seed: int, *, large_first: bool = False
) -> Split:
    """Put whole groups into the parts, at random in proportion to the room that is left.

    With ``large_first`` those of more than half of the smallest other part go into training, if
    they fit there: the parts that judge then have many kinds.
    """
    _, group = np.unique(keys, return_inverse=True)
    group = group.reshape(-1)
    sizes = np.bincount(group)
    generator = np.random.default_rng(seed)
    room = np.array([*counts, len(keys) - sum(counts)], dtype=np.float64)
    part_of = np.zeros(len(sizes), dtype=np.int64)
    empty = {label for label in range(3) if counts[label] > 0}
    left = len(sizes)
    order = generator.permutation(len(sizes))
    bound = np.inf
    if large_first:
        bound = min((c for c in counts[1:] if c > 0), default=len(keys)) / 2
        large = order[sizes[order] > bound]
        large = large[np.argsort(-sizes[large], kind="stable")]
        order = np.concatenate([large, order[sizes[order] <= bound]])
    for g in order:
        fits = np.where(room >= sizes[g], room, 0.0)
        if len(empty) >= left:  # every part gets at least one group
            label = min(empty)
        elif sizes[g] > bound and fits[0] > 0:
            label = 0
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


def _other_sizes(split: Split, counts: tuple[int, int, int], why: str) -> tuple[str, ...]:
    """Return a sentence if a part is a tenth larger or smaller than it was asked to be."""
    found = [len(getattr(split, part)) for part in PARTS]
    if all(abs(n - asked) <= 0.1 * asked for n, asked in zip(found, counts, strict=True)):
        return ()
    return (
        f"Training, validation and test part have {found[0]}, {found[1]} and {found[2]} samples "
        f"where {counts[0]}, {counts[1]} and {counts[2]} were asked for, {why}.",
    )


def _column_and_sizes(word: str, text: str, dataset: Dataset) -> tuple[str, str]:
    """Take COLUMN:SIZES apart; a header may have colons itself.

    Raises:
        SettingsError: there is no name of a column.
    """
    column, _, sizes = text.rpartition(":")
    is_column = find_column(dataset, text) is not None
    is_said = sizes.count("/") == 2 or find_column(dataset, column) is not None
    if is_column or not column or not is_said:
        column, sizes = text, ""
    if not column.strip() or (column.count("/") == 2 and not is_column and not sizes):
        raise SettingsError(
            f"The split {word}:{text} names no column; write {word}:COLUMN:.8/.1/.1 with a header "
            "of the table."
        )
    return column, sizes


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
        test = dataset.splits.get("test", nothing)
        validation, train = _tenth(train, test, dataset, seed)
    return Split(train=train, validation=validation, test=dataset.splits.get("test", nothing))


def _from_fold(dataset: Dataset, fold: str, seed: int) -> Split:
    folds = {key: rows for key, rows in dataset.splits.items() if key.startswith(fold_key(""))}
    if not folds:
        raise SettingsError(
            f"{dataset.name}: the split fold:{fold} needs a column 'fold' or 'test_fold' with the "
            "fold in which each row is tested."
        )
    wanted, chosen = fold_key(fold), ""
    if wanted not in folds and "/" in fold:
        tested, _, validated = fold.rpartition("/")
        wanted, chosen = fold_key(tested), fold_key(validated)
        if chosen == wanted:
            raise SettingsError(
                f"{dataset.name}: the split fold:{fold} tests and validates on one fold; name two."
            )
    for name in filter(None, (wanted, chosen)):
        if name in folds:
            continue
        fold = name.removeprefix(fold_key(""))
        known = sorted(key.removeprefix(fold_key("")) for key in folds)
        raise SettingsError(f"{dataset.name}: {unknown_name('fold', fold, known)}")
    others = [rows for key, rows in folds.items() if key not in (wanted, chosen)]
    if not others:
        raise SettingsError(f"{dataset.name}: every row is in {wanted}; there is none to train on.")
    rest = np.sort(np.concatenate(others))
    if chosen:
        return Split(train=rest, validation=folds[chosen], test=folds[wanted])
    validation, train = _tenth(rest, folds[wanted], dataset, seed)
    return Split(train=train, validation=validation, test=folds[wanted])


def _tenth(rows: Indices, test: Indices, dataset: Dataset, seed: int) -> tuple[Indices, Indices]:
    """Return a tenth of the rows, and the others.

    If no reduced formula stands on both sides of the test part although some stand there several
    times, the division is one by formulas: the tenth takes whole formulas, too. Else it is random.
    """
    formulas = reduced_formulas(dataset.structures.subset(np.concatenate([rows, test])))
    own, tested = formulas[: len(rows)], formulas[len(rows) :]
    names, counts = np.unique(own, return_counts=True)
    if counts.max(initial=0) > 1 and len(names) >= MIN_GROUPS and not np.isin(names, tested).any():
        return take_share(rows, own, 0.1, seed)
    shuffled = np.random.default_rng(seed).permutation(rows)
    return shuffled[: len(rows) // 10], shuffled[len(rows) // 10 :]


def take_share(
    rows: Indices, groups: NDArray[np.str_], share: float, seed: int | Sequence[int]
) -> tuple[Indices, Indices]:
    """Return about a share of the rows in whole groups, and the others.

    Args:
        rows: (n,)
        groups: (n,) of each row; groups that would make the share too large are passed over.
        share: Between 0 and 1.
        seed: Decides which groups.
    """
    _, group = np.unique(groups, return_inverse=True)
    group = group.reshape(-1)
    sizes = np.bincount(group)
    left = round(share * len(rows))
    taken = np.zeros(len(sizes), dtype=np.bool_)
    generator = np.random.default_rng(seed)
    for g in generator.permutation(len(sizes)).tolist():
        if sizes[g] <= left:
            taken[g] = True
            left -= sizes[g]
    inside = taken[group]
    return generator.permutation(rows[inside]), generator.permutation(rows[~inside])


def _by_elements(dataset: Dataset, text: str) -> Split:
    """Hold out elements: those in at most a tenth of the samples, dealt into groups of one size."""
    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and int(number) < int(of) and int(of) >= 3):
        raise SettingsError(
            f"The split elements:{text} is not elements:K/N with a group K from 0 and N of 3 or "
            "more groups, such as elements:0/5."
        )
    k, n_groups = int(number), int(of)
    present = np.zeros((len(dataset), 120), dtype=np.bool_)
    for row, structure in enumerate(dataset.structures):
        present[row, structure.atomic_numbers] = True
    counts = present.sum(axis=0)
    rare = np.flatnonzero((counts > 0) & (counts <= len(dataset) // 10))
    if len(rare) < n_groups:
        raise SettingsError(
            f"{dataset.name}: {counted(len(rare), 'element', 'are')} in at most a tenth of the "
            f"samples, too few for {counted(n_groups, 'group')}; use composition or random."
        )
    sizes = np.zeros(n_groups, dtype=np.int64)
    group_of = np.full(present.shape[1], -1)
    for element in rare[np.argsort(-counts[rare], kind="stable")].tolist():
        group = int(sizes.argmin())
        group_of[element] = group
        sizes[group] += counts[element]
    test = present[:, group_of == k].any(axis=1)
    validation = present[:, group_of == (k + 1) % n_groups].any(axis=1) & ~test
    parts = (~test & ~validation, validation, test)
    if not parts[0].any():
        raise SettingsError(f"{dataset.name}: elements:{text} leaves no sample for training.")
    train, validating, testing = (np.flatnonzero(part).astype(np.int64) for part in parts)
    return Split(train=train, validation=validating, test=testing)


def split_of(parts: Parts) -> Split:
    """Return the split with these samples in its parts."""
    return Split(train=parts["train"], validation=parts["validation"], test=parts["test"])
