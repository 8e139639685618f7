"""Whatever a command raises becomes one sentence and an exit code."""

import argparse
import warnings
from collections.abc import Callable

import pytest

from atomlens.cli.guard import run_guarded
from atomlens.errors import StructureError, TrainingError


def _run(command: Callable[[], int], *, debug: bool = False) -> int:
    options = argparse.Namespace(debug=debug)
    return run_guarded(lambda _: command(), options)


def _raise(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


def test_an_error_of_ours_is_its_sentence_and_exit_two(capsys: pytest.CaptureFixture[str]) -> None:
    code = _run(_raise(StructureError("a.cif: this file is empty. Drop it.")))
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert shown.err == "atomlens: a.cif: this file is empty. Drop it.\n"


def test_a_bug_says_so_and_where_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    code = _run(_raise(KeyError("x")))
    error = capsys.readouterr().err
    assert code == 2
    assert "this is a bug in atomlens (KeyError at test_guard.py:" in error
    assert "Traceback" not in error
    assert error.count("\n") == 1


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    _run(_raise(KeyError("x")), debug=True)
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_a_sentence_and_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(_raise(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.startswith("atomlens: stopped by you")


def test_a_closed_pipe_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(_raise(BrokenPipeError())) == 0
    assert capsys.readouterr().err == ""


def test_a_file_that_may_not_be_written_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(_raise(PermissionError(13, "Permission denied", "/x/out.csv"))) == 2
    assert capsys.readouterr().err == "atomlens: /x/out.csv: permission denied.\n"


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_on_stderr_and_shown_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def command() -> int:
        for _ in range(3):
            warnings.warn("two\n  lines", stacklevel=1)
        return 0

    before = warnings.showwarning
    assert _run(command) == 0
    assert capsys.readouterr().err == "atomlens: warning: two lines\n"
    assert warnings.showwarning is before


def test_a_training_stopped_by_ctrl_c_is_130_too(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise TrainingError("Stopped; go on with --resume.") from None

    assert _run(command) == 130
    assert capsys.readouterr().err == "atomlens: Stopped; go on with --resume.\n"
