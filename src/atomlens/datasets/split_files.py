"""Files that say which sample is in which part of a split: JSON, CSV and TSV."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.boundary import net, parse_json, read_text
from atomlens.errors import DatasetError, unknown_name
from atomlens.files import place_of, whole_file
from atomlens.printing import cut, encodable, short, shown, uncell

Indices = NDArray[np.int64]
PARTS = ("train", "validation", "test")
_PART_OF_WORD = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
Parts = dict[str, Indices]
"""Indices of the samples by part."""


def write_parts(parts: Parts, path: str | Path, names: Sequence[str]) -> None:
    """Write the names of the samples of each part as JSON."""
    labels = distinct_names(names)
    content = {part: [labels[i] for i in rows] for part, rows in parts.items()}
    try:
        with whole_file(place_of(path)) as stream:
            text = json.dumps(content, indent=1, ensure_ascii=False)
            stream.write(encodable(text).encode())
    except OSError as problem:
        raise DatasetError(
            f"{path}: the split cannot be written here ({problem.strerror or problem}); choose "
            "another place."
        ) from problem


def read_parts(path: str | Path, names: Sequence[str], row_numbers: Indices | None) -> Parts:
    """Return the indices of the samples that a JSON, CSV or TSV file puts into each part.

    What is asked for is what `splits.Split.from_json` takes.

    Raises:
        DatasetError: the file is not a split, or mentions a sample that is not there.
    """
    path = place_of(path)
    with net(DatasetError, f"{path}, the split", "get a complete copy"):
        table = path.suffix.lower() in {".csv", ".tsv"}
        lists = _lists_of_table(path) if table else _lists_of_json(path)
        return _from_lists(lists, names, row_numbers, path)


def distinct_names(names: Sequence[str]) -> list[str]:
    """Return the names with ``#2``, ``#3`` … after the second and later of equal ones."""
    seen: dict[str, int] = {}
    taken = set(names)
    labels = []
    for name in names:
        label = name
        count = seen.get(name, 0) + 1
        if count > 1:
            label = f"{name}#{count}"
            while label in taken:
                count += 1
                label = f"{name}#{count}"
            taken.add(label)
        seen[name] = count
        labels.append(label)
    return labels


def part_name(word: str, path: Path) -> str:
    """Return ``train``, ``validation`` or ``test`` for the words people write."""
    part = _PART_OF_WORD.get(word.strip().lower())
    if part is None:
        raise DatasetError(f"{path}: {unknown_name('part of a split', word, PARTS)}")
    return part


def fold_key(word: str) -> str:
    """Return the key of a cross-validation fold among the splits of a data set."""
    return f"fold {word.strip()}"


def _lists_of_json(path: Path) -> dict[str, list[Any]]:
    content = parse_json(read_text(path))
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise DatasetError(
            f'{path}: a split file looks like {{"train": [names], "validation": [...], '
            '"test": [...]}; this one does not.'
        )
    words: dict[str, str] = {}
    for word in content:
        part = part_name(word, path)
        if part in words:
            raise DatasetError(
                f"{path}: {short(words[part])} and {short(word)} are one part of a split; put all "
                "its samples into one list."
            )
        words[part] = word
    return {part: content[word] for part, word in words.items()}


