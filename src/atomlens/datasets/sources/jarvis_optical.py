"""Calculated dielectric functions of JARVIS-DFT: real and imaginary part, xx component.

K. Choudhary et al., Sci. Data 5, 180082 (2018), OptB88vdW. NIST offers them as one XML page a
material; collections of them are passed on as JSON. No deposit holds them all in one file, so
nothing is downloaded here. What is read:

* a folder with pages ``JVASP-….xml``: ``main_optics_semilocal/main_optics_info`` has ``energies``
  (eV), ``real_1`` and ``imag_1`` (xx), ``main_relax_info`` has id, formula and formation energy;
* a JSON list or JSON lines (may be gzipped) with the same per record, by the names in ``_KEYS``.
"""

import gzip
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple, cast, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset, DatasetSource
from atomlens.datasets.polymorphs import merge_polymorphs
from atomlens.datasets.sampling import keep_rows, sample_rows, usable
from atomlens.datasets.sources.archives import DAMAGE
from atomlens.datasets.sources.mp2018 import json_objects
from atomlens.datasets.tables.grids import Beyond, on_grid, parse_grid, sound_spectrum
from atomlens.elements import SYMBOLS
from atomlens.errors import DatasetError, Failure, StructureError
from atomlens.files import cache_folder
from atomlens.structures.arrays import Structure, StructureArrays, structure_of
from atomlens.targets import Target

DEFAULT_GRID = "jarvis"
MOST_ATOMS = 500
"""Formulas with as many atoms or more are left out."""
_NOBLE = frozenset(SYMBOLS.index(s) for s in ("He", "Ne", "Ar", "Kr", "Xe"))
_KEYS: dict[str, tuple[str, ...]] = {
    "name": ("jid", "id", "name"),
    "formula": ("formula", "full_formula", "composition"),
    "formation_energy": ("formation_energy_peratom", "formation_energy", "form_enp"),
    "energies": ("energies", "opt_en", "energy"),
    "eps_re": ("real_1", "real_xx", "opt_realxx", "eps_re"),
    "eps_im": ("imag_1", "imag_xx", "opt_imagxx", "eps_im"),
}
"""What a record has, by the names under which it may stand."""
_OPTICS, _RELAXED = "main_optics_semilocal/main_optics_info", "main_relax_info"


