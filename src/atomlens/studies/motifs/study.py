"""Where the readout attention goes in frameworks: metals, elements, rings, chains, leaves (A3).

After the paper of AE-CGCNN (Cong, Ben-Naim, Fung, Gupta, Neumann and Steiner), whose pooling
attention (Eq 8) shows "which atoms matter" for the uptake of a metal-organic framework; claim A3
is its statement that metals almost never do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, final

import numpy as np

from atomlens.chemistry.motifs import LARGEST_RING
from atomlens.errors import Failure, StudyError
from atomlens.models import MODELS, make_model
from atomlens.predictor import Predictor
from atomlens.printing import file_stem
from atomlens.settings import bounded
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.attended_structure import draw_attended
from atomlens.studies.base import (
    Claim,
    Effect,
    JudgedTraining,
    Study,
    StudyInput,
    StudyResult,
    StudySettings,
)
from atomlens.studies.motifs.figure import draw_enrichment, rows_to_draw
from atomlens.studies.motifs.numbers import (
    CLASSES,
    METAL,
    Members,
    ModelShares,
    Shares,
    members_of,
)
from atomlens.studies.networks import Attention, Measured, by_target, labels, measure_attention
from atomlens.studies.statistics import Interval, bootstrap, weighted_mean
from atomlens.studies.verdicts import drawn_part, make_claim, of_training

_LIMIT = 0.5
"""Of claim A3: metals get less than half of an even share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotifsSettings(StudySettings):
    """Settings of ``motifs``."""

    largest_ring: int = bounded(LARGEST_RING, least=3)
    """atoms of the largest ring that counts as one; larger ones are pores"""
    n_pictures: int = bounded(1, least=0)
    """structures that are drawn, coloured by attention: the smallest ones with a metal"""
    seed: int = bounded(0, least=0)
    """decides the resampling of the intervals"""


class Sorted(NamedTuple):
    """Structures whose atoms can be told apart."""

    rows: list[int]
    """Structures with a bond graph and more than one element."""
    members: list[Members]
    """Theirs: (n_classes, n_atoms)"""
    n_alike: int
    """Structures of a single element."""
    failures: list[Failure]


