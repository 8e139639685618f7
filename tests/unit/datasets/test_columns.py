import numpy as np
import pytest

from atomlens.datasets.tables.columns import TargetOptions, target_columns
from atomlens.datasets.tables.headers import parse_header
from atomlens.errors import DatasetError


def columns(wanted=(), options=None, **values):
    return target_columns(values, wanted, options or TargetOptions(), "t.csv")


@pytest.mark.parametrize(
    ("header", "name", "unit"),
    [
        ("homo", "homo", ""),
        ("homo [eV]", "homo", "eV"),
        ("homo[eV]", "homo", "eV"),
        ("homo (eV)", "homo", "eV"),
        ("homo(eV)", "homo", "eV"),
        (" bulk modulus  (GPa) ", "bulk modulus", "GPa"),
        ("cv [cal/(mol K)]", "cv", "cal/(mol K)"),
        ("log10(K_VRH)", "log10(K_VRH)", ""),
        ("log10(K_VRH) [GPa]", "log10(K_VRH)", "GPa"),
        ("[eV]", "[eV]", ""),
        ("gap(kJ/mol)", "gap", "kJ/mol"),
        ("gap (DFT) (eV)", "gap (DFT)", "eV"),
        ("gap (DFT)(eV)", "gap (DFT)", "eV"),
        ("gap (eV) (DFT)", "gap (DFT)", "eV"),
        ("gap [eV] (DFT)", "gap (DFT)", "eV"),
        ("Cp (298 K) (J/(mol K))", "Cp (298 K)", "J/(mol K)"),
        ("E (eV) (per atom)", "E", "eV per atom"),
        ("logP (exp) (HPLC)", "logP (exp) (HPLC)", ""),
        ("activity (min) (S)", "activity (min) (S)", ""),
        ("U0 / Ha", "U0", "Ha"),
        ("E / eV", "E", "eV"),
        ("E/eV", "E", "eV"),
        ("E / (eV/atom)", "E", "eV/atom"),
        ("E (eV/atom)", "E", "eV/atom"),
        ("hull / eV/atom", "hull", "eV/atom"),
        ("T / K", "T", "K"),
        ("gap, eV", "gap", "eV"),
        ("gap,meV", "gap", "meV"),
        ("mu, D", "mu", "D"),
        ("gap_eV", "gap", "eV"),
        ("band_gap_ev", "band_gap", "eV"),
        ("e_form_eV_per_atom", "e_form", "eV/atom"),
        ("dH_kJ_mol", "dH", "kJ/mol"),
        ("K_VRH_GPa", "K_VRH", "GPa"),
        ("nu_cm-1", "nu", "cm-1"),
        ("K_VRH", "K_VRH", ""),
        ("gap_K", "gap_K", ""),
        ("Na/K", "Na/K", ""),
        ("eV/atom", "eV/atom", ""),
        ("kJ/mol", "kJ/mol", ""),
        ("_eV", "_eV", ""),
        ("mean, std", "mean, std", ""),
    ],
)
def test_a_header_may_carry_a_unit(header, name, unit):
    assert parse_header(header) == (name, unit)


def test_numbers_are_regression_and_missing_ones_unknown():
    made = columns(y=["1.5", "", "nan", None, "-2e3", "N/A"])
    assert made.targets[0].kind == "regression"
    assert np.array_equal(made.values[:, 0], [1.5, *[np.nan] * 3, -2000.0, np.nan], equal_nan=True)
    assert made.problems == {}


@pytest.mark.parametrize("bad", ["abc", "1,2,5", "1_000", "inf", "-inf", "12 eV", "1e300"])
def test_a_value_that_is_no_number_is_a_problem_of_its_row(bad):
    made = columns(y=["1", "2", bad, "4"])
    assert list(made.problems) == [2]
    assert repr(bad) in made.problems[2]
    assert made.targets[0].kind == "regression"


