"""What models say of structures, as plain values for the page."""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, final

import numpy as np

from atomlens.explain import Explanation
from atomlens.predictor import Prediction, Predictor
from atomlens.predictor.inputs import from_items
from atomlens.predictor.samples import UNKNOWN
from atomlens.printing import percent
from atomlens.reports.payload import page_payload
from atomlens.reports.wording import alike, formula_text, number, value_with_error
from atomlens.targets import Target, target_places
from atomlens.units import unit_text
from atomlens.web.jobs import Jobs, WebJob
from atomlens.web.library import Library
from atomlens.web.shelf import ShelvedStructure

if TYPE_CHECKING:
    from ase import Atoms

PIECE_ATOMS = 4000
"""Atoms of the structures that are predicted before others get a turn."""
_KEPT = 256


class ExplanationRequest(NamedTuple):
    """What an explanation is of."""

    model: str
    structure: str
    target: str
    method: str
    at: float | None


@final
class AnswerCache:
    """Asks models, and remembers what they have said."""

    def __init__(self, library: Library, jobs: Jobs) -> None:
        self.library = library
        self.jobs = jobs
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._explained: OrderedDict[ExplanationRequest, Explanation] = OrderedDict()
        self._lock = threading.Lock()

    def predict(
        self, job: WebJob, model_id: str, structures: Sequence[ShelvedStructure]
    ) -> list[dict[str, Any]]:
        """Return one row for each structure, in order; see `prediction_rows`.

        ``taken_for`` is there if a text is a formula to this model, and a molecule to others.
        """
        self.library.check(model_id)
        with self._lock:
            known = {held.id: self._rows.get((model_id, held.id)) for held in structures}
        waiting = [held for held in structures if known[held.id] is None]
        job.progress(len(structures) - len(waiting), len(structures))
        for piece in _pieces(waiting):
            rows = self.jobs.bench.do(job, partial(self._predict, model_id, piece))
            with self._lock:
                for held, new in zip(piece, rows, strict=True):
                    self._rows[model_id, held.id] = known[held.id] = new
            job.progress(job.done + len(piece), len(structures))
        return [row for held in structures if (row := known[held.id]) is not None]

    def _predict(self, model_id: str, piece: Sequence[ShelvedStructure]) -> list[dict[str, Any]]:
        model = self.library.get(model_id)
        seen = [held.seen_by(model) for held in piece]
        rows = prediction_rows(model.predict(from_items(seen)))
        return [
            {"structure": held.id, **row, **_another_meaning(held, atoms)}
            for held, atoms, row in zip(piece, seen, rows, strict=True)
        ]

    def explain(
        self, job: WebJob, asked: ExplanationRequest, held: ShelvedStructure
    ) -> Explanation:
        """Explain one prediction.

        Raises:
            AtomlensError: the model, its target, the method or the structure do not admit it.
        """
        self.library.check(asked.model)
        with self._lock:
            known = self._explained.get(asked)
            if known is not None:
                self._explained.move_to_end(asked)
                return known
        found = self.jobs.bench.do(job, lambda: self._explain(asked, held))
        with self._lock:
            self._explained[asked] = found
            while len(self._explained) > _KEPT:
                self._explained.popitem(last=False)
        return found

    def _explain(self, asked: ExplanationRequest, held: ShelvedStructure) -> Explanation:
        model = self.library.get(asked.model)
        return model.explain(
            held.seen_by(model),
            method=asked.method or None,
            target=asked.target or None,
            at=asked.at,
        )

    def forget(self, structure_ids: set[str] | None = None) -> None:
        """Forget what was said of some structures, or of all."""
        with self._lock:
            for key in list(self._rows):
                if structure_ids is None or key[1] in structure_ids:
                    del self._rows[key]
            for asked in list(self._explained):
                if structure_ids is None or asked.structure in structure_ids:
                    del self._explained[asked]

    def prediction(
        self, job: WebJob, model_id: str, structures: Sequence[ShelvedStructure]
    ) -> Prediction:
        """Return the prediction itself, for tables."""
        self.library.check(model_id)

        def predicted() -> Prediction:
            model: Predictor = self.library.get(model_id)
            return model.predict(
                from_items([held.seen_by(model) for held in structures]), progress=job.progress
            )

        return self.jobs.bench.do(job, predicted)


