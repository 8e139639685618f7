"""Error estimates and intervals from the validation part."""

import json
import math

import numpy as np
import pytest

from atomlens.errors import ModelError
from atomlens.predictor.trust.calibration import (
    Calibration,
    Spread,
    conformal_quantile,
    deal_folds,
    fit_spread,
)


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
    target = Calibration.fit(residuals, Spread(members=spread)).targets[0]
    assert target is not None
    assert target.quantile < 2.5


@pytest.mark.parametrize("n", [5, 29, 30, 500])
def test_squared_errors_over_std_average_to_one(generator: np.random.Generator, n: int) -> None:
    spread = generator.uniform(0.5, 2, (n, 1))
    residuals = generator.normal(size=(n, 1)) * spread
    calibration = Calibration.fit(residuals, Spread(members=spread))
    z = residuals / calibration.std(Spread(members=spread), n)
    assert np.square(z).mean() == pytest.approx(1)


def test_an_ensemble_that_always_agrees_falls_back_to_the_rmse() -> None:
    calibration = Calibration.fit(np.array([[1.0], [3.0]]), Spread(members=np.zeros((2, 1))))
    assert calibration.std(Spread(members=np.zeros((1, 1))), 1) == pytest.approx(math.sqrt(5))


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


def test_no_value_is_judged_by_a_fit_that_has_seen_it(generator: np.random.Generator) -> None:
    """The scores are those of fits on the other parts, done by hand."""
    spread = generator.uniform(0.1, 3, (100, 1))
    residuals = generator.normal(size=(100, 1)) * spread
    folds = deal_folds(np.arange(100))
    assert np.bincount(folds).tolist() == [20] * 5
    factor, floor = fit_spread(np.abs(residuals[:, 0]), spread[:, 0])
    whole, scores = np.log(np.hypot(factor * spread[:, 0], floor)), np.empty(100)
    for part in range(5):
        own = folds == part
        factor, floor = fit_spread(np.abs(residuals[~own, 0]), spread[~own, 0])
        std = np.log(np.hypot(factor * spread[:, 0], floor))
        std = np.exp(std + (whole - std).mean())  # of the common size
        scores[own] = np.abs(residuals[own, 0]) / std[own]
    target = Calibration.fit(residuals, Spread(members=spread)).targets[0]
    assert target is not None
    assert target.n_folds == 5
    assert target.quantile == pytest.approx(conformal_quantile(scores, 0.9), rel=1e-12)


def test_a_group_is_never_cut(generator: np.random.Generator) -> None:
    groups = generator.integers(0, 40, 300)
    folds = deal_folds(groups)
    assert all(len(np.unique(folds[groups == g])) == 1 for g in range(40))
    assert len(np.unique(folds)) == 5


def test_snapshots_of_one_molecule_are_dealt_one_by_one() -> None:
    assert np.bincount(deal_folds(np.zeros(50, dtype=int))).tolist() == [10] * 5


def test_few_values_are_fitted_together(generator: np.random.Generator) -> None:
    target = Calibration.fit(
        generator.normal(size=(12, 1)), Spread(members=np.ones((12, 1)))
    ).targets[0]
    assert target is not None
    assert target.n_folds == 0


def test_without_validation_nothing_is_claimed() -> None:
    nothing = Calibration.nothing(2)
    assert np.isnan(nothing.std(None, 3)).all()
    assert np.isnan(nothing.quantiles).all()
    assert (nothing.std(Spread(members=np.ones((3, 2))), 3) == 1).all()


def test_json_and_back_changes_no_bit(generator: np.random.Generator) -> None:
    fitted = Calibration.fit(
        generator.normal(size=(5, 2)), Spread(members=generator.uniform(size=(5, 2)))
    )
    both = Calibration(targets=(*fitted.targets, None))
    text = json.dumps(both.to_list(), allow_nan=False)
    assert Calibration.from_list(json.loads(text), 3) == both


@pytest.mark.parametrize("content", [[{}], [{"n": "x"}], ["a"], [None, None], 3, None])
def test_a_damaged_calibration_is_a_sentence(content: object) -> None:
    with pytest.raises(ModelError, match="calibration"):
        Calibration.from_list(content, 1)