def test_few_texts_that_repeat_are_classes():
    made = columns(y=["metal", "insulator", "metal", "", "insulator", "metal"])
    assert made.targets[0].classes == ("insulator", "metal")
    assert np.array_equal(made.values[:, 0], [1, 0, 1, np.nan, 0, 1], equal_nan=True)


@pytest.mark.parametrize(
    "values", [[True, False, True], ["True", "False", "true"], ["TRUE", "false", "True"]]
)
def test_true_and_false_are_classes(values):
    made = columns(y=values)
    assert made.targets[0].classes == ("False", "True")
    assert made.values[:, 0].tolist() == [1, 0, 1]


def test_class_numbers_are_classes_if_the_user_says_so():
    values = ["10", "2", "2.0", 10]
    assert columns(y=values).targets[0].kind == "regression"
    made = columns(options=TargetOptions(kinds={"y": "classification"}), y=values)
    assert made.targets[0].classes == ("2", "10")
    assert made.values[:, 0].tolist() == [1, 0, 0, 1]


def test_comments_are_no_target():
    texts = [f"remark {i}" for i in range(6)]
    made = columns(y=range(6), comment=texts, constant=["same"] * 6, lists=[[1]] * 6)
    assert [t.name for t in made.targets] == ["y"]
    with pytest.raises(DatasetError, match="6 different texts"):
        columns(["comment"], y=range(6), comment=texts)


def test_a_column_without_values_is_an_error_if_asked_for():
    with pytest.raises(DatasetError, match="no values to learn"):
        columns(["y"], y=["", None, "nan"])


def test_a_wanted_target_is_found_by_name_header_or_other_case():
    for wanted in ("homo", "homo [eV]", "HOMO"):
        made = target_columns({"homo [eV]": [1.0], "x": [2.0]}, [wanted], TargetOptions(), "t")
        assert made.targets[0].name == "homo"
        assert made.targets[0].unit == "eV"


def test_a_missing_target_names_the_nearest():
    with pytest.raises(DatasetError, match=r"t\.csv: .*'hommo'.*Did you mean 'homo'"):
        target_columns({"homo [eV]": [1.0], "x": [2.0]}, ["hommo"], TargetOptions(), "t.csv")


def test_wanted_targets_keep_their_order():
    made = columns(["b", "a"], a=[1.0], b=[2.0])
    assert [t.name for t in made.targets] == ["b", "a"]
    assert made.values.tolist() == [[2.0, 1.0]]


def test_options_say_what_headers_cannot():
    options = TargetOptions(units={"e": "eV"}, extensive=["e"], nonnegative=["g"])
    made = columns(options=options, e=[1.0], g=[2.0])
    energy, gap = made.targets
    assert energy.unit == "eV"
    assert energy.extensive
    assert gap.nonnegative
    assert not gap.extensive


def test_an_option_about_no_target_is_an_error():
    with pytest.raises(DatasetError, match="Did you mean 'energy'"):
        columns(options=TargetOptions(extensive=["energi"]), energy=[1.0])


def test_no_target_at_all_is_an_error():
    with pytest.raises(DatasetError, match="holds 3 different texts"):
        columns(note=["a", "b", "c"])


def test_decimal_commas_are_numbers():
    made = columns(y=["0,25", "2,75", "", "-3", "2,75"] * 4)
    assert made.targets[0].kind == "regression"
    assert made.values[:5, 0].tolist()[:2] == [0.25, 2.75]
    assert made.problems == {}


@pytest.mark.parametrize("cells", [["1,234", "2,345"], ["2,75", "1.5"], ["1,500.5", "2,7"]])
def test_numbers_that_can_be_read_in_two_ways_are_refused(cells):
    with pytest.raises(DatasetError, match=r"t\.csv: the column 'y' .*write"):
        columns(y=cells)


def test_a_table_with_semicolons_has_decimal_commas():
    options = TargetOptions(comma_is_decimal=True)
    assert columns(options=options, y=["1,234", "2,345"]).values[:, 0].tolist() == [1.234, 2.345]


