"""Where settings are searched for: ranges and choices by the name of the setting."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Literal, get_args, get_origin

from atomlens.errors import SettingsError, unknown_name
from atomlens.models import MODELS, model_config
from atomlens.neighbors import BUILDERS
from atomlens.printing import shown
from atomlens.settings import Bounds, fits, type_name, why_idle
from atomlens.training import TrainSettings
from atomlens.training.idle import why_unused

_LOGARITHMIC = {"learning_rate", "regularization", "weight_decay", "consistency", "l2"}
_SHARES = {"dropout", "attention_dropout", "ema_decay"}
_GROUPS = ("training", "model", "builder")
_USUAL = (
    "training.learning_rate",
    "training.batch_size",
    "model.n_layers",
    "model.dropout",
    "model.l2",
    "model.min_samples_leaf",
    "model.max_features",
)
_NOT_SEARCHED = {"epochs", "split", "seed", "limit", "subset", "devices", "accelerator", "ensemble"}
"""What decides the data, the cost or the machine: it is set, not searched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One setting with the values that it may take: a range, or choices."""

    group: Literal["training", "model", "builder"]
    name: str
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def key(self) -> str:
        """How it is called: ``model.n_layers``."""
        return f"{self.group}.{self.name}"

    def suggest(self, trial: Any) -> Any:
        """Return a value from an optuna trial."""
        if self.choices:
            return trial.suggest_categorical(self.key, list(self.choices))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.key, self.low, self.high, log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)

    def to_dict(self) -> dict[str, Any]:
        """Return it as it is written in a file."""
        if self.choices:
            return {self.key: list(self.choices)}
        return {self.key: {"low": self.low, "high": self.high, "log": self.log}}


def search_space(
    model: str,
    builder: str,
    wanted: Mapping[str, Any] | Iterable[str] | None = None,
    settings: TrainSettings | None = None,
) -> tuple[Dimension, ...]:
    """Return the dimensions of a search.

    Args:
        model: Name of the model.
        builder: Name of the neighbour builder.
        wanted: ``{"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "model.n_layers":
            [2, 4]}``; or names alone, whose ranges lie around their defaults inside their bounds.
            By default learning rate, batch size, layers and dropout, as far as the model has them
            (of a formula for the weights the penalty, or the leaves and the features of a forest).
        settings: What all trials share; defaults if left out.

    Raises:
        SettingsError: there is no such setting, its range is impossible, or it changes nothing.
    """
    settings = settings or TrainSettings()
    kind = MODELS[model]
    classes = {
        "training": TrainSettings,
        "model": MODELS[model].Config,
        "builder": BUILDERS[builder],
    }
    if wanted is None:
        known = {
            f"{group}.{f.name}" for group in ("training", "model") for f in fields(classes[group])
        }
        usual = [name for name in _USUAL if name in known]
        idle = {n for n in usual if n.startswith("training.") and not kind.learns_in_steps}
        wanted = [name for name in usual if name not in idle]
    ranges = dict(wanted) if isinstance(wanted, Mapping) else dict.fromkeys(wanted)
    if not ranges:
        raise SettingsError(
            "There is no setting to search for; name one, such as learning_rate."
            if kind.learns_in_steps
            else f"The model {model!r} has no setting to search for; train it as it is."
        )
    defaults = model_config(model)
    found = []
    for key, given in ranges.items():
        group, dot, name = str(key).partition(".")
        if not dot:
            group, name = "training", str(key)
        if group not in classes:
            raise SettingsError(unknown_name("group of settings", group, classes))
        rows = {f.name: f for f in fields(classes[group])}
        if name not in rows:
            raise SettingsError(f"{group}: {unknown_name('setting', name, rows)}")
        if group == "training" and name in _NOT_SEARCHED:
            raise SettingsError(
                f"{name} decides data, cost or machine and is not searched for; set it with --set "
                "(in Python an argument)."
            )
        default = getattr(defaults, name) if group == "model" else _default(rows[name])
        found.append(_dimension(group, rows[name], given, default))
    _refuse_idle(found, model, builder, settings)
    return tuple(found)


def _refuse_idle(
    dimensions: Sequence[Dimension], model: str, builder: str, settings: TrainSettings
) -> None:
    """Raise a SettingsError for a setting that changes nothing, whatever the others become."""
    free = {group: {d.name for d in dimensions if d.group == group} for group in _GROUPS}
    of_graphs = {"mode": "formula" if builder == "formula" else "structure"}
    known = {f.name for f in fields(MODELS[model].Config)}
    given = {name: value for name, value in of_graphs.items() if name in known}
    config = model_config(model, **{**given, **settings.model_settings})
    for one in dimensions:
        why = ""
        if one.group == "training":
            why = why_unused(MODELS[model], model, settings, one.name, free=free["training"])
        elif one.group == "model":
            why = why_idle(config, one.name, free["model"])
        if why:
            raise SettingsError(f"{one.key} is not searched for: {why}.")


def _default(field: "Field[Any]") -> Any:
    return None if field.default is MISSING else field.default


def _dimension(group: Any, field: "Field[Any]", given: Any, default: Any) -> Dimension:
    key = f"{group}.{field.name}"
    if given is None:
        return _around(group, field, default)
    if isinstance(given, list | tuple):
        if not given:
            raise SettingsError(f"{key}: the list of choices is empty.")
        for value in given:
            _check(field, value, key)
        return Dimension(group=group, name=field.name, choices=tuple(given))
    if isinstance(given, Mapping):
        for word in given:
            if word not in ("low", "high", "log"):
                raise SettingsError(f"{key}: {unknown_name('word', word, ('low', 'high', 'log'))}")
        low, high, log = given.get("low"), given.get("high"), given.get("log", False)
        for end in (low, high):
            if not isinstance(end, int | float) or isinstance(end, bool):
                raise SettingsError(f"{key}: a range needs the numbers low and high.")
            _check(field, end, key)
        if not isinstance(log, bool):
            raise SettingsError(f"{key}: log must be true or false, not {shown(log)}.")
        assert low is not None
        assert high is not None
        if low >= high or (log and low <= 0):
            raise SettingsError(
                f"{key}: low={low!r} must be below high={high!r}, and above 0 if log is true."
            )
        return Dimension(group=group, name=field.name, low=low, high=high, log=log)
    raise SettingsError(
        f"{key}: write a list of choices, or low, high and log; not {shown(given)}."
    )


def _check(field: "Field[Any]", value: Any, key: str) -> None:
    bounds: Bounds | None = field.metadata.get("bounds")
    inside = bounds is None or not isinstance(value, int | float) or bounds.hold(value)
    if not fits(value, field.type) or not inside:
        raise SettingsError(f"{key}={shown(value)} must be {type_name(field)}.")


def _around(group: Any, field: "Field[Any]", default: Any) -> Dimension:
    """Return the values around a default, inside the bounds of the setting.

    Raises:
        SettingsError: the setting is no number and no choice.
    """
    key = f"{group}.{field.name}"
    if get_origin(field.type) is Literal:
        return Dimension(group=group, name=field.name, choices=get_args(field.type))
    if field.type is bool:
        return Dimension(group=group, name=field.name, choices=(False, True))
    if isinstance(default, bool) or not isinstance(default, int | float):
        raise SettingsError(
            f"{key} is {type_name(field)}; write which values it may take: {field.name}=A,B,C."
        )
    bounds = field.metadata.get("bounds") or Bounds()
    if field.name in _SHARES:
        return Dimension(group=group, name=field.name, low=0.0, high=0.4)
    if isinstance(default, int):
        low, high = max(1, default // 2), max(2, default * 2)
        least = -(2**62) if bounds.least is None else int(bounds.least)
        most = 2**62 if bounds.most is None else int(bounds.most)
        return Dimension(group=group, name=field.name, low=max(low, least), high=min(high, most))
    if default <= 0:
        raise SettingsError(f"{key} is {default:g}; write its range: {field.name}=LOW:HIGH.")
    low_f, high_f = default / 10, default * 10
    if field.name not in _LOGARITHMIC:
        low_f, high_f = default / 2, default * 2
    if bounds.below is not None:
        high_f = min(high_f, (default + bounds.below) / 2)
    if bounds.most is not None:
        high_f = min(high_f, bounds.most)
    return Dimension(
        group=group, name=field.name, low=low_f, high=high_f, log=field.name in _LOGARITHMIC
    )


def parse_dimension(text: str) -> tuple[str, Any]:
    """Return name and values as typed: ``NAME``, ``NAME=LOW:HIGH[:log]`` or ``NAME=A,B,C``.

    Raises:
        SettingsError: it is none of these.
    """
    name, equals, said = text.partition("=")
    name = name.strip()
    if not name or (equals and not said.strip()):
        raise SettingsError(f"--search {text}: write NAME, NAME=LOW:HIGH[:log] or NAME=A,B,C.")
    if not equals:
        return name, None
    if ":" in said:
        words = [w.strip() for w in said.split(":")]
        ends = [_value(w) for w in words[:2]]
        if len(words) > 3 or (len(words) == 3 and words[2] != "log"):
            raise SettingsError(f"--search {text}: a range is LOW:HIGH or LOW:HIGH:log.")
        return name, {"low": ends[0], "high": ends[1], "log": len(words) == 3}
    return name, [_value(w.strip()) for w in said.split(",") if w.strip()]


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "null": None}.get(text, text)
