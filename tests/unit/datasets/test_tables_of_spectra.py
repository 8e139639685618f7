"""Spectra of tables: one grid, linear interpolation, held ends, and rows that are no spectra."""

import json
from pathlib import Path

import numpy as np
import pytest

from atomlens.datasets import Dataset, load_dataset, load_packed, make_split, save_packed
from atomlens.datasets.tables.grids import Spectrum, on_grid, parse_grid, sound_spectrum
from atomlens.errors import DatasetError, SettingsError
from spectrum_makers import FORMULAS, oscillator, write_lines, write_table

NAMES = ("energy", "eps")


def line(first: float, last: float) -> Spectrum:
    """The spectrum y = 2 x."""
    points = np.linspace(first, last, 4)
    return Spectrum(points=points, values=2 * points)


def row(formula: str, energy: object, eps: object) -> dict[str, object]:
    return {"formula": formula, "energy": energy, "eps": eps}


def load(tmp_path: Path, rows: list[dict[str, object]], **options: object) -> Dataset:
    return load_dataset(write_lines(tmp_path / "t.jsonl", rows), **options)


def test_a_grid_is_written_as_first_last_and_number_of_points() -> None:
    assert parse_grid("0.5:6:12") == pytest.approx(np.linspace(0.5, 6, 12))
    assert len(parse_grid("jarvis")) == 3000
    assert parse_grid([1, 2.5, 3]) == (1.0, 2.5, 3.0)


@pytest.mark.parametrize("text", ["1:2", "3:1:5", "1:2:1", "a:b:3", "0:inf:4", "1:2:3:4", "jarvi"])
def test_a_grid_that_is_none_says_how_it_is_written(text: str) -> None:
    with pytest.raises(SettingsError, match="FIRST:LAST:N"):
        parse_grid(text)


def test_values_between_points_are_on_the_line() -> None:
    grid = np.array([1.0, 1.37, 2.9])
    values, held = on_grid(line(1, 3), grid)
    np.testing.assert_allclose(values, 2 * grid)
    assert not held.any()


def test_beyond_its_end_the_last_value_is_held_and_marked_or_nothing_is_said() -> None:
    grid = np.array([0.5, 2.0, 3.0, 4.0, 5.0])
    values, held = on_grid(line(1, 3), grid)
    np.testing.assert_allclose(values, [np.nan, 4, 6, 6, 6])
    assert held.tolist() == [False, False, False, True, True]
    masked, none = on_grid(line(1, 3), grid, "mask")
    np.testing.assert_allclose(masked, [np.nan, 4, 6, np.nan, np.nan])
    assert not none.any()


def test_descending_points_are_turned_round() -> None:
    found = sound_spectrum([3, 2, 1], [30, 20, 10], NAMES)
    assert found.points.tolist() == [1, 2, 3]
    assert found.values.tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    "odd", [10**400, -(10**5000), "x" * 5000], ids=["large", "too large to write", "text"]
)
def test_an_entry_beyond_all_numbers_is_told_in_short(odd: object) -> None:
    with pytest.raises(ValueError, match="entry 2 of 'eps' is ") as told:
        sound_spectrum([1, 2], [1, odd], ("energy", "eps"))
    assert len(str(told.value)) < 200


@pytest.mark.parametrize(
    ("energy", "eps", "why"),
    [
        ([1, 3, 2], [1, 1, 1], "3 is followed by 2"),
        ([1, 1, 2], [1, 1, 1], "1 is followed by 1"),
        ([1, 2, 3], [1, 2], "3 points and 'eps' 2"),
        ([1, 2], [1, None], "entry 2 of 'eps' is None"),
        ([1, 2], [1, "x"], "entry 2 of 'eps' is 'x', not a number"),
        ([1, float("nan")], [1, 2], "entry 2 of 'energy' is nan, a gap"),
        ([1], [1], "at least 2"),
        ("1 2", [1, 2], "not a list of numbers"),
        (None, [1, 2], "there is no 'energy'"),
        ([10, 11], [1, 2], "outside the grid"),
    ],
)
def test_a_row_that_is_no_spectrum_is_named_and_the_rest_goes_on(
    tmp_path: Path, energy: object, eps: object, why: str
) -> None:
    good = row("MgO", [1, 2, 3], [1.0, 2.0, 3.0])
    data = load(tmp_path, [good, row("CaO", energy, eps)], grid="1:3:5")
    assert data.structures.names == ("MgO",)
    (failure,) = data.failures
    assert why in failure.message
    assert "row 2" in failure.message
    assert failure.message.endswith(".")


