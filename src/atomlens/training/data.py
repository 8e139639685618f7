"""From what the user names to what a training runs on: graphs, scaled targets, parts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets import load_dataset, make_split
from atomlens.datasets.base import Dataset, Sample
from atomlens.datasets.splits import Split
from atomlens.errors import DatasetError, Failure, SettingsError, TrainingError
from atomlens.graphs import GraphStore
from atomlens.models import MODELS, ClosedFormModel, PropertyModel, model_config
from atomlens.neighbors import make_builder
from atomlens.neighbors.base import GraphBuilder
from atomlens.neighbors.cache import cached_store
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling
from atomlens.training.elements import without_vectors
from atomlens.training.settings import HETEROSCEDASTIC, TrainSettings

CRYSTAL_CUTOFF = 6.0
"""Å; how far the distance basis reaches for data with a periodic structure (spec 2.3 and 3),
where the builder's own limit depends on the structure."""


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


def as_dataset(
    data: "Dataset | str | Path | Sequence[Sample]",
    target: str | Sequence[str] | None,
    settings: TrainSettings,
) -> Dataset:
    """Return the data set that is meant, with the chosen targets only.

    Raises:
        DatasetError: there is no such data set or target, or it is not said which target.
    """
    names = [target] if isinstance(target, str) else list(target or ())
    source = data if isinstance(data, Dataset | str | Path) else _from_samples(list(data))
    dataset = load_dataset(source, names or None, limit=settings.limit, seed=settings.seed)
    if not dataset.targets:
        raise DatasetError(f"{dataset.name}: there is no target to learn. Name one.")
    if not names and len(dataset.targets) > 1:
        known = ", ".join(t.name for t in dataset.targets)
        raise DatasetError(f"{dataset.name}: say which target to learn; there are {known}.")
    return dataset


def _from_samples(samples: list[Sample]) -> Dataset:
    if not samples:
        raise DatasetError("The list of samples is empty; there is nothing to learn from.")
    names = list(dict.fromkeys(name for s in samples for name in s.targets))
    for sample in samples:
        for name, value in sample.targets.items():
            if np.ndim(value):
                raise DatasetError(
                    f"{sample.identifier}: {name!r} has several values, and a sample does not say "
                    "on which grid; give a Dataset whose Target has the grid."
                )
    structures = StructureArrays.from_structures(
        structure._replace(name=sample.identifier)
        for structure, sample in zip(
            StructureArrays.from_atoms([s.atoms for s in samples]), samples, strict=True
        )
    )
    values = [[s.targets.get(name, np.nan) for name in names] for s in samples]
    return Dataset(
        name="samples",
        structures=structures,
        targets=tuple(Target(name=name) for name in names),
        values=np.array(values, dtype=np.float64).reshape(len(samples), len(names)),
    )


def choose_builder(
    kind: type[PropertyModel], settings: TrainSettings, structures: StructureArrays
) -> GraphBuilder:
    """Return the neighbour builder: the one asked for, else the one of the model's paper.

    A model that learns from formulas as well does so if the data are nothing but formulas.
    """
    papers = [kind.default_builder]
    if kind.formula_builder is not None:
        papers.insert(0 if structures.is_formula.all() else 1, kind.formula_builder)
    name = settings.builder or papers[0][0]
    chosen = dict(dict(papers).get(name, {}))
    if settings.model_settings.get("ring_features") and name == "voronoi":
        chosen["ring_flags"] = True
    return make_builder(name, **{**chosen, **settings.builder_settings})


def choose_config(
    model: str,
    targets: tuple[Target, ...],
    structures: StructureArrays,
    builder: GraphBuilder,
    settings: TrainSettings,
) -> Any:
    """Return the model's configuration: what the data decide, and what the user overrides.

    Raises:
        SettingsError: no such model or setting, or a model that cannot learn these targets.
    """
    kind = MODELS[model] if model in MODELS else type(model_config(model))
    known = {f.name for f in fields(kind.Config)}
    closed = issubclass(kind, ClosedFormModel)
    if closed and any(t.kind == "classification" for t in targets):
        raise SettingsError(f"The model {model!r} learns numbers, not classes; choose another.")
    standard = model_config(model, **settings.model_settings)
    largest = int(structures.atomic_numbers.max(initial=0)) + 1
    decided: dict[str, Any] = {
        "n_outputs": sum(t.n_outputs for t in targets),
        "n_elements": max(standard.n_elements, largest),
        "predict_scale": settings.loss in HETEROSCEDASTIC and not closed,
    }
    if "shared" in known and any(t.is_spectrum for t in targets):
        decided["shared"] = True
    cutoff = builder.settings().get("cutoff")
    if cutoff is None and bool(structures.pbc.any()):
        cutoff = CRYSTAL_CUTOFF
    if "mode" in known:
        decided["mode"] = "formula" if builder.name == "formula" else "structure"
    if "cutoff" in known and cutoff is not None:
        decided["cutoff"] = float(cutoff)
    bounds = [0.0 if t.nonnegative else None for t in targets for _ in range(t.n_outputs)]
    if "lower_bounds" in known and any(b is not None for b in bounds):
        decided["lower_bounds"] = tuple(bounds)
    return model_config(model, **{**decided, **settings.model_settings})


def prepare(
    dataset: Dataset,
    builder: GraphBuilder,
    settings: TrainSettings,
    progress: Callable[[int, int], None] | None,
    element_table: NDArray[np.float32] | None = None,
) -> TrainingData:
    """Split, search neighbours, and scale by the training part.

    Samples with an element that has no row in ``element_table`` are left out.

    Raises:
        TrainingError: nothing is left to train on.
    """
    if not len(dataset):
        raise TrainingError(f"{dataset.name}: there is no sample to learn from.")
    split = make_split(settings.split, dataset, settings.seed)
    if settings.subset is not None:
        dataset, split = _take_subset(dataset, split, settings.subset, settings.seed)
    if settings.shuffle_targets:
        dataset = _shuffle_targets(dataset, split, settings.seed)
    result = cached_store(
        dataset.structures,
        builder,
        cache_dir=None if settings.cache_dir is None else Path(settings.cache_dir),
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
    chosen = dataset.subset(kept)
    scaling = TargetScaling.fit(
        chosen.targets,
        chosen.values[train],
        chosen.structures.subset(train),
        reference=settings.reference,
        kind=settings.scaling,
    )
    return TrainingData(
        dataset=chosen,
        split=Split(**parts),
        store=result.store,
        builder=builder,
        scaling=scaling,
        encoded=scaling.encode(chosen.values, chosen.structures),
        failures=failures,
    )


SMALLEST_VALIDATION = 500
"""Samples of the validation part that even a small subset keeps."""


def _take_subset(dataset: Dataset, split: Split, n_train: int, seed: int) -> tuple[Dataset, Split]:
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
    return dataset.subset(np.concatenate(rows)), Split(**parts)


def _shuffle_targets(dataset: Dataset, split: Split, seed: int) -> Dataset:
    values = dataset.values.copy()
    for rows in (split.train, split.validation):
        values[rows] = values[np.random.default_rng(seed).permutation(rows)]
    return replace(dataset, values=values)


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
