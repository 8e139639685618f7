"""Draw learning curves from the folders of trained models.

    python benchmarks/learning_curve.py OUT.png --title HOMO \
        --curve "from scratch=runs/homo-scratch-*" --curve "tuned from QM9=runs/homo-tuned-*"

Each folder gives a point: training samples and MAE of the test part, as in its metrics.json. The
line of the mean predictor is the MAE that always saying the mean of the training part would have.
Several figures side by side: repeat ``--title`` and give each its ``--curve`` options after it.
"""

import argparse
import glob
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

COLOURS = ("#59616b", "#c8352f", "#2f6fb5")


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--title", action="append", required=True)
    parser.add_argument("--curve", action="append", required=True, metavar="LABEL=FOLDERS")
    options = parser.parse_args()
    per_panel = len(options.curve) // len(options.title)
    figure, panels = pyplot.subplots(
        1, len(options.title), figsize=(4.2 * len(options.title), 3.4), squeeze=False
    )
    for column, title in enumerate(options.title):
        axes = panels[0, column]
        for order, curve in enumerate(options.curve[column * per_panel :][:per_panel]):
            label, _, pattern = curve.partition("=")
            found, mean, unit = points(pattern)
            x, y = zip(*found, strict=True)
            axes.plot(x, y, "o-", color=COLOURS[order], label=label, markersize=5)
        axes.axhline(mean, color="#9aa3ad", linewidth=1, linestyle="--", label="mean predictor")
        axes.set_xscale("log")
        axes.set_title(title, loc="left", fontweight="bold", fontsize=11)
        axes.set_xlabel("training samples")
        axes.set_ylabel(f"test MAE / {unit}" if column == 0 else "")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color="#e8ebee")
    panels[0, 0].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(options.out, dpi=110)
    print(options.out)


if __name__ == "__main__":
    main()