class _Material(NamedTuple):
    structure: Structure
    energy: float
    """Formation energy (eV/atom), NaN where unknown."""
    values: NDArray[np.float64]
    """(2 n_grid,)"""
    held: NDArray[np.bool_]
    """(2 n_grid,)"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class JarvisOptical(DatasetSource):
    """The spectra as Finder's authors chose them.

    At least two elements, no noble gas, fewer than 500 atoms in the formula, the most stable
    polymorph of each reduced formula; interpolated linearly, the last value held up to 30 eV.
    """

    name: ClassVar[str] = "jarvis-optical"
    summary: ClassVar[str] = (
        "calculated dielectric functions of some 12,000 formulas (JARVIS-DFT, OptB88vdW, xx), "
        "from files that you have"
    )
    available_targets: ClassVar[tuple[Target, ...]] = (
        Target(
            name="eps_re",
            description="real part of the relative permittivity, xx",
            grid=parse_grid(DEFAULT_GRID),
        ),
        Target(
            name="eps_im",
            description="imaginary part of the relative permittivity, xx",
            grid=parse_grid(DEFAULT_GRID),
        ),
    )
    origin: ClassVar[str] = "https://jarvis.nist.gov"
    licence: ClassVar[str] = "public domain (NIST)"

    seed: int = 0
    """Decides which samples ``limit`` takes."""
    grid: str | Sequence[float] | None = None
    """Energies in eV, ``FIRST:LAST:N``; jarvis (0:30:3000) by default, or jarvis-quick."""
    beyond: Beyond = "hold"
    """Beyond the end of a spectrum: hold its last value, or mask."""
    file: str | Path | None = None
    """The file or folder; by default ``downloads/jarvis-optical`` in the cache folder."""

    def load(self, targets: Sequence[str] = (), limit: int | None = None) -> Dataset:
        """Load the chosen materials; the others are counted or named in ``failures``.

        Raises:
            DatasetError: there is no file, nothing in it can be used, or a target is unknown.
        """
        self.check_targets(targets)
        grid = parse_grid(self.grid or DEFAULT_GRID)
        materials: list[_Material] = []
        failures: list[Failure] = []
        for number, record in enumerate(_records(self.files()), start=1):
            called = str(_first(record, "name") or f"record {number}")
            try:
                found = self._material(record, np.array(grid), called)
            except (ValueError, TypeError, StructureError) as problem:
                failures.append(Failure(name=called, message=f"{self.name}, {called}: {problem}."))
                continue
            if found is not None:
                materials.append(found)
        dataset = usable(self._dataset(materials, failures, grid), targets)
        return keep_rows(dataset, sample_rows(len(dataset), limit, self.seed))

    def files(self) -> list[Path]:
        """Return the pages or the files with records."""
        place = cache_folder() / "downloads" / self.name
        if self.file is not None:
            place = Path(self.file).expanduser()
        endings = (".xml", ".json", ".json.gz", ".jsonl", ".jsonl.gz")
        found = [place] if place.is_file() else sorted(place.glob("*"))
        found = [p for p in found if p.name.lower().endswith(endings)]
        if not found:
            raise DatasetError(
                f"{self.name}: there are no pages JVASP-*.xml and no JSON records in {place}; get "
                f"them from {self.origin} and put them there (docs/spectra.md)."
            )
        return found

    def _material(
        self, record: Mapping[str, Any], grid: NDArray[np.float64], called: str
    ) -> _Material | None:
        """Return a material; None for one that is left out by choice."""
        from atomlens.structures.formulas import from_formula

        formula = _first(record, "formula")
        if formula is None:
            raise ValueError(f"it has no formula; it has {', '.join(record)[:100]}")
        structure = structure_of(from_formula(str(formula)))._replace(name=called)
        elements, counts = np.unique(structure.atomic_numbers, return_counts=True)
        n_atoms = int(counts.sum() // np.gcd.reduce(counts))
        if len(elements) < 2 or _NOBLE & set(elements.tolist()) or n_atoms >= MOST_ATOMS:
            return None
        points = _first(record, "energies")
        parts = [
            on_grid(
                sound_spectrum(points, _first(record, part), ("energies", part)), grid, self.beyond
            )
            for part in ("eps_re", "eps_im")
        ]
        energy = _first(record, "formation_energy")
        return _Material(
            structure=structure,
            energy=float("nan") if energy in (None, "", "na") else float(energy),
            values=np.concatenate([values for values, _ in parts]),
            held=np.concatenate([held for _, held in parts]),
        )

    def _dataset(
        self, materials: list[_Material], failures: list[Failure], grid: tuple[float, ...]
    ) -> Dataset:
        if not materials:
            first = failures[0].message if failures else "it is empty."
            raise DatasetError(f"{self.name}: no record can be used; the first problem: {first}")
        held = np.array([m.held for m in materials])
        every = Dataset(
            name=self.name,
            structures=StructureArrays.from_structures(m.structure for m in materials),
            targets=tuple(replace(t, grid=grid) for t in self.available_targets),
            values=np.array([m.values for m in materials]),
            held=held if held.any() else None,
            failures=tuple(failures),
        )
        return merge_polymorphs(every, "lowest", np.array([m.energy for m in materials]))


def _first(record: Mapping[str, Any], what: str) -> Any:
    """Return what a record has under the first of its names; None if under none."""
    return next((record[key] for key in _KEYS[what] if record.get(key) is not None), None)


def _records(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield the records of all files, one after the other."""
    for path in paths:
        try:
            if path.suffix.lower() == ".xml":
                yield _page(path)
                continue
            packed = path.suffix.lower() == ".gz"
            with cast(IO[bytes], gzip.open(path) if packed else path.open("rb")) as stream:
                if ".jsonl" in path.name.lower():
                    yield from (json.loads(line) for line in stream if line.strip())
                else:
                    yield from json_objects(stream)
        except (ValueError, ElementTree.ParseError, *DAMAGE) as problem:
            raise DatasetError(
                f"{path}: this is not a whole file of records ({problem}); get it again."
            ) from problem


def _page(path: Path) -> dict[str, Any]:
    """Return the numbers of a page, which stand in it as text with commas."""
    root = ElementTree.parse(path).getroot()
    record: dict[str, Any] = {"name": path.stem}
    for tag in ("formula", "formation_energy"):
        text = (root.findtext(f"{_RELAXED}/{tag}") or "").strip().strip("'")
        record[tag] = text or None
    for tag in ("energies", "real_1", "imag_1"):
        text = (root.findtext(f"{_OPTICS}/{tag}") or "").strip().strip("'")
        record[tag] = np.array(text.split(","), dtype=np.float64) if text else None
    return record
