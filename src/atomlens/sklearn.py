"""scikit-learn estimators over atomlens models: `AtomlensRegressor`, `AtomlensClassifier`.

scikit-learn is optional (``pip install "atomlens[sklearn]"``); without it, importing this
module raises a MissingDependencyError.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.tables.cells import is_time
from atomlens.datasets.tables.frames import as_frame, is_frame, refuse_other_order, refuse_set
from atomlens.errors import (
    DatasetError,
    SettingsError,
    StructureError,
    missing_package,
    unknown_name,
    warn,
)
from atomlens.predictor.inputs import Inputs, gather, index_of
from atomlens.printing import cut, shown
from atomlens.structures.options import AS_IT_IS
from atomlens.structures.text import both_among_formulas
from atomlens.targets import Target
from atomlens.training import TrainingProgress, TrainSettings, train

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
except ImportError:
    what = "A model for scikit-learn"
    raise missing_package(what, "scikit-learn", "sklearn") from None

if TYPE_CHECKING:
    from atomlens.models import PropertyModel
    from atomlens.predictor import Prediction, Predictor

__all__ = ["AtomlensClassifier", "AtomlensRegressor"]

_TARGET = "value"
_SETTINGS = tuple(f.name for f in fields(TrainSettings))
_SPLIT = "random:.9/.1/0"
_ON_ERROR = ("raise", "nan")
_BLOCKS = ("model_settings", "builder_settings")
"""Parameters that hold settings of their own, which a search names ``model_settings__l2``."""


class _AtomlensEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: their parameters, and structures out of ``X``."""

    predictor_: "Predictor"
    _told: set[str]

    def __init__(
        self,
        model: "str | type[PropertyModel] | Any | None" = None,
        *,
        extensive: bool = False,
        on_error: str = "raise",
        epochs: int | None = None,
        schedule_seconds: float | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        min_learning_rate: float | None = None,
        schedule: str | None = None,
        warmup_epochs: float | None = None,
        restart_epochs: int | None = None,
        restart_below: float | None = None,
        plateau_patience: int | None = None,
        decay: float | None = None,
        optimizer: str | None = None,
        beta1: float | None = None,
        beta2: float | None = None,
        epsilon: float | None = None,
        regularization: float | None = None,
        weight_decay: float | None = None,
        loss: str | None = None,
        target_weights: str | None = None,
        attention_labels: str | None = None,
        attention_weight: float | None = None,
        huber_delta: float | None = None,
        clipping: str | None = None,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        patience: int | None = None,
        precision: str | None = None,
        matmul_precision: str | None = None,
        seed: int | None = None,
        split: str | None = None,
        calibration_share: float | None = None,
        scaling: str | None = None,
        reference: str | None = None,
        ensemble: int | None = None,
        devices: int | None = None,
        accelerator: str | None = None,
        record_steps: bool | None = None,
        n_workers: int | None = None,
        n_threads: int | None = None,
        limit: int | None = None,
        subset: int | None = None,
        shuffle_targets: bool | None = None,
        start_from: str | None = None,
        frozen_layers: int | None = None,
        fresh_output: bool | None = None,
        builder: str | None = None,
        builder_settings: Mapping[str, Any] | None = None,
        model_settings: Mapping[str, Any] | None = None,
        max_seconds: float | None = None,
        checkpoint_seconds: float | None = None,
        cache_dir: str | None = None,
    ) -> None:
        # nothing but this: `clone` and `set_params` of scikit-learn rely on it
        self.model = model
        self.extensive = extensive
        self.on_error = on_error
        self.epochs = epochs
        self.schedule_seconds = schedule_seconds
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.min_learning_rate = min_learning_rate
        self.schedule = schedule
        self.warmup_epochs = warmup_epochs
        self.restart_epochs = restart_epochs
        self.restart_below = restart_below
        self.plateau_patience = plateau_patience
        self.decay = decay
        self.optimizer = optimizer
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.regularization = regularization
        self.weight_decay = weight_decay
        self.loss = loss
        self.target_weights = target_weights
        self.attention_labels = attention_labels
        self.attention_weight = attention_weight
        self.huber_delta = huber_delta
        self.clipping = clipping
        self.clip_norm = clip_norm
        self.ema_decay = ema_decay
        self.patience = patience
        self.precision = precision
        self.matmul_precision = matmul_precision
        self.seed = seed
        self.split = split
        self.calibration_share = calibration_share
        self.scaling = scaling
        self.reference = reference
        self.ensemble = ensemble
        self.devices = devices
        self.accelerator = accelerator
        self.record_steps = record_steps
        self.n_workers = n_workers
        self.n_threads = n_threads
        self.limit = limit
        self.subset = subset
        self.shuffle_targets = shuffle_targets
        self.start_from = start_from
        self.frozen_layers = frozen_layers
        self.fresh_output = fresh_output
        self.builder = builder
        self.builder_settings = builder_settings
        self.model_settings = model_settings
        self.max_seconds = max_seconds
        self.checkpoint_seconds = checkpoint_seconds
        self.cache_dir = cache_dir

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``model_settings__n_layers=3`` sets one inside of ``model_settings``."""
        inside: dict[str, dict[str, Any]] = {}
        for name in list(params):
            block, _, own = name.partition("__")
            if block in _BLOCKS and own:
                inside.setdefault(block, {})[own] = params.pop(name)
        super().set_params(**params)
        for block, values in inside.items():
            setattr(self, block, {**(getattr(self, block) or {}), **values})
        return self

    def __sklearn_clone__(self) -> Self:
        """Return a fresh estimator; those of one search say the same things once."""
        clone: Self = super().__sklearn_clone__()
        clone._told = self._told = getattr(self, "_told", None) or set()
        return clone

    def _refuse(self, others: Mapping[str, Any]) -> None:
        """Refuse what fit does not take; None is nothing.

        Raises:
            SettingsError: there is something.
        """
        given = [name for name, value in others.items() if value is not None]
        if not given:
            return
        whose = type(self).__name__
        if given[0] == "sample_weight":
            raise SettingsError(
                f"{whose}: fit takes no sample_weight, as every sample counts the same; leave it "
                "out, or leave out samples that count little."
            )
        where = f"it is a parameter of {whose} itself" if given[0] in _SETTINGS else "leave it out"
        raise SettingsError(f"{whose}: fit takes X and y, and no {given[0]!r}; {where}.")

    def _listener(self) -> "TrainingProgress | None":
        """Return what hears a training: in a search of scikit-learn each warning is told once."""
        return _OfFolds(self._told) if _in_search() and hasattr(self, "_told") else None

    def _settings(self) -> TrainSettings:
        """Return the settings that were given, over the defaults.

        Raises:
            SettingsError: one is impossible.
        """
        given = {name: getattr(self, name) for name in _SETTINGS}
        return TrainSettings(split=_SPLIT).changed(
            {name: value for name, value in given.items() if value is not None}
        )

    def _train(self, X: Any, values: NDArray[np.float64], target: Target) -> Self:  # noqa: N803
        settings = self._settings()
        refuse_set(X, f"{type(self).__name__}: the structures")
        if not len(values):
            raise DatasetError(
                f"{type(self).__name__}: X and y are empty; give structures and a value for each."
            )
        found = self._structures(X, len(values))
        self._tell_bad_rows(found, fitting=True)
        data = Dataset(
            name="scikit-learn",
            structures=found.structures,
            targets=(target,),
            values=values[found.places, None],
        )
        self.predictor_ = train(
            data, model=self.model, target=_TARGET, settings=settings, progress=self._listener()
        )
        return self

    def _predicted(self, X: Any) -> "Prediction":  # noqa: N803
        from sklearn.utils.validation import check_is_fitted

        from atomlens.predictor.trust.doubts import tell_doubts

        check_is_fitted(self, "predictor_")
        refuse_set(X, f"{type(self).__name__}: the structures")
        found = self._structures(X)
        if self._bad_rows_are_refused():
            self._tell_bad_rows(found, fitting=False)
        prediction = self.predictor_.predict(found)
        self._tell_bad_rows(prediction, fitting=False)
        told: set[str] = getattr(self, "_told", set())
        if not _in_search():
            tell_doubts(prediction)
        elif _DOUBTS not in told and any(doubts.of_model for doubts in prediction.doubts):
            told.add(_DOUBTS)
            tell_doubts(prediction)
        return prediction

    def _bad_rows_are_refused(self) -> bool:
        if self.on_error not in _ON_ERROR:
            raise SettingsError(unknown_name("choice of on_error", str(self.on_error), _ON_ERROR))
        return self.on_error == "raise"

    def _tell_bad_rows(self, found: "Inputs | Prediction", *, fitting: bool) -> None:
        """Refuse rows whose structure cannot be used, or say which they are.

        Raises:
            StructureError: there are some, and ``on_error`` is ``raise``, or nothing is left.
        """
        refused = self._bad_rows_are_refused()
        bad = [i for i, message in enumerate(found.errors) if message]
        if not bad:
            return
        index = found.index
        labels = [f" (index {cut(str(index[i]), 40)})" if index is not None else "" for i in bad]
        listed = "; ".join(
            f"row {i}{label}: {found.errors[i].rstrip('.')}"
            for i, label in zip(bad[:5], labels, strict=False)
        )
        more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
        said = (
            f"{type(self).__name__}: {len(bad)} of {len(found.errors)} rows of X cannot be used "
            f"(counted from 0): {listed}{more}."
        )
        if refused:
            raise StructureError(
                f'{said} Leave them out, or say on_error="nan", which fits without them and '
                "predicts NaN for them."
            )
        if len(bad) == len(found.errors):
            raise StructureError(f"{said} No row is left.")
        warn(f"{said} They are left out." if fitting else f"{said} They are NaN.")

    def _structures(self, given: Any, n_values: int | None = None) -> Inputs:
        """Return the inputs, one for each row of X, those that cannot be used too.

        Raises:
            StructureError: there are not as many as values.
        """
        index, given = index_of(given), as_frame(given)
        if is_frame(given) and len(given.columns) == 1:
            given = given.iloc[:, 0]
        if is_frame(given):
            found, n_rows = gather(given), len(given)
        else:
            rows = _rows(given, type(self).__name__)
            first = self._takes_formulas(rows, fitting=n_values is not None)
            found, n_rows = gather(rows, AS_IT_IS.for_formulas(first)), len(rows)
        if len(found.errors) != n_rows:
            if any(found.errors) and self._bad_rows_are_refused():
                self._tell_bad_rows(found, fitting=n_values is not None)
            raise StructureError(
                f"{type(self).__name__}: {n_rows} entries of X hold {len(found.errors)} "
                "structures. Give exactly one structure for each value."
            )
        if n_values is not None and n_values != n_rows:
            raise DatasetError(
                f"{type(self).__name__}: X has {n_rows} structures and y has {n_values} values. "
                "Give one value for each structure."
            )
        return found if found.index is not None else replace(found, index=index)

    def _takes_formulas(self, rows: list[Any], *, fitting: bool) -> bool:
        """Say whether texts that are SMILES and formulas are the latter, as in the training."""
        if not fitting:
            return bool(self.predictor_.reads_formulas)
        return both_among_formulas(row for row in rows if isinstance(row, str)) is not None

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that X is a list of structures and no array of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.no_validation = True
        return tags


_DOUBTS = "answers of a fold should be mistrusted"
"""Stands among what was told in a search, once it was."""


class _OfFolds(TrainingProgress):
    """Tells what the trainings of a search say, each warning once.

    What one fold is worth is nothing to tell: the search says it of all.
    """

    def __init__(self, told: set[str]) -> None:
        self.told = told

    def warning(self, text: str) -> None:
        """Tell a warning unless another fold had it."""
        if text not in self.told:
            self.told.add(text)
            super().warning(text)

    def verdict(self, text: str) -> None:
        """Say nothing."""


def _in_search() -> bool:
    """Say whether scikit-learn's cross-validation or search is what calls."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith("sklearn.model_selection"):
            return True
        frame = frame.f_back
    return False


