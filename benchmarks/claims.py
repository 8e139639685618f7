"""Judge claims about errors (A1, A2, F1, F2, F3, F7, F11) from the folders of trained models.

    python benchmarks/claims.py ladder "cgcnn=runs/u-cgcnn-?" ... "ae-cgcnn=runs/u-ae-cgcnn-?"
    python benchmarks/claims.py better --id F1 --model finder "phonons:finder=runs/ph-finder-?" \
        "phonons:rescnn=runs/ph-rescnn-?" "phonons:rf-magpie=runs/ph-rf-?"
    python benchmarks/claims.py power-law "runs/se-finder-*"

Folders of one model are sorted by name, so that the k-th of each model has the k-th split.
"""

import argparse
import csv
import glob
import json
from pathlib import Path
from typing import Any

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
    rows = list(csv.DictReader(path.open())) if path.is_file() else []
    return [float(row[column]) for row in rows if row.get(column)]


def shown(claim: Claim) -> str:
    """The claim as lines of text."""
    return (
        f"{claim.identifier} {claim.verdict}: {claim.statement}\n    criterion: {claim.criterion}\n"
        f"    found: {claim.evidence}\n    chance: {claim.chance}"
    )


def main() -> None:
    """Judge what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("ladder", "better", "power-law"))
    parser.add_argument("groups", nargs="+")
    parser.add_argument("--id", default="F1")
    parser.add_argument("--model", default="finder")
    args = parser.parse_args()
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
        losses = {name: [last_loss(f) for f in folders(p)] for name, p in named}
        errors = {name: [test_error(f) for f in folders(p)] for name, p in named}
        print("\n".join(map(shown, ladder_claims(losses, errors))))
        return
    tasks: dict[str, dict[str, list[float]]] = {}
    for name, pattern in named:
        task, _, model = name.partition(":")
        tasks.setdefault(task, {})[model] = [test_error(f) for f in folders(pattern)]
    rivals = sorted({m for errors in tasks.values() for m in errors} - {args.model})
    statement = f"{args.model} is better than {', '.join(rivals)} on every task."
    print(shown(better_everywhere(args.id, statement, tasks, args.model, rivals)))


if __name__ == "__main__":
    main()
