"""Attention relative to the sp3 carbons of the same molecule, by element and hybridisation.

After the figure of relative global attention in the paper of SCANN (Vu et al., npj Comput. Mater.
9, 215, 2023; claims S6 and S7): a molecule is its own ruler, so that thousands of molecules can be
laid over each other.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from atomlens.chemistry.hybridisation import Method, find_hybridisation
from atomlens.elements import SYMBOLS
from atomlens.errors import StudyError
from atomlens.settings import bounded
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Effect, Row, Study, StudyInput, StudyResult, StudySettings
from atomlens.studies.networks import Attention, Measured, measure_attention
from atomlens.studies.relative_attention.claims import all_claims
from atomlens.studies.relative_attention.numbers import NetworkNumbers, densities, pair_rows
from atomlens.studies.statistics import Interval, Values, bootstrap_units

RULER = "C(sp3)"
CLASSES = (RULER, "C(sp2)", "C(sp)", "N", "O", "F", "H")
"""Order of the usual classes; other elements follow, carbon of no clear kind last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeAttentionSettings(StudySettings):
    """Settings of ``relative-attention``."""

    hybridisation: Method = "rdkit"
    """how carbons are sorted: bond orders by rdkit where it finds them, or coordination alone"""
    seed: int = bounded(0, least=0)
    """decides the resampling of the intervals"""


class Classes(NamedTuple):
    """Every atom's class."""

    of_atoms: tuple[NDArray[np.str_], ...]
    """For each structure, (n_atoms,)"""
    n_by_coordination: int
    """Molecules for which rdkit was asked in vain."""


@final
class RelativeAttention(Study):
    """Which kinds of atoms get more attention than an sp3 carbon?"""

    name: ClassVar[str] = "relative-attention"
    summary: ClassVar[str] = "which kinds of atoms get more attention than an sp3 carbon?"
    Settings: ClassVar[type] = RelativeAttentionSettings
    reads_values = False
    asks_attention: ClassVar[bool] = True
    takes_formulas: ClassVar[bool] = False

    def run(self, given: StudyInput) -> StudyResult:
        """Compare the classes of atoms in every model and its controls.

        Raises:
            StudyError: no structure has an sp3 carbon, or none can be used.
        """
        structures = given.data.structures
        classes = classify(structures, self.settings.hybridisation)
        with_ruler = np.array([bool((kinds == RULER).any()) for kinds in classes.of_atoms])
        if not with_ruler.any():
            raise StudyError(
                f"Not one of the {len(structures)} structures has an sp3 carbon, to which the "
                "attention of the others is compared; give other molecules."
            )
        measured = measure_attention(given, structures)
        used = rows_of_all(measured, with_ruler)
        trained, controls = self._numbers(measured, classes, used)
        intervals = bootstrap_units(
            len(used),
            lambda drawn: np.concatenate([n(drawn) for n in trained.values()]),
            seed=self.settings.seed,
        )
        tables = _tables(trained, controls, intervals)
        tables["without_sp3_carbon"] = [
            {"name": structures.names[row]} for row in np.flatnonzero(~with_ruler)
        ]
        effects = [_sum_effect(measured), *_effects(trained, controls, intervals)]
        return StudyResult(
            study=self.name,
            question=f"{self.summary[0].upper()}{self.summary[1:]}",
            models=tuple(m.label for m in measured),
            settings={"hybridisation": self.settings.hybridisation, "seed": self.settings.seed},
            n_structures=len(used),
            effects=tuple(effects),
            claims=all_claims(measured, trained, controls, effects, self.settings.seed),
            tables=tables,
            counts={
                "structures given": len(structures),
                "used": len(used),
                "left out, without sp3 carbon": int((~with_ruler).sum()),
                "hybridisation by coordination": classes.n_by_coordination,
            },
            failures=tuple({f.name: f for m in measured for f in m.trained.failures}.values()),
            notes=_NOTES,
        )

    def _numbers(
        self, measured: tuple[Measured, ...], classes: Classes, used: NDArray[np.int64]
    ) -> tuple[dict[str, NetworkNumbers], dict[str, dict[str, list[NetworkNumbers]]]]:
        """Return the numbers of the trained models, and those of the controls, by label."""
        kinds = np.concatenate([classes.of_atoms[row] for row in used])
        units = np.repeat(np.arange(len(used)), [len(classes.of_atoms[row]) for row in used])
        present = _in_order(np.unique(kinds))

        def numbers(attention: Attention) -> NetworkNumbers:
            ratios = relative(attention, classes, used)
            return NetworkNumbers.of(ratios, kinds, units, present)

        trained = {m.label: numbers(m.trained) for m in measured}
        controls = {
            m.label: {name: [numbers(a) for a in found] for name, found in m.controls.items()}
            for m in measured
        }
        return trained, controls

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the distributions by class, a panel for each model."""
        from atomlens.studies.relative_attention.figure import draw_distributions

        path = folder / "relative-attention.png"
        draw_distributions(result.tables["distributions"], result.tables["medians"], path)
        return [path]


def classify(structures: StructureArrays, method: Method) -> Classes:
    """Return the class of every atom: ``C(sp3)`` ..., other elements by their symbol."""
    classes, n_by_coordination = [], 0
    for structure in structures:
        found = find_hybridisation(structure, method)
        n_by_coordination += found.method != method
        classes.append(
            np.array(
                [
                    f"C({kind})" if kind else "C(other)" if z == 6 else SYMBOLS[z]
                    for z, kind in zip(structure.atomic_numbers, found.kinds, strict=True)
                ]
            )
        )
    return Classes(tuple(classes), n_by_coordination)


def rows_of_all(measured: tuple[Measured, ...], with_ruler: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the structures with an sp3 carbon that every model can take.

    Raises:
        StudyError: there is none.
    """
    usable = with_ruler.copy()
    for one in measured:
        usable &= np.isin(np.arange(len(usable)), one.trained.kept)
    if not usable.any():
        raise StudyError("No structure with an sp3 carbon can be used by all of the models.")
    return np.flatnonzero(usable)


