"""Predicted spectra as rows (one a point of the grid, or one a material) and as curves."""

import math
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atomlens.reports.spectrum_figure import SpectrumCurve, SpectrumPanel
from atomlens.targets import Target, value_slices

if TYPE_CHECKING:
    from atomlens.predictor.prediction import Prediction

Row = dict[str, Any]
Values = NDArray[np.float64]
_SHOWN = 5
"""Points of a grid that a summary shows."""


def long_rows(prediction: "Prediction", *, intervals: bool = False) -> list[Row]:
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
        for targets in _grids(prediction.targets):
            columns = _columns(prediction, i, targets, intervals)
            points = zip(*columns.values(), strict=True)
            rows += [start | dict(zip(columns, point, strict=True)) | end for point in points]
    return rows


def summary_rows(prediction: "Prediction") -> list[Row]:
    """Return one row per input with a few points of each spectrum, for the terminal."""
    rows: list[Row] = []
    places = _places(prediction.targets)
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


def _frame(prediction: "Prediction", i: int) -> tuple[Row, Row]:
    """Return what stands at the beginning and at the end of every row of an input."""
    start = {
        "name": prediction.names[i],
        "formula": prediction.formulas[i],
        "n_atoms": int(prediction.n_atoms[i]),
    }
    end: Row = {"unit": ";".join(prediction.units) if any(prediction.units) else ""}
    if prediction.warnings[i]:
        end["warning"] = prediction.warnings[i]
    return start, end


def _single_numbers(prediction: "Prediction", i: int) -> Row:
    """Return the columns of the targets that are no spectra."""
    row: Row = {}
    for index, (target, place) in enumerate(_places(prediction.targets).items()):
        if not target.is_spectrum:
            row |= prediction.target_record(i, index, target, place)
    return row


def _grids(targets: tuple[Target, ...]) -> list[list[Target]]:
    """Return the spectra in groups that share their grid, in the order of first mention."""
    spectra = [t for t in targets if t.is_spectrum]
    order = list(dict.fromkeys(_grid(t) for t in spectra))
    spectra.sort(key=lambda t: order.index(_grid(t)))
    return [list(group) for _, group in groupby(spectra, key=_grid)]


def _grid(target: Target) -> tuple[str, str, tuple[float, ...]]:
    return target.grid_name, target.grid_unit, target.grid


def _columns(
    prediction: "Prediction", i: int, targets: list[Target], intervals: bool
) -> dict[str, list[float | None]]:
    """Return the columns of the points of one input."""
    columns: dict[str, list[float | None]] = {targets[0].grid_name: list(targets[0].grid)}
    places = _places(prediction.targets)
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


def _places(targets: tuple[Target, ...]) -> dict[Target, slice]:
    return dict(zip(targets, value_slices(targets), strict=True))


def spectrum_panels(prediction: "Prediction", most: int) -> list[SpectrumPanel]:
    """Return what is drawn of the first inputs that did not fail, at most ``most``."""
    spectra = {t: p for t, p in _places(prediction.targets).items() if t.is_spectrum}
    return [
        SpectrumPanel(
            title=prediction.names[i],
            curves=tuple(
                SpectrumCurve(
                    label=target.name,
                    grid=np.array(target.grid),
                    predicted=prediction.values[i, place],
                    std=prediction.std[i, place],
                )
                for target, place in spectra.items()
            ),
        )
        for i in np.flatnonzero(prediction.ok)[:most].tolist()
    ]


def compared_spectra(prediction: "Prediction", true: Values, target: str) -> list[SpectrumPanel]:
    """Return what is drawn of the best, the median and the worst material, by their MAE.

    Args:
        prediction: Of n inputs.
        true: (n, n_grid) the reference, NaN where unknown.
        target: Which spectrum.
    """
    chosen = prediction.spectrum_target(target)
    found, std = prediction.spectrum(target), prediction.spectrum_std(target)
    error = np.abs(found - true)
    known = np.flatnonzero(np.isfinite(error).any(axis=1))
    mae = np.nanmean(error[known], axis=1)
    order = known[np.argsort(mae, kind="stable")]
    places = {"best": 0, "median": (len(order) - 1) // 2, "worst": len(order) - 1}
    unique = {place: word for word, place in reversed(places.items())}
    return [
        SpectrumPanel(
            title=f"{unique[place]}: {prediction.names[i]}, MAE {np.nanmean(error[i]):.3g}",
            curves=(
                SpectrumCurve(
                    label=target,
                    grid=np.array(chosen.grid),
                    predicted=found[i],
                    std=std[i],
                    true=true[i],
                ),
            ),
        )
        for place, i in ((p, int(order[p])) for p in sorted(unique))
    ]


def axis_labels(target: Target) -> tuple[str, str]:
    """Return what stands at the axes of a spectrum: ``energy (eV)``, ``eps_re``."""
    x = f"{target.grid_name} ({target.grid_unit})" if target.grid_unit else target.grid_name
    return x, f"{target.name} ({target.unit})" if target.unit else target.name
