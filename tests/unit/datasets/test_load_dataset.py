import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import write

from atomlens.datasets import Toy, load_dataset, make_split, save_packed
from atomlens.errors import DatasetError, MissingDependencyError, SettingsError

WATER, METHANE, SALT = molecule("H2O"), molecule("CH4"), bulk("NaCl", "rocksalt", a=5.64)


def write_table(path: Path, header: str, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def files_table(tmp_path) -> Path:
    (tmp_path / "s").mkdir()
    write(tmp_path / "s" / "water.xyz", WATER)
    write(tmp_path / "s" / "salt.cif", SALT)
    (tmp_path / "s" / "bad.cif").write_text("data_x\nnothing\n")
    return write_table(
        tmp_path / "table.csv",
        "id,file,gap [eV],remark,split",
        "w,s/water.xyz,7.5,liquid,train",
        "n,s/salt.cif,8.9,solid,train",
        "gone,s/none.cif,1.0,lost,train",
        "bad,s/bad.cif,1.0,broken,train",
        "text,s/water.xyz,large,odd,test",
        "empty,s/water.xyz,,silent,test",
        "last,s/water.xyz,7.6,ice,val",
    )


def test_a_table_of_files_gives_structures_values_and_units(files_table):
    data = load_dataset(files_table, "gap")
    assert data.structures.names == ("w", "n", "last")
    assert data.values[:, 0].tolist() == [7.5, 8.9, 7.6]
    assert data.targets[0].unit == "eV"
    assert data.name == "table"
    assert data.structures.pbc.any(axis=1).tolist() == [False, True, False]
    assert data.structures.formula(1) == "NaCl"


def test_bad_rows_are_named_with_the_reason_and_the_rest_goes_on(files_table):
    failures = {f.name: f.message for f in load_dataset(str(files_table), "gap").failures}
    assert set(failures) == {"gone", "bad", "text"}
    assert load_dataset(files_table, "gap").without_value == ("empty",)
    assert "no such file" in failures["gone"]
    assert "'large'" in failures["text"]
    assert all("table.csv" in m and n in m for n, m in failures.items())


def test_a_split_column_is_the_split_of_the_source(files_table):
    data = load_dataset(files_table, "gap")
    split = make_split("source", data)
    assert split.train.tolist() == [0, 1]
    assert split.validation.tolist() == [2]
    assert split.test.tolist() == []


def test_a_fold_column_is_no_target_but_the_folds_of_a_cross_validation(tmp_path):
    path = tmp_path / "matbench.csv"
    path.write_text("mbid,composition,gap,test_fold\nmb-1,NaCl,5.0,0\nmb-2,Q,1,1\nmb-3,Si,1.1,1\n")
    data = load_dataset(path)
    assert [t.name for t in data.targets] == ["gap"]
    assert data.structures.names == ("mb-1", "mb-3")
    assert {fold: rows.tolist() for fold, rows in data.splits.items()} == {
        "fold 0": [0],
        "fold 1": [1],
    }


def test_nothing_usable_is_an_error_that_says_the_first_reason(files_table):
    path = write_table(files_table.parent / "b.csv", "file,y", "none.cif,1", "s/bad.cif,2")
    with pytest.raises(DatasetError, match=r"no row can be used.*no such file"):
        load_dataset(path)


@pytest.mark.parametrize("column", ["smiles", "SMILES", " Smiles "])
def test_a_table_of_smiles(tmp_path, column):
    path = write_table(tmp_path / "t.csv", f"{column},y", "CCO,1", "c1ccccc1,2", "C(C,3")
    data = load_dataset(path)
    assert [data.structures.formula(i) for i in range(2)] == ["C2H6O", "C6H6"]
    assert data.structures.names == ("CCO", "c1ccccc1")
    assert [f.name for f in data.failures] == ["row 3"]


@pytest.mark.parametrize("column", ["formula", "composition"])
def test_a_table_of_formulas(tmp_path, column):
    path = write_table(tmp_path / "t.csv", f"{column},band gap (eV)", "Fe2O3,2.1", "CO,5", "Xx,1")
    data = load_dataset(path, "band gap")
    assert data.structures.is_formula.tolist() == [True, True]
    assert [data.structures.formula(i) for i in range(2)] == ["Fe2O3", "CO"]
    assert len(data.failures) == 1


def test_semicolons_tabs_quotes_marks_and_gzip_are_read(tmp_path):
    expected = [1.0, 2.0]
    (tmp_path / "a.csv").write_text('\ufeffsmiles;y\n"C";1\nCC;2\n', encoding="utf-8")
    (tmp_path / "a.tsv").write_text("smiles\ty\nC\t1\n\nCC\t2\n")
    with gzip.open(tmp_path / "a.csv.gz", "wt") as stream:
        stream.write("smiles,y\nC,1\nCC,2\n")
    for name in ("a.csv", "a.tsv", "a.csv.gz"):
        assert load_dataset(tmp_path / name).values[:, 0].tolist() == expected


def test_jsonl_holds_texts_or_whole_structures(tmp_path):
    salt = {"lattice": SALT.cell.tolist(), "species": ["Na", "Cl"]}
    rows = [
        {"id": "a", **salt, "frac_coords": SALT.get_scaled_positions().tolist(), "y": 1},
        {"id": "b", "species": ["O", "H", "H"], "coords": WATER.positions.tolist(), "y": 2.5},
        {"id": "c", "species": ["O", "H"], "coords": [[0, 0, 0]], "y": 3},
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(r) for r in rows))
    data = load_dataset(tmp_path / "t.jsonl")
    assert data.structures.names == ("a", "b")
    assert data.structures.pbc.all(axis=1).tolist() == [True, False]
    assert data.structures[0].cell == pytest.approx(SALT.cell[:])
    assert data.structures[1].positions == pytest.approx(WATER.positions)
    assert [f.name for f in data.failures] == ["c"]


