"""Steps of a fixed size: which rows are in them, and that they ask the device for nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from atomlens.errors import TrainingError
from atomlens.graphs import GraphStore
from atomlens.graphs.padding import ABSENT, Capacity, counts_of
from atomlens.models import MODELS
from atomlens.targets import Target
from atomlens.training.losses import TargetLoss
from atomlens.training.optimizer import WeightAverage, clip_by_norm, make_optimizer, set_rate
from atomlens.training.order import FixedSteps, StepOrder
from atomlens.training.settings import TrainSettings
from atomlens.training.step import StepModule, mixes_rows
from graph_makers import lone_atom, random_graph
from model_makers import small_model

CPU = torch.device("cpu")
GRADIENT_MODELS = sorted(n for n, kind in MODELS.items() if kind.learns_in_steps)
FIXED_MODELS = [name for name in GRADIENT_MODELS if "cgcnn" not in name]
"""Those of CGCNN's kind normalise over the rows of a batch, and are trained without fixed sizes."""


def some_store(n: int = 23) -> GraphStore:
    return GraphStore.from_graphs(
        random_graph(2 + s % 7, 1 + s % 3, seed=s, dtype=torch.float32) for s in range(n)
    )


def fixed(store: GraphStore, batch_size: int, capacity: Capacity | None = None) -> FixedSteps:
    capacity = capacity or Capacity.of(*counts_of(store), batch_size)
    return FixedSteps(StepOrder(np.arange(len(store)), batch_size, seed=0), capacity, store, CPU)


def test_an_epoch_has_every_row_once_and_its_last_step_is_filled() -> None:
    rows = fixed(some_store(), 5).epoch(3)
    assert rows.shape == (5, 5)
    assert sorted(rows[rows != ABSENT]) == list(range(23))
    assert (rows == ABSENT).sum() == 2


def test_the_order_is_that_of_other_devices_where_all_batches_fit() -> None:
    store = some_store()
    order = StepOrder(np.arange(len(store)), 5, seed=0)
    steps = fixed(store, 5)
    for step in range(4):
        steps.go_to(7, step)
        assert torch.equal(steps.rows, torch.from_numpy(order.at(7, step)))


def test_batches_that_do_not_fit_are_dealt_anew() -> None:
    store = some_store(60)
    nodes, edges = counts_of(store)
    tight = Capacity(n_graphs=6, n_nodes=int(nodes.mean() * 6) + 4, n_edges=int(edges.max() * 6))
    plain = StepOrder(np.arange(60), 6, seed=0).epoch(1).reshape(-1, 6)
    assert not tight.fits(nodes[plain], edges[plain]).all()
    rows = fixed(store, 6, tight).epoch(1)
    assert tight.fits(nodes[rows], edges[rows]).all()
    assert sorted(rows.ravel()) == list(range(60))


def test_what_can_never_fit_is_said() -> None:
    impossible = Capacity(n_graphs=6, n_nodes=12, n_edges=1000)
    with pytest.raises(TrainingError, match=r"batch of 6 .* 12 atoms .* larger batch_size"):
        fixed(some_store(), 6, impossible).epoch(0)


def test_ranks_share_the_same_deal() -> None:
    store, n_ranks = some_store(60), 2
    capacity = Capacity.of(*counts_of(store), 3)
    shares = []
    for rank in range(n_ranks):
        order = StepOrder(np.arange(60), 3, seed=0, rank=rank, n_ranks=n_ranks)
        shares.append(FixedSteps(order, capacity, store, CPU).epoch(2))
    assert sorted(np.concatenate(shares).ravel()) == list(range(60))