@pytest.mark.parametrize("nothing", ["none", "NA", "null", "-", "n/a"])
def test_a_word_for_nothing_among_classes_is_a_class_and_is_told(nothing):
    with pytest.warns(UserWarning, match=f"'{nothing}' is a class of 'y'"):
        made = columns(y=[nothing, "low", "high", ""] * 3)
    assert set(made.targets[0].classes) == {nothing, "low", "high"}
    assert np.isnan(made.values[3, 0])
    assert np.isfinite(made.values[0, 0])


def test_a_word_for_nothing_among_truth_values_and_numbers_is_nothing():
    assert columns(y=["TRUE", "FALSE", "NA"]).targets[0].classes == ("False", "True")
    numbered = columns(options=TargetOptions(kinds={"y": "classification"}), y=["0", "1", "NA"])
    assert numbered.targets[0].classes == ("0", "1")
    assert np.isnan(numbered.values[2, 0])


@pytest.mark.parametrize(
    "odd", [["<0.1", ">10"], ["1.5 eV", "2 eV"], ["12%", "<50%"], ["1-2", "3-4"]]
)
def test_texts_that_look_like_numbers_are_no_classes_unless_the_user_says_so(odd):
    with pytest.raises(DatasetError, match="neither a plain number"):
        columns(["y"], y=odd * 4)
    asked = columns(options=TargetOptions(kinds={"y": "classification"}), y=odd * 4)
    assert set(asked.targets[0].classes) == set(odd)


def test_classes_that_begin_with_a_digit_are_classes():
    assert columns(y=["2D", "3D"] * 3).targets[0].classes == ("2D", "3D")


def test_few_whole_numbers_are_numbers_with_a_hint():
    with pytest.warns(UserWarning, match=r"only the numbers 0, 1 and .*--classification"):
        assert columns(y=["0", "1"] * 8).targets[0].kind == "regression"


def test_the_classes_of_a_model_win_over_the_look_of_a_column():
    options = TargetOptions(classes={"y": ("none", "low", "high")})
    made = columns(options=options, y=["low", "none", "", "NA", "lows"])
    assert made.targets[0].classes == ("none", "low", "high")
    assert np.array_equal(made.values[:, 0], [1, 0, np.nan, np.nan, np.nan], equal_nan=True)
    assert list(made.problems) == [4]


def test_options_find_their_target_as_targets_are_found():
    options = TargetOptions(units={"GAP": "meV"}, extensive=["Gap [eV]"])
    with pytest.warns(UserWarning, match="says eV and the unit that was given is meV"):
        (target,) = target_columns({"Gap [eV]": [1.0]}, ["gap"], options, "t").targets
    assert (target.name, target.unit, target.extensive) == ("Gap", "meV", True)


@pytest.mark.parametrize("asked", ["eps_re", "EPS-RE", "eps  re"])
def test_a_name_with_blanks_is_found_however_they_are_written(asked: str) -> None:
    table = {"eps re [a.u.]": [1.0, 2.0], "eps im": [3.0, 4.0]}
    (target,) = target_columns(table, [asked], TargetOptions(), "t").targets
    assert (target.name, target.unit) == ("eps re", "a.u.")
    with pytest.raises(DatasetError, match="write the whole header"):
        target_columns({"a b": [1.0], "a-b": [2.0]}, ["a_b"], TargetOptions(), "t")
    (exact,) = target_columns({"a b": [1.0], "a_b": [2.0]}, ["a_b"], TargetOptions(), "t").targets
    assert exact.name == "a_b"


def test_two_columns_of_one_name_are_told_apart_by_their_headers():
    both = {"gap [eV]": [1.0, 2.0], "gap [meV]": [3.0, 4.0]}
    made = target_columns(both, (), TargetOptions(), "t")
    assert [t.name for t in made.targets] == ["gap [eV]", "gap [meV]"]
    with pytest.raises(DatasetError, match="write the whole header"):
        target_columns(both, ["gap"], TargetOptions(), "t")


def test_a_target_named_twice_is_one_target():
    assert (
        len(target_columns({"a [eV]": [1.0]}, ["a", "a [eV]"], TargetOptions(), "t").targets) == 1
    )


