"""Predictors with random weights, for the tests of this folder."""

from typing import Any

import torch
from ase.build import molecule

from atomlens.errors import Failure
from atomlens.models import make_model
from atomlens.neighbors import make_builder
from atomlens.predictor import Calibration, Predictor, TargetCalibration, TrainingRecord
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling

WATER, METHANE, ETHANOL = (molecule(name) for name in ("H2O", "CH4", "CH3CH2OH"))
SIZES = {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8}
HOMO = Target(name="homo", unit="eV")


def make_predictor(
    *targets: Target,
    n_members: int = 1,
    noise: Any = "none",
    builder: str = "voronoi",
    **config: Any,
) -> Predictor:
    """A model with random weights."""
    targets = targets or (HOMO,)
    regression = [t.kind == "regression" for t in targets]
    torch.manual_seed(0)
    n_outputs = sum(t.n_outputs for t in targets)
    scale = {"predict_scale": noise != "none"}
    calibrated = TargetCalibration(n=50, rmse=0.5, spread_factor=1.0, floor=0.3, quantile=1.7)
    model = "scann-plus" if builder == "voronoi" else "ridge"
    sizes = SIZES if builder == "voronoi" else {}
    return Predictor(
        model_name=model,
        models=tuple(
            make_model(model, n_outputs=n_outputs, **{**sizes, **scale, **config})
            for _ in range(n_members)
        ),
        builder=make_builder(builder),
        scaling=TargetScaling(
            targets=targets,
            means=tuple(-6.0 * r for r in regression),
            stds=tuple(0.7 if r else 1.0 for r in regression),
            references=({},) * len(targets),
        ),
        calibration=Calibration(targets=tuple(calibrated if r else None for r in regression)),
        noise=noise,
        elements=(1, 6, 8),
        metrics={"test": {"targets": {"homo": {"n": 5, "mae": 0.1, "unit": "eV"}}}},
        record=TrainingRecord(
            data="some molecules",
            settings={"epochs": 3, "split": "random"},
            split={"train": ("a", "b"), "validation": (), "test": ("c",)},
            history=({"epoch": 1, "train_loss": 0.1 + 0.2},),
            failures=(Failure(name="x", message="why"),),
            seconds=1.5,
            ended="all 3 epochs were done",
        ),
    )


EVERY_KIND = {
    "plain": make_predictor(),
    "ensemble": make_predictor(n_members=3),
    "noise": make_predictor(noise="laplace"),
    "both": make_predictor(n_members=2, noise="gaussian"),
    "many": make_predictor(
        HOMO,
        Target(name="energy", extensive=True),
        Target(name="metal", kind="classification", classes=("no", "yes")),
    ),
    "ridge": make_predictor(builder="formula"),
}
