"""How far the scores of single networks and ensembles vary."""

from dataclasses import dataclass
from threading import Lock
from typing import ClassVar

import numpy as np
import pytest
import torch
from ase.build import molecule
from torch import nn

from atomlens.explain import EXPLAINERS, Question
from atomlens.explain.spread import (
    N_THINNED,
    drops,
    leading_share,
    rank_stability,
    scores_of_thinned,
    sites_of,
)
from atomlens.graphs import GraphBatch
from atomlens.models import ModelOutput, PropertyModel
from atomlens.neighbors import make_builder
from atomlens.nn.segment import segment_sum
from atomlens.predictor import Predictor
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target
from atomlens.testing.questions import trained_around
from model_makers import kind_of, small_model

WATER = molecule("CH3CH2OH")


def predictor(*models: PropertyModel, name: str = "scann-plus") -> Predictor:
    builder, settings = kind_of(name).default_builder
    target = (Target(name="y", unit="eV"),)
    return trained_around(*models, builder=make_builder(builder, **settings), targets=target)


def about(model: Predictor) -> Question:
    return Question.about(model, StructureArrays.from_atoms([WATER]), device="cpu")


@pytest.mark.parametrize("method", ["attention", "attention-rollout", "gradient"])
def test_a_network_with_dropout_has_a_spread_and_stays_as_it_is(method: str) -> None:
    model = small_model("scann-plus", dropout=0.2, attention_dropout=0.1)
    question = about(predictor(model))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.get_rng_state()
    found, again = (scores_of_thinned(EXPLAINERS[method](), question) for _ in range(2))
    assert found is not None
    assert found.shape == (N_THINNED, len(WATER))
    assert (found.std(axis=0) > 0).all()
    np.testing.assert_array_equal(found, again)
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


class Watch:
    """Hears of every pass; holds what cannot be copied, as the application's bench does."""

    def __init__(self) -> None:
        self.lock, self.passes = Lock(), 0

    def heard(self, *_: object) -> None:
        with self.lock:
            self.passes += 1


def test_a_network_that_is_watched_can_be_thinned() -> None:
    model, watch = small_model("scann-plus", dropout=0.2), Watch()
    model.register_forward_pre_hook(watch.heard)
    model.layers[0].register_forward_hook(watch.heard)
    assert scores_of_thinned(EXPLAINERS["attention"](), about(predictor(model))) is not None
    before = watch.passes
    predictor(model).explain(WATER, method="attention")
    assert watch.passes > before


