"""Small inputs of every format, what comes of them, and the page that says so.

``python tests/reading_cases.py`` writes docs/what-is-read.md; a test holds both together.
"""

import bz2
import gzip
import json
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[1] / "docs" / "what-is-read.md"


class Case(NamedTuple):
    """One input."""

    shows: str
    """What is in it"""
    content: str | bytes
    """Of the file; a text given as such has no file"""
    name: str = ""
    """Of the file; empty for a text"""
    disorder: str = "refuse"


class Outcome(NamedTuple):
    """What came of it."""

    kind: str
    """read, warned or refused"""
    words: str
    """Formulas, with the warning or the reason"""


def cif(
    rows: str = "Na1 Na 0 0 0\nCl1 Cl 0.5 0.5 0.5\n",
    symmetry: str = "_symmetry_space_group_name_H-M 'F m -3 m'\n",
    columns: str = "",
    a: float = 5.64,
) -> str:
    """A cubic crystal."""
    return (
        f"data_x\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {a}\n"
        "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n"
        f"{symmetry}loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n"
        f"_atom_site_fract_y\n_atom_site_fract_z\n{columns}{rows}"
    )


def operations(*texts: str, tag: str = "_space_group_symop_operation_xyz") -> str:
    """A loop of symmetry operations."""
    return f"loop_\n{tag}\n" + "".join(f"'{text}'\n" for text in texts)


IDENTITY = operations("x,y,z")
LABELS = cif("L1 0 0 0\n").replace("_atom_site_type_symbol\n", "")
POSCAR = "CsCl\n1.0\n4.12 0 0\n0 4.12 0\n0 0 4.12\nCs Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"
WATER = "3\n{}\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"
DIMER = "2\n{}\nCs 0 0 0\nCl 2.06 2.06 2.06\n"
MOL = (
    "x\n  test              {dim}\n\n  3  2  0  0  0  0            999 V2000\n"
    "    0.0000    0.0000    0.0000 C   0  0\n    1.2000    0.9000    {z} C   0  0\n"
    "    2.4000    0.1000    0.0000 {last}   0  0\n  1  2  1  0\n  2  3  1  0\nM  END\n"
)
SITES = [{"species": [{"element": "Fe", "occu": 1}], "abc": [0, 0, 0], "label": "Fe"}]
STRUCTURE = {"lattice": {"matrix": [[2.87, 0, 0], [0, 2.87, 0], [0, 0, 2.87]]}, "sites": SITES}
GROUPS = "_atom_site_occupancy\n_atom_site_disorder_group\n"

XSF = (
    "CRYSTAL\nPRIMVEC\n0 2.82 2.82\n2.82 0 2.82\n2.82 2.82 0\nPRIMCOORD\n2 1\n"
    "11 0 0 0\n17 2.82 2.82 2.82\n"
)
PWI = (
    "&CONTROL\n/\n&SYSTEM\n ibrav=0, nat=2, ntyp=2, ecutwfc=30\n/\n&ELECTRONS\n/\n"
    "ATOMIC_SPECIES\nNa1 22.99 Na.upf\nCl 35.45 Cl.upf\nCELL_PARAMETERS bohr\n"
    "0 5.329 5.329\n5.329 0 5.329\n5.329 5.329 0\nATOMIC_POSITIONS crystal\n"
    "Na1 0 0 0\nCl 0.5 0.5 0.5 0 0 0\nK_POINTS gamma\n"
)


BOX = "0 4.12 xlo xhi\n0 4.12 ylo yhi\n0 4.12 zlo zhi\n"
DATA = (
    f"a title\n\n2 atoms\n2 atom types\n\n{BOX}\nMasses\n\n1 132.905\n2 35.453\n\n"
    "Atoms # atomic\n\n2 2 2.06 2.06 2.06\n1 1 0 0 0\n"
)
DUMP = (
    "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 4.12\n0 4.12\n"
    "0 4.12\nITEM: ATOMS id type element x y z\n2 2 Cl 2.06 2.06 2.06\n1 1 Cs 0 0 0\n"
)
AIMS = (
    "lattice_vector 4.12 0 0\nlattice_vector 0 4.12 0\nlattice_vector 0 0 4.12\n"
    "atom_frac 0 0 0 Cs\natom 2.06 2.06 2.06 Cl  # a comment\n    initial_moment 1\n"
)
OUTCAR_HEAD = (
    " vasp.5.4.4\n POTCAR:    PAW_PBE Cs_sv 08Apr2002\n POTCAR:    PAW_PBE Cl 06Sep2000\n"
    " POTCAR:    PAW_PBE Cs_sv 08Apr2002\n POTCAR:    PAW_PBE Cl 06Sep2000\n POSCAR: CsCl\n"
    "   ions per type =               1   1\n"
)
OUTCAR_END = " General timing and accounting informations for this job:\n"


