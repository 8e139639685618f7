"""Which share of the test errors is below a given size: Finder's Fig 5b, for any trained models.

    python benchmarks/error_distribution.py OUT.png --limit formation_energy=0.043 \
        --model formulas=formula-formation-energy@MATBENCH_FOLDER --model structures=mp@mp.npz
    python benchmarks/error_distribution.py OUT.png --limit band_gap=0.25 \
        --model formulas=runs/formula@table.csv --model structures=runs/structure@table.npz

LABEL=MODEL@DATA: a folder or a name of the box, and its own data (a folder of ``matbench_*.csv.gz``
for models of Matbench's compositions). Each model is asked for the part that it calls test, or for
``--part validation``: its errors chose the epoch, so they are a little too small, but the test part
of a model of the box is not looked at twice. Printed for each target that has a limit: the share of
the errors below it, with its 95 % interval (formulas are resampled, with all of their polymorphs),
the median and the mean. One panel a target.
"""

import argparse
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np

import atomlens as al
from atomlens.datasets.base import Dataset
from atomlens.datasets.matbench import load_matbench, tasks_of
from atomlens.datasets.splits import reduced_formulas
from atomlens.predictor.judged_data import choose_part, matching_values
from atomlens.studies.statistics import bootstrap

matplotlib.use("Agg")
from matplotlib import pyplot

COLOURS = ("#c8352f", "#2f6fb5", "#59616b", "#b8860b")


class Errors(NamedTuple):
    label: str
    target: str
    unit: str
    sizes: np.ndarray
    """(n,) absolute errors of the part, ascending."""
    formulas: np.ndarray
    """(n,) reduced formulas beside them: polymorphs are drawn together."""


def own_data(model: al.Predictor, source: str) -> Dataset:
    """Read the data of a model as it was trained on them."""
    tasks = tasks_of(model.record.data)
    if tasks and Path(source).is_dir():
        return load_matbench(source, tasks)
    return al.load_dataset(source, [t.name for t in model.targets])


def errors_of(given: str, wanted: set[str], part: str) -> list[Errors]:
    """Predict a part; the targets that are asked for."""
    label, _, rest = given.partition("=")
    name, _, source = rest.partition("@")
    if not (label and name and source):
        raise SystemExit(f"--model {given}: write LABEL=MODEL@DATA.")
    model = al.load(name)
    data = own_data(model, source)
    rows, _ = choose_part(model, data, part)
    chosen = data.subset(rows)
    off = np.abs(model.predict(chosen.structures).values - matching_values(chosen, model.targets))
    formulas = reduced_formulas(chosen.structures)
    found = []
    for k, t in enumerate(model.targets):
        if t.name in wanted:
            order = np.argsort(off[:, k], kind="stable")[: int(np.isfinite(off[:, k]).sum())]
            found.append(Errors(label, t.name, t.unit, off[order, k], formulas[order]))
    return found


def main() -> None:
    """Print the shares and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", action="append", required=True, metavar="LABEL=MODEL@DATA")
    parser.add_argument("--limit", action="append", required=True, metavar="TARGET=SIZE")
    parser.add_argument("--part", choices=("test", "validation"), default="test")
    args = parser.parse_args()
    limits = {t: float(size) for t, _, size in (given.partition("=") for given in args.limit)}
    found = [errors for given in args.model for errors in errors_of(given, set(limits), args.part)]
    targets = list(dict.fromkeys(e.target for e in found))
    if not targets:
        raise SystemExit(f"None of the models predicts {', '.join(limits)}.")
    figure, panels = pyplot.subplots(1, len(targets), figsize=(4.4 * len(targets), 3.5))
    for target, axes in zip(targets, np.atleast_1d(panels), strict=True):
        limit = limits[target]
        own = [e for e in found if e.target == target]
        for colour, e in zip(cycle(COLOURS), own, strict=False):
            share = bootstrap((e.sizes <= limit).astype(float), relatives=e.formulas)
            print(
                f"{target}, {e.label}: {share.value:.1%} ({share.low:.1%} to {share.high:.1%}) of "
                f"{len(e.sizes):,} errors are at most {limit:g} {e.unit}; median "
                f"{np.median(e.sizes):.3g}, mean {e.sizes.mean():.3g}"
            )
            shares = np.arange(1, len(e.sizes) + 1) / len(e.sizes)
            axes.step(e.sizes, shares, where="post", color=colour, label=e.label)
        axes.axvline(limit, color="#9aa3ad", linewidth=1, linestyle="--")
        unit = f" ({own[0].unit})" if own[0].unit else ""
        axes.set_xlabel(f"absolute error of {target.replace('_', ' ')}{unit}")
        axes.set_xlim(0, max(float(np.quantile(e.sizes, 0.93)) for e in own))
        axes.set_ylim(0, 1)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
    np.atleast_1d(panels)[0].set_ylabel(f"share of the {args.part} part")
    figure.tight_layout()
    figure.savefig(args.out, dpi=110)
    print(args.out)


if __name__ == "__main__":
    main()
