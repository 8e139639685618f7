"""Scores of atoms held against atoms, or atom terms, that are known to make the answer.

By construction (`toy`, `crippen-logp`, `emt-alloys`, and the published attribution tasks) it is
known what an answer rests on; of orbital energies it is known where the orbital is (`orbitals`).
Every method of every model is scored against it, beside chance and beside tables that know an
atom's element, neighbours or environment only.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset
from atomlens.datasets.sources import attribution
from atomlens.datasets.tables.headers import bare_name
from atomlens.errors import Failure, StudyError
from atomlens.explain import methods_of, named_methods
from atomlens.explain.question import Indices, Values
from atomlens.predictor import Predictor
from atomlens.settings import Settings, bounded
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Effect, Row, Study, StudyInput, StudyResult
from atomlens.studies.controls import untrained
from atomlens.studies.faithful.asked import Asked, has_method
from atomlens.studies.faithful.orders import TABLES, Environment, environments, tables
from atomlens.studies.networks import prepare
from atomlens.studies.rows import as_number
from atomlens.studies.statistics import bootstrap
from atomlens.studies.truth.hydrogens import folded_sums, hydrogen_owners
from atomlens.studies.truth.known import (
    ORBITALS,
    Known,
    Truth,
    agreement,
    known_of,
    orbital_molecules,
)
from atomlens.studies.truth.potential import POTENTIAL
from atomlens.studies.truth.scores import TERMS, Score, by_structure, pearson
from atomlens.studies.truth.taught import (
    LEAST,
    UNTRAINED,
    atom_features,
    taught_on_the_others,
)
from atomlens.studies.truth.transfers import LEAST_ATOMS, Transfers
from atomlens.targets import Target
from atomlens.units import same_unit

YES = 1
TAUGHT = "read-out taught on the others"
"""Of the vectors that the network ends with: what its atoms know."""
ASIDE = "pearson, transfers aside"
"""Correlation of what totals determine: true terms and scores without what neighbours hand each
other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthSettings(Settings):
    """Settings of ``truth``."""

    methods: str = ""
    """methods of `atomlens explain` with commas between; empty: all basic ones of the model"""
    most: int = bounded(300, least=1)
    """molecules of the test part of an attribution task that are made in 3D, a fifth of them
    without anything to find"""
    potential: Literal["none", "chgnet"] = "none"
    """of crystals: agreement with the energies of atoms by this universal potential (no truth:
    such energies are not unique); the models' target is formation_energy"""
    seed: int = bounded(0, least=0)
    """draws them, and decides the resampling of intervals"""


