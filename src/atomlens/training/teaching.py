"""Attention that is taught: for part of the structures it is said where it should stand.

A table gives atoms of some samples a weight for a target, such as their share in the orbital whose
energy is learned. Divided by their sum the weights are a distribution p over the atoms of the
structure, and Σ_j p_j log(p_j / a_j) is added to the loss of a batch, with a the attention of the
readout for this target. Samples without weights are learned from as ever.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from atomlens.boundary import net, read_text
from atomlens.datasets.base import Dataset
from atomlens.datasets.splits import first_forms
from atomlens.errors import SettingsError, TrainingError, unknown_name, warn
from atomlens.graphs import GraphStore
from atomlens.models.base import ModelOutput, PropertyModel
from atomlens.printing import few, shown
from atomlens.targets import Target, output_slices

_SAMPLE, _ATOM = "sample", "atom"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtAttention:
    """What is said of some samples."""

    targets: tuple[str, ...]
    weights: Mapping[str, NDArray[np.float64]]
    """By sample (n_atoms, n_taught): adds up to one over the atoms; NaN where nothing is said."""


def read_taught(path: str | Path, dataset: Dataset) -> TaughtAttention:
    """Read the columns sample, atom (from 0) and one or more targets from a CSV file.

    Args:
        path: One row an atom; rows of samples that the data set lacks are
            passed over, which is told.
        dataset: What will be learned.

    Raises:
        TrainingError: the file cannot be read, or says of a sample what cannot be.
    """
    place = Path(path).expanduser()
    with net(TrainingError, str(place), "give a CSV file with the columns sample, atom, TARGET"):
        reader = csv.DictReader(io.StringIO(read_text(place)))
        headers = [name.strip() for name in reader.fieldnames or ()]
        rows = [{k.strip(): v for k, v in row.items() if k is not None} for row in reader]
    named = [t.name for t in dataset.targets if t.name in headers]
    for needed in (_SAMPLE, _ATOM):
        if needed not in headers:
            raise TrainingError(f"{place}: {unknown_name('column', needed, headers)}")
    if not named:
        raise TrainingError(
            f"{place}: no column is called as a target that is learned "
            f"({few(t.name for t in dataset.targets)}); rename one."
        )
    sizes = dict(zip(dataset.structures.names, dataset.structures.n_atoms.tolist(), strict=True))
    shared = _shared_names(dataset)
    strange: dict[str, None] = {}
    found: dict[str, NDArray[np.float64]] = {}
    for number, row in enumerate(rows, start=2):
        sample = (row[_SAMPLE] or "").strip()
        if sample not in sizes:
            strange[sample] = None
            continue
        if sample in shared:
            raise TrainingError(
                f"{place}, line {number}: {shared[sample]} samples are called {shown(sample)}, and "
                "which one's atoms are meant is open; give every row a name of its own."
            )
        own = found.setdefault(sample, np.full((sizes[sample], len(named)), np.nan))
        atom = _atom_of(row[_ATOM], len(own), f"{place}, line {number}")
        own[atom] = [_weight_of(row.get(name), f"{place}, line {number}, {name}") for name in named]
    if not found:
        raise TrainingError(
            f"{place}: none of its samples is in {dataset.name!r}, whose names begin with "
            f"{shown(dataset.structures.names[0])}; write the samples as they are called there."
        )
    if strange:
        warn(
            f"{place}: {len(strange)} of its {len(strange) + len(found)} samples are not in "
            f"{dataset.name!r} and teach nothing, such as {shown(next(iter(strange)))}."
        )
    whole = {sample: _distribution(own, f"{place}: {sample}") for sample, own in found.items()}
    return TaughtAttention(targets=tuple(named), weights=whole)


def _shared_names(dataset: Dataset) -> dict[str, int]:
    """Return how many rows have a name, where it is not one; forms of a row are one sample."""
    firsts = first_forms(dataset.row_numbers)
    names = dataset.structures.names
    counts = Counter(names if firsts is None else (names[i] for i in firsts.tolist()))
    return {name: n for name, n in counts.items() if n > 1}


def _atom_of(text: str | None, n_atoms: int, where: str) -> int:
    try:
        atom = int(str(text))
    except ValueError:
        atom = -1
    if not 0 <= atom < n_atoms:
        raise TrainingError(
            f"{where}: the atom {shown(str(text))} is none of the {n_atoms} of this sample, which "
            "are counted from 0."
        )
    return atom


def _weight_of(text: str | None, where: str) -> float:
    if not (text or "").strip():
        return math.nan
    try:
        weight = float(str(text))
    except ValueError:
        weight = -1.0
    if not 0 <= weight < math.inf:
        raise TrainingError(
            f"{where}: {shown(str(text))} is no weight; give numbers that are not negative, or "
            "leave the cell empty."
        )
    return weight


def _distribution(weights: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """Divide each column that is known for all atoms by its sum; refuse one known in part."""
    known = np.isfinite(weights)
    if (known.any(axis=0) & ~known.all(axis=0)).any():
        raise TrainingError(
            f"{where}: {int((~known).any(axis=1).sum())} of its {len(weights)} atoms have no "
            "weight; give every atom one (0 for those without a part), or leave the sample out."
        )
    sums = weights.sum(axis=0)
    if (sums == 0).any():
        raise TrainingError(f"{where}: all of its weights are 0; leave the sample out.")
    shares: NDArray[np.float64] = weights / sums
    return shares


class AttentionTeaching(nn.Module):
    """The loss of a batch's attention against what is said of it."""

    table: Tensor

    def __init__(
        self,
        taught: TaughtAttention,
        names: Sequence[str],
        targets: tuple[Target, ...],
        store: GraphStore,
        weight: float,
    ) -> None:
        """Lay out the weights of all nodes of a store.

        Args:
            taught: By sample.
            names: Of the graphs of the store.
            targets: What the model predicts.
            store: Graphs whose nodes are atoms.
            weight: Of the loss.
        """
        super().__init__()
        self.weight = weight
        places = dict(zip((t.name for t in targets), output_slices(targets), strict=True))
        self.places = [places[name] for name in taught.targets]
        offsets = store.node_offsets.tolist()
        table = np.full((offsets[-1], len(taught.targets)), np.nan, dtype=np.float32)
        for name, first, last in zip(names, offsets[:-1], offsets[1:], strict=True):
            own = taught.weights.get(name)
            if own is not None and len(own) == last - first:
                table[first:last] = own
        self.register_buffer("table", torch.from_numpy(table), persistent=False)

    def forward(self, output: ModelOutput, node_rows: Int[Tensor, " n_nodes"]) -> Float[Tensor, ""]:
        """Return the weighted mean over structures and targets of which something is said.

        Args:
            output: Of a batch.
            node_rows: Which of the store's nodes each one is; -1 for none.
        """
        shares = self.table.index_select(0, node_rows.clamp(min=0))
        known = ~shares.isnan() & (node_rows >= 0).unsqueeze(1)
        shares = torch.where(known, shares, 0.0)
        attention = torch.stack([self._attention(output, place) for place in self.places], dim=1)
        least = torch.finfo(torch.float32).tiny
        ratio = shares.clamp(min=least).log() - attention.float().clamp(min=least).log()
        n_taught = shares.sum()  # one a structure and target
        return self.weight * (shares * ratio).sum() / n_taught.clamp(min=1.0)

    def _attention(self, output: ModelOutput, place: slice) -> Float[Tensor, " n_nodes"]:
        if output.node_target_attention is None:
            return output.node_attention
        return output.node_target_attention[:, place].mean(dim=1)


def check_teachable(model: PropertyModel, taught: TaughtAttention, targets: int) -> None:
    """Refuse to teach what does not attend, or one attention for several targets.

    Raises:
        SettingsError: see above.
    """
    kind = type(model).__name__
    if not model.attends_to_atoms:
        raise SettingsError(
            f"attention_labels: a {kind} like this one has no attention that could be taught; "
            "choose lens or scann-plus."
        )
    own = model.is_additive
    if targets > 1 and not own:
        raise SettingsError(
            f"attention_labels: a {kind} has one attention for all of its {targets} targets, and "
            f"{few(taught.targets)} would pull it; learn one target, or choose lens."
        )
