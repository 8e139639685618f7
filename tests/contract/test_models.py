"""What every model owes its callers, checked over the table of models."""

import pytest
import torch

from atomlens.errors import SettingsError
from atomlens.graphs import GraphBatch, collate
from atomlens.models import (
    MODELS,
    ClosedFormModel,
    ModelOutput,
    PropertyModel,
    make_model,
    model_config,
)
from atomlens.neighbors import make_builder
from atomlens.nn.segment import segment_sum
from atomlens.structures import to_atoms
from atomlens.structures.arrays import structure_of
from finder_graphs import collapsed_graph
from graph_makers import lone_atom, random_graph, shuffled
from model_makers import small_model

NAMES = sorted(MODELS)
FORMULAS = ("CN", "C9N", "CN9", "C99N")
FORMULA_NAMES = [
    name
    for name, kind in sorted(MODELS.items())
    if kind.formula_builder is not None or kind.default_builder[0] == "formula"
]


@torch.no_grad()
def run(model: PropertyModel, batch: GraphBatch) -> ModelOutput:
    output = model(batch)
    assert isinstance(output, ModelOutput)
    return output


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_atoms_does_not_matter(name: str) -> None:
    model, graph = small_model(name).double(), random_graph(9, 4)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(3))
    a = run(model, collate([graph], torch.float64))
    b = run(model, collate([shuffled(graph, order)], torch.float64))
    torch.testing.assert_close(a.values, b.values)
    torch.testing.assert_close(a.node_attention[order], b.node_attention)


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_does_not_feel_its_batch(name: str) -> None:
    model = small_model(name).double()
    graphs = [random_graph(5, 3, seed=1), random_graph(11, 5, seed=2), lone_atom()]
    together = run(model, collate(graphs, torch.float64))
    alone = torch.cat([run(model, collate([g], torch.float64)).values for g in graphs])
    torch.testing.assert_close(together.values, alone)


@pytest.mark.parametrize("name", NAMES)
def test_attention_adds_up_to_one_in_every_graph(name: str) -> None:
    batch = collate([random_graph(5, 3), random_graph(40, 6, seed=1), lone_atom()])
    output = run(small_model(name), batch)
    totals = segment_sum(output.node_attention, batch.graph_index, batch.n_graphs)
    torch.testing.assert_close(totals, torch.ones(3))


@pytest.mark.parametrize("name", NAMES)
def test_local_attention_adds_up_to_one_at_every_target(name: str) -> None:
    batch = collate([random_graph(5, 3), random_graph(40, 6, seed=1)])
    for layer in run(small_model(name), batch).edge_attention:
        totals = segment_sum(layer, batch.edge_index[1], batch.n_nodes)
        torch.testing.assert_close(totals, torch.ones_like(totals))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n_nodes", "n_neighbors"), [(1, 0), (1, 6), (3, 0), (500, 14)])
def test_odd_systems_give_finite_numbers(name: str, n_nodes: int, n_neighbors: int) -> None:
    output = run(small_model(name), collate([random_graph(n_nodes, n_neighbors)]))
    assert output.values.isfinite().all()
    assert output.node_attention.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_is_near_double_precision(name: str) -> None:
    model, graph = small_model(name), random_graph(30, 5)
    single = run(model, collate([graph]))
    double = run(model.double(), collate([graph], torch.float64))
    torch.testing.assert_close(single.values.double(), double.values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = small_model(name, n_outputs=2)
    if isinstance(model, ClosedFormModel):
        pytest.skip("fitted by a formula, not by gradients")
    graphs = [random_graph(6, 3, seed=s) for s in range(4)]
    if MODELS[name].default_builder[0] == "formula":  # amounts matter
        graphs = [collapsed_graph(f) for f in ([8, 8, 22], [1, 1, 6, 7], [3, 8, 8, 15])]
    model(collate(graphs)).values.square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        if not key.endswith("gate_nn.fc_out.bias"):  # a softmax does not feel a constant
            assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("name", NAMES)
def test_several_targets_give_one_column_each(name: str) -> None:
    output = run(small_model(name, n_outputs=3), collate([random_graph(6, 3)]))
    assert output.values.shape == (1, 3)


@pytest.mark.parametrize("name", FORMULA_NAMES)
def test_a_formula_does_not_feel_its_batch_and_its_shares_add_up_to_one(name: str) -> None:
    mode = {"mode": "formula"} if hasattr(MODELS[name].Config, "mode") else {}
    model = small_model(name, **mode).double()
    graphs = [collapsed_graph(f) for f in ([8, 8, 22], [26], [1, 1, 6, 7], [11, 17])]
    batch = collate(graphs, torch.float64)
    together = run(model, batch)
    alone = torch.cat([run(model, collate([g], torch.float64)).values for g in graphs])
    torch.testing.assert_close(together.values, alone)
    totals = segment_sum(together.node_attention, batch.graph_index, batch.n_graphs)
    torch.testing.assert_close(totals, torch.ones_like(totals))


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_setting_names_the_nearest(name: str) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'n_outputs'"):
        make_model(name, n_output=2)


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'scann-plus'"):
        make_model("scan-plus")


def formula_mode(name: str) -> dict[str, object]:
    """The setting with which a model that reads structures, too, reads formulas."""
    return {"mode": "formula"} if hasattr(model_config(name), "mode") else {}


@pytest.mark.parametrize("formulas", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_before_the_readout_moves_when_all_layers_are_frozen(
    name: str, formulas: bool
) -> None:
    if formulas and not formula_mode(name):
        pytest.skip("has no mode for formulas")
    model = small_model(name, **(formula_mode(name) if formulas else {}))
    graphs = [random_graph(9, 4), random_graph(5, 3)]
    if formulas:
        builder = make_builder("formula")
        graphs = [builder.build_structure(structure_of(to_atoms(f"formula:{f}"))) for f in FORMULAS]
    try:
        parts = model.frozen_parts(model.config.n_layers)
    except (SettingsError, AttributeError):
        pytest.skip("this model cannot be frozen")
    for part in parts:
        part.requires_grad_(False)
    output = model(collate(graphs))
    assert output.node_features is not None
    assert not output.node_features.requires_grad
    assert output.values.requires_grad


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_takes_formulas_tells_amounts_apart(name: str) -> None:
    if name == "mean" or not MODELS[name].takes_formulas():
        pytest.skip("takes no formulas, or says the same of all")
    builder = make_builder("formula")
    graphs = [builder.build_structure(structure_of(to_atoms(f"formula:{f}"))) for f in FORMULAS]
    model = small_model(name, **formula_mode(name))
    if isinstance(model, ClosedFormModel):
        model.fit(collate(graphs), torch.arange(4.0).unsqueeze(1))
    assert run(model, collate(graphs)).values.std() > 1e-6
