"""A data set: structures with the values that are to be learned."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from atomlens.datasets.beside import OtherColumns
from atomlens.errors import Failure, MissingTargetError
from atomlens.printing import counted
from atomlens.structures.arrays import StructureArrays
from atomlens.targets import Target, value_slices

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One structure with its targets."""

    atoms: "Atoms"
    targets: "dict[str, float | NDArray[np.float64]]"
    """Value by target name; NaN where unknown; the class number for a classification; for a
    spectrum (n_grid,) values."""
    identifier: str

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import structure_html, table_html

        return table_html([{"name": self.identifier, **self.targets}]) + structure_html(self.atoms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Structures, targets and, where the source defines them, splits."""

    name: str
    structures: StructureArrays
    targets: tuple[Target, ...]
    values: NDArray[np.float64]
    """(n, n_values) one column a target, for a spectrum one a point of its grid (see
    `value_slices`); NaN where unknown; the class number for a classification."""
    splits: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Indices by part (``train``, ``validation``, ``test``) and by fold of a cross-validation
    (``fold 0`` and so on), if the source defines them."""
    node_labels: tuple[NDArray[np.float64], ...] | None = None
    """For data whose answer rests on known atoms: 1 for those, else 0 (``toy``), or the term of
    each atom, which add up to the value (``crippen-logp``, ``emt-alloys``)."""
    held: NDArray[np.bool_] | None = None
    """(n, n_values) where a spectrum had ended and its last value is held; None if nowhere."""
    failures: tuple[Failure, ...] = ()
    """Rows that could not be used, by name, with the reason."""
    without_value: tuple[str, ...] = ()
    """Names of rows that were left out because no value of the targets is known."""
    row_numbers: NDArray[np.int64] | None = None
    """(n,) number of each sample among all rows of its source, from 0; None if unknown."""
    index: "pd.Index | None" = None
    """(n,) what the Series or DataFrame that it was made of calls the row of each sample; None
    for others."""
    sources: tuple[str, ...] = ()
    """File or text that each sample was read from; empty if nobody knows."""
    file: str = ""
    """Path of the one file that it was read from; empty for a folder, what was in memory, and what
    has a name."""
    reading: dict[str, Any] = field(default_factory=dict)
    """Options with which the source was read, as plain values; those left out are not in it."""
    remarks: tuple[str, ...] = ()
    """What was warned of while the source was read, a sentence each."""
    columns: OtherColumns = field(default_factory=OtherColumns)
    """All columns of a table by header, (n,) cells each: what samples may be divided by."""

    def __len__(self) -> int:
        return len(self.structures)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "Dataset": ...
    def __getitem__(self, index: int | slice) -> "Sample | Dataset":
        """Return one sample, or of a slice the data set of its samples, as `subset` does."""
        if isinstance(index, slice):
            return self.subset(range(len(self))[index])
        row = self.values[index]
        places = zip(self.targets, value_slices(self.targets), strict=True)
        return Sample(
            atoms=self.structures.to_atoms(index),
            targets={t.name: row[p] if t.is_spectrum else float(row[p.start]) for t, p in places},
            identifier=self.structures.names[index],
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        targets = ", ".join(map(str, self.targets)) or "no target"
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"<Dataset: {self.name}, {counted(len(self), 'sample')}{failed}, {targets}>"

    def _repr_html_(self) -> str:
        from atomlens.reports.notebook import structures_html, table_html

        left_out = (
            [f"{counted(len(self.failures), 'row')} could not be used."] if self.failures else []
        )
        title = f"{self.name}: {counted(len(self), 'sample')}"
        return table_html(self._summary(), title=title, notes=left_out) + structures_html(
            self.structures
        )

    def _summary(self) -> list[dict[str, Any]]:
        """Return one row a target: how many values are known, and where they lie."""
        rows: list[dict[str, Any]] = []
        for target, place in zip(self.targets, value_slices(self.targets), strict=True):
            values = self.values[:, place]
            known = values[np.isfinite(values)]
            row: dict[str, Any] = {"target": target.name, "unit": target.unit or None}
            row |= {"known": int(np.isfinite(values).any(axis=1).sum())}
            if target.classes:
                counts = np.bincount(known.astype(np.int64), minlength=len(target.classes))
                pairs = zip(target.classes, counts.tolist(), strict=True)
                row |= {"classes": ", ".join(f"{name} {n}" for name, n in pairs)}
            elif len(known):
                row |= {"mean": float(known.mean()), "std": float(known.std())}
                row |= {"lowest": float(known.min()), "highest": float(known.max())}
            rows.append(row)
        return rows

    def subset(self, indices: "Sequence[int] | NDArray[np.int64]") -> "Dataset":
        """Return the chosen samples, in the given order; splits of the source are dropped."""
        chosen = np.asarray(indices, dtype=np.int64)
        labels, held = self.node_labels, self.held
        return replace(
            self,
            structures=self.structures.subset(chosen),
            values=self.values[chosen],
            held=None if held is None else held[chosen],
            splits={},
            row_numbers=None if self.row_numbers is None else self.row_numbers[chosen],
            index=None if self.index is None else self.index.take(chosen),
            sources=tuple(self.sources[i] for i in chosen) if self.sources else (),
            columns=self.columns.subset(chosen),
            node_labels=None if labels is None else tuple(labels[i] for i in chosen),
        )

    def splits_among(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Return the splits of the source for chosen samples: places in ``rows``, (n_chosen,)."""
        place = np.full(len(self), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        return {part: place[old][place[old] >= 0] for part, old in self.splits.items()}

    def select_targets(self, names: Sequence[str]) -> "Dataset":
        """Return the data set with only the named targets.

        Raises:
            MissingTargetError: it lacks some of them.
        """
        known = [t.name for t in self.targets]
        missing = [name for name in names if self._place_of(name, known) is None]
        if missing:
            raise MissingTargetError(self.name, missing, known)
        places = (self._place_of(name, known) for name in names)
        chosen = list(dict.fromkeys(place for place in places if place is not None))
        slices = value_slices(self.targets)
        columns = [np.zeros(0, dtype=np.int64)]
        columns += [np.arange(slices[c].start, slices[c].stop) for c in chosen]
        kept, held = np.concatenate(columns), self.held
        return replace(
            self,
            targets=tuple(self.targets[c] for c in chosen),
            values=self.values[:, kept],
            held=None if held is None else held[:, kept],
        )

    def _place_of(self, name: str, known: list[str]) -> int | None:
        """Return the place of a target; letters of another case will do if only one fits."""
        if name in known:
            return known.index(name)
        alike = [i for i, other in enumerate(known) if other.lower() == name.strip().lower()]
        return alike[0] if len(alike) == 1 else None


class DatasetSource(ABC):
    """A named source of samples, an entry of ``DATASETS``. Real ones are frozen dataclasses."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """One line: what it holds and where it comes from."""
    available_targets: ClassVar[tuple[Target, ...]]
    origin: ClassVar[str]
    """Where its values come from: a web page, a package, or a generator."""
    licence: ClassVar[str]
    """Under which the values may be used."""

    @abstractmethod
    def load(self, targets: Sequence[str] = (), limit: int | None = None) -> Dataset:
        """Load the samples with the named targets (all by default), at most ``limit``."""

    def check_targets(self, targets: Sequence[str]) -> None:
        """Raise a DatasetError that offers the nearest name for a target that it has not."""
        known = [t.name for t in self.available_targets]
        missing = [name for name in targets if name not in known]
        if missing:
            raise MissingTargetError(self.name, missing, known)

    def files(self) -> list[Path]:
        """Return the files on this machine that it is read from; none if it is generated.

        Raises:
            DatasetError, MissingDependencyError: they are not here; the message says what to do.
        """
        return []

    def fetch(self, progress: Callable[[int, int], None] | None = None) -> list[Path]:
        """Bring the files onto this machine and return them; most need no bringing.

        ``progress`` is called with (bytes that are here, bytes in all).
        """
        return self.files()

    def stated_licence(self) -> str:
        """Return the licence, from the deposit itself where it was asked."""
        return self.licence
