"""Frames, packed files, names like POSCAR and files of no known kind: each is read or named."""

import bz2
import gzip
import json
import lzma
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from atomlens.structures import read, read_structures

HEADER = "LiF\n1.0\n4.03 0 0\n0 4.03 0\n0 0 4.03\nLi F\n1 1\n"
POSCAR = HEADER + "Direct\n0 0 0\n0.5 0.5 0.5\n"
CIF = (
    "data_x\n_cell_length_a 3.0\n_cell_length_b 3.0\n_cell_length_c 3.0\n_cell_angle_alpha 90\n"
    "_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n_atom_site_label\n_atom_site_fract_x\n"
    "_atom_site_fract_y\n_atom_site_fract_z\nFe1 0 0 0\n"
)


def frames(text: str, folder: Path, name: str = "XDATCAR") -> list[float]:
    (folder / name).write_text(text)
    return [round(float(a.positions[1, 0]), 3) for a in read(folder / name)]


def test_every_frame_of_an_xdatcar_is_a_structure(tmp_path: Path) -> None:
    steps = "".join(
        f"Direct configuration= {i:5d}\n0 0 0\n{0.5 + 0.01 * i:.2f} 0.5 0.5\n" for i in range(3)
    )
    expected = [2.015, 2.055, 2.096]
    assert frames(HEADER + steps, tmp_path) == expected
    assert frames(HEADER + steps, tmp_path, "run.vasp") == expected
    assert frames(HEADER + steps.replace("\nDirect", "\n\nDirect"), tmp_path) == expected


def test_an_xdatcar_of_a_changing_cell_repeats_its_header(tmp_path: Path) -> None:
    text = "".join(
        HEADER.replace("4.03", f"{a}") + f"Direct configuration= {i}\n0 0 0\n0.5 0.5 0.5\n"
        for i, a in enumerate((4.0, 4.1))
    )
    (tmp_path / "XDATCAR").write_text(text)
    assert [a.cell.lengths()[0] for a in read(tmp_path / "XDATCAR")] == [4.0, 4.1]


def test_structures_behind_a_poscar_are_read_and_velocities_are_none(tmp_path: Path) -> None:
    assert frames(POSCAR + POSCAR.replace("0.5 0.5 0.5", "0.4 0.5 0.5"), tmp_path) == [2.015, 1.612]
    velocities = "\n 0.1E-02 0.2E-02 0.3E-02\n 0.1E-02 0.2E-02 0.3E-02\n\n1\n 0.5\n 0.1 0.2 0.3\n"
    cell = "Lattice velocities and vectors\n  1\n" + "  0.1 0.2 0.3\n" * 6
    assert frames(POSCAR + cell + velocities, tmp_path, "CONTCAR") == [2.015]


def test_a_frame_that_breaks_off_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "XDATCAR").write_text(
        POSCAR.replace("Direct", "Direct configuration= 1") + "Direct configuration= 2\n0 0 0\n"
    )
    result = read_structures(tmp_path / "XDATCAR")
    assert len(result.structures) == 1
    assert "cut off" in result.failures[0].message


@pytest.mark.parametrize("title", ["In As bulk", "I am Pt", "No strain", "As received", ""])
def test_words_of_a_title_are_no_elements(title: str, tmp_path: Path) -> None:
    text = f"{title}\n1.0\n4 0 0\n0 4 0\n0 0 4\n1\nDirect\n0 0 0\n"
    (tmp_path / "POSCAR").write_text(text)
    (failure,) = read_structures(tmp_path / "POSCAR").failures
    assert "line of elements" in failure.message


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("ending", PACKERS)
def test_packed_files_are_read(ending: str, tmp_path: Path) -> None:
    (tmp_path / f"a.cif{ending}").write_bytes(PACKERS[ending](CIF.encode()))
    (tmp_path / f"POSCAR{ending}").write_bytes(PACKERS[ending](POSCAR.encode()))
    assert [a.info["name"] for a in read(tmp_path)] == ["POSCAR", "a"]


