"""``atomlens demo``: the whole story on real molecules, in a few minutes."""

import argparse
import shlex
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atomlens.cli.common import add_common_arguments, add_out_folder
from atomlens.cli.outputs import emit, usable_folder
from atomlens.cli.progress import ProgressLine, clock
from atomlens.files import to_json

if TYPE_CHECKING:
    from ase import Atoms

    from atomlens.datasets.base import Dataset
    from atomlens.explain import Explanation
    from atomlens.predictor import Predictor
    from atomlens.training import TrainSettings

SUMMARY = "the whole story on real molecules in a few minutes"
DESCRIPTION = """\
Ask the model `qm9` of the box first, which needs no training. Then train a small one on 3,000
molecules of QM9 (energy of the highest occupied orbital), test it on 500 others beside two
baselines, and explain thymine, 2,3-dimethylbutadiene and C60."""
EXAMPLES = """\
examples:
  atomlens demo
  atomlens demo --out somewhere/else

Writes index.html, metrics.json, a page for each molecule and the model folder `model`.
"""
TARGET = "homo"
BOXED = "qm9"
"""Model of the box that gives the first answer."""
SMILES = {"thymine": "Cc1c[nH]c(=O)[nH]c1=O", "2,3-dimethylbutadiene": "CC(=C)C(C)=C"}
BASELINES = ("mean", "ridge")
NOTES = (
    "3,000 molecules and a few minutes make a small model; the published ones see 110,000.",
    "C60 is unlike anything in QM9. It is here as a test of symmetry: all its atoms are equal, and "
    "so must be their shares.",
    "The geometries of thymine and 2,3-dimethylbutadiene come from a force field, those of QM9 "
    "from density functional theory.",
)
COMMANDS = (
    ("Ask the model of the box, trained on 110,000 molecules", f"atomlens predict {BOXED} CCO"),
    ("Ask this model about ethanol", "atomlens predict {model} CCO"),
    (
        "See which atoms of your own structures it looks at",
        "atomlens explain {model} FILES --out pages",
    ),
    ("Train on your own table", "atomlens train table.csv --target COLUMN --out runs/mine"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """How large the demo is; the defaults take less than five minutes on two cores."""

    n_train: int = 3000
    n_validation: int = 300
    n_test: int = 500
    epochs: int = 30
    seed: int = 0
    seconds: float = 170.0
    """What the training may take; a slow machine does fewer epochs."""
    n_layers: int = 4
    n_features: int = 64


READS = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    add_out_folder(parser, required=False, help_text="folder to write (default: demo)")
    parser.set_defaults(out=Path("demo"))
    add_common_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the demo and tell its story."""
    folder = usable_folder(options.out)
    from atomlens.cli.demo_training import one_thread

    with one_thread():
        emit(first_answer())
        metrics, explanations = run_demo(folder, quiet=options.quiet)
    emit(story(metrics, explanations, folder))
    return 0


def first_answer() -> str:
    """Return what the model `qm9` of the box says of the demo's molecules, and how to ask it."""
    from atomlens.predictor import load
    from atomlens.predictor.inputs import gather
    from atomlens.predictor.tables import MARK
    from atomlens.predictor.trust.doubts import DoubtsHeard
    from atomlens.reports.tables import format_table

    start = time.monotonic()
    model = load(f"box:{BOXED}")
    prediction = model.predict(gather(molecules()))  # what is odd stands below
    seconds = time.monotonic() - start
    doubts = DoubtsHeard(most=len(prediction))
    doubts.hear(prediction)
    return "\n".join(
        [
            f"The model `{BOXED}` of the box, trained on 110,000 molecules, answers without "
            f"a training ({seconds:.1f} s):\n",
            format_table(prediction.to_summary()),
            *(f"{MARK} {sentence}" for sentence in doubts.first),
            "`unlike`: percent of its validation molecules that are nearer to what it was trained "
            f"on; C60 is far from everything.\nAsk it yourself:  atomlens predict {BOXED} CCO\n\n"
            "Now a small model of your own, trained before your eyes.\n",
        ]
    )


def run_demo(
    folder: Path, settings: DemoSettings | None = None, *, quiet: bool = True
) -> "tuple[dict[str, Any], list[Explanation]]":
    """Train, compare, explain, write everything; return the metrics and the explanations."""
    from atomlens.datasets import load_dataset
    from atomlens.files import write_text
    from atomlens.predictor.explanation_files import write_explanations
    from atomlens.training import train

    settings = settings or DemoSettings()
    start = time.monotonic()
    n_samples = settings.n_train + settings.n_validation + settings.n_test
    data = load_dataset("qm9", target=TARGET, limit=n_samples, seed=settings.seed)
    model = train_scann(data, folder / "model", settings, quiet=quiet)
    maes = {"mae": mae_on_test(model)}
    for name in BASELINES:
        with warnings.catch_warnings():  # of a baseline only its error is told
            warnings.simplefilter("ignore", UserWarning)
            baseline = train(data, model=name, settings=shared_settings(settings))
        maes[f"mae_{name}"] = mae_on_test(baseline)
    explanations = [model.explain(atoms) for atoms in molecules()]
    with ProgressLine("writing", quiet=quiet) as progress:
        write_explanations(explanations, folder, progress)
    metrics = {
        **maes,
        "unit": model.targets[0].unit,
        "n_train": settings.n_train,
        "n_test": settings.n_test,
        "seconds": round(time.monotonic() - start, 1),
    }
    write_demo_page(metrics, explanations, folder)
    write_text(to_json(metrics) + "\n", folder / "metrics.json")
    return metrics, explanations


def train_scann(data: "Dataset", out: Path, settings: DemoSettings, *, quiet: bool) -> "Predictor":
    """Train SCANN+ into a folder, in the time that there is."""
    from atomlens.cli.demo_training import PacedLine, train_in_time
    from atomlens.predictor.folder import TRAINING
    from atomlens.training import train
    from atomlens.training.run_folder import close_run

    def run(chosen: "TrainSettings", seconds: float) -> "Predictor":
        _remove_earlier(out)
        with PacedLine(seconds, quiet=quiet, unit=data.targets[0].unit) as line:
            return train(data, model="scann-plus", out=out, settings=chosen, progress=line)

    sizes = {"n_layers": settings.n_layers, "n_features": settings.n_features}
    chosen = replace(
        shared_settings(settings),
        epochs=settings.epochs,
        batch_size=32,
        learning_rate=1e-3,
        ema_decay=0.99,
        n_threads=1,  # see `one_thread`
        model_settings=sizes,
    )
    model = train_in_time(chosen, settings.seconds, run)
    close_run(out / TRAINING)  # where time ran out, too: a demo is not resumed
    return model


def shared_settings(settings: DemoSettings) -> "TrainSettings":
    """Return what all models have in common: the same molecules in the same parts."""
    from atomlens.training import TrainSettings

    return TrainSettings(
        seed=settings.seed,
        split=f"random:{settings.n_train}/{settings.n_validation}/{settings.n_test}",
    )


def mae_on_test(model: "Predictor") -> float:
    """Return the mean absolute error on the molecules that no training has seen."""
    return float(model.metrics["test"]["targets"][TARGET]["mae"])


def _remove_earlier(folder: Path) -> None:
    """Make room for the model; only what an earlier demo wrote is removed."""
    if (folder / "settings.json").is_file() or (folder / "training").is_dir():
        from atomlens.files import discard_folder

        discard_folder(folder)


def molecules() -> "list[Atoms]":
    """Return thymine and 2,3-dimethylbutadiene, as rdkit folds them, and C60."""
    from atomlens.structures import to_atoms

    named = {name: to_atoms(f"smiles:{smiles}") for name, smiles in SMILES.items()}
    named["C60"] = buckminsterfullerene()
    for name, atoms in named.items():
        atoms.info["name"] = name
    return list(named.values())


def buckminsterfullerene() -> "Atoms":
    """Return C60 of exact symmetry: an icosahedron whose corners are cut off.

    Bonds between two hexagons are 1.401 Å, those around a pentagon 1.458 Å long (gas electron
    diffraction, Hedberg et al., Science 254, 410, 1991).
    """
    import numpy as np
    from ase import Atoms

    double, single = 1.401, 1.458
    golden, edge = (1 + 5**0.5) / 2, double + 2 * single
    signs = [(a, b * golden) for a in (-1, 1) for b in (-1, 1)]
    corners = np.array([np.roll((0.0, a, b), turn) for turn in range(3) for a, b in signs])
    corners *= edge / 2
    apart = np.linalg.norm(corners[:, None] - corners, axis=-1)
    here, there = np.nonzero(np.isclose(apart, edge))
    positions = corners[here] + (corners[there] - corners[here]) * (single / edge)
    return Atoms("C60", positions=positions)


def write_demo_page(
    metrics: "dict[str, Any]", explanations: "list[Explanation]", folder: Path
) -> None:
    """Write index.html: errors, figures, the three molecules, what to do next."""
    from atomlens.reports.demo_page import write_index

    figures = {
        "500 molecules that the model never saw: predicted against true": "parity.png",
        "Learning: error on the validation molecules, epoch by epoch": "learning_curve.png",
    }
    paths = {caption: folder / "model" / name for caption, name in figures.items()}
    write_index(
        folder / "index.html",
        title="atomlens demo: the highest occupied orbital of small molecules",
        metrics={**metrics, "model": "SCANN+", "target": "the HOMO energy"},
        explained=[e.picture() for e in explanations],
        figures={caption: path for caption, path in paths.items() if path.is_file()},
        notes=NOTES,
        commands=[
            (what, command.format(model=shlex.quote(str(folder / "model"))))
            for what, command in COMMANDS
        ],
    )


def story(metrics: "dict[str, Any]", explanations: "list[Explanation]", folder: Path) -> str:
    """Return what happened, for the terminal."""
    from atomlens.cli.explain import explanation_rows
    from atomlens.reports.tables import format_table

    unit = metrics["unit"]
    names = {"mae_mean": "mean of the training values", "mae_ridge": "ridge on element counts"}
    errors = [
        {"model": label, f"MAE ({unit})": f"{metrics[key]:.4f}"}
        for key, label in {**names, "mae": "SCANN+"}.items()
    ]
    return "\n".join(
        [
            f"Trained SCANN+ on {metrics['n_train']:,} molecules of QM9 to predict the energy of "
            f"the highest occupied orbital.\nErrors on {metrics['n_test']:,} other molecules:\n",
            format_table(errors),
            "Three molecules that the model has never seen, and the atoms it weighs most:\n",
            format_table(explanation_rows(explanations)),
            f"Everything took {clock(metrics['seconds'])} minutes. Open {folder / 'index.html'} "
            f"in a browser.\nNext, ask the model about your own molecules:\n"
            f"  atomlens predict {shlex.quote(str(folder / 'model'))} CCO\n"
            f"  atomlens explain {shlex.quote(str(folder / 'model'))} CCO --out pages",
        ]
    )
