"""Training: from a data set to a `Predictor`."""

from atomlens.training.pipeline import train
from atomlens.training.progress import TrainingProgress, TrainingState
from atomlens.training.settings import TrainSettings

__all__ = ["TrainSettings", "TrainingProgress", "TrainingState", "train"]
