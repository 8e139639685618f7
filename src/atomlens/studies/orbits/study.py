"""Attention inside and between symmetry orbits (claims S2, S3, S4 and S10).

Atoms that symmetry exchanges have the same surroundings, so a network that sees nothing but
distances and solid angles must give them the same attention, trained or not. What is learned is
how attention differs between orbits.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from atomlens.chemistry.orbits import Orbits, find_orbits
from atomlens.errors import Failure, StructureError, StudyError
from atomlens.printing import file_stem
from atomlens.settings import bounded
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Effect, Row, Study, StudyInput, StudyResult, StudySettings
from atomlens.studies.networks import Measured, measure_attention
from atomlens.studies.orbits.claims import all_claims
from atomlens.studies.orbits.numbers import (
    FIELDS,
    OrbitNumbers,
    Symmetric,
    atom_rows,
    orbit_rows,
)
from atomlens.studies.statistics import bootstrap

_LARGEST_TOLERANCE = 0.5
_MOST_SINGLE = 12
"""With more structures than this they are summed up, not reported one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrbitsSettings(StudySettings):
    """Settings of ``orbits``."""

    tolerance: float = bounded(0.05, above=0, most=_LARGEST_TOLERANCE, unit="Å")
    """Å; how far an operation may take an atom from the place of another"""
    n_pictures: int = bounded(12, least=0)
    """structures that are drawn, the first ones"""
    seed: int = bounded(0, least=0)
    """decides the resampling of the intervals"""


class SortedByOrbits(NamedTuple):
    """Structures sorted by what their symmetry allows."""

    rows: list[int]
    """Structures in which symmetry exchanges atoms."""
    orbits: list[Orbits]
    """Theirs."""
    without: list[Row]
    """Names of structures without symmetry, with the tolerance at which there would be some."""
    failures: list[Failure]


