"""Metrics, checked by hand and against scipy."""

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.stats import spearmanr

from atomlens.predictor.measuring import (
    calibration_error,
    classification_metrics,
    mean_interval,
    miscalibration_area,
    regression_metrics,
    share_interval,
    spearman,
)
from atomlens.predictor.metrics import Metrics, finite_or_none
from atomlens.predictor.report import calibration_curve
from atomlens.predictor.skill import without_skill
from atomlens.reports.figures import draw_calibration

NAN = math.nan


def test_errors_are_those_reckoned_by_hand() -> None:
    """True 0 1 2 3 6 (mean 2.4), predicted 1 1 2 5 4: errors 1 0 0 2 -2."""
    m = regression_metrics(np.array([0.0, 1, 2, 3, 6]), np.array([1.0, 1, 2, 5, 4]))
    assert m.n == 5
    assert m.mae == pytest.approx(1.0)
    assert m.rmse == pytest.approx(math.sqrt(9 / 5))
    assert m.r2 == pytest.approx(1 - 9 / 21.2)
    assert m.mad == pytest.approx((2.4 + 1.4 + 0.4 + 0.6 + 3.6) / 5)
    assert m.mad_mae == pytest.approx(m.mad)


def test_predicting_the_mean_has_no_r2_and_a_mad_mae_of_one() -> None:
    true = np.array([1.0, 2, 3, 6])
    m = regression_metrics(true, np.full(4, true.mean()))
    assert m.r2 == pytest.approx(0)
    assert m.mad_mae == pytest.approx(1)
    assert math.isnan(m.spearman)


def test_unknown_values_are_left_out() -> None:
    m = regression_metrics(np.array([1.0, NAN, 3]), np.array([2.0, 5, NAN]))
    assert (m.n, m.mae) == (1, 1.0)


def test_nothing_known_is_not_a_number_and_no_error() -> None:
    m = regression_metrics(np.array([NAN]), np.array([1.0]), std=np.array([1.0]))
    assert m.n == 0
    assert math.isnan(m.mae)
    assert math.isnan(m.rmse)


def test_rank_correlation_agrees_with_scipy_ties_included() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        a, b = generator.integers(0, 6, (2, 30)).astype(float)
        assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)


def test_true_normal_errors_are_found_to_be_calibrated() -> None:
    generator = np.random.default_rng(0)
    std = generator.uniform(0.5, 2, 40_000)
    true = generator.normal(size=40_000) * std
    zero = np.zeros(40_000)
    m = regression_metrics(true, zero, std=std, low=-1.645 * std, high=1.645 * std)
    assert m.coverage is not None
    for level, found in m.coverage.items():
        assert found == pytest.approx(float(level), abs=0.01)
    assert m.miscalibration_area == pytest.approx(0, abs=0.01)
    assert m.interval_coverage == pytest.approx(0.9, abs=0.01)


def test_a_model_too_sure_of_itself_is_found_out() -> None:
    true = np.random.default_rng(0).normal(size=5000)
    m = regression_metrics(true, np.zeros(5000), std=np.full(5000, 0.1))
    assert m.coverage is not None
    assert m.coverage["0.90"] < 0.2
    assert m.miscalibration_area is not None
    assert m.miscalibration_area > 0.4


def test_estimates_right_on_average_and_wrong_for_each_have_a_calibration_error() -> None:
    """Errors of 1, of which half are said to be 1.4 and half to be nearly nothing."""
    true = np.random.default_rng(0).choice([-1.0, 1.0], 4000)
    said = np.repeat([2**0.5, 0.5], 2000)
    expected = ((2**0.5 - 1) / 2**0.5 + 1) / 2
    assert calibration_error(true, said) == pytest.approx(expected, rel=1e-9)
    assert calibration_error(true, np.ones(4000)) == pytest.approx(0, abs=1e-12)
    assert calibration_error(true[:19], said[:19]) is None
    assert calibration_error(true, 0 * said) is None
    assert regression_metrics(true, 0 * true, std=said).calibration_error is not None
    assert regression_metrics(true, 0 * true).calibration_error is None


def test_errors_are_foreseen_if_larger_where_larger_ones_were_expected() -> None:
    std = np.random.default_rng(0).uniform(0.1, 2, 500)
    zero = np.zeros(500)
    assert regression_metrics(std, zero, std=std).foreseen_errors == pytest.approx(1)
    assert regression_metrics(2 - std, zero, std=std).foreseen_errors == pytest.approx(-1)
    equal = regression_metrics(std, zero, std=zero + 1).foreseen_errors
    assert equal is not None
    assert np.isnan(equal)
    assert regression_metrics(std, zero).foreseen_errors is None


