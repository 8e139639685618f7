"""Checkpoints that others published, turned into models of ours."""

import os
from pathlib import Path

from atomlens.checkpoints.cgcnn_torch import UNITS, CgcnnCheckpoint, read_cgcnn_checkpoint
from atomlens.checkpoints.scann_keras import ScannCheckpoint, read_scann_checkpoint
from atomlens.errors import ModelError
from atomlens.files import place_of
from atomlens.neighbors import make_builder
from atomlens.predictor import Calibration, Predictor, TrainingRecord
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling

__all__ = [
    "CgcnnCheckpoint",
    "ScannCheckpoint",
    "import_cgcnn",
    "import_scann",
    "read_cgcnn_checkpoint",
    "read_scann_checkpoint",
]

_QM9_ROWS = 10
"""Of the table of elements of models of QM9: up to fluorine."""


def import_cgcnn(
    weights: str | Path,
    out: str | Path | None = None,
    *,
    target: str | None = None,
    unit: str | None = None,
    classes: tuple[str, str] | None = None,
) -> Predictor:
    """Turn a published CGCNN checkpoint into a model folder, without running code from it.

    Neighbours are found as the published code does: the 12 nearest within 8 Å, an atom with
    fewer filled up by edges of 9 Å.

    Args:
        weights: The ``.pth.tar`` file.
        out: Model folder to write; nothing is written without it.
        target: Name of the property; by default the one that the checkpoint notes.
        unit: Unit of the predictions; by default the one of the published models.
        classes: For a classification, what outputs 0 and 1 mean; by default ``0`` and ``1``,
            for the published model semiconductor and metal.

    Raises:
        ModelError: the file is missing, damaged, or no checkpoint of that code.
    """
    _check_free(out)
    checkpoint = read_cgcnn_checkpoint(Path(weights))
    name = target or checkpoint.target
    if checkpoint.classification:
        published = "semi-metal" in Path(weights).name
        named = classes or (("semiconductor", "metal") if published else ("0", "1"))
        learned = Target(name=name, kind="classification", classes=named)
    else:
        learned = Target(name=name, unit=UNITS.get(name, "") if unit is None else unit)
    predictor = Predictor(
        model_name="cgcnn",
        models=(checkpoint.model,),
        builder=make_builder("nearest", pad=True),
        scaling=TargetScaling(
            targets=(learned,),
            means=(checkpoint.mean,),
            stds=(checkpoint.std,),
            references=({},),
        ),
        calibration=Calibration.nothing(1),
        record=TrainingRecord(
            kinds=("periodic structure",),
            notes=f"Imported from the published checkpoint {Path(weights).name}.",
        ),
    )
    if out is not None:
        predictor.save(out)
    return predictor


def import_scann(
    weights: str | Path,
    settings: str | Path,
    out: str | Path | None = None,
    *,
    target: str | None = None,
    unit: str = "",
    mean: float | None = None,
    std: float | None = None,
    neighbors: str = "ghost",
) -> Predictor:
    """Turn a published SCANN or SCANN+ checkpoint into a model folder, without TensorFlow.

    Args:
        weights: The Keras HDF5 file of the whole model.
        settings: The settings file (JSON or YAML) that was written beside it.
        out: Model folder to write; nothing is written without it.
        target: Name of the property; by default the one in the settings file.
        unit: Unit of the predictions. The checkpoint does not say it.
        mean: Added to the output after it was multiplied by ``std``; by default
            ``target_mean`` of the settings file, else 0. The checkpoints of the later code were
            trained on (value - mean) / std of the whole data set, and its last version notes
            the two numbers; those of the first code on values times 1000 (std=0.001).
        std: See ``mean``; by default ``target_std`` of the settings file, else 1.
        neighbors: Mode of the ``voronoi`` builder: ``ghost`` (exact), ``reference`` or
            ``box30`` (as the authors' later and first code found the neighbours of molecules).

    Raises:
        ModelError: a file is missing or damaged, or holds an option that we do not have.
        MissingDependencyError: h5py is not installed.
    """
    _check_free(out)
    checkpoint = read_scann_checkpoint(place_of(weights), place_of(settings))
    mean = checkpoint.mean or 0.0 if mean is None else mean
    std = checkpoint.std or 1.0 if std is None else std
    config = checkpoint.model.config
    flags = {"ring_flags": True} if config.ring_features else {}
    of_molecules = config.ring_features or neighbors != "ghost" or config.n_elements <= _QM9_ROWS
    learned = Target(name=target or checkpoint.target, unit=unit)
    predictor = Predictor(
        model_name="scann-plus" if config.edge_update else "scann",
        models=(checkpoint.model,),
        builder=make_builder("voronoi", cutoff=config.cutoff, mode=neighbors, **flags),
        scaling=TargetScaling(targets=(learned,), means=(mean,), stds=(std,), references=({},)),
        calibration=Calibration.nothing(1),
        record=TrainingRecord(
            kinds=("molecule",) if of_molecules else (),
            notes=f"Imported from the published checkpoint {Path(weights).name}.",
        ),
    )
    if out is not None:
        predictor.save(out)
    return predictor


def _check_free(out: str | Path | None) -> None:
    """Refuse to write over a model, or into a folder that holds something else."""
    if out is None or not os.path.exists(place_of(out)):
        return
    if not place_of(out).is_dir() or any(place_of(out).iterdir()):
        raise ModelError(
            f"{out}: something stands there already, and importing would replace it; choose "
            "another folder, or remove it first."
        )
