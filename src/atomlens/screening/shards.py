"""The folder of a screening: its manifest, and shards that are whole or not there."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from atomlens.boundary import net, parse_json, read_text
from atomlens.errors import SettingsError
from atomlens.files import to_json, whole_file
from atomlens.predictor.inputs.pieces import Piece
from atomlens.printing import encodable, short
from atomlens.screening.columns import INTERNAL, Kind

Row = Mapping[str, Any]
Format = Literal["parquet", "csv"]
MANIFEST, SHARDS = "screen.json", "shards"
_MARK = b"atomlens"


@dataclass(frozen=True, slots=True)
class Shard:
    """Inputs that are read and predicted together, and written as one file."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def mark(self) -> str:
        """What changes when there is something else to read."""
        text = "\n".join(piece.mark for piece in self.pieces)
        return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()

    @property
    def n(self) -> int:
        """About how many structures it holds."""
        return sum(piece.n for piece in self.pieces)


def cut_shards(pieces: Iterable[Piece], size: int) -> Iterator[Shard]:
    """Yield shards of at least ``size`` structures, the last one smaller."""
    number, n, own = 0, 0, []
    for piece in pieces:
        own.append(piece)
        n += piece.n
        if n >= size:
            yield Shard(number, tuple(own))
            number, n, own = number + 1, 0, []
    if own:
        yield Shard(number, tuple(own))


@dataclass(frozen=True, slots=True)
class ShardStore:
    """Reads and writes the shards of a screening.

    Parquet keeps them small and open to other programs; without pyarrow they are JSON lines. What
    only the screening itself needs (which inputs a shard is of, and columns such as what structures
    are compared by) is beside each, in a hidden file that readers of tables pass over.
    """

    folder: Path
    format: Format
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        suffix = "parquet" if self.format == "parquet" else "jsonl"
        return self.folder / SHARDS / f"{number:06d}.{suffix}"

    def write(self, shard: Shard, rows: Sequence[Row]) -> None:
        """Write the rows of a shard, whole or not at all.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        path = self.path(shard.number)
        inner = {name: [row.get(name) for row in rows] for name in INTERNAL if name in self.kinds}
        path.unlink(missing_ok=True)  # what is beside a shard is never that of another one
        with whole_file(self._beside(shard.number)) as stream:
            stream.write(f"{encodable(to_json({'inputs': shard.mark, **inner}))}\n".encode())
        kinds = {name: kind for name, kind in self.kinds.items() if name not in INTERNAL}
        if self.format == "parquet":
            from pyarrow import parquet

            table = _arrow_table(rows, kinds, shard.mark)
            with whole_file(path) as stream:
                parquet.write_table(table, stream)
            return
        with whole_file(path) as stream:
            for row in rows:
                own = {name: value for name, value in row.items() if name not in INTERNAL}
                stream.write(f"{encodable(to_json(own))}\n".encode())

    def _beside(self, number: int) -> Path:
        """Return the file with what belongs to a shard and is not for its readers."""
        return self.folder / SHARDS / f".{number:06d}.json"

    def _inner(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = parse_json(read_text(self._beside(number)))
        return found

    def mark(self, number: int) -> str | None:
        """Return the mark of the inputs that a shard on disk is of; None if it is not there.

        A damaged one counts as not there, as one without all that is now kept beside shards.
        """
        path = self.path(number)
        if not path.is_file():
            return None
        with suppress(Exception):
            beside = self._inner(number)
            if not all(name in beside for name in INTERNAL if name in self.kinds):
                return None
            mark = str(beside["inputs"])
            if self.format == "parquet":
                from pyarrow import parquet

                found = (parquet.read_schema(path).metadata or {}).get(_MARK)
                return mark if found == mark.encode() else None
            with path.open(encoding="utf-8", newline="\n") as lines:
                return mark if isinstance(json.loads(next(lines)), dict) else None
        return None

    def rows(self, number: int, columns: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a shard, or some columns of them.

        Raises:
            SettingsError: the shard is damaged.
        """
        path = self.path(number)
        wanted = None if columns is None else list(columns)
        inner = [name for name in INTERNAL if wanted is not None and name in wanted]
        outer = None if wanted is None else [name for name in wanted if name not in INTERNAL]
        with net(SettingsError, f"{path}, a shard", "delete it and give the command again"):
            if self.format == "parquet":
                from pyarrow import parquet

                found: list[dict[str, Any]] = parquet.ParquetFile(path).read(outer).to_pylist()
            else:
                with path.open(encoding="utf-8", newline="\n") as lines:
                    found = [json.loads(line) for line in lines]
                if outer is not None:
                    found = [{name: row.get(name) for name in outer} for row in found]
            if inner:
                beside = self._inner(number)
                for name in inner:
                    for row, value in zip(found, beside[name], strict=True):
                        row[name] = value
            return found

    def forget_from(self, number: int) -> None:
        """Remove the shards from a number on, which an earlier, longer list of inputs left."""
        for path in (self.folder / SHARDS).glob("*.*"):
            stem = path.stem.removeprefix(".")
            if stem.isdecimal() and int(stem) >= number:
                path.unlink()