class AtomlensRegressor(RegressorMixin, _AtomlensEstimator):  # type: ignore[misc]
    """Regression on structures, for scikit-learn's tools.

    ``X`` has one structure a row: a list (or array, or column of a DataFrame) of SMILES, formulas,
    files, ase.Atoms, or objects of pymatgen or rdkit; or a DataFrame that has a column ``smiles``,
    ``formula``, ``file`` or the like. ``y`` has one number each.

    Args:
        model: Name of a model (``atomlens models list``), a class, or the configuration of one; by
            default ``scann-plus``, or ``rf-magpie`` where there are formulas only.
        extensive: The value grows with the number of atoms; it is then learned per atom.
        on_error: What to do where a structure cannot be used: ``raise`` an error that names the
            rows, or ``nan``: fit without them and predict NaN for them, and say which they are.

    All other parameters (``epochs``, ``batch_size`` ...) are fields of `TrainSettings`; None leaves
    what stands there. ``split`` divides the data given to `fit` (``random:.9/.1/0`` by default);
    the weights that are best on its validation part are kept. ``model_settings={"n_layers": 3}``
    holds settings of the model.

    Attributes:
        predictor_: The trained `Predictor`; it can also explain and save.
    """

    def fit(self, X: Any, y: ArrayLike, **others: Any) -> Self:  # noqa: N803
        """Train on structures and their values; every sample counts the same.

        Raises:
            StructureError: a structure cannot be used; nothing is left out silently.
            DatasetError: there are not as many finite values as structures.
            SettingsError: a setting is impossible, or there is a ``sample_weight``.
        """
        self._refuse(others)
        refuse_other_order({"X": X, "y": y})
        values = _column(y, "AtomlensRegressor")
        if np.iscomplexobj(values):
            raise DatasetError("AtomlensRegressor: y holds complex numbers; give real ones.")
        try:
            if values.dtype.kind in "mM" or any(map(is_time, values.tolist())):
                raise TypeError
            numbers = values.astype(np.float64)
        except (TypeError, ValueError):
            raise DatasetError(
                f"AtomlensRegressor: y holds {_odd(values)}, which is no number. Give one finite "
                "number for each structure, of durations those in a unit (.dt.total_seconds()); "
                "classes are for AtomlensClassifier."
            ) from None
        if not np.isfinite(numbers).all():
            raise DatasetError(
                f"AtomlensRegressor: {int((~np.isfinite(numbers)).sum())} values of y are not "
                "finite. Give one finite number for each structure."
            )
        return self._train(X, numbers, Target(name=_TARGET, extensive=self.extensive))

    @overload
    def predict(self, X: Any) -> NDArray[np.float64]: ...  # noqa: N803
    @overload
    def predict(
        self,
        X: Any,  # noqa: N803
        return_std: Literal[True],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    @overload
    def predict(self, X: Any, return_std: Literal[False]) -> NDArray[np.float64]: ...  # noqa: N803
    def predict(
        self,
        X: Any,  # noqa: N803
        return_std: bool = False,
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) one value per structure; with ``return_std`` also (n,) the standard deviations.

        They are NaN for structures of which the model gives no error estimate.

        Raises:
            StructureError: a structure cannot be used.
        """
        found = self._predicted(X)
        values, std = found.values[:, 0], found.std[:, 0]
        return (values, std) if return_std else values


class AtomlensClassifier(ClassifierMixin, _AtomlensEstimator):  # type: ignore[misc]
    """Classification of structures, for scikit-learn's tools; see `AtomlensRegressor` for ``X``.

    ``y`` has one label each: texts, numbers or truth values, of two classes at least.

    Args:
        model: As for `AtomlensRegressor`; by default ``scann-plus``, or ``finder`` where there are
            formulas only.
        extensive: Must stay False.
        on_error: As for `AtomlensRegressor`; `predict` returns None as the label.

    All other parameters are fields of `TrainSettings`; None leaves what stands there.

    Attributes:
        classes_: (n_classes,) the labels, ascending.
        predictor_: The trained `Predictor`; it can also explain and save.
    """

    classes_: NDArray[Any]

    def fit(self, X: Any, y: ArrayLike, **others: Any) -> Self:  # noqa: N803
        """Train on structures and their labels; every sample counts the same.

        Raises:
            StructureError: a structure cannot be used; nothing is left out silently.
            DatasetError: there are not as many labels as structures, or one class only.
            SettingsError: a setting is impossible, or there is a ``sample_weight``.
        """
        self._refuse(others)
        refuse_other_order({"X": X, "y": y})
        labels = _column(y, "AtomlensClassifier")
        if any(label is None or label != label for label in labels.tolist()):
            raise DatasetError("AtomlensClassifier: y has missing labels. Give one a structure.")
        if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
            raise DatasetError(
                "AtomlensClassifier: y holds numbers that are no whole numbers, so they are no "
                "labels. Use AtomlensRegressor, or make classes of them."
            )
        try:
            classes, numbers = np.unique(labels, return_inverse=True)
        except TypeError:
            raise DatasetError(
                "AtomlensClassifier: y mixes labels of several kinds, such as texts and numbers. "
                "Give labels of one kind."
            ) from None
        if len(classes) < 2:
            raise DatasetError(
                f"AtomlensClassifier: y has {len(classes)} class. Give samples of two at least."
            )
        names = tuple(str(one) for one in classes.tolist())
        target = Target(
            name=_TARGET, kind="classification", classes=names, extensive=self.extensive
        )
        self._train(X, numbers.astype(np.float64), target)
        self.classes_ = classes
        return self

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """(n,) the most probable label of each structure.

        Raises:
            StructureError: a structure cannot be used.
        """
        shares = self.predict_proba(X)
        unknown = np.isnan(shares).any(axis=1)
        labels: NDArray[Any] = self.classes_[np.where(np.isnan(shares), 0, shares).argmax(axis=1)]
        if unknown.any():
            labels = labels.astype(object)
            labels[unknown] = None
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """(n, n_classes) probability of each label, in the order of ``classes_``.

        Raises:
            StructureError: a structure cannot be used.
        """
        shares = self._predicted(X).probabilities[0]
        assert shares is not None
        return shares


def _column(y: ArrayLike, whose: str) -> NDArray[Any]:
    """(n,) what y holds; a table of one column will do."""
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DatasetError(
            f"{whose}: y has shape {values.shape}. Give one value for each structure, in one "
            "column; of several targets fit an estimator each, or learn them together with "
            "atomlens.train."
        )
    return values


def _odd(values: NDArray[Any]) -> str:
    """Return the first value that is no number, in words."""
    if values.dtype.kind in "mM":
        return f"the {'duration' if values.dtype.kind == 'm' else 'date'} {values[0]}"

    def is_odd(value: Any) -> bool:
        try:
            float(value)
        except (TypeError, ValueError):
            return True
        return is_time(value)

    return shown(next(filter(is_odd, values.tolist()), values.dtype.name))


def _rows(given: Any, whose: str) -> list[Any]:
    """Return the entries of X: of a list, an array of one column, or a column of a DataFrame."""
    packages = {cls.__module__.partition(".")[0] for cls in type(given).__mro__}
    if isinstance(given, str | bytes | Mapping) or packages & {"ase", "pymatgen", "rdkit"}:
        raise StructureError(
            f"{whose}: X is one {type(given).__name__}. Give a list with one structure for each "
            "value."
        )
    if isinstance(given, np.ndarray) and given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if isinstance(given, np.ndarray) and given.ndim != 1:
        raise StructureError(
            f"{whose}: X has shape {given.shape}. Give one structure a row: a SMILES, a formula, a "
            "file or an object."
        )
    if isinstance(given, Sequence) or hasattr(given, "__iter__"):
        return list(given)
    raise StructureError(
        f"{whose}: X is a {type(given).__name__}. Give a list with one structure for each value."
    )
