"""Charts of classes: the confusion matrix, how probabilities order, and how far they hold.

Every function writes .png, .svg or .pdf by the suffix, the same bytes for the same input.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atomlens.files import place_of
from atomlens.reports.canvas import ACCENT, INK, QUIET, WARM, new_figure, plain_axes
from atomlens.reports.colours import mix, text_colour
from atomlens.reports.probabilities import (
    LikeProbability,
    area_under,
    average_precision,
    precision_recall_curve,
    roc_curve,
)
from atomlens.reports.wording import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (ACCENT, WARM, "#4c8c4a", "#8657b8", "#8a6d1f", INK)
_DASHES = ("-", "--", "-.", ":")
MOST_CURVES = 8
"""Classes that have a curve of their own: the most frequent ones"""
_MOST_NUMBERED = 14
"""Classes up to which the cells of a confusion matrix hold numbers"""
_MOST_NAMED = 40
"""Classes up to which their names stand at the matrix"""
_NAME = 16
"""Letters of a class's name beside its curve"""
_MOST_CORNERS = 4000
"""Points of a curve that are drawn at most"""
_APART = 0.05
"""Of two groups nearer to each other the number of the second is not written"""
_AWAY = {True: "above the line: more often than said", False: "below the line: less often"}


def draw_confusion(
    counts: Sequence[Sequence[int]],
    classes: Sequence[str],
    path: str | Path,
    *,
    target: str = "",
    title: str = "",
) -> Path:
    """Draw how many samples of each class (rows) are said to be of each (columns).

    A cell has the number and the per cent of its row, by which it is coloured.

    Args:
        counts: (n_classes, n_classes)
        classes: Their names.
        path: Where to.
        target: What the classes are of.
        title: What stands above.
    """
    from matplotlib.patches import Rectangle

    matrix = np.asarray(counts, dtype=np.int64)
    n, rows = len(matrix), matrix.sum(axis=1)
    shares = matrix / np.maximum(rows, 1)[:, None]
    side = min(max(1.6 + 0.62 * n, 3.4), 9.0)
    named = n <= _MOST_NAMED
    names = [shortened(name, 14 if n <= 4 else 18) for name in classes]
    left = 0.55 + 0.085 * max(map(len, names)) if named else 0.6
    below = 0.75 if n <= 4 else left + 0.05
    width, height = side + left + 0.2, side + below + 0.5
    with new_figure(path, (width, height)) as figure:
        axes = figure.add_axes((left / width, below / height, side / width, side / height))
        for row, column in np.ndindex(n, n):
            colour = mix("#ffffff", ACCENT, 0.04 + 0.96 * float(shares[row, column]))
            place = (column - 0.48, row - 0.48)
            axes.add_patch(Rectangle(place, 0.96, 0.96, facecolor=colour, edgecolor="none"))
            if n > _MOST_NUMBERED or not rows[row]:
                continue
            number = f"{int(matrix[row, column]):,}".replace(",", " ")
            axes.text(
                column,
                row,
                f"{number}\n{100 * shares[row, column]:.0f} %",
                ha="center",
                va="center",
                color=text_colour(colour),
                fontsize=11 if n <= 4 else 9 if n <= 8 else 7,
                linespacing=1.4,
            )
        axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), aspect="equal")
        ticks, labels = (list(range(n)), names) if named else ([], [])
        axes.set_xticks(ticks, labels, rotation=0 if n <= 4 else 90)
        axes.set_yticks(ticks, labels)
        axes.tick_params(length=0, labelsize=10 if n <= 14 else 7)
        what = shortened(target, 24)
        axes.set_xlabel(f"predicted {what}".rstrip())
        axes.set_ylabel(f"true {what}".rstrip())
        axes.set_title(shortened(title, max(int(10 * width), 24)))
    return place_of(path)


def draw_ranking(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    folder: str | Path,
    *,
    stem: str,
    title: str = "",
) -> list[Path]:
    """Draw the ROC curve and precision over recall: of the second of two classes, else of each.

    Each class is told from all others by its own probability. Curves are of the eight most
    frequent classes that some samples are of and some are not.

    Args:
        labels: (n,) the class of each sample.
        probabilities: (n, n_classes)
        classes: Their names.
        folder: Where ``roc{stem}.png`` and ``precision-recall{stem}.png`` go.
        stem: What their names end with.
        title: What stands above.

    Returns:
        The files; none where all samples are of one class.
    """
    found, p = np.asarray(labels, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    n = np.bincount(found, minlength=len(classes))
    order = [1] if len(classes) == 2 else np.argsort(-n, kind="stable").tolist()
    shown = [c for c in order if 0 < n[c] < len(found)][:MOST_CURVES]
    if not shown:
        return []
    paths = [Path(folder) / f"{kind}{stem}.png" for kind in ("roc", "precision-recall")]
    rocs = [(*roc_curve(found == c, p[:, c]), c) for c in shown]
    with _curves_figure(paths[0], len(shown), title) as axes:
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0)
        for k, (x, y, c) in enumerate(rocs):
            _curve(axes, x, y, k, f"{shortened(classes[c], _NAME)}: area {area_under(x, y):.3f}")
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate (recall)")
    with _curves_figure(paths[1], len(shown), title) as axes:
        for k, c in enumerate(shown):
            recall, precision = precision_recall_curve(found == c, p[:, c])
            recall = np.concatenate([[0.0], recall])
            precision = np.concatenate([precision[:1], precision])
            mean = average_precision(found == c, p[:, c])
            _curve(axes, recall, precision, k, f"{shortened(classes[c], _NAME)}: mean {mean:.3f}")
            axes.axhline(n[c] / len(found), color=_COLOURS[k % 6], linewidth=0.8, alpha=0.6)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
    return [place_of(path) for path in paths]