@pytest.mark.parametrize(
    "name",
    [
        "rmse",
        "spread_factor",
        "floor",
        "growth",
        "quantile",
        "largest_noise",
        "largest_spread",
        "largest_remoteness",
    ],
)
def test_a_calibration_with_a_text_for_nan_is_refused(name: str) -> None:
    sound = {"n": 4, "rmse": 1.0, "spread_factor": 1.0, "floor": 0.5, "quantile": 2.0}
    assert Calibration.from_list([sound], 1).targets[0] is not None
    with pytest.raises(ModelError, match="'nan' is no number"):
        Calibration.from_list([{**sound, name: "nan"}], 1)


def test_a_spread_that_runs_away_is_cut() -> None:
    generator = np.random.default_rng(0)
    spread = np.exp(generator.normal(size=(1000, 1)))
    residuals = spread * generator.normal(size=(1000, 1))
    free = Calibration.fit(residuals, Spread(members=spread))
    cut = Calibration.fit(residuals, Spread(noise=spread))
    usual, wild = np.array([[1.0]]), np.array([[1e6]])
    assert cut.std(Spread(noise=usual), 1) == pytest.approx(
        free.std(Spread(members=usual), 1), rel=0.05
    )
    assert free.std(Spread(members=wild), 1) > 1e5
    assert cut.std(Spread(noise=wild), 1) <= cut.std(Spread(noise=spread), 1000).max()
    back = Calibration.from_list(cut.to_list(), 1)
    assert back == cut


def test_spreads_that_say_nothing_above_a_bound_are_believed_up_to_it() -> None:
    """As of a noise head that runs away on a few of the structures it was not taught on."""
    generator = np.random.default_rng(0)
    spread = np.exp(0.5 * generator.normal(size=(2000, 1)))
    residuals = np.minimum(spread, 2.0) * generator.laplace(size=(2000, 1))
    spread[:40] *= 1000
    free = Calibration.fit(residuals, Spread(members=spread))
    cut = Calibration.fit(residuals, Spread(noise=spread))
    assert free.targets[0] is not None
    assert cut.targets[0] is not None
    assert free.targets[0].spread_factor < 0.02  # a few spreads have spoilt all others
    assert cut.targets[0].spread_factor == pytest.approx(math.sqrt(2), rel=0.15)
    assert 1.0 < cut.targets[0].largest_noise < 4.0
    scaled = residuals / cut.std(Spread(noise=spread), 2000)
    assert np.square(scaled).mean() == pytest.approx(1)


def test_that_members_disagree_is_believed_where_noise_runs_away() -> None:
    """Networks that answer 0.4, 0.6 and 3.1 are not sure, whatever their noise heads say."""
    generator = np.random.default_rng(0)
    members, noise = np.exp(generator.normal(size=(2, 2000, 1)))
    residuals = np.hypot(members, np.minimum(noise, 2.0)) * generator.normal(size=(2000, 1))
    noise[:40] *= 1000
    fitted = Calibration.fit(residuals, Spread(members=members, noise=noise))
    assert fitted.targets[0] is not None
    assert 1.0 < fitted.targets[0].largest_noise < 4.0
    one, far = np.array([[1.0]]), np.array([[50.0]])
    assert fitted.std(Spread(members=far, noise=one), 1) == pytest.approx(50.0, rel=0.2)
    assert fitted.std(Spread(members=one, noise=far), 1) < 5.0
    assert Calibration.from_list(json.loads(json.dumps(fitted.to_list())), 1) == fitted


def test_an_older_calibration_cuts_both_together() -> None:
    older = {"n": 99, "rmse": 1.0, "spread_factor": 1.0, "floor": 0.0, "quantile": 2.0}
    found = Calibration.from_list([{**older, "largest_spread": 3.0}], 1)
    wild = np.array([[1e6]])
    assert found.std(Spread(members=wild, noise=wild), 1) == pytest.approx(3.0)


