"""`atomlens label --with gcmc` beside an equation of state and published simulations.

    python benchmarks/gcmc_check.py [--only gas mfi-ch4 ...] [--cycles 1.0]

* gas, gas-30, gas-30-tail: CO2 (TraPPE) in an empty box at 1 and 10 bar, and at 30 bar without and
  with the attraction beyond the cutoff (tail corrections), beside the Peng-Robinson equation.
* virial: the second virial coefficient of that CO2, and of the equation.
* mfi-ch4: CH4 in all-silica MFI at 300 K, examples 7 and 8 of RASPA3's manual with their
  parameters: Henry's law (3.526e-5 molecules/cell/Pa) at 0.05 bar, and the loading at 1 bar. (The
  manual's molecules a cell are taken; its mol/kg do not fit the mass of Si96O192.)
* mfi-co2: CO2 in MFI at 353 K and 1 bar, example 10 of the manual, in the same way: with charges.
* mfi-isotherm: CH4 (TraPPE-UA) in MFI at 298 K, 1, 5 and 20 bar. Published: M. S. Shah, M.
  Tsapatsis, J. I. Siepmann, Langmuir 31, 12268 (2015), simulations, numbers of the supporting
  information as collected in dejac001/adsorption_isotherm_fitting (data_sets/CH4_MFI.csv). Which of
  the TraPPE models of methane they took is not said there, so this compares models too.
* irmof-1: CO2 in IRMOF-1 at 298 K and 35 bar, DREIDING, charges of RASPA3's example file; without a
  number to compare with.

Coordinates: MFI of H. van Koningsveld et al., Acta Cryst. B43, 127 (1987); IRMOF-1 of M. Eddaoudi
et al., Science 295, 469 (2002). Errors are 95 % confidence intervals of five blocks; the drift is
the second half of the cycles minus the first, per cell, and a run that drifts is begun anew with
longer equilibration (the column says how long); one that drifts on stops the script. One core;
some fifteen minutes.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal
from scipy import constants

from atomlens.labels import FORCE_FIELDS, GASES, GcmcSettings, make_framework, simulate
from atomlens.labels.force_fields import ForceField, LennardJones
from atomlens.labels.gases import Gas, Site
from atomlens.labels.gcmc import Adsorption

MFI_SILICON = """
 0.42238  0.0565  -0.33598   0.30716  0.02772 -0.1893    0.27911  0.06127  0.0312
 0.12215  0.06298  0.0267    0.07128  0.02722 -0.18551   0.18641  0.05896 -0.32818
 0.42265 -0.1725  -0.32718   0.30778 -0.13016 -0.18548   0.27554 -0.17279  0.03109
 0.12058 -0.1731   0.02979   0.07044 -0.13037 -0.182     0.18706 -0.17327 -0.31933
"""
MFI_OXYGEN = """
 0.3726  0.0534 -0.2442   0.3084  0.0587 -0.0789   0.2007  0.0592  0.0289   0.0969  0.0611 -0.0856
 0.1149  0.0541 -0.2763   0.2435  0.0553 -0.246    0.3742 -0.1561 -0.2372   0.3085 -0.1552 -0.0728
 0.198  -0.1554  0.0288   0.091  -0.1614 -0.0777   0.1169 -0.1578 -0.2694   0.2448 -0.1594 -0.2422
 0.3047 -0.051  -0.1866   0.0768 -0.0519 -0.1769   0.4161  0.1276 -0.3896   0.4086 -0.0017 -0.4136
 0.402  -0.1314 -0.4239   0.1886  0.1298 -0.3836   0.194   0.0007 -0.4082   0.1951 -0.1291 -0.419
-0.0037  0.0502 -0.208   -0.004  -0.1528 -0.2078   0.4192 -0.25   -0.354    0.1884 -0.25   -0.3538
 0.2883 -0.25    0.0579   0.1085 -0.25    0.0611
