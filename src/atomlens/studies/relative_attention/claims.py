"""Claims S1, S6 and S7 about relative attention."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from atomlens.studies.base import Claim, Effect, JudgedTraining, Part
from atomlens.studies.networks import Measured, predicts
from atomlens.studies.relative_attention.numbers import (
    ELEMENTS,
    PAIRS,
    SPREAD,
    NetworkNumbers,
)
from atomlens.studies.statistics import Values, holm
from atomlens.studies.verdicts import Statistic, drawn_part, make_claim, of_training

Numbers = Mapping[str, NetworkNumbers]
Controls = Mapping[str, Mapping[str, Sequence[NetworkNumbers]]]

_SMALLEST_EFFECT = 0.3
"""Rank-biserial correlation; a medium effect."""
_KINDS = ("C(sp3)", "C(sp2)", "C(sp)", "N", "O")
_EXACT = 1e-5


def all_claims(
    measured: Sequence[Measured],
    trained: Numbers,
    controls: Controls,
    effects: Sequence[Effect],
    seed: int = 0,
) -> tuple[Claim, ...]:
    """Return the claims that the models allow, with their verdicts."""
    homo = [m.label for m in measured if predicts(m.predictor, "homo")]
    lumo = [m.label for m in measured if predicts(m.predictor, "lumo")]
    return (
        _sums_to_one(effects[0]),
        homo_order(homo, trained, controls, seed),
        lumo_spread(homo, lumo, trained, controls, seed),
    )


def _sums_to_one(deviation: Effect) -> Claim:
    ends = deviation.value if deviation.n > 1 else np.nan
    part = Part(
        name=f"largest deviation in {deviation.n} structures and all models",
        value=deviation.value,
        low=ends,
        high=ends,
        limit=_EXACT,
        above=False,
        learned=False,
        unjudged="" if deviation.n > 1 else "a single structure shows nothing",
    )
    return make_claim(
        "S1",
        "Attention adds up to one in every structure.",
        "exact to 1e-5",
        [of_training("all", [part], ())],
        chance="certain: a softmax adds up to one in every network, learned or not",
        needed=(),
    )


def homo_order(homo: Sequence[str], trained: Numbers, controls: Controls, seed: int = 0) -> Claim:
    """Return claim S6; every model of the HOMO energy is a training of it."""
    reason = "" if homo else "it needs a model of the HOMO energy"
    judged: list[JudgedTraining] = []
    words = []
    for label in homo:
        numbers = trained[label]
        missing = [kind for kind in _KINDS if kind not in numbers.atoms]
        apart = [pair for pair in PAIRS if not missing and not numbers.n_together(*pair)]
        if missing:
            reason = f"no molecule that could be used has {', '.join(missing)}"
        elif apart:
            reason = f"no molecule that could be used has both {' and '.join(apart[0])}"
        else:
            judged.append(of_training(label, _order_parts(label, trained, controls, seed)))
            words.append(_order_words(label, numbers))
    return make_claim(
        "S6",
        "HOMO relative attention: O > N > C; C(sp), C(sp2) > C(sp3).",
        "inside the molecules that have both classes: rank-biserial correlation of the paired "
        f"differences above {_SMALLEST_EFFECT} for each of the four pairs",
        [] if reason else judged,
        chance="0 is the level of chance; the four orders together come about in 1 of 16 networks "
        "whose orders are a matter of chance",
        reason=reason,
        words=() if reason else words,
    )


def _order_parts(label: str, trained: Numbers, controls: Controls, seed: int) -> list[Part]:
    numbers = trained[label]
    return [
        drawn_part(
            f"{high} above {low}",
            numbers.paired_effect(high, low),
            {
                name: [network.paired_effect(high, low) for network in networks]
                for name, networks in controls[label].items()
            },
            numbers.n_units,
            limit=_SMALLEST_EFFECT,
            seed=seed,
        )
        for high, low in PAIRS
    ]


def _order_words(label: str, numbers: NetworkNumbers) -> str:
    medians = ", ".join(f"{k} {numbers.median(k):.3f}" for k in ("O", "N", "C", *_KINDS[2::-1]))
    p_values = holm([numbers.paired_p(high, low) for high, low in PAIRS])
    tests = ", ".join(
        f"{high} and {low} in {numbers.n_together(high, low)} molecules: median difference "
        f"{numbers.paired_median(high, low):+.3f}, p {_p_words(p)}"
        for (high, low), p in zip(PAIRS, p_values.tolist(), strict=True)
    )
    return f"{label}: medians {medians}; Wilcoxon inside molecules (Holm): {tests}"


def _p_words(p: float) -> str:
    return "below 1e-300" if p < 1e-300 else f"{p:.0e}"


def lumo_spread(
    homo: Sequence[str],
    lumo: Sequence[str],
    trained: Numbers,
    controls: Controls,
    seed: int = 0,
) -> Claim:
    """Return claim S7; every pair of a HOMO and a LUMO model is a training of it."""
    reason = "" if homo and lumo else "it needs a model of the HOMO and one of the LUMO energy"
    judged: list[JudgedTraining] = []
    words = []
    for first, second in product(sorted(homo), sorted(lumo)):
        numbers = trained[first]
        missing = [k for k in ELEMENTS if k not in numbers.atoms]
        if missing:
            reason = f"no molecule that could be used has {', '.join(missing)}"
            break
        part = drawn_part(
            f"{SPREAD}: HOMO minus LUMO",
            _narrower(trained[first], trained[second]),
            _pairs_of_controls(controls[first], controls[second]),
            numbers.n_units,
            seed=seed,
        )
        judged.append(of_training(f"{first} and {second}", [part]))
        once = np.ones(numbers.n_units)
        spreads = (trained[first].spread(once), trained[second].spread(once))
        words.append(f"spreads: {first} {spreads[0]:.3f}, {second} {spreads[1]:.3f}")
    return make_claim(
        "S7",
        "LUMO relative attention: no clear difference between C, N and O.",
        "the spread of the element medians is smaller than for the HOMO",
        [] if reason else judged,
        chance="one of two networks has the smaller spread: 1 in 2",
        reason=reason,
        words=() if reason else words,
        unit=f"pairs of {len(homo)} and {len(lumo)} trainings"
        if len(homo) > 1 or len(lumo) > 1
        else "trainings",
    )


def _narrower(homo: NetworkNumbers, lumo: NetworkNumbers) -> Statistic:
    def difference(drawn: Values) -> float:
        return homo.spread(drawn) - lumo.spread(drawn)

    return difference


def _pairs_of_controls(
    homo: Mapping[str, Sequence[NetworkNumbers]], lumo: Mapping[str, Sequence[NetworkNumbers]]
) -> dict[str, list[Statistic]]:
    """Return the statistic of every pair of networks of a control that both have.

    Networks of the same place are left out where there are others: untrained ones of one seed and
    shape are one network twice.
    """
    return {
        name: [
            _narrower(a, b)
            for (i, a), (j, b) in product(enumerate(homo[name]), enumerate(lumo[name]))
            if i != j or name != "untrained" or len(homo[name]) == 1
        ]
        for name in homo
        if name in lumo
    }
