"""Counterfactuals: the smallest valid change that moves a prediction most, or past a value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.chemistry.exchanges import Exchange, Exchanges, exchanges
from atomlens.elements.naming import chemical_formula
from atomlens.errors import ExplanationError, SettingsError, StructureError, unknown_name
from atomlens.predictor import Prediction, Predictor
from atomlens.predictor.explaining import explain_one
from atomlens.predictor.inputs import gather
from atomlens.predictor.samples import known_part
from atomlens.predictor.trust.calibration import INTERVAL
from atomlens.printing import cut, percent
from atomlens.structures.arrays import StructureArrays, name_of
from atomlens.targets import Target, value_slices

if TYPE_CHECKING:
    from ase import Atoms

_N_SHOWN = 10
"""Changes on a page and on a terminal; tables have them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """One changed structure, and what the model says of it."""

    atoms: "Atoms"
    change: str
    """Such as ``OH on C7 → CN``"""
    size: int
    """heavy atoms that went or came; sites or elements that were exchanged"""
    prediction: float
    std: float
    """standard deviation of its error; NaN where nothing is known"""
    shift: float
    """prediction less that of the structure itself"""
    clear: bool | None
    """whether the shift is larger than twice both errors together; None: an error is unknown"""
    unlike: float
    """share in percent of the validation part that is nearer to the training data; NaN: unknown"""
    low: float = math.nan
    """lower end of the interval that holds the true value in 90 % of cases; NaN: there is none"""
    high: float = math.nan
    """upper end"""
    seen: str = ""
    """in which part of the model's training it was, if in one"""
    warning: str = ""
    """why its numbers should be mistrusted, if they should"""

    def to_row(self, rank: int, target: str, unit: str = "") -> dict[str, object]:
        """Return the row of a table; values are called as the columns of `predict` are."""
        return {
            "rank": rank,
            "change": self.change,
            "structure": self.structure,
            target: self.prediction,
            f"{target}_std": self.std,
            f"{target}_low": self.low,
            f"{target}_high": self.high,
            "unit": unit,
            "interval": INTERVAL if math.isfinite(self.low) else None,
            "shift": self.shift,
            "clear": self.clear,
            "size": self.size,
            "unlike": percent(self.unlike),
            "seen_in": self.seen or None,
            "warning": self.warning or None,
        }

    @property
    def structure(self) -> str:
        """SMILES, or the formula."""
        smiles = self.atoms.info.get("smiles")
        return smiles if isinstance(smiles, str) else chemical_formula(self.atoms.numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactuals:
    """The changes of one structure, the first the best."""

    name: str
    target: str
    unit: str
    given: float
    """What the model says of the structure as it was given."""
    start: float
    """What it says of it with a geometry made like that of the others; shifts are to this."""
    start_atoms: "Atoms"
    std: float
    """Standard deviation of the error of ``start``; NaN where nothing is known."""
    past: float | None
    """The value that was to be passed."""
    found: tuple[Counterfactual, ...]
    n_tried: int
    notes: tuple[str, ...]
    warning: str = ""
    """Why the numbers of the structure as given should be mistrusted, if they should."""
    seen: str = ""
    """In which part of the model's training the structure as given was, if in one."""
    source: str = ""
    """Path of the file, or text, that the structure was read from; empty if nobody knows."""
    given_std: float = math.nan
    """Standard deviation of the error of ``given``; NaN where nothing is known."""
    unlike: float = math.nan
    """Of the structure as given: share in percent of the validation part that is nearer to the
    training data; NaN: unknown."""

    def __repr__(self) -> str:
        from atomlens.reports.wording import value_with_error

        value = f"{value_with_error(self.start, self.std)} {self.unit}".rstrip()
        counted = f"{len(self.found)} of {self.n_tried} changes"
        return f"<Counterfactuals: {self.target} of {cut(self.name, 40)} = {value}; {counted}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import table_html

        return table_html(self.to_rows(), title=repr(self).strip("<>"), notes=self.notes)

    def to_rows(self) -> list[dict[str, object]]:
        """Return the ranked table."""
        return [c.to_row(i, self.target, self.unit) for i, c in enumerate(self.found, start=1)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        rows = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in r.items()}
            for r in self.to_rows()
        ]
        return {
            "name": self.name,
            **({"source": self.source} if self.source else {}),
            "target": self.target,
            "unit": self.unit,
            "given": self.given,
            "given_std": self.given_std if math.isfinite(self.given_std) else None,
            "start": self.start,
            "start_std": self.std if math.isfinite(self.std) else None,
            "unlike": percent(self.unlike),
            "past": self.past,
            "tried": self.n_tried,
            "counterfactuals": rows,
            "notes": list(self.notes),
            **({"seen_in": self.seen} if self.seen else {}),
            **({"warning": self.warning} if self.warning else {}),
        }