def test_classes_that_differ_in_case_are_told():
    with pytest.warns(UserWarning, match="two classes of 'y'"):
        columns(y=["Yes", "yes", "no"] * 3)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            ["7.1 eV", "6 eV", "-5e-1 eV"],
            r"write plain numbers, and the unit in the header: y \[eV\]",
        ),
        (["7 kJ/mol", "6.5 kJ/mol", "8kJ/mol"], r"y \[kJ/mol\]"),
        (["7 eV", "6 meV", "5 eV"], r"'7 eV' and '6 meV'; convert .* y \[eV\]"),
        (["7 beds", "6 rooms", "5 beds"], "choose another column"),
        (["2024-01-02", "2024-02-01 00:00:00", "2024-03-01"], "which are dates"),
        (["1.2.2024", "03/04/24", "5-6-2024"], "which are dates"),
        (["a-1", "b-2", "c-3"], "choose another column"),
    ],
)
def test_what_stands_in_the_place_of_numbers_is_told(cells, words):
    with pytest.raises(DatasetError, match=words):
        columns(["y"], y=cells)


@pytest.mark.parametrize(
    ("columns", "likely"),
    [
        ({"y": ["1.500", "12.250"], "other": ["2,75", "3"]}, "since the column 'other' has"),
        ({"other [eV]": ["0,5", "1,234"], "y": ["950", "1.500"]}, "since the column 'other' has"),
        ({"y": ["950", "1.500", "12.250"], "z": ["a", "b", "c"]}, "have no point"),
        ({"y": ["1.500"], "other": ["1,234"]}, "since the column 'other' has"),
    ],
)
def test_points_that_may_be_those_of_thousands_are_refused(columns, likely):
    options = TargetOptions(comma_is_decimal=True)
    with pytest.raises(DatasetError, match=rf"'1.500', which may be 1500 or 1.5, .*{likely}"):
        target_columns(columns, ["y"], options, "t.csv")


@pytest.mark.parametrize(
    "columns",
    [
        {"y": ["1.500", "0.250"], "other": ["2,75", "3"]},
        {"y": ["1.500", "2.25"], "other": ["2,75", "3"]},
        {"y": ["1.500", "2.250"], "other": ["3", "4"]},
        {"y": ["1.500", "12.250"], "other": ["a, b", "c, d"]},
        {"y": ["1.500e3", "2.500e3"], "other": ["2,75", "3"]},
        {"y": [1.5, 2.25], "other": ["2,75", "3"]},
    ],
)
def test_points_that_can_be_decimal_ones_alone_are_taken_as_such(columns):
    found = target_columns(columns, ["y"], TargetOptions(comma_is_decimal=True), "t.csv")
    assert found.values[0, 0] in (1.5, 1500.0)
    assert found.values[0, 0] == float(columns["y"][0])


def test_errors_of_values_are_told_once_a_column():
    with pytest.warns(UserWarning, match=r"left out of 2 values of 'y', such as '100 ± 2'") as told:
        made = columns(y=["100 ± 2", "3", "100(2)"], z=["1", "<2", "3"])
    assert made.values[:, 0].tolist() == [100, 3, 100]
    assert len(told) == 1
    assert "'<2', which is not a number; a bound is no value" in made.problems[1]


def test_a_comma_that_may_be_either_beside_points_is_refused():
    with pytest.raises(DatasetError, match=r"'1,234' beside '3.4', which may be 1234 or 1.234;"):
        columns(y=["1,234", "2.345", "3.4"])


def test_fractions_are_called_so():
    with pytest.raises(DatasetError, match="'12/7', which are fractions; write decimals"):
        columns(y=["1/3", "2/3", "12/7"])


def test_points_between_several_thousands_tell_what_the_others_are():
    found = target_columns({"y": ["1.234.567", "1.500"]}, ["y"], TargetOptions(), "t.csv")
    assert found.values[:, 0].tolist() == [1234567, 1500]


