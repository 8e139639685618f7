"""``atomlens graph``: the contract's JSON, and facts of geometry in it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from atomlens.cli import main

ROCK_SALT = """data_NaCl
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'F m -3 m'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na 0 0 0
Cl 0.5 0.5 0.5
"""


def _graph(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[Any]]:
    code = main(["graph", *map(str, arguments), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_rock_salt_has_six_faces_of_two_thirds_pi(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "NaCl.cif"
    path.write_text(ROCK_SALT)
    code, records = _graph(capsys, path, "--set", "cutoff=6")
    assert code == 0
    (record,) = records
    assert set(record) == {"name", "source", "n_atoms", "edges"}
    assert record["name"] == "NaCl"
    assert record["n_atoms"] == 8
    assert len(record["edges"]) == 6 * 8
    for _, _, distance, angle, weight in record["edges"]:
        assert distance == pytest.approx(2.82)
        assert angle == pytest.approx(2 * math.pi / 3)
        assert weight == pytest.approx(1.0)


def test_an_edge_is_target_source_distance_and_sorted_by_target(
    structures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, (record,) = _graph(capsys, structures / "methane.xyz", "--builder", "nearest")
    targets = [edge[0] for edge in record["edges"]]
    assert targets == sorted(targets)
    bonds = [edge for edge in record["edges"] if edge[0] == 0]
    assert {edge[1] for edge in bonds} == {1, 2, 3, 4}
    assert all(edge[2] == pytest.approx(0.63 * math.sqrt(3)) for edge in bonds)


def test_builders_without_faces_give_null(
    structures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, (record,) = _graph(capsys, structures / "water.xyz", "--builder", "radius")
    assert record["edges"]
    assert all(edge[3] is None for edge in record["edges"])


def test_a_failed_input_stands_in_its_place(
    structures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, records = _graph(
        capsys, structures / "water.xyz", structures / "broken.xyz", structures / "methane.xyz"
    )
    assert code == 1
    assert [r["name"] for r in records] == ["water", "broken.xyz", "methane"]
    assert set(records[1]) == {"name", "source", "error"}
    files = [str(structures / f"{name}.xyz") for name in ("water", "broken", "methane")]
    assert [r["source"] for r in records] == files


def test_a_formula_has_no_neighbours_in_space(capsys: pytest.CaptureFixture[str]) -> None:
    code, (record,) = _graph(capsys, "formula:NaCl")
    assert code == 2
    assert "formula" in record["error"]


def test_the_table_shows_every_pair(structures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", str(structures / "water.xyz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("water: 3 atoms, ")
    assert len(lines) == 2 + int(lines[0].split()[-2])


def test_the_graph_can_go_to_a_file(
    structures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "g.json"
    assert main(["graph", str(structures / "water.xyz"), "--out", str(out)]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(out.read_text())[0]["name"] == "water"


def test_a_file_that_stood_there_is_told_and_one_of_another_ending_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("keep.csv").write_text("mine")
    assert main(["graph", "CCO", "--out", "keep.csv"]) == 2
    assert "must end with .json or .txt" in capsys.readouterr().err
    assert Path("keep.csv").read_text() == "mine"
    assert main(["graph", "CCO", "--out", "pairs.txt"]) == 0
    assert "stood there" not in capsys.readouterr().err
    assert main(["graph", "CCO", "--out", "pairs.txt"]) == 0
    assert "pairs.txt stood there and was replaced" in capsys.readouterr().err
    assert Path("pairs.txt").read_text().startswith("CCO: 9 atoms")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--builder", "vornoi"], "Did you mean 'voronoi'?"),
        (["--set", "cutof=3"], "Did you mean 'cutoff'?"),
        (["--set", "cutoff=far"], "must be a number"),
        (["--set", "cutoff"], "FIELD=VALUE"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    arguments: list[str], message: str, structures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph", str(structures / "water.xyz"), *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert shown.err.count("\n") == 1
