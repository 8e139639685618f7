"""Facts about SCANN and SCANN+."""

import dataclasses
import math

import pytest
import torch

from atomlens.errors import SettingsError
from atomlens.graphs import collate
from atomlens.models import make_model
from graph_makers import doubled, random_graph


@pytest.mark.parametrize(
    ("name", "settings", "published"),
    [
        ("scann", {"n_layers": 8, "n_elements": 10}, 626_913),
        ("scann", {"n_layers": 8, "n_elements": 10, "ring_features": True}, 628_223),
        ("scann", {"n_layers": 11, "n_elements": 80, "ring_features": True}, 839_327),
        ("scann-plus", {"n_layers": 7, "n_elements": 10}, 890_977),
        ("scann-plus", {"n_layers": 9, "n_elements": 95, "n_embedding": 128}, 1_145_089),
        ("scann", {"n_layers": 9, "n_elements": 70}, 699_041),
        ("scann-plus", {"n_layers": 9, "n_elements": 70}, 1_126_049),
    ],
)
def test_it_has_as_many_parameters_as_the_published_model(
    name: str, settings: dict[str, int], published: int
) -> None:
    """Counts of the authors' code, specification section 7."""
    assert make_model(name, **settings).n_parameters == published


@pytest.mark.parametrize("name", ["scann", "scann-plus"])
@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("threshold", ["angle", "distance"])
def test_a_face_at_a_threshold_changes_nothing_if_smooth(
    name: str, smooth: bool, threshold: str
) -> None:
    torch.manual_seed(0)
    model = make_model(name, n_layers=2, smooth=smooth).double().eval()
    graph = random_graph(7, 4)
    angles, distances = graph.solid_angles.clone(), graph.distances.clone()
    if threshold == "angle":
        angles[3] = 0.4 + 1e-6
    else:
        distances[3] = 4.0 - 1e-6
    small = dataclasses.replace(graph, solid_angles=angles, distances=distances)
    kept = torch.arange(graph.n_edges) != 3
    names = ("distances", "edge_vectors", "images", "solid_angles", "edge_weights")
    gone = dataclasses.replace(
        small,
        edge_index=small.edge_index[:, kept],
        **{field: getattr(small, field)[kept] for field in names},
    )
    with torch.no_grad():
        first, second = (model(collate([g], torch.float64)).values for g in (small, gone))
    jump = (first - second).abs().max().item()
    assert jump < 1e-7 if smooth else jump > 1e-6


def test_published_presets_do_not_fade() -> None:
    assert not make_model("scann").config.smooth
    assert not make_model("scann-plus").config.smooth


def test_the_mean_readout_does_not_notice_a_supercell() -> None:
    torch.manual_seed(0)
    model = make_model("scann-plus", readout="mean", n_layers=2).double().eval()
    graph = random_graph(7, 4)
    with torch.no_grad():
        one = model(collate([graph], torch.float64))
        two = model(collate([doubled(graph)], torch.float64))
    torch.testing.assert_close(one.values, two.values, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(one.node_attention, two.node_attention.view(2, 7).sum(dim=0))


def test_the_paper_readout_does_notice_a_supercell() -> None:
    torch.manual_seed(0)
    model = make_model("scann-plus", readout="paper", n_layers=2).double().eval()
    graph = random_graph(7, 4)
    with torch.no_grad():
        one = model(collate([graph], torch.float64))
        two = model(collate([doubled(graph)], torch.float64))
    summed = two.node_attention.view(2, 7).sum(dim=0)
    assert not torch.allclose(one.node_attention, summed, rtol=1e-3)


def test_a_value_that_cannot_be_negative_still_has_a_gradient_below_zero() -> None:
    torch.manual_seed(0)
    model = make_model("scann-plus", n_layers=1, lower_bounds=(0.5,))
    with torch.no_grad():
        model.output.bias.fill_(-10.0)  # type: ignore[operator,union-attr]
    values = model(collate([random_graph(5, 3)])).values
    assert values.item() == 0.5
    values.sum().backward()
    assert model.output.bias.grad.item() == 1.0  # type: ignore[operator,union-attr]


def test_scann_plus_ignores_the_weights_and_scann_ignores_the_angles() -> None:
    graph = random_graph(6, 3)
    batch = collate([graph], torch.float32)
    assert batch.edge_weights is not None
    assert batch.solid_angles is not None
    from dataclasses import replace

    for name, field in (("scann-plus", "edge_weights"), ("scann", "solid_angles")):
        torch.manual_seed(0)
        model = make_model(name, n_layers=2).eval()
        changed = replace(batch, **{field: getattr(batch, field) * 0.5})
        with torch.no_grad():
            assert torch.equal(model(batch).values, model(changed).values)
            other = "solid_angles" if field == "edge_weights" else "edge_weights"
            moved = replace(batch, **{other: getattr(batch, other) * 0.5})
            assert not torch.equal(model(batch).values, model(moved).values)


def test_the_noise_scale_is_a_second_output() -> None:
    model = make_model("scann-plus", n_layers=1, n_outputs=2, predict_scale=True)
    output = model(collate([random_graph(5, 3)]))
    assert output.values.shape == output.log_scale.shape == (1, 2)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(SettingsError, match="not a multiple"):
        make_model("scann", n_features=100, n_heads=8)


def test_an_unknown_readout_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'mean'"):
        make_model("scann", readout="means")


def test_the_distance_basis_ends_at_the_cutoff() -> None:
    model = make_model("scann-plus", cutoff=6.0, n_layers=1)
    assert model.distance_basis.centers[-1] == 6.0  # type: ignore[union-attr,index]
    angles = model.angle_basis.centers  # type: ignore[union-attr]
    assert float(angles[-1]) == pytest.approx(2 * math.pi)  # type: ignore[index,arg-type]