def test_errors_that_grow_with_the_distance_are_expected_to(generator: np.random.Generator) -> None:
    far = generator.uniform(0.3, 3.0, size=3000)
    spread = generator.uniform(0.5, 1.5, size=(3000, 1))
    residuals = spread * np.maximum(far, 1)[:, None] ** 2 * generator.normal(size=(3000, 1))
    known = Calibration.fit(residuals, Spread(members=spread), remoteness=far)
    unknown = Calibration.fit(residuals, Spread(members=spread))
    assert known.targets[0] is not None
    assert known.targets[0].growth == 2.0
    one, far_out = np.array([[1.0]]), np.array([2.5])
    assert known.std(Spread(members=one), 1, far_out) == pytest.approx(
        6.25 * known.std(Spread(members=one), 1), rel=1e-9
    )
    for calibration, least, most in ((known, 0.86, 0.94), (unknown, 0.0, 0.75)):
        half = calibration.quantiles * calibration.std(Spread(members=spread), 3000, far)
        inside = (np.abs(residuals) <= half)[far > 2.5].mean()
        assert least < inside < most
    assert Calibration.from_list(json.loads(json.dumps(known.to_list())), 1) == known


def test_errors_that_do_not_grow_are_not_expected_to(generator: np.random.Generator) -> None:
    fitted = Calibration.fit(
        generator.normal(size=(3000, 1)), None, remoteness=generator.uniform(0.3, 3.0, size=3000)
    )
    assert fitted.targets[0] is not None
    assert fitted.targets[0].growth == 0.0
    assert fitted.targets[0].floor == pytest.approx(1.0, rel=0.05)


def test_one_value_far_out_does_not_widen_all_intervals() -> None:
    """It is in one part of five only, whose judges have not seen it and are smaller for that."""
    covered = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        spread = generator.lognormal(0, 0.3, (2400, 1))
        errors = generator.laplace(size=(2400, 1)) * spread
        errors[0] = 500.0
        calibration = Calibration.fit(errors[:400], Spread(noise=spread[:400]))
        half = calibration.quantiles * calibration.std(Spread(noise=spread[400:]), 2000)
        covered.append(float((np.abs(errors[400:]) < half).mean()))
    assert np.mean(covered) == pytest.approx(0.9, abs=0.015)


def test_the_parts_are_judged_by_fits_of_the_same_kind() -> None:
    """30 values are enough to fit how errors follow the spread; so are the 24 of four parts."""
    generator = np.random.default_rng(5)
    inside = []
    for _ in range(300):
        spread = generator.lognormal(0, 0.7, (230, 1))
        residuals = generator.normal(size=(230, 1)) * spread
        calibration = Calibration.fit(residuals[:30], Spread(members=spread[:30]))
        std = calibration.std(Spread(members=spread[30:]), 200)
        inside.append((np.abs(residuals[30:]) <= calibration.quantiles * std).mean())
    assert 0.88 < np.mean(inside) < 0.925  # 0.94 where the parts were judged by a fixed share


def test_errors_do_not_grow_beyond_what_the_validation_part_shows() -> None:
    """A power fitted where most values are says nothing of a distance that hardly any has."""
    generator = np.random.default_rng(0)
    far = np.exp(0.5 * generator.normal(size=4000))
    residuals = (np.maximum(far, 1) ** 1.5)[:, None] * generator.laplace(size=(4000, 1))
    fitted = Calibration.fit(residuals, None, remoteness=far).targets[0]
    assert fitted is not None
    assert fitted.growth == 1.5
    assert fitted.largest_remoteness == pytest.approx(np.quantile(far, 0.99))
    at = fitted.std(None, 3, np.array([1.0, fitted.largest_remoteness, 50.0]))
    assert at[1] > 4 * at[0]
    assert at[2] == at[1]
    back = Calibration.from_list(
        json.loads(json.dumps(Calibration(targets=(fitted,)).to_list())), 1
    )
    assert back.targets[0] == fitted


def test_a_few_values_far_out_do_not_make_std_wider_than_the_interval(
    generator: np.random.Generator,
) -> None:
    """As of refractive indices, of which one in a hundred is ten times the others."""
    residuals = generator.normal(size=(2000, 1))
    usual = Calibration.fit(residuals, None).targets[0]
    residuals[::100] *= 100
    fitted = Calibration.fit(residuals, None).targets[0]
    assert usual is not None
    assert fitted is not None
    assert fitted.rmse > 5
    assert fitted.quantile == 1.0
    assert fitted.floor == pytest.approx(usual.floor * usual.quantile, rel=0.05)
    assert np.mean(np.abs(residuals) <= fitted.floor) == pytest.approx(0.9, abs=0.01)
