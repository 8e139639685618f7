"""Claims S1, S6 and S7 about relative attention."""

from collections.abc import Mapping, Sequence

import numpy as np

from atomlens.studies.base import Claim, Effect, Verdict
from atomlens.studies.networks import Measured, predicts
from atomlens.studies.relative_attention.numbers import ELEMENTS, PAIRS, SPREAD, NetworkNumbers

Numbers = Mapping[str, NetworkNumbers]
Controls = Mapping[str, Mapping[str, Sequence[NetworkNumbers]]]

_LARGEST_P = 1e-3
_KINDS = ("C(sp3)", "C(sp2)", "C(sp)", "N", "O")


def all_claims(
    measured: Sequence[Measured], trained: Numbers, controls: Controls, effects: Sequence[Effect]
) -> tuple[Claim, ...]:
    """Return the claims that the models allow, with their verdicts."""
    homo = next((m.label for m in measured if predicts(m.predictor, "homo")), None)
    lumo = next((m.label for m in measured if predicts(m.predictor, "lumo")), None)
    return (
        _sums_to_one(effects[0]),
        _homo_order(homo, trained, controls),
        _lumo_spread(homo, lumo, effects),
    )


def _sums_to_one(deviation: Effect) -> Claim:
    return Claim(
        identifier="S1",
        statement="Attention adds up to one in every structure.",
        criterion="exact to 1e-5",
        verdict="holds" if deviation.value <= 1e-5 else "fails",
        evidence=f"the largest deviation in {deviation.n} structures and all models is "
        f"{deviation.value:.1e}",
    )


def _homo_order(homo: str | None, trained: Numbers, controls: Controls) -> Claim:
    verdict: Verdict = "not tested"
    evidence = "it needs a model of the HOMO energy"
    if homo is not None:
        numbers = trained[homo]
        missing = [kind for kind in _KINDS if kind not in numbers.atoms]
        if missing:
            evidence = f"no molecule that could be used has {', '.join(missing)}"
        else:
            verdict = "holds" if ordered(numbers) else "fails"
            evidence = "; ".join([_order_evidence(numbers), *_control_orders(controls[homo])])
    return Claim(
        identifier="S6",
        statement="HOMO relative attention: O > N > C; C(sp), C(sp2) > C(sp3).",
        criterion="medians ordered; Mann-Whitney p < 1e-3 for each of the four pairs",
        verdict=verdict,
        evidence=evidence,
    )


def ordered(numbers: NetworkNumbers) -> bool:
    """Say whether all four pairs of claim S6 are in order and told apart by the test."""
    return all(
        numbers.median(high) > numbers.median(low) and numbers.p_value(low, high) < _LARGEST_P
        for high, low in PAIRS
    )


def _order_evidence(numbers: NetworkNumbers) -> str:
    medians = ", ".join(f"{k} {numbers.median(k):.3f}" for k in ("O", "N", "C", *_KINDS[2::-1]))
    tests = ", ".join(f"{a} and {b} {_p_words(numbers.p_value(a, b))}" for a, b in PAIRS)
    broken = [f"{a} > {b}" for a, b in PAIRS if not numbers.median(a) > numbers.median(b)]
    wrong = f"; not so: {', '.join(broken)}" if broken else ""
    return f"medians {medians}; p: {tests}{wrong}"


def _p_words(p: float) -> str:
    return "below 1e-300" if p < 1e-300 else f"{p:.0e}"


def _control_orders(controls: Mapping[str, Sequence[NetworkNumbers]]) -> list[str]:
    found = []
    for name, networks in controls.items():
        n_ordered = sum(ordered(network) for network in networks)
        medians = ", ".join(
            f"{kind} {np.mean([n.median(kind) for n in networks]):.3f}" for kind in ("O", "N", "C")
        )
        found.append(f"{name}: in order in {n_ordered} of {len(networks)} ({medians})")
    return found


def _lumo_spread(homo: str | None, lumo: str | None, effects: Sequence[Effect]) -> Claim:
    verdict: Verdict = "not tested"
    evidence = "it needs a model of the HOMO and one of the LUMO energy"
    by_name = {e.name: e for e in effects}
    if homo is not None and lumo is not None:
        of_homo, of_lumo = (by_name[f"{label}: {SPREAD}"] for label in (homo, lumo))
        evidence = f"spreads: {_spread_words('HOMO', of_homo)}; {_spread_words('LUMO', of_lumo)}"
        missing = [k for k in ELEMENTS if f"{homo}: median of {k}" not in by_name]
        if missing:
            evidence = f"no molecule that could be used has {', '.join(missing)}"
        else:
            verdict = "holds" if of_lumo.value < of_homo.value else "fails"
            shown_by = [
                name
                for name in of_homo.controls
                if of_lumo.controls.get(name, np.nan) < of_homo.controls[name]
            ]
            evidence += f"; the same order in: {', '.join(shown_by) or 'no control'}"
    return Claim(
        identifier="S7",
        statement="LUMO relative attention: no clear difference between C, N and O.",
        criterion="the spread of the element medians is smaller than for the HOMO",
        verdict=verdict,
        evidence=evidence,
    )


def _spread_words(name: str, spread: Effect) -> str:
    controls = ", ".join(f"{control} {v:.3f}" for control, v in spread.controls.items())
    return f"{name} {spread.value:.3f} ({spread.low:.3f} to {spread.high:.3f}; {controls})"
