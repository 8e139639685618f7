"""Intervals cover the truth, effect sizes agree with a count by hand."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from atomlens.predictor.measuring import spearman
from atomlens.studies.statistics import (
    GroupedSample,
    area_under_curve,
    bootstrap,
    bootstrap_units,
    cliffs_delta,
    draw_units,
    mann_whitney_p,
    ratio_of_sums,
    resampled_delta,
)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    hits = 0
    for seed in range(100):
        _, low, high = bootstrap(random.normal(3.0, 1.0, 40), seed=seed)
        hits += low <= 3.0 <= high
    assert 86 <= hits <= 99


def test_a_larger_sample_has_a_narrower_interval():
    values = np.random.default_rng(1).normal(size=1000)
    few, many = bootstrap(values[:50]), bootstrap(values)
    assert many.high - many.low < (few.high - few.low) / 2


def test_one_value_has_no_interval():
    value, low, high = bootstrap([2.5])
    assert value == 2.5
    assert np.isnan([low, high]).all()


def test_no_value_has_no_mean():
    assert np.isnan(bootstrap([])).all()


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(2).normal(size=20)
    assert bootstrap(values, seed=4) == bootstrap(values, seed=4)
    assert bootstrap(values, seed=4) != bootstrap(values, seed=5)


def test_units_are_drawn_inside_their_groups():
    groups = np.array(["low"] * 3 + ["high"] * 5)
    random = np.random.default_rng(3)
    for _ in range(20):
        drawn = draw_units(8, random, groups)
        assert (drawn[:3].sum(), drawn[3:].sum()) == (3, 5)


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order():
    # pairs: 1<2, 1<3, 2=2 (half), 2<3
    assert area_under_curve(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == 3.5 / 4


def test_the_area_needs_both_samples():
    assert np.isnan(area_under_curve(np.zeros(0), np.ones(3)))


def test_cliffs_delta_is_one_above_and_minus_one_below():
    low, high = np.arange(5.0), np.arange(5.0) + 10
    assert cliffs_delta(low, high) == 1
    assert cliffs_delta(high, low) == -1
    assert cliffs_delta(low, low) == 0


def test_the_test_tells_different_samples_apart_and_equal_ones_not():
    random = np.random.default_rng(4)
    same, other = random.normal(size=(2, 200))
    assert mann_whitney_p(same, other) > 1e-3
    assert mann_whitney_p(same, other + 1) < 1e-10


def test_rank_correlation_sees_order_alone():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert spearman(x, np.exp(x)) == pytest.approx(1)
    assert spearman(x, -(x**3)) == pytest.approx(-1)
    assert spearman(x, np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(0.8)  # 1 - 6 * 2 / 60


def test_a_constant_has_no_rank_correlation():
    assert np.isnan(spearman(np.ones(4), np.arange(4.0)))


@pytest.mark.parametrize("n_values", [1, 2, 7, 10])
def test_the_median_of_units_drawn_once_is_the_median(n_values):
    values = np.random.default_rng(n_values).normal(size=n_values)
    sample = GroupedSample.of(values, np.arange(n_values))
    assert sample.median(np.ones(n_values)) == pytest.approx(np.median(values))


def test_the_median_of_units_drawn_several_times_is_that_of_repeated_values():
    random = np.random.default_rng(5)
    values, units = random.normal(size=30), random.integers(0, 6, 30)
    drawn = np.array([0.0, 2.0, 1.0, 0.0, 3.0, 1.0])
    repeated = np.repeat(values, drawn[units].astype(int))
    assert GroupedSample.of(values, units).median(drawn) == pytest.approx(np.median(repeated))


def test_units_that_were_not_drawn_have_no_median():
    assert np.isnan(GroupedSample.of(np.ones(3), np.zeros(3, dtype=int)).median(np.zeros(1)))


def test_delta_of_units_drawn_several_times_is_that_of_repeated_values():
    random = np.random.default_rng(6)
    low, high = random.integers(0, 5, (2, 20)).astype(float)  # many ties
    units = np.arange(20)
    drawn = random.integers(0, 3, 20).astype(float)
    found = resampled_delta(GroupedSample.of(low, units), GroupedSample.of(high, units))(drawn)
    times = drawn.astype(int)
    assert found == pytest.approx(cliffs_delta(np.repeat(low, times), np.repeat(high, times)))


def test_copies_of_an_atom_in_its_molecule_do_not_narrow_the_interval():
    values = np.random.default_rng(7).normal(size=40)
    units = np.arange(40)
    alone = GroupedSample.of(values, units)
    copied = GroupedSample.of(np.repeat(values, 9), np.repeat(units, 9))
    one, nine = (
        bootstrap_units(40, lambda drawn, s=s: np.array([s.median(drawn)]))[0]
        for s in (alone, copied)
    )
    assert nine.high - nine.low == pytest.approx(one.high - one.low, rel=0.1)


def test_one_unit_has_no_interval():
    (found,) = bootstrap_units(1, lambda drawn: drawn * 3)
    assert found.value == 3
    assert np.isnan([found.low, found.high]).all()


def test_copies_of_a_value_in_its_family_do_not_narrow_the_interval():
    values = np.random.default_rng(3).normal(size=40)
    alone = bootstrap(values)
    copied, families = np.repeat(values, 25), np.repeat(np.arange(40), 25)
    together = bootstrap(copied, relatives=families)
    rows = bootstrap(copied)
    assert together.value == pytest.approx(alone.value)
    wide = together.high - together.low
    assert wide == pytest.approx(alone.high - alone.low, rel=0.15)
    assert rows.high - rows.low < 0.3 * wide
    (units,) = bootstrap_units(
        1000, lambda drawn: np.array([drawn @ copied / drawn.sum()]), relatives=families.astype(str)
    )
    assert units.high - units.low == pytest.approx(wide, rel=0.15)


def test_one_family_has_no_interval():
    assert np.isnan(bootstrap([1.0, 2.0, 3.0], relatives=np.array(["a"] * 3)).low)
    (units,) = bootstrap_units(3, lambda drawn: drawn[:1], relatives=np.array(["a"] * 3))
    assert np.isnan(units.low)


def test_the_interval_of_a_ratio_ends_where_a_paired_t_test_rejects():
    random = np.random.default_rng(3)
    below = random.lognormal(0, 1, 25)
    above = below * random.lognormal(0.3, 0.5, 25)
    value, low, high = ratio_of_sums(above, below)
    assert value == pytest.approx(above.sum() / below.sum())
    assert low < value < high
    for end in (low, high):
        assert ttest_rel(above, end * below).pvalue == pytest.approx(0.05, rel=1e-6)


def test_a_ratio_without_a_known_sum_below_has_no_interval():
    np.testing.assert_array_equal(ratio_of_sums(np.ones(4), np.zeros(4)), [np.nan] * 3)
    alone = ratio_of_sums(np.array([2.0, 0, 0, 0]), np.array([1.0, 0, 0, 0]))
    assert alone.value == 2
    assert np.isnan(alone[1:]).all()
    np.testing.assert_allclose(ratio_of_sums(np.full(4, 2.0), np.full(4, 1.0)), [2, 2, 2])
