"""Is a score of atoms what the model would lose without them? Measured against chance and tables.

Deletion and insertion curves in three meanings of absence, for every method and for the controls
that it must beat; agreement of scores with effects; and what else can be asked of a score: random
weights, other seeds, displaced atoms, larger cells, equal sites, sums that were promised.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np

from atomlens.errors import ExplanationError, Failure, StudyError
from atomlens.explain import EXPLAINERS, methods_of, named_methods
from atomlens.explain.absence import MEANINGS, Meaning
from atomlens.explain.question import Values
from atomlens.predictor import Predictor
from atomlens.predictor.folder.tested import PASSES
from atomlens.predictor.inputs import build_graphs, gather
from atomlens.predictor.measuring import spearman
from atomlens.printing import counted
from atomlens.settings import Settings, bounded
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Effect, Row, Study, StudyInput, StudyResult
from atomlens.studies.controls import named_controls, refuse_unshuffled
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
from atomlens.studies.faithful.words import (
    CONTROLS,
    CUT,
    FEW,
    SUM,
    judged,
    paragraph,
    verdict,
)
from atomlens.studies.networks import prepare
from atomlens.studies.rows import as_number, within
from atomlens.studies.statistics import Interval, bootstrap, pearson

_COSTLY = ("occlusion", "integrated-gradients", "expected-gradients", "shapley", "learnt-mask")


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


@final
class Faithful(Study):
    """The study."""

    name = "faithful"
    summary = "do the scores of a method say what the model would lose without the atoms?"
    Settings = FaithfulSettings
    reads_values = False
    takes_spectra = True

    def run(self, given: StudyInput) -> StudyResult:
        """Measure one model.

        Raises:
            StudyError: there are several models, no usable structure, or no usable method.
        """
        refuse_unshuffled(given.shuffled)
        if len(given.models) != 1:
            raise StudyError("faithful judges one model at a time; run it once for each.")
        named_methods(self.settings.methods)  # before anything is computed
        predictor = given.models[0]
        structures, failures, counts = _usable(predictor, given.data.structures)
        asked = Asked.about(predictor, structures, self.settings.target or None)
        if np.any(asked.n_units < 2):
            several = np.flatnonzero(asked.n_units >= 2)
            counts["left out: one element only"] = len(structures) - len(several)
            if not len(several):
                raise StudyError("faithful: no formula of two elements is left to study.")
            structures = structures.subset(several)
            asked = Asked.about(predictor, structures, self.settings.target or None)
        equal = np.array([checks.all_equal(structure) for structure in structures])
        if equal.any():
            counts["left out: all atoms equal"] = int(equal.sum())
            if equal.all():
                raise StudyError(
                    f"faithful: {counted(len(structures), 'structure')} to study, and symmetry "
                    "makes all atoms of each equal: equal atoms have no order that could be "
                    "tested. Give others."
                )
            structures = structures.subset(np.flatnonzero(~equal))
            asked = Asked.about(predictor, structures, self.settings.target or None)
        counts["used"] = len(structures)
        measured = _Measured(self.settings, asked, given)
        rows = measured.rows()
        check_rows = measured.check_rows()
        notes = [*measured.notes, paragraph(rows, check_rows, asked)]
        if len(structures) < FEW:
            few = counted(len(structures), "structure", "are")
            notes.insert(0, f"{few} too few for a useful interval.")
        return StudyResult(
            study=self.name,
            question=_QUESTION,
            models=(predictor.model_name,),
            settings=_plain_settings(self.settings, asked),
            n_structures=len(structures),
            effects=tuple(_effects(rows)),
            tables={"faithful": rows, "curves": measured.curve_rows, "checks": check_rows},
            counts=counts,
            failures=failures,
            notes=tuple(notes),
            shown=shown_rows(rows),
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw deletion over chance of every method, beside the controls."""
        from atomlens.studies.faithful.figure import draw_faithful

        name = next((one["name"] for one in result.made_by if "name" in one), result.models[0])
        about = f"{name}, {result.settings['target']}"
        return [draw_faithful(result.tables["faithful"], folder / "faithful.png", about)]


_QUESTION = "Do the scores of atoms say what the model would lose without them?"


