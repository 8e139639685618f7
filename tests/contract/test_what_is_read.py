"""docs/what-is-read.md says of every format what is taken, warned of and refused; it is true."""

import re

import pytest

from atomlens.structures.files import KINDS
from reading_cases import CASES, PAGE, page


@pytest.fixture(scope="module")
def written() -> str:
    return page()


def test_the_page_says_what_happens(written: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == written  # python tests/reading_cases.py


@pytest.mark.parametrize("title", CASES)
def test_every_format_tells_what_is_read_and_what_is_not(title: str, written: str) -> None:
    part = written.split(f"## {title}\n")[1].split("\n## ")[0]
    outcomes = re.findall(r"\| (read|warned|refused) \|", part)
    assert len(outcomes) == len(CASES[title])
    assert "refused" in outcomes


def test_every_ending_of_a_file_is_on_the_page(written: str) -> None:
    for kind in KINDS:
        assert all(f"`{suffix}`" in written for suffix in kind.suffixes)
