"""What `lens` promises: terms that add up, a smooth prediction, atoms that can be left out."""

import dataclasses

import pytest
import torch

from atomlens.errors import SettingsError
from atomlens.explain.vectors import own_vectors
from atomlens.graphs import FIELDS, AtomGraph, collate
from atomlens.models.lens import Lens, LensConfig
from atomlens.nn.additive import Absence
from atomlens.nn.segment import segment_sum
from finder_graphs import collapsed_graph
from graph_makers import doubled, random_graph
from model_makers import small_model


def lens(**settings: object) -> Lens:
    model = small_model("lens", **settings)
    assert isinstance(model, Lens)
    return model.double()


def without(graph: AtomGraph, gone: list[int]) -> AtomGraph:
    """The graph after atoms and their edges were taken out by hand."""
    there = torch.ones(graph.n_nodes, dtype=torch.bool)
    there[gone] = False
    place = there.cumsum(0) - 1
    kept = there[graph.edge_index].all(dim=0)
    return dataclasses.replace(
        graph,
        atomic_numbers=graph.atomic_numbers[there],
        edge_index=place[graph.edge_index[:, kept]],
        distances=graph.distances[kept],
        edge_vectors=graph.edge_vectors[kept],
        images=graph.images[kept],
        solid_angles=graph.solid_angles[kept],
        edge_weights=graph.edge_weights[kept],
        charges=graph.charges[there],
    )


def test_the_terms_add_up_to_the_values() -> None:
    batch = collate([random_graph(7, 4), random_graph(3, 2, seed=1)], torch.float64)
    output = lens(n_outputs=3)(batch)
    torch.testing.assert_close(segment_sum(output.node_terms, batch.graph_index, 2), output.values)


def test_every_target_has_an_attention_of_its_own_that_adds_up_to_one() -> None:
    batch = collate([random_graph(7, 4)], torch.float64)
    attention = lens(n_outputs=2)(batch).node_target_attention
    torch.testing.assert_close(attention.sum(dim=0), torch.ones(2, dtype=torch.float64))
    assert (attention[:, 0] - attention[:, 1]).abs().max() > 1e-3


def test_a_doubled_cell_has_the_same_value_and_half_the_term_on_each_copy() -> None:
    model, graph = lens(), random_graph(6, 4)
    once = model(collate([graph], torch.float64))
    twice = model(collate([doubled(graph)], torch.float64))
    torch.testing.assert_close(once.values, twice.values)
    torch.testing.assert_close(once.node_terms / 2, twice.node_terms[:6])


def test_removing_atoms_is_the_same_as_a_graph_without_them() -> None:
    model, graph, gone = lens(), random_graph(9, 4), [2, 5, 6]
    removed = torch.zeros(9, dtype=torch.bool)
    removed[gone] = True
    marked = model(collate([graph], torch.float64), Absence(removed=removed))
    cut = model(collate([without(graph, gone)], torch.float64))
    torch.testing.assert_close(marked.values, cut.values)
    torch.testing.assert_close(marked.node_terms[~removed], cut.node_terms)
    assert marked.node_terms[removed].abs().max() == 0


def test_masking_hides_the_element_and_nothing_else() -> None:
    model, graph = lens(), random_graph(6, 4)
    masked = torch.tensor([True, False, False, False, False, False])
    numbers = graph.atomic_numbers.clone()
    numbers[0] = 0
    hidden = dataclasses.replace(graph, atomic_numbers=numbers)
    a = model(collate([graph], torch.float64), Absence(masked=masked))
    b = model(collate([hidden], torch.float64))
    torch.testing.assert_close(a.values, b.values)


@pytest.mark.parametrize("smooth", [True, False])
def test_a_face_that_appears_at_the_threshold_changes_nothing(smooth: bool) -> None:
    model, graph = lens(smooth=smooth), random_graph(6, 4)
    angles = graph.solid_angles.clone()
    angles[3] = 0.4 + 1e-6
    small = dataclasses.replace(graph, solid_angles=angles)
    kept = torch.arange(graph.n_edges) != 3
    gone = dataclasses.replace(
        small,
        edge_index=small.edge_index[:, kept],
        distances=small.distances[kept],
        edge_vectors=small.edge_vectors[kept],
        images=small.images[kept],
        solid_angles=angles[kept],
        edge_weights=small.edge_weights[kept],
    )
    values = [model(collate([g], torch.float64)).values for g in (small, gone)]
    jump = (values[0] - values[1]).abs().max().item()
    assert jump < 1e-6 if smooth else jump > 1e-4


