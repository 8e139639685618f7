"""On which samples a model was trained, known by their content: whatever they are called later."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from atomlens.datasets.base import Dataset
from atomlens.datasets.geometries import lasting_numbers
from atomlens.errors import DatasetError, ModelError
from atomlens.neighbors.identity import (
    Identities,
    composition_digests,
    row_digests,
    structure_digests,
)
from atomlens.printing import counted
from atomlens.structures.arrays import StructureArrays

PARTS = ("train", "validation", "test")
PRETRAINING = "pretraining"
"""Part of the samples that only the model saw from which a fine-tuning started."""
_WORDS = (*PARTS, PRETRAINING)
UNKNOWN = "unknown"
"""What is said of a structure if the model folder does not know its samples by content, and of
made coordinates, which are not those of a training on given ones."""

_NO_STRUCTURE = np.zeros(1, dtype=np.uint64)
_ALL_BYTES, _SLIM_BYTES, _SLIM_VALUE_BYTES = 8, 5, 4
"""Of a digest that are known. Five tell 100,000 structures from another one but in one case of ten
millions; folders of earlier days have six. Of values four tell a sample from another of the same
structure but in one case of four thousand millions."""
_DIRECTORY_BITS, _REST_BITS = 12, 28
"""Of five bytes, where they ascend: how many have each of the first bits is told, and of each the
others follow, two in seven bytes."""
_AS_NUMBERS = (_ALL_BYTES, _SLIM_VALUE_BYTES)
"""How many bytes of a digest are a number of numpy."""


def known_part(part: str) -> str:
    """Return the part of a training that a structure was in; empty if in none, or if unknown."""
    return "" if part == UNKNOWN else part


@dataclass(frozen=True, kw_only=True)
class TrainingSamples:
    """The samples of all parts of a training, in the order of the names in ``split.json``."""

    structures: NDArray[np.uint64]
    """(n,) digests of the structures, of which the first ``n_bytes`` are known, the rest 0"""
    values: NDArray[np.uint64]
    """(n,) digests of the values of all targets; 0 where they are not kept"""
    row_numbers: NDArray[np.int64]
    """(n,) number of the row in its source, from 0; -1 if unknown"""
    parts: NDArray[np.uint8]
    """(n,) place in ``PARTS``; behind them come the structures of a pretraining"""
    compositions: NDArray[np.uint32] | None = None
    """Digests of their compositions, each once, ascending: what has another is none of them. None
    of folders of earlier days, which may hold digests of cells as given, too"""
    lasting: NDArray[np.uint32] | None = None
    """`lasting_numbers` of the training part and of a pretraining, each once, ascending: what has
    another is no other geometry of one of them. None of folders of earlier days"""
    n_bytes: int = _ALL_BYTES
    """Of the digests of structures that are known."""
    n_value_bytes: int = _ALL_BYTES
    """Of the digests of values that are known: 8 or 4."""

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def n_own(self) -> int:
        """Samples of this training, those of a pretraining left out."""
        return int((self.parts < len(PARTS)).sum())

    @classmethod
    def of(cls, dataset: Dataset, parts: Mapping[str, NDArray[np.int64]]) -> "TrainingSamples":
        """Return the samples of the given parts (rows of the data set)."""
        rows = np.concatenate([parts[part] for part in PARTS])
        numbers = dataset.row_numbers
        sizes = [len(parts[part]) for part in PARTS]
        structures = dataset.structures.subset(rows)
        return cls(
            structures=structure_digests(structures),
            values=value_digests(dataset.values[rows]),
            row_numbers=np.full(len(rows), -1) if numbers is None else numbers[rows],
            parts=np.repeat(np.arange(len(PARTS)), sizes).astype(np.uint8),
            compositions=np.unique(composition_digests(structures)),
            lasting=np.unique(lasting_numbers(dataset.structures.subset(parts["train"]))),
        )

    def slim(self) -> "TrainingSamples":
        """Return the samples without the values and rows of the training part.

        Of a training sample it is still known that it was one, and no longer which; 110,000 take
        0.4 MB.
        """
        kept = self.parts != PARTS.index("train")
        n_bytes = min(self.n_bytes, _SLIM_BYTES)
        values = _first_bytes(self.values, _SLIM_VALUE_BYTES)
        structures = _first_bytes(self.structures, n_bytes)
        structures[~kept] = np.sort(structures[~kept])
        return replace(
            self,
            structures=structures,
            n_bytes=n_bytes,
            values=np.where(kept, values, np.uint64(0)),
            n_value_bytes=_SLIM_VALUE_BYTES,
            row_numbers=np.full(len(self), -1, dtype=np.int64),
        )

    def after(self, earlier: "TrainingSamples | None") -> "TrainingSamples":
        """Return these samples with those that a model learned from before it was fine-tuned."""
        if earlier is None:
            return self
        seen = earlier.parts != PARTS.index("test")
        compositions = None
        if self.compositions is not None and earlier.compositions is not None:
            compositions = np.union1d(self.compositions, earlier.compositions)
        n_bytes = min(self.n_bytes, earlier.n_bytes)
        structures = np.concatenate([self.structures, earlier.structures[seen]])
        n_value_bytes = min(self.n_value_bytes, earlier.n_value_bytes)
        values = np.concatenate([self.values, earlier.values[seen]])
        return TrainingSamples(
            structures=_first_bytes(structures, n_bytes),
            n_bytes=n_bytes,
            values=_first_bytes(values, n_value_bytes),
            n_value_bytes=n_value_bytes,
            row_numbers=np.concatenate([self.row_numbers, np.full(int(seen.sum()), -1)]),
            parts=np.concatenate([self.parts, np.full(int(seen.sum()), len(PARTS), np.uint8)]),
            compositions=compositions,
            lasting=self.lasting
            if self.lasting is None or earlier.lasting is None
            else np.union1d(self.lasting, earlier.lasting),
        )

    def in_other_geometry(self, structures: StructureArrays) -> NDArray[np.bool_]:
        """(n,) whether each may be a structure that was learned from in another geometry.

        Of molecules that is sure; crystals have the same elements in the same order. None of those
        is that were learned from as they are; no formula is; none if the folder does not say.
        """
        if self.lasting is None:
            return np.zeros(len(structures), dtype=np.bool_)
        found: NDArray[np.bool_] = np.isin(lasting_numbers(structures), self.lasting)
        found &= ~structures.is_formula
        rows = np.flatnonzero(found)
        same = self.part_of(structures.subset(rows))
        found[rows] = [part not in ("train", PRETRAINING) for part in same]
        return found

    def part_of(self, structures: StructureArrays) -> tuple[str, ...]:
        """(n,) in which part of the training each structure was; empty if in none.

        ``pretraining`` is the training and validation part of the model that a fine-tuning started
        from. Of a structure that was in several parts, the first of train, pretraining, validation
        and test is named: the one that makes a prediction look best.
        """
        if self.compositions is None:
            return tuple(self._part_by_digest(structures))
        known = self.may_hold(structures)
        parts = iter(self._part_by_digest(structures.subset(np.flatnonzero(known))))
        return tuple(next(parts) if own else "" for own in known.tolist())

    def may_hold(self, structures: StructureArrays) -> NDArray[np.bool_]:
        """(n,) whether some sample has the composition of each structure, or may have it."""
        if self.compositions is None:
            return np.ones(len(structures), dtype=np.bool_)
        found: NDArray[np.bool_] = np.isin(composition_digests(structures), self.compositions)
        return found

    def _part_by_digest(self, structures: StructureArrays) -> list[str]:
        same = Identities(structures)
        asked = [same.nearby]
        if self.compositions is None:
            asked.append(same.nearby_in_given_cell)
        found = self._digests_of(same)
        for i, digest in enumerate(found):
            if digest not in self._places:
                others = chain.from_iterable(self._known(ask(i)) for ask in asked)
                found[i] = next((other for other in others if other in self._places), digest)
        return [_WORDS[self._places[d]] if d in self._places else "" for d in found]

    def digests_of(self, structures: StructureArrays) -> list[int]:
        """(n,) digests of structures as these samples hold them.

        Folders of earlier days (and a pretraining on one) hold those of the cells as given.
        """
        return self._digests_of(Identities(structures))

    def _digests_of(self, same: Identities) -> list[int]:
        found = self._known(same.digests)
        if self.compositions is not None or all(digest in self._places for digest in found):
            return found
        earlier = self._known(same.digests_in_given_cells)
        return [
            early if new not in self._places and early in self._places else new
            for new, early in zip(found, earlier, strict=True)
        ]

    def _known(self, digests: "Sequence[int] | NDArray[np.uint64]") -> list[int]:
        """Return what these samples know of digests."""
        known: list[int] = _first_bytes(np.asarray(digests, dtype=np.uint64), self.n_bytes).tolist()
        return known

    @cached_property
    def _places(self) -> dict[int, int]:
        """Part by structure."""
        rank = [0, 2, 3, 1]
        place: dict[int, int] = {}
        for digest, part in zip(self.structures.tolist(), self.parts.tolist(), strict=True):
            if digest not in place or rank[part] < rank[place[digest]]:
                place[digest] = part
        return place

    def to_bytes(self) -> bytes:
        """Return the content of the file ``samples.safetensors``.

        Row numbers are left out if none is known, and the values in front that are not kept. Of
        parts one after the other there are only the sizes.
        """
        first = int(np.argmax(self.values != 0)) if np.any(self.values) else 0
        arrays: dict[str, NDArray[Any]] = {
            "values": _packed(self.values[first:], self.n_value_bytes),
        }
        n_ascending = 0
        if np.all(np.diff(self.parts.astype(np.int64)) >= 0):
            arrays["part_sizes"] = np.bincount(self.parts, minlength=len(_WORDS))
            learned = self.structures[: arrays["part_sizes"][PARTS.index("train")]]
            if self.n_bytes == _SLIM_BYTES and np.all(learned[1:] >= learned[:-1]):
                n_ascending = len(learned)
                arrays["ascending_counts"], arrays["ascending_rests"] = _packed_ascending(learned)
        else:
            arrays["parts"] = self.parts
        arrays["structures"] = _packed(self.structures[n_ascending:], self.n_bytes)
        if self.compositions is not None:
            arrays["compositions"] = self.compositions
        if self.lasting is not None:
            arrays["lasting"] = self.lasting
        if np.any(self.row_numbers != -1):
            arrays["row_numbers"] = self.row_numbers.astype(np.int64)
        content: bytes = save_arrays(arrays)
        return content

    @classmethod
    def from_bytes(cls, content: bytes) -> "TrainingSamples":
        """Take back what `to_bytes` returned.

        Raises:
            ValueError: the content is something else.
        """
        try:
            arrays: dict[str, NDArray[Any]] = load_arrays(content)
            structures, n_bytes = _unpacked(arrays["structures"])
            if "ascending_counts" in arrays:
                first = _unpacked_ascending(arrays["ascending_counts"], arrays["ascending_rests"])
                structures = np.concatenate([first, structures])
            n = len(structures)
            if "part_sizes" in arrays:
                sizes = arrays["part_sizes"].tolist()
                if sum(sizes) != n or min(sizes) < 0:
                    raise ValueError("its parts have other sizes")
                arrays["parts"] = np.repeat(np.arange(len(sizes)), sizes)
            values, n_value_bytes = _unpacked(arrays["values"])
            missing = np.zeros(max(0, n - len(values)), dtype=np.uint64)
            samples = cls(
                structures=structures,
                n_bytes=n_bytes,
                values=np.concatenate([missing, values]),
                n_value_bytes=n_value_bytes,
                row_numbers=arrays.get("row_numbers", np.full(n, -1)).astype(np.int64),
                parts=arrays["parts"].astype(np.uint8),
                compositions=arrays.get("compositions"),
                lasting=arrays.get("lasting"),
            )
        except (SafetensorError, KeyError, TypeError, ValueError) as problem:
            raise ValueError(f"it does not hold the samples of a training ({problem!r})") from None
        shapes = {a.shape for a in (samples.structures, samples.values, samples.row_numbers)}
        if shapes != {samples.parts.shape} or samples.parts.ndim != 1:
            raise ValueError("its arrays have different lengths")
        if len(samples) and int(samples.parts.max()) >= len(_WORDS):
            raise ValueError("it names a part that does not exist")
        return samples


def _first_bytes(digests: NDArray[np.uint64], n_bytes: int) -> NDArray[np.uint64]:
    """(n,) the digests with nothing behind their first bytes."""
    shift = np.uint64(8 * (_ALL_BYTES - n_bytes))
    return (digests >> shift) << shift


def _packed(digests: NDArray[np.uint64], n_bytes: int) -> NDArray[Any]:
    """(n,) whole digests, or their first four bytes as numbers; (n, n_bytes) those of others."""
    if n_bytes in _AS_NUMBERS:
        shift = np.uint64(8 * (_ALL_BYTES - n_bytes))
        return np.ascontiguousarray((digests >> shift).astype(f"u{n_bytes}"))
    return np.ascontiguousarray(digests.astype(">u8").view(np.uint8).reshape(-1, 8)[:, :n_bytes])


def _unpacked(kept: NDArray[Any]) -> tuple[NDArray[np.uint64], int]:
    """Return what `_packed` was given.

    Raises:
        ValueError: it is something else.
    """
    if kept.ndim == 1:
        n_bytes = _SLIM_VALUE_BYTES if kept.dtype == np.uint32 else _ALL_BYTES
        return kept.astype(np.uint64) << np.uint64(8 * (_ALL_BYTES - n_bytes)), n_bytes
    if kept.ndim != 2 or kept.dtype != np.uint8 or not 0 < kept.shape[1] <= _ALL_BYTES:
        raise ValueError("its digests have another shape")
    whole = np.zeros((len(kept), _ALL_BYTES), dtype=np.uint8)
    whole[:, : kept.shape[1]] = kept
    return whole.view(">u8").ravel().astype(np.uint64), kept.shape[1]


def _packed_ascending(digests: NDArray[np.uint64]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Return how many of (n,) ascending digests of five bytes begin alike, and how each goes on."""
    numbers = digests >> np.uint64(8 * (_ALL_BYTES - _SLIM_BYTES))
    counts = np.bincount(numbers >> np.uint64(_REST_BITS), minlength=2**_DIRECTORY_BITS)
    rests = np.zeros((len(digests) + 1) // 2 * 2, dtype=np.uint64)
    rests[: len(digests)] = numbers & np.uint64(2**_REST_BITS - 1)
    pairs = (rests[::2] << np.uint64(_REST_BITS)) | rests[1::2]
    smallest = np.min_scalar_type(int(counts.max()))
    return counts.astype(smallest), _packed(pairs << np.uint64(8), _ALL_BYTES - 1)


def _unpacked_ascending(counts: NDArray[Any], pairs: NDArray[Any]) -> NDArray[np.uint64]:
    """Return what `_packed_ascending` was given.

    Raises:
        ValueError: it is something else.
    """
    n = sum(counts.ravel().tolist())
    if counts.shape != (2**_DIRECTORY_BITS,) or counts.dtype.kind != "u":
        raise ValueError("its counts of digests have another shape")
    if pairs.shape != ((n + 1) // 2, _ALL_BYTES - 1) or pairs.dtype != np.uint8:
        raise ValueError("its digests are other ones than it counts")
    both = _unpacked(pairs)[0] >> np.uint64(8)
    rests = np.stack([both >> np.uint64(_REST_BITS), both & np.uint64(2**_REST_BITS - 1)], axis=1)
    begins = np.repeat(np.arange(len(counts), dtype=np.uint64), counts.astype(np.int64))
    numbers: NDArray[np.uint64] = (begins << np.uint64(_REST_BITS)) | rests.ravel()[:n]
    return numbers << np.uint64(8 * (_ALL_BYTES - _SLIM_BYTES))


def value_digests(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """(n,) one number of the values (n, n_values) of each sample."""
    return row_digests(np.repeat(_NO_STRUCTURE, len(values)), values)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPart:
    """Rows of a data set that belong to a part of a training."""

    rows: tuple[int, ...]
    remarks: tuple[str, ...]
    """What is not as it was in the training, a sentence each."""


def find_part(
    samples: TrainingSamples,
    part: str,
    names: Sequence[str],
    dataset: Dataset,
    values: NDArray[np.float64] | None,
) -> FoundPart:
    """Return the rows of a data set that were in one part of a training, found by content.

    First by structure and values, then by structure alone, then by name and values where only
    the positions differ. Rows of another part are never taken for rows of this one.

    Args:
        samples: Those of the training.
        part: ``train``, ``validation`` or ``test``.
        names: Of the samples of this part, as in ``split.json``.
        dataset: The data, which may be in another order, have other names, more or fewer rows.
        values: (n, n_values) of the targets of the model, with its class numbers; None if some are
            not known, so that rows are found by structure alone.

    Raises:
        DatasetError: not one of the samples is in the data.
    """
    own = np.flatnonzero(samples.parts == PARTS.index(part))
    structures = samples.digests_of(dataset.structures)
    search = _Search(samples, own, names, dataset, part)
    wanted_structures = samples.structures[own].tolist()
    if values is None:
        search.match(wanted_structures, structures)
        return search.result(0, 0, shared_with=set(wanted_structures))
    digests = _first_bytes(value_digests(values), samples.n_value_bytes).tolist()
    wanted_values = samples.values[own].tolist()
    pairs = list(zip(structures, digests, strict=True))
    search.match(list(zip(wanted_structures, wanted_values, strict=True)), pairs)
    others = np.flatnonzero(samples.parts != PARTS.index(part))
    search.keep_out(
        zip(samples.structures[others].tolist(), samples.values[others].tolist(), strict=True),
        pairs,
    )
    n_other_values = search.match(wanted_structures, structures)
    called = dataset.structures.names
    n_by_name = search.match(
        list(zip(names, wanted_values, strict=True)), list(zip(called, digests, strict=True))
    )
    return search.result(n_other_values, n_by_name, shared_with=set(wanted_structures))


class _Search:
    """Pairs the samples of a part with rows of a data set, each at most once."""

    def __init__(
        self,
        samples: TrainingSamples,
        own: NDArray[np.int64],
        names: Sequence[str],
        dataset: Dataset,
        part: str,
    ) -> None:
        self.samples, self.own, self.names, self.part = samples, own, list(names), part
        self.dataset = dataset
        self.row_of: dict[int, int] = {}  # sample of the part to row
        self.free = set(range(len(dataset)))
        numbers = dataset.row_numbers
        self.numbers = [-1] * len(dataset) if numbers is None else numbers.tolist()

    def match(self, wanted: Sequence[Any], keys: Sequence[Any]) -> int:
        """Pair samples and rows of equal keys; of several rows the one of the same number first.

        Returns how many pairs were made.
        """
        rows: dict[Any, deque[int]] = defaultdict(deque)
        numbered: dict[tuple[Any, int], int] = {}
        for row in sorted(self.free):
            rows[keys[row]].append(row)
            numbered.setdefault((keys[row], self.numbers[row]), row)
        before = len(self.row_of)
        for i in self._open():
            number = int(self.samples.row_numbers[self.own[i]])
            if number >= 0:
                self._pair(i, numbered.get((wanted[i], number)))
        for i in self._open():
            candidates = rows.get(wanted[i], deque())
            while candidates and i not in self.row_of:
                self._pair(i, candidates.popleft())
        return len(self.row_of) - before

    def _open(self) -> list[int]:
        return [i for i in range(len(self.own)) if i not in self.row_of]

    def _pair(self, sample: int, row: int | None) -> None:
        if row in self.free:
            self.row_of[sample] = row
            self.free.discard(row)

    def keep_out(self, others: Any, pairs: Sequence[Any]) -> None:
        """Leave rows out that are samples of another part."""
        taken = set(others)
        self.free = {row for row in self.free if pairs[row] not in taken}

    def result(self, n_other_values: int, n_by_name: int, shared_with: set[int]) -> FoundPart:
        n, where = len(self.own), f"the data set {self.dataset.name!r}"
        missing = [self.names[i] for i in range(n) if i not in self.row_of]
        called = set(self.dataset.structures.names)
        n_renamed = sum(name in called for name in missing)
        if not self.row_of:
            hint = (
                f" {n_renamed} of its samples have their names there, but with other structures "
                "or values."
                if n_renamed
                else ""
            )
            raise DatasetError(
                f"part {self.part}: {self.dataset.name} has none of the {n} samples of the "
                f"model's {self.part} part.{hint} Give the data it was trained on, read in the "
                'same way, or use --part all (in Python part="all").'
            )
        remarks = []
        if n_other_values:
            remarks.append(
                f"{n_other_values} of the {n} samples of the {self.part} part have other values "
                f"in {where} than in the training."
            )
        if n_by_name:
            remarks.append(
                f"{n_by_name} of the {n} samples of the {self.part} part have other positions in "
                f"{where} than in the training; they are known by name and value."
            )
        if missing:
            which = f", for example {missing[0]}"
            if n_renamed:
                which += f"; {n_renamed} have their names there, but are others"
            if not np.any(self.samples.values[self.own]):
                which = ""  # slim: which name each digest had is not kept
            remarks.append(
                f"{len(missing)} of the {n} samples of the {self.part} part are not in {where}"
                f"{which}."
            )
        if self.part != "train":
            for place, what in ((0, "training part"), (len(PARTS), "pretraining")):
                trained = self.samples.structures[self.samples.parts == place]
                leaked = shared_with & set(trained.tolist())
                if leaked:
                    remarks.append(
                        f"{counted(len(leaked), 'structure')} of the {self.part} part "
                        f"{'was' if len(leaked) == 1 else 'were'} in the {what} too, so the error "
                        "is too small."
                    )
        return FoundPart(rows=tuple(sorted(self.row_of.values())), remarks=tuple(remarks))


def read_samples(content: bytes, where: str) -> TrainingSamples:
    """Return the samples in a file of a model folder.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        return TrainingSamples.from_bytes(content)
    except ValueError as problem:
        raise ModelError(
            f"{where}: this file of the model is damaged ({problem}). Delete it; the model works "
            "without, but does not know what it was trained on."
        ) from None
