"""What is kept of a training with its model: where it comes from, and what its data had."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atomlens.chemistry.boxes import n_molecules
from atomlens.datasets.split_files import distinct_names
from atomlens.elements import SYMBOLS
from atomlens.errors import Failure
from atomlens.machine import choose_device
from atomlens.models import MODELS
from atomlens.predictor.record import TrainingRecord, package_versions
from atomlens.predictor.trust.doubts import rare_elements
from atomlens.predictor.trust.familiarity import kinds_of
from atomlens.printing import counted
from atomlens.structures.doubts import as_doubt
from atomlens.targets import value_slices
from atomlens.training.data import TrainingData
from atomlens.training.job import Job, MemberResult

_CONTROL = (
    "A control, not for use: the values of its training part were dealt out at random, so it "
    "cannot have learned anything about structures."
)


def record_of(job: Job, results: Sequence[MemberResult]) -> TrainingRecord:
    """Return what is kept of a training with its model: data, settings, what the data had."""
    data, settings = job.data, job.settings
    means, lowest, highest = _figures(data)
    return TrainingRecord(
        data=data.dataset.name,
        file=Path(data.dataset.file).name if job.file_sha256 else "",
        file_sha256=job.file_sha256,
        settings=_plain_settings(job),
        split=_split_names(data),
        history=tuple(row for result in results for row in result.history),
        failures=data.failures,
        means=means,
        lowest=lowest,
        highest=highest,
        class_counts=_class_counts(data),
        rare_elements=_rare_elements(job),
        most_atoms=_most_atoms(data),
        least_shares=_least_shares(data),
        kinds=_kinds(data),
        made_geometries=_made_geometries(job),
        single_molecules=_single_molecules(data),
        samples=data.samples.after(None if job.transfer is None else job.transfer.earlier),
        run=job.run,
        n_without_value=len(data.dataset.without_value),
        remarks=job.remarks,
        warnings=_warnings(data),
        doubted=_doubted(data),
        seconds=round(sum(r.seconds for r in results), 3),
        ended="; ".join(dict.fromkeys(r.ended for r in results)),
        device=_device_name(choose_device(settings.accelerator), settings.n_threads),
        versions=package_versions(),
        notes=_CONTROL if settings.shuffle_targets else "",
        started_from={} if job.transfer is None else job.transfer.origin,
    )


def _figures(data: TrainingData) -> Iterator[tuple[float, ...]]:
    """Yield means, lowest and highest values (n_values,) of the training part; NaN for classes.

    Those of extensive targets are per atom.
    """
    values, targets = data.dataset.values[data.split.train], data.scaling.targets
    n_atoms = data.dataset.structures.n_atoms[data.split.train]
    found = np.full((3, values.shape[1]), np.nan)
    for target, place in zip(targets, value_slices(targets), strict=True):
        if target.kind == "regression":
            each = values[:, place] / (n_atoms[:, None] if target.extensive else 1)
            known = np.ma.masked_invalid(each)
            for figures, one in zip(
                found, (known.mean(0), known.min(0), known.max(0)), strict=True
            ):
                figures[place] = np.ma.filled(one, np.nan)
    yield from map(tuple, found.tolist())


def _class_counts(data: TrainingData) -> dict[str, tuple[int, ...]]:
    """Return how many samples of the training part each class of each target has."""
    values, targets = data.dataset.values[data.split.train], data.scaling.targets
    found = {}
    for target, place in zip(targets, value_slices(targets), strict=True):
        if target.kind == "classification":
            known = values[np.isfinite(values[:, place.start]), place.start].astype(np.int64)
            found[target.name] = tuple(np.bincount(known, minlength=len(target.classes)).tolist())
    return found


def _rare_elements(job: Job) -> dict[int, int]:
    """Return the elements of which little could be learned; of a fine-tuning the fresh ones."""
    if not MODELS[job.model_name].looks_at_atoms:
        return {}
    found = rare_elements(job.data.dataset.structures.subset(job.data.split.train))
    if job.transfer is None:
        return found
    return {z: n for z, n in found.items() if z in job.transfer.new_elements}


def _most_atoms(data: TrainingData) -> int:
    """Return how many atoms the largest molecule has: cells and formulas have no size."""
    structures = data.dataset.structures.subset(data.split.train)
    molecules = ~structures.is_formula & ~structures.pbc.any(axis=1)
    return int(structures.n_atoms[molecules].max(initial=0))


def _least_shares(data: TrainingData) -> dict[str, float]:
    """Return the smallest share of the atoms of each element, where compositions are all it sees.

    By symbol, in structures that have the element.
    """
    if data.builder.needs_positions:
        return {}
    structures = data.dataset.structures.subset(data.split.train)
    owners = np.repeat(np.arange(len(structures)), structures.n_atoms)
    keys, counts = np.unique(owners * len(SYMBOLS) + structures.atomic_numbers, return_counts=True)
    least = np.full(len(SYMBOLS), np.inf)
    np.minimum.at(least, keys % len(SYMBOLS), counts / structures.n_atoms[keys // len(SYMBOLS)])
    return {SYMBOLS[z]: float(f"{least[z]:.3g}") for z in np.flatnonzero(np.isfinite(least))}


_FEW_MADE = 0.01
"""Of the training part."""


def _made_geometries(job: Job) -> bool:
    """Say whether coordinates of the training part, or of a pretraining, were made here.

    A few among many teach nothing about such coordinates: files without hydrogens are anywhere.
    """
    made = job.data.dataset.structures.is_made
    own = made is not None and bool(made[job.data.split.train].mean() > _FEW_MADE)
    return own or (job.transfer is not None and bool(job.transfer.made_geometries))


_ASKED = 2000


def _single_molecules(data: TrainingData) -> bool | None:
    """Say whether hardly any structure of the training part is several molecules; None of none.

    Of many, some are asked, evenly spaced.
    """
    structures = data.dataset.structures
    molecules = data.split.train[
        ~structures.is_formula[data.split.train] & ~structures.pbc[data.split.train].any(axis=1)
    ]
    if not len(molecules):
        return None
    asked = molecules[:: -(-len(molecules) // _ASKED)].tolist()
    return sum(n_molecules(structures[i]) > 1 for i in asked) <= _FEW_MADE * len(asked)


def _kinds(data: TrainingData) -> tuple[str, ...]:
    return tuple(sorted(set(kinds_of(data.dataset.structures.subset(data.split.train)))))


def _warnings(data: TrainingData) -> tuple[Failure, ...]:
    """Return what the readers found doubtful in the samples that were used."""
    used = np.sort(np.concatenate([data.split.train, data.split.validation, data.split.test]))
    structures = data.dataset.structures
    if not structures.warnings:
        return ()
    found = ((structures.names[i], structures.warnings[i]) for i in used.tolist())
    return tuple(Failure(name=name, message="; ".join(said)) for name, said in found if said)


def _doubted(data: TrainingData) -> dict[str, int]:
    """Return of how many samples that were used readers found something, by kind of doubt."""
    said, counts = data.dataset.structures.warnings, Counter[str]()
    if said:
        for i in np.concatenate(
            [data.split.train, data.split.validation, data.split.test]
        ).tolist():
            counts.update({kind for text in said[i] for kind in as_doubt(text).kinds})
    return dict(sorted(counts.items()))


def _plain_settings(job: Job) -> dict[str, Any]:
    """Return every setting with the values that were really used."""
    used = asdict(job.settings)
    used["model"] = job.model_name
    used["builder"] = job.data.builder.name
    used["builder_settings"] = job.data.builder.settings()
    return used


def _split_names(data: TrainingData) -> dict[str, tuple[str, ...]]:
    names = distinct_names(data.dataset.structures.names)
    parts = ("train", "validation", "test")
    return {part: tuple(names[i] for i in getattr(data.split, part)) for part in parts}


def _device_name(device: torch.device, n_threads: int) -> str:
    """Return what a reader calls the device; of so many threads, 0 for as many as torch takes."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return f"CPU, {counted(n_threads or torch.get_num_threads(), 'thread')}"
    return str(device)
