import torch

from atomlens.graphs import GraphStore


def test_the_size_of_a_store_counts_every_tensor_once() -> None:
    store = GraphStore(
        node_offsets=torch.tensor([0, 2, 3]),
        edge_offsets=torch.tensor([0, 2, 2]),
        atomic_numbers=torch.tensor([1, 8, 1], dtype=torch.uint8),
        edge_source=torch.tensor([0, 1], dtype=torch.int16),
        edge_target=torch.tensor([1, 0], dtype=torch.int16),
        distances=torch.ones(2),
        fields={"solid_angles": torch.ones(2)},
    )
    assert store.n_bytes == 2 * 3 * 8 + 3 + 2 * 2 * 2 + 2 * 2 * 4
