"""The optimiser, and its state as named tensors."""

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from atomlens.models.base import PropertyModel
from atomlens.training.settings import TrainSettings


def make_optimizer(
    model: PropertyModel, settings: TrainSettings, device: torch.device
) -> Optimizer:
    """Return Adam or AdamW with the penalty on the kernels that the model names.

    An L2 penalty λ Σ W² adds 2 λ W to the gradient, which is what Adam's ``weight_decay`` does.
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
    return (Adam if adam else AdamW)(
        [g for g in groups if g["params"]],
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        fused=fused,
    )


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
