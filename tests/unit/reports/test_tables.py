"""Tables keep every digit, every row and every column."""

import csv
import json
import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read

from atomlens.errors import MissingDependencyError, SettingsError
from atomlens.reports import tables
from atomlens.reports.tables import format_table, read_rows, to_csv, write_extxyz, write_table

ROWS = [
    {"name": "ethanol", "n_atoms": 9, "homo": -7.123456789012345, "homo_std": 0.1},
    {"name": 'a,b "c"\nd', "n_atoms": np.int64(3), "homo": np.float64("nan")},
    {"name": "bad.cif", "error": "bad.cif: atom 3 has no position."},
]


def test_csv_can_be_read_back_with_every_digit(tmp_path: Path) -> None:
    path = write_table(ROWS, tmp_path / "a.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [row["name"] for row in ROWS]
    assert float(rows[0]["homo"]) == ROWS[0]["homo"]
    assert rows[1]["homo"] == ""
    assert rows[2]["error"] == ROWS[2]["error"]


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_json_holds_the_same_rows_and_no_nan(suffix: str, tmp_path: Path) -> None:
    text = write_table(ROWS, tmp_path / f"a{suffix}").read_text(encoding="utf-8")
    rows = json.loads(text) if suffix == ".json" else [json.loads(x) for x in text.splitlines()]
    assert "NaN" not in text
    assert rows[0] == ROWS[0]
    assert rows[1]["homo"] is None
    assert rows[2] == ROWS[2]


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_parquet_can_be_read_back(tmp_path: Path) -> None:
    import pandas

    frame = pandas.read_parquet(write_table(ROWS, tmp_path / "a.parquet"))
    assert list(frame["name"]) == [row["name"] for row in ROWS]
    assert math.isnan(frame["homo"][1])


def test_parquet_without_pyarrow_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "find_spec", lambda name: None if name == "pyarrow" else object())
    with pytest.raises(MissingDependencyError, match=r"atomlens\[tables\]"):
        write_table(ROWS, tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"a\.ods: tables are written as \.csv"):
        write_table(ROWS, tmp_path / "a.ods")


def test_a_failed_write_leaves_the_old_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_table(ROWS[:1], tmp_path / "a.csv")
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(SettingsError, match="No space left"):
        write_table(ROWS, path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_rows_make_an_empty_table(tmp_path: Path) -> None:
    assert json.loads(write_table([], tmp_path / "a.json").read_text()) == []
    assert format_table([]) == "(no rows)\n"


def test_columns_keep_the_order_of_first_mention() -> None:
    assert to_csv(ROWS).splitlines()[0] == "name,n_atoms,homo,homo_std,error"


def test_terminal_tables_are_aligned_with_numbers_to_the_right() -> None:
    lines = format_table([{"name": "a", "value": 1.5}, {"name": "long", "value": -10.25}])
    assert lines.splitlines() == [
        "name   value",
        "────  ──────",
        "a        1.5",
        "long  -10.25",
    ]


def test_errors_stand_below_errors() -> None:
    rows = [{"gap": "9.02 ± 0.30"}, {"gap": "−10.6 ± 1.2"}, {"gap": "7.034"}, {"gap": None}]
    assert format_table(rows).splitlines() == [
        "         gap",
        "────────────",
        " 9.02 ± 0.30",
        "−10.6 ± 1.2",
        "7.034",
        "",
    ]


def test_where_texts_cannot_give_way_headings_do_and_numbers_do_not(monkeypatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "24")
    rows = [{"name": "ab", "formation_energy (eV/atom)": "−4.217 ± 0.035", "unlike": 99.9}]
    head, _, line = format_table(rows).splitlines()
    assert line.split() == ["ab", "−4.217", "±", "0.035", "99.9"]
    assert len(head) == len(line)
    assert head.endswith("  unlike")


def test_tables_keep_one_line_a_row_and_cut_long_texts_on_a_terminal_only(monkeypatch) -> None:
    rows = [{"name": "x" * 200 + "\ny"}]
    text = format_table(rows)
    assert len(text.splitlines()) == 3
    assert "x" * 200 + " y" in text
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert max(map(len, format_table(rows).splitlines())) <= 44


def test_tables_fit_into_the_terminal_and_keep_their_numbers(monkeypatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    rows = [{"model": "scann", "n": 1234567, "presets": "p" * 80, "paper": "q" * 80}]
    head, _, line = format_table(rows).splitlines()
    assert len(line) == 60
    assert line.startswith("scann  1234567  p")
    assert head.split() == ["model", "n", "presets", "paper"]
    monkeypatch.setenv("COLUMNS", "20")
    narrow = format_table(rows).splitlines()[2]
    assert narrow.startswith("scann  1234567  p")
    assert len(narrow.split("  ")[2]) == 12


def test_extxyz_keeps_attention_cell_and_partial_periodicity(tmp_path: Path) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    atoms.pbc = (True, True, False)
    atoms.set_array("attention", np.array([0.25, 0.75]))
    atoms.info.update(name='quoted "name"', homo=-1.5, spacegroup=object(), nothing=None)
    back = read(write_extxyz(atoms, tmp_path / "a.extxyz"))
    assert isinstance(back, Atoms)
    assert back.arrays["attention"].tolist() == [0.25, 0.75]
    assert back.pbc.tolist() == [True, True, False]
    assert back.cell[:] == pytest.approx(atoms.cell[:])
    assert back.info["name"] == 'quoted "name"'
    assert back.info["homo"] == -1.5
    assert "spacegroup" not in back.info


def test_extxyz_leaves_the_given_structure_alone(tmp_path: Path) -> None:
    atoms = bulk("Cu")
    atoms.info["thing"] = object()
    write_extxyz(atoms, tmp_path / "a.extxyz")
    assert "thing" in atoms.info


def test_several_structures_go_into_one_extxyz(tmp_path: Path) -> None:
    path = write_extxyz([bulk("Cu"), bulk("Fe")], tmp_path / "a.extxyz")
    assert [len(a) for a in read(path, ":")] == [1, 1]
    with pytest.raises(SettingsError, match="no structure"):
        write_extxyz([], tmp_path / "b.extxyz")


@pytest.mark.parametrize("module", ["tables", "page", "figures", "demo_page"])
def test_importing_reports_loads_no_heavy_package(module: str) -> None:
    heavy = "('ase', 'pandas', 'matplotlib', 'torch', 'rdkit', 'scipy')"
    code = (
        f"import sys, atomlens.reports.{module}; sys.exit(any(m in sys.modules for m in {heavy}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_shares_of_classes_are_words_and_short_numbers_for_the_eye() -> None:
    text = format_table([{"p": {"no": 0.0009804600551425401, "yes": 0.9990195399448575}}])
    assert "no 0.00098, yes 0.999" in text


def test_numbers_come_back_from_a_csv_and_codes_with_zeros_in_front_stay_texts(
    tmp_path: Path,
) -> None:
    rows = [{"code": "007", "n": 7, "x": 1e-07, "y": 0.1, "z": -3.0, "name": "1e5"}]
    assert read_rows(write_table(rows, tmp_path / "t.csv")) == rows
