"""Descriptors of frameworks in the way of Moosavi et al. (2020), and a forest of trees on them.

    python benchmarks/mof_descriptors.py mof.npz --target uptake_015 --descriptors kept.npz

The rival of AE-CGCNN's table II: S. M. Moosavi et al., Nat. Commun. 11, 4068 (2020). Three groups,
as far as a kept library computes them:

* pores: diameters of the largest included sphere, the free sphere, and the included sphere on its
  path; accessible and closed surface and volume for a probe of 1.86 Å; density. By Zeo++ through
  pyzeo (NOMAD; ``pip install pyzeo``).
* autocorrelations (RACs) over the bonds of the framework, depth 0 to 3, of electronegativity,
  nuclear charge, identity, number of bonds and covalent radius: products over all pairs, products
  and differences from the metals. Paths are counted in the cell, so that in small cells some pairs
  are nearer than in the crystal. The published groups by linker, functional group and connecting
  atom need a decomposition that molSimplify does (TensorFlow, GPL): not computed.
* elements: atoms of each element per Å3.

Gradient-boosted trees (scikit-learn, 300 of depth 4, step 0.05) on the parts that ``--split
random:.8/.1/.1 --seed K`` gives, validation unused; mean ± standard deviation over the seeds 0 to
4. Frameworks at which Zeo++ ends its process are left out. The spheres are held against the
column pld where the data have it: in `mof-bw-co2` that is the first of Zeo++'s three numbers, the
largest included sphere, whatever its header says.
"""

import argparse
import contextlib
import multiprocessing
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.io import write
from scipy.stats import spearmanr

import atomlens as al
from atomlens.chemistry.bonds import find_framework_bonds, is_metal
from atomlens.datasets.base import Dataset
from atomlens.datasets.splits import make_split
from atomlens.elements import SYMBOLS
from atomlens.structures.arrays import Structure

PROBE, DEPTH, N_SEEDS = 1.86, 3, 5
PORES = ("Di", "Df", "Dif", "density", "ASA", "NASA", "AV", "NAV")


def electronegativities() -> np.ndarray:
    """(119,) Pauling's, 0 where unknown."""
    from pymatgen.core import Element

    found = np.zeros(119)
    for number in range(1, 104):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # noble gases have none, and pymatgen says so
            value = Element(SYMBOLS[number]).X
        found[number] = value if np.isfinite(value) else 0.0
    return found


def pores(atoms: Atoms, folder: Path) -> np.ndarray:
    """(8,) what ``PORES`` names: Å, g/cm3, Å2 and Å3 per Å3 of the cell."""
    from pyzeo.area_volume import surface_area, volume
    from pyzeo.netstorage import AtomNetwork

    cif, res = str(folder / "framework.cif"), str(folder / "framework.res")
    write(cif, atoms, format="cif")
    network = AtomNetwork.read_from_CIF(cif, rad_flag=True)
    network.calculate_free_sphere_parameters(res)
    spheres = [float(x) for x in Path(res).read_text().split()[1:4]]
    area = surface_area(network, PROBE, PROBE, 300)
    space = volume(network, PROBE, PROBE, 3000)
    size = atoms.get_volume()
    density = atoms.get_masses().sum() / size * 1.66053907
    numbers = [
        *(told(area, name) / size for name in ("ASA_A^2", "NASA_A^2")),
        *(told(space, name) / size for name in ("AV_A^3", "NAV_A^3")),
    ]
    return np.array([*spheres, density, *numbers])


def pores_apart(atoms: Atoms, folder: Path) -> np.ndarray:
    """What `pores` says, from a process of its own; NaN where Zeo++ ends it, as it may."""
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    worker = context.Process(target=lambda: send.send(pores(atoms, folder)))
    worker.start()
    send.close()
    try:
        found: np.ndarray = receive.recv()
    except EOFError:
        found = np.full(len(PORES), np.nan)
    worker.join()
    return found


def told(answer: bytes | str, name: str) -> float:
    """A number from what Zeo++ prints."""
    text = answer.decode() if isinstance(answer, bytes) else str(answer)
    found = re.search(rf"(?<!\w){re.escape(name)}:?\s+([-+.\deE]+)", text)
    if found is None:
        raise SystemExit(f"Zeo++ did not say {name}: {text[:200]}")
    return float(found[1])


