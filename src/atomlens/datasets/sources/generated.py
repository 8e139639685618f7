"""What data sets that are made on the spot have in common: how many, from which seed."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass

from atomlens.datasets.base import DatasetSource
from atomlens.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedSource(DatasetSource, ABC):
    """A source without files: ``n`` samples that a seed decides."""

    n: int = 2000
    """How many there are."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.n < 1 or self.seed < 0:
            raise SettingsError(
                f"{self.name}: n is {self.n} and seed {self.seed}; n must be 1 or more, seed 0 or "
                "more."
            )

    def n_wanted(self, targets: Sequence[str], limit: int | None) -> int:
        """Return how many samples are to be made.

        Raises:
            DatasetError: there is no such target.
            SettingsError: the limit is below 1.
        """
        self.check_targets(targets)
        if limit is not None and limit < 1:
            raise SettingsError(f"The limit of samples is {limit}; it must be 1 or more.")
        return self.n if limit is None else min(limit, self.n)
