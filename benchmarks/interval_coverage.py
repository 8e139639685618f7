"""How many true values lie in the 90 % interval where whole groups of elements are held out.

    python benchmarks/interval_coverage.py TABLE --target NAME [--model rf-magpie] [--groups 5] \
        [--only 0 1] [--rows groups] [--set ensemble=3 epochs=25 model.n_features=64]

Each group of elements is the test part once (split elements:K/N). Two models a group, on the same
training rows but for the validation part: samples of another group of elements, or as many random
relatives of the training samples. A third column is a random test part. The intervals promise 90 %.
``--set`` passes settings on to ``al.train``; an ensemble has a spread, so that its intervals can be
wider for what is unlike the training samples.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

import atomlens as al
from atomlens.datasets.splits import Split, make_split

ROWS = (
    ("elements held out, validated on held-out elements", "groups"),
    ("elements held out, validated on random relatives", "relatives"),
    ("random parts", "random"),
)


def parts(data: Any, k: int, n_groups: int) -> dict[str, Split]:
    """The three splits of a group."""
    groups = make_split(f"elements:{k}/{n_groups}", data)
    rest = np.random.default_rng(k).permutation(np.concatenate([groups.train, groups.validation]))
    n_validation = len(groups.validation)
    relatives = Split(train=rest[n_validation:], validation=rest[:n_validation], test=groups.test)
    order = np.random.default_rng(100 + k).permutation(len(data))
    n_train, n_test = len(groups.train), len(groups.test)
    random = Split(
        train=order[:n_train],
        validation=order[n_train : n_train + n_validation],
        test=order[n_train + n_validation : n_train + n_validation + n_test],
    )
    return {"groups": groups, "relatives": relatives, "random": random}


def settings_of(given: list[str]) -> dict[str, Any]:
    """What ``al.train`` takes, from NAME=VALUE; names of the model begin with ``model.``."""
    found = {name: yaml.safe_load(value) for name, value in (g.split("=", 1) for g in given)}
    own = {n.removeprefix("model."): found.pop(n) for n in list(found) if n.startswith("model.")}
    return {**found, "model_settings": own} if own else found


def main() -> None:
    """Train, evaluate, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table")
    parser.add_argument("--target", required=True)
    parser.add_argument("--model", default="rf-magpie")
    parser.add_argument("--groups", type=int, default=5)
    parser.add_argument("--only", type=int, nargs="+", help="these groups alone, from 0")
    parser.add_argument("--rows", nargs="+", choices=[name for _, name in ROWS], help="these alone")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    data = al.load_dataset(args.table, args.target)
    settings = settings_of(args.set)
    found: dict[str, list[tuple[float, float]]] = {}
    with TemporaryDirectory() as folder:
        for k in args.only or range(args.groups):
            for name, split in parts(data, k, args.groups).items():
                if args.rows and name not in args.rows:
                    continue
                file = Path(folder) / f"{name}-{k}.json"
                split.to_json(file, data.structures.names)
                model = al.train(
                    data, model=args.model, target=args.target, split=str(file), **settings
                )
                (figures,) = model.metrics["test"]["targets"].values()
                found.setdefault(name, []).append((figures["mae"], figures["interval_coverage"]))
    print(f"| {args.target}, {args.model} | test MAE | inside the 90 % interval | each group |")
    print("|---|---|---|---|")
    for words, name in ROWS:
        if name not in found:
            continue
        errors, shares = np.array(found[name]).T
        each = ", ".join(f"{share:.0%}" for share in shares)
        print(f"| {words} | {errors.mean():.3g} | {shares.mean():.0%} | {each} |")


if __name__ == "__main__":
    main()
