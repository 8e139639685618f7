"""What runs on a device in one step."""

import torch
from torch import Tensor, nn

from atomlens.graphs import GraphStore
from atomlens.models import PropertyModel
from atomlens.training.losses import TargetLoss


class StepModule(nn.Module):
    """Rows in, loss out: what runs on each device in a step."""

    def __init__(self, model: PropertyModel, loss: TargetLoss, store: GraphStore, encoded: Tensor):
        super().__init__()
        self.model = model
        self.loss = loss
        self.store = store
        self.encoded = encoded

    def forward(self, rows: Tensor, step: int) -> Tensor:
        """Return the loss of the graphs ``rows`` of the store in training step ``step``."""
        batch = self.store.batch(rows)
        if batch.distances.device != self.encoded.device:
            batch = batch.to(self.encoded.device)
        output = self.model(batch)
        loss: Tensor = self.loss(output, self.encoded.index_select(0, rows))
        more = self.model.auxiliary_loss(batch, output, step)
        return loss if more is None else loss + more


def resident(store: GraphStore, device: torch.device) -> GraphStore:
    """Return the store on the device if it takes at most half of the free memory there."""
    if device.type != "cuda":
        return store.to(device)
    tensors = [getattr(store, name) for name in store.__dataclass_fields__]
    size = sum(t.numel() * t.element_size() for t in tensors if t is not None)
    free, _ = torch.cuda.mem_get_info(device)
    return store.to(device) if size <= 0.5 * free else store


def seed_dropout(seed: int, device: torch.device) -> None:
    """Seed the generator that dropout uses; torch.manual_seed would take milliseconds."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
