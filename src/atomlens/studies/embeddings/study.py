"""What formula and structure networks make of the same materials, before they predict (F6, F9).

After Ihalage and Hao, Advanced Science (2022): the vectors that Finder pools from formulas and
from structures are said to be correlated, and maps of them to show the target. Two networks that
have learned one target must share that much, and two that see the same elements share something
before they learn anything: hence the controls.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.material_classes import material_class
from atomlens.datasets.splits import reduced_formulas
from atomlens.errors import StudyError
from atomlens.settings import bounded
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import (
    Effect,
    Progress,
    Row,
    Study,
    StudyInput,
    StudyResult,
    StudySettings,
    no_progress,
)
from atomlens.studies.embeddings.effects import (
    against_values,
    compare,
    correlated_components,
    larger_error_estimates,
)
from atomlens.studies.embeddings.explorer import write_study_map
from atomlens.studies.embeddings.figure import draw_components, draw_maps
from atomlens.studies.embeddings.maps import MapMethod, lay_out, refuse_missing_package
from atomlens.studies.embeddings.networks import ModelVectors, measure_vectors
from atomlens.studies.embeddings.numbers import principal_components
from atomlens.studies.statistics import Values

FEWEST = 30
"""Materials from which two models are compared; one in five is always held out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsSettings(StudySettings):
    """Settings of ``embeddings``."""

    map: MapMethod = "pca"
    """how vectors are laid out in the plane: pca, tsne (perplexity 30) or umap"""
    seed: int = bounded(0, least=0)
    """decides folds, the start of the map and the resampling of the intervals"""


@final
class EmbeddingsStudy(Study):
    """Do formula and structure networks arrange materials alike, and what does the map show?"""

    name: ClassVar[str] = "embeddings"
    summary: ClassVar[str] = "do a formula and a structure network arrange materials alike?"
    Settings: ClassVar[type] = EmbeddingsSettings
    makes_map: ClassVar[bool] = True

    def run(self, given: StudyInput) -> StudyResult:
        """Compare the vectors of two models, and lay out those of each.

        Raises:
            StudyError: there are more than two models, too few materials, or a package is missing.
        """
        refuse_missing_package(self.settings.map)
        if len(given.models) > 2:
            raise StudyError(
                f"{self.name}: {len(given.models)} models were given; give one, or two to compare."
            )
        measured = measure_vectors(given)
        models, chosen = measured.models, given.data.structures.subset(measured.rows)
        if len(chosen) < (3 if len(models) == 1 else FEWEST):
            raise StudyError(
                f"{self.name}: {len(chosen)} materials are too few; give 3 to draw a map, {FEWEST} "
                "to compare two models."
            )
        known = [true_values(given, model, measured.rows) for model in models]
        formulas = reduced_formulas(chosen)
        effects = self.effects(models, chosen, known, formulas)
        return StudyResult(
            study=self.name,
            question=f"{self.summary[0].upper()}{self.summary[1:]}",
            models=tuple(m.label for m in models),
            settings=asdict(self.settings),
            n_structures=len(chosen),
            effects=tuple(effects),
            claims=(
                correlated_components(models, self.settings.seed, formulas),
                larger_error_estimates(
                    models, self.unseen(models, chosen, known), self.settings.seed, formulas
                ),
            ),
            tables={
                "map": [
                    row
                    for model, values in zip(models, known, strict=True)
                    for row in self.map_rows(model, chosen, values, measured.rows)
                ],
                "components": [row for model in models for row in component_rows(model)],
            },
            counts={"structures given": len(given.data), "used": len(chosen)},
            failures=measured.failures,
            notes=_NOTES,
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the maps, and the components of both models against each other."""
        rows, method = result.tables["map"], str(result.settings["map"])
        pictures = [draw_maps(rows, method, folder / "embeddings.png")]
        if len(result.models) == 2:
            pictures.append(draw_components(rows, folder / "embedding-components.png"))
        return pictures

    def effects(
        self,
        models: Sequence[ModelVectors],
        chosen: StructureArrays,
        known: Sequence[Values],
        formulas: NDArray[np.str_],
    ) -> list[Effect]:
        """Return what two models have in common, and what each has to do with the true values."""
        seed = self.settings.seed
        effects = compare(models[0], models[1], seed, formulas) if len(models) == 2 else []
        for model, values in zip(models, self.unseen(models, chosen, known), strict=True):
            effects += against_values(model, values, seed, formulas)
        return effects

    def unseen(
        self, models: Sequence[ModelVectors], chosen: StructureArrays, known: Sequence[Values]
    ) -> list[Values]:
        """Return the true values, (n,) for each model; NaN where it was validated on them."""
        return [
            np.where(model.predictor.was_in(chosen, "validation"), np.nan, values)
            for model, values in zip(models, known, strict=True)
        ]

    def write_map(
        self, result: StudyResult, given: StudyInput, path: Path, progress: Progress = no_progress
    ) -> None:
        """Write the maps with structures and the scores of their atoms for chemiscope."""
        write_study_map(result, given, path, progress)

    def map_rows(
        self,
        model: ModelVectors,
        chosen: StructureArrays,
        values: Values,
        rows: Sequence[int],
    ) -> list[Row]:
        """Return where each material stands, with its class and its value; rows of the input."""
        vectors, target = model.trained.vectors, model.predictor.targets[0]
        places = lay_out(vectors, self.settings.map, self.settings.seed)
        components = principal_components(vectors).scores
        return [
            {
                "model": model.label,
                "row": rows[i],
                "name": structure.name,
                "class": material_class(structure.atomic_numbers),
                "target": target.name,
                "unit": target.unit,
                "value": float(values[i]),
                "prediction": float(model.trained.values[i]),
                "error_estimate": float(model.trained.std[i]),
                "x": float(places[i, 0]),
                "y": float(places[i, 1]),
                "first_component": float(components[i, 0]),
                "second_component": float(components[i, 1]),
            }
            for i, structure in enumerate(chosen)
        ]


def true_values(given: StudyInput, model: ModelVectors, rows: list[int]) -> Values:
    """Return the true values of a model's first target, (n,); NaN where they are not known."""
    names = [target.name for target in given.data.targets]
    target = model.predictor.targets[0].name
    if target not in names:
        return np.full(len(rows), np.nan)
    values: Values = given.data.values[rows, names.index(target)]
    return values


def component_rows(model: ModelVectors) -> list[Row]:
    """Return the shares of the variance of the first principal components, by network."""
    networks = {"trained": [model.trained], **model.controls}
    return [
        {
            "model": model.label,
            "network": name,
            "component": place + 1,
            "share_of_variance": float(share),
        }
        for name, found in networks.items()
        for place, share in enumerate(
            np.mean([principal_components(o.vectors, 5).shares for o in found], axis=0)
        )
    ]


_NOTES = (
    "Intervals come from resampling materials; principal components are found anew each time, the "
    "directions of canonical correlations and regressions are not.",
    "Untrained: means over three networks with random weights and the same element vectors, for "
    "two models pair by pair. What they show, elements and architecture give without learning.",
    "Materials that a model was validated on are left out where it is compared with true values.",
)
