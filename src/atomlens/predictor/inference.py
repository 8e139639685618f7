"""Running models over a store of graphs, batch by batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import SettingsError
from atomlens.graphs import GraphStore, cut_batches
from atomlens.machine import keep_freed_memory
from atomlens.models.base import ModelOutput, PropertyModel

Values = NDArray[np.float64]
StepProgress = Callable[[int, int], None]
"""Called with the number of structures done and in all."""

_EDGES_IN_A_BATCH = {"cpu": 32_768, "cuda": 524_288}
"""Nodes plus edges; a single larger structure makes a batch of its own."""


def check_batch_size(batch_size: Any) -> None:
    """Refuse a size of batches that is no whole number from 1 on; None is by the structures.

    Raises:
        SettingsError: it is something else.
    """
    whole = isinstance(batch_size, int | np.integer) and not isinstance(batch_size, bool)
    if batch_size is not None and not (whole and batch_size > 0):
        raise SettingsError(
            f"batch_size={batch_size!r}: it must be a whole number from 1 on, or None."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RawOutputs:
    """What every member of an ensemble returned, in scaled units."""

    values: Values
    """(n_members, n_graphs, n_outputs)"""
    log_scale: Values | None = None
    """(n_members, n_graphs, n_outputs)"""
    features: Values | None = None
    """(n_graphs, n_features) vectors of the structures, of the first member; if asked for.
    `ModelOutput.description` where it makes none"""

    @classmethod
    def of(cls, outputs: Sequence[ModelOutput]) -> "RawOutputs":
        """Take what each member returned for one batch."""
        scales = [o.log_scale.double().cpu().numpy() for o in outputs if o.log_scale is not None]
        return cls(
            values=np.stack([o.values.double().cpu().numpy() for o in outputs]),
            log_scale=np.stack(scales) if scales else None,
            features=_features(outputs[0]),
        )


def _features(output: ModelOutput) -> Values | None:
    """(n_graphs, n_features) vectors of the structures, or what the model reads; None: neither."""
    found = output.description if output.graph_features is None else output.graph_features
    if found is None:
        return None
    features: Values = found.detach().double().cpu().numpy()
    return features


@torch.no_grad()
def model_outputs(
    models: Sequence[PropertyModel],
    store: GraphStore,
    *,
    rows: NDArray[np.int64] | None = None,
    device: torch.device | None = None,
    batch_size: int | None = None,
    progress: StepProgress | None = None,
) -> Iterator[list[ModelOutput]]:
    """Give the outputs of all models for one batch after the other, in the order of the rows.

    Batches are cut by size, so that a single huge cell and a million molecules both fit. A
    graph's output does not depend on its companions beyond the rounding of 32-bit numbers.

    Args:
        models: The members of an ensemble, on ``device``.
        store: Graphs.
        rows: (n_rows,) which of them; all by default.
        device: Where batches are taken to; by default they stay where the store is.
        batch_size: Graphs of a batch at most.
        progress: Called with the numbers of graphs done and in all.
    """
    keep_freed_memory()
    device = store.node_offsets.device if device is None else device
    lean = store.select(frozenset().union(*(m.edge_fields for m in models)))
    chosen = torch.arange(len(store)) if rows is None else torch.from_numpy(rows)
    sizes = (store.node_counts + store.edge_counts).cpu().numpy().astype(np.int64)
    largest = _EDGES_IN_A_BATCH.get(device.type, _EDGES_IN_A_BATCH["cpu"])
    for start, stop in cut_batches(sizes[chosen.numpy()], batch_size=batch_size, largest=largest):
        batch = lean.batch(chosen[start:stop]).to(device)
        yield [model(batch) for model in models]
        if progress is not None:
            progress(stop, len(chosen))


def run_models(
    models: Sequence[PropertyModel],
    store: GraphStore,
    *,
    rows: NDArray[np.int64] | None = None,
    device: torch.device | None = None,
    batch_size: int | None = None,
    progress: StepProgress | None = None,
    features: bool = False,
) -> RawOutputs:
    """Predict graphs of a store, in scaled units; arguments as of `model_outputs`.

    With ``features`` also keep the vectors that the first member makes of the structures.
    """
    vectors: list[Values] = []
    values: list[list[torch.Tensor]] = [[] for _ in models]
    scales: list[list[torch.Tensor]] = [[] for _ in models]
    for outputs in model_outputs(
        models, store, rows=rows, device=device, batch_size=batch_size, progress=progress
    ):
        own = _features(outputs[0]) if features else None
        vectors += [] if own is None else [own]
        for member, output in enumerate(outputs):
            values[member].append(output.values.detach().double())
            if output.log_scale is not None:
                scales[member].append(output.log_scale.detach().double())
    n_outputs = models[0].config.n_outputs
    return RawOutputs(
        values=_stack(values, n_outputs),
        log_scale=_stack(scales, n_outputs) if any(scales) else None,
        features=np.concatenate(vectors) if vectors else None,
    )


def _stack(parts: list[list[torch.Tensor]], n_outputs: int) -> Values:
    empty = torch.zeros(0, n_outputs, dtype=torch.float64)
    stacked: Values = torch.stack([torch.cat(p) if p else empty for p in parts]).cpu().numpy()
    return stacked
