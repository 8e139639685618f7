"""Losses between what a model returns and the scaled targets; unknown values are left out.

Every loss is averaged over the known values of each target first, then over the targets that
have a known value in the batch, so that a rare target weighs as much as a common one, and a
spectrum as much as a single number; `target_weights` says otherwise by name.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from atomlens.errors import SettingsError, TrainingError, unknown_name
from atomlens.models.base import ModelOutput
from atomlens.targets import Target, output_slices, value_slices
from atomlens.training.settings import HETEROSCEDASTIC, TrainSettings

_Errors = Float[Tensor, "n_graphs n_numbers"]


def gaussian_nll(error: _Errors, log_scale: _Errors) -> _Errors:
    """Negative log-likelihood of a normal distribution of standard deviation exp(log_scale).

    The constant ½ log 2π is left out.
    """
    return 0.5 * error.square() * (-2 * log_scale).exp() + log_scale


def laplace_nll(error: _Errors, log_scale: _Errors) -> _Errors:
    """Negative log-likelihood of a Laplace distribution of scale b = exp(log_scale).

    The robust L1 loss of Goodall and Lee, Nature Communications 11, 6280 (2020), up to a
    factor in b. The constant log 2 is left out; the standard deviation is √2 b.
    """
    return error.abs() * (-log_scale).exp() + log_scale


class TargetLoss:
    """The loss of a training as a function of model output and scaled targets."""

    def __init__(self, targets: tuple[Target, ...], settings: TrainSettings) -> None:
        self.settings = settings
        self.needs_scale = settings.loss in HETEROSCEDASTIC
        places = list(zip(targets, output_slices(targets), value_slices(targets), strict=True))
        numbers = [(t, out, own) for t, out, own in places if t.kind == "regression"]
        self.columns = [own for _, _, own in numbers]
        self.outputs = [out for _, out, _ in numbers]
        self.sizes = [t.n_values for t, _, _ in numbers]
        self.classes = [(own.start, out) for t, out, own in places if t.kind == "classification"]
        self.all_regression = not self.classes
        self.all_single = set(self.sizes) <= {1}
        given = _weights_of(targets, settings)
        order = [t.name for t, _, _ in numbers] + [
            t.name for t in targets if t.kind == "classification"
        ]
        self.weights = torch.tensor([given.get(name, 1.0) for name in order])
        self.all_equal = not given

    def __call__(
        self, output: ModelOutput, targets: Float[Tensor, "n_graphs n_values"]
    ) -> Float[Tensor, ""]:
        """Return the loss in scaled units, in 32 bits."""
        if self.needs_scale and output.log_scale is None:
            raise TrainingError(
                f"loss={self.settings.loss!r} needs a model that predicts its noise, and this "
                "one does not. Choose the loss mae, mse, rmse or huber."
            )
        terms: list[Tensor] = []
        known: list[Tensor] = []
        if self.columns:
            mean, present = self._regression(output, targets)
            terms.append(mean)
            known.append(present)
        for column, place in self.classes:
            mean, present = _cross_entropy(output.values[:, place], targets[:, column])
            terms.append(mean)
            known.append(present)
        total, count = torch.cat(terms), torch.cat(known)
        if not self.all_equal:
            if self.weights.device != total.device:  # once: a copy waits for the device
                self.weights = self.weights.to(total.device)
            total, count = total * self.weights, count * self.weights
            return total.sum() / count.sum().clamp_min(self.weights.min())
        return total.sum() / count.sum().clamp_min(1)

    def _regression(
        self, output: ModelOutput, targets: Float[Tensor, "n_graphs n_values"]
    ) -> tuple[Float[Tensor, " n_regression"], Float[Tensor, " n_regression"]]:
        """Return the loss of each regression target, 0 where nothing is known, and which are."""
        values, log_scale = output.values, output.log_scale
        if not self.all_regression:
            values, targets = _columns(values, self.outputs), _columns(targets, self.columns)
            log_scale = None if log_scale is None else _columns(log_scale, self.outputs)
        mask = ~targets.isnan()
        error = torch.where(mask, values.float() - targets, 0.0)
        each = self._elementwise(error, None if log_scale is None else log_scale.float())
        count, total = mask.sum(dim=0), torch.where(mask, each, 0.0).sum(dim=0)
        if not self.all_single:  # the points of a spectrum are one target
            count = torch.stack([part.sum() for part in torch.split(count, self.sizes)])
            total = torch.stack([part.sum() for part in torch.split(total, self.sizes)])
        mean = total / count.clamp_min(1)
        if self.settings.loss == "rmse":
            mean = mean.clamp_min(1e-12).sqrt()
        present = (count > 0).to(mean.dtype)
        return mean * present, present

    def _elementwise(self, error: _Errors, log_scale: _Errors | None) -> _Errors:
        loss = self.settings.loss
        if loss == "mae":
            return error.abs()
        if loss == "huber":
            delta = self.settings.huber_delta
            return functional.huber_loss(
                error, torch.zeros_like(error), reduction="none", delta=delta
            )
        if loss in HETEROSCEDASTIC and log_scale is not None:
            return (laplace_nll if loss == "robust-l1" else gaussian_nll)(error, log_scale)
        return error.square()


def _weights_of(targets: tuple[Target, ...], settings: TrainSettings) -> dict[str, float]:
    given, names = settings.weight_by_target(), [t.name for t in targets]
    for name in given:
        if name not in names:
            raise SettingsError(f"target_weights: {unknown_name('target', name, names)}")
    return given


def _columns(values: Float[Tensor, "n _"], places: list[slice]) -> Float[Tensor, "n _"]:
    """Return the columns in these places; a list of numbers would be copied to the device."""
    return torch.cat([values[:, place] for place in places], dim=1)


def _cross_entropy(
    logits: Float[Tensor, "n_graphs n_classes"], classes: Float[Tensor, " n_graphs"]
) -> tuple[Float[Tensor, " 1"], Float[Tensor, " 1"]]:
    mask = ~classes.isnan()
    labels = torch.where(mask, classes, 0.0).long()
    each = functional.cross_entropy(logits.float(), labels, reduction="none")
    count = mask.sum()
    mean = torch.where(mask, each, 0.0).sum() / count.clamp_min(1)
    present = (count > 0).to(mean.dtype)
    return (mean * present).reshape(1), present.reshape(1)
