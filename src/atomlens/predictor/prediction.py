"""Numbers with names, units and an error estimate."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import Failure, SettingsError, unknown_name
from atomlens.predictor.columns import ColumnNames
from atomlens.predictor.samples import UNKNOWN
from atomlens.predictor.trust.calibration import INTERVAL
from atomlens.printing import kind_of_object, percent
from atomlens.reports.wording import value_with_error
from atomlens.structures.arrays import Doubts
from atomlens.structures.files import stem_of
from atomlens.structures.text import is_forced
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
    doubts: tuple[Doubts, ...]
    """By input: why its numbers should be mistrusted; `warnings` has the same as one text each."""
    unlike: Values | None = None
    """(n,) how unlike the training data each input is: the share in percent of the validation
    part that is nearer to it; NaN for failed inputs; None if the model cannot say."""
    seen: tuple[str, ...] = ()
    """By input: in which part of the model's training its structure was (``train``,
    ``validation``, ``test``, ``pretraining``), by content and not by name; empty if in none,
    ``unknown`` if the model folder does not say. Empty if nobody looked."""
    carried: tuple[dict[str, Any], ...] = ()
    """By input: the cells of the table that it came from. Empty if there is none."""
    spread: Values | None = None
    """(n, n_values) standard deviation between the ordered models of a disordered crystal, or the
    conformers of a molecule; NaN for other inputs and for classes; None if there are none."""
    ordered_models: NDArray[np.int64] | None = None
    """(n,) ordered models behind each row; 0 for inputs that are no disordered crystal."""
    conformers: NDArray[np.int64] | None = None
    """(n,) conformers behind each row; 0 for inputs of one shape."""
    sources: tuple[str, ...] = ()
    """By input: path of the file, or the text, that it was read from; empty for objects. Empty if
    nobody knows."""
    index: "pd.Index | None" = None
    """By input: the label of its row in the Series or DataFrame that was given, which `to_frame`
    keeps. None if none was given."""
    intervals: tuple[bool, ...] = ()
    """By target: whether the model has calibrated 90 % intervals of it, which tables then show."""
    about_geometries: str = ""
    """For which geometries the error estimates are, where some of the inputs may have others; said
    once for all of them. Empty if there is nothing to say."""

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the row of one input, as `to_records` has it."""
        if not isinstance(index, int | np.integer):
            raise SettingsError(
                f"A prediction is asked for a row by its number, and this is "
                f"{kind_of_object(index)}; `to_frame` gives a table to choose rows of."
            )
        return self._record(range(len(self))[index], self.columns)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.to_records())

    @property
    def warnings(self) -> tuple[str, ...]:
        """By input: why its numbers should be mistrusted; empty where nothing is known."""
        return tuple(map(str, self.doubts))

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

    def of_targets(self, names: Collection[str]) -> "Prediction":
        """Return the prediction of some of the targets alone."""
        kept = [i for i, target in enumerate(self.targets) if target.name in names]
        places = value_slices(self.targets)
        columns = np.concatenate([np.arange(places[i].start, places[i].stop) for i in kept])
        return replace(
            self,
            targets=tuple(self.targets[i] for i in kept),
            intervals=tuple(self.intervals[i] for i in kept) if self.intervals else (),
            values=self.values[:, columns],
            std=self.std[:, columns],
            interval_low=self.interval_low[:, columns],
            interval_high=self.interval_high[:, columns],
            probabilities=tuple(self.probabilities[i] for i in kept),
            spread=None if self.spread is None else self.spread[:, columns],
        )

    def strictly(self) -> "Prediction":
        """Return the prediction with every input that there is a warning of as a failed one."""
        pairs = zip(self.names, self.errors, self.warnings, strict=True)
        errors = tuple(
            error or (f"{name}: {warning} (--strict)" if warning else "")
            for name, error, warning in pairs
        )
        return replace(self, errors=errors)

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
        return target_places(self.targets)[self.spectrum_target(target)]

    @property
    def columns(self) -> ColumnNames:
        """What the columns are called, all different."""
        return ColumnNames(self.targets, (header for cells in self.carried for header in cells))

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dictionary per input, ready for JSON.

        ``{"name", "source", "formula", "n_atoms", "<target>", "<target>_std", "<target>_low",
        "<target>_high", "unit", "interval"}`` behind the cells of the table that the input came
        from; ``source`` is the file or text, ``_low`` and ``_high`` are the ends of the interval
        that holds the share ``interval`` of true values (0.9; all three only where the model has
        calibrated intervals, and None for an input that gets none); ``unit`` is a dictionary by
        target if there are several; a class is its name, with the probabilities of all classes
        instead of a standard deviation; ``unlike`` is there if the model can say it, ``seen_in``
        and ``warning`` only if there is something to say; a failed input is ``{"name", "source",
        "error"}``. A spectrum, its std and its ends are lists over ``grid``: ``{"name", "unit",
        "values"}``, by target if there are several grids. What would be called like a target is
        called differently (see `ColumnNames`).
        """
        names = self.columns
        return [self._record(i, names) for i in range(len(self))]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return rows for a CSV file, all with the same columns whatever the inputs were.

        The cells of a table that the inputs came from, then ``name``, ``source``, ``formula``,
        ``n_atoms``, for each target its value, ``_std`` and, where the model has calibrated
        intervals, ``_low`` and ``_high``, for a class its name and the probability of each as
        ``TARGET_CLASS``; ``unit`` (``TARGET_unit`` for several targets), ``interval`` (0.9, the
        share of true values between the ends, where there are ends), ``seen_in``, ``warning`` and
        ``error``. Spectra have one row a point of the grid.
        """
        if self.has_spectra:
            return long_rows(self)
        names = self.columns
        return [
            self.carried_cells(i, names)
            | self.frame_cells(i, names)
            | self.single_cells(i, names)
            | self.end_cells(i, names)
            for i in range(len(self))
        ]

    def to_summary(self) -> list[dict[str, Any]]:
        """Return one row per input for the terminal: of spectra, a few points."""
        return summary_rows(self)

    @property
    def has_spectra(self) -> bool:
        """Whether one of the targets is a spectrum."""
        return any(t.is_spectrum for t in self.targets)

    def _record(self, i: int, names: ColumnNames) -> dict[str, Any]:
        carried = self.carried_cells(i, names)
        if self.errors[i]:
            failed = {names["name"]: self.names[i]} | self.source_cells(i, names)
            return carried | failed | {names["error"]: self.errors[i]}
        record = carried | self.frame_cells(i, names)
        for index, (target, place) in enumerate(target_places(self.targets).items()):
            record |= self.target_record(i, index, target, place, names)
        record |= _grids(self.targets, names)
        record |= self.unlike_record(i, names)
        units = {t.name: t.unit for t in self.targets}
        record[names["unit"]] = units if len(units) > 1 else self.targets[0].unit
        record |= self.interval_cells(i, names)
        return record | self.remark_cells(i, names)

    def carried_cells(self, i: int, names: ColumnNames) -> dict[str, Any]:
        """Return the cells of the table that an input came from."""
        cells = self.carried[i] if self.carried else {}
        return {column: cells.get(header) for header, column in names.carried.items()}

    def frame_cells(self, i: int, names: ColumnNames) -> dict[str, Any]:
        """Return name, formula and number of atoms of an input; a failed one has its name only."""
        failed = bool(self.errors[i])
        return (
            {names["name"]: self.names[i]}
            | self.source_cells(i, names)
            | {
                names["formula"]: None if failed else self.formulas[i],
                names["n_atoms"]: None if failed else int(self.n_atoms[i]),
            }
        )

    def source_cells(self, i: int, names: ColumnNames) -> dict[str, str | None]:
        """Return where an input came from, if that is known of any."""
        return {names["source"]: self.sources[i] or None} if self.sources else {}

    def interval_cells(self, i: int, names: ColumnNames) -> dict[str, float | None]:
        """Return what share of true values the intervals of an input promise to hold.

        None for an input that has none; nothing if the model has none.
        """
        if not any(self.intervals):
            return {}
        has_one = bool(np.isfinite(self.interval_low[i]).any())
        return {names["interval"]: INTERVAL if has_one else None}

    @property
    def has_ends(self) -> bool:
        """Whether the 90 % interval of some value is there."""
        return any(self.intervals) and bool(np.isfinite(self.interval_low).any())

    def _has_interval(self, index: int) -> bool:
        return bool(self.intervals) and self.intervals[index]

    def remark_cells(self, i: int, names: ColumnNames) -> dict[str, Any]:
        """Return what is known of an input beside its numbers, without empty columns."""
        seen = self.seen[i] if self.seen else ""
        cells = {names["seen_in"]: seen, names["warning"]: str(self.doubts[i])}
        said = {column: text for column, text in cells.items() if text and text != UNKNOWN}
        return {k: v for k, v in self.ordered_cells(i, names).items() if v} | said

    def end_cells(self, i: int, names: ColumnNames) -> dict[str, Any]:
        """Return what stands at the end of every row of a table."""
        seen = self.seen[i] if self.seen else ""
        return (
            self.unlike_record(i, names)
            | self.ordered_cells(i, names)
            | names.units(self.targets)
            | self.interval_cells(i, names)
            | {
                names["seen_in"]: seen or None,
                names["warning"]: str(self.doubts[i]) or None,
                names["error"]: self.errors[i] or None,
            }
        )

    def ordered_cells(self, i: int, names: ColumnNames) -> dict[str, int | None]:
        """Return how many ordered models or conformers stand behind a row."""
        counts = {"ordered_models": self.ordered_models, "conformers": self.conformers}
        return {
            names[word]: int(found[i]) or None
            for word, found in counts.items()
            if found is not None
        }

    def unlike_record(self, i: int, names: ColumnNames) -> dict[str, float | None]:
        """Return what the record of input ``i`` says about its likeness to the training data."""
        if self.unlike is None:
            return {}
        return {names["unlike"]: percent(float(self.unlike[i]))}

    def target_record(
        self, i: int, index: int, target: Target, place: slice, names: ColumnNames
    ) -> dict[str, Any]:
        """Return what the record of input ``i`` says about target number ``index``."""
        spread = names.of(target, "_std")
        ends = {"_low": self.interval_low, "_high": self.interval_high}
        ends = ends if self._has_interval(index) else {}
        if target.is_spectrum:
            arrays = {"": self.values, "_std": self.std} | ends
            return {names.of(target, w): _finite_list(a[i, place]) for w, a in arrays.items()}
        value = float(self.values[i, place.start])
        probabilities = self.probabilities[index]
        if probabilities is not None:
            shares = dict(zip(target.classes, probabilities[i].tolist(), strict=True))
            return {
                target.name: target.classes[int(value)],
                names.of(target, "_probabilities"): shares,
            }
        std = float(self.std[i, place.start])
        record = {target.name: value, spread: std if math.isfinite(std) else None}
        for ending, array in ends.items():
            end = float(array[i, place.start])
            record[names.of(target, ending)] = end if math.isfinite(end) else None
        if self.spread is not None and math.isfinite(self.spread[i, place.start]):
            record[names.of(target, "_spread")] = float(self.spread[i, place.start])
        return record

    def single_cells(
        self, i: int, names: ColumnNames, *, intervals: bool = False
    ) -> dict[str, Any]:
        """Return the cells of the targets that are no spectra; None for a failed input."""
        cells: dict[str, Any] = {}
        for index, (target, place) in enumerate(target_places(self.targets).items()):
            if target.is_spectrum:
                continue
            column, probabilities = place.start, self.probabilities[index]
            value = math.nan if self.errors[i] else float(self.values[i, column])
            if probabilities is not None:
                known = math.isfinite(value)
                cells[target.name] = target.classes[int(value)] if known else None
                for label, share in zip(target.classes, probabilities[i].tolist(), strict=True):
                    cells[names.share(target, label)] = share if known else None
                continue
            cells[target.name] = value if math.isfinite(value) else None
            arrays = {"_std": self.std}
            if self.spread is not None:
                arrays["_spread"] = self.spread
            if intervals or self._has_interval(index):
                arrays |= {"_low": self.interval_low, "_high": self.interval_high}
            for ending, array in arrays.items():
                number = math.nan if self.errors[i] else float(array[i, column])
                cells[names.of(target, ending)] = _number(number, bounds=not intervals)
        return cells

    def __repr__(self) -> str:
        targets = ", ".join(map(str, self.targets))
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"<Prediction: {targets} of {len(self)} inputs{failed}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import table_html

        failed = f"{len(self.failures)} of {len(self)} inputs failed." if self.failures else ""
        return table_html(
            self.to_summary(), notes=[failed, self.about_intervals() if self.has_ends else ""]
        )

    def about_intervals(self) -> str:
        """Return what the ends of intervals in a table promise; empty without any."""
        if not any(self.intervals):
            return ""
        name = self.targets[0].name if len(self.targets) == 1 else "TARGET"
        said = (
            f"{name}_low to {name}_high: {100 * INTERVAL:.0f} % of true values lie inside, for "
            "structures like those of the validation part"
        )
        if self.shows_intervals:
            return f"{said}."
        here = "" if self.has_spectra else ", and here if one target is asked for"
        return f"{said}; they stand in files, CSV and JSON{here}."

    @property
    def shows_intervals(self) -> bool:
        """Whether a table for the eye has the ends of intervals: of one number."""
        return len(self.targets) == 1 and not self.has_spectra

    def to_frame(self) -> "pd.DataFrame":
        """Return a table with one row per input, for spectra one per input and point.

        Its index is that of the Series or DataFrame that the model was asked about, so that
        ``table["homo"] = model.predict(table["smiles"]).to_frame()["homo"]`` puts each value into
        its own row, whatever the rows are called; failed ones are NaN. It counts from 0 for files,
        lists and arrays. An input with several structures (a file of many) repeats its label, as
        the points of a spectrum do; several forms of one (``disorder``, ``conformers``) are one
        row.

        The columns are those of `to_rows`, and for each number the ends of its 90 % interval,
        ``_low`` and ``_high``. The points of a spectrum stand in a column called as its grid is
        (``energy``).
        """
        import pandas as pd

        if self.has_spectra:
            counts = [_row_count(self, i) for i in range(len(self))]
            index = None if self.index is None else self.index.repeat(counts)
            return pd.DataFrame(long_rows(self, intervals=True), index=index)
        names = self.columns
        rows = [
            self.carried_cells(i, names)
            | self.frame_cells(i, names)
            | self.single_cells(i, names, intervals=True)
            | self.end_cells(i, names)
            for i in range(len(self))
        ]
        frame = pd.DataFrame(rows, index=self.index)
        texts = [names[word] for word in ("source", "formula", "seen_in", "warning", "error")]
        for column in (*texts, *(t.name for t in self.targets if t.classes)):
            if column in frame:
                frame[column] = frame[column].fillna("")
        if names["n_atoms"] in frame:
            frame[names["n_atoms"]] = self.n_atoms
        return frame