def test_jsonl_may_nest_pymatgen_structures_and_properties(tmp_path):
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(4.2), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    row = {"structure": structure.as_dict(), "properties": {"gap": 8.0}, "material_id": "mp-1"}
    (tmp_path / "t.jsonl").write_text(json.dumps(row))
    data = load_dataset(tmp_path / "t.jsonl", "gap")
    assert data.structures.names == ("mp-1",)
    assert data.structures.formula(0) == "CsCl"
    assert data.values.tolist() == [[8.0]]


def test_parquet_is_read(tmp_path):
    pytest.importorskip("pyarrow")
    import pandas

    frame = pandas.DataFrame({"smiles": ["C", "CC"], "y": [1.0, np.nan], "c": [True, False]})
    frame.to_parquet(tmp_path / "t.parquet")
    data = load_dataset(tmp_path / "t.parquet")
    assert [t.kind for t in data.targets] == ["regression", "classification"]
    assert np.array_equal(data.values, [[1, 1], [np.nan, 0]], equal_nan=True)


def test_without_pyarrow_parquet_says_what_to_install(tmp_path, monkeypatch):
    import pandas

    def missing(path):
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pandas, "read_parquet", missing)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "t.parquet").write_bytes(b"x")
    with pytest.raises(MissingDependencyError, match=r"atomlens\[tables\]"):
        load_dataset(tmp_path / "t.parquet")


@pytest.mark.parametrize("suffix", ["extxyz", "xyz", "db", "json"])
def test_structure_files_with_values_inside(tmp_path, suffix):
    path = tmp_path / f"set.{suffix}"
    rows = [(WATER, 7.5), (METHANE, 10.0), (SALT, 8.9)]
    if suffix in ("db", "json"):
        with connect(path) as database:
            for atoms, gap in rows:
                database.write(atoms, gap=gap, kind="x")
    else:
        write(path, [_with_info(a, gap=g) for a, g in rows], format="extxyz")
    data = load_dataset(path, "gap")
    assert data.values[:, 0].tolist() == [7.5, 10.0, 8.9]
    assert [data.structures.formula(i) for i in range(3)] == ["H2O", "CH4", "NaCl"]


