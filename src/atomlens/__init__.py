"""atomlens: learn a property from structures or formulas, and see which atoms it rests on."""

import os
from typing import TYPE_CHECKING

from atomlens.lazy import lazy_names
from atomlens.version import __version__

# Large tensors in large pages: torch reads this at its first allocation, and trains on a CPU
# about a tenth faster with it.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

if TYPE_CHECKING:
    from atomlens.commands import counterfactual as counterfactual
    from atomlens.commands import environments as environments
    from atomlens.commands import evaluate as evaluate
    from atomlens.commands import faithful as faithful
    from atomlens.commands import graph as graph
    from atomlens.commands import label as label
    from atomlens.commands import predict as predict
    from atomlens.commands import study as study
    from atomlens.datasets import load_dataset as load_dataset
    from atomlens.explain import Explanation as Explanation
    from atomlens.predictor import Prediction as Prediction
    from atomlens.predictor import Predictor as Predictor
    from atomlens.predictor import load as load
    from atomlens.reports.notebook import show as show
    from atomlens.screening import screen as screen
    from atomlens.selection import cross_validate as cross_validate
    from atomlens.selection import cv as cv
    from atomlens.selection import tune as tune
    from atomlens.structures import read as read
    from atomlens.training import train as train

_WHERE = {
    "read": "structures",
    "show": "reports.notebook",
    "load_dataset": "datasets",
    "train": "training",
    "load": "predictor",
    "predict": "commands",
    "evaluate": "commands",
    "counterfactual": "commands",
    "environments": "commands",
    "screen": "screening",
    "cross_validate": "selection",
    "cv": "selection",
    "tune": "selection",
    "study": "commands",
    "faithful": "commands",
    "label": "commands",
    "graph": "commands",
    "Predictor": "predictor",
    "Prediction": "predictor",
    "Explanation": "explain",
}
__all__ = ["__version__", *_WHERE]
__getattr__, __dir__ = lazy_names(__name__, _WHERE, ("__version__",))
