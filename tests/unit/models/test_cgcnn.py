"""CGCNN and its ladder: sizes, switches, and what each step adds."""

import math
from dataclasses import asdict
from itertools import pairwise

import pytest
import torch

from atomlens.errors import SettingsError
from atomlens.graphs import AtomGraph, collate
from atomlens.models import make_model, model_config
from atomlens.models.cgcnn import Cgcnn, CgcnnConfig
from atomlens.models.cgcnn.layers import Deepening
from atomlens.models.cgcnn.model import cell_features, charge_features
from graph_makers import doubled, random_graph

LADDER = (
    "cgcnn",
    "cgcnn-edge",
    "cgcnn-attention",
    "cgcnn-charge-geometry",
    "ae-cgcnn-2",
    "ae-cgcnn",
    "ae-cgcnn-pool",
)
STEPS = (
    {"edge_update", "n_edge_features"},
    {"attention", "activation"},
    {"charges", "cell"},
    {"n_heads"},
    {"combine"},
    {"pooling"},
)


def test_the_published_network_has_80833_parameters() -> None:
    # Xie and Grossman's code: 92 numbers an element, 3 convolutions of width 64, hidden 128
    assert make_model("cgcnn", n_layers=3, n_elements=92).n_parameters == 80_833


def test_each_step_of_the_ladder_adds_one_thing() -> None:
    for (lower, upper), expected in zip(pairwise(LADDER), STEPS, strict=True):
        before, after = asdict(model_config(lower)), asdict(model_config(upper))
        assert {k for k in before if before[k] != after[k]} == expected


@pytest.mark.parametrize("name", [*LADDER, "geo-cgcnn"])
def test_a_supercell_has_the_same_prediction_and_shared_attention(name: str) -> None:
    torch.manual_seed(0)
    model = make_model(name, **({} if name == "geo-cgcnn" else {"cell": False})).double().eval()
    graph = random_graph(7, 5)
    one, two = (model(collate([g], torch.float64)) for g in (graph, doubled(graph)))
    torch.testing.assert_close(one.values, two.values)
    halves = two.node_attention
    torch.testing.assert_close(one.node_attention, halves[:7] + halves[7:])


def test_attention_pooling_tells_atoms_apart() -> None:
    torch.manual_seed(0)
    model = make_model("ae-cgcnn-pool").double().eval()
    shares = model(collate([random_graph(9, 5)], torch.float64)).node_attention
    assert float((shares.max() - shares.min()).detach()) > 1e-4


def test_charges_change_the_prediction_and_their_absence_is_no_charge() -> None:
    torch.manual_seed(0)
    model = make_model("ae-cgcnn").double().eval()
    graph = random_graph(6, 4)
    fields = {k: getattr(graph, k) for k in AtomGraph.__dataclass_fields__}
    without = AtomGraph(**fields | {"charges": None})
    neutral = AtomGraph(**fields | {"charges": torch.zeros(6, dtype=torch.float64)})
    charged, unknown, zero = (
        model(collate([g], torch.float64)).values for g in (graph, without, neutral)
    )
    assert not torch.equal(charged, zero)
    torch.testing.assert_close(unknown, zero)


def test_the_flag_alone_hides_the_value_of_a_charge() -> None:
    batch = collate([random_graph(6, 4)])
    flag, value = charge_features(batch, "value")
    assert (flag == 1).all()
    assert value.std() > 0.01
    assert len(charge_features(batch, "flag")) == 1


def test_cell_features_are_log_lengths_and_angles() -> None:
    graph = random_graph(3, 2)
    fields = {k: getattr(graph, k) for k in AtomGraph.__dataclass_fields__}
    cell = torch.tensor([[10.0, 0, 0], [0, 20.0, 0], [-15.0, 0, 15.0 * 3**0.5]])
    batch = collate([AtomGraph(**fields | {"cell": cell.double()})], torch.float64)
    expected = [*torch.tensor([2.0, 3.0, 4.0]).log().tolist(), 1 / 2, 2 / 3, 1 / 2]
    torch.testing.assert_close(
        cell_features(batch), torch.tensor([expected] * 3, dtype=torch.float64)
    )


