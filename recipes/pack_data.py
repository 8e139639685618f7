"""Turn a data pack into the packed file that ``atomlens train`` reads.

    python recipes/pack_data.py mp-crystals mp_crystals_shared.npz mp.npz [--limit 13000]
    python recipes/pack_data.py fullerenes fullerenes.jsonl.gz fullerenes.npz
    python recipes/pack_data.py mof-bw-co2 mof_bw_co2.jsonl.gz mof.npz

Two forms: crystals as one ``.npz`` of flat arrays (``id``, ``n_atoms``, ``Z``, ``frac``, ``cell``
as lengths and angles, one array per property), and structures as gzipped JSON lines
(``species`` with ``coords`` or with ``lattice`` and ``frac_coords``, ``properties``). PROPERTIES
says which property becomes which target. Samples without any value are left out and counted.
"""

import argparse
import gzip
import json
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.geometry import cellpar_to_cell

from atomlens.datasets import Dataset, save_packed
from atomlens.datasets.sampling import sample_rows
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target

PROPERTIES = {
    "mp-crystals": {
        "formation_energy_per_atom_2018": Target(name="formation_energy", unit="eV/atom"),
        "band_gap_2018": Target(name="band_gap", unit="eV", nonnegative=True),
    },
    "fullerenes": {
        "HOMO(eV)": Target(name="homo", unit="eV"),
        "LUMO(eV)": Target(name="lumo", unit="eV"),
        "HOMO-LUMO(eV)": Target(name="gap", unit="eV", nonnegative=True),
        "E_binding(eV)": Target(name="binding_energy", unit="eV/atom"),
    },
    "mp-dielectric": {
        "n": Target(name="n", nonnegative=True),
        "poly_total": Target(name="eps_total", nonnegative=True),
        "band_gap": Target(name="band_gap", unit="eV", nonnegative=True),
    },
    "mof-bw-co2": {
        # headed so in the source, but larger than its LCD in every row: the largest included sphere
        "largest_free_sphere_diameter(PLD)[A]": Target(name="pld", unit="Å", nonnegative=True),
        "CO2/N2_selectivity": Target(name="selectivity", nonnegative=True),
        "CO2_uptake_P0.15bar_T298K [mmol/g]": Target(
            name="uptake_015", unit="mmol/g", nonnegative=True
        ),
    },
}
TARGETS = {name: tuple(properties.values()) for name, properties in PROPERTIES.items()}


def from_arrays(name: str, path: Path, limit: int | None) -> Dataset:
    """Read crystals kept as flat arrays."""
    with np.load(path) as pack:
        values = np.column_stack([pack[column] for column in PROPERTIES[name]])
        known = np.flatnonzero(np.isfinite(values).any(axis=1))
        rows = known[sample_rows(len(known), limit, seed=0)]
        print(f"{len(values) - len(known)} without a value are left out", file=sys.stderr)
        offsets = np.concatenate([[0], np.cumsum(pack["n_atoms"])])
        numbers, places, cells = pack["Z"], pack["frac"], pack["cell"]
        names = [str(i, "utf-8") for i in pack["id"]]
        atoms = []
        for row in rows.tolist():
            part = slice(offsets[row], offsets[row + 1])
            crystal = Atoms(
                numbers=numbers[part],
                cell=cellpar_to_cell(cells[row]),
                scaled_positions=places[part].astype(float),
                pbc=True,
            )
            crystal.info["name"] = names[row]
            atoms.append(crystal)
    return _dataset(name, atoms, values[rows])


def from_lines(name: str, path: Path, limit: int | None) -> Dataset:
    """Read structures kept as JSON lines."""
    atoms, values = [], []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            found = [row["properties"].get(p) for p in PROPERTIES[name]]
            if all(v is None for v in found):
                continue
            if "coords" in row:
                one = Atoms(row["species"], positions=row["coords"])
            else:
                one = Atoms(
                    row["species"],
                    cell=row["lattice"],
                    scaled_positions=row["frac_coords"],
                    pbc=True,
                )
            one.info["name"] = str(row["id"])
            atoms.append(one)
            values.append([np.nan if v is None else float(v) for v in found])
    rows = sample_rows(len(atoms), limit, seed=0)
    return _dataset(name, [atoms[i] for i in rows], np.array(values)[rows])


def _dataset(name: str, atoms: list[Atoms], values: np.ndarray) -> Dataset:
    return Dataset(
        name=name,
        structures=StructureArrays.from_atoms(atoms),
        targets=TARGETS[name],
        values=np.asarray(values, dtype=np.float64),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=PROPERTIES)
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--limit", type=int, help="a random sample of this many (seed 0)")
    options = parser.parse_args()
    read = from_arrays if options.pack.suffix == ".npz" else from_lines
    dataset = read(options.name, options.pack, options.limit)
    save_packed(dataset, options.out)
    print(f"{options.out}: {len(dataset)} structures, {[t.name for t in dataset.targets]}")


if __name__ == "__main__":
    main()