def _with_info(atoms: Atoms, **info) -> Atoms:
    copy = atoms.copy()
    copy.info.update(info)
    return copy


@pytest.mark.parametrize("suffix", ["json", "db"])
def test_what_ase_notes_for_itself_is_no_target(tmp_path, suffix):
    with connect(tmp_path / f"bare.{suffix}") as base:
        base.write(bulk("Cu"))
    with pytest.raises(DatasetError, match="carry no values"):
        load_dataset(tmp_path / f"bare.{suffix}", "bp")
    with connect(tmp_path / f"own.{suffix}") as base:
        for atoms, gap in ((bulk("Al"), 1.0), (bulk("Cu"), 2.0)):
            base.write(atoms, gap=gap)
    with pytest.raises(DatasetError, match=r"Known: gap\."):
        load_dataset(tmp_path / f"own.{suffix}", "bp")


def test_the_energy_of_a_calculator_is_extensive_and_in_ev(tmp_path):
    atoms = WATER.copy()
    atoms.calc = SinglePointCalculator(atoms, energy=-14.2, forces=np.zeros((3, 3)))
    write(tmp_path / "a.extxyz", [atoms, atoms])
    (target,) = load_dataset(tmp_path / "a.extxyz", "energy").targets
    assert target.extensive
    assert target.unit == "eV"


@pytest.mark.parametrize("suffix", ["extxyz", "db"])
@pytest.mark.parametrize("wanted", ["energy", "free_energy", "gap", "Energy"])
def test_one_of_the_values_beside_energies_may_be_learned(tmp_path, suffix, wanted):
    atoms = WATER.copy()
    atoms.calc = SinglePointCalculator(atoms, energy=-14.2, free_energy=-14.3)
    path = tmp_path / f"a.{suffix}"
    if suffix == "db":
        with connect(path) as base:
            for _ in range(2):
                base.write(atoms, gap=7.5)
    else:
        atoms.info["gap"] = 7.5
        write(path, [atoms, atoms])
    data = load_dataset(path, wanted)
    (target,) = data.targets
    is_energy = wanted != "gap"
    assert target.extensive == is_energy
    assert target.unit == ("eV" if is_energy else "")
    assert data.values[0, 0] == {"free_energy": -14.3, "gap": 7.5}.get(wanted, -14.2)
    if is_energy:
        (other,) = load_dataset(path, wanted, units={wanted: "hartree"}).targets
        assert other.unit == "hartree"


def test_structures_without_values_say_what_is_missing(tmp_path):
    write(tmp_path / "a.xyz", WATER)
    with pytest.raises(DatasetError, match="carry no values"):
        load_dataset(tmp_path / "a.xyz")
    with pytest.raises(DatasetError, match="carry no values"):
        load_dataset(tmp_path)


@pytest.fixture
def cgcnn_folder(tmp_path) -> Path:
    folder = tmp_path / "crystals"
    folder.mkdir()
    for name, a in (("1000", 5.6), ("1001", 5.7), ("1002", 5.8)):
        write(folder / f"{name}.cif", bulk("NaCl", "rocksalt", a=a))
    (folder / "id_prop.csv").write_text("1000,1.5\n1001,2.5\n1002,\n9999,3.5\n")
    (folder / "atom_init.json").write_text("{}")
    return folder


def test_a_folder_with_id_prop(cgcnn_folder):
    data = load_dataset(cgcnn_folder)
    assert data.structures.names == ("1000", "1001")
    assert data.targets[0].name == "value"
    assert data.values.tolist() == [[1.5], [2.5]]
    assert {f.name for f in data.failures} == {"9999"}
    assert data.without_value == ("1002",)
    assert data.name == "crystals"


