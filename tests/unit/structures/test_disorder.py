"""Disordered crystals by choice: refused, the majority of each place, or several ordered models."""

import json
import warnings
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from pymatgen.core import Lattice, Structure

from atomlens.errors import SettingsError
from atomlens.structures import read, read_structures
from atomlens.structures.records import quiet

HEADER = (
    "data_x\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {a}\n_cell_angle_alpha 90\n"
    "_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M '{group}'\n"
    "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n"
    "_atom_site_fract_z\n_atom_site_occupancy\n"
)
GROUPS = "_atom_site_disorder_assembly\n_atom_site_disorder_group\n"


def written(folder: Path, text: str) -> Path:
    (folder / "x.cif").write_text(text)
    return folder / "x.cif"


def models(given: Any, **choice: Any) -> list[Atoms]:
    with quiet():
        return read(given, **choice)


def alloy(folder: Path, share: float = 0.75) -> Path:
    rows = f"Ni Ni 0 0 0 {share}\nAl Al 0 0 0 {1 - share}\n"
    return written(folder, HEADER.format(a=3.57, group="F m -3 m") + rows)


def test_a_disordered_crystal_is_refused_unless_models_are_asked_for(tmp_path: Path) -> None:
    (failure,) = read_structures(alloy(tmp_path)).failures
    assert "disordered" in failure.message
    assert "--disorder majority" in failure.message


def test_majority_takes_the_species_of_the_largest_share_and_says_so(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="majority of each place was taken: Ni4 for Al Ni3"):
        (atoms,) = read(alloy(tmp_path), disorder="majority")
    assert atoms.get_chemical_formula() == "Ni4"
    assert atoms.info["disorder"] == "majority"


@pytest.mark.parametrize("share", [0.75, 1.0])
def test_what_ase_reads_of_a_disordered_cif_is_disordered_too(share: float, tmp_path: Path) -> None:
    path = alloy(tmp_path)
    if share == 1.0:  # a place that is empty in part
        path = written(tmp_path, path.read_text().replace("Al Al 0 0 0 0.25\n", ""))
    own = ase.io.read(path)
    assert own.info["occupancy"]
    (failure,) = read_structures(own).failures
    assert "occupied by 0.75 Ni" in failure.message
    assert "delete info['occupancy']" in failure.message
    drawn = models(own, disorder="enumerate", n_models=4)
    assert {a.get_chemical_formula() for a in drawn} == {"AlNi3" if share < 1 else "Ni3"}
    assert len(models(own * 2, disorder="majority")[0]) == 32


def test_files_that_keep_the_occupancies_of_ase_are_refused(tmp_path: Path) -> None:
    own = ase.io.read(alloy(tmp_path))
    for name in ("x.extxyz", "x.traj"):  # the second without the kinds of the atoms
        own.write(tmp_path / name)
        (failure,) = read_structures(tmp_path / name).failures
        assert "occupied by 0.75 Ni, 0.25 Al" in failure.message


def test_atoms_of_ase_that_are_whole_or_were_ordered_are_taken(tmp_path: Path) -> None:
    whole = HEADER.format(a=3.57, group="F m -3 m") + "Ni Ni 0 0 0 1\n"
    assert len(models(ase.io.read(written(tmp_path, whole)))[0]) == 4
    own = ase.io.read(alloy(tmp_path))
    own.symbols[0] = "Al"
    assert models(own)[0].get_chemical_formula() == "AlNi3"
    own.write(tmp_path / "x.traj")
    assert models(tmp_path / "x.traj")[0].get_chemical_formula() == "AlNi3"
    del own.info["occupancy"]
    assert models(own)[0].get_chemical_formula() == "AlNi3"


