"""A model whose terms are known by element, and a small `lens`."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import nn

from atomlens.graphs import GraphBatch
from atomlens.models import ModelOutput, PropertyModel
from atomlens.neighbors import make_builder
from atomlens.nn.segment import segment_sum
from atomlens.predictor import Predictor
from atomlens.targets import Target
from atomlens.testing.questions import trained_around
from model_makers import small_model


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsConfig:
    n_outputs: int = 1
    n_elements: int = 20
    predict_scale: bool = False


class Terms(PropertyModel):
    """y = Σ_i t(element of i), and attention that does not know of it."""

    Config = TermsConfig
    element_tables: ClassVar[tuple[str, ...]] = ("table.weight",)

    def __init__(self, config: TermsConfig) -> None:
        super().__init__(config)
        self.table = nn.Embedding(config.n_elements, config.n_outputs)

    @property
    def is_additive(self) -> bool:
        return True

    def forward(self, batch: GraphBatch) -> ModelOutput:
        terms = self.table(batch.atomic_numbers)
        shares = 1 / batch.node_counts[batch.graph_index]
        return ModelOutput(
            values=segment_sum(terms, batch.graph_index, batch.n_graphs),
            node_terms=terms,
            node_attention=shares,
        )


def terms_predictor() -> Predictor:
    torch.manual_seed(0)
    model = Terms(TermsConfig())
    with torch.no_grad():
        model.table.weight.zero_()
        for z, value in ((1, 0.1), (6, 1.0), (7, 5.0), (8, 2.0)):
            model.table.weight[z] = value
    return trained_around(
        model, builder=make_builder("voronoi"), targets=(Target(name="y", unit="eV"),)
    )


def lens_predictor(**target: object) -> Predictor:
    model = small_model("lens").float()
    found = trained_around(
        model, builder=make_builder("voronoi"), targets=(Target(name="y", unit="eV", **target),)
    )
    return replace(found, model_name="lens")


def classes_predictor() -> Predictor:
    """Of the classes no and yes; a carbon takes 1 from the logit of yes, an oxygen adds 2."""
    model = Terms(TermsConfig(n_outputs=2))
    with torch.no_grad():
        model.table.weight.zero_()
        for z, value in ((6, -1.0), (8, 2.0)):
            model.table.weight[z, 1] = value
    target = Target(name="k", kind="classification", classes=("no", "yes"))
    return trained_around(model, builder=make_builder("voronoi"), targets=(target,))