SEEN = [{}, {"n_amounts": 8}, {"n_charges": 17}]
"""What the layers of a formula see of amounts."""


@pytest.mark.parametrize("seen", SEEN)
def test_the_terms_of_a_formula_are_those_of_all_atoms_of_an_element(
    seen: dict[str, object],
) -> None:
    model = lens(mode="formula", **seen)
    batch = collate([collapsed_graph([8] * 4 + [22] * 2), collapsed_graph([8] * 6 + [22] * 3)])
    output = model(batch.to(dtype=torch.float64))
    torch.testing.assert_close(output.values[0], output.values[1])  # Ti2O4 is Ti3O6
    torch.testing.assert_close(output.node_terms[:2].sum(dim=0), output.values[0])


@pytest.mark.parametrize("seen", SEEN)
def test_removing_an_element_is_the_formula_without_it(seen: dict[str, object]) -> None:
    model = lens(mode="formula", **seen)
    whole = collate([collapsed_graph([3, 8, 8, 8, 22, 22]), collapsed_graph([26])], torch.float64)
    removed = whole.atomic_numbers == 8
    rest = collate([collapsed_graph([3, 22, 22]), collapsed_graph([26])], torch.float64)
    marked, alone = model(whole, Absence(removed=removed)), model(rest)
    torch.testing.assert_close(marked.values, alone.values)
    torch.testing.assert_close(marked.node_terms[~removed], alone.node_terms)
    nothing = model(whole, Absence(removed=torch.ones_like(removed)))
    assert torch.isfinite(nothing.values).all()


def test_charges_tell_what_an_atom_must_have_to_balance_the_others() -> None:
    model = Lens(LensConfig(mode="formula", n_charges=17)).double()
    batch = collate([collapsed_graph([3, 3, 25, 8, 8, 8]), collapsed_graph([8, 16])], torch.float64)

    def nearest(**absence: torch.Tensor) -> list[list[int]]:
        """By the typical states, to the next whole number: what is needed, 4 times the mean."""
        columns = model._balance(batch, Absence(**absence))[:, 4:].view(-1, 8, 17)
        found: list[list[int]] = (columns.argmax(dim=2) - 8)[:, [0, 4]].tolist()
        return found

    lithium, oxygen, manganese, another, sulfur = nearest()  # with Mn 2+, and twice 2-
    assert (lithium, oxygen, manganese) == ([2, -1], [-1, -1], [4, -1])
    assert (another, sulfur) == ([2, -8], [2, -8])
    gone = batch.atomic_numbers == 8
    for left in (nearest(removed=gone), nearest(masked=gone)):
        assert (left[0][0], left[2][0]) == (-1, -2)


def test_in_a_structure_all_atoms_of_an_element_balance_the_others_together() -> None:
    """What a structure says of charges is what its formula says, whatever its cell."""
    formula = Lens(LensConfig(mode="formula", n_charges=17)).double()
    structure = Lens(LensConfig(n_charges=17)).double()
    one, twice = [3, 3, 25, 8, 8, 8], [8, 3, 25, 3, 8, 8, 25, 8, 8, 8, 3, 3]
    of_formula = formula._balance(collate([collapsed_graph(one)], torch.float64), Absence())
    asked = {3: of_formula[0], 8: of_formula[1], 25: of_formula[2]}
    graphs = [replaced(random_graph(len(numbers), 3), numbers) for numbers in (one, [26], twice)]
    batch = collate(graphs, torch.float64)
    found = structure._balance(batch, Absence())
    numbers = batch.atomic_numbers.tolist()
    iron = numbers.index(26)
    torch.testing.assert_close(found[:iron], torch.stack([asked[n] for n in one]))
    torch.testing.assert_close(found[iron + 1 :], torch.stack([asked[n] for n in twice]))


def test_a_structure_without_some_atoms_has_the_charges_of_the_rest() -> None:
    model = lens(n_charges=17)
    whole = replaced(random_graph(5, 4), [3, 25, 8, 8, 3])
    removed = torch.tensor([False, False, True, False, True])
    marked = model._balance(collate([whole], torch.float64), Absence(removed=removed))
    rest = model._balance(
        collate([replaced(random_graph(3, 2), [3, 25, 8])], torch.float64), Absence()
    )
    torch.testing.assert_close(marked[~removed], rest)


