"""Monte Carlo against what is known without it: the ideal gas and Henry's law."""

import math
import sys

import numpy as np
import pytest
from ase import Atoms

from atomlens.errors import LabelError, MissingDependencyError, SettingsError
from atomlens.labels import FORCE_FIELDS, GASES, GcmcSettings, gcmc, make_framework, simulate
from atomlens.labels.force_fields import ForceField, LennardJones
from atomlens.labels.framework import Framework
from atomlens.labels.gases import Gas, Site
from atomlens.labels.gcmc import drift_of
from label_makers import argon_crystal, needs_raspalib

BOLTZMANN = 1.380649e-23
CUTOFF = 8.0
NOTHING = ForceField(name="none", source="", parameters={"Ar": LennardJones(0.0, 1.0)})
CH4 = GASES["CH4"]
IDEAL = Gas(
    name="ideal",
    source="",
    sites=(Site(symbol="He", height=0.0, mass=4.0),),
    critical_temperature=5.2,
    critical_pressure=2.3e5,
    acentric_factor=-0.39,
)
SKEWED = [[17.0, 0, 0], [5.0, 18.0, 0], [-4.0, 3.0, 19.0]]


def _settings(cycles: int = 4000, **changes: object) -> GcmcSettings:
    given = {"cutoff": CUTOFF, "equilibration": 200, "cycles": cycles, "seed": 1} | changes
    return GcmcSettings(**given)  # type: ignore[arg-type]


def _host(atoms: Atoms, force_field: ForceField = FORCE_FIELDS["uff"]) -> Framework:
    return make_framework(atoms, force_field, cutoff=CUTOFF, charges="none")


@needs_raspalib
@pytest.mark.parametrize("cell", [np.eye(3) * 18.0, SKEWED])
def test_without_interactions_the_loading_is_that_of_an_ideal_gas(cell: list[list[float]]) -> None:
    atoms = Atoms("Ar", [[1, 1, 1]], cell=cell, pbc=True)
    host = _host(atoms, NOTHING)
    found = simulate(host, IDEAL, 5.0, _settings())
    expected = 5.0e5 * atoms.get_volume() * 1e-30 / (BOLTZMANN * 298.0)
    assert abs(found.molecules - expected) < 1.5 * found.molecules_error + 0.002 * expected
    assert found.molecules_error < 0.1 * expected
    assert found.heat == pytest.approx(8.31446e-3 * 298.0, abs=3 * found.heat_error + 0.05)


def _henry_loading(atoms: Atoms, host: LennardJones, guest: LennardJones, pressure: float) -> float:
    """Molecules per cell at vanishing pressure: the Boltzmann factor over a grid of the cell."""
    epsilon, sigma = math.sqrt(host.epsilon * guest.epsilon), (host.sigma + guest.sigma) / 2
    steps = (np.arange(68) + 0.5) / 68
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    energy = np.zeros(len(grid))
    for place in atoms.get_scaled_positions():
        apart = grid - place
        distance = np.linalg.norm((apart - np.round(apart)) @ atoms.cell[:], axis=1)
        ratio = (sigma / np.maximum(distance, 0.5)) ** 6
        energy += np.where(distance < CUTOFF, 4 * epsilon * (ratio**2 - ratio), 0.0)
    factor = float(np.exp(-energy / 298.0).mean())
    return pressure * 1e5 * atoms.get_volume() * 1e-30 * factor / (BOLTZMANN * 298.0)


@needs_raspalib
def test_no_molecule_is_put_into_a_blocked_pocket_of_any_copy_of_the_cell() -> None:
    """An ideal gas fills what is left of the volume."""
    atoms = Atoms("Ar", [[1, 1, 1]], cell=np.eye(3) * 9.0, pbc=True)
    host = _host(atoms, NOTHING)
    assert host.n_replicas == 8
    free = simulate(host, IDEAL, 20.0, _settings())
    blocked = simulate(host, IDEAL, 20.0, _settings(pockets=((0.5, 0.5, 0.5, 3.5),)))
    left = 1 - 4 / 3 * math.pi * 3.5**3 / 9.0**3
    error = blocked.molecules_error + left * free.molecules_error
    assert blocked.molecules == pytest.approx(left * free.molecules, abs=1.2 * error)
    assert blocked.molecules < 0.9 * free.molecules


