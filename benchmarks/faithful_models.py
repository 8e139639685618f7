"""Do explanations hold for models trained alike? Trains each one and runs `faithful` on it.

    python benchmarks/faithful_models.py [--data qm9 --target homo] [--seconds 60] [--n 30]
        [--models scann-plus cgcnn ...] [--out F.json]
    python benchmarks/faithful_models.py --table F.json

By default HOMO energies of QM9: 3,000 training molecules, 4 layers of 64 where a model has layers
and widths of its own choice, Adam, batches of 32, a cosine, EMA 0.99, one thread. Every model has
as many epochs as fit into the same CPU seconds by the pace of its first steps (the clock on the
wall would favour who trains while the machine is idle). Then every basic method of the model is
held against chance and against its tables on molecules of the test part. A model and its measuring
take less than three minutes of one core. Models whose rows are in F.json already are not trained
again; --table prints what is there for docs/faithful.md.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atomlens.datasets import Dataset, load_dataset
from atomlens.files import to_json, write_text
from atomlens.predictor import Predictor
from atomlens.studies.base import StudyInput
from atomlens.studies.faithful.study import Faithful, FaithfulSettings, as_json
from atomlens.training import TrainSettings, train
from atomlens.training.progress import TrainingProgress, TrainingState

SIZES = {"n_layers": 4, "n_features": 64}
MODELS: dict[str, dict[str, Any]] = {
    "lens": SIZES,
    "scann-plus": SIZES,
    "ae-cgcnn-pool": SIZES,
    "finder": {},
    "cgcnn": SIZES,
}
EPOCHS, WARM_UP, STEPS = 30, 5, 60
SETTINGS = TrainSettings(
    epochs=EPOCHS,
    batch_size=32,
    learning_rate=1e-3,
    ema_decay=0.99,
    n_threads=1,
    n_workers=1,
    split="random:.7/.1/.2",
)
N_SAMPLES = 4300
MEANINGS = {"mask": "element hidden", "graph": "taken from the graph", "rebuilt": "read again"}


class PacedError(Exception):
    """Raised when the pace of a training is known: CPU seconds of an epoch."""


class Pace(TrainingProgress):
    """Listens to the first steps of a training."""

    def __init__(self) -> None:
        self.start: tuple[int, float] | None = None

    def step(self, state: TrainingState) -> None:
        """Raise after WARM_UP + STEPS steps."""
        if state.n_done >= WARM_UP and self.start is None:
            self.start = state.n_done, time.process_time()
        elif self.start is not None and state.n_done >= self.start[0] + STEPS:
            a_step = (time.process_time() - self.start[1]) / (state.n_done - self.start[0])
            raise PacedError(a_step * state.n_total / EPOCHS)


def epochs_in(name: str, data: Dataset, settings: TrainSettings, seconds: float) -> int:
    """Return how many epochs fit into so many CPU seconds, by the pace of the first steps."""
    try:
        train(data, model=name, settings=settings.changed({"epochs": EPOCHS}), progress=Pace())
    except PacedError as pace:
        return max(2, round(seconds / float(pace.args[0])))
    raise SystemExit(f"{name}: the training ended before its pace was known.")


def trained(name: str, data: Dataset, seconds: float) -> Predictor:
    """Train one model for about so many CPU seconds."""
    settings = SETTINGS.changed({"model_settings": MODELS[name]})
    epochs = epochs_in(name, data, settings, seconds)
    return train(data, model=name, settings=settings.changed({"epochs": epochs}))


def unseen(model: Predictor, data: Dataset, n: int) -> Dataset:
    """Return structures of the test part."""
    chosen = set(model.record.split["test"][:n])
    return data.subset(np.flatnonzero([name in chosen for name in data.structures.names]))


def measured(name: str, data: Dataset, options: argparse.Namespace) -> dict[str, Any]:
    """Train one model, and say what `faithful` finds."""
    start = time.process_time()
    model = trained(name, data, options.seconds)
    after = time.process_time()
    given = StudyInput(models=(model,), data=unseen(model, data, options.n))
    found = as_json(Faithful(FaithfulSettings(methods=options.methods)).run(given))
    own = next(iter(model.metrics["test"]["targets"].values()))
    return {
        "model": name,
        "mae": own["mae"],
        "unit": model.targets[0].unit,
        "n": found["n_structures"],
        "methods": found["methods"],
        "epochs": len(model.record.history),
        "notes": found["notes"],
        "seconds": {
            "training": round(after - start, 1),
            "faithful": round(time.process_time() - after, 1),
        },
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table in Markdown; see `cell`."""
    lines = ["| model (MAE) | method | " + " | ".join(MEANINGS.values()) + " | passes |"]
    lines.append("|" + "---|" * (len(MEANINGS) + 3))
    for row in rows:
        name = f"{row['model']} ({row['mae']:.3f} {row['unit']})"
        for method, own in row["methods"].items():
            cells = [cell(own["meanings"].get(meaning)) for meaning in MEANINGS]
            verdict = {"passes": "yes", "does not pass": "no"}.get(own["verdict"], "undecided")
            lines.append(f"| {name} | {method} | {' | '.join(cells)} | {verdict} |")
            name = ""
    return "\n".join(lines)


def cell(found: dict[str, Any] | None) -> str:
    """Return one measurement: over chance, best table and how far above it, untrained networks."""
    if found is None or found["deletion"] is None:
        return ""
    own = f"{found['deletion']:.2f}, {found['deletion_low']:.2f} to {found['deletion_high']:.2f}"
    above = f"{found['above_table']:+.2f}, {found['above_table_low']:+.2f} to "
    above += f"{found['above_table_high']:+.2f}"
    best = found[f"table {found['best_table']}"]
    if found.get("untrained") is not None:
        low, high = found["above_untrained_low"], found["above_untrained_high"]
        side = " <" if high < 0 else " >" if low > 0 else ""
        above += f"; {found['untrained']:.2f}{side}"
    return f"{own} ({best:.2f}: {above})".replace("-", "−")


def main() -> None:
    """Train, measure and write what was not measured before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="qm9")
    parser.add_argument("--target", default="homo")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--n", type=int, default=30, help="structures that are explained")
    parser.add_argument("--methods", default="", help="of explain, with commas between")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--out", type=Path, default=Path("faithful-models.json"))
    parser.add_argument("--table", type=Path, metavar="F.json")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(options.table.read_text())))
        return
    torch.set_num_threads(1)
    rows = json.loads(options.out.read_text()) if options.out.exists() else []
    data = load_dataset(options.data, target=options.target, limit=N_SAMPLES, seed=0)
    for name in options.models:
        if name in {row["model"] for row in rows}:
            continue
        rows.append(measured(name, data, options))
        write_text(to_json(rows) + "\n", options.out)
        print(
            name, rows[-1]["seconds"], f"MAE {rows[-1]['mae']:.4f} {rows[-1]['unit']}", flush=True
        )
    print(table(rows))


if __name__ == "__main__":
    main()
