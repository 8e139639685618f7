"""What is done with one shard of a screening: the same function on one machine and on many."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch

from atomlens.errors import Failure
from atomlens.machine import choose_device
from atomlens.neighbors.fingerprints import fingerprints
from atomlens.neighbors.handedness import handedness
from atomlens.neighbors.identity import Identities, joint_digest, row_digests
from atomlens.predictor import Prediction, Predictor
from atomlens.predictor.columns import ColumnNames
from atomlens.predictor.inputs import Inputs, from_items
from atomlens.predictor.inputs.pieces import Piece, PieceItem, read_pieces
from atomlens.predictor.tables import Cells
from atomlens.screening.columns import (
    CHOICES,
    ERROR,
    FINE,
    FORMULA,
    N_ATOMS,
    NAME,
    NUMBERS,
    SENTENCES,
    SOURCE,
    STATE,
    STRUCTURE,
    WARNING,
    ScreenColumns,
)
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.doubts import Doubts
from atomlens.structures.forms import DisorderChoice
from atomlens.structures.options import choices_about
from atomlens.structures.workers import Task, Worker, WorkerDiedError
from atomlens.targets import value_slices

Row = dict[str, Any]
ANSWERED, PARTLY, FAILED, LEFT_OUT = "answered", "partly", "failed", "left out"


class Measure(Protocol):
    """Reads something off what the models predict of structures; travels to other processes."""

    def rows(
        self, models: Sequence[Predictor], structures: StructureArrays
    ) -> dict[int, dict[str, Any]]:
        """Return the cells of structures by their number; of some there may be none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenJob:
    """Everything that decides what comes of an input; it travels to other processes."""

    models: tuple[tuple[str, str], ...]
    """Label and place of each, as `Predictor.load` takes it"""
    columns: ScreenColumns
    forms: DisorderChoice
    strict: bool = False
    batch_size: int | None = None
    device: str = "auto"
    measure: Measure | None = None
    targets: tuple[str, ...] | None = None
    """Names of the targets that are wanted; None: all"""


@lru_cache(maxsize=4)
def _loaded(places: tuple[str, ...]) -> tuple[Predictor, ...]:
    return tuple(Predictor.load(place) for place in places)


def screen_shard(job: ScreenJob, pieces: Sequence[Piece]) -> list[Row]:
    """Read the inputs of a shard and return a row for each, with what all models say of it.

    The rows depend on the arguments and the kind of machine alone: torch runs in one thread, and
    which structures share a batch follows from the pieces.
    """
    return answers(job, read_shard(job, pieces))


def read_shard(job: ScreenJob, pieces: Sequence[Piece]) -> list[PieceItem]:
    """Return what the pieces of a shard hold."""
    return read_pieces(pieces, job.forms)


