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
    one, four = grows.predict(["formula:NaCl", "formula:Na4Cl4"]).values[:, 0]
    assert four == pytest.approx(4 * one)


def test_a_total_is_a_sum_over_the_atoms_whatever_the_cell_and_whatever_is_learned_beside() -> None:
    """Regressed on counts, a crystal's answer went with its cell."""
    rng = np.random.default_rng(3)
    metals = {"Li": -1.9, "Al": -3.4, "Cu": -3.7, "Au": -3.2}
    given, totals, gaps = [], [], []
    for i in range(48):
        name, energy = list(metals.items())[i % 4]
        repeats = tuple(int(n) for n in rng.integers(1, 4, size=3))
        given.append(bulk(name, "fcc", a=4.0).repeat(repeats))
        totals.append(len(given[-1]) * (energy + rng.normal(0, 0.02)))
        gaps.append(-energy)
    targets = (Target(name="total", extensive=True), Target(name="gap"))
    data = Dataset(
        name="own",
        structures=StructureArrays.from_atoms(given),
        targets=targets,
        values=np.column_stack([totals, gaps]),
    )
    model = al.train(data, model="ridge", target=["total", "gap"], split="random:.6/.2/.2")
    cell = bulk("Li", "fcc", a=4.0)
    found = model.predict([cell.repeat((n, 1, 1)) for n in (1, 2, 5, 60)]).values
    np.testing.assert_allclose(found[:, 0], [-1.9 * n for n in (1, 2, 5, 60)], rtol=0.02)
    np.testing.assert_allclose(found[:, 0], found[0, 0] * np.array([1, 2, 5, 60]), rtol=1e-5)
    np.testing.assert_allclose(found[:, 1], found[0, 1], rtol=1e-5)
    mixed = model.predict([bulk("LiF", "rocksalt", a=4.0).repeat((2, 1, 1))]).values
    assert np.isfinite(mixed).all()


def test_a_sum_over_atoms_is_learned_per_atom_as_well_as_in_totals() -> None:
    """Beside a target of molecules that has a size, too, and is regressed on counts."""
    rng = np.random.default_rng(1)
    chains = ["C" * int(n) + end for n in rng.integers(1, 12, 60) for end in ("O", "N", "F")]
    molecules = [forced(f"smiles:{chain}") for chain in chains]
    of_element = {1: -16.0, 6: -1036.0, 7: -1488.0, 8: -2042.0, 9: -2715.0}
    totals = [sum(of_element[int(z)] for z in m.numbers) + rng.normal(0, 0.1) for m in molecules]
    sizes = [float(len(m)) for m in molecules]
    errors = []
    for grows in (True, False):
        data = Dataset(
            name="own",
            structures=StructureArrays.from_atoms(molecules),
            targets=(Target(name="u", extensive=grows), Target(name="size")),
            values=np.column_stack([totals, sizes]),
        )
        model = al.train(data, model="ridge", target=["u", "size"], split="random:.6/.2/.2")
        found = model.metrics["test"]["targets"]
        assert found["size"]["mae"] < 0.2
        errors.append(found["u"]["mae"])
    assert errors[0] < 1.5 * errors[1]


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
