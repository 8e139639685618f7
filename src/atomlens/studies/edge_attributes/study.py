"""What a formula network writes between two elements: the edge attribute matrix (F8).

After Ihalage and Hao, Advanced Science (2022), who show that the matrices of SrTiO3, BaTiO3 and
KNbO3 look alike and that of CsPbI3 does not. Whether they would in a network that has learned
nothing is what the controls say.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import ClassVar, final

import numpy as np

from atomlens.chemistry.material_classes import material_class
from atomlens.errors import StudyError
from atomlens.predictor import Predictor
from atomlens.settings import bounded
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Study, StudyInput, StudyResult, StudySettings
from atomlens.studies.edge_attributes.effects import (
    ModelMatrices,
    Network,
    alike_matrices,
    between_models,
    effects_of,
    entry_rows,
    pair_rows,
)
from atomlens.studies.edge_attributes.figure import (
    comparable_pairs,
    draw_matrices,
    draw_similarities,
)
from atomlens.studies.edge_attributes.numbers import (
    MOST_FORMULAS,
    element_distances,
    refuse_other_models,
)
from atomlens.studies.networks import (
    Prepared,
    attention_of,
    by_target,
    graphs_of,
    labels,
    measure,
)

PEROVSKITES = (
    "SrTiO3 BaTiO3 KNbO3 CsPbI3 CaTiO3 PbTiO3 NaNbO3 KTaO3 NaTaO3 LaAlO3 LaGaO3 YAlO3 GdScO3 "
    "BaZrO3 SrZrO3 CaZrO3 BaSnO3 SrSnO3 BaHfO3 LaMnO3 LaFeO3 LaCoO3 SrRuO3 BiFeO3 CsPbBr3 "
    "CsPbCl3 CsSnI3 CsSnBr3 CsSnCl3 KMgF3 NaMgF3 KZnF3 RbMnF3 KNiF3 CsCaF3 BaZrS3 SrHfS3"
).split()
"""Formulas that are studied if none is given: ABX3 with oxygen, halogens and sulfur."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeAttributesSettings(StudySettings):
    """Settings of ``edge-attributes``."""

    n_drawn: int = bounded(4, least=0)
    """matrices that are drawn: those of the first formulas"""
    seed: int = bounded(0, least=0)
    """decides the resampling of the intervals"""


@final
class EdgeAttributes(Study):
    """Are the edge attribute matrices of alike materials alike, beyond their elements?"""

    name: ClassVar[str] = "edge-attributes"
    summary: ClassVar[str] = "are the edge attribute matrices of alike materials alike?"
    Settings: ClassVar[type] = EdgeAttributesSettings
    reads_values = False
    needs_data: ClassVar[bool] = False

    def run(self, given: StudyInput) -> StudyResult:
        """Compare the matrices of all pairs of formulas in every model and its controls.

        Raises:
            StudyError: a model is no `finder` of formulas, or there are too few formulas or too
                many.
        """
        refuse_other_models(given.models, self.name)
        structures = chosen_formulas(given)
        graphs = graphs_of(structures)
        measured = measure_matrices(given, graphs)
        seed = self.settings.seed
        targets = by_target(dict(zip(labels(given.models), given.models, strict=True)))
        return StudyResult(
            study=self.name,
            question=f"{self.summary[0].upper()}{self.summary[1:]}",
            models=tuple(one.label for one in measured),
            settings=asdict(self.settings),
            n_structures=max(len(one.names) for one in measured),
            effects=(
                *(effect for one in measured for effect in effects_of(one, seed)),
                *between_models(measured, seed),
            ),
            claims=tuple(
                alike_matrices(
                    {one.label: one for one in measured if one.label in names},
                    f" ({target})" if len(targets) > 1 else "",
                )
                for target, names in targets.items()
            ),
            tables={
                "matrices": [r for one in measured for r in entry_rows(one, self.settings.n_drawn)],
                "pairs": [row for one in measured for row in pair_rows(one)],
            },
            counts={"formulas": len(structures)},
            failures=tuple({f.name: f for m in given.models for f in graphs(m).failures}.values()),
            notes=_NOTES,
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw matrices side by side, and similarity against distance for all pairs."""
        pictures = []
        if result.tables["matrices"]:
            path = folder / "edge-attributes.png"
            pictures.append(draw_matrices(result.tables["matrices"], path))
        pairs = comparable_pairs(result.tables["pairs"])
        if pairs:
            pictures.append(draw_similarities(pairs, folder / "edge-attribute-pairs.png"))
        return pictures


def chosen_formulas(given: StudyInput) -> StructureArrays:
    """Return the structures of a study, or ``PEROVSKITES``; each name once.

    Raises:
        StudyError: there are too few to compare, or too many.
    """
    structures = given.data.structures
    if not len(structures):
        from atomlens.structures.formulas import from_formula

        structures = StructureArrays.from_atoms([from_formula(text) for text in PEROVSKITES])
    rows = {name: row for row, name in reversed(list(enumerate(structures.names)))}
    if not 2 <= len(rows) <= MOST_FORMULAS:
        raise StudyError(
            f"edge-attributes: {len(rows)} formulas cannot be compared in pairs; give 2 to "
            f"{MOST_FORMULAS}, or draw some of them with --limit (in Python limit)."
        )
    return structures.subset(sorted(rows.values()))


def measure_matrices(
    given: StudyInput, graphs: Callable[[Predictor], Prepared]
) -> tuple[ModelMatrices, ...]:
    """Return the matrices of every model and of its controls; progress runs over networks."""
    answers = measure(given, lambda network, prepared, _: Network.of(network, prepared), graphs)
    measured = []
    for one in answers:
        model, prepared = one.predictor, graphs(one.predictor)
        values = attention_of(model, prepared).values[:, 0]
        classes = [material_class(s.atomic_numbers) for s in prepared.inputs.structures]
        vectors = model.models[0].get_buffer("element_table").double().numpy()
        measured.append(
            ModelMatrices(
                label=one.label,
                trained=one.trained,
                controls=one.controls,
                distances=element_distances(one.trained.matrices, vectors),
                value_differences=np.array([abs(a - b) for a, b in combinations(values, 2)]),
                same_class=np.array([float(a == b) for a, b in combinations(classes, 2)]),
            )
        )
    return tuple(measured)


_NOTES = (
    "Entries are compared by Pearson's correlation, elements by role: number of atoms, then place "
    "in the formula. The 20 entries of ABX3 hold 7 different numbers.",
    "Untrained: means over three networks with random weights and the same element vectors. What "
    "they show, the element vectors and the architecture give without learning.",
    "Similarities of single pairs have no interval; those over all pairs come from resampling "
    "formulas.",
)
