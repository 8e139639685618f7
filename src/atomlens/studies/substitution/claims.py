"""Claims S11 and S12 about substituted SmFe12."""

from collections.abc import Mapping, Sequence

from atomlens.studies.base import Claim, Effect, Row, Verdict
from atomlens.studies.rows import as_number

HOST = "Fe12Sm"
"""Reduced formula, symbols in alphabetical order."""
_RATIOS = {"Mo": (0.9, 1.1), "Co": (1.1, float("inf")), "Al": (1.1, float("inf"))}
_SMALLEST_AREA = 0.8
_LARGEST_CORRELATION = -0.3
_GROUPS = {"low": {"Cu", "Zn", "Mo"}, "high": {"Al", "Ti", "Co", "Ga"}}


def all_claims(
    labels: Sequence[str],
    formulas: Sequence[str],
    tables: Mapping[str, Sequence[Row]],
    effects: Sequence[Effect],
) -> tuple[Claim, ...]:
    """Return the claims, of each model; not tested where the host is not SmFe12."""
    claims: list[Claim] = []
    for label in labels:
        rows = {str(r["element"]): r for r in tables["elements"] if r["model"] == label}
        suffix = f" ({label})" if len(labels) > 1 else ""
        claims.append(_element_ratios(suffix, formulas, rows))
        claims.append(_groups(suffix, formulas, rows, effects, label))
    return tuple(claims)


def _element_ratios(suffix: str, formulas: Sequence[str], rows: Mapping[str, Row]) -> Claim:
    verdict: Verdict = "not tested"
    evidence = _reason(formulas, set(_RATIOS) - set(rows))
    if not evidence:
        held = [
            low <= as_number(rows[e]["mean_ratio"]) <= high for e, (low, high) in _RATIOS.items()
        ]
        verdict = "holds" if all(held) else "fails"
        evidence = "; ".join(_element_words(rows[e]) for e in _RATIOS)
    return Claim(
        identifier=f"S11{suffix}",
        statement="In SmFe11X, Mo gets about as much attention as Fe, Co and Al clearly more.",
        criterion="mean ratio between 0.9 and 1.1 for Mo, above 1.1 for Co and for Al",
        verdict=verdict,
        evidence=evidence,
    )


def _groups(
    suffix: str,
    formulas: Sequence[str],
    rows: Mapping[str, Row],
    effects: Sequence[Effect],
    label: str,
) -> Claim:
    verdict: Verdict = "not tested"
    evidence = _reason(formulas, set.union(*_GROUPS.values()) - set(rows))
    own = [e for e in effects if e.name.startswith(f"{label}: ")]
    if not evidence and any(rows[e]["group"] != g for g, es in _GROUPS.items() for e in es):
        evidence = "it needs the groups Cu, Zn, Mo and Al, Ti, Co, Ga"
    if not evidence:
        correlation, area = own[0], own[1]
        held = area.value > _SMALLEST_AREA and correlation.value < _LARGEST_CORRELATION
        verdict = "holds" if held else "fails"
        evidence = f"AUC {_effect_words(area)}; Spearman {_effect_words(correlation)}"
    return Claim(
        identifier=f"S12{suffix}",
        statement="The ratio tells Cu, Zn, Mo (low) from Al, Ti, Co, Ga (high), and falls with "
        "the formation energy.",
        criterion="AUC above 0.8 and Spearman of ratio and formation energy below -0.3",
        verdict=verdict,
        evidence=evidence,
    )


def _reason(formulas: Sequence[str], missing: set[str]) -> str:
    """Return why a claim cannot be tested; empty if it can."""
    if list(formulas) != [HOST]:
        return "it needs SmFe12 as the only host"
    return f"no structure with {', '.join(sorted(missing))} was studied" if missing else ""


def _element_words(row: Row) -> str:
    controls = ", ".join(
        f"{str(name).removeprefix('mean ratio, ')} {as_number(value):.3f}"
        for name, value in row.items()
        if str(name).startswith("mean ratio, ")
    )
    interval = f"{as_number(row['low']):.3f} to {as_number(row['high']):.3f}"
    return f"{row['element']} {as_number(row['mean_ratio']):.3f} ({interval}; {controls})"


def _effect_words(effect: Effect) -> str:
    controls = ", ".join(f"{name} {value:.2f}" for name, value in effect.controls.items())
    return f"{effect.value:.2f} ({effect.low:.2f} to {effect.high:.2f}; {controls})"
