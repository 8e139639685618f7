"""Training: from a data set to a `Predictor`."""

from atomlens.training.progress import TrainingProgress, TrainingState
from atomlens.training.settings import TrainSettings
from atomlens.training.train import train

__all__ = ["TrainSettings", "TrainingProgress", "TrainingState", "train"]
