"""Make attribution tasks of several motifs from the molecules of other tasks.

    python benchmarks/motif_rules.py --tasks FOLDER --out FOLDER [--seed 0]

The first folder holds packed attribution tasks (``*.npz``), of which the molecules are taken and
nothing else. For each rule a packed task is written: molecules with all of its motifs, and as many
or more without, half of them with all motifs but one, parted at random. Of a molecule with several
places of a motif each place and each union of places is a rationale, as published. Then:

    atomlens train attribution-tasks:FOLDER/amine-ether-phenyl.npz --model lens --out M ...
    atomlens study truth attribution-tasks:FOLDER/amine-ether-phenyl.npz --model M --out DIR
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem, RDLogger

from atomlens.datasets.sources.attribution import motif_rationales, read_task
from atomlens.files import whole_file

_BRANCHES = "!$(C(*)(*)(*)*);!$(C(*)(*)*)"
RULES = {
    "chain-carbonyl": (f"[CX4;!R;{_BRANCHES}][CX4;!R;{_BRANCHES}][CX4;!R;{_BRANCHES}]", "[#6]=O"),
    "amine-ether-phenyl": ("[NX3;H2]", "[#6][OX2][#6]", "c1[cH][cH][cH][cH][cH]1"),
}
"""By name: SMARTS of the motifs that a molecule must have."""
MOST_POSITIVE, LEAST_NEGATIVE = 820, 700
TESTED = 1 / 6
"""Of the molecules; no network is trained on them."""


def main() -> None:
    """Write one file a rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    every = {s for f in sorted(options.tasks.glob("*.npz")) for s in read_task(f).smiles}
    molecules = {s: Chem.MolFromSmiles(s) for s in sorted(every)}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, smarts in RULES.items():
        motifs = [Chem.MolFromSmarts(one) for one in smarts]
        own = drawn(molecules, motifs, np.random.default_rng(options.seed))
        with whole_file(options.out / f"{name}.npz") as file:
            np.savez_compressed(file, **own)
        yes = own["y"] == 1
        print(
            f"{name}: {len(yes)} molecules, {int(yes.sum())} of them with the answer yes; ", end=""
        )
        print(f"{len(own['test'])} to test, {int(yes[own['test']].sum())} of them with yes")


def drawn(
    molecules: dict[str, Any], motifs: list[Any], random: np.random.Generator
) -> dict[str, Any]:
    """Return a packed task of one rule."""
    lacks = {
        smiles: sum(not molecule.HasSubstructMatch(m) for m in motifs)
        for smiles, molecule in molecules.items()
        if molecule is not None
    }
    groups = [[s for s, n in lacks.items() if n == lacking] for lacking in (0, 1)]
    groups.append([s for s, n in lacks.items() if n > 1])
    yes, nearly, others = (random.permutation(group).tolist() for group in groups)
    yes = yes[:MOST_POSITIVE]
    n_negative = max(len(yes), LEAST_NEGATIVE)
    chosen = yes + nearly[: n_negative // 2]
    chosen += others[: n_negative - n_negative // 2]
    order = random.permutation(len(chosen))
    rationales = [motif_rationales(molecules[s], motifs) for s in chosen]
    n_test = round(TESTED * len(chosen))
    return {
        "smiles": np.array([s.encode() for s in chosen]),
        "y": (np.arange(len(chosen)) < len(yes)).astype(np.float64),
        "test": np.sort(order[:n_test]),
        "train": np.sort(order[n_test:]),
        "n_atoms": np.array([r.shape[0] for r in rationales]),
        "n_rationales": np.array([r.shape[1] for r in rationales]),
        "attribution": np.concatenate([r.ravel() for r in rationales]),
    }


if __name__ == "__main__":
    main()
