"""AtomlensRegressor and AtomlensClassifier keep scikit-learn's contract.

scikit-learn's own checks feed arrays of numbers, which are no structures: what they ask of the
parameters is asked of the estimators themselves, the rest of a thin child that writes the numbers
as formulas.
"""

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk, molecule

pytest.importorskip("sklearn")

import joblib
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks as checks

from atomlens.errors import DatasetError, SettingsError, StructureError
from atomlens.sklearn import AtomlensClassifier, AtomlensRegressor
from atomlens.training import TrainSettings

FORMULAS = ["NaCl", "KCl", "LiCl", "NaBr", "KBr", "LiBr", "NaI", "KI", "LiI", "MgO", "CaO", "SrO"]
MASSES = np.array([float(len(f)) for f in FORMULAS])
KINDS = np.array(["salt"] * 9 + ["oxide"] * 3)
ALL: dict[str, Any] = {"split": "random:1./0./0."}
SMALL = {"n_layers": 1, "n_features": 16, "n_heads": 2}
QUICK: dict[str, Any] = {**ALL, "epochs": 1, "model_settings": SMALL}

OF_PARAMETERS = (
    checks.check_estimator_cloneable,
    checks.check_estimator_tags_renamed,
    checks.check_valid_tag_types,
    checks.check_estimator_repr,
    checks.check_no_attributes_set_in_init,
    checks.check_do_not_raise_errors_in_init_or_set_params,
    checks.check_mixin_order,
    checks.check_parameters_default_constructible,
    checks.check_get_params_invariance,
    checks.check_set_params,
)
OF_FITTING = (
    checks.check_fit_score_takes_y,
    checks.check_estimators_overwrite_params,
    checks.check_dont_overwrite_parameters,
    checks.check_estimators_fit_returns_self,
    checks.check_readonly_memmap_input,
    checks.check_estimators_unfitted,
    checks.check_estimators_dtypes,
    checks.check_pipeline_consistency,
    checks.check_estimators_pickle,
    checks.check_f_contiguous_array_estimator,
    checks.check_methods_sample_order_invariance,
    checks.check_methods_subset_invariance,
    checks.check_dict_unchanged,
    checks.check_fit_idempotent,
    checks.check_fit_check_is_fitted,
)


def _as_formulas(X: Any) -> list[str]:  # noqa: N803
    """Write rows of numbers as formulas: amounts of as many elements as there are columns."""
    elements = ("Na", "Cl", "K", "Br", "Mg", "O", "Ca", "S", "Li", "I")
    X = np.asarray(X, dtype=float)
    X = X.reshape(len(X), -1)
    amounts = np.clip(np.round(np.abs(X) * 3), 0, 30).astype(int) + 1
    return ["".join(f"{e}{n}" for e, n in zip(elements, row, strict=False)) for row in amounts]


class NumbersRegressor(AtomlensRegressor):  # type: ignore[misc]
    def _structures(self, given: Any, n_values: int | None = None) -> Any:
        return super()._structures(_as_formulas(given), n_values)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        tags.input_tags.string = False
        return tags


class NumbersClassifier(AtomlensClassifier):  # type: ignore[misc]
    _structures = NumbersRegressor._structures
    __sklearn_tags__ = NumbersRegressor.__sklearn_tags__


