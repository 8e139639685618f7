"""Names and messages that can be shown: one line, printable, bounded, no formula, no device."""

import math
import os

import pytest

from atomlens.errors import AtomlensError, Failure, unknown_name
from atomlens.printing import (
    cell,
    clean_name,
    few,
    file_stem,
    one_line,
    percent,
    printable,
    shown,
    uncell,
)

ODD_NAMES = (
    "M\udcfcller",
    "\x1b[31mred\x1b[0m",
    "a\nb\rc",
    "\u202egpj.exe",
    "x" * 100_000,
    "ü" * 300,
    "con",
    "NUL.txt",
    "../../etc/passwd",
    "a\0b",
    " ",
    ".hidden",
    "$\\frac{1}{2}$",
    "<script>alert(1)</script>",
)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_is_one_printable_line_of_a_bounded_length(name: str) -> None:
    shown_name = clean_name(name)
    assert shown_name.isprintable()
    assert len(shown_name) <= 200
    assert clean_name(shown_name) == shown_name
    shown_name.encode("utf-8")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_name_is_one_on_every_system(name: str) -> None:
    stem = file_stem(name)
    assert stem
    assert len(os.fsencode(stem)) <= 121
    assert not set(stem) & set('<>:"/\\|?*\0\n')
    assert stem.partition(".")[0].lower() not in ("con", "nul")
    assert not stem.startswith(".")


@pytest.mark.parametrize("text", ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@x", " =1", "plain"])
def test_no_cell_is_a_formula_and_reading_gives_it_back(text: str) -> None:
    assert not cell(text).lstrip().startswith(("=", "+", "-", "@"))
    assert uncell(cell(text)) == text


@pytest.mark.parametrize("number", ["-1.5", "+3", "-1e-7", "1.5"])
def test_numbers_stay_numbers_in_a_cell(number: str) -> None:
    assert cell(number) == number


def test_a_terminal_obeys_nothing_that_is_printed() -> None:
    text = printable("a\x1b]0;title\x07b\x9b2J\u2066c\ttab\nnew")
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert text.endswith("c\ttab\nnew")


def test_any_value_is_shown_in_a_hundred_letters() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    for value in (deep, 10**5000, "x" * 10**6, {i: i for i in range(10**4)}, b"\xff" * 999):
        assert len(shown(value)) <= 100
        assert shown(value).isprintable()


def test_errors_and_failures_are_bounded_and_printable() -> None:
    error = AtomlensError("\x1b[2J" + "x" * 10**6)
    assert len(str(error)) <= 2000
    assert "\x1b" not in str(error)
    failure = Failure(name="a\nb\udcff", message="\x1b" + "y" * 10**5)
    assert failure.name.isprintable()
    assert failure.message.isprintable()
    assert len(failure.message) <= 2000


def test_a_sentence_about_an_unknown_name_stays_a_sentence() -> None:
    said = unknown_name("column", 5, [f"column {i}" * 50 for i in range(30_000)])
    assert len(said) < 4000
    assert "and 29960 more" in said


def test_plain_text_is_left_alone() -> None:
    assert one_line("NaCl, 5.64 Å") == "NaCl, 5.64 Å"
    assert clean_name("mp-149 (relaxed)") == "mp-149 (relaxed)"


def test_a_sentence_behind_very_many_blanks_is_still_said() -> None:
    assert str(AtomlensError(" " * 10**5 + ": there is no such file")) == ": there is no such file"


@pytest.mark.parametrize(
    ("share", "said"), [(100.0, 100.0), (99.96, 99.9), (0.04, 0.0), (55.0, 55.0), (math.nan, None)]
)
def test_a_share_is_not_rounded_up_to_all(share: float, said: float | None) -> None:
    assert percent(share) == said


def test_of_many_names_the_first_are_said_and_the_number_of_the_rest() -> None:
    assert few([]) == "none"
    assert few(["a", "b"]) == "a, b"
    assert few(f"t{i}" for i in range(400)).endswith("t11 and 388 more")
    assert few("abc", 2) == "a, b and 1 more"
    assert len(few(["x" * 900] * 30)) < 1000
    assert "\x1b" not in few(["\x1b[31mred"])


def test_names_that_differ_in_blanks_alone_are_shown_as_they_were_typed() -> None:
    said = unknown_name("column", "band  gap", ["band gap"])
    assert "'band  gap'" in said
    assert "Did you mean 'band gap'?" in said
