"""Models by name. To add one, write ``models/mine.py`` and name it here."""

from dataclasses import fields
from typing import Any

from atomlens.errors import SettingsError, unknown_name
from atomlens.models.base import ClosedFormModel, ModelOutput, PropertyModel
from atomlens.models.baselines import MeanModel, RidgeModel
from atomlens.models.scann import Scann

MODELS: dict[str, type[PropertyModel]] = {
    "scann": Scann,
    "scann-plus": Scann,
    "mean": MeanModel,
    "ridge": RidgeModel,
}
"""Class of every model by name."""

PRESETS: dict[str, dict[str, Any]] = {
    "scann": {"n_layers": 8, "edge_update": False},
    "scann-plus": {"n_layers": 7, "edge_update": True},
}
"""Settings of the class's ``Config`` that a name stands for; any of them can be overridden."""


def model_config(name: str, **settings: Any) -> Any:
    """Return the frozen configuration that a model name and the given settings stand for.

    Raises:
        SettingsError: no such model or setting; the message offers the nearest known name.
    """
    if name not in MODELS:
        raise SettingsError(unknown_name("model", name, MODELS))
    config = MODELS[name].Config
    known = [f.name for f in fields(config)]
    for key in settings:
        if key not in known:
            raise SettingsError(f"Model {name!r}: {unknown_name('setting', key, known)}")
    return config(**{**PRESETS.get(name, {}), **settings})


def make_model(name: str, **settings: Any) -> PropertyModel:
    """Return a freshly initialised model; the initial weights follow torch's global seed."""
    config = model_config(name, **settings)
    return MODELS[name](config)


__all__ = [
    "MODELS",
    "PRESETS",
    "ClosedFormModel",
    "ModelOutput",
    "PropertyModel",
    "make_model",
    "model_config",
]
