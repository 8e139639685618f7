"""Train the models of the box, one after another, for as long as you like.

    python recipes/box.py --minutes 60 --data DATA [NAME ...] [--threads N] [--device cpu]
    python recipes/box.py --on --minutes 300 --data DATA NAME [NAME ...]
    python recipes/box.py --beside --minutes 90 --data DATA NAME [NAME ...]
    python recipes/box.py --again --data DATA NAME [NAME ...]

Works through QUEUE in the order of use. Each entry is trained in ``runs/box/NAME`` and goes on
where the last call stopped, on a CPU bit for bit. What is done is finished (noise, calibration,
likeness, card: `recipes/box_finish.py`) and takes the place of the shipped model if it is better
on the validation part; only then is the test part looked at, once. What was done before is not
done again.

DATA is a folder with ``NAME.npz`` for every entry, as ``recipes/pack_box.py`` packs them. In the
place of packed formulas there may be ``matbench_*.csv.gz`` (columns ``composition``, the target,
``test_fold``: the tasks of Matbench v0.1 without their structures). Entries whose data are missing
are passed over and named.

``--on`` trains on what lies in the box, each network from its own weights, in
``runs/box/NAME-on`` with the settings ON: some epochs of small batches by Muon, for networks that a
GPU trained with large ones.

``--beside`` trains the smaller networks that an entry has for a core, in ``runs/box/NAME-beside``
(seconds an epoch: see docs/accuracy.md), and puts them beside those in the box if all together are
better; ``--set seed=N`` gives another one.

``--again`` trains nothing: it calibrates the intervals of what lies in the box as the code of today
does it.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from box_finish import add_trained, again, with_test

from atomlens.datasets import Dataset
from atomlens.datasets.matbench import load_matbench
from atomlens.datasets.packed import load_packed
from atomlens.datasets.sampling import keep_rows
from atomlens.datasets.splits import reduced_formulas
from atomlens.errors import AtomlensError
from atomlens.predictor import Predictor
from atomlens.predictor.folder.box import BOX, boxed_names
from atomlens.predictor.folder.saving import save
from atomlens.settings import typed_values
from atomlens.training import TrainSettings, train

RUNS = Path("runs/box")
DONE = "done"
"""An empty file in the folder of an entry: it was finished and compared."""


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
    pretraining: "Entry | None" = None
    """From whose networks this training starts, member by member; in ``NAME-pretraining``, and not
    shipped. It learns nothing of the formulas by which this training is judged (`apart_from`)."""
    beside: "Entry | None" = None
    """Smaller networks that a core can train, which join those in the box; in ``NAME-beside``."""


def matbench(*tasks: str) -> Callable[[Path], Dataset]:
    """Return a loader of one or several tasks of the same compositions, in official folds."""
    return lambda folder: load_matbench(folder, tasks)


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
_LARGE: dict[str, Any] = {"learning_rate": 1.2e-3, "warmup_epochs": 4.0, "matmul_precision": "high"}
"""For a GPU; one epoch takes a second or two there and a quarter of an hour on a core."""
_FORMULA: dict[str, Any] = {
    "element_vectors": "cgcnn92",
    "n_layers": 3,
    "n_features": 128,
    "n_amounts": 0,
}

QUEUE = (
    Entry(
        name="formula-formation-energy",
        load=matbench("mp_e_form"),
        settings={
            **_COMMON,
            "optimizer": "muon",
            "loss": "robust-l1",
            "ensemble": 4,
            "epochs": 30,
            "patience": 2,
            "batch_size": 128,
            "learning_rate": 1e-3,
            "warmup_epochs": 0.5,
            "reference": "elements",
        },
        model={**_FORMULA, "n_amounts": 8, "n_charges": 17},
    ),
    Entry(
        name="formula-gap",
        load=matbench("mp_gap"),
        settings={
            **_COMMON,
            "optimizer": "muon",
            "loss": "mae",
            "ensemble": 3,
            "epochs": 30,
            "patience": 2,
            "batch_size": 128,
            "learning_rate": 1e-3,
            "warmup_epochs": 0.5,
        },
        model={**_FORMULA, "n_amounts": 8, "n_charges": 17},
        pretraining=Entry(
            name="formula-formation-energy",
            load=matbench("mp_e_form"),
            settings={
                **_COMMON,
                "optimizer": "muon",
                "loss": "robust-l1",
                "ensemble": 3,
                "epochs": 16,
                "patience": 2,
                "batch_size": 128,
                "learning_rate": 1e-3,
                "warmup_epochs": 0.5,
                "reference": "elements",
            },
            model={**_FORMULA, "n_amounts": 8, "n_charges": 17},
        ),
    ),
    Entry(
        name="formula-moduli",
        load=matbench("log_kvrh", "log_gvrh"),
        settings={
            **_COMMON,
            "loss": "robust-l1",
            "ensemble": 3,
            "epochs": 60,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "warmup_epochs": 1.0,
        },
        model={"dropout": 0.1, "n_charges": 17},
        pretraining=Entry(
            name="formula-formation-energy",
            load=matbench("mp_e_form"),
            settings={
                **_COMMON,
                "loss": "robust-l1",
                "ensemble": 3,
                "epochs": 10,
                "batch_size": 256,
                "learning_rate": 1.2e-3,
                "warmup_epochs": 1.0,
                "reference": "elements",
            },
            model={**_FORMULA, "n_features": 64, "n_charges": 17, "dropout": 0.05},
        ),
    ),
    Entry(
        name="formula-phonons",
        load=matbench("phonons"),
        settings={
            **_COMMON,
            "ensemble": 5,
            "epochs": 150,
            "batch_size": 32,
            "learning_rate": 1e-3,
            "warmup_epochs": 5.0,
        },
        model={**_FORMULA, "n_features": 64, "n_charges": 17, "dropout": 0.1},
    ),
    Entry(
        name="formula-refractive-index",
        load=matbench("dielectric"),
        settings={
            **_COMMON,
            "ensemble": 3,
            "epochs": 60,
            "batch_size": 32,
            "learning_rate": 1e-3,
            "warmup_epochs": 2.0,
        },
        model={**_FORMULA, "n_features": 64, "n_charges": 17, "dropout": 0.1},
    ),
    Entry(
        name="qm9",
        load=packed("qm9.npz"),
        settings={
            **_COMMON,
            **_LARGE,
            "epochs": 200,
            "ensemble": 3,
            "batch_size": 1024,
            "reference": "elements:alpha,cv",
        },
        model={"n_layers": 7, "n_features": 128, "n_embedding": 64, "consistency_every": 2},
    ),
    Entry(
        name="mp",
        load=packed("mp.npz"),
        settings={
            **_COMMON,
            **_LARGE,
            "epochs": 138,
            "batch_size": 512,
            "ensemble": 3,
            "reference": "elements:formation_energy",
            "target_weights": "formation_energy:3",
        },
        model={"n_layers": 7, "n_features": 128, "n_embedding": 64, "consistency_every": 4},
        beside=Entry(
            name="mp",
            load=packed("mp.npz"),
            settings={
                **_COMMON,
                "optimizer": "muon",
                "learning_rate": 1e-3,
                "warmup_epochs": 0.3,
                "epochs": 13,
                "batch_size": 64,
                "reference": "elements:formation_energy",
                "target_weights": "formation_energy:3",
                "seed": 20,
            },
            model={
                "n_layers": 4,
                "n_features": 96,
                "n_embedding": 64,
                "consistency_every": 4,
            },
        ),
    ),
)


ON: dict[str, Any] = {
    "optimizer": "muon",
    "learning_rate": 4e-4,
    "min_learning_rate": 1e-6,
    "warmup_epochs": 0.3,
    "epochs": 3,
    "batch_size": 64,
}
"""How a network of the box is trained on; all else as its entry has it."""


def without_test(dataset: Dataset) -> Dataset:
    """Return training and validation part alone."""
    kept = np.sort(np.concatenate([dataset.splits["train"], dataset.splits["validation"]]))
    return replace(keep_rows(dataset, kept), failures=())


def apart_from(judges: Dataset, given: Dataset) -> Dataset:
    """Return what may be learned before a training, of a reduced formula that judges it nothing.

    Args:
        judges: What is learned afterwards; its validation and test part judge it.
        given: What is learned first.
    """
    judging = np.concatenate([judges.splits["validation"], judges.splits["test"]])
    formulas = np.unique(reduced_formulas(judges.structures.subset(judging)))
    apart = ~np.isin(reduced_formulas(given.structures), formulas)
    return keep_rows(given, np.flatnonzero(apart))


def data_of(entry: Entry, folder: Path) -> Dataset:
    """Return what an entry learns from: its packed file, or what it is packed from."""
    packed_file = folder / f"{entry.name}.npz"
    return load_packed(packed_file) if packed_file.is_file() else entry.load(folder)


def train_entry(
    entry: Entry,
    dataset: Dataset,
    seconds: float,
    out: Path,
    start_from: Path | None = None,
    **more: Any,
) -> bool:
    """Train an entry for at most so many seconds; tell whether it is done."""
    settings = TrainSettings(
        **{**entry.settings, **more, "split": "source", "max_seconds": seconds},
        fresh_output=None if start_from is None else False,  # what is pretrained is taken whole
        model_settings=entry.model,
    )
    predictor = train(
        without_test(dataset),
        model="lens",
        target=[t.name for t in dataset.targets],
        out=out,
        settings=settings,
        start_from=start_from,
        resume=(out / "training").exists() or (out / "settings.json").exists(),
    )
    say(f"{entry.name}: {predictor.record.ended}; validation {errors_of(predictor)}")
    return not (out / "training").exists()


def errors_of(predictor: Predictor) -> dict[str, float]:
    """Return the mean absolute errors on the validation part by target."""
    targets = predictor.metrics["validation"]["targets"]
    return {name: round(figures["mae"], 5) for name, figures in targets.items()}


def is_better(new: Predictor, old: Predictor) -> bool:
    """Tell whether the errors on the validation part are smaller, as a mean of their ratios.

    The geometric mean over the targets of new over old MAE: a percent of one target counts as
    much as a percent of another, however large its errors are beside its spread.
    """

    def score(predictor: Predictor) -> float:
        targets = predictor.metrics["validation"]["targets"].values()
        return float(np.mean(np.log([figures["mae"] for figures in targets])))

    return score(new) < score(old)


def finish_entry(
    entry: Entry, dataset: Dataset, out: Path, box: Path, *, joins: bool = False
) -> None:
    """Finish a trained entry and exchange the shipped model for it if it is better.

    With ``joins`` its networks stand beside those of the shipped model.
    """
    candidate, shipped = out / "finished", box / entry.name
    add_trained(entry.name, out, dataset, joins=shipped if joins else None, place=candidate)
    if entry.name in boxed_names() and not is_better(
        Predictor.load(candidate), Predictor.load(shipped)
    ):
        say(f"{entry.name}: the shipped model is better on the validation part and stays")
    else:
        shutil.rmtree(shipped, ignore_errors=True)
        save(with_test(Predictor.load(candidate), dataset), shipped, half=True)
        say(f"{entry.name}: now in the box; validation {errors_of(Predictor.load(shipped))}")
    (out / DONE).touch()


def trained_on(entry: Entry) -> Entry:
    """Return how the networks of the box are trained on, of which the model is what it is."""
    settings = {**entry.settings, **ON}
    return replace(entry, settings=settings, model={}, pretraining=None, beside=None)


def is_done(out: Path, train_only: bool) -> bool:
    """Tell whether there is nothing left to do for an entry."""
    return (out / DONE).exists() or (train_only and is_trained(out))


def is_trained(out: Path) -> bool:
    """Tell whether the training of an entry is over, with whatever settings."""
    return (out / "settings.json").exists() and not (out / "training").exists()


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all, in order of use")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=RUNS)
    parser.add_argument("--box", type=Path, default=BOX, help="where finished models go")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument("--train-only", action="store_true", help="leave the finishing for later")
    parser.add_argument("--on", action="store_true", help="train on what lies in the box")
    parser.add_argument("--beside", action="store_true", help="small networks beside those there")
    parser.add_argument("--again", action="store_true", help="calibrate what lies in the box anew")
    parser.add_argument("--subset", type=int, help="a rehearsal: so many training samples")
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="FIELD=VALUE",
        help="a setting of the training that differs from the queue's",
    )  # fmt: skip
    options = parser.parse_args()
    changes = dict(one.partition("=")[::2] for one in options.changes)
    changed = typed_values(TrainSettings, changes, "--set")
    unknown = set(options.names) - {e.name for e in QUEUE}
    if unknown:
        known = ", ".join(e.name for e in QUEUE)
        parser.error(f"no entry is called {', '.join(sorted(unknown))}; there are {known}")
    chosen = [entry for entry in QUEUE if not options.names or entry.name in options.names]
    mode = [name for name in ("on", "beside", "again") if getattr(options, name)]
    if mode and (len(mode) > 1 or not options.names):
        parser.error("--on, --beside and --again stand alone, each with a NAME")
    if options.again:
        for entry in chosen:
            say(f"calibrated: {again(options.box / entry.name, data_of(entry, options.data))}")
        return
    end = time.monotonic() + 60 * options.minutes
    places = {e.name: options.out / "-".join([e.name, *mode]) for e in chosen}
    if options.on:
        chosen = [trained_on(entry) for entry in chosen]
    if options.beside:
        chosen = [entry.beside for entry in chosen if entry.beside is not None]
    for entry in chosen:
        out, left = places[entry.name], end - time.monotonic()
        if is_done(out, options.train_only):
            continue
        if left < 1:
            break
        try:
            dataset = data_of(entry, options.data)
            start = options.box / entry.name if options.on else None
            settings = {"n_threads": options.threads, "accelerator": options.device, **changed}
            if options.subset is not None:
                settings["subset"] = min(options.subset, len(dataset.splits["train"]))
            trained = is_trained(out)
            if entry.pretraining is not None and not trained:
                start, first = out.with_name(f"{entry.name}-pretraining"), entry.pretraining
                if not is_trained(start):
                    given = apart_from(dataset, data_of(first, options.data))
                    if not train_entry(first, given, left, start, **settings):
                        break
                left = end - time.monotonic()
            trained = trained or train_entry(entry, dataset, left, out, start, **settings)
            if trained and not options.train_only:
                finish_entry(entry, dataset, out, options.box, joins=options.beside)
        except AtomlensError as problem:
            print(f"{entry.name}: passed over: {problem}", file=sys.stderr, flush=True)
    undone = [e.name for e in chosen if not is_done(places[e.name], options.train_only)]
    say(f"to be done: {', '.join(undone)}" if undone else "all done")


if __name__ == "__main__":
    main()
