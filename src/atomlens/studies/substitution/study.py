"""Attention on a substituted atom against the host's atoms, element by element.

After the study of SmFe12 in the paper of SCANN (Vu et al., npj Comput. Mater. 9, 215, 2023; claims
S11 and S12): the ratio R = attention(X) / smallest attention of a host atom, and what it says about
the energy.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, final

import numpy as np

from atomlens.elements import SYMBOLS
from atomlens.errors import Failure, SettingsError, StudyError
from atomlens.settings import bounded
from atomlens.studies.base import Effect, Row, Study, StudyInput, StudyResult, StudySettings
from atomlens.studies.networks import Attention, Measured, by_target, measure_attention
from atomlens.studies.statistics import Values
from atomlens.studies.substitution.claims import all_claims
from atomlens.studies.substitution.numbers import (
    CORRELATION,
    Ratios,
    effects_of,
    element_rows,
    ratio,
    rows_of,
)
from atomlens.studies.substitution.substituted import (
    Substituted,
    Substitutions,
    parse_elements,
    recognise,
    substitute,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubstitutionSettings(StudySettings):
    """Settings of ``substitution``."""

    elements: str = "Al,Co,Cu,Ga,Mo,Ti,Zn"
    """substituents, separated by commas"""
    site_element: str = ""
    """element of the host that is replaced; by default the most frequent one"""
    all_sites: bool = False
    """replace every atom, not one of each set that symmetry makes alike"""
    n_substituted: int = bounded(1, least=1, most=2)
    """atoms that are replaced together; 2: every pair of a site with another atom of its element"""
    tolerance: float = bounded(0.01, above=0, unit="Å")
    """Å, for the symmetry of the host"""
    host_element: str = ""
    """the structures are substituted already: the element that was replaced in them"""
    spectators: str = ""
    """with host_element: other elements of the host; by default those all structures have"""
    compatible: bool = False
    """the published notebook's ratio: smallest over all atoms, attention of three decimals"""
    low_group: str = "Cu,Zn,Mo"
    """elements whose ratio is said to be low"""
    high_group: str = "Al,Ti,Co,Ga"
    """elements whose ratio is said to be high"""
    seed: int = bounded(0, least=0)
    """decides the resampling of the intervals"""


