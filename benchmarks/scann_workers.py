"""The two processes of ``scann_reference.py``: this package, and the authors' TensorFlow code.

Each reads task names from its standard input and answers with the CPU seconds the task took.
TensorFlow's Python runs this file too, so only numpy and the standard library are imported above.
"""

import argparse
import functools
import json
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

N_LAYERS, WIDTH, N_HEADS, N_EMBEDDING, N_GAUSSIANS, N_ELEMENTS = 7, 128, 8, 48, 20, 95
CUTOFFS = {"molecules": 4.0, "crystals": 6.0}
L2 = 1e-4
LEARNING_RATE = 5e-4
MATRIX = 2048
SHORTEST_SAMPLE = 0.5

Arrays = dict[str, np.ndarray]
Tasks = dict[str, Callable[[], None]]


def for_each(function: Callable[..., Any], batches: list[Any]) -> Callable[[], None]:
    """Return the task of calling a function on every batch."""

    def run() -> None:
        for batch in batches:
            function(*batch)

    return run


def our_tasks(sets: dict[str, Arrays], batch_size: int) -> tuple[Tasks, dict[str, str]]:
    from atomlens.machine import keep_freed_memory

    keep_freed_memory()  # as training and prediction do
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.manual_seed(0)
    left, right = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    product = torch.empty(MATRIX, MATRIX)
    tasks: Tasks = {"peak": lambda: torch.matmul(left, right, out=product)}
    parameters = 0
    for kind, arrays in sets.items():
        parameters = add_our_tasks(tasks, kind, arrays, batch_size)
    return tasks, {"version": f"torch {torch.__version__}", "parameters": f"{parameters:,}"}


def add_our_tasks(tasks: Tasks, kind: str, arrays: Arrays, batch_size: int) -> int:
    import torch

    from atomlens.graphs import GraphStore
    from atomlens.models import make_model

    settings = {"n_layers": N_LAYERS, "n_features": WIDTH, "n_heads": N_HEADS}
    settings |= {"n_embedding": N_EMBEDDING, "n_elements": N_ELEMENTS, "n_gaussians": N_GAUSSIANS}
    model = make_model("scann-plus", n_outputs=1, cutoff=CUTOFFS[kind], **settings)
    tensors = {name: torch.from_numpy(values) for name, values in arrays.items()}
    targets = tensors.pop("targets").unsqueeze(1)
    store = GraphStore(**tensors).select(model.edge_fields)
    penalized = model.regularized_parameters()
    chosen = {id(p) for p in penalized}
    free = [p for p in model.parameters() if id(p) not in chosen]
    groups = [{"params": penalized, "weight_decay": 2 * L2}, {"params": free}]
    optimizer = torch.optim.Adam(groups, lr=LEARNING_RATE, eps=1e-7)

    def step(batch: Any, wanted: torch.Tensor) -> None:
        model.train()
        optimizer.zero_grad()
        loss = (model(batch).values - wanted).square().mean().sqrt()
        loss.backward()
        optimizer.step()
        loss.item()

    def infer(batch: Any, _: torch.Tensor) -> None:
        model.eval()
        with torch.inference_mode():
            model(batch).values.numpy()

    rows = torch.arange(len(store)).split(batch_size)
    batches = [(store.batch(r), targets[r]) for r in rows]
    tasks[f"{kind} training step"] = for_each(step, batches)
    tasks[f"{kind} inference"] = for_each(infer, batches)
    tasks[f"{kind} making batches"] = for_each(store.batch, [(r,) for r in rows])
    return model.n_parameters


def their_tasks(
    sets: dict[str, Arrays], batch_size: int, clone: str
) -> tuple[Tasks, dict[str, str]]:
    import_quietly(clone)
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    tensorflow.random.set_seed(0)
    tasks: Tasks = {}
    parameters = 0
    for kind, arrays in sets.items():
        parameters = add_their_tasks(tasks, kind, arrays, batch_size)
    version = f"tensorflow {tensorflow.__version__}"
    return tasks, {"version": version, "parameters": f"{parameters:,}"}


def import_quietly(clone: str) -> None:
    """Put the clone on the path; modules that only read files need not be installed."""

    class Absent(types.ModuleType):
        __all__: tuple[str, ...] = ()

        def __getattr__(self, name: str) -> None:
            if name.startswith("__"):
                raise AttributeError(name)

    sys.path.insert(0, clone)
    for name in ("openbabel", "pymatgen", "pymatgen.core"):
        sys.modules[name] = Absent(name)
    for name in ("scann.utils.dataset", "scann.utils.voronoi_neighbor"):
        sys.modules[name] = Absent(name)


