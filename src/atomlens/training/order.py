"""In which order samples are seen, and by whom; a function of seed, epoch and step alone."""

import hashlib
import math

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.errors import TrainingError
from atomlens.graphs import GraphStore
from atomlens.graphs.padding import ABSENT, Capacity, counts_of, smallest_graph


class StepOrder:
    """The rows of every step of every epoch; any of them can be had without the others."""

    def __init__(
        self,
        rows: NDArray[np.int64],
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        n_ranks: int = 1,
    ) -> None:
        self.rows = rows
        self.together = batch_size * n_ranks
        self.seed = seed
        self.rank, self.n_ranks = rank, n_ranks
        self._epoch = -1
        self._order = rows

    @property
    def n_steps(self) -> int:
        """Steps of one epoch; the last one may be smaller."""
        return math.ceil(len(self.rows) / self.together)

    def epoch(self, epoch: int) -> NDArray[np.int64]:
        """(n_rows,) all rows in the order of an epoch."""
        if epoch != self._epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._order = self.rows[generator.permutation(len(self.rows))]
            self._epoch = epoch
        return self._order

    def at(self, epoch: int, step: int) -> NDArray[np.int64]:
        """(n,) the rows of one step on this device; if it has none, one that another one has."""
        chunk = self.epoch(epoch)[step * self.together : (step + 1) * self.together]
        if len(chunk) < self.n_ranks:  # every device needs a sample
            chunk = np.resize(chunk, self.n_ranks)
        return chunk[self.rank :: self.n_ranks]

    def n_own(self, step: int) -> int:
        """Return how many samples of a step are this device's; 0 if it only repeats one."""
        left = min(self.together, len(self.rows) - step * self.together)
        return len(range(self.rank, left, self.n_ranks))

    def weight(self, step: int) -> float:
        """Return how much this device's mean loss counts in the mean over all devices.

        1 where all have as many samples; in a short last step a device counts by its samples, so
        that the gradient is the one that a single device finds for the whole step.
        """
        left = min(self.together, len(self.rows) - step * self.together)
        return self.n_own(step) * self.n_ranks / left


class FixedSteps:
    """The same order in steps of one size whose batches fit a capacity, with rows on a device.

    A short last step is filled with ``ABSENT`` rows. A batch that does not fit is dealt anew
    together with another one.
    """

    def __init__(
        self, order: StepOrder, capacity: Capacity, store: GraphStore, device: torch.device
    ) -> None:
        self.order, self.capacity = order, capacity
        self.rows = torch.full((capacity.n_graphs,), ABSENT, device=device)
        """Of the present step."""
        self.share = torch.zeros((), device=device)
        """Of the way to the weights that their moving average goes in the present step."""
        node_counts, edge_counts = counts_of(store)
        # the last entry is that of ABSENT rows, in whose place the smallest graph stands
        smallest = smallest_graph(node_counts, edge_counts)
        self.node_counts = np.append(node_counts, node_counts[smallest])
        self.edge_counts = np.append(edge_counts, edge_counts[smallest])
        self.weights = np.ones(order.n_steps)
        """(n_steps,) how much this device's mean loss counts, as `StepOrder.weight` has it."""
        self._epoch = -1
        self._steps = self.rows.unsqueeze(0)

    def go_to(self, epoch: int, step: int) -> None:
        """Fill ``rows`` with those of a step; the rows of an epoch are on the device before."""
        if epoch != self._epoch:
            self._steps = torch.from_numpy(self.epoch(epoch)).to(self.rows.device)
            self._epoch = epoch
        self.rows.copy_(self._steps[step])

    def epoch(self, epoch: int) -> NDArray[np.int64]:
        """(n_steps, batch_size) rows of every step of an epoch on this device."""
        o, chosen = self.order, self.order.epoch(epoch)
        rows = np.full(o.n_steps * o.together, ABSENT, dtype=np.int64)
        rows[: len(chosen)] = chosen
        last = (o.n_steps - 1) * o.together
        if len(chosen) - last < o.n_ranks:  # every device needs a sample
            rows[last : last + o.n_ranks] = np.resize(chosen[last:], o.n_ranks)
        batches = rows.reshape(o.n_steps, -1, o.n_ranks).transpose(0, 2, 1)
        fitting = self._fitting(batches.reshape(-1, self.capacity.n_graphs), epoch)
        counts = (fitting != ABSENT).sum(1).reshape(o.n_steps, o.n_ranks)
        self.weights = counts[:, o.rank] * o.n_ranks / counts.sum(1)
        return fitting[o.rank :: o.n_ranks]

    def _fits(self, batches: NDArray[np.int64]) -> NDArray[np.bool_]:
        return self.capacity.fits(self.node_counts[batches], self.edge_counts[batches])

    def _fitting(self, batches: NDArray[np.int64], epoch: int) -> NDArray[np.int64]:
        """Return the batches with the rows of those that do not fit dealt anew.

        Raises:
            TrainingError: it does not work, as too few graphs are too large.
        """
        generator = np.random.default_rng([self.order.seed, epoch, 1])
        batches = np.ascontiguousarray(batches)
        n = len(batches)
        for _ in range(100 * n):
            bad = np.flatnonzero(~self._fits(batches))
            if not len(bad):
                return batches
            if n == 1:
                break
            pair = [bad[0], (bad[0] + generator.integers(1, n)) % n]
            batches[pair] = generator.permutation(batches[pair].ravel()).reshape(2, -1)
        raise TrainingError(
            f"A batch of {self.capacity.n_graphs} structures has room for "
            f"{self.capacity.n_nodes} atoms and {self.capacity.n_edges} neighbour pairs, and some "
            "do not fit however they are dealt. Choose a larger batch_size."
        )


def step_seed(seed: int, epoch: int, step: int, rank: int) -> int:
    """Return the seed of torch's generator for one step, so that dropout can be repeated."""
    text = f"{seed}/{epoch}/{step}/{rank}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")