def test_a_type_symbol_that_mixes_species_is_a_shared_site(tmp_path: Path) -> None:
    rows = "M1 '0.75Ni + 0.25Al' 0 0 0 1\n"
    text = HEADER.format(a=3.57, group="F m -3 m") + rows
    found = models(written(tmp_path, text), disorder="enumerate", n_models=2)
    assert [a.get_chemical_formula() for a in found] == ["AlNi3"] * 2
    half = written(tmp_path, text.replace(" 0 1\n", " 0 0.5\n"))
    (failure,) = read_structures(half).failures
    assert "0.375 Ni and shares its place with Al" in failure.message


def test_models_keep_the_composition_and_differ(tmp_path: Path) -> None:
    found = models(alloy(tmp_path), disorder="enumerate", n_models=3)
    assert [a.get_chemical_formula() for a in found] == ["AlNi3"] * 3
    places = {tuple(np.round(a.positions[a.numbers == 13][0], 3)) for a in found}
    assert len(places) == 3
    assert [a.info["ordered_model"] for a in found] == [0, 1, 2]
    assert [a.info["name"] for a in found] == ["x-0000", "x-0001", "x-0002"]


def test_models_are_the_same_every_time_and_never_more_than_there_are(tmp_path: Path) -> None:
    path = alloy(tmp_path)
    first, second = (models(path, disorder="enumerate") for _ in range(2))
    assert [a.numbers.tolist() for a in first] == [a.numbers.tolist() for a in second]
    assert len(first) == 4  # four places for one aluminium


def test_shares_that_are_no_whole_numbers_are_met_on_average(tmp_path: Path) -> None:
    found = models(alloy(tmp_path, 0.6), disorder="enumerate", n_models=11)
    assert {a.symbols.count("Ni") for a in found} == {2, 3}


@pytest.mark.parametrize(("share", "formula"), [(0.75, "Fe4O4"), (0.4, "O4")])
def test_an_empty_place_is_a_species_too(share: float, formula: str, tmp_path: Path) -> None:
    rows = f"Fe Fe 0 0 0 {share}\nO O 0.5 0.5 0.5 1\n"
    path = written(tmp_path, HEADER.format(a=4.3, group="F m -3 m") + rows)
    (atoms,) = models(path, disorder="majority")
    assert atoms.get_chemical_formula() == formula


def test_atoms_of_a_group_are_taken_together(tmp_path: Path) -> None:
    rows = (
        "C1 C 0 0 0 1 . .\n"
        "C2 C 0.19 0 0 0.4 A 1\nCl2 Cl 0.3 0.17 0 0.4 A 1\n"
        "C3 C 0.18 0.05 0 0.6 A 2\nO3 O 0.3 -0.06 0 0.6 A 2\n"
    )
    path = written(tmp_path, HEADER.format(a=8, group="P 1") + GROUPS + rows)
    (atoms,) = models(path, disorder="majority")
    assert atoms.get_chemical_formula() == "C2O"
    formulas = {a.get_chemical_formula() for a in models(path, disorder="enumerate")}
    assert formulas == {"C2O", "C2Cl"}


def test_groups_without_occupancies_are_alternatives_too(tmp_path: Path) -> None:
    rows = "C1 C 0 0 0 1 . .\nC2 C 0.19 0 0 1 . 1\nC3 C 0.18 0.05 0 1 . 2\n"
    path = written(tmp_path, HEADER.format(a=8, group="P 1") + GROUPS + rows)
    assert "disorder group" in read_structures(path).failures[0].message
    assert len(models(path, disorder="majority")[0]) == 2


def test_a_molecule_on_an_inversion_centre_is_there_once(tmp_path: Path) -> None:
    rows = "C1 C 0.03 0.02 0 0.5 . -1\nO1 O 0.16 0.1 0 0.5 . -1\nN1 N 0.4 0.4 0.4 1 . .\n"
    path = written(tmp_path, HEADER.format(a=8, group="P -1") + GROUPS + rows)
    for choice in ("majority", "enumerate"):
        for atoms in models(path, disorder=choice):
            assert atoms.get_chemical_formula() == "CN2O"
            carbon, oxygen = atoms.symbols.search("C")[0], atoms.symbols.search("O")[0]
            assert atoms.get_distance(carbon, oxygen, mic=True) < 1.3


