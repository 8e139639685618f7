"""What a spectrum of 3,000 points adds to a training step of Finder, against one number.

    OMP_NUM_THREADS=1 python benchmarks/spectra.py [--points 3000] [--rounds 9] [--json FILE]

Both networks train on the same batch of 128 made-up formulas with everything that a step of
`atomlens train` does: loss with unknown values left out, gradients, Adam, limits of the weights.
One thread, CPU time of the process (user and system), interleaved rounds, medians.
"""

import argparse
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from _ratios import Ratio, add_json_option, hand_over
from finder import graphs_of, made_up_formulas, seconds

from atomlens.graphs import GraphStore
from atomlens.models import make_model
from atomlens.targets import Target
from atomlens.training.job import begin_alike
from atomlens.training.losses import TargetLoss
from atomlens.training.optimizer import make_optimizer
from atomlens.training.settings import TrainSettings
from atomlens.training.step import StepModule

BATCH = 128


def training_step(store: GraphStore, target: Target) -> tuple[Callable[[], None], int]:
    """Return one step on the whole store, and the number of weights."""
    settings = TrainSettings(loss="mae", learning_rate=3e-4, regularization=1e-6)
    model = make_model("finder", n_outputs=target.n_outputs)
    begin_alike(model, (target,))
    random = np.random.default_rng(0)
    values = random.normal(size=(len(store), target.n_values)).astype(np.float32)
    values[random.random(values.shape) < 0.05] = np.nan
    module = StepModule(model, TargetLoss((target,), settings), store, torch.from_numpy(values))
    optimizer = make_optimizer(model, settings, torch.device("cpu"))
    rows = torch.arange(len(store))

    def step() -> None:
        loss = module(rows, 0)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        model.constrain_weights()

    return step, sum(p.numel() for p in model.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=9)
    add_json_option(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    store = graphs_of(made_up_formulas(BATCH))
    grid = tuple(np.linspace(0.0, 30.0, options.points).tolist())
    targets = {"number": Target(name="number"), "spectrum": Target(name="spectrum", grid=grid)}
    steps: dict[str, Callable[[], None]] = {}
    for name, target in targets.items():
        steps[name], n_weights = training_step(store, target)
        steps[name]()
        print(f"{name}: {target.n_values} values, {n_weights:,} weights")
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, step in steps.items():
            times[name].append(seconds(step, 3))
    for name, found in times.items():
        print(f"{name}: {1000 * median(found):.0f} ms a step")
    ratios = [s / n for s, n in zip(times["spectrum"], times["number"], strict=True)]
    print(f"ratio spectrum / number: {median(ratios):.2f}")
    each = {name: tuple(1000 * s for s in found) for name, found in times.items()}
    row = Ratio(
        what=f"Finder, training step with a spectrum of {options.points:,} points",
        rival="our own step with one number",
        unit="ms a step",
        ours=each["spectrum"],
        theirs=each["number"],
        target=1 / 1.2,
    )
    hand_over(options.json, [row])


if __name__ == "__main__":
    main()
