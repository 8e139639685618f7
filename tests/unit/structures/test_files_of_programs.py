"""Files of other programs: right elements, cell and lengths, or refused."""

from pathlib import Path

import numpy as np
import pytest

from atomlens.datasets import load_dataset
from atomlens.structures import read_structures
from atomlens.structures.arrays import warnings_of
from atomlens.structures.records import quiet
from reading_cases import (
    AIMS,
    DATA,
    DUMP,
    OUTCAR,
    OUTCAR_END,
    OUTCAR_HEAD,
    PWI,
    XSF,
    ionic_step,
    trajectory,
)

SALT = 5.64
GEN = "2 F\nNa Cl\n1 1 0 0 0\n2 2 .5 .5 .5\n0 0 0\n0 2.82 2.82\n2.82 0 2.82\n2.82 2.82 0\n"
ALAT = PWI.replace("bohr", "alat").replace("crystal", "alat").replace("5.329", "0.5")
ALAT = ALAT.replace("ntyp=2", "ntyp=2, celldm(1)=10.658").replace("Cl 0.5 0.5 0.5", "Cl .5 .5 .5")

FIRST = PWI.replace("crystal", "alat").replace(
    "Cl 0.5 0.5 0.5", f"Cl {' '.join(['0.70710678'] * 3)}"
)
"""In alat, which pw.x takes from the first vector of the cell where nothing gives it"""

SALTS = {
    "a.xsf": XSF,
    "b.xsf": XSF.replace("PRIMCOORD", "CONVVEC\n5.64 0 0\n0 5.64 0\n0 0 5.64\nPRIMCOORD"),
    "c.xsf": XSF.replace("\n17", " .1 .1 .1\n17").replace(
        "2.82 2.82 2.82\n", "2.82 2.82 2.82 0 0 0\n"
    ),
    "a.gen": GEN,
    "b.gen": GEN.replace("2 F", "2 S").replace(".5 .5 .5", "2.82 2.82 2.82"),
    "a.pwi": PWI,
    "b.pwi": ALAT,
    "e.pwi": FIRST,
    "f.pwi": FIRST.replace("bohr", "angstrom").replace("5.329", "0.282D+01"),
    "d.xsf": "# of XCrySDen\n" + XSF.replace("\n17", " # sodium\n17"),
    "c.gen": "# of DFTB+\n" + GEN.replace("2 F", "2 f"),
    "c.pwi": PWI.replace("ATOMIC_", "atomic_").replace("CELL_PARAMETERS", "\ncell_parameters"),
    "d.pwi": "\n\n".join(PWI.split("\n")),
}


