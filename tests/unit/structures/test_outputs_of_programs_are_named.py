"""Files of Gaussian and ORCA, which are not read: how to get at their geometry is said."""

import re
from pathlib import Path

import pytest

from atomlens.structures import read_structures

GAUSSIAN = " Entering Gaussian System, Link 0=g16\n Input=mol.gjf\n"
ORCA = "\n                 *****************\n                 * O   R   C   A *\n"
LINK_0 = "%chk=mol.chk\n# opt b3lyp/6-31g(d)\n\ntitle\n\n0 1\nH 0 0 0\nF 0 0 0.9\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("mol.log", GAUSSIAN, "outputs of Gaussian are not read; .*ase convert .* cclib"),
        ("mol.gjf", LINK_0, "inputs and outputs of Gaussian are not read; .*ase convert"),
        ("mol.out", ORCA, r"the \.xyz that ORCA writes beside it .*cclib"),
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
