"""Scores of either sign: grey where an atom changes nothing, blue below, red above."""

from dataclasses import replace

import numpy as np
import pytest

from atomlens.reports.colours import (
    BASELINE_COLOURS,
    SCORE_COLOURS,
    around_baseline,
    atom_colours,
    legend_colours,
    scale_ends,
)
from atomlens.reports.payload import page_payload
from atomlens.reports.structure_figure import scale_title
from explained_makers import explained, water


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


def test_scores_within_their_errors_stay_pale_and_are_told() -> None:
    """Full colour is for what is twice its error; which scores are within it is said."""
    scores = np.array([-0.02, 0.01, 0.04])
    assert scale_ends(scores, 0.0, 0.05) == (-0.1, 0.1)
    assert scale_ends(scores, 0.0, 0.01) == (-0.04, 0.04)
    assert around_baseline(np.array([0.2, 0.4]), 0.3, 0.2) == pytest.approx((-0.1, 0.7))
    assert scale_ends(np.array([0.2, 0.4]), 0.3, 0.2) == pytest.approx((0.2, 0.6))
    pale, full = atom_colours(scores, 0.0, 0.05), atom_colours(scores, 0.0)
    assert full[2] == BASELINE_COLOURS[-1]
    assert pale[2] == BASELINE_COLOURS[round(0.7 * (len(BASELINE_COLOURS) - 1))]
    drawn = replace(
        explained(water()), scores=scores, scores_std=np.full(3, 0.05), baseline=0.0, model=""
    )
    assert drawn.noise == 0.05
    payload = page_payload([drawn])["structures"][0]
    assert payload["scale_ends"]["baseline"] == [-0.1, 0.1]
    assert payload["little_difference"].startswith("All scores are smaller than their own ±")
    assert "all scores are smaller than their own ±" in scale_title(drawn)[1]
    sure = replace(drawn, scores_std=np.full(3, 0.001))
    assert page_payload([sure])["structures"][0]["little_difference"] == ""
