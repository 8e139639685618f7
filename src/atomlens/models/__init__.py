"""Models by name. To add one, write ``models/mine.py`` and name it here."""

from dataclasses import fields
from typing import Any

from atomlens.errors import SettingsError, unknown_name
from atomlens.models.base import ClosedFormModel, ModelOutput, PropertyModel
from atomlens.models.baselines import MeanModel, RidgeModel
from atomlens.models.cgcnn import Cgcnn
from atomlens.models.finder import Finder
from atomlens.models.forest import ForestModel
from atomlens.models.geo_cgnn import GeoCgnn
from atomlens.models.lens import Lens
from atomlens.models.rescnn import ResCnn
from atomlens.models.roost import Roost
from atomlens.models.scann import Scann

MODELS: dict[str, type[PropertyModel]] = {
    "lens": Lens,
    "scann": Scann,
    "scann-plus": Scann,
    "cgcnn": Cgcnn,
    "cgcnn-edge": Cgcnn,
    "cgcnn-attention": Cgcnn,
    "cgcnn-charge-geometry": Cgcnn,
    "ae-cgcnn-2": Cgcnn,
    "ae-cgcnn": Cgcnn,
    "ae-cgcnn-pool": Cgcnn,
    "geo-cgcnn": GeoCgnn,
    "finder": Finder,
    "rescnn": ResCnn,
    "roost": Roost,
    "rf-magpie": ForestModel,
    "mean": MeanModel,
    "ridge": RidgeModel,
}
"""Class of every model by name."""

_EDGE: dict[str, Any] = {"edge_update": True, "n_edge_features": 42}
_ATTENTION: dict[str, Any] = {**_EDGE, "attention": "channel", "activation": "relu"}
_CHARGE_GEOMETRY: dict[str, Any] = {**_ATTENTION, "charges": "value", "cell": True}
_HEADS: dict[str, Any] = {**_CHARGE_GEOMETRY, "n_heads": 3}
_COMBINED: dict[str, Any] = {**_HEADS, "combine": "attention"}

PRESETS: dict[str, dict[str, Any]] = {
    "lens": {},
    "scann": {"n_layers": 8, "edge_update": False},
    "scann-plus": {"n_layers": 7, "edge_update": True},
    "cgcnn": {},
    "cgcnn-edge": _EDGE,
    "cgcnn-attention": _ATTENTION,
    "cgcnn-charge-geometry": _CHARGE_GEOMETRY,
    "ae-cgcnn-2": _HEADS,
    "ae-cgcnn": _COMBINED,
    "ae-cgcnn-pool": {**_COMBINED, "pooling": "attention"},
    "geo-cgcnn": {},
    "finder": {},
    "rescnn": {},
    "roost": {},
    "rf-magpie": {},
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
