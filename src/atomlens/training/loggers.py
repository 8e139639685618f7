"""Where a training can be watched: TensorBoard, MLflow or Weights & Biases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from atomlens.errors import SettingsError, missing_package, unknown_name
from atomlens.training.progress import Relay, TrainingProgress, TrainingState

Kind = Literal["tensorboard", "mlflow", "wandb"]
KINDS: tuple[str, ...] = get_args(Kind)
_PROJECT = "atomlens"


class LoggedTraining(Relay):
    """Hands every epoch on to a logger, and everything to another listener.

    Args:
        kind: ``tensorboard`` (files in ``folder``/tensorboard), ``mlflow`` (where
            ``MLFLOW_TRACKING_URI`` says) or ``wandb`` (as its own environment says).
        folder: Of the model.
        settings: What is noted beside the curves.
        listener: Who else hears of it.

    Raises:
        SettingsError: there is no such logger.
        MissingDependencyError: its package is not installed.
    """

    def __init__(
        self,
        kind: str,
        folder: Path,
        settings: Mapping[str, Any] | None = None,
        listener: TrainingProgress | None = None,
    ) -> None:
        if kind not in KINDS:
            raise SettingsError(f"--log: {unknown_name('logger', kind, KINDS)}")
        super().__init__(listener or TrainingProgress())
        sinks: dict[str, Any] = {"tensorboard": _TensorBoard, "mlflow": _Mlflow, "wandb": _Wandb}
        self.sink: Any = sinks[kind](folder, dict(settings or {}))

    def epoch(self, state: TrainingState) -> None:
        """Log loss, learning rate and validation of an epoch."""
        prefix = f"member {state.member}/" if state.n_members > 1 else ""
        figures = {f"{prefix}validation MAE {n}": v for n, v in state.validation.items()}
        figures[f"{prefix}train loss"] = state.train_loss
        figures[f"{prefix}learning rate"] = state.learning_rate
        self.sink.log(figures, state.epoch)
        self.listener.epoch(state)

    def close(self, metrics: Mapping[str, float] | None = None) -> None:
        """Log what was found in the end, and close the logger."""
        self.sink.close(dict(metrics or {}))


def final_figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of ``metrics.json`` as names and numbers: ``test gap mae``."""
    return {
        f"{part} {target} {name}": float(value)
        for part in ("validation", "test")
        for target, figures in metrics.get(part, {}).get("targets", {}).items()
        for name, value in figures.items()
        if isinstance(value, int | float) and name in ("mae", "rmse", "r2", "accuracy", "f1")
    }


class _TensorBoard:
    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise missing_package("--log tensorboard", "tensorboard", "tensorboard") from None
        self.writer: Any = SummaryWriter(str(folder / "tensorboard"))
        text = "\n".join(f"    {name}: {value}" for name, value in settings.items())
        self.writer.add_text("settings", text)

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        for name, value in figures.items():
            self.writer.add_scalar(name, value, epoch)

    def close(self, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, 0)
        self.writer.close()


class _Mlflow:
    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        try:
            import mlflow
        except ImportError:
            raise missing_package("--log mlflow", "mlflow", "mlflow") from None
        self.mlflow: Any = mlflow
        mlflow.set_experiment(_PROJECT)
        mlflow.start_run(run_name=folder.name)
        mlflow.log_params({name: str(value)[:250] for name, value in settings.items()})

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        self.mlflow.log_metrics({_plain(n): v for n, v in figures.items()}, step=epoch)

    def close(self, metrics: dict[str, float]) -> None:
        self.mlflow.log_metrics({_plain(n): v for n, v in metrics.items()})
        self.mlflow.end_run()


class _Wandb:
    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        try:
            import wandb
        except ImportError:
            raise missing_package("--log wandb", "wandb", "wandb") from None
        self.run: Any = wandb.init(project=_PROJECT, name=folder.name, config=settings)

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        self.run.log(dict(figures), step=epoch)

    def close(self, metrics: dict[str, float]) -> None:
        self.run.summary.update(metrics)
        self.run.finish()


def _plain(name: str) -> str:
    """Return a name of letters that MLflow takes."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)
