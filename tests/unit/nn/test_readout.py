"""Facts about the global attention."""

import math

import pytest
import torch

from atomlens.nn.additive import AdditiveReadout, SelfStandingReadout
from atomlens.nn.readout import lower_bound, mean_scores, paper_scores, reference_scores

QUERY = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
KEY = torch.randn(7, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
INDEX = torch.tensor([0, 0, 0, 1, 1, 1, 1])
COUNTS = torch.tensor([3, 4])


def test_the_sum_over_pairs_equals_the_explicit_matrix_without_its_diagonal() -> None:
    pairs = QUERY @ KEY.T
    same_graph = (INDEX[:, None] == INDEX[None, :]) & ~torch.eye(7, dtype=torch.bool)
    explicit = (pairs * same_graph).sum(dim=0)
    torch.testing.assert_close(paper_scores(QUERY, KEY, INDEX, COUNTS), explicit)


def test_the_reference_scores_have_length_one_in_every_graph() -> None:
    scores = reference_scores(QUERY, KEY, INDEX, COUNTS)
    for graph in (0, 1):
        torch.testing.assert_close(scores[graph == INDEX].norm(), torch.tensor(1.0).double())


def test_the_reference_attention_spans_at_most_a_factor_of_e_to_the_root_two() -> None:
    scores = reference_scores(1e3 * QUERY, 1e3 * KEY, INDEX, COUNTS)
    for graph in (0, 1):
        part = scores[graph == INDEX]
        assert (part.max() - part.min()).exp() <= math.exp(math.sqrt(2)) + 1e-9


def test_a_lone_atom_has_a_finite_reference_score() -> None:
    scores = reference_scores(QUERY[:1], KEY[:1], INDEX[:1], torch.tensor([1]))
    assert scores.isfinite().all()


def test_the_mean_scores_are_the_same_in_a_doubled_graph() -> None:
    once = mean_scores(QUERY[:3], KEY[:3], INDEX[:3], torch.tensor([3]))
    twice = mean_scores(
        QUERY[:3].repeat(2, 1), KEY[:3].repeat(2, 1), torch.zeros(6).long(), torch.tensor([6])
    )
    torch.testing.assert_close(once.repeat(2), twice)


def test_an_additive_readout_scores_by_the_mean_of_the_queries_of_all_atoms() -> None:
    """Of atoms that are there, as often as a node stands for some."""
    torch.manual_seed(0)
    readout = AdditiveReadout(6, 2).double()
    nodes = torch.randn(5, 6, dtype=torch.float64)
    index, counts = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([3, 2])
    keep = torch.tensor([1.0, 0, 1, 1, 1], dtype=torch.float64)
    amounts = torch.tensor([2.0, 1, 3, 1, 4], dtype=torch.float64)
    hidden = torch.nn.functional.silu(readout.input(nodes))
    key, queries = readout.key(hidden), readout.query(hidden).view(5, 2, 6)
    for given, weights in (
        ({}, torch.ones(5)),
        ({"keep": keep, "amounts": amounts}, keep * amounts),
    ):
        own = readout(nodes, index, counts, **given).scores
        for graph in range(2):
            here = (index == graph) & (weights > 0)
            share = weights[here] / weights[here].sum()
            mean = (share[:, None, None] * queries[here]).sum(dim=0)
            scores = key[here] @ mean.T * 6**-0.5
            if given:
                scores = scores + amounts[here].log()[:, None]
            torch.testing.assert_close(own[here], scores)


NODES = torch.randn(7, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
GONE = torch.tensor([0, 1, 0, 1, 1, 1, 1], dtype=torch.bool)
"""Atoms that are not there: one of the first graph, and all of the second."""
KEEP = (~GONE).double()


def _readout(kind: str) -> AdditiveReadout | SelfStandingReadout:
    if kind == "attention":
        return AdditiveReadout(6, 2).double()
    return SelfStandingReadout(6, 2, 3, saturates=kind == "presence").double()


@pytest.mark.parametrize("kind", ["attention", "presence", "gates"])
def test_a_graph_of_which_nothing_is_left_adds_up_to_nothing_and_attends_to_nobody(
    kind: str,
) -> None:
    torch.manual_seed(0)
    readout = _readout(kind)
    base = torch.ones(7, 2, dtype=torch.float64)
    found = readout(NODES, INDEX, COUNTS, keep=KEEP, base=base)
    for own in (found.terms, found.attention):
        assert own[GONE].abs().max() == 0
    for own in (found.values, found.pooled):
        assert own[1].abs().max() == 0
    assert found.values[0].abs().min() > 1e-3


@pytest.mark.parametrize("saturates", [True, False])
def test_where_nobody_speaks_those_that_are_there_have_the_same_share(saturates: bool) -> None:
    readout = SelfStandingReadout(6, 2, 3, saturates=saturates).double()
    silent = torch.ones(7, dtype=torch.bool)
    shares = readout(NODES, INDEX, COUNTS, keep=KEEP, silent=silent).attention
    expected = torch.tensor([0.5, 0, 0.5, 0, 0, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(shares, expected[:, None].expand(7, 2))


@pytest.mark.parametrize("saturates", [True, False])
def test_atoms_that_are_not_there_do_not_speak_beside_silent_ones(saturates: bool) -> None:
    readout = SelfStandingReadout(6, 2, 3, saturates=saturates).double()
    torch.nn.init.constant_(readout.intercept.weight, 0.4)
    silent, gone = torch.tensor([1, 0, 0, 0]).bool(), torch.tensor([0, 0, 1, 0]).bool()
    index, counts = torch.zeros(4, dtype=torch.long), torch.tensor([4])
    keep = (~gone).double()
    marked = readout(NODES[:4], index, counts, keep=keep, silent=silent)
    left = torch.tensor([3])
    cut = readout(NODES[:4][~gone], index[:3], left, silent=silent[~gone])
    torch.testing.assert_close(marked.terms[~gone], cut.terms)
    torch.testing.assert_close(marked.attention[~gone], cut.attention)
    torch.testing.assert_close(marked.values, cut.values)


@pytest.mark.parametrize("saturates", [True, False])
def test_shares_of_a_self_standing_readout_are_proportional_to_its_weights(
    saturates: bool,
) -> None:
    torch.manual_seed(0)
    readout = SelfStandingReadout(6, 1, 1, saturates=saturates).double()
    scores = readout.query(readout.key(torch.nn.functional.silu(readout.input(NODES))))
    weights = (scores.exp() if saturates else scores.sigmoid()).squeeze(1)
    shares = readout(NODES, INDEX, COUNTS).attention.squeeze(1)
    for graph in range(len(COUNTS)):
        here = graph == INDEX
        torch.testing.assert_close(shares[here], weights[here] / weights[here].sum())


@pytest.mark.parametrize("kind", ["attention", "presence", "gates"])
def test_a_base_adds_its_mean_and_the_intercept_itself_once_a_graph(kind: str) -> None:
    torch.manual_seed(0)
    readout = _readout(kind)
    index, counts = torch.tensor([0, 1, 1, 1, 1, 1, 1]), torch.tensor([1, 6])
    bare = readout(NODES, index, counts).values
    base = torch.arange(14, dtype=torch.float64).view(7, 2) + 1
    start = 0.0
    if isinstance(readout, SelfStandingReadout):
        start = 0.5
        torch.nn.init.constant_(readout.intercept.weight, start)
    added = readout(NODES, index, counts, base=base).values - bare
    for graph in range(len(counts)):
        torch.testing.assert_close(added[graph], base[graph == index].mean(dim=0) + start)


def test_the_mean_scores_are_products_over_the_root_of_the_width() -> None:
    found = mean_scores(
        torch.ones(2, 9), torch.ones(2, 9), torch.zeros(2).long(), torch.tensor([2])
    )
    torch.testing.assert_close(found, torch.full((2,), 3.0))


def test_a_bound_lets_the_gradient_through_as_it_is() -> None:
    values = torch.tensor([[-1.0], [2.0]], requires_grad=True)
    found = lower_bound(values, torch.zeros(1))
    assert found.tolist() == [[0.0], [2.0]]
    found.sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [[1.0], [1.0]]