@final
class OrbitsStudy(Study):
    """Is attention the same for atoms that symmetry exchanges, and different for others?"""

    name: ClassVar[str] = "orbits"
    summary: ClassVar[str] = "does attention follow the symmetry orbits of molecules and crystals?"
    Settings: ClassVar[type] = OrbitsSettings
    reads_values = False
    asks_attention: ClassVar[bool] = True
    takes_formulas: ClassVar[bool] = False

    def run(self, given: StudyInput) -> StudyResult:
        """Compare attention inside and between orbits in every model and its controls.

        Raises:
            StudyError: no structure has any symmetry, or none can be used.
        """
        structures = given.data.structures
        found = sort_by_symmetry(structures, self.settings.tolerance)
        if not found.rows:
            raise StudyError(_nothing_found(found, self.settings.tolerance))
        symmetric = structures.subset(found.rows)
        measured = measure_attention(given, symmetric)
        everything = _all_numbers(measured, symmetric, found.orbits)
        summaries = _summaries(everything, self.settings.seed)
        single = _single_effects(everything) if len(found.rows) <= _MOST_SINGLE else []
        failures = {f.name: f for m in measured for f in m.trained.failures}
        return StudyResult(
            study=self.name,
            question=f"{self.summary[0].upper()}{self.summary[1:]}",
            models=tuple(m.label for m in measured),
            settings={
                "tolerance": self.settings.tolerance,
                "n_pictures": self.settings.n_pictures,
                "seed": self.settings.seed,
            },
            n_structures=len(everything),
            effects=(*summaries, *single),
            claims=all_claims(everything, {m.label: m.predictor for m in measured}),
            tables={
                "structures": [row for one in everything for row in one.rows()],
                "orbits": [row for one in everything for row in orbit_rows(one)],
                "atoms": atom_rows(everything, self.settings.n_pictures),
                "without_symmetry": found.without,
            },
            counts={
                "structures given": len(structures),
                "with symmetry": len(found.rows),
                "left out, all atoms different": len(found.without),
            },
            failures=(*found.failures, *failures.values()),
            notes=_notes(self.settings.tolerance, found),
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the attention of every atom by its orbit, a picture for each structure."""
        from atomlens.studies.orbits.figure import draw_orbits

        names = list(dict.fromkeys(str(row["structure"]) for row in result.tables["atoms"]))
        pictures: list[Path] = []
        for name in names:
            atoms, orbits = (
                [row for row in result.tables[table] if row["structure"] == name]
                for table in ("atoms", "orbits")
            )
            path = folder / f"orbits-{file_stem(name)}.png"
            if path in pictures:
                path = path.with_stem(f"{path.stem}-{len(pictures) + 1}")
            pictures.append(draw_orbits(atoms, orbits, path))
        return pictures


def sort_by_symmetry(structures: StructureArrays, tolerance: float) -> SortedByOrbits:
    """Return the orbits of structures that have some symmetry, and name the others."""
    found = SortedByOrbits([], [], [], [])
    for row, structure in enumerate(structures):
        try:
            orbits = find_orbits(structure, tolerance)
            if not orbits.trivial:
                found.rows.append(row)
                found.orbits.append(orbits)
                continue
            found.without.append({"name": structure.name, **_at_larger(structure, tolerance)})
        except StructureError as problem:
            found.failures.append(Failure(name=structure.name, message=str(problem)))
    return found


def _at_larger(structure: Any, tolerance: float) -> Row:
    """Return at which larger tolerance a structure without symmetry has some."""
    for factor in (3, 10):
        larger = round(tolerance * factor, 6)
        if larger > _LARGEST_TOLERANCE:
            break
        orbits = find_orbits(structure, larger)
        if not orbits.trivial:
            return {"symmetric_within": larger, "group": orbits.group}
    return {"symmetric_within": None, "group": None}


def _nothing_found(found: SortedByOrbits, tolerance: float) -> str:
    if not found.without:
        return f"None of the structures can be used. The first reason: {found.failures[0].message}"
    near = next((row for row in found.without if row["group"]), None)
    if near is None:
        return (
            f"None of the {len(found.without)} structures has atoms that symmetry exchanges within "
            f"{tolerance:g} Å, nor within a larger tolerance; give symmetric ones."
        )
    return (
        f"None of the {len(found.without)} structures has atoms that symmetry exchanges within "
        f"{tolerance:g} Å; {near['name']} has the symmetry {near['group']} within "
        f"{near['symmetric_within']:g} Å, so try --set tolerance={near['symmetric_within']:g} "
        f"(in Python tolerance={near['symmetric_within']:g})."
    )


def _all_numbers(
    measured: tuple[Measured, ...], structures: StructureArrays, orbits: list[Orbits]
) -> list[Symmetric]:
    """Return the numbers of every structure that all models can take."""
    everything: list[Symmetric] = []
    names: list[str] = []
    places = [{int(row): i for i, row in enumerate(m.trained.kept)} for m in measured]
    for row, (structure, found) in enumerate(zip(structures, orbits, strict=True)):
        if not all(row in place for place in places):
            continue
        networks = {}
        for one, place in zip(measured, places, strict=True):
            by_name = {"trained": (one.trained,), **one.controls}
            networks[one.label] = {
                name: [OrbitNumbers.of(a.scores[place[row]], found) for a in attentions]
                for name, attentions in by_name.items()
            }
        name = structure.name
        n_same = names.count(name)
        names.append(name)
        name = f"{name} ({n_same + 1})" if n_same else name
        everything.append(Symmetric(name, structure, found, networks))
    if not everything:
        raise StudyError("No structure with symmetry can be used by all of the models.")
    return everything


def _summaries(everything: list[Symmetric], seed: int) -> list[Effect]:
    """Return the medians over structures, for every model."""
    effects = []
    for label in everything[0].networks:
        for field in FIELDS:
            values = {
                network: np.array([s.mean(label, network, field.name) for s in everything])
                for network in everything[0].networks[label]
            }
            known = values["trained"][np.isfinite(values["trained"])]
            if not len(known):
                continue
            interval = bootstrap(known, lambda v: float(np.median(v)), seed=seed)
            effects.append(
                Effect.within(
                    f"{label}: {field.title}",
                    interval,
                    n=len(known),
                    meaning=f"{field.meaning}; median of structures",
                    controls={
                        name: float(np.nanmedian(v))
                        for name, v in values.items()
                        if name != "trained" and np.isfinite(v).any()
                    },
                )
            )
    return effects


def _single_effects(everything: list[Symmetric]) -> list[Effect]:
    return [
        Effect(
            name=f"{one.name}, {label}: {field.title}",
            value=one.mean(label, "trained", field.name),
            low=np.nan,
            high=np.nan,
            n=len(one.structure.atomic_numbers),
            meaning=field.meaning,
            controls={
                name: one.mean(label, name, field.name) for name in networks if name != "trained"
            },
        )
        for one in everything
        for label, networks in one.networks.items()
        for field in FIELDS
        if np.isfinite(one.mean(label, "trained", field.name))
    ]


def _notes(tolerance: float, found: SortedByOrbits) -> tuple[str, ...]:
    worst = max(o.deviation for o in found.orbits)
    notes = [
        "Equal attention inside an orbit follows from symmetry, also in untrained networks: it "
        "tests the graph and the geometry, not what was learned.",
        f"Orbits are found within {tolerance:g} Å; all of them appear from {worst:.2g} Å on.",
    ]
    near = [row for row in found.without if row["group"]]
    if near:
        notes.append(
            f"{len(near)} of {len(found.without)} structures without symmetry would have some "
            "within a larger tolerance (without_symmetry.csv)."
        )
    return tuple(notes)
