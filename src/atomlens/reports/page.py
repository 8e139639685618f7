"""One self-contained web page with explained structures; works from a file without a network."""

import base64
import html
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from atomlens.errors import ExplanationError
from atomlens.files import write_text
from atomlens.reports.content import ExplainedStructure
from atomlens.reports.payload import page_payload, script_json
from atomlens.reports.prose import prose_html
from atomlens.reports.wording import prediction_text

MAX_PICTURES = 12
"""So many structures of one page carry a picture for browsers without JavaScript or WebGL."""
SCRIPTS = (
    "colours.js",
    "labels.js",
    "stage.js",
    "links.js",
    "charts.js",
    "flat.js",
    "table.js",
    "downloads.js",
)


def write_page(
    structures: Sequence[ExplainedStructure],
    path: str | Path,
    *,
    title: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> Path:
    """Write one HTML file: 3D view coloured by score, prediction, table of atoms, downloads.

    Several structures get a list to choose from; ``#2`` behind the address opens the third.
    ``title`` stands above everything, ``extra`` adds lines of name and text below it (plain
    text). The 3D viewer, the numbers and a picture for browsers without WebGL are inside the
    file. Raises `ExplanationError` for no structures or scores that do not fit their atoms.
    """
    if not structures:
        raise ExplanationError(f"{path}: there is no explained structure to show.")
    heading = title or (structures[0].name if len(structures) == 1 else "Explained predictions")
    before = page_head(title, extra)
    return write_text(render_page(structures, title=heading, before=before), path)


def render_page(
    structures: Sequence[ExplainedStructure],
    *,
    title: str,
    before: str = "",
    after: str = "",
    style: str = "",
) -> str:
    """Return the page; ``before`` and ``after`` are HTML around the viewer, ``style`` more CSS.

    Without structures the page has no viewer and no script.
    """
    heading = "h2" if before else "h1"
    parts = {
        "title": html.escape(title),
        "style": resource("page.css") + style,
        "before": before,
        "viewer": _viewer(structures, heading) if structures else "",
        "after": after,
        "scripts": _scripts(structures) if structures else "",
    }
    return fill(resource("page.html"), parts)


def page_head(title: str | None, extra: Mapping[str, str] | None) -> str:
    """Return the block above the viewer, or nothing."""
    if not title and not extra:
        return ""
    lines = "".join(
        f"<p class='quiet'>{html.escape(name)}: {prose_html(text)}</p>"
        for name, text in (extra or {}).items()
    )
    heading = f"<h1>{html.escape(title)}</h1>" if title else ""
    return f"<header class='page-head'>{heading}{lines}</header>"


def fill(template: str, parts: Mapping[str, str]) -> str:
    """Put parts in the places ``{{name}}`` of a template; what is put in is not read again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


@cache
def resource(name: str) -> str:
    """Return a text file of this package."""
    return files("atomlens.reports").joinpath(name).read_text(encoding="utf-8")


def data_address(picture: bytes, kind: str = "png") -> str:
    """Return a picture (``png`` or ``svg+xml``) as an address that carries it itself."""
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode("ascii")


def _viewer(structures: Sequence[ExplainedStructure], heading: str) -> str:
    stills = "".join(_still(i, s) for i, s in enumerate(structures[:MAX_PICTURES]))
    return fill(resource("viewer.html"), {"heading": heading, "stills": _WITHOUT_SCRIPT + stills})


_WITHOUT_SCRIPT = (
    "<p class='card'>Without JavaScript the page shows pictures alone; nothing is loaded from "
    "anywhere.</p>"
)


def _still(index: int, structure: ExplainedStructure) -> str:
    """Return the picture that stands in for the viewer, which also takes it from here."""
    name = html.escape(structure.name)
    target = html.escape(structure.target.replace("_", " "))
    return (
        f"<figure class='card still'><img src='{_picture(structure)}' data-structure='{index}' "
        f"alt='{name} with its atoms coloured by score'>"
        f"<figcaption>{name}: {target} = {html.escape(prediction_text(structure))}</figcaption>"
        "</figure>"
    )


def _scripts(structures: Sequence[ExplainedStructure]) -> str:
    data = script_json(page_payload(structures))
    licence = resource("vendor/VERSION") + resource("vendor/LICENSE.3Dmol")
    library = resource("vendor/3Dmol-min.js")
    own = "".join(resource(name) for name in (*SCRIPTS, "page.js"))
    return (
        f'<script type="application/json" id="atomlens-data">{data}</script>\n'
        f"<script>/*\n{licence}*/\n{library}\n</script>\n"
        f'<script>"use strict";\n(() => {{\n{own}}})();</script>'
    )


def _picture(structure: ExplainedStructure) -> str:
    """Draw the structure for browsers without JavaScript or WebGL."""
    from atomlens.reports.still import can_be_text, structure_svg

    if can_be_text(structure):
        return data_address(structure_svg(structure).encode(), "svg+xml")
    from atomlens.reports.structure_figure import draw_structure

    with TemporaryDirectory() as folder:
        path = draw_structure(structure, Path(folder) / "picture.png", dpi=100)
        return data_address(path.read_bytes())