@final
class Motifs(Study):
    """Which elements, and which places in the bond graph, get more than an even share?"""

    name: ClassVar[str] = "motifs"
    summary: ClassVar[str] = "does attention go to metals, rings, chains or leaves of frameworks?"
    Settings: ClassVar[type] = MotifsSettings
    reads_values = False
    asks_attention: ClassVar[bool] = True

    def run(self, given: StudyInput) -> StudyResult:
        """Measure the enrichment of every class in every model and its controls.

        Raises:
            StudyError: a model has no attention over atoms, or no structure can be used.
        """
        refuse_without_attention(given.models)
        structures = given.data.structures
        sorted_ = sort_atoms(structures, self.settings.largest_ring)
        if not sorted_.rows:
            raise StudyError(_nothing_left(structures, sorted_))
        chosen = structures.subset(sorted_.rows)
        measured = measure_attention(given, chosen)
        shares = [_shares(one, chosen, sorted_.members) for one in measured]
        intervals = [_intervals(one, self.settings.seed) for one in shares]
        pairs = list(zip(shares, intervals, strict=True))
        failures = {f.name: f for m in measured for f in m.trained.failures}
        targets = by_target({m.label: m.predictor for m in measured})
        return StudyResult(
            study=self.name,
            question=f"{self.summary[0].upper()}{self.summary[1:]}",
            models=tuple(m.label for m in measured),
            settings=asdict(self.settings),
            n_structures=max(len(one.names) for one in shares),
            effects=tuple(
                effect
                for one, found in pairs
                for effect in _effects(one, found, self.settings.seed)
            ),
            claims=tuple(
                metals_ignored(
                    {one.label: one for one in shares if one.label in names},
                    f" ({target})" if len(targets) > 1 else "",
                    self.settings.seed,
                )
                for target, names in targets.items()
            ),
            tables={
                "classes": [row for one, found in pairs for row in one.class_rows(found)],
                "structures": [row for one in shares for row in one.structure_rows()],
                **rows_to_draw(measured[0], chosen, sorted_.members, self.settings.n_pictures),
            },
            counts={
                "structures given": len(structures),
                "left out, a single element": sorted_.n_alike,
                "without metal": int(sum(not inside[METAL].any() for inside in sorted_.members)),
            },
            failures=(*sorted_.failures, *failures.values()),
            notes=_NOTES,
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the enrichment of every class, and structures coloured by attention."""
        pictures = [draw_enrichment(result.tables["classes"], folder / "motifs.png")]
        for number, head in enumerate(result.tables["pictures"]):
            stem = file_stem(f"motifs-{head['structure']}")
            path = folder / f"{stem}.png"
            if path in pictures:
                path = folder / f"{stem}-{number + 1}.png"
            atoms = [r for r in result.tables["atoms"] if r["picture"] == head["picture"]]
            pictures.append(draw_attended(head, atoms, path))
        return pictures


def refuse_without_attention(models: Sequence[Predictor]) -> None:
    """Raise a StudyError that names models whose readout gives all atoms the same share."""
    named = zip(labels(models), models, strict=True)
    without = [f"{label} ({m.model_name})" for label, m in named if not _attends(m)]
    if without:
        of_structures = (n for n, kind in MODELS.items() if kind.default_builder[0] != "formula")
        others = [name for name in of_structures if make_model(name).attends_to_atoms]
        raise StudyError(
            f"motifs: there is no attention over atoms in {', '.join(without)}; train one of "
            f"{', '.join(others)}."
        )


def _attends(predictor: Predictor) -> bool:
    """Say whether the model has a share for every atom; nodes of a formula are no atoms."""
    return predictor.models[0].attends_to_atoms and predictor.builder.needs_positions


def sort_atoms(structures: StructureArrays, largest_ring: int) -> Sorted:
    """Return the classes of the atoms of all structures that have more than one element."""
    found = Sorted([], [], 0, [])
    for row, structure in enumerate(structures):
        if structure.is_formula or not len(structure.atomic_numbers):
            reason = "it is a bare formula" if structure.is_formula else "it has no atoms"
            message = f"{structure.name}: {reason}, so there is no bond graph; give structures."
            found.failures.append(Failure(name=structure.name, message=message))
        elif len(np.unique(structure.atomic_numbers)) == 1:
            found = found._replace(n_alike=found.n_alike + 1)
        else:
            found.rows.append(row)
            found.members.append(members_of(structure, largest_ring))
    return found


def _nothing_left(structures: StructureArrays, found: Sorted) -> str:
    if found.failures:
        return f"None of the structures can be used. The first reason: {found.failures[0].message}"
    return (
        f"Each of the {len(structures)} structures has a single element, whose share of the "
        "attention is all of it; give others."
    )


def _shares(one: Measured, structures: StructureArrays, members: Sequence[Members]) -> ModelShares:
    """Return the shares of the classes in the structures that this model can take."""
    kept = one.trained.kept.tolist()
    inside = [members[row] for row in kept]

    def shares(attention: Attention) -> Shares:
        return Shares.of(attention.scores, inside)

    return ModelShares(
        label=one.label,
        names=tuple(structures.names[row] for row in kept),
        trained=shares(one.trained),
        controls={name: [shares(a) for a in found] for name, found in one.controls.items()},
    )


def _intervals(one: ModelShares, seed: int) -> dict[int, Interval]:
    """Return the mean enrichment of each class; structures that have it are resampled."""
    enrichment = one.trained.enrichment
    return {
        index: bootstrap(enrichment[one.trained.atoms[:, index] > 0, index], seed=seed)
        for index in one.present
    }


def _effects(one: ModelShares, intervals: dict[int, Interval], seed: int) -> list[Effect]:
    """Return the enrichment of every class, and how often metals are among the highest atoms."""
    effects = [
        Effect.within(
            f"{one.label}: enrichment of {CLASSES[index]}",
            interval,
            int((one.trained.atoms[:, index] > 0).sum()),
            "attention on the class over its share of the atoms, 1 is an even share; mean of the "
            "structures that have the class",
            one.control_means("enrichment", index),
        )
        for index, interval in intervals.items()
    ]
    if METAL in intervals:
        having = one.trained.atoms[:, METAL] > 0
        effects += [
            Effect.within(
                f"{one.label}: metals among the {words}",
                bootstrap(getattr(one.trained, field)[having, METAL], seed=seed),
                int(having.sum()),
                "share of these atoms that are metals; mean of the structures with metals",
                one.control_means(field, METAL),
            )
            for field, words in (("first", "highest atoms"), ("first_three", "three highest"))
        ]
    return effects


def metals_ignored(models: Mapping[str, ModelShares], suffix: str = "", seed: int = 0) -> Claim:
    """Return claim A3; every model, by label, is a training of it.

    It is about metal-organic frameworks: what has a metal, carbon, and hydrogen or a halogen.
    Salts, oxides, carbides and alloys say nothing of it.
    """
    judged: list[JudgedTraining] = []
    words = []
    for label, one in models.items():
        having = one.trained.are_frameworks
        if not having.any():
            continue
        part = drawn_part(
            f"enrichment of metals in {int(having.sum())} structures with linkers",
            weighted_mean(one.trained.enrichment[having, METAL]),
            {
                name: [weighted_mean(n.enrichment[having, METAL]) for n in networks]
                for name, networks in one.controls.items()
            },
            int(having.sum()),
            limit=_LIMIT,
            above=False,
            seed=seed,
        )
        judged.append(of_training(label, [part]))
        first, three = (
            float(share[having, METAL].mean())
            for share in (one.trained.first, one.trained.first_three)
        )
        words.append(
            f"{label}: a metal is the highest atom in {first:.0%}, and {three:.0%} of the first 3"
        )
    return make_claim(
        f"A3{suffix}",
        "Metals almost never receive attention in metal-organic frameworks.",
        f"enrichment of metals below {_LIMIT:g}, the upper end of its interval too",
        judged,
        chance="1 where attention is even",
        reason=""
        if judged
        else "no structure that could be used has a metal and linkers (carbon, and hydrogen or a "
        "halogen)",
        words=words,
    )


_NOTES = (
    "Intervals come from resampling structures. Only structures that have a class count for its "
    "enrichment, which is 1 where attention is even.",
    "Untrained: means over three networks with random weights. What they and the model of shuffled "
    "labels show, no relation with the target has taught.",
    "Rings are those of nonmetals, also across faces of the cell; what bridges two metals and is "
    "bonded to nothing else but hydrogen belongs to the metal node.",
)
