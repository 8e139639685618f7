"""What it gains, and costs, to teach attention where an orbital is.

    python benchmarks/taught_attention.py --seconds 60 --weights 0,0.1,1 --out runs/taught

Trains on molecules of the training part of QM9 (HOMO energies), among them those whose orbitals
come with atomlens, whose shares teach the attention with each of the weights (0: not at all).
All have as many epochs as fit into the seconds by the pace of the first steps.
Then asks about the molecules of the test part whose orbitals are known: error of the energy,
Spearman's correlation of the scores with the shares over heavy atoms, and how often the leading
atom is the orbital's, with 95 % intervals. Needs: pip install "atomlens[data]"
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
from faithful_models import epochs_in

import atomlens as al
from atomlens.datasets import Dataset
from atomlens.studies.base import StudyInput
from atomlens.studies.truth.known import orbital_molecules, sample_molecules
from atomlens.studies.truth.study import TruthSettings, TruthStudy
from atomlens.training import TrainSettings, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="of the processor, each model")
    parser.add_argument("--weights", default="0,0.1,1", help="of the taught attention")
    parser.add_argument("--model", default="lens")
    parser.add_argument("--n", type=int, default=1500, help="molecules that are trained on")
    parser.add_argument("--features", type=int, default=48, help="width of the model")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    data, judged = samples(options.n)
    options.out.mkdir(parents=True, exist_ok=True)
    labels = options.out / "homo.csv"
    n_taught = write_labels(labels, set(data.structures.names[: options.n]))
    print(f"{len(data.splits['train'])} molecules to train on, {n_taught} of them with an orbital")
    print("| weight | error (eV) | method | Spearman, heavy atoms | leading atom |")
    print("|---|---|---|---|---|")
    settings = TrainSettings(
        split="source",
        batch_size=32,
        learning_rate=2e-3,
        optimizer="adamw",
        beta2=0.98,
        ema_decay=0.99,
        n_threads=1,
        n_workers=1,
        seed=options.seed,
        model_settings={"n_layers": options.layers, "n_features": options.features},
    )
    epochs = epochs_in(options.model, data, settings, options.seconds)
    for weight in (float(text) for text in options.weights.split(",")):
        taught = {"attention_labels": str(labels), "attention_weight": weight} if weight else {}
        model = train(
            data,
            model=options.model,
            out=options.out / f"{options.model}-{weight:g}-{options.seed}",
            settings=settings.changed({"epochs": epochs, **taught}),
        )
        test = data.subset(data.splits["test"])
        error = float(np.abs(model.predict(test.structures).values - test.values).mean())
        methods = "contribution,attention" if model.models[0].is_additive else "attention"
        study = TruthStudy(TruthSettings(methods=methods))
        rows = study.run(StudyInput(models=(model,), data=judged)).tables["truth"]
        for method in [*methods.split(","), *(["random"] if not weight else [])]:
            own = {r["metric"]: r for r in rows if r["method"] == method}
            cells = [
                f"{own[m]['value']:.3f} ({own[m]['low']:.3f} to {own[m]['high']:.3f})"
                for m in ("spearman", "top one")
            ]
            print(f"| {weight:g} | {error:.4f} | {method} | {' | '.join(cells)} |", flush=True)


def samples(n: int) -> tuple[Dataset, Dataset]:
    """Return what is learned, with its parts, and the molecules with orbitals of the test part."""
    data = al.load_dataset("qm9", "homo")
    with_orbital = {o.name for o in sample_molecules()}
    known = np.array([name in with_orbital for name in data.structures.names])
    train, test = data.splits["train"], data.splits["test"]
    others = np.random.default_rng(0).permutation(train[~known[train]])
    own = train[known[train]]
    rows = np.concatenate([own, others[: n - len(own)], test[known[test]]])
    parts = {
        "train": np.arange(n),
        "validation": np.zeros(0, dtype=np.int64),
        "test": np.arange(n, len(rows)),
    }
    judged = orbital_molecules()
    names = set(np.array(data.structures.names)[test].tolist())
    inside = [i for i, name in enumerate(judged.structures.names) if name in names]
    return replace(data.subset(rows), splits=parts), judged.subset(inside)


def write_labels(path: Path, names: set[str]) -> int:
    """Write the shares of the HOMO of the molecules that are named; return how many there are."""
    chosen = [own for own in sample_molecules() if own.name in names]
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sample", "atom", "homo"])
        for own in chosen:
            rows = enumerate(own.homo.tolist())
            writer.writerows([own.name, atom, f"{max(share, 0):.4f}"] for atom, share in rows)
    return len(chosen)


if __name__ == "__main__":
    main()
