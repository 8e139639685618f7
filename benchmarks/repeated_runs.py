"""Tabulate trained models that differ in seed, split or fold alone: mean and spread.

    python benchmarks/repeated_runs.py "cgcnn=runs/uptake-cgcnn-?" "ae-cgcnn=runs/uptake-ae-cgcnn-?"

Each group is LABEL=FOLDERS; every finished model folder that fits counts once. Printed as Markdown,
one table a target: MAE, MSE and Spearman correlation on the test part, as mean ± standard deviation
over the runs, what always saying the mean of the training part would have (MAD), and the loss of
the last epoch on the training part, in scaled units.
"""

import argparse
import csv
import glob
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any


def finished(pattern: str) -> list[Path]:
    """Folders of finished trainings."""
    folders = sorted(Path(f) for f in glob.glob(pattern))
    done = [f for f in folders if (f / "metrics.json").is_file() and not (f / "training").exists()]
    if not done:
        raise SystemExit(f"{pattern}: there is no finished model; check the pattern.")
    return done


def last_loss(folder: Path) -> float | None:
    """The training loss of the last epoch, if it was trained by steps."""
    path = folder / "history.csv"
    rows = list(csv.DictReader(path.open())) if path.is_file() else []
    return float(rows[-1]["train_loss"]) if rows else None


def spread(numbers: Sequence[float | None]) -> str:
    """Mean ± standard deviation to three digits; empty if there is nothing."""
    known = [n for n in numbers if n is not None]
    if not known:
        return ""
    return f"{mean(known):.3g}" + (f" ± {stdev(known):.2g}" if len(known) > 1 else "")


def row(label: str, target: str, runs: Sequence[tuple[Path, dict[str, Any]]]) -> list[str]:
    """One line of the table."""
    figures = [metrics["test"]["targets"][target] for _, metrics in runs]
    return [
        label,
        str(len(runs)),
        spread([f["mae"] for f in figures]),
        spread([f["rmse"] ** 2 for f in figures]),
        spread([f["spearman"] for f in figures]),
        spread([f["mad"] for f in figures]),
        spread([last_loss(folder) for folder, _ in runs]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("group", nargs="+", metavar="LABEL=FOLDERS")
    tables: dict[str, list[list[str]]] = {}
    for group in parser.parse_args().group:
        label, _, pattern = group.partition("=")
        runs = [(f, json.loads((f / "metrics.json").read_text())) for f in finished(pattern)]
        targets = runs[0][1]["test"]["targets"]
        for target, figures in targets.items():
            heading = f"{target} / {figures['unit']}" if figures["unit"] else target
            tables.setdefault(heading, []).append(row(label, target, runs))
    for heading, rows in tables.items():
        print(f"\n| {heading} | runs | MAE | MSE | Spearman | MAD | last training loss |")
        print("|---" * 7 + "|")
        for cells in rows:
            print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