def test_the_area_by_hand() -> None:
    """All values inside the 0 % interval: F = 1 everywhere, area 1/2; all at 1/2: two halves."""
    assert miscalibration_area(np.zeros(4)) == pytest.approx(0.5)
    assert miscalibration_area(np.ones(4)) == pytest.approx(0.5)
    assert miscalibration_area(np.array([0.5])) == pytest.approx(0.25)


def test_the_area_agrees_with_a_fine_sum() -> None:
    shares = np.random.default_rng(1).uniform(0, 1, 13) ** 2
    p = (np.arange(200_000) + 0.5) / 200_000
    found = np.searchsorted(np.sort(shares), p, side="right") / 13
    assert miscalibration_area(shares) == pytest.approx(np.abs(found - p).mean(), abs=1e-5)


def test_no_error_and_no_spread_is_calibrated_not_undefined() -> None:
    m = regression_metrics(np.ones(3), np.ones(3), std=np.zeros(3))
    assert m.coverage == {"0.50": 1.0, "0.68": 1.0, "0.90": 1.0, "0.95": 1.0}


def test_two_classes_by_hand() -> None:
    """True 0 0 1 1; P(1) = .1 .6 .4 .9: accuracy 1/2, F1 1/2, 3 of 4 pairs in order."""
    p = np.array([0.1, 0.6, 0.4, 0.9])
    m = classification_metrics(np.array([0.0, 0, 1, 1]), np.stack([1 - p, p], axis=1))
    assert m.accuracy == pytest.approx(0.5)
    assert m.f1 == pytest.approx(0.5)
    assert m.auc == pytest.approx(0.75)
    assert m.cross_entropy == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.9]).mean())


def test_equal_scores_count_half_in_the_area() -> None:
    m = classification_metrics(np.array([0.0, 1]), np.full((2, 2), 0.5))
    assert m.auc == pytest.approx(0.5)


def test_three_classes_average_over_those_that_occur() -> None:
    p = np.eye(3)[[0, 1, 1, 0]]
    m = classification_metrics(np.array([0.0, 1, 1, NAN]), p)
    assert (m.n, m.accuracy, m.f1, m.auc) == (3, 1.0, 1.0, 1.0)


def test_json_never_holds_nan() -> None:
    assert finite_or_none({"a": [NAN, 1.0, math.inf], "b": (2, "x")}) == {
        "a": [None, 1.0, None],
        "b": [2, "x"],
    }


def test_the_mean_that_errors_are_compared_with_is_that_of_the_training_part() -> None:
    true, zero = np.array([100.0, 101, 102]), np.zeros(3)
    own = regression_metrics(true, zero)
    assert (own.mad, own.mad_about) == (pytest.approx(2 / 3), "these values")
    trained = regression_metrics(true, zero, baseline=np.full(3, 1.0))
    assert (trained.mad, trained.mad_about) == (pytest.approx(100), "training part")
    assert regression_metrics(true, np.full(3, 1.0), baseline=np.full(3, 1.0)).mad_mae == 1


def test_intervals_without_bounds_are_none_and_keep_no_promise() -> None:
    true, said = np.array([1.0, 2.0, 3.0]), np.array([1.1, 2.0, 2.5])
    endless = np.full(3, np.inf)
    found = regression_metrics(true, said, std=np.full(3, 0.2), low=-endless, high=endless)
    assert found.interval_coverage is None
    assert found.coverage is not None
    low, high = np.array([-np.inf, 1, 1]), np.array([np.inf, 3, 2])
    partly = regression_metrics(true, said, std=np.full(3, 0.2), low=low, high=high)
    assert partly.interval_coverage == 0.5


def test_what_a_constant_does_as_well_is_no_skill() -> None:
    good = {"n": 20, "mae": 0.9, "mad": 1.0, "unit": "eV", "mad_about": "training part"}
    assert not list(without_skill({"gap": good}))
    (said,) = without_skill({"gap": {**good, "mae": 1.0}}, "on the test part")
    assert said == (
        "gap: no better than predicting the mean of the training part on the test part: the mean "
        "absolute error is 1 eV, that of the mean 1 eV (20 values)."
    )
    assert not list(without_skill({"gap": {**good, "mae": 0.0, "mad": 0.0}}))  # a constant
    assert not list(without_skill({"gap": {"n": 0, "mae": None, "mad": None}}))
    assert not list(without_skill({"metal": {"n": 9, "accuracy": 0.5}}))  # of an older version
    assert not list(without_skill({"gap": {**good, "mae": "2"}}))  # a file may hold anything


