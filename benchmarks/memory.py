"""How much memory one huge cell takes: CPU seconds and peak memory, each in a process of its own.

A cell of rock salt, every atom moved a little, is given to models with random weights at their
published sizes and with their own neighbours. The peak (ru_maxrss) is told after the imports,
after the graph and after the prediction; all three are of the same process, so the last is what
a user needs.

    python benchmarks/memory.py [--atoms 50000] [--models lens scann-plus cgcnn ae-cgcnn finder]
"""

import argparse
import json
import resource
import subprocess
import sys
import time

MODELS = ("lens", "scann-plus", "cgcnn", "ae-cgcnn", "finder")
OF = {"finder": {"mode": "structure"}}
LIMIT = 1024
"""MB; the target for 50,000 atoms."""


def peak() -> float:
    """Return the most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cell(n_atoms: int):
    import numpy as np

    from atomlens.structures.arrays import Structure

    n = 2 * max(1, round((n_atoms / 2) ** (1 / 3) / 2))  # even, so that ions alternate
    sites = np.array([(i, j, k) for i in range(2 * n) for j in range(n) for k in range(n)], float)
    sites = sites[: len(sites) // 2 * 2]
    a = 2.82
    numbers = np.where(sites.sum(axis=1) % 2 == 0, 11, 17).astype(np.uint8)
    shaken = sites * a + np.random.default_rng(0).normal(0, 0.08, sites.shape)
    box = np.diag([2 * n * a, n * a, n * a])
    return Structure(numbers, shaken, box, np.ones(3, bool), "salt", False)


def measure(name: str, n_atoms: int) -> dict[str, float]:
    import torch

    from atomlens.graphs import GraphStore
    from atomlens.models import make_model
    from atomlens.neighbors import make_builder
    from atomlens.predictor.inference import run_models
    from atomlens.structures.arrays import StructureArrays
    from atomlens.testing.models import made_ready

    torch.manual_seed(0)
    model = made_ready(make_model(name, **OF.get(name, {})))
    small = StructureArrays.from_structures([cell(16)])
    builder_name, settings = type(model).default_builder
    builder = make_builder(builder_name, **settings)
    builder.build_structure(small[0])  # what has to be compiled
    found = {"imports [MB]": peak()}
    structure, start = cell(n_atoms), time.process_time()
    store = GraphStore.from_graphs([builder.build_structure(structure)])
    found |= {"atoms": len(structure.atomic_numbers), "edges": int(store.edge_counts.sum())}
    found |= {"graph [MB]": peak(), "graph [CPU s]": time.process_time() - start}
    start = time.process_time()
    raw = run_models([model], store)
    assert raw.values.shape[1] == 1
    return found | {"all [MB]": peak(), "model [CPU s]": time.process_time() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, default=50_000)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.atoms)))
        return
    head = ""
    for name in options.models:
        command = [sys.executable, __file__, "--one", name, "--atoms", str(options.atoms)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{name}: {done.stderr.strip().splitlines()[-1]}")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        if not head:
            head = "  ".join(["model".ljust(12), *(k.rjust(13) for k in found)])
            print(head)
        cells = [f"{v:13,.0f}" if v > 100 else f"{v:13.1f}" for v in found.values()]
        print("  ".join([name.ljust(12), *cells]), flush=True)


if __name__ == "__main__":
    main()