@final
class TruthStudy(Study):
    """The study.

    Inputs: ``toy``, ``crippen-logp``, ``emt-alloys``, ``orbitals``, ``attribution-tasks:PATH``;
    with the setting ``potential`` any crystals.
    """

    name = "truth"
    summary = "do scores of atoms find what the answer is known to rest on?"
    takes_shuffled = False
    Settings = TruthSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._task: attribution.AttributionTask | None = None

    def read(self, inputs: Sequence[str]) -> Dataset | None:
        """Read the test part of an attribution task, or orbitals; other data as usual."""
        if list(inputs) == [ORBITALS]:
            return orbital_molecules()
        if len(inputs) != 1 or not inputs[0].startswith(attribution.PREFIX):
            return None
        self._task = task = attribution.read_task(inputs[0])
        draw = np.random.default_rng(self.settings.seed)
        rows = draw.permutation(task.test)
        most = self.settings.most
        if task.is_classification:  # only molecules with the answer yes have a score
            yes, no = rows[task.y[rows] == 1], rows[task.y[rows] != 1]
            if not len(yes):
                raise StudyError(
                    f"truth: none of the {len(rows)} test molecules of {task.name} has the answer "
                    "yes, so there are no atoms to find; give a task in which some have."
                )
            n_no = min(len(no), max(1, min(len(yes), most) // 5))
            rows = np.concatenate([yes[: most - n_no], no[:n_no]])
        return attribution.task_dataset(task, np.sort(rows[:most]))

    def run(self, given: StudyInput) -> StudyResult:
        """Score every method of every model.

        Raises:
            StudyError: nothing is known of the data's atoms, or no structure or method is left.
        """
        chosen = named_methods(self.settings.methods)
        notes: list[str] = []
        if self.settings.potential == POTENTIAL:
            known: tuple[Known, ...] = (agreement(given.data),)
            notes.append(
                f"Energies of atoms by {POTENTIAL} are another model's opinion and no truth: they "
                "are not unique. Scores here say how far the two agree."
            )
        else:
            known = known_of(given.data, self._task)
        rows: list[Row] = []
        failures: list[Failure] = []
        names = [_label(m, i, given.models) for i, m in enumerate(given.models)]
        for done, (predictor, name) in enumerate(zip(given.models, names, strict=True), start=1):
            prepared = prepare(predictor, given.data.structures)
            kept = prepared.inputs.places
            failures += prepared.failures
            if given.data.name == ORBITALS:
                seen = named_in_training(predictor, given.data.structures.subset(kept))
                kept = kept[~seen]
                if seen.any():
                    notes.append(f"{name}: {int(seen.sum())} molecules of its training left out.")
                if not len(kept):
                    continue
            structures, values = given.data.structures.subset(kept), given.data.values[kept]
            targets = {t.name for t in predictor.targets}
            own_known = [_of_target(k, given.data, predictor, name) for k in known]
            about = [k for k in own_known if k.target is None or k.target in targets]
            if not about:
                wanted = " or ".join(str(k.target) for k in known)
                notes.append(f"{name} is left out: it has no target {wanted}.")
            for own in about:
                label = name if own.target is None else f"{name}, {own.target}"
                judged = _Judged(
                    predictor, label, structures, own.subset(kept), values, self.settings
                )
                rows += judged.rows(chosen or methods_of(predictor.models[0]))
                notes += judged.notes
            given.progress(done, len(given.models))
        if not rows:
            raise StudyError(f"truth: no method is left. {' '.join(notes)}")
        return StudyResult(
            study=self.name,
            question="Do scores of atoms find what the answer is known to rest on?",
            models=tuple(names),
            settings=asdict(self.settings),
            n_structures=len(given.data),
            effects=tuple(_effect(row) for row in rows if row["main"]),
            tables={"truth": rows},
            counts={"given": len(given.data)},
            failures=tuple(failures),
            notes=tuple(notes),
            shown=_shown(rows),
        )

    def draw(self, result: StudyResult, folder: Path) -> list[Path]:
        """Draw the score of every method with its tables."""
        from atomlens.studies.truth.figure import draw_truth

        rows = [row for row in result.tables["truth"] if row["main"]]
        return [draw_truth(rows, folder / "truth.png")]


def _of_target(known: Known, data: Dataset, predictor: Predictor, model: str) -> Known:
    """Return the truth with the name of the model's target that it is about, if it has several.

    Raises:
        StudyError: the model does not predict what the data hold.
    """
    if known.target is not None or not data.targets:
        return known
    theirs, names = data.targets[0], {t.name.lower(): t for t in predictor.targets}
    ours = names.get(theirs.name.lower(), names.get(bare_name(theirs.name).lower()))
    if ours is None:
        raise StudyError(
            f"truth: {model} predicts {_listed(predictor.targets)}, and what is known of the atoms "
            f"of {data.name} is about {_listed([theirs])}; train a model on {data.name} first, and "
            "give that."
        )
    if ours.kind != theirs.kind or (
        theirs.unit and ours.unit and not same_unit(theirs.unit, ours.unit)
    ):
        raise StudyError(
            f"truth: {model} predicts {_listed([ours])}, and what is known of the atoms of "
            f"{data.name} is about {_listed([theirs])}; give a model of the same unit and kind."
        )
    return replace(known, target=ours.name) if len(names) > 1 else known


def _listed(targets: Sequence[Target]) -> str:
    """Return names of targets with their units, or how many classes they have."""
    about = [f"{len(t.classes)} classes" if t.classes else t.unit for t in targets]
    pairs = zip(targets, about, strict=True)
    return ", ".join(f"{t.name} ({said})" if said else t.name for t, said in pairs)


class _Judged:
    """One model, held against the truth."""

    def __init__(
        self,
        predictor: Predictor,
        name: str,
        structures: StructureArrays,
        known: Known,
        values: Values,
        settings: TruthSettings,
    ) -> None:
        self.name, self.settings, self.known, self.notes = name, settings, known, list[str]()
        names = [t.name for t in predictor.targets]
        target = predictor.targets[0 if known.target is None else names.index(known.target)]
        classes = target.kind == "classification"
        self.asked = Asked.about(predictor, structures, known.target, YES if classes else None)
        self.structures, self.truth = structures, known.truth
        self.positive = np.array([bool((t != 0).any()) for t in self.truth])
        self.folding = [
            hydrogen_owners(s, len(t), terms=known.metrics is TERMS)
            for s, t in zip(structures, self.truth, strict=True)
        ]
        self.has_folded = not known.by_size and any(
            len(f) > len(np.unique(f)) for f in self.folding
        )
        self.folded_truth = tuple(
            t if len(t) < len(f) else np.stack([folded_sums(own, f) for own in t.T], axis=1)
            for t, f in zip(self.truth, self.folding, strict=True)
        )
        whole = all(len(t) == n for t, n in zip(self.truth, structures.n_atoms, strict=True))
        self.transfers: Transfers | None = None
        if known.metrics is TERMS and whole:
            transfers = Transfers(structures)
            if transfers.usable:
                self.transfers = transfers
            else:
                self.notes.append(
                    f"{ASIDE!r} is left out: there are fewer than {LEAST_ATOMS} atoms for each "
                    "kind of transfer between neighbours."
                )
        said = self.asked.values
        self.error = np.nan
        if classes:
            right = np.mean((said > 0.5) == (values[:, 0] == YES))
            self.error = float(1 - right)
            self.notes.append(f"{name} is right on {100 * right:.1f} % of these structures.")
        elif np.isfinite(values[:, 0]).all():
            self.error = float(np.mean(np.abs(said - values[:, 0])))
            size = f"{self.error:.3g} {target.unit}".rstrip()
            self.notes.append(f"{name} has a mean absolute error of {size} on these.")

    def rows(self, methods: Sequence[str]) -> list[Row]:
        """Return a row for each method, metric and way to treat hydrogens."""
        rows: list[Row] = []
        owner = np.repeat(np.arange(len(self.structures)), self.structures.n_atoms)
        known = environments(self.structures)
        random = np.random.default_rng(self.settings.seed).random(len(owner))
        rows += self._scored("random", random, {})
        if self.known.by_size:
            degrees = np.array([key[1] for key in known[1]], dtype=np.float64)
            rows += self._scored("number of neighbours", degrees, {})
        labels = self._known_terms()
        if labels is not None:  # what the true terms themselves look like in a table
            for table, own in tables(labels, known, owner).items():
                rows += self._scored(f"table of {self.known.source} {table}", own, {})
        if self.known.by_size:
            rows += self._taught_rows(known, owner)
        for method in methods:
            reason = has_method(self.asked, method)
            if reason:
                self.notes.append(f"{self.name}: {method} is left out: {reason}")
                continue
            scores, _ = self.asked.scores(method)
            if self.known.by_size:
                scores = np.abs(scores)
            rows += self._scored(method, scores, tables(scores, known, owner))
            self._spread(method, scores)
        return rows

    def _taught_rows(self, known: list[list[Environment]], owner: Indices) -> list[Row]:
        """Return rows of read-outs that were taught the truth of the other structures."""
        predictor = self.asked.predictor
        if len(self.structures) < LEAST:
            self.notes.append(f"No read-out was taught: fewer than {LEAST} structures are left.")
            return []
        by_chance = untrained(predictor, self.settings.seed)
        rows: list[Row] = []
        for name, network in ((TAUGHT, predictor), (f"{TAUGHT}, {UNTRAINED}", by_chance)):
            features = atom_features(self.asked, network)
            if features is None:
                return []
            scores = taught_on_the_others(
                features, self.truth, self.structures.offsets, self.settings.seed
            )
            rows += self._scored(name, scores, tables(scores, known, owner))
        return rows

    def _known_terms(self) -> Values | None:
        """(n_atoms,) the truth of all atoms: terms, or in how many rationales an atom is."""
        if any(len(t) != n for t, n in zip(self.truth, self.structures.n_atoms, strict=True)):
            padded = []
            for truth, n in zip(self.truth, self.structures.n_atoms.tolist(), strict=True):
                own = np.zeros(n)
                own[: len(truth)] = truth.mean(axis=1)
                padded.append(own)
            return np.concatenate(padded)
        return np.concatenate([t.mean(axis=1) for t in self.truth])

    def _scored(self, method: str, scores: Values, by_table: dict[str, Values]) -> list[Row]:
        rows: list[Row] = []
        for folded in (False, True) if self.has_folded else (False,):
            truth = self.folded_truth if folded else self.truth
            parts = self._cut(scores, folded)
            table_parts = {t: self._cut(own, folded) for t, own in by_table.items()}
            for number, (metric, score) in enumerate(self.known.metrics.items()):
                rows.append(
                    self._row(method, metric, score, truth, parts, table_parts)
                    | {
                        "hydrogens": "folded" if folded else "as they are",
                        "main": number == 0 and not folded,
                    }
                )
        if self.transfers is not None:
            rest, parts, *table_cuts = (
                np.split(self.transfers.aside(own), self.structures.offsets[1:-1])
                for own in (np.concatenate(self.truth)[:, -1], scores, *by_table.values())
            )
            row = self._row(
                method,
                ASIDE,
                pearson,
                tuple(own[:, None] for own in rest),
                parts,
                dict(zip(by_table, table_cuts, strict=True)),
            )
            rows.append(row | {"hydrogens": "as they are", "main": False})
        return rows

    def _row(
        self,
        method: str,
        metric: str,
        score: Score,
        truth: Truth,
        parts: list[Values],
        table_parts: dict[str, list[Values]],
    ) -> dict[str, object]:
        found = by_structure(truth, parts, score)
        known = found[np.isfinite(found)]
        interval = bootstrap(known, seed=self.settings.seed)
        beside = {
            f"table {t}": float(np.nanmean(by_structure(truth, own, score)))
            for t, own in table_parts.items()
        }
        return {
            "model": self.name,
            "method": method,
            "metric": metric,
            "value": interval.value,
            "low": interval.low,
            "high": interval.high,
            "n": len(known),
            **{f"table {t}": beside.get(f"table {t}", np.nan) for t in TABLES},
            "model error": self.error,
        }

    def _cut(self, scores: Values, folded: bool) -> list[Values]:
        """Return the scores of the atoms that the truth is about."""
        parts = np.split(scores, self.structures.offsets[1:-1])
        if folded:
            return [folded_sums(own, f) for own, f in zip(parts, self.folding, strict=True)]
        return [own[: len(truth)] for own, truth in zip(parts, self.truth, strict=True)]

    def _spread(self, method: str, scores: Values) -> None:
        """Say how far scores spread where there is nothing to find."""
        if not self.known.binary or self.positive.all() or not self.positive.any():
            return
        parts = self._cut(scores, folded=False)
        spreads = np.array([part.std() for part in parts])
        no, yes = spreads[~self.positive].mean(), spreads[self.positive].mean()
        self.notes.append(
            f"{self.name}: the scores of {method} spread {no / max(yes, 1e-300):.2f} times as far "
            "in molecules without anything to find as in the others."
        )


def named_in_training(predictor: Predictor, structures: StructureArrays) -> NDArray[np.bool_]:
    """(n,) whether a model's split says by name that it was trained on a structure.

    Positions that were rounded for a packed file can hide that from a comparison by content.
    A folder whose split names other parts only has everything else in its training part.
    """
    parts = {part: frozenset(names) for part, names in predictor.record.split.items()}
    if not any(name in names for name in structures.names for names in parts.values()):
        return np.zeros(len(structures), dtype=np.bool_)
    if "train" in parts:
        return np.array([name in parts["train"] for name in structures.names])
    others = {name for names in parts.values() for name in names}
    return np.array([name not in others for name in structures.names])


def _label(predictor: Predictor, index: int, models: Sequence[Predictor]) -> str:
    names = [m.model_name for m in models]
    if names.count(predictor.model_name) == 1:
        return predictor.model_name
    return f"{predictor.model_name} {index + 1}"


def _effect(row: Row) -> Effect:
    return Effect(
        name=f"{row['model']}, {row['method']}",
        value=as_number(row["value"]),
        low=as_number(row["low"]),
        high=as_number(row["high"]),
        n=int(as_number(row["n"])),
        meaning=f"{row['metric']} inside a structure, mean over structures",
        controls={t: as_number(row[f"table {t}"]) for t in TABLES},
    )


def _with_interval(row: Row) -> str:
    """Return a value with its interval, which a single structure does not have."""
    value, low, high = (as_number(row[key]) for key in ("value", "low", "high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f})" if np.isfinite(low) else f"{value:.3f}"


def _shown(rows: Sequence[Row]) -> list[Row]:
    return [
        {
            "model": row["model"],
            "method": row["method"],
            "hydrogens": row["hydrogens"],
            "metric": row["metric"],
            "value": _with_interval(row),
            **{
                f"table {t}": f"{as_number(row[f'table {t}']):.3f}"
                if np.isfinite(as_number(row[f"table {t}"]))
                else ""
                for t in TABLES
            },
            "n": row["n"],
        }
        for row in rows
    ]
