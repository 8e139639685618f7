"""What docs/fitting-in.md says of files is true; tests/integration/test_pages.py runs its code."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

import atomlens as al
from atomlens.reports.tables import write_extxyz

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize("method", ["contribution", "attention"])
def test_scores_survive_extended_xyz(method: str, tmp_path: Path) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    explanation = al.load("box:mp").explain(atoms, method=method, target="band_gap")
    path = write_extxyz(explanation.to_atoms(), tmp_path / "salt.extxyz")
    (again,) = al.read(path)
    np.testing.assert_allclose(again.arrays[method], explanation.scores, atol=1e-7)
    assert explanation.scores_std is not None  # two members
    np.testing.assert_allclose(again.arrays[f"{method}_std"], explanation.scores_std, atol=1e-7)
    assert again.info["band_gap"] == pytest.approx(explanation.prediction, rel=1e-6)
    assert (again.info["target"], again.info["method"]) == ("band_gap", method)
    assert again.pbc.all()
    np.testing.assert_allclose(again.cell[:], atoms.cell[:], atol=1e-7)
    second = al.load("box:mp").explain(again, method=method, target="band_gap")
    np.testing.assert_allclose(second.scores, explanation.scores, atol=1e-5)
