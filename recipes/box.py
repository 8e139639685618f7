"""Train the models of the box, one after another, for as long as you like.

    python recipes/box.py --minutes 60 --data DATA [--only NAME ...] [--threads N] [--device cpu]

Works through QUEUE in the order of use. Each entry is trained in ``runs/box/NAME`` and goes on
where the last call stopped, on a CPU bit for bit; what is done is finished (error estimate,
calibration, card) and takes the place of the shipped model if it is better on the validation
part. The test part is no part of the training: finishing looks at it once.

DATA is a folder with ``matbench_*.csv.gz`` (columns ``composition``, the target, ``test_fold``: the
tasks of Matbench v0.1 without their structures) and the packed files of ``recipes/pack_box.py``;
entries whose data are missing are passed over, and that is said.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from atomlens.datasets import Dataset, load_dataset
from atomlens.datasets.packed import load_packed
from atomlens.datasets.splits import make_split
from atomlens.errors import AtomlensError
from atomlens.targets import Target
from atomlens.training import TrainSettings, train

RUNS = Path("runs/box")
TEST_FOLD = 0
"""Of the five official folds of Matbench, the one that tests; a tenth of the others validates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of the box and how it is trained."""

    name: str
    load: Callable[[Path], Dataset]
    """Takes the folder of the data; the splits are train, validation, test."""
    settings: dict[str, Any]
    """Fields of `TrainSettings`."""
    model: dict[str, Any] = field(default_factory=dict)
    """Settings of `lens`."""


def matbench(tasks: dict[str, tuple[str, Target]]) -> Callable[[Path], Dataset]:
    """Return a loader of one or several columns for the same compositions, in official folds."""

    def load(folder: Path) -> Dataset:
        parts = []
        for task, (column, target) in tasks.items():
            one = load_dataset(folder / f"matbench_{task}.csv.gz", column)
            parts.append(replace(one, targets=(target,)))
        first = parts[0]
        for other in parts[1:]:
            a, b = first.structures, other.structures
            same = np.array_equal(a.offsets, b.offsets)
            if not same or not np.array_equal(a.atomic_numbers, b.atomic_numbers):
                raise SystemExit(f"{first.name} and {other.name} must have the same rows.")
        joined = replace(
            first,
            name=" and ".join(f"matbench_{task}" for task in tasks),
            targets=tuple(p.targets[0] for p in parts),
            values=np.concatenate([p.values for p in parts], axis=1),
        )
        split = make_split(f"fold:{TEST_FOLD}", joined, seed=0)
        splits = {p: getattr(split, p) for p in ("train", "validation", "test")}
        return replace(joined, splits=splits)

    return load


def packed(file: str) -> Callable[[Path], Dataset]:
    """Return a loader of a packed file with its own splits."""
    return lambda folder: load_packed(folder / file)


_COMMON: dict[str, Any] = {
    "optimizer": "adamw",
    "beta2": 0.98,
    "weight_decay": 0.01,
    "ema_decay": 0.999,
    "schedule": "cosine",
    "min_learning_rate": 1e-5,
}
_FORMULA: dict[str, Any] = {"element_vectors": "cgcnn92", "n_layers": 3, "n_features": 128}

QUEUE = (
    Entry(
        name="formula-formation-energy",
        load=matbench({"mp_e_form": ("e_form", Target(name="formation_energy", unit="eV/atom"))}),
        settings={
            **_COMMON,
            "loss": "robust-l1",
            "epochs": 20,
            "batch_size": 256,
            "learning_rate": 1e-3,
            "warmup_epochs": 0.5,
            "reference": "elements",
        },
        model=_FORMULA,
    ),
    Entry(
        name="formula-gap",
        load=matbench(
            {"mp_gap": ("gap pbe", Target(name="band_gap", unit="eV", nonnegative=True))}
        ),
        settings={
            **_COMMON,
            "loss": "robust-l1",
            "epochs": 16,
            "batch_size": 256,
            "learning_rate": 1e-3,
            "warmup_epochs": 0.5,
        },
        model={**_FORMULA, "dropout": 0.05},
    ),
    Entry(
        name="formula-moduli",
        load=matbench(
            {
                "log_kvrh": (
                    "log10(K_VRH)",
                    Target(name="log_bulk_modulus", unit="log10(GPa)"),
                ),
                "log_gvrh": (
                    "log10(G_VRH)",
                    Target(name="log_shear_modulus", unit="log10(GPa)"),
                ),
            }
        ),
        settings={
            **_COMMON,
            "ensemble": 3,
            "epochs": 50,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "warmup_epochs": 2.0,
        },
        model={**_FORMULA, "n_features": 64, "dropout": 0.1},
    ),
    Entry(
        name="formula-phonons",
        load=matbench(
            {"phonons": ("last phdos peak", Target(name="last_phonon_peak", unit="1/cm"))}
        ),
        settings={
            **_COMMON,
            "ensemble": 5,
            "epochs": 150,
            "batch_size": 32,
            "learning_rate": 1e-3,
            "warmup_epochs": 5.0,
        },
        model={**_FORMULA, "n_features": 64, "dropout": 0.1},
    ),
    Entry(
        name="formula-refractive-index",
        load=matbench({"dielectric": ("n", Target(name="refractive_index"))}),
        settings={
            **_COMMON,
            "ensemble": 3,
            "epochs": 60,
            "batch_size": 32,
            "learning_rate": 1e-3,
            "warmup_epochs": 2.0,
        },
        model={**_FORMULA, "n_features": 64, "dropout": 0.1},
    ),
)


def without_test(dataset: Dataset) -> Dataset:
    """Return training and validation part alone."""
    kept = np.sort(np.concatenate([dataset.splits["train"], dataset.splits["validation"]]))
    place = np.full(len(dataset), -1)
    place[kept] = np.arange(len(kept))
    return replace(
        dataset,
        structures=dataset.structures.subset(kept),
        values=dataset.values[kept],
        held=None if dataset.held is None else dataset.held[kept],
        splits={p: place[dataset.splits[p]] for p in ("train", "validation")}
        | {"test": np.zeros(0, dtype=np.int64)},
        failures=(),
    )


def run(entry: Entry, data: Path, seconds: float, changes: dict[str, Any], out: Path) -> bool:
    """Train an entry for at most so many seconds; tell whether it is done."""
    dataset = without_test(entry.load(data))
    settings = TrainSettings(
        **{**entry.settings, **changes, "split": "source", "max_seconds": seconds},
        model_settings=entry.model,
    )
    predictor = train(
        dataset,
        model="lens",
        target=[t.name for t in dataset.targets],
        out=out,
        settings=settings,
        resume=(out / "training").exists() or (out / "settings.json").exists(),
    )
    error = {k: v["mae"] for k, v in predictor.metrics["validation"]["targets"].items()}
    print(f"{entry.name}: {predictor.record.ended}; validation {error}", flush=True)
    return not (out / "training").exists()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=RUNS)
    parser.add_argument("--only", nargs="+", choices=[e.name for e in QUEUE])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    changes = {"n_threads": options.threads, "accelerator": options.device}
    for entry in QUEUE:
        if options.only and entry.name not in options.only:
            continue
        left = end - time.monotonic()
        if left < 1:
            break
        try:
            run(entry, options.data, left, changes, options.out / entry.name)
        except AtomlensError as problem:
            print(f"{entry.name}: {problem}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
