"""Limits for gradients."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


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
