"""Colours shared by pictures and pages: one scale for scores, one colour for each element.

Both scales run through OKLab (B. Ottosson, 2020), so that equal steps of the score look equally
large. The warm scale only ever gets darker, hence it can be read without telling red from green
and in grey print.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import SYMBOLS

_LCH = Sequence[tuple[float, float, float, float]]

_WARM: _LCH = (  # position, lightness, chroma, hue in degrees
    (0.00, 0.89, 0.008, 250.0),
    (0.20, 0.855, 0.075, 98.0),
    (0.45, 0.76, 0.150, 72.0),
    (0.70, 0.62, 0.190, 38.0),
    (1.00, 0.42, 0.165, 8.0),
)
_COLD_TO_WARM: _LCH = (
    (0.00, 0.42, 0.130, 262.0),
    (0.25, 0.62, 0.125, 250.0),
    (0.50, 0.89, 0.008, 250.0),
    (0.75, 0.64, 0.180, 42.0),
    (1.00, 0.42, 0.165, 8.0),
)
EQUAL_WITHIN = 0.01
"""Scores whose spread is at most this share of the largest are called equal."""
LEAST_WIDTH = 0.5
"""A scale of shares is at least this wide, in even shares (or in mean scores, where there is no
even share): what differs little looks alike."""
N_STEPS = 65
"""Number of colours in a scale; odd, so that the middle has a colour of its own."""

_ELEMENT_COLOURS = {
    "H": "#d5dbe0",
    "Li": "#a77fe0",
    "Be": "#a8c64e",
    "B": "#e5a089",
    "C": "#59616b",
    "N": "#3f68d8",
    "O": "#d9403a",
    "F": "#67bf58",
    "Na": "#9060d2",
    "Mg": "#6ea53a",
    "Al": "#a99a9c",
    "Si": "#c9a26d",
    "P": "#ec8a2c",
    "S": "#d8bb2a",
    "Cl": "#3fae4f",
    "K": "#7f4bc4",
    "Ca": "#55a14c",
    "Ti": "#98a3b3",
    "V": "#8d93b8",
    "Cr": "#7b8fc9",
    "Mn": "#9a74c0",
    "Fe": "#c8673a",
    "Co": "#d97f9c",
    "Ni": "#57b06f",
    "Cu": "#bd7a3d",
    "Zn": "#7f83ad",
    "Ga": "#b98a8a",
    "Se": "#dd9a2f",
    "Br": "#9c3b2c",
    "Sr": "#3f9455",
    "Zr": "#7fb3b8",
    "Ag": "#a9b1ba",
    "I": "#7f3a9a",
    "Ba": "#2f8449",
    "La": "#62aacb",
    "Pt": "#b3b0c2",
    "Au": "#d6ac2d",
    "Pb": "#5f656f",
}


def _to_hex(lab: NDArray[np.float64]) -> str:
    light, a, b = lab
    lms = np.array(
        [
            light + 0.3963377774 * a + 0.2158037573 * b,
            light - 0.1055613458 * a - 0.0638541728 * b,
            light - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    linear = np.clip(
        np.array(
            [
                [4.0767416621, -3.3077115913, 0.2309699292],
                [-1.2684380046, 2.6097574011, -0.3413193965],
                [-0.0041960863, -0.7034186147, 1.7076147010],
            ]
        )
        @ lms**3,
        0.0,
        1.0,
    )
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * float(x)):02x}" for x in encoded)


def _steps(points: _LCH) -> tuple[str, ...]:
    table = np.array(points)
    hue = np.radians(table[:, 3])
    lab = np.stack([table[:, 1], table[:, 2] * np.cos(hue), table[:, 2] * np.sin(hue)], axis=1)
    where = np.linspace(0.0, 1.0, N_STEPS)
    channels = [np.interp(where, table[:, 0], lab[:, i]) for i in range(3)]
    return tuple(_to_hex(x) for x in np.stack(channels, axis=1))


SCORE_COLOURS = _steps(_WARM)
"""Lowest to highest score: grey, gold, orange, crimson."""
BASELINE_COLOURS = _steps(_COLD_TO_WARM)
"""Below the baseline blue, at the baseline grey, above it orange and crimson."""


FULL_FROM = 2.0
"""How many times its error a score must be to have the full colour of the scale."""


def score_positions(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where each score stands between the lowest (0) and the highest (1), shape (n,).

    Scores that are practically equal all stand at 0: no atom is to stand out.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0:
        return values
    low, high = float(values.min()), float(values.max())
    if all_equal(values):
        return np.zeros(values.shape)
    return (values - low) / (high - low)


def scale_ends(
    scores: NDArray[np.float64], baseline: float | None, noise: float = 0.0
) -> tuple[float, float]:
    """Return the scores at both ends of the scale: the lowest and, as a rule, the highest.

    The scale of shares that differ little reaches beyond the highest. That of changes of the
    prediction (``baseline`` 0) is alike on both sides of "no effect".

    Args:
        scores: (n,)
        baseline: What an uninformative explanation would give each atom; None: nothing.
        noise: The error of a score. Full colour is for what is twice as large: scores within
            their own error stay pale.
    """
    values = np.asarray(scores, dtype=np.float64)
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if baseline == 0:
        half = max(abs(low), abs(high), FULL_FROM * noise)
        return -half, half
    size = float(np.abs(values).mean()) if baseline is None else abs(baseline)
    return low, max(high, low + LEAST_WIDTH * size, low + FULL_FROM * noise)


def around_baseline(
    scores: NDArray[np.float64], baseline: float, noise: float = 0.0
) -> tuple[float, float]:
    """Return both ends of the scale that is alike on both sides of the baseline."""
    half = float(np.abs(np.asarray(scores) - baseline).max(initial=0.0))
    half = max(half, LEAST_WIDTH / 2 * abs(baseline), FULL_FROM * noise)
    return baseline - half, baseline + half


def differs_little(scores: NDArray[np.float64], baseline: float | None) -> bool:
    """Tell whether the scale is wider than the scores, as these differ little."""
    if baseline == 0 or all_equal(scores):
        return False
    return scale_ends(scores, baseline)[1] > float(np.max(scores))


def atom_colours(
    scores: NDArray[np.float64], baseline: float | None, noise: float = 0.0
) -> list[str]:
    """Return the colour of each atom, shape (n,).

    Shares run from the lowest to the highest; changes of the prediction (``baseline`` 0) from
    blue (it is lowered) over grey (no effect) to red (it is raised), alike on both sides. Scores
    within their ``noise`` stay pale (`scale_ends`).
    """
    if all_equal(scores):
        return [SCORE_COLOURS[0]] * len(scores)
    return _between(np.asarray(scores), scale_ends(scores, baseline, noise), baseline)


def legend_colours(
    scores: NDArray[np.float64], baseline: float | None, noise: float = 0.0
) -> list[str]:
    """Return the colours of a legend that runs from the lowest to the highest score."""
    steps = np.linspace(float(np.min(scores)), float(np.max(scores)), N_STEPS)
    return _between(steps, scale_ends(scores, baseline, noise), baseline)


def _between(
    values: NDArray[np.float64], ends: tuple[float, float], baseline: float | None
) -> list[str]:
    low, high = ends
    colours = BASELINE_COLOURS if baseline == 0 else SCORE_COLOURS
    return [colour_at((x - low) / (high - low), colours) for x in values.tolist()]


def all_equal(scores: NDArray[np.float64]) -> bool:
    """Tell whether the scores differ by less than a hundredth, too little to be coloured."""
    values = np.asarray(scores, dtype=np.float64)
    spread = float(np.ptp(values)) if values.size else 0.0
    return spread <= EQUAL_WITHIN * float(np.abs(values).max(initial=0.0))


def colour_at(position: float, colours: Sequence[str] = SCORE_COLOURS) -> str:
    """Return the colour at a position from 0 to 1 of a scale, as ``#rrggbb``."""
    last = len(colours) - 1
    return colours[round(min(max(position, 0.0), 1.0) * last)]


def element_colour(atomic_number: int) -> str:
    """Return the colour of an element; those without a custom get a hue of their own."""
    symbol = SYMBOLS[atomic_number] if 0 < atomic_number < len(SYMBOLS) else "X"
    if symbol in _ELEMENT_COLOURS:
        return _ELEMENT_COLOURS[symbol]
    hue = np.radians((137.508 * atomic_number) % 360.0)
    return _to_hex(np.array([0.66, 0.09 * np.cos(hue), 0.09 * np.sin(hue)]))


def text_colour(background: str) -> str:
    """Return the text colour, dark or white, that stands out more on a background."""
    channels = np.array([int(background[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return "#14181d" if luminance > 0.27 else "#ffffff"


def mix(colour: str, other: str, share: float) -> str:
    """Return a colour moved towards another by a share from 0 to 1."""
    pairs = [(int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)