def test_half_atoms_beside_each_other_exclude_each_other(tmp_path: Path) -> None:
    rows = "Si1 Si 0 0 0 1\nO1 O 0.26 0.04 0 0.6\nO2 O 0.26 -0.04 0 0.4\n"
    path = written(tmp_path, HEADER.format(a=6, group="P 1") + rows)
    (atoms,) = models(path, disorder="majority")
    assert atoms.get_scaled_positions()[1, 1] == pytest.approx(0.04)
    found = models(path, disorder="enumerate")
    assert sorted(bool(a.positions[1, 1] > 3) for a in found) == [False] * 3 + [True] * 2


def test_alternative_locations_of_an_mmcif_are_alternatives(tmp_path: Path) -> None:
    text = (
        "data_x\nloop_\n_atom_site.id\n_atom_site.type_symbol\n_atom_site.label_alt_id\n"
        "_atom_site.Cartn_x\n_atom_site.Cartn_y\n_atom_site.Cartn_z\n_atom_site.occupancy\n"
        "1 C . 0 0 0 1.0\n2 O A 1.4 0 0 0.3\n3 O B 1.2 0.7 0 0.7\n"
    )
    path = written(tmp_path, text)
    assert "disordered" in read_structures(path).failures[0].message
    (atoms,) = models(path, disorder="majority")
    assert atoms.positions[1] == pytest.approx([1.2, 0.7, 0])