def _arrow_table(rows: Sequence[Row], kinds: Mapping[str, Kind], mark: str) -> Any:
    import pyarrow

    types = {
        "text": pyarrow.string(),
        "whole": pyarrow.int64(),
        "number": pyarrow.float64(),
        "list": pyarrow.list_(pyarrow.float64()),
    }
    arrays, fields = [], []
    for name, kind in kinds.items():
        cells = [row.get(name) for row in rows]
        if kind == "any":
            array = pyarrow.array(*_alike(cells))
        else:
            array = pyarrow.array(_encodable(cells) if kind == "text" else cells, types[kind])
        arrays.append(array)
        fields.append(pyarrow.field(name, array.type))
    schema = pyarrow.schema(fields, metadata={_MARK: mark.encode()})
    return pyarrow.Table.from_arrays(arrays, schema=schema)


def _encodable(cells: Iterable[str | None]) -> list[str | None]:
    return [None if cell is None else encodable(cell) for cell in cells]


def _alike(cells: list[Any]) -> tuple[list[Any], Any]:
    """Return the cells of a column of a table that was read, and a type that they all fit."""
    import pyarrow

    found = {type(cell) for cell in cells} - {type(None)}
    if found == {bool}:
        return cells, pyarrow.bool_()
    if found == {int} and all(abs(c) < 2**63 for c in cells if c is not None):
        return cells, pyarrow.int64()
    if found and found <= {int, float}:
        return [None if c is None else float(c) for c in cells], pyarrow.float64()
    return _encodable(None if c is None else str(c) for c in cells), pyarrow.string()


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a screening; None if there is none.

    Raises:
        SettingsError: it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    with net(SettingsError, f"{path}, the manifest of a screening", "begin in another folder"):
        content = parse_json(read_text(path))
        if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
            raise ValueError("it has no settings")
        return content


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest, whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with whole_file(folder / MANIFEST) as stream:
        stream.write(f"{encodable(text)}\n".encode())


CHOICE = ("where", "by", "lowest", "top")
"""Settings that choose among what was predicted, and change none of it"""


def refuse_another(
    folder: Path, before: Mapping[str, Any], now: Mapping[str, Any], *, choose_again: bool
) -> None:
    """Raise a SettingsError if a folder holds the screening of another command.

    With ``choose_again`` the `CHOICE` may be another one.
    """
    for name in dict.fromkeys((*before, *now)):
        old, new = before.get(name), now.get(name)
        if old == new or (choose_again and name in CHOICE):
            continue
        said = "that the models are others, or have been trained again since"
        if name != "models":
            said = f"`{name}` {short(to_json(old))} and not {short(to_json(new))}"
        again = (
            "To choose anew among what was predicted then, give `--resume` as well (in Python "
            "resume=True); else another folder."
            if name in CHOICE
            else "Give the same command as then, `--resume` alone (in Python the same arguments), "
            "or another folder."
        )
        raise SettingsError(f"{folder}: another screening is in this folder ({said}). {again}")