def _lists_of_table(path: Path) -> dict[str, list[Any]]:
    stream = io.StringIO(read_text(path))
    reader = csv.DictReader(stream, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    columns = {c.strip().lower(): c for c in reader.fieldnames or ()}
    often = Counter(c.strip().lower() for c in reader.fieldnames or ())
    twice = next((c for c in ("name", "id", "file", "split") if often[c] > 1), None)
    if twice:
        raise DatasetError(f"{path}: the column {twice!r} occurs twice; rename one.")
    key = next((columns[c] for c in ("name", "id", "file") if c in columns), None)
    if key is None or "split" not in columns:
        raise DatasetError(
            f"{path}: a split table needs the columns 'name' and 'split'; it has "
            f"{cut(', '.join(columns), 300) or 'none'}."
        )
    lists: dict[str, list[Any]] = {}
    for row in reader:
        part = part_name(row[columns["split"]] or "", path)
        lists.setdefault(part, []).append(uncell(row[key] or ""))
    return lists


def _from_lists(
    lists: dict[str, list[Any]], names: Sequence[str], row_numbers: Indices | None, path: Path
) -> Parts:
    """Return the rows of each part, whose samples are called by name or by number from 0."""
    numbered: dict[int, list[int]] = {}  # a row of several forms has them all in its part
    numbers = range(len(names)) if row_numbers is None else row_numbers.tolist()
    for row, number in enumerate(numbers):
        numbered.setdefault(number, []).append(row)
    rows_of = _rows_by_entry(lists, names, numbered, path)
    found = {part: [row for e in lists.get(part, []) for row in rows_of(e)] for part in PARTS}
    if not found["train"]:
        raise DatasetError(f"{path}: the split has no training part.")
    return {part: np.array(rows, dtype=np.int64) for part, rows in found.items()}


def _rows_by_entry(
    lists: dict[str, list[Any]], names: Sequence[str], numbered: Mapping[int, list[int]], path: Path
) -> Callable[[Any], list[int]]:
    """Return how to find the rows of an entry.

    Numbers count all rows of the source: what could not be used, was not drawn or has no value
    does not move those behind it.

    Names go before numbers: ``{"test": [51, 52]}`` means the samples called 51 and 52 if there
    are such. A name of several rows means all of them, unless the file tells them apart itself
    (``name#2``, as `distinct_names` writes).
    """
    place = {name: i for i, name in enumerate(distinct_names(names))}
    entries = [e for part in lists.values() for e in part]
    numbers = {e for e in entries if isinstance(e, int) and not isinstance(e, bool)}
    called = {n for n in numbers if str(n) in place}
    if called and called != numbers:
        raise DatasetError(
            f"{path}: some numbers in the split are names of samples ({min(called)}) and others "
            f"are not ({min(numbers - called)}); write them all as names, in quotes, or count all "
            "samples from 0."
        )
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        groups.setdefault(name, []).append(row)
    texts = {str(e) for e in entries}
    told_apart = {n for n, rows in groups.items() if _labels(n, rows, place) & texts}
    parts_of: dict[str, set[str]] = {}
    for part, members in lists.items():
        for entry in members:
            parts_of.setdefault(str(entry), set()).add(part)
    seen: set[str] = set()

    def rows_of(entry: Any) -> list[int]:
        number = isinstance(entry, int) and not isinstance(entry, bool)
        if number and not called and entry in numbered:
            return numbered[entry]
        if number and not called and 0 <= entry < max(numbered, default=-1):
            raise DatasetError(
                f"{path}: the split mentions row {entry} (counted from 0), which is not among the "
                "samples: it could not be used, has no value or was not drawn. Leave it out of the "
                "split."
            )
        name = str(entry) if isinstance(entry, str) or (number and called) else None
        if name not in place:
            counted = " (rows are counted from 0)" if number and not called else ""
            raise DatasetError(
                f"{path}: the split mentions {shown(entry)}, and the data set has no such sample"
                f"{counted}; use the data set (and limit) that the split was made for."
            )
        rows = groups.get(name, [])
        if len(rows) < 2 or name in told_apart:
            return [place[name]]
        if len(parts_of[name]) > 1:
            raise DatasetError(
                f"{path}: {len(rows)} samples are called {name!r}, and the split puts the name "
                "into several parts; give every row a name of its own (column name)."
            )
        new = name not in seen
        seen.add(name)
        return rows if new else []

    return rows_of


def _labels(name: str, rows: list[int], place: dict[str, int]) -> set[str]:
    """Return what the second and later rows of a name are called."""
    later = set(rows[1:])
    candidates = (f"{name}#{k}" for k in range(2, len(rows) + 2))
    return {label for label in candidates if place.get(label) in later}
