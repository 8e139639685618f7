import json
from dataclasses import replace

import numpy as np
import pytest

from atomlens.datasets import Dataset, Split, make_split
from atomlens.datasets.split_files import distinct_names
from atomlens.datasets.splits import part_sizes
from atomlens.elements import ATOMIC_NUMBERS
from atomlens.errors import DatasetError, SettingsError
from atomlens.structures.arrays import Structure, StructureArrays
from atomlens.targets import Target


def dataset(n: int, formulas: list[str] | None = None, values=None, targets=None) -> Dataset:
    symbols = formulas or ["H"] * n
    structures = [
        Structure(
            np.array([ATOMIC_NUMBERS[s] for s in text.split()], dtype=np.uint8),
            np.zeros((len(text.split()), 3)),
            np.zeros((3, 3)),
            np.zeros(3, dtype=bool),
            f"s{i}",
            True,
        )
        for i, text in enumerate(symbols)
    ]
    column = np.arange(n, dtype=float) if values is None else np.asarray(values, dtype=float)
    return Dataset(
        name="made",
        structures=StructureArrays.from_structures(structures),
        targets=targets or (Target(name="y"),),
        values=column[:, None],
    )


def sizes(split: Split) -> tuple[int, int, int]:
    return len(split.train), len(split.validation), len(split.test)


def together(split: Split) -> list[int]:
    return sorted(np.concatenate([split.train, split.validation, split.test]).tolist())


@pytest.mark.parametrize(
    ("text", "n", "expected"),
    [
        (".8/.1/.1", 100, (80, 10, 10)),
        (".8/.1/.1", 130831, (104665, 13083, 13083)),
        (".8/.1/.1", 13, (11, 1, 1)),
        ("110000/rest/10000", 130831, (110000, 10831, 10000)),
        ("rest/3/4", 10, (3, 3, 4)),
        ("5/2/1", 10, (5, 2, 1)),
        (".5/.25/rest", 10, (5, 2, 3)),
        (".5/.1/.1", 10, (5, 1, 1)),
        ("4/0/4", 10, (4, 0, 4)),
    ],
)
def test_sizes_are_exact(text, n, expected):
    assert part_sizes(text, n) == expected


@pytest.mark.parametrize("word", ["random", "stratified"])
def test_parts_are_disjoint_and_as_large_as_asked(word):
    split = make_split(f"{word}:50/20/25", dataset(100), seed=3)
    assert sizes(split) == (50, 20, 25)
    assert len(set(together(split))) == 95


@pytest.mark.parametrize("word", ["random", "stratified", "composition"])
def test_one_seed_gives_one_split_and_another_seed_another(word):
    data = dataset(60, ["O " * (i % 12 + 1) + "H" for i in range(60)])
    first, again, other = (make_split(f"{word}:.6/.2/.2", data, seed=s) for s in (0, 0, 1))
    assert np.array_equal(first.train, again.train)
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.train, other.train)


def test_the_rest_after_training_and_test_is_validation():
    order = np.random.default_rng(7).permutation(20)
    split = make_split("random:10/rest/4", dataset(20), seed=7)
    assert np.array_equal(split.train, order[:10])
    assert np.array_equal(split.test, order[10:14])
    assert np.array_equal(split.validation, order[14:])


def test_stratified_parts_have_the_same_quantiles():
    values = np.random.default_rng(0).gamma(1.0, size=400)
    split = make_split("stratified:.5/.25/.25", dataset(400, values=values), seed=0)
    decile = np.argsort(np.argsort(values)) // 40
    for part in (split.train, split.validation, split.test):
        shares = np.bincount(decile[part], minlength=10)
        assert shares == pytest.approx(np.full(10, len(part) / 10), abs=1.01)


def test_stratified_parts_keep_the_share_of_a_rare_class():
    values = [1.0] * 10 + [0.0] * 90
    target = (Target(name="c", kind="classification", classes=("no", "yes")),)
    split = make_split("stratified:.8/.1/.1", dataset(100, values=values, targets=target), seed=5)
    column = np.array(values)
    assert column[split.train].sum() == 8
    assert column[split.validation].sum() == 1
    assert column[split.test].sum() == 1


def test_no_reduced_formula_is_on_both_sides():
    formulas = ["Na Cl", "Na Na Cl Cl", "H H O", "O O H H H H", "Fe", "Fe Fe", "C O", "O C"] * 5
    split = make_split("composition:.5/.25/.25", dataset(40, formulas), seed=2)
    kind = np.arange(40) % 8 // 2
    parts = [set(kind[p].tolist()) for p in (split.train, split.validation, split.test)]
    assert all(parts)
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert together(split) == list(range(40))


def test_composition_parts_are_near_the_sizes_asked_for():
    formulas = ["C " * (i % 40 + 1) + "H" for i in range(400)]
    split = make_split("composition:.8/.1/.1", dataset(400, formulas), seed=0)
    assert sizes(split) == pytest.approx((320, 40, 40), abs=20)


