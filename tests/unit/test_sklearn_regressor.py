"""AtomlensRegressor behaves as scikit-learn expects."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from atomlens.errors import DatasetError, SettingsError, StructureError
from atomlens.sklearn import AtomlensRegressor

STRUCTURES = ["C", "CC", "CCC", "CCCC", "CCCCC", "O", "CCO", "CCCO", "N", "CN", "CCN", "CCCN"]
SIZES = np.array([float(s.count("C")) for s in STRUCTURES])


def _smiles() -> list[str]:
    return [f"smiles:{s}" for s in STRUCTURES]


def test_a_linear_property_is_learned_by_ridge() -> None:
    model = AtomlensRegressor("ridge", split="random:1./0./0.", model_settings={"l2": 1e-8})
    assert model.fit(_smiles(), SIZES) is model
    assert model.predict(["smiles:CCCCCC"]) == pytest.approx([6.0], abs=0.05)
    assert model.score(_smiles(), SIZES) > 0.99


def test_a_prediction_comes_with_its_standard_deviation_where_it_is_asked_for() -> None:
    model = AtomlensRegressor("ridge", split="random:.5/.5/0.").fit(_smiles(), SIZES)
    values, std = model.predict(["smiles:CC", "smiles:CCO"], return_std=True)
    assert values == pytest.approx(model.predict(["smiles:CC", "smiles:CCO"]))
    assert std == pytest.approx(model.predictor_.predict(["smiles:CC", "smiles:CCO"]).std[:, 0])


def test_a_clone_has_the_same_settings_and_no_model() -> None:
    model = AtomlensRegressor("ridge", epochs=3, model_settings={"l2": 0.1})
    model.fit(_smiles(), SIZES)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "predictor_")


def test_settings_can_be_changed_by_name() -> None:
    model = AtomlensRegressor("ridge").set_params(model="mean", seed=4)
    assert (model.model, model.seed, model.epochs) == ("mean", 4, None)


def test_an_unknown_setting_is_refused_and_an_impossible_one_when_it_is_used() -> None:
    with pytest.raises(TypeError, match="'epoch'"):
        AtomlensRegressor(epoch=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        AtomlensRegressor().set_params(epoch=3)
    with pytest.raises(SettingsError, match="epochs=-1"):
        AtomlensRegressor("mean", epochs=-1).fit(_smiles(), SIZES)


def test_it_works_in_cross_validation_and_grid_search() -> None:
    scores = cross_val_score(
        AtomlensRegressor("mean"), _smiles(), SIZES, cv=3, scoring="neg_mean_absolute_error"
    )
    assert scores.shape == (3,)
    search = GridSearchCV(
        AtomlensRegressor(split="random:1./0./0."), {"model": ["mean", "ridge"]}, cv=3
    )
    assert search.fit(_smiles(), SIZES).best_params_ == {"model": "ridge"}


def test_an_unfitted_regressor_says_so() -> None:
    with pytest.raises(NotFittedError):
        AtomlensRegressor().predict(["C"])


def test_a_bad_structure_is_named_not_dropped() -> None:
    with pytest.raises(StructureError, match="Xy3"):
        AtomlensRegressor("mean").fit(["smiles:C", "Xy3"], [1.0, 2.0])


def test_bad_structures_are_named_with_their_rows_and_labels() -> None:
    X = pd.Series(["CCC", "C(", "OCC", "Xy3Q"], index=[7, 8, 9, 10])
    said = r"2 of 4 rows .* row 1 \(index 8\): .*; row 3 \(index 10\): .*on_error"
    with pytest.raises(StructureError, match=said):
        AtomlensRegressor("mean").fit(X, [1.0, 2.0, 3.0, 4.0])
    model = AtomlensRegressor("mean", split="random:1./0./0.").fit(["CCC", "OCC"], [1.0, 3.0])
    with pytest.raises(StructureError, match=said):
        model.predict(X)


def test_bad_structures_are_nan_where_that_is_asked_for() -> None:
    X = ["CCC", "C(", "OCC"]
    model = AtomlensRegressor("mean", on_error="nan", split="random:1./0./0.")
    with pytest.warns(UserWarning, match=r"1 of 3 rows .* row 1: .* They are left out"):
        model.fit(X, [1.0, 100.0, 3.0])
    with pytest.warns(UserWarning, match=r"row 1: .* They are NaN"):
        np.testing.assert_allclose(model.predict(X), [2.0, np.nan, 2.0])
    with pytest.raises(SettingsError, match="on_error"):
        AtomlensRegressor("mean", on_error="nam").fit(X, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([1.0], "2 structures and y has 1"),
        ([1.0, np.nan], "1 values of y are not finite"),
        ([[1.0, 2.0]], "y has shape .* of several targets fit an estimator each"),
        (["a", "b"], "no number"),
    ],
)
def test_values_that_do_not_fit_are_refused(values: list[float], why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        AtomlensRegressor("mean").fit(["smiles:C", "smiles:CC"], values)


def test_the_trained_model_can_explain() -> None:
    model = AtomlensRegressor("ridge").fit(_smiles(), SIZES)
    explained = model.predictor_.explain("smiles:CO", method="occlusion")
    symbols = np.array(explained.atoms.get_chemical_symbols())
    assert np.ptp(explained.scores[symbols == "H"]) == pytest.approx(0, abs=1e-6)


def test_complex_values_are_refused() -> None:
    with pytest.raises(DatasetError, match="complex"):
        AtomlensRegressor("mean").fit(_smiles(), SIZES + 1j)
