"""atomlens: learn a property from structures or formulas, and see which atoms it rests on."""

import os
from typing import TYPE_CHECKING

from atomlens.lazy import lazy_names
from atomlens.version import __version__

# Large tensors in large pages: torch reads this at its first allocation, and trains on a CPU
# about a tenth faster with it.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

if TYPE_CHECKING:
    from atomlens.datasets import load_dataset as load_dataset
    from atomlens.explain import Explanation as Explanation
    from atomlens.predictor import Prediction as Prediction
    from atomlens.predictor import Predictor as Predictor
    from atomlens.predictor import load as load
    from atomlens.reports.notebook import show as show
    from atomlens.screening import screen as screen
    from atomlens.structures import read as read
    from atomlens.training import train as train

_WHERE = {
    "read": "structures",
    "show": "reports.notebook",
    "load_dataset": "datasets",
    "train": "training",
    "load": "predictor",
    "screen": "screening",
    "Predictor": "predictor",
    "Prediction": "predictor",
    "Explanation": "explain",
}
__all__ = ["__version__", *_WHERE]
__getattr__, __dir__ = lazy_names(__name__, _WHERE, ("__version__",))
