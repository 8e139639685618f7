"""One web page of an evaluation: figures of merit, plots, and whether ± can be believed."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from atomlens.files import write_text
from atomlens.reports.notebook import table_html
from atomlens.reports.page import data_address, page_head, render_page, resource
from atomlens.reports.prose import prose_html

_FAIR = 0.05
"""Difference of a share of 90 % up to which intervals are said to keep their promise."""


def write_evaluation_page(
    path: Path,
    *,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    judged: Sequence[Mapping[str, Any]],
    figures: Sequence[Path],
    notes: Sequence[str],
) -> Path:
    """Write the page; everything is inside the one file.

    Args:
        path: Where to.
        title: What stands above.
        rows: The table of the figures of merit.
        judged: Of each number that is predicted: ``target``, ``interval_coverage``,
            ``miscalibration_area`` and ``calibration_error``, None where unknown.
        figures: Pictures, PNG.
        notes: Sentences below the table.
    """
    said = [calibration_sentence(one) for one in judged]
    parts = [
        page_head(title, None),
        f"<section class='card'>{table_html(rows)}"
        + "".join(f"<p>{prose_html(note)}</p>" for note in notes)
        + "</section>",
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
    if abs(inside - 0.9) <= _FAIR:
        word = "they keep their promise"
    else:
        word = "they are too narrow" if inside < 0.9 else "they are wider than they need to be"
    text = (
        f"{figures['target']}: {100 * inside:.0f} % of the true values lie inside the intervals "
        f"that promise 90 %, so {word}. Over all levels, promised and found shares differ by "
        f"{100 * area:.1f} % on average (miscalibration area)"
    )
    error = figures.get("calibration_error")
    if error is None:
        return f"{text}."
    return (
        f"{text}; errors of structures with like ± differ from it by {100 * error:.0f} % on "
        "average (calibration error)."
    )


def _figure(picture: Path) -> str:
    name = html.escape(picture.stem.replace("-", " ").replace("_", " "))
    return (
        f"<figure class='card'><img src='{data_address(picture.read_bytes())}' alt='{name}'>"
        f"<figcaption>{name}</figcaption></figure>"
    )
