"""What is known of the atoms of structures, wherever it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.sources.attribution import AttributionTask
from atomlens.errors import StudyError
from atomlens.explain.question import Values
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.studies.orbitals.sample import PAPER_MOLECULES, load_sample
from atomlens.studies.orbitals.solution import FrontierOrbitals, Orbital
from atomlens.studies.truth.potential import atom_energies
from atomlens.studies.truth.scores import BINARY, POPULATIONS, TERMS, Score
from atomlens.targets import Target

Truth = tuple[Values, ...]
"""For each structure (n_atoms or n_heavy_atoms, n_columns)."""
HYDROGEN = 1
"""Those that a task says nothing of stand behind all others. Some it says something of: rdkit keeps
deuterium, and hydrogens that are alone or at no heavy atom, among the heavy atoms."""
ORBITALS = "orbitals"
"""Named in the place of a data set: the orbitals that come with atomlens."""
FORMATION = "formation_energy"
"""Target of the models that energies of atoms by a potential are about."""
_DECIMALS = 3
"""Of shares of orbitals: finer differences are of the grid of the calculation."""
_TARGETS: tuple[Orbital, ...] = ("homo", "lumo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The truth of one target."""

    truth: Truth
    metrics: Mapping[str, Score] = field(default_factory=lambda: TERMS)
    target: str | None = None
    """The models' target that it is about; None: their first."""
    binary: bool = False
    """Whether an atom decides or does not."""
    source: str = "the truth"
    """What it is called."""
    by_size: bool = False
    """Whether it is about how much, and not which way: then sizes of scores are compared."""

    def subset(self, rows: NDArray[np.int64]) -> "Known":
        """Return what is known of some structures."""
        return replace(self, truth=tuple(self.truth[i] for i in rows.tolist()))


def known_of(data: Dataset, task: AttributionTask | None) -> tuple[Known, ...]:
    """Return what is known of the atoms of a data set.

    Raises:
        StudyError: nothing is.
    """
    if task is not None:
        assert data.row_numbers is not None
        found = tuple(task.rationales[row] for row in data.row_numbers.tolist())
        for structure, truth in zip(data.structures, found, strict=True):
            rest = structure.atomic_numbers[len(truth) :]
            if len(truth) > len(structure.atomic_numbers) or (rest > HYDROGEN).any():
                raise StudyError(
                    f"truth: {structure.name} has {len(structure.atomic_numbers)} atoms, and its "
                    f"attribution is about {len(truth)}; the files do not belong together."
                )
        return (_terms(found, task.is_classification),)
    if data.name == ORBITALS and data.row_numbers is not None:
        own = [sample_molecules()[row] for row in data.row_numbers.tolist()]
        return tuple(
            Known(
                truth=tuple(_heavy_shares(o, target) for o in own),
                metrics=POPULATIONS,
                target=target,
                by_size=True,
            )
            for target in _TARGETS
        )
    if data.node_labels is None:
        raise StudyError(
            f"truth: nothing is known of the atoms of {data.name!r}; use toy, crippen-logp, "
            "emt-alloys, orbitals or attribution-tasks:PATH; or, of crystals, --set "
            'potential=chgnet (in Python potential="chgnet").'
        )
    labels = tuple(np.asarray(own, dtype=np.float64)[:, None] for own in data.node_labels)
    return (_terms(labels, all(bool(np.isin(own, (0, 1)).all()) for own in labels)),)


def agreement(data: Dataset) -> Known:
    """Return the energies of a crystal's atoms by a universal potential; see `atom_energies`.

    Raises:
        MissingDependencyError, StudyError: as `atom_energies`.
    """
    names = [target.name for target in data.targets]
    formation = data.values[:, names.index(FORMATION)] if FORMATION in names else None
    terms = _terms(atom_energies(data.structures, formation), False)
    return replace(terms, target=FORMATION, source="the potential")


def _terms(truth: Truth, binary: bool) -> Known:
    return Known(truth=truth, metrics=BINARY if binary else TERMS, binary=binary)


def sample_molecules() -> list[FrontierOrbitals]:
    """Return the molecules of QM9 whose orbitals come with atomlens."""
    papers = {paper.name for paper in PAPER_MOLECULES}
    return [o for o in load_sample().orbitals if o.name not in papers]


def orbital_molecules() -> Dataset:
    """Return them as a data set without values, heavy atoms first."""
    structures = []
    for own in sample_molecules():
        order = _heavy_first(own)
        structures.append(
            Structure(
                own.atomic_numbers[order].astype(np.uint8),
                own.positions[order],
                np.zeros((3, 3)),
                np.zeros(3, dtype=np.bool_),
                own.name,
                False,
            )
        )
    return Dataset(
        name=ORBITALS,
        structures=StructureArrays.from_structures(structures),
        targets=tuple(Target(name=name, unit="eV") for name in _TARGETS),
        values=np.full((len(structures), len(_TARGETS)), np.nan),
        row_numbers=np.arange(len(structures)),
    )


def _heavy_first(own: FrontierOrbitals) -> NDArray[np.int64]:
    return np.argsort(own.atomic_numbers == 1, kind="stable").astype(np.int64)


def _heavy_shares(own: FrontierOrbitals, target: Orbital) -> Values:
    """(n_heavy, 1)"""
    shares: Values = np.round(own.shares(target), _DECIMALS)
    heavy: Values = shares[own.atomic_numbers != 1]
    return heavy[:, None]
