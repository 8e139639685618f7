"""What every model owes its callers."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import torch

from atomlens.errors import SettingsError
from atomlens.graphs import FIELDS, AtomGraph, GraphBatch, collate
from atomlens.models import ClosedFormModel, ModelOutput, PropertyModel, make_model, named_model
from atomlens.neighbors import BUILDERS
from atomlens.nn.segment import segment_sum
from atomlens.testing.graphs import formula_graph, lone_atom, random_graph, shuffled, turned

Make = Callable[..., PropertyModel]
"""Gives a model ready for prediction; named arguments are settings that shall be so."""


def check_model(model: "str | type[PropertyModel] | Any", **settings: Any) -> None:
    """Check a model as those of this package are checked.

    Args:
        model: Its class, its configuration or its name.
        **settings: Of its ``Config``; small ones make the check fast.

    Raises:
        AssertionError: a fact does not hold; the message says which.
        SettingsError: the class cannot be trained at all.
    """
    name, different = named_model(model)
    chosen = {**different, **settings}

    def make(**more: Any) -> PropertyModel:
        torch.manual_seed(0)
        return made_ready(make_model(name, **{**chosen, **more}))

    for check in MODEL_CHECKS:
        check(make)


@torch.no_grad()
def made_ready(model: PropertyModel) -> PropertyModel:
    """Return a model after what training would have done: no weight is zero, tables are there."""
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    table = dict(model.named_buffers()).get("element_table")
    if table is not None and not table.any():
        table.normal_()
    if isinstance(model, ClosedFormModel):
        batch = collate([random_graph(6, 3, seed=s) for s in range(12)])
        model.fit(batch, torch.randn(12, model.config.n_outputs))
    return model.eval()


@torch.no_grad()
def _run(model: PropertyModel, graphs: list[AtomGraph], dtype: torch.dtype) -> ModelOutput:
    output = model(collate(graphs, dtype))
    assert isinstance(output, ModelOutput), "forward must return a ModelOutput"
    return output


def _double(model: PropertyModel, *graphs: AtomGraph) -> ModelOutput:
    return _run(model, list(graphs), torch.float64)


def _single(model: PropertyModel, *graphs: AtomGraph) -> ModelOutput:
    return _run(model, list(graphs), torch.float32)


def _same(
    found: torch.Tensor,
    expected: torch.Tensor,
    fact: str,
    *,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Compare; without tolerances those that suit the number of bits."""
    torch.testing.assert_close(
        found, expected, rtol=rtol, atol=atol, msg=lambda text: f"{fact}: {text}"
    )


def what_it_declares_exists(make: Make) -> None:
    """Named tables, layers, fields and builders are there."""
    model = make(n_outputs=2)
    parameters = dict(model.named_parameters())
    for table in model.element_tables:
        assert table in parameters, f"element_tables names {table!r}, which is no parameter"
        rows = len(parameters[table])
        assert rows == model.config.n_elements, f"{table} has {rows} rows, not n_elements"
    for layer in model.output_layers:
        weight = f"{layer}.weight"
        assert weight in parameters, f"output_layers names {layer!r}, which is no linear layer"
        rows = len(parameters[weight])
        assert rows % 2 == 0, f"{layer} has {rows} rows for 2 outputs"
    unknown = set(model.edge_fields) - set(FIELDS)
    assert not unknown, f"edge_fields names {sorted(unknown)}, which are no fields of graphs"
    for builder in (model.default_builder, model.formula_builder):
        assert builder is None or builder[0] in BUILDERS, f"there is no builder {builder}"
    names = {f.name for f in fields(model.config)}
    assert model.free_settings <= names, "free_settings names settings that do not exist"


def the_order_of_atoms_does_not_matter(make: Make) -> None:
    """The same structure written in another order gives the same values."""
    model, graph = make().double(), random_graph(9, 4)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(3))
    a, b = _double(model, graph), _double(model, shuffled(graph, order))
    _same(a.values, b.values, "another order of the atoms changes the values")
    _same(a.node_attention[order], b.node_attention, "attention does not follow the atoms")


def turning_changes_nothing(make: Make) -> None:
    """Vectors and cell turned together give the same values."""
    model, graph = make().double(), random_graph(9, 4)
    a, b = _double(model, graph), _double(model, turned(graph))
    _same(a.values, b.values, "turning the structure changes the values")


