"""Predictions as records, rows of files, lines of the terminal and tables of pandas."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.predictor.columns import ColumnNames
from atomlens.predictor.samples import UNKNOWN
from atomlens.predictor.trust.calibration import INTERVAL
from atomlens.printing import percent
from atomlens.reports.wording import alike, number, value_with_error
from atomlens.structures.doubts import DoubtKind, Doubts, as_doubt
from atomlens.structures.files import stem_of
from atomlens.structures.text import is_forced
from atomlens.targets import Target, target_places, value_slices
from atomlens.units import unit_text

if TYPE_CHECKING:
    import pandas as pd

    from atomlens.predictor.prediction import Prediction

Row = dict[str, Any]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cells:
    """What stands in which column of the row, or record, of an input."""

    prediction: "Prediction"
    names: ColumnNames

    def carried(self, i: int) -> Row:
        """Return the cells of the table that an input came from."""
        cells = self.prediction.carried[i] if self.prediction.carried else {}
        return {column: cells.get(header) for header, column in self.names.carried.items()}

    def frame(self, i: int) -> Row:
        """Return name, formula and number of atoms of an input; a failed one has its name only."""
        failed = bool(self.prediction.errors[i])
        return self.called(i) | {
            self.names["formula"]: None if failed else self.prediction.formulas[i],
            self.names["n_atoms"]: None if failed else int(self.prediction.n_atoms[i]),
        }

    def called(self, i: int) -> Row:
        """Return the name of an input and where it came from, if that is known of any."""
        name = {self.names["name"]: self.prediction.names[i]}
        if not self.prediction.sources:
            return name
        return name | {self.names["source"]: self.prediction.sources[i] or None}

    def interval(self, i: int) -> Row:
        """Return what share of true values the intervals of an input promise to hold.

        None for an input that has none; nothing if the model has none.
        """
        if not any(self.prediction.intervals):
            return {}
        has_one = bool(np.isfinite(self.prediction.interval_low[i]).any())
        return {self.names["interval"]: INTERVAL if has_one else None}

    def remarks(self, i: int) -> Row:
        """Return what is known of an input beside its numbers, without empty columns."""
        seen = self.prediction.seen[i] if self.prediction.seen else ""
        cells = {self.names["seen_in"]: seen, self.names["warning"]: str(self.prediction.doubts[i])}
        said = {column: text for column, text in cells.items() if text and text != UNKNOWN}
        return {k: v for k, v in self.forms(i).items() if v} | said

    def end(self, i: int) -> Row:
        """Return what stands at the end of every row of a table."""
        prediction, names = self.prediction, self.names
        seen = prediction.seen[i] if prediction.seen else ""
        return (
            self.unlike(i)
            | self.forms(i)
            | names.units(prediction.targets)
            | self.interval(i)
            | {
                names["seen_in"]: seen or None,
                names["warning"]: str(prediction.doubts[i]) or None,
                names["error"]: prediction.errors[i] or None,
            }
        )

    def forms(self, i: int) -> Row:
        """Return how many ordered models or conformers stand behind a row."""
        counts = {
            "ordered_models": self.prediction.ordered_models,
            "conformers": self.prediction.conformers,
        }
        return {
            self.names[word]: int(found[i]) or None
            for word, found in counts.items()
            if found is not None
        }

    def unlike(self, i: int) -> Row:
        """Return how unlike the training data an input is; nothing if the model cannot say."""
        if self.prediction.unlike is None:
            return {}
        return {self.names["unlike"]: percent(float(self.prediction.unlike[i]))}

    def target(self, i: int, index: int) -> Row:
        """Return what the record of an input says about target number ``index``."""
        prediction, names = self.prediction, self.names
        target, place = prediction.targets[index], value_slices(prediction.targets)[index]
        ends = {"_low": prediction.interval_low, "_high": prediction.interval_high}
        ends = ends if self._has_interval(index) else {}
        if target.is_spectrum:
            arrays = {"": prediction.values, "_std": prediction.std} | ends
            return {
                names.of(target, ending): [
                    _number(v, bounds=True) for v in array[i, place].tolist()
                ]
                for ending, array in arrays.items()
            }
        value = float(prediction.values[i, place.start])
        probabilities = prediction.probabilities[index]
        if probabilities is not None:
            shares = dict(zip(target.classes, probabilities[i].tolist(), strict=True))
            return {
                target.name: target.classes[int(value)],
                names.of(target, "_probabilities"): shares,
            }
        record: Row = {target.name: value}
        for ending, array in {"_std": prediction.std, **ends}.items():
            record[names.of(target, ending)] = _number(float(array[i, place.start]), bounds=True)
        if prediction.spread is not None and math.isfinite(prediction.spread[i, place.start]):
            record[names.of(target, "_spread")] = float(prediction.spread[i, place.start])
        return record

    def numbers(self, i: int, *, intervals: bool = False) -> Row:
        """Return the cells of the targets that are no spectra; None for a failed input."""
        prediction, names = self.prediction, self.names
        cells: Row = {}
        for index, (target, place) in enumerate(target_places(prediction.targets).items()):
            if target.is_spectrum:
                continue
            column, probabilities = place.start, prediction.probabilities[index]
            value = math.nan if prediction.errors[i] else float(prediction.values[i, column])
            if probabilities is not None:
                known = math.isfinite(value)
                cells[target.name] = target.classes[int(value)] if known else None
                for label, share in zip(target.classes, probabilities[i].tolist(), strict=True):
                    cells[names.share(target, label)] = share if known else None
                continue
            cells[target.name] = value if math.isfinite(value) else None
            arrays = {"_std": prediction.std}
            if prediction.spread is not None:
                arrays["_spread"] = prediction.spread
            if intervals or self._has_interval(index):
                arrays |= {"_low": prediction.interval_low, "_high": prediction.interval_high}
            for ending, array in arrays.items():
                number = math.nan if prediction.errors[i] else float(array[i, column])
                cells[names.of(target, ending)] = _number(number, bounds=not intervals)
        return cells

    def _has_interval(self, index: int) -> bool:
        return bool(self.prediction.intervals) and self.prediction.intervals[index]

    def record(self, i: int) -> Row:
        """Return what `Prediction.to_records` has of an input."""
        prediction, names = self.prediction, self.names
        record = self.carried(i)
        if prediction.errors[i]:
            return record | self.called(i) | {names["error"]: prediction.errors[i]}
        record |= self.frame(i)
        for index in range(len(prediction.targets)):
            record |= self.target(i, index)
        record |= _grids(prediction.targets, names) | self.unlike(i)
        units = {t.name: t.unit for t in prediction.targets}
        record[names["unit"]] = units if len(units) > 1 else prediction.targets[0].unit
        return record | self.interval(i) | self.remarks(i)

    def row(self, i: int, *, intervals: bool = False) -> Row:
        """Return the row of an input in a table without spectra."""
        return self.carried(i) | self.frame(i) | self.numbers(i, intervals=intervals) | self.end(i)


def cells_of(prediction: "Prediction") -> Cells:
    """Return the cells of a prediction, in columns that are all called differently."""
    return Cells(prediction, prediction.columns)


def _number(value: float, *, bounds: bool) -> float | None:
    """Return a number, None for none, and with ``bounds`` for infinite ones too."""
    none = not math.isfinite(value) if bounds else math.isnan(value)
    return None if none else value


def _grids(targets: tuple[Target, ...], names: ColumnNames) -> dict[str, Any]:
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
    return {names["grid"]: first if same else grids}


_SHOWN = 5
"""Points of a grid that a summary shows."""


def long_rows(prediction: "Prediction", *, intervals: bool = False) -> list[Row]:
    """Return one row per input and point of the grid, ready for a CSV file.

    The columns of `Prediction.to_rows`, with the point (called as the grid is, ``energy``) before
    the values and, with ``intervals``, their ``_low`` and ``_high``. Targets with different grids
    follow one another, their columns empty in each other's rows; single numbers stand in every
    row. A failed input is one row with ``error``.
    """
    rows: list[Row] = []
    cells, groups = cells_of(prediction), _shared_grids(prediction.targets)
    for i in range(len(prediction)):
        start = cells.carried(i) | cells.frame(i) | cells.numbers(i)
        end = cells.end(i)
        columns = [_points(cells, i, targets, intervals) for targets in groups]
        empty = dict.fromkeys(column for group in columns for column in group)
        if prediction.errors[i]:
            rows.append(start | empty | end)
            continue
        for group in columns:
            points = zip(*group.values(), strict=True)
            rows += [start | empty | dict(zip(group, point, strict=True)) | end for point in points]
    return rows


def table_frame(prediction: "Prediction") -> "pd.DataFrame":
    """Return the table of `Prediction.to_frame`."""
    import pandas as pd

    if not len(prediction):
        nothing = table_frame(prediction.of_nothing()).iloc[:0]
        return nothing if prediction.index is None else nothing.set_index(prediction.index)
    if prediction.has_spectra:
        counts = [_row_count(prediction, i) for i in range(len(prediction))]
        index = None if prediction.index is None else prediction.index.repeat(counts)
        return pd.DataFrame(long_rows(prediction, intervals=True), index=index)
    cells = cells_of(prediction)
    rows = [cells.row(i, intervals=True) for i in range(len(prediction))]
    frame, names = pd.DataFrame(rows, index=prediction.index), cells.names
    texts = [names[word] for word in ("source", "formula", "seen_in", "warning", "error")]
    texts += [target.name for target in prediction.targets if target.classes]
    for column in texts:
        if column in frame:
            frame[column] = frame[column].fillna("")
    if names["n_atoms"] in frame:
        frame[names["n_atoms"]] = prediction.n_atoms
    numbers = {**cells.numbers(0, intervals=True), **cells.unlike(0)}
    numbers = {column: float for column in numbers if column not in texts}
    return frame.astype(numbers)  # where all failed, too


def _row_count(prediction: "Prediction", i: int) -> int:
    """Return how many of `long_rows` are of one input."""
    if prediction.errors[i]:
        return 1
    return sum(len(group[0].grid) for group in _shared_grids(prediction.targets))


MARK = "⚠"
"""Stands beside an answer that should be mistrusted, where a table has no room for the reason."""


def summary_rows(prediction: "Prediction", *, in_words: bool) -> list[Row]:
    """Return one row per input for the eye, of each spectrum a few points.

    Where each came from is said if the names do not tell, the ends of intervals if there is one
    target. A value stands with its error in one cell, in the digits of the error, and the unit
    above.

    Args:
        prediction: What was predicted.
        in_words: Say why an answer should be mistrusted, or an input failed. Otherwise there is a
            mark: a line that no terminal holds is not read.
    """
    several = len(prediction.targets) > 1
    rows: list[Row] = []
    names = prediction.columns
    if not need_sources(prediction.names, prediction.sources):
        prediction = replace(prediction, sources=())
    cells = Cells(prediction, names)
    for i in range(len(prediction)):
        if prediction.errors[i]:
            said = prediction.errors[i] if in_words else "failed"
            rows.append(cells.called(i) | {names["error"]: said})
            continue
        row = cells.frame(i)
        if several:
            del row[names["n_atoms"]]
        for index, (target, place) in enumerate(target_places(prediction.targets).items()):
            if prediction.probabilities[index] is not None:
                row |= cells.target(i, index)
            elif target.is_spectrum:
                row |= _shown_points(target, prediction.values[i, place], prediction.std[i, place])
                row |= {} if several else names.units(prediction.targets)
            else:
                row |= _rounded(prediction, i, target, place.start)
        row |= cells.unlike(i) | cells.remarks(i)
        doubts = prediction.doubts[i]
        if doubts:
            row[names["warning"]] = _in_few_words(doubts, in_words=in_words)
        rows.append(row)
    used = dict.fromkeys(column for row in rows if names["error"] not in row for column in row)
    last = [column for column in (names["seen_in"], names["warning"]) if column in used]
    good = dict.fromkeys([*(column for column in used if column not in last), *last])
    return [good | row for row in rows]


def _rounded(prediction: "Prediction", i: int, target: Target, column: int) -> Row:
    """Return value and error of an input as one cell, and beside it what belongs to one target."""
    value, std = float(prediction.values[i, column]), float(prediction.std[i, column])
    row: Row = {called_with_unit(target.name, target.unit): value_with_error(value, std)}
    if len(prediction.targets) > 1:
        return row
    names = prediction.columns
    if any(prediction.intervals):
        ends = {"_low": prediction.interval_low, "_high": prediction.interval_high}
        for ending, array in ends.items():
            end = float(array[i, column])
            row[names.of(target, ending)] = alike(end, std) if math.isfinite(end) else None
    if prediction.spread is not None and math.isfinite(prediction.spread[i, column]):
        row[names.of(target, "_spread")] = number(float(prediction.spread[i, column]), 2)
    return row


def called_with_unit(name: str, unit: str) -> str:
    """Return what a column is called where its unit has no column of its own."""
    return f"{name} ({unit_text(unit)})" if unit else name


_SHORT: dict[DoubtKind, str] = {
    "made": "coordinates made here",
    "named": "coordinates of another method",
    "taken": "coordinates of another method",
}
"""Doubts that are said once for all inputs, in a few words."""
_GEOMETRY = "geometry"
"""They in one word, which the narrowest table has room for."""


def _in_few_words(doubts: Doubts, *, in_words: bool) -> str:
    """Return doubts of which those that are said once for all inputs are short, the others a mark.

    With ``in_words`` the others are whole.
    """
    kinds = [
        next((k for k in as_doubt(text).kinds if k in _SHORT), None) for text in doubts.of_model
    ]
    if in_words:
        found = zip(kinds, doubts.of_model, strict=True)
        return "; ".join(
            [*doubts.of_reader, *(_SHORT[kind] if kind else text for kind, text in found)]
        )
    has_others = bool(doubts.of_reader) or None in kinds
    return " ".join([MARK] * has_others + [_GEOMETRY] * any(kinds))


def need_sources(names: Sequence[str], sources: Sequence[str]) -> bool:
    """Say whether names leave open from which of several files or texts some inputs came."""
    if len(set(sources)) < 2:
        return False
    known = zip(names, sources, strict=True)
    return any(source and not _tells(name, source) for name, source in known) or (
        len(set(names)) < len(names)
    )


def _tells(name: str, source: str) -> bool:
    """Say whether a name is what a file or text alone would be called."""
    text = source.partition(":")[2].strip() if is_forced(source) else source
    path = Path(source)
    return name in (source, text, path.name, stem_of(path))


def _shared_grids(targets: tuple[Target, ...]) -> list[list[Target]]:
    """Return the spectra in groups that share their grid, in the order of first mention."""
    spectra = [t for t in targets if t.is_spectrum]
    order = list(dict.fromkeys(_grid(t) for t in spectra))
    spectra.sort(key=lambda t: order.index(_grid(t)))
    return [list(group) for _, group in groupby(spectra, key=_grid)]


def _grid(target: Target) -> tuple[str, str, tuple[float, ...]]:
    return target.grid_name, target.grid_unit, target.grid


def _points(
    cells: Cells, i: int, targets: list[Target], intervals: bool
) -> dict[str, list[float | None]]:
    """Return the columns of the points of one input."""
    prediction, names = cells.prediction, cells.names
    columns: dict[str, list[float | None]] = {names.grid(targets[0]): list(targets[0].grid)}
    places = target_places(prediction.targets)
    has = dict(zip(prediction.targets, prediction.intervals or (False,) * len(places), strict=True))
    ends = {"_low": prediction.interval_low, "_high": prediction.interval_high}
    for target in targets:
        arrays = {"": prediction.values, "_std": prediction.std}
        arrays |= ends if intervals or has[target] else {}
        for ending, array in arrays.items():
            values = array[i, places[target]].tolist()
            columns[names.of(target, ending)] = [_number(v, bounds=not intervals) for v in values]
    return columns


def _shown_points(target: Target, values: Numbers, std: Numbers) -> Row:
    """Return a few values of a spectrum, evenly along its grid, with both ends."""
    n = len(target.grid)
    chosen = np.unique(np.linspace(0, n - 1, min(n, _SHOWN)).round().astype(int))
    points = {int(j): f"{target.grid[j]:.4g} {target.grid_unit}".rstrip() for j in chosen}
    return {f"{target.name} {point}": alike(values[j], std[j]) for j, point in points.items()}
