"""Parts of files: some hundred structures at a time, or those that ``FILE@CHOICE`` picks."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from atomlens.errors import StructureError
from atomlens.printing import counted
from atomlens.structures.files import PACKED, decoded, kind_of
from atomlens.structures.records import Entry

_LONG = 1 << 20
"""Bytes; shorter files are read in one go."""
_TOGETHER = 128
"""Structures of a part."""
_MOST_BYTES = 1 << 24
"""Of a part; a larger structure is a part of its own."""
_OTHER_CODINGS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")


class FilePart(NamedTuple):
    """Structures of a file that follow one another."""

    path: Path
    first: int
    """Number of the first of them in the file, counted from 0"""
    n: int
    """How many they are; the last part of a damaged file counts as one"""
    start: int = 0
    """XYZ: the byte where they begin"""
    size: int = 0
    """XYZ: bytes"""
    n_before: int = 0
    """XYZ: lines before"""
    ids: tuple[int, ...] = ()
    """Databases: the rows"""


class Pick(NamedTuple):
    """Some structures of a file, as ase writes it: ``FILE@3``, ``FILE@-1``, ``FILE@:10``."""

    path: Path
    choice: str
    """What stands behind the @: a number, a slice, or ``id=N`` of a data base"""

    def places(self, n: int) -> list[int]:
        """Return which of ``n`` structures are meant.

        Raises:
            StructureError: there is none of them, or the choice is no choice.
        """
        called = f"@{self.choice}"
        words = self.choice.strip().split(":")
        if self.choice.strip().startswith("id="):
            return [self._place_of_id(self.choice.strip()[3:])]
        if len(words) > 3 or not all(re.fullmatch(r"\s*([+-]?\d{1,12})?\s*", w) for w in words):
            raise StructureError(
                f"{called} picks no structures; give a number (@0, @-1), a slice (@:10, @::5), or "
                "for a row of an ase database @id=3"
            )
        if len(words) == 1:
            if not words[0].strip():
                raise StructureError(f"there is nothing behind the {called}; leave it out for all")
            place = int(words[0])
            if not -n <= place < n:
                raise StructureError(
                    f"{called}: it holds {counted(n, 'structure')}, counted from 0; the last one "
                    f"is @{n - 1} or @-1"
                )
            return [place % n]
        if len(words) == 3 and words[2].strip() and int(words[2]) == 0:
            raise StructureError(f"{called}: the step of a slice is not 0; leave it out")
        found = list(range(n)[slice(*(int(w) if w.strip() else None for w in words))])
        if not found:
            raise StructureError(f"{called} picks none of its {n} structures, counted from 0")
        return found

    def _place_of_id(self, text: str) -> int:
        from atomlens.structures.formats.databases import row_ids

        kind = kind_of(self.path)
        if kind is None or kind.label != "ase database":
            raise StructureError(
                f"@{self.choice}: rows are picked by their id in ase databases only; give the "
                "number of the structure, counted from 0"
            )
        ids = row_ids(self.path)
        if not re.fullmatch(r"\d{1,12}", text) or int(text) not in ids:
            known = f"; they are {ids[0]} to {ids[-1]}" if ids else ""
            raise StructureError(f"@{self.choice}: there is no row of this id{known}")
        return ids.index(int(text))


def pick_of(text: str) -> Pick | None:
    """Return what ``FILE@CHOICE`` means; None for a text that is something else."""
    before, at, choice = text.rpartition("@")
    if not (at and before):
        return None
    path = Path(os.path.expanduser(before))
    return Pick(path, choice) if os.path.isfile(path) or kind_of(path) is not None else None


_IN_PARTS = ("XYZ", "ase database")


def parts_of(path: Path) -> Iterator[FilePart] | None:
    """Return the parts of a long file; None for one that is read in one go, as most are.

    Only the places are found here. What is wrong with a file is said when it is read.
    """
    with suppress(OSError, ValueError):
        kind = kind_of(path)
        if kind is None or kind.label not in _IN_PARTS or path.suffix.lower() in PACKED:
            return None
        if not path.is_file():
            return None
        if path.stat().st_size < _LONG:
            return None
        if kind.label == "XYZ":
            with path.open("rb") as stream:
                head = stream.read(3)
            return None if head.startswith(_OTHER_CODINGS) else _of_frames(path)
        if kind.label == "ase database":
            return _of_rows(path)
    return None


def _of_rows(path: Path) -> Iterator[FilePart] | None:
    from atomlens.structures.formats.databases import row_ids

    try:
        ids = row_ids(path)
    except StructureError:
        return None
    firsts = range(0, len(ids), _TOGETHER)
    chunks = ((first, tuple(ids[first : first + _TOGETHER])) for first in firsts)
    return (FilePart(path, first, len(own), ids=own) for first, own in chunks) if ids else None


def _of_frames(path: Path) -> Iterator[FilePart]:
    """Yield the parts of an XYZ file; where it stops making sense, the rest is the last one."""
    with path.open("rb") as stream:
        start = first = line = 0  # of this part
        n = n_lines = 0
        while True:
            taken = _skip_frame(stream)
            here = stream.tell()
            ends = taken is None or n + 1 >= _TOGETHER or here - start >= _MOST_BYTES
            if taken is not None:
                n, n_lines = n + 1, n_lines + taken
            if not ends:
                continue
            if taken is None:
                here = os.fstat(stream.fileno()).st_size
                if not n and _is_blank(path, start, here):
                    return
                n = max(n, 1)
            if here > start:
                yield FilePart(path, first, n, start=start, size=here - start, n_before=line)
            if taken is None:
                return
            start, first, line, n, n_lines = here, first + n, line + n_lines, 0, 0


def _is_blank(path: Path, start: int, stop: int) -> bool:
    """Say whether there are only empty lines from a place to the end, as in good files."""
    if not 0 < start < stop <= start + 4096:
        return False
    with path.open("rb") as stream:
        stream.seek(start)
        return not stream.read(stop - start).strip()


def _skip_frame(stream: IO[bytes]) -> int | None:
    """Go to the end of a frame; return its lines, None if there is none or it is no frame."""
    n_empty = 0
    head = stream.readline(100)
    while head and not head.strip() and head.endswith(b"\n"):
        n_empty += 1
        head = stream.readline(100)
    word = head.strip()
    if not word.isdigit() or not head.endswith(b"\n") or len(word) > 9:
        return None
    n_atoms = int(word)
    for _ in range(n_atoms + 1):
        found = stream.readline(_MOST_BYTES)
        if not found:
            return None
    return n_empty + 2 + n_atoms


def read_part(part: FilePart) -> list[Entry]:
    """Return one entry for each structure of a part.

    Raises:
        StructureError: nothing in it can be read.
    """
    if part.ids:
        from atomlens.structures.formats.databases import read_database

        return read_database(part.path, part.ids)
    from atomlens.structures.formats.xyz import read_xyz

    try:
        with part.path.open("rb") as stream:
            stream.seek(part.start)
            content = stream.read(part.size)
    except OSError as error:
        raise StructureError(f"it cannot be read ({error.strerror}); check the disk") from error
    return read_xyz(decoded(content), part.n_before)