@pytest.mark.parametrize("ending", PACKERS)
def test_a_damaged_packed_file_is_answered_with_a_sentence(ending: str, tmp_path: Path) -> None:
    content = PACKERS[ending](CIF.encode() * 50)
    for k, damaged in enumerate((content[: len(content) // 2], CIF.encode())):
        path = tmp_path / f"{k}.cif{ending}"
        path.write_bytes(damaged)
        (failure,) = read_structures(path).failures
        assert "cannot be unpacked" in failure.message


def test_files_named_like_poscar_are_read(tmp_path: Path) -> None:
    names = ["POSCAR1", "poscar", "LiF-POSCAR", "CONTCAR_2", "POSCAR.relaxed", "mp-1_contcar"]
    for name in names:
        (tmp_path / name).write_text(POSCAR)
    for name in ("make_poscar.py", "POSCAR.png", "POSCARs_of_mine.txt"):
        (tmp_path / name).write_text("no structure")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert sorted(a.info["name"] for a in read(tmp_path)) == sorted(names)
    (said,) = [str(w.message) for w in told]
    assert all(name in said for name in ("make_poscar.py", "POSCAR.png", "POSCARs_of_mine.txt"))


def test_what_a_pattern_matches_and_is_of_no_known_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(CIF)
    for i in range(21):
        (tmp_path / f"a{i:02}.dat").write_text("1 2 3")
    with pytest.warns(UserWarning, match=r"a00.dat, .* and 16 more"):
        assert len(read(str(tmp_path / "a*"))) == 1


def test_mcif_and_mmcif_are_cif(tmp_path: Path) -> None:
    for ending in (".mcif", ".mmcif", ".MCIF"):
        (tmp_path / f"x{ending}").write_text(CIF)
        assert len(read(tmp_path / f"x{ending}")) == 1


def stray_files(folder: Path) -> list[str]:
    """Write files that other programs leave behind, under endings that structures have too."""
    (folder / "metrics.json").write_text(json.dumps({"test": {"mae": 0.1}, "epochs": [1, 2]}))
    (folder / "log.json").write_text('{"epoch": 1}\n{"epoch": 2}\n')
    (folder / "list.json").write_text("[1, 2, 3]")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with closing(sqlite3.connect(folder / "notes.db")) as connection:
        connection.execute("CREATE TABLE notes (text)")
        connection.commit()
    return ["Thumbs.db", "list.json", "log.json", "metrics.json", "notes.db"]


@pytest.mark.parametrize("pattern", ["", "*", "**/*", "**"])
def test_json_and_databases_of_other_programs_are_named_and_fail_nothing(
    pattern: str, tmp_path: Path
) -> None:
    (tmp_path / "a.cif").write_text(CIF)
    names = stray_files(tmp_path)
    with pytest.warns(UserWarning, match=f"hold no structures.*: {', '.join(names)}$"):
        result = read_structures(str(tmp_path / pattern))
    assert len(result.items) == 1
    assert not result.failures


def test_a_stray_file_that_is_asked_for_is_a_failure(tmp_path: Path) -> None:
    names = stray_files(tmp_path)
    for name in names:
        assert len(read_structures(tmp_path / name).failures) == 1, name
    assert [f.name for f in read_structures(tmp_path).failures] == names


def test_a_damaged_file_of_structures_is_no_stray_one(tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(CIF)
    (tmp_path / "cut.json").write_text('{"lattice": {"matrix": [[3, 0, 0]')
    (tmp_path / "empty.db").write_bytes(b"")
    assert [f.name for f in read_structures(tmp_path).failures] == ["cut.json", "empty.db"]


def test_a_pattern_with_two_stars_finds_each_file_once(tmp_path: Path) -> None:
    inner = tmp_path / "one" / "two"
    inner.mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "one")
    for folder in (tmp_path, tmp_path / "one", inner):
        (folder / f"{folder.name[:3]}.cif").write_text(CIF)
    found = {
        pattern: sorted(Path(a.info["source"]).name for a in read(str(tmp_path / pattern)))
        for pattern in ("**/*.cif", "one/**", "one/**/*", "**/two/*.cif", "*/**/*.cif")
    }
    assert found["one/**"] == found["one/**/*"] == ["one.cif", "two.cif"]
    assert found["**/two/*.cif"] == ["two.cif"]
    assert len(found["**/*.cif"]) == 3


def test_what_a_call_writes_is_no_input_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(CIF)
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "a.cif").write_text(CIF)
    (tmp_path / "out.csv").write_text("name\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given in (tmp_path, str(tmp_path / "*")):
            leave_out = [pages, tmp_path / "out.csv"]
            assert len(read_structures(given, leave_out=leave_out).items) == 1
