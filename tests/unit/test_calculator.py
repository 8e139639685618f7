"""AtomlensCalculator gives ASE energies in eV, and forces that are their slope."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError

from atomlens.calculator import AtomlensCalculator
from atomlens.errors import ModelError, SettingsError
from atomlens.predictor import Predictor, load
from atomlens.targets import Target


@pytest.fixture(scope="module")
def crystals() -> Predictor:
    return load("box:mp")


def _salt() -> Atoms:
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    atoms.rattle(0.08, seed=1)
    return atoms


def test_an_energy_per_atom_is_multiplied(crystals: Predictor) -> None:
    atoms = _salt()
    atoms.calc = AtomlensCalculator(crystals)
    predicted = crystals.predict(atoms).values[0, 0]
    assert atoms.get_potential_energy() == pytest.approx(2 * predicted, abs=1e-4)
    double = atoms.repeat((2, 1, 1))
    double.calc = atoms.calc
    energy = double.get_potential_energy()
    assert energy == pytest.approx(4 * predicted, abs=2e-4)


def test_forces_are_the_slope_of_the_energy(crystals: Predictor) -> None:
    atoms = _salt()
    atoms.calc = AtomlensCalculator(crystals)
    forces = atoms.get_forces()
    assert np.abs(forces).max() > 0.01
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-6)  # nothing outside pulls
    along = np.random.default_rng(0).normal(size=forces.shape)
    work, points = 0.0, np.linspace(-0.02, 0.02, 5)
    energies = []
    for s in points:  # the energy that is lost on a way is the work of the forces on it
        there = atoms.copy()
        there.positions += s * along
        there.calc = atoms.calc
        energies.append(there.get_potential_energy())
        work += (there.get_forces() * along).sum() * {-0.02: 0.5, 0.02: 0.5}.get(float(s), 1.0)
    work *= points[1] - points[0]
    assert energies[0] - energies[-1] == pytest.approx(work, rel=0.02, abs=1e-5)


def test_forces_add_up_to_nothing_where_atoms_have_different_neighbours(
    crystals: Predictor,
) -> None:
    atoms = bulk("ZnO", "wurtzite", a=3.25, c=5.2)
    atoms.rattle(0.1, seed=3)
    left = {}
    for step in (0.005, None):
        atoms.calc = AtomlensCalculator(crystals, **({} if step is None else {"step": step}))
        left[step] = float(np.abs(atoms.get_forces().sum(axis=0)).max())
    assert left[None] < 1e-5
    assert left[None] < 0.01 * left[0.005]


def test_several_energies_must_be_named_and_other_targets_refused(crystals: Predictor) -> None:
    with pytest.raises(ModelError, match="predicts no energy"):
        AtomlensCalculator("box:qm9")
    with pytest.raises(SettingsError, match="is no energy"):
        AtomlensCalculator("box:qm9", target="cv")
    with pytest.raises(SettingsError, match="Did you mean 'formation_energy'"):
        AtomlensCalculator(crystals, target="formation_enrgy")
    with pytest.raises(SettingsError, match="step"):
        AtomlensCalculator(crystals, step=0)


def test_a_model_that_jumps_has_energies_and_no_forces() -> None:
    from atomlens import train
    from atomlens.datasets.base import Sample

    samples = [
        Sample(atoms=molecule(m), targets={"energy": float(i)}, identifier=m)
        for i, m in enumerate(("H2O", "CH4", "NH3", "C2H6"))
    ]
    model = train(
        samples,
        model="scann-plus",
        epochs=1,
        split="random:1./0./0.",
        model_settings={"n_layers": 1},
    )
    target = Target(name="energy", unit="kcal/mol", extensive=True)
    changed = _with_target(model, target)
    atoms = molecule("H2O")
    atoms.calc = AtomlensCalculator(changed)
    value = changed.predict(atoms).values[0, 0]
    assert atoms.get_potential_energy() == pytest.approx(value * 0.0433641, rel=1e-4)
    with pytest.raises(PropertyNotImplementedError, match="jumps where a neighbour appears"):
        atoms.get_forces()
    boxed = molecule("H2O", cell=[9.0] * 3, pbc=True)
    boxed.calc = atoms.calc
    with pytest.warns(UserWarning, match="stands alone in a periodic box"):
        assert boxed.get_potential_energy() == pytest.approx(value * 0.0433641, rel=1e-4)


def _with_target(model: Predictor, target: Target) -> Predictor:
    from dataclasses import replace

    return replace(model, scaling=replace(model.scaling, targets=(target,)))


def test_what_was_learned_per_atom_is_not_multiplied_twice() -> None:
    """A folder of earlier days may hold a target that is per atom and extensive."""
    from atomlens.calculator import _energy_of

    content = Target(name="energy", unit="eV", extensive=True).to_dict() | {"unit": "eV/atom"}
    model = _with_target(load("box:mp"), Target.from_dict(content))
    assert _energy_of(model, None)[1:] == (1.0, False)