def _number(value: float, *, bounds: bool) -> float | None:
    """Return a number, None for none, and with ``bounds`` for infinite ones too."""
    none = not math.isfinite(value) if bounds else math.isnan(value)
    return None if none else value


def _finite_list(values: Values) -> list[float | None]:
    """Return the numbers, None where one is not finite."""
    return [v if math.isfinite(v) else None for v in values.tolist()]


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


Row = dict[str, Any]


_SHOWN = 5
"""Points of a grid that a summary shows."""


def long_rows(prediction: Prediction, *, intervals: bool = False) -> list[Row]:
    """Return one row per input and point of the grid, ready for a CSV file.

    The columns of `Prediction.to_rows`, with the point (called as the grid is, ``energy``) before
    the values and, with ``intervals``, their ``_low`` and ``_high``. Targets with different grids
    follow one another, their columns empty in each other's rows; single numbers stand in every
    row. A failed input is one row with ``error``.
    """
    rows: list[Row] = []
    names, groups = prediction.columns, _shared_grids(prediction.targets)
    for i in range(len(prediction)):
        start = prediction.carried_cells(i, names) | prediction.frame_cells(i, names)
        start |= prediction.single_cells(i, names)
        end = prediction.end_cells(i, names)
        columns = [_columns(prediction, i, targets, intervals, names) for targets in groups]
        empty = dict.fromkeys(column for group in columns for column in group)
        if prediction.errors[i]:
            rows.append(start | empty | end)
            continue
        for group in columns:
            points = zip(*group.values(), strict=True)
            rows += [start | empty | dict(zip(group, point, strict=True)) | end for point in points]
    return rows