def test_a_nameless_column_takes_the_name_asked_for(cgcnn_folder):
    assert load_dataset(cgcnn_folder, "formation_energy").targets[0].name == "formation_energy"


def test_id_prop_may_have_a_header_and_several_values(cgcnn_folder):
    (cgcnn_folder / "id_prop.csv").write_text("id,gap [eV],k\n1000,1,7\n1001,2,8\n")
    data = load_dataset(cgcnn_folder, ["k", "gap"])
    assert data.values.tolist() == [[7, 1], [8, 2]]
    assert [t.unit for t in data.targets] == ["", "eV"]
    (cgcnn_folder / "id_prop.csv").write_text("1000,1,7\n1001,2,8\n")
    assert load_dataset(cgcnn_folder, "value_2").values.tolist() == [[7], [8]]


@pytest.mark.parametrize("content", ["", "\n\n", "1000\n1001\n"])
def test_an_id_prop_without_values_is_an_error(cgcnn_folder, content):
    (cgcnn_folder / "id_prop.csv").write_text(content)
    with pytest.raises(DatasetError, match=r"id_prop\.csv"):
        load_dataset(cgcnn_folder)


def test_a_packed_file_is_a_data_set(tmp_path):
    toy = Toy(n=12).load()
    path = save_packed(toy, tmp_path / "toy.atomlens.npz")
    data = load_dataset(path, "signal", limit=5, seed=1)
    assert len(data) == 5
    place = [toy.structures.names.index(n) for n in data.structures.names]
    assert np.array_equal(data.values, toy.values[place])
    assert [labels.tolist() for labels in data.node_labels] == [
        toy.node_labels[i].tolist() for i in place
    ]


def test_names_of_the_table_take_their_options(tmp_path):
    data = load_dataset("toy", "signal", limit=3, seed=5, kind="crystals")
    assert len(data) == 3
    assert data.structures.pbc.all()
    assert (
        data.structures.fingerprint()
        == Toy(kind="crystals", n=3, seed=5).load().structures.fingerprint()
    )


def test_a_limit_is_a_random_sample_and_a_smaller_one_a_part_of_it(tmp_path):
    rows = [f"C{'C' * (i % 5)}O,m{i},{i}" for i in range(40)]
    path = write_table(tmp_path / "t.csv", "smiles,name,y", *rows)
    few, more = (load_dataset(path, limit=n, seed=3).structures.names for n in (4, 9))
    assert set(few) < set(more)
    assert few != tuple(f"m{i}" for i in range(4))
    assert load_dataset(path, limit=4, seed=3).structures.names == few
    assert load_dataset(path, limit=4, seed=4).structures.names != few


def test_a_data_set_passes_through_and_its_split_follows_the_limit(files_table):
    data = load_dataset(files_table, "gap")
    small = load_dataset(data, "gap", limit=2, seed=0)
    for part, rows in small.splits.items():
        for row in rows:
            old = data.structures.names.index(small.structures.names[row])
            assert old in data.splits[part]


def test_samples_without_any_value_are_left_out_and_named():
    toy = Toy(n=4).load()
    values = toy.values.copy()
    values[1] = np.nan
    holed = load_dataset(
        type(toy)(name="t", structures=toy.structures, targets=toy.targets, values=values)
    )
    assert len(holed) == 3
    assert holed.without_value == ("toy-00001",)
    assert holed.failures == ()


def test_options_reach_the_targets(tmp_path):
    path = write_table(tmp_path / "t.csv", "mol,what,u,c", "CCO,x,1,0", "CCC,y,2,1", "OCCO,z,3,0")
    data = load_dataset(
        path,
        ["u", "c"],
        structure_column="mol",
        name_column="what",
        units={"u": "eV"},
        extensive=["u"],
        kinds={"c": "classification"},
    )
    assert data.structures.names == ("x", "y", "z")
    assert data.targets[0].extensive
    assert data.targets[1].classes == ("0", "1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"structure_colum": "x"}, "Did you mean 'structure_column'"),
        ({"structure_column": "nope"}, "no column 'nope'"),
        ({"limit": 0}, "limit"),
    ],
)
def test_wrong_options_say_why(tmp_path, options, words):
    path = write_table(tmp_path / "t.csv", "smiles,y", "C,1")
    with pytest.raises((SettingsError, DatasetError), match=words):
        load_dataset(path, **options)


