"""Predicted spectra: accessors, records, tables, error estimates, metrics, explanations."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from atomlens import Predictor
from atomlens.errors import DatasetError, SettingsError
from atomlens.models import make_model
from atomlens.neighbors import make_builder
from atomlens.predictor import Calibration, score
from atomlens.predictor.figures import values_of
from atomlens.predictor.folder.card import model_card
from atomlens.predictor.judged_data import matching_values
from atomlens.predictor.measuring import regression_metrics
from atomlens.predictor.metrics import Metrics
from atomlens.predictor.spectrum_panels import compared_spectra
from atomlens.reports.evaluation_page import calibration_sentence
from atomlens.reports.spectrum_figure import MOST_PANELS, draw_spectra
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling
from spectrum_makers import FORMULAS, GRID, oscillators

pytestmark = pytest.mark.filterwarnings("ignore:.*could not be used")

GAP = Target(name="gap", unit="eV")
RE, IM = Target(name="eps_re", grid=GRID), Target(name="eps_im", grid=GRID, nonnegative=True)
OTHER = Target(name="dos", unit="1/eV", grid=(1.0, 2.0), grid_name="frequency", grid_unit="THz")
SIZES = {"n_features": 8, "n_hidden": (8, 8, 8, 8)}


def predictor(*targets: Target, n_members: int = 2, n_validation: int = 40) -> Predictor:
    """Networks with random weights, calibrated on random residuals that grow along the values."""
    n_values = sum(t.n_values for t in targets)
    residuals = np.random.default_rng(0).normal(size=(n_validation, n_values))
    residuals *= np.linspace(0.5, 2.0, n_values)
    numbers = len(targets)
    return Predictor(
        model_name="finder",
        models=tuple(make_model("finder", n_outputs=n_values, **SIZES) for _ in range(n_members)),
        builder=make_builder("formula", reduce=True),
        scaling=TargetScaling(
            targets=targets,
            means=(2.0,) * numbers,
            stds=(3.0,) * numbers,
            references=({},) * numbers,
        ),
        calibration=Calibration.fit(residuals, None),
    )


def test_a_spectrum_is_taken_out_by_its_name() -> None:
    found = predictor(GAP, RE, IM).predict(["MgO", "no formula!", "CaO"])
    assert found.values.shape == (3, 1 + 2 * len(GRID))
    np.testing.assert_array_equal(found.spectrum(), found.values[:, 1:24])
    np.testing.assert_array_equal(found.spectrum("eps_im"), found.values[:, 24:])
    np.testing.assert_array_equal(found.spectrum_std("eps_im"), found.std[:, 24:])
    low, high = found.spectrum_interval("eps_re")
    assert (low[[0, 2]] < high[[0, 2]]).all()
    assert np.isnan(found.spectrum()[1]).all()
    assert found.spectrum_target("eps_im").grid == GRID
    with pytest.raises(SettingsError, match="Did you mean 'eps_im'"):
        found.spectrum("eps_imm")
    with pytest.raises(SettingsError, match="no spectrum"):
        predictor(GAP).predict("MgO").spectrum()


def test_every_point_has_an_error_of_its_own() -> None:
    std = predictor(RE).predict("MgO").spectrum_std()[0]
    assert std[-1] > 2 * std[0]


def test_nothing_that_cannot_be_negative_is_predicted_below_zero() -> None:
    found = predictor(RE, IM).predict(FORMULAS)
    low, _ = found.spectrum_interval("eps_im")
    assert found.spectrum("eps_im").min() >= 0
    assert low.min() >= 0
    assert found.spectrum_interval("eps_re")[0].min() < 0


def test_a_record_has_lists_and_their_grid() -> None:
    found = predictor(RE, IM).predict(["MgO", "no formula!"])
    record, failed = json.loads(json.dumps(found.to_records(), allow_nan=False))
    assert len(record["eps_re"]) == len(record["eps_im_std"]) == len(GRID)
    assert record["eps_re_low"][3] < record["eps_re"][3] < record["eps_re_high"][3]
    assert record["grid"] == {"name": "energy", "unit": "eV", "values": list(GRID)}
    assert set(failed) == {"name", "source", "error"}


def test_grids_that_differ_are_said_by_target() -> None:
    record = predictor(RE, OTHER).predict("MgO").to_records()[0]
    assert set(record["grid"]) == {"eps_re", "dos"}
    assert record["grid"]["dos"] == {"name": "frequency", "unit": "THz", "values": [1.0, 2.0]}


def test_unknown_errors_are_null_in_a_record() -> None:
    from dataclasses import replace

    model = predictor(RE, n_members=1)
    model = replace(model, calibration=Calibration.nothing(len(GRID)))
    assert set(model.predict("MgO").to_records()[0]["eps_re_std"]) == {None}


def test_rows_of_a_table_are_points() -> None:
    found = predictor(GAP, RE, IM).predict(["MgO", "no formula!", "CaO"])
    rows = found.to_rows()
    assert len(rows) == 2 * len(GRID) + 1
    assert list(rows[0]) == ["name", "source", "formula", "n_atoms",
                             "gap", "gap_std", "gap_low", "gap_high", "energy",
                             "eps_re", "eps_re_std", "eps_re_low", "eps_re_high",
                             "eps_im", "eps_im_std", "eps_im_low", "eps_im_high",
                             "gap_unit", "eps_re_unit", "eps_im_unit", "interval",
                             "seen_in", "warning", "error"]  # fmt: skip
    assert [r["energy"] for r in rows[: len(GRID)]] == list(GRID)
    assert rows[5]["eps_im"] == found.spectrum("eps_im")[0, 5]
    assert {tuple(row) for row in rows} == {tuple(rows[0])}
    failed = {k: v for k, v in rows[len(GRID)].items() if v and not k.endswith("_unit")}
    assert set(failed) == {"name", "source", "error"}


def test_targets_on_other_grids_follow_one_another() -> None:
    rows = predictor(RE, OTHER).predict("MgO").to_rows()
    assert len(rows) == len(GRID) + 2
    assert rows[-1]["frequency"] is not None
    assert rows[-1]["eps_re"] is None
    assert rows[0]["frequency"] is None


def test_the_terminal_shows_a_few_points() -> None:
    (row,) = predictor(RE).predict("MgO").to_summary()
    assert [k for k in row if k.startswith("eps_re")] == [
        f"eps_re {e} eV" for e in ("0.5", "2", "3.25", "4.5", "6")
    ]


def test_a_frame_has_a_row_a_point_with_intervals() -> None:
    frame = predictor(RE).predict(["MgO", "CaO"]).to_frame()
    assert len(frame) == 2 * len(GRID)
    assert {"energy", "eps_re", "eps_re_low", "eps_re_high"} <= set(frame.columns)


def test_a_saved_model_predicts_the_same_spectrum(tmp_path: Path) -> None:
    model = predictor(GAP, RE)
    found, again = model.predict("MgO"), Predictor.load(model.save(tmp_path / "m")).predict("MgO")
    assert again.targets == found.targets
    np.testing.assert_array_equal(found.values, again.values)
    np.testing.assert_array_equal(found.std, again.std)


def test_metrics_of_a_spectrum_are_over_all_materials_and_points() -> None:
    found, true = predictor(RE).predict(FORMULAS), oscillators().values[:, : len(GRID)].copy()
    true[0, 3] = math.nan
    figures = score(found, true)["eps_re"]
    error = (found.values - true)[np.isfinite(true)]
    known = true[np.isfinite(true)]
    assert figures.n == true.size - 1
    assert figures.mae == pytest.approx(np.abs(error).mean())
    assert figures.rmse == pytest.approx(np.sqrt(np.square(error).mean()))
    assert figures.r2 == pytest.approx(1 - np.square(error).sum() / (known.size * known.var()))
    assert figures.mad_mae == pytest.approx(np.abs(known - known.mean()).mean() / figures.mae)


def test_data_on_another_grid_are_refused_with_both_grids() -> None:
    other = Target(name="eps_re", grid=(1.0, 2.0))
    with pytest.raises(DatasetError, match=r"23 points from 0\.5 to 6 eV, and the model predicts a "
                                           "spectrum at 2 points from 1 to 2 eV"):  # fmt: skip
        matching_values(oscillators(), (other,))
    with pytest.raises(DatasetError, match="the model predicts a single number"):
        matching_values(oscillators(), (Target(name="eps_re"),))


@pytest.mark.parametrize("method", ["attention", "occlusion"])
def test_an_explanation_is_of_the_mean_or_of_a_point(method: str) -> None:
    model = predictor(GAP, RE)
    values = model.predict("TiO2").spectrum()[0]
    mean = model.explain("TiO2", method=method, target="eps_re")
    at = model.explain("TiO2", method=method, target="eps_re", at=2.1)
    assert mean.prediction == pytest.approx(values.mean())
    assert mean.std is None
    assert at.prediction == pytest.approx(values[6])  # 2.0 eV is the nearest point
    assert (mean.unit, at.unit) == ("(mean over energy)", "(at 2 eV)")
    for wrong, why in ((0.4, "outside the grid"), (6.1, "outside the grid")):
        with pytest.raises(SettingsError, match=why):
            model.explain("TiO2", method=method, target="eps_re", at=wrong)
    with pytest.raises(SettingsError, match="'gap' is none"):
        model.explain("TiO2", method=method, target="gap", at=2.0)


def test_occlusion_of_the_mean_is_the_mean_of_the_points() -> None:
    model = predictor(RE, n_members=1)
    scores = [model.explain("TiO2", method="occlusion", at=e).scores for e in GRID]
    mean = model.explain("TiO2", method="occlusion").scores
    np.testing.assert_allclose(mean, np.mean(scores, axis=0), atol=1e-6)


def test_best_median_and_worst_are_by_error() -> None:
    found, true = predictor(RE).predict(FORMULAS), oscillators().values[:, : len(GRID)]
    panels = compared_spectra(found, true, "eps_re")
    errors = np.abs(found.values - true).mean(axis=1)
    assert [p.title.split(":")[0] for p in panels] == ["best", "median", "worst"]
    assert f"{errors.min():.3g}" in panels[0].title
    assert f"{errors.max():.3g}" in panels[2].title


def test_a_single_material_is_compared_once() -> None:
    found = predictor(RE).predict("MgO")
    assert len(compared_spectra(found, found.values + 1, "eps_re")) == 1


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_spectra_are_drawn_the_same_every_time(tmp_path: Path, ending: str) -> None:
    found, true = predictor(RE).predict(FORMULAS), oscillators().values[:, : len(GRID)]
    panels = compared_spectra(found, true, "eps_re")
    labels = {"x_label": "energy (eV)", "y_label": "eps_re"}
    paths = [draw_spectra(panels, tmp_path / f"{i}.{ending}", **labels) for i in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_too_many_or_no_spectra_are_not_drawn(tmp_path: Path) -> None:
    found = predictor(RE).predict("MgO")
    (panel,) = compared_spectra(found, found.values, "eps_re")
    for panels in ([], [panel] * (MOST_PANELS + 1)):
        with pytest.raises(SettingsError, match=f"1 to {MOST_PANELS} spectra"):
            draw_spectra(panels, tmp_path / "x.png", x_label="", y_label="")


def test_points_of_a_spectrum_are_no_independent_values() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=(15, 61))
    true[3, :5], true[4] = np.nan, np.nan
    std = np.full(true.shape, 1.0)
    std[:2] = np.nan
    figures = regression_metrics(
        true.ravel(),
        np.zeros(true.size),
        std=std.ravel(),
        low=-1.2 * std.ravel(),
        high=1.2 * std.ravel(),
        n_points=61,
    )
    assert (figures.n, figures.n_structures) == (14 * 61 - 5, 14)
    assert (figures.n_judged, figures.n_judged_structures) == (12 * 61 - 5, 12)
    content = Metrics(n_samples=15, n_failed=0, targets={"eps": figures}).to_dict()
    own = content["targets"]["eps"]
    assert values_of(own) == "849 (of 14 structures)"
    assert values_of({"n": 915, "n_structures": 15}) == "915 (15 structures x 61 points)"
    assert values_of({"n": 7}) == "7"
    said = calibration_sentence(own | {"target": "eps"})
    assert "so few structures (12) do not tell" in said
    assert "which are points of 12 structures" in said
    many = own | {"target": "eps", "n_judged": 12_000, "n_judged_structures": 200}
    assert "too narrow" in calibration_sentence(many)
    single = regression_metrics(np.zeros(4), np.ones(4), std=np.ones(4))
    assert (single.n_structures, single.n_judged_structures) == (None, None)


def test_the_card_says_where_the_points_of_a_spectrum_stand() -> None:
    card = model_card(predictor(GAP, OTHER))
    assert "a spectrum of 2 points from 1 to 2 THz (frequency)" in card
    assert card.count("one value a structure") == 1
