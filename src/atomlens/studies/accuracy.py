"""Claims of the papers about errors of trained models: A1, A2, F1, F2, F3, F7 and F11.

They need several trainings of each model, on the same splits where models are compared: the
differences of one split are what is drawn (Student's interval over splits). Fewer than three
trainings decide nothing. Random splits of one data set overlap, which widens the interval by
n_test/n_train (`trainings_part`); seeds on a single split say nothing of other samples.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from atomlens.studies.base import Claim, Part
from atomlens.studies.statistics import CONFIDENCE
from atomlens.studies.verdicts import FEWEST_TRAININGS, make_claim, of_training, trainings_part

LADDER = (
    "cgcnn",
    "cgcnn-edge",
    "cgcnn-attention",
    "cgcnn-charge-geometry",
    "ae-cgcnn-2",
    "ae-cgcnn",
)
"""Rungs of AE-CGCNN's Table I."""
_LARGEST_RATIO = 0.8
PUBLISHED_SLOPE = -0.21
"""Of Finder's error over the number of training formulas."""
RIVAL_SLOPE = -0.18
"""Of ResCNN's: a slope that is no steeper is not Finder's."""
SIZES = (1_000, 20_000)
"""Smallest and largest number of training formulas of F7, stated beforehand: with fewer a network
sees one batch an epoch, and more than the published curve shows are not compared."""
_FEWEST_SIZES = 4
_LAST_SHARE = 0.2
"""Of the epochs: a training whose best validation error falls into them has not converged."""

Errors = Mapping[str, Sequence[float]]
"""Errors of each model, one for each split, in the same order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of a learning curve."""

    n_train: int
    error: float
    """Of the test part."""
    validation: tuple[float, ...]
    """Validation error after each epoch."""

    @property
    def converged(self) -> bool:
        """Whether the validation error was lowest before the last fifth of the epochs."""
        if not self.validation:
            return False
        best_epoch = int(np.argmin(self.validation)) + 1
        return best_epoch <= (1 - _LAST_SHARE) * len(self.validation)


def ladder_claims(
    training_losses: Errors, test_errors: Errors, *, overlap: float = 0.0
) -> tuple[Claim, Claim]:
    """Return A1 and A2 about the rungs of `LADDER`.

    Args:
        training_losses: Of every rung, one for each split.
        test_errors: MAE of the first and the last rung at least.
        overlap: n_test/n_train of random splits of one data set.
    """
    missing = [rung for rung in LADDER if rung not in training_losses]
    steps = [] if missing else list(pairwise(LADDER))
    lower = [
        _difference(
            f"{after} minus {before}", training_losses[after], training_losses[before], overlap
        )
        for before, after in steps
    ]
    ends = [rung for rung in (LADDER[0], LADDER[-1]) if rung not in test_errors]
    ratios: list[float] = []
    if not ends:
        pairs = zip(test_errors[LADDER[-1]], test_errors[LADDER[0]], strict=True)
        ratios = [full / base for full, base in pairs]
    return (
        _claim(
            "A1",
            "Every rung of the ladder from CGCNN to AE-CGCNN lowers the training loss.",
            "training loss of each rung minus that of the rung before, on the same split, below 0",
            lower,
            "each step is as likely up as down: 1 in 32 for all five",
            f"no trainings of {', '.join(missing)}" if missing else "",
        ),
        _claim(
            "A2",
            "The whole ladder brings the test error to 0.8 of CGCNN's or less.",
            f"MAE of ae-cgcnn over that of cgcnn on the same split below {_LARGEST_RATIO}",
            []
            if ends
            else [
                trainings_part(
                    "ratio",
                    ratios,
                    {},
                    limit=_LARGEST_RATIO,
                    above=False,
                    learned=False,
                    overlap=overlap,
                )
            ],
            "1 for networks that do not differ",
            f"no trainings of {', '.join(ends)}" if ends else "",
        ),
    )


def better_everywhere(
    identifier: str,
    statement: str,
    tasks: Mapping[str, Errors],
    model: str,
    rivals: Sequence[str],
    *,
    overlaps: Mapping[str, float] | None = None,
) -> Claim:
    """Return a claim that a model is better than all rivals on all tasks: F1, F2, F11.

    Args:
        identifier: Of the claim.
        statement: Of the paper.
        tasks: Errors of all models, by task.
        model: The one that is said to be better.
        rivals: The others.
        overlaps: n_test/n_train of random splits of one data set, by task.
    """
    shared = overlaps or {}
    missing = [
        f"{name} on {task}"
        for task, errors in tasks.items()
        for name in (model, *rivals)
        if name not in errors
    ]
    parts = [
        _difference(
            f"{task}: {model} minus {rival}", errors[model], errors[rival], shared.get(task, 0.0)
        )
        for task, errors in tasks.items()
        for rival in rivals
        if model in errors and rival in errors
    ]
    reason = f"no trainings of {', '.join(missing)}" if missing else ""
    if not tasks:
        reason = "no task was given"
    # one task that a rival wins decides, whatever was not trained
    if missing and any(p.value >= 0 for p in parts):
        reason = ""
    return _claim(
        identifier,
        statement,
        "error minus that of each rival, on the same split, below 0 on every task",
        parts,
        f"one of {len(rivals) + 1} is the best of a task: 1 in "
        f"{(len(rivals) + 1) ** max(len(tasks), 1):,} for all tasks",
        reason,
    )