def a_graph_does_not_feel_its_batch(make: Make) -> None:
    """Values do not depend on the other graphs of a batch."""
    model = make().double()
    graphs = [random_graph(5, 3, seed=1), random_graph(11, 5, seed=2), lone_atom()]
    together = _double(model, *graphs)
    alone = torch.cat([_double(model, g).values for g in graphs])
    _same(together.values, alone, "a graph feels the others of its batch")


def attention_adds_up_to_one_in_every_graph(make: Make) -> None:
    """Shares of the atoms; the same for all where the model does not attend to atoms."""
    model = make()
    graphs = [random_graph(5, 3), random_graph(40, 6, seed=1), lone_atom()]
    batch = collate(graphs)
    shares = _single(model, *graphs).node_attention
    totals = segment_sum(shares, batch.graph_index, batch.n_graphs)
    _same(totals, torch.ones(3), "node_attention does not add up to one")
    if not model.attends_to_atoms:
        even = 1 / batch.node_counts[batch.graph_index]
        _same(shares, even, "attends_to_atoms is False, but the shares differ")


def local_attention_adds_up_to_one_at_every_target(make: Make) -> None:
    """Shares of the neighbours, each layer and head."""
    graphs = [random_graph(5, 3), random_graph(40, 6, seed=1)]
    batch = collate(graphs)
    for layer in _single(make(), *graphs).edge_attention:
        totals = segment_sum(layer, batch.edge_index[1], batch.n_nodes)
        _same(totals, torch.ones_like(totals), "edge_attention does not add up to one")


def odd_systems_give_finite_numbers(make: Make) -> None:
    """A lone atom, an atom that sees only itself, atoms without neighbours, many atoms."""
    model = make()
    for n_nodes, n_neighbors in ((1, 0), (1, 6), (3, 0), (500, 14)):
        output = _single(model, random_graph(n_nodes, n_neighbors))
        what = f"{n_nodes} atoms with {n_neighbors} neighbours"
        assert output.values.isfinite().all(), f"{what} give values that are not finite"
        assert output.node_attention.isfinite().all(), f"{what} give attention that is not finite"


def single_precision_is_near_double_precision(make: Make) -> None:
    """32-bit numbers are enough."""
    model, graph = make(), random_graph(30, 5)
    single = _single(model, graph)
    double = _double(model.double(), graph)
    fact = "values in 32 and in 64 bits differ"
    _same(single.values.double(), double.values, fact, rtol=1e-4, atol=1e-5)


def every_parameter_gets_a_gradient(make: Make) -> None:
    """No weight is without effect; models that are fitted by a formula have none to learn."""
    model = make(n_outputs=2)
    if not model.learns_in_steps:
        return
    graphs = [random_graph(6, 3, seed=s) for s in range(4)]
    if model.default_builder[0] == "formula":  # amounts matter
        graphs = [
            formula_graph(f) for f in ({8: 2, 22: 1}, {1: 2, 6: 1, 7: 1}, {3: 1, 8: 2, 15: 1})
        ]
    model(collate(graphs)).values.square().sum().backward()
    for name, parameter in model.named_parameters():
        if name.endswith("gate_nn.fc_out.bias"):  # of Roost: a softmax does not feel a constant
            continue
        assert parameter.grad is not None, f"{name} has no part in the values"
        assert parameter.grad.abs().sum() > 0, f"{name} has a gradient of zero"


def several_targets_give_one_column_each(make: Make) -> None:
    """``n_outputs`` is the number of columns, with and without predicted noise."""
    model = make(n_outputs=3)
    output = _single(model, random_graph(6, 3))
    assert output.values.shape == (1, 3), f"n_outputs=3 gives values {tuple(output.values.shape)}"
    assert output.log_scale is None, "predict_scale is False, but there is a log_scale"
    if not model.learns_in_steps:
        return
    noisy = _single(make(n_outputs=3, predict_scale=True), random_graph(6, 3))
    assert noisy.log_scale is not None, "predict_scale=True, but there is no log_scale"
    assert noisy.log_scale.shape == (1, 3), "log_scale must have the shape of the values"