def answers(job: ScreenJob, found: Sequence[PieceItem]) -> list[Row]:
    """Return a row for each structure that was read, and for each that was not."""
    inputs = from_items([one.item for one in found])
    groups = _forms_together(inputs)
    models = _loaded(tuple(place for _, place in job.models))
    with _one_thread(choose_device(job.device).type == "cpu"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predictions = [
            model.predict(inputs, batch_size=job.batch_size, n_workers=1, device=job.device)
            for model in models
        ]
        measured = {} if job.measure is None else job.measure.rows(models, inputs.structures)
    if job.targets is not None:
        predictions = [prediction.of_targets(job.targets) for prediction in predictions]
    if job.strict:
        predictions = [prediction.strictly() for prediction in predictions]
    same = Identities(inputs.structures)
    digests = _digests(inputs, groups, same, predictions)
    fine: dict[int, str] = {}
    if FINE in job.columns.kinds:
        numbers = {place: i for i, place in enumerate(inputs.places.tolist())}
        wanted = {numbers[place]: place for place in groups if place in numbers}
        known = fingerprints(same, list(wanted)) if wanted else {}
        fine = {wanted[i]: one.to_text() for i, one in known.items()}
    called = [ColumnNames(prediction.targets) for prediction in predictions]
    rows = [
        _row(job, found[place], digests.get(place), predictions, called, number)
        | ({FINE: fine.get(place)} if FINE in job.columns.kinds else {})
        for number, place in enumerate(groups)
    ]
    places = inputs.places.tolist()
    more = {places[index]: cells for index, cells in measured.items()}
    for row, place in zip(rows, groups, strict=True):
        if row[STATE] != FAILED:
            row |= more.get(place, {})
    return rows


def _digests(
    inputs: Inputs, groups: Sequence[int], same: Identities, predictions: Sequence[Prediction]
) -> dict[int, int]:
    """Return what each structure is known by, by the place of the form that stands for it."""
    structures = inputs.structures
    found = same.digests.copy()
    if any(target.extensive for prediction in predictions for target in prediction.targets):
        # two cells of one crystal have two answers
        found = row_digests(found, structures.n_atoms.astype(float)[:, None])
    hands = handedness(structures)  # mirror images are two candidates, with equal answers
    turned = np.flatnonzero(hands < 0)
    found[turned] = row_digests(found[turned], hands[turned, None].astype(float))
    digests: dict[int, int] = dict(zip(inputs.places.tolist(), found.tolist(), strict=True))
    if not inputs.forms:
        return digests
    for place, stop in pairwise([*groups, len(inputs.names)]):
        # crystals of other disorder may share an ordered model
        models = [digests[p] for p in range(place, stop) if p in digests and inputs.forms[p] >= 0]
        if len(models) > 1 and not inputs.is_conformer[place]:
            digests[place] = joint_digest(models)
    return digests


def _forms_together(inputs: Inputs) -> list[int]:
    """Return the place of the first usable form of each structure; most have one form."""
    starts = [
        place
        for place, form in enumerate(inputs.forms or (-1,) * len(inputs.names))
        if not (form > 0 and place > 0 and inputs.forms[place - 1] == form - 1)
    ]
    return [
        next((p for p in range(start, stop) if not inputs.errors[p]), start)
        for start, stop in pairwise([*starts, len(inputs.names)])
    ]


@contextmanager
def _one_thread(on_cpu: bool) -> Iterator[None]:
    """Keep torch in one thread: how sums are split decides their last digits."""
    before = torch.get_num_threads()
    if on_cpu:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _row(
    job: ScreenJob,
    found: PieceItem,
    digest: int | None,
    predictions: Sequence[Prediction],
    called: Sequence[ColumnNames],
    i: int,
) -> Row:
    columns = job.columns
    row: Row = dict.fromkeys(columns.kinds)
    cells = found.cells or {}
    row |= {called: cells.get(header) for header, called in columns.carried.items()}
    if NUMBERS in columns.kinds:
        numbers = found.numbers or {}
        row[NUMBERS] = {columns.carried[header]: number for header, number in numbers.items()}
    errors = [prediction.errors[i] for prediction in predictions]
    first = next((p for p in predictions if not p.errors[i]), predictions[0])
    row |= {NAME: first.names[i], SOURCE: found.source}
    if isinstance(found.item, Failure):
        row[ERROR] = found.item.message
        row[STATE] = LEFT_OUT if found.left_out else FAILED
        return row
    if CHOICES in columns.kinds:
        row[CHOICES] = " ".join(choices_about(found.item))
    answered = [not error for error in errors]
    row[STATE] = ANSWERED if all(answered) else PARTLY if any(answered) else FAILED
    row[ERROR] = _joined_errors([label for label, _ in job.models], errors)
    if not any(answered):
        return row
    row |= {FORMULA: first.formulas[i], N_ATOMS: int(first.n_atoms[i])}
    row[STRUCTURE] = None if digest is None else f"{digest:016x}"
    labels = [label for label, _ in job.models]
    row[WARNING] = SENTENCES.join(_doubts(labels, [p.doubts[i] for p in predictions])) or None
    for word, counts in (
        ("ordered_models", first.ordered_models),
        ("conformers", first.conformers),
    ):
        if word in columns.kinds and counts is not None:
            row[word] = int(counts[i]) or None
    for prediction, own, names in zip(predictions, called, columns.of_models, strict=True):
        if not prediction.errors[i]:
            said = _cells(prediction, own, i)
            row |= {names[word]: value for word, value in said.items() if word in names}
    return row


def _doubts(labels: Sequence[str], each: Sequence[Doubts]) -> list[str]:
    """Return what is doubtful about a structure; of several models with the names of those."""
    of_models: dict[str, list[str]] = {}
    for label, doubts in zip(labels, each, strict=True):
        for sentence in doubts.of_model:
            of_models.setdefault(sentence, []).append(label)
    said = [
        f"{', '.join(whose)}: {sentence}" if len(labels) > 1 else sentence
        for sentence, whose in of_models.items()
    ]
    return [*Doubts.joined(each).of_reader, *said]


def _joined_errors(labels: Sequence[str], errors: Sequence[str]) -> str | None:
    said = dict.fromkeys(error for error in errors if error)
    if not said:
        return None
    if len(said) == 1 and all(errors):
        return next(iter(said))
    pairs = zip(labels, errors, strict=True)
    return "; ".join(f"{label}: {error}" for label, error in pairs if error)


def _cells(prediction: Prediction, names: ColumnNames, i: int) -> Row:
    """Return what one model says of one structure, under the model's own names of columns."""
    cells: Row = Cells(prediction, names).unlike(i)
    places = value_slices(prediction.targets)
    for index, (target, place) in enumerate(zip(prediction.targets, places, strict=True)):
        shares = prediction.probabilities[index]
        if shares is not None:
            cells[target.name] = target.classes[int(prediction.values[i, place.start])]
            named = zip(target.classes, shares[i].tolist(), strict=True)
            cells |= {names.share(target, label): share for label, share in named}
        else:
            said = {
                "": prediction.values,
                "_std": prediction.std,
                "_low": prediction.interval_low,
                "_high": prediction.interval_high,
                "_spread": None if target.is_spectrum else prediction.spread,
            }
            for ending, values in said.items():
                if values is not None:
                    found = [_finite(value) for value in values[i, place].tolist()]
                    cells[names.of(target, ending)] = found if target.is_spectrum else found[0]
        cells[names.of(target, "_unit")] = target.unit
    cells[names["seen_in"]] = (prediction.seen[i] if prediction.seen else "") or None
    return cells


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def rescued(worker: Worker, task: Task) -> list[Any]:
    """Return what comes of a shard that ends the process which works on it.

    Its pieces are tried one by one. Those that end a process are failures, the others go on.
    """
    function, (job, pieces) = task
    alone = [worker.run([(function, (job, [piece]))])[0] for piece in pieces]
    rest = [
        _deadly(piece, outcome.error) if isinstance(outcome.error, WorkerDiedError) else piece
        for piece, outcome in zip(pieces, alone, strict=True)
    ]
    together = worker.run([(function, (job, rest))])[0]
    if not isinstance(together.error, WorkerDiedError):
        found: list[Any] = together.get()
        return found
    each = []
    for piece in rest:
        outcome = worker.run([(function, (job, [piece]))])[0]
        if isinstance(outcome.error, WorkerDiedError):  # whatever it was that spared it before
            each += function(job, [_deadly(piece, outcome.error)])  # nothing is read for it
        else:
            each += outcome.get()
    return each


def _deadly(piece: Piece, error: WorkerDiedError) -> Piece:
    failure = Failure(name=piece.source, message=f"{piece.source}: {error}")
    return Piece("failed", failure, piece.source, piece.mark, piece.n, piece.cells)
