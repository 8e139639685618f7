"""Sentences in HTML."""

import pytest

from atomlens.reports.notebook import table_html
from atomlens.reports.page import page_head
from atomlens.reports.prose import prose_html


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("run `atomlens faithful`.", "run <code>atomlens faithful</code>."),
        ("a <b> & `c < d`", "a &lt;b&gt; &amp; <code>c &lt; d</code>"),
        ("one ` alone", "one ` alone"),
        ("``", "``"),
        ("", ""),
    ],
)
def test_backticks_become_code_and_everything_else_stays_text(text: str, page: str) -> None:
    assert prose_html(text) == page


def test_notes_of_tables_and_heads_of_pages_are_prose() -> None:
    assert "<code>--all</code>" in table_html([{"a": 1}], notes=["Give `--all`."])
    assert "<code>x</code>" in page_head("title", {"made by": "`x`"})
