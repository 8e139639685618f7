"""Judge claims about errors (A1, A2, F1, F2, F3, F7, F9, F11) from the folders of trained models.

    python benchmarks/claims.py ladder "cgcnn=runs/u-cgcnn-?" ... "ae-cgcnn=runs/u-ae-cgcnn-?"
    python benchmarks/claims.py better --id F1 --model finder "phonons:finder=runs/ph-finder-?" \
        "phonons:rescnn=runs/ph-rescnn-?" "phonons:rf-magpie=runs/ph-rf-?"
    python benchmarks/claims.py power-law "runs/se-finder-*"
    python benchmarks/claims.py foreseen-errors --data mp.npz --shuffled "runs/f9-shuffled-?" \
        "runs/f9-?"

Folders of one model are sorted by name; the k-th of each model must have the k-th test part, which
is looked at in their `split.json`. Different test parts of one data set overlap in their training
parts, which widens the intervals (n_test/n_train); a single one is said.
"""

import argparse
import csv
import glob
import json
from pathlib import Path
from typing import Any

import numpy as np

from atomlens.studies.accuracy import Training, better_everywhere, ladder_claims, power_law_claim
from atomlens.studies.base import Claim


def folders(pattern: str) -> list[Path]:
    """Folders of finished trainings, by name."""
    found = sorted(Path(f) for f in glob.glob(pattern) if (Path(f) / "metrics.json").is_file())
    if not found:
        raise SystemExit(f"{pattern}: there is no finished model; check the pattern.")
    return found


def metrics(folder: Path) -> dict[str, Any]:
    """What the training wrote about its parts."""
    content: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return content


def test_error(folder: Path) -> float:
    """MAE of the test part, of the only target."""
    found = list((metrics(folder).get("test") or {}).get("targets", {}).values())
    if len(found) != 1 or "mae" not in found[0]:
        raise SystemExit(
            f"{folder}: metrics.json has the test errors of {len(found)} targets; the claims need "
            "a model of one number, with a test part."
        )
    return float(found[0]["mae"])


def last_loss(folder: Path) -> float:
    """Training loss of the last epoch."""
    losses = history(folder, "train_loss")
    if not losses:
        raise SystemExit(f"{folder}: there is no training loss in history.csv.")
    return losses[-1]


def history(folder: Path, column: str) -> list[float]:
    """One column of the epochs."""
    path = folder / "history.csv"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = csv.DictReader(lines)
    return [float(row[column]) for row in rows if row.get(column)]


def test_part(folder: Path) -> frozenset[str]:
    """Names of the test part; empty if the folder does not say."""
    path = folder / "split.json"
    content = json.loads(path.read_text()) if path.is_file() else {}
    return frozenset(content.get("test") or ())


def overlap_of(task: str, models: dict[str, list[Path]]) -> float:
    """n_test/n_train of the splits that all models share; 0 for one split, which is said.

    Raises SystemExit if the k-th folders of two models have not the same test part.
    """
    (first, own), *others = models.items()
    parts = [test_part(folder) for folder in own]
    for name, found in others:
        if len(found) != len(own):
            raise SystemExit(
                f"{task}: {name} has {len(found)} trainings and {first} {len(own)}; each split "
                "needs one of either."
            )
        for mine, folder, part in zip(own, found, parts, strict=True):
            other = test_part(folder)
            if part and other and part != other:
                raise SystemExit(
                    f"{task}: {mine} and {folder} have different test parts and cannot be "
                    "compared; name the folders so that they sort alike."
                )
    if len(own) < 2 or not all(parts):
        return 0.0
    if len(set(parts)) == 1:
        print(f"{task}: one test part for all trainings; intervals are about seeds alone")
        return 0.0
    n_test = sum(map(len, parts)) / len(parts)
    return n_test / (sum(int(metrics(f)["n_train"]) for f in own) / len(own))