class _Measured:
    """The measurements of one model, in the order in which they are made."""

    def __init__(self, settings: FaithfulSettings, asked: Asked, given: StudyInput) -> None:
        self.settings, self.asked, self.given = settings, asked, given
        self.notes: list[str] = []
        self.curve_rows: list[Row] = []
        self.done = self.n_drawn = 0
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
            self.done += 1
            self.given.progress(self.done, len(MEANINGS) + 1)
        if not rows:
            raise StudyError(f"faithful: no meaning of absence is left. {' '.join(self.notes)}")
        return rows

    def _row(self, method: str, meaning: Meaning, curves: Curves) -> Row:
        own, chance = curves.deletion, curves.deleted_by_chance
        for name in own:
            if name == method or name.startswith(f"{method}: ") or ":" not in name:
                self._remember(meaning, name, curves)

        def size(order: str) -> float:
            return over_chance(own[order], chance).value

        deletion = over_chance(own[method], chance)
        of_tables = {table: size(f"{method}: {table}") for table in TABLES}
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
            "reversed": size(f"{method}: reversed"),
            "heavy_first": size("heavy atoms first"),
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
        self.n_drawn = max(self.n_drawn, curves.drawn)

    def _remember(self, meaning: Meaning, name: str, curves: Curves) -> None:
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
        before = {m: part.by_unit(part.scores(m)[0]) for m in self.methods}
        rows += self._agreement_rows()
        stages = checks.random_from_the_readout(self.asked.predictor, self.settings.seed)
        for stage in stages:
            other = part.same(stage.predictor)
            for method in self.methods:
                found = self._ranks(before[method], other.by_unit(other.scores(method)[0]))
                rows.append(_check(method, f"random weights: {stage.name}", found, len(few)))
        if not part.structures.is_formula.any():
            rows += self._displaced_rows(part, before)
        for method, (scores, by_member) in self.methods.items():
            rows += self._single_rows(method, scores, by_member)
        self.given.progress(len(MEANINGS) + 1, len(MEANINGS) + 1)
        return rows

    def _ranks(self, first: list[Values], second: list[Values]) -> Interval:
        return checks.inside(first, second, _rank, self.settings.seed)

    def _agreement_rows(self) -> list[Row]:
        rows: list[Row] = []
        units = {m: self.asked.by_unit(s.scores) for m, s in self.methods.items()}
        names = list(units)
        n = len(self.asked.structures)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                found = self._ranks(units[first], units[second])
                rows.append(_check(first, f"rank correlation with {second}", found, n))
                top = checks.inside(
                    units[first],
                    units[second],
                    checks.top_overlap,
                    self.settings.seed,
                    fewest=4,  # of three parts the top three are all
                )
                rows.append(_check(first, f"top three shared with {second}", top, n))
        return rows

    def _displaced_rows(self, part: Asked, before: dict[str, list[Values]]) -> list[Row]:
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
                rows.append(_check(method, f"atoms displaced by {size} Å", found, len(kept)))
        return rows

    def _single_rows(self, method: str, scores: Values, by_member: Values) -> list[Row]:
        rows: list[Row] = []
        if len(by_member) > 1:
            found = np.array(checks.between_members(by_member, self.asked.by_unit))
            interval = bootstrap(found[np.isfinite(found)], seed=self.settings.seed)
            rows.append(_check(method, "rank correlation between seeds", interval, len(found)))
        for name, (value, n) in {
            "change of a doubled cell": checks.cell_change(self.asked, method, scores),
            "difference of equal sites": checks.orbit_spread(self.asked.structures, scores),
        }.items():
            if n:
                rows.append(_check(method, name, Interval(value, np.nan, np.nan), n))
        found_sum = checks.completeness(self.asked, method, scores)
        if np.isfinite(found_sum.error):
            interval = Interval(found_sum.error, np.nan, np.nan)
            unit = self.asked.unit
            rows.append(_check(method, SUM, interval, found_sum.n_whole, unit))
        if found_sum.n_cut:
            n_cut = Interval(float(found_sum.n_cut), np.nan, np.nan)
            rows.append(_check(method, CUT, n_cut, len(self.asked.structures)))
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


def _check(method: str, name: str, found: Interval, n: int, unit: str = "") -> Row:
    return {
        "method": method,
        "check": name,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "unit": unit,
        "n": n,
    }


