"""Element attention of a formula network beside site attention of a structure network.

Finder (Ihalage and Hao, Advanced Science, 2022) pools the atoms of a formula and the sites of a
structure by the same attention. If the share of an element says something about the material, both
networks should find it; a network that has learned nothing must not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.splits import reduced_formulas
from atomlens.elements import SYMBOLS
from atomlens.errors import StudyError
from atomlens.predictor import Predictor
from atomlens.printing import file_stem
from atomlens.settings import bounded
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.attended_structure import atom_row, draw_attended, head_row
from atomlens.studies.base import Effect, Row, Study, StudyInput, StudyResult, StudySettings
from atomlens.studies.element_attention.figure import draw_elements
from atomlens.studies.element_attention.numbers import (
    ElementShares,
    agreement_beyond_elements,
    element_shares,
    pairs_in_order,
    rank_agreement,
)
from atomlens.studies.embeddings.networks import input_labels, usable_by_all
from atomlens.studies.networks import Measured, measure_attention
from atomlens.studies.statistics import Values, bootstrap_units

_SMALL = 20
"""Sites up to which a material is drawn unless it was named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementAttentionSettings(StudySettings):
    """Settings of ``element-attention``."""

    material: str = ""
    """name of the structure that is drawn; by default the first of 20 sites at most with the
    most elements"""
    seed: int = bounded(0, least=0)
    """decides the resampling of the intervals"""


