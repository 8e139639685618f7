"""What the numbers of `faithful` say, in plain words."""

import math
from collections.abc import Mapping, Sequence

from atomlens.predictor.folder.tested import FAILS, PASSES, UNDECIDED, VERDICTS, by_a_hair
from atomlens.printing import counted
from atomlens.studies.base import Row
from atomlens.studies.faithful.asked import Asked
from atomlens.studies.rows import as_number
from atomlens.studies.statistics import Interval

_HIDDEN = {
    "mask": "when elements are hidden",
    "graph": "when atoms are taken from the graph",
    "rebuilt": "when the structure is read again without the atoms",
}


_SAME = 1e-6
"""Up to this far above another order an order is the same."""


FEW = 20
"""With fewer structures an interval says little, and nothing is decided."""


CONTROLS = {"untrained": "untrained networks", "shuffled labels": "networks of shuffled labels"}
"""Columns of the networks that learned nothing of the data, and what they are called."""


def verdict(deletion: Interval, above: Interval, beyond: Mapping[str, Interval], n: int) -> str:
    """Return whether an order is better than chance, tables and networks that learned nothing.

    ``yes`` if all intervals say so, ``no: ...`` if one of them says that it is worse, or the same,
    and ``undecided: ...`` if one of them holds both answers or rests on ``n`` < 20 structures.

    Args:
        deletion: Over chance.
        above: Difference from the best table of its scores.
        beyond: Differences from the orders of ``CONTROLS``, as far as there are any.
        n: Structures.
    """
    if n < FEW:
        return "undecided: too few structures"
    if not math.isfinite(deletion.low):
        return "undecided: no interval"
    if deletion.high < 1 + _SAME:
        return "no: not better than chance"
    margins = {"a table": above, **{CONTROLS[name]: own for name, own in beyond.items()}}
    for name, margin in margins.items():
        if margin.high < _SAME:
            return f"no: not better than {name}"
    if deletion.low <= 1:
        return "undecided: better than chance?"
    for name, margin in margins.items():
        if not margin.low > 0:
            return f"undecided: better than {name}?"
    return "yes"


def answer_of(row: Row) -> str:
    """Return ``yes``, ``no`` or ``undecided``: the verdict of a row without its reason."""
    return str(row["verdict"]).partition(":")[0]


def judged(rows: Sequence[Row], method: str) -> str:
    """Return whether a method ``passes``, ``does not pass``, or that it is ``undecided``.

    It passes if both meanings that ask the network itself say yes, and does not if one says no.
    """
    own = [r for r in rows if r["method"] == method and r["meaning"] != "rebuilt"]
    said = {answer_of(row) for row in own}
    if said == {"yes"}:
        return PASSES
    return FAILS if "no" in said else UNDECIDED


def paragraph(rows: Sequence[Row], checks: Sequence[Row], asked: Asked) -> str:
    """Return what was found, for readers who have not seen such a table before."""
    n, target = len(asked.structures), asked.questions[0].target.name
    sentences = [
        f"For {counted(n, 'structure')} and the property {target!r}, the most important half of "
        "the atoms was taken away step by step, and the change of the prediction was compared with "
        "that of a random order (1) and of orders from tables that know an atom's element, "
        "neighbours or environment only."
    ]
    for method in dict.fromkeys(str(row["method"]) for row in rows):
        own = [row for row in rows if row["method"] == method]
        parts = ", ".join(
            f"{_value(row, 'deletion')} {_HIDDEN[str(row['meaning'])]} "
            f"(best table {_value(row, 'table ' + str(row['best_table']))}{_networks(row)})"
            for row in own
        )
        verdict = judged(rows, method)
        asked_itself = [
            {**row, "table": row[f"table {row['best_table']}"]}
            for row in own
            if row["meaning"] != "rebuilt"
        ]
        word = VERDICTS[verdict] + by_a_hair(verdict, asked_itself)
        sentences.append(f"The {method} of this model {word}: {parts}.")
        sentences += _as_good(method, own)
        sentences += _promised({str(c["check"]): c for c in checks if c["method"] == method})
        best = max(own, key=lambda row: as_number(row["pearson"]))
        if math.isfinite(as_number(best["pearson"])):
            agreement = " and ".join(f"{_value(r, 'pearson')} ({r['meaning']})" for r in own)
            sentences.append(
                f"Inside a structure its scores correlate with what the prediction loses without "
                f"each atom: {agreement}."
            )
    sentences.append(
        "To pass, an order must be better than chance, than the best of its tables and than the "
        "orders that networks give which learned nothing of the data, with 95 % intervals, both "
        "with masks and in the graph; it does not pass if it is worse than one of them, and is "
        "undecided where an interval holds both answers, which more structures may "
        "change. It is a statement on this model and these structures, not on nature."
    )
    return " ".join(sentences)


def _networks(row: Row) -> str:
    """Return what orders of networks reach that learned nothing, as far as they were asked."""
    return "".join(f", {words} {_value(row, n)}" for n, words in CONTROLS.items() if n in row)


def _as_good(method: str, rows: Sequence[Row]) -> list[str]:
    """Return a sentence on the controls that do as well as a method in some meaning."""
    found: dict[str, list[str]] = {}
    listed = {**CONTROLS, "heavy_first": "the order of atomic numbers", "reversed": "its reverse"}
    for row in rows:
        for name, words in listed.items():
            if name in row and as_number(row[name]) >= as_number(row["deletion"]) - _SAME:
                found.setdefault(words, []).append(f"{_value(row, name)} ({row['meaning']})")
    if not found:
        return []
    parts = "; ".join(f"{words} {' and '.join(given)}" for words, given in found.items())
    return [f"As much as the {method}, without knowing what was learned, reach: {parts}."]


SUM = "error of the promised sum"
CUT = "structures cut at zero"


def _promised(checks: Mapping[str, Row]) -> list[str]:
    """Return to what the scores of a method add up, if it promises a sum."""
    found, cut = checks.get(SUM), checks.get(CUT)
    sentences = []
    if found is not None:
        unit = f" {found['unit']}" if found["unit"] else ""
        where = "" if cut is None else f" in {counted(int(as_number(found['n'])), 'structure')}"
        sentences.append(
            f"Its scores add up to the prediction as promised, to within {_value(found, 'value')}"
            f"{unit}{where}."
        )
    if cut is not None:
        sentences.append(
            f"In {counted(int(as_number(cut['value'])), 'structure')} a network of the model says "
            "less than zero, which this property cannot be and which counts as 0: there the "
            "scores add up to what was said before it was cut, and not to the prediction."
        )
    return sentences


def _value(row: Row, name: str) -> str:
    value = as_number(row[name])
    if not math.isfinite(value):
        return "unknown"
    return f"{value:.1e}" if 0 < abs(value) < 0.005 else f"{value:.2f}"
