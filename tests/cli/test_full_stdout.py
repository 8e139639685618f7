"""Standard output that is full or closed is told before the work, in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atomlens.cli import main
from atomlens.cli.guard import check_stdout

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


class _On:
    """A standard output on a file descriptor."""

    def __init__(self, place: int) -> None:
        self._place = place
        self.encoding = "utf-8"

    def fileno(self) -> int:
        return self._place

    def write(self, text: str) -> int:
        return os.write(self._place, text.encode())

    def isatty(self) -> bool:
        return False

    def flush(self) -> None:
        pass


@needs_full
@pytest.mark.parametrize(
    "words",
    [
        ["predict", "nomodel", "CCO"],
        ["train", "nodata.csv"],
        ["graph", "CCO"],
        ["explain", "nomodel", "CCO", "--out", "e"],
        ["evaluate", "nomodel", "nodata.csv"],
        ["screen", "nomodel", "CCO", "--out", "s"],
        ["cv", "nodata.csv"],
        ["study", "list"],
        ["faithful", "nomodel", "toy", "--out", "f"],
        ["models", "list"],
        ["datasets", "list"],
        ["predict", "--help"],
        ["--version"],
        [],
    ],
)
def test_a_full_stdout_is_told_before_any_work(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = os.open(FULL, os.O_WRONLY)
    monkeypatch.setattr(sys, "stdout", _On(place))
    assert main(words) == 2
    os.close(place)
    said = capsys.readouterr().err
    assert said.startswith("atomlens: standard output takes nothing (no space left on device)")
    assert said.count("\n") == 1, "one sentence, and none about a model that does not exist"


def test_a_closed_stdout_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["models", "list"]) == 2
    assert capsys.readouterr().err.startswith("atomlens: standard output takes nothing (it is clo")


def test_results_in_a_file_need_no_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    water = tmp_path / "water.xyz"
    water.write_text("3\nwater\nO 0 0 0.1\nH 0 0.76 -0.5\nH 0 -0.76 -0.5\n")
    monkeypatch.setattr(sys, "stdout", None)
    pairs = tmp_path / "pairs.json"
    assert main(["graph", str(water), "--builder", "nearest", "--out", str(pairs)]) == 0
    assert pairs.exists()
    assert capsys.readouterr().err == ""


def test_a_pipe_and_a_stream_of_this_process_are_places(capsys: pytest.CaptureFixture[str]) -> None:
    check_stdout()
    reader, writer = os.pipe()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", _On(writer))
        check_stdout()
    os.close(reader)
    os.close(writer)


@needs_full
def test_as_a_program_it_leaves_with_two_and_one_line() -> None:
    """What the interpreter says at its end of a stdout that it cannot flush is not seen either."""
    with FULL.open("w") as full:
        found = {
            words: subprocess.run(
                [sys.executable, "-m", "atomlens", *words.split()],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            for words in ("--version", "predict nomodel CCO")
        }
        mute = subprocess.run(
            [sys.executable, "-m", "atomlens", "predict", "nomodel", "--sead", "1"],
            stdout=subprocess.DEVNULL,
            stderr=full,
            check=False,
        )
    for words, run in found.items():
        assert run.returncode == 2, words
        assert run.stderr.count("\n") == 1, run.stderr
        assert "standard output takes nothing" in run.stderr
    assert mute.returncode == 2
