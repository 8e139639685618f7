"""Commands that are printed can be typed, and what a command decides by itself is said."""

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from atomlens.cli import main
from atomlens.cli.common import tell_first_target
from atomlens.cli.train import summary
from atomlens.datasets import load_dataset
from atomlens.predictor import load
from atomlens.targets import Target


def test_printed_commands_quote_blanks(model_folder: Path) -> None:
    out = Path("../runs/ridge läuft")
    lines = [shlex.split(line) for line in summary(load(model_folder), out).split("\n")[-2:]]
    assert [words[:3] for words in lines] == [
        ["atomlens", "predict", str(out)],
        ["atomlens", "explain", str(out)],
    ]


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_a_second_model_is_no_structure(
    command: str, model_folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for other in ("formula-formation-energy", str(model_folder)):
        out = ["--out", str(tmp_path / "out")] if command == "explain" else []
        assert main([command, "formula-gap", other, "NaCl", *out]) == 2
        said = capsys.readouterr().err
        assert f"{other}: this is a model, where a structure is expected" in said
        assert "atomlens screen MODEL... INPUT..." in said


def test_the_first_of_several_properties_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    several = SimpleNamespace(targets=(Target(name="homo"), Target(name="lumo")))
    tell_first_target(several, None)
    assert "homo is explained" in capsys.readouterr().err
    tell_first_target(several, "lumo")
    tell_first_target(SimpleNamespace(targets=several.targets[:1]), None)
    assert capsys.readouterr().err == ""


def test_rows_that_share_a_name_are_told_once(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,smiles,y\na,CCO,1\nb,CCC,2\na,CCN,4\n,CCCC,5\n,CC,6.5\n")
    with pytest.warns(UserWarning, match="2 rows share their name") as heard:
        load_dataset(tmp_path / "t.csv", "y")
    (said,) = [str(one.message) for one in heard]
    assert "in the column 'id' with another, such as 'a'" in said