@pytest.mark.parametrize("header", ["gap / eV", "gap, eV", "gap_eV", "gap(eV)"])
def test_a_column_is_asked_for_by_its_name_or_whole_header(header):
    values = {header: ["1", "2.5", "3"]}
    (short,) = target_columns(values, ["gap"], TargetOptions(), "t.csv").targets
    (whole,) = target_columns(values, [header], TargetOptions(), "t.csv").targets
    assert (short.name, short.unit, whole.unit) == ("gap", "eV", "eV")
    assert whole.name == ("gap" if header.endswith(")") else header)


def test_one_name_with_two_units_is_two_columns():
    made = columns(gap_eV=["1", "2.5", "3"], gap_meV=["1", "2.5", "3"])
    assert [(t.name, t.unit) for t in made.targets] == [("gap_eV", "eV"), ("gap_meV", "meV")]


def test_a_column_beside_says_the_unit():
    table = {"gap": ["1", "2.5", "3", ""], "gap_unit": ["eV", "eV", "eV", "meV"]}
    (gap,) = columns(**table).targets
    assert (gap.name, gap.unit) == ("gap", "eV")
    (gap,) = columns(["gap"], homo=["1", "2", "4", "5"], **table).targets
    assert gap.unit == "eV"
    with pytest.warns(UserWarning, match="the unit column of 'gap' says eV and the unit that was"):
        columns(options=TargetOptions(units={"gap": "meV"}), **table)


def test_a_column_unit_is_of_the_only_target():
    table = {"gap": ["1", "2.5", "3"], "unit": ["eV"] * 3}
    assert columns(["gap"], **table).targets[0].unit == "eV"
    assert columns(["gap", "homo"], homo=["1", "2", "4"], **table).targets[0].unit == ""


@pytest.mark.parametrize(
    ("header", "units", "said"),
    [
        ("gap", ["eV", "meV", "eV"], r"says that 'gap' is in eV \(2 rows\) and meV \(1 rows\)"),
        ("gap [meV]", ["eV"] * 3, "says meV and the column 'gap_unit' says eV"),
    ],
)
def test_units_that_differ_are_refused(header, units, said):
    with pytest.raises(DatasetError, match=said):
        columns(["gap"], **{header: ["1", "2.5", "3"], "gap_unit": units})


@pytest.mark.parametrize("factor", [1000, 27.2114, 96.485, 23.06, 1e-3, 1 / 27.2114])
def test_values_in_two_units_are_told(factor):
    values = np.random.default_rng(3).normal(-6.5, 0.6, 40)
    values[::9] *= factor
    with pytest.warns(UserWarning, match="5 values of 'y' are about .* as if two units were mixed"):
        columns(y=values.tolist())


@pytest.mark.filterwarnings("ignore:.*logarithms may be learned better")
def test_values_that_span_decades_are_not_told():
    draw = np.random.default_rng(1)
    for n in (8, 12, 30, 200):
        for _ in range(40):
            columns(y=(10 ** draw.uniform(-4, 4, n)).tolist())
            columns(y=draw.lognormal(0, 2, n).tolist())
            columns(y=draw.normal(0, 1, n).tolist())


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["6408 meV", "6.4 eV", "5123 meV"], r"'6408 meV' and '6.4 eV'; convert .* y \[meV\]"),
        (["6408 meV", "6.4", "5123 meV"], r"'5123 meV', and others without a unit; .* y \[meV\]"),
    ],
)
def test_units_in_the_cells_belong_in_the_header(cells, said):
    with pytest.raises(DatasetError, match=said):
        columns(["y"], y=cells)


@pytest.mark.parametrize(
    "header",
    [
        "logP (shake-flask)",
        "LogP [exp]",
        "gap (HSE06)",
        "homo (T1)",
        "pKa (25 °C)",
        "y [set A]",
        "gap (Molecule)",
        "Etot (cc)",
        "E (DFT vs exp)",
    ],
)
def test_what_is_no_unit_stays_in_the_name_and_the_short_name_still_finds_it(header: str) -> None:
    assert parse_header(header) == (header, "")
    short = header[:4].split()[0]
    (target,) = target_columns({header: [1.0, 2.0]}, [short], TargetOptions(), "t").targets
    assert (target.name, target.unit) == (header, "")


