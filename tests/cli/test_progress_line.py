"""The progress line: time left, and silence where nobody watches."""

import io

from atomlens.cli.progress import ProgressLine, bar, clock, time_left


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_time_left_follows_from_the_share_done() -> None:
    assert time_left(0.25, 10.0) == "0:30 left"
    assert time_left(1.0, 10.0) == "0:10"


def test_the_bar_never_overflows() -> None:
    assert bar(0.25) == "[#####...............]"
    assert bar(1.7) == "[####################]"


def test_hours_are_shown_from_one_hour_on() -> None:
    assert clock(59.6) == "1:00"
    assert clock(3661) == "1:01:01"


def test_a_terminal_sees_the_line_and_it_is_wiped_at_the_end() -> None:
    stream = _Terminal()
    with ProgressLine("reading", stream=stream) as progress:
        progress(2, 2)
    assert "reading  [####################]  2/2" in stream.getvalue()
    assert stream.getvalue().endswith(" \r")


def test_nothing_is_written_into_a_file() -> None:
    stream = io.StringIO()
    with ProgressLine("reading", stream=stream) as progress:
        progress(2, 2)
    assert stream.getvalue() == ""


def test_quiet_is_quiet_on_a_terminal_too() -> None:
    stream = _Terminal()
    with ProgressLine("reading", quiet=True, stream=stream) as progress:
        progress(2, 2)
    assert stream.getvalue() == ""