def _another_meaning(held: ShelvedStructure, seen: "Atoms") -> dict[str, str]:
    """Return what a model took a text for that is something else on the shelf, if it did."""
    return {} if seen is held.atoms else {"taken_for": formula_text(seen.numbers)}


def explanation_payload(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as the page's viewer takes it."""
    return page_payload([explanation.picture()])


def prediction_rows(prediction: Prediction) -> list[dict[str, Any]]:
    """Return one row for each input.

    ``values`` by target (see `_answer`), ``unlike`` in percent or None, ``seen_in``, ``warning``,
    and ``error`` if there is no answer.
    """
    places = target_places(prediction.targets)
    rows = []
    for i, error in enumerate(prediction.errors):
        unlike = math.nan if prediction.unlike is None else float(prediction.unlike[i])
        seen = prediction.seen[i] if prediction.seen else ""
        rows.append(
            {
                "error": error,
                "warning": prediction.warnings[i],
                "unlike": percent(unlike),
                "seen_in": "" if seen == UNKNOWN else seen,
                "values": {}
                if error
                else {
                    target.name: _answer(prediction, i, index, target, place)
                    for index, (target, place) in enumerate(places.items())
                },
            }
        )
    return rows


def _answer(
    prediction: Prediction, i: int, index: int, target: Target, place: slice
) -> dict[str, Any]:
    """Return what is said of one target: value, std, 90 % interval, and a text.

    Of a class the value is its probability, of a spectrum the mean over its grid.
    """
    probabilities = prediction.probabilities[index]
    if probabilities is not None:
        shares = probabilities[i]
        best = int(np.argmax(shares))
        return {
            "value": float(shares[best]),
            "std": None,
            "low": None,
            "high": None,
            "text": f"{target.classes[best]} ({shares[best]:.0%})",
            "interval_text": "",
            "label": target.classes[best],
            "probabilities": dict(zip(target.classes, shares.tolist(), strict=True)),
        }
    values, stds = prediction.values[i, place], prediction.std[i, place]
    lows, highs = prediction.interval_low[i, place], prediction.interval_high[i, place]
    if target.is_spectrum:
        return {
            "value": float(np.mean(values)),
            "std": None,
            "low": None,
            "high": None,
            "text": f"{number(float(np.mean(values)))} {unit_text(target.unit)}".rstrip(),
            "interval_text": f"mean over {target.grid_name}",
            "spectrum": _numbers(values),
            "spectrum_std": _numbers(stds),
        }
    value, std = float(values[0]), _finite(float(stds[0]))
    low, high = _finite(float(lows[0])), _finite(float(highs[0]))
    unit = unit_text(target.unit)
    text = f"{value_with_error(value, std)} {unit}".rstrip()
    interval = ""
    if low is not None and high is not None:
        interval = f"90 % interval {alike(low, std)} to {alike(high, std)} {unit}".rstrip()
    return {
        "value": value,
        "std": std,
        "low": low,
        "high": high,
        "text": text,
        "interval_text": interval,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _numbers(values: Any) -> list[float | None]:
    return [_finite(float(v)) for v in values]


def _pieces(structures: Sequence[ShelvedStructure]) -> list[list[ShelvedStructure]]:
    """Cut a list where enough atoms are together."""
    pieces: list[list[ShelvedStructure]] = []
    size = PIECE_ATOMS
    for held in structures:
        if size >= PIECE_ATOMS:
            pieces.append([])
            size = 0
        pieces[-1].append(held)
        size += len(held.atoms)
    return pieces