def _usable(
    predictor: Predictor, structures: StructureArrays
) -> tuple[StructureArrays, tuple[Failure, ...], dict[str, int]]:
    """Return the structures of at least two atoms that the model can take."""
    prepared = prepare(predictor, structures)
    inputs = prepared.inputs
    rows = np.flatnonzero(inputs.structures.n_atoms >= 2)
    counts = {"given": len(structures), "used": len(rows)}
    if len(rows) < len(inputs.structures):
        counts["left out: one atom only"] = len(inputs.structures) - len(rows)
    if not len(rows):
        raise StudyError(
            "faithful: no structure of at least two atoms is left, and with one atom there is "
            "nothing to compare."
        )
    return inputs.structures.subset(rows), prepared.failures, counts


def _plain_settings(settings: FaithfulSettings, asked: Asked) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(settings), "target": asked.questions[0].target.name}


def _effects(rows: list[Row]) -> list[Effect]:
    effects = []
    for row in rows:
        controls = {n: as_number(row[n]) for n in CONTROLS if n in row}
        controls |= {"table": as_number(row[_best(row)])}
        interval = Interval(*(as_number(row[f"deletion{e}"]) for e in ("", "_low", "_high")))
        effects.append(
            Effect.within(
                f"{row['method']}, {row['meaning']}",
                interval,
                int(as_number(row["n"])),
                "change over the first half of the deletions, over that of a random order",
                controls,
            )
        )
    return effects


def _best(row: Row) -> str:
    return f"table {row['best_table']}"


def shown_rows(rows: list[Row]) -> list[Row]:
    """Return the table for the terminal."""

    return [
        {
            "method": row["method"],
            "meaning": row["meaning"],
            "deletion / random": within(row, "deletion", ".2f"),
            "best table": f"{as_number(row[_best(row)]):.2f} {row['best_table']}",
            "above it": within(row, "above_table", ".2f"),
            "untrained": f"{as_number(row.get('untrained')):.2f}",
            "insertion / random": within(row, "insertion", ".2f"),
            "Pearson with losses": within(row, "pearson", ".2f"),
            "passes": row["verdict"],
        }
        for row in rows
    ]


def check_table(result: StudyResult) -> list[dict[str, str]]:
    """Return the checks for the terminal: one a row, one method a column."""
    rows: dict[str, dict[str, str]] = {}
    methods = dict.fromkeys(str(row["method"]) for row in result.tables["faithful"])
    for check in result.tables["checks"]:
        row = rows.setdefault(str(check["check"]), {"check": str(check["check"])})
        row |= {m: row.get(m, "") for m in methods}
        value = as_number(check["value"])
        row[str(check["method"])] = (
            f"{value:.2g} {check['unit']}".rstrip() if value == value else ""
        )
    return list(rows.values())


def as_json(result: StudyResult) -> dict[str, Any]:
    """Return ``faithful.json``: key figures by method, the tables, and what they say."""
    content = result.to_dict()
    rows, check_rows = result.tables["faithful"], result.tables["checks"]
    methods: dict[str, Any] = {}
    for row in rows:
        said = judged(rows, str(row["method"]))
        own = methods.setdefault(
            str(row["method"]), {"passes": said == PASSES, "verdict": said, "meanings": {}}
        )
        own["meanings"][str(row["meaning"])] = {
            name: _or_none(value) for name, value in row.items() if name not in _NAMES
        }
    for check in check_rows:
        own = methods[str(check["method"])].setdefault("checks", {})
        own[str(check["check"])] = {
            name: _or_none(check[name]) for name in ("value", "low", "high", "unit", "n")
        }
    return {
        "study": result.study,
        "model": result.models[0],
        "made_by": dict(result.made_by[0]) if result.made_by else {},
        "target": result.settings["target"],
        "n_structures": result.n_structures,
        "settings": content["settings"],
        "methods": methods,
        "says": result.notes[-1],
        "notes": list(result.notes[:-1]),
        "counts": content["counts"],
        "seen_in": next(iter(content["seen_in"].values()), {}),
        "warnings": content["warnings"],
        "failures": content["failures"],
    }


_NAMES = ("method", "meaning")
_ENDS = ("", "_low", "_high")


def _or_none(value: object) -> object:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