@pytest.mark.parametrize("check", OF_PARAMETERS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("kind", [AtomlensRegressor, AtomlensClassifier])
def test_scikit_learns_checks_of_parameters(
    kind: type[BaseEstimator], check: Callable[..., None]
) -> None:
    check(kind.__name__, kind())


@pytest.mark.parametrize("kind", [AtomlensRegressor, AtomlensClassifier])
def test_check_estimator_takes_both(kind: type[BaseEstimator]) -> None:
    with pytest.warns(SkipTestWarning):  # it has no structures to go on with
        checks.check_estimator(kind())


@pytest.mark.parametrize("check", OF_FITTING, ids=lambda c: c.__name__)
def test_scikit_learns_checks_of_fitting(check: Callable[..., None]) -> None:
    check("AtomlensRegressor", NumbersRegressor("ridge", **ALL))


def test_every_setting_of_a_training_is_a_parameter() -> None:
    from dataclasses import fields

    known = {f.name for f in fields(TrainSettings)}
    assert set(AtomlensRegressor().get_params()) == {"model", "extensive", "on_error", *known}
    given = {**ALL, "batch_size": 7, "precision": "bf16-mixed"}
    settings = AtomlensRegressor(**given)._settings()
    assert (settings.batch_size, settings.precision) == (7, "bf16-mixed")
    assert AtomlensRegressor()._settings().epochs == TrainSettings().epochs


def test_a_classifier_learns_labels_and_gives_them_back() -> None:
    model = AtomlensClassifier("lens", **{**QUICK, "epochs": 60, "learning_rate": 1e-2}).fit(
        FORMULAS, KINDS
    )
    assert model.classes_.tolist() == ["oxide", "salt"]
    shares = model.predict_proba(FORMULAS)
    assert shares.shape == (12, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert model.score(FORMULAS, KINDS) == 1.0
    numbers = AtomlensClassifier("lens", **QUICK).fit(FORMULAS, (KINDS == "salt").astype(int))
    assert set(numbers.predict(FORMULAS).tolist()) <= {0, 1}


def test_a_fitted_model_survives_pickle_and_joblib(tmp_path: Any) -> None:
    model = AtomlensRegressor("ridge", **ALL).fit(FORMULAS, MASSES)
    joblib.dump(model, tmp_path / "model.joblib")
    before = model.predict(FORMULAS)
    for again in (
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ):
        np.testing.assert_array_equal(again.predict(FORMULAS), before)


def test_grid_search_goes_over_settings_of_the_model_in_a_pipeline() -> None:
    pipeline = make_pipeline(
        FunctionTransformer(lambda rows: rows), AtomlensRegressor("ridge", **ALL)
    )
    grid = {"atomlensregressor__model_settings": [{"l2": 1e-6}, {"l2": 1e6}]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(FORMULAS, MASSES)
    assert search.best_params_ == {"atomlensregressor__model_settings": {"l2": 1e-6}}


def test_the_same_structures_in_every_form_give_the_same_answer() -> None:
    pymatgen = pytest.importorskip("pymatgen.core")
    model = AtomlensRegressor("ridge", **ALL).fit(FORMULAS, MASSES)
    expected = model.predict(["NaCl"])
    lattice = pymatgen.Lattice.cubic(5.64)
    salt = pymatgen.Structure.from_spacegroup("Fm-3m", lattice, ["Na", "Cl"], [[0] * 3, [0.5] * 3])
    salt = salt.get_primitive_structure()
    for given in (
        [bulk("NaCl", "rocksalt", a=5.64)],
        [salt],
        [salt.composition],
        np.array([["NaCl"]]),
        pd.Series(["NaCl"]),
        pd.DataFrame({"anything": ["NaCl"]}),
        pd.DataFrame({"formula": ["NaCl"], "pressure": [1.0]}),
    ):
        np.testing.assert_allclose(model.predict(given), expected, rtol=1e-5)


def test_a_column_of_a_frame_is_cross_validated() -> None:
    frame = pd.DataFrame({"formula": FORMULAS, "mass": MASSES}, index=range(5, 17))
    said = cross_val_predict(
        AtomlensRegressor("mean", **ALL), frame["formula"], frame["mass"], cv=3
    )
    assert said[:4] == pytest.approx([MASSES[4:].mean()] * 4)
    again = cross_val_predict(AtomlensRegressor("mean", **ALL), frame, frame["mass"], cv=3)
    np.testing.assert_allclose(again, said)


@pytest.mark.parametrize("given", ["NaCl", molecule("H2O"), np.zeros((2, 3)), 7, {"a": 1}])
def test_what_is_no_list_of_structures_is_refused(given: Any) -> None:
    with pytest.raises(StructureError, match="X"):
        AtomlensRegressor("mean", **ALL).fit(given, [1.0, 2.0])


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (["a", "a"], "1 class"),
        ([0.5, 1.5], "no labels"),
        ([1.0, np.nan], "missing"),
        (["a", None], "missing"),
        (np.array(["a", 1], dtype=object), "several kinds"),
        (["a", "b", "c"], "2 structures and y has 3"),
        ([["a", "b"]], "shape"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(labels: Any, why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        AtomlensClassifier("lens", **QUICK).fit(["NaCl", "MgO"], labels)


def test_an_unfitted_classifier_says_so_and_its_clone_keeps_the_parameters() -> None:
    model = AtomlensClassifier("lens", **QUICK)
    with pytest.raises(NotFittedError):
        model.predict(FORMULAS)
    assert clone(model).get_params() == model.get_params()


@pytest.mark.filterwarnings("ignore:.*read as SMILES")
def test_a_list_of_formulas_is_read_as_formulas_in_fit_and_predict() -> None:
    values = np.arange(12.0)
    salts = ["LiF", "LiCl", "NaF", "NaCl", "KF", "KCl", "MgO", "CaO", "SrO", "BN", "C", "SiC"]
    model = AtomlensRegressor(model="ridge").fit(salts, values)
    assert model.predictor_.reads_formulas
    both = model.predict(["BN", "C"])
    assert both == pytest.approx(model.predict(["formula:BN", "formula:C"]))
    chains = ["C" * n for n in range(1, 13)]
    assert not AtomlensRegressor(model="ridge").fit(chains, values).predictor_.reads_formulas


def test_settings_inside_a_block_can_be_searched_for() -> None:
    made = AtomlensRegressor("ridge", model_settings={"l2": 1.0})
    made.set_params(model_settings__element_vectors="magpie", epochs=3)
    assert made.model_settings == {"l2": 1.0, "element_vectors": "magpie"}
    assert made.epochs == 3
    smiles = ["smiles:" + "C" * n for n in range(1, 13)]
    search = GridSearchCV(
        AtomlensRegressor("ridge"), {"model_settings__l2": [1e-3, 1e3]}, cv=2, error_score="raise"
    )
    search.fit(smiles, np.arange(12.0))
    found = search.best_params_["model_settings__l2"]
    assert search.best_estimator_.predictor_.config.l2 == found


def test_weights_of_samples_are_refused_in_a_sentence() -> None:
    smiles, values = ["NaCl", "KCl", "LiF"], [1.0, 2.0, 3.0]
    for kind in (AtomlensRegressor, AtomlensClassifier):
        with pytest.raises(SettingsError, match="fit takes no sample_weight, as every sample"):
            kind("mean").fit(smiles, values, sample_weight=[1, 1, 1])
        with pytest.raises(SettingsError, match="'epochs'; it is a parameter of Atomlens"):
            kind("mean").fit(smiles, values, epochs=3)
    AtomlensRegressor("mean", split="random:3/0/0").fit(smiles, values, sample_weight=None)


def test_a_search_says_the_same_once() -> None:
    smiles = ["smiles:" + "C" * n for n in range(1, 19)] + ["smiles:Cl", "smiles:Br"] * 3
    values = np.arange(24.0)
    folds = KFold(3, shuffle=True, random_state=0)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        ridge = AtomlensRegressor("ridge", epochs=3)
        cross_val_score(ridge, smiles, values, cv=GroupedLast(folds))
    said = [str(w.message) for w in found]
    assert len([text for text in said if "should be mistrusted" in text]) == 1
    assert len([text for text in said if "epochs is ignored" in text]) == 1
    fitted = AtomlensRegressor("ridge").fit(smiles[:18], values[:18])
    for _ in range(2):
        with pytest.warns(UserWarning, match="should be mistrusted"):
            fitted.predict(["smiles:Cl", "smiles:CC"])


class GroupedLast:
    """Folds that each test an element which the others lack."""

    def __init__(self, folds: KFold) -> None:
        self.folds = folds

    def split(self, *_: Any, **__: Any) -> Any:
        every = np.arange(18)
        for train, test in self.folds.split(every):
            yield train, np.concatenate([test, np.arange(18, 24)])

    def get_n_splits(self, *_: Any) -> int:
        return 3
