"""ResCNN: sizes of the published network, fractions as input."""

import pytest
import torch

from atomlens.errors import SettingsError
from atomlens.graphs import collate
from atomlens.models import make_model
from finder_graphs import collapsed_graph, naive_graph

SMALL = {"n_features": 4, "n_hidden": (8, 8, 8, 8)}


def test_the_dense_layers_have_the_published_sizes() -> None:
    with torch.device("meta"):
        model = make_model("rescnn")
        tail = make_model("rescnn", finder_tail=True)
    sizes = [(m.in_features, m.out_features) for m in model.dense]
    assert sizes == [(256, 1024), (1024 + 256 * 97, 1024), (1024 + 128 * 99, 2048), (2048, 512)]
    assert [m.out_features for m in tail.dense] == [512, 1024, 1024, 256]


@torch.no_grad()
def test_only_the_fractions_of_the_elements_matter() -> None:
    model = make_model("rescnn", **SMALL).double().eval()
    twice = [collapsed_graph([8, 8, 22] * n) for n in (1, 2)]
    one, two = model(collate(twice, torch.float64)).values
    atoms = model(collate([naive_graph([22, 8, 8])], torch.float64)).values[0]
    torch.testing.assert_close(one, two)
    torch.testing.assert_close(one, atoms)


@torch.no_grad()
def test_another_element_gives_another_prediction() -> None:
    model = make_model("rescnn", **SMALL).double().eval()
    batch = collate([collapsed_graph([8, 8, 22]), collapsed_graph([8, 8, 40])], torch.float64)
    values = model(batch).values
    assert values[0] != values[1]


def test_noise_can_be_predicted() -> None:
    model = make_model("rescnn", predict_scale=True, n_outputs=2, **SMALL)
    output = model(collate([collapsed_graph([8, 8, 22])]))
    assert output.log_scale is not None
    assert output.log_scale.shape == output.values.shape == (1, 2)


@pytest.mark.parametrize("name", ["rescnn", "finder"])
def test_one_width_stands_for_all_four_dense_layers(name: str) -> None:
    with torch.device("meta"):
        one, four = (make_model(name, n_features=4, n_hidden=(8,) * n) for n in (1, 4))
    assert [p.shape for p in one.parameters()] == [p.shape for p in four.parameters()]
    with pytest.raises(SettingsError, match="must be four widths, or one"):
        make_model(name, n_hidden=(8, 8))
