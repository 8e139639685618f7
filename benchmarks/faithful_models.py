"""Do explanations hold for models trained alike? Trains each one and runs `faithful` on it.

    python benchmarks/faithful_models.py [--data qm9 --target homo] [--seconds 100] [--n 80]
        [--models scann-plus cgcnn ...] [--out F.json]
    python benchmarks/faithful_models.py --table F.json

By default HOMO energies of QM9: 3,000 training molecules, 4 layers of 64 where a model has layers
and widths of its own choice, Adam, batches of 32, a cosine over the CPU's seconds, EMA 0.99, one
thread; every model has the same seconds of training. Then every basic method of the model is
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

SIZES = {"n_layers": 4, "n_features": 64}
MODELS: dict[str, dict[str, Any]] = {
    "lens": SIZES,
    "scann-plus": SIZES,
    "ae-cgcnn-pool": SIZES,
    "finder": {},
    "cgcnn": SIZES,
}
SETTINGS = TrainSettings(
    epochs=30,
    batch_size=32,
    learning_rate=1e-3,
    ema_decay=0.99,
    n_threads=1,
    n_workers=1,
    split="random:.7/.1/.2",
)
N_SAMPLES = 4300
MEANINGS = {"mask": "element hidden", "graph": "taken from the graph", "rebuilt": "read again"}


def trained(name: str, data: Dataset, seconds: float) -> Predictor:
    """Train one model for so many seconds."""
    return train(
        data,
        model=name,
        settings=SETTINGS.changed({"schedule_seconds": seconds, "model_settings": MODELS[name]}),
    )


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
        "notes": found["notes"],
        "seconds": {
            "training": round(after - start, 1),
            "faithful": round(time.process_time() - after, 1),
        },
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table in Markdown: method against chance, in brackets its best table."""
    lines = ["| model (MAE) | method | " + " | ".join(MEANINGS.values()) + " | passes |"]
    lines.append("|" + "---|" * (len(MEANINGS) + 3))
    for row in rows:
        name = f"{row['model']} ({row['mae']:.3f} {row['unit']})"
        for method, own in row["methods"].items():
            cells = [cell(own["meanings"].get(meaning)) for meaning in MEANINGS]
            verdict = "yes" if own["passes"] else "no"
            lines.append(f"| {name} | {method} | {' | '.join(cells)} | {verdict} |")
            name = ""
    return "\n".join(lines)


def cell(found: dict[str, Any] | None) -> str:
    """Return one measurement: over chance with its interval, best table, and how far above it."""
    if found is None or found["deletion"] is None:
        return ""
    own = f"{found['deletion']:.2f}, {found['deletion_low']:.2f} to {found['deletion_high']:.2f}"
    above = f"{found['above_table']:+.2f}, {found['above_table_low']:+.2f} to "
    above += f"{found['above_table_high']:+.2f}"
    best = found[f"table {found['best_table']}"]
    return f"{own} ({best:.2f}: {above})".replace("-", "−")


def main() -> None:
    """Train, measure and write what was not measured before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="qm9")
    parser.add_argument("--target", default="homo")
    parser.add_argument("--seconds", type=float, default=100)
    parser.add_argument("--n", type=int, default=80, help="structures that are explained")
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
