"""Sentences in HTML: what stands between backticks is code there, and nothing else is markup."""

import html
import re

_CODE = re.compile("`([^`]+)`")


def prose_html(text: str) -> str:
    """Return a sentence as HTML, such as ``run <code>atomlens faithful</code>``."""
    return _CODE.sub(r"<code>\1</code>", html.escape(text, quote=True))
