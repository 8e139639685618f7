"""What every class of settings owes its users: impossible values are refused by name, at once."""

import copy
import json
import math
from dataclasses import fields
from typing import Any, get_args

import numpy as np
import pytest

from atomlens.errors import SettingsError
from atomlens.models import MODELS
from atomlens.neighbors import BUILDERS
from atomlens.settings import Bounds, Settings, type_name
from atomlens.studies import STUDIES
from atomlens.training.settings import TrainSettings

CLASSES: dict[str, type] = {
    "training": TrainSettings,
    **{f"model {name}": model.Config for name, model in MODELS.items()},
    **{f"builder {name}": builder for name, builder in BUILDERS.items()},
    **{f"study {name}": STUDIES[name].Settings for name in STUDIES},
}
every_class = pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES.keys())


def make(default: Any, name: str, value: Any) -> None:
    """Let a class check itself; past the check of types that only the tests have."""
    changed = copy.copy(default)
    object.__setattr__(changed, name, value)
    changed.__post_init__()


def beyond(bounds: Bounds) -> list[float]:
    """Numbers just outside, and what is no number."""
    outside = [math.nan, math.inf, -math.inf]
    if bounds.least is not None:
        outside.append(bounds.least - 1)
    if bounds.above is not None:
        outside.append(bounds.above)
    if bounds.below is not None:
        outside.append(bounds.below)
    if bounds.most is not None:
        outside.append(bounds.most + 1)
    return outside


@every_class
def test_numbers_beyond_their_bounds_are_refused_by_name(kind: Any) -> None:
    default = kind()
    for field in fields(kind):
        bounds = field.metadata.get("bounds")
        if bounds is None:
            continue
        for value in beyond(bounds):
            given = (value,) if isinstance(getattr(default, field.name), tuple) else value
            whole = field.type is int and math.isfinite(value)
            with pytest.raises(SettingsError, match=f"{field.name}=.* must be"):
                make(default, field.name, int(value) if whole else given)


@every_class
def test_numbers_of_numpy_are_taken_for_what_they_are(kind: Any) -> None:
    default = kind()
    for field in fields(kind):
        value = getattr(default, field.name)
        given = {int: np.int64, float: np.float32, bool: np.bool_}.get(type(value))
        if given is None and not (isinstance(value, tuple) and value):
            continue
        changed = tuple(map(np.asarray(value).dtype.type, value)) if given is None else given(value)
        made = copy.copy(default)
        object.__setattr__(made, field.name, changed)
        made.__post_init__()
        kept = getattr(made, field.name)
        assert type(kept) is type(value)
        json.dumps(kept)


@every_class
def test_values_of_another_type_are_refused_by_name(kind: Any) -> None:
    default = kind()
    for field in fields(kind):
        if field.type is Any or dict in (field.type, getattr(field.type, "__origin__", None)):
            continue
        for wrong in (object(), [1], "no such thing" if str not in types_of(field.type) else 1.5):
            with pytest.raises(SettingsError, match=field.name if not names(field) else "Known: "):
                make(default, field.name, wrong)


@pytest.mark.parametrize("name", [name for name in CLASSES if not name.startswith("study ")])
def test_every_number_of_a_model_or_training_has_bounds(name: str) -> None:
    kind: Any = CLASSES[name]
    free = {"message_scale"}
    for field in fields(kind):
        if {int, float} & types_of(field.type) and field.name not in free:
            given = field.metadata.get("bounds") or field.name == "lower_bounds"
            assert given, f"{kind.__name__}.{field.name} ({type_name(field)})"


@every_class
def test_they_derive_from_settings(kind: Any) -> None:
    assert issubclass(kind, Settings)


def types_of(kind: Any) -> set[Any]:
    """The types in a union or tuple."""
    return {kind, *get_args(kind)}


def names(field: Any) -> bool:
    return field.metadata.get("names") is not None


def test_a_number_that_is_too_large_is_not_said_to_be_too_small() -> None:
    with pytest.raises(SettingsError, match=r"learning_rate=1e\+30 must be below"):
        TrainSettings(learning_rate=1e30)
    with pytest.raises(SettingsError, match="learning_rate=-1 must be at least 0"):
        TrainSettings(learning_rate=-1)
