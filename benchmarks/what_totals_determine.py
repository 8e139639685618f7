"""How much of true atom terms their totals determine: on alloys and on molecules' logP.

    python benchmarks/what_totals_determine.py [--seconds 35 [--only NAME,NAME]] [--n 1000]

First without a network: how like the truth are the smallest terms with the same totals, and the
terms of somebody who knows the kinds of atoms that the truth is made of and fits them to the
totals alone? Then, with ``--seconds``, `lens` trained in several ways for as many seconds of the
processor: error, and Pearson's correlation of contributions with the truth inside a structure, all
of it and what totals determine, on the validation part (with ``--test`` on the test part).
"""

import argparse
from typing import Any

import numpy as np
from faithful_models import epochs_in
from numpy.typing import NDArray

from atomlens.datasets import Dataset, load_dataset
from atomlens.explain.question import Values
from atomlens.studies.faithful.asked import Asked
from atomlens.studies.faithful.orders import environments, tables
from atomlens.studies.truth.hydrogens import folded_sums, hydrogen_owners
from atomlens.studies.truth.scores import by_structure, pearson
from atomlens.studies.truth.transfers import Transfers
from atomlens.training import TrainSettings, train

LENS: dict[str, Any] = {"n_layers": 2, "n_features": 48, "shares": "gates", "consistency": 0.0}
SMALL = {"small_terms": 0.01}
ALLOYS: dict[str, Any] = {**LENS, "cutoff": 6.0}
CONSISTENT = {"consistency": 0.5, "consistency_every": 2, "consistency_by": "graph"}
WAYS: dict[str, tuple[str, dict[str, Any], str]] = {
    "small terms": ("emt-alloys", {**ALLOYS, **SMALL}, "elements"),
    "one layer, small terms, no reference": (
        "emt-alloys",
        {**ALLOYS, **SMALL, "n_layers": 1},
        "none",
    ),
    "nothing asked": ("emt-alloys", ALLOYS, "elements"),
    "logP, small terms": ("crippen-logp", {**LENS, **SMALL}, "none"),
    "logP, small and consistent terms": ("crippen-logp", {**LENS, **SMALL, **CONSISTENT}, "none"),
    "logP, small and consistent terms of heavy atoms": (
        "crippen-logp",
        {**LENS, **SMALL, **CONSISTENT, "hydrogen_terms": False},
        "none",
    ),
}
"""By name: data set, settings of `lens`, reference."""
_RIDGE = 1e-8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000, help="structures")
    parser.add_argument("--seconds", type=float, help="of the processor, for each training")
    parser.add_argument("--only", default=",".join(WAYS), help="trainings, with commas between")
    parser.add_argument("--test", action="store_true", help="judge the test part")
    options = parser.parse_args()
    for name in ("emt-alloys", "crippen-logp"):
        without_a_network(load_dataset(name, limit=options.n))
    if options.seconds:
        for way, (name, settings, reference) in WAYS.items():
            if way.split(",")[0] in options.only or way in options.only:
                data = load_dataset(name, limit=options.n)
                trained(way, data, settings, reference, options)


def without_a_network(data: Dataset) -> None:
    """Print what the smallest terms are like, and terms that were fitted to the totals."""
    assert data.node_labels is not None
    truth = np.concatenate(data.node_labels)
    rest = Transfers(data.structures).aside(truth)
    share = rest.var() / truth.var()
    print(f"{data.name}: {len(data)} structures")
    print(f"  the smallest terms with the same totals: {both(data, rest)}, ", end="")
    print(f"{100 * share:.1f} % of the variance")
    kinds = {"element": 0, "element and neighbours": 1, "environment": 2}
    known = environments(data.structures)
    for name, number in kinds.items():
        fitted(data, name, np.unique([repr(k) for k in known[number]], return_inverse=True)[1])
    for name, terms in tables(truth, known, owners(data)).items():
        print(f"  table of the truth {name}: {both(data, terms)}")
    if data.name == "crippen-logp":
        fitted(data, "the types that logP is made of", crippen_types(data))