def add_their_tasks(tasks: Tasks, kind: str, arrays: Arrays, batch_size: int) -> int:
    import tensorflow
    from scann.models.scann_model import create_model, r2_square, root_mean_squared_error
    from scann.utils.datagenerator import DataIterator

    sizes = {"local_dim": WIDTH, "global_dim": WIDTH, "dense_out": WIDTH, "num_head": N_HEADS}
    sizes |= {"n_attention": N_LAYERS, "embedding_dim": N_EMBEDDING, "n_atoms": N_ELEMENTS}
    switches = {"use_attn_norm": True, "use_ga_norm": True, "use_ring": False, "use_drop": True}
    more = {"g_update": True, "feature": "atomic", "scale": 0.5, "gaussian_d": CUTOFFS[kind]}
    model = create_model({"model": sizes | switches | more, "hyper": {"target": "homo"}})
    optimizer = tensorflow.keras.optimizers.legacy.Adam(LEARNING_RATE, decay=1e-5)
    model.compile(loss=root_mean_squared_error, optimizer=optimizer, metrics=["mae", r2_square])
    atoms, neighbors = their_lists(arrays)
    iterator = DataIterator(atoms, neighbors, batch_size=batch_size, g_update=True)
    batches = []
    for i in range(len(iterator)):
        inputs, wanted = iterator[i]
        kinds = {t.name: t.dtype for t in model.inputs}
        ready = {name: tensorflow.cast(values, kinds[name]) for name, values in inputs.items()}
        batches.append((ready, tensorflow.constant(wanted)))
    tasks[f"{kind} training step"] = for_each(model.train_on_batch, batches)
    tasks[f"{kind} inference"] = for_each(model.predict_on_batch, [b[:1] for b in batches])
    making = for_each(iterator.__getitem__, [(i,) for i in range(len(iterator))])
    tasks[f"{kind} making batches"] = making
    return int(sum(np.prod(w.shape) for w in model.trainable_weights))


def their_lists(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Return atoms and neighbours as nested lists, the way their data files hold them."""
    n = len(arrays["targets"])
    atoms, neighbors = np.empty((n, 2), dtype=object), np.empty(n, dtype=object)
    columns = [
        arrays[k].tolist() for k in ("edge_source", "solid_angles", "edge_weights", "distances")
    ]
    targets = arrays["edge_target"].tolist()
    for i in range(n):
        first, last = arrays["node_offsets"][i : i + 2]
        lists: list[list[Any]] = [[] for _ in range(last - first)]
        for e in range(*arrays["edge_offsets"][i : i + 2]):
            lists[targets[e]].append(["", *(column[e] for column in columns)])
        atoms[i, 0], atoms[i, 1] = (
            arrays["atomic_numbers"][first:last].tolist(),
            arrays["targets"][i],
        )
        neighbors[i] = lists
    return atoms, neighbors


def work(make: Callable[..., tuple[Tasks, dict[str, str]]], core: int) -> None:
    """Answer each line that names a task with its CPU seconds; the first answer says who we are."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    tasks, about = make()
    for task in tasks.values():
        task()
        task()
    print(json.dumps(about), file=channel)
    for line in sys.stdin:
        print(json.dumps(cpu_seconds(tasks[line.strip()])), file=channel)


def cpu_seconds(task: Callable[[], None]) -> float:
    """Return the CPU seconds of one call; short tasks are repeated until half a second is up."""
    start, calls, spent = time.process_time(), 0, 0.0
    while spent < SHORTEST_SAMPLE:
        task()
        calls += 1
        spent = time.process_time() - start
    return spent / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("side", choices=["ours", "theirs"])
    parser.add_argument("--graphs", type=Path, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--core", type=int, required=True)
    parser.add_argument("--reference", default="")
    options = parser.parse_args()
    sets: dict[str, Arrays] = {}
    with np.load(options.graphs) as stored:
        for name in stored.files:
            kind, field = name.split(".")
            sets.setdefault(kind, {})[field] = stored[name]
    make = functools.partial(our_tasks, sets, options.batch)
    if options.side == "theirs":
        make = functools.partial(their_tasks, sets, options.batch, options.reference)
    work(make, options.core)


if __name__ == "__main__":
    main()
