"""From what the user names to what a training runs on: graphs, scaled targets, parts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets import make_split
from atomlens.datasets.base import Dataset
from atomlens.datasets.beside import OtherColumns
from atomlens.datasets.sampling import shuffle_targets, take_subset
from atomlens.datasets.splits import MIN_GROUPS, Split, reduced_formulas, split_of, take_share
from atomlens.errors import Failure, TrainingError
from atomlens.files import place_of
from atomlens.graphs import GraphStore
from atomlens.neighbors.base import GraphBuilder
from atomlens.neighbors.cache import cached_store
from atomlens.predictor.samples import TrainingSamples
from atomlens.targets.scaling import TargetScaling
from atomlens.training.plan import without_vectors
from atomlens.training.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Everything of a data set that a training needs, structures without graphs left out."""

    dataset: Dataset
    split: Split
    """Rows of ``dataset``."""
    store: GraphStore
    """Graph of each row."""
    builder: GraphBuilder
    scaling: TargetScaling
    encoded: NDArray[np.float32]
    """(n, n_values) scaled values; NaN where unknown."""
    failures: tuple[Failure, ...]
    """Samples that were left out, with the reason."""
    samples: TrainingSamples
    """The samples of all parts by content, their values as given."""
    calibrating: NDArray[np.int64]
    """Rows of the validation part that calibrate the error estimates."""
    choosing: NDArray[np.int64]
    """Rows of the validation part by which epochs are chosen and trainings stopped: the same,
    or all others if there is a ``calibration_share``."""


def prepare(
    dataset: Dataset,
    builder: GraphBuilder,
    settings: TrainSettings,
    progress: Callable[[int, int], None] | None,
    element_table: NDArray[np.float32] | None = None,
    split: Split | None = None,
) -> TrainingData:
    """Split, search neighbours, and scale by the training part.

    Samples with an element that has no row in ``element_table`` are left out.

    Raises:
        TrainingError: nothing is left to train on.
    """
    if not len(dataset):
        raise TrainingError(f"{dataset.name}: there is no sample to learn from.")
    split = split or make_split(settings.split, dataset, settings.seed)
    if settings.subset is not None:
        dataset, split = take_subset(dataset, split, settings.subset, settings.seed)
    as_given = dataset
    if settings.shuffle_targets:
        dataset = shuffle_targets(dataset, split, settings.seed)
    result = cached_store(
        dataset.structures,
        builder,
        cache_dir=None if settings.cache_dir is None else place_of(settings.cache_dir),
        n_workers=settings.n_workers,
        progress=progress,
    )
    kept = np.asarray(result.kept, dtype=np.int64)
    vectorless = without_vectors(dataset.structures, element_table)
    failures = (*dataset.failures, *result.failures, *vectorless.values())
    parts = _usable_parts(split, kept, dataset, vectorless)
    train = parts["train"]
    if not len(train):
        reason = f" The first reason: {failures[0].message}" if failures else ""
        raise TrainingError(f"{dataset.name}: no sample of the training part can be used.{reason}")
    chosen = replace(dataset.subset(kept), columns=OtherColumns())  # the parts are made
    scaling = TargetScaling.fit(
        chosen.targets,
        chosen.values[train],
        chosen.structures.subset(train),
        reference=settings.reference,
        kind=settings.scaling,
    )
    choosing, calibrating = _two_parts(parts["validation"], chosen, settings)
    return TrainingData(
        dataset=chosen,
        split=split_of(parts),
        store=result.store,
        builder=builder,
        scaling=scaling,
        encoded=scaling.encode(chosen.values, chosen.structures),
        failures=failures,
        samples=TrainingSamples.of(as_given.subset(kept), parts),
        calibrating=calibrating,
        choosing=choosing,
    )


def _two_parts(
    rows: NDArray[np.int64], dataset: Dataset, settings: TrainSettings
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which validation rows choose epochs and which calibrate; no formula is in both.

    Raises:
        TrainingError: the share leaves nothing for one of them.
    """
    if not settings.calibration_share or not len(rows):
        return rows, rows
    formulas = reduced_formulas(dataset.structures.subset(rows))
    if len(set(formulas.tolist())) < MIN_GROUPS:
        formulas = rows.astype(np.str_)  # snapshots of few molecules
    calibrating, choosing = take_share(rows, formulas, settings.calibration_share, settings.seed)
    if not len(calibrating) or not len(choosing):
        raise TrainingError(
            f"{dataset.name}: calibration_share={settings.calibration_share:g} of {len(rows)} "
            f"validation samples leaves {len(calibrating)} to calibrate and {len(choosing)} to "
            "choose epochs by; use another share or a larger validation part."
        )
    return choosing, calibrating


def _usable_parts(
    split: Split, kept: NDArray[np.int64], dataset: Dataset, left_out: Iterable[int]
) -> dict[str, NDArray[np.int64]]:
    """Return the parts in rows of ``kept``, without samples that lack graph, value or vector."""
    row_of = np.full(len(dataset), -1)
    row_of[kept] = np.arange(len(kept))
    row_of[list(left_out)] = -1
    known = np.asarray(np.isfinite(dataset.values).any(axis=1))
    parts = {}
    for part in ("train", "validation", "test"):
        indices = getattr(split, part)
        usable = indices[(row_of[indices] >= 0) & known[indices]]
        parts[part] = row_of[usable].astype(np.int64)
    return parts
