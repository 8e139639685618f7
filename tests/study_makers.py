"""Predictors with random weights and structures for the tests of studies."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from ase import Atoms

from atomlens.datasets.base import Dataset
from atomlens.models import make_model
from atomlens.neighbors import make_builder
from atomlens.predictor import Calibration, Predictor, TrainingRecord
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.targets.scaling import TargetScaling

SIZES = {"n_layers": 1, "n_features": 16, "n_heads": 2, "n_embedding": 8}


def make_predictor(target: str = "homo", *, seed: int = 7, n_members: int = 1) -> Predictor:
    """A model of one target with random weights."""
    torch.manual_seed(seed)
    return Predictor(
        model_name="scann-plus",
        models=tuple(make_model("scann-plus", n_outputs=1, **SIZES) for _ in range(n_members)),
        builder=make_builder("voronoi"),
        scaling=TargetScaling(
            targets=(Target(name=target, unit="eV"),),
            means=(0.0,),
            stds=(1.0,),
            references=({},),
        ),
        calibration=Calibration(targets=(None,)),
    )


def finder_predictor(
    mode: Literal["formula", "structure"], *, target: str = "energy", seed: int = 7
) -> Predictor:
    """A small Finder with random weights and element vectors."""
    torch.manual_seed(seed)
    network = make_model(
        "finder",
        mode=mode,
        n_features=12,
        n_hidden=(8, 8, 8, 8),
        element_vectors="mat2vec",
        predict_scale=True,
    )
    vectors = torch.from_numpy(np.random.default_rng(0).normal(size=(119, 200)))
    network.get_buffer("element_table").copy_(vectors)
    formula = mode == "formula"
    return Predictor(
        model_name="finder",
        models=(network.eval(),),
        builder=make_builder("formula", reduce=True)
        if formula
        else make_builder("radius", cutoff=4.0, images="minimum"),
        scaling=TargetScaling(
            targets=(Target(name=target, unit="eV/atom"),),
            means=(0.0,),
            stds=(1.0,),
            references=({},),
        ),
        calibration=Calibration(targets=(None,)),
    )


def trained_on_noise(predictor: Predictor) -> Predictor:
    """The same model, as if its labels had been shuffled."""
    record: dict[str, Any] = {"shuffle_targets": True}
    return replace(predictor, record=TrainingRecord(settings=record))


def dataset(*atoms: Atoms) -> Dataset:
    """Structures without values."""
    arrays = StructureArrays.from_atoms(list(atoms))
    return Dataset(name="made", structures=arrays, targets=(), values=np.zeros((len(arrays), 0)))
