"""The page of the application: the viewer of the pages, twice, and what is around it."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from atomlens.reports.page import SCRIPTS, fill, resource
from atomlens.reports.payload import script_json

_SCRIPTS = ("asking.js", "shelf.js", "panel.js", "app.js")


def application_page(start: Mapping[str, Any], nonce: str) -> str:
    """Return the page.

    Args:
        start: What its script must know: token, models, limits.
        nonce: Of the content security policy; scripts without it do not run.
    """
    parts = {
        "nonce": nonce,
        "style": resource("page.css") + own("app.css"),
        "panel_a": fill(own("panel.html"), {"id": "a", "viewer": _viewer("")}),
        "panel_b": fill(own("panel.html"), {"id": "b", "viewer": _viewer("-b")}),
        "start": script_json(start),
        "library": _library(),
        "scripts": _scripts(),
    }
    return fill(own("app.html"), parts)


@cache
def own(name: str) -> str:
    """Return a text file of this package."""
    return files("atomlens.web").joinpath(name).read_text(encoding="utf-8")


@cache
def _viewer(suffix: str) -> str:
    """Return the viewer of the pages, with a suffix behind all its ids."""
    text = fill(resource("viewer.html"), {"heading": "h2", "stills": ""})
    text = text.replace("<main ", "<div ").replace("</main>", "</div>")
    named = r'\b(id|for|aria-describedby|aria-labelledby|aria-controls)="([\w-]+)"'
    return re.sub(named, rf'\1="\2{suffix}"', text)


@cache
def _library() -> str:
    licence = resource("vendor/VERSION") + resource("vendor/LICENSE.3Dmol")
    return f"/*\n{licence}*/\n{resource('vendor/3Dmol-min.js')}"


@cache
def _scripts() -> str:
    names = [resource(name) for name in (*SCRIPTS, "page.js")] + [own(n) for n in _SCRIPTS]
    return '"use strict";\n(() => {\n' + "".join(names) + "})();"
