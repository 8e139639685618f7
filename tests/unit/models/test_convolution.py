"""Convolutions of CGCNN and AE-CGCNN: against the printed equations, written out."""

import pytest
import torch
from torch import Tensor, nn

from atomlens.models.cgcnn.layers import (
    AttentionConvolution,
    AttentionPooling,
    EdgeConvolution,
    GatedConvolution,
    PairLinear,
)
from atomlens.nn.basis import GaussianBasis, SmoothBasis
from atomlens.nn.edges import EdgeLayout
from atomlens.nn.norm import RowNorm
from atomlens.nn.segment import segment_sum
from graph_makers import random_graph

N, EDGE = 8, 5


def inputs(seed: int = 0) -> tuple[Tensor, Tensor, EdgeLayout]:
    graph = random_graph(6, 4, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    nodes = torch.randn(6, N, generator=generator)
    edges = torch.randn(graph.n_edges, EDGE, generator=generator)
    return nodes, edges, EdgeLayout.of(graph.edge_index, 6)


def attending(**settings: object) -> AttentionConvolution:
    torch.manual_seed(1)
    chosen = {"n_heads": 3, "head_softmax": "joint", "combine": "mean", "scalar": False}
    layer = AttentionConvolution(N, EDGE, nn.ReLU(), **(chosen | settings))  # type: ignore[arg-type]
    return layer.eval()


def test_the_split_map_equals_the_map_of_the_joined_vector() -> None:
    nodes, edges, layout = inputs()
    pair = PairLinear(N, EDGE, 7)
    joined = torch.cat([nodes[layout.target], nodes[layout.source], edges], dim=1)
    torch.testing.assert_close(pair(nodes, edges, layout), pair.linear(joined))


def test_a_gated_convolution_is_what_the_paper_prints() -> None:
    nodes, edges, layout = inputs()
    layer = GatedConvolution(N, EDGE, nn.Softplus()).eval()
    z = layer.edge_norm(layer.pair(nodes, edges, layout))
    messages = torch.sigmoid(z[:, :N]) * nn.functional.softplus(z[:, N:])
    expected = torch.stack(
        [
            nn.functional.softplus(
                nodes[i] + layer.node_norm(messages[layout.target == i].sum(0, keepdim=True))[0]
            )
            for i in range(6)
        ]
    )
    torch.testing.assert_close(layer(nodes, edges, layout).nodes, expected)


@pytest.mark.parametrize("scalar", [True, False])
def test_the_joint_softmax_shares_one_between_neighbours_and_heads(scalar: bool) -> None:
    _, edges, layout = inputs()
    layer = attending(scalar=scalar)
    n_scores = 1 if scalar else N
    scores = 50 * torch.randn(len(edges), 3, n_scores)
    weights, totals = layer._weights(scores, layout)
    for atom in range(6):
        rows = layout.target == atom
        expected = scores[rows].flatten(0, 1).softmax(dim=0).view(-1, 3, n_scores)
        torch.testing.assert_close(weights[rows] / totals[atom], expected)


def test_the_softmax_of_each_head_shares_one_in_each_head() -> None:
    _, edges, layout = inputs()
    layer, scores = attending(head_softmax="per-head"), torch.randn(len(edges), 3, N)
    weights, totals = layer._weights(scores, layout)
    for atom in range(6):
        rows = layout.target == atom
        torch.testing.assert_close(weights[rows] / totals[atom], scores[rows].softmax(dim=0))


@pytest.mark.parametrize("combine", ["mean", "attention", "extra"])
@pytest.mark.parametrize("head_softmax", ["joint", "per-head"])
def test_the_share_of_each_neighbour_adds_up_to_one(combine: str, head_softmax: str) -> None:
    nodes, edges, layout = inputs()
    found = attending(combine=combine, head_softmax=head_softmax)(nodes, edges, layout)
    assert found.attention is not None
    torch.testing.assert_close(segment_sum(found.attention, layout.target, 6), torch.ones(6, 3))


def test_combined_heads_lie_between_the_smallest_and_the_largest() -> None:
    layer, summed = attending(combine="attention"), torch.randn(6, 3, N)
    combined = layer._combined(summed)
    assert (combined <= summed.amax(dim=1) + 1e-6).all()
    assert (combined >= summed.amin(dim=1) - 1e-6).all()


def test_without_residual_an_edge_forgets_what_it_was() -> None:
    nodes, edges, layout = inputs()
    kept, lost = (EdgeConvolution(N, EDGE, residual=r).eval() for r in (True, False))
    lost.load_state_dict(kept.state_dict())
    difference = kept(nodes, edges, layout) - lost(nodes, edges, layout)
    torch.testing.assert_close(difference, edges)


@pytest.mark.parametrize("channelwise", [True, False])
def test_pooling_by_attention_does_not_feel_a_second_copy(channelwise: bool) -> None:
    pooling = AttentionPooling(N, channelwise=channelwise)
    nodes, aggregated, one = torch.randn(5, N), torch.randn(5, N), torch.zeros(5).long()
    pooled, shares, _ = pooling(nodes, aggregated, one, 1)
    twice, halves, _ = pooling(nodes.repeat(2, 1), aggregated.repeat(2, 1), one.repeat(2), 1)
    torch.testing.assert_close(pooled, twice)
    torch.testing.assert_close(shares, halves[:5] + halves[5:])
    assert float(shares.detach().sum()) == pytest.approx(1)


@pytest.mark.parametrize("n_rows", [0, 1])
def test_too_few_rows_are_normalised_by_the_running_statistics(n_rows: int) -> None:
    norm, rows = RowNorm(N).train(), torch.randn(n_rows, N)
    found = norm(rows)
    assert found.isfinite().all()
    torch.testing.assert_close(found, RowNorm(N).eval()(rows))


def test_the_basis_of_cgcnn_has_41_functions_with_their_maximum_at_the_centre() -> None:
    from atomlens.models.cgcnn import CgcnnConfig

    n_basis = CgcnnConfig().n_basis
    assert n_basis == 41
    basis = GaussianBasis(8.0, n_centers=n_basis, width=0.2)
    values = basis(torch.tensor([1.6]))
    assert int(values.argmax()) == 8
    assert float(values.max()) == pytest.approx(1)
    assert float(values[0, 9]) == pytest.approx(torch.e**-1, rel=1e-4)


def test_the_smooth_basis_ends_at_the_cutoff() -> None:
    basis = SmoothBasis(8.0).double()
    distances = torch.tensor([2.0, 7.999, 8.0, 9.0], dtype=torch.float64)
    values = basis(distances)
    assert values.shape == (4, 64)
    assert (values[0] > 1e-3).any()
    assert values[1].abs().max() < 1e-9
    assert (values[2:] == 0).all()