def ionic_step(energy: float, z: float = 2.06) -> str:
    """What VASP writes of a step, as far as it is read (format: VASP 5.4)."""
    rows = "".join(
        f"     {v}     0.242718447  0.000000000  0.000000000\n"
        for v in ("4.12 0.0 0.0", "0.0 4.12 0.0", "0.0 0.0 4.12")
    )
    return (
        "--------- Iteration      1(   1)  ---------\n"
        "------------ aborting loop because EDIFF is reached ------------\n"
        f"      direct lattice vectors                 reciprocal lattice vectors\n{rows}\n"
        " POSITION                                       TOTAL-FORCE (eV/Angst)\n ------\n"
        f"  0.0 0.0 0.0  0.0 0.0 0.0\n  2.06 2.06 {z}  0.0 0.0 0.0\n ------\n"
        "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n  ------\n"
        f"  free  energy   TOTEN  =        {energy} eV\n\n"
        f"  energy  without entropy=  {energy}  energy(sigma->0) =  {energy}\n"
    )


OUTCAR = OUTCAR_HEAD + ionic_step(-6.0) + ionic_step(-6.1, 2.08) + OUTCAR_END


def trajectory() -> bytes:
    """Two frames of ase, of a hydrogen molecule with an energy."""
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    frames = [Atoms("H2", [[0, 0, 0], [0, 0, z]]) for z in (0.7, 0.8)]
    for i, atoms in enumerate(frames):
        atoms.calc = SinglePointCalculator(atoms, energy=-31.0 - i)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name) / "a.traj", frames)
        return (Path(name) / "a.traj").read_bytes()


