"""Error estimates and intervals from the validation part."""

import json
import math

import numpy as np
import pytest

from atomlens.errors import ModelError
from atomlens.predictor.calibration import Calibration, conformal_quantile, fit_spread


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_without_a_spread_the_error_is_the_rmse() -> None:
    calibration = Calibration.fit(np.array([[1.0], [-3.0], [np.nan]]), None)
    assert calibration.std(None, 2) == pytest.approx(np.full((2, 1), math.sqrt(5)))


def test_a_spread_that_tells_the_error_is_used_with_its_factor(
    generator: np.random.Generator,
) -> None:
    spread = generator.uniform(0.1, 3, 4000)
    factor, floor = fit_spread(np.abs(generator.normal(size=4000) * 2 * spread), spread)
    assert factor == pytest.approx(2, rel=0.1)
    assert floor < 1.0


def test_a_spread_that_tells_nothing_is_not_used(generator: np.random.Generator) -> None:
    spread = generator.uniform(0.1, 3, 4000)
    factor, floor = fit_spread(np.abs(generator.normal(size=4000)), spread)
    assert factor < 0.2
    assert floor == pytest.approx(1, rel=0.1)


def test_members_that_agree_by_chance_do_not_blow_the_interval_up(
    generator: np.random.Generator,
) -> None:
    """Spreads of two members are now and then almost zero; their errors are not."""
    spread = np.abs(generator.normal(size=(300, 1)))
    residuals = generator.normal(size=(300, 1))
    target = Calibration.fit(residuals, spread).targets[0]
    assert target is not None
    assert target.quantile < 2.5


@pytest.mark.parametrize("n", [5, 29, 30, 500])
def test_squared_errors_over_std_average_to_one(generator: np.random.Generator, n: int) -> None:
    spread = generator.uniform(0.5, 2, (n, 1))
    residuals = generator.normal(size=(n, 1)) * spread
    calibration = Calibration.fit(residuals, spread)
    z = residuals / calibration.std(spread, n)
    assert np.square(z).mean() == pytest.approx(1)


def test_an_ensemble_that_always_agrees_falls_back_to_the_rmse() -> None:
    calibration = Calibration.fit(np.array([[1.0], [3.0]]), np.zeros((2, 1)))
    assert calibration.std(np.zeros((1, 1)), 1) == pytest.approx(math.sqrt(5))


def test_the_quantile_is_the_conformal_one() -> None:
    """k = ceil((n + 1) 0.9): the 9th of 9, the 18th of 19; too few promise nothing finite."""
    assert conformal_quantile(np.arange(1.0, 10), 0.9) == 9
    assert conformal_quantile(np.arange(1.0, 20), 0.9) == 18
    assert conformal_quantile(np.arange(1.0, 9), 0.9) == math.inf


def test_intervals_cover_nine_of_ten_new_values(generator: np.random.Generator) -> None:
    inside = []
    for _ in range(300):
        residuals = generator.standard_t(2, size=(60, 1))
        calibration = Calibration.fit(residuals, None)
        half = calibration.quantiles * calibration.std(None, 1)
        inside.append(np.abs(generator.standard_t(2)) <= half[0, 0])
    assert np.mean(inside) == pytest.approx(0.9, abs=0.06)


def test_without_validation_nothing_is_claimed() -> None:
    nothing = Calibration.nothing(2)
    assert np.isnan(nothing.std(None, 3)).all()
    assert np.isnan(nothing.quantiles).all()
    assert (nothing.std(np.ones((3, 2)), 3) == 1).all()


def test_json_and_back_changes_no_bit(generator: np.random.Generator) -> None:
    fitted = Calibration.fit(generator.normal(size=(5, 2)), generator.uniform(size=(5, 2)))
    both = Calibration(targets=(*fitted.targets, None))
    text = json.dumps(both.to_list(), allow_nan=False)
    assert Calibration.from_list(json.loads(text), 3) == both


@pytest.mark.parametrize("content", [[{}], [{"n": "x"}], ["a"], [None, None], 3, None])
def test_a_damaged_calibration_is_a_sentence(content: object) -> None:
    with pytest.raises(ModelError, match="calibration"):
        Calibration.from_list(content, 1)


def test_a_spread_that_runs_away_is_cut() -> None:
    generator = np.random.default_rng(0)
    spread = np.exp(generator.normal(size=(1000, 1)))
    residuals = spread * generator.normal(size=(1000, 1))
    free = Calibration.fit(residuals, spread)
    cut = Calibration.fit(residuals, spread, cut_spread=True)
    usual, wild = np.array([[1.0]]), np.array([[1e6]])
    assert cut.std(usual, 1) == free.std(usual, 1)
    assert free.std(wild, 1) > 1e5
    assert cut.std(wild, 1) < 3 * free.std(spread, 1000).max()
    back = Calibration.from_list(cut.to_list(), 1)
    assert back == cut
