"""What of data and neighbours is refused before a training begins."""

import numpy as np

from atomlens.datasets.base import Dataset
from atomlens.errors import DatasetError, SettingsError
from atomlens.models import MODELS
from atomlens.models.base import ModelConfig
from atomlens.neighbors.base import GraphBuilder
from atomlens.targets import LARGEST_VALUE, value_slices


def check_values(dataset: Dataset) -> None:
    """Refuse values that contradict what is said of their target.

    Raises:
        DatasetError: a nonnegative target has values below zero, or one is beyond all measure.
    """
    for target, place in zip(dataset.targets, value_slices(dataset.targets), strict=True):
        beyond = np.flatnonzero((np.abs(dataset.values[:, place]) > LARGEST_VALUE).any(axis=1))
        if len(beyond):
            raise DatasetError(
                f"{dataset.name}: {target.name!r} of {dataset.structures.names[int(beyond[0])]} is "
                f"larger than {LARGEST_VALUE:g}, which no measured value is; correct it."
            )
        if not target.nonnegative:
            continue
        below = np.flatnonzero((dataset.values[:, place] < 0).any(axis=1))
        if len(below):
            row = int(below[0])
            raise DatasetError(
                f"{dataset.name}: {target.name!r} is said to be never below zero, but "
                f"{len(below)} of {len(dataset)} values are, for example that of "
                f"{dataset.structures.names[row]} ({np.nanmin(dataset.values[row, place]):g}); "
                "correct them, or leave out --nonnegative (in Python nonnegative)."
            )


def check_builder(model: str, config: ModelConfig, builder: GraphBuilder) -> None:
    """Refuse neighbours whose meaning the model does not read.

    Raises:
        SettingsError: formulas for a model that knows no amounts, neighbours or ring flags for one
            that leaves them unread.
    """
    if builder.name == "formula" and not MODELS[model].takes_formulas():
        known = ", ".join(sorted(name for name, kind in MODELS.items() if kind.takes_formulas()))
        raise SettingsError(
            f"The model {model!r} does not read amounts, so Fe2O3 and Fe3O4 would be the same to "
            f"it: builder=formula is for {known}."
        )
    if builder.name != "formula" and not MODELS[model].reads_neighbours:
        raise SettingsError(
            f"builder={builder.name}: the model {model!r} reads which atoms there are and no "
            "neighbours; leave it out."
        )
    if getattr(builder, "ring_flags", False) and not getattr(config, "ring_features", False):
        raise SettingsError(
            f"builder.ring_flags=true is for models that read them (model.ring_features=true); "
            f"{model!r} does not. Leave it out."
        )
