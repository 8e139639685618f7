"""When a claim about attention holds: one rule for all of them.

A claim rests on `Part`s, numbers with a limit. It holds in a training if every part is beyond its
limit with its whole interval, and if what must be learned is beyond every control by an interval
that leaves out 0: untrained networks, networks trained on shuffled labels, and the table by element
and neighbours where that can show the same. It holds if it does so in every training that was
given. A number that is NaN, and one without an interval, never holds.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from atomlens.studies.base import Claim, JudgedTraining, Margin, Part, Verdict
from atomlens.studies.statistics import (
    CONFIDENCE,
    N_RESAMPLES,
    Values,
    drawing,
    n_drawn,
    percentiles,
)

Statistic = Callable[[Values], float]
"""A number from how often each unit was drawn, (n_units,)."""
NEEDED = ("untrained", "shuffled labels")
"""Controls without which a claim about what was learned cannot hold."""
FEWEST_TRAININGS = 3
"""With fewer a claim about one structure has no interval."""


def drawn_part(
    name: str,
    trained: Statistic,
    controls: Mapping[str, Sequence[Statistic]],
    n_units: int,
    *,
    limit: float = 0.0,
    above: bool = True,
    learned: bool = True,
    unit: str = "",
    groups: NDArray[np.str_] | None = None,
    relatives: NDArray[np.str_] | None = None,
    seed: int = 0,
) -> Part:
    """Return a number over several units (molecules, crystals, elements) with its controls.

    A draw takes units with repetition, the same for the trained network and its controls, and one
    network of each control at random: differences between untrained networks widen the interval.

    Args:
        name: What is measured.
        trained: The number under the trained network.
        controls: The number under each network of each control.
        n_units: Units that are drawn.
        limit: What the claim wants the number beyond.
        above: Whether beyond is above.
        learned: Whether it must be beyond the controls too.
        unit: Of the number.
        groups: (n_units,) units are drawn inside these groups; by default from all.
        relatives: (n_units,) families of units, such as the polymorphs of a formula, which are no
            independent units: families are drawn.
        seed: Decides the draws.
    """
    once = np.ones(n_units)
    value = trained(once)
    sign = 1.0 if above else -1.0
    present = {name: networks for name, networks in controls.items() if networks}
    means = {name: float(np.mean([n(once) for n in found])) for name, found in present.items()}
    low = high = math.nan
    ends = dict.fromkeys(present, (math.nan, math.nan))
    why = ""
    if not math.isfinite(value):
        why = "it cannot be measured here"
    elif n_drawn(n_units, relatives) < 2:
        why = "a single unit gives no interval"
    else:
        random = np.random.default_rng(seed)
        draw = drawing(n_units, random, groups=groups, relatives=relatives)
        own = np.empty(N_RESAMPLES)
        beyond = {name: np.empty(N_RESAMPLES) for name in present}
        for i in range(N_RESAMPLES):
            drawn = draw()
            own[i] = trained(drawn)
            for control, networks in present.items():
                one = networks[int(random.integers(len(networks)))]
                beyond[control][i] = sign * (own[i] - one(drawn))
        low, high = percentiles(own)
        ends = {control: percentiles(found) for control, found in beyond.items()}
    return Part(
        name=name,
        value=value,
        low=low,
        high=high,
        limit=limit,
        above=above,
        learned=learned,
        controls={
            control: Margin(
                value=sign * (value - mean),
                low=ends[control][0],
                high=ends[control][1],
                control=mean,
            )
            for control, mean in means.items()
        },
        unit=unit,
        n=n_units,
        unjudged=why,
    )


def trainings_part(
    name: str,
    trained: Sequence[float],
    controls: Mapping[str, Sequence[float]],
    *,
    limit: float = 0.0,
    above: bool = True,
    learned: bool = True,
    overlap: float = 0.0,
) -> Part:
    """Return a number of one structure: nothing but trainings can be drawn.

    The interval is Student's over the trainings, that beyond a control Student's for two samples
    of equal variance. Fewer than three trainings have no interval. Trainings that give the same
    number (copies of one, or a number of few steps, such as an order of few atoms) have that of the
    spread of the controls, and without one none.

    Trainings on random splits of one data set share most of their samples, so their numbers differ
    less than those of new data would: the variance of the mean is 1/k + n_test/n_train of theirs
    (Nadeau and Bengio, Machine Learning 52, 239, 2003), not 1/k.

    Args:
        name: What is measured.
        trained: The number in each training.
        controls: The number in each network of each control.
        limit: What the claim wants the number beyond.
        above: Whether beyond is above.
        learned: Whether it must be beyond the controls too.
        overlap: n_test/n_train of random splits of one data set; 0 for independent trainings.
    """
    values = np.asarray(trained, dtype=np.float64)
    value = float(values.mean()) if len(values) else math.nan
    sign = 1.0 if above else -1.0
    enough = len(values) >= FEWEST_TRAININGS and math.isfinite(value)
    own = squares = _squares(values)
    freedom = len(values) - 1
    if enough and not own > 0:  # one number: the spread is that of the controls
        given = [np.asarray(found, dtype=np.float64) for found in controls.values() if len(found)]
        squares = sum(map(_squares, given))
        freedom += sum(len(found) - 1 for found in given)
    half = math.nan
    if enough and squares > 0:
        half = _half_width(squares, freedom, 1 / len(values) + overlap)
    margins = {}
    for control, found in controls.items():
        if not len(found):
            continue
        others = np.asarray(found, dtype=np.float64)
        mean = float(others.mean())
        width = math.nan
        if enough:
            both = own + _squares(others)
            if both > 0:
                width = _half_width(
                    both,
                    len(values) + len(others) - 2,
                    1 / len(values) + 1 / len(others) + 2 * overlap,
                )
        beyond = sign * (value - mean)
        margins[control] = Margin(
            value=beyond, low=beyond - width, high=beyond + width, control=mean
        )
    why = ""
    if not math.isfinite(value):
        why = "it cannot be measured here"
    elif len(values) < FEWEST_TRAININGS:
        why = f"one structure has an interval from {FEWEST_TRAININGS} trainings on"
    elif not squares > 0:
        why = f"all {len(values)} trainings give the same number, so that it has no interval"
    return Part(
        name=name,
        value=value,
        low=value - half,
        high=value + half,
        limit=limit,
        above=above,
        learned=learned,
        controls=margins,
        n=len(values),
        n_beyond=int((sign * (values - limit) > 0).sum()),
        unjudged=why,
    )


def trainings_beyond(parts: Sequence[Part]) -> tuple[int, int]:
    """Return in how many trainings every part is beyond its limit at least, of how many."""
    return min(p.n_beyond for p in parts), min(p.n for p in parts)


def _squares(values: NDArray[np.float64]) -> float:
    """Return the sum of squared deviations from the mean; exactly 0 of equal values."""
    if not len(values) or np.ptp(values) == 0:
        return 0.0
    return float(((values - values.mean()) ** 2).sum())


def _half_width(squares: float, freedom: int, factor: float) -> float:
    """Return half of Student's interval from a sum of squares and its degrees of freedom."""
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, freedom) * math.sqrt(squares / freedom * factor))


