"""Scores of either sign: grey where an atom changes nothing, blue below, red above."""

import numpy as np

from atomlens.reports.colours import BASELINE_COLOURS, SCORE_COLOURS, atom_colours, legend_colours


def test_no_effect_is_grey_and_both_signs_run_alike() -> None:
    colours = atom_colours(np.array([-2.0, 0.0, 1.0, 2.0]), 0.0)
    assert colours[0] == BASELINE_COLOURS[0]
    assert colours[1] == BASELINE_COLOURS[len(BASELINE_COLOURS) // 2]
    assert colours[3] == BASELINE_COLOURS[-1]
    assert colours[2] not in colours[:2]


def test_shares_keep_the_scale_from_lowest_to_highest() -> None:
    assert atom_colours(np.array([0.2, 0.8]), 0.5) == [SCORE_COLOURS[0], SCORE_COLOURS[-1]]
    assert legend_colours(np.array([0.2, 0.8]), 0.5) == list(SCORE_COLOURS)


def test_a_legend_of_positive_changes_only_has_no_blue() -> None:
    legend = legend_colours(np.array([0.0, 3.0]), 0.0)
    assert legend[0] == BASELINE_COLOURS[len(BASELINE_COLOURS) // 2]
    assert legend[-1] == BASELINE_COLOURS[-1]
