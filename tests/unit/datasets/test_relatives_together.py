"""Splits by scaffold, by a column of the table and by time: relatives stay in one part."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas
import pytest

from atomlens.chemistry.scaffolds import scaffold_of_smiles, scaffold_of_structure
from atomlens.datasets import Dataset, Split, load_dataset, make_split, save_packed
from atomlens.datasets.beside import OtherColumns
from atomlens.datasets.splits import divide
from atomlens.datasets.tables.times import read_times
from atomlens.errors import DatasetError, SettingsError
from atomlens.selection.cross_validation import make_folds, nested_split
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target

PARTS = ("train", "validation", "test")


def table(n: int, **columns: list[object]) -> Dataset:
    """Return n atoms of hydrogen with the cells of a table beside them."""
    one = Structure(
        np.array([1], np.uint8), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool), "", False
    )
    structures = [one._replace(name=f"s{i}", is_formula=False) for i in range(n)]
    return Dataset(
        name="made",
        structures=StructureArrays.from_structures(structures),
        targets=(Target(name="y"),),
        values=np.arange(n, dtype=float)[:, None],
        columns=OtherColumns.of(columns, range(n)),
    )


def cells(data: Dataset, split: Split, header: str) -> list[set[object]]:
    column = data.columns[header]
    return [{column[i] for i in getattr(split, part)} for part in PARTS]


def sizes(split: Split) -> tuple[int, ...]:
    return tuple(len(getattr(split, part)) for part in PARTS)


def test_no_value_of_the_column_is_in_two_parts() -> None:
    data = table(60, lab=[f"lab {i % 12}" for i in range(60)])
    split = make_split("group:lab:.5/.25/.25", data, seed=4)
    train, validation, test = cells(data, split, "lab")
    assert train
    assert validation
    assert test
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert sizes(split) == (30, 15, 15)
    assert not np.array_equal(split.test, make_split("group:lab:.5/.25/.25", data, seed=5).test)


def test_a_column_is_called_by_its_name_in_any_case_and_may_have_colons() -> None:
    data = table(30, **{"Lab: who [-]": list("abc") * 10})
    for column in ("Lab: who [-]", "lab: who", "lab: who:10/10/10"):
        assert sizes(divide(f"group:{column}", data)) == (10, 10, 10)


def test_a_group_larger_than_asked_goes_into_training_and_the_sizes_are_said() -> None:
    data = table(40, lab=["big"] * 36 + ["a", "a", "b", "b"])
    with pytest.warns(UserWarning, match="have 36, 2 and 2 samples where 32, 4 and 4 were asked"):
        split = make_split("group:lab", data)
    assert sizes(split) == (36, 2, 2)
    assert "the largest, 'big', has 36" in split.remarks[0]


def test_groups_of_more_than_half_of_the_test_part_are_learned_from() -> None:
    data = table(100, lab=["big"] * 8 + [f"small {i}" for i in range(46)] * 2)
    for seed in range(6):
        split = make_split("group:lab", data, seed=seed)
        assert "big" in cells(data, split, "lab")[0]
        assert sizes(split) == (80, 10, 10)


def test_what_makes_a_group_doubtful_is_said() -> None:
    said = divide("group:lab", table(30, lab=["MIT", "mit ", "ETH"] * 10)).remarks[0]
    assert "has 'MIT' and 'mit', which are two groups" in said
    said = divide("group:lab", table(30, lab=["01", "1.0", "2"] * 10)).remarks[0]
    assert "has '01' and '1.0', which are two groups" in said
    said = divide("group:id", table(10, id=[f"x{i}" for i in range(10)])).remarks[0]
    assert said == "No two samples have the same id, so group:id divides like random."


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("group:labb", "There is no column 'labb'. Did you mean 'lab'?"),
        ("group:empty", "10 of 20 samples have nothing in the column 'empty' (the first is s1)"),
        ("group:y", "would divide by what is learned"),
        ("group:lab:.5/.3/.2", "2 different values of lab cannot be divided into 3 parts"),
        ("group:lab:.5/.5", "are not three"),
        ("group:.8/.1/.1", "names no column"),
        ("time:lab", "holds 'a', which is neither a number nor a date"),
        ("time:flag", "holds True, which is neither a number nor a date"),
        ("time:lab2:5/5/10", "1 different values of lab2 cannot be divided into 3 parts"),
        ("scaffold", "1 different scaffolds cannot be divided into 3 parts"),
    ],
)
def test_what_cannot_be_divided_is_said_in_one_sentence(spec: str, words: str) -> None:
    columns = {"lab": list("aabb"), "empty": ["a", None, "-", "b"], "lab2": [3, 3.0, "3", 3]}
    columns = {header: 5 * column for header, column in columns.items()}
    with pytest.raises(SettingsError) as problem:
        make_split(spec, table(20, flag=[True, *range(19)], **columns))
    assert words in str(problem.value)


def test_data_without_a_table_say_so() -> None:
    with pytest.raises(SettingsError, match="these data have kept none beside their values"):
        make_split("group:lab", table(10))


def test_crystals_and_formulas_have_no_scaffold() -> None:
    data = table(10)
    periodic = replace(data.structures, pbc=np.ones((10, 3), dtype=bool))
    with pytest.raises(SettingsError, match="10 of 10 samples are none"):
        make_split("scaffold", replace(data, structures=periodic))


def test_the_newest_are_tested_and_those_before_them_validate() -> None:
    dates = [f"{1 + i}.{1 + i % 12}.20{10 + i}" for i in range(10)]
    shuffled = np.random.default_rng(0).permutation(10)
    data = table(10, when=[dates[i] for i in shuffled])
    split = make_split("time:when:.6/.2/.2", data)
    assert [shuffled[getattr(split, p)].tolist() for p in PARTS] == [[*range(6)], [6, 7], [8, 9]]
    few = make_split("time:when:3/1/2", data)  # the oldest are left out
    assert [shuffled[getattr(few, p)].tolist() for p in PARTS] == [[4, 5, 6], [7], [8, 9]]
    assert sizes(make_split("time:when:.7/0/.3", data)) == (7, 0, 3)


def test_equal_moments_are_in_one_part() -> None:
    data = table(10, year=[2000] * 5 + [2001] * 4 + [2002])
    with pytest.warns(UserWarning, match="have 5, 4 and 1 samples where 8, 1 and 1 were asked"):
        split = make_split("time:year", data)
    assert cells(data, split, "year") == [{2000}, {2001}, {2002}]


def test_dividing_by_the_target_is_said() -> None:
    with pytest.warns(UserWarning, match="which is what is learned"):
        split = make_split("time:y", table(10))
    assert split.test.tolist() == [9]


@pytest.mark.parametrize(
    "written",
    [
        ["2019-03-27", "2019-04-02", "2020-01-01"],
        ["27.3.2019", "2.4.2019", "1.1.2020"],
        ["03/27/2019", "04/02/2019", "01/01/2020"],
        ["27 Mar 2019", "2 April 2019", "January 1, 2020"],
        ["Mar-2019", "Sept 2019", "2020"],
        ["2019-03-27T23:30:00-02:00", "2019-03-28T01:31:00Z", "2019-03-28 01:32"],
        [date(2019, 3, 27), datetime(2019, 3, 27, 5), "2019-03-28"],
        ["20190327", "20190402", "20200101"],
        ["1,000", "1,000,000", "2,000,000"],
        [9, "10", 11.5],
    ],
)
def test_numbers_and_dates_grow_with_time(written: list[object]) -> None:
    found = read_times(written)
    assert found.problem == ""
    assert np.all(np.diff(found.values) > 0)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (["3/4/2019", "5/6/2019"], "which may begin with the day or with the month"),
        (["13/4/2019", "4/13/2019"], "of which one begins with the day and one with the month"),
        (["27032019", "02042018"], "whose year stands at the end"),
        (["27/3/19"], "neither a number nor a date"),
        (["2019-02-30"], "neither a number nor a date"),
        (["2019-03-27 9:00 AM"], "neither a number nor a date"),
        (["Ma 2019"], "neither a number nor a date"),
    ],
)
def test_dates_that_can_be_read_in_two_ways_are_refused(written: list[object], words: str) -> None:
    assert words in read_times(written).problem


def test_molecules_of_one_scaffold_are_in_one_part_from_a_table_and_packed(tmp_path: Path) -> None:
    rings = {"c1ccccc1": 3, "C1CC1": 2, "c1ccoc1": 2, "": 2}
    rows = [f"{'C' * (i + 1)}{ring}" for ring, n in rings.items() for i in range(n)]
    text = "".join(f"{smiles},{i},{i % 3}\n" for i, smiles in enumerate(rows))
    (tmp_path / "m.csv").write_text(f"smiles,y,batch\n{text}")
    data = load_dataset(tmp_path / "m.csv", "y")
    packed = load_dataset(save_packed(data, tmp_path / "m.npz"))
    bare = replace(data, columns=OtherColumns())  # coordinates alone
    split = divide("scaffold:5/2/2", data, seed=1)
    group = np.repeat(np.arange(4), list(rings.values()))
    assert sizes(split) == (5, 2, 2)
    assert not set(group[split.train]) & set(group[split.test])
    assert "2 of 9 molecules have no ring and count as one scaffold" in split.remarks[0]
    for other in (packed, bare):
        again = divide("scaffold:5/2/2", other, seed=1)
        assert not set(group[again.train]) & {*group[again.test], *group[again.validation]}
    assert packed.columns["batch"] == data.columns["batch"] == [str(i % 3) for i in range(9)]
    by_batch = [make_split("group:batch:3/3/3", one) for one in (data, packed)]
    assert np.array_equal(by_batch[0].test, by_batch[1].test)


def test_a_scaffold_is_rings_and_the_chains_between_them() -> None:
    assert scaffold_of_smiles("CC(=O)Oc1ccc(CCC2CC2)cc1") == "c1ccc(CCC2CC2)cc1"
    assert scaffold_of_smiles("N[C@@H](C1CC1)C(=O)O") == scaffold_of_smiles("OC(=O)C(N)C1CC1")
    assert scaffold_of_smiles("CCO") == ""
    assert scaffold_of_smiles("C1CC") is None
    ring = np.array([[np.cos(a), np.sin(a), 0] for a in np.arange(6) * np.pi / 3]) * 1.4
    ring = np.concatenate([ring, ring[:1] * 2.07])  # a methyl group without its hydrogens
    atoms = Structure(
        np.full(7, 6, np.uint8), ring, np.zeros((3, 3)), np.zeros(3, bool), "t", False
    )
    assert scaffold_of_structure(atoms) == "C1CCCCC1"


def test_a_frame_keeps_its_columns_through_limits_and_missing_dates() -> None:
    frame = pandas.DataFrame({"smiles": ["C", "CC", "CCC", "O"], "y": [1.0, 2.0, None, 4.0]})
    frame["when"] = pandas.to_datetime(["2020-01-03", "2020-01-01", "2020-01-02", None])
    data = load_dataset(frame, "y")
    assert data.columns["when"][:2] == list(frame["when"][:2])
    with pytest.raises(SettingsError, match="1 of 3 samples have nothing in the column 'when'"):
        make_split("time:when:1/1/1", data)
    one = load_dataset(frame.iloc[:3], "y", limit=1)
    assert one.columns["y"] == one.values[:, 0].tolist()


def test_columns_that_do_not_fit_a_packed_file_are_refused(tmp_path: Path) -> None:
    path = save_packed(table(3, lab=list("abc")), tmp_path / "p.npz")
    with np.load(path) as content:
        arrays = dict(content)
    arrays["columns"] = np.frombuffer(b'{"lab": ["a"]}', dtype=np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(DatasetError, match="its columns do not fit its samples"):
        load_dataset(path)


def test_folds_and_their_validation_parts_keep_relatives_together() -> None:
    labs = [f"lab {i % 7}" for i in range(70)]
    data = table(70, lab=labs)
    keys = np.array(labs)
    folds = make_folds(data, 3, by="group:lab", seed=0)
    assert sum(map(len, folds)) == 70
    for k in range(3):
        split = nested_split(folds, k, 0, data.row_numbers, keys)
        train, validation, test = cells(data, split, "lab")
        assert validation
        assert not train & validation
        assert not (train | validation) & test
    one = nested_split([np.arange(10), np.arange(10, 20)], 0, 0, None, np.array(["a"] * 20))
    assert sizes(one) == (9, 1, 10)
    for by, words in (("time:lab", "would learn from the future"), ("magic", "group:COLUMN")):
        with pytest.raises(SettingsError, match=words):
            make_folds(data, 3, by=by)
    with pytest.warns(UserWarning, match="the largest fold has 15 samples and the smallest 5"):
        make_folds(table(20, lab=["a"] * 15 + ["b"] * 5), 2, by="group:lab")
