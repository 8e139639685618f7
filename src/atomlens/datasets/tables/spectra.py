"""Spectra of a table, each on points of its own, brought onto the one grid that is learned.

A row has an array of points (``energy``) and arrays of the same length with the values there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from atomlens.datasets.tables.cells import is_missing
from atomlens.datasets.tables.columns import Columns, TargetColumns, TargetOptions, target_columns
from atomlens.datasets.tables.grids import (
    GRIDS,
    GridOptions,
    Spectrum,
    on_grid,
    parse_grid,
    sound_spectrum,
)
from atomlens.datasets.tables.headers import loosely, parse_header
from atomlens.datasets.tables.target_doubts import tell_fill_values
from atomlens.errors import DatasetError, MissingTargetError, SettingsError, unknown_name, warn
from atomlens.targets import Target, value_slices

POINTS = ("energy", "energies", "photon_energy")
"""Headers that say, in eV, where the values of a spectrum stand."""


def has_spectra(columns: Columns) -> bool:
    """Say whether a table holds arrays of numbers."""
    return any(_is_array(cells) for cells in columns.values())


def spectrum_columns(
    columns: Columns,
    wanted: Sequence[str],
    options: TargetOptions,
    grid: GridOptions,
    where: str,
) -> TargetColumns:
    """Return the wanted spectra on one grid (all that there are if none is named).

    Single numbers of the same table are targets only if they are named.

    Raises:
        DatasetError: a wanted column is not there, or the spectra have no common grid and none
            was given.
        SettingsError: the grid is none.
    """
    points = _points_header(columns, grid.grid_column, where)
    unit = parse_header(points)[1] or "eV"
    if isinstance(grid.grid, str) and grid.grid in GRIDS and unit != "eV":
        raise SettingsError(
            f"{where}: the grid {grid.grid!r} is in eV, and {points!r} is in {unit}; give "
            "FIRST:LAST:N in that unit, or convert the column."
        )
    arrays = {h: c for h, c in columns.items() if h != points and _is_array(c)}
    headers = {parse_header(h)[0]: h for h in arrays} | {h: h for h in arrays}
    loose = {loosely(name): name for name in headers}
    wanted = [w if w in headers else loose.get(loosely(w), w) for w in wanted]
    spectral = (
        [w for w in wanted if w in headers] if wanted else [parse_header(h)[0] for h in arrays]
    )
    single = [w for w in wanted if w not in headers]
    if not spectral and not single:
        raise DatasetError(f"{where}: there is no array of values beside {points!r}.")
    parts: list[TargetColumns] = []
    if single:
        numbers = {h: c for h, c in columns.items() if h not in (*arrays, points)}
        known = dict.fromkeys([*numbers, *headers])
        missing = [w for w in single if w not in {parse_header(h)[0] for h in known} | set(known)]
        if missing:
            raise MissingTargetError(where, missing, known)
        parts.append(target_columns(numbers, single, _about(options, single), where))
    problems: dict[int, str] = {}
    read = {w: _spectra(columns, points, headers[w], problems) for w in spectral}
    common = _common_grid(grid, read, where) if spectral else ()
    for name, spectra in read.items():
        target = _target(headers[name], points, common, options)
        parts.append(_gridded(target, spectra, len(columns[points]), grid, where))
    return _side_by_side(parts, wanted, problems)


def _is_array(cells: Sequence[Any]) -> bool:
    """Say whether a column holds lists that begin with a number, in half of its cells or more."""
    lists = [c for c in cells if isinstance(c, list | tuple | np.ndarray) and len(c)]
    n = sum(isinstance(c[0], int | float | np.number) for c in lists)
    others = sum(not isinstance(c, list | tuple | np.ndarray) and not is_missing(c) for c in cells)
    return n > 0 and 2 * n >= len(lists) + others


def _points_header(columns: Columns, given: str | None, where: str) -> str:
    if given is not None:
        if given not in columns:
            raise DatasetError(f"{where}: {unknown_name('column', given, columns)}")
        return given
    for header in columns:
        if parse_header(header)[0].lower() in POINTS:
            return header
    raise DatasetError(
        f"{where}: there are arrays, but no column {POINTS[0]!r} that says where their values "
        "stand; add one, or name it with grid_column (--grid-column, in Python grid_column=)."
    )


def _target(header: str, points: str, grid: tuple[float, ...], options: TargetOptions) -> Target:
    name, unit = parse_header(header)
    grid_name, grid_unit = parse_header(points)
    if grid_name.lower() in POINTS:
        grid_name, grid_unit = "energy", grid_unit or "eV"
    return Target(
        name=name,
        unit=options.units.get(name, unit),
        extensive=name in options.extensive,
        nonnegative=name in options.nonnegative,
        grid=grid,
        grid_name=grid_name,
        grid_unit=grid_unit,
    )


def _spectra(
    columns: Columns, points: str, header: str, problems: dict[int, str]
) -> dict[int, Spectrum]:
    """Return the spectra of a column by row; rows that cannot be used get a problem."""
    spectra: dict[int, Spectrum] = {}
    for row, (x, y) in enumerate(zip(columns[points], columns[header], strict=True)):
        if not isinstance(y, list | tuple | np.ndarray) and is_missing(y):
            continue  # unknown, as an empty cell of a number is
        try:
            spectra[row] = sound_spectrum(x, y, (points, header))
        except ValueError as problem:
            problems.setdefault(row, str(problem))
    return spectra


def _common_grid(
    options: GridOptions, read: Mapping[str, dict[int, Spectrum]], where: str
) -> tuple[float, ...]:
    if options.grid is not None:
        return parse_grid(options.grid)
    spectra = [s for rows in read.values() for s in rows.values()]
    if not spectra:
        return (0.0, 1.0)  # no row can be used; the reasons are told with the rows
    first = spectra[0].points
    if all(np.array_equal(s.points, first) for s in spectra):
        return tuple(first.tolist())
    starts, ends = [s.points[0] for s in spectra], [s.points[-1] for s in spectra]
    low, high = max(starts), min(ends)
    covered = f"all cover {low:g} to {high:g}" if low < high else "no range is covered by all"
    raise DatasetError(
        f"{where}: the spectra stand on different points, from {min(starts):g} to {max(ends):g} "
        f"({covered}); choose the grid to learn with grid (--grid FIRST:LAST:N, in Python "
        'grid="FIRST:LAST:N").'
    )


def _gridded(
    target: Target, spectra: Mapping[int, Spectrum], n_rows: int, options: GridOptions, where: str
) -> TargetColumns:
    """Return the spectra on the target's grid; rows without one are unknown."""
    grid = np.array(target.grid)
    values, held = np.full((n_rows, len(grid)), np.nan), np.zeros((n_rows, len(grid)), np.bool_)
    problems: dict[int, str] = {}
    for row, spectrum in spectra.items():
        first, last = spectrum.points[0], spectrum.points[-1]
        if last < grid[0] or first > grid[-1]:
            problems[row] = (
                f"{target.name!r} goes from {first:g} to {last:g} {target.grid_unit}, outside the "
                f"grid from {grid[0]:g} to {grid[-1]:g}; choose another grid"
            )
        else:
            values[row], held[row] = on_grid(spectrum, grid, options.beyond)
    tell_fill_values({row: one.values for row, one in spectra.items()}, target.name, where)
    n_held = int(held.any(axis=1).sum())
    if n_held:
        warn(
            f"{where}: {n_held} of {len(spectra)} spectra of {target.name!r} end before "
            f"{grid[-1]:g} {target.grid_unit}, and their last value is held up to there; with "
            '--beyond mask (in Python beyond="mask") nothing is learned there.'
        )
    return TargetColumns(targets=(target,), values=values, problems=problems, held=held)