def _row_count(prediction: Prediction, i: int) -> int:
    """Return how many of `long_rows` are of one input."""
    if prediction.errors[i]:
        return 1
    return sum(len(group[0].grid) for group in _shared_grids(prediction.targets))


def summary_rows(prediction: Prediction) -> list[Row]:
    """Return one row per input for the terminal, of each spectrum a few points.

    Where each came from is said if the names do not tell, the ends of intervals if there is one
    target; of several targets each has one column, value and error in it and the unit above. What
    is said once for all inputs has a few words: a line that no terminal holds is not read.
    """
    several = len(prediction.targets) > 1
    prediction = replace(prediction, doubts=tuple(map(_in_few_words, prediction.doubts)))
    rows: list[Row] = []
    places, names = target_places(prediction.targets), prediction.columns
    units = names.units(prediction.targets)
    if not need_sources(prediction.names, prediction.sources):
        prediction = replace(prediction, sources=())
    if not prediction.shows_intervals:
        prediction = replace(prediction, intervals=())
    for i in range(len(prediction)):
        if prediction.errors[i]:
            failed = {names["name"]: prediction.names[i]} | prediction.source_cells(i, names)
            rows.append(failed | {names["error"]: prediction.errors[i]})
            continue
        row = prediction.frame_cells(i, names)
        if several:
            del row[names["n_atoms"]]
        for index, (target, place) in enumerate(places.items()):
            if target.is_spectrum:
                row |= _shown_points(target, prediction.values[i, place].tolist())
            elif several and prediction.probabilities[index] is None:
                row |= _in_one_cell(
                    target, *(float(v[i, place.start]) for v in (prediction.values, prediction.std))
                )
            else:
                row |= prediction.target_record(i, index, target, place, names)
        row |= prediction.unlike_record(i, names)
        rows.append(row | ({} if several else units) | prediction.remark_cells(i, names))
    good = dict.fromkeys(column for row in rows if names["error"] not in row for column in row)
    return [good | row if names["error"] in row else row for row in rows]


