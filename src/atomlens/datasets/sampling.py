"""Taking fewer samples than there are."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.splits import Split, first_forms, split_of
from atomlens.errors import DatasetError, Failure, SettingsError


def sample_rows(n: int, limit: int | None, seed: int) -> NDArray[np.int64]:
    """Return at most ``limit`` of the rows 0 to n - 1: random by seed, in ascending order.

    With one seed, a smaller sample is a part of every larger one.

    Raises:
        SettingsError: ``limit`` is below 1.
    """
    if limit is None:
        return np.arange(n, dtype=np.int64)
    if limit < 1:
        raise SettingsError(f"The limit of samples is {limit}; it must be 1 or more.")
    if limit >= n:
        return np.arange(n, dtype=np.int64)
    order = np.random.default_rng(seed).permutation(n)[:limit]
    return np.sort(order).astype(np.int64)


def keep_rows(
    dataset: Dataset, rows: NDArray[np.int64], without_value: tuple[str, ...] = ()
) -> Dataset:
    """Return the chosen samples; splits of the source follow them, rows without value are added."""
    kept = dataset.subset(rows)
    return replace(
        kept,
        splits=dataset.splits_among(rows),
        without_value=dataset.without_value + without_value,
        row_numbers=rows if kept.row_numbers is None else kept.row_numbers,
    )


def sample_structures(dataset: Dataset, limit: int | None, seed: int) -> NDArray[np.int64]:
    """Return the rows of at most ``limit`` structures, each with all its forms; see `sample_rows`.

    Forms are ordered models and conformers, which share a row number.
    """
    if first_forms(dataset.row_numbers) is None:
        return sample_rows(len(dataset), limit, seed)
    numbers = np.asarray(dataset.row_numbers)
    every = np.unique(numbers)
    chosen = every[sample_rows(len(every), limit, seed)]
    return np.flatnonzero(np.isin(numbers, chosen)).astype(np.int64)


def one_form_each(dataset: Dataset, seed: int) -> Dataset:
    """Return the samples with one form of each structure, drawn by seed; all if none has several.

    Ordered models of one crystal and conformers of one molecule are no independent samples.
    """
    if first_forms(dataset.row_numbers) is None:
        return dataset
    numbers = np.asarray(dataset.row_numbers)
    order = np.random.default_rng(seed).permutation(len(numbers))
    drawn = order[np.unique(numbers[order], return_index=True)[1]]
    return keep_rows(dataset, np.sort(drawn).astype(np.int64))


def usable(dataset: Dataset, wanted: Sequence[str]) -> Dataset:
    """Return only the wanted targets (all if none is named) and the samples with a value of them.

    Raises:
        DatasetError: a target is unknown, or no sample is left.
    """
    if wanted:
        dataset = dataset.select_targets(wanted)
    known = np.isfinite(dataset.values).any(axis=1)
    if not known.all():
        names = tuple(dataset.structures.names[i] for i in np.flatnonzero(~known))
        dataset = keep_rows(dataset, np.flatnonzero(known), names)
    if len(dataset) == 0:
        raise DatasetError(f"{dataset.name}: no sample in it can be used; check its values.")
    return dataset


def split_in_order(n: int, n_train: int, n_test: int, seed: int) -> dict[str, NDArray[np.int64]]:
    """Return the published kind of split: one permutation by seed; first train, then test.

    What is left is for validation. Where fewer than ``n_train + n_test`` samples are there,
    there is no such split, and nothing is returned.
    """
    if n < n_train + n_test:
        return {}
    order = np.random.default_rng(seed).permutation(n).astype(np.int64)
    return {
        "train": order[:n_train],
        "test": order[n_train : n_train + n_test],
        "validation": order[n_train + n_test :],
    }


SMALLEST_VALIDATION = 500
"""Samples of the validation part that even a small subset keeps."""


def take_subset(dataset: Dataset, split: Split, n_train: int, seed: int) -> tuple[Dataset, Split]:
    """Keep some of the training part, a like share of the validation part, the whole test part.

    Raises:
        SettingsError: the training part is smaller.
    """
    if n_train > len(split.train):
        raise SettingsError(
            f"subset={n_train} is more than the {len(split.train)} samples of the training part "
            f"of {dataset.name}; lower it."
        )
    share = round(len(split.validation) * n_train / len(split.train))
    sizes = {
        "train": n_train,
        "validation": min(max(share, SMALLEST_VALIDATION), len(split.validation)),
        "test": len(split.test),
    }
    rows, parts, first = [], {}, 0
    for part, size in sizes.items():
        order = np.random.default_rng(seed).permutation(len(getattr(split, part)))[:size]
        rows.append(getattr(split, part)[np.sort(order)])
        parts[part] = np.arange(first, first + size, dtype=np.int64)
        first += size
    return dataset.subset(np.concatenate(rows)), split_of(parts)


def shuffle_targets(dataset: Dataset, split: Split, seed: int) -> Dataset:
    """Deal the values of training and validation part out anew: a control that learns nothing."""
    values = dataset.values.copy()
    for rows in (split.train, split.validation):
        values[rows] = values[np.random.default_rng(seed).permutation(rows)]
    return replace(dataset, values=values)


def strict_dataset(data: Dataset) -> Dataset:
    """Return the data set; samples that were read with a warning as failures (``--strict``).

    Raises:
        DatasetError: no sample is left.
    """
    said = data.structures.warnings
    doubtful = np.array([bool(sentences) for sentences in said], dtype=np.bool_)
    if not doubtful.any():
        return data
    failures = tuple(
        Failure(name=data.structures.names[i], message=f"{'; '.join(said[i])} (--strict)")
        for i in np.flatnonzero(doubtful).tolist()
    )
    if doubtful.all():
        first = failures[0]
        raise DatasetError(
            f"{data.name}: every one of {len(data)} structures was read with a warning, the first "
            f"is {first.name}: {first.message}"
        )
    kept = keep_rows(data, np.flatnonzero(~doubtful).astype(np.int64))
    return replace(kept, failures=(*data.failures, *failures))
