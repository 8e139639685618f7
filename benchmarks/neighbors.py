"""Neighbour search against other codes: ratios of times taken side by side in one run.

    python benchmarks/neighbors.py [--quick]

One thread on every side. For each row our code and the rival take turns on the same
structures (ours, theirs, ours, theirs, ...); the figure is the ratio of the medians, so it
hardly depends on the machine or on what else it does. Compilation is not counted; what the
first build in a new process costs is printed below the table. Rivals that are not installed
are named and left out. ``ours`` is `GraphBuilder.pack`, what `build_store` runs on many
structures, unless the row says ``one by one``: then it is `GraphBuilder.edges`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal

from atomlens.neighbors import NearestBuilder, RadiusBuilder, VoronoiBuilder
from atomlens.neighbors.base import GraphBuilder
from atomlens.structures.arrays import StructureArrays

SMILES = (
    "CCOC(C)=O CC(C)C(=O)O CC1CC1(C)C CCN(C)CC c1ccccc1O CC(=O)NC1CC1 COC(=O)C=C C1CCCCC1N "
    "CCCC(C)CO C1=CCCC1=O CC(C)(C)O c1ccncc1CC OCC1OC1C CCC1CCCO1 CC(N)C(=O)O CCCCCCC C1CC2CC1CC2"
)


@dataclass(frozen=True)
class Row:
    what: str
    rival: str
    structures: list[Atoms]
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    target: str


def molecules() -> list[Atoms]:
    from rdkit import Chem
    from rdkit.Chem import AllChem

    made = []
    for smiles in SMILES.split():
        molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
        AllChem.EmbedMolecule(molecule, randomSeed=1)
        numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
        made.append(Atoms(numbers, molecule.GetConformer().GetPositions()))
    return made


def crystals(n_atoms: int) -> list[Atoms]:
    """Rattled crystals of about that many atoms."""
    quartz = crystal(
        ["Si", "O"],
        [(0.4697, 0, 0), (0.4135, 0.2669, 0.1191)],
        spacegroup=152,
        cellpar=[4.916, 4.916, 5.405, 90, 90, 120],
    )
    kinds = {
        13: [quartz, bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat((2, 1, 1))],
        50: [bulk("Fe", cubic=True).repeat(3), quartz.repeat((2, 3, 1))],
        216: [bulk("Si", cubic=True).repeat(3), quartz.repeat((3, 3, 3))],
    }[n_atoms]
    made = []
    for seed, atoms in enumerate(kinds * {13: 8, 50: 2, 216: 1}[n_atoms]):
        rattled = atoms.copy()
        rattled.rattle(0.05, seed=seed)
        made.append(rattled)
    return made


def to_pymatgen(atoms: Atoms, box: float = 10.0) -> Any:
    from pymatgen.core import Molecule, Structure

    if atoms.pbc.all():
        return Structure(
            np.array(atoms.cell), atoms.numbers, atoms.positions, coords_are_cartesian=True
        )
    edges = np.maximum(box, np.ptp(atoms.positions, axis=0) + 0.1)
    return Molecule(atoms.numbers, atoms.positions).get_boxed_structure(*edges)


def scann_neighbors(structure: Any, radius: float = 7.0) -> None:
    """Call pymatgen as the SCANN authors do: atom by atom, 7 Å, no adjacency."""
    from pymatgen.analysis.local_env import VoronoiNN

    finder = VoronoiNN(
        weight="solid_angle", cutoff=radius, allow_pathological=True, compute_adj_neighbors=False
    )
    for site in range(len(structure)):
        faces = list(finder.get_voronoi_polyhedra(structure, site).values())
        largest = max(face["solid_angle"] for face in faces)
        for face in faces:
            if face["solid_angle"] >= 0.4 and face["solid_angle"] >= 0.2 * largest:
                np.linalg.norm(structure[site].coords - face["site"].coords)


def cgcnn_neighbors(structure: Any) -> None:
    """Call pymatgen as CGCNN does: all within 8 Å, sorted, the first 12."""
    for neighbors in structure.get_all_neighbors(8.0, include_index=True):
        sorted(neighbors, key=lambda neighbor: neighbor[1])[:12]


def voro_faces(atoms: Atoms, angles: bool) -> None:
    """Cells and faces by voro++, then solid angles with numpy."""
    import pyvoro2

    vectors = tuple(tuple(map(float, row)) for row in np.array(atoms.cell))
    cells = pyvoro2.compute(
        atoms.positions,
        domain=pyvoro2.PeriodicCell(vectors=vectors),
        return_adjacency=False,
        output="cells",
    )
    for cell in cells if angles else ():
        center = atoms.positions[cell["id"]]
        corners = np.asarray(cell["vertices"]) - (np.asarray(cell.get("site", center)))
        corners /= np.linalg.norm(corners, axis=1)[:, None]
        for face in cell["faces"]:
            u = corners[face["vertices"]]
            triple = np.cross(u[1:-1], u[2:]) @ u[0]
            sums = 1 + u[1:-1] @ u[0] + u[2:] @ u[0] + (u[1:-1] * u[2:]).sum(1)
            2 * np.arctan2(np.abs(triple), sums).sum()


THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def vesin_pairs(atoms: Atoms, cutoff: float) -> None:
    import vesin

    finder = vesin.NeighborList(cutoff=cutoff, full_list=True, sorted=True)
    finder.compute(atoms.positions, np.array(atoms.cell), True, quantities="ijdDS")


def pymatgen_pairs(atoms: Atoms, cutoff: float, same_output: bool) -> None:
    """Call pymatgen's Cython; on request make what ours gives of it: sorted, with vectors."""
    from pymatgen.optimization.neighbors import find_points_in_spheres

    positions, cell = np.ascontiguousarray(atoms.positions), np.array(atoms.cell)
    target, source, images, distances = find_points_in_spheres(
        all_coords=positions,
        center_coords=positions,
        r=cutoff,
        pbc=np.array([1, 1, 1], dtype=np.int64),
        lattice=cell,
        tol=1e-8,
    )
    if same_output:
        order = np.lexsort((distances, target))
        order = order[distances[order] > 1e-8]
        target, source, images = target[order], source[order], images[order]
        distances = distances[order]
        positions[source] + images @ cell - positions[target]


