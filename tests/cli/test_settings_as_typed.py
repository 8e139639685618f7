"""From text to the fields of a dataclass."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from atomlens.boundary import parse_yaml
from atomlens.cli import main
from atomlens.cli.settings import merge, read_assignments, read_config
from atomlens.errors import SettingsError
from atomlens.settings import field_notes, settings_table, typed_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Oven:
    degrees: float = 180.0
    """How hot,
    in Celsius."""
    loaves: int = 2
    fan: bool = False
    bread: Literal["rye", "wheat"] = "rye"
    until: float | None = None
    shelf: tuple[int, int] = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    name: str = "x"


def test_text_becomes_the_type_of_the_field() -> None:
    given = {"degrees": "2e2", "loaves": "3", "fan": "true", "until": "null", "shelf": "[3, 4]"}
    values = typed_values(Oven, given, "--set")
    expected = {"degrees": 200.0, "loaves": 3, "fan": True, "until": None, "shelf": (3, 4)}
    assert values == expected
    assert isinstance(values["degrees"], float)


def test_an_unknown_setting_is_offered_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'loaves'"):
        typed_values(Oven, {"loafs": "3"}, "--set")


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("loaves", "many", "a whole number"),
        ("loaves", "2.5", "a whole number"),
        ("degrees", "hot", "a number"),
        ("fan", "perhaps", "true or false"),
        ("until", "dawn", "a number or null"),
        ("bread", "cake", "one of rye, wheat"),
    ],
)
def test_a_value_of_another_type_is_refused_in_words(key: str, value: str, kind: str) -> None:
    with pytest.raises(SettingsError) as caught:
        typed_values(Oven, {key: value}, "--set")
    assert str(caught.value) == f"--set: {key} cannot be {value!r}, it must be {kind}."


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("loaves", text) for text in ("0x10", "1_0", "010", "1:30", "0b11")),
        *(("degrees", text) for text in ("0x10", "1_0.5", "1:30.5", "1_000", "0300")),
        *(("shelf", text) for text in ("[0x3, 4]", "[010, 4]", "[1_0, 4]")),
        ("shelf", ["010", "4"]),
        ("until", "1_0"),
    ],
)
@pytest.mark.parametrize("alone", [False, True])
def test_a_number_that_means_another_to_some_is_refused(
    key: str, value: Any, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """010 is eight to YAML 1.1 and ten to Python, 1:30 ninety; with and without jsonargparse."""
    if alone:
        monkeypatch.setitem(sys.modules, "jsonargparse", None)
    with pytest.raises(SettingsError, match=f"--set: {key} cannot be "):
        typed_values(Oven, {key: value}, "--set")


def test_texts_of_digits_and_signs_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "oven.yaml"
    path.write_text("a: 010\nb: 1:30\nc: 1_0\nd: 0x10\n")
    assert typed_values(Names, {"name": "010"}, "--set") == {"name": "010"}
    with path.open() as stream:
        assert parse_yaml(stream.read()) == {"a": "010", "b": "1:30", "c": "1_0", "d": "0x10"}


@pytest.mark.parametrize("option", ["--conformers", "--ordered-models"])
def test_options_refuse_them_too(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "CCO", option, "1_0"]) == 2
    assert "'1_0' is no whole number" in capsys.readouterr().err


def test_assignments_go_to_their_group_and_bare_names_to_the_default() -> None:
    groups = read_assignments(["model.n_layers=5", "epochs=3"], ["model", "training"], "training")
    assert groups == {"model": {"n_layers": "5"}, "training": {"epochs": "3"}}


def test_a_value_that_a_later_one_takes_the_place_of_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    items = ["epochs=3", "training.epochs=4", "seed=1", "seed=1"]
    assert read_assignments(items, ["training"], "training")["training"]["epochs"] == "4"
    said = capsys.readouterr().err
    assert said == "atomlens: --set epochs=3 is not used: a later one says 4.\n"


@pytest.mark.parametrize("item", ["epochs", "=3", "modle.n_layers=5"])
def test_a_malformed_assignment_is_a_sentence(item: str) -> None:
    with pytest.raises(SettingsError, match="--set"):
        read_assignments([item], ["model", "training"], "training")


def test_the_later_layer_wins_field_by_field() -> None:
    merged = merge({"model": {"a": 1, "b": 2}}, {"model": {"b": 3}, "training": {"c": 4}})
    assert merged == {"model": {"a": 1, "b": 3}, "training": {"c": 4}}


def test_a_config_file_is_blocks_of_fields(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("model:\n  n_layers: 5\ntraining:\n")
    assert read_config(path, ["model", "training"]) == {"model": {"n_layers": 5}, "training": {}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: {n_layers: 5}", "Did you mean 'model'"),
        ("model: 5", "expected blocks"),
        ("- 1", "expected blocks"),
        ("model: {a: 1", "not valid YAML"),
        ("model: !!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_a_bad_config_file_is_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_config(path, ["model", "training"])


def test_a_missing_config_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        read_config(tmp_path / "none.yaml", ["model"])


def test_the_meaning_of_a_setting_is_the_docstring_below_its_field() -> None:
    assert field_notes(Oven) == {"degrees": "How hot, in Celsius."}


def test_the_table_shows_the_default_that_a_preset_changes() -> None:
    rows = {row["setting"]: row for row in settings_table(Oven, {"loaves": 7})}
    assert rows["loaves"]["default"] == "7"
    assert rows["bread"]["type"] == "one of rye, wheat"