CASES: dict[str, list[Case]] = {
    "CIF: `.cif`, `.mcif`, `.mmcif`": [
        Case(
            "symmetry operations, or a space group by name, number or Hall symbol", cif(), "a.cif"
        ),
        Case(
            "magnetic operations and centrings; BNS and OG numbers",
            cif(symmetry="_space_group_magn.number_BNS 225.117\n"),
            "a.mcif",
        ),
        Case("several data blocks", cif() + cif().replace("data_x", "data_y"), "a.cif"),
        Case(
            "models of an mmCIF; a cell of 1 Å or of `?` is none",
            "data_x\nloop_\n_atom_site.type_symbol\n_atom_site.label_atom_id\n_atom_site.Cartn_x\n"
            "_atom_site.Cartn_y\n_atom_site.Cartn_z\n_atom_site.pdbx_PDB_model_num\n"
            "C C 0 0 0 1\nO O 1.2 0 0 1\nC C 0 0 0 2\nO O 1.3 0 0 2\n",
            "a.cif",
        ),
        Case(
            "a component of a dictionary (ligands of wwPDB and CCP4): its ideal coordinates",
            "data_HOH\n_chem_comp.formula 'H2 O'\nloop_\n_chem_comp_atom.comp_id\n"
            "_chem_comp_atom.type_symbol\n_chem_comp_atom.pdbx_model_Cartn_x_ideal\n"
            "_chem_comp_atom.pdbx_model_Cartn_y_ideal\n_chem_comp_atom.pdbx_model_Cartn_z_ideal\n"
            "HOH O 0 0 0\nHOH H 0.96 0 0\nHOH H -0.24 0.93 0\n",
            "a.cif",
        ),
        Case(
            "operations and a group that exclude each other, and Z or a density that decides",
            "_chemical_formula_sum 'Cl Na'\n_cell_formula_units_Z 4\n".join(
                ["data_x\n", cif(symmetry=f"_space_group_IT_number 225\n{IDENTITY}")[7:]]
            ),
            "a.cif",
        ),
        Case(
            "the same, and nothing that decides",
            cif(symmetry=f"_space_group_IT_number 225\n{IDENTITY}"),
            "a.cif",
        ),
        Case(
            "no symmetry, and fewer atoms than Z says",
            cif(symmetry="_chemical_formula_sum 'Cl Na'\n_cell_formula_units_Z 4\n"),
            "a.cif",
        ),
        Case(
            "operations whose products are not in the list",
            cif(symmetry=operations("x,y,z", "-x,-y,z+1/2", "-x,y,-z"), rows="Fe1 Fe .1 .2 .3\n"),
            "a.cif",
        ),
        Case(
            "the space group of a parent, or Wyckoff letters, and no symmetry of its own",
            cif(symmetry="_parent_space_group.IT_number 225\n"),
            "a.cif",
        ),
        Case(
            "a cell, a group or a list of atoms that is given twice",
            cif(symmetry="_cell_length_a 6.0\n_space_group_IT_number 225\n"),
            "a.cif",
        ),
        Case(
            "a label that names another element than the type symbol",
            cif(rows="Na1 Cl 0 0 0\nCl1 Na 0.5 0.5 0.5\n"),
            "a.cif",
        ),
        Case(
            "the same of one that begins alike, or of two nonmetals",
            cif(rows="Cr1 Co 0 0 0\nCl1 Cl 0.5 0.5 0.5\n"),
            "a.cif",
        ),
        Case(
            "a space group under a tag of another meaning, and no symmetry",
            cif(symmetry="_space_group_name_H-M_ref 'F m -3 m'\n"),
            "a.cif",
        ),
        Case(
            "alternatives of a residue of an mmCIF",
            "data_x\nloop_\n_atom_site.type_symbol\n_atom_site.label_alt_id\n_atom_site.Cartn_x\n"
            "_atom_site.Cartn_y\n_atom_site.Cartn_z\nC . 0 0 0\nO A 1.2 0 0\nO B -1.2 0 0\n",
            "a.mmcif",
        ),
        Case(
            "an oxygen called `OW` or `O1W` to which no hydrogen is bound",
            cif("Na1 Na 0 0 0\nO1W O 0.5 0.5 0.5\n"),
            "a.cif",
        ),
        Case("lengths in pm", cif(a=564), "a.cif"),
        Case("lengths in nm", cif(a=0.564), "a.cif"),
        Case(
            "a modulated crystal",
            cif(
                symmetry="_cell_modulation_dimension 1\n"
                + operations("x1,x2,x3,x4", tag="_space_group_symop_ssg_operation_algebraic")
            ),
            "a.cif",
        ),
        Case(
            "a shared or partly filled site",
            cif("Fe1 Fe 0 0 0 0.7\nCo1 Co 0 0 0 0.3\n", columns="_atom_site_occupancy\n"),
            "a.cif",
        ),
        Case(
            "the same with `--disorder majority`",
            cif("Fe1 Fe 0 0 0 0.7\nCo1 Co 0 0 0 0.3\n", columns="_atom_site_occupancy\n", a=3.6),
            "a.cif",
            "majority",
        ),
        Case(
            "disorder groups",
            cif(
                "C1 C 0 0 0 1 .\nO1 O .2 0 0 .5 1\nO2 O .2 .05 0 .5 2\n",
                symmetry=IDENTITY,
                columns=GROUPS,
            ),
            "a.cif",
        ),
        Case(
            "hydrogens that are counted and have no position",
            cif("C1 C .1 .1 .1 4\n", symmetry=IDENTITY, columns="_atom_site_attached_hydrogens\n"),
            "a.cif",
        ),
        Case(
            "an occupancy that is no number",
            cif("Fe1 Fe 0 0 0 1/2\n", columns="_atom_site_occupancy\n"),
            "a.cif",
        ),
        Case("a group as type symbol", cif("N1 NH4 0 0 0\nCl1 Cl .5 .5 .5\n"), "a.cif"),
        Case("amounts in a type symbol", cif("M1 Cu0.5Au0.5 0 0 0\n"), "a.cif"),
        Case("species without shares in a type symbol", cif("M1 Ca2+/Mg2+ 0 0 0\n"), "a.cif"),
        Case("a label alone: `Fe1`, `O2A`", LABELS.replace("L1", "Fe1"), "a.cif"),
        Case("a label alone: `Wat`", LABELS.replace("L1", "Wat"), "a.cif"),
        Case("a label alone that may be two elements: `CA1`", LABELS.replace("L1", "CA1"), "a.cif"),
        Case(
            "the same with a sum formula",
            LABELS.replace("L1", "CA1").replace("loop_", "_chemical_formula_sum 'Ca'\nloop_"),
            "a.cif",
        ),
        Case("a label alone that is no element: `T1`", LABELS.replace("L1", "T1"), "a.cif"),
        Case("a file that breaks off within a row", cif()[:-8], "a.cif"),
    ],
    "POSCAR, CONTCAR, XDATCAR: `.vasp`, `.poscar`, `.contcar`, or in the name": [
        Case("a title that is another formula", POSCAR.replace("CsCl", "NaCl", 1), "POSCAR"),
        Case(
            "names behind the positions that are others",
            POSCAR.replace("Direct\n0 0 0\n", "Direct\n0 0 0 Cl\n"),
            "POSCAR",
        ),
        Case("more positions than it announces", POSCAR + ".2 .2 .2\n", "POSCAR"),
        Case("fractions that are called Cartesian", POSCAR.replace("Direct", "Cart"), "POSCAR"),
        Case(
            "the same with oxidation states, numbers, behind `!` or `#`",
            POSCAR.replace("0 0 0\n.5", "0 0 0 Cl-\n.5"),
            "a.vasp",
        ),
        Case(
            "coordinates called otherwise, as in other programs",
            POSCAR.replace("Direct", "Crystal"),
            "a.vasp",
        ),
        Case("VASP 5, direct or Cartesian, three scales, velocities", POSCAR, "POSCAR1"),
        Case(
            "VASP 4 with the elements as title",
            POSCAR.replace("CsCl", "Cs Cl").replace("Cs Cl\n1 1", "1 1"),
            "NaCl-POSCAR",
        ),
        Case(
            "the frames of an XDATCAR, structures behind a POSCAR",
            POSCAR.replace("Direct", "Direct configuration= 1")
            + "Direct configuration= 2\n0 0 0\n.52 .5 .5\n",
            "XDATCAR",
        ),
        Case("VASP 4 with another title", POSCAR.replace("Cs Cl\n1 1", "1 1"), "POSCAR"),
        Case("`D`; `T` where a hydrogen can stand", POSCAR[4:].replace("Cs Cl", "D F"), "x.vasp"),
        Case("`T` elsewhere", POSCAR[4:].replace("Cs Cl", "T O"), "x.vasp"),
        Case(
            "lengths that are called parts of the cell",
            POSCAR.replace(".5 .5 .5", "2.06 2.06 2.06"),
            "x.vasp",
        ),
        Case("fewer positions than atoms", POSCAR[:-9], "POSCAR"),
    ],
    "XYZ: `.xyz`, `.extxyz`": [
        Case(
            "a symbol and an atomic number of two elements",
            DIMER.format("Properties=species:S:1:pos:R:3:Z:I:1")
            .replace("2.06\n", "2.06 35\n")
            .replace("Cs 0 0 0", "Cs 0 0 0 55"),
            "a.xyz",
        ),
        Case("more lines of atoms than it announces", "2" + WATER.format("x")[1:], "a.xyz"),
        Case("plain, one frame or many", WATER.format("") * 2, "a.xyz"),
        Case(
            "extended: Lattice, Properties and pbc in any case; columns become `info`",
            DIMER.format('lattice="4.12 0 0 0 4.12 0 0 0 4.12" PBC="T T F"'),
            "a.xyz",
        ),
        Case(
            "cells and units of i-PI, OpenMX, CRYST1; bohr, nm, fractions of the cell",
            DIMER.format(
                "# CELL(abcABC): 7.79 7.79 7.79 90 90 90 cell{atomic_unit} positions{angstrom}"
            ),
            "a.xyz",
        ),
        Case(
            "atomic numbers for elements",
            WATER.replace("O", "8").replace("H", "1").format(""),
            "a.xyz",
        ),
        Case(
            "a title that speaks of a cell and is not understood",
            DIMER.format("cubic cell"),
            "a.xyz",
        ),
        Case("hydrogens far from everything, as in bohr", "2\n\nH 0 0 0\nF 1.73 0 0\n", "a.xyz"),
        Case(
            "a flag, an index or an atomic number behind the element",
            "2\n\nO 0 0.0 0.0 0.0\nH -1 0.96 0.0 0.0\n",
            "a.xyz",
        ),
        Case(
            "a cell behind the atoms",
            "2\n\nCs 0 0 0\nCl 2.06 2.06 2.06\nTv 4.12 0 0\nTv 0 4.12 0\nTv 0 0 4.12\n",
            "a.xyz",
        ),
        Case("charge and multiplicity as title", WATER.format("1 2"), "a.xyz"),
        Case("no bond, as in bohr", "2\n\nC 0 0 0\nO 2.13 0 0\n", "a.xyz"),
        Case("types of LAMMPS", "3\n\n2 0 0 0\n1 0.96 0 0\n1 -0.24 0.93 0\n", "a.xyz"),
        Case("a skeleton without hydrogens", "3\n\nC 0 0 0\nC 1.52 0 0\nO 2 1.35 0\n", "a.xyz"),
        Case(
            "a crystal whose pbc is off",
            '2\nLattice="4.12 0 0 0 4.12 0 0 0 4.12" pbc="F F F"\nCs 0 0 0\nCl 2.06 2.06 2.06\n',
            "a.xyz",
        ),
        Case("names of atoms: `CA`", "3\n\nN 0 0 0\nCA 1.46 0 0\nC 2 1.42 0\n", "a.xyz"),
        Case("fewer rows than atoms", "5\n\nC 0 0 0\n", "a.xyz"),
    ],
    "MOL, SDF: `.mol`, `.sdf`, `.sd`": [
        Case(
            "several records; data fields become `info`",
            (MOL.format(dim="3D", z="0.3000", last="O") + "$$$$\n"),
            "a.sdf",
        ),
        Case(
            "a second molecule without `$$$$` before it",
            MOL.format(dim="3D", z="0.3000", last="O") * 2,
            "a.sdf",
        ),
        Case("a flat drawing", MOL.format(dim="2D", z="0.0000", last="O"), "a.mol"),
        Case(
            "a placeholder or a list of elements",
            MOL.format(dim="2D", z="0.0000", last="A"),
            "a.mol",
        ),
    ],
    "JSON: `.json`": [
        Case(
            "pymatgen, ase, JARVIS, OPTIMADE; lists, records, tables of pandas, lines",
            json.dumps([STRUCTURE]),
            "a.json",
        ),
        Case(
            "lengths of a cell that are not those of its vectors",
            json.dumps(STRUCTURE | {"lattice": STRUCTURE["lattice"] | {"a": 3, "b": 4, "c": 5}}),
            "a.json",
        ),
        Case(
            "a cell without `pbc`",
            json.dumps(
                {
                    "numbers": [2],
                    "positions": [[0, 0, 0]],
                    "cell": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
                }
            ),
            "a.json",
        ),
        Case("something else", "{}", "a.json"),
    ],
    "ase database: `.db`": [Case("another SQLite file", b"SQLite format 3\0" + bytes(100), "a.db")],
    "ase trajectory: `.traj`": [
        Case("frames with their energies", trajectory(), "a.traj"),
        Case("one that is cut off", trajectory()[:300], "a.traj"),
    ],
    "XSF of XCrySDen: `.xsf`, `.axsf`": [
        Case("a crystal", XSF, "a.xsf"),
        Case("fewer atoms than it announces", XSF.replace("2 1", "3 1"), "a.xsf"),
    ],
    "GEN of DFTB+: `.gen`": [
        Case("clusters (`C`), supercells (`S`, `F`)", "1 C\nHe\n1 1 0 0 0\n", "a.gen"),
        Case("a helix", "1 H\nHe\n1 1 0 0 0\n", "a.gen"),
    ],
    "Input of pw.x (Quantum ESPRESSO): `.pwi`": [
        Case("`ibrav=0`, lengths in any unit", PWI, "a.pwi"),
        Case("another `ibrav`", PWI.replace("ibrav=0", "ibrav=2"), "a.pwi"),
        Case("another number of atoms", PWI.replace("nat=2", "nat=4"), "a.pwi"),
        Case("another number of species", PWI.replace("ntyp=2", "ntyp=3"), "a.pwi"),
        Case("an atom of no species", PWI.replace("\nCl 0", "\nBr 0"), "a.pwi"),
    ],
    "OUTCAR of VASP: `.outcar`, or in the name": [
        Case("all ionic steps, with their energies", OUTCAR, "OUTCAR"),
        Case(
            "a POSCAR of another compound than the potentials make",
            OUTCAR.replace("POSCAR: CsCl", "POSCAR: NaCl"),
            "OUTCAR",
        ),
        Case("electrons that did not converge", OUTCAR.replace("EDIFF is reached", "x"), "OUTCAR"),
        Case("a run that breaks off", OUTCAR.replace(OUTCAR_END, ""), "OUTCAR"),
        Case("a run without a complete step", OUTCAR_HEAD, "OUTCAR"),
    ],
    "FHI-aims: `geometry.in`, `.aims`": [
        Case("`atom` and `atom_frac`, with three `lattice_vector` or none", AIMS, "geometry.in"),
        Case("a species of control.in", AIMS.replace(" Cl", " Cl_tight"), "geometry.in"),
        Case("sites without an atom", AIMS + "empty 1 1 1 Cl\n", "geometry.in"),
    ],
    "LAMMPS data: `.lmp`, `.lammps`, `.lammps-data`": [
        Case("elements by the masses of their types", DATA, "a.lmp"),
        Case(
            "elements behind the masses, type labels; styles atomic, charge, molecular, full",
            DATA.replace("132.905", "133 # Cs")
            .replace("# atomic", "# charge")
            .replace("2 2 2", "2 2 -1 2")
            .replace("1 1 0", "1 1 1 0"),
            "a.lmp",
        ),
        Case(
            "types without masses", DATA.replace("Masses\n\n1 132.905\n2 35.453\n\n", ""), "a.lmp"
        ),
        Case("a mass that is no element's", DATA.replace("132.905", "72.0"), "a.lmp"),
        Case("a name that is not that of the mass", DATA.replace("905", "905 # Na"), "a.lmp"),
        Case("units of Lennard-Jones", DATA.replace("a title", "units = lj"), "a.lmp"),
        Case(
            "a column that may be a charge or a type",
            DATA.replace(" # atomic", "").replace("2 2 2", "2 2 -1 2").replace("1 1 0", "1 1 1 0"),
            "a.lmp",
        ),
        Case("another number of atoms", DATA.replace("2 atoms", "3 atoms"), "a.lmp"),
    ],
    "LAMMPS dump: `.lammpstrj`, `.lammps-dump`": [
        Case("time steps with a column `element` or `mass`", DUMP + DUMP, "a.lammpstrj"),
        Case("types alone", DUMP.replace("element", "mol"), "a.lammpstrj"),
        Case("a box without `pp pp pp`", DUMP.replace(" pp pp pp", ""), "a.lammpstrj"),
    ],
    "Any of them packed: `.gz`, `.bz2`, `.xz`": [
        Case("one file", gzip.compress(cif().encode()), "a.cif.gz"),
        Case("damaged", bz2.compress(cif().encode())[:40], "a.cif.bz2"),
    ],
    "PDB, CML, GRO and what else holds structures": [
        Case("not read; what can be is named", "ATOM      1  C   MET A   1\n", "a.pdb"),
    ],
    "SMILES as text": [
        Case("a bond of no order", "smiles:C~C"),
        Case("what has the letters of a formula and the grammar of a SMILES", "CC(C)(C)(C)C"),
        Case("molecules; the coordinates do not depend on the spelling", "smiles:CCO"),
        Case("salts and solvates", "smiles:CC(=O)[O-].[Na+]"),
        Case("five to eight neighbours: PF6-, SF6, metals", "smiles:F[P-](F)(F)(F)(F)F"),
        Case("which ligand stands where: `@SP1`, `@OH5`, `@TB7`", "smiles:F[Xe@SP1](F)(F)F"),
        Case("a dative bond to an atom whose hydrogens are not written", "N->B"),
        Case("deuterium", "smiles:[2H]O[2H]"),
        Case("a ring that does not close", "C1CCO"),
        Case("isotopes but those of hydrogen", "[13CH4]"),
        Case("`[D]` and `[T]` as some programs write them", "smiles:[D]C([D])([D])O"),
        Case("text that is a SMILES and a formula", "CO"),
        Case("a placeholder", "smiles:C*"),
        Case("a reaction", "CC>>CO"),
        Case("SELFIES", "[C][C][O]"),
    ],
    "Formulas as text": [
        Case("brackets, decimals, hydrates and adducts", "formula:Al2O3.2SiO2.2H2O"),
        Case("subscripts of Unicode, LaTeX and HTML, `½`, `@`", "formula:Fe$_2$O$_3$"),
        Case("decimals of thirds", "formula:Na0.33Cl0.67"),
        Case("rounded per cent of a compound", "formula:Ti33.3O66.7"),
        Case("a dot with two meanings", "formula:SrTiO2.5TiO2"),
        Case("abbreviations", "formula:TiCl4.2THF"),
        Case("charges, in any spelling", "formula:SO4²⁻"),
        Case("the same with the digits last, and of other parts", "formula:Fe2+Fe3+2O4"),
        Case("`D` and `T`", "formula:D2O"),
        Case("`T` and twice as much oxygen", "formula:TO2"),
        Case("an amount that is not known", "formula:Li1-xCoO2"),
        Case("a phase or a state beside it", "formula:α-Fe2O3"),
        Case("a letter of a phase behind it", "TiO2(B)"),
        Case("a dopant without an amount", "formula:NaCl:Tl"),
        Case("metals in capitals", "SIO2"),
        Case("a decimal comma", "Li0,5CoO2"),
        Case("elements that share a place", "(Mg,Fe)2SiO4"),
        Case("the same without a comma: alloys, solid solutions", "InGaAs"),
        Case("amounts in front of the elements", "50Fe50Ni"),
        Case("the amount of all that is in brackets, or of each", "(CoCrNi)96Al4"),
        Case("a slash between compounds", "formula:CuSO4/5H2O"),
        Case("a zero for the letter O", "formula:CaC03"),
        Case("a zero that may be the letter", "formula:Fe203"),
        Case("the same beside other elements", "formula:LiMn204"),
        Case("water with a zero", "formula:CuSO4·5H20"),
        Case("two compounds side by side", "formula:NaCl KCl"),
        Case("oxidation numbers", "formula:Fe(III)O"),
        Case("a number in front that is a mass number of the element", "formula:13CO2"),
        Case("two numbers with a space between them", "formula:CuSO4 5H2O"),
    ],
}


