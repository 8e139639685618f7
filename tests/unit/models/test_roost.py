import sys

import pytest
import torch

from atomlens.errors import MissingDependencyError, SettingsError
from atomlens.graphs import collate
from atomlens.models import make_model
from finder_graphs import collapsed_graph
from model_makers import small_model


def test_values_are_those_of_the_authors_network_with_the_same_weights() -> None:
    package = pytest.importorskip("aviary.roost.model", exc_type=ImportError)
    torch.manual_seed(0)
    theirs = package.Roost(robust=True, n_targets=[1], task_dict={"target": "regression"}).eval()
    ours = make_model("roost", predict_scale=True).eval()
    vectors = theirs.elem_embedding.weight
    ours.element_table[: len(vectors)] = vectors
    ours.descriptor.load_state_dict(theirs.material_nn.state_dict())
    ours.trunk.load_state_dict(theirs.trunk_nn.state_dict())
    ours.output.load_state_dict(theirs.output_nns[0].state_dict())
    batch = collate([collapsed_graph(f) for f in ([8, 8, 22], [26], [1, 1, 1, 1, 6, 7])])
    amounts = torch.tensor([2, 1, 1, 4, 1, 1]) / torch.tensor([3, 3, 1, 6, 6, 6])
    target = torch.tensor([0, 0, 1, 1, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5])
    source = torch.tensor([0, 1, 0, 1, 2, 3, 4, 5, 3, 4, 5, 3, 4, 5])
    with torch.no_grad():
        output = ours(batch)
        (expected,) = theirs(
            amounts.unsqueeze(1), batch.atomic_numbers, target, source, batch.graph_index
        )
    torch.testing.assert_close(output.values[:, 0], expected[:, 0])
    torch.testing.assert_close(output.log_scale[:, 0], expected[:, 1])


def test_the_published_sizes_have_the_published_number_of_parameters() -> None:
    package = pytest.importorskip("aviary.roost.model", exc_type=ImportError)
    theirs = package.Roost(robust=True, n_targets=[1], task_dict={"target": "regression"})
    ours = make_model("roost", predict_scale=True)
    fixed = theirs.elem_embedding.weight.numel()
    assert ours.n_parameters == sum(p.numel() for p in theirs.parameters()) - fixed


def test_a_multiple_of_a_formula_is_the_same_formula() -> None:
    model = small_model("roost")
    batch = collate([collapsed_graph([8, 8, 22]), collapsed_graph([8] * 6 + [22] * 3)])
    with torch.no_grad():
        values = model(batch).values
    torch.testing.assert_close(values[0], values[1])


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "aviary.networks", None)
    with pytest.raises(MissingDependencyError, match=r"aviary-models; .*atomlens\[elements\]"):
        make_model("roost")


@pytest.mark.parametrize("wrong", [{"n_layers": 0}, {"trunk": ()}, {"element_vectors": "mat2vek"}])
def test_impossible_settings_are_refused(wrong) -> None:
    with pytest.raises(SettingsError):
        make_model("roost", **wrong)