def packed(builder: GraphBuilder, structures: list[Atoms]) -> Callable[[], Any]:
    arrays = StructureArrays.from_atoms(structures)
    return lambda: builder.pack(arrays)


def one_by_one(builder: GraphBuilder, structures: list[Atoms]) -> Callable[[], Any]:
    arrays = list(StructureArrays.from_atoms(structures))
    return lambda: [builder.edges(structure) for structure in arrays]


def each(function: Callable[..., Any], items: list[Any], *args: Any) -> Callable[[], Any]:
    return lambda: [function(item, *args) for item in items]


def voronoi_rows(present: set[str]) -> Iterator[Row]:
    voronoi = VoronoiBuilder()
    groups = [("molecules of about 16", molecules() * 3, ">= 250")] if "rdkit" in present else []
    groups += [(f"crystals of about {n}", crystals(n), ">= 300") for n in (13, 50, 216)]
    for name, structures, target in groups:
        ours = packed(voronoi, structures)
        if "pymatgen" in present:
            boxed = [to_pymatgen(atoms) for atoms in structures]
            theirs = each(scann_neighbors, boxed)
            rival = "pymatgen VoronoiNN"
            yield Row(f"voronoi, {name}", rival, structures, ours, theirs, target)
        if "pyvoro2" in present and not name.startswith("molecules"):
            for rival, angles in (("+ angles in numpy", True), ("alone, no angles", False)):
                theirs = each(voro_faces, structures, angles)
                rival = f"voro++ (pyvoro2) {rival}"
                yield Row(f"voronoi, {name}", rival, structures, ours, theirs, ">= 8")


