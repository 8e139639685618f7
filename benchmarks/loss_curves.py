"""Draw how losses or errors fall over the epochs, several trainings in one figure.

    python benchmarks/loss_curves.py OUT.png "cgcnn=runs/u-cgcnn-?" "ae-cgcnn=runs/u-ae-cgcnn-?"
    python benchmarks/loss_curves.py OUT.png --columns validation_mae_e_form --limit 0.15 \
        --against seconds "finder=runs/se-finder-2000-?" "roost=runs/se-roost-2000-?"

Figs 1 and 2 of AE-CGCNN (training and validation loss), Fig 5a of Finder (validation error). Each
group is LABEL=FOLDERS of trainings that differ in seed or split alone: the line is their mean, the
band their smallest and largest. ``--limit`` prints after how many epochs each mean is below it for
the first time. ``--against seconds`` puts the seconds of the training on the axis.
"""

import argparse
import csv
import glob
from itertools import cycle
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot

COLOURS = ("#59616b", "#b8860b", "#2f6fb5", "#3f8f5f", "#8e5bb5", "#c8352f")


def history(folder: Path, column: str) -> np.ndarray:
    """(n_epochs,) one column of the first member; the last row of an epoch counts."""
    rows = list(csv.DictReader((folder / "history.csv").open()))
    if column not in rows[0]:
        raise SystemExit(f"{folder}: there is no column {column}; it has {', '.join(rows[0])}.")
    return np.array([float(row[column]) for row in rows if row.get("member", "0") in ("0", "")])


def group_of(given: str) -> tuple[str, list[Path]]:
    """The label and the finished trainings of LABEL=FOLDERS."""
    label, _, pattern = given.partition("=")
    folders = sorted(Path(f) for f in glob.glob(pattern) if (Path(f) / "history.csv").is_file())
    if not folders:
        raise SystemExit(f"{pattern}: there is no training with a history; check the pattern.")
    return label, folders


def main() -> None:
    """Draw and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("group", nargs="+", metavar="LABEL=FOLDERS")
    parser.add_argument("--columns", nargs="+", default=["train_loss", "validation_loss"])
    parser.add_argument("--limit", type=float)
    parser.add_argument("--against", choices=("epochs", "seconds"), default="epochs")
    args = parser.parse_args()
    groups = [group_of(given) for given in args.group]
    width = 4.4 * len(args.columns) + 0.6
    figure, panels = pyplot.subplots(1, len(args.columns), figsize=(width, 3.5), squeeze=False)
    for axes, column in zip(panels[0], args.columns, strict=True):
        for colour, (label, folders) in zip(cycle(COLOURS), groups, strict=False):
            runs = [history(folder, column) for folder in folders]
            n_epochs = min(map(len, runs))
            lines = np.array([run[:n_epochs] for run in runs])
            mean, x = lines.mean(axis=0), np.arange(1, n_epochs + 1, dtype=float)
            if args.against == "seconds":
                x = np.mean([history(f, "seconds")[:n_epochs] for f in folders], axis=0)
            axes.plot(x, mean, color=colour, label=label, linewidth=1.4)
            if len(runs) > 1:
                low, high = lines.min(axis=0), lines.max(axis=0)
                axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
            said = f"{column}, {label}, {len(runs)} trainings: last {mean[-1]:.4g}"
            said += f", lowest {mean.min():.4g} after {int(mean.argmin()) + 1} epochs"
            if args.limit is not None:
                below = np.flatnonzero(mean <= args.limit)
                reached = f"after {below[0] + 1} epochs" if len(below) else "never"
                said += f"; {args.limit:g} or less {reached}"
            print(said)
        axes.set_yscale("log")
        axes.set_xlabel("epochs" if args.against == "epochs" else "seconds of training")
        axes.set_title(column.replace("_", " "), loc="left", fontsize=11, fontweight="bold")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color="#e8ebee", which="both", linewidth=0.5)
    panels[0, 0].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(args.out, dpi=110)
    print(args.out)


if __name__ == "__main__":
    main()
