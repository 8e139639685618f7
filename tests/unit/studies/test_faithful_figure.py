"""The figure of a test of explanations shows every interval from end to end."""

from pathlib import Path
from typing import Any

import pytest

from atomlens.studies.faithful import figure as drawn
from figure_makers import kept_figures


def _row(method: str, value: float, low: float, high: float) -> dict[str, Any]:
    ends = {"deletion": value, "deletion_low": low, "deletion_high": high}
    about = {"meaning": "mask", "method": method, "verdict": "undecided: wide", "n": 12}
    return {**about, **ends, "untrained": 0.4}


@pytest.mark.parametrize(("low", "high"), [(-1.7, 3.1), (-9.0, -0.5), (0.2, 1.4)])
def test_intervals_below_zero_are_whole(
    low: float, high: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = kept_figures(monkeypatch, drawn)
    rows = [_row("occlusion", (low + high) / 2, low, high), _row("attention", 1.1, 0.9, 1.3)]
    drawn.draw_faithful(rows, tmp_path / "f.png")
    left, right = kept[0].axes[0].get_xlim()
    assert left <= min(low, 0.0)
    assert right >= high
    assert left == 0.0 or low < 0, "bars stand at the edge where nothing is below it"