def test_charges_of_all_atoms_change_with_one_so_nothing_is_computed_locally() -> None:
    batch = collate([random_graph(5, 4)], torch.float64)
    assert lens().local_pass(batch) is not None
    assert lens(n_charges=17).local_pass(batch) is None


@pytest.mark.parametrize("vectors", ["learned", "cgcnn92"])
def test_an_atom_whose_vector_is_changed_keeps_its_charges(vectors: str) -> None:
    model = lens(mode="formula", n_charges=17, element_vectors=vectors)
    batch = collate([collapsed_graph([92, 92, 8]), collapsed_graph([3, 25, 8, 8])], torch.float64)
    found = own_vectors(model, batch)
    assert found is not None
    own, run = found
    torch.testing.assert_close(run(own).values, model(batch).values)


def test_charges_add_nothing_before_the_first_step() -> None:
    batch = collate([collapsed_graph([3, 25, 8, 8])], torch.float64)
    plain = Lens(LensConfig(mode="formula")).double()
    charged = Lens(LensConfig(mode="formula", n_charges=17)).double()
    left = charged.load_state_dict(plain.state_dict(), strict=False)
    assert set(left.missing_keys) == {"charges", "charge_input.weight"}
    torch.testing.assert_close(charged(batch).values, plain(batch).values)


def test_the_layers_of_a_formula_see_how_much_of_an_element_there_is() -> None:
    """Of a single neighbour attention says nothing: it has all of it, however much that is."""

    def features_of_lithium(n_amounts: int, oxygens: int) -> torch.Tensor:
        torch.manual_seed(0)
        model = lens(mode="formula", n_amounts=n_amounts)
        batch = collate([collapsed_graph([3] + [8] * oxygens)], torch.float64)
        seen: list[torch.Tensor] = []
        handle = model.edge_updates[0].register_forward_pre_hook(
            lambda _, given: seen.append(given[0])
        )
        model(batch)
        handle.remove()
        return seen[0][0]

    assert torch.equal(features_of_lithium(0, 1), features_of_lithium(0, 3))
    assert not torch.equal(features_of_lithium(8, 1), features_of_lithium(8, 3))


@pytest.mark.parametrize("meaning", [0, 4])
@pytest.mark.parametrize("mode", ["structure", "formula"])
def test_consistency_is_trained_in_both_meanings(meaning: int, mode: str) -> None:
    model = lens(mode=mode, n_outputs=2, extensive=(True, False)).train()
    graphs = [random_graph(7, 4), random_graph(1, 0), random_graph(4, 2)]
    if mode == "formula":
        graphs = [collapsed_graph(f) for f in ([8, 8, 22], [26], [1, 1, 6, 7])]
    batch = collate(graphs, torch.float64)
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = model.auxiliary_loss(batch, model(batch), meaning)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_consistency_can_be_switched_off_and_comes_on_every_few_steps() -> None:
    batch = collate([random_graph(7, 4)], torch.float64)
    off, on = lens(consistency=0.0), lens()
    assert off.auxiliary_loss(batch, off(batch), 0) is None
    assert on.auxiliary_loss(batch, on(batch), 1) is None
    assert on.auxiliary_loss(batch, on(batch), 8) is not None


def test_training_begins_as_without_a_base() -> None:
    assert not Lens(LensConfig(n_features=16, element_base=True)).base.weight.any()


@pytest.mark.parametrize("mode", ["structure", "formula"])
def test_a_base_adds_the_mean_of_a_number_an_element(mode: str) -> None:
    formula = mode == "formula"
    graph = collapsed_graph([8] * 4 + [22]) if formula else random_graph(7, 4)
    batch = collate([graph], torch.float64)
    model = lens(n_outputs=2, mode=mode, element_base=True)
    plain = lens(n_outputs=2, mode=mode)
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if k != "base.weight"})
    own = model.base(model.embedding(batch.atomic_numbers))
    amounts = batch.node_weights if formula else torch.ones(len(own), dtype=torch.float64)
    share = amounts.unsqueeze(1) / amounts.sum()
    got, before = model(batch), plain(batch)
    torch.testing.assert_close(got.node_terms, before.node_terms + own * share)
    torch.testing.assert_close(got.values, before.values + (own * share).sum(dim=0))


