"""Attention on carbon against the local deformation of its network.

After the study of platinum on graphene in the paper of SCANN (Vu et al., npj Comput. Mater. 9, 215,
2023; claims S8 and S9): does attention go to elongated bonds, and to carbons that stick out of
their surface?
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal, final

import numpy as np

from atomlens.errors import Failure, SettingsError, StudyError
from atomlens.settings import bounded
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.studies.base import Effect, Row, Study, StudyInput, StudyResult, StudySettings
from atomlens.studies.deformation.carbon_geometry import CarbonGeometry, Outward, carbon_geometry
from atomlens.studies.deformation.numbers import (
    Numbers,
    Trained,
    claims_of,
    effects_of,
    measures_of,
    numbers_of,
    structure_rows,
)
from atomlens.studies.networks import Attention, Measured, by_target, measure_attention
from atomlens.studies.statistics import Values

_FEWEST = 5
"""Three-coordinated carbons that a structure must have."""
_MOST_ATOMS = 20_000
"""Atoms in the table from which the figure is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeformationSettings(StudySettings):
    """Settings of ``deformation``."""

    reference_bond: float = bounded(1.42, above=0, unit="Å")
    """Å, length of a bond without strain"""
    reference: str = ""
    """file of a relaxed structure with the same atoms; its bonds are then the reference"""
    pyramidalisation: Literal["height", "angle"] = "height"
    """Å above the plane of the three neighbours, or the angle of Haddon's axis vector"""
    outward: Outward = "auto"
    """the convex side: adsorbed (atom), centre (away from it), none, auto (the first allowed)"""
    longest_bond: float = bounded(1.8, above=0, unit="Å")
    """Å; carbons nearer than this are bonded"""
    top: float = bounded(0.1, above=0, below=1)
    """share of a structure's carbons, of highest attention, that are held against all"""
    seed: int = bounded(0, least=0)
    """decides the resampling of the intervals"""

    def check_together(self) -> None:
        """Refuse bonds that are longer than the longest."""
        if self.reference_bond >= self.longest_bond:
            raise SettingsError(
                f"reference_bond={self.reference_bond} must be above 0 and below "
                f"longest_bond={self.longest_bond}."
            )