def test_always_the_most_common_class_is_no_skill() -> None:
    true = np.array([0.0, 0.0, 0.0, 1.0])
    shares = np.array([[0.8, 0.2], [0.7, 0.3], [0.9, 0.1], [0.6, 0.4]])
    figures = classification_metrics(true, shares, target="metal", classes=("no", "yes"))
    assert figures.accuracy == figures.most_common == 0.75
    found = Metrics(n_samples=4, n_failed=0, targets={"metal": figures})
    (said,) = without_skill(found.to_dict()["targets"])
    assert "no better than always saying the most common class" in said
    shares[3] = [0.1, 0.9]
    right = classification_metrics(true, shares, target="metal", classes=("no", "yes"))
    assert not list(without_skill({"metal": asdict(right)}))


def test_of_one_class_an_accuracy_says_nothing_and_a_lower_one_no_skill() -> None:
    figures = {"n": 5, "accuracy": 1.0, "most_common": 1.0}
    (said,) = without_skill({"metal": figures}, "on the test part")
    assert said.startswith("metal: all 5 values on the test part are of one class")
    (said,) = without_skill({"metal": {**figures, "accuracy": 0.2}})
    assert "no better than always saying the most common class: 0.2 of 5 values" in said
    assert not list(without_skill({"metal": {**figures, "n": 1}}))


def test_figure_and_table_give_one_area(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    written: list[str] = []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda _, x, y, s, **__: written.append(s))
    for n in (1, 9, 3000):  # more corners than are drawn
        error, std = 1.7 * random.normal(size=n), np.full(n, 1.0)
        found = regression_metrics(np.zeros(n), error, std=std).miscalibration_area
        curve = calibration_curve(error, std)
        assert curve is not None
        draw_calibration(*curve, tmp_path / "calibration.png")
        assert f"area between the lines {found:.3f}" in written


class TestIntervalsOfErrors:
    def test_that_of_the_mae_is_student_s_over_samples(self) -> None:
        true = np.array([1.0, 2.0, 4.0, np.nan, 7.0])
        said = np.array([1.5, 2.1, 3.0, 3.0, 7.2])
        errors = np.array([0.5, 0.1, 1.0, 0.2])
        ends = stats.t.interval(0.95, 3, errors.mean(), errors.std(ddof=1) / 2)
        found = regression_metrics(true, said).mae_interval
        assert found == pytest.approx((max(ends[0], 0), ends[1]))
        assert found is not None
        assert found[0] == 0 < found[1]

    def test_that_it_holds_what_it_promises(self) -> None:
        rng = np.random.default_rng(1)
        drawn = np.abs(rng.normal(size=(2000, 20)))
        ends = np.array([mean_interval(row) for row in drawn])
        mean = math.sqrt(2 / math.pi)
        share = ((ends[:, 0] <= mean) & (mean <= ends[:, 1])).mean()
        assert 0.925 < share < 0.965

    def test_points_of_one_spectrum_are_no_samples(self) -> None:
        errors = np.array([1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0])
        found = regression_metrics(np.zeros(8), errors, n_points=4)
        assert found.n == 8
        assert found.mae_interval == mean_interval(np.array([1.0, 3.0]))
        assert regression_metrics(np.zeros(4), errors[:4], n_points=4).mae_interval is None

    def test_one_sample_has_none(self) -> None:
        assert regression_metrics(np.array([1.0]), np.array([2.0])).mae_interval is None
        assert regression_metrics(np.zeros(0), np.zeros(0)).mae_interval is None

    def test_that_of_the_accuracy_is_wilson_s(self) -> None:
        probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
        found = classification_metrics(np.array([0.0, 1, 1, 0]), probabilities).accuracy_interval
        ends = stats.binomtest(3, 4).proportion_ci(method="wilson")
        assert found == pytest.approx((ends.low, ends.high))
        assert share_interval(0, 0) is None

    def test_tables_have_it_behind_the_figure(self) -> None:
        figures = regression_metrics(
            np.zeros(3), np.array([0.1, 0.2, 0.3]), target="gap", unit="eV"
        )
        rows = Metrics(n_samples=3, n_failed=0, targets={"gap": figures}).to_rows()
        assert [row[""] for row in rows][:3] == ["samples", "MAE", "MAE, 95 % interval"]
        assert rows[2]["gap"] == "0 to 0.448 eV"