@pytest.mark.parametrize("pocket", [(0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.0), (0, 0, math.nan, 1)])
def test_pockets_that_are_no_spheres_are_refused(pocket: tuple[float, ...]) -> None:
    with pytest.raises(SettingsError, match="three fractional coordinates and a radius"):
        GcmcSettings(pockets=(pocket,))  # type: ignore[arg-type]


def test_a_loading_that_rises_drifts_and_a_steady_one_does_not() -> None:
    random = np.random.default_rng(0)
    steady = [drift_of(10 + random.normal(size=100)).is_seen for _ in range(300)]
    assert np.mean(steady) < 0.04
    rising = 10 * (1 - np.exp(-np.arange(100) / 60)) + 0.3 * random.normal(size=100)
    assert drift_of(rising).is_seen
    assert drift_of(rising).difference > 1
    assert not drift_of(np.zeros(100)).is_seen


@pytest.mark.parametrize("after", [0.25, 0.5, 0.8])
def test_a_pore_that_fills_at_once_drifts_whenever_it_does(after: float) -> None:
    random = np.random.default_rng(1)
    filled = np.where(np.arange(200) < 200 * after, 1.0, 5.0) + 0.5 * random.normal(size=200)
    assert drift_of(filled).is_seen
    slow = np.concatenate([np.full(160, 1.0), np.full(40, 5.0)])  # blocks without any noise
    assert drift_of(slow).is_seen
    assert drift_of(slow[::-1]).is_seen


class _Runs:
    """Stands for simulations: the loading drifts as long as equilibration is below a number."""

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.seen: list[int] = []

    def __call__(self, *given: object) -> tuple[object, list[float]]:
        settings = given[4]
        assert isinstance(settings, GcmcSettings)
        self.seen.append(settings.equilibration)
        steady = settings.equilibration >= self.enough
        noise = np.random.default_rng(1).normal(size=100)
        return object(), list(10 + noise + (0 if steady else 0.2 * np.arange(100)))


def test_a_drifting_simulation_goes_on_and_what_it_had_becomes_equilibration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = _Runs(enough=4000)
    monkeypatch.setattr(gcmc, "_run", runs)
    host = make_framework(argon_crystal(), FORCE_FIELDS["uff"], cutoff=CUTOFF, charges="none")
    _, drift, used = gcmc._until_steady(None, host, CH4, 1.0, _settings(2000), None)
    assert runs.seen == [200, 2200, 4200]
    assert used.equilibration == 4200
    assert not drift.is_seen


def test_a_loading_that_still_drifts_is_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = _Runs(enough=10**6)
    monkeypatch.setattr(gcmc, "_run", runs)
    host = make_framework(argon_crystal(), FORCE_FIELDS["uff"], cutoff=CUTOFF, charges="none")
    with pytest.raises(LabelError, match=r"still drifts after 4,200 \+ 2,000 cycles"):
        gcmc._until_steady(None, host, CH4, 1.0, _settings(2000), None)
    assert len(runs.seen) == 3


@needs_raspalib
def test_at_low_pressure_the_loading_follows_from_the_boltzmann_factor() -> None:
    """Independent of Monte Carlo: units, mixing, cutoff and places of the atoms all count."""
    sticky = ForceField(name="x", source="", parameters={"Ar": LennardJones(4000.0, 3.6)})
    atoms = argon_crystal()
    found = simulate(_host(atoms, sticky), CH4, 0.1, _settings(20000))
    expected = _henry_loading(atoms, sticky.of("Ar"), CH4.sites[0].lennard_jones, 0.1)
    free = _henry_loading(atoms, LennardJones(0.0, 3.6), CH4.sites[0].lennard_jones, 0.1)
    assert expected > 3 * free
    assert found.molecules == pytest.approx(expected, abs=1.5 * found.molecules_error)
    assert found.molecules_error < 0.15 * expected


