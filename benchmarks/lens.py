"""What the parts of `lens` cost and gain in accuracy, at equal CPU seconds.

    python benchmarks/lens.py [NAME ...] [--data FOLDER] [--seconds 380] [--folder runs/lens]
    python benchmarks/lens.py --table [--folder runs/lens]
    python benchmarks/lens.py --price [--folder runs/lens]

HOMO energies of QM9: 10,000 training molecules of the published split, and its whole validation
part; the test part is not looked at. 4 layers of 64, AdamW 1e-3, batches of 32, 200 warm-up steps,
then a cosine, EMA 0.999, no dropout, one thread, unless the name of a variant says otherwise.

Every variant gets the CPU seconds of `--seconds`, counted so that a busy machine does not matter:
what one of its steps costs is measured in turns with steps of the published head, and it gets as
many steps as their ratio allows; so two runs of a variant take the same steps. `--reference-ms` is
the cost of a step of the published head on an idle machine; if it is not given, that of the first
run of the task in the folder counts for all that follow.

Each variant writes a file. `--table` reads them all: the error with the 95 % interval of a
bootstrap over validation samples (molecules; of crystals and formulas all of one reduced formula
together, where the run names them: those before 28 November 2026 do not); the difference from
`lens` on the same molecules (in other tasks from their published head); and for `lens` the Pearson
correlation inside a molecule, mean of 300, of an atom's term with what the prediction loses when
its element is hidden (mask) or when it is taken out (graph). Differences say nothing of what
another seed would give: "lens, second seed", or `--seed`, whose runs `--price` lays side by side:
the additive against the published head on molecules, crystals and formulas.
"""

import argparse
import json
import math
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from atomlens.datasets import Dataset, load_dataset
from atomlens.datasets.packed import load_packed
from atomlens.datasets.splits import make_split, reduced_formulas
from atomlens.files import write_text
from atomlens.graphs import GraphBatch, GraphStore
from atomlens.models import PropertyModel, make_model
from atomlens.neighbors import make_builder
from atomlens.neighbors.pack import build_store
from atomlens.nn.additive import Absence
from atomlens.studies.statistics import drawing
from atomlens.training.optimizer import Muon, inner_matrices

BASE = "lens"
SIZE = {"n_layers": 4, "n_features": 64}
SIZES: dict[str, dict[str, Any]] = {
    "lens": SIZE,
    "scann-plus": {**SIZE, "dropout": 0.0, "attention_dropout": 0.0},
    "finder": {"n_features": 64, "n_hidden": (128, 128, 128, 64)},
}
REFERENCES = {
    "qm9": "published head",
    "mp": "crystals: published head",
    "formula-formation-energy": "formulas: published head",
}
"""Of every task, the variant whose steps are the measure of costs."""
BUILDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "qm9": ("voronoi", {}),
    "mp": ("voronoi", {}),
    "formula-formation-energy": ("formula", {"reduce": True}),
}
MOST_HELD = 11_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One row of the table."""

    task: str = "qm9"
    """Name of the packed data."""
    model: str = "lens"
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the model, beside those of its kind in SIZES."""
    builder: dict[str, Any] = field(default_factory=dict)
    """Of the builder of its task."""
    batch: int = 32
    rate: float = 1e-3
    warm_up: int = 200
    """Steps."""
    least_rate: float = 0.01
    """Share of the rate at the end of the cosine."""
    ema: float = 0.999
    """0: none."""
    optimizer: str = "adamw"
    loss: str = "mae"
    targets: tuple[str, ...] = ("homo",)
    seed: int = 0


