"""The rule by which claims hold, on made-up effects: limits, controls, trainings, chance."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from atomlens.studies.base import Claim, JudgedTraining, Margin, Part
from atomlens.studies.statistics import holm, resampled_rank_biserial, weighted_mean, wilcoxon_p
from atomlens.studies.verdicts import (
    FEWEST_TRAININGS,
    drawn_part,
    judge,
    make_claim,
    of_training,
    trainings_part,
)

N = 80


def values(mean: float, seed: int, n: int = N, spread: float = 0.3) -> np.ndarray:
    return mean + spread * np.random.default_rng(seed).normal(size=n)


def part(
    trained: float, untrained: float = 0.0, shuffled: float | None = 0.0, n: int = N, **how: object
) -> Part:
    """A mean over n structures, in a trained network and in controls."""
    controls = {"untrained": [weighted_mean(values(untrained, s, n)) for s in (1, 2, 3)]}
    if shuffled is not None:
        controls["shuffled labels"] = [weighted_mean(values(shuffled, 4, n))]
    return drawn_part("mean", weighted_mean(values(trained, 0, n)), controls, n, **how)


def test_an_effect_beyond_its_limit_and_all_controls_holds() -> None:
    assert judge([part(1.0)]) == "holds"
    assert judge([part(-1.0, above=False)]) == "holds"


def test_an_effect_on_the_wrong_side_fails() -> None:
    assert judge([part(-1.0)]) == "fails"
    assert judge([part(1.0, limit=2.0)]) == "fails"


def test_an_interval_that_reaches_the_limit_fails() -> None:
    found = part(0.02)
    assert found.value > 0 > found.low
    assert judge([replace(found, controls={})], ()) == "fails"


@pytest.mark.parametrize(("untrained", "shuffled"), [(1.0, 0.0), (0.0, 1.0), (2.0, 0.0)])
def test_what_a_control_shows_as_well_was_not_learned(untrained: float, shuffled: float) -> None:
    assert judge([part(1.0, untrained, shuffled)]) == "as much in controls"


def test_what_symmetry_forces_need_not_be_beyond_the_controls() -> None:
    assert judge([part(1.0, 1.0, 1.0, learned=False)]) == "holds"


def test_one_of_three_untrained_networks_is_enough_to_say_so() -> None:
    untrained = [weighted_mean(values(mean, 9)) for mean in (-1.0, -1.0, 1.0)]
    shuffled = [weighted_mean(values(-1.0, 8))]
    controls = {"untrained": untrained, "shuffled labels": shuffled}
    found = drawn_part("mean", weighted_mean(values(0.9, 0)), controls, N)
    margin = found.controls["untrained"]
    assert margin.control == pytest.approx(-1 / 3, abs=0.1)
    assert margin.value > 0 > margin.low
    assert judge([found]) == "as much in controls"


def test_without_shuffled_labels_nothing_holds() -> None:
    assert judge([part(1.0, shuffled=None)]) == "not tested"
    assert judge([part(1.0, 1.0, shuffled=None)]) == "as much in controls"


@pytest.mark.parametrize("n", [1, 0])
def test_one_structure_never_holds(n: int) -> None:
    assert judge([part(5.0, n=n)]) == "not tested"


def test_nan_never_holds() -> None:
    good = part(1.0)
    nan = float("nan")
    assert judge([replace(good, value=nan)]) == "not tested"
    assert judge([replace(good, low=nan, high=nan)]) == "not tested"
    broken = Margin(value=nan, low=nan, high=nan, control=nan)
    assert judge([replace(good, controls={**good.controls, "untrained": broken})]) == "not tested"
    assert judge([]) == "not tested"


def test_mostly_nan_draws_give_no_interval() -> None:
    def often_nan(drawn: np.ndarray) -> float:
        return 1.0 if drawn[0] == 1 else np.nan

    found = drawn_part("x", often_nan, {}, 10)
    assert found.value == 1.0
    assert np.isnan([found.low, found.high]).all()


def test_every_part_must_be_met() -> None:
    assert judge([part(1.0), part(-1.0)]) == "fails"
    assert judge([part(1.0), part(1.0, 1.0)]) == "as much in controls"


def test_one_structure_has_an_interval_over_trainings_alone() -> None:
    controls = {"untrained": [0.0, 0.1, -0.1], "shuffled labels": [0.05]}
    assert judge([trainings_part("x", [1.0, 1.1], controls)]) == "not tested"
    assert FEWEST_TRAININGS == 3
    assert judge([trainings_part("x", [1.0, 1.1, 0.9], controls)]) == "holds"
    assert judge([trainings_part("x", [1.0, 1.1, 0.9], {"untrained": [1.0, 1.2]})]) == (
        "as much in controls"
    )
    assert judge([trainings_part("x", [2.0, 0.1, -0.9], controls)]) == "fails"


def test_the_interval_over_trainings_is_students() -> None:
    from scipy.stats import t, ttest_ind

    trained, control = [1.0, 1.4, 0.9, 1.2], [0.1, 0.3, -0.2]
    found = trainings_part("x", trained, {"untrained": control})
    half = t.ppf(0.975, 3) * np.std(trained, ddof=1) / 2
    assert found.high - found.value == pytest.approx(half)
    margin = found.controls["untrained"]
    expected = ttest_ind(trained, control).confidence_interval()
    assert (margin.low, margin.high) == pytest.approx((expected.low, expected.high))


def claim(judged: list[JudgedTraining], **more: object) -> Claim:
    return make_claim("X1", "x", "x above 0", judged, chance="1 in 2", **more)


def test_a_claim_holds_in_every_training_or_not_at_all() -> None:
    good, bad, same = (of_training(n, [p]) for n, p in zip("abc", MADE, strict=True))
    assert claim([good]).verdict == "holds"
    found = claim([good, bad])
    assert (found.verdict, found.n_held, found.n_trainings) == ("fails", 1, 2)
    assert "holds in 1 of 2 trainings" in found.evidence
    assert claim([good, same]).verdict == "as much in controls"
    untested = of_training("d", [part(1.0, shuffled=None)])
    assert claim([good, untested]).verdict == "not tested"


MADE = (part(1.0), part(-1.0), part(1.0, 1.0))


def test_the_order_of_the_models_decides_nothing() -> None:
    judged = [of_training(n, [p]) for n, p in zip("abc", MADE, strict=True)]
    found = [claim(list(order)) for order in permutations(judged)]
    assert all(one == found[0] for one in found)


def test_a_reason_leaves_a_claim_untested_whatever_was_found() -> None:
    found = claim([of_training("a", [MADE[0]])], reason="it needs another host")
    assert (found.verdict, found.n_trainings) == ("not tested", 0)
    assert found.evidence.startswith("it needs another host")


def test_the_evidence_says_numbers_controls_and_what_is_lacking() -> None:
    words = claim([of_training("a", [part(1.0, shuffled=None)])]).evidence
    assert "beyond controls: untrained +" in words
    assert "no control of shuffled labels was given" in words


def test_noise_holds_about_as_rarely_as_the_interval_says() -> None:
    random = np.random.default_rng(5)
    held = 0
    for seed in range(40):
        networks = [weighted_mean(random.normal(size=40)) for _ in range(5)]
        controls = {"untrained": networks[1:4], "shuffled labels": networks[4:]}
        held += judge([drawn_part("noise", networks[0], controls, 40, seed=seed)]) == "holds"
    assert held <= 3


def test_the_rank_biserial_correlation_is_that_of_the_textbook() -> None:
    # sizes 1 2 3 4 have ranks 1 2 3 4; positive 2 + 3 + 4 = 9, negative 1, over 10
    differences = np.array([-1.0, 2.0, 3.0, 4.0, 0.0])
    statistic = resampled_rank_biserial(differences, np.arange(5))
    assert statistic(np.ones(5)) == pytest.approx(0.8)
    drawn = np.array([2.0, 1.0, 0.0, 1.0, 5.0])
    repeated = resampled_rank_biserial(np.array([-1.0, -1.0, 2.0, 4.0]), np.arange(4))
    assert statistic(drawn) == pytest.approx(repeated(np.ones(4)))


def test_pairs_are_seen_where_unpaired_medians_are_not() -> None:
    random = np.random.default_rng(0)
    molecules = random.normal(0.0, 5.0, 60)
    first, second = molecules + 0.4 + 0.2 * random.normal(size=60), molecules
    assert wilcoxon_p(first - second) < 1e-6
    from atomlens.studies.statistics import mann_whitney_p

    assert mann_whitney_p(first, second) > 0.05


def test_holms_correction_is_that_of_the_textbook() -> None:
    found = holm([0.01, 0.04, np.nan, 0.03])
    assert found[[0, 1, 3]] == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(found[2])
    assert holm([0.9, 0.8]).max() == 1.0


def test_trainings_that_give_one_number_have_the_spread_of_the_controls_or_none() -> None:
    alone = trainings_part("x", [0.8] * 3, {}, limit=0.6)
    assert "all 3 trainings give the same number" in alone.unjudged
    assert judge([alone], []) == "not tested"
    beside = trainings_part("x", [0.8] * 3, {"untrained": [0.1, 0.2, 0.0]}, limit=0.6)
    assert beside.value - beside.low == pytest.approx(2.776 * (0.02 / 4 / 3) ** 0.5, rel=1e-3)
    assert judge([beside], ["untrained"]) == "holds"
    wild = trainings_part("x", [0.8] * 3, {"untrained": [0.1, 0.5, -0.3]}, limit=0.6)
    assert judge([wild], ["untrained"]) == "fails"
    both = trainings_part("x", [0.8] * 3, {"untrained": [0.1] * 3}, limit=0.6)
    assert judge([both], ["untrained"]) == "not tested"