def test_too_few_formulas_are_an_error():
    with pytest.raises(SettingsError, match="1 different formulas"):
        make_split("composition:.5/.25/.25", dataset(8), seed=0)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("random:.8/.2/.2", "more than 1"),
        ("random:.8/.2", "not three"),
        ("random:20/20/20", "20 more than the 40"),
        ("random:rest/rest/.1", "more than once"),
        ("random:a/b/c", "neither a fraction"),
        ("random:-1/1/1", "neither a fraction"),
        ("random:1.5/.1/.1", "neither a fraction"),
        ("random:nan/.1/.1", "neither a fraction"),
        ("random:0/20/20", "none for training"),
        ("random:.98/.01/.01", "leaves none for test"),
        ("randon:.8/.1/.1", "Did you mean 'random'"),
        ("source", "no split of its own"),
        ("fold:0", "needs a column 'fold'"),
        ("missing.json", "does not exist"),
    ],
)
def test_impossible_splits_say_why(spec, words):
    with pytest.raises(SettingsError, match=words):
        make_split(spec, dataset(40))


def test_a_sample_in_two_parts_is_an_error():
    with pytest.raises(DatasetError, match="number 2"):
        Split(train=np.array([1, 2]), validation=np.array([2]), test=np.array([3]))


def test_a_split_comes_back_from_json_even_with_equal_names(tmp_path):
    names = ["a", "b", "a", "a#2", "c", "a"]
    split = Split(train=np.array([5, 0, 3]), validation=np.array([2]), test=np.array([1]))
    split.to_json(tmp_path / "split.json", names)
    again = Split.from_json(tmp_path / "split.json", names)
    for part in ("train", "validation", "test"):
        assert np.array_equal(getattr(again, part), getattr(split, part))


def test_distinct_names_are_distinct():
    names = ["a", "a", "a#2", "a", "b"]
    labels = distinct_names(names)
    assert len(set(labels)) == 5
    assert labels[0] == "a"
    assert labels[2] == "a#2"


def test_a_split_file_may_hold_numbers_and_other_words(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"Training": [0, "s1"], "val": ["s3"], "test": []}))
    split = make_split(str(path), dataset(5))
    assert sizes(split) == (2, 1, 0)
    assert split.validation.tolist() == [3]


def test_a_split_may_be_a_table(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("name,split\ns0,train\ns2,test\ns1,valid\n")
    split = make_split(str(path), dataset(3))
    assert (split.train.tolist(), split.validation.tolist(), split.test.tolist()) == ([0], [1], [2])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{", "cannot be read"),
        ("a.json", "[1, 2]", "looks like"),
        ("a.json", '{"trains": []}', "Did you mean 'train'"),
        ("a.json", '{"train": ["nobody"]}', "no such sample"),
        ("a.json", '{"train": [99]}', "no such sample"),
        ("a.json", '{"test": ["s0"]}', "no training part"),
        ("a.csv", "name,part\ns0,train\n", "columns 'name' and 'split'"),
        ("a.csv", "name,split\ns0,tranin\n", "Did you mean 'train'"),
    ],
)
def test_damaged_split_files_say_why(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DatasetError, match=words) as caught:
        make_split(str(path), dataset(3))
    assert str(path) in str(caught.value)


def test_the_split_of_the_source_gets_a_validation_part():
    parts = {"train": np.arange(20), "test": np.arange(20, 25)}
    data = dataset(25)
    own = Dataset(
        name="own",
        structures=data.structures,
        targets=data.targets,
        values=data.values,
        splits=parts,
    )
    split = make_split("source", own, seed=1)
    assert sizes(split) == (18, 2, 5)
    assert together(split) == list(range(25))


def folded(n: int) -> Dataset:
    folds = {f"fold {k}": np.arange(k, n, 3) for k in range(3)}
    return replace(dataset(n), splits=folds)


def test_a_fold_is_the_test_part_and_a_tenth_of_the_others_validates():
    split = make_split("fold:1", folded(33), seed=0)
    assert sizes(split) == (20, 2, 11)
    assert sorted(split.test.tolist()) == list(range(1, 33, 3))
    assert together(split) == list(range(33))


def test_a_fold_that_is_not_there_offers_those_that_are():
    with pytest.raises(SettingsError, match=r"no fold '7'.*Known: 0, 1, 2"):
        make_split("fold:7", folded(33))


def test_a_named_fold_validates():
    split = make_split("fold:1/2", folded(33))
    assert sorted(split.test.tolist()) == list(range(1, 33, 3))
    assert sorted(split.validation.tolist()) == list(range(2, 33, 3))
    assert sorted(split.train.tolist()) == list(range(0, 33, 3))