def foreseen_errors(patterns: list[str], shuffled: list[str], data: Path) -> Claim:
    """F9, every folder a training: its error estimates on the test part of a packed data set."""
    import atomlens as al
    from atomlens.datasets.packed import load_packed
    from atomlens.datasets.splits import reduced_formulas
    from atomlens.studies import StudyInput
    from atomlens.studies.controls import refuse_strangers, refuse_twins
    from atomlens.studies.embeddings.effects import larger_error_estimates
    from atomlens.studies.embeddings.networks import measure_vectors

    models, controls = (
        tuple(al.load(f) for pattern in found for f in folders(pattern))
        for found in (patterns, shuffled)
    )
    packed = load_packed(data)
    test = packed.subset(packed.splits["test"])
    refuse_strangers(models, controls, any_target=False)
    refuse_twins(models, controls)
    known = [m.was_in(test.structures, "train", "validation", "pretraining") for m in models]
    print(f"{len(test)} materials; learned or validated on: {[int(k.sum()) for k in known]}")
    measured = measure_vectors(StudyInput(models=models, data=test, shuffled=controls))
    columns = [[t.name for t in test.targets].index(m.targets[0].name) for m in models]
    values = [
        np.where(k, np.nan, test.values[:, column])[measured.rows]
        for k, column in zip(known, columns, strict=True)
    ]
    for one, true in zip(measured.models, values, strict=True):
        error = np.nanmean(np.abs(one.trained.values - true))
        print(f"{one.label}: mean absolute error {error:.4g}")
    formulas = reduced_formulas(test.structures.subset(measured.rows))
    return larger_error_estimates(measured.models, values, relatives=formulas)


def shown(claim: Claim) -> str:
    """The claim as lines of text."""
    return (
        f"{claim.identifier} {claim.verdict}: {claim.statement}\n    criterion: {claim.criterion}\n"
        f"    found: {claim.evidence}\n    chance: {claim.chance}"
    )


def main() -> None:
    """Judge what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("ladder", "better", "power-law", "foreseen-errors"))
    parser.add_argument("groups", nargs="+")
    parser.add_argument("--id", default="F1")
    parser.add_argument("--model", default="finder")
    parser.add_argument("--shuffled", nargs="+", default=[])
    parser.add_argument("--data", type=Path, help="packed data set, whose test part is asked")
    args = parser.parse_args()
    if args.kind == "foreseen-errors":
        if args.data is None:
            parser.error("foreseen-errors needs --data.")
        print(shown(foreseen_errors(args.groups, args.shuffled, args.data)))
        return
    if args.kind == "power-law":
        trainings = [
            Training(
                n_train=int(metrics(f)["n_train"]),
                error=test_error(f),
                validation=tuple(history(f, "validation_loss")),
            )
            for pattern in args.groups
            for f in folders(pattern)
        ]
        print(shown(power_law_claim(trainings)))
        return
    named = [group.partition("=")[::2] for group in args.groups]
    if args.kind == "ladder":
        rungs = {name: folders(p) for name, p in named}
        overlap = overlap_of("ladder", rungs)
        losses = {name: [last_loss(f) for f in found] for name, found in rungs.items()}
        errors = {name: [test_error(f) for f in found] for name, found in rungs.items()}
        print("\n".join(map(shown, ladder_claims(losses, errors, overlap=overlap))))
        return
    trained: dict[str, dict[str, list[Path]]] = {}
    for name, pattern in named:
        task, _, model = name.partition(":")
        trained.setdefault(task, {})[model] = folders(pattern)
    overlaps = {task: overlap_of(task, models) for task, models in trained.items()}
    tasks = {
        task: {model: [test_error(f) for f in found] for model, found in models.items()}
        for task, models in trained.items()
    }
    rivals = sorted({m for errors in tasks.values() for m in errors} - {args.model})
    statement = f"{args.model} is better than {', '.join(rivals)} on every task."
    claim = better_everywhere(args.id, statement, tasks, args.model, rivals, overlaps=overlaps)
    print(shown(claim))


if __name__ == "__main__":
    main()