def test_a_base_is_left_out_with_its_atom_and_alike_in_a_doubled_cell() -> None:
    model, graph = lens(n_outputs=2, element_base=True), random_graph(6, 4)
    once = model(collate([graph], torch.float64))
    twice = model(collate([doubled(graph)], torch.float64))
    torch.testing.assert_close(once.values, twice.values)
    gone = torch.zeros(6, dtype=torch.bool)
    gone[[1, 4]] = True
    left = model(collate([graph], torch.float64), Absence(removed=gone))
    alone = model(collate([without(graph, [1, 4])], torch.float64))
    torch.testing.assert_close(left.values, alone.values)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(SettingsError, match="extensive has 1 entries for 2 outputs"):
        LensConfig(n_outputs=2, extensive=(True,))
    with pytest.raises(SettingsError, match="Did you mean 'learned'"):
        LensConfig(element_vectors="lerned")
    with pytest.raises(SettingsError, match="only formulas have numbers of atoms"):
        LensConfig(n_amounts=8)


def replaced(graph: AtomGraph, numbers: list[int]) -> AtomGraph:
    """The graph with other elements."""
    return dataclasses.replace(graph, atomic_numbers=torch.tensor(numbers))


def side_by_side(one: AtomGraph, other: AtomGraph) -> AtomGraph:
    """Two graphs as one, without an edge between them."""
    return dataclasses.replace(
        one,
        atomic_numbers=torch.cat([one.atomic_numbers, other.atomic_numbers]),
        edge_index=torch.cat([one.edge_index, other.edge_index + one.n_nodes], dim=1),
        distances=torch.cat([one.distances, other.distances]),
        images=torch.cat([one.images, other.images]),
        **{
            name: values
            if FIELDS[name].scope == "graph"
            else torch.cat([values, other.fields[name]])
            for name, values in one.fields.items()
        },
    )


SELF_STANDING = ("presence", "gates")


@pytest.mark.parametrize("shares", SELF_STANDING)
def test_self_standing_terms_add_up_and_attention_adds_up_to_one(shares: str) -> None:
    batch = collate([random_graph(7, 4), random_graph(3, 2, seed=1)], torch.float64)
    model = lens(n_outputs=2, shares=shares)
    torch.nn.init.constant_(model.readout.intercept.weight, 0.7)
    output = model(batch)
    torch.testing.assert_close(segment_sum(output.node_terms, batch.graph_index, 2), output.values)
    summed = segment_sum(output.node_target_attention, batch.graph_index, 2)
    torch.testing.assert_close(summed, torch.ones(2, 2, dtype=torch.float64))


def test_a_gated_term_does_not_depend_on_what_no_layer_has_seen() -> None:
    model, one, other = lens(shares="gates"), random_graph(6, 4), random_graph(5, 4, seed=3)
    torch.nn.init.zeros_(model.readout.intercept.weight)
    alone = model(collate([one], torch.float64)).node_terms
    together = model(collate([side_by_side(one, other)], torch.float64)).node_terms
    torch.testing.assert_close(together[:6], alone)
    attention = lens()
    alone = attention(collate([one], torch.float64)).node_terms
    together = attention(collate([side_by_side(one, other)], torch.float64)).node_terms
    assert (together[:6] - alone).abs().max() > 1e-3


def test_two_motifs_have_together_at_most_what_one_has_where_presence_saturates() -> None:
    """Scores far above that of nobody: twice the same atoms hold half each."""
    graph = random_graph(6, 4)
    for shares, factor in (("presence", 1.0), ("gates", 2.0)):
        model = lens(shares=shares)
        torch.nn.init.zeros_(model.readout.intercept.weight)
        torch.nn.init.constant_(model.readout.query.bias, 30.0)
        once = model(collate([graph], torch.float64)).values
        twice = model(collate([side_by_side(graph, graph)], torch.float64)).values
        torch.testing.assert_close(twice, factor * once)


def test_where_presence_finds_nothing_the_intercept_is_left() -> None:
    model = lens(shares="presence")
    torch.nn.init.constant_(model.readout.query.bias, -200.0)
    torch.nn.init.constant_(model.readout.intercept.weight, -3.0)
    output = model(collate([random_graph(6, 4)], torch.float64))
    torch.testing.assert_close(output.values, torch.full((1, 1), -3.0, dtype=torch.float64))
    torch.testing.assert_close(output.node_terms, torch.full((6, 1), -0.5, dtype=torch.float64))