@pytest.mark.parametrize(("fold", "words"), [("1/1", "on one fold"), ("1/7", "no fold '7'")])
def test_a_fold_that_cannot_validate_is_refused(fold, words):
    with pytest.raises(SettingsError, match=words):
        make_split(f"fold:{fold}", folded(33))


def test_folds_of_whole_formulas_validate_on_whole_formulas():
    """Thirty formulas, four samples each; fold k has every third formula."""
    symbols = list(ATOMIC_NUMBERS)[1:31]
    data = dataset(120, formulas=[symbols[i // 4] for i in range(120)])
    folds = {f"fold {k}": np.flatnonzero(np.arange(120) // 4 % 3 == k) for k in range(3)}
    for parts, spec in ((folds, "fold:0"), ({"train": folds["fold 1"]}, "source")):
        split = make_split(spec, replace(data, splits=parts), seed=3)
        of_train, of_validation = set(split.train // 4), set(split.validation // 4)
        if spec == "fold:0":
            assert len(split.validation) == 8  # a tenth of 80, in fours
            assert not of_train & of_validation
    mixed = {f"fold {k}": np.arange(k, 120, 3) for k in range(3)}  # relatives in every fold
    split = make_split("fold:0", replace(data, splits=mixed), seed=3)
    assert set(split.train // 4) & set(split.validation // 4)


def test_elements_are_held_out_in_groups():
    rare = ["Li", "Na", "K", "Rb", "Cs", "Mg"]
    data = dataset(120, formulas=[f"O {rare[i // 2 % 6]}" if i % 2 else "O H" for i in range(120)])
    tested: list[int] = []
    for k in range(3):
        split = make_split(f"elements:{k}/3", data)
        assert together(split) == list(range(120))
        elements = [
            {z for i in rows.tolist() for z in data.structures[i].atomic_numbers.tolist()} - {1, 8}
            for rows in (split.train, split.validation, split.test)
        ]
        assert elements[2]
        assert not elements[0] & elements[2]
        assert not elements[1] & elements[2]
        assert not elements[0] & elements[1]
        tested += split.test.tolist()
    assert len(tested) == len(set(tested)) == 60  # every rare element once


@pytest.mark.parametrize("text", ["", "5", "0/2", "3/3", "-1/3", "a/b"])
def test_groups_of_elements_that_are_none_are_refused(text):
    with pytest.raises(SettingsError, match=r"elements:0/5"):
        make_split(f"elements:{text}", dataset(30))


def test_too_few_rare_elements_are_refused():
    with pytest.raises(SettingsError, match="0 elements are in at most a tenth"):
        make_split("elements:0/5", dataset(30))


def test_a_cross_validation_of_one_fold_has_nothing_to_train_on():
    alone = replace(dataset(5), splits={"fold 0": np.arange(5)})
    with pytest.raises(SettingsError, match="none to train on"):
        make_split("fold:0", alone)


def named(path, content: dict, names) -> tuple[list[int], list[int]]:
    path.write_text(json.dumps(content))
    split = Split.from_json(path, names)
    return split.train.tolist(), split.test.tolist()


def test_numbers_that_are_names_are_names(tmp_path):
    names = [str(i) for i in range(1, 7)]
    parts = {"train": [1, 2, 3], "test": [5, 6]}
    assert named(tmp_path / "s.json", parts, names) == ([0, 1, 2], [4, 5])
    others = ["a", "b", "c", "d", "e", "f", "g"]
    assert named(tmp_path / "s.json", parts, others) == ([1, 2, 3], [5, 6])
    with pytest.raises(DatasetError, match="are names of samples"):
        named(tmp_path / "s.json", {"train": [0, 1], "test": [2]}, names)


def test_a_name_of_several_samples_means_all_of_them(tmp_path):
    names = ["a", "b", "a", "c", "a"]
    assert named(tmp_path / "s.json", {"train": ["a"], "test": ["b"]}, names) == ([0, 2, 4], [1])
    told = {"train": ["a", "a#3"], "test": ["a#2", "c"]}
    assert named(tmp_path / "s.json", told, names) == ([0, 4], [2, 3])
    with pytest.raises(DatasetError, match="3 samples are called 'a'"):
        named(tmp_path / "s.json", {"train": ["a", "b"], "test": ["a"]}, names)


def test_counts_that_may_be_shares_are_told_and_one_sample_is_refused():
    with pytest.raises(SettingsError, match=r"takes one sample; write 1\.0/0\.0/0\.0"):
        part_sizes("1/0/0", 50)
    with pytest.warns(UserWarning, match=r"'80/10/10' takes 100 of 500 .* write 0\.8/0\.1/0\.1"):
        assert part_sizes("80/10/10", 500) == (80, 10, 10)
    assert part_sizes("80/10/10", 100) == (80, 10, 10)
    assert part_sizes("1/0/0", 1) == (1, 0, 0)
    assert part_sizes("300/30/30", 500) == (300, 30, 30)