_PLAIN = {"smooth": False, "consistency": 0.0}
_ADDITIVE = {"head": "additive", "consistency": 0.0}
_FORMATION: dict[str, Any] = {"task": "mp", "targets": ("formation_energy",)}
_OF_FORMULA: dict[str, Any] = {
    "task": "formula-formation-energy",
    "targets": ("formation_energy",),
    "model": "finder",
    "batch": 128,
}
VARIANTS: dict[str, Variant] = {
    "published head": Variant(model="scann-plus"),
    "additive head": Variant(settings=_PLAIN),
    "additive head, smooth": Variant(settings={"consistency": 0.0}),
    "lens": Variant(),
    "lens, second seed": Variant(seed=1),
    "not smooth": Variant(settings={"smooth": False}),
    "consistency on every batch": Variant(settings={"consistency": 0.3, "consistency_every": 1}),
    "consistency on every 2nd batch": Variant(
        settings={"consistency": 0.6, "consistency_every": 2}
    ),
    "consistency on every 8th batch": Variant(
        settings={"consistency": 2.4, "consistency_every": 8}
    ),
    "no EMA": Variant(ema=0.0),
    "batches of 16": Variant(batch=16),
    "batches of 64": Variant(batch=64),
    "width 96": Variant(settings={"n_features": 96}),
    "width 128": Variant(settings={"n_features": 128}),
    "3 layers": Variant(settings={"n_layers": 3}),
    "5 layers": Variant(settings={"n_layers": 5}),
    "five targets": Variant(targets=("homo", "lumo", "gap", "alpha", "cv")),
    "homo, lumo, gap": Variant(targets=("homo", "lumo", "gap")),
    "rate 2e-3": Variant(rate=2e-3, warm_up=400),
    "rate 3e-3": Variant(rate=3e-3, warm_up=600),
    "element base": Variant(settings={"element_base": True}),
    "narrow Gaussians": Variant(settings={"gaussian_width": 0.25}),
    "narrower Gaussians": Variant(settings={"gaussian_width": 0.25, "n_gaussians": 32}),
    "smaller faces": Variant(
        settings={"smallest_angle": 0.2, "smallest_weight": 0.1},
        builder={"min_solid_angle": 0.2, "min_weight": 0.1},
    ),
    "larger faces": Variant(
        settings={"smallest_angle": 0.8, "smallest_weight": 0.3},
        builder={"min_solid_angle": 0.8, "min_weight": 0.3},
    ),
    "smooth L1": Variant(loss="huber"),
    "Muon": Variant(optimizer="muon"),
    "Muon, rate 2e-3": Variant(optimizer="muon", rate=2e-3),
    "crystals: published head": Variant(model="scann-plus", settings={"cutoff": 6.0}, **_FORMATION),
    "crystals: additive head": Variant(
        model="scann-plus", settings={"cutoff": 6.0, **_ADDITIVE}, **_FORMATION
    ),
    "crystals: lens": Variant(settings={"cutoff": 6.0}, **_FORMATION),
    "formulas: published head": Variant(**_OF_FORMULA),
    "formulas: additive head": Variant(settings=_ADDITIVE, **_OF_FORMULA),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Graphs and scaled values: the training molecules first, then those held out."""

    store: GraphStore
    values: Tensor
    """(n_molecules, n_targets)"""
    grows: tuple[bool, ...]
    unit: float
    """meV of one unit of the first target's scaled values."""
    n_train: int
    families: tuple[str, ...]
    """Reduced formulas of the samples held out; empty for molecules, each of which is a unit."""

    @property
    def held(self) -> Tensor:
        """Rows of the molecules that training does not see."""
        return torch.arange(self.n_train, len(self.values))


def make_problem(data: Dataset, variant: Variant, n_train: int) -> Problem:
    """Draw the molecules, the same for every variant, build their graphs and scale their values.

    A target that grows with the molecule is learned an atom, without what its elements add. Samples
    without all values of the variant's targets are left out.
    """
    split = make_split("source", data, seed=0)
    rng = np.random.default_rng(0)
    names = [t.name for t in data.targets]
    known = np.isfinite(data.values[:, [names.index(t) for t in variant.targets]]).all(axis=1)
    held = rng.permutation(split.validation)
    held = held[known[held]][:MOST_HELD]
    learned = rng.permutation(split.train)
    chosen = np.concatenate([learned[known[learned]][:n_train], held])
    structures = data.structures.subset(chosen)
    name, settings = BUILDERS[variant.task]
    builder = make_builder(name, **{**settings, **variant.builder})
    built = build_store(structures, builder)
    if built.failures:
        raise SystemExit(f"{variant.task}: {len(built.failures)} structures have no graph.")
    store = built.store
    raw = data.values[chosen][:, [names.index(t) for t in variant.targets]].copy()
    grows = tuple(data.targets[names.index(t)].extensive for t in variant.targets)
    counts = np.diff(structures.offsets)
    owner = np.repeat(np.arange(len(chosen)), counts)
    present, columns = np.unique(structures.atomic_numbers, return_inverse=True)
    amounts = np.zeros((len(chosen), len(present)))
    np.add.at(amounts, (owner, columns), 1)
    for k in np.flatnonzero(grows):
        base = np.linalg.lstsq(amounts[:n_train], raw[:n_train, k], rcond=None)[0]
        raw[:, k] = (raw[:, k] - amounts @ base) / counts
    mean, std = raw[:n_train].mean(axis=0), raw[:n_train].std(axis=0)
    values = torch.from_numpy((raw - mean) / std).float()
    families = () if variant.task == "qm9" else reduced_formulas(structures)[n_train:].tolist()
    return Problem(
        store=store,
        values=values,
        grows=grows,
        unit=1000 * float(std[0]),
        n_train=n_train,
        families=tuple(families),
    )


class Trainer:
    """A variant's network, its optimisers and its averaged weights."""

    def __init__(self, variant: Variant, problem: Problem) -> None:
        torch.manual_seed(variant.seed)
        self.variant = variant
        settings: dict[str, Any] = {**SIZES[variant.model], **variant.settings}
        if variant.model == "lens":
            settings["extensive"] = problem.grows
        n_outputs = len(variant.targets)
        self.model: PropertyModel = make_model(variant.model, n_outputs=n_outputs, **settings)
        self.store = problem.store.select(self.model.edge_fields)
        self.values = problem.values
        self.n_train = problem.n_train
        self.parameters = list(self.model.parameters())
        self.average = [p.detach().clone() for p in self.parameters]
        self.optimizer = self._optimizer()
        self.loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.l1_loss
        if variant.loss == "huber":
            self.loss = partial(nn.functional.smooth_l1_loss, beta=0.1)
        self.rng = np.random.default_rng(variant.seed)
        self.order: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.step = 0

    def _optimizer(self) -> torch.optim.Optimizer:
        adam: dict[str, Any] = {"betas": (0.9, 0.98), "weight_decay": 1e-5, "fused": True}
        if self.variant.optimizer == "adamw":
            return torch.optim.AdamW(self.parameters, **adam)
        inner = inner_matrices(self.model)
        ids = {id(p) for p in inner}
        others = {"params": [p for p in self.parameters if id(p) not in ids], "weight_decay": 1e-5}
        return Muon(inner, [others], **adam)

    def rate(self, n_steps: int) -> float:
        """Rate of the next step of so many."""
        v = self.variant
        share = min(1.0, self.step / n_steps)
        fall = v.least_rate + (1 - v.least_rate) * 0.5 * (1 + math.cos(math.pi * share))
        return v.rate * min(1.0, (self.step + 1) / v.warm_up) * fall

    def take_step(self, n_steps: int) -> None:
        """Take one training step of so many."""
        size = self.variant.batch
        if len(self.order) < size:
            self.order = self.rng.permutation(self.n_train)
        rows, self.order = torch.from_numpy(self.order[:size]), self.order[size:]
        batch = self.store.batch(rows)
        output = self.model(batch)
        loss = self.loss(output.values, self.values[rows])
        more = self.model.auxiliary_loss(batch, output, self.step)
        self.optimizer.zero_grad()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(n_steps)
        (loss if more is None else loss + more).backward()
        nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimizer.step()
        if self.variant.ema:
            decay = min(self.variant.ema, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                torch._foreach_lerp_(self.average, self.parameters, 1 - decay)
        self.step += 1

    def finish(self) -> PropertyModel:
        """Return the network with its averaged weights."""
        if self.variant.ema:
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, self.average)
        return self.model.eval()


@cache
def data_of(task: str, folder: Path | None) -> Dataset:
    """Return the data of a task, from a folder of packed files or by its name."""
    return load_dataset(task) if folder is None else load_packed(folder / f"{task}.npz")


def step_costs(trainers: list[Trainer], rounds: int = 12, steps: int = 8) -> list[float]:
    """CPU milliseconds of a step of each, measured in turns; the median of the rounds.

    Every round holds whole turns of the steps with and without consistency.
    """
    found: list[list[float]] = [[] for _ in trainers]
    for k in range(rounds + 2):  # the first ones compile and warm up
        for costs, trainer in zip(found, trainers, strict=True):
            start = time.process_time()
            for _ in range(steps):
                trainer.take_step(10**6)
            if k >= 2:
                costs.append(1000 * (time.process_time() - start) / steps)
    return [statistics.median(costs) for costs in found]


@torch.no_grad()
def agreement(model: PropertyModel, store: GraphStore, rows: Tensor, meaning: str) -> float:
    """Mean over molecules of the correlation of terms and effects of leaving one atom out."""
    found = []
    for row in rows:
        n_atoms = int(store.node_counts[row])
        batch: GraphBatch = store.batch(row.repeat(n_atoms))  # the k-th copy is without atom k
        absent = torch.eye(n_atoms, dtype=torch.bool).flatten()
        absence = Absence(masked=absent) if meaning == "mask" else Absence(removed=absent)
        left = model(batch, absence).values[:, 0]
        whole = model(store.batch(row.view(1)))
        assert whole.node_terms is not None
        effects = whole.values[0, 0] - left
        found.append(np.corrcoef(whole.node_terms[:, 0].numpy(), effects.numpy())[0, 1])
    return float(np.nanmean(found))


def measure(
    name: str, variant: Variant, data: Dataset, n_train: int, seconds: float, reference_ms: float
) -> Any:
    """Train a variant for so many CPU seconds, and say how well it does."""
    problem = make_problem(data, variant, n_train)
    plain = VARIANTS[REFERENCES[variant.task]]
    same = not variant.builder and variant.targets == plain.targets
    reference = problem if same else make_problem(data, plain, n_train)
    itself = replace(variant, seed=plain.seed) == plain
    if itself and reference_ms:
        costs = [reference_ms, reference_ms]
    else:
        costs = step_costs([Trainer(plain, reference), Trainer(variant, problem)])
    cost = (1.0 if itself else costs[1] / costs[0]) * (reference_ms or costs[0])
    n_steps = round(1000 * seconds / cost)
    trainer, start = Trainer(variant, problem), time.process_time()
    while trainer.step < n_steps:
        trainer.take_step(n_steps)
    spent = time.process_time() - start
    model = trainer.finish()
    with torch.no_grad():
        parts = [model(trainer.store.batch(r)).values[:, 0] for r in problem.held.split(500)]
    errors = problem.unit * (torch.cat(parts) - problem.values[problem.held, 0]).abs()
    row: dict[str, Any] = {
        "name": name,
        "task": variant.task,
        "seed": variant.seed,
        "ms_a_step": round(cost, 2),
        "reference_ms": round(reference_ms or costs[0], 2),
        "epochs": round(n_steps * variant.batch / n_train, 1),
        "cpu_seconds_meant": seconds,
        "cpu_seconds_spent": round(spent, 1),
        "n_train": n_train,
        "n_edges_an_atom": round(
            len(problem.store.distances) / len(problem.store.atomic_numbers), 2
        ),
        "n_parameters": model.n_parameters,
        "mae_meV": round(float(errors.mean()), 2),
    }
    if variant.model == "lens":
        for meaning in ("mask", "graph"):
            found = agreement(model, trainer.store, problem.held[:300], meaning)
            row[f"pearson_{meaning}"] = round(found, 3)
    families = {"families": problem.families} if problem.families else {}
    return row | families | {"errors": [round(float(e), 1) for e in errors]}


def interval(
    values: NDArray[np.float64], families: Sequence[str] = (), draws: int = 2000
) -> tuple[float, float]:
    """95 % interval of the mean, by drawing the molecules again, or families of samples."""
    relatives = np.array(families, dtype=np.str_) if len(families) else None
    draw = drawing(len(values), np.random.default_rng(0), relatives=relatives)
    means = [np.average(values, weights=draw()) for _ in range(draws)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def kept(folder: Path) -> list[dict[str, Any]]:
    """What the runs of a folder found."""
    return [json.loads(f.read_text()) for f in sorted(folder.glob("*.json"))]


def price(folder: Path) -> str:
    """The additive against the published head: every task, every seed, and the mean of the seeds.

    Only seeds that both heads have; intervals by drawing the samples again, the same for both.
    """
    rows = {(r["name"], r.get("seed", 0)): r for r in kept(folder)}
    lines = [
        "| task | seed | published head | additive head | price [95 %] | epochs |",
        "|---|---|---|---|---|---|",
    ]
    for task, plain in REFERENCES.items():
        other = plain.replace("published", "additive")
        seeds = sorted({s for n, s in rows if n == plain} & {s for n, s in rows if n == other})
        pairs = [
            (np.array(rows[plain, s]["errors"]), np.array(rows[other, s]["errors"])) for s in seeds
        ]
        lines_of = list(zip([str(s) for s in seeds], pairs, strict=True))
        if len(seeds) > 1:
            means = [np.mean([pair[k] for pair in pairs], axis=0) for k in (0, 1)]
            lines_of.append(("mean", (means[0], means[1])))
        for seed, (old, new) in lines_of:
            low, high = interval(new - old, rows[plain, seeds[0]].get("families", ()))
            share = 100 / old.mean()
            epochs = ""
            if seed != "mean":
                both = (rows[plain, int(seed)]["epochs"], rows[other, int(seed)]["epochs"])
                epochs = " and ".join(f"{e:.1f}" for e in both)
            lines.append(
                f"| {task} | {seed} | {old.mean():.1f} | {new.mean():.1f} | "
                f"{share * (new - old).mean():+.1f} % [{share * low:+.1f}, {share * high:+.1f}] | "
                f"{epochs} |"
            )
    return "\n".join(lines)


def table(folder: Path) -> str:
    """The files of a folder as one table, in the order of the variants."""
    rows = {r["name"]: r for r in reversed(kept(folder))}
    errors = {name: np.array(row["errors"]) for name, row in rows.items()}
    lines = [
        "| variant | meV [95 %] | against `lens` [95 %] | epochs | ms a step | mask | graph |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in (n for n in VARIANTS if n in rows):
        row, families = rows[name], rows[name].get("families", ())
        low, high = interval(errors[name], families)
        base = BASE if row["task"] == "qm9" else REFERENCES[row["task"]]
        against = ""
        if base in rows and name != base:
            gaps = errors[name] - errors[base]
            least, most = interval(gaps, families)
            against = f"{gaps.mean():+.1f} [{least:+.1f}, {most:+.1f}]"
        agree = [f"{row[k]:.3f}" if k in row else "" for k in ("pearson_mask", "pearson_graph")]
        lines.append(
            f"| {name} | {errors[name].mean():.1f} [{low:.1f}, {high:.1f}] | {against} | "
            f"{row['epochs']:.1f} | {row['ms_a_step']:.1f} | {agree[0]} | {agree[1]} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Train what was asked for, or show what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(VARIANTS))
    parser.add_argument("--data", type=Path, help="folder of packed files, as qm9.npz")
    parser.add_argument("--seconds", type=float, default=380)
    parser.add_argument("--train", type=int, default=10_000)
    parser.add_argument("--reference-ms", type=float, default=0.0)
    parser.add_argument("--costs", action="store_true", help="only measure what a step costs")
    parser.add_argument("--seed", type=int, help="in place of the variant's")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--price", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("runs/lens"))
    options = parser.parse_args()
    unknown = [n for n in options.names if n not in VARIANTS]
    if unknown:
        parser.error(f"{unknown[0]} is no variant; there are: {', '.join(VARIANTS)}")
    if options.table or options.price:
        print((table if options.table else price)(options.folder))
        return
    torch.set_num_threads(1)
    for name in options.names or VARIANTS:
        variant = VARIANTS[name]
        if options.seed is not None:
            variant = replace(variant, seed=options.seed)
        data = data_of(variant.task, options.data)
        if options.costs:
            plain = VARIANTS[REFERENCES[variant.task]]
            problems = [make_problem(data, v, options.train) for v in (plain, variant)]
            trainers = [Trainer(v, p) for v, p in zip((plain, variant), problems, strict=True)]
            first, own = step_costs(trainers, 6)
            print(f"{name}: {own:.2f} ms, {own / first:.3f} of the published head", flush=True)
            continue
        options.folder.mkdir(parents=True, exist_ok=True)
        earlier = [r for r in kept(options.folder) if r["task"] == variant.task]
        reference_ms = options.reference_ms or (earlier[0]["reference_ms"] if earlier else 0.0)
        row = measure(name, variant, data, options.train, options.seconds, reference_ms)
        label = name if options.seed is None else f"{name} seed {options.seed}"
        file = options.folder / f"{re.sub('[^A-Za-z0-9]+', '-', label)}.json"
        write_text(json.dumps(row), file)
        print({k: v for k, v in row.items() if k != "errors"}, flush=True)


if __name__ == "__main__":
    main()