@final
class ElementAttention(Study):
    """Does a formula network attend to the same elements as a structure network?"""

    name: ClassVar[str] = "element-attention"
    summary: ClassVar[str] = "do formula and structure networks attend to the same elements?"
    Settings: ClassVar[type] = ElementAttentionSettings
    reads_values = False
    asks_attention: ClassVar[bool] = True

    def run(self, given: StudyInput) -> StudyResult:
        """Compare the shares of the elements in two networks and their controls.

        Raises:
            StudyError: the models are not one of formulas and one of structures, both with
                attention over atoms, or no structure can be used.
        """
        given = formula_first(given)
        usable, failures = usable_by_all(given.models, given.data.structures)
        rows = [i for i in usable if len(set(given.data.structures[i].atomic_numbers.tolist())) > 1]
        if not rows:
            raise StudyError(
                f"{self.name}: no structure has two elements or more, whose shares could be "
                "compared; give others."
            )
        chosen = given.data.structures.subset(rows)
        drawn = self.drawn_row(chosen)
        formula, structure = measure_attention(given, chosen)
        trained = element_shares(chosen, formula.trained, structure.trained)
        controls = shares_of_controls(chosen, formula, structure)
        return StudyResult(
            study=self.name,
            question=f"{self.summary[0].upper()}{self.summary[1:]}",
            models=input_labels(given.models),
            settings=asdict(self.settings),
            n_structures=len(chosen),
            effects=tuple(compare(trained, controls, self.settings.seed, reduced_formulas(chosen))),
            tables={
                "elements": element_rows(chosen, trained),
                **rows_to_draw(structure, chosen, drawn),
            },
            counts={
                "structures given": len(given.data),
                "left out, a single element": len(usable) - len(rows),
            },
            failures=failures,
            notes=_NOTES,
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the shares of the elements of one material, all materials, and the structure."""
        head = result.tables["pictures"][0]
        name = str(head["structure"])
        shares = draw_elements(result.tables["elements"], name, folder / "element-attention.png")
        path = folder / f"{file_stem(f'element-attention-{name}')}.png"
        return [shares, draw_attended(head, result.tables["atoms"], path)]

    def drawn_row(self, structures: StructureArrays) -> int:
        """Return which structure is drawn.

        Raises:
            StudyError: the one that was named is not there.
        """
        name = self.settings.material
        if name:
            if name not in structures.names:
                raise StudyError(
                    f"{self.name}: material={name} is not among the {len(structures)} structures "
                    "that can be used."
                )
            return structures.names.index(name)
        n_elements = [len(set(s.atomic_numbers.tolist())) for s in structures]
        small = [i for i, n in enumerate(structures.n_atoms) if n <= _SMALL]
        return max(small or range(len(structures)), key=lambda i: (n_elements[i], -i))


def formula_first(given: StudyInput) -> StudyInput:
    """Return the input with the model of formulas before that of structures.

    Raises:
        StudyError: there are not two such models, or one has no attention over atoms.
    """
    models: Sequence[Predictor] = sorted(given.models, key=lambda m: m.builder.needs_positions)
    if [m.builder.needs_positions for m in models] != [False, True]:
        raise StudyError(
            "element-attention: give two models, one of formulas and one of structures, such as "
            '`finder` trained with and without --builder formula (in Python builder="formula").'
        )
    for label, model in zip(input_labels(models), models, strict=True):
        if not model.models[0].attends_to_atoms:
            raise StudyError(
                f"element-attention: the model of {label} ({model.model_name}) has no attention "
                "over atoms; train another one."
            )
    return replace(given, models=tuple(models))


def shares_of_controls(
    structures: StructureArrays, formula: Measured, structure: Measured
) -> dict[str, list[ElementShares]]:
    """Return the shares in the controls that both models have, network by network."""
    return {
        name: [
            element_shares(structures, a, b)
            for a, b in zip(networks, structure.controls[name], strict=True)
        ]
        for name, networks in formula.controls.items()
        if name in structure.controls
    }


def rows_to_draw(one: Measured, structures: StructureArrays, drawn: int) -> dict[str, list[Row]]:
    """Return all that is needed to draw one structure coloured by site attention."""
    scores = one.trained.scores[drawn].tolist()
    return {
        "pictures": [head_row(one, structures[drawn], drawn, 0)],
        "atoms": [atom_row(structures[drawn], i, score, 0) for i, score in enumerate(scores)],
    }


def compare(
    trained: ElementShares,
    controls: Mapping[str, Sequence[ElementShares]],
    seed: int,
    formulas: NDArray[np.str_],
) -> list[Effect]:
    """Return how far the two networks agree, beside the same of their controls.

    Polymorphs of one formula, (n,), are drawn together: one network cannot tell them apart.
    """
    n = int(trained.materials.max()) + 1
    found = bootstrap_units(n, agreement(trained), seed=seed, relatives=formulas)
    once = np.ones(n)
    beside = {
        name: np.mean([agreement(shares)(once) for shares in networks], axis=0)
        for name, networks in controls.items()
    }
    return [
        Effect.within(
            name,
            interval,
            n=n,
            meaning=meaning,
            controls={control: float(numbers[place]) for control, numbers in beside.items()},
        )
        for place, ((name, meaning), interval) in enumerate(
            zip(_MEANINGS.items(), found, strict=True)
        )
    ]


def agreement(shares: ElementShares) -> Callable[[Values], Values]:
    """Return the numbers of ``_MEANINGS`` as a function of how often each material was drawn."""
    ordered = np.array(pairs_in_order(shares))

    def numbers(drawn: Values) -> Values:
        alike, n_pairs = drawn @ ordered
        return np.array(
            [
                rank_agreement(shares, drawn),
                alike / n_pairs if n_pairs else np.nan,
                agreement_beyond_elements(shares, drawn),
            ]
        )

    return numbers


def element_rows(structures: StructureArrays, shares: ElementShares) -> list[Row]:
    """Return the shares of every element of every material."""
    return [
        {
            "structure": structures.names[material],
            "formula": structures.formula(material),
            "element": SYMBOLS[element],
            "share_of_atoms": atoms,
            "attention_formula": formula,
            "attention_structure": structure,
        }
        for material, element, atoms, formula, structure in zip(
            shares.materials.tolist(),
            shares.elements.tolist(),
            shares.atoms.tolist(),
            shares.formula.tolist(),
            shares.structure.tolist(),
            strict=True,
        )
    ]


_MEANINGS = {
    "rank correlation": (
        "Spearman of the enrichments (share of attention over share of atoms) of all elements of "
        "all materials; materials are resampled"
    ),
    "pairs in the same order": (
        "share of the pairs of elements of a material that both networks put in one order, 0.5 by "
        "chance"
    ),
    "beyond the elements": (
        "rank correlation after the mean enrichment of each element was taken off: what the "
        "company of an element adds"
    ),
}

_NOTES = (
    "Intervals come from resampling materials.",
    "Untrained: three pairs of networks with random weights and the same element vectors. What "
    "they show, elements and architecture give without learning.",
)