def the_batch_is_left_as_it_was(make: Make) -> None:
    """A model does not write into what it reads."""
    batch = collate([random_graph(6, 3)])
    before = {name: t.clone() for name, t in batch.parts().items()}
    with torch.no_grad():
        make()(batch)
    for name, value in before.items():
        assert torch.equal(getattr(batch, name), value), f"the model writes into batch.{name}"


def predicting_twice_gives_the_same_bits(make: Make) -> None:
    """Nothing is left to chance once a model is in use."""
    model, graph = make(), random_graph(20, 5)
    again = torch.equal(_single(model, graph).values, _single(model, graph).values)
    assert again, "predicting twice gives other values"


def a_formula_is_read_as_amounts(make: Make) -> None:
    """Graphs of formulas, for models that can read them: batches, and shares of the elements."""
    if not make().takes_formulas():
        return
    model = _for_formulas(make).double()
    formulas: list[dict[int, int]] = [{8: 2, 22: 1}, {26: 1}, {1: 2, 6: 1, 7: 1}, {11: 1, 17: 1}]
    graphs = [formula_graph(f) for f in formulas]
    batch: GraphBatch = collate(graphs, torch.float64)
    together = _double(model, *graphs)
    alone = torch.cat([_double(model, g).values for g in graphs])
    _same(together.values, alone, "a formula feels the others of its batch")
    totals = segment_sum(together.node_attention, batch.graph_index, batch.n_graphs)
    _same(totals, torch.ones_like(totals), "the shares of a formula do not add up to one")


def amounts_are_told_apart(make: Make) -> None:
    """CN is not C99N, for models that can read formulas (other than one that says one number)."""
    model = make()
    if not (model.takes_formulas() and model.looks_at_atoms):
        return
    model = _for_formulas(make)
    graphs = [formula_graph({6: n, 7: m}) for n, m in ((1, 1), (9, 1), (1, 9), (99, 1))]
    if isinstance(model, ClosedFormModel):
        model.fit(collate(graphs), torch.arange(4.0).unsqueeze(1))
    spread = _single(model, *graphs).values.std()
    assert spread > 1e-6, "formulas of the same elements give the same value"


def nothing_before_the_readout_moves_when_all_layers_are_frozen(make: Make) -> None:
    """``frozen_parts`` names everything, for models that can be frozen."""
    kinds = [(make, [random_graph(9, 4), random_graph(5, 3)])]
    if _has_mode(make()):
        graphs = [formula_graph({6: 1, 7: 1}), formula_graph({6: 9, 7: 1})]
        kinds.append((lambda: _for_formulas(make), graphs))
    for one, graphs in kinds:
        model = one()
        try:
            parts = model.frozen_parts(model.config.n_layers)
        except (SettingsError, AttributeError):
            return
        for part in parts:
            part.requires_grad_(False)
        output = model(collate(graphs))
        assert output.node_features is not None, "a model that can be frozen has node_features"
        frozen = not output.node_features.requires_grad
        assert frozen, "frozen_parts(all layers) leaves something before the readout free"
        assert output.values.requires_grad, "frozen_parts(all layers) freezes the readout, too"


def _has_mode(model: PropertyModel) -> bool:
    return "mode" in {f.name for f in fields(model.config)}


def _for_formulas(make: Make) -> PropertyModel:
    """Return a model as training makes it for data that are nothing but formulas."""
    return make(mode="formula") if _has_mode(make()) else make()


MODEL_CHECKS: tuple[Callable[[Make], None], ...] = (
    what_it_declares_exists,
    several_targets_give_one_column_each,
    the_order_of_atoms_does_not_matter,
    turning_changes_nothing,
    a_graph_does_not_feel_its_batch,
    attention_adds_up_to_one_in_every_graph,
    local_attention_adds_up_to_one_at_every_target,
    odd_systems_give_finite_numbers,
    single_precision_is_near_double_precision,
    every_parameter_gets_a_gradient,
    the_batch_is_left_as_it_was,
    predicting_twice_gives_the_same_bits,
    a_formula_is_read_as_amounts,
    amounts_are_told_apart,
    nothing_before_the_readout_moves_when_all_layers_are_frozen,
)
"""The facts, each a function of a maker of models."""