def _side_by_side(
    parts: Sequence[TargetColumns], wanted: Sequence[str], problems: dict[int, str]
) -> TargetColumns:
    """Return all targets as one table, in the order in which they were asked for."""
    places: dict[str, int] = {name: place for place, name in enumerate(wanted)}
    singles: list[TargetColumns] = []
    for part in parts:
        problems = part.problems | problems
        held = np.zeros(part.values.shape, np.bool_) if part.held is None else part.held
        singles += [
            replace(part, targets=(t,), values=part.values[:, p], held=held[:, p])
            for t, p in zip(part.targets, value_slices(part.targets), strict=True)
        ]
    singles.sort(key=lambda one: places.get(one.targets[0].name, len(places)))
    held = np.concatenate([one.held for one in singles if one.held is not None], axis=1)
    return TargetColumns(
        targets=tuple(one.targets[0] for one in singles),
        values=np.concatenate([one.values for one in singles], axis=1),
        problems=problems,
        held=held if held.any() else None,
    )


def _about(options: TargetOptions, names: Sequence[str]) -> TargetOptions:
    """Return what is said about some of the targets."""
    return replace(
        options,
        units={n: u for n, u in options.units.items() if n in names},
        kinds={n: k for n, k in options.kinds.items() if n in names},
        classes={n: c for n, c in options.classes.items() if n in names},
        extensive=[n for n in options.extensive if n in names],
        nonnegative=[n for n in options.nonnegative if n in names],
    )