def counterfactuals(
    predictor: Predictor, atoms: "Atoms", *, target: str | None = None, past: float | None = None
) -> Counterfactuals:
    """Return what one exchange of an atom, group, site or element does to a prediction.

    Without ``past`` the changes that move it most come first, the smaller of two alike ones
    before; with it only those whose prediction lies beyond that value, the smallest first.

    Args:
        predictor: Any trained model.
        atoms: Molecule (bonds known or found), crystal or bare formula.
        target: Which property; the first by default.
        past: Value in the unit of the target, of a class its probability.

    Raises:
        ExplanationError: the target is a spectrum, or nothing can be exchanged.
        SettingsError: no such target, or ``past`` is not a number.
        StructureError: the structure cannot be used, or no rule says what may be exchanged.
    """
    column = _column(predictor, target)
    chosen = predictor.targets[column]
    if past is not None and not math.isfinite(past):
        raise SettingsError(f"past={past}: give a number, in {chosen.unit or 'its unit'}.")
    changes = exchanges(atoms, _may_come(predictor))
    if not changes.found:
        raise ExplanationError(
            f"{name_of(atoms)}: no atom, group, site or element can be exchanged for one that the "
            f"model knows. {' '.join(changes.notes)}"
        )
    inputs = [atoms, changes.start, *(c.atoms for c in changes.found)]
    prediction = predictor.predict(gather(StructureArrays.from_atoms(inputs)))
    for error in prediction.errors[:2]:
        if error:
            raise StructureError(error)
    values, std = _numbers(prediction, chosen, column)
    found = _judged(changes, prediction, values, std, column)
    n_tried = len(found)
    if past is not None:
        above = past >= values[1]
        found = [c for c in found if (c.prediction > past if above else c.prediction < past)]
        found.sort(key=lambda c: (c.size, _far(c), -abs(c.shift)))
    else:
        found.sort(key=lambda c: (-abs(c.shift), c.size))
    warned = [f"The structure itself: {text}." for text in prediction.warnings[:1] if text]
    return Counterfactuals(
        name=name_of(atoms),
        target=chosen.name,
        unit=_unit(prediction, chosen, column),
        given=float(values[0]),
        start=float(values[1]),
        start_atoms=changes.start,
        std=float(std[1]),
        past=past,
        found=tuple(found),
        n_tried=n_tried,
        notes=(*warned, *changes.notes),
        warning=prediction.warnings[0],
        seen=known_part(prediction.seen[0]) if prediction.seen else "",
        given_std=float(std[0]),
        unlike=math.nan if prediction.unlike is None else float(prediction.unlike[0]),
    )


def _column(predictor: Predictor, target: str | None) -> int:
    names = [t.name for t in predictor.targets]
    if target is not None and target not in names:
        raise SettingsError(unknown_name("target of this model", target, names))
    column = 0 if target is None else names.index(target)
    if predictor.targets[column].is_spectrum:
        raise ExplanationError(
            f"{names[column]!r} is a spectrum; counterfactuals are about single numbers and "
            "classes."
        )
    return column


def _may_come(predictor: Predictor) -> list[int]:
    """Return the elements of the training data, or those that the network knows."""
    if predictor.elements:
        return list(predictor.elements)
    known = predictor.models[0].knows_elements().numpy()
    return [int(z) for z in np.flatnonzero(known) if z]


