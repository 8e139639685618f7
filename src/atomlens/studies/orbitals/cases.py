"""The molecules of the study ``orbitals``, with their orbitals."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from atomlens.errors import Failure, MissingDependencyError, StudyError
from atomlens.settings import bounded
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import StudyInput
from atomlens.studies.orbitals.cache import ManyOrbitals, orbitals_of_many
from atomlens.studies.orbitals.grids import OrbitalGrid, orbital_grid
from atomlens.studies.orbitals.sample import PAPER_MOLECULES, OrbitalSample, load_sample
from atomlens.studies.orbitals.solution import FrontierOrbitals, Orbital, OrbitalSettings

if TYPE_CHECKING:
    from ase import Atoms

Origin = Literal["sample", "inputs", "paper"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrbitalsSettings(OrbitalSettings):
    """Settings of ``orbitals``: of the calculation, and of the comparison."""

    top_k: int = bounded(0, least=0)
    """leading atoms that are compared; 0 for as many as hold half of the orbital"""
    pictures: int = bounded(4, least=0)
    """molecules of each model that are drawn with their orbital"""
    n_workers: int = bounded(1, least=1)
    """processes that calculate orbitals"""
    folder: str = ""
    """keeps calculated orbitals; by default a folder in the cache"""
    seed: int = bounded(0, least=0)
    """decides the resampling of the intervals"""

    def calculation(self) -> OrbitalSettings:
        """Return what concerns the calculation."""
        return OrbitalSettings(**{f.name: getattr(self, f.name) for f in fields(OrbitalSettings)})

    def place(self) -> Path | None:
        """Return the folder of calculated orbitals, if one was named."""
        return Path(self.folder).expanduser() if self.folder else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Molecules with orbitals, in one order for models and truth."""

    orbitals: tuple[FrontierOrbitals, ...]
    origins: tuple[Origin, ...]
    shipped: OrbitalSample
    """What comes with atomlens: the chemistry baseline is taken from it."""
    is_shipped: bool
    """Whether the paper's molecules are as in the file, orbitals in space included."""
    failures: tuple[Failure, ...] = ()
    n_in_training: int = 0
    """Molecules of the sample that were left out, since a model was trained on them."""

    def structures(self) -> StructureArrays:
        """Return the molecules for the models."""
        return StructureArrays.from_atoms([o.to_atoms() for o in self.orbitals])


def gather_cases(given: StudyInput, settings: OrbitalsSettings) -> Cases:
    """Take the shipped orbitals if they fit and no molecules were given, else calculate.

    The paper's four molecules always come along.

    Raises:
        StudyError: not one molecule can be calculated.
        MissingDependencyError: pyscf is needed and not installed.
    """
    shipped = load_sample()
    papers = {paper.name for paper in PAPER_MOLECULES}
    sample = [o for o in shipped.orbitals if o.name not in papers]
    structures = StructureArrays.from_atoms([o.to_atoms() for o in sample])
    trained = np.zeros(len(sample), dtype=np.bool_)
    for model in given.models:
        trained |= model.was_in(structures, "train", "pretraining")
    left = [o for o, known in zip(sample, trained.tolist(), strict=True) if not known]
    as_shipped = asdict(settings.calculation()) == shipped.provenance["settings"]
    own = [given.data.structures.to_atoms(i) for i in range(len(given.data))]
    wanted = own or [o.to_atoms() for o in left]
    if not wanted:
        raise StudyError("The models were trained on every molecule of the sample; give others.")
    origin: Origin = "inputs" if own else "sample"
    known = [o for o in shipped.orbitals if o.name in papers]
    if as_shipped and not own:
        first = ManyOrbitals(found=tuple(left), kept=tuple(range(len(left))), failures=())
    else:
        first = _calculate(wanted, settings, given)
    if not as_shipped:
        paper = _calculate([o.to_atoms() for o in known], settings, given)
    else:
        paper = ManyOrbitals(found=tuple(known), kept=(), failures=())
    if not first.found:
        reason = f" The first reason: {first.failures[0].message}" if first.failures else ""
        raise StudyError(f"No orbital of the {len(wanted)} molecules could be calculated.{reason}")
    origins: list[Origin] = [origin] * len(first.found)
    origins += ["paper"] * len(paper.found)
    return Cases(
        orbitals=(*first.found, *paper.found),
        origins=tuple(origins),
        shipped=replace(shipped, orbitals=tuple(sample)),
        is_shipped=as_shipped,
        failures=(*first.failures, *paper.failures),
        n_in_training=0 if own else len(sample) - len(left),
    )


def _calculate(
    molecules: "list[Atoms]", settings: OrbitalsSettings, given: StudyInput
) -> ManyOrbitals:
    return orbitals_of_many(
        molecules,
        settings.calculation(),
        folder=settings.place(),
        n_workers=settings.n_workers,
        progress=given.progress,
    )


def grid_of(
    molecule: "Atoms", orbital: Orbital, settings: OrbitalsSettings, is_paper: bool
) -> OrbitalGrid | None:
    """Return an orbital in space; None where the method or a missing package gives none."""
    name = str(molecule.info["name"])
    calculation = settings.calculation()
    if is_paper:
        shipped = load_sample()
        if asdict(calculation) == shipped.provenance["settings"]:
            return shipped.grids.get(name)
    if calculation.method != "dft":
        return None
    try:
        return orbital_grid(molecule, orbital, calculation, name)
    except (MissingDependencyError, StudyError):
        return None