@final
class Deformation(Study):
    """Does attention on carbon follow stretched bonds and curvature?"""

    name: ClassVar[str] = "deformation"
    summary: ClassVar[str] = "does attention on carbon follow stretched bonds and curvature?"
    Settings: ClassVar[type] = DeformationSettings
    reads_values = False
    asks_attention: ClassVar[bool] = True
    takes_formulas: ClassVar[bool] = False

    def run(self, given: StudyInput) -> StudyResult:
        """Measure the carbons of all structures and hold attention against them.

        Raises:
            StudyError: no structure has enough three-coordinated carbons, or none can be used.
        """
        settings: DeformationSettings = self.settings
        structures = given.data.structures
        carbons, failures, n_without = self._geometry(structures)
        chosen = structures.subset(list(carbons))
        carbons = dict(enumerate(carbons.values()))
        measured = measure_attention(given, chosen)
        usable = set.intersection(*(set(m.trained.kept.tolist()) for m in measured))
        rows = [row for row in carbons if row in usable]
        if not rows:
            raise StudyError("No structure with such carbons can be used by all of the models.")
        units = self._units([carbons[row] for row in rows])
        effects: list[Effect] = []
        everything: dict[str, Trained] = {}
        tables: dict[str, list[Row]] = {"structures": [], "atoms": [], "example": []}
        for one in measured:
            numbers = self._numbers(one, carbons, rows)
            trained = numbers["trained"][0]
            controls = {name: n for name, n in numbers.items() if name != "trained"}
            everything[one.label] = (trained, controls)
            effects += effects_of(one, trained, controls, units, settings.seed)
            names, sizes = [chosen.names[r] for r in rows], [len(carbons[r]) for r in rows]
            tables["structures"] += structure_rows(one.label, names, sizes, trained)
            tables["atoms"] += self._atom_rows(one, chosen, carbons, rows)
            typical = rows[_typical(trained)]
            tables["example"] += self._example_rows(one, chosen[typical], typical, carbons)
        return StudyResult(
            study=self.name,
            question=f"{self.summary[0].upper()}{self.summary[1:]}",
            models=tuple(m.label for m in measured),
            settings=asdict(settings),
            n_structures=len(rows),
            effects=tuple(effects),
            claims=claims_of(
                {
                    target: {label: everything[label] for label in labels}
                    for target, labels in by_target(
                        {m.label: m.predictor for m in measured}
                    ).items()
                },
                settings.seed,
            ),
            tables=tables,
            counts={
                "structures given": len(structures),
                "used": len(rows),
                "left out, fewer than 5 three-coordinated carbons": n_without,
                "three-coordinated carbons": sum(len(carbons[row]) for row in rows),
            },
            failures=(
                *failures,
                *{f.name: f for m in measured for f in m.trained.failures}.values(),
            ),
            notes=_NOTES,
        )

    def _geometry(
        self, structures: StructureArrays
    ) -> tuple[dict[int, CarbonGeometry], list[Failure], int]:
        """Return the geometry by row, failures, and how many have too few such carbons."""
        settings: DeformationSettings = self.settings
        reference = _read_reference(settings.reference) if settings.reference else None
        carbons: dict[int, CarbonGeometry] = {}
        failures: list[Failure] = []
        n_without = 0
        for row, structure in enumerate(structures):
            try:
                found = carbon_geometry(
                    structure,
                    reference_bond=settings.reference_bond,
                    reference=reference,
                    longest_bond=settings.longest_bond,
                    outward=settings.outward,
                )
            except StudyError as problem:
                failures.append(Failure(name=structure.name, message=str(problem)))
                continue
            if len(found) < _FEWEST:
                n_without += 1
            else:
                carbons[row] = found
        if not carbons:
            reason = f" The first reason: {failures[0].message}" if failures else ""
            raise StudyError(
                f"Not one of the {len(structures)} structures has {_FEWEST} carbons with three "
                f"carbon neighbours.{reason}"
            )
        return carbons, failures, n_without

    def _units(self, carbons: Sequence[CarbonGeometry]) -> dict[str, str]:
        """Return the unit of each measure that there is."""
        angle = self.settings.pyramidalisation == "angle"
        units = {"elongation": "Å", "pyramidalisation": "degrees" if angle else "Å"}
        if any(np.isfinite(c.distance).all() for c in carbons):
            units["nearness"] = "Å"
        return units

    def _numbers(
        self, one: Measured, carbons: Mapping[int, CarbonGeometry], rows: Sequence[int]
    ) -> dict[str, list[Numbers]]:
        """Return the numbers of each network, by ``trained`` and the controls' names."""
        settings: DeformationSettings = self.settings
        return {
            name: [
                numbers_of(a, carbons, rows, settings.pyramidalisation, settings.top)
                for a in attentions
            ]
            for name, attentions in _networks(one).items()
        }

    def _atom_rows(
        self,
        one: Measured,
        structures: StructureArrays,
        carbons: Mapping[int, CarbonGeometry],
        rows: Sequence[int],
    ) -> list[Row]:
        """Return carbons of evenly chosen structures with their relative attention."""
        n_atoms = sum(len(carbons[row]) for row in rows)
        table: list[Row] = []
        for row in rows[:: -(-n_atoms // _MOST_ATOMS)]:
            found = measures_of(carbons[row], self.settings.pyramidalisation)
            relative = {
                name: _relative(attentions, row, carbons[row])
                for name, attentions in _networks(one).items()
            }
            table += [
                {
                    "model": one.label,
                    "structure": structures.names[row],
                    "atom": int(atom),
                    **{name: values[i] for name, values in found.items()},
                    **{f"attention, {name}": values[i] for name, values in relative.items()},
                }
                for i, atom in enumerate(carbons[row].atoms)
            ]
        return table

    def _example_rows(
        self,
        one: Measured,
        structure: Structure,
        row: int,
        carbons: Mapping[int, CarbonGeometry],
    ) -> list[Row]:
        """Return all atoms of one structure, for its picture."""
        place = int(np.flatnonzero(one.trained.kept == row)[0])
        found = measures_of(carbons[row], self.settings.pyramidalisation)
        at = {int(atom): i for i, atom in enumerate(carbons[row].atoms)}
        return [
            {
                "model": one.label,
                "structure": structure.name,
                "atom": atom,
                "atomic_number": int(number),
                **dict(zip("xyz", position.tolist(), strict=True)),
                "attention": float(one.trained.scores[place][atom]),
                **{
                    name: float(found[name][at[atom]]) if atom in at else None
                    for name in ("elongation", "pyramidalisation")
                },
            }
            for atom, (number, position) in enumerate(
                zip(structure.atomic_numbers, structure.positions, strict=True)
            )
        ]

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw attention against deformation, and one structure coloured by both."""
        from atomlens.studies.deformation.figure import draw_example, draw_relations

        drawn = []
        for number, model in enumerate(result.models):
            suffix = f"-{number + 1}" if len(result.models) > 1 else ""
            atoms = [r for r in result.tables["atoms"] if r["model"] == model]
            example = [r for r in result.tables["example"] if r["model"] == model]
            effects = {e.name.removeprefix(f"{model}: "): e for e in result.effects}
            unit = "degrees" if result.settings["pyramidalisation"] == "angle" else "Å"
            path = folder / f"deformation{suffix}.png"
            drawn.append(draw_relations(atoms, effects, path, unit=unit))
            drawn.append(draw_example(example, folder / f"example{suffix}.png", unit=unit))
        return drawn


_NOTES = (
    "Carbons with exactly three carbon neighbours are compared inside each structure; metals and "
    "other adsorbed atoms do not count as neighbours.",
    "Snapshots of one trajectory are alike: intervals over them are too narrow.",
)


def _networks(one: Measured) -> dict[str, tuple[Attention, ...]]:
    return {"trained": (one.trained,), **one.controls}


def _relative(attentions: Sequence[Attention], row: int, carbons: CarbonGeometry) -> Values:
    """Return attention over the mean of such carbons, of the first network."""
    place = int(np.flatnonzero(attentions[0].kept == row)[0])
    scores = attentions[0].scores[place][carbons.atoms]
    return np.asarray(scores / scores.mean())


def _typical(numbers: Numbers) -> int:
    """Return the structure whose correlation with pyramidalisation is nearest to the mean."""
    values = numbers.correlations["pyramidalisation"]
    if not np.isfinite(values).any():
        return 0
    return int(np.nanargmin(np.abs(values - np.nanmean(values))))


def _read_reference(path: str) -> Structure:
    from atomlens.structures import to_atoms

    return StructureArrays.from_atoms([to_atoms(path)])[0]
