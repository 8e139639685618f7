"""What the parts of `lens` cost in accuracy, at equal CPU seconds.

    python benchmarks/lens.py [--seconds 380] [--train 10000] [--variants NAME ...] [--out F.json]

HOMO energies of QM9: 10,000 training molecules of the published split, 2,000 of its
validation part; 4 layers of 64, AdamW, batches of 32, 200 warm-up steps, then a cosine over the CPU
seconds, EMA 0.999, no dropout, one thread. Every variant has the same CPU seconds of training.
The last columns ask 300 validation molecules: Pearson correlation inside a molecule of an atom's
term with what the prediction loses when its element is hidden, or when it is taken from the graph.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atomlens.datasets import load_dataset
from atomlens.datasets.splits import make_split
from atomlens.graphs import GraphBatch
from atomlens.models import PropertyModel, make_model
from atomlens.neighbors import make_builder
from atomlens.neighbors.pack import build_store
from atomlens.nn.additive import Absence

SIZE = {"n_layers": 4, "n_features": 64}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "published head": ("scann-plus", {"dropout": 0.0, "attention_dropout": 0.0}),
    "additive": ("lens", {"smooth": False, "consistency": 0.0}),
    "additive, smooth": ("lens", {"consistency": 0.0}),
    "lens": ("lens", {}),
}


def train(
    model: PropertyModel, store: Any, values: torch.Tensor, rows: np.ndarray, seconds: float
) -> tuple[dict[str, torch.Tensor], int]:
    """Train for so many CPU seconds; return the averaged weights and the number of steps."""
    model.train()
    parameters = list(model.parameters())
    average = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=1e-5, fused=True)
    rng, step, start = np.random.default_rng(0), 0, time.process_time()
    while True:
        order = rng.permutation(rows)
        for k in range(0, len(order) - 31, 32):
            share = (time.process_time() - start) / seconds
            if share >= 1:
                names = [n for n, _ in model.named_parameters()]
                return dict(zip(names, average, strict=True)), step
            rate = (
                1e-3 * min(1, (step + 1) / 200) * (0.01 + 0.495 * (1 + math.cos(math.pi * share)))
            )
            for group in optimizer.param_groups:
                group["lr"] = rate
            chosen = torch.from_numpy(order[k : k + 32])
            batch = store.batch(chosen)
            output = model(batch)
            loss = (output.values[:, 0] - values[chosen]).abs().mean()
            more = model.auxiliary_loss(batch, output, step)
            optimizer.zero_grad()
            (loss if more is None else loss + more).backward()
            torch.nn.utils.clip_grad_norm_(parameters, 5.0)
            optimizer.step()
            decay = min(0.999, (1 + step) / (10 + step))
            torch._foreach_lerp_(average, [p.detach() for p in parameters], 1 - decay)
            step += 1


@torch.no_grad()
def agreement(model: PropertyModel, batches: list[GraphBatch], meaning: str) -> float:
    """Mean over molecules of the correlation of terms and effects of leaving one atom out."""
    found = []
    for batch in batches:  # one molecule each
        terms = model(batch).node_terms[:, 0]
        whole = terms.sum()
        effects = []
        for atom in range(batch.n_nodes):
            absent = torch.zeros(batch.n_nodes, dtype=torch.bool)
            absent[atom] = True
            absence = Absence(masked=absent) if meaning == "mask" else Absence(removed=absent)
            effects.append(whole - model(batch, absence).node_terms[:, 0].sum())
        found.append(np.corrcoef(terms.numpy(), torch.stack(effects).numpy())[0, 1])
    return float(np.nanmean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=380)
    parser.add_argument("--train", type=int, default=10_000)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = load_dataset("qm9", "homo")
    split = make_split("source", data, seed=0)
    rng = np.random.default_rng(0)
    chosen = np.concatenate(
        [rng.permutation(split.train)[: options.train], rng.permutation(split.validation)[:2000]]
    )
    store = build_store(data.structures.subset(chosen), make_builder("voronoi")).store
    raw = torch.from_numpy(data.values[chosen, 0])
    train_rows, held = np.arange(options.train), torch.arange(options.train, len(chosen))
    mean, std = raw[: options.train].mean(), raw[: options.train].std()
    values = ((raw - mean) / std).float()
    results = {}
    for name in options.variants:
        kind, settings = VARIANTS[name]
        torch.manual_seed(0)
        model = make_model(kind, **SIZE, **settings)
        part = store.select(model.edge_fields)
        weights, steps = train(model, part, values, train_rows, options.seconds)
        model.load_state_dict(weights, strict=False)
        model.eval()
        with torch.no_grad():
            found = torch.cat([model(part.batch(r)).values[:, 0] for r in held.split(500)])
        error = 1000 * float(std * (found - values[held]).abs().mean())
        row = {"mae_meV": round(error, 1), "epochs": round(steps * 32 / options.train, 1)}
        if kind == "lens":
            single = [part.batch(held[k : k + 1]) for k in range(300)]
            for meaning in ("mask", "graph"):
                row[f"pearson_{meaning}"] = round(agreement(model, single, meaning), 3)
        results[name] = row
        print(name, row, flush=True)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
