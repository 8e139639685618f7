"""Occlusion of every atom of a large cell: CPU seconds on one core, local and with the whole cell.

A cell of rock salt, every atom moved a little, is explained by models with random weights at
their published sizes. With --whole a few atoms are also taken away with the whole cell worked out
anew, and the seconds of all are extrapolated from these; the scores of both are compared.

    OMP_NUM_THREADS=1 python benchmarks/occlusion.py [--atoms 5000] [--whole 8]
"""

import argparse
import time

import numpy as np
import torch
from memory import cell

from atomlens.explain.absence import without
from atomlens.explain.local import without_each
from atomlens.explain.question import Question
from atomlens.models import make_model
from atomlens.neighbors import make_builder
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.testing.models import made_ready
from atomlens.testing.questions import trained_around

MODELS = ("lens", "scann-plus", "cgcnn")


def question_of(name: str, n_atoms: int) -> Question:
    torch.manual_seed(0)
    model = made_ready(make_model(name))
    builder_name, settings = type(model).default_builder
    trained = trained_around(
        model, builder=make_builder(builder_name, **settings), targets=(Target(name="y"),)
    )
    return Question.about(trained, StructureArrays.from_structures([cell(n_atoms)]), device="cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, default=5000)
    parser.add_argument("--whole", type=int, default=0, metavar="N", help="compare with N atoms")
    parser.add_argument("--models", nargs="+", default=MODELS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.models:
        question_of(name, 300)  # what has to be compiled
        question = question_of(name, options.atoms)
        n, layers = len(question.structures.atomic_numbers), question.models[0].config.n_layers
        start = time.process_time()
        found = without_each(question)
        assert found is not None
        seconds = time.process_time() - start
        print(f"{name}: {n} atoms, {question.batch.n_edges} edges, {layers} layers", end="; ")
        print(f"local {seconds:.1f} CPU s", end="")
        if options.whole:
            chosen = np.linspace(0, n - 1, options.whole).astype(int)
            absent = np.zeros((len(chosen), n), dtype=bool)
            absent[np.arange(len(chosen)), chosen] = True
            start = time.process_time()
            of = np.zeros(len(chosen), dtype=int)
            whole = without(question, of, absent.ravel(), "graph")
            each = (time.process_time() - start) / len(chosen)
            difference = np.abs(whole.values - found.values[chosen]).max()
            share = difference / abs(question.value)
            print(f", whole {each * n:.0f} (from {len(chosen)} atoms)", end="")
            print(f"; largest difference {share:.1e} of the prediction", end="")
        print(flush=True)


if __name__ == "__main__":
    main()
