"""Matplotlib figures without global state and with the same bytes every time."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atomlens.errors import SettingsError
from atomlens.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1d242b"
"""Text and axes."""
QUIET = "#66717c"
"""Secondary text."""
FAINT = "#d9dee3"
"""Grid lines."""
ACCENT = "#2f6fb5"
"""The first colour of a chart."""
WARM = "#c8512f"
"""The second colour of a chart."""

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.usetex": False,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.fonttype": "path",
    "svg.hashsalt": "atomlens",
    "pdf.fonttype": 42,
    "savefig.bbox": None,
    "savefig.facecolor": "white",
    "savefig.transparent": False,
    "path.simplify": True,
}
# what a writer would add on its own: a date, its version
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def new_figure(
    path: str | Path, size: tuple[float, float], *, dpi: float = 200.0
) -> Iterator["Figure"]:
    """Give an empty figure of a size in inches; write it to ``path`` when the block ends.

    The suffix decides the format: .png, .svg or .pdf. Raises `SettingsError` for another one.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _METADATA:
        raise SettingsError(
            f"{path}: pictures are written as {', '.join(_METADATA)}. Change the ending."
        )
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # a name may hold letters that the font lacks: they are drawn as boxes
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=size, dpi=dpi, facecolor="white")
        FigureCanvasAgg(figure)
        yield figure
        with replacing(path) as draft:
            figure.savefig(draft, format=suffix[1:], dpi=dpi, metadata=_METADATA[suffix])


def plain_axes(axes: "Axes", *, grid: bool = True) -> None:
    """Give a chart its look: two spines, a faint grid behind the data."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if grid:
        axes.grid(True, color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)


class Mark(NamedTuple):
    """What stands beside horizontal bars for comparison: one shape, at most one for each bar."""

    label: str
    marker: str
    colour: str
    points: Sequence[tuple[float, int]]
    """Value and row of each."""


_MARK = 6.5
"""Width of a mark in points."""
_ROOM = 8.5
"""What a mark takes with its lines and the white around them, in points."""
_LANES = (0, -1, 1, -2, 2, -3, 3)
"""Where marks stand that would cover each other, in such rooms from the middle of their bar."""


def add_marks(
    axes: "Axes", marks: Sequence[Mark], intervals: Sequence[tuple[float, float, int]] = ()
) -> None:
    """Draw marks so that each can be seen, beside the others and on a bar of any colour.

    Where the axes stand and their limits must be known before; the limits grow where a mark is
    beyond them.

    Args:
        axes: Where bars and intervals are drawn already.
        marks: What is to be drawn.
        intervals: Ends and row of the lines in the middle of bars, which no mark shall hide.
    """
    from matplotlib.patheffects import withStroke

    values = [x for mark in marks for x, _ in mark.points]
    if not values:
        return
    low, high = axes.get_xlim()
    room = 0.03 * (high - low)
    axes.set_xlim(min(low, min(values) - room), max(high, max(values) + room))
    axes.get_ylim()  # settles limits that nobody set: else transforms are of empty axes
    origin, right, down = axes.transData.transform([(0, 0), (1, 0), (0, 1)]) * 72 / axes.figure.dpi
    across, step = right[0] - origin[0], _ROOM / abs(down[1] - origin[1])
    half = _ROOM / 2 / across
    taken: dict[int, list[tuple[float, int]]] = {}
    for mark in marks:
        heights: list[float] = []
        for x, row in mark.points:
            there = taken.setdefault(row, [])
            near = {lane for other, lane in there if abs(other - x) * across < _ROOM}
            if any(row == own and low - half < x < high + half for low, high, own in intervals):
                near.add(0)
            lane = next((n for n in _LANES if n not in near), 0)
            there.append((x, lane))
            heights.append(row + lane * step)
        if heights:
            axes.scatter(
                [x for x, _ in mark.points],
                heights,
                marker=mark.marker,
                s=_MARK**2,
                color=mark.colour,
                linewidth=1.5,
                zorder=4,
                label=mark.label,
                path_effects=[withStroke(linewidth=3.2, foreground="white")],
            )


def add_colour_bar(
    figure: "Figure",
    place: tuple[float, float, float, float],
    colours: Sequence[str],
    ends: tuple[float, float] = (0.0, 1.0),
) -> "Axes":
    """Draw a scale of colours into a place of a figure, from left to right.

    Args:
        figure: Where.
        place: Left, bottom, width and height, in parts of the figure.
        colours: Of the scale.
        ends: What stands at its ends, as x of the axes.

    Returns:
        Its axes, of height 1.
    """
    from matplotlib.colors import ListedColormap

    bar = figure.add_axes(place)
    bar.imshow(
        np.linspace(0.0, 1.0, len(colours))[None, :],
        cmap=ListedColormap(list(colours)),
        extent=(*ends, 0.0, 1.0),
        aspect="auto",
        interpolation="nearest",
    )
    bar.set_axis_off()
    return bar
