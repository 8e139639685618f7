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


def write_evaluation_page(
    path: Path,
    *,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType({}),
    judged: Sequence[Mapping[str, Any]],
    unjudged: Sequence[str] = (),
    figures: Sequence[Path],
    notes: Sequence[str],
) -> Path:
    """Write the page; everything is inside the one file.

    Args:
        path: Where to.
        title: What stands above.
        rows: The table of the figures of merit.
        tables: Further ones, by what stands above them.
        judged: Of each number that is predicted: ``target``, ``n``, ``n_judged``,
            ``interval_coverage``, ``miscalibration_area`` and ``calibration_error``, None where
            unknown.
        unjudged: Sentences on numbers of whose intervals nothing can be said.
        figures: Pictures, PNG.
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
    words = "".join(f"<p>{prose_html(sentence)}</p>" for sentence in said if sentence)
    if words:
        parts.append(f"<section class='card'><h2>Can ± be believed?</h2>{words}</section>")
    pictures = "".join(_figure(picture) for picture in figures)
    style = resource("demo.css") + _STYLE
    body = f"<main class='evaluation'>{''.join(parts)}<div class='pictures'>{pictures}</div></main>"
    return write_text(render_page([], title=title, before=body, style=style), path)


_STYLE = """
.evaluation { display: grid; gap: 1rem; }
.evaluation h2 { font-size: 1.1rem; margin: 0 0 .4rem; }
.evaluation p + p { margin-top: .4rem; }
.pictures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
.pictures figure { margin: 0; }
"""


def calibration_sentence(figures: Mapping[str, Any]) -> str:
    """Return in words how far the error estimates of one target can be believed."""
    inside, area = figures.get("interval_coverage"), figures.get("miscalibration_area")
    if inside is None or area is None:
        return ""
    n, n_judged = figures.get("n"), figures.get("n_judged")
    of = ""
    if n is not None and n_judged is not None and n_judged < n:
        of = (
            f"{n_judged} of {n} values have an error estimate and are of structures that the "
            "model has not learned from. Of these, "
        )
    text = (
        f"{figures['target']}: {of}{100 * inside:.0f} % of the true values lie inside the "
        f"intervals that promise 90 %{_judgement(inside, n_judged)}. Over all levels, promised and "
        f"found shares differ by {100 * area:.1f} % on average (miscalibration area)"
    )
    error = figures.get("calibration_error")
    if error is None:
        return f"{text}."
    return (
        f"{text}; errors of structures with like ± differ from it by {100 * error:.0f} % on "
        "average (calibration error)."
    )


def _judgement(inside: float, n: int | None) -> str:
    """Return whether intervals keep their promise of 90 %, as far as n values tell (None: many)."""
    from scipy.stats import binomtest

    if n is not None and n < _MANY:
        likely = binomtest(round(inside * n), n).proportion_ci(0.95)
        if likely.low <= 0.9 <= likely.high:
            return f"; so few values ({n}) do not tell whether they keep their promise"
    if abs(inside - 0.9) <= _FAIR:
        return ", so they keep their promise"
    return ", so they are " + ("too narrow" if inside < 0.9 else "wider than they need to be")


def _figure(picture: Path) -> str:
    name = html.escape(picture.stem.replace("-", " ").replace("_", " "))
    return (
        f"<figure class='card'><img src='{data_address(picture.read_bytes())}' alt='{name}'>"
        f"<figcaption>{name}</figcaption></figure>"
    )