def test_spectra_on_points_of_their_own_need_a_grid(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.jsonl")
    with pytest.raises(DatasetError, match=r"from 0\.4 to 6\.21 \(all cover 0\.4 to 6\.2\)"):
        load_dataset(path, "eps_re")
    data = load_dataset(path, "eps_re", grid="0.5:6:12")
    assert data.values.shape == (len(FORMULAS), 12)
    assert (data.targets[0].grid_name, data.targets[0].grid_unit) == ("energy", "eV")


def test_spectra_on_the_same_points_need_none(tmp_path: Path) -> None:
    rows = [row(f, [1, 2, 4], [1.0, 2.0, 3.0]) for f in ("MgO", "CaO")]
    assert load(tmp_path, rows).targets[0].grid == (1.0, 2.0, 4.0)


def test_interpolated_oscillators_are_near_the_exact_ones(tmp_path: Path) -> None:
    data = load_dataset(write_table(tmp_path / "t.jsonl", 600), "eps_im", grid="0.5:6:40")
    exact = [oscillator(f, np.linspace(0.5, 6, 40))[1] for f in FORMULAS]
    assert np.abs(data.values - exact).max() < 0.02


def test_single_numbers_stand_beside_spectra_if_they_are_named(tmp_path: Path) -> None:
    data = load_dataset(write_table(tmp_path / "t.jsonl"), ["gap", "eps_re"], grid="1:5:7")
    assert [t.n_values for t in data.targets] == [1, 7]
    assert data[3].targets["gap"] == 3.0
    assert data[3].targets["eps_re"].shape == (7,)
    swapped = data.select_targets(["eps_re", "gap"])
    assert np.array_equal(swapped.values, np.roll(data.values, -1, axis=1))


def test_other_points_than_energies_are_named_by_their_column(tmp_path: Path) -> None:
    rows = [{"formula": "MgO", "frequency [THz]": [1, 2], "dos": [0.0, 1.0]}]
    with pytest.raises(DatasetError, match="no column 'energy'"):
        load(tmp_path, rows)
    target = load(tmp_path, rows, grid_column="frequency [THz]").targets[0]
    assert (target.name, target.grid_name, target.grid_unit) == ("dos", "frequency", "THz")


def test_held_points_are_counted_and_kept_in_a_packed_file(tmp_path: Path) -> None:
    rows = [row("MgO", [1, 2, 5], [1, 2, 3]), row("CaO", [1, 2, 3], [4, 5, 6])]
    with pytest.warns(UserWarning, match="1 of 2 spectra of 'eps' end before 5 eV"):
        data = load(tmp_path, rows, grid="1:5:5")
    assert data.held is not None
    assert data.held.tolist() == [[False] * 5, [False] * 3 + [True] * 2]
    again = load_packed(save_packed(data, tmp_path / "d.npz"))
    assert again.targets == data.targets
    assert np.array_equal(again.held, data.held)
    assert np.array_equal(again.subset([1]).held, data.held[1:])


def test_masked_ends_are_unknown_values(tmp_path: Path) -> None:
    rows = [row("MgO", [1, 2, 5], [1, 2, 3]), row("CaO", [1, 2, 3], [4, 5, 6])]
    data = load(tmp_path, rows, grid="1:5:5", beyond="mask")
    assert np.isnan(data.values).tolist() == [[False] * 5, [False] * 3 + [True] * 2]


def test_sodium_in_a_column_of_formulas_is_no_missing_value(tmp_path: Path) -> None:
    data = load(tmp_path, [row("Na", [1, 2], [1, 2]), row("MgO", [1, 2], [1, 2])])
    assert data.structures[0].atomic_numbers.tolist() == [11]


def test_measured_indices_become_dielectric_functions_averaged_by_formula(tmp_path: Path) -> None:
    """n = 2, k = 1: eps = 3 + 4 i; n = 3, k = 0: eps = 9."""
    wavelengths = [0.3, 0.5, 0.9]
    entries = [
        {"formula": "TiO2", "id": "a", "n": [2] * 3, "k": [1] * 3},
        {"formula": "Ti2O4", "id": "b", "n": [3] * 3, "k": [0] * 3},
        {"formula": "MgO", "id": "c", "n": [1.5] * 3, "k": [0] * 3},
        {"formula": "ZnO", "id": "d", "n": [1.5] * 2, "k": [0] * 3},
    ]
    rows = [{**e, "wavelength_um": wavelengths} for e in entries]
    short = {"formula": "CaO", "id": "e", "wavelength_um": [0.5, 0.6], "n": [1, 1], "k": [0, 0]}
    with pytest.warns(UserWarning, match=r"3 entries of 2 formulas cover 1.5 to 3 eV \(1 others"):
        data = load(tmp_path, [*rows, short], grid="1.5:3:4")
    assert data.values == pytest.approx(np.array([[6.0] * 4 + [2.0] * 4, [2.25] * 4 + [0.0] * 4]))
    (failure,) = data.failures
    assert "3, 2 and 3 entries" in failure.message


def test_photon_energies_are_those_of_the_wavelengths(tmp_path: Path) -> None:
    """A step of n at 0.62 µm is a step of eps at 2 eV."""
    wavelengths = np.linspace(0.3, 1.0, 701)
    n = np.where(wavelengths < 1.239841984 / 2, 2.0, 1.0)
    entry = {"formula": "MgO", "wavelength_um": wavelengths.tolist(), "n": n.tolist()}
    data = load(tmp_path, [entry | {"k": [0] * 701}], target="eps_re", grid="1.5:3:151")
    grid = np.array(data.targets[0].grid)
    np.testing.assert_allclose(data.values[0, grid < 1.98], 1.0)
    np.testing.assert_allclose(data.values[0, grid > 2.02], 4.0)


@pytest.fixture
def jarvis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path))
    folder = tmp_path / "downloads" / "jarvis-optical"
    folder.mkdir(parents=True)
    return folder


