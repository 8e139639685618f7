"""What a column of a table may mean beside what it seems to: units, bounds, gaps, classes."""

import warnings

import numpy as np
import pytest

from atomlens.datasets.tables.columns import TargetOptions, target_columns
from atomlens.datasets.tables.headers import known_headers, parse_header
from atomlens.errors import DatasetError

ORDINARY = np.round(np.random.default_rng(3).normal(5, 2, 60), 2).tolist()
POSITIVE = np.round(np.random.default_rng(4).uniform(0.1, 9, 60), 3).tolist()


def said(values, header="y", **others):
    """Return the target's columns, and what was warned of them."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        made = target_columns({header: values, **others}, [header], TargetOptions(), "t.csv")
    return made, [str(w.message) for w in heard]


@pytest.mark.parametrize(
    ("header", "name", "unit"),
    [
        ("IC50_nM", "IC50", "nM"),
        ("width_nm", "width", "nm"),
        ("Q_MeV", "Q", "MeV"),
        ("shift_meV", "shift", "meV"),
        ("GAP_EV", "GAP", "eV"),
        ("K_GPA", "K", "GPa"),
        ("dH_Kcal_Mol", "dH", "kcal/mol"),
        ("pKa_HA", "pKa_HA", ""),
        ("E_Ha", "E", "Ha"),
        ("retention time (min)", "retention time", "min"),
        ("t1/2 (h)", "t1/2", "h"),
        ("conductance (S)", "conductance", "S"),
        ("m.p. (C)", "m.p.", "C"),
        ("Tg (C)", "Tg", "C"),
        ("t_R (min)", "t_R", "min"),
        ("tR (min)", "tR", "min"),
        ("bp (C)", "bp", "C"),
        ("Lifetime (s)", "Lifetime", "s"),
        ("B (T)", "B", "T"),
        ("dose (g)", "dose", "g"),
        ("dipole (D)", "dipole", "D"),
        ("rate (1/min)", "rate", "1/min"),
        ("T (℃)", "T", "℃"),
        *(
            (f"{name} ({unit})", name, unit)
            for unit, names in {
                "s": "τ, T1, T2*, T_2, T2 relaxation, Spin relaxation, decay, PL decay",
                "min": "Rt, R_t time, dwell",
                "C": "glass transition, Melting, Melting range, Tdec, Tmax, Tg, Curie",
                "T": "Br, Bmax, B_max, Hirr",
                "m": "lattice constant, Lattice parameter",
            }.items()
            for name in names.split(", ")
        ),
    ],
)
def test_a_unit_is_read_in_the_letters_that_it_is_written_with(header, name, unit):
    assert parse_header(header) == (name, unit)


@pytest.mark.parametrize(
    "header",
    (
        "ee (S), ee (R), activity (min), activity [max], dHf (g), dHf (l), gap (T), shift (C), "
        "shift (F), logP (exp), spacing (a), charge (N), E (S), dS (s), toxicity (min), "
        "Total (C), melting (s), T1 (S), T2 (g), transition dipole (C), T10 (s), phase (s), "
        "decomposition energy (C), Ba (T), Hf (T), Tb (s), agent (s), "
        "mutations (T), net (e), mpg (C), tests (h)"
    ).split(", "),
)
def test_what_says_which_of_several_values_a_column_has_is_no_unit(header):
    assert parse_header(header) == (header, "")


@pytest.mark.parametrize("header", ["ki_nm", "L_NM", "Q_MEV", "Q_Mev", "e_ha", "EC50_nm"])
def test_a_unit_that_case_does_not_tell_is_left_and_said(header):
    made, (warning,) = said(ORDINARY, header)
    assert (made.targets[0].name, made.targets[0].unit) == (header, "")
    assert f"{header!r} may end in the unit" in warning
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        options = TargetOptions(units={header: "nM"})
        (target,) = target_columns({header: ORDINARY}, [header], options, "t").targets
    assert target.unit == "nM"


def test_bounds_are_counted_and_said_beside_the_rows_that_they_cost():
    cells = [">10" if i % 4 == 0 else v for i, v in enumerate(ORDINARY)]
    made, (warning,) = said(cells)
    assert len(made.problems) == 15
    assert "15 of 60 values of 'y' are bounds such as '>10'" in warning


@pytest.mark.parametrize("odd", [">10", "≤ 0.5", "~7", "1e-3 M", "20 nM", "3-4"])
def test_bounds_and_units_in_most_cells_do_not_make_classes_of_the_numbers_beside_them(odd):
    cells = [odd if i % 10 < 7 else round(v, 0) for i, v in enumerate(ORDINARY)]
    with pytest.raises(DatasetError, match=r"42 of 60 cells of the column 'y'"):
        said(cells)


def test_words_beside_numbers_with_decimals_are_no_classes():
    cells = ["inactive" if i % 10 < 7 else v for i, v in enumerate(ORDINARY)]
    with pytest.raises(DatasetError, match=r"'inactive' and the like in 42 of 60 cells"):
        said(cells)
    made, _ = said(["unknown"] * 40 + [1, 2] * 10)
    assert made.targets[0].classes == ("1", "2", "unknown")


@pytest.mark.parametrize("texts", [["1D", "2D"], ["1T", "2H"], ["4/m", "2/m"], ["4mm", "6mm"]])
def test_names_with_digits_are_no_quantities(texts):
    made, warned = said(texts * 20)
    assert made.targets[0].classes == tuple(sorted(texts))
    assert warned == []


@pytest.mark.parametrize("texts", [["1e-3 M", "1e-4 M"], ["10nM", "20nM"], ["24 h", "48 h"]])
def test_quantities_with_units_are_no_classes(texts):
    with pytest.raises(DatasetError, match="with the unit in the header"):
        said(texts * 20)


@pytest.mark.parametrize("sign", [-888, 1e10, 2147483647, -32768, 255])
def test_a_number_far_from_all_others_that_repeats_is_said(sign):
    made, (warning,) = said([sign, *ORDINARY, sign])
    assert f"2 values of 'y' are {sign:.10g}, far outside of all others" in warning
    assert made.values[0, 0] == sign


def test_a_limit_of_integers_is_said_once_is_enough():
    _, (warning,) = said([*ORDINARY, -2147483648])
    assert "1 value of 'y' is -2147483648" in warning


def test_a_value_alone_far_from_all_others_is_said_with_its_row():
    odd = [*ORDINARY[:10], 1000 * max(ORDINARY), *ORDINARY[10:]]
    made, (warning,) = said(odd)
    assert f"'y' is {odd[10]:.6g} (row 11), and between" in warning
    assert made.values[10, 0] == odd[10]
    _, (warning,) = said([*ORDINARY, *ORDINARY[:50], 7e5, -8e5])
    assert "-800000 (row 112)" in warning
    assert "700000 (row 111)" in warning
    decades = np.random.default_rng(3).lognormal(0, 2, 400).tolist()
    for fine in ([*ORDINARY, 10 * max(ORDINARY)], decades, [0.0] * 40 + [5.0]):
        assert not any("(row" in text for text in said(fine)[1])


def test_minus_one_among_positive_numbers_is_said():
    _, (warning,) = said([*POSITIVE, -1, -1])
    assert "2 values of 'y' are -1, and no other is below zero" in warning


def test_zeros_far_below_all_others_are_said():
    potencies = np.random.default_rng(7).uniform(4, 9, 60).tolist()
    _, (warning,) = said([*potencies, 0, 0, 0])
    assert "3 values of 'y' are 0, and no other is below 4.0" in warning
    assert said([*potencies, 0])[1] == []
    for smallest, largest in ((0.5, 9), (2, 8), (25, 95)):
        assert said([*np.linspace(smallest, largest, 60), 0, 0])[1] == []
    for name in ("band_gap", "ee", "yield", "inhibition"):
        assert said([*np.linspace(50, 99, 60), 0, 0], name)[1] == []


@pytest.mark.parametrize(
    "values",
    [
        ORDINARY,
        POSITIVE,
        [*POSITIVE, -1, -2.5],
        [*np.linspace(0, 300, 60), -78, -78],
        [*np.linspace(0.5, 9, 60), 100, 100],
        [*POSITIVE, -0.31, -0.31],
        [-1, 0, 1] * 20 + [2] * 3 + [3, 4],
        [*ORDINARY, 60],
        np.exp(np.random.default_rng(5).normal(0, 2, 90)).tolist(),
        [0.0] * 30 + POSITIVE,
        [*np.linspace(1, 9, 50), *[100.0] * 2, 70, 40, 20],
    ],
)
def test_ordinary_columns_are_not_doubted(values):
    assert said(values)[1] == []


def test_values_over_many_decades_are_advised_a_logarithm():
    values = (10 ** np.random.default_rng(6).uniform(-4, 4, 50)).tolist()
    _, (warning,) = said(values)
    assert "logarithms may be learned better" in warning
    _, (warning,) = said([*values, 0.0])
    assert "span 8 decades" in warning
    assert said([*values, -1.5])[1] == []
    gases = [*np.linspace(1, 20, 90), *np.geomspace(1e-4, 0.5, 10)]
    assert said(gases)[1] == []


def test_classes_that_differ_in_letters_of_no_meaning_are_told_by_their_group():
    _, (warning,) = said(["Stable", "stable ", "unstable", "Unstable", "a b"] * 8)
    assert "'Stable' and 'stable' are two classes of 'y' (and 1 more such groups)" in warning
    for one, other in (("a b", "a  b"), ("p-type", "p type"), ("é", "e\u0301")):
        assert "are two classes" in said([one, other, "c"] * 8)[1][0]
    assert said(["n-type", "p-type", "A1", "A2"] * 8)[1] == []


@pytest.mark.parametrize(("zero", "one"), [("off", "on"), ("Inactive", "Active"), ("fail", "pass")])
def test_other_words_for_one_and_zero_beside_them_are_the_same_classes(zero, one):
    made, (warning,) = said([zero, "0", one, "1"] * 10)
    assert set(made.targets[0].classes) == {zero, one}
    first, second, third, fourth = made.values[:4, 0]
    assert first == second != third == fourth
    assert made.problems == {}
    assert f"0 as {zero} and 1 as {one} is taken" in warning


def test_a_column_of_relations_and_one_of_units_belong_to_the_values_beside_them():
    others = {"Standard Relation": ["'='"] * 50 + ["'>'"] * 10, "Standard Units": ["nM"] * 60}
    made, (warning,) = said(ORDINARY, "Standard Value", **others)
    assert made.targets[0].unit == "nM"
    assert "10 values of 'Standard Value' of 60 are bounds (>)" in warning
    assert said(ORDINARY, relation=["="] * 60)[1] == []
    assert said(ORDINARY, relation=["son"] * 60)[1] == []
    mixed = {"standard_units": ["nM"] * 30 + ["ug.mL-1"] * 30}
    with pytest.raises(DatasetError, match="convert the values into one unit"):
        said(ORDINARY, "standard_value", **mixed)


def test_known_classes_are_found_in_letters_of_any_case():
    options = TargetOptions(classes={"y": ("No", "Yes")})
    for words in (("NO", "yes"), ("0", "1"), ("no", "YES")):
        made = target_columns({"y": list(words)}, ["y"], options, "t.csv")
        assert made.values[:, 0].tolist() == [0, 1]
        assert made.problems == {}
    made = target_columns({"y": ["inactive", "Yes"]}, ["y"], options, "t.csv")
    assert list(made.problems) == [0]
    two = TargetOptions(classes={"y": ("a", "A", "b")})
    made = target_columns({"y": ["A", "a", "B"]}, ["y"], two, "t.csv")
    assert made.values[:, 0].tolist() == [1, 0, 2]


def test_a_unit_beside_the_header_may_be_spelled_otherwise():
    made, warned = said(ORDINARY, "gap (eV)", gap_unit=["ev"] * 60)
    assert made.targets[0].unit == "eV"
    assert warned == []


def test_values_of_several_kinds_are_said():
    _, (warning,) = said(ORDINARY, "Standard Value", **{"Standard Type": ["IC50", "Ki", "Ki"] * 20})
    assert "holds Ki (40) and IC50 (20), which are taken as one" in warning
    assert said(ORDINARY, "Standard Value", **{"Standard Type": ["Ki"] * 60})[1] == []


def test_formulas_are_found_as_databases_head_them():
    assert known_headers(["material_id", "formula_pretty"])["formula"] == "formula_pretty"
    assert known_headers(["Chemical formula", "gap"])["formula"] == "Chemical formula"
    for beside in ("smiles", "composition", "Canonical SMILES"):
        assert "formula" not in known_headers([beside, "formula_pretty"])


@pytest.mark.parametrize(
    "cell", ["1.5 E-3", "1.5 e3", "10^-3", "1.5 × 10³", "0x1F", "298 K: 5.2", "1_000"]
)
def test_no_part_of_a_number_is_advised_for_the_whole(cell):
    assert "number alone" not in said([cell, *ORDINARY])[0].problems[0]


def test_the_number_in_front_of_a_unit_is_advised():
    assert "write the number alone: 1e-3" in said(["1e-3 M", *ORDINARY])[0].problems[0]
