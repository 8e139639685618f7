"""Neighbour search against other codes: ratios of times taken side by side in one run.

    python benchmarks/neighbors.py [--quick] [--kinds voronoi nearest radius] [--rounds 21]
                                   [--seconds 12] [--json FILE]

One thread on every side, CPU time of the process. For each row our code and the rival take turns
on the same structures (ours, theirs, ours, theirs, ...); the figure is the ratio of the medians,
so it hardly depends on the machine or on what else it does. Compilation is not counted; what the
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
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from _ratios import Ratio, absent, add_json_option, hand_over, named
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
    package: str
    """Of the rival."""
    structures: list[Atoms]
    ours: Callable[[], Any]
    theirs: Callable[[Any], Any]
    """What the rival does with one structure."""
    target: float
    converted: Callable[[Atoms], Any] | None = None
    """What the rival is given; made before the clock starts."""

    @property
    def reason(self) -> str:
        """Why it is not measured, or nothing."""
        return absent(self.package) or ("" if self.structures else absent("rdkit"))

    @property
    def beside(self) -> dict[str, Any]:
        """What the row is beside its figures."""
        return {
            "what": self.what,
            "rival": f"{self.rival} ({named(self.package)})",
            "target": self.target,
        }


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


def cgcnn2_neighbors(structure: Any) -> None:
    """Find the same as cgcnn2 0.6 does by default: pymatgen's Cython list, atom by atom."""
    center, near, _, distances = structure.get_neighbor_list(8.0)
    found: list[list[tuple[int, float]]] = [[] for _ in range(len(structure))]
    for atom, neighbor, distance in zip(center, near, distances, strict=True):
        found[atom].append((neighbor, distance))
    nearest = [sorted(pairs, key=lambda pair: pair[1])[:12] for pairs in found]
    np.array([[pair[0] for pair in pairs] for pairs in nearest])
    np.array([[pair[1] for pair in pairs] for pairs in nearest])


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


PACKAGES = ("numba", "numpy", "rdkit", "pymatgen", "pymatgen-core", "pyvoro2", "vesin")
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


def voronoi_rows() -> Iterator[Row]:
    voronoi = VoronoiBuilder()
    groups = [("molecules of about 16", [] if absent("rdkit") else molecules() * 3, 250.0)]
    groups += [(f"crystals of about {n}", crystals(n), 400.0) for n in (13, 50, 216)]
    for name, structures, target in groups:
        what, ours = f"voronoi, {name}", packed(voronoi, structures)
        rival = "pymatgen VoronoiNN"
        yield Row(what, rival, "pymatgen", structures, ours, scann_neighbors, target, to_pymatgen)
        if name.startswith("molecules"):
            continue
        for more, angles in (("+ angles in numpy", True), ("alone, no angles", False)):
            theirs = partial(voro_faces, angles=angles)
            yield Row(what, f"voro++ {more}", "pyvoro2", structures, ours, theirs, 12.0)


def nearest_rows() -> Iterator[Row]:
    for n, target in ((13, 100.0), (50, 200.0), (216, 200.0)):
        structures = crystals(n)
        ours = packed(NearestBuilder(), structures)
        for rival, theirs, least in (
            ("pymatgen as CGCNN calls it", cgcnn_neighbors, target),
            ("pymatgen's Cython list as cgcnn2 0.6 calls it", cgcnn2_neighbors, 40.0),
        ):
            what, package = f"12 nearest, crystals of about {n}", "pymatgen-core"
            yield Row(what, rival, package, structures, ours, theirs, least, to_pymatgen)


def radius_rows() -> Iterator[Row]:
    made_same, raw = (partial(pymatgen_pairs, same_output=same) for same in (True, False))
    rivals = (
        ("vesin, sorted", "vesin", vesin_pairs),
        ("pymatgen's Cython, made the same: sorted, vectors", "pymatgen-core", made_same),
        ("pymatgen's Cython, raw: unsorted, no vectors", "pymatgen-core", raw),
    )
    for n in (13, 216):
        for cutoff in (5.0, 8.0):
            structures = crystals(n)
            ours = one_by_one(RadiusBuilder(cutoff=cutoff), structures)
            what = f"radius {cutoff:.0f} Å one by one, about {n}"
            for rival, package, function in rivals:
                theirs = partial(function, cutoff=cutoff)
                yield Row(what, rival, package, structures, ours, theirs, 1.0)


KINDS = {"voronoi": voronoi_rows, "nearest": nearest_rows, "radius": radius_rows}


def side_by_side(row: Row, rounds: int, seconds: float) -> tuple[list[float], list[float]]:
    """Return the CPU seconds of each round of each side, turn by turn."""
    given = [row.converted(atoms) if row.converted else atoms for atoms in row.structures]
    sides = (row.ours, lambda: [row.theirs(one) for one in given])
    for run in sides:
        run()
    started, times = time.process_time(), ([], [])  # type: tuple[float, tuple[list, list]]
    while len(times[0]) < 3 or (len(times[0]) < rounds and time.process_time() - started < seconds):
        for side, run in enumerate(sides):
            start = time.process_time()
            run()
            times[side].append(time.process_time() - start)
    return times


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


def measured(row: Row, rounds: int, seconds: float) -> Ratio:
    """Measure a row and print its line."""
    if row.reason:
        return Ratio(not_measured=row.reason, **row.beside)
    n = sum(len(atoms) for atoms in row.structures) / 1e6
    ours, theirs = (tuple(s / n for s in side) for side in side_by_side(row, rounds, seconds))
    print(
        f"| {row.what} | {row.rival} | {median(ours):.2f} | {median(theirs):.1f} "
        f"| {median(theirs) / median(ours):.1f} | >= {row.target:g} |",
        flush=True,
    )
    return Ratio(unit="µs an atom", ours=ours, theirs=theirs, **row.beside)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no start-up times")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--rounds", type=int, help="the most for a row")
    parser.add_argument("--seconds", type=float, help="the most for a row, after three rounds")
    add_json_option(parser)
    options = parser.parse_args()
    quick = options.quick
    rounds, seconds = (7, 4.0) if quick else (21, 12.0)
    rounds = options.rounds or rounds
    seconds = seconds if options.seconds is None else options.seconds
    if any(os.environ.get(name) != "1" for name in THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))
        os.execv(sys.executable, [sys.executable, *sys.argv])
    said = [f"{p} missing" if absent(p) else named(p) for p in PACKAGES]
    print(f"one thread on every side; {', '.join(said)}\n")
    print("| what | rival | µs an atom | rival | ratio | target |")
    print("|---|---|---|---|---|---|")
    rows = [measured(row, rounds, seconds) for kind in options.kinds for row in KINDS[kind]()]
    hand_over(options.json, rows)
    if not quick:
        with tempfile.TemporaryDirectory() as cache:
            cold, warm = first_build(cache), first_build(cache)
        print(f"\nfirst Voronoi graph of a process: {cold:.1f} s compiling, {warm:.2f} s cached")


if __name__ == "__main__":
    main()