def page(formula: str, energy: float, value: float) -> str:
    return (
        "<?xml version='1.0'?><basic_info>"
        f"<main_relax_info><id>'JVASP-1'</id><formula>'{formula}'</formula>"
        f"<formation_energy>'{energy}'</formation_energy></main_relax_info>"
        "<main_optics_semilocal><main_optics_info><energies>'0,10,20'</energies>"
        f"<real_1>'{value},1,0'</real_1><imag_1>'0,2,1'</imag_1>"
        "</main_optics_info></main_optics_semilocal></basic_info>"
    )


def test_pages_of_jarvis_are_read_and_chosen_as_finders_authors_did(jarvis: Path) -> None:
    """Elements, noble gases and large formulas are left out; of polymorphs the stablest stays."""
    materials = [("MgO", -3.0, 5.0), ("Mg2O2", -2.9, 7.0), ("Mg", 0.0, 1.0), ("XeF2", -1.0, 2.0),
                 ("C499H2", -0.1, 1.0), ("GaN", -1.0, 9.0)]  # fmt: skip
    for number, (formula, energy, value) in enumerate(materials, start=1):
        (jarvis / f"JVASP-{number}.xml").write_text(page(formula, energy, value))
    with pytest.warns(UserWarning, match="lowest energy"):
        data = load_dataset("jarvis-optical", grid="0:30:4")
    assert data.structures.names == ("JVASP-1", "JVASP-6")
    assert data.values == pytest.approx(
        np.array([[5, 1, 0, 0, 0, 2, 1, 1], [9, 1, 0, 0, 0, 2, 1, 1]])
    )
    assert data.held is not None
    assert data.held[:, 3].all()
    assert not data.held[:, :3].any()


def test_a_page_without_spectra_is_named(jarvis: Path) -> None:
    (jarvis / "JVASP-1.xml").write_text(page("MgO", -3, 5))
    (jarvis / "JVASP-2.xml").write_text(page("CaO", -3, 5).replace("'0,10,20'", ""))
    data = load_dataset("jarvis-optical", "eps_re", grid="0:20:3")
    assert [f.name for f in data.failures] == ["JVASP-2"]
    assert "there is no 'energies'" in data.failures[0].message


def test_a_broken_page_is_a_data_set_error(jarvis: Path) -> None:
    (jarvis / "JVASP-1.xml").write_text(page("MgO", -3, 5)[:200])
    with pytest.raises(DatasetError, match="not a whole file"):
        load_dataset("jarvis-optical")


def test_records_as_one_json_list_are_read(jarvis: Path) -> None:
    record = {
        "jid": "JVASP-9",
        "formula": "MgO",
        "energies": [0, 30],
        "real_1": [1, 2],
        "imag_1": [0, 0],
    }
    (jarvis / "all.json").write_text(json.dumps([record]))
    assert load_dataset("jarvis-optical", "eps_re", grid="0:30:3").values.tolist() == [[1, 1.5, 2]]


