"""The attention of many structures at once."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import Failure, StudyError
from atomlens.predictor import Predictor
from atomlens.predictor.inference import cut_batches
from atomlens.structures.arrays import StructureArrays
from atomlens.studies.base import Progress, no_progress

Values = NDArray[np.float64]

_LARGEST_BATCH = 32_768
"""Nodes plus edges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Readout attention of the atoms of many structures, averaged over an ensemble."""

    scores: tuple[Values, ...]
    """(n_atoms,) for each structure that could be used; adds up to one."""
    values: Values
    """(n_kept, n_targets) predictions, in the targets' units."""
    kept: NDArray[np.int64]
    """(n_kept,) rows of the structures that could be used."""
    failures: tuple[Failure, ...] = ()


@torch.no_grad()
def attention_of(
    predictor: Predictor, structures: StructureArrays, progress: Progress = no_progress
) -> Attention:
    """Return attention and predictions of all structures that have a graph.

    Raises:
        StudyError: not one structure can be used.
    """
    from atomlens.predictor.inputs import build_graphs, gather, refuse_elements

    inputs = refuse_elements(gather(structures), predictor.config.n_elements)
    inputs, store = build_graphs(inputs, predictor.builder, n_workers=1, progress=None)
    failures = tuple(
        Failure(name=name, message=error)
        for name, error in zip(inputs.names, inputs.errors, strict=True)
        if error
    )
    if store is None:
        reason = f" The first reason: {failures[0].message}" if failures else ""
        raise StudyError(f"None of the {len(structures)} structures can be used.{reason}")
    lean = store.select(predictor.models[0].edge_fields)
    sizes = (store.node_counts + store.edge_counts).cpu().numpy().astype(np.int64)
    device = next(predictor.models[0].parameters()).device
    scores: list[Values] = []
    values = []
    for start, stop in cut_batches(sizes, batch_size=None, largest=_LARGEST_BATCH):
        rows = torch.arange(start, stop)
        batch = lean.batch(rows).to(device)
        outputs = [model(batch) for model in predictor.models]
        mean = torch.stack([o.node_attention for o in outputs]).double().mean(dim=0)
        counts = store.node_counts[rows].tolist()
        scores += [part.cpu().numpy() for part in torch.split(mean, counts)]
        raw = predictor.raw_outputs(batch)
        values.append(predictor.estimate(raw, inputs.structures.subset(rows.numpy())).values)
        progress(stop, len(sizes))
    return Attention(
        scores=tuple(scores),
        values=np.concatenate(values),
        kept=inputs.places,
        failures=failures,
    )
