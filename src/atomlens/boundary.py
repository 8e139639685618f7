"""Reading what comes from outside: only regular files, with bounds, and one net for odd content.

Every reader of a table, configuration, split, cache, checkpoint or model folder opens files and
parses text with the functions of this module, inside a `net`: whatever a stranger's file makes a
parser do, the user reads one sentence that names the file.
"""

import bz2
import errno
import io
import json
import lzma
import math
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from struct import error as struct_error
from typing import IO, TYPE_CHECKING, Any

from atomlens.errors import AtomlensError
from atomlens.printing import reason, said_by_system, shown

if TYPE_CHECKING:
    import gzip

    from numpy.typing import NDArray

BINARY_SHARE, TEXT_SHARE = 0.5, 0.1
"""Largest file, in parts of the machine's memory; text grows when it is taken apart."""
CONFIG_BYTES = 4 << 20
"""Largest file of settings written by people."""
_DEEPEST_YAML = 20
_PACKING = 1100
"""zlib packs no data more tightly than 1 to 1,032."""


@contextmanager
def net(kind: type[AtomlensError], where: str, advice: str) -> Iterator[None]:
    """Turn whatever odd content makes a block raise into one sentence of ours.

    Args:
        kind: The error that is raised instead.
        where: What is being read; stands in front of the sentence.
        advice: What to do; ends the sentence.
    """
    try:
        yield
    except AtomlensError:
        raise
    except OSError as problem:
        raise kind(
            f"{where}: it cannot be read ({said_by_system(problem)}); {advice}."
        ) from problem
    except Exception as problem:
        raise kind(f"{where}: it cannot be read ({reason(problem)}); {advice}.") from problem


def read_bytes(path: str | Path, *, most: float | None = None) -> bytes:
    """Return the content of a regular file; pipes, devices and files beyond bounds are refused.

    Args:
        path: The file.
        most: Largest size in bytes; by default half of the machine's memory.

    Raises:
        OSError: the file cannot be opened, is no regular file or is too large.
    """
    limit = int(BINARY_SHARE * machine_memory() if most is None else most)
    _check_regular(os.stat(path), path, limit)
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as stream:
        status = os.fstat(handle)
        _check_regular(status, path, limit)
        content = stream.read(status.st_size + 1)
        if len(content) > status.st_size:  # it grows, or the system does not know its size
            content += _rest(stream, limit - len(content))
    return content


def regular_size(path: str | Path) -> int:
    """Return the bytes of a regular file that another package shall open.

    Raises:
        OSError: it is no regular file, or larger than half of the machine's memory.
    """
    status = os.stat(path)
    _check_regular(status, path, int(BINARY_SHARE * machine_memory()))
    return status.st_size


def _check_regular(status: os.stat_result, path: str | Path, limit: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, a file is needed", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "this is a pipe or device, not a file", str(path))
    if status.st_size > limit:
        raise OSError(errno.EFBIG, _too_large(limit), str(path))


def _too_large(limit: int) -> str:
    return f"the file is larger than the {limit / 1e6:,.0f} MB that fit into memory safely"


def read_text(path: str | Path, *, most: float | None = None) -> str:
    """Return the text of a regular file: UTF-8, UTF-16 or UTF-32, unpacked if it is packed.

    Raises:
        OSError: see `read_bytes`; or the packed data are damaged.
        UnicodeDecodeError: the text is in none of these encodings.
    """
    limit = TEXT_SHARE * machine_memory() if most is None else most
    content = read_bytes(path, most=limit)
    ending = next((one for one in _MAGIC if str(path).lower().endswith(one)), "")
    if content.startswith(b"\x1f\x8b") or (ending and content.startswith(_MAGIC[ending])):
        content = unpacked(content, most=int(limit))
    elif ending:
        raise OSError(errno.EIO, f"it is called {ending} and is not packed so", str(path))
    return content.decode(wide_encoding(content) or "utf-8-sig")


def wide_encoding(content: bytes) -> str | None:
    """Return the encoding of a text with 2 or 4 bytes a letter; None for one with 1.

    It is told by its mark, which UTF-32 begins as UTF-16 does, or by the zeros of Latin letters.
    """
    for marks, encoding in _MARKS:
        if content.startswith(marks):
            return encoding
    zeros = tuple(byte == 0 for byte in content[:4])
    return _LATIN.get(zeros)


_MARKS = (
    ((b"\xff\xfe\0\0", b"\0\0\xfe\xff"), "utf-32"),
    ((b"\xff\xfe", b"\xfe\xff"), "utf-16"),
)
"""First bytes that say in which encoding a text is."""
_LATIN: dict[tuple[bool, ...], str] = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}
"""Which of the first bytes of a text without such a mark are zero."""