def test_edges_first_or_side_by_side_are_different_networks() -> None:
    torch.manual_seed(0)
    beside = Cgcnn(CgcnnConfig(n_layers=2, edge_update=True, n_edge_features=42)).eval()
    first = Cgcnn(CgcnnConfig(n_layers=2, edge_update=True, n_edge_features=42, edge_first=True))
    assert len(first.edge_updates) == len(beside.edge_updates) + 1


def test_heads_without_attention_are_refused() -> None:
    with pytest.raises(SettingsError, match="needs attention"):
        make_model("cgcnn", n_heads=3)


def test_the_published_head_of_geo_cgcnn_has_no_bias() -> None:
    model = make_model("geo-cgcnn")
    assert model.output.bias is None
    assert all(getattr(layer, "bias", None) is None for layer in model.head[::3])
    assert make_model("geo-cgcnn", output_bias=True).output.bias is not None


def test_plane_waves_vanish_for_a_molecule() -> None:
    torch.manual_seed(0)
    model = make_model("geo-cgcnn", n_layers=1).double().eval()
    graph = random_graph(4, 3)
    fields = {k: getattr(graph, k) for k in AtomGraph.__dataclass_fields__}
    none = torch.zeros(3, 3, dtype=torch.float64)
    flat = AtomGraph(**fields | {"cell": none, "reduced_cell": none})
    waves = model._plane_waves(collate([flat], torch.float64))  # type: ignore[attr-defined]
    assert (waves == 0).all()


def test_a_plane_wave_has_the_period_of_eight_cells() -> None:
    model = make_model("geo-cgcnn", n_layers=1).double()
    graph = random_graph(4, 3)
    fields = {k: getattr(graph, k) for k in AtomGraph.__dataclass_fields__}
    assert graph.cell is not None
    moved = AtomGraph(**fields | {"edge_vectors": graph.edge_vectors + 8 * graph.cell[0]})
    waves = [model._plane_waves(collate([g], torch.float64)) for g in (graph, moved)]  # type: ignore[attr-defined]
    torch.testing.assert_close(*waves)


def test_deep_variants_add_a_map_a_layer_and_nothing_where_they_are_off() -> None:
    plain = make_model("ae-cgcnn").n_parameters
    assert make_model("ae-cgcnn", initial_residual=0.1).n_parameters == plain
    assert make_model("ae-cgcnn", identity_mapping=0.5).n_parameters == plain + 4 * 64**2


def test_with_nothing_but_the_initial_residual_neighbours_are_not_heard() -> None:
    torch.manual_seed(0)
    graph = random_graph(6, 4)
    fields = {k: getattr(graph, k) for k in AtomGraph.__dataclass_fields__}
    nearer = AtomGraph(**fields | {"distances": 0.8 * graph.distances})
    found = {}
    for share in (1.0, 0.5):
        model = make_model("cgcnn", initial_residual=share).double().eval()
        one, two = (model(collate([g], torch.float64)).values for g in (graph, nearer))
        found[share] = float((one - two).detach().abs().max())
    assert found[1.0] == 0
    assert found[0.5] > 1e-6


def test_deep_layers_mix_as_the_equations_say() -> None:
    layer = Deepening(3, 2, 0.25, 0.5, torch.nn.Identity())
    for linear in layer.maps:
        torch.nn.init.zeros_(linear.weight)
    changed, first = torch.full((2, 3), 4.0), torch.full((2, 3), 8.0)
    mixed = 0.75 * 4 + 0.25 * 8
    for index, beta in enumerate((math.log(1.5), math.log(1.25))):
        torch.testing.assert_close(
            layer(index, changed, first), torch.full((2, 3), (1 - beta) * mixed)
        )


def test_a_deep_network_trains_every_weight() -> None:
    torch.manual_seed(0)
    model = make_model("ae-cgcnn", n_layers=6, initial_residual=0.1, identity_mapping=0.5)
    model(collate([random_graph(6, 4), random_graph(5, 4)])).values.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert all(bool(linear.weight.grad.abs().sum() > 0) for linear in model.deepening.maps)
