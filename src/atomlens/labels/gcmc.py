"""Grand-canonical Monte Carlo of one gas in one rigid crystal, by raspalib (RASPA3).

Moves: translation, rotation, reinsertion and exchange with the reservoir, the last two with
configurational bias. Electrostatics by Ewald summation. The reservoir's fugacity follows from
the pressure by the Peng-Robinson equation of state.
"""

import itertools
import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atomlens.elements import ATOMIC_NUMBERS
from atomlens.errors import LabelError, SettingsError, missing_package
from atomlens.labels.framework import Framework
from atomlens.labels.gases import Gas
from atomlens.settings import argument_given, kinds_of, make_plain

PASCAL_PER_BAR = 1e5
GAS_CONSTANT = 8.31446261815324e-3
"""kJ/mol/K"""
N_BLOCKS = 5

Progress = Callable[[int, int], None]
"""Called with (cycles done, cycles in all)."""


_COLDEST = 60.0
"""K; nitrogen melts at 63 K. Less is a temperature in °C."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GcmcSettings:
    """How long and with which interactions a simulation runs."""

    temperature: float = 298.0
    """K"""
    cutoff: float = 12.8
    """Å, of Lennard-Jones and of the real part of the electrostatics."""
    shifted: bool = False
    """Shift the Lennard-Jones potential to zero at the cutoff instead of cutting it off."""
    tail_corrections: bool = False
    """Add what a homogeneous fluid beyond the cutoff would contribute."""
    equilibration: int = 2000
    """Cycles before averages are taken; a cycle is as many moves as molecules, 20 at least."""
    cycles: int = 5000
    """Cycles that are averaged over."""
    extensions: int = 2
    """Times that a loading which drifts is simulated again, the cycles so far as equilibration;
    after that it is refused."""
    pockets: tuple[tuple[float, float, float, float], ...] = ()
    """Spheres that the gas cannot reach: fractional coordinates of the centre in the cell as given,
    and a radius in Å. No molecule is put into them."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the types and ranges."""
        make_plain(self)
        for one in fields(self):
            if kinds := kinds_of(one.type):
                argument_given(getattr(self, one.name), kinds, one.name)
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise SettingsError(f"temperature {self.temperature:g} K: it must be above 0 K.")
        if self.temperature < _COLDEST:
            raise SettingsError(
                f"temperature {self.temperature:g} K: the gases are solid there; it is given in K "
                f"({self.temperature:g} °C are {self.temperature + 273.15:g} K)."
            )
        if not 6 <= self.cutoff <= 50:
            raise SettingsError(f"cutoff {self.cutoff:g} Å: it must be between 6 and 50 Å.")
        if self.equilibration < 0:
            raise SettingsError(f"equilibration {self.equilibration}: it cannot be below 0.")
        if self.cycles < 10 * N_BLOCKS:
            raise SettingsError(
                f"cycles {self.cycles}: {10 * N_BLOCKS} at least are needed for {N_BLOCKS} blocks."
            )
        if self.extensions < 0:
            raise SettingsError(f"extensions {self.extensions}: it cannot be below 0.")
        for pocket in self.pockets:
            if len(pocket) != 4 or not all(map(math.isfinite, pocket)) or not pocket[3] > 0:
                raise SettingsError(
                    f"pockets {pocket}: three fractional coordinates and a radius above 0 Å are "
                    "needed for each."
                )
        if not 0 <= self.seed < 2**31:
            raise SettingsError(f"seed {self.seed}: it must be between 0 and {2**31 - 1}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adsorption:
    """Average loading at one pressure.

    Errors are half the width of the 95 % confidence interval from the averages of five blocks.
    """

    pressure: float
    """bar"""
    molecules: float
    """Per cell of the input, absolute (not excess)."""
    molecules_error: float
    uptake: float
    """mmol/g"""
    uptake_error: float
    milligrams: float
    """mg/g"""
    heat: float
    """Isosteric heat of adsorption, kJ/mol; positive when heat is set free; NaN if unknown."""
    heat_error: float
    drift: float = 0.0
    """Molecules per cell by which the second half of the cycles had more than the first."""
    equilibration: int = 0
    """Cycles before averages were taken, extensions among them."""


_LEVEL = 0.01
"""How often a steady series is taken for one that drifts, at most: by its halves, by the rest."""


class Drift(NamedTuple):
    """The first half of a simulation against the second."""

    difference: float
    """Mean of the second half minus that of the first."""
    error: float
    """Half of the 99 % interval of the difference, from the means of blocks."""
    jumps: bool = False
    """Whether it changes elsewhere than in the middle, as a pore that fills at once late."""

    @property
    def is_seen(self) -> bool:
        """Whether the difference is above its error, or the loading changes elsewhere."""
        return self.jumps or abs(self.difference) > self.error


def drift_of(numbers: Sequence[float]) -> Drift:
    """Return how far a series has moved between its halves.

    Each half is cut into five blocks, whose means are taken as independent (Student's interval for
    two samples). A change late or early makes one half uneven and its interval wide; so the ten
    blocks are also parted elsewhere, two blocks at least on either side, and judged with the level
    divided by the number of places (Bonferroni). A series that never changes does not drift.

    Args:
        numbers: Loadings in the order of the cycles, ten at least.
    """
    blocks = np.array([b.mean() for b in np.array_split(np.asarray(numbers, float), 2 * N_BLOCKS)])
    difference, error = _parted(blocks, N_BLOCKS, _LEVEL)
    places = [k for k in range(2, 2 * N_BLOCKS - 1) if k != N_BLOCKS]
    elsewhere = (_parted(blocks, k, _LEVEL / len(places)) for k in places)
    return Drift(difference, error, any(abs(change) > least for change, least in elsewhere))


def _parted(blocks: NDArray[np.float64], place: int, level: float) -> tuple[float, float]:
    """Return the mean from a place on minus that before, and half of its interval."""
    from scipy.stats import t

    before, after = blocks[:place], blocks[place:]
    squares = float(((before - before.mean()) ** 2).sum() + ((after - after.mean()) ** 2).sum())
    freedom = len(blocks) - 2
    spread = math.sqrt(squares / freedom * (1 / len(before) + 1 / len(after)))
    return float(after.mean() - before.mean()), float(t.ppf(1 - level / 2, freedom)) * spread


def simulate(
    framework: Framework,
    gas: Gas,
    pressure: float,
    settings: GcmcSettings,
    progress: Progress | None = None,
) -> Adsorption:
    """Return the loading of a crystal at one pressure (bar).

    The crystal is empty at first. If a later part of the cycles has clearly another loading than
    the part before (`drift_of`), all cycles so far become equilibration and the simulation goes on,
    up to ``settings.extensions`` times.

    The same seed gives the same numbers on the same processor and version of raspalib.

    Raises:
        MissingDependencyError: raspalib is not installed.
        SettingsError: the pressure is not above zero.
        LabelError: raspalib cannot run this system, or its loading still drifts.
    """
    if not (math.isfinite(pressure) and pressure > 0):
        raise SettingsError(f"pressure {pressure:g} bar: it must be above 0 bar.")
    raspalib = import_raspalib()
    try:
        system, drift, used = _until_steady(raspalib, framework, gas, pressure, settings, progress)
        number, number_error = system.average_loadings.average_loading_number_of_molecules(0)
        enthalpy, enthalpy_error = system.average_enthalpies_of_adsorption.result()[0]
    except (RuntimeError, ValueError, IndexError) as problem:
        raise LabelError(
            f"{framework.name}: raspalib stopped at {pressure:g} bar ({problem}); check the "
            "structure and the settings."
        ) from problem
    cells = framework.n_replicas
    to_uptake = 1000.0 / (cells * framework.mass)
    known = number > 0 and math.isfinite(enthalpy) and math.isfinite(enthalpy_error)
    return Adsorption(
        pressure=pressure,
        molecules=number / cells,
        molecules_error=number_error / cells,
        uptake=number * to_uptake,
        uptake_error=number_error * to_uptake,
        milligrams=number * to_uptake * gas.mass,
        heat=-enthalpy * GAS_CONSTANT if known else math.nan,
        heat_error=enthalpy_error * GAS_CONSTANT if known else math.nan,
        drift=drift.difference / cells,
        equilibration=used.equilibration,
    )


def _until_steady(
    raspalib: Any,
    framework: Framework,
    gas: Gas,
    pressure: float,
    settings: GcmcSettings,
    progress: Progress | None,
) -> tuple[Any, Drift, GcmcSettings]:
    """Simulate with longer and longer equilibration until the loading does not drift.

    Raises:
        LabelError: it drifts after the last extension.
    """
    for _ in range(settings.extensions + 1):
        system, numbers = _run(raspalib, framework, gas, pressure, settings, progress)
        drift = drift_of(numbers)
        if not drift.is_seen:
            return system, drift, settings
        used = settings
        settings = replace(settings, equilibration=settings.equilibration + settings.cycles)
    raise LabelError(
        f"{framework.name}: at {pressure:g} bar the loading still drifts after "
        f"{used.equilibration:,} + {used.cycles:,} cycles (by {drift.difference:+.3g} molecules "
        f"between the halves of the last {used.cycles:,}, error {drift.error:.2g}); give more "
        "cycles of equilibration."
    )


def import_raspalib() -> Any:
    """Return the module; its notice about graphics cards is of no use here.

    Raises:
        MissingDependencyError: it is not installed, or not for this machine.
    """
    os.environ.setdefault("RASPALIB_QUIET", "1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module("raspalib")
    except ImportError as problem:
        raise missing_package("Grand-canonical Monte Carlo", "raspalib", "gcmc") from problem


def _run(
    raspalib: Any,
    framework: Framework,
    gas: Gas,
    pressure: float,
    settings: GcmcSettings,
    progress: Progress | None,
) -> tuple[Any, list[float]]:
    """Run the simulation; return raspalib's system with its averages, and the loadings."""
    force_field = _force_field(raspalib, framework, gas, settings)
    system = raspalib.System(
        force_field,
        external_temperature=settings.temperature,
        external_pressure=pressure * PASCAL_PER_BAR,
        framework_components=_host(raspalib, force_field, framework),
        components=[_guest(raspalib, force_field, framework, gas, settings.pockets)],
        initial_number_of_molecules=[0],
        number_of_blocks=N_BLOCKS,
    )
    run = raspalib.MonteCarlo(
        settings.cycles,
        settings.equilibration,
        systems=[system],
        random_seed=settings.seed,
        number_of_blocks=N_BLOCKS,
    )
    total = settings.equilibration + settings.cycles
    every = max(1, min(100, total // 100))
    tell = progress or (lambda done, total: None)
    run.setup()
    run.initialize(_counter(tell, 0, settings.equilibration, total, every), every)
    numbers: list[float] = []
    count = _counter(tell, settings.equilibration, total, total, every)

    def sample() -> None:
        numbers.append(float(sum(run.systems[0].number_of_molecules_per_component)))
        count()

    run.production(sample, min(every, settings.cycles // (20 * N_BLOCKS) or 1))
    run.tear_down()
    tell(total, total)
    return run.systems[0], numbers


def _counter(tell: Progress, first: int, last: int, total: int, every: int) -> Callable[[], None]:
    """Return what is called after each ``every`` cycles of a stage, to pass on how far it is."""
    done = itertools.count(first, every)
    return lambda: tell(min(last, next(done)), total)


def _force_field(raspalib: Any, framework: Framework, gas: Gas, settings: GcmcSettings) -> Any:
    """Return the interactions: first the framework's elements, then the sites of the gas."""
    kinds = [
        raspalib.PseudoAtom(symbol, True, mass, 0.0, 0.0, ATOMIC_NUMBERS[symbol])
        for symbol, mass in zip(framework.symbols, framework.masses, strict=True)
    ]
    kinds += [
        raspalib.PseudoAtom(
            f"{gas.name}-{i}", False, s.mass, s.charge, 0.0, ATOMIC_NUMBERS[s.symbol]
        )
        for i, s in enumerate(gas.sites)
    ]
    parameters = [*framework.lennard_jones, *(site.lennard_jones for site in gas.sites)]
    return raspalib.ForceField(
        kinds,
        [raspalib.VDWParameters(p.epsilon, p.sigma) for p in parameters],
        mixing_rule=raspalib.ForceField.MixingRule.LORENTZ_BERTHELOT,
        cutoff_framework_vdw=settings.cutoff,
        cutoff_molecule_vdw=settings.cutoff,
        cutoff_coulomb=settings.cutoff,
        shifted=settings.shifted,
        tail_corrections=settings.tail_corrections,
        use_charge=gas.is_charged,
    )


def _host(raspalib: Any, force_field: Any, framework: Framework) -> Any:
    atoms = [
        raspalib.Atom(tuple(place), charge, 1.0, 0, kind, 0, False, False)
        for place, charge, kind in zip(
            framework.fractional.tolist(),
            framework.charges.tolist(),
            framework.kinds.tolist(),
            strict=True,
        )
    ]
    lengths, angles = framework.cell_parameters[:3], np.radians(framework.cell_parameters[3:])
    box = raspalib.SimulationBox(*lengths.tolist(), *angles.tolist())
    if not math.isclose(box.volume, framework.volume, rel_tol=1e-6):
        raise LabelError(
            f"{framework.name}: raspalib makes a cell of {box.volume:.6g} Å³ of the cell's lengths "
            f"and angles instead of {framework.volume:.6g} Å³; this version of it is not supported."
        )
    return raspalib.Framework(force_field, "framework", box, 1, atoms, list(framework.replicas))


def _guest(
    raspalib: Any,
    force_field: Any,
    framework: Framework,
    gas: Gas,
    pockets: tuple[tuple[float, float, float, float], ...],
) -> Any:
    first = len(framework.symbols)
    sites = [
        raspalib.Atom((0.0, 0.0, s.height), s.charge, 1.0, 0, first + i, 0, False, False)
        for i, s in enumerate(gas.sites)
    ]
    moves = raspalib.MCMoveProbabilities(
        translation_probability=0.5,
        rotation_probability=0.5 if len(sites) > 1 else 0.0,
        reinsertion_cbmc_probability=0.5,
        swap_cbmc_probability=1.0,
    )
    return raspalib.Component(
        force_field,
        gas.name,
        gas.critical_temperature,
        gas.critical_pressure,
        gas.acentric_factor,
        sites,
        number_of_blocks=N_BLOCKS,
        particle_probabilities=moves,
        blocking_pockets=[list(pocket) for pocket in pockets],
    )
