"""In which order samples are seen, and by whom; a function of seed, epoch and step alone."""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray


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

    def at(self, epoch: int, step: int) -> NDArray[np.int64]:
        """Return the rows of one step on this device."""
        if epoch != self._epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._order = self.rows[generator.permutation(len(self.rows))]
            self._epoch = epoch
        chunk = self._order[step * self.together : (step + 1) * self.together]
        if len(chunk) < self.n_ranks:  # every device needs a sample
            chunk = np.resize(chunk, self.n_ranks)
        return chunk[self.rank :: self.n_ranks]


def step_seed(seed: int, epoch: int, step: int, rank: int) -> int:
    """Return the seed of torch's generator for one step, so that dropout can be repeated."""
    text = f"{seed}/{epoch}/{step}/{rank}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")
