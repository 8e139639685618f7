"""Numbers with names, units and an error estimate."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import Failure, SettingsError, unknown_name
from atomlens.predictor.columns import ColumnNames
from atomlens.predictor.tables import cells_of, long_rows, summary_rows, table_frame
from atomlens.predictor.trust.calibration import INTERVAL
from atomlens.printing import kind_of_object
from atomlens.structures.doubts import NO_DOUBTS, Doubts
from atomlens.targets import Target, target_places, value_slices

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

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: str) -> "pd.Series[Any]": ...

    def __getitem__(self, index: int | str) -> "dict[str, Any] | pd.Series[Any]":
        """Return the row of one input, as `to_records` has it, or a column of `to_frame`.

        Raises:
            SettingsError: there is no such column.
        """
        if isinstance(index, str):
            frame = self.to_frame()
            if index not in frame:
                raise SettingsError(unknown_name("column of the prediction", index, frame))
            return frame[index]
        if not isinstance(index, int | np.integer):
            raise SettingsError(
                f"A prediction is asked for a row by its number or a column by its name, and this "
                f"is {kind_of_object(index)}; `to_frame` gives a table to choose rows of."
            )
        return cells_of(self).record(range(len(self))[index])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.to_records())

    def of_nothing(self) -> "Prediction":
        """Return one failed input of the same targets, which has the columns of all others."""
        nothing = np.full((1, self.values.shape[1]), np.nan)
        return replace(
            self,
            names=("",),
            formulas=("",),
            n_atoms=np.zeros(1, dtype=np.int64),
            values=nothing,
            std=nothing,
            interval_low=nothing,
            interval_high=nothing,
            probabilities=tuple(
                None if shares is None else np.full((1, shares.shape[1]), np.nan)
                for shares in self.probabilities
            ),
            errors=("there is no input",),
            doubts=(NO_DOUBTS,),
            unlike=None if self.unlike is None else np.full(1, np.nan),
            seen=(),
            carried=(),
            spread=None if self.spread is None else nothing,
            ordered_models=None if self.ordered_models is None else np.zeros(1, dtype=np.int64),
            conformers=None if self.conformers is None else np.zeros(1, dtype=np.int64),
            sources=("",),
            index=None,
        )

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
        return list(map(cells_of(self).record, range(len(self))))

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
        return list(map(cells_of(self).row, range(len(self))))

    def to_summary(self, *, in_words: bool = False) -> list[dict[str, Any]]:
        """Return one row per input for the eye: numbers to the digits of their errors.

        Of spectra there are a few points.

        Args:
            in_words: Say why an answer should be mistrusted, or an input failed. Otherwise there
                is a mark, where somebody else says why.
        """
        return summary_rows(self, in_words=in_words)

    @property
    def has_spectra(self) -> bool:
        """Whether one of the targets is a spectrum."""
        return any(t.is_spectrum for t in self.targets)

    @property
    def has_ends(self) -> bool:
        """Whether the 90 % interval of some value is there."""
        return any(self.intervals) and bool(np.isfinite(self.interval_low).any())

    def __repr__(self) -> str:
        targets = ", ".join(map(str, self.targets))
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"<Prediction: {targets} of {len(self)} inputs{failed}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import table_html

        failed = f"{len(self.failures)} of {len(self)} inputs failed." if self.failures else ""
        return table_html(
            self.to_summary(in_words=True),
            notes=[failed, self.about_intervals() if self.has_ends else ""],
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

        The columns are those of `to_rows`, also where there is no input at all, and for each number
        the ends of its 90 % interval, ``_low`` and ``_high``. The points of a spectrum stand in a
        column called as its grid is (``energy``).
        """
        return table_frame(self)