def outcome(case: Case, folder: Path) -> Outcome:
    """Read a case and say what came of it, without the folder's name."""
    from atomlens.elements.naming import chemical_formula
    from atomlens.structures import read_structures
    from atomlens.structures.arrays import warnings_of

    given: object = case.content
    if case.name:
        path = folder / case.name
        path.write_bytes(case.content if isinstance(case.content, bytes) else case.content.encode())
        given = path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = read_structures(given, disorder=case.disorder)  # type: ignore[arg-type]
    if result.failures:
        message = result.failures[0].message.replace(f"{folder}/", "")
        return Outcome("refused", message.removeprefix(f"{case.name}: "))
    formulas = ", ".join(chemical_formula(a.numbers) for a in result.structures)
    said = list(dict.fromkeys(s for a in result.structures for s in warnings_of(a)))
    return (
        Outcome("warned", f"{formulas}: {'; '.join(said)}") if said else Outcome("read", formulas)
    )


def page() -> str:
    """Return the text of docs/what-is-read.md."""
    lines = [
        "# What is read",
        "",
        "Every line of these tables is a test (`tests/reading_cases.py` writes them): an input of",
        "the format, and what comes of it. *Read* shows the formula; *warned* what goes to the",
        'terminal, the table, the JSON, the page and `atoms.info["warnings"]`, and what `--strict`',
        "makes a failure; *refused* the sentence that stands in the place of the answer, while the",
        "other inputs go on.",
        "",
    ]
    with tempfile.TemporaryDirectory() as name:
        for title, cases in CASES.items():
            lines += [f"## {title}", "", "| in the file | comes out | in words |", "|---|---|---|"]
            for case in cases:
                kind, words = outcome(case, Path(name))
                shown = words.replace("|", "¦").replace("][", "]\\[")  # no link of Markdown
                lines.append(f"| {case.shows} | {kind} | {shown} |")
            lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