def _numbers(prediction: Prediction, target: Target, column: int) -> tuple[Any, Any]:
    """Return the value of each input and its deviation; of a class, the first's probability."""
    place = value_slices(prediction.targets)[column].start
    shares = prediction.probabilities[column]
    if target.kind == "classification" and shares is not None:
        label = int(prediction.values[1, place])
        return shares[:, label], np.full(len(prediction), np.nan)
    return prediction.values[:, place], prediction.std[:, place]


def _unit(prediction: Prediction, target: Target, column: int) -> str:
    """Return the unit of `_numbers`, which of a class says whose probability they are."""
    if not target.classes:
        return target.unit
    label = int(prediction.values[1, value_slices(prediction.targets)[column].start])
    return f"probability of {target.classes[label]}"


def _judged(
    changes: Exchanges, prediction: Prediction, values: Any, std: Any, column: int
) -> list[Counterfactual]:
    """Return the changes of which the model says something."""
    unlike = prediction.unlike
    place = value_slices(prediction.targets)[column].start
    low, high = prediction.interval_low[:, place], prediction.interval_high[:, place]
    found = []
    change: Exchange
    for row, change in enumerate(changes.found, start=2):
        if prediction.errors[row] or not math.isfinite(values[row]):
            continue
        shift = float(values[row] - values[1])
        doubt = 2 * math.hypot(float(std[row]), float(std[1]))
        found.append(
            Counterfactual(
                atoms=change.atoms,
                change=change.change,
                size=change.size,
                prediction=float(values[row]),
                std=float(std[row]),
                shift=shift,
                clear=bool(abs(shift) > doubt) if math.isfinite(doubt) else None,
                unlike=math.nan if unlike is None else float(unlike[row]),
                low=float(low[row]),
                high=float(high[row]),
                seen=known_part(prediction.seen[row]) if prediction.seen else "",
                warning=prediction.warnings[row],
            )
        )
    return found


def _far(found: Counterfactual) -> float:
    return found.unlike if math.isfinite(found.unlike) else 0.0


def write_counterfactuals(
    found: Counterfactuals, predictor: Predictor, folder: Path, stem: str
) -> list[Path]:
    """Write ``STEM-counterfactuals.csv``, ``.json`` and a page of the first ones; return them.

    The page shows the structure itself and the changed ones in 3D, coloured by the default method
    of `explain`.
    """
    from dataclasses import replace

    from atomlens.files import to_json, write_text
    from atomlens.reports.page import write_page
    from atomlens.reports.tables import write_table
    from atomlens.reports.wording import signed

    base = folder / f"{stem}-counterfactuals"
    written = [base.with_name(base.name + end) for end in (".json", ".csv", ".html")]
    write_text(to_json(found.to_dict()) + "\n", written[0])
    if not found.found:
        return written[:1]
    write_table(found.to_rows(), written[1])
    titled = [("as it is", found.start_atoms)]
    titled += [
        (f"{i}: {signed(c.shift)}, {c.change}", c.atoms)
        for i, c in enumerate(found.found[:_N_SHOWN], start=1)
    ]
    pictures = [
        replace(explain_one(predictor, atoms, target=found.target).picture(), name=title)
        for title, atoms in titled
    ]
    pictures[0] = replace(pictures[0], warning=found.warning, seen=found.seen)
    write_page(pictures, written[2], title=f"Counterfactuals of {found.name}")
    return written


def counterfactual_lines(found: Counterfactuals) -> Sequence[dict[str, str]]:
    """Return the rows for a terminal."""
    from atomlens.reports.wording import signed, value_with_error

    return [
        {
            "": str(i),
            "change": c.change,
            "structure": c.structure,
            found.target: value_with_error(c.prediction, c.std),
            "shift": signed(c.shift) + (" (unclear)" if c.clear is False else ""),
            "size": str(c.size),
            "unlike %": "" if (share := percent(c.unlike)) is None else f"{share:g}",
        }
        for i, c in enumerate(found.found[:_N_SHOWN], start=1)
    ]