def test_objects_and_json_of_pymatgen_and_optimade_are_ordered_too(tmp_path: Path) -> None:
    mixed = Structure(
        Lattice.cubic(4), [{"Fe": 0.6, "Co": 0.4}, {"O": 1.0}], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    (tmp_path / "p.json").write_text(json.dumps(mixed.as_dict()))
    entry = {
        "lattice_vectors": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
        "cartesian_site_positions": [[0, 0, 0], [2, 2, 2]],
        "species_at_sites": ["M", "O"],
        "species": [
            {"name": "M", "chemical_symbols": ["Fe", "vacancy"], "concentration": [0.6, 0.4]},
            {"name": "O", "chemical_symbols": ["O"], "concentration": [1.0]},
        ],
    }
    (tmp_path / "o.json").write_text(json.dumps({"data": [{"attributes": entry}]}))
    for given in (mixed, tmp_path / "p.json", tmp_path / "o.json"):
        assert "disordered" in read_structures(given).failures[0].message
        (atoms,) = models(given, disorder="majority")
        assert atoms.get_chemical_formula() == "FeO"
        found = models(given, disorder="enumerate")
        assert sorted(a.symbols.count("Fe") for a in found) == [0, 0, 1, 1, 1]


def test_the_atoms_that_stay_keep_their_charges(tmp_path: Path) -> None:
    header = HEADER.format(a=3.57, group="P m -3 m") + "_atom_site_charge\n"
    rows = "Ni Ni 0 0 0 0.7 0.25\nAl Al 0 0 0 0.3 0.75\nN N 0.5 0.5 0.5 1 -0.25\n"
    (atoms,) = models(written(tmp_path, header + rows), disorder="majority")
    assert atoms.get_initial_charges().tolist() == [0.25, -0.25]


def test_an_ordered_crystal_is_the_same_by_every_choice(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER.format(a=3.57, group="F m -3 m") + "Ni Ni 0 0 0 1\n")
    found = [read(path, disorder=choice) for choice in ("refuse", "majority", "enumerate")]
    assert all(len(f) == 1 and "warnings" not in f[0].info for f in found)
    assert all(np.array_equal(f[0].positions, found[0][0].positions) for f in found)


FCC = ("0 0 0", "0.5 0.5 0", "0.5 0 0.5", "0 0.5 0.5")


def without_symmetry(folder: Path, *shares: dict[str, float]) -> Path:
    """Write rock salt in P1: what each of its cations is, the last for all that follow."""
    own = [shares[min(i, len(shares) - 1)] for i in range(4)]
    pairs = zip(FCC, own, strict=True)
    rows = [f"{e} {e} {at} {share}\n" for at, one in pairs for e, share in one.items()]
    rows += [f"Cl Cl {at} 1\n" for at in ("0.5 0 0", "0 0.5 0", "0 0 0.5", "0.5 0.5 0.5")]
    return written(folder, HEADER.format(a=5.6, group="P 1") + "".join(rows))


def mean_amount(found: list[Atoms], symbol: str) -> float:
    return float(np.mean([a.symbols.count(symbol) for a in found]))


def test_the_mean_over_the_models_is_the_mean_over_the_disorder(tmp_path: Path) -> None:
    found = models(without_symmetry(tmp_path, {"Na": 0.9}), disorder="enumerate")
    assert mean_amount(found, "Na") == pytest.approx(3.6)
    assert {a.symbols.count("Na") for a in found} == {3, 4}
    assert {a.info["disordered_formula"] for a in found} == {"Na3.6Cl4"}
    n_different = len({a.positions.tobytes() for a in found})
    assert 1 < n_different < len(found) <= 8
    assert f"of {len(found)} ({n_different} different)" in found[0].info["warnings"][-1]


def test_places_that_are_alike_share_out_the_composition_without_symmetry(tmp_path: Path) -> None:
    found = models(without_symmetry(tmp_path, {"Na": 0.5, "K": 0.5}), disorder="enumerate")
    assert {a.get_chemical_formula() for a in found} == {"Cl4K2Na2"}
    assert len({a.numbers.tobytes() + a.positions.tobytes() for a in found}) == 6  # all there are


def test_places_that_are_not_alike_hold_the_composition_together(tmp_path: Path) -> None:
    shares = ({"Na": 0.31, "K": 0.69}, {"Na": 0.47, "K": 0.53}, {"Na": 0.52}, {"K": 0.77})
    found = models(without_symmetry(tmp_path, *shares), disorder="enumerate")
    for symbol, share in (("Na", 1.3), ("K", 1.99)):
        assert mean_amount(found, symbol) == pytest.approx(share, abs=1 / len(found))
        assert all(abs(a.symbols.count(symbol) - share) < 2 for a in found)


def test_a_chain_of_split_places_holds_its_occupancies(tmp_path: Path) -> None:
    rows = "".join(f"O{i} O {0.1 * i} 0 0 {share}\n" for i, share in enumerate((0.3, 0.5, 0.4)))
    path = written(tmp_path, HEADER.format(a=8, group="P 1") + rows + "Si Si 0.5 0.5 0.5 1\n")
    found = models(path, disorder="enumerate", n_models=20)  # the first and the last can be there
    taken = np.array(
        [[(np.abs(a.positions[:, 0] - x) < 0.1).any() for x in (0, 0.8, 1.6)] for a in found]
    )
    assert taken.mean(axis=0) == pytest.approx([0.3, 0.5, 0.4], abs=0.051)
    assert not (taken[:, :2].all(axis=1) | taken[:, 1:].all(axis=1)).any()


def test_half_hydrogens_of_ice_and_of_a_turning_methyl_group_are_alternatives(
    tmp_path: Path,
) -> None:
    ring = [(0.1283 * np.cos(x), 0.1283 * np.sin(x)) for x in np.arange(6) * np.pi / 3]
    methyl = "".join(f"H{i} H {x:.4f} {y:.4f} 0.455 0.5\n" for i, (x, y) in enumerate(ring))
    ice = "O1 O 0 0 0 1\nO2 O 0.345 0 0 1\nH8 H 0.12 0 0 0.5\nH9 H 0.225 0 0 0.5\n"
    rows = f"C1 C 0 0 0.5 1\nC2 C 0 0 0.69 1\n{methyl}{ice}"
    path = written(tmp_path, HEADER.format(a=8, group="P 1") + rows)
    for choice in ("majority", "enumerate"):
        for atoms in models(path, disorder=choice):
            assert atoms.get_chemical_formula() == "C2H4O2"
            hydrogens = atoms[atoms.numbers == 1]
            distances = hydrogens.get_all_distances(mic=True) + 9 * np.eye(len(hydrogens))
            assert distances.min() > 1.6


def test_more_than_one_atom_at_a_place_is_told(tmp_path: Path) -> None:
    rows = "Na Na 0 0 0 0.6\nK K 0 0 0 0.6\nCl Cl 0.5 0.5 0.5 1\n"
    path = written(tmp_path, HEADER.format(a=5, group="P 1") + rows)
    for choice in ("majority", "enumerate"):
        said = models(path, disorder=choice)[0].info["warnings"][-1]
        assert "up to 1.2 atoms share a place of one, in these shares" in said


def test_majority_says_which_of_equal_shares_it_took(tmp_path: Path) -> None:
    rows = "K K 0 0 0 0.5\nNa Na 0 0 0 0.5\nO O 0.5 0.5 0.5 0.5\n"
    path = written(tmp_path, HEADER.format(a=5, group="P 1") + rows)
    (atoms,) = models(path, disorder="majority")
    assert atoms.get_chemical_formula() == "KO"
    assert "equal shares, K and Na, O and none, the first in the file" in atoms.info["warnings"][0]


@pytest.mark.parametrize("count", ["2", 1.5, True, None])
def test_a_count_that_is_no_whole_number_is_refused_at_once(count: Any) -> None:
    for name in ("n_models", "conformers"):
        with pytest.raises(SettingsError, match="give a whole number from 1 to 1000"):
            read("CCO", **{name: count})
    if count is not True:
        with pytest.raises(SettingsError, match="must be a whole number between 0 and"):
            read("CCO", n_workers=count)


def test_an_unknown_choice_is_an_error() -> None:
    with pytest.raises(SettingsError, match="majority"):
        read("formula:NaCl", disorder="majorty")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="ordered models"):
        read("formula:NaCl", disorder="enumerate", n_models=0)


