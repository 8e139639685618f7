"""A setting of a model changes something, or says itself beside which others it does not."""

import hashlib
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Literal, get_args, get_origin

import pytest
import torch

from atomlens.errors import MissingDependencyError, SettingsError
from atomlens.graphs import AtomGraph, GraphBatch, collate
from atomlens.models import MODELS, make_model, model_config
from atomlens.settings import why_idle
from atomlens.testing.graphs import formula_graph, random_graph

SMALL = {"n_features": 8, "n_layers": 2, "n_heads": 2, "n_embedding": 6, "n_trees": 4, "n_gate": 8}
SMALL |= {"n_hidden_layers": 1, "n_gaussians": 3}
OF_DATA = {"n_outputs", "n_elements", "n_nodes", "mode", "predict_scale", "ring_features"}
"""Training fills these in, or refuses them beside what the data and the neighbours are."""


def _with_other_cell(seed: int) -> AtomGraph:
    graph = random_graph(6, 3, seed=seed, dtype=torch.float32)
    sheared = graph.cell + torch.tensor([[0.0, 0, 0], [3, 0, 0], [0, 2, 0]])
    return graph.with_fields(cell=sheared)


def _batch(config: Any, kind: type) -> GraphBatch:
    formulas = getattr(config, "mode", kind.default_builder[0])  # type: ignore[attr-defined]
    if formulas != "formula":
        return collate([_with_other_cell(seed) for seed in range(8)], torch.float32)
    drawn = [{8: 2 + i, 22: 1, 3 + i: 2, 11 + 2 * i: 1 + i % 3} for i in range(8)]
    return collate([formula_graph(amounts) for amounts in drawn], torch.float32)


def _weights(name: str, shape: torch.Size) -> torch.Tensor:
    """Return random numbers that hang on the name alone, not on the order of the layers."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    return 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + 0.05


def _all_that_it_does(kind: Any, config: Any) -> str:
    """Return weights, answers, attention, losses and limits of a model as one text."""
    batch = _batch(config, kind)
    torch.manual_seed(0)
    model = kind(config)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and "running" not in name:
                tensor.copy_(_weights(name, tensor.shape))
    if not kind.learns_in_steps:
        values = torch.linspace(-1, 2, batch.n_graphs)
        model.fit(batch, torch.stack([values**2, values**3], dim=1))
    said: list[Any] = [[(n, t.shape) for n, t in model.state_dict().items()]]
    for is_training in (False, True):
        torch.manual_seed(3)
        output = model.train(is_training)(batch)
        said += [output.values.tolist(), output.node_attention.tolist()]
    for step in range(9):
        torch.manual_seed(step)
        extra = model.auxiliary_loss(batch, output, step)
        said += [model.step_kind(step), None if extra is None else extra.item()]
    model.constrain_weights()
    said += [[(n, t.double().sum().item()) for n, t in model.state_dict().items()]]
    return str(said)


def _others(field: Any, value: Any) -> list[Any]:
    """Return other values that a setting may have."""
    if get_origin(field.type) is Literal:
        return [one for one in get_args(field.type) if one != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [one for one in (value + 1, 2 * value, value - 1) if one != value]
    if isinstance(value, float):
        return [one for one in (1.5 * value + 0.1, value / 2) if one != value]
    if isinstance(value, tuple) and value and all(isinstance(one, int) for one in value):
        return [tuple(one + 8 for one in value)]
    return []


def _small(name: str, **more: Any) -> Any:
    config = model_config(name, n_outputs=2, **more)
    known = {f.name: getattr(config, f.name) for f in fields(config)}
    sizes = {key: size for key, size in SMALL.items() if key in known and known[key] > 1}
    sizes |= {k: (8,) * len(known[k]) for k in ("n_hidden", "trunk") if _is_tuple(known.get(k))}
    return replace(config, **sizes)


def _is_tuple(value: Any) -> bool:
    return isinstance(value, tuple)


def _cases() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in ("lens", "scann", "cgcnn", "ae-cgcnn", "geo-cgcnn", "finder", "rescnn", "roost"):
        known = {f.name for f in fields(MODELS[name].Config)}
        heads = [{"head": h} for h in ("published", "additive")] if "head" in known else [{}]
        modes = [{"mode": m} for m in ("formula", "structure")] if "mode" in known else [{}]
        yield from ((name, head | mode) for head in heads for mode in modes)
    yield from ((name, {}) for name in ("rf-magpie", "mean", "ridge"))


@pytest.mark.parametrize(("name", "more"), list(_cases()), ids=str)
def test_a_setting_changes_something_or_is_said_to_be_idle(name: str, more: dict[str, Any]) -> None:
    try:
        config = _small(name, **more)
        usual = _all_that_it_does(MODELS[name], config)
    except MissingDependencyError as problem:
        pytest.skip(str(problem))
    assert usual == _all_that_it_does(MODELS[name], config), "not the same twice"
    for field in fields(config):
        value = getattr(config, field.name)
        possible = []
        for other in () if field.name in OF_DATA else _others(field, value):
            try:
                possible.append(replace(config, **{field.name: other}))
            except SettingsError:
                continue  # refused beside the others: said aloud
        if not possible:
            continue
        idle = all(_all_that_it_does(MODELS[name], one) == usual for one in possible)
        assert idle == bool(why_idle(config, field.name)), field.name


def test_settings_that_never_had_an_effect_are_gone_and_old_folders_still_name_them() -> None:
    with pytest.raises(SettingsError, match="nonnegative"):
        make_model("ridge", nonnegative=True)
    assert {"nonnegative", "l2"} <= MODELS["mean"].retired_settings