def draw_reliability(
    groups: Sequence[LikeProbability],
    path: str | Path,
    *,
    of: str,
    share_of: str,
    error: float,
    brier: float,
    intervals: Sequence[tuple[float, float]],
    title: str = "",
) -> Path:
    """Draw how often it is so, over how probable it was said to be, group by group.

    Below stands how many samples each group has.

    Args:
        groups: Of like probability, in its order.
        path: Where to.
        of: What the probability is of.
        share_of: What the samples are of which it is so.
        error: Mean distance of the points from the line, over the samples.
        brier: Brier score.
        intervals: (n_groups,) where the share over many more samples of each group lies.
        title: What stands above.
    """
    x = np.array([group.probability for group in groups])
    y = np.array([group.share for group in groups])
    sizes = np.array([group.n for group in groups])
    with new_figure(path, (4.8, 5.6)) as figure:
        axes = _unit_square(figure.add_axes((0.15, 0.27, 0.78, 0.78 * 4.8 / 5.6)))
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0)
        ends = np.array(intervals)
        axes.vlines(x, ends[:, 0], ends[:, 1], color=ACCENT, alpha=0.4, linewidth=1.6)
        axes.plot(x, y, color=ACCENT, linewidth=1.0, alpha=0.6)
        axes.plot(x, y, "o", color=ACCENT, markersize=5)
        above = float((sizes * (y - x)).sum()) > 0  # the curve lies above: write below it
        column, side = (0.97, "right") if above else (0.03, "left")
        rows = (0.19, 0.12, 0.05) if above else (0.95, 0.88, 0.81)
        words = (f"calibration error {error:.3f}", f"Brier score {brier:.3f}", _AWAY[above])
        for row, text in zip(rows, words, strict=True):
            ink = QUIET if text is words[2] else INK
            axes.text(column, row, text, ha=side, va="center", color=ink)
        axes.set_xticklabels([])
        axes.set_ylabel(f"share that is {shortened(share_of, 28)}")
        axes.set_title(shortened(title, 44))
        below = figure.add_axes((0.15, 0.11, 0.78, 0.12))
        plain_axes(below)
        below.vlines(x, 0, sizes, color=ACCENT, linewidth=3.0)
        for k, (place, size) in enumerate(zip(x.tolist(), sizes.tolist(), strict=True)):
            if k and place - x[k - 1] < _APART:
                continue
            below.text(place, 1.08 * size, str(size), ha="center", va="bottom", fontsize=8)
        below.set(xlim=(0, 1.01), ylim=(0, 1.45 * sizes.max()))
        below.set_ylabel("samples", fontsize=9)
        below.tick_params(labelsize=8)
        below.set_xlabel(f"probability of {shortened(of, 34)}")
    return place_of(path)


@contextmanager
def _curves_figure(path: Path, n_curves: int, title: str) -> "Iterator[Axes]":
    """Give axes from 0 to 1; what the curves are called stands under them."""
    legend = 0.21 * math.ceil(n_curves / 2) + 0.1
    height = 4.8 + legend
    bottom = (0.6 + legend) / height
    with new_figure(path, (4.8, height)) as figure:
        axes = _unit_square(figure.add_axes((0.15, bottom, 0.80, 0.80 * 4.8 / height)))
        yield axes
        axes.set_title(shortened(title, 44))
        figure.legend(frameon=False, fontsize=8.5, loc="lower center", ncols=min(n_curves, 2))


def _unit_square(axes: "Axes") -> "Axes":
    plain_axes(axes)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01), aspect="equal")
    return axes


def _curve(
    axes: "Axes", x: NDArray[np.float64], y: NDArray[np.float64], k: int, label: str
) -> None:
    """Draw the curve of class number ``k``, of its corners at most 4,000."""
    if len(x) > _MOST_CORNERS:
        kept = np.linspace(0, len(x) - 1, _MOST_CORNERS).round().astype(np.int64)
        x, y = x[kept], y[kept]
    axes.plot(
        x, y, _DASHES[k // 6 % 4], color=_COLOURS[k % 6], linewidth=1.5, label=label, clip_on=False
    )
