"""Numbers with names, units and an error estimate."""

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import Failure, SettingsError, unknown_name
from atomlens.targets import Target, value_slices

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Predictions of all inputs in their order; an input that failed keeps its place.

    Rows of failed inputs hold NaN, an empty formula and 0 atoms.
    """

    names: tuple[str, ...]
    formulas: tuple[str, ...]
    n_atoms: NDArray[np.int64]
    """(n,)"""
    targets: tuple[Target, ...]
    values: Values
    """(n, n_values) in the unit of each target, one column a target, for a spectrum one a point
    of its grid; the most probable class's number for classes."""
    std: Values
    """(n, n_values) standard deviation of the error; NaN where unknown and for classes."""
    std_source: str
    """ensemble, heteroscedastic, ensemble + heteroscedastic, validation or none."""
    interval_low: Values
    """(n, n_values) lower end of the interval that holds the true value in 90 % of cases."""
    interval_high: Values
    """(n, n_values) upper end; infinite if the validation part was too small to say."""
    probabilities: tuple[Values | None, ...]
    """For each classification target (n, n_classes), None for a regression target."""
    errors: tuple[str, ...]
    """By input: why it failed; empty where it did not."""
    warnings: tuple[str, ...]
    """By input: why its numbers should be mistrusted; empty where nothing is known."""
    unlike: Values | None = None
    """(n,) how unlike the training data each input is: the share in percent of the validation
    part that is nearer to it; NaN for failed inputs; None if the model cannot say."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each target."""
        return tuple(t.unit for t in self.targets)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The inputs that failed, in order."""
        pairs = zip(self.names, self.errors, strict=True)
        return tuple(Failure(name=name, message=error) for name, error in pairs if error)

    @property
    def ok(self) -> NDArray[np.bool_]:
        """(n,) True for the inputs that did not fail."""
        return np.array([not error for error in self.errors], dtype=np.bool_)

    def spectrum(self, target: str | None = None) -> Values:
        """(n, n_grid) values of a spectrum, the first one by default; NaN for failed inputs.

        Where they stand is said by ``Target.grid``.

        Raises:
            SettingsError: there is no such spectrum.
        """
        return self.values[:, self._spectrum_place(target)]

    def spectrum_std(self, target: str | None = None) -> Values:
        """(n, n_grid) standard deviation of the error at each point; NaN where unknown."""
        return self.std[:, self._spectrum_place(target)]

    def spectrum_interval(self, target: str | None = None) -> tuple[Values, Values]:
        """Lower and upper end, (n, n_grid) each, of the 90 % interval at each point."""
        place = self._spectrum_place(target)
        return self.interval_low[:, place], self.interval_high[:, place]

    def spectrum_target(self, target: str | None = None) -> Target:
        """Return the target of a spectrum, which has the grid."""
        spectra = {t.name: t for t in self.targets if t.is_spectrum}
        if not spectra:
            raise SettingsError("This model predicts single numbers and no spectrum.")
        if target is None:
            return next(iter(spectra.values()))
        if target not in spectra:
            raise SettingsError(unknown_name("spectrum", target, spectra))
        return spectra[target]

    def _spectrum_place(self, target: str | None) -> slice:
        chosen = self.spectrum_target(target)
        return dict(zip(self.targets, value_slices(self.targets), strict=True))[chosen]

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dictionary per input, ready for JSON.

        ``{"name", "formula", "n_atoms", "<target>", "<target>_std", "unit"}``; ``unit`` is a
        dictionary by target if there are several; ``unlike`` is there if the model can say it;
        a class is its name, with the probabilities
        of all classes instead of a standard deviation; ``warning`` is there only if there is
        one; a failed input is ``{"name", "error"}``. A spectrum and its std are lists over
        ``grid``: ``{"name", "unit", "values"}``, by target if there are several grids.
        """
        return [self._record(i) for i in range(len(self))]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return rows for a CSV file: the records, or for spectra one row a point of the grid."""
        return long_rows(self) if self.has_spectra else self.to_records()

    def to_summary(self) -> list[dict[str, Any]]:
        """Return one row per input for the terminal: of spectra, a few points."""
        return summary_rows(self) if self.has_spectra else self.to_records()

    @property
    def has_spectra(self) -> bool:
        """Whether one of the targets is a spectrum."""
        return any(t.is_spectrum for t in self.targets)

    def _record(self, i: int) -> dict[str, Any]:
        if self.errors[i]:
            return {"name": self.names[i], "error": self.errors[i]}
        record: dict[str, Any] = {
            "name": self.names[i],
            "formula": self.formulas[i],
            "n_atoms": int(self.n_atoms[i]),
        }
        for index, (target, place) in enumerate(self._places()):
            record |= self.target_record(i, index, target, place)
        record |= _grids(self.targets)
        record |= self.unlike_record(i)
        units = {t.name: t.unit for t in self.targets}
        record["unit"] = units if len(units) > 1 else self.targets[0].unit
        if self.warnings[i]:
            record["warning"] = self.warnings[i]
        return record

    def unlike_record(self, i: int) -> dict[str, float]:
        """Return what the record of input ``i`` says about its likeness to the training data."""
        return {} if self.unlike is None else {"unlike": round(float(self.unlike[i]), 1)}

    def _places(self) -> list[tuple[Target, slice]]:
        return list(zip(self.targets, value_slices(self.targets), strict=True))

    def target_record(self, i: int, index: int, target: Target, place: slice) -> dict[str, Any]:
        """Return what the record of input ``i`` says about target number ``index``."""
        if target.is_spectrum:
            names = (target.name, f"{target.name}_std")
            arrays = (self.values[i, place], self.std[i, place])
            return {n: _finite_list(a) for n, a in zip(names, arrays, strict=True)}
        value = float(self.values[i, place.start])
        probabilities = self.probabilities[index]
        if probabilities is not None:
            shares = dict(zip(target.classes, probabilities[i].tolist(), strict=True))
            name = target.classes[int(value)]
            return {target.name: name, f"{target.name}_probabilities": shares}
        std = float(self.std[i, place.start])
        return {target.name: value, f"{target.name}_std": std if math.isfinite(std) else None}

    def to_frame(self) -> "pd.DataFrame":
        """Return a table with one row per input, for spectra one per input and point.

        Columns ``name``, ``formula``, ``n_atoms``, for each target its value, ``_std``, ``_low``
        and ``_high`` (ends of the 90 % interval) or, for a class, its name and one column of
        probability per class; then ``unit`` (joined by ``;``), ``warning`` and ``error``. The
        points of a spectrum stand in a column called as its grid is (``energy``).
        """
        import pandas as pd

        if self.has_spectra:
            return pd.DataFrame(long_rows(self, intervals=True))

        columns: dict[str, Any] = {
            "name": list(self.names),
            "formula": list(self.formulas),
            "n_atoms": self.n_atoms,
        }
        for index, target in enumerate(self.targets):
            columns |= self._target_columns(index, target)
        if self.unlike is not None:
            columns["unlike"] = self.unlike
        columns["unit"] = ";".join(self.units)
        columns["warning"] = list(self.warnings)
        columns["error"] = list(self.errors)
        return pd.DataFrame(columns)

    def _target_columns(self, column: int, target: Target) -> dict[str, Any]:
        values, probabilities = self.values[:, column], self.probabilities[column]
        if probabilities is not None:
            names = [target.classes[int(v)] if math.isfinite(v) else "" for v in values]
            shares = {
                f"{target.name}_{c}": probabilities[:, j] for j, c in enumerate(target.classes)
            }
            return {target.name: names, **shares}
        return {
            target.name: values,
            f"{target.name}_std": self.std[:, column],
            f"{target.name}_low": self.interval_low[:, column],
            f"{target.name}_high": self.interval_high[:, column],
        }


def _finite_list(values: Values) -> list[float | None]:
    """Return the numbers, None where one is not finite."""
    return [v if math.isfinite(v) else None for v in values.tolist()]


def _grids(targets: tuple[Target, ...]) -> dict[str, Any]:
    """Return the entry ``grid`` of a record; nothing without spectra."""
    grids = {
        t.name: {"name": t.grid_name, "unit": t.grid_unit, "values": list(t.grid)}
        for t in targets
        if t.is_spectrum
    }
    if not grids:
        return {}
    first = next(iter(grids.values()))
    same = all(grid == first for grid in grids.values())
    return {"grid": first if same else grids}


Row = dict[str, Any]


_SHOWN = 5
"""Points of a grid that a summary shows."""


def long_rows(prediction: Prediction, *, intervals: bool = False) -> list[Row]:
    """Return one row per input and point of the grid, ready for a CSV file.

    Columns ``name``, ``formula``, ``n_atoms``, the point (called as the grid is, ``energy``), for
    each target its value and ``_std``, with ``intervals`` also ``_low`` and ``_high``, then
    ``unit`` and, where there is one, ``warning``. Targets with different grids follow one
    another, their columns empty in each other's rows; single numbers stand in every row. A
    failed input is one row with ``error``.
    """
    rows: list[Row] = []
    for i in range(len(prediction)):
        if prediction.errors[i]:
            rows.append({"name": prediction.names[i], "error": prediction.errors[i]})
            continue
        start, end = _frame(prediction, i)
        start |= _single_numbers(prediction, i)
        for targets in _shared_grids(prediction.targets):
            columns = _columns(prediction, i, targets, intervals)
            points = zip(*columns.values(), strict=True)
            rows += [start | dict(zip(columns, point, strict=True)) | end for point in points]
    return rows


def summary_rows(prediction: Prediction) -> list[Row]:
    """Return one row per input with a few points of each spectrum, for the terminal."""
    rows: list[Row] = []
    places = target_places(prediction.targets)
    for i in range(len(prediction)):
        if prediction.errors[i]:
            rows.append({"name": prediction.names[i], "error": prediction.errors[i]})
            continue
        start, end = _frame(prediction, i)
        row = start | _single_numbers(prediction, i)
        for target, place in places.items():
            if target.is_spectrum:
                row |= _shown_points(target, prediction.values[i, place].tolist())
        rows.append(row | end)
    return rows


def _frame(prediction: Prediction, i: int) -> tuple[Row, Row]:
    """Return what stands at the beginning and at the end of every row of an input."""
    start = {
        "name": prediction.names[i],
        "formula": prediction.formulas[i],
        "n_atoms": int(prediction.n_atoms[i]),
    }
    end: Row = prediction.unlike_record(i)
    end |= {"unit": ";".join(prediction.units) if any(prediction.units) else ""}
    if prediction.warnings[i]:
        end["warning"] = prediction.warnings[i]
    return start, end


def _single_numbers(prediction: Prediction, i: int) -> Row:
    """Return the columns of the targets that are no spectra."""
    row: Row = {}
    for index, (target, place) in enumerate(target_places(prediction.targets).items()):
        if not target.is_spectrum:
            row |= prediction.target_record(i, index, target, place)
    return row


def _shared_grids(targets: tuple[Target, ...]) -> list[list[Target]]:
    """Return the spectra in groups that share their grid, in the order of first mention."""
    spectra = [t for t in targets if t.is_spectrum]
    order = list(dict.fromkeys(_grid(t) for t in spectra))
    spectra.sort(key=lambda t: order.index(_grid(t)))
    return [list(group) for _, group in groupby(spectra, key=_grid)]


def _grid(target: Target) -> tuple[str, str, tuple[float, ...]]:
    return target.grid_name, target.grid_unit, target.grid


def _columns(
    prediction: Prediction, i: int, targets: list[Target], intervals: bool
) -> dict[str, list[float | None]]:
    """Return the columns of the points of one input."""
    columns: dict[str, list[float | None]] = {targets[0].grid_name: list(targets[0].grid)}
    places = target_places(prediction.targets)
    arrays = {"": prediction.values, "_std": prediction.std}
    if intervals:
        arrays |= {"_low": prediction.interval_low, "_high": prediction.interval_high}
    for target in targets:
        for ending, array in arrays.items():
            values = array[i, places[target]].tolist()
            columns[f"{target.name}{ending}"] = [None if math.isnan(v) else v for v in values]
    return columns


def _shown_points(target: Target, values: list[float]) -> Row:
    """Return a few values of a spectrum, evenly along its grid, with both ends."""
    n = len(target.grid)
    chosen = np.unique(np.linspace(0, n - 1, min(n, _SHOWN)).round().astype(int))
    points = {j: f"{target.grid[j]:.4g} {target.grid_unit}".rstrip() for j in chosen}
    return {f"{target.name} {point}": values[j] for j, point in points.items()}


def target_places(targets: tuple[Target, ...]) -> dict[Target, slice]:
    """Return each target with its place among the values."""
    return dict(zip(targets, value_slices(targets), strict=True))
