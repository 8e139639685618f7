"""Files of Gaussian and ORCA, which are not read: how to get at their geometry is said."""

import re
from pathlib import Path

import pytest

from atomlens.structures import read_structures

GAUSSIAN = " Entering Gaussian System, Link 0=g16\n Input=mol.gjf\n"
ORCA = "\n                 *****************\n                 * O   R   C   A *\n"
VASPRUN = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n <generator>\n'
LINK_0 = "%chk=mol.chk\n# opt b3lyp/6-31g(d)\n\ntitle\n\n0 1\nH 0 0 0\nF 0 0 0.9\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("mol.log", GAUSSIAN, "outputs of Gaussian are not read; .*ase convert .* cclib"),
        ("mol.gjf", LINK_0, "inputs and outputs of Gaussian are not read; .*ase convert"),
        ("mol.out", ORCA, r"the \.xyz that ORCA writes beside it .*cclib"),
        (
            "vasprun.xml",
            VASPRUN,
            "vasprun.xml of VASP is not read; give the OUTCAR",
        ),
        ("mol.log", "Q-Chem 6.1", r"outputs of programs \(\.log\) are not read; .* cclib"),
    ],
)
def test_outputs_of_programs_name_the_way(tmp_path: Path, name: str, text: str, said: str) -> None:

    path = tmp_path / name
    path.write_text(text)
    (failure,) = read_structures(path).failures
    assert re.search(said, failure.message), failure.message
    assert "rename it" not in failure.message
    (of_folder,) = read_structures(tmp_path).failures
    assert f"it holds 1 {path.suffix} ({name}: " in of_folder.message
    assert re.search(said, of_folder.message), of_folder.message


PWI = "&CONTROL\n  calculation='scf'\n/\n&SYSTEM\n  ibrav=0, nat=2, ntyp=1\n/\n&ELECTRONS\n/\n"
CP2K = "&FORCE_EVAL\n  METHOD QS\n  &SUBSYS\n    &CELL\n      ABC 5 5 5\n"
LAMMPS = "units metal\natom_style atomic\nread_data a.data\npair_style eam\n"


@pytest.mark.parametrize("name", ["si.scf.in", "mgo.inp", "a.txt"])
def test_inputs_of_pwx_by_another_name_are_told_theirs(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(PWI)
    (failure,) = read_structures(tmp_path / name).failures
    assert "looks like input of pw.x; give it the ending .pwi" in failure.message


@pytest.mark.parametrize("text", [CP2K, LAMMPS])
def test_inputs_of_other_programs_are_not_taken_for_those_of_pwx(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.in").write_text(text)
    (failure,) = read_structures(tmp_path / "a.in").failures
    assert "pw.x" not in failure.message
