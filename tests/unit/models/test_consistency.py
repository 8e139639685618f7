"""Which atoms are absent while terms are trained to be what is lost without them."""

import torch

from atomlens.graphs import collate
from atomlens.models.consistency import Meaning, consistency_loss
from atomlens.nn.additive import Absence
from graph_makers import lone_atom, random_graph

BATCH = collate([lone_atom(), random_graph(2, 1), lone_atom(), random_graph(5, 3)], torch.float64)
PAIR = BATCH.graph_index == 1


def drawn(meaning: Meaning) -> list[torch.Tensor]:
    """Return the absent atoms (n_nodes,) of many steps."""
    found: list[torch.Tensor] = []

    def terms_of(absence: Absence) -> torch.Tensor:
        absent = absence.masked if meaning == "mask" else absence.removed
        assert absent is not None
        found.append(absent)
        return torch.zeros(BATCH.n_nodes, 1, dtype=torch.float64)

    torch.manual_seed(0)
    terms = torch.zeros(BATCH.n_nodes, 1, dtype=torch.float64)
    for _ in range(100):
        consistency_loss(terms_of, terms, BATCH, meaning, torch.tensor([False]))
    return found


def test_some_atom_of_every_structure_stays_in_the_graph() -> None:
    removed = drawn("graph")
    there = [torch.bincount(BATCH.graph_index, (~one).double()) for one in removed]
    assert torch.stack(there).min() == 1
    assert any(one[PAIR].sum() == 1 for one in removed)


def test_all_atoms_of_a_structure_may_be_hidden_at_once() -> None:
    masked = drawn("mask")
    assert any(one[PAIR].all() for one in masked)
    assert any(one[0] for one in masked)
