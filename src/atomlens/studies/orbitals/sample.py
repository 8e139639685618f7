"""The orbitals that come with atomlens: a random sample of QM9 and the paper's four molecules.

Calculated once by ``recipes/make_orbital_populations.py``; how, with what and when stands in
the file itself (`OrbitalSample.provenance`). The geometries of the sample are those of QM9
(CC0); the four molecules have force-field geometries of their SMILES.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from atomlens.files import whole_file
from atomlens.studies.orbitals.grids import OrbitalGrid
from atomlens.studies.orbitals.solution import FrontierOrbitals, Orbital


class PaperMolecule(NamedTuple):
    """A molecule that the paper shows beside one of its orbitals."""

    name: str
    smiles: str
    orbital: Orbital


PAPER_MOLECULES = (
    PaperMolecule("2,3-dimethylbutadiene", "CC(=C)C(C)=C", "homo"),
    PaperMolecule("thymine", "Cc1c[nH]c(=O)[nH]c1=O", "homo"),
    PaperMolecule("methyl acrylate", "COC(=O)C=C", "lumo"),
    PaperMolecule("dimethyl fumarate", "COC(=O)/C=C/C(=O)OC", "lumo"),
)
"""Claim S5: their attention maps are said to match these orbitals."""

_FILE = "qm9_orbitals.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrbitalSample:
    """Frontier orbitals of many molecules, with the paper's at the end."""

    orbitals: tuple[FrontierOrbitals, ...]
    grids: Mapping[str, OrbitalGrid]
    """Values of the orbital of `PAPER_MOLECULES` in space, by the molecule's name."""
    provenance: Mapping[str, Any]


def load_sample(path: Path | None = None) -> OrbitalSample:
    """Read the file that comes with atomlens, or another that `save_sample` wrote."""
    if path is None:
        content = resources.files("atomlens.studies.orbitals").joinpath("data", _FILE).read_bytes()
    else:
        content = path.read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    said = json.loads(str(arrays["provenance"]))
    orbitals = [
        _orbitals(arrays, i, slice(a, b))
        for i, (a, b) in enumerate(pairwise(arrays["offsets"].tolist()))
    ]
    grids = {
        name: OrbitalGrid(
            values=arrays[f"grid_{i}"].astype(np.float64),
            origin=arrays["grid_origins"][i],
            spacing=float(arrays["grid_spacings"][i]),
        )
        for i, name in enumerate(said["grids"])
    }
    return OrbitalSample(orbitals=tuple(orbitals), grids=grids, provenance=said)


def _orbitals(arrays: Mapping[str, Any], i: int, rows: slice) -> FrontierOrbitals:
    return FrontierOrbitals(
        name=str(arrays["names"][i]),
        atomic_numbers=arrays["atomic_numbers"][rows].astype(np.int64),
        positions=arrays["positions"][rows].astype(np.float64),
        homo=arrays["homo"][rows].astype(np.float64),
        lumo=arrays["lumo"][rows].astype(np.float64),
        homo_energy=float(arrays["energies"][i, 0]),
        lumo_energy=float(arrays["energies"][i, 1]),
        n_homo=int(arrays["n_averaged"][i, 0]),
        n_lumo=int(arrays["n_averaged"][i, 1]),
    )


def save_sample(
    path: Path,
    orbitals: Sequence[FrontierOrbitals],
    grids: Mapping[str, OrbitalGrid],
    provenance: Mapping[str, Any],
) -> None:
    """Write a sample as flat arrays: shares as float32, grids as float16."""
    counts = [len(o.homo) for o in orbitals]
    said = {**provenance, "grids": list(grids)}
    values: dict[str, Any] = {
        f"grid_{i}": g.values.astype(np.float16) for i, g in enumerate(grids.values())
    }
    with whole_file(path) as stream:
        np.savez_compressed(
            stream,
            names=np.array([o.name for o in orbitals]),
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            atomic_numbers=np.concatenate([o.atomic_numbers for o in orbitals]).astype(np.uint8),
            positions=np.concatenate([o.positions for o in orbitals]).astype(np.float32),
            homo=np.concatenate([o.homo for o in orbitals]).astype(np.float32),
            lumo=np.concatenate([o.lumo for o in orbitals]).astype(np.float32),
            energies=np.array([[o.homo_energy, o.lumo_energy] for o in orbitals]),
            n_averaged=np.array([[o.n_homo, o.n_lumo] for o in orbitals], dtype=np.uint8),
            grid_origins=np.array([g.origin for g in grids.values()]).reshape(-1, 3),
            grid_spacings=np.array([g.spacing for g in grids.values()]),
            provenance=np.array(json.dumps(said)),
            **values,
        )
