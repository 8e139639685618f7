"""The grammar of CIF 1.1, and the two habits of careless programs that are understood."""

import random

import pytest

from atomlens.errors import StructureError
from atomlens.structures.cif.tags import Tags, _one_quoted, _words, read_tags


def tags_of(text: str) -> Tags:
    ((_, tags),) = read_tags("data_x\n" + text)
    return tags


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5.64(1)", "5.64(1)"),
        ("'F m -3 m'", "F m -3 m"),
        ('"a dog\'s life"', "a dog's life"),
        ("'a dog's life'", "a dog's life"),
        ("\n;first line\nsecond line\n;", "first line\nsecond line"),
        ("\n 7  # a comment", "7"),
        ("'_not_a_tag'", "_not_a_tag"),
        ("C#1", "C#1"),
        ("''", ""),
        ("P 21 21 21", "P 21 21 21"),
    ],
)
def test_a_value_is_read_as_it_is_meant(written: str, value: str) -> None:
    assert tags_of(f"_a {written}\n_b 1\n") == {"_a": value, "_b": "1"}


def test_a_loop_may_be_laid_out_in_any_way() -> None:
    expected = {"_a": ["1", "3"], "_b": ["x y", "z"]}
    for text in (
        "loop_\n_a\n_b\n1 'x y'\n3 z\n",
        "loop_ _a _b 1 'x y' 3 z\n",
        "loop_\n_a\n_b\n1\n'x y' 3\n\n# comment\nz\n",
        "LOOP_\n_A\n_B\n1\n;x y\n;\n3 z\nloop_\n_c\n",
    ):
        assert tags_of(text) == expected


def test_operations_may_stand_without_quotes() -> None:
    text = "loop_\n_id\n_symmetry_equiv_pos_as_xyz\n1 x, y, z\n2 -x, -y, z+1/2\n"
    assert tags_of(text)["_symmetry_equiv_pos_as_xyz"] == ["x, y, z", "-x, -y, z+1/2"]


def test_several_tags_may_share_a_line() -> None:
    assert tags_of("_a 1 _b 'x' _c 3\n") == {"_a": "1", "_b": "x", "_c": "3"}


def test_blocks_are_kept_apart_even_with_one_name() -> None:
    blocks = read_tags("_a 0\ndata_x\n_a 1\ndata_x\n_a 2\n")
    assert blocks == [("", {"_a": "0"}), ("x", {"_a": "1"}), ("x", {"_a": "2"})]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("_a\n_b 1\n", ["line 3", "_a has no value"]),
        ("_a\n", ["breaks off after _a"]),
        ("_a\n;text\nwithout end\n", ["line 3", "no end"]),
        ("_a 1\nstray\n", ["line 3", "'stray'"]),
        ("loop_\n_atom_site_label\n_atom_site_fract_x\nC1 0.5 C2\n", ["line 5", "3 values"]),
    ],
)
def test_what_breaks_the_rules_is_told_with_its_line(text: str, words: list[str]) -> None:
    with pytest.raises(StructureError) as caught:
        tags_of(text)
    for word in words:
        assert word in str(caught.value)


def test_a_cut_loop_of_something_else_does_no_harm() -> None:
    assert tags_of("_a 1\nloop_\n_geom_bond\n_geom_length\nC1 1.5 C2\n") == {"_a": "1"}


def test_the_quick_way_through_a_line_is_the_slow_one() -> None:
    draw = random.Random(3)
    pieces = ["'", "'", " ", " ", "\t", "a", "b'c", '"', "#", "_t", "1", "\u00a0", "x, y"]
    taken = 0
    for _ in range(4000):
        line = "".join(draw.choices(pieces, k=draw.randrange(1, 10)))
        quick, slow = _one_quoted(line), _words(line)
        if quick:
            taken += 1
            assert quick == slow, line
            assert [type(word) for word in quick] == [type(word) for word in slow], line
    assert taken > 50


def test_a_tag_and_its_value_in_one_line_are_what_they_are_in_two() -> None:
    for one in (
        "_a 1\n_b 2\n",
        "loop_\n_a 1\n2\n_b 2\n",
        "_a '_b'\n_b 2\n",
        "loop_ _a\n_b 1\n2 3\n",
    ):
        assert read_tags(one) == read_tags(one.replace(" ", "\n"))
    with pytest.raises(StructureError, match="_a has no value"):
        read_tags("_a\n_b 1\n")
