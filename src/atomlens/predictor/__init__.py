"""A trained model in use: load, save, predict, explain, evaluate."""

from atomlens.predictor.core import Predictor, load
from atomlens.predictor.embedding import Embeddings
from atomlens.predictor.evaluation import score
from atomlens.predictor.metrics import ClassificationMetrics, Metrics, RegressionMetrics
from atomlens.predictor.prediction import Prediction
from atomlens.predictor.record import TrainingRecord
from atomlens.predictor.trained import TrainedModel
from atomlens.predictor.trust.calibration import Calibration, TargetCalibration

__all__ = [
    "Calibration",
    "ClassificationMetrics",
    "Embeddings",
    "Metrics",
    "Prediction",
    "Predictor",
    "RegressionMetrics",
    "TargetCalibration",
    "TrainedModel",
    "TrainingRecord",
    "load",
    "score",
]
