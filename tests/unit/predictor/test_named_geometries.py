"""Whose coordinates come from a force field, as a file says, has errors measured on such."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from atomlens.cli import main
from atomlens.datasets.base import Dataset
from atomlens.datasets.packed import load_packed, save_packed
from atomlens.predictor import Predictor, load
from atomlens.predictor.inputs import gather
from atomlens.predictor.samples import TrainingSamples
from atomlens.structures import read
from atomlens.structures.arrays import StructureArrays, maker_of, structure_of
from atomlens.structures.makers import named_maker

REMARK = "hold for those relaxed as the data of the model were (B3LYP/6-31G(2df,p))"


@pytest.fixture(scope="module")
def qm9() -> Predictor:
    return load("qm9")


def ethanol() -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.rattle(0.01, seed=1)
    return atoms


def written(folder: Path, title: str) -> Path:
    atoms, path = ethanol(), folder / "molecule.xyz"
    rows = [f"{a.symbol} {a.x:.6f} {a.y:.6f} {a.z:.6f}" for a in atoms]
    path.write_text("\n".join([str(len(atoms)), title, *rows, ""]))
    return path


@pytest.mark.parametrize(
    ("title", "named"),
    [
        (" energy: -5.070544 gnorm: 0.0003 xtb: 6.6.1 (8d0f1dd)", "xtb"),
        ("GFN2-xTB, opt tight", "GFN2-xTB"),
        ("gfnff", "gfnff"),
        ("CREST conformer 3", "CREST"),
        ("optimised with MMFF94s", "MMFF94s"),
        ("PM6-D3H4", "PM6-D3H4"),
        ("AM1", "AM1"),
        ("     RDKit          3D", "RDKit"),
        (" OpenBabel11172012343D", "OpenBabel"),
        ("B3LYP/6-31G* after xtb", ""),
        ("xtb start, then wB97X-D", ""),
        ("PBEh-3c//GFN2-xTB", ""),
        ("BP86 after uff", ""),
        ("torsion scan, xtb", "xtb"),
        ("gdb 1\t157.7118\t157.70997", ""),
        ("runs/xtb/ethanol.xyz", ""),
        ("AM1241, -20.1", ""),
        ("", ""),
    ],
)
def test_a_title_names_what_made_the_coordinates(title: str, named: str) -> None:
    assert named_maker(title) == named


def test_coordinates_of_xtb_have_the_errors_of_made_ones(qm9: Predictor, tmp_path: Path) -> None:
    plain = qm9.predict(str(written(tmp_path, "")))
    found = qm9.predict(str(written(tmp_path, "xtb: 6.6.1")))
    assert found.values == pytest.approx(plain.values)
    assert found.seen == ("unknown",)
    assert (found.std > 1.5 * plain.std).all()
    assert found.warnings[0] == (
        "its coordinates are, as its file says, those of xtb, and the model learned from those of "
        "B3LYP/6-31G(2df,p); the error estimate is for coordinates of a force field"
    )
    assert not found.about_geometries
    with pytest.warns(UserWarning, match="of 2 inputs are, as their files say, those of xtb"):
        qm9.predict([str(written(tmp_path, "xtb: 6.6.1"))] * 2)


def test_of_two_programs_one_is_not_named_for_both(
    qm9: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for program in ("xtb: 6.6.1", "AM1", "xtb: 6.6.1"):
        folder = tmp_path / str(len(files))
        folder.mkdir()
        files.append(str(written(folder, program)))
    words = "of 3 inputs are, as their files say, those of xtb and others, and the model"
    with pytest.warns(UserWarning, match=words):
        qm9.predict(files)
    assert main(["predict", "qm9", *files]) == 0
    assert words in capsys.readouterr().err


def test_a_mol_file_of_rdkit_is_told_as_one(qm9: Predictor, tmp_path: Path) -> None:
    from rdkit import Chem
    from rdkit.Chem import AllChem

    made = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    AllChem.EmbedMolecule(made, randomSeed=1)
    path = tmp_path / "molecule.mol"
    path.write_text(Chem.MolToMolBlock(made))
    assert "as its file says, those of RDKit" in qm9.predict(str(path)).warnings[0]
    bare = path.read_text().replace("RDKit", "     ")
    path.write_text(bare)
    assert "as its file says" not in qm9.predict(str(path)).warnings[0]


def test_an_object_of_rdkit_has_the_errors_of_its_mol_file(qm9: Predictor, tmp_path: Path) -> None:
    from rdkit import Chem
    from rdkit.Chem import AllChem

    made = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    AllChem.EmbedMultipleConfs(made, 2, randomSeed=1)
    AllChem.MMFFOptimizeMoleculeConfs(made)
    path = tmp_path / "molecule.mol"
    path.write_text(Chem.MolToMolBlock(made))
    given = Chem.MolFromMolBlock(Chem.MolToMolBlock(made).replace("RDKit", "     "), removeHs=False)
    of_rdkit = Chem.MolFromMolFile(str(path), removeHs=False)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found, of_file = qm9.predict(made), qm9.predict(str(path))
        several = qm9.predict(made, conformers=2)
        of_nobody, read_again = qm9.predict(given), qm9.predict(of_rdkit)
    told = "coordinates of 1 input are taken to be those of RDKit (whose object it is), and the"
    assert any(str(one.message).startswith(told) for one in heard)
    assert found.std == pytest.approx(of_file.std, rel=1e-2)
    assert found.seen == of_file.seen == ("unknown",)
    assert "those of RDKit (whose object it is), and the model learned" in found.warnings[0]
    assert "those of RDKit" in several.warnings[0]
    assert "RDKit" not in of_nobody.warnings[0]
    assert "as its file says, those of RDKit" in read_again.warnings[0]


def test_other_geometries_are_told_once_a_call(qm9: Predictor, tmp_path: Path) -> None:
    given = [str(written(tmp_path, ""))] * 3
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = qm9.predict(given)
    assert [REMARK in str(one.message) for one in heard] == [True]
    assert found.warnings == ("",) * 3
    with pytest.warns(UserWarning, match=re.escape(REMARK)):
        qm9.predict(ethanol(), target="homo")


def test_nothing_is_told_of_the_data_of_smiles_and_of_models_that_do_not_say(
    qm9: Predictor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dataclasses import replace

    about = qm9.record.about
    assert about is not None
    silent = replace(qm9, record=replace(qm9.record, about=replace(about, geometries="")))
    named = str(written(tmp_path, "xtb: 6.6.1"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not qm9.predict(gather("CCO")).about_geometries
        assert silent.predict([ethanol(), named]).warnings == ("", "")
        samples = type(qm9.record.samples)
        for part in ("train", "test"):  # whichever program wrote the file
            monkeypatch.setattr(samples, "part_of", lambda _, given, p=part: (p,) * len(given))
            found = qm9.predict([ethanol(), named])
            assert found.seen == (part, part)
            assert found.warnings == ("", "")


def test_what_a_file_names_stays_with_the_structure_and_goes_with_its_places(
    tmp_path: Path,
) -> None:
    (atoms,) = read(written(tmp_path, "xtb: 6.6.1"))
    assert maker_of(atoms) == "xtb"
    assert structure_of(structure_of(atoms).to_atoms()).maker == "xtb"
    both = StructureArrays.from_atoms([ethanol(), atoms])
    assert both.makers == ("", "xtb")
    assert both.subset([1]).makers == ("xtb",)
    assert both.subset([0])[0].maker == ""
    data = Dataset(name="two", structures=both, targets=(), values=np.zeros((2, 0)))
    save_packed(data, tmp_path / "two.npz")
    assert load_packed(tmp_path / "two.npz").structures.makers == ("", "xtb")
    atoms.positions[0] += 0.1  # relaxed by something else
    assert maker_of(atoms) == ""


def test_the_samples_are_asked_once_for_a_prediction(
    qm9: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked, part_of = str(written(tmp_path, "xtb: 6.6.1")), [], TrainingSamples.part_of

    def heard(self: TrainingSamples, structures: StructureArrays) -> tuple[str, ...]:
        asked.append(len(structures))
        return part_of(self, structures)

    monkeypatch.setattr(TrainingSamples, "part_of", heard)
    qm9.predict(path)
    assert asked == [1]
    qm9.explain(path)
    assert asked == [1, 1]
