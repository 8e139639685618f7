"""Graphene flakes with a platinum atom, by molecular dynamics: a stand-in for Pt/graphene.

The SCANN paper studied density functional snapshots of a platinum atom on graphene, which are
not at hand everywhere. This script makes a smaller set of the same kind: coronene-like flakes
with an adsorbed metal atom, Langevin dynamics with GFN2-xTB (C. Bannwarth, S. Ehlert and
S. Grimme, J. Chem. Theory Comput. 15, 1652, 2019) by tblite, and as target the energy above
the relaxed flake in eV.

    pip install "atomlens[qm]"
    python recipes/make_graphene_flakes.py

Each trajectory is a file in the work folder; a second call skips those that are there. Whole
trajectories make up the validation and the test part, since neighbouring snapshots are alike.
"""

import argparse
import os
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import CalculationFailed
from ase.io import read, write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from numpy.typing import NDArray

from atomlens.datasets import save_packed
from atomlens.datasets.base import Dataset
from atomlens.errors import Failure
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target

BOND = 1.42  # Å, carbon to carbon
TIME_STEP = 2.0  # fs; hydrogen moves as if it weighed 4 u, which leaves the ensemble as it is
HYDROGEN_MASS = 4.0
STEPS_BETWEEN = 10
"""Steps between two snapshots: 20 fs."""
WARM_UP = 10
"""Snapshots left out at the beginning of a trajectory."""
FRICTION = 0.01 / units.fs
HEIGHT = 2.1
"""Å between the flake and the metal atom at the start."""
TEMPERATURES = (300.0, 450.0, 600.0)  # K
SITES = ("hollow", "hub", "spoke", "edge")
"""Where the metal atom starts: above the middle ring, two kinds of bonds, an edge bond."""
TEST = (("hub", 600.0), ("edge", 300.0))
VALIDATION = (("spoke", 450.0),)


class Trajectory(NamedTuple):
    """One run of molecular dynamics."""

    site: str
    temperature: float
    seed: int

    @property
    def name(self) -> str:
        """Name of its file and of its snapshots."""
        return f"{self.site}-{self.temperature:.0f}K-{self.seed}"


def make_flake(n_rings: int) -> Atoms:
    """Return a flat hexagonal flake: 1 benzene, 2 coronene, 3 circumcoronene (C54H18)."""
    step = BOND * np.sqrt(3)
    corners: list[NDArray[np.float64]] = []
    reach = range(-n_rings + 1, n_rings)
    for i, j, k in product(reach, reach, range(6)):
        if abs(i + j) >= n_rings:
            continue
        angle = np.pi / 6 + k * np.pi / 3
        centre = np.array([step * (i + j / 2), step * np.sqrt(3) / 2 * j, 0.0])
        corner = centre + BOND * np.array([np.cos(angle), np.sin(angle), 0.0])
        if all(np.linalg.norm(corner - other) > 0.1 for other in corners):
            corners.append(corner)
    carbon = np.array(corners)
    bonded = np.abs(np.linalg.norm(carbon[:, None] - carbon, axis=2) - BOND) < 0.1
    hydrogen = []
    for atom in np.flatnonzero(bonded.sum(axis=1) == 2):
        outward = 2 * carbon[atom] - carbon[bonded[atom]].sum(axis=0)
        hydrogen.append(carbon[atom] + 1.09 * outward / np.linalg.norm(outward))
    return Atoms(f"C{len(carbon)}H{len(hydrogen)}", np.concatenate([carbon, hydrogen]))


def start(n_rings: int, metal: str, site: str) -> Atoms:
    """Return the flake with the metal atom above a site."""
    atoms = make_flake(n_rings)
    carbon = atoms.positions[atoms.numbers == 6]
    order = np.argsort(np.linalg.norm(carbon, axis=1), kind="stable")
    inner = carbon[order[0]]
    distances = np.linalg.norm(carbon - inner, axis=1)
    touching = carbon[np.abs(distances - BOND) < 0.1]
    outward = touching[np.argmax(np.linalg.norm(touching, axis=1))]
    along = touching[np.argmin(np.linalg.norm(touching, axis=1))]
    rim = carbon[np.abs(np.linalg.norm(carbon - carbon[order[-1]], axis=1) - BOND) < 0.1][0]
    above = {
        "hollow": np.zeros(3),
        "hub": (inner + along) / 2,
        "spoke": (inner + outward) / 2,
        "edge": (carbon[order[-1]] + rim) / 2,
    }[site]
    atoms += Atoms(metal, [above + np.array([0.0, 0.0, HEIGHT])])
    return atoms


def attach(atoms: Atoms) -> None:
    """Give the atoms their calculator; an odd number of electrons is a doublet."""
    from tblite.ase import TBLite

    odd = int(atoms.numbers.sum()) % 2
    atoms.calc = TBLite(method="GFN2-xTB", multiplicity=1 + odd, verbosity=0)