def test_no_formula_stands_in_two_parts_of_a_split_by_composition(tmp_path: Path) -> None:
    rows = [row(f, [1, 2], [1, 2]) for f in ("MgO", "Mg2O2", "CaO", "Ca2O2", "ZnO", "Zn2O2")]
    data = load(tmp_path, rows)
    split = make_split("composition:2/2/2", data, seed=3)
    for part in (split.train, split.validation, split.test):
        assert len({int(data.structures[int(i)].atomic_numbers.max()) for i in part}) == 1


def test_a_measured_absorption_below_zero_is_taken_as_none_and_said(tmp_path: Path) -> None:
    wavelengths = [0.2, 0.4, 0.8, 1.2]
    rows = [
        {"formula": f, "wavelength_um": wavelengths, "n": [1.5, 2.0, 1.8, 1.6], "k": k}
        for f, k in (("Al2O3", [0.2, -0.5, -1e-17, 0.0]), ("ZnO", [0.3, 0.1, 0.0, 0.0]))
    ]
    path = write_lines(tmp_path / "nk.jsonl", rows)
    grid = f"{1.239841984 / 0.8}:{1.239841984 / 0.4}:2"
    with pytest.warns(UserWarning, match=r"1 entries have a measured k below zero"):
        data = load_dataset(path, grid=grid)
    by_name = dict(zip(data.structures.names, data.values, strict=True))
    (alumina,) = [v for name, v in by_name.items() if "Al2O3" in name]
    assert alumina == pytest.approx([1.8**2, 2.0**2, 0.0, 0.0])  # not n² - k² = 3.75 at 0.4 µm


def test_a_grid_known_by_name_is_in_ev(tmp_path: Path) -> None:
    rows = [row("SiO2", [1.0, 2.0, 4.0], [2.0, 3.0, 4.0])]
    assert load(tmp_path, rows, grid="optical-nk").targets[0].grid_unit == "eV"
    in_nm = [{"formula": "SiO2", "energy [nm]": [400, 500, 600], "eps": [2.0, 3.0, 4.0]}]
    with pytest.raises(SettingsError, match=r"'optical-nk' is in eV, and 'energy .nm.' is in nm"):
        load(tmp_path, in_nm, grid="optical-nk")
    assert load(tmp_path, in_nm, grid="400:600:5").targets[0].grid_unit == "nm"


@pytest.mark.parametrize("fill", [1e30, -9999.0, 9.969209968386869e36])
@pytest.mark.parametrize("n_points", [1, 8])
def test_numbers_that_stand_for_nothing_in_a_spectrum_are_told_with_their_row(
    tmp_path: Path, fill: float, n_points: int
) -> None:
    energy = np.linspace(1, 3, 8)
    rows = [row(f, energy.tolist(), (i + energy**2).tolist()) for i, f in enumerate(FORMULAS)]
    rows[2]["eps"] = [fill] * n_points + rows[2]["eps"][n_points:]
    if n_points == 1 and fill > 1e36:
        rows[3]["eps"][0] = fill  # a number of no known meaning stands more than once
    with pytest.warns(UserWarning, match=r"'eps' of row 3.* is .* at \d points?, far outside"):
        load(tmp_path, rows)


def test_peaks_of_a_spectrum_are_no_numbers_that_stand_for_nothing(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    energy = np.linspace(1, 3, 40)
    rows = [row(f, energy.tolist(), (1 / energy).tolist()) for f in FORMULAS]
    rows[1]["eps"] = (300 * np.exp(-(((energy - 2) / 0.02) ** 2))).tolist()
    rows[2]["eps"] = (-80 / energy**2).tolist()
    load(tmp_path, rows)
    assert not [w for w in recwarn if "far outside" in str(w.message)]


def test_a_spectrum_whose_name_has_blanks_is_found_however_they_are_written(
    tmp_path: Path,
) -> None:
    rows = [{"formula": f, "energy": [1, 2], "eps re": [1, 2 + i]} for i, f in enumerate(FORMULAS)]
    found = load_dataset(write_lines(tmp_path / "s.jsonl", rows), target="eps_re")
    assert [(t.name, t.is_spectrum) for t in found.targets] == [("eps re", True)]