"""
IRMOF_1 = (
    ("Zn", 0.2935, 0.2065, 0.2065, 1.275),
    ("O", 0.25, 0.25, 0.25, -1.5),
    ("O", 0.2818, 0.2182, 0.1339, -0.6),
    ("C", 0.25, 0.25, 0.1105, 0.475),
    ("C", 0.25, 0.25, 0.0538, 0.125),
    ("C", 0.2831, 0.2169, 0.0263, -0.15),
    ("H", 0.3049, 0.1951, 0.0448, 0.15),
)


class Row(NamedTuple):
    what: str
    result: Adsorption
    expected: float
    unit: str
    """N (molecules a cell) or mmol/g."""

    @property
    def found(self) -> tuple[float, float]:
        """The loading in the unit of the row, and its error."""
        r = self.result
        if self.unit == "mmol/g":
            return r.uptake, r.uptake_error
        return r.molecules, r.molecules_error


def mfi() -> Atoms:
    silicon, oxygen = (np.array(t.split(), float).reshape(-1, 3) for t in (MFI_SILICON, MFI_OXYGEN))
    sites = np.concatenate([silicon, oxygen])
    symbols = ["Si"] * len(silicon) + ["O"] * len(oxygen)
    cell = [20.022, 19.899, 13.383, 90, 90, 90]
    atoms = crystal(symbols, sites, spacegroup=62, cellpar=cell)
    atoms.set_initial_charges(np.where(atoms.numbers == 14, 2.05, -1.025))
    atoms.info["name"] = "MFI"
    return atoms


def irmof_1() -> Atoms:
    symbols = [site[0] for site in IRMOF_1]
    cell = [25.669] * 3 + [90] * 3
    atoms = crystal(symbols, [site[1:4] for site in IRMOF_1], spacegroup=225, cellpar=cell)
    atoms.set_initial_charges([IRMOF_1[kind][4] for kind in atoms.arrays["spacegroup_kinds"]])
    atoms.info["name"] = "IRMOF-1"
    return atoms


def peng_robinson_density(gas: Gas, pressure: float, temperature: float) -> float:
    """Molecules per Å3; the root of the gas."""
    ratio = temperature / gas.critical_temperature
    w = gas.acentric_factor
    kappa = 0.37464 + 1.54226 * w - 0.26992 * w**2
    alpha = (1 + kappa * (1 - np.sqrt(ratio))) ** 2
    p = pressure * 1e5 / gas.critical_pressure
    a, b = 0.45724 * alpha * p / ratio**2, 0.07780 * p / ratio
    roots = np.roots([1, b - 1, a - 3 * b**2 - 2 * b, -(a * b - b**2 - b**3)])
    z = max(root.real for root in roots if abs(root.imag) < 1e-9)
    return pressure * 1e5 / (z * 1.380649e-23 * temperature) * 1e-30


def check_gas(
    scale: float, pressures: tuple[tuple[float, int], ...], tail: bool = False
) -> Iterator[Row]:
    """The box holds one atom without any interaction."""
    nothing = ForceField(name="none", source="", parameters={"He": LennardJones(0.0, 1.0)})
    box = Atoms("He", [[0, 0, 0]], cell=[30.0] * 3, pbc=True)
    host = make_framework(box, nothing, cutoff=12.8, charges="none")
    for pressure, cycles in pressures:
        settings = GcmcSettings(
            cycles=int(cycles * scale), equilibration=int(cycles * scale / 5), tail_corrections=tail
        )
        found = simulate(host, GASES["CO2"], pressure, settings)
        expected = peng_robinson_density(GASES["CO2"], pressure, 298.0) * host.volume
        yield Row("CO2, tail" if tail else "CO2, empty", found, expected, "N")


def second_virial(gas: Gas, temperature: float, cutoff: float) -> float:
    """Second virial coefficient of a model, cm3/mol, over 20,000 orientations a distance."""
    random = np.random.default_rng(0)
    coulomb = constants.e**2 / (4 * np.pi * constants.epsilon_0 * constants.k) * 1e10
    distances = np.linspace(0.05, 40.0, 800)
    means = []
    for distance in distances:
        axes = random.normal(size=(2, 20_000, 3))
        axes /= np.linalg.norm(axes, axis=2, keepdims=True)
        energy = np.zeros(axes.shape[1])
        for one, other in itertools.product(gas.sites, gas.sites):
            between = [0, 0, distance] + axes[1] * other.height - axes[0] * one.height
            r = np.maximum(np.linalg.norm(between, axis=1), 0.5)
            depth = np.sqrt(one.lennard_jones.epsilon * other.lennard_jones.epsilon)
            sixth = ((one.lennard_jones.sigma + other.lennard_jones.sigma) / 2 / r) ** 6
            energy += np.where(r < cutoff, 4 * depth * (sixth**2 - sixth), 0.0)
            energy += coulomb * one.charge * other.charge / r
        means.append(np.exp(-energy / temperature).mean() - 1)
    volume = -2 * np.pi * np.trapezoid(np.array(means) * distances**2, distances)
    return volume * 1e-24 * constants.N_A


def check_virial(scale: float) -> Iterator[Row]:
    """What the model of CO2 attracts, beside the equation that its fugacity comes from."""
    gas, temperature = GASES["CO2"], 298.0
    w = gas.acentric_factor
    kappa = 0.37464 + 1.54226 * w - 0.26992 * w**2
    alpha = (1 + kappa * (1 - np.sqrt(temperature / gas.critical_temperature))) ** 2
    rt, rtc = constants.R * temperature, constants.R * gas.critical_temperature
    attraction = 0.45724 * rtc**2 / gas.critical_pressure * alpha
    equation = (0.07780 * rtc / gas.critical_pressure - attraction / rt) * 1e6
    for cutoff in (12.8, np.inf):
        found = second_virial(gas, temperature, cutoff)
        print(f"second virial coefficient of CO2, cutoff {cutoff:g} Å: {found:.0f} cm3/mol")
    print(f"of Peng and Robinson's equation: {equation:.0f} cm3/mol")
    return iter(())


def check_mfi_methane(scale: float) -> Iterator[Row]:
    sphere = Site(symbol="C", height=0.0, mass=16.04246, lennard_jones=LennardJones(158.5, 3.72))
    gas = replace(GASES["CH4"], source="RASPA3's manual", sites=(sphere,))
    host = make_framework(mfi(), FORCE_FIELDS["trappe-zeo"], cutoff=12.0, charges="none")
    for pressure, cycles, manual in ((0.05, 10000, 0.1763), (1.0, 6000, 2.893)):
        settings = GcmcSettings(
            temperature=300.0,
            cutoff=12.0,
            shifted=True,
            cycles=int(cycles * scale),
            equilibration=int(1000 * scale),
        )
        found = simulate(host, gas, pressure, settings)
        yield Row("CH4, MFI", found, manual, "N/cell")


def check_mfi_isotherm(scale: float) -> Iterator[Row]:
    host = make_framework(mfi(), FORCE_FIELDS["trappe-zeo"], cutoff=12.8, charges="none")
    for pressure, published in ((1.0, 0.50), (5.0, 1.46), (20.0, 2.22)):
        settings = GcmcSettings(cycles=int(1500 * scale), equilibration=int(500 * scale))
        found = simulate(host, GASES["CH4"], pressure, settings)
        yield Row("CH4, MFI", found, published, "mmol/g")


def check_mfi_dioxide(scale: float) -> Iterator[Row]:
    oxygen, carbon = LennardJones(85.671, 3.017), LennardJones(29.933, 2.745)
    sites = (
        Site(symbol="O", height=1.149, mass=15.9994, charge=-0.3256, lennard_jones=oxygen),
        Site(symbol="C", height=0.0, mass=12.0, charge=0.6512, lennard_jones=carbon),
        Site(symbol="O", height=-1.149, mass=15.9994, charge=-0.3256, lennard_jones=oxygen),
    )
    gas = replace(GASES["CO2"], source="Garcia-Sanchez et al. 2009", sites=sites)
    host = make_framework(mfi(), FORCE_FIELDS["trappe-zeo"], cutoff=12.0)
    settings = GcmcSettings(
        temperature=353.0,
        cutoff=12.0,
        shifted=True,
        cycles=int(1500 * scale),
        equilibration=int(300 * scale),
    )
    found = simulate(host, gas, 1.0, settings)
    yield Row("CO2, MFI", found, 3.286, "N/cell")


def check_irmof_1(scale: float) -> Iterator[Row]:
    host = make_framework(irmof_1(), FORCE_FIELDS["dreiding"], cutoff=12.8)
    settings = GcmcSettings(cycles=int(300 * scale), equilibration=int(200 * scale))
    found = simulate(host, GASES["CO2"], 35.0, settings)
    yield Row("CO2, IRMOF-1", found, float("nan"), "mmol/g")


CHECKS: dict[str, Callable[[float], Iterator[Row]]] = {
    "virial": check_virial,
    "gas": partial(check_gas, pressures=((1.0, 40000), (10.0, 20000))),
    "gas-30": partial(check_gas, pressures=((30.0, 20000),)),
    "gas-30-tail": partial(check_gas, pressures=((30.0, 20000),), tail=True),
    "mfi-ch4": check_mfi_methane,
    "mfi-co2": check_mfi_dioxide,
    "mfi-isotherm": check_mfi_isotherm,
    "irmof-1": check_irmof_1,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=tuple(CHECKS), default=tuple(CHECKS))
    parser.add_argument("--cycles", type=float, default=1.0, help="factor on all lengths")
    options = parser.parse_args()
    print(
        "gas, crystal      bar     found   ± 95 %  expected  unit     ratio     drift  "
        "equilibration  seconds"
    )
    for name in options.only:
        start = time.perf_counter()
        for row in CHECKS[name](options.cycles):
            seconds = time.perf_counter() - start
            (found, error), result = row.found, row.result
            print(
                f"{row.what:14} {result.pressure:6g} {found:9.4g} {error:8.2g} "
                f"{row.expected:9.4g}  {row.unit:7} {found / row.expected:6.3f} "
                f"{result.drift:+9.2g} {result.equilibration:14,} {seconds:8.0f}",
                flush=True,
            )
            start = time.perf_counter()


if __name__ == "__main__":
    main()
