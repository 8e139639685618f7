"""The facts that every model, builder, explainer and data set owes its callers, as checks.

    from atomlens.testing import check_model

    def test_mine() -> None:
        check_model(MyModel, n_features=8)

A check that fails raises an AssertionError that says which fact does not hold. Ours are checked
by the same functions.
"""

from typing import TYPE_CHECKING

from atomlens.lazy import lazy_names

if TYPE_CHECKING:
    from atomlens.testing.builders import BUILDER_CHECKS as BUILDER_CHECKS
    from atomlens.testing.builders import check_builder as check_builder
    from atomlens.testing.datasets import DATASET_CHECKS as DATASET_CHECKS
    from atomlens.testing.datasets import check_dataset as check_dataset
    from atomlens.testing.explainers import EXPLAINER_CHECKS as EXPLAINER_CHECKS
    from atomlens.testing.explainers import check_explainer as check_explainer
    from atomlens.testing.models import MODEL_CHECKS as MODEL_CHECKS
    from atomlens.testing.models import check_model as check_model

_WHERE = {
    "BUILDER_CHECKS": "builders",
    "DATASET_CHECKS": "datasets",
    "EXPLAINER_CHECKS": "explainers",
    "MODEL_CHECKS": "models",
    "check_builder": "builders",
    "check_dataset": "datasets",
    "check_explainer": "explainers",
    "check_model": "models",
}
__all__ = [*_WHERE]
__getattr__, __dir__ = lazy_names(__name__, _WHERE)