@pytest.mark.parametrize(
    "unit",
    "% Å^2 kcal/mol eV/atom 1/cm log10(GPa) cm^3(STP)/g J/(mol·K) mol/L nM g/cm3 °C eV/f.u. µB "
    "10^-6*cm/s kJ⋅mol⁻¹ a.u. Debye m²/g states/eV/atom log(mol/L) e*bohr Angstrom Kelvin "
    "mol% kWh/kg g/cc kOe kgf/mm2 V_vs_RHE mV_vs._Ag/AgCl".split(),
)
def test_units_in_brackets_are_known(unit: str) -> None:
    unit = unit.replace("_", " ")
    assert parse_header(f"y ({unit})") == parse_header(f"y [{unit}]") == ("y", unit)


def test_per_cent_in_cells_is_read_under_a_header_of_per_cent_and_where_all_have_it() -> None:
    cells = ["50%", "7", ">99%", "trace%", None, "12.5 %"]
    made = target_columns({"Yield (%)": cells}, ["yield"], TargetOptions(), "t.csv")
    np.testing.assert_allclose(made.values[:, 0], [50, 7, np.nan, np.nan, np.nan, 12.5])
    assert sorted(made.problems) == [2, 3]
    assert made.targets[0].unit == "%"
    (target,) = target_columns({"ee": ["5%", "", "6 %"]}, ["ee"], TargetOptions(), "t").targets
    assert (target.kind, target.unit) == ("regression", "%")
    named = columns(options=TargetOptions(kinds={"y": "classification"}), y=["5%", "6%"] * 3)
    assert named.targets[0].classes == ("5%", "6%")
    with pytest.raises(DatasetError, match=r"'11%', and others without a unit; .* y \[%\]"):
        target_columns({"y": ["5%", "0.2", "9%", "11%"]}, ["y"], TargetOptions(), "t.csv")


def test_fractions_beside_per_cents_are_told() -> None:
    with pytest.warns(UserWarning, match="others such as 0.5 without, which were taken as per"):
        target_columns({"ee%": ["50%", "0.5", "8%"]}, [], TargetOptions(), "t.csv")


def test_a_refused_column_shows_the_texts_that_are_no_numbers() -> None:
    cells = ["7", "8", "traces", "9", "much", "n.d.", "lots"]
    with pytest.raises(DatasetError, match="such as 'traces' and 'much', neither numbers"):
        target_columns({"y": cells}, ["y"], TargetOptions(), "t.csv")


def test_one_value_that_stands_many_times_is_no_second_unit() -> None:
    from atomlens.datasets.tables.target_doubts import tell_two_units

    once = [78.2, -42.1, -0.5, 36.1, 80.1, 16.6, 51.0, 60.5]
    tell_two_units(np.repeat(once, 3), "y", "t")  # a warning is an error
    with pytest.warns(UserWarning, match="9 values of 'y'"):
        tell_two_units(np.repeat([*once[3:], 0.37, 0.52, 0.83], 3), "y", "t")


@pytest.mark.parametrize("header", ["gap [eV] [meV]", "gap (eV) (GPa)", "gap (kcal/mol) [eV]"])
def test_a_header_with_two_units_is_refused(header: str) -> None:
    with pytest.raises(DatasetError, match=r"gives two units, .*; remove the wrong one"):
        target_columns({header: [1.0, 2.0]}, (), TargetOptions(), "t")


@pytest.mark.parametrize("header", ["gap (DFT) (eV)", "gap [eV] (eV)", "dHf (g) (kJ/mol)"])
def test_a_header_with_one_unit_and_other_words_is_not(header: str) -> None:
    assert target_columns({header: [1.0, 2.0]}, (), TargetOptions(), "t").targets[0].unit