def relaxed(n_rings: int, metal: str, folder: Path) -> tuple[float, Atoms]:
    """Return the lowest relaxed energy over the starting sites (eV) and its structure."""
    path = folder / "relaxed.extxyz"
    if not path.exists():
        best: Atoms | None = None
        for site in SITES:
            atoms = start(n_rings, metal, site)
            attach(atoms)
            BFGS(atoms, logfile=None).run(fmax=0.05, steps=300)
            print(f"relaxed from {site}: {atoms.get_potential_energy():.4f} eV", flush=True)
            if best is None or atoms.get_potential_energy() < best.get_potential_energy():
                best = atoms
        assert best is not None
        write(path, best, format="extxyz")
    found = read(path)
    return float(found.get_potential_energy()), found


def simulate(atoms: Atoms, plan: Trajectory, n_snapshots: int) -> dict[str, NDArray[np.float64]]:
    """Return positions and energies of the snapshots; fewer, if the dynamics breaks off."""
    attach(atoms)
    random = np.random.default_rng(plan.seed)
    masses = atoms.get_masses()
    masses[atoms.numbers == 1] = HYDROGEN_MASS
    atoms.set_masses(masses)
    MaxwellBoltzmannDistribution(atoms, temperature_K=plan.temperature, rng=random)
    dynamics = Langevin(
        atoms,
        TIME_STEP * units.fs,
        temperature_K=plan.temperature,
        friction=FRICTION,
        fixcm=False,  # it may drift: nothing here depends on the place
        rng=random,
    )
    positions, energies = [], []
    try:
        for snapshot in range(WARM_UP + n_snapshots):
            dynamics.run(STEPS_BETWEEN)
            if snapshot >= WARM_UP:
                positions.append(atoms.get_positions())
                energies.append(atoms.get_potential_energy())
    except (CalculationFailed, RuntimeError) as problem:
        print(f"{plan.name}: broke off after {len(energies)} snapshots ({problem})", flush=True)
    return {"positions": np.array(positions), "energies": np.array(energies)}


def pack(
    plans: list[Trajectory], elements: Atoms, zero: float, folder: Path, out: Path, n_snapshots: int
) -> None:
    """Write all snapshots into one file, with the split by trajectory."""
    structures, energies, failures = [], [], []
    parts: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for plan in plans:
        with np.load(folder / f"{plan.name}.npz") as found:
            positions, values = found["positions"], found["energies"]
        if len(values) < n_snapshots:
            message = f"it broke off after {len(values)} of {n_snapshots} snapshots"
            failures.append(Failure(name=plan.name, message=message))
        key = (plan.site, plan.temperature)
        part = "test" if key in TEST else "validation" if key in VALIDATION else "train"
        for number, (where, energy) in enumerate(zip(positions, values, strict=True)):
            atoms = Atoms(elements.numbers, where, info={"name": f"{plan.name}-{number:03d}"})
            parts[part].append(len(structures))
            structures.append(atoms)
            energies.append(energy - zero)
    target = Target(
        name="energy",
        unit="eV",
        description="GFN2-xTB energy above the relaxed flake with its metal atom",
    )
    data = Dataset(
        name="graphene-flakes",
        structures=StructureArrays.from_atoms(structures),
        targets=(target,),
        values=np.array(energies)[:, None],
        splits={part: np.array(rows, dtype=np.int64) for part, rows in parts.items()},
        failures=tuple(failures),
    )
    save_packed(data, out, precision="float32", resolution=0.0005)
    sizes = ", ".join(f"{part} {len(rows)}" for part, rows in parts.items())
    for failure in failures:
        print(f"{failure.name}: {failure.message}")
    print(f"{out}: {len(data)} snapshots ({sizes}), {out.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Run the trajectories that are missing, then pack all of them."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=here / "data/graphene-flakes.atomlens.npz")
    parser.add_argument("--work", type=Path, default=Path("graphene-flakes-work"))
    parser.add_argument("--rings", type=int, default=2, help="2: C24H12, 3: C54H18")
    parser.add_argument("--metal", default="Pt")
    parser.add_argument("--snapshots", type=int, default=85, help="of each of 12 trajectories")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if start(options.rings, options.metal, SITES[0]).numbers.sum() % 2:
        print(f"With {options.metal} the number of electrons is odd: all states are doublets.")
    zero, elements = relaxed(options.rings, options.metal, options.work)
    plans = [
        Trajectory(site, temperature, options.seed)
        for site, temperature in product(SITES, TEMPERATURES)
    ]
    for plan in plans:
        path = options.work / f"{plan.name}.npz"
        if path.exists():
            continue
        atoms = start(options.rings, options.metal, plan.site)
        found = simulate(atoms, plan, options.snapshots)
        draft = path.with_suffix(f".{os.getpid()}.part.npz")
        np.savez(draft, **found)
        draft.replace(path)
        mean = float(found["energies"].mean()) - zero if len(found["energies"]) else np.nan
        print(f"{plan.name}: {len(found['energies'])} snapshots, mean {mean:.2f} eV", flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    pack(plans, elements, zero, options.work, options.out, options.snapshots)
    write(options.out.with_name("graphene-flake-relaxed.xyz"), elements, format="xyz")


if __name__ == "__main__":
    main()
