"""Finder's deposit, read from an archive made in its published form."""

import json
import zipfile

import numpy as np
import pytest

import small_deposits as small
from atomlens.cli import main
from atomlens.datasets import DATASETS, load_dataset, make_split
from atomlens.errors import DatasetError
from small_deposits import put, zip_of


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path / "cache"))


def deposit(folder, members):
    folder.mkdir(exist_ok=True)
    (folder / "MP_2021_July_no_polymorph.zip").write_bytes(zip_of(members))
    return folder


def member(folder, part="train"):
    return f"MP_2021_July_no_polymorph/{folder}/{part}.csv"


def test_the_parts_are_those_of_the_files(tmp_path):
    data = load_dataset("finder-mp", "formation_energy", folder=put("finder-mp", tmp_path / "d"))
    split = make_split("source", data)
    assert (len(split.train), len(split.validation), len(split.test)) == (18, 9, 9)
    names = np.array(data.structures.names)
    assert names[split.train[0]] == "mp-0"
    assert set(names[split.test]) >= {"mp-3", "mp-7"}
    assert data.values[list(names).index("mp-3"), 0] == pytest.approx(-0.97)
    assert data.structures.pbc.all()
    assert not data.failures


def test_limited_data_keep_the_parts_of_the_files(tmp_path):
    folder = put("finder-mp", tmp_path / "d")
    whole = load_dataset("finder-mp", "band_gap", folder=folder)
    some = load_dataset("finder-mp", "band_gap", folder=folder, limit=20)
    for part, rows in some.splits.items():
        chosen = {some.structures.names[r] for r in rows}
        assert chosen <= {whole.structures.names[r] for r in whole.splits[part]}
    assert sum(map(len, some.splits.values())) == 20


def test_folders_are_known_by_words_of_their_names(tmp_path):
    members = small.finder_members()
    renamed = {
        name.replace("/bandgap/", "/Band Gap (PBE)/").replace("/log_kvrh/", "/Bulk-Modulus/"): text
        for name, text in members.items()
    }
    data = load_dataset("finder-mp", folder=deposit(tmp_path / "d", renamed))
    assert np.isfinite(data.values).all()
    first = data.values[data.structures.names.index("mp-0")]
    np.testing.assert_allclose(first, [-1.0, -5.0, 2.0, 1.8, 1.9, 1.6])


def test_a_folder_that_tells_no_property_is_left_out_and_named(tmp_path):
    members = small.finder_members() | {
        member("dielectric_loss"): "ID,formula,target\nmp-1,NaCl,1\n"
    }
    data = load_dataset("finder-mp", "band_gap", folder=deposit(tmp_path / "d", members))
    (failure,) = data.failures
    assert "dielectric_loss/train.csv: its folder tells no property" in failure.message


def test_unpacked_files_stand_for_the_archive(tmp_path):
    folder = put("finder-mp", tmp_path / "d")
    whole = load_dataset("finder-mp", folder=folder)
    with zipfile.ZipFile(folder / "MP_2021_July_no_polymorph.zip") as packed:
        packed.extractall(tmp_path / "unpacked")
    loose = load_dataset("finder-mp", folder=tmp_path / "unpacked")
    assert loose.structures.fingerprint() == whole.structures.fingerprint()
    assert np.array_equal(loose.values, whole.values)
    assert loose.splits.keys() == whole.splits.keys()


def test_files_without_crystals_give_formulas(tmp_path):
    members = {
        member("bandgap", part): f"ID,formula,target\nmp-{k},NaCl{k},{k}.5\n"
        for k, part in enumerate(("train", "val", "test"), start=1)
    }
    data = load_dataset("finder-mp", "band_gap", folder=deposit(tmp_path / "d", members))
    assert data.structures.is_formula.all()
    assert sorted(data.values[:, 0].tolist()) == [1.5, 2.5, 3.5]


def test_crystals_without_the_property_are_counted_and_left_out(tmp_path):
    members = small.finder_members()
    for part in ("val", "test"):
        del members[member("refractive_index", part)]
    data = load_dataset("finder-mp", "refractive_index", folder=deposit(tmp_path / "d", members))
    assert len(data) == 18
    assert len(data.without_value) == 18


def test_properties_that_disagree_about_the_parts_have_none_together(tmp_path):
    members = small.finder_members()
    swap = {member("bandgap", "val"): "test", member("bandgap", "test"): "val"}
    moved = {member("bandgap", other): members[name] for name, other in swap.items()}
    folder = deposit(tmp_path / "d", members | moved)
    with pytest.warns(UserWarning, match="put 18 crystals into different parts"):
        both = load_dataset("finder-mp", ["band_gap", "formation_energy"], folder=folder)
    assert not both.splits
    assert set(load_dataset("finder-mp", "band_gap", folder=folder).splits) == {
        "train",
        "validation",
        "test",
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("mp-900,NaCl,not a number,", "could not convert"),
        ("mp-900,NaCl,inf,", "its target is inf"),
        ("mp-900,Nonsense,1.0,", "mp-900 in"),
        ('mp-900,NaCl,1.0,"no CIF at all"', "mp-900 in"),
        ("mp-0,NaCl,1.0,", "it stands twice among band_gap"),
    ],
)
def test_a_bad_row_is_named_and_the_others_go_on(tmp_path, row, said):
    members = small.finder_members()
    members[member("bandgap", "train")] += row + "\n"
    data = load_dataset("finder-mp", "band_gap", folder=deposit(tmp_path / "d", members))
    assert len(data) == 36
    (failure,) = data.failures
    assert said in failure.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ID,formula\nmp-1,NaCl\n", "there is no column target; it has ID, formula"),
        ("", "not a whole table"),
        ('ID,formula,target\n"mp-1,NaCl,1\n', "not a whole table"),
    ],
)
def test_a_file_of_another_form_is_refused_in_one_sentence(tmp_path, text, said):
    folder = deposit(tmp_path / "d", {member("bandgap"): text})
    with pytest.raises(DatasetError, match=said):
        load_dataset("finder-mp", "band_gap", folder=folder)


def test_a_damaged_member_is_refused_in_one_sentence(tmp_path):
    folder = put("finder-mp", tmp_path / "d")
    path = folder / "MP_2021_July_no_polymorph.zip"
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(200)
    path.write_bytes(bytes(content))
    with pytest.raises(DatasetError, match="get a complete copy"):
        load_dataset("finder-mp", "band_gap", folder=folder)


def test_long_crystals_are_read(tmp_path):
    long = small.cif(["Na", "Cl"], 5.0) + "\n#" + "x" * 200_000
    text = f'ID,formula,target,cif\nmp-1,NaCl,1.0,"{long}"\n'
    folder = deposit(tmp_path / "d", {member("bandgap"): text})
    assert len(load_dataset("finder-mp", "band_gap", folder=folder)) == 1


def test_the_command_line_trains_on_it(tmp_path, capsys):
    put("finder-mp", tmp_path / "cache" / "downloads" / "finder-mp")
    words = ["train", "finder-mp", "--target", "band_gap", "--model", "ridge", "--split", "source"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["n_train"] == 18
    assert "finder-mp" in DATASETS
