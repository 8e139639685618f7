"""Exponential moving average of the weights."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class WeightAverage:
    """average <- d average + (1 - d) weights, with d = min(decay, (1 + t) / (10 + t)).

    The bound lets the average follow the first steps t, when the weights move fast. Buffers
    (running statistics) are not averaged: the present ones are used.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.n_steps = 0
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self.names = [name for name, _ in named]
        self.weights = [p for _, p in named]
        self.average = [p.detach().clone() for p in self.weights]

    @torch.no_grad()
    def update(self) -> None:
        """Follow the weights by one step."""
        decay = min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.weights], 1 - decay)
        self.n_steps += 1

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange weights and average; a second call restores both, bit for bit."""
        for weight, average in zip(self.weights, self.average, strict=True):
            kept = weight.detach().clone()
            weight.copy_(average)
            average.copy_(kept)

    def state(self) -> dict[str, Float[Tensor, "..."]]:
        """Return the averages by name of the parameter."""
        return dict(zip(self.names, self.average, strict=True))

    @torch.no_grad()
    def restore(self, state: dict[str, Float[Tensor, "..."]], n_steps: int) -> None:
        """Take back what `state` returned."""
        self.n_steps = n_steps
        for name, average in zip(self.names, self.average, strict=True):
            average.copy_(state[name])