def test_without_dropout_or_with_several_passes_there_is_none() -> None:
    still = about(predictor(small_model("scann-plus", dropout=0.0, attention_dropout=0.0)))
    assert scores_of_thinned(EXPLAINERS["attention"](), still) is None
    noisy = small_model("scann-plus", dropout=0.2)
    assert scores_of_thinned(EXPLAINERS["occlusion"](), about(predictor(noisy))) is None
    two = about(predictor(noisy, small_model("scann-plus", dropout=0.2)))
    assert scores_of_thinned(EXPLAINERS["attention"](), two) is None
    assert not drops(small_model("cgcnn"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NormedConfig:
    n_outputs: int = 1
    n_elements: int = 20
    predict_scale: bool = False


class Normed(PropertyModel):
    """A sum over atoms of a batch norm under dropout."""

    Config = NormedConfig
    element_tables: ClassVar[tuple[str, ...]] = ("embedding.weight",)

    def __init__(self, config: NormedConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.n_elements, 4)
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)

    def forward(self, batch: GraphBatch) -> ModelOutput:
        terms = self.drop(self.norm(self.embedding(batch.atomic_numbers))).tanh().sum(dim=1)
        values = segment_sum(terms.unsqueeze(1), batch.graph_index, batch.n_graphs)
        return ModelOutput(values=values, node_attention=torch.ones_like(terms) / len(terms))


def test_statistics_of_a_batch_do_not_move() -> None:
    """Dropout goes on alone: what else changes in training must not."""
    torch.manual_seed(0)
    model = Normed(NormedConfig())
    assert drops(model)
    question = about(predictor(model))
    statistics = {k: v.clone() for k, v in model.named_buffers()}
    found = scores_of_thinned(EXPLAINERS["gradient"](), question)
    assert found is not None
    assert np.ptp(found, axis=0).max() > 0
    assert all(torch.equal(v, statistics[k]) for k, v in model.named_buffers())


def test_the_order_of_atoms_is_stable_if_all_networks_have_it() -> None:
    order, apart = np.array([0.4, -0.1, 0.2, 0.05]), np.arange(4)
    assert rank_stability(np.stack([order, 2 * order, -order]), apart) == pytest.approx(1)
    reverse = np.array([1.0, 3.0, 2.0, 4.0])
    assert rank_stability(np.stack([order, reverse]), apart) == pytest.approx(-1)
    assert np.isnan(rank_stability(order[None], apart))
    assert np.isnan(rank_stability(np.ones((3, 5)), np.arange(5)))
    assert np.isnan(rank_stability(np.ones((3, 2)), np.arange(2)))
    draws = np.random.default_rng(0).random((40, 30))
    assert abs(rank_stability(draws, np.arange(30))) < 0.05


def test_the_share_of_networks_that_agree_on_the_leading_atom() -> None:
    apart = np.arange(3)
    one = np.array([[0.1, -0.6, 0.3], [0.2, -0.5, 0.3], [0.4, -0.3, 0.3]])
    assert leading_share(one, apart) == pytest.approx(2 / 3)
    assert leading_share(one[:2], apart) == 1
    assert np.isnan(leading_share(one[:1], apart))
    tied = np.array([[0.5, 0.5, 0.1], [0.6, 0.5, 0.1]])  # the first network has two leaders
    assert leading_share(tied, apart) == pytest.approx(0.75)
    methyl = np.array([[0.2, 0.3, 0.31, 0.29], [0.2, 0.31, 0.29, 0.3]])
    sites = np.array([0, 1, 1, 1])  # symmetry exchanges the last three, whichever is ahead
    assert leading_share(methyl, sites) == 1
    assert np.isnan(leading_share(methyl, np.zeros(4, dtype=int)))
    assert np.isnan(leading_share(np.zeros((2, 3)), apart))  # of what a bound has cut


def test_equal_atoms_have_one_rank_whatever_rounding_makes_of_them() -> None:
    water = np.array([[0.5, 0.2, 0.2], [0.5, 0.2, 0.2 + 1e-7], [0.4, 0.1 + 1e-7, 0.1]])
    sites = sites_of(water.mean(axis=0), np.array([8, 1, 1], dtype=np.uint8))
    assert sites[1] == sites[2] != sites[0]
    assert rank_stability(water, sites) == pytest.approx(1)
    fullerene = 1 + 1e-7 * np.random.default_rng(0).random((3, 60))
    one = sites_of(fullerene.mean(axis=0), np.full(60, 6, dtype=np.uint8))
    assert one.max() == 0
    assert np.isnan(rank_stability(fullerene, one))
    thinned = np.random.default_rng(0).random((16, 60))  # dropout makes equal atoms differ
    assert np.isnan(rank_stability(thinned, one))


def test_explanations_say_over_what_scores_vary(tmp_path: object) -> None:
    dropped = predictor(small_model("scann-plus", dropout=0.2))
    found = dropped.explain(WATER, method="attention")
    assert (found.scores_std_source, found.scores_std is not None) == ("dropout", True)
    content = found.to_dict()
    assert content["scores_std_source"] == "dropout"
    assert -1 <= float(str(content["rank_stability"])) <= 1
    assert "dropout" in found.picture().scores_std_source
    sampled = dropped.explain(WATER, method="shapley")
    assert (sampled.scores_std_source, sampled.rank_stability) == ("sampling", None)
    joint = predictor(*(small_model("scann-plus") for _ in range(2)))
    assert joint.explain(WATER, method="attention").scores_std_source == "ensemble"
    masked = joint.explain(WATER, method="learnt-mask-edges")
    assert (masked.scores_std, masked.scores_std_source) == (None, "")
    edges = masked.to_dict()["edges"]
    assert isinstance(edges, dict)
    assert {len(column) for column in edges.values()} == {len(edges["scores"])}


@pytest.mark.parametrize("method", ["expected-gradients", "shapley"])
def test_the_spread_of_sampled_scores_knows_of_the_draws(method: str) -> None:
    first, second = small_model("scann-plus"), small_model("scann-plus")
    alike, alone = predictor(first, second), predictor(first)
    of_one = alone.explain(WATER, method=method, device="cpu")
    of_two = alike.explain(WATER, method=method, device="cpu")
    assert of_one.scores_std_source == "sampling"
    assert of_two.scores_std_source == "ensemble and sampling"
    assert of_one.scores_std is not None
    assert of_one.scores_std.max() > 0
    np.testing.assert_allclose(of_two.scores_std, of_one.scores_std, rtol=1e-4, atol=1e-7)
