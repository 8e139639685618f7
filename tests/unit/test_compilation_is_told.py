"""On a terminal the first run says what it compiles; where nothing is compiled it is silent."""

import io
import sys
from collections.abc import Callable

import pytest

from atomlens.cli.guard import compilation_told
from atomlens.machine import compiler, watch_compilation

numba = pytest.importorskip("numba")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _new_function() -> Callable[[float], float]:
    @numba.njit
    def inner(x: float) -> float:
        return x + 1

    @numba.njit
    def outer(x: float) -> float:
        return inner(x) * 2  # type: ignore[no-any-return]

    return outer  # type: ignore[no-any-return]


def test_functions_inside_functions_count_once() -> None:
    assert compiler() is not None
    heard: list[str] = []
    outer = _new_function()
    with watch_compilation(lambda: heard.append("begun")) as watched:
        assert outer(1.0) == 4.0
        assert outer(2.0) == 6.0
    _new_function()(1.0)  # nobody listens any more
    assert heard == ["begun"]
    assert watched.n_functions == 1
    assert watched.seconds > 0


def test_a_terminal_hears_of_it_a_log_and_quiet_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiler() is not None
    outer = _new_function()
    for stream, quiet, n_lines in ((io.StringIO(), False, 0), (Terminal(), True, 0)):
        monkeypatch.setattr(sys, "stderr", stream)
        with compilation_told(quiet=quiet):
            _new_function()(1.0)
        assert stream.getvalue().count("\n") == n_lines
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in range(2):  # the second time everything is there
        with compilation_told(quiet=False):
            outer(1.0)
    said = terminal.getvalue()
    assert said.count("first run") == 1
    assert "compiled 1 loops in" in said
    assert said.count("\n") == 2