def _in_one_cell(target: Target, value: float, std: float) -> Row:
    """Return value and error as one cell, with the unit in the name of its column."""
    unit = f" ({target.unit})" if target.unit else ""
    return {f"{target.name}{unit}": value_with_error(value, std)}


def _in_few_words(doubts: Doubts) -> Doubts:
    """Return doubts of which those that are said once for all inputs are short."""
    from atomlens.predictor.trust.doubts import FOREIGN, NAMED, TAKEN

    short = {
        FOREIGN: "coordinates made here",
        NAMED: "coordinates of another method",
        TAKEN: "coordinates of another method",
    }
    return replace(
        doubts,
        of_model=tuple(
            next((words for start, words in short.items() if text.startswith(start)), text)
            for text in doubts.of_model
        ),
    )


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


def _columns(
    prediction: Prediction, i: int, targets: list[Target], intervals: bool, names: ColumnNames
) -> dict[str, list[float | None]]:
    """Return the columns of the points of one input."""
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


def _shown_points(target: Target, values: list[float]) -> Row:
    """Return a few values of a spectrum, evenly along its grid, with both ends."""
    n = len(target.grid)
    chosen = np.unique(np.linspace(0, n - 1, min(n, _SHOWN)).round().astype(int))
    points = {j: f"{target.grid[j]:.4g} {target.grid_unit}".rstrip() for j in chosen}
    return {f"{target.name} {point}": values[j] for j, point in points.items()}


def target_places(targets: tuple[Target, ...]) -> dict[Target, slice]:
    """Return each target with its place among the values."""
    return dict(zip(targets, value_slices(targets), strict=True))
