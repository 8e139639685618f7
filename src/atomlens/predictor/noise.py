"""Teaching a trained network how large its errors are, without touching its values.

The layer that speaks of the noise reads the frozen vectors of the structures; its weights
minimise the negative logarithm of the likelihood of Laplace errors, |r| / b + log b, on
structures that the network was not trained on. The logarithm of b is linear in the weights, so
the problem is convex and has one answer.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from atomlens.errors import ModelError
from atomlens.graphs import GraphStore
from atomlens.models import make_model
from atomlens.models.base import PropertyModel
from atomlens.predictor.inference import model_outputs
from atomlens.predictor.trained import TrainedModel

_PENALTY = 1e-3
"""Of the mean square of the weights of standardised features, beside the mean loss."""
_SMALLEST = 1e-4
"""Added to the absolute residuals, in scaled units: nobody is right to all digits."""


def fit_noise(
    trained: TrainedModel, store: GraphStore, rows: NDArray[np.int64], encoded: NDArray[np.float32]
) -> TrainedModel:
    """Return the trained model with a layer that predicts the scale of its errors.

    Every member gets its own. The calibration of the result is that of ``trained``: fit it anew
    on other structures than ``rows``.

    Args:
        trained: One network or several, whose ``noise_layer`` is not empty.
        store: Graphs.
        rows: Graphs on which the networks were not trained.
        encoded: (len(rows), n_outputs) their true values in scaled units; NaN unknown.

    Raises:
        ModelError: the network has no layer for the noise, or predicts classes.
    """
    if any(t.kind == "classification" for t in trained.targets):
        raise ModelError("A noise is learned for numbers, and this model predicts classes.")
    if not trained.models[0].noise_layer:
        raise ModelError(
            f"A {trained.model_name!r} has no layer of its own for the noise; train it with "
            "loss=robust-l1 instead."
        )
    device = next(trained.models[0].parameters()).device
    found: list[tuple[list[Tensor], list[Tensor]]] = [([], []) for _ in trained.models]
    for outputs in model_outputs(trained.models, store, rows=rows, device=device):
        for (features, values), output in zip(found, outputs, strict=True):
            assert output.graph_features is not None
            features.append(output.graph_features.double().cpu())
            values.append(output.values.double().cpu())
    truth = torch.from_numpy(encoded).double()
    models = [
        _with_noise(model, trained.model_name, torch.cat(features), truth - torch.cat(values))
        for model, (features, values) in zip(trained.models, found, strict=True)
    ]
    return replace(trained, models=tuple(models), noise="laplace")


def _with_noise(
    model: PropertyModel, name: str, features: Tensor, residuals: Tensor
) -> PropertyModel:
    """Return a copy of the model whose noise layer fits the residuals."""
    names = model.config.__dataclass_fields__
    config = {n: getattr(model.config, n) for n in names} | {"predict_scale": True}
    with torch.random.fork_rng(devices=[]):
        copy = make_model(name, **config)
    weight, bias = laplace_scale(functional.silu(features), residuals)
    layer = {f"{model.noise_layer}.weight": weight, f"{model.noise_layer}.bias": bias}
    copy.load_state_dict({**model.state_dict(), **layer})
    return copy.to(next(model.parameters()).device).eval().requires_grad_(False)


def laplace_scale(features: Tensor, residuals: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight (n_outputs, n_features) and bias of the likeliest linear log-scale.

    Args:
        features: (n, n_features)
        residuals: (n, n_outputs); NaN unknown.
    """
    mean, std = features.mean(dim=0), features.std(dim=0).clamp_min(1e-6)
    x = torch.cat([(features - mean) / std, torch.ones_like(features[:, :1])], dim=1)
    columns: Sequence[Tensor] = [_one_scale(x, r) for r in residuals.abs().T]
    found = torch.stack(list(columns))
    weight = found[:, :-1] / std
    return weight, found[:, -1] - weight @ mean


def _one_scale(x: Tensor, errors: Tensor) -> Tensor:
    """Newton's method on the mean of |r| exp(-s) + s, s = x @ w, with a small penalty."""
    known = errors.isfinite()
    x, errors = x[known], errors[known] + _SMALLEST
    penalty = torch.full((x.shape[1],), _PENALTY, dtype=x.dtype)
    penalty[-1] = 0.0
    w = torch.zeros(x.shape[1], dtype=x.dtype)
    w[-1] = errors.mean().log()

    def loss(w: Tensor) -> Tensor:
        s = x @ w
        return (errors * (-s).exp() + s).mean() + 0.5 * (penalty * w.square()).sum()

    for _ in range(50):
        ratio = errors * (-(x @ w)).exp()
        gradient = x.T @ (1 - ratio) / len(x) + penalty * w
        curvature = (x * ratio[:, None]).T @ x / len(x) + torch.diag(penalty)
        curvature += 1e-9 * torch.eye(len(w), dtype=x.dtype)
        step, size, before = torch.linalg.solve(curvature, gradient), 1.0, loss(w)
        while not loss(w - size * step) <= before and size > 1e-6:
            size /= 2
        w = w - size * step
        if float(gradient @ step) < 1e-12:
            break
    return w
