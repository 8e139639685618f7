"""What data sets from a public deposit have in common: fetched, parsed once, kept, drawn from."""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.base import Dataset, DatasetSource
from atomlens.datasets.packed import load_packed, save_packed
from atomlens.datasets.sampling import keep_rows, sample_rows, usable
from atomlens.datasets.sources.deposits import Deposit, fetch_deposit, local_files, noted_licence
from atomlens.datasets.sources.download import Progress
from atomlens.errors import DatasetError
from atomlens.files import cache_folder

_VERSION = 1
"""Raise it when any of these data sets is parsed in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadedSource(DatasetSource):
    """A data set whose files are downloaded; it says how they are parsed."""

    deposit: ClassVar[Deposit]

    seed: int = 0
    """Decides which samples ``limit`` takes, and the data set's own split."""
    folder: str | Path | None = None
    """Folder with the files, if they were downloaded by hand; by default in the cache folder."""

    @abstractmethod
    def parse(self, files: Sequence[Path]) -> Dataset:
        """Read all samples with all targets; bad ones go to ``failures``."""

    def own_split(self, n: int) -> dict[str, NDArray[np.int64]]:
        """Return the split that the data set's authors used, for ``n`` samples; empty if none."""
        return {}

    def choose(self, dataset: Dataset) -> Dataset:
        """Leave out samples that the options do not want."""
        return dataset

    def load(self, targets: Sequence[str] = (), limit: int | None = None) -> Dataset:
        """Load the samples; ``limit`` takes a random sample of that many.

        The files are parsed once; the arrays are kept in the cache folder.

        Raises:
            DatasetError: the files are not on this machine (it says how to get them) or damaged,
                or a target is unknown.
        """
        self.check_targets(targets)
        dataset = usable(self.choose(self._parsed()), targets)
        rows = sample_rows(len(dataset), limit, self.seed)
        if len(rows) < len(dataset):
            return keep_rows(dataset, rows)
        return replace(dataset, splits=self.own_split(len(dataset)))

    def files(self) -> list[Path]:
        """Return the files that it is read from.

        Raises:
            DatasetError: they are not on this machine.
        """
        return local_files(self.name, self.deposit, self.download_folder())

    def fetch(self, progress: Progress | None = None) -> list[Path]:
        """Download the files that are not here yet.

        Raises:
            DatasetError: there is no network, no room, or a checksum is wrong.
        """
        return fetch_deposit(self.name, self.deposit, self.download_folder(), progress)

    def download_folder(self) -> Path:
        """Return the folder that holds the files."""
        if self.folder is not None:
            return Path(self.folder).expanduser()
        return cache_folder() / "downloads" / self.name

    def stated_licence(self) -> str:
        """Return the licence as the record stated it, else as far as we know it."""
        return noted_licence(self.download_folder()) or self.licence

    def _parsed(self) -> Dataset:
        files = self.files()
        stamps = [(str(p.absolute()), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
        key = hashlib.sha256(repr((_VERSION, stamps)).encode()).hexdigest()[:24]
        path = cache_folder() / self.name / f"{key}.npz"
        try:
            return load_packed(path)
        except DatasetError:
            dataset = self.parse(files)  # parsed for the first time, or the cache is damaged
        try:
            return load_packed(save_packed(dataset, path, precision="float64", compressed=False))
        except DatasetError:
            return dataset  # the cache saves time only; a folder that cannot be written is none
