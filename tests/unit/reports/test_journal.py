"""Tables written row by row are those that are written at once."""

from pathlib import Path

import numpy as np
import pytest

from atomlens.errors import SettingsError
from atomlens.reports import journal as module
from atomlens.reports.journal import TableJournal
from atomlens.reports.tables import read_rows, write_table

ROWS = [
    {"name": "a", "n": 1, "gap": 0.1 + 0.2, "seen": None, "parts": [1, 2]},
    {"name": '=danger, "quoted"', "n": 2, "gap": float("nan"), "extra": "ü\nline"},
    {"name": "b", "error": "it is bad", "flag": True, "m": np.int64(7)},
]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_texts_are_the_same_to_the_letter(tmp_path: Path, suffix: str) -> None:
    write_table(ROWS, tmp_path / f"once{suffix}")
    with TableJournal(tmp_path / f"grown{suffix}") as journal:
        for row in ROWS:
            journal.add([row])
        journal.finish()
    assert (tmp_path / f"grown{suffix}").read_bytes() == (tmp_path / f"once{suffix}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_no_row_is_an_empty_table(tmp_path: Path, suffix: str) -> None:
    with TableJournal(tmp_path / f"grown{suffix}") as journal:
        journal.finish()
    write_table([], tmp_path / f"once{suffix}")
    assert (tmp_path / f"grown{suffix}").read_bytes() == (tmp_path / f"once{suffix}").read_bytes()


def test_parquet_holds_the_same_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(module, "_ROWS", 2)
    write_table(ROWS, tmp_path / "once.parquet")
    with TableJournal(tmp_path / "grown.parquet") as journal:
        journal.add(ROWS)
        journal.finish()
    assert read_rows(tmp_path / "grown.parquet") == read_rows(tmp_path / "once.parquet")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".xlsx"])
def test_rows_stand_in_the_order_that_is_asked_for(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip({".parquet": "pyarrow", ".xlsx": "openpyxl"}.get(suffix, "json"))
    same = [dict.fromkeys(["name", "n", "gap"]) | row for row in ROWS]
    with TableJournal(tmp_path / f"sorted{suffix}") as journal:
        journal.add(same)
        journal.finish(np.array([2, 0, 1]))
    with TableJournal(tmp_path / f"given{suffix}") as journal:
        journal.columns.update((name, set()) for row in same for name in row)
        journal.add([same[i] for i in (2, 0, 1)])
        journal.finish()
    assert read_rows(tmp_path / f"sorted{suffix}") == read_rows(tmp_path / f"given{suffix}")


def test_parquet_files_do_not_tell_how_many_rows_were_objects_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(module, "_ROWS", 50)
    written = []
    for at_a_time in (7, 50, 1000):
        monkeypatch.setattr(module, "_AT_A_TIME", at_a_time)
        path = tmp_path / f"{at_a_time}.parquet"
        with TableJournal(path) as journal:
            journal.add({"name": f"c{i}", "n": i % 3, "gap": i / 7} for i in range(120))
            journal.finish()
        written.append(path.read_bytes())
    assert written[0] == written[1] == written[2]


def test_what_is_not_finished_leaves_nothing_and_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("old")
    with TableJournal(path) as journal:
        journal.add(ROWS)
    with pytest.raises(AttributeError), TableJournal(path) as journal:
        journal.add([*ROWS, None])  # type: ignore[list-item]
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]


def test_two_writers_of_one_table_are_told_so(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with TableJournal(path) as first:
        first.add(ROWS)
        with pytest.raises(SettingsError, match="another process"), TableJournal(path):
            pass
        first.finish()
    assert path.read_text().startswith("name,")


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SettingsError, match="cannot be written"),
        TableJournal(tmp_path / "file" / "rows.csv"),
    ):
        pass


def test_columns_of_a_known_type_have_it_whatever_the_rows_hold(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    types = {"name": str, "n_atoms": int, "gap": float, "error": str}
    good = {"name": "a", "n_atoms": 3, "gap": 1.0, "error": None}
    bad = {"name": "b", "n_atoms": None, "gap": None, "error": "no such file"}
    schemas = []
    for number, rows in enumerate(([good], [bad], [good, bad])):
        with TableJournal(tmp_path / f"{number}.parquet", types) as journal:
            journal.add(rows)
            table = parquet.read_table(journal.finish())
        assert table.to_pylist() == rows
        schemas.append(table.schema)
    assert all(schemas[0].equals(other) for other in schemas[1:])
