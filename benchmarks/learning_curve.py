"""Draw learning curves from the folders of trained models.

    python benchmarks/learning_curve.py OUT.png --title HOMO \
        --curve "from scratch=runs/homo-scratch-*" --curve "tuned from QM9=runs/homo-tuned-*"

Each folder gives a point: training samples and MAE of the test part, as in its metrics.json. The
line of the mean predictor is the MAE that always saying the mean of the training part would have.
``--fit`` adds the power law MAE = c n^m of each curve, fitted as log MAE = log c + m log n over all
points, and prints m with its 95 % interval (Student's t) and c.
Several figures side by side: repeat ``--title`` and give each its ``--curve`` options after it.
"""

import argparse
import glob
import json
from collections.abc import Iterable
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

COLOURS = ("#59616b", "#c8352f", "#2f6fb5", "#b8860b")


def points(pattern: str) -> tuple[list[tuple[int, float]], float, str]:
    """Training samples and test MAE of every finished model, the mean's MAE, and the unit."""
    found, mean, unit = [], 0.0, ""
    for folder in glob.glob(pattern):
        path = Path(folder) / "metrics.json"
        if not path.is_file():
            continue
        metrics = json.loads(path.read_text())
        (figures,) = metrics["test"]["targets"].values()
        found.append((metrics["n_train"], figures["mae"]))
        mean, unit = figures["mad"], figures["unit"]
    if not found:
        raise SystemExit(f"{pattern}: there is no finished model; check the pattern.")
    return sorted(found), mean, unit


def power_law(found: list[tuple[int, float]]) -> tuple[float, float, float]:
    """Exponent m, half the width of its 95 % interval, and factor c of MAE = c n^m."""
    from scipy.stats import linregress, t

    if len(found) < 3:
        raise SystemExit("A power law and its interval need three models at least.")
    line = linregress(*np.log(np.array(found, dtype=float)).T)
    half = t.ppf(0.975, len(found) - 2) * line.stderr
    return line.slope, half, float(np.exp(line.intercept))


def plain_ticks(axis: Axis, ticks: Iterable[float]) -> None:
    """Write numbers out at the ticks of a logarithmic axis and nowhere else."""
    axis.set_major_locator(FixedLocator(sorted(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_locator(NullLocator())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--title", action="append", required=True)
    parser.add_argument("--curve", action="append", required=True, metavar="LABEL=FOLDERS")
    parser.add_argument("--fit", action="store_true", help="power law of each curve")
    options = parser.parse_args()
    per_panel = len(options.curve) // len(options.title)
    figure, panels = pyplot.subplots(
        1, len(options.title), figsize=(4.6 * len(options.title), 3.4), squeeze=False
    )
    for column, title in enumerate(options.title):
        axes, sizes = panels[0, column], set[int]()
        for order, curve in enumerate(options.curve[column * per_panel :][:per_panel]):
            label, _, pattern = curve.partition("=")
            found, mean, unit = points(pattern)
            x, y = zip(*found, strict=True)
            sizes |= set(x)
            style = "o" if options.fit else "o-"
            if options.fit:
                slope, half, factor = power_law(found)
                ends = np.array([min(x), max(x)], dtype=float)
                axes.plot(ends, factor * ends**slope, color=COLOURS[order], linewidth=1.2)
                print(f"{label}: MAE = {factor:.2f} n^m, m = {slope:.3f} ± {half:.3f}")
                label = f"{label}, m = {slope:.2f}"
            axes.plot(x, y, style, color=COLOURS[order], label=label, markersize=5)
        axes.axhline(mean, color="#9aa3ad", linewidth=1, linestyle="--", label="mean predictor")
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, sizes)
        if options.fit:
            axes.set_yscale("log")
            plain_ticks(axes.yaxis, (0.1, 0.2, 0.5, 1))
        axes.set_title(title, loc="left", fontweight="bold", fontsize=11)
        axes.set_xlabel("training samples")
        axes.set_ylabel((f"test MAE / {unit}" if unit else "test MAE") if column == 0 else "")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color="#e8ebee")
    panels[0, 0].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(options.out, dpi=110)
    print(options.out)


if __name__ == "__main__":
    main()
