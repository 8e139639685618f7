"""Make the orbitals that come with atomlens: a random sample of QM9 and the paper's molecules.

    python recipes/make_orbital_populations.py --folder cache/orbitals

One core takes about twenty minutes. What is in the folder is not calculated again, so that an
interrupted run goes on. Needs: pip install "atomlens[data,qm]"
"""

import argparse
import datetime
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

import atomlens as al
from atomlens.studies.orbitals.cache import orbitals_of_many
from atomlens.studies.orbitals.grids import orbital_grid
from atomlens.studies.orbitals.sample import PAPER_MOLECULES, save_sample
from atomlens.studies.orbitals.solution import OrbitalSettings

OUT = Path(__file__).parents[1] / "src/atomlens/studies/orbitals/data/qm9_orbitals.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=224, help="molecules of QM9")
    parser.add_argument("--seed", type=int, default=0, help="draws them")
    parser.add_argument("--folder", type=Path, help="keeps each molecule that is done")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    settings = OrbitalSettings()
    started = time.perf_counter()

    data = al.load_dataset("qm9", "homo")
    rows = np.random.default_rng(options.seed).choice(len(data), options.n, replace=False)
    molecules = [data.structures.to_atoms(int(i)) for i in np.sort(rows)]
    for paper in PAPER_MOLECULES:
        (molecule,) = al.read(paper.smiles)
        molecule.info["name"] = paper.name
        molecules.append(molecule)

    def progress(done: int, total: int) -> None:
        seconds = time.perf_counter() - started
        print(f"{done} of {total} molecules, {seconds:.0f} s", file=sys.stderr, flush=True)

    many = orbitals_of_many(
        molecules, settings, folder=options.folder, n_workers=options.workers, progress=progress
    )
    for failure in many.failures:
        print(failure.message, file=sys.stderr)
    grids = {
        paper.name: orbital_grid(molecule, paper.orbital, settings, paper.name)
        for paper, molecule in zip(PAPER_MOLECULES, molecules[options.n :], strict=True)
    }
    provenance = {
        "made_by": "recipes/make_orbital_populations.py",
        "date": datetime.date.today().isoformat(),
        "settings": asdict(settings),
        "calculation": "restricted Kohn-Sham, density fitting, spherical d functions, pyscf",
        "pyscf": version("pyscf"),
        "geometries": "QM9 (B3LYP/6-31G(2df,p), CC0); the paper's molecules: ETKDG and MMFF94",
        "qm9_draw": {"n": options.n, "seed": options.seed, "random": "numpy default_rng choice"},
        "not_calculated": [failure.message for failure in many.failures],
    }
    save_sample(options.out, many.found, grids, provenance)
    size = options.out.stat().st_size
    print(f"{len(many.found)} molecules in {options.out} ({size / 1000:.0f} kB)", file=sys.stderr)


if __name__ == "__main__":
    main()