def crippen_types(data: Dataset) -> NDArray[np.int64]:
    """(n_atoms,) Crippen's type of each atom, as rdkit finds it."""
    from rdkit import Chem
    from rdkit.Chem import rdMolDescriptors

    found: list[str] = []
    for smiles in data.structures.names:
        molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
        labels = [""] * molecule.GetNumAtoms()
        numbers = [0] * molecule.GetNumAtoms()
        rdMolDescriptors._CalcCrippenContribs(molecule, True, numbers, labels)
        found += labels
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def fitted(data: Dataset, name: str, kinds: NDArray[np.int64]) -> None:
    """Print how like the truth terms by kind are that were fitted to totals, the smallest ones."""
    counts = np.zeros((len(data), int(kinds.max()) + 1))
    np.add.at(counts, (owners(data), kinds), 1)
    square = counts.T @ counts + _RIDGE * np.eye(counts.shape[1])
    terms = np.linalg.solve(square, counts.T @ data.values[:, 0])
    error = np.abs(counts @ terms - data.values[:, 0]).mean()
    print(f"  fitted to the totals by {name}: {both(data, terms[kinds])}, ", end="")
    print(f"rank {np.linalg.matrix_rank(counts)} of {counts.shape[1]}, error {error:.3g}")


def owners(data: Dataset) -> NDArray[np.int64]:
    """(n_atoms,) the structure of each atom."""
    return np.repeat(np.arange(len(data)), data.structures.n_atoms)


def both(data: Dataset, terms: Values) -> str:
    """Return how like the truth terms are; of molecules with hydrogens folded into theirs, too."""
    text = f"{alike(data, terms):.3f}"
    if any(structure.pbc.any() for structure in data.structures):
        return text
    return f"{text} (hydrogens folded: {alike(data, terms, fold=True):.3f})"


def alike(data: Dataset, terms: Values, *, fold: bool = False) -> float:
    """Return the mean correlation with the truth inside a structure."""
    assert data.node_labels is not None
    truth = [np.asarray(own, dtype=np.float64) for own in data.node_labels]
    parts = np.split(terms, data.structures.offsets[1:-1])
    if fold:
        into = [
            hydrogen_owners(structure, len(own), terms=True)
            for structure, own in zip(data.structures, truth, strict=True)
        ]
        truth = [folded_sums(own, to) for own, to in zip(truth, into, strict=True)]
        parts = [folded_sums(own, to) for own, to in zip(parts, into, strict=True)]
    return float(np.nanmean(by_structure([own[:, None] for own in truth], parts, pearson)))


def trained(
    way: str, data: Dataset, settings: dict[str, Any], reference: str, options: argparse.Namespace
) -> None:
    """Train and judge one model."""
    given = TrainSettings(
        split="random:.8/.1/.1",
        reference=reference,
        model_settings=settings,
        optimizer="adamw",
        beta2=0.98,
        ema_decay=0.99,
        batch_size=32,
        learning_rate=2e-3,
        n_threads=1,
        n_workers=1,
    )
    epochs = epochs_in("lens", data, given, options.seconds)
    model = train(data, model="lens", settings=given.changed({"epochs": epochs}))
    part = "test" if options.test else "validation"
    judged = data.subset(np.flatnonzero(model.was_in(data.structures, part)))
    asked = Asked.about(model, judged.structures, None)
    scores, _ = asked.scores("contribution")
    error = np.abs(asked.values - judged.values[:, 0]).mean()
    transfers = Transfers(judged.structures)
    assert judged.node_labels is not None
    rest = transfers.aside(np.concatenate(judged.node_labels))
    cuts = judged.structures.offsets[1:-1]
    truth = [own[:, None] for own in np.split(rest, cuts)]
    parts = np.split(transfers.aside(scores), cuts)
    determined = np.nanmean(by_structure(truth, parts, pearson))
    print(
        f"{data.name}, {way} ({epochs} epochs): error {error:.3g} on {len(judged)} of the {part} "
    )
    print(f"  part, Pearson {both(judged, scores)}, transfers aside {determined:.3f}", flush=True)


if __name__ == "__main__":
    main()