@pytest.mark.parametrize("name", SALTS)
def test_rock_salt_is_the_same_in_every_format_and_unit(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(SALTS[name])
    (atoms,) = read_structures(tmp_path / name).structures
    assert atoms.get_chemical_symbols() == ["Na", "Cl"]
    assert atoms.pbc.all()
    assert atoms.get_volume() == pytest.approx(SALT**3 / 4, rel=1e-4)
    assert atoms.get_distance(0, 1, mic=True) == pytest.approx(SALT / 2, rel=1e-4)


MOLECULES = {
    "a.xsf": "ATOMS\n8 0 0 0\n1 .96 0 0\n1 -.24 .93 0\n",
    "b.xsf": "MOLECULE\nATOMS\n8 0 0 0\n1 .96 0 0\n1 -.24 .93 0\n",
    "a.gen": "3 C\nO H\n1 1 0 0 0\n2 2 .96 0 0\n3 2 -.24 .93 0\n",
}


@pytest.mark.parametrize("name", MOLECULES)
def test_a_molecule_has_no_cell(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(MOLECULES[name])
    (atoms,) = read_structures(tmp_path / name).structures
    assert atoms.get_chemical_formula() == "H2O"
    assert not atoms.pbc.any()
    assert atoms.cell.rank == 0


WRONG = {
    "few.xsf": (XSF.replace("2 1", "3 1"), "PRIMCOORD (line 7) says 3 atoms, and 2 follow"),
    "many.xsf": (XSF.replace("2 1", "1 1"), "PRIMCOORD (line 7) says 1 atoms, and 2 follow"),
    "huge.xsf": (XSF.replace("2 1", "1000000000 1"), "says 1000000000 atoms"),
    "few.gen": (GEN.replace("2 F", "3 F"), "The first line (line 1) says 3 atoms, and 2 follow"),
    "odd.gen": (GEN.replace("Na", "Nx"), "line 2: 'Nx' is not an element"),
    "helix.gen": (GEN.replace("2 F", "2 H"), "it is a helix"),
    "few.pwi": (PWI.replace("nat=2", "nat=3"), "&SYSTEM says 3 atoms, and 2 follow"),
    "none.pwi": (PWI.replace("nat=2, ", ""), "does not say how many atoms"),
    "unit.pwi": (PWI.replace("bohr", "nm"), "CELL_PARAMETERS 'nm' is no unit of pw.x"),
    "place.pwi": (PWI.replace("crystal", "{nm}"), "ATOMIC_POSITIONS 'nm' is no unit of pw.x"),
    "fcc.pwi": (PWI.replace("ibrav=0", "ibrav=2"), "ibrav=2 leaves the cell to pw.x"),
    "sg.pwi": (
        PWI.replace("POSITIONS crystal", "POSITIONS crystal_sg"),
        "lists a part of the atoms",
    ),
    "bare.pwi": (
        PWI.replace("ATOMIC_SPECIES\nNa1 22.99 Na.upf\nCl 35.45 Cl.upf\n", ""),
        "there are no ATOMIC_SPECIES; add them",
    ),
    "other.pwi": (PWI.replace("\nCl 0", "\nBr 0"), "has the label 'Br', and ATOMIC_SPECIES has no"),
    "odd.pwi": (PWI.replace("\nCl ", "\nQq "), "'Qq 35.45' does not begin with an element"),
    "types.pwi": (PWI.replace("ntyp=2", "ntyp=3"), "has ntyp=3, and ATOMIC_SPECIES has 2 rows"),
    "lattice.pwi": (PWI.replace("ibrav=0, ", ""), "&SYSTEM does not say ibrav"),
    "vector.pwi": (PWI.replace("5.329 0 5.329\n", ""), "three rows of three numbers"),
    "half.xsf": (XSF[: XSF.index("PRIMCOORD") - 5], "a part of it is missing or is none"),
    "mass.pwi": (PWI.replace("35.45", "heavy"), "or its mass is no number"),
    "cell.pwi": (
        PWI.replace("CELL_PARAMETERS bohr\n0 5.329 5.329\n5.329 0 5.329\n5.329 5.329 0\n", ""),
        "which ibrav=0 needs",
    ),
    "text.traj": ("hello", "it breaks off or is damaged"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_contradicts_itself_or_is_left_to_the_program_is_refused(
    name: str, tmp_path: Path
) -> None:
    content, words = WRONG[name]
    (tmp_path / name).write_text(content)
    (failure,) = read_structures(tmp_path / name).failures
    assert words in failure.message


def test_frames_of_a_trajectory_are_data_to_learn_from(tmp_path: Path) -> None:
    (tmp_path / "a.traj").write_bytes(trajectory())
    data = load_dataset(tmp_path / "a.traj", target="energy")
    assert data.values[:, 0].tolist() == [-31.0, -32.0]
    assert data.targets[0].unit == "eV"
    assert data.targets[0].extensive


def test_a_damaged_trajectory_is_refused_and_nothing_else(tmp_path: Path) -> None:
    whole, rng = trajectory(), np.random.default_rng(3)
    for _ in range(60):
        content = bytearray(whole)
        for place in rng.integers(len(whole), size=3).tolist():
            content[place] = int(rng.integers(256))
        (tmp_path / "a.traj").write_bytes(content[: int(rng.integers(20, len(whole) + 1))])
        with quiet():
            found = read_structures(tmp_path / "a.traj")
        assert len(found.items) >= 1


LABELS = DATA.replace("Masses\n\n1", "Atom Type Labels\n\n1 Cs\n2 Cl\n\nMasses\n\n1")
FULL = DATA.replace("atomic\n\n2 2 2", "full\n\n2 1 2 -1 2").replace("\n1 1 0 0", "\n1 1 1 1 0 0")
CRYSTALS = {
    "a.lmp": DATA,
    "unnamed.lmp": DATA.replace(" # atomic", ""),
    "labels.lmp": LABELS.replace("\n2 2 2", "\n2 Cl 2").replace("\n1 1 0", "\n1 Cs 0"),
    "full.lmp": FULL + "\nVelocities\n\n1 0 0 0\n2 0 0 0\n\nBonds\n\n1 1 1 2\n",
    "images.lmp": DATA.replace("2.06\n1 1 0 0 0", "2.06 0 0 1\n1 1 0 0 0 0 0 0"),
    "bohr.lmp": DATA.replace("a title", "units = electron")
    .replace("4.12", "7.78567")
    .replace("2.06", "3.892836"),
    "a.lammpstrj": DUMP,
    "mass.lammpstrj": DUMP.replace("element", "mass").replace("Cl", "35.45").replace("Cs", "132.9"),
    "scaled.lammpstrj": DUMP.replace("x y z", "xs ys zs").replace("2.06", "0.5"),
    "units.lammpstrj": "ITEM: UNITS\nreal\n" + DUMP,
    "geometry.in": AIMS,
    "OUTCAR": OUTCAR_HEAD + ionic_step(-6.0) + OUTCAR_END,
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_caesium_chloride_is_the_same_of_every_program(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(CRYSTALS[name])
    (atoms,) = read_structures(tmp_path / name).structures
    assert atoms.get_chemical_symbols() == ["Cs", "Cl"]
    assert atoms.pbc.all()
    assert not {"id", "type"} & set(atoms.arrays)
    np.testing.assert_allclose(atoms.cell.lengths(), 4.12, atol=1e-4)
    assert atoms.get_distance(0, 1, mic=True) == pytest.approx(4.12 * 0.75**0.5, rel=1e-4)


REFUSED = {
    "lj.lmp": (DATA.replace("132.905", "1").replace("35.453", "1"), "in units of Lennard-Jones"),
    "argon.lmp": (DATA.replace("132.905", "40.0"), "no element for certain"),
    "united.lmp": (DATA.replace("132.905", "14.027"), "the mass 14.027, which is that of no"),
    "methane.lmp": (DATA.replace("132.905", "16.043"), "the mass 16.043, which is that of no"),
    "heavy.lmp": (
        DATA.replace("132.905", "12.011")
        .replace("35.453", "4.0")
        .replace("2.06 2.06 2.06", "1 0 0"),
        "is He by its mass, but",
    ),
    "sphere.lmp": (DATA.replace("# atomic", "# sphere"), "which is not read"),
    "twice.lmp": (DATA.replace("\n2 2 2", "\n1 2 2"), "two of its atoms have one number"),
    "box.lmp": (DATA.replace("0 4.12 ylo yhi\n", ""), "no line 'ylo yhi'"),
    "cut.lammpstrj": (DUMP[: DUMP.index("1 1 Cs")], "says 2 atoms, and 1 follow"),
    "lj.lammpstrj": ("ITEM: UNITS\nlj\n" + DUMP, "Lennard-Jones"),
    "odd.lammpstrj": (DUMP.replace("Cl", "C1"), "'C1' is not an element"),
    "two.aims": (AIMS.replace("lattice_vector 0 0 4.12\n", ""), "2 lattice_vector lines"),
    "comma.aims": (AIMS.replace("atom 2.06", "atom 2,06"), "has no three numbers"),
    "huge.outcar": (OUTCAR.replace("1   1\n", "1   1000000000\n"), "more than it has lines"),
    "head.outcar": (OUTCAR_HEAD, "no ionic step"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_program_leaves_open_is_refused(name: str, tmp_path: Path) -> None:
    content, words = REFUSED[name]
    (tmp_path / name).write_text(content)
    (failure,) = read_structures(tmp_path / name).failures
    assert words in failure.message


def test_dysprosium_is_no_deuterium(tmp_path: Path) -> None:
    (tmp_path / "a.lmp").write_text(DATA.replace("132.905", "162.5"))
    assert read_structures(tmp_path / "a.lmp").structures[0].get_chemical_formula() == "ClDy"


def test_directions_of_a_dump_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.lammpstrj").write_text(DUMP.replace("pp pp pp", "pp pp ff"))
    assert read_structures(tmp_path / "a.lammpstrj").structures[0].pbc.tolist() == [1, 1, 0]


def test_steps_of_an_outcar_are_data_to_learn_from(tmp_path: Path) -> None:
    (tmp_path / "OUTCAR").write_text(OUTCAR)
    (tmp_path / "POSCAR").write_text("no POSCAR at all")  # ase would look for constraints in it
    data = load_dataset(tmp_path / "OUTCAR", target="energy")
    assert data.values[:, 0].tolist() == [-6.0, -6.1]


def test_a_label_of_pw_x_is_no_other_element_than_its_potential(tmp_path: Path) -> None:
    (tmp_path / "a.pwi").write_text(PWI.replace("\nCl ", "\nC1 "))
    (failure,) = read_structures(tmp_path / "a.pwi").failures
    assert "its potential is 'Cl.upf'" in failure.message


@pytest.mark.parametrize(
    ("setting", "words"),
    [("tot_charge=1", "charge of +1"), ("assume_isolated='mt'", "does not repeat in all")],
)
def test_what_pw_x_is_told_besides_is_told(setting: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.pwi").write_text(PWI.replace("ntyp=2", f"ntyp=2, {setting}"))
    with quiet():
        (atoms,) = read_structures(tmp_path / "a.pwi").structures
    assert words in "; ".join(warnings_of(atoms))


def test_geometries_that_follow_each_other_are_all_read(tmp_path: Path) -> None:
    (tmp_path / "a.gen").write_text(GEN + GEN.replace("2 F", "2 S").replace(".5", "2.82"))
    found = read_structures(tmp_path / "a.gen").structures
    assert [atoms.get_distance(0, 1, mic=True) for atoms in found] == pytest.approx([2.82, 2.82])


@pytest.mark.parametrize("second", ["2 F\nNa Cl\n1 1 0 0 0\n2 2 .5 .5 .5\n", "3" + GEN[1:]])
def test_a_geometry_that_breaks_off_does_not_take_the_one_before_it(
    second: str, tmp_path: Path
) -> None:
    (tmp_path / "a.gen").write_text(GEN + second)
    found = read_structures(tmp_path / "a.gen")
    assert (len(found.structures), len(found.failures)) == (1, 1)


FRAME = XSF[XSF.index("PRIMCOORD") :]


@pytest.mark.parametrize("head", ["", "ANIMSTEPS 1\n", "ANIMSTEPS 3\n"])
def test_frames_that_are_not_announced_are_not_left_out(head: str, tmp_path: Path) -> None:
    (tmp_path / "a.axsf").write_text(head + XSF + FRAME)
    (failure,) = read_structures(tmp_path / "a.axsf").failures
    assert "it has 2 frames, and" in failure.message
    (tmp_path / "a.axsf").write_text("ANIMSTEPS 2\n" + XSF + FRAME)
    assert len(read_structures(tmp_path / "a.axsf").structures) == 2