@needs_raspalib
def test_charges_of_the_crystal_hold_more_carbon_dioxide() -> None:
    atoms = argon_crystal()
    atoms.set_initial_charges([1.2, -0.6, -0.6])
    host = make_framework(atoms, FORCE_FIELDS["uff"], cutoff=CUTOFF)
    bare = _host(atoms)
    settings = _settings(500)
    with_charges = simulate(host, GASES["CO2"], 1.0, settings)
    without = simulate(bare, GASES["CO2"], 1.0, settings)
    assert with_charges.molecules > 3 * without.molecules
    assert with_charges.heat > without.heat


@needs_raspalib
def test_copies_of_the_cell_do_not_change_the_loading_of_one() -> None:
    atoms = argon_crystal()
    once, twice = _host(atoms), _host(atoms.repeat((1, 1, 2)))
    small = simulate(once, CH4, 20.0, _settings(1500))
    large = simulate(twice, CH4, 20.0, _settings(1500))
    error = math.hypot(small.uptake_error, large.uptake_error)
    assert large.uptake == pytest.approx(small.uptake, abs=1.5 * error)
    assert large.molecules == pytest.approx(2 * small.molecules, rel=0.1)


@needs_raspalib
def test_units_of_the_loading_agree_with_each_other() -> None:
    host = _host(argon_crystal())
    found = simulate(host, CH4, 20.0, _settings(100))
    assert found.uptake == pytest.approx(1000 * found.molecules / host.mass)
    assert found.milligrams == pytest.approx(found.uptake * CH4.mass)


@needs_raspalib
def test_a_seed_fixes_the_result_and_another_one_changes_it() -> None:
    host = _host(argon_crystal())
    first, again, other = (simulate(host, CH4, 20.0, _settings(100, seed=s)) for s in (5, 5, 6))
    assert first == again
    assert first.molecules != other.molecules


@needs_raspalib
def test_an_empty_crystal_has_no_heat() -> None:
    host = _host(argon_crystal())
    found = simulate(host, CH4, 1e-9, _settings(50))
    assert found.uptake == 0.0
    assert math.isnan(found.heat)


@needs_raspalib
def test_progress_rises_to_the_end() -> None:
    host = _host(argon_crystal())
    heard: list[tuple[int, int]] = []
    simulate(host, CH4, 1.0, _settings(100), lambda *call: heard.append(call))
    assert heard == sorted(heard)
    assert len(heard) > 20
    assert heard[-1] == (300, 300)


@needs_raspalib
def test_a_simulation_can_be_stopped_on_the_way() -> None:
    host = _host(argon_crystal())

    def stop(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(host, CH4, 1.0, _settings(100), stop)


def test_without_the_package_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "raspalib", None)
    host = _host(argon_crystal())
    with pytest.raises(MissingDependencyError, match=r'pip install "atomlens\[gcmc\]"'):
        simulate(host, CH4, 1.0, _settings())


@needs_raspalib
def test_what_raspalib_refuses_is_said_with_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    host = _host(argon_crystal())

    def fail(*_: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr("atomlens.labels.gcmc._run", fail)
    with pytest.raises(LabelError, match=r"argon: raspalib stopped at 1 bar \(no room\)"):
        simulate(host, CH4, 1.0, _settings())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0.0}, "temperature 0 K"),
        ({"temperature": math.nan}, "temperature nan K"),
        ({"temperature": 25.0}, r"25 K: the gases are solid .*25 °C are 298.15 K"),
        ({"cutoff": 1.0}, "cutoff 1 Å"),
        ({"cycles": 10}, "cycles 10: 50 at least"),
        ({"equilibration": -1}, "equilibration -1"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        GcmcSettings(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("pressure", [0.0, -1.0, math.inf, math.nan])
def test_an_impossible_pressure_is_refused(pressure: float) -> None:
    host = _host(argon_crystal())
    with pytest.raises(SettingsError, match="above 0 bar"):
        simulate(host, CH4, pressure, _settings())