OCCUPANCIES = {
    "the last of three digits": ("1", "0.999"),
    "above one within its uncertainty": ("1", "1.004(6)"),
    "refined freely": ("1", "0.985(10)"),
    "above one": ("1.02", "1"),
    "unknown": ("?", "."),
}


@pytest.mark.parametrize("which", OCCUPANCIES)
def test_an_occupancy_within_its_rounding_is_whole(which: str, tmp_path: Path) -> None:
    first, second = OCCUPANCIES[which]
    rows = f"Cs Cs 0 0 0 {first}\nBr Br 0.5 0.5 0.5 {second}\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (atoms,) = read(written(tmp_path, HEADER.format(a=4.29, group="P m -3 m") + rows))
    assert atoms.get_chemical_formula() == "BrCs"


def test_three_entries_with_two_digits_are_one_atom(tmp_path: Path) -> None:
    rows = "Fe1 Fe2+ 0 0 0 .33\nFe2 Fe3+ 0 0 0 .33\nFe3 Fe 0 0 0 .33\n"
    (atoms,) = read(written(tmp_path, HEADER.format(a=2.87, group="P 1") + rows))
    assert atoms.get_chemical_formula() == "Fe"


@pytest.mark.parametrize("share", ["0.9", "0.99", "0.95", "1.2", "0.5"])
def test_shares_that_are_meant_are_not_rounded(share: str, tmp_path: Path) -> None:
    rows = f"Fe Fe 0 0 0 {share}\n"
    path = written(tmp_path, HEADER.format(a=2.87, group="P 1") + rows)
    assert read_structures(path).failures