def lowered(
    identifier: str,
    statement: str,
    errors: Sequence[float],
    of_other: Sequence[float],
    least: float,
    *,
    overlap: float = 0.0,
) -> Claim:
    """Return a claim that one error is lower than another by a share of it at least: F3.

    ``overlap`` is n_test/n_train of random splits of one data set.
    """
    shares = [1 - a / b for a, b in zip(errors, of_other, strict=True)]
    return _claim(
        identifier,
        statement,
        f"1 - ratio of the errors on the same split above {least:g}",
        [
            trainings_part(
                "share that is saved", shares, {}, limit=least, learned=False, overlap=overlap
            )
        ],
        "0 for models that do not differ",
    )


def power_law_claim(trainings: Sequence[Training]) -> Claim:
    """Return F7: Finder's error falls as n^-0.21.

    Tested only where the trainings can tell: at least three seeds of at least four sizes inside
    `SIZES`, all of them converged. It holds if the interval of the slope has -0.21 inside, and lies
    below ResCNN's -0.18.
    """
    used = [t for t in trainings if SIZES[0] <= t.n_train <= SIZES[1]]
    seeds = {n: sum(t.n_train == n for t in used) for n in sorted({t.n_train for t in used})}
    few = [f"{count} of {n:,}" for n, count in seeds.items() if count < FEWEST_TRAININGS]
    early = [f"{t.n_train:,}" for t in used if not t.converged]
    reasons = []
    if len(seeds) < _FEWEST_SIZES:
        reasons.append(f"{len(seeds)} sizes between {SIZES[0]:,} and {SIZES[1]:,}, not 4")
    if few:
        reasons.append(f"fewer than {FEWEST_TRAININGS} trainings: {', '.join(few)}")
    if early:
        reasons.append(f"not converged: trainings with {', '.join(dict.fromkeys(early))} formulas")
    parts: list[Part] = []
    if len(used) >= FEWEST_TRAININGS and len(seeds) > 1:
        slope, low, high = slope_of([(t.n_train, t.error) for t in used])
        parts = [
            Part(
                name="slope",
                value=slope,
                low=low,
                high=high,
                limit=RIVAL_SLOPE,
                above=False,
                learned=False,
                n=len(used),
            ),
            Part(
                name="the published slope is so far inside the interval",
                value=min(PUBLISHED_SLOPE - low, high - PUBLISHED_SLOPE),
                low=min(PUBLISHED_SLOPE - low, high - PUBLISHED_SLOPE),
                high=math.inf if math.isinf(high) else high - low,
                limit=0.0,
                learned=False,
                n=len(used),
            ),
        ]
    return _claim(
        "F7",
        "The error falls with the number of training formulas as n^-0.21.",
        f"slope of log error over log n from {SIZES[0]:,} to {SIZES[1]:,} formulas: interval with "
        f"{PUBLISHED_SLOPE} inside and below {RIVAL_SLOPE}; at least three converged trainings of "
        "each of four sizes",
        parts,
        "slopes of other learners on the same data lie between -0.17 and -0.21",
        "; ".join(reasons),
    )


def slope_of(points: Sequence[tuple[int, float]]) -> tuple[float, float, float]:
    """Return the slope of log error over log n with its 95 % interval (Student's)."""
    from scipy.stats import linregress, t

    line = linregress(*np.log(np.array(points, dtype=float)).T)
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(points) - 2) * line.stderr)
    return float(line.slope), float(line.slope) - half, float(line.slope) + half


def _difference(name: str, own: Sequence[float], other: Sequence[float], overlap: float) -> Part:
    differences = [a - b for a, b in zip(own, other, strict=True)]
    return trainings_part(name, differences, {}, above=False, learned=False, overlap=overlap)


def _claim(
    identifier: str,
    statement: str,
    criterion: str,
    parts: Sequence[Part],
    chance: str,
    reason: str = "",
) -> Claim:
    return make_claim(
        identifier,
        statement,
        criterion,
        [of_training("all trainings", parts, ())] if parts else [],
        chance=chance,
        reason=reason or ("" if parts else "nothing was trained"),
        needed=(),
    )
