"""What is measured of one model: curves, tables, agreement with losses, and the other checks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from atomlens.errors import ExplanationError, StudyError
from atomlens.explain import EXPLAINERS, methods_of, named_methods
from atomlens.explain.absence import MEANINGS, Meaning
from atomlens.explain.question import Values
from atomlens.predictor.inputs import build_graphs, gather
from atomlens.predictor.measuring import spearman
from atomlens.settings import Settings, bounded
from atomlens.studies.base import Row, StudyInput
from atomlens.studies.controls import named_controls
from atomlens.studies.faithful import checks
from atomlens.studies.faithful.asked import Asked, has_method
from atomlens.studies.faithful.curves import Curves, follow, over_both, over_chance
from atomlens.studies.faithful.orders import (
    TABLES,
    Order,
    by_size,
    environments,
    one_sided,
    reversed_order,
    tables,
)
from atomlens.studies.faithful.words import CONTROLS, CUT, SUM, verdict
from atomlens.studies.statistics import Interval, bootstrap, pearson

_COSTLY = ("occlusion", "integrated-gradients", "expected-gradients", "shapley", "learnt-mask")
"""How the names of methods begin that are asked of one network of a control alone."""
_ENDS = ("", "_low", "_high")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaithfulSettings(Settings):
    """Settings of ``faithful``."""

    methods: str = ""
    """methods of `atomlens explain` with commas between; empty: all basic ones of the model"""
    target: str = ""
    """which property; empty: the first"""
    n_steps: int = bounded(5, least=1)
    """points of a curve, over the first half of the atoms"""
    n_random: int = bounded(10, least=1)
    """sets of atoms drawn for each point of a curve, where there are too many to try all: chance"""
    n_checked: int = bounded(40, least=1)
    """structures on which random weights and displaced atoms are tried"""
    seed: int = bounded(0, least=0)
    """decides what is drawn: sets for chance, random weights, displacements, resampling"""


class Scored(NamedTuple):
    """What a method says of all structures."""

    scores: Values
    """(n_atoms,)"""
    by_member: Values
    """(n_members, n_atoms)"""


ONE_SIDE = "one side"
"""The order of signed scores that takes what raises the prediction first, or what lowers it."""


def _one_side(method: str, own: Mapping[str, Values], chance: Values) -> Row:
    """Return deletion from one side, and how far it is above the best table of the same.

    NaN of scores without a sign.
    """
    name, best = f"{method}: {ONE_SIDE}", ""
    found = above = Interval(np.nan, np.nan, np.nan)
    if name in own:
        found = over_chance(own[name], chance)
        best = max(TABLES, key=lambda t: over_chance(own[f"{name}, {t}"], chance).value)
        above = over_both(own[name], own[f"{name}, {best}"], chance)
    return {
        **{f"one_side{end}": v for end, v in zip(_ENDS, found, strict=True)},
        "one_side_best_table": best,
        **{f"one_side_above_table{end}": v for end, v in zip(_ENDS, above, strict=True)},
    }


class Measured:
    """The measurements of one model, in the order in which they are made.

    Raises:
        StudyError: no method is left.
    """

    def __init__(self, settings: FaithfulSettings, asked: Asked, given: StudyInput) -> None:
        self.settings, self.asked, self.given = settings, asked, given
        self.notes: list[str] = []
        self.curve_rows: list[Row] = []
        """Of the orders of all meanings that `rows` has measured"""
        chosen = named_methods(settings.methods) or methods_of(asked.predictor.models[0])
        self.methods: dict[str, Scored] = {}
        for method in chosen:
            reason = has_method(asked, method)
            if reason:
                self.notes.append(f"{method} is left out: {reason}")
                continue
            self.methods[method] = Scored(*asked.scores(method))
        if not self.methods:
            raise StudyError(f"faithful: no method is left. {' '.join(self.notes)}")
        self.orders = self._orders()

    def _orders(self) -> dict[str, Order]:
        """Return every order by name: methods, ``method: control``, and those of all."""
        asked = self.asked
        owner = np.repeat(np.arange(len(asked.structures)), asked.structures.n_atoms)
        known = environments(asked.structures)
        found: dict[str, Order] = {}
        heavy = asked.by_unit(asked.structures.atomic_numbers.astype(np.float64))
        found["heavy atoms first"] = by_size(heavy)
        for method, (scores, _) in self.methods.items():
            found[method] = by_size(asked.by_unit(scores))
            found[f"{method}: reversed"] = reversed_order(found[method])
            for table, own in tables(np.abs(scores), known, owner).items():
                found[f"{method}: {table}"] = by_size(asked.by_unit(own))
            if EXPLAINERS[method].in_target_units and (scores < 0).any():
                found[f"{method}: {ONE_SIDE}"] = one_sided(asked.by_unit(scores))
                for table, own in tables(scores, known, owner).items():
                    found[f"{method}: {ONE_SIDE}, {table}"] = one_sided(asked.by_unit(own))
        for control, networks in named_controls(asked.predictor, self.given.shuffled).items():
            for number, network in enumerate(networks, start=1):
                for method in self.methods:
                    if number > 1 and method.startswith(_COSTLY):
                        continue
                    try:
                        scores, _ = asked.same(network).scores(method)
                    except ExplanationError:
                        continue
                    found[f"{method}: {control} {number}"] = by_size(asked.by_unit(scores))
        return found

    def rows(self) -> list[Row]:
        """Return a row for each method and meaning."""
        rows: list[Row] = []
        n_done = 0
        for meaning in MEANINGS:
            try:
                curves = follow(
                    self.asked,
                    self.orders,
                    meaning,
                    n_steps=self.settings.n_steps,
                    n_random=self.settings.n_random,
                    seed=self.settings.seed,
                    inserted=frozenset(
                        n for n in self.orders if ": untrained" not in n and ONE_SIDE not in n
                    ),
                )
            except ExplanationError as problem:
                self.notes.append(f"The meaning {meaning!r} is left out: {problem}")
                continue
            if curves.missing:
                self.notes.append(
                    f"{meaning}: {curves.missing} sets of what is left have no graph and are "
                    "left out of the curves."
                )
            self._remember_chance(meaning, curves)
            rows += [self._row(method, meaning, curves) for method in self.methods]
            n_done += 1
            self.given.progress(n_done, len(MEANINGS) + 1)
        if not rows:
            raise StudyError(f"faithful: no meaning of absence is left. {' '.join(self.notes)}")
        return rows

    def _row(self, method: str, meaning: Meaning, curves: Curves) -> Row:
        """Return all that is measured of a method in one meaning, and keep its curves."""
        own, chance = curves.deletion, curves.deleted_by_chance
        for name in own:
            if name == method or name.startswith(f"{method}: ") or ":" not in name:
                self._remember(meaning, name, curves)

        def ratio(order: str) -> float:
            return over_chance(own[order], chance).value

        deletion = over_chance(own[method], chance)
        of_tables = {table: ratio(f"{method}: {table}") for table in TABLES}
        best = max(of_tables, key=lambda table: of_tables[table])
        above = over_both(own[method], own[f"{method}: {best}"], chance)
        inserted = over_chance(curves.insertion[method], curves.inserted_by_chance)
        agreement, apart = self._agreement(method, curves.losses)
        row: dict[str, object] = {
            "method": method,
            "meaning": meaning,
            "deletion": deletion.value,
            "deletion_low": deletion.low,
            "deletion_high": deletion.high,
            **{f"table {table}": value for table, value in of_tables.items()},
            "best_table": best,
            "above_table": above.value,
            "above_table_low": above.low,
            "above_table_high": above.high,
            "reversed": ratio(f"{method}: reversed"),
            "heavy_first": ratio("heavy atoms first"),
            **_one_side(method, own, chance),
        }
        beyond: dict[str, Interval] = {}
        for control in CONTROLS:
            names = [n for n in own if n.startswith(f"{method}: {control}")]
            if not names:
                continue
            mean: Values = np.mean([own[n] for n in names], axis=0)
            row[control] = over_chance(mean, chance).value
            found = beyond[control] = over_both(own[method], mean, chance)
            row |= {f"above_{control}{end}": v for end, v in zip(_ENDS, found, strict=True)}
        return row | {
            "insertion": inserted.value,
            "insertion_low": inserted.low,
            "insertion_high": inserted.high,
            "pearson": agreement.value,
            "pearson_low": agreement.low,
            "pearson_high": agreement.high,
            "mean_difference": apart,
            "unit": self.asked.unit,
            "n": len(self.asked.structures),
            "verdict": verdict(deletion, above, beyond, len(self.asked.structures)),
        }

    def _remember_chance(self, meaning: Meaning, curves: Curves) -> None:
        """Note what the ratios are over: the mean change of chance."""
        self.curve_rows.append(
            {
                "meaning": meaning,
                "order": "chance",
                "deletion": 1.0,
                "deletion_low": np.nan,
                "deletion_high": np.nan,
                "mean_change": float(np.nanmean(curves.deleted_by_chance)),
                "insertion": 1.0,
            }
        )

    def _remember(self, meaning: Meaning, name: str, curves: Curves) -> None:
        """Keep the curves of an order as a row, once."""
        known = {(r["meaning"], r["order"]) for r in self.curve_rows}
        if (meaning, name) in known:
            return
        own = curves.deletion[name]
        deletion = over_chance(own, curves.deleted_by_chance)
        row: dict[str, object] = {
            "meaning": meaning,
            "order": name,
            "deletion": deletion.value,
            "deletion_low": deletion.low,
            "deletion_high": deletion.high,
            "mean_change": float(np.nanmean(own)),
        }
        if name in curves.insertion:
            inserted = over_chance(curves.insertion[name], curves.inserted_by_chance)
            row |= {"insertion": inserted.value, "insertion_low": inserted.low}
            row |= {"insertion_high": inserted.high}
        self.curve_rows.append(row)

    def _agreement(self, method: str, losses: Values) -> tuple[Interval, float]:
        """Return how the scores follow what is lost without each unit, and how far they are off.

        Scores without a sign are held against the sizes of the losses.
        """
        explainer, asked = EXPLAINERS[method](), self.asked
        n_atoms = np.bincount(asked.flat_units)[asked.flat_units]
        signed = method in _SIGNED
        lost = losses if signed else np.abs(losses)
        units, effects = asked.by_unit(self.methods[method].scores), asked.by_unit(lost / n_atoms)
        found = checks.inside(units, effects, pearson, self.settings.seed)
        if not (explainer.in_target_units and signed):
            return found, np.nan
        apart = np.abs(np.concatenate(units) - np.concatenate(effects))
        return found, float(np.nanmean(apart)) if np.isfinite(apart).any() else np.nan

    def check_rows(self) -> list[Row]:
        """Return what else was asked of every method."""
        rows: list[Row] = []
        few = np.arange(min(self.settings.n_checked, len(self.asked.structures)))
        part = Asked.about(
            self.asked.predictor,
            self.asked.structures.subset(few),
            self.asked.questions[0].target.name,
        )
        before = {m: self.asked.by_unit(s.scores)[: len(few)] for m, s in self.methods.items()}
        rows += self._agreement_rows()
        stages = checks.random_from_the_readout(self.asked.predictor, self.settings.seed)
        for stage in stages:
            other = part.same(stage.predictor)
            for method in self.methods:
                found = self._ranks(before[method], other.by_unit(other.scores(method)[0]))
                rows.append(_check_row(method, f"random weights: {stage.name}", found, len(few)))
        if not part.structures.is_formula.any():
            rows += self._displaced_rows(part, before)
        for method, (scores, by_member) in self.methods.items():
            rows += self._single_rows(method, scores, by_member)
        self.given.progress(len(MEANINGS) + 1, len(MEANINGS) + 1)
        return rows

    def _ranks(self, first: list[Values], second: list[Values]) -> Interval:
        """Return the rank correlation of the sizes of two scores in a structure, on average."""
        return checks.inside(first, second, _rank, self.settings.seed)

    def _agreement_rows(self) -> list[Row]:
        """Return how every two methods agree."""
        rows: list[Row] = []
        units = {m: self.asked.by_unit(s.scores) for m, s in self.methods.items()}
        names = list(units)
        n = len(self.asked.structures)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                found = self._ranks(units[first], units[second])
                rows.append(_check_row(first, f"rank correlation with {second}", found, n))
                top = checks.inside(
                    units[first],
                    units[second],
                    checks.top_overlap,
                    self.settings.seed,
                    fewest=4,  # of three parts the top three are all
                )
                rows.append(_check_row(first, f"top three shared with {second}", top, n))
        return rows

    def _displaced_rows(self, part: Asked, before: dict[str, list[Values]]) -> list[Row]:
        """Return how scores stay as they are where atoms are moved a little.

        Args:
            part: The structures that are tried.
            before: By method: their scores, by unit.
        """
        rows: list[Row] = []
        for size in checks.DISPLACEMENTS:
            moved = checks.displaced(part.structures, size, self.settings.seed)
            inputs, _ = build_graphs(gather(moved), part.predictor.builder)
            kept = inputs.places
            if not len(kept):
                continue
            other = Asked.about(part.predictor, inputs.structures, part.questions[0].target.name)
            for method in self.methods:
                own = [before[method][i] for i in kept.tolist()]
                found = self._ranks(own, other.by_unit(other.scores(method)[0]))
                rows.append(_check_row(method, f"atoms displaced by {size} Å", found, len(kept)))
        return rows

    def _single_rows(self, method: str, scores: Values, by_member: Values) -> list[Row]:
        """Return what is asked of one method: seeds, doubled cells, equal sites, promised sums.

        Args:
            method: Its name.
            scores: (n_atoms,)
            by_member: (n_members, n_atoms)
        """
        rows: list[Row] = []
        if len(by_member) > 1:
            found = np.array(checks.between_members(by_member, self.asked.by_unit))
            interval = bootstrap(found[np.isfinite(found)], seed=self.settings.seed)
            rows.append(_check_row(method, "rank correlation between seeds", interval, len(found)))
        for name, (value, n) in {
            "change of a doubled cell": checks.cell_change(self.asked, method, scores),
            "difference of equal sites": checks.orbit_spread(self.asked.structures, scores),
        }.items():
            if n:
                rows.append(_check_row(method, name, Interval(value, np.nan, np.nan), n))
        found_sum = checks.completeness(self.asked, method, scores)
        if np.isfinite(found_sum.error):
            interval = Interval(found_sum.error, np.nan, np.nan)
            unit = self.asked.unit
            rows.append(_check_row(method, SUM, interval, found_sum.n_whole, unit))
        if found_sum.n_cut:
            n_cut = Interval(float(found_sum.n_cut), np.nan, np.nan)
            rows.append(_check_row(method, CUT, n_cut, len(self.asked.structures)))
        return rows


_SIGNED = frozenset(
    {
        "contribution",
        "occlusion",
        "occlusion-mask",
        "occlusion-rebuilt",
        "integrated-gradients",
        "integrated-gradients-mask",
        "expected-gradients",
        "gradient-x-input",
        "shapley",
    }
)
"""Methods whose scores have the sign of what an atom does to the prediction."""


def _rank(first: Values, second: Values) -> float:
    return spearman(np.abs(first), np.abs(second))


def _check_row(method: str, name: str, found: Interval, n: int, unit: str = "") -> Row:
    return {
        "method": method,
        "check": name,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "unit": unit,
        "n": n,
    }