@final
class Substitution(Study):
    """Does attention on a substituted atom tell how it changes the host?"""

    name: ClassVar[str] = "substitution"
    summary: ClassVar[str] = "does attention on a substituted atom tell how it changes the host?"
    Settings: ClassVar[type] = SubstitutionSettings
    asks_attention: ClassVar[bool] = True

    def run(self, given: StudyInput) -> StudyResult:
        """Substitute, or recognise substituted structures, and compare ratios with values.

        Raises:
            StudyError: nothing can be substituted, or no model can take the structures.
        """
        settings: SubstitutionSettings = self.settings
        groups = _groups(settings)
        found = self._substitutions(given)
        effects: list[Effect] = []
        tables: dict[str, list[Row]] = {"substitutions": [], "elements": []}
        tables["hosts"] = list(found.hosts)
        measured = measure_attention(given, found.structures)
        everything: dict[str, Ratios] = {}
        for one in measured:
            ratios = everything[one.label] = _ratios(one, found, given, settings.compatible)
            effects += effects_of(one, ratios, groups, settings.seed)
            tables["substitutions"] += rows_of(one, ratios, groups)
            tables["elements"] += element_rows(one, ratios, groups, settings.seed)
        return StudyResult(
            study=self.name,
            question=f"{self.summary[0].upper()}{self.summary[1:]}",
            models=tuple(m.label for m in measured),
            settings=asdict(settings),
            n_structures=len(found.items),
            effects=tuple(effects),
            claims=all_claims(
                {
                    target: {label: everything[label] for label in labels}
                    for target, labels in by_target(
                        {m.label: m.predictor for m in measured}
                    ).items()
                },
                found.formulas if settings.n_substituted == 1 else (),
                groups,
                settings.seed,
            ),
            tables=tables,
            counts=found.counts,
            failures=(*found.failures, *_network_failures(measured)),
            notes=_notes(measured, found, given, settings),
        )

    def _substitutions(self, given: StudyInput) -> Substitutions:
        settings: SubstitutionSettings = self.settings
        if settings.host_element:
            (host,) = _one_element(settings.host_element, "host_element")
            spectators = parse_elements(settings.spectators, "spectators")
            return recognise(given.data.structures, host, spectators)
        site = settings.site_element
        elements = parse_elements(settings.elements, "elements")
        if not elements:
            raise SettingsError("elements: name at least one element to substitute.")
        return substitute(
            given.data.structures,
            elements,
            site_element=_one_element(site, "site_element")[0] if site else None,
            all_sites=settings.all_sites,
            tolerance=settings.tolerance,
            n_substituted=settings.n_substituted,
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the heat map of sites and elements, and the ratios against the values."""
        from atomlens.studies.substitution.figure import draw_map, draw_scatter

        drawn = []
        for number, model in enumerate(result.models):
            rows = [r for r in result.tables["substitutions"] if r["model"] == model]
            suffix = f"-{number + 1}" if len(result.models) > 1 else ""
            if any(row["site"] for row in rows) and result.settings["n_substituted"] == 1:
                drawn.append(draw_map(rows, folder / f"substitution-map{suffix}.png"))
            found = result.effect(f"{model}: {CORRELATION}")
            correlations = {"trained": found.value, **found.controls}
            path = folder / f"ratio-against-value{suffix}.png"
            drawn.append(draw_scatter(rows, correlations, path))
        return drawn


def _one_element(text: str, setting: str) -> tuple[int, ...]:
    found = parse_elements(text, setting)
    if len(found) != 1:
        raise SettingsError(f"{setting}: name one element, not {text!r}.")
    return found


def _groups(settings: SubstitutionSettings) -> dict[int, str]:
    """Return low or high by atomic number."""
    low = parse_elements(settings.low_group, "low_group")
    high = parse_elements(settings.high_group, "high_group")
    both = [SYMBOLS[z] for z in low if z in high]
    if both:
        raise SettingsError(f"{', '.join(both)} cannot be in low_group and in high_group.")
    return {**dict.fromkeys(low, "low"), **dict.fromkeys(high, "high")}


def _ratios(one: Measured, found: Substitutions, given: StudyInput, compatible: bool) -> Ratios:
    """Return all numbers of one model; structures that it cannot take are left out.

    Raises:
        StudyError: not one substituted structure can be used.
    """
    place = {int(row): i for i, row in enumerate(one.trained.kept)}
    items = tuple(item for item in found.items if item.row in place)
    if not items:
        raise StudyError(f"The model of {one.label} can take none of the substituted structures.")

    def of(attention: Attention) -> Values:
        return np.array(
            [ratio(attention.scores[place[i.row]], i, compatible=compatible) for i in items]
        )

    predicted = one.trained.values[:, 0]
    own = np.array([predicted[place[item.row]] for item in items])
    hosts = np.array(
        [predicted[place[i.host_row]] if i.host_row in place else np.nan for i in items]
    )
    return Ratios(
        items=items,
        ratios=of(one.trained),
        controls={name: tuple(of(a) for a in found) for name, found in one.controls.items()},
        values=_given_values(one, given, items) if _has_values(one, given, found) else own,
        predicted=own,
        changes=own - hosts,
    )


def _has_values(one: Measured, given: StudyInput, found: Substitutions) -> bool:
    """Say whether the data give the model's target for the substituted structures."""
    names = [t.name for t in given.data.targets]
    return found.structures is given.data.structures and one.predictor.targets[0].name in names


def _given_values(one: Measured, given: StudyInput, items: Sequence[Substituted]) -> Values:
    column = [t.name for t in given.data.targets].index(one.predictor.targets[0].name)
    return given.data.values[[item.row for item in items], column]


def _network_failures(measured: Sequence[Measured]) -> list[Failure]:
    return list({f.name: f for m in measured for f in m.trained.failures}.values())


def _notes(
    measured: Sequence[Measured],
    found: Substitutions,
    given: StudyInput,
    settings: SubstitutionSettings,
) -> tuple[str, ...]:
    """Say what the ratio was compared with, and which elements are strange to a model."""
    notes = []
    for one in measured:
        kind = "given" if _has_values(one, given, found) else "predicted"
        notes.append(f"{one.label}: ratios are compared with the {kind} values.")
        strange = sorted({i.element for i in found.items} - set(one.predictor.elements))
        if one.predictor.elements and strange:
            symbols = ", ".join(SYMBOLS[z] for z in strange)
            notes.append(
                f"{one.label}: the training data had no {symbols}; neither ratio nor value can "
                "be trusted there."
            )
    if settings.compatible:
        notes.append(
            "compatible: the ratio's denominator is the smallest of all atoms of the cell, and "
            "attention is rounded to three decimals, as in the published notebook."
        )
    if not settings.host_element:
        notes.append("Substituted structures keep the host's cell and positions, unrelaxed.")
    return tuple(notes)
