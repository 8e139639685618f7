"""Measured refractive indices made into dielectric functions, one a formula.

M. N. Polyanskiy, Sci. Data 11, 94 (2024): the refractiveindex.info database (CC0), of which the
package matminer ships the part on inorganic compounds. An entry has n and k at vacuum wavelengths;
eps = (n + i k)², at the photon energy h c / wavelength.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset, DatasetSource
from atomlens.datasets.sampling import keep_rows, sample_rows, usable
from atomlens.datasets.sources.archives import open_members
from atomlens.datasets.splits import reduced_formulas
from atomlens.datasets.tables.grids import Spectrum, numbers_of, on_grid, parse_grid
from atomlens.datasets.tables.table import Table, read_table
from atomlens.errors import DatasetError, Failure, StructureError, missing_package, warn
from atomlens.files import cache_folder
from atomlens.structures.arrays import Structure, StructureArrays, structure_of
from atomlens.targets import Target
from atomlens.units import EV_NANOMETRE

if TYPE_CHECKING:
    from ase import Atoms

Values = NDArray[np.float64]
COLUMNS = ("wavelength_um", "n", "k")
DEFAULT_GRID = "optical-nk"
_ARCHIVE = "utils/data_files/optical_polyanskiy/database.tar.xz"
_EV_MICROMETRE = EV_NANOMETRE / 1000


class _Entry(NamedTuple):
    """One measurement."""

    name: str
    read: "Callable[[], Atoms]"
    columns: Mapping[str, Any]
    """Arrays by name, those of ``COLUMNS``."""


class _Measured(NamedTuple):
    structure: Structure
    eps_re: Spectrum
    eps_im: Spectrum
    is_corrected: bool
    """Whether a k below zero was taken as 0."""


def is_optical(columns: Mapping[str, Any]) -> bool:
    """Say whether a table has the columns of refractive indices over wavelength."""
    return all(name in columns for name in COLUMNS)


def permittivity(n: Values, k: Values) -> tuple[Values, Values]:
    """Real and imaginary part of (n + i k)², in the shape of n and k."""
    return n**2 - k**2, 2 * n * k


def optical_dataset(
    table: Table, where: str, grid: str | Sequence[float] | None, name: str
) -> Dataset:
    """Return the dielectric functions of a table with ``wavelength_um``, ``n`` and ``k``.

    See `OpticalNk`, which reads the same from matminer.
    """
    entries = (
        _Entry(
            table.names[row] or f"row {row + 1}",
            partial(table.structure_of, row),
            {header: table.columns[header][row] for header in COLUMNS},
        )
        for row in range(table.n_rows)
    )
    return _averaged(entries, parse_grid(grid or DEFAULT_GRID), where, name)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OpticalNk(DatasetSource):
    """Dielectric functions from measured refractive indices, averaged over the entries a formula.

    Films, orientations and temperatures of one formula are averaged at every point of the grid;
    entries that do not cover all of it are left out. Both are counted in a warning.
    """

    name: ClassVar[str] = "optical-nk"
    summary: ClassVar[str] = (
        "dielectric functions of 146 measured formulas at 1.5 to 3 eV (metals, semiconductors, "
        "alloys, oxides), from refractiveindex.info as shipped with matminer"
    )
    available_targets: ClassVar[tuple[Target, ...]] = tuple(
        Target(
            name=name, description=text, nonnegative=name == "eps_im", grid=parse_grid(DEFAULT_GRID)
        )
        for name, text in (
            ("eps_re", "real part of the relative permittivity, n² - k²"),
            ("eps_im", "imaginary part of the relative permittivity, 2 n k"),
        )
    )
    origin: ClassVar[str] = "https://refractiveindex.info, by the package matminer"
    licence: ClassVar[str] = "CC0 1.0"

    seed: int = 0
    """Decides which samples ``limit`` takes."""
    grid: str | Sequence[float] | None = None
    """Energies in eV, ``FIRST:LAST:N``; 1.5:3:151 by default."""
    file: str | Path | None = None
    """A table of the measurements (JSONL); by default one in ``downloads/optical-nk`` of the cache
    folder, else the archive in matminer."""

    def load(self, targets: Sequence[str] = (), limit: int | None = None) -> Dataset:
        """Load the averaged spectra.

        Raises:
            MissingDependencyError: neither matminer nor a file is here.
            DatasetError: a target is unknown, or the file is damaged.
        """
        self.check_targets(targets)
        (path,) = self.files()
        if path.suffix == ".xz":
            points = parse_grid(self.grid or DEFAULT_GRID)
            dataset = _averaged(_archived(path), points, self.name, self.name)
        else:
            table = read_table(path, None, None)
            if not is_optical(table.columns):
                raise DatasetError(f"{path}: it lacks the columns {', '.join(COLUMNS)}.")
            dataset = optical_dataset(table, str(path), self.grid, self.name)
        dataset = usable(dataset, targets)
        return keep_rows(dataset, sample_rows(len(dataset), limit, self.seed))

    def files(self) -> list[Path]:
        """Return the one file that it is read from."""
        if self.file is not None:
            return [Path(self.file).expanduser()]
        own = sorted((cache_folder() / "downloads" / self.name).glob("*.jsonl*"))
        if own:
            return own[:1]
        found = util.find_spec("matminer")
        if found is not None and found.origin is not None:
            path = Path(found.origin).parent / _ARCHIVE
            if path.is_file():
                return [path]
        raise missing_package(
            f"The data set {self.name}",
            "matminer",
            "elements",
            "name a table (JSONL) with formula, wavelength_um, n, k as DATA",
        )


def _archived(path: Path) -> Iterator[_Entry]:
    """Yield the tabulated entries of the archive: FORMULA/PAGE.yml."""
    import yaml

    from atomlens.structures.formulas import from_formula

    for member, open_member in open_members(path, ".yml"):
        formula, page = member.removesuffix(".yml").split("/")[-2:]
        content = yaml.safe_load(open_member().read().decode("utf-8"))
        for data in content["DATA"]:
            if data["type"] != "tabulated nk":
                continue
            rows = [line.split() for line in data["data"].splitlines() if line.strip()]
            arrays = dict(zip(COLUMNS, np.array(rows, dtype=np.float64).T, strict=True))
            yield _Entry(f"{formula}/{page}", partial(from_formula, formula), arrays)


def _averaged(entries: Iterable[_Entry], grid: tuple[float, ...], where: str, name: str) -> Dataset:
    """Return one dielectric function a formula: the mean over the entries that cover the grid."""
    points = np.array(grid)
    failures: list[Failure] = []
    structures: list[Structure] = []
    values: list[Values] = []
    n_short = n_corrected = 0
    for entry in entries:
        try:
            measured = _measured(entry)
        except (ValueError, StructureError) as problem:
            failures.append(Failure(name=entry.name, message=f"{where}, {entry.name}: {problem}."))
            continue
        reach = measured.eps_re.points
        if reach[0] > points[0] or reach[-1] < points[-1]:
            n_short += 1
            continue
        n_corrected += measured.is_corrected
        structures.append(measured.structure)
        parts = (measured.eps_re, measured.eps_im)
        values.append(np.concatenate([on_grid(part, points)[0] for part in parts]))
    if not structures:
        first = failures[0].message if failures else f"{n_short} entries do not reach so far."
        raise DatasetError(
            f"{where}: no entry covers {grid[0]:g} to {grid[-1]:g} eV; the first problem: {first}"
        )
    if n_corrected:
        warn(f"{where}: {n_corrected} entries have a measured k below zero, which is taken as 0.")
    every = Dataset(
        name=name,
        structures=StructureArrays.from_structures(structures),
        targets=tuple(replace(t, grid=grid) for t in OpticalNk.available_targets),
        values=np.array(values),
        failures=tuple(failures),
    )
    return _one_a_formula(every, n_short, where)


def _one_a_formula(every: Dataset, n_short: int, where: str) -> Dataset:
    _, first, group = np.unique(
        reduced_formulas(every.structures), return_index=True, return_inverse=True
    )
    group = group.reshape(-1)
    sizes = np.bincount(group)
    sums = np.zeros((len(sizes), every.values.shape[1]))
    np.add.at(sums, group, every.values)
    order = np.argsort(first)  # formulas in the order of their first entry
    kept = keep_rows(every, first[order].astype(np.int64))
    several, points = int((sizes > 1).sum()), every.targets[0].grid
    if several or n_short:
        warn(
            f"{where}: {len(every)} entries of {len(sizes)} formulas cover {points[0]:g} to "
            f"{points[-1]:g} eV ({n_short} others do not and are left out); those of the "
            f"{several} formulas with several entries are averaged."
        )
    return replace(kept, values=(sums / sizes[:, None])[order])


def over_energy(columns: Mapping[str, Any]) -> tuple[Spectrum, Spectrum]:
    """Return real and imaginary part over photon energy in eV, of arrays named as in ``COLUMNS``.

    Wavelengths that are listed twice are averaged. No material at rest amplifies light: a measured
    k below zero is its error where nothing is absorbed, and is taken as 0.

    Raises:
        ValueError: they cannot be used; a part of a sentence says why.
    """
    wavelength, n, k = (numbers_of(columns.get(c), c) for c in COLUMNS)
    if not len(wavelength) == len(n) == len(k) or len(n) < 2:
        raise ValueError(
            f"wavelength_um, n and k have {len(wavelength)}, {len(n)} and {len(k)} entries; give "
            "as many of each, at least 2"
        )
    if wavelength.min() <= 0:
        raise ValueError(f"the wavelength {wavelength.min():g} is not above 0; correct it")
    energies, place = np.unique(_EV_MICROMETRE / wavelength, return_inverse=True)
    if len(energies) < 2:
        raise ValueError("all its wavelengths are the same; a spectrum needs at least 2")
    times = np.bincount(place)
    parts = permittivity(n, np.maximum(k, 0.0))
    means = (np.bincount(place, weights=part) / times for part in parts)
    eps_re, eps_im = (Spectrum(points=energies, values=mean) for mean in means)
    return eps_re, eps_im


def _measured(entry: _Entry) -> _Measured:
    """Return an entry as structure and spectra.

    Raises:
        ValueError, StructureError: it cannot be used; a part of a sentence says why.
    """
    eps_re, eps_im = over_energy(entry.columns)
    below = bool((numbers_of(entry.columns["k"], "k") < 0).any())
    return _Measured(structure_of(entry.read()), eps_re, eps_im, below)