def test_a_name_that_is_nothing_offers_the_nearest():
    with pytest.raises(DatasetError, match="Did you mean 'qm9'"):
        load_dataset("qm99")
    with pytest.raises(SettingsError, match="Did you mean 'kind'"):
        load_dataset("toy", kin="crystals")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"", "empty"),
        ("t.csv", b"smiles,y\n", "no row"),
        ("t.csv", b"a,b\n1,2\n", "no column with structures; it has a, b"),
        ("t.csv", b"smiles,y,y\nC,1,2\n", "'y' occurs twice"),
        ("t.csv", b"smiles,y\nC,1,2\n", "row 1 has 3 cells"),
        ("t.csv", b"smiles,y\n\xff\x81,2\n", r"not UTF-8 \(line 2\)"),
        ("t.csv", "smiles,h\u00e4rte\nC,2\n".encode() + b"CC\xe4,3\n", r"not UTF-8 \(line 3\)"),
        ("t.csv.gz", b"smiles,y\nC,1\n", "cannot be read"),
        ("t.jsonl", b'{"smiles": "C", "y"', "line 1 is not JSON"),
        ("t.jsonl", b"[1]\n", "line 1 is not a JSON object"),
        ("t.parquet", b"smiles,y\nC,1\n", "Parquet"),
        ("t.npz", b"smiles,y\nC,1\n", "undamaged"),
        ("t.extxyz", b"", "empty"),
        ("t.foo", b"abc", "not known"),
    ],
)
def test_damaged_files_are_named_in_one_sentence(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((DatasetError, MissingDependencyError), match=words) as caught:
        load_dataset(path, "y")
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_remarks_of_the_readers_come_as_one_warning(tmp_path):
    path = write_table(tmp_path / "t.csv", "formula,y", "D2O,1", "DCl,2")
    with pytest.warns(UserWarning, match=r"t\.csv: .*treated as hydrogen") as heard:
        load_dataset(path)
    assert len(heard) == 1


def test_a_european_table_has_decimal_commas(tmp_path):
    path = write_table(
        tmp_path / "t.csv", "smiles;y;z", "C;0,25;1,234", "CC;2,75;2,345", "CCC;0,25;3"
    )
    data = load_dataset(path)
    assert [t.kind for t in data.targets] == ["regression", "regression"]
    assert data.values.tolist() == [[0.25, 1.234], [2.75, 2.345], [0.25, 3.0]]


def test_a_list_of_smiles_has_names_and_numbers(tmp_path):
    (tmp_path / "a.smi").write_text("# made here\nCCO ethyl alcohol 1.5\nC\tmethane\t2\n")
    data = load_dataset(tmp_path / "a.smi")
    assert data.structures.names == ("ethyl alcohol", "methane")
    assert [t.name for t in data.targets] == ["value"]
    assert data.values[:, 0].tolist() == [1.5, 2.0]
    (tmp_path / "b.smi").write_text("SMILES name y\nCCO a 1\nC b 2\n")
    assert load_dataset(tmp_path / "b.smi", "y").structures.names == ("a", "b")


def test_a_table_in_windows_1252_is_read_and_told(tmp_path):
    (tmp_path / "t.csv").write_bytes("smiles;Härte [€]\nC;1,5\nCC;2\n".encode("cp1252"))
    with pytest.warns(UserWarning, match="read as Windows-1252, in which it says 'Härte'"):
        data = load_dataset(tmp_path / "t.csv")
    assert (data.targets[0].name, data.targets[0].unit) == ("Härte", "€")
    assert data.values[:, 0].tolist() == [1.5, 2]


def test_a_table_in_utf_16_is_read(tmp_path):
    (tmp_path / "t.csv").write_bytes("smiles\ty\nC\t1\n".encode("utf-16"))
    assert load_dataset(tmp_path / "t.csv").values.tolist() == [[1.0]]


def test_cells_of_excel_that_are_merged_or_never_calculated_are_told(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["smiles", "y"], ["CCO", 1.0], [None, 2.0], ["CCC", "=B2+B3"]):
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.save(tmp_path / "t.xlsx")
    with pytest.warns(UserWarning, match="t.xlsx") as heard:
        data = load_dataset(tmp_path / "t.xlsx", "y")
    assert data.values.tolist() == [[1.0], [2.0]]
    assert {data.structures.formula(i) for i in range(2)} == {"C2H6O"}
    said = " ".join(str(one.message) for one in heard)
    assert "in the column 'smiles' 1 cell is merged with one above, and has its value" in said
    assert "1 cell holds a formula and no result (the first is B4)" in said
    book = openpyxl.Workbook()
    for row in (["My results", None], ["smiles", "y"], ["CCO", 1.0]):
        book.active.append(row)
    book.save(tmp_path / "u.xlsx")
    with pytest.raises(DatasetError, match="remove what stands above the names"):
        load_dataset(tmp_path / "u.xlsx", "y")


def test_an_excel_file_is_read_or_its_package_is_named(tmp_path):
    path = tmp_path / "t.xlsx"
    try:
        import openpyxl
    except ImportError:
        path.write_bytes(b"PK")
        with pytest.raises(MissingDependencyError, match=r"atomlens\[tables\]"):
            load_dataset(path)
        return
    book = openpyxl.Workbook()
    for row in (["smiles", "y [eV]", "c"], ["C", 1.5, "NA"], ["CC", None, "EU"], ["CCC", 2, "NA"]):
        book.active.append(row)
    book.save(path)
    data = load_dataset(path, "y")
    assert data.structures.names == ("C", "CCC")
    assert data.values[:, 0].tolist() == [1.5, 2.0]
    assert data.targets[0].unit == "eV"


def test_a_data_set_knows_its_rows_its_reading_and_what_was_said(tmp_path):
    path = write_table(tmp_path / "t.csv", "mol,y", "C,none", "C(C,2", "CC,3", "CCC,4", "CCO,5")
    data = load_dataset(path, "y", structure_column="mol", units={"y": "eV"})
    assert data.row_numbers.tolist() == [2, 3, 4]
    assert data.subset([2, 0]).row_numbers.tolist() == [4, 2]
    assert data.without_value == ("row 1",)
    assert data.reading == {"structure_column": "mol", "units": {"y": "eV"}}
    path = write_table(
        tmp_path / "u.csv", "smiles,c", *(f"{'C' * (i + 1)},{i % 2}" for i in range(12))
    )
    with pytest.warns(UserWarning, match="names of classes"):
        assert "names of classes" in load_dataset(path).remarks[0]


def test_nan_as_a_formula_is_refused_with_both_readings(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("formula,y\nNaN,1\nNa1N1,2\nNa,3\n,4\n")
    data = load_dataset(path, target="y")
    assert data.structures.names == ("Na1N1", "Na")
    first, second = data.failures
    assert "may be a missing value or sodium" in first.message
    assert "is empty" in second.message


@pytest.mark.parametrize(("column", "word"), [("formula", "None"), ("smiles", "n/a")])
def test_a_word_for_nothing_in_the_column_of_structures_is_not_called_empty(
    column: str, word: str, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(f"name,{column},y\na,{word},1\nb,CO,2\nc,,3\n")
    first, second = load_dataset(table, "y").failures
    assert f"'{word}' in the column '{column}' stands for a missing value" in first.message
    assert "is empty; fill it" in second.message
