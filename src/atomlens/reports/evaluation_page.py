"""One web page of an evaluation: figures of merit, plots, and whether ± can be believed."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from atomlens.files import write_text
from atomlens.reports.notebook import table_html
from atomlens.reports.page import data_address, page_head, render_page, resource
from atomlens.reports.prose import prose_html

_MANY = 100
"""Values from which on a share is taken as it is; of fewer, chance is allowed for."""
_FAIR = 0.05
"""Difference of a share of 90 % up to which intervals are said to keep their promise."""

_WIDE = 1300
"""Pixels: a picture that has more across has a row of its own."""


def write_evaluation_page(
    path: Path,
    *,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType({}),
    judged: Sequence[Mapping[str, Any]],
    unjudged: Sequence[str] = (),
    classified: Sequence[Mapping[str, Any]] = (),
    figures: Mapping[Path, str],
    notes: Sequence[str],
) -> Path:
    """Write the page; everything is inside the one file.

    Args:
        path: Where to.
        title: What stands above.
        rows: The table of the figures of merit.
        tables: Further ones, by what stands above them.
        judged: Of each number that is predicted: ``target``, ``n``, ``n_judged`` (of spectra
            ``n_judged_structures``),
            ``interval_coverage``, ``miscalibration_area`` and ``calibration_error``, None where
            unknown.
        unjudged: Sentences on numbers of whose intervals nothing can be said.
        classified: Of each target that has classes: ``target``, ``n``, ``n_judged``, ``classes``,
            ``accuracy``, ``confidence``, ``brier`` and ``class_calibration_error``.
        figures: Pictures, PNG, and what stands under each.
        notes: Sentences below the table.
    """
    said = [*(calibration_sentence(one) for one in judged), *unjudged]
    parts = [
        page_head(title, None),
        f"<section class='card'>{table_html(rows)}"
        + "".join(f"<p>{prose_html(note)}</p>" for note in notes)
        + "</section>",
        *(
            f"<section class='card'>{table_html(content, title=name)}</section>"
            for name, content in tables.items()
        ),
    ]
    believed = {
        "±": said,
        "probabilities": [probability_sentence(one) for one in classified],
    }
    for what, sentences in believed.items():
        words = "".join(f"<p>{prose_html(sentence)}</p>" for sentence in sentences if sentence)
        if words:
            parts.append(f"<section class='card'><h2>Can {what} be believed?</h2>{words}</section>")
    pictures = "".join(_figure(picture, caption) for picture, caption in figures.items())
    style = resource("demo.css") + _STYLE
    body = f"<main class='evaluation'>{''.join(parts)}<div class='pictures'>{pictures}</div></main>"
    return write_text(render_page([], title=title, before=body, style=style), path)


_STYLE = """
.evaluation { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); }
.evaluation section { overflow-x: auto; }
.evaluation h2 { font-size: 1.1rem; margin: 0 0 .4rem; }
.evaluation p + p { margin-top: .4rem; }
.pictures {
  display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr));
}
.pictures figure { margin: 0; }
.pictures .wide { grid-column: 1 / -1; }
.pictures .wide img { max-height: 46rem; }
"""


def calibration_sentence(figures: Mapping[str, Any]) -> str:
    """Return in words how far the error estimates of one target can be believed."""
    inside, area = figures.get("interval_coverage"), figures.get("miscalibration_area")
    if inside is None or area is None:
        return ""
    n, n_judged = figures.get("n"), figures.get("n_judged")
    n_structures, of = figures.get("n_judged_structures"), ""
    if n is not None and n_judged is not None and n_judged < n:
        of = (
            f"{n_judged} of {n} values have an error estimate and are of structures that the "
            "model has not learned from. Of these, "
        )
    if n_structures is not None and n_judged:
        of += f"which are points of {n_structures} structure{'s'[: n_structures != 1]}, "
    text = (
        f"{figures['target']}: {of}{100 * inside:.0f} % of the true values lie inside the "
        f"intervals that promise 90 %{_judgement(inside, n_judged, n_structures)}. Over all "
        f"levels, promised and found shares differ by {100 * area:.1f} % on average "
        "(miscalibration area)"
    )
    error = figures.get("calibration_error")
    if error is None:
        return f"{text}."
    return (
        f"{text}; errors of structures with like ± differ from it by {100 * error:.0f} % on "
        "average (calibration error)."
    )


def probability_sentence(figures: Mapping[str, Any]) -> str:
    """Return in words how far the probabilities of one target's classes can be believed."""
    right, confidence, brier = (figures.get(key) for key in ("accuracy", "confidence", "brier"))
    if right is None or confidence is None or brier is None:
        return ""
    n, n_judged = figures["n"], figures.get("n_judged")
    text = (
        f"{figures['target']}: the class that is said has a probability of {100 * confidence:.1f} "
        f"% on average, and is right for {100 * right:.1f} % of {n} samples. The Brier score (mean "
        "squared error of the probabilities"
        + (", added up over the classes" if len(figures["classes"]) > 2 else "")
        + f"; 0 is perfect; Brier 1950) is {brier:.3g}."
    )
    if n_judged is not None and n_judged < n:
        text += (
            f" {n - n_judged} of the {n} samples are of structures that the model has learned "
            "from, whose probabilities say nothing of those of new ones."
        )
    error = figures.get("class_calibration_error")
    if error is None:
        return f"{text} Fewer than 20 new samples: of groups of like probability nothing is said."
    source = "Naeini et al. 2015" if len(figures["classes"]) == 2 else "Guo et al. 2017"
    return (
        f"{text} In groups of like probability the share that is so differs from it by "
        f"{100 * error:.1f} % on average (expected calibration error; {source})."
    )


def _judgement(inside: float, n: int | None, n_structures: int | None) -> str:
    """Return whether intervals keep their promise of 90 %, as far as n values tell (None: many).

    Points of one spectrum are no independent values, so there the structures count.
    """
    from scipy.stats import binomtest

    independent = n if n_structures is None else n_structures
    if independent is not None and independent < _MANY:
        likely = binomtest(round(inside * independent), independent).proportion_ci(0.95)
        if likely.low <= 0.9 <= likely.high:
            what = f"values ({n})" if n_structures is None else f"structures ({n_structures})"
            return f"; so few {what} do not tell whether they keep their promise"
    if abs(inside - 0.9) <= _FAIR:
        return ", so they keep their promise"
    return ", so they are " + ("too narrow" if inside < 0.9 else "wider than they need to be")


def _figure(picture: Path, caption: str) -> str:
    words, content = html.escape(caption, quote=True), picture.read_bytes()
    wide = " wide" if int.from_bytes(content[16:20], "big") > _WIDE else ""  # IHDR of PNG
    return (
        f"<figure class='card{wide}'><img src='{data_address(content)}' alt='{words}'>"
        f"<figcaption>{words}</figcaption></figure>"
    )