@pytest.mark.parametrize("shares", SELF_STANDING)
def test_removing_atoms_from_self_standing_terms_is_a_graph_without_them(shares: str) -> None:
    model, graph, gone = lens(shares=shares), random_graph(9, 4), [2, 5, 6]
    torch.nn.init.constant_(model.readout.intercept.weight, 0.4)
    removed = torch.zeros(9, dtype=torch.bool)
    removed[gone] = True
    marked = model(collate([graph], torch.float64), Absence(removed=removed))
    cut = model(collate([without(graph, gone)], torch.float64))
    torch.testing.assert_close(marked.values, cut.values)
    torch.testing.assert_close(marked.node_terms[~removed], cut.node_terms)
    assert marked.node_terms[removed].abs().max() == 0


def test_terms_that_are_effects_cost_nothing_whatever_the_intercept() -> None:
    """Without neighbours each gated term is what is lost without the atom, exactly."""
    graph = random_graph(6, 4)
    bare = dataclasses.replace(
        graph,
        edge_index=graph.edge_index[:, :0],
        distances=graph.distances[:0],
        images=graph.images[:0],
        **{
            name: values[:0] if FIELDS[name].scope == "edge" else values
            for name, values in graph.fields.items()
        },
    )
    model = lens(shares="gates", consistency_by="graph", consistency_every=1, consistency=1.0)
    torch.nn.init.constant_(model.readout.intercept.weight, 5.0)
    batch = collate([bare, bare], torch.float64)
    loss = model.auxiliary_loss(batch, model(batch), 0)
    assert loss is not None
    assert loss.item() < 1e-12


def test_extensive_gates_are_sums_over_atoms() -> None:
    model, graph = lens(shares="gates", extensive=(True,)), random_graph(6, 4)
    once = model(collate([graph], torch.float64))
    twice = model(collate([doubled(graph)], torch.float64))
    torch.testing.assert_close(once.values, twice.values)
    torch.testing.assert_close(once.node_terms / 2, twice.node_terms[:6])


@pytest.mark.parametrize("shares", SELF_STANDING)
def test_hydrogens_can_be_without_terms(shares: str) -> None:
    graph = random_graph(6, 4)
    numbers = torch.tensor([6, 1, 8, 1, 1, 7])
    graph = dataclasses.replace(graph, atomic_numbers=numbers)
    model = lens(shares=shares, hydrogen_terms=False)
    torch.nn.init.zeros_(model.readout.intercept.weight)
    terms = model(collate([graph], torch.float64)).node_terms
    assert terms[numbers == 1].abs().max() == 0
    assert terms[numbers != 1].abs().min() > 1e-6


@pytest.mark.parametrize("extensive", [False, True])
def test_the_size_of_terms_is_that_of_any_cell_and_leaves_the_intercept_alone(
    extensive: bool,
) -> None:
    model = lens(consistency=0.0, small_terms=1.0, extensive=(extensive,))
    once, twice = (
        collate([g], torch.float64) for g in (random_graph(6, 4), doubled(random_graph(6, 4)))
    )
    size = model.auxiliary_loss(once, model(once), 1)
    torch.testing.assert_close(size, model.auxiliary_loss(twice, model(twice), 1))
    gates = lens(shares="gates", consistency=0.0, small_terms=1.0, extensive=(extensive,))
    before = gates.auxiliary_loss(once, gates(once), 1)
    torch.nn.init.constant_(gates.readout.intercept.weight, 7.0)
    torch.testing.assert_close(before, gates.auxiliary_loss(once, gates(once), 1))


def test_only_the_meaning_that_is_asked_for_is_trained() -> None:
    for by, kinds in (("graph", {"graph"}), ("mask", {"mask"}), ("both", {"graph", "mask"})):
        model = lens(consistency_by=by, consistency_every=2)
        assert {model.step_kind(step) for step in range(0, 8, 2)} == kinds
        assert model.step_kind(1) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hydrogen_terms": False}, "every atom has a term"),
        ({"shares": "gates", "mode": "formula"}, "is for structures"),
        ({"shares": "presence", "extensive": (True,)}, "choose shares=gates"),
    ],
)
def test_shares_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        LensConfig(**settings)
