"""What `atomlens faithful` has found about a model, as its card and its explanations say it."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

FAITHFUL = "faithful"
"""Under which the key figures stand in ``metrics``: by target, then by method."""
PASSES, FAILS, UNDECIDED = "passes", "does not pass", "undecided"
NOT_SHOWN = "not shown to pass"
"""What is known of a method that older records call no better, which was said of two cases: that
it is worse, and that too few structures leave it open."""
VERDICTS = {
    PASSES: "passes",
    FAILS: "does not pass",
    UNDECIDED: "neither passes nor fails (undecided)",
    NOT_SHOWN: "is not shown to pass",
}
"""What can be said of a method, as it stands in a sentence."""
_MEANINGS = {"mask": "(elements hidden)", "graph": "(atoms taken out)"}


def key_figures(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return of ``faithful.json`` what a model keeps, by method.

    Its verdict, how many structures were used, and of the two meanings that ask the network
    itself deletion over chance with its interval, that of the best table and that of the order of
    untrained networks.
    """
    kept: dict[str, Any] = {}
    for method, own in found["methods"].items():
        meanings = {}
        for meaning in _MEANINGS:
            row = own["meanings"].get(meaning)
            if row is not None:
                names = ("deletion", "deletion_low", "deletion_high", "pearson", "untrained")
                meanings[meaning] = {name: row[name] for name in names if name in row}
                meanings[meaning]["table"] = row[f"table {row['best_table']}"]
        kept[method] = {
            "passes": own["passes"],
            "verdict": own["verdict"],
            "n": found["n_structures"],
            "meanings": meanings,
        }
    return kept


def tested_methods(metrics: Mapping[str, Any], target: str) -> dict[str, Mapping[str, Any]]:
    """Return the key figures of the methods tested for a target; odd ones are left out."""
    by_target = metrics.get(FAITHFUL)
    own = by_target.get(target) if isinstance(by_target, Mapping) else None
    if not isinstance(own, Mapping):
        return {}
    return {
        str(method): figures
        for method, figures in own.items()
        if isinstance(figures, Mapping)
        and isinstance(figures.get("passes"), bool)
        and isinstance(figures.get("meanings"), Mapping)
        and all(isinstance(row, Mapping) for row in figures["meanings"].values())
    }


def verdict_of(figures: Mapping[str, Any]) -> str:
    """Return the verdict on a method, a key of ``VERDICTS``; older records say less."""
    said = figures.get("verdict")
    if isinstance(said, str) and said in VERDICTS and (said == PASSES) == figures["passes"]:
        return said
    return PASSES if figures["passes"] else NOT_SHOWN


HAIR = 0.02
"""Of the best that passes without this model: a lead below that is real, and of no size."""
BY_A_HAIR = " by a hair"


def by_a_hair(verdict: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """Return `BY_A_HAIR` where a method passes and hardly leads in one meaning, else nothing.

    Args:
        verdict: A key of ``VERDICTS``.
        rows: Of each meaning ``deletion``, and ``table`` and ``untrained`` where they are known.
    """
    if verdict != PASSES:
        return ""
    for row in rows:
        beside = [row.get(name) for name in ("table", "untrained")]
        known = [float(x) for x in beside if isinstance(x, int | float) and math.isfinite(x)]
        own = row.get("deletion")
        if known and isinstance(own, int | float) and own < (1 + HAIR) * max(known):
            return BY_A_HAIR
    return ""


def verdict_words(figures: Mapping[str, Any]) -> str:
    """Return the verdict on a method as a table has it: ``passes by a hair``."""
    verdict = verdict_of(figures)
    return verdict + by_a_hair(verdict, figures["meanings"].values())


def tested_sentence(metrics: Mapping[str, Any], target: str, method: str) -> str:
    """Return whether a method has passed the test of `atomlens faithful` on this model."""
    figures = tested_methods(metrics, target).get(method)
    if figures is None:
        return "Whether it holds for this model has not been tested: run `atomlens faithful`."
    verdict = verdict_of(figures)
    word = VERDICTS[verdict] + by_a_hair(verdict, figures["meanings"].values())
    rows = {
        words: figures["meanings"][meaning]
        for meaning, words in _MEANINGS.items()
        if meaning in figures["meanings"]
    }
    own = " and ".join(
        f"{number(row.get('deletion'))} times {words}" for words, row in rows.items()
    )
    controls = [f"a table of mean scores {_both(rows.values(), 'table')}"]
    if any("untrained" in row for row in rows.values()):
        controls.append(f"untrained networks {_both(rows.values(), 'untrained')}")
    n = figures.get("n")
    where = f" on {n} structures" if isinstance(n, int) else ""
    return (
        f"Tested{where}, the {method} of this model {word}: atoms in the order of their scores "
        f"change the prediction {own} what a random order does ({'; '.join(controls)}). "
        "`atomlens models info` has the figures."
    )


def _both(rows: Iterable[Mapping[str, Any]], name: str) -> str:
    return " and ".join(number(row.get(name)) for row in rows)


def number(value: Any) -> str:
    """Return a figure with two decimals, or that it is unknown."""
    known = isinstance(value, int | float) and math.isfinite(value)
    return f"{value:.2f}" if known else "unknown"
