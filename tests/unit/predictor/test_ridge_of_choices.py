"""What a ridge says of a crystal does not depend on how the cell was chosen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import atomlens as al
from atomlens.datasets.base import Dataset
from atomlens.structures.arrays import StructureArrays
from atomlens.structures.text import forced
from atomlens.targets import Target

SALTS = ("LiF", "LiCl", "NaF", "NaCl", "KF", "KCl", "MgO", "CaO", "SrO", "BaO", "ZnO", "CdO")


def trained(given: list[Any], values: list[float], *, extensive: bool = False) -> Any:
    atoms = [one if isinstance(one, Atoms) else forced(one) for one in given]
    data = Dataset(
        name="own",
        structures=StructureArrays.from_atoms(atoms),
        targets=(Target(name="y", extensive=extensive),),
        values=np.array(values)[:, None],
    )
    return al.train(data, model="ridge", target="y", split="random:.5/.25/.25")


def test_of_formulas_and_crystals_the_size_is_a_matter_of_choice() -> None:
    values = np.linspace(1.0, 4.0, len(SALTS)).tolist()
    model = trained([f"formula:{name}" for name in SALTS], values)
    assert model.config.fractions
    found = model.predict(["formula:NaCl", "formula:Na2Cl2", "formula:Na4Cl4"]).values[:, 0]
    np.testing.assert_allclose(found, found[0], rtol=1e-5)
    crystals: list[Atoms] = [bulk(name, "rocksalt", a=5.0) for name in SALTS]
    model = trained(crystals, values)
    found = model.predict([crystals[3], crystals[3].repeat((2, 2, 1))]).values[:, 0]
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_the_size_of_a_molecule_counts_and_so_does_that_of_a_sum() -> None:
    chains = ["C" * n for n in range(1, 13)]
    molecules = [f"smiles:{chain}" for chain in chains]
    model = trained(molecules, [float(n) for n in range(1, 13)])
    assert not model.config.fractions
    small, large = model.predict([molecules[1], molecules[9]]).values[:, 0]
    assert large > small + 5
    grows = trained([f"formula:{name}" for name in SALTS], [*map(float, range(12))], extensive=True)
    assert not grows.config.fractions


def test_a_ridge_remembers_whether_it_learned_from_formulas(tmp_path: Path) -> None:
    values = np.linspace(1.0, 4.0, len(SALTS)).tolist()
    for given in (
        [f"formula:{name}" for name in SALTS],
        [bulk(name, "rocksalt", a=5.0) for name in SALTS],
    ):
        model = al.load(trained(given, values).save(tmp_path / "model"))
        assert model.predict(["CO", "BN"]).formulas == ("CO", "BN")
        found = model.predict(["smiles:CO", "formula:CO", bulk("MgO", "rocksalt", a=4.2)])
        assert found.formulas[0] == "CH4O"
        assert "this is a molecule" in found.warnings[0]
        assert "this is" not in "".join(found.warnings[1:])
    molecules = trained([f"smiles:{'C' * n}" for n in range(1, 13)], values)
    with pytest.warns(UserWarning, match="read as SMILES"):
        assert molecules.predict(["C"]).formulas == ("CH4",)
    assert "this is" not in molecules.predict(["formula:CH4"]).warnings[0]
