"""The commands as typed: help, mistakes, start-up."""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from atomlens import __version__
from atomlens.cli import main
from atomlens.cli.common import add_file_options, add_target_options, data_options
from atomlens.cli.parser import COMMANDS, build_parser
from atomlens.cli.reading import Reads, add_reading

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


LATE = [
    "study orbits --model qm9 C60.xyz C70.xyz --out s",
    "predict qm9 CCO --quiet CCN --format json CCC",
    "explain --out e qm9 CCO --draw 2d CCN",
    "screen qm9 --out z CCO --top 3 --by gap CCN",
    "graph CCO --builder voronoi CCN",
    "label a.cif --pressure 1 --with gcmc b.cif",
    "faithful qm9 --out f table.csv",
    "view qm9 --port 1 mp",
    "models info --format json qm9",
    "models push --quiet runs/gap you/gap",
]


@pytest.mark.parametrize("words", LATE)
def test_arguments_may_stand_behind_options(words: str) -> None:
    import shlex

    from atomlens.cli.parser import build_parser

    typed = shlex.split(words)
    found = vars(build_parser(typed).parse_args(typed))
    plain = [value for value in found.values() if isinstance(value, str | list)]
    heard = {one for value in plain for one in (value if isinstance(value, list) else [value])}
    paths = {str(value) for value in found.values() if isinstance(value, Path)}
    own = [w for w in typed[1:] if not w.startswith("-") and not w.isdigit()]
    assert set(own) <= heard | paths


def test_options_that_may_repeat_are_heard_once_each() -> None:
    from atomlens.cli.parser import build_parser

    typed = "study orbits --model a C60.xyz --model b C70.xyz --set x=1 --out s".split()
    found = build_parser(typed).parse_args(typed)
    assert found.model == ["a", "b"]
    assert found.inputs == ["C60.xyz", "C70.xyz"]
    assert found.assignments == ["x=1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("evaluate qm9 a b", "'b' is one too many; atomlens evaluate takes MODEL and DATA alone"),
        ("evaluate qm9 --part test a b", "'b' is one too many"),
        ("train t.csv --target gap homo", "for another target say --target homo"),
        ("datasets --limit 3 list", "options stand behind the command: atomlens datasets list"),
        ("--quiet predict qm9 CCO", "options stand behind the command: atomlens predict"),
    ],
)
def test_what_stands_in_the_wrong_place_is_told_so(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("predict qm9 C --targte gap", "did you mean --target"),
        ("predict qm9 C -o x.csv", "did you mean --out"),
        ("predict qm9 C --work-ers 3", "did you mean --workers"),
        ("train t.csv --sead 3", "did you mean --seed"),
        ("train t.csv --learningrate 3", "did you mean --set learning_rate=VALUE"),
        ("graph C --target gap", ""),
        ("predict qm9 C --models gap", ""),
        ("view qm9 --target gap", ""),
        ("evaluate qm9 t.csv --homo gap", ""),
        ("train t.csv --foo 3", ""),
        ("label x.cif --with gcmc --pressure 1 --conformer-count 3", ""),  # it would be refused too
    ],
)
def test_only_an_option_that_is_near_is_offered(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert said in error
    assert ("did you mean" in error) == bool(said)
    assert error.count("\n") == 1


def test_help_and_version_are_heard_as_words_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    assert capsys.readouterr().out.startswith("usage: atomlens [-h]")
    assert main(["help", "predict"]) == 0
    assert capsys.readouterr().out.startswith("usage: atomlens predict")
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"atomlens {__version__}\n"


@pytest.mark.parametrize("words", ["view --port abc", "train t.csv --epochs 1e3", "cv t --folds -"])
def test_what_is_no_number_is_told_plainly(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert "is no whole number" in error
    assert "int value" not in error


@pytest.mark.parametrize(
    ("words", "pressures", "inputs"),
    [
        (["--pressure", "5", "65", "a.cif", "b.cif"], [5.0, 65.0], ["a.cif", "b.cif"]),
        (["a.cif", "--pressure", "5", "b.cif"], [5.0], ["a.cif", "b.cif"]),
        (["a.cif", "--press", "1", "2"], [1.0, 2.0], ["a.cif"]),
        (["a.cif", "--pressure=1", "2"], [1.0, 2.0], ["a.cif"]),
        (["a.cif", "--pressure", "1", "--pressure", "2"], [1.0, 2.0], ["a.cif"]),
        (["--pressure", "1", "--", "2"], [1.0], ["2"]),
    ],
)
def test_files_behind_several_numbers_are_inputs(
    words: list[str], pressures: list[float], inputs: list[str]
) -> None:
    typed = ["label", "--with", "gcmc", *words]
    options = build_parser(typed).parse_args(typed)
    assert (options.pressure, options.inputs) == (pressures, inputs)


def _options_of_all_commands() -> list[tuple[str, argparse.Action]]:
    found, waiting = [], [build_parser()]
    while waiting:
        parser = waiting.pop()
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                waiting += action.choices.values()
            elif action.option_strings:
                found.append((parser.prog, action))
    return found


def test_no_option_swallows_the_arguments_behind_it() -> None:
    known = _options_of_all_commands()
    assert len(known) > 200
    assert not [(prog, a.option_strings) for prog, a in known if a.nargs in ("+", "*")]


def test_all_that_is_said_about_data_can_be_typed_again() -> None:
    group = argparse.ArgumentParser()
    add_reading(group, Reads())
    add_file_options(group)
    add_target_options(group)
    words = []
    for action in group._actions[1:]:
        value = action.choices[-1] if action.choices else "3"  # type: ignore[index]
        words += [action.option_strings[0], *([] if action.nargs == 0 else [value])]
    assert len(words) > 25
    typed = ["tune", "table.csv", *words]
    assert data_options(build_parser(typed).parse_args(typed)) == words
    plain = ["tune", "table.csv"]
    assert data_options(build_parser(plain).parse_args(plain)) == []


@pytest.mark.parametrize("words", ["--by -gap", "--by=-gap", "--where=-1<gap --by -gap"])
def test_an_expression_may_begin_with_a_minus(words: str) -> None:
    given = ["screen", "qm9", *words.split(), "CCO", "--out", "found"]
    options = build_parser(given).parse_args(given)
    assert options.by == "-gap"
    assert options.given == ["qm9", "CCO"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "toy", "--seed", "9" * 400], "is too large"),
        (["predict", "qm9", "CCO", "--batch-size", str(2**63 - 1)], "from 1 to 1,000,000,000"),
        (["train", "toy", "--limit", "-" + "9" * 400], "is too large"),
        (["train", "toy", "--epochs", "9" * 5000], "is no whole number"),
        (["cv", "toy", "--folds", "9" * 40], "is too large"),
        (["tune", "toy", "--max-minutes", "1e999"], "is too large"),
        (["explain", "m", "CCO", "--at", "nan"], "is no number"),
    ],
)
def test_a_number_beyond_all_use_is_refused_where_it_is_typed(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert words[-2] in error
    assert len(error) < 300
    assert error.count("\n") == 1


@pytest.mark.parametrize("mixed", [False, True])
def test_an_option_typed_again_says_which_value_is_not_used(
    mixed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--format", "json", "--seed", "7", "--format=table", "--seed", "7"]
    inputs = ["list", "a.xyz"]
    words = ["study", inputs[0], *words, inputs[1]] if mixed else ["study", *inputs, *words]
    options = build_parser(words).parse_args(words)
    assert (options.format, options.seed) == ("table", 7)
    told = "atomlens: --format json is not used: a later one says table.\n"
    assert capsys.readouterr().err == told
