"""Models by name. To add one of ours, write ``models/mine.py`` and name it here.

A model from outside needs no entry: `train` takes its class or its configuration, and packages
offer theirs in the entry point group ``atomlens.models``.
"""

from dataclasses import fields
from typing import Any

from atomlens.errors import SettingsError, unknown_name
from atomlens.models.base import ClosedFormModel, ModelConfig, ModelOutput, PropertyModel
from atomlens.models.baselines import MeanModel, RidgeModel
from atomlens.models.cgcnn import Cgcnn
from atomlens.models.finder import Finder
from atomlens.models.forest import ForestModel
from atomlens.models.geo_cgnn import GeoCgnn
from atomlens.models.lens import Lens
from atomlens.models.rescnn import ResCnn
from atomlens.models.roost import Roost
from atomlens.models.scann import Scann
from atomlens.models.table import ModelTable, check_kind, kind_of_config
from atomlens.settings import check_settings, make_plain

_OURS: dict[str, type[PropertyModel]] = {
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
MODELS = ModelTable(_OURS)
"""Class of every model by name: ours, those of installed packages, those defined here."""

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


def model_class(name: str) -> type[PropertyModel]:
    """Return the class that a model name stands for.

    Raises:
        SettingsError: no such model; the message offers the nearest known name.
    """
    if name not in MODELS:
        raise SettingsError(unknown_name("model", name, MODELS))
    return MODELS[name]


def model_config(name: str, **settings: Any) -> ModelConfig:
    """Return the frozen configuration that a model name and the given settings stand for.

    Raises:
        SettingsError: no such model or setting; the message offers the nearest known name.
    """
    config = model_class(name).Config
    known = [f.name for f in fields(config)]
    for key in settings:
        if key not in known:
            raise SettingsError(f"Model {name!r}: {unknown_name('setting', key, known)}")
    made: ModelConfig = config(**{**PRESETS.get(name, {}), **settings})
    make_plain(made)
    check_settings(made, f"Model {name!r}: ")
    return made


def named_model(given: "str | type[PropertyModel] | Any") -> tuple[str, dict[str, Any]]:
    """Return the name of a model, and the settings in which it differs from what the name means.

    Args:
        given: A name in ``MODELS``, a class of models, or the configuration of one.

    Raises:
        SettingsError: there is no such model, or the class cannot be trained.
    """
    if isinstance(given, str):
        model_class(given)  # there is one
        return given, {}
    kind: Any = given if isinstance(given, type) else kind_of_config(given)
    check_kind(kind)
    names = MODELS.names_of(kind)
    if not names:
        raise SettingsError(
            f"There is another model called {kind.__name__.lower()!r}; give the class "
            f"{kind.__name__} another name, under which its trained models can be found."
        )
    values = _values(kind.Config() if isinstance(given, type) else given)

    def different(name: str) -> dict[str, Any]:
        standard = _values(model_config(name))
        return {key: value for key, value in values.items() if value != standard[key]}

    nearest = min(names, key=lambda name: len(different(name)))
    return nearest, different(nearest)


def _values(config: Any) -> dict[str, Any]:
    return {f.name: getattr(config, f.name) for f in fields(config)}


def make_model(name: str, **settings: Any) -> PropertyModel:
    """Return a freshly initialised model; the initial weights follow torch's global seed."""
    config = model_config(name, **settings)
    return model_class(name)(config)


__all__ = [
    "MODELS",
    "PRESETS",
    "ClosedFormModel",
    "ModelOutput",
    "PropertyModel",
    "make_model",
    "model_class",
    "model_config",
    "named_model",
]
