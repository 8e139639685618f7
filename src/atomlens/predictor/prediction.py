"""Numbers with names, units and an error estimate."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.errors import Failure
from atomlens.targets import Target

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
    """(n, n_targets) in the unit of each target; the most probable class's number for classes."""
    std: Values
    """(n, n_targets) standard deviation of the error; NaN where unknown and for classes."""
    std_source: str
    """ensemble, heteroscedastic, ensemble + heteroscedastic, validation or none."""
    interval_low: Values
    """(n, n_targets) lower end of the interval that holds the true value in 90 % of cases."""
    interval_high: Values
    """(n, n_targets) upper end; infinite if the validation part was too small to say."""
    probabilities: tuple[Values | None, ...]
    """For each classification target (n, n_classes), None for a regression target."""
    errors: tuple[str, ...]
    """By input: why it failed; empty where it did not."""
    warnings: tuple[str, ...]
    """By input: why its numbers should be mistrusted; empty where nothing is known."""

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

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dictionary per input, ready for JSON.

        ``{"name", "formula", "n_atoms", "<target>", "<target>_std", "unit"}``; ``unit`` is a
        dictionary by target if there are several; a class is its name, with the probabilities
        of all classes instead of a standard deviation; ``warning`` is there only if there is
        one; a failed input is ``{"name", "error"}``.
        """
        return [self._record(i) for i in range(len(self))]

    def _record(self, i: int) -> dict[str, Any]:
        if self.errors[i]:
            return {"name": self.names[i], "error": self.errors[i]}
        record: dict[str, Any] = {
            "name": self.names[i],
            "formula": self.formulas[i],
            "n_atoms": int(self.n_atoms[i]),
        }
        for column, target in enumerate(self.targets):
            record |= self._target_record(i, column, target)
        units = {t.name: t.unit for t in self.targets}
        record["unit"] = units if len(units) > 1 else self.targets[0].unit
        if self.warnings[i]:
            record["warning"] = self.warnings[i]
        return record

    def _target_record(self, i: int, column: int, target: Target) -> dict[str, Any]:
        value = float(self.values[i, column])
        probabilities = self.probabilities[column]
        if probabilities is not None:
            shares = dict(zip(target.classes, probabilities[i].tolist(), strict=True))
            name = target.classes[int(value)]
            return {target.name: name, f"{target.name}_probabilities": shares}
        std = float(self.std[i, column])
        return {target.name: value, f"{target.name}_std": std if math.isfinite(std) else None}

    def to_frame(self) -> "pd.DataFrame":
        """Return a table with one row per input.

        Columns ``name``, ``formula``, ``n_atoms``, for each target its value, ``_std``, ``_low``
        and ``_high`` (ends of the 90 % interval) or, for a class, its name and one column of
        probability per class; then ``unit`` (joined by ``;``), ``warning`` and ``error``.
        """
        import pandas as pd

        columns: dict[str, Any] = {
            "name": list(self.names),
            "formula": list(self.formulas),
            "n_atoms": self.n_atoms,
        }
        for column, target in enumerate(self.targets):
            columns |= self._target_columns(column, target)
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
