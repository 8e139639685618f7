"""The optimiser, and its state as named tensors."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from atomlens.models.base import PropertyModel
from atomlens.training.settings import TrainSettings


def make_optimizer(
    model: PropertyModel, settings: TrainSettings, device: torch.device
) -> Optimizer:
    """Return Adam or AdamW with the penalty on the kernels that the model names.

    An L2 penalty λ Σ W² adds 2 λ W to the gradient, which is what Adam's ``weight_decay`` does.
    On CUDA the rate is a tensor there, so that a recorded step can be replayed with another one.
    """
    penalised = {id(p) for p in _penalised(model, settings)}
    parameters = [p for p in model.parameters() if p.requires_grad]
    adam = settings.optimizer == "adam"
    decay = 2 * settings.regularization if adam else settings.weight_decay
    groups = [
        {"params": [p for p in parameters if id(p) in penalised], "weight_decay": decay},
        {"params": [p for p in parameters if id(p) not in penalised], "weight_decay": 0.0},
    ]
    fused = device.type in ("cpu", "cuda") and settings.precision != "16-mixed"
    recordable = fused and device.type == "cuda"
    rate = torch.tensor(settings.learning_rate, device=device) if recordable else None
    return (Adam if adam else AdamW)(
        [g for g in groups if g["params"]],
        lr=settings.learning_rate if rate is None else rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        fused=fused,
        capturable=recordable,
    )


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the rate of the next step, without waiting for the device."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _penalised(model: PropertyModel, settings: TrainSettings) -> list[nn.Parameter]:
    named = model.regularized_parameters()
    if named or settings.optimizer == "adam":
        return named
    return [p for p in model.parameters() if p.ndim >= 2]


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimiser as ``NUMBER.NAME`` of the parameter and the quantity."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": tensor for number, one in state.items() for name, tensor in one.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Take back what `optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def set_state_aside(optimizer: Optimizer) -> dict[Any, dict[str, Tensor]]:
    """Return a copy of the state, by parameter."""
    return {p: {n: t.clone() for n, t in one.items()} for p, one in optimizer.state.items()}


def put_state_back(optimizer: Optimizer, kept: dict[Any, dict[str, Tensor]]) -> None:
    """Write a copy of the state into its tensors; those that were not there yet become zero."""
    for p, one in optimizer.state.items():
        for name, tensor in one.items():
            if p in kept:
                tensor.copy_(kept[p][name])
            else:
                tensor.zero_()


def clip_by_norm(parameters: list[nn.Parameter], largest: float) -> None:
    """Scale all gradients together so that their common norm is at most ``largest``."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if gradients:
        norms = torch.stack(torch._foreach_norm(gradients))
        factor = (largest / (norms.norm() + 1e-12)).clamp_max(1.0)
        torch._foreach_mul_(gradients, factor)


class AutoClip:
    """Limit every gradient tensor to a percentile of the norms seen so far.

    Seetharaman et al., AutoClip, MLSP 2020, in the form in which SCANN was trained: the total
    norms of the last 10,000 steps are kept, the present one included, and the norm of each
    single gradient tensor is limited to their 10th percentile.
    """

    def __init__(self, length: int = 10_000, percentile: float = 10.0) -> None:
        self.length = length
        self.quantile = percentile / 100
        self.norms: Float[Tensor, " n_seen"] = torch.zeros(0)
        self.n_seen = 0

    def __call__(self, parameters: list[nn.Parameter]) -> None:
        """Clip the gradients in place."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        norms = torch.stack(torch._foreach_norm(gradients))
        limit = self._limit(norms.norm())
        factors = (limit / (norms + 1e-12)).clamp_max(1.0)
        torch._foreach_mul_(gradients, list(factors.unbind()))

    def _limit(self, total: Float[Tensor, ""]) -> Float[Tensor, ""]:
        if self.norms.numel() != self.length or self.norms.device != total.device:
            kept = self.norms[: self.length].to(total.device)
            self.norms = torch.zeros(self.length, device=total.device)
            self.norms[: len(kept)] = kept
        self.norms[self.n_seen % self.length] = total
        self.n_seen += 1
        return self.norms[: min(self.n_seen, self.length)].quantile(self.quantile)

    def state(self) -> Float[Tensor, " n_kept"]:
        """Return the norms kept so far, oldest first."""
        if self.n_seen <= self.length:
            return self.norms[: self.n_seen].clone()
        return self.norms.roll(-(self.n_seen % self.length)).clone()

    def restore(self, norms: Float[Tensor, " n_kept"]) -> None:
        """Take back what `state` returned."""
        self.norms, self.n_seen = norms.clone(), len(norms)


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

    def update(self) -> None:
        """Follow the weights by one step."""
        self.follow(self.advance())

    def advance(self) -> float:
        """Count a step, and return 1 - d of it."""
        decay = min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        self.n_steps += 1
        return 1 - decay

    @torch.no_grad()
    def follow(self, share: float | Float[Tensor, ""]) -> None:
        """Move by a share of the way to the weights."""
        weights = [p.detach() for p in self.weights]
        if isinstance(share, Tensor):
            way = torch._foreach_sub(weights, self.average)
            torch._foreach_mul_(way, share)
            torch._foreach_add_(self.average, way)
        else:
            torch._foreach_lerp_(self.average, weights, share)

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
