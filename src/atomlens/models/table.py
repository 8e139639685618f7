"""The table of models: ours, those of installed packages, and those defined in this process."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from atomlens.errors import SettingsError
from atomlens.models.base import PropertyModel

GROUP = "atomlens.models"
"""Entry point group under which a package offers models."""
_NEEDED = ("n_outputs", "n_elements", "predict_scale")


class ModelTable(Mapping[str, type[PropertyModel]]):
    """Class of every model by name.

    A name that is not ours is looked up among the entry points of installed packages, and then
    among the classes that were defined in this process, whose name is that of the class in lower
    case. Entry points are imported when they are asked for, never by a model folder's say.
    """

    def __init__(self, ours: Mapping[str, type[PropertyModel]]) -> None:
        self._ours = dict(ours)

    def __getitem__(self, name: Any) -> type[PropertyModel]:
        """Return the class of a model.

        Raises:
            KeyError: there is none of that name.
            SettingsError: a package offers it, but it cannot be imported or is no model.
        """
        if not isinstance(name, str):
            raise KeyError(name)
        if name in self._ours:
            return self._ours[name]
        if name in _offered():
            return _imported(_offered()[name])
        for kind in reversed(_defined_here()):
            if kind.__name__.lower() == name:
                found: type[PropertyModel] = kind
                return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """Go through our names and those of installed packages."""
        yield from self._ours
        yield from (name for name in _offered() if name not in self._ours)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def ours(self) -> tuple[str, ...]:
        """Return the names of the models that come with this package."""
        return tuple(self._ours)

    def names_of(self, kind: type[PropertyModel]) -> tuple[str, ...]:
        """Return the names that stand for a class; empty if it cannot be found by name."""
        ours = tuple(name for name, other in self._ours.items() if other is kind)
        if ours:
            return ours
        for name in (*_offered(), kind.__name__.lower()):
            if name not in self._ours and self.get(name) is kind:
                return (name,)
        return ()


def check_kind(kind: Any) -> None:
    """Raise a SettingsError unless a class from outside can be trained as a model."""
    what = getattr(kind, "__name__", repr(kind))
    if not (isinstance(kind, type) and issubclass(kind, PropertyModel)):
        raise SettingsError(f"{what} is no model: derive it from atomlens.models.PropertyModel.")
    if inspect.isabstract(kind):
        raise SettingsError(f"{what} has no forward; a model needs one.")
    config: Any = getattr(kind, "Config", None)
    if not (isinstance(config, type) and is_dataclass(config)):
        raise SettingsError(
            f"{what}.Config must be a dataclass with every setting; set Config = {what}Config in "
            "the class."
        )
    known = {f.name for f in fields(config)}
    missing = [name for name in _NEEDED if name not in known]
    if missing:
        raise SettingsError(
            f"{config.__name__} lacks the field{'s' * (len(missing) > 1)} {', '.join(missing)}, "
            "which training fills in; add them (n_outputs: int = 1, n_elements: int = 95, "
            "predict_scale: bool = False)."
        )
    try:
        config()
    except TypeError as problem:
        raise SettingsError(
            f"{config.__name__}: every setting needs a default ({problem})."
        ) from None


def kind_of_config(config: Any) -> type[PropertyModel]:
    """Return the class of models that a configuration belongs to.

    Raises:
        SettingsError: it belongs to none.
    """
    fitting = [
        kind
        for kind in _subclasses(PropertyModel)
        if getattr(kind, "Config", None) is type(config) and not inspect.isabstract(kind)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SettingsError(
            f"{type(config).__name__} is the Config of several classes "
            f"({', '.join(kind.__name__ for kind in fitting)}); give the class, and its settings "
            "as model_settings."
        )
    raise SettingsError(
        f"model={config!r}: this is neither the name of a model, nor a class of models, nor the "
        "Config of one."
    )


@cache
def _offered() -> dict[str, EntryPoint]:
    """Return what installed packages offer, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def _imported(point: EntryPoint) -> type[PropertyModel]:
    package = point.dist.name if point.dist is not None else point.value
    try:
        kind = point.load()
    except Exception as problem:  # another package's module may fail in any way
        raise SettingsError(
            f"The model {point.name!r} of the package {package} cannot be imported "
            f"({type(problem).__name__}: {problem}); repair or remove that package."
        ) from problem
    check_kind(kind)
    found: type[PropertyModel] = kind
    return found


def _defined_here() -> list[type[PropertyModel]]:
    """Return the models from outside that this process has defined, oldest first."""
    return [
        kind
        for kind in _subclasses(PropertyModel)
        if not kind.__module__.startswith("atomlens.") and not inspect.isabstract(kind)
    ]


def _subclasses(kind: Any) -> list[type[PropertyModel]]:
    found: list[type[PropertyModel]] = []
    for one in kind.__subclasses__():
        found += [one, *_subclasses(one)]
    return found