def relative(attention: Attention, classes: Classes, used: NDArray[np.int64]) -> Values:
    """Return every atom's attention over the mean of the sp3 carbons of its molecule."""
    place = {int(row): i for i, row in enumerate(attention.kept)}
    parts = []
    for row in used:
        scores = attention.scores[place[int(row)]]
        ruler = scores[classes.of_atoms[row] == RULER].mean()
        parts.append(scores / max(ruler, np.finfo(np.float32).tiny))
    return np.concatenate(parts)


def _in_order(found: NDArray[np.str_]) -> tuple[str, ...]:
    others = sorted(set(found.tolist()) - set(CLASSES), key=lambda kind: (kind == "C(other)", kind))
    return (*(kind for kind in CLASSES if kind in found), *others)


def _sum_effect(measured: tuple[Measured, ...]) -> Effect:
    sums = [np.array([s.sum() for s in m.trained.scores]) for m in measured]
    return Effect(
        name="largest deviation of a sum from one",
        value=max(float(np.abs(s - 1).max()) for s in sums),
        low=np.nan,
        high=np.nan,
        n=max(len(s) for s in sums),
        meaning="of the attention of a structure, over all structures and models",
    )


def _effects(
    trained: dict[str, NetworkNumbers],
    controls: dict[str, dict[str, list[NetworkNumbers]]],
    intervals: list[Interval],
) -> list[Effect]:
    """Return the numbers of every model with their intervals, models one after the other."""
    effects, start = [], 0
    for label, numbers in trained.items():
        once = np.ones(numbers.n_units)
        beside = {
            name: np.mean([n(once) for n in networks], axis=0)
            for name, networks in controls[label].items()
        }
        for i, (name, n_units) in enumerate(numbers.names):
            interval = intervals[start + i]
            effects.append(
                Effect.within(
                    f"{label}: {name}",
                    interval,
                    n=n_units,
                    meaning=numbers.meaning(name),
                    controls={control: float(v[i]) for control, v in beside.items()},
                )
            )
        start += len(numbers.names)
    return effects


def _tables(
    trained: dict[str, NetworkNumbers],
    controls: dict[str, dict[str, list[NetworkNumbers]]],
    intervals: list[Interval],
) -> dict[str, list[Row]]:
    """Return medians, pairs of classes and densities of all networks."""
    tables: dict[str, list[Row]] = {"medians": [], "pairs": [], "distributions": []}
    start = 0
    for label, numbers in trained.items():
        networks = {"trained": [numbers], **controls[label]}
        for network, found in networks.items():
            place = {"model": label, "network": network}
            own = intervals[start:] if network == "trained" else None
            tables["medians"] += [{**place, **row} for row in numbers.median_rows(found, own)]
            tables["pairs"] += [{**place, **row} for row in pair_rows(found)]
            tables["distributions"] += [{**place, **row} for row in densities(found)]
        start += len(numbers.names)
    return tables


_NOTES = (
    "Intervals come from resampling molecules. Medians are over atoms; tests and effect sizes "
    "compare the means of each class in each molecule, those inside molecules pair by pair.",
    "Untrained: means over three networks with random weights. What they show, architecture and "
    "geometry give without learning.",
)