def judge(parts: Sequence[Part], needed: Iterable[str] = NEEDED) -> Verdict:
    """Return the verdict on one training.

    Args:
        parts: All that the claim rests on.
        needed: Controls that every learned part must have.
    """
    if not parts or not all(math.isfinite(p.value) for p in parts):
        return "not tested"
    if not all(_beyond(p.value, p) for p in parts):
        return "fails"
    learned = [p for p in parts if p.learned]
    margins = [m for p in learned for m in p.controls.values()]
    if any(not m.value > 0 for m in margins if math.isfinite(m.value)):
        return "as much in controls"
    if not all(math.isfinite(p.low) and math.isfinite(p.high) for p in parts):
        return "not tested"
    if not all(_beyond(p.low if p.above else p.high, p) for p in parts):
        return "fails"
    if any(math.isfinite(m.low) and not m.low > 0 for m in margins):
        return "as much in controls"
    if not all(math.isfinite(m.low) for m in margins):
        return "not tested"
    if any(name not in p.controls for p in learned for name in needed):
        return "not tested"
    return "holds"


def _beyond(value: float, part: Part) -> bool:
    return value > part.limit if part.above else value < part.limit


def of_training(
    training: str, parts: Sequence[Part], needed: Iterable[str] = NEEDED
) -> JudgedTraining:
    """Return a training with its verdict."""
    return JudgedTraining(training=training, verdict=judge(parts, needed), parts=tuple(parts))