class Waiting(TorchDispatchMode):
    """Refuses operations that bring numbers from the processor to the device or back."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        places = {a.device.type for a in args if isinstance(a, Tensor)}
        if len(places) > 1 or places == {"cpu"}:
            raise AssertionError(f"{func} works with numbers of the processor")
        return func(*args, **(kwargs or {}))


def refuse_waiting(work: Callable[[], object]) -> None:
    """Run something on the device `meta`, where tensors have shapes and no numbers."""

    def made(*_: object, **__: object) -> Tensor:
        raise AssertionError("a tensor is made of the processor's numbers")

    with pytest.MonkeyPatch.context() as patch, Waiting():
        for name in ("tensor", "as_tensor", "from_numpy"):
            patch.setattr(torch, name, made)
        work()


TARGETS = (
    Target(name="y"),
    Target(name="kind", kind="classification", classes=("a", "b")),
    Target(name="z"),
)


KINDS = [(name, {}) for name in FIXED_MODELS]
KINDS += [(name, {"head": "additive"}) for name in ("scann", "scann-plus", "finder")]


@pytest.mark.parametrize(("name", "settings"), KINDS)
@pytest.mark.parametrize("step", [0, 1, 4])
def test_a_step_asks_the_device_for_nothing(name: str, settings: dict[str, Any], step: int) -> None:
    """On the device `meta` there are no numbers at all, only shapes: a step that needs to know
    one fails there, as do sizes that depend on numbers."""
    model = small_model(name, n_outputs=4, **settings).train()
    assert not mixes_rows(model)
    nowhere = torch.device("meta")
    model = model.to(nowhere)
    store = some_store(8).select(model.edge_fields).to(nowhere)
    capacity = Capacity(n_graphs=4, n_nodes=64, n_edges=128)
    module = StepModule(
        model, TargetLoss(TARGETS, TrainSettings()), store, torch.zeros(8, 3).to(nowhere)
    )
    module.cutter = _cutter(store, capacity)
    average = WeightAverage(model, 0.9)
    rows = torch.zeros(4, dtype=torch.long, device=nowhere)
    share = torch.zeros((), device=nowhere)

    def work() -> None:
        loss = module(rows, step)
        loss.backward()
        clip_by_norm([p for p in model.parameters() if p.requires_grad], 5.0)
        model.constrain_weights()
        average.follow(share)

    refuse_waiting(work)
    assert any(p.grad is not None for p in model.parameters())


def _cutter(store: GraphStore, capacity: Capacity) -> Any:
    """A cutter that was made where the smallest graph could still be looked up."""
    from atomlens.graphs.padding import PaddedCutter

    cutter = PaddedCutter(some_store(8), capacity)
    nowhere = store.node_offsets.device
    cutter.store = store
    for name in ("node_counts", "edge_counts", "nodes", "edges", "smallest"):
        setattr(cutter, name, getattr(cutter, name).to(nowhere))
    return cutter


def test_the_guard_sees_numbers_that_are_waited_for() -> None:
    there = torch.zeros(3, device="meta")
    for forbidden in (
        lambda: there.sum().item(),
        lambda: there[there > 0],
        lambda: torch.nonzero(there),
        lambda: torch.bincount(there.long()),
        lambda: torch.repeat_interleave(there.long()),
        lambda: there * torch.tensor([1.0, 2.0, 3.0], device="meta"),
    ):
        with pytest.raises((AssertionError, RuntimeError)):
            refuse_waiting(forbidden)


def test_a_share_in_a_tensor_moves_the_average_as_a_number_does() -> None:
    layers = [torch.nn.Linear(3, 3) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    averages = [WeightAverage(layer, 0.9) for layer in layers]
    for layer, average in zip(layers, averages, strict=True):
        with torch.no_grad():
            for p in layer.parameters():
                p.add_(1.0)
        average.follow(0.25 if average is averages[0] else torch.tensor(0.25))
    for a, b in zip(averages[0].average, averages[1].average, strict=True):
        torch.testing.assert_close(a, b)


def test_a_rate_in_a_tensor_is_changed_in_its_place() -> None:
    layer = torch.nn.Linear(2, 2)
    rate = torch.tensor(0.1)
    optimizer = torch.optim.Adam(layer.parameters(), lr=rate, fused=True)
    set_rate(optimizer, 0.02)
    assert rate.item() == pytest.approx(0.02)
    plain = make_optimizer(small_model("scann"), TrainSettings(), CPU)
    set_rate(plain, 0.03)
    assert all(group["lr"] == 0.03 for group in plain.param_groups)


@pytest.mark.parametrize("name", FIXED_MODELS)
def test_a_filled_step_has_the_loss_and_gradients_of_an_ordinary_one(name: str) -> None:
    model = small_model(name, **({"consistency": 0.0} if name == "lens" else {})).double()
    assert not mixes_rows(model)
    graphs = [random_graph(3 + s, 2, seed=s) for s in range(6)]
    store = GraphStore.from_graphs([*graphs, lone_atom()], torch.float64)
    store = store.select(model.edge_fields)
    values = torch.randn(7, 1, dtype=torch.float64)
    values[2] = torch.nan
    loss = TargetLoss((Target(name="y"),), TrainSettings())
    plain = StepModule(model, loss, store, values)
    filled = StepModule(model, loss, store, values, Capacity(n_graphs=5, n_nodes=64, n_edges=128))
    found = []
    for module, rows in ((plain, [4, 2, 0]), (filled, [4, 2, ABSENT, 0, ABSENT])):
        model.zero_grad()
        value = module(torch.tensor(rows), 0)
        value.backward()
        found.append([value, *(p.grad for p in model.parameters() if p.grad is not None)])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("step", [0, 4])
def test_made_up_graphs_do_not_count_in_the_consistency_of_lens(step: int) -> None:
    """With one real graph of one atom, all that can be hidden is that atom, or nothing."""
    model = small_model("lens").double()
    store = GraphStore.from_graphs([lone_atom(), random_graph(9, 3)], torch.float64)
    store = store.select(model.edge_fields)
    capacity = Capacity(n_graphs=1, n_nodes=64, n_edges=128)
    module = StepModule(
        model,
        TargetLoss((Target(name="y"),), TrainSettings()),
        store,
        torch.full((2, 1), torch.nan, dtype=torch.float64),
        capacity,
    )
    losses = set()
    for seed in range(12):
        torch.manual_seed(seed)
        losses.add(round(module(torch.tensor([0]), step).item(), 12))
    assert len(losses) <= 2