_MAGIC = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".xz": b"\xfd7zXZ"}
"""First bytes of packed files, by their endings."""


def unpacked(content: bytes, *, most: int) -> bytes:
    """Return what bytes packed by gzip, bzip2 or xz hold, at most so many.

    Raises:
        OSError: they are damaged, packed otherwise, or hold more.
    """
    try:
        with _unpacking(content) as stream:
            return _rest(stream, most)
    except (EOFError, zlib.error, lzma.LZMAError, ValueError) as problem:
        raise OSError(errno.EIO, f"the packed data are damaged, {reason(problem)}") from problem
    except OSError as problem:
        if problem.errno is not None:
            raise
        raise OSError(errno.EIO, f"the packed data are damaged, {reason(problem)}") from problem


def _unpacking(content: bytes) -> "gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile":
    packed = io.BytesIO(content)
    if content.startswith(b"BZh"):
        return bz2.BZ2File(packed)
    if content.startswith(b"\xfd7zXZ"):
        return lzma.LZMAFile(packed)
    import gzip

    return gzip.GzipFile(fileobj=packed)


def _rest(stream: "IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile", most: int) -> bytes:
    """Return what a stream still holds, piece by piece, as a read takes room for all it asks."""
    pieces, size = [], 0
    while piece := stream.read(1 << 20):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise OSError(errno.EFBIG, _too_large(most))
    return b"".join(pieces)


@cache
def machine_memory() -> int:
    """Return the bytes of memory of this machine (of this container, if it says so)."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 8 << 30
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(path).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return max(total, 1 << 28)


def parse_json(text: str | bytes) -> Any:
    """Return what JSON says; whole numbers beyond 64 bits become floating-point numbers.

    Raises:
        ValueError: it is no JSON, nested too deeply, or gives a key two values.
    """
    try:
        return json.loads(text, parse_int=_whole_number, object_pairs_hook=_without_doubles)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs of a JSON object; raises ValueError for a key with two values."""
    found = dict(pairs)
    if len(found) != len(pairs):
        for key, value in pairs:
            if repr(found[key]) != repr(value):
                raise ValueError(f"the key {shown(key)} has two values")
    return found


def _whole_number(text: str) -> int | float:
    if len(text) <= 18:
        return int(text)
    number = float(text)
    return int(text) if abs(number) < 9.2e18 and len(text) < 40 else number


def check_finite(value: Any) -> None:
    """Raise a ValueError that names the place of a number that is none, at any depth.

    Args:
        value: What `parse_json` returned.
    """
    waiting = [("", value)]
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, float) and not math.isfinite(one):
            raise ValueError(f"{place or 'it'} is {one}, which is no number")
        if isinstance(one, dict):
            waiting += [(f"{place}.{key}" if place else str(key), v) for key, v in one.items()]
        elif isinstance(one, list):
            waiting += [(f"{place}[{i}]", v) for i, v in enumerate(one)]


def number_in(value: Any) -> float:
    """Return a number that a file holds; a ValueError for a text, an answer or what is no number.

    JSON has numbers of its own, so "3" and true are damage, and `float` would read both.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{shown(value)} is no number")
    return float(value)


def count_in(value: Any, least: int = 0) -> int:
    """Return a whole number that a file holds, at least ``least``; a ValueError for others."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{shown(value)} is no whole number of at least {least}")
    return value


