"""The commands as typed: help, mistakes, start-up."""

import importlib
import subprocess
import sys

import pytest

from atomlens import __version__
from atomlens.cli import main
from atomlens.cli.parser import COMMANDS

HEAVY = (
    "torch",
    "ase",
    "rdkit",
    "pymatgen",
    "numba",
    "pandas",
    "matplotlib",
    "numpy",
    "lightning_fabric",
)


def test_help_names_every_command_and_exits_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert f"    {command} " in shown


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("usage: atomlens")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    assert f"  atomlens {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_in_the_help_are_accepted_by_the_grammar(command: str) -> None:
    import shlex

    from atomlens.cli.parser import build_parser

    module = importlib.import_module(f"atomlens.cli.{command}")
    lines = module.EXAMPLES.replace("\\\n", " ").splitlines()
    examples = [line.split("   ")[0] for line in map(str.strip, lines) if line[:8] == "atomlens"]
    assert examples
    for example in examples:
        build_parser().parse_args(shlex.split(example)[1:])


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"atomlens {__version__}\n"


def test_a_mistyped_command_is_offered_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predcit"]) == 2
    error = capsys.readouterr().err
    assert "did you mean 'predict'?" in error
    assert error.count("\n") == 1


def test_a_missing_argument_is_one_line_and_exit_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "model"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("atomlens explain: ")
    assert error.count("\n") == 1


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from atomlens.cli import main; main(['--help']); "
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
