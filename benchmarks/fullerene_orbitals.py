"""Attention and frontier orbitals of C60, C70 and C72, orbit by orbit (core of SCANN's Fig 5).

    python benchmarks/fullerene_orbitals.py C60.xyz C70.xyz fullerenes.jsonl.gz
    python benchmarks/fullerene_orbitals.py C70.xyz --method dft --functional lda,vwn --basis sto-3g

Cages are known by their symmetry; a .jsonl.gz has one JSON object a line (species, coords).
Orbitals are Hückel's (those within 0.01 of the frontier averaged), or pyscf's (``--method dft``;
``--grid`` is the level of its integration grid, 0 to 9); what a calculation took is printed. The
model has the targets homo and lumo, and an attention for each. Numbers are orbit means over the
even share 1/n. Symmetry makes the atoms of one orbit alike in both, so that agreement is one of the
few orders of the orbits. Each network of an ensemble is asked (Spearman); its chance is the share
of all orders of the orbitals with as high a mean, and that of networks that learned nothing the
share of `--untrained` ones whose own number is as high.
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms

import atomlens as al
from atomlens.chemistry.orbits import Orbits, find_orbits
from atomlens.predictor.measuring import spearman
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.controls import untrained
from atomlens.studies.networks import prepare
from atomlens.studies.orbitals.cache import orbitals_of_many
from atomlens.studies.orbitals.cases import OrbitalsSettings

CAGES = {
    "C60": (60,),
    "C70": (10, 10, 10, 20, 20),
    "C72": (12, 12, 24, 24),
}


def structures(path: Path) -> Iterator[Atoms]:
    """Give the structures of a file."""
    if path.suffix != ".gz":
        yield from al.read(path)
        return
    with gzip.open(path, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            yield Atoms(row["species"], positions=row["coords"])


def cages(paths: list[Path], tolerance: float) -> dict[str, tuple[Atoms, Orbits]]:
    """The first cage of each kind, with its orbits."""
    found: dict[str, tuple[Atoms, Orbits]] = {}
    for atoms in (atoms for path in paths for atoms in structures(path)):
        for name, sizes in CAGES.items():
            if name in found or len(atoms) != sum(sizes):
                continue
            orbits = find_orbits(StructureArrays.from_atoms([atoms])[0], tolerance)
            if tuple(sorted(orbits.sizes.tolist())) == sizes:
                found[name] = (Atoms(atoms, info={"name": name}), orbits)
    return found


def attention(model: Any, atoms: Atoms, target: str) -> np.ndarray:
    """(n_atoms,) attention for a target, of the first member."""
    store = prepare(model, StructureArrays.from_atoms([atoms])).store
    network = model.models[0].eval()
    batch = store.select(network.edge_fields).batch(torch.arange(1))
    with torch.no_grad():
        output = network(batch)
    place = [t.name for t in model.targets].index(target)
    if output.node_target_attention is not None:
        found = output.node_target_attention[:, place]
    else:
        found = output.node_attention
    return found.double().numpy()


def by_orbit(values: np.ndarray, orbits: Orbits) -> np.ndarray:
    """(n_orbits,) means over the even share, equator first."""
    means = [values[atoms].mean() * len(values) / values.sum() for atoms in orbits]
    heights = [0.0] * len(means)
    if orbits.heights is not None:
        heights = [float(orbits.heights[atoms].mean()) for atoms in orbits]
    return np.array(means)[np.argsort(heights, kind="stable")]


def chance(found: list[np.ndarray], shares: np.ndarray) -> float:
    """Share of all orders of the orbital's shares with which networks agree so well in the mean."""
    own = np.mean([spearman(one, shares) for one in found])
    each = [
        np.mean([spearman(one, shares[list(order)]) for one in found])
        for order in permutations(range(len(shares)))
    ]
    return float(np.mean(np.array(each) >= own - 1e-9))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cages", type=Path, nargs="+")
    parser.add_argument("--model", default="qm9")
    parser.add_argument("--tolerance", type=float, default=0.05)
    parser.add_argument("--method", choices=("huckel", "dft"), nargs="+", default=["huckel"])
    parser.add_argument("--functional", default="b3lyp")
    parser.add_argument("--basis", default="6-31g*")
    parser.add_argument("--grid", type=int, default=0)
    parser.add_argument("--convergence", type=float, default=1e-6, help="hartree")
    parser.add_argument("--untrained", type=int, default=20)
    args = parser.parse_args()
    model = al.load(args.model)
    networks = [replace(model, models=(one,)) for one in model.models]
    controls = [untrained(networks[0], seed) for seed in range(args.untrained)]
    found = cages(args.cages, args.tolerance)
    print("| cage | orbital | orbits, equator first | attention | Spearman | chance | untrained |")
    print("|---|---|---|---|---|---|---|")
    for name, (atoms, orbits) in found.items():
        for method in args.method:
            settings = OrbitalsSettings(
                method=method,
                functional=args.functional,
                basis=args.basis,
                grid_level=args.grid,
                convergence=args.convergence,
            ).calculation()
            start = time.process_time()
            solving = orbitals_of_many([atoms], settings)
            if not solving.found:
                raise SystemExit(solving.failures[0].message)
            (solved,) = solving.found
            print(f"{name}, {method}: {time.process_time() - start:.0f} CPU s", file=sys.stderr)
            for target in ("homo", "lumo"):
                shares = by_orbit(np.round(solved.shares(target), 6), orbits)
                own = [by_orbit(attention(n, atoms, target), orbits) for n in networks]
                others = [by_orbit(attention(c, atoms, target), orbits) for c in controls]
                cells = [
                    name,
                    f"{target}, {method}",
                    " ".join(f"{v:.3f}" for v in shares),
                    "; ".join(" ".join(f"{v:.3f}" for v in one) for one in own),
                ]
                if len(shares) > 2:
                    found_by = [spearman(one, shares) for one in own]
                    beside = np.array([spearman(one, shares) for one in others])
                    as_high = float(np.mean(beside >= np.mean(found_by) - 1e-9))
                    cells += [
                        ", ".join(f"{rho:+.2f}" for rho in found_by),
                        f"{chance(own, shares):.1%}",
                        f"{beside.mean():+.2f}, {as_high:.0%} as high",
                    ]
                else:
                    cells += ["one orbit", "certain", ""]
                print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
