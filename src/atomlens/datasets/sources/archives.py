"""The members of zip and tar archives, read in place: nothing is ever unpacked to disk."""

import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from atomlens.errors import DatasetError

DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,  # what zipfile says of an encrypted member
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
)
"""What reading a damaged member may raise."""

Member = tuple[str, Callable[[], IO[bytes]]]
"""Path inside the archive, and what opens it until the next member is asked for."""


def open_members(path: Path, suffix: str) -> Iterator[Member]:
    """Yield the members of an archive whose name ends in ``suffix``; hidden ones are left out.

    A zip is read in the order of its names, a tar (plain or compressed) in one pass in its own
    order; a file that is neither is its own only member.

    Raises:
        DatasetError: the archive is cut off or damaged as a whole, or a member's path leads
            outside of it.
    """
    if zipfile.is_zipfile(path):
        members = _zip_members(path, suffix)
    elif path.suffix == suffix:
        members = _alone(path)
    else:
        members = _tar_members(path, suffix)
    yield from members


def _alone(path: Path) -> Iterator[Member]:
    with path.open("rb") as stream:
        yield path.name, lambda: stream


def _zip_members(path: Path, suffix: str) -> Iterator[Member]:
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as problem:
        raise _damaged(path, problem) from problem
    with archive:
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        for name in names:
            _check_path(path, name)
        for name in names:
            if _is_wanted(name, suffix):
                yield name, partial(archive.open, name)


def _tar_members(path: Path, suffix: str) -> Iterator[Member]:
    n_read = 0
    try:
        with tarfile.open(path, mode="r|*") as archive:
            for member in archive:
                _check_path(path, member.name)
                if member.isdir():
                    continue
                if not member.isfile():
                    raise DatasetError(
                        f"{path}: its member {member.name!r} is a link or a device, so nothing in "
                        "it is used; get the archive from its deposit."
                    )
                stream = archive.extractfile(member)
                if stream is not None and _is_wanted(member.name, suffix):
                    yield member.name, lambda stream=stream: stream  # type: ignore[misc]
                n_read += 1
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as problem:
        raise _damaged(path, problem, n_read) from problem


def _is_wanted(name: str, suffix: str) -> bool:
    parts = name.split("/")
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts if part != ".")
    return parts[-1].lower().endswith(suffix) and not hidden


def _check_path(path: Path, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if parts[0] == "" or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise DatasetError(
            f"{path}: its member {name!r} leads outside of the archive, so nothing in it is used; "
            "get the archive from its deposit."
        )


def _damaged(path: Path, problem: BaseException, n_read: int = 0) -> DatasetError:
    where = f" after {n_read} members" if n_read else ""
    return DatasetError(
        f"{path}: this is not a whole zip or tar archive ({str(problem) or type(problem).__name__}"
        f"{where}); remove it and get a complete copy."
    )
