"""Finder: collapsed formulas, constraints, and what its switches change."""

import pytest
import torch

from atomlens.errors import SettingsError
from atomlens.graphs import collate
from atomlens.models import make_model
from atomlens.models.finder import Finder
from atomlens.nn.segment import segment_sum
from finder_graphs import collapsed_graph, naive_graph
from graph_makers import random_graph

SRTIO3 = [38, 22, 8, 8, 8]
FORMULAS = [SRTIO3, [11, 17], [26], [26, 26, 26], [13] * 2 + [16] * 3 + [8] * 12]
SMALL = {"n_features": 24, "n_hidden": (16, 16, 16, 8)}


def small_finder(**settings: object) -> Finder:
    """A small network in double precision, with random weights everywhere."""
    torch.manual_seed(0)
    model = make_model("finder", **{**SMALL, **settings}).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    assert isinstance(model, Finder)
    return model


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"aggregate": "sum"},
        {"aggregate": "max"},
        {"aggregate": "min"},
        {"attention": False},
        {"pooling_attention": False},
        {"gate": "scalar", "post_processing": False},
        {"n_layers": 3},
        {"n_layers": 1, "element_vectors": "one-hot"},
    ],
    ids=str,
)
@torch.no_grad()
def test_a_collapsed_formula_gives_the_numbers_of_the_graph_of_all_its_atoms(
    settings: dict[str, object],
) -> None:
    model = small_finder(**settings)
    naive = model(collate([naive_graph(f) for f in FORMULAS], torch.float64))
    batch = collate([collapsed_graph(f) for f in FORMULAS], torch.float64)
    collapsed = model(batch)
    torch.testing.assert_close(collapsed.values, naive.values, rtol=0, atol=1e-9)
    of_strontium_titanate = naive.node_attention[:5]
    by_element = [
        of_strontium_titanate[2:].sum(),
        of_strontium_titanate[1],
        naive.node_attention[0],
    ]
    torch.testing.assert_close(collapsed.node_attention[:3], torch.stack(by_element))


@torch.no_grad()
def test_a_collapsed_formula_of_hundreds_of_atoms_is_exact_in_single_precision() -> None:
    model = small_finder().float()
    numbers = [26] * 250 + [24] * 150 + [28] * 99 + [6]
    naive = model(collate([naive_graph(numbers)])).values
    collapsed = model(collate([collapsed_graph(numbers)])).values
    torch.testing.assert_close(collapsed, naive, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["formula", "structure"])
@torch.no_grad()
def test_attention_of_neighbours_adds_up_to_one(mode: str) -> None:
    graphs = [collapsed_graph(f) for f in FORMULAS] if mode == "formula" else [random_graph(6, 3)]
    batch = collate(graphs, torch.float64)
    has_neighbors = torch.bincount(batch.edge_index[1], minlength=batch.n_nodes) > 0
    for shares in small_finder(mode=mode)(batch).edge_attention:
        totals = segment_sum(shares, batch.edge_index[1], batch.n_nodes).squeeze(1)
        torch.testing.assert_close(totals, has_neighbors.double())


@torch.no_grad()
def test_edge_attributes_make_the_matrix_of_the_graph_of_all_atoms() -> None:
    model = small_finder()
    naive, collapsed = naive_graph(SRTIO3), collapsed_graph(SRTIO3)
    full = torch.zeros(5, 5, dtype=torch.float64)
    full[naive.edge_index[1], naive.edge_index[0]] = model.edge_attributes(
        collate([naive], torch.float64)
    )
    matrix = torch.full((3, 3), torch.nan, dtype=torch.float64)
    matrix[collapsed.edge_index[1], collapsed.edge_index[0]] = model.edge_attributes(
        collate([collapsed], torch.float64)
    )
    assert matrix.isnan().nonzero().tolist() == [[1, 1], [2, 2]]  # one Ti, one Sr
    torch.testing.assert_close(matrix[0, 0], full[2, 3])
    torch.testing.assert_close(matrix[0, 2], full[2, 0])
    torch.testing.assert_close(matrix[2, 0], full[0, 4])
    assert (full[0, 2] - full[2, 0]).abs() > 1e-6


def test_weight_vectors_are_no_longer_than_their_limits_after_a_step() -> None:
    model = small_finder()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(100)
    before = model.output.weight.clone()
    model.constrain_weights()
    for layer in model.layers:
        for name, limit in (("query", 1.0), ("key", 1.0), ("value", 2.0)):
            lengths = layer.attention[name].weight.norm(dim=1)
            torch.testing.assert_close(lengths, torch.full_like(lengths, limit), rtol=1e-5, atol=0)
    for pooling in model.poolings:
        assert max(pooling.gate[i].weight.norm(dim=1).max() for i in (0, 2)) < 1 + 1e-5
        assert pooling.value[0].weight.norm(dim=1).max() > 1.1
    assert torch.equal(model.output.weight, before)


def test_short_weight_vectors_are_left_alone() -> None:
    model = small_finder()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1e-3)
    before = {name: p.clone() for name, p in model.named_parameters()}
    model.constrain_weights()
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_the_noise_is_clipped_and_then_has_no_gradient() -> None:
    model = small_finder(predict_scale=True)
    with torch.no_grad():
        model.output.bias[1] = 1e6
    output = model(collate([collapsed_graph(SRTIO3)], torch.float64))
    assert output.log_scale is not None
    assert output.log_scale.item() == 10
    output.log_scale.sum().backward()
    assert not model.output.weight.grad.any()


@pytest.mark.parametrize("mode", ["formula", "structure"])
def test_every_parameter_of_either_mode_gets_a_gradient(mode: str) -> None:
    model = small_finder(mode=mode)
    model(
        collate([random_graph(6, 3, seed=s) for s in range(4)], torch.float64)
    ).values.sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_structure_mode_refuses_formula_graphs() -> None:
    with pytest.raises(SettingsError, match="mode=formula"):
        small_finder(mode="structure")(collate([collapsed_graph(SRTIO3)], torch.float64))


def test_twice_the_formula_is_another_input_unless_the_builder_reduces_it() -> None:
    model = small_finder()
    one, two = (collate([collapsed_graph(f)], torch.float64) for f in (SRTIO3, SRTIO3 * 2))
    assert (model(one).values - model(two).values).abs().item() > 1e-9
    kind, settings = model.formula_builder
    assert (kind, settings) == ("formula", {"reduce": True})


def test_an_unknown_table_of_element_vectors_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'mat2vec'"):
        make_model("finder", element_vectors="mat2vek")


def test_the_loss_of_the_paper_is_ours_up_to_a_constant_shift() -> None:
    from atomlens.training.losses import laplace_nll

    error = torch.tensor([[0.3], [-2.0]])
    log_std = torch.tensor([[0.1], [-0.7]], requires_grad=True)
    shift = 0.5 * torch.log(torch.tensor(2.0))
    ours = laplace_nll(error, log_std - shift) + shift
    paper = 2**0.5 * error.abs() * (-log_std).exp() + log_std
    torch.testing.assert_close(ours, paper)
    at_minimum = (2**0.5 * error.abs()).log().requires_grad_(True)
    laplace_nll(error, at_minimum - shift).sum().backward()
    torch.testing.assert_close(at_minimum.grad, torch.zeros(2, 1), atol=1e-6, rtol=0)
