"""How far the answers of trained models jump, and what another cell does to them.

    python benchmarks/jumps_and_cells.py MODEL@DATA [MODEL@DATA ...] [--n 100] \
        [--set reduced_cell=false]

DATA is what the model was trained on; structures are drawn from the part that it calls test.

Jumps: one atom goes 0.3 Å in a random direction. Where the list of neighbours changes, the place is
closed in to 1e-4 Å, and the two answers on its sides are compared; beside it stands the change over
the 1e-4 Å before, where the list stays. At most three places a structure.
Cells (crystals): the same crystal with a -> a + b, and doubled (2x1x1).
All as a share of the standard deviation of the target, in per cent: median, nine in ten, largest.
``--set`` changes settings of the network for this measurement, on the same weights.
"""

import argparse
import json
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.build import make_supercell

import atomlens as al
from atomlens.models import make_model
from atomlens.predictor.judged_data import choose_part, matching_values
from atomlens.structures.arrays import structure_of

WAY, STEP, CLOSE = 0.3, 0.02, 1e-4
"""Å: how far an atom goes, between two looks at the neighbours, and how near a place is known."""
MOST_ATOMS = 60


class Found(NamedTuple):
    across: np.ndarray
    """(n_places, n_targets) change of the answer where the neighbours change."""
    beside: np.ndarray
    """(n_places, n_targets) change over as short a way before it."""


def with_settings(model: al.Predictor, changes: dict[str, Any]) -> al.Predictor:
    """The same weights in networks with other settings."""
    models = []
    for network in model.models:
        other = make_model(model.model_name, **{**asdict(network.config), **changes})
        other.load_state_dict(network.state_dict())
        models.append(other.eval())
    return replace(model, models=tuple(models))


def neighbours(model: al.Predictor, atoms: Atoms) -> bytes:
    """Who is whose neighbour, in which image."""
    graph = model.builder.build_structure(structure_of(atoms))
    rows = np.concatenate([graph.edge_index.numpy(), graph.images.numpy().T]).T
    return np.unique(rows, axis=0).tobytes()


def crossings(model: al.Predictor, atoms: Atoms, random: np.random.Generator) -> list[Atoms]:
    """Three structures for each place: 1e-4 Å before it, at it, and behind it."""
    chosen = int(random.integers(len(atoms)))
    direction = random.normal(size=3)
    direction /= np.linalg.norm(direction)

    def at(way: float) -> Atoms:
        moved = atoms.copy()
        moved.positions[chosen] += way * direction
        return moved

    ways = np.arange(0.0, WAY, STEP)
    lists = [neighbours(model, at(way)) for way in ways]
    found: list[Atoms] = []
    for k in np.flatnonzero([a != b for a, b in pairwise(lists)])[:3]:
        low, high, before = ways[k], ways[k + 1], lists[k]
        while high - low > CLOSE:
            middle = (low + high) / 2
            if neighbours(model, at(middle)) == before:
                low = middle
            else:
                high = middle
        if low > CLOSE and neighbours(model, at(low - CLOSE)) == before:
            found += [at(low - CLOSE), at(low), at(low + CLOSE)]
    return found


def jumps(model: al.Predictor, structures: list[Atoms]) -> Found:
    """Changes at the places of all structures."""
    random = np.random.default_rng(0)
    triples = [atoms for s in structures for atoms in crossings(model, s, random)]
    if not triples:
        return Found(np.zeros((0, len(model.targets))), np.zeros((0, len(model.targets))))
    values = model.predict(triples).values.reshape(-1, 3, len(model.targets))
    return Found(np.abs(values[:, 2] - values[:, 1]), np.abs(values[:, 1] - values[:, 0]))


def cells(model: al.Predictor, structures: list[Atoms]) -> dict[str, np.ndarray]:
    """(n, n_targets) change of the answer in another cell."""
    first = model.predict(structures).values
    sheared = [make_supercell(s, [[1, 1, 0], [0, 1, 0], [0, 0, 1]]) for s in structures]
    doubled = [s.repeat((2, 1, 1)) for s in structures]
    return {
        "a -> a + b": np.abs(model.predict(sheared).values - first),
        "2x1x1": np.abs(model.predict(doubled).values - first),
    }


def row(words: list[str], changes: np.ndarray) -> str:
    """One line of the table, in per cent."""
    changes = changes[np.isfinite(changes)] * 100
    if not len(changes):
        return f"| {' | '.join(words)} | 0 | | | |"
    numbers = [np.median(changes), np.quantile(changes, 0.9), changes.max()]
    return (
        f"| {' | '.join(words)} | {len(changes)} | "
        + " | ".join(f"{x:.2g}" for x in numbers)
        + " |"
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL@DATA")
    parser.add_argument("--n", type=int, default=100, help="structures")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    changes = {k: json.loads(v) for k, _, v in (given.partition("=") for given in args.set)}
    print("| model | target | what | n | median, % of the std | nine in ten | largest |")
    print("|---|---|---|---|---|---|---|")
    for given in args.models:
        name, _, source = given.partition("@")
        model = al.load(name)
        data = al.load_dataset(source, [t.name for t in model.targets])
        rows, _ = choose_part(model, data, "test")
        small = rows[data.structures.n_atoms[rows] <= MOST_ATOMS]
        chosen = np.random.default_rng(1).permutation(small)[: args.n]
        part = data.subset(rows)
        scale = np.nanstd(matching_values(part, model.targets), axis=0)
        structures = [data.structures.to_atoms(i) for i in chosen.tolist()]
        if changes:
            model = with_settings(model, changes)
        found = jumps(model, structures)
        tables = {"neighbours change": found.across, "beside": found.beside}
        if all(atoms.pbc.any() for atoms in structures):
            tables |= cells(model, structures)
        label = " ".join([name, *args.set])
        for k, target in enumerate(model.targets):
            for what, values in tables.items():
                print(row([label, target.name, what], values[:, k] / scale[k]), flush=True)


if __name__ == "__main__":
    main()
