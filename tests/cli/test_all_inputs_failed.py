"""A table is written when every input failed, as it is when some did: its rows say why."""

import json
from pathlib import Path

import pytest

from atomlens.cli import main
from atomlens.reports.tables import read_rows


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet", "xlsx"])
@pytest.mark.parametrize("how", ["rows as they come", "all at once"])
def test_the_table_of_failures_has_the_columns_of_any_other(
    kind: str, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind in ("parquet", "xlsx"):
        pytest.importorskip("pyarrow" if kind == "parquet" else "openpyxl")
    bad, mixed = tmp_path / f"bad.{kind}", tmp_path / f"mixed.{kind}"
    more = ["--format", "json"] if how == "all at once" else []
    words = ["predict", "formula-gap", "--quiet", *more]
    assert main([*words, "Xx2O", "Qq", "--out", str(bad)]) == 2
    assert main([*words, "Xx2O", "NaCl", "--out", str(mixed)]) == 1
    capsys.readouterr()
    rows, others = read_rows(bad), read_rows(mixed)
    assert [row["name"] for row in rows] == ["Xx2O", "Qq"]
    assert all("Xx2O" in str(row["error"]) or "Qq" in str(row["error"]) for row in rows)
    if kind == "csv":
        assert bad.read_text().splitlines()[0] == mixed.read_text().splitlines()[0]
    elif kind == "json":
        assert json.loads(bad.read_text())[0] == json.loads(mixed.read_text())[0]
    elif kind in ("parquet", "xlsx"):
        assert list(rows[0]) == list(others[0])
