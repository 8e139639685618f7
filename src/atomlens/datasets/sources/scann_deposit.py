"""The data sets of the SCANN paper: distorted fullerenes, platinum on graphene, SmFe12 alloys.

T.-S. Vu et al., npj Comput. Mater. 9, 215 (2023); Zenodo record 8435481. Three archives of
extended XYZ files. As far as the authors' own preparation code shows, the title lines hold bare
numbers for the first two and a lattice with the formation energy for the third; titles with
``key=value`` pairs are read as well, see `atomlens.datasets.sources.titles`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.sources.deposits import Deposit, DepositFile
from atomlens.datasets.sources.downloaded import DownloadedSource
from atomlens.datasets.sources.titles import Aliases, Frame, missing_sentence, read_frames
from atomlens.errors import DatasetError, Failure
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target

_PAGE = "https://zenodo.org/records/8435481"
_LICENCE = "as its Zenodo record states (noted when it is fetched)"
_TOTAL_ENERGY = ("totalenergy", "energy", "etotal", "etot", "total", "freeenergy", "e", "u")


def _deposit(*names: str) -> Deposit:
    file = DepositFile(record="zenodo:8435481", names=names, members=".xyz")
    return Deposit(page=_PAGE, files=(file,))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FullereneMd(DownloadedSource):
    """C60, C70 and C72 along molecular dynamics, 1,000 frames each.

    Frames next to each other are nearly equal, so a random split has the nearest relatives of
    every test sample among the training samples; the published split is of that kind.
    """

    name: ClassVar[str] = "fullerene-md"
    summary: ClassVar[str] = (
        "3,000 distorted fullerenes (C60, C70, C72) with HOMO, LUMO and total energy, "
        "Vu et al. 2023"
    )
    available_targets: ClassVar[tuple[Target, ...]] = (
        Target(name="homo", unit="eV", description="highest occupied orbital energy"),
        Target(name="lumo", unit="eV", description="lowest unoccupied orbital energy"),
        Target(name="total_energy", unit="eV", extensive=True, description="total energy"),
    )
    origin: ClassVar[str] = _PAGE
    licence: ClassVar[str] = _LICENCE
    deposit: ClassVar[Deposit] = _deposit("fullerene.zip", "*fuller*")

    def parse(self, files: Sequence[Path]) -> Dataset:
        """Read the frames; a title is ``HOMO LUMO total-energy`` or has these as keys."""
        aliases = {
            "homo": ("homo", "ehomo", "homoenergy", "homoev"),
            "lumo": ("lumo", "elumo", "lumoenergy", "lumoev"),
            "total_energy": _TOTAL_ENERGY,
        }
        return _read(self, files, aliases, lambda v: v)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PtGrapheneMd(DownloadedSource):
    """Platinum atoms on graphene along molecular dynamics, 103 atoms a frame.

    ``relative_energy`` is the total energy minus that of the relaxed reference, which the
    titles give beside it.
    """

    name: ClassVar[str] = "pt-graphene-md"
    summary: ClassVar[str] = (
        "21,666 frames of platinum on graphene (103 atoms) with the energy relative to the "
        "relaxed structure, Vu et al. 2023"
    )
    available_targets: ClassVar[tuple[Target, ...]] = (
        Target(
            name="relative_energy",
            unit="eV",
            description="total energy minus that of the relaxed structure",
        ),
    )
    origin: ClassVar[str] = _PAGE
    licence: ClassVar[str] = _LICENCE
    deposit: ClassVar[Deposit] = _deposit(
        "pt_graphene.zip", "*graphene*", "*pt*gp*", "*ptgr*", "*pt*cnt*"
    )

    def parse(self, files: Sequence[Path]) -> Dataset:
        """Read the frames; a title is ``total-energy reference-energy`` or has these as keys."""
        aliases = {
            "total_energy": _TOTAL_ENERGY,
            "reference_energy": ("refenergy", "referenceenergy", "eref", "energyref", "ref"),
        }
        return _read(self, files, aliases, _relative_energy)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SmFe12Cd(DownloadedSource):
    """SmFe12 with one or two of its iron sites taken by Mo, Zn, Co, Cu, Ti, Al or Ga."""

    name: ClassVar[str] = "smfe12-cd"
    summary: ClassVar[str] = (
        "3,307 crystals SmFe(12-a-b)X(a)Y(b) (13 atoms) with their formation energy, Vu et al. 2023"
    )
    available_targets: ClassVar[tuple[Target, ...]] = (
        Target(name="formation_energy", unit="eV/atom", description="formation energy per atom"),
    )
    origin: ClassVar[str] = _PAGE
    licence: ClassVar[str] = _LICENCE
    deposit: ClassVar[Deposit] = _deposit("smfe12.zip", "*smfe*")

    def parse(self, files: Sequence[Path]) -> Dataset:
        """Read the frames; a title has the lattice and the formation energy."""
        called = ("formationenergy", "ef", "eform", "formationenergyperatom", "formenergy")
        more = ("formationenergyevatom", "deltae", "deltah")
        return _read(self, files, {"formation_energy": called + more}, lambda v: v, crystal=True)


def _relative_energy(values: dict[str, float]) -> dict[str, float]:
    if len(values) < 2:
        return {}
    return {"relative_energy": values["total_energy"] - values["reference_energy"]}


def _read(
    source: DownloadedSource,
    files: Sequence[Path],
    aliases: Aliases,
    to_targets: Callable[[dict[str, float]], dict[str, float]],
    crystal: bool = False,
) -> Dataset:
    """Read all frames; those without any value, or without a needed lattice, are failures."""
    frames: list[Frame] = []
    failures: list[Failure] = []
    for frame in (f for path in files for f in read_frames(path, aliases)):
        if isinstance(frame, Failure):
            failures.append(frame)
            continue
        name = frame.structure.name
        if not to_targets(frame.values):
            absent = [n for n in aliases if n not in frame.values]
            message = missing_sentence(name, aliases, absent, frame.title)
            failures.append(Failure(name=name, message=message))
        elif crystal and not frame.structure.pbc.all():
            failures.append(Failure(name=name, message=f"{name}: the title gives no lattice."))
        else:
            frames.append(frame)
    where = files[0] if len(files) == 1 else files[0].parent
    if not frames:
        first = failures[0].message if failures else "it holds no XYZ file."
        raise DatasetError(f"{where}: no frame can be used; the first problem: {first}")
    frames.sort(key=lambda f: f.structure.name)  # a zip and a tar have different orders
    return Dataset(
        name=source.name,
        structures=StructureArrays.from_structures(
            _with_distinct_names([f.structure for f in frames])
        ),
        targets=source.available_targets,
        values=_values(source, frames, to_targets, aliases, where),
        failures=tuple(failures),
    )


def _values(
    source: DownloadedSource,
    frames: Sequence[Frame],
    to_targets: Callable[[dict[str, float]], dict[str, float]],
    aliases: Aliases,
    where: Path,
) -> NDArray[np.float64]:
    """(n_frames, n_targets); NaN where a title says nothing of a target that others give."""
    names = [t.name for t in source.available_targets]
    found = [to_targets(f.values) for f in frames]
    absent = [n for n in names if not any(n in values for values in found)]
    if absent:
        raise DatasetError(missing_sentence(str(where), aliases, absent, frames[0].title))
    return np.array([[values.get(n, np.nan) for n in names] for values in found])


def _with_distinct_names(structures: Sequence[Structure]) -> list[Structure]:
    """Return the structures with a number behind each name that another had before."""
    taken: set[str] = set()
    renamed = []
    for structure in structures:
        name, k = structure.name, 1
        while name in taken:
            k += 1
            name = f"{structure.name}-{k}"
        taken.add(name)
        renamed.append(structure._replace(name=name))
    return renamed