def distance_rows(present: set[str]) -> Iterator[Row]:
    nearest = NearestBuilder()
    for n, target in ((13, ">= 100"), (50, ">= 200"), (216, ">= 200")):
        structures = crystals(n)
        if "pymatgen-core" in present:
            converted = [to_pymatgen(atoms) for atoms in structures]
            theirs = each(cgcnn_neighbors, converted)
            what, rival = f"12 nearest, crystals of about {n}", "pymatgen as CGCNN calls it"
            yield Row(what, rival, structures, packed(nearest, structures), theirs, target)
    rivals: list[tuple[str, str, Callable[..., None], tuple[Any, ...]]] = [
        ("vesin", "vesin, sorted", vesin_pairs, ()),
        (
            "pymatgen-core",
            "pymatgen's Cython, made the same: sorted, vectors",
            pymatgen_pairs,
            (True,),
        ),
        ("pymatgen-core", "pymatgen's Cython, raw: unsorted, no vectors", pymatgen_pairs, (False,)),
    ]
    for n in (13, 216):
        for cutoff in (5.0, 8.0):
            structures = crystals(n)
            ours = one_by_one(RadiusBuilder(cutoff=cutoff), structures)
            what = f"radius {cutoff:.0f} Å one by one, about {n}"
            for name, rival, function, options in rivals:
                if name in present:
                    theirs = each(function, structures, cutoff, *options)
                    yield Row(what, rival, structures, ours, theirs, ">= 1")


def side_by_side(row: Row, rounds: int, seconds: float) -> tuple[float, float]:
    """Return the median time of a round of each side, turn by turn."""
    row.ours()
    row.theirs()
    started, times = time.perf_counter(), ([], [])  # type: tuple[float, tuple[list, list]]
    while len(times[0]) < 3 or (len(times[0]) < rounds and time.perf_counter() - started < seconds):
        for side, run in enumerate((row.ours, row.theirs)):
            start = time.perf_counter()
            run()
            times[side].append(time.perf_counter() - start)
    return median(times[0]), median(times[1])


def first_build(cache: str) -> float:
    """Return the seconds of the first Voronoi graph in a new process."""
    code = (
        "import time; from ase.build import bulk; from atomlens.neighbors import VoronoiBuilder; "
        "import torch; atoms = bulk('Si'); start = time.perf_counter(); "
        "VoronoiBuilder().build(atoms); print(time.perf_counter() - start)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(run.stdout)


def installed() -> tuple[set[str], list[str]]:
    names = ("numba", "numpy", "rdkit", "pymatgen", "pymatgen-core", "pyvoro2", "vesin")
    present, lines = set(), []
    for name in names:
        try:
            lines.append(f"{name} {version(name)}")
            present.add(name)
        except PackageNotFoundError:
            lines.append(f"{name} missing")
    return present, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no start-up times")
    quick = parser.parse_args().quick
    rounds, seconds = (7, 4.0) if quick else (21, 12.0)
    if any(os.environ.get(name) != "1" for name in THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))
        os.execv(sys.executable, [sys.executable, *sys.argv])
    present, lines = installed()
    print(f"one thread on every side; {', '.join(lines)}\n")
    print("| what | rival | µs an atom | rival | ratio | target |")
    print("|---|---|---|---|---|---|")
    for rows in (voronoi_rows(present), distance_rows(present)):
        for row in rows:
            ours, theirs = side_by_side(row, rounds, seconds)
            n = sum(len(atoms) for atoms in row.structures) / 1e6
            print(
                f"| {row.what} | {row.rival} | {ours / n:.2f} | {theirs / n:.1f} "
                f"| {theirs / ours:.1f} | {row.target} |",
                flush=True,
            )
    if not quick:
        with tempfile.TemporaryDirectory() as cache:
            cold, warm = first_build(cache), first_build(cache)
        print(f"\nfirst Voronoi graph of a process: {cold:.1f} s compiling, {warm:.2f} s cached")


if __name__ == "__main__":
    main()
