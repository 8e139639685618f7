"""From a paper's equations to a trained, explained and checked model, in one file.

SchNet: Schütt, Kindermans, Sauceda, Chmiela, Tkatchenko and Müller, "SchNet: A continuous-filter
convolutional neural network for modeling quantum interactions", NIPS (2017).
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

import atomlens as al
from atomlens.graphs import GraphBatch
from atomlens.models import ModelOutput, PropertyModel
from atomlens.nn.basis import GaussianBasis
from atomlens.nn.readout import mean_pooling, values_and_scale
from atomlens.nn.segment import segment_sum
from atomlens.settings import Settings, bounded
from atomlens.testing import check_model


class ShiftedSoftplus(nn.Module):
    """ssp(x) = ln(0.5 eˣ + 0.5)."""

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return nn.functional.softplus(x) - math.log(2)


@dataclass(frozen=True, kw_only=True)
class SchNetConfig(Settings):
    """Settings of SchNet; training fills in the last three by the data."""

    n_layers: int = bounded(3, least=1)
    """Interaction blocks."""
    n_features: int = bounded(64, least=1)
    """Width of the atoms."""
    cutoff: float = bounded(5.0, above=0)
    """Å; where the distance basis ends."""
    n_gaussians: int = bounded(25, least=2)
    n_outputs: int = 1
    n_elements: int = 95
    predict_scale: bool = False


class Interaction(nn.Module):
    """x_i + W₂ ssp(W₁ Σ_j (W x_j) ∘ F(d_ij)), with F the filter of a distance (Eq 2, Fig 2)."""

    def __init__(self, n_features: int, n_gaussians: int) -> None:
        super().__init__()
        self.filter = nn.Sequential(
            nn.Linear(n_gaussians, n_features),
            ShiftedSoftplus(),
            nn.Linear(n_features, n_features),
            ShiftedSoftplus(),
        )
        self.source = nn.Linear(n_features, n_features, bias=False)
        self.update = nn.Sequential(
            nn.Linear(n_features, n_features),
            ShiftedSoftplus(),
            nn.Linear(n_features, n_features),
        )

    def forward(
        self,
        nodes: Float[Tensor, "n_nodes n"],
        basis: Float[Tensor, "n_edges m"],
        batch: GraphBatch,
    ) -> Float[Tensor, "n_nodes n"]:
        source, target = batch.edge_index  # a message flows from source to target
        messages = self.source(nodes)[source] * self.filter(basis)
        return nodes + self.update(segment_sum(messages, target, batch.n_nodes))


class SchNet(PropertyModel):
    """Continuous-filter convolutions; the property is the mean of what each atom says."""

    Config = SchNetConfig
    default_builder: ClassVar[tuple[str, dict[str, Any]]] = ("radius", {"cutoff": 5.0})
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)
    output_layers: ClassVar[tuple[str, ...]] = ("head.2",)
    paper: ClassVar[str] = "SchNet, NIPS (2017)"

    def __init__(self, config: SchNetConfig) -> None:
        super().__init__(config)
        c = config
        self.embedding = nn.Embedding(c.n_elements, c.n_features)
        self.basis = GaussianBasis(
            c.cutoff, n_centers=c.n_gaussians, width=c.cutoff / c.n_gaussians
        )
        self.layers = nn.ModuleList(
            Interaction(c.n_features, c.n_gaussians) for _ in range(c.n_layers)
        )
        n_columns = c.n_outputs * (2 if c.predict_scale else 1)
        self.head = nn.Sequential(
            nn.Linear(c.n_features, c.n_features // 2),
            ShiftedSoftplus(),
            nn.Linear(c.n_features // 2, n_columns),
        )

    @property
    def attends_to_atoms(self) -> bool:
        return False

    @property
    def is_additive(self) -> bool:
        return True

    def forward(self, batch: GraphBatch) -> ModelOutput:
        nodes = self.embedding(batch.atomic_numbers)
        basis = self.basis(batch.distances)
        for layer in self.layers:
            nodes = layer(nodes, basis, batch)
        said = self.head(nodes)  # by each atom
        mean, shares = mean_pooling(said, batch.graph_index, batch.node_counts)
        values, log_scale = values_and_scale(mean, predict_scale=self.config.predict_scale)
        return ModelOutput(
            values=values,
            log_scale=log_scale,
            node_attention=shares,
            node_terms=said[:, : self.config.n_outputs] * shares.unsqueeze(1),
            node_features=nodes,
        )


if __name__ == "__main__":
    check_model(SchNet, n_features=8, n_layers=2)
    print("SchNet keeps its promises")

    torch.set_num_threads(1)
    model = al.train(
        Path(__file__).parent / "boiling_points.csv",
        target="boiling_point",
        model=SchNetConfig(n_layers=2, n_features=32),
        out="schnet-model",
        split="random:.6/.2/.2",
        epochs=60,
        batch_size=8,
        learning_rate=5e-3,
    )
    test = model.metrics["test"]["targets"]["boiling_point"]
    print(f"MAE {test['mae']:.0f} °C on {test['n']} unseen molecules (mean {test['mad']:.0f})")

    again = al.load("schnet-model")
    explained = again.explain("CCCCCO", method="contribution")
    total = explained.offset + explained.scores.sum()
    print(f"pentan-1-ol: {explained.prediction:.1f} °C, its atoms add up to {total:.1f} °C")
