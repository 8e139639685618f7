"""The figure of a search."""

from pathlib import Path

import matplotlib.axes
import numpy as np
import pytest

from atomlens.selection.tuning import Trial, Tuning, _draw, highest_shown


def trials(*values: float | None, pruned: tuple[float, ...] = ()) -> Tuning:
    states = [("complete" if v is not None else "failed", v) for v in values]
    states += [("pruned", v) for v in pruned]
    return Tuning(
        model="lens",
        objective="error",
        trials=tuple(
            Trial(number=n, state=state, value=value, settings={}, seconds=1.0)
            for n, (state, value) in enumerate(states)
        ),
        space=(),
    )


def test_a_trial_that_went_astray_leaves_the_others_their_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, np.ndarray] = {}
    plot = matplotlib.axes.Axes.plot

    def noted(self, x, y, *args, **named):  # type: ignore[no-untyped-def]
        drawn[named.get("label")] = np.asarray(y)
        drawn["axes"] = self
        return plot(self, x, y, *args, **named)

    monkeypatch.setattr(matplotlib.axes.Axes, "plot", noted)
    _draw(trials(0.2, 0.3, None, 0.25, 0.22, pruned=(40.0, 0.31)), tmp_path / "trials.png")
    low, high = drawn["axes"].get_ylim()
    assert 0.31 < high < 0.5
    assert low < 0.2
    assert drawn["above the axis"].tolist() == [high]
    assert drawn["complete"].tolist() == [0.2, 0.3, 0.25, 0.22]
    assert drawn["pruned"].tolist() == [0.31]


def test_trials_that_are_all_near_are_all_inside() -> None:
    near = np.array([0.2, 0.3, 0.25])
    assert highest_shown(near, np.array([0.31])) == np.inf
    assert highest_shown(near[:1], np.array([40.0])) == np.inf  # of one nobody knows what is far
    assert highest_shown(near[:0], np.array([40.0])) == np.inf
