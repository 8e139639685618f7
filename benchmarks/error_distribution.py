"""Which share of the test errors is below a given size: Finder's Fig 5b, for any trained models.

    python benchmarks/error_distribution.py DATA OUT.png --limit 0.043 \
        --model formulas=runs/formula --model structures=runs/structure

Each model is asked for the part that it calls test. Printed is the share of the errors below the
limit, with its 95 % interval (samples are resampled), and the median.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np

import atomlens as al
from atomlens.datasets.base import Dataset
from atomlens.studies.statistics import bootstrap

matplotlib.use("Agg")
from matplotlib import pyplot

COLOURS = ("#c8352f", "#2f6fb5", "#59616b", "#b8860b")


def errors_of(folder: str, data: Dataset) -> tuple[np.ndarray, str]:
    """(n,) absolute errors of the test part of the first target, and its unit."""
    model = al.load(folder)
    target = model.targets[0]
    rows = np.flatnonzero(model.was_in(data.structures, "test"))
    if not len(rows):
        raise SystemExit(f"{folder}: none of its test part is in the data; give its own data.")
    column = [t.name for t in data.targets].index(target.name)
    predicted = model.predict(data.structures.subset(rows)).values[:, 0]
    errors = np.abs(predicted - data.values[rows, column])
    return np.sort(errors[np.isfinite(errors)]), target.unit


def main() -> None:
    """Print the shares and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", action="append", required=True, metavar="LABEL=FOLDER")
    parser.add_argument("--limit", type=float, required=True)
    args = parser.parse_args()
    data = al.load_dataset(args.data)
    figure, axes = pyplot.subplots(figsize=(5.0, 3.6))
    unit = ""
    for place, given in enumerate(args.model):
        label, _, folder = given.partition("=")
        errors, unit = errors_of(folder, data)
        share = bootstrap((errors <= args.limit).astype(float))
        print(
            f"{label}: {share.value:.1%} ({share.low:.1%} to {share.high:.1%}) of {len(errors)} "
            f"errors are at most {args.limit:g} {unit}; median {np.median(errors):.3g}"
        )
        shares = np.arange(1, len(errors) + 1) / len(errors)
        axes.step(errors, shares, where="post", color=COLOURS[place % 4], label=label)
    axes.axvline(args.limit, color="#9aa3ad", linewidth=1, linestyle="--")
    axes.set_xlabel(f"absolute error ({unit})" if unit else "absolute error")
    axes.set_ylabel("share of the test part")
    axes.set_ylim(0, 1)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(args.out, dpi=120)


if __name__ == "__main__":
    main()
