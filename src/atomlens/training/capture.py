"""Whole training steps on CUDA, recorded once and replayed.

A step of a network of ordinary size is about a thousand small kernels, and the processor needs
longer to start them than the device to do them. A CUDA graph starts them all at once. It repeats
the very same operations on the very same memory, so whatever changes from step to step must be a
tensor there: the rows, the rates, the share of the moving average, the seed of dropout. A model
whose loss has other parts in some steps says of which kind each step is
(`PropertyModel.step_kind`), and each kind is recorded when it first comes.
"""

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from atomlens.training.optimizer import put_state_back, set_state_aside
from atomlens.training.settings import TrainSettings

_WARM_UP = 3
"""Runs before recording: libraries choose their algorithms, kernels are compiled, and the
optimiser makes its state."""


def can_record(settings: TrainSettings, device: torch.device) -> bool:
    """Return whether steps with these settings can be recorded.

    Not with autoclip, whose percentile is one of ever more norms, not in half precision, and not
    where several devices exchange gradients.
    """
    return (
        device.type == "cuda"
        and settings.record_steps
        and settings.devices == 1
        and settings.precision == "32"
        and settings.clipping != "autoclip"
    )


class RecordedSteps:
    """Replays a step by its kind; records it first where that kind has not come yet."""

    def __init__(
        self, work: Callable[[int], None], tensors: list[Tensor], optimizer: Optimizer
    ) -> None:
        """Take over a step.

        Args:
            work: One step, of which it is given the number; may change only what follows.
            tensors: Weights and all else that a step changes.
            optimizer: Whose state it changes as well.
        """
        self.work, self.tensors, self.optimizer = work, tensors, optimizer
        self.graphs: dict[Hashable, Any] = {}

    def record(self, kind: Hashable, step: int) -> None:
        """Record the steps of a kind, of which ``step`` is one; leaves all tensors as they are.

        Raises:
            RuntimeError: an operation cannot be recorded, for example as it waits for the device.
        """
        if kind in self.graphs:
            return
        kept = [t.detach().clone() for t in self.tensors]
        state = set_state_aside(self.optimizer)
        try:
            self.graphs[kind] = self._recorded(step)
        finally:
            with torch.no_grad():
                for tensor, before in zip(self.tensors, kept, strict=True):
                    tensor.copy_(before)
            put_state_back(self.optimizer, state)

    def _recorded(self, step: int) -> Any:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                self.work(step)
        torch.cuda.current_stream().wait_stream(side)
        self.optimizer.zero_grad(set_to_none=True)  # gradients of their own for every graph
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.work(step)
        return graph

    def replay(self, kind: Hashable) -> None:
        """Start a step that has been recorded."""
        self.graphs[kind].replay()
