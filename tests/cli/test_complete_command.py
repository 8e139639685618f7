"""``atomlens complete`` prints what shells run."""

import subprocess
import sys
from pathlib import Path

import pytest

from atomlens.cli import main


def test_bash_completes_commands_and_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("shtab")
    assert main(["complete", "bash"]) == 0
    script = tmp_path / "atomlens.bash"
    script.write_text(capsys.readouterr().out)
    typed = (
        f"source {script}; COMP_WORDS=(atomlens pred); COMP_CWORD=1; "
        "_shtab_atomlens; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["predict"]


def test_without_shtab_its_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["complete", "zsh"]) == 2
    assert "atomlens[completion]" in capsys.readouterr().err