def autocorrelations(structure: Structure, chi: np.ndarray) -> np.ndarray:
    """(15 (DEPTH + 1),) products of all pairs an atom; products, differences from the metals."""
    numbers = structure.atomic_numbers
    n = len(numbers)
    near = np.zeros((n, n), dtype=bool)
    ends = find_framework_bonds(structure).ends
    near[ends[:, 0], ends[:, 1]] = True
    np.fill_diagonal(near, False)
    degree = np.bincount(ends[:, 0], minlength=n)
    properties = np.stack([chi[numbers], numbers, np.ones(n), degree, covalent_radii[numbers]], 1)
    metal = np.flatnonzero(is_metal(numbers))
    reached, shell = np.eye(n, dtype=bool), np.eye(n, dtype=bool)
    found = []
    for _ in range(DEPTH + 1):
        pairs = shell.astype(float)
        found.append(np.einsum("ip,ij,jp->p", properties, pairs, properties) / n)
        own, around = properties[metal], pairs[metal]
        count = max(1, len(metal))
        found.append(np.einsum("ip,ij,jp->p", own, around, properties) / count)
        sums = own * around.sum(axis=1, keepdims=True) - around @ properties
        found.append(sums.sum(axis=0) / count)
        shell = (shell.astype(np.float32) @ near.astype(np.float32) > 0) & ~reached
        reached |= shell
    return np.concatenate(found)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Zeo++ prints a page for every framework; it does not go through Python's streams."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def describe(data: Dataset) -> dict[str, np.ndarray]:
    """(n, n_descriptors) by group."""
    chi = electronegativities()
    elements = np.unique(data.structures.atomic_numbers)
    rows: dict[str, list[np.ndarray]] = {"pores": [], "RACs": [], "elements": []}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), silence():
        for k in range(len(data)):
            structure, atoms = data.structures[k], data.structures.to_atoms(k)
            rows["pores"].append(pores_apart(atoms, Path(folder)))
            rows["RACs"].append(autocorrelations(structure, chi))
            counts = (structure.atomic_numbers[:, None] == elements).sum(axis=0)
            rows["elements"].append(counts / atoms.get_volume())
    return {name: np.array(values) for name, values in rows.items()}


def judged(features: np.ndarray, data: Dataset) -> str:
    """MAE and rank correlation of the test parts."""
    from sklearn.ensemble import GradientBoostingRegressor

    errors, ranks, known = [], [], data.values[:, 0]
    for seed in range(N_SEEDS):
        split = make_split("random:.8/.1/.1", data, seed=seed)
        trees = GradientBoostingRegressor(
            n_estimators=300, max_depth=4, learning_rate=0.05, subsample=0.7, random_state=seed
        )
        found = trees.fit(features[split.train], known[split.train]).predict(features[split.test])
        errors.append(np.abs(found - known[split.test]).mean())
        ranks.append(spearmanr(found, known[split.test]).statistic)
    return (
        f"{np.mean(errors):.3f} ± {np.std(errors, ddof=1):.3f} | "
        f"{np.mean(ranks):.2f} ± {np.std(ranks, ddof=1):.2f}"
    )


def main() -> None:
    """Compute what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--target", required=True)
    parser.add_argument("--descriptors", type=Path, required=True, help="kept here")
    args = parser.parse_args()
    place = args.descriptors.absolute()
    both = al.load_dataset(args.data)
    data = al.load_dataset(args.data, [args.target])
    if not place.is_file():
        start = sum(os.times()[:4])
        np.savez(place, **describe(data))
        print(f"descriptors: {sum(os.times()[:4]) - start:.0f} CPU s")  # processes included
    groups = dict(np.load(place))
    whole = np.isfinite(groups["pores"]).all(axis=1)
    if not whole.all():
        print(f"Zeo++ ended at {(~whole).sum()} of {len(whole)} frameworks; they are left out")
        groups = {name: rows[whole] for name, rows in groups.items()}
        data = data.subset(np.flatnonzero(whole))
    names = [t.name for t in both.targets]
    if "pld" in names:
        row = {name: k for k, name in enumerate(both.structures.names)}
        known = both.values[[row[n] for n in data.structures.names], names.index("pld")]
        for name in ("Di", "Df"):
            off = np.abs(groups["pores"][:, PORES.index(name)] - known)
            print(f"{name} beside pld: {np.nanmedian(off):.3f} Å (median), {np.nanmax(off):.2f}")
    print(f"| {len(data)} frameworks, {args.target} | MAE | Spearman |")
    print("|---|---|---|")
    for name, features in groups.items():
        print(f"| {name} ({features.shape[1]}) | {judged(features, data)} |")
    print(f"| all | {judged(np.concatenate(list(groups.values()), axis=1), data)} |")


if __name__ == "__main__":
    main()