_YAML_NUMBERS = {
    "int": re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"),
    "float": re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$"
        r"|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
    ),
}
"""As YAML 1.2 has them: in 1.1 ``010`` is eight and ``80:10:10`` a number of base sixty."""


def parse_yaml(text: str) -> Any:
    """Return what YAML says: blocks, lists, numbers, texts; dates stay text.

    Raises:
        ValueError: it is no YAML, nested too deeply, refers to itself, or names a key twice.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Without what settings need not: aliases, dates, depth."""

        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases (*name) are not understood")
            self.depth += 1
            if self.depth > _DEEPEST_YAML:
                raise yaml.YAMLError(f"it is nested more than {_DEEPEST_YAML} deep")
            try:
                return super().compose_node(parent, index)
            finally:
                self.depth -= 1

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            pairs = [self.construct_object(key, deep=True) for key, _ in node.value]
            for place, key in enumerate(pairs):
                if key in pairs[:place]:
                    raise yaml.YAMLError(f"the key {shown(key)} stands there twice")
            return super().construct_mapping(node, deep=deep)

    Loader.yaml_implicit_resolvers = {
        sign: [
            (tag, _YAML_NUMBERS.get(tag.rpartition(":")[2], pattern))
            for tag, pattern in pairs
            if not tag.endswith(":timestamp")
        ]
        for sign, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    deepest = max((len(line) - len(line.lstrip(" -?[{:")) for line in text.split("\n")), default=0)
    if deepest > 50 * _DEEPEST_YAML:
        raise ValueError(f"it is nested more than {_DEEPEST_YAML} deep")
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, RecursionError, ArithmeticError, AttributeError, TypeError) as problem:
        words = " ".join(str(problem).split()) or reason(problem)
        raise ValueError(words) from None


def read_arrays(path: str | Path) -> "dict[str, NDArray[Any]]":
    """Return the arrays of an ``.npz`` file, whose headers are held against the bytes there are.

    Nothing is unpickled.

    Raises:
        OSError: see `read_bytes`.
        ValueError: the file is damaged, or announces more than it holds.
    """
    import numpy as np

    try:
        return {
            name.removesuffix(".npy"): _array(content, np)
            for name, content in read_members(path).items()
        }
    except (EOFError, RuntimeError, OverflowError, struct_error) as problem:
        raise ValueError(reason(problem)) from None


def read_members(path: str | Path, endings: tuple[str, ...] = ("",)) -> dict[str, bytes]:
    """Return the files in a zip, whose sizes are held against the bytes there are.

    Args:
        path: The zip.
        endings: Of the names of those that are read; of the others there are no bytes.

    Raises:
        OSError: see `read_bytes`.
        ValueError: the zip is damaged, or announces more than it holds.
    """
    import zipfile

    content = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
            total = 0
            for info in files:
                total += info.file_size
                if info.file_size > _PACKING * info.compress_size + 1024 or (
                    info.compress_size > len(content)
                ):
                    raise ValueError(f"{shown(info.filename)} announces more than it holds")
                if total > BINARY_SHARE * machine_memory():
                    raise ValueError("its arrays are too large for this machine")
            return {
                info.filename: archive.read(info) if info.filename.endswith(endings) else b""
                for info in files
            }
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OverflowError,
        struct_error,
    ) as problem:
        raise ValueError(reason(problem)) from None


def _array(content: bytes, np: Any) -> Any:
    """Return the array of an ``.npy`` file, whose length must be what its header announces."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array is written in version {shown(version)}")
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, by_column, kind = read(stream)
    if kind.hasobject:
        raise ValueError("an array holds Python objects, which are never read")
    size = math.prod(int(n) for n in shape) * kind.itemsize
    rest = content[stream.tell() :]
    if any(n < 0 for n in shape) or size != len(rest):
        raise ValueError(f"an array announces {size} bytes and holds {len(rest)}")
    array = np.frombuffer(rest, dtype=kind)
    return array.reshape(shape[::-1]).T.copy() if by_column else array.reshape(shape).copy()
