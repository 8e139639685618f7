"""A scikit-learn regressor over atomlens models: `AtomlensRegressor`.

scikit-learn is optional (``pip install "atomlens[sklearn]"``); without it, importing this
module raises a MissingDependencyError.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atomlens.datasets.base import Dataset
from atomlens.errors import (
    DatasetError,
    MissingDependencyError,
    SettingsError,
    StructureError,
    unknown_name,
)
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.training import TrainSettings, train

try:
    from sklearn.base import BaseEstimator, RegressorMixin
except ImportError:
    raise MissingDependencyError(
        "AtomlensRegressor needs scikit-learn, which is not installed; install it with: "
        'pip install "atomlens[sklearn]"'
    ) from None

if TYPE_CHECKING:
    from atomlens.predictor import Predictor

__all__ = ["AtomlensRegressor"]

_TARGET = "value"
_SETTINGS = tuple(f.name for f in fields(TrainSettings))


@final
class AtomlensRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regression on structures, for scikit-learn's tools.

    ``X`` is a list with one structure each: ase.Atoms, a file, a SMILES, a formula, or an object
    of pymatgen or rdkit. ``y`` has one number each.

    Args:
        model: Name of a model (``atomlens models list``).
        extensive: The value grows with the number of atoms; it is then learned per atom.
        settings: Fields of `TrainSettings`, such as ``epochs=20`` or
            ``model_settings={"n_layers": 3}``. ``split`` divides the data given to `fit`; the
            weights that are best on its validation part are kept.

    Attributes:
        predictor_: The trained `Predictor`; it can also explain and save.
    """

    predictor_: "Predictor"

    def __init__(
        self, model: str = "scann-plus", *, extensive: bool = False, **settings: Any
    ) -> None:
        for name in settings:
            if name not in _SETTINGS:
                known = ["model", "extensive", *_SETTINGS]
                raise SettingsError(f"AtomlensRegressor: {unknown_name('setting', name, known)}")
        self.model = model
        self.extensive = extensive
        self.settings = settings

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return what `__init__` was given, so that a clone can be made of it."""
        return {"model": self.model, "extensive": self.extensive, **self.settings}

    def set_params(self, **params: Any) -> Self:
        """Change settings by name.

        Raises:
            SettingsError: there is no such setting; the nearest one is offered.
        """
        self.__init__(**{**self.get_params(), **params})
        return self

    def fit(self, X: Sequence[Any], y: ArrayLike) -> Self:  # noqa: N803
        """Train on structures and their values.

        Raises:
            StructureError: a structure cannot be used; nothing is left out silently.
            DatasetError: there are not as many finite values as structures.
        """
        structures = _structures(X)
        values = np.asarray(y, dtype=np.float64)
        if values.shape != (len(structures),) or not np.isfinite(values).all():
            raise DatasetError(
                f"AtomlensRegressor: {len(structures)} structures need as many finite values, "
                f"y has shape {values.shape}. Give one finite number for each structure."
            )
        data = Dataset(
            name="scikit-learn",
            structures=structures,
            targets=(Target(name=_TARGET, extensive=self.extensive),),
            values=values[:, None],
        )
        settings = TrainSettings(split="random:.9/.1/0").changed(self.settings)
        self.predictor_ = train(data, model=self.model, target=_TARGET, settings=settings)
        return self

    def predict(self, X: Sequence[Any]) -> NDArray[np.float64]:  # noqa: N803
        """Return one value per structure.

        Raises:
            StructureError: a structure cannot be used.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "predictor_")
        prediction = self.predictor_.predict(_structures(X))
        if prediction.failures:
            raise StructureError(prediction.failures[0].message)
        values: NDArray[np.float64] = prediction.values[:, 0]
        return values


def _structures(given: Sequence[Any]) -> StructureArrays:
    """Return the structures, one for each element of X."""
    from atomlens.structures import read_structures

    items = list(given)
    result = read_structures(items)
    if result.failures:
        raise StructureError(result.failures[0].message)
    if len(result.structures) != len(items):
        raise StructureError(
            f"AtomlensRegressor: {len(items)} entries of X hold {len(result.structures)} "
            "structures. Give exactly one structure for each value."
        )
    return StructureArrays.from_atoms(result.structures)