def make_claim(
    identifier: str,
    statement: str,
    criterion: str,
    judged: Sequence[JudgedTraining],
    *,
    chance: str,
    reason: str = "",
    words: Sequence[str] = (),
    needed: Iterable[str] = NEEDED,
    counts: tuple[int, int] | None = None,
    unit: str = "trainings",
) -> Claim:
    """Return a claim with the verdict over all trainings.

    It holds if it holds in each. If one fails, it fails; if none does, but controls show as much in
    one, that is the verdict.

    Args:
        identifier: Such as S6.
        statement: Of the paper.
        criterion: Fixed beforehand.
        judged: The trainings.
        chance: How often, or at which level, chance meets the criterion.
        reason: Why it was not tested, if it was not.
        words: More evidence.
        needed: Controls that every learned part must have.
        counts: In how many trainings it holds, of how many, where `judged` is all of them together.
        unit: What `judged` are, such as pairs of trainings, which are no independent trainings.
    """
    ordered = tuple(sorted(judged, key=lambda one: one.training))
    tested = [one for one in ordered if one.verdict != "not tested"]
    verdict: Verdict = "not tested"
    if reason:
        tested = []
    elif any(one.verdict == "fails" for one in tested):
        verdict = "fails"
    elif any(one.verdict == "as much in controls" for one in tested):
        verdict = "as much in controls"
    elif tested and len(tested) == len(ordered):
        verdict = "holds"
    n_held, n_tested = counts or (sum(o.verdict == "holds" for o in tested), len(tested))
    evidence = [reason, *(_training_words(one, len(ordered) > 1, needed) for one in ordered)]
    if tested:
        words_of = "meets it" if counts else "holds"
        evidence.append(f"{words_of} in {n_held} of {n_tested} {unit}")
    return Claim(
        identifier=identifier,
        statement=statement,
        criterion=criterion,
        verdict=verdict,
        evidence="; ".join(text for text in (*evidence, *words) if text),
        chance=chance,
        n_held=n_held,
        n_trainings=n_tested,
        judged=ordered,
    )


def _training_words(one: JudgedTraining, several: bool, needed: Iterable[str]) -> str:
    """Return the numbers of a training, with what it lacks."""
    lacking = [
        name for name in needed if any(p.learned and name not in p.controls for p in one.parts)
    ]
    parts = [part_words(part) for part in one.parts]
    parts += dict.fromkeys(part.unjudged for part in one.parts if part.unjudged)
    if lacking and one.parts:
        parts.append(f"no control of {' and '.join(lacking)} was given")
    head = f"{one.training} {one.verdict}: " if several else ""
    return head + "; ".join(parts)


def part_words(part: Part) -> str:
    """Return a number with its interval, and how far it is beyond each control."""
    unit = f" {part.unit}" if part.unit else ""
    text = f"{part.name} {part.value:.3g}{unit}"
    if math.isfinite(part.low) and part.low < part.high:  # a maximum has no interval
        text += f" (95 % {part.low:.3g} to {part.high:.3g})"
    if not part.controls:
        return text
    if not part.learned:
        beside = ", ".join(f"{name} {m.control:.3g}" for name, m in part.controls.items())
        return f"{text} (controls: {beside})"
    return f"{text}; beyond controls: " + ", ".join(
        f"{name} {m.value:+.3g}"
        + (f" ({m.low:.3g} to {m.high:.3g})" if math.isfinite(m.low) else "")
        + f", which has {m.control:.3g}"
        for name, m in part.controls.items()
    )
