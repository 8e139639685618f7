"""Make the orbitals that come with atomlens: a random sample of QM9 and the paper's molecules.

    python recipes/make_orbital_populations.py --folder cache/orbitals

The sample is ``--n`` molecules of all of QM9, and ``--n-test`` and then ``--n-more`` of its test
part, which models of the data set's own split have not seen. One core takes about an hour. What is
in the folder is not calculated again, so that an interrupted run goes on; with ``--keep`` neither
is what is in the file that comes with atomlens. Needs: pip install "atomlens[data,qm]"
"""

import argparse
import datetime
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

import atomlens as al
from atomlens.datasets import Dataset
from atomlens.studies.orbitals.cache import keep_orbitals, orbitals_of_many
from atomlens.studies.orbitals.grids import orbital_grid
from atomlens.studies.orbitals.sample import PAPER_MOLECULES, load_sample, save_sample
from atomlens.studies.orbitals.solution import OrbitalSettings

OUT = Path(__file__).parents[1] / "src/atomlens/studies/orbitals/data/qm9_orbitals.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=224, help="molecules of all of QM9")
    parser.add_argument("--n-test", type=int, default=400, help="more, of its test part")
    parser.add_argument("--n-more", type=int, default=60, help="more of it, drawn after those")
    parser.add_argument("--seed", type=int, default=0, help="draws them")
    parser.add_argument("--keep", action="store_true", help="take over what the file holds")
    parser.add_argument("--folder", type=Path, help="keeps each molecule that is done")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if options.keep and options.folder is None:
        parser.error("--keep puts what the file holds into --folder; name one.")
    settings = OrbitalSettings()
    started = time.perf_counter()

    data = al.load_dataset("qm9", "homo")
    rows = draw(data, options.n, options.n_test, options.n_more, options.seed)
    molecules = [data.structures.to_atoms(int(i)) for i in rows]
    for paper in PAPER_MOLECULES:
        (molecule,) = al.read(paper.smiles)
        molecule.info["name"] = paper.name
        molecules.append(molecule)

    def progress(done: int, total: int) -> None:
        seconds = time.perf_counter() - started
        print(f"{done} of {total} molecules, {seconds:.0f} s", file=sys.stderr, flush=True)

    if options.keep:
        keep(molecules, settings, options.folder)
    many = orbitals_of_many(
        molecules, settings, folder=options.folder, n_workers=options.workers, progress=progress
    )
    for failure in many.failures:
        print(failure.message, file=sys.stderr)
    grids = {
        paper.name: orbital_grid(molecule, paper.orbital, settings, paper.name)
        for paper, molecule in zip(PAPER_MOLECULES, molecules[len(rows) :], strict=True)
    }
    provenance = {
        "made_by": "recipes/make_orbital_populations.py",
        "date": datetime.date.today().isoformat(),
        "settings": asdict(settings),
        "calculation": "restricted Kohn-Sham, density fitting, spherical d functions, pyscf",
        "pyscf": version("pyscf"),
        "geometries": "QM9 (B3LYP/6-31G(2df,p), CC0); the paper's molecules: ETKDG and MMFF94",
        "qm9_draw": {
            "n": options.n,
            "n_test": options.n_test,
            "n_more": options.n_more,
            "seed": options.seed,
            "random": "numpy default_rng choice: n of all, n_test of the others of the test part, "
            "n_more of those that are left there",
        },
        "not_calculated": [failure.message for failure in many.failures],
    }
    save_sample(options.out, many.found, grids, provenance)
    size = options.out.stat().st_size
    print(f"{len(many.found)} molecules in {options.out} ({size / 1000:.0f} kB)", file=sys.stderr)


def draw(data: Dataset, n: int, n_test: int, n_more: int, seed: int) -> NDArray[np.int64]:
    """Return the rows of the sample, ascending: of all molecules, and more of the test part."""
    random = np.random.default_rng(seed)
    first = random.choice(len(data), n, replace=False)
    others = np.setdiff1d(data.splits["test"], first)
    second = random.choice(others, n_test, replace=False)
    third = random.choice(np.setdiff1d(others, second), n_more, replace=False)
    return np.sort(np.concatenate([first, second, third]))


def keep(molecules: Sequence[Atoms], settings: OrbitalSettings, folder: Path) -> None:
    """Put what the shipped file holds of the same molecules into the folder."""
    sample = load_sample()
    if sample.provenance["settings"] != asdict(settings):
        sys.exit(
            "The file that comes with atomlens was made with other settings; leave --keep out."
        )
    known = {o.name: o for o in sample.orbitals}
    for molecule in molecules:
        found = known.get(str(molecule.info["name"]))
        if found is not None and np.allclose(found.positions, molecule.positions, atol=1e-4):
            keep_orbitals(molecule, found, settings, folder)


if __name__ == "__main__":
    main()
