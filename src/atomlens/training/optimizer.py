"""The optimiser, and its state as named tensors."""

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from atomlens.models.base import PropertyModel
from atomlens.training.settings import TrainSettings


def make_optimizer(
    model: PropertyModel, settings: TrainSettings, device: torch.device
) -> Optimizer:
    """Return Adam, AdamW or Muon with the penalty on the kernels that the model names.

    An L2 penalty λ Σ W² adds 2 λ W to the gradient, which is what Adam's ``weight_decay`` does.
    On CUDA the rate is a tensor there, so that a recorded step can be replayed with another one.
    """
    penalised = {id(p) for p in _penalised(model, settings)}
    adam = settings.optimizer == "adam"
    inner = inner_matrices(model) if settings.optimizer == "muon" else []
    turned = {id(p) for p in inner}
    parameters = [p for p in model.parameters() if p.requires_grad and id(p) not in turned]
    decay = 2 * settings.regularization if adam else settings.weight_decay
    groups = [
        {"params": [p for p in parameters if id(p) in penalised], "weight_decay": decay},
        {"params": [p for p in parameters if id(p) not in penalised], "weight_decay": 0.0},
    ]
    fused = device.type in ("cpu", "cuda") and settings.precision != "16-mixed"
    recordable = fused and device.type == "cuda"
    rate = torch.tensor(settings.learning_rate, device=device) if recordable else None
    groups = [g for g in groups if g["params"]]
    shared: dict[str, Any] = {
        "lr": settings.learning_rate if rate is None else rate,
        "betas": (settings.beta1, settings.beta2),
        "eps": settings.epsilon,
        "fused": fused,
        "capturable": recordable,
    }
    if inner:
        return Muon(inner, groups, weight_decay=decay, **shared)
    return (Adam if adam else AdamW)(groups, **shared)


class Muon(AdamW):
    """AdamW whose steps of inner matrices go along the nearest orthogonal matrix of the momentum.

    K. Jordan et al., Muon (2024), with the published coefficients of Newton and Schulz's iteration,
    for all matrices of one shape at once. A step has the size of one of Adam: the rate times
    0.2 √(larger side), after J. Liu et al., arXiv:2502.16982.
    """

    def __init__(
        self,
        matrices: list[nn.Parameter],
        others: list[dict[str, Any]],
        *,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        **shared: Any,
    ) -> None:
        """Take over parameters.

        Args:
            matrices: Weights (n, m) between the first layer and the last.
            others: Groups of all other parameters, which take steps of AdamW.
            weight_decay: Share of the matrices removed, over the rate.
            momentum: Memory of the matrices for gradients.
            shared: Arguments of AdamW.
        """
        super().__init__([*others, {"params": matrices, "weight_decay": weight_decay}], **shared)
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take a step, that of the matrices with the rate of the last group."""
        groups = self.param_groups
        self.param_groups = groups[:-1]
        try:
            super().step(closure)
        finally:
            self.param_groups = groups
        rate, decay = groups[-1]["lr"], groups[-1]["weight_decay"]
        by_shape: dict[torch.Size, list[Tensor]] = {}
        for p in groups[-1]["params"]:
            if p.grad is not None:
                by_shape.setdefault(p.shape, []).append(p)
        for shape, alike in by_shape.items():
            slopes = [cast(Tensor, p.grad) for p in alike]
            memories = [self._state_of(p)["momentum"] for p in alike]
            torch._foreach_add_([self.state[p]["step"] for p in alike], 1)
            torch._foreach_mul_(memories, self.momentum)
            torch._foreach_add_(memories, slopes)
            ahead = torch._foreach_add(slopes, memories, alpha=self.momentum)
            ways = orthogonal(torch.stack(ahead)) * (rate * 0.2 * max(shape) ** 0.5)
            torch._foreach_mul_(alike, 1 - rate * decay)
            torch._foreach_sub_(alike, list(ways.unbind()))

    def _state_of(self, matrix: Tensor) -> dict[str, Tensor]:
        """Return the momentum of a matrix, and how many steps it has had, as Adam counts them."""
        state: dict[str, Tensor] = self.state[matrix]
        if not state:
            state["step"] = torch.zeros((), device=matrix.device)
            state["momentum"] = torch.zeros_like(matrix)
        return state


def orthogonal(matrices: Float[Tensor, "k n m"]) -> Float[Tensor, "k n m"]:
    """Return matrices of the same singular vectors whose singular values are near one."""
    turned = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if turned else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.mT if turned else x


def inner_matrices(model: PropertyModel) -> list[nn.Parameter]:
    """Return the weights that Muon turns: matrices of neither the first nor the last layers."""
    named = model.named_parameters()
    return [
        p
        for n, p in named
        if p.requires_grad and p.ndim == 2 and not n.startswith(model.outer_layers)
    ]


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
