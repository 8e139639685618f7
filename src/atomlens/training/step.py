"""What runs on a device in one step."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from atomlens.graphs import GraphStore
from atomlens.graphs.padding import ABSENT, Capacity, PaddedCutter, counts_of
from atomlens.models import PropertyModel
from atomlens.training.losses import TargetLoss
from atomlens.training.settings import TrainSettings
from atomlens.training.teaching import AttentionTeaching


class StepModule(nn.Module):
    """Rows in, loss out: what runs on each device in a step."""

    def __init__(
        self,
        model: PropertyModel,
        loss: TargetLoss,
        store: GraphStore,
        encoded: Tensor,
        capacity: Capacity | None = None,
        teaching: AttentionTeaching | None = None,
    ):
        super().__init__()
        self.model = model
        self.loss = loss
        self.store = store
        self.encoded = encoded
        self.teaching = teaching
        self.cutter = None if capacity is None else PaddedCutter(store, capacity)

    def forward(self, rows: Tensor, step: int) -> Tensor:
        """Return the loss of the graphs ``rows`` of the store in training step ``step``.

        With a capacity no operation waits for the device, rows may be ``ABSENT``, and the loss
        knows the values of real graphs only.
        """
        real = None
        if self.cutter is not None:
            batch = self.cutter(rows)
            real = torch.cat([rows, rows.new_full((1,), ABSENT)]) >= 0
            values = self.encoded.index_select(0, rows.clamp(min=0))
            unknown = values.new_full((1, values.shape[1]), torch.nan)
            values = torch.cat([values, unknown]).masked_fill(~real.unsqueeze(1), torch.nan)
        else:
            batch = self.store.batch(rows)
            if batch.distances.device != self.encoded.device:
                batch = batch.to(self.encoded.device)
            values = self.encoded.index_select(0, rows)
        output = self.model(batch)
        loss: Tensor = self.loss(output, values)
        if self.teaching is not None:
            loss = loss + self.teaching(output, batch.node_rows)
        more = self.model.auxiliary_loss(batch, output, step, real)
        return loss if more is None else loss + more


def capacity_for(
    model: PropertyModel, store: GraphStore, rows: NDArray[np.int64], batch_size: int
) -> Capacity | None:
    """Return the fixed size of the batches on CUDA; None where they keep the sizes of their graphs.

    That is on a CPU, for graphs that do not fit into the memory of the device, and for models
    that normalise over all rows of a batch, which made-up rows would change.
    """
    if store.node_offsets.device.type != "cuda" or mixes_rows(model):
        return None
    node_counts, edge_counts = counts_of(store)
    return Capacity.of(node_counts[rows], edge_counts[rows], batch_size)


def mixes_rows(model: nn.Module) -> bool:
    """Return whether a layer of the model normalises over the rows of a batch."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())


def resident(store: GraphStore, device: torch.device) -> GraphStore:
    """Return the store on the device if it takes at most half of the free memory there."""
    if device.type != "cuda":
        return store.to(device)
    free, _ = torch.cuda.mem_get_info(device)
    return store.to(device) if store.n_bytes <= 0.5 * free else store


def seed_dropout(seed: int, device: torch.device) -> None:
    """Seed the generator that dropout uses; torch.manual_seed would take milliseconds."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def matmul_precision(settings: TrainSettings, device: torch.device) -> str:
    """Return torch's name of the precision of matrix products on a device."""
    if settings.matmul_precision != "auto":
        return settings.matmul_precision
    return "high" if device.type == "cuda" else "highest"
