"""What the columns of a screening are called, several models side by side."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from atomlens.predictor.columns import ColumnNames
from atomlens.predictor.trained import TrainedModel
from atomlens.predictor.trust.calibration import INTERVAL
from atomlens.targets import Target

Kind = Literal["text", "whole", "number", "list", "any"]
"""What a column holds; ``any`` for what a table brought along."""

NAME, SOURCE, FORMULA, N_ATOMS = "name", "source", "formula", "n_atoms"
STATE, STRUCTURE, WARNING, ERROR = "state", "structure", "warning", "error"
ENDS = ("_low", "_high")
"""Of the 90 % interval of a target, where a model has calibrated ones"""
_BEFORE: dict[str, Kind] = {NAME: "text", SOURCE: "text", FORMULA: "text", N_ATOMS: "whole"}
_FORMS: dict[str, Kind] = {"ordered_models": "whole", "conformers": "whole"}
SENTENCES = "\n"
"""Between the warnings of an input, in shards"""
CHOICES = " forms"
"""Which choices of forms are about an input; for the screening itself, as its state"""
FINE = " surroundings"
"""What structures of equal digests are compared by, likewise"""
NUMBERS = " numbers"
"""What texts of a table are as numbers, by column, for expressions to come; likewise"""
INTERNAL = (CHOICES, FINE, NUMBERS)
"""What is kept beside a shard, and not in it, since it says nothing to those who read shards"""
_AFTER: dict[str, Kind] = {STRUCTURE: "text", WARNING: "text", ERROR: "text", STATE: "text"}


def model_labels(given: Sequence[str]) -> tuple[str, ...]:
    """Return a short name for each model, all different, of letters, digits and ``_``."""
    plain = [_label(Path(one.removeprefix("box:")).absolute().name) for one in given]
    shared = {name for name, n in Counter(plain).items() if n > 1}
    found: list[str] = []
    for name, one in zip(plain, given, strict=True):
        above = _label(Path(one).absolute().parent.name)
        wish = f"{above}_{name}" if name in shared else name
        label, number = wish, 1
        while label in found:
            number += 1
            label = f"{wish}_{number}"
        found.append(label)
    return tuple(found)


def _label(name: str) -> str:
    return re.sub(r"\W", "_", name) or "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenColumns:
    """The columns of all models and of what was read, all called differently.

    A column that several models have, or that is called as one of the others is, gets the name of
    its model in front; the column of a table that was read gets ``_input`` behind it.
    """

    of_models: tuple[dict[str, str], ...]
    """By model: what each of its own columns is called in the table"""
    carried: dict[str, str]
    """By header of the tables that were read: what the column is called"""
    kinds: dict[str, Kind]
    """All columns in their order, and what they hold"""
    units: dict[str, str]
    """By column with numbers of a target, where it has a unit"""
    ends: frozenset[str]
    """Columns with the ends of intervals"""

    @classmethod
    def of(
        cls,
        models: Mapping[str, TrainedModel],
        headers: Iterable[str],
        *,
        has_forms: bool,
        has_choices: bool = False,
        has_fine: bool = False,
        targets: Collection[str] | None = None,
        measured: Mapping[str, Kind] | None = None,
    ) -> "ScreenColumns":
        """Name the columns of models (by label), of a measure and of tables that are read.

        ``targets`` are those that are wanted; None: all.
        """
        kept = {
            label: tuple(t for t in model.targets if targets is None or t.name in targets)
            for label, model in models.items()
        }
        own = [
            own_columns(model, kept[label], has_forms=has_forms) for label, model in models.items()
        ]
        frame = {**_BEFORE, **(_FORMS if has_forms else {}), **(measured or {}), **_AFTER}
        n_wishes = Counter(word for words in own for word in words)
        taken = set(frame)
        called: list[dict[str, str]] = []
        for label, words in zip(models, own, strict=True):
            found = {}
            for word in words:
                wish = f"{label}_{word}" if n_wishes[word] > 1 or word in frame else word
                while wish in taken:
                    wish += "_"
                taken.add(wish)
                found[word] = wish
            called.append(found)
        carried = {}
        for header in headers:
            wish = header
            while wish in taken:
                wish += "_input"
            taken.add(wish)
            carried[header] = wish
        kinds: dict[str, Kind] = dict.fromkeys(carried.values(), "any")
        kinds |= _BEFORE
        for words, names in zip(own, called, strict=True):
            kinds |= {names[word]: kind for word, kind in words.items()}
        kinds |= {**(_FORMS if has_forms else {}), **(measured or {}), **_AFTER}
        kinds |= {CHOICES: "text"} if has_choices else {}
        kinds |= {FINE: "text"} if has_fine else {}
        kinds |= {NUMBERS: "any"} if carried else {}
        units = {
            found[word]: target.unit
            for wanted, found in zip(kept.values(), called, strict=True)
            for target in wanted
            for ending in ("", "_std", *ENDS)
            if target.unit and (word := ColumnNames(wanted).of(target, ending)) in found
        }
        ends = {
            found[word]
            for wanted, found in zip(kept.values(), called, strict=True)
            for target in wanted
            for ending in ENDS
            if (word := ColumnNames(wanted).of(target, ending)) in found
        }
        return cls(
            of_models=tuple(called),
            carried=carried,
            kinds=kinds,
            units=units,
            ends=frozenset(ends),
        )

    def described(self) -> list[dict[str, object]]:
        """Return name and unit of each column of the result, and of an end what lies inside."""
        return [
            {"name": name, "unit": self.units.get(name, "")}
            | ({"interval": INTERVAL} if name in self.ends else {})
            for name in self.shown
        ]

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns of the result: all but what is for the screening itself."""
        return tuple(name for name in self.kinds if name not in (STATE, *INTERNAL))


def own_columns(
    model: TrainedModel, targets: tuple[Target, ...], *, has_forms: bool
) -> dict[str, Kind]:
    """Return the columns of one model by itself: values, errors, unlikeness, units."""
    found: dict[str, Kind] = {}
    names = ColumnNames(targets)
    for target, has_interval in zip(model.targets, model.intervals, strict=True):
        if target not in targets:
            continue
        spread = names.of(target, "_std")
        ends = [names.of(target, ending) for ending in ENDS] if has_interval else []
        if target.is_spectrum:
            found |= dict.fromkeys((target.name, spread, *ends), "list")
        elif target.classes:
            found[target.name] = "text"
            labels = (names.share(target, label) for label in target.classes)
            found |= dict.fromkeys(labels, "number")
        else:
            found |= dict.fromkeys((target.name, spread, *ends), "number")
            if has_forms:
                found[names.of(target, "_spread")] = "number"
    if model.familiarity is not None:
        found[names["unlike"]] = "number"
    found[names["seen_in"]] = "text"
    for target in targets:
        if target.unit:
            found[names.of(target, "_unit")] = "text"
    return found
