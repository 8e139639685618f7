"""Where files of our own are kept, and how they are written: whole or not at all."""

import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from atomlens.errors import AtomlensError, SettingsError, WriteError
from atomlens.printing import encodable, file_stem, shown

TABLE_SUFFIXES = (".csv", ".json", ".jsonl", ".parquet", ".xlsx")
"""Of the tables that `atomlens.reports.tables` writes."""
_STALE_SECONDS = 24 * 3600
_MARKED = re.compile(r"\.p(\d{1,9})-([0-9a-f]{8})\.")
"""Process and machine in the name of a temporary sibling."""
_looked_through: set[Path] = set()
_HERE, _RENAME_EXCHANGE = -100, 2
"""Constants of Linux: paths are relative to the working folder; exchange two names."""


def place_of(given: str | os.PathLike[str]) -> Path:
    """Return a path that a user gave, ``~`` as the home folder; it is where it is written to.

    Raises:
        SettingsError: it is no path, or holds a NUL, which no name of a file does.
    """
    if not isinstance(given, str | os.PathLike):
        raise SettingsError(f"{shown(given)} is no path; give one as text or as a Path.")
    if "\0" in os.fspath(given):
        raise SettingsError(f"{shown(given)}: no name of a file holds a NUL; give another.")
    return Path(os.path.expanduser(given))


def cache_folder() -> Path:
    """Return the folder for files that can be made again.

    The environment variable ``ATOMLENS_CACHE`` if it is set, else ``atomlens`` in
    ``XDG_CACHE_HOME``, else ``~/.cache/atomlens``. The folder need not exist.
    """
    for variable, inside in (("ATOMLENS_CACHE", ""), ("XDG_CACHE_HOME", "atomlens")):
        said = os.environ.get(variable, "").strip()
        if said:
            return Path(os.path.expanduser(said)).absolute() / inside
    home = os.path.expanduser("~")
    if home != "~" and (os.path.isdir(home) or os.access(os.path.dirname(home), os.W_OK)):
        return Path(home) / ".cache" / "atomlens"
    return _folder_without_home()


def _folder_without_home() -> Path:
    """Return a folder of this user's own beside the temporary files, for users without a home."""
    import tempfile

    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"atomlens-{user}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid == user and not folder.is_symlink():
            return folder
    return Path(tempfile.mkdtemp(prefix="atomlens-"))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what a system says of a place that cannot be written to into one sentence.

    Raises:
        WriteError: instead of an OSError of the block.
    """
    try:
        yield
    except WriteError:
        raise
    except OSError as problem:
        said = problem.strerror or str(problem)
        raise WriteError(
            f"{path}: this cannot be written ({said}). Choose another place.", problem
        ) from problem


def make_folder(folder: Path) -> Path:
    """Make a folder, and those that it stands in, unless it is there.

    Raises:
        WriteError: it cannot be made.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary sibling of ``path`` that takes its place only if the block succeeds.

    A reader sees the old file or the new one; a kill leaves at most a hidden leftover.

    Raises:
        WriteError: the place cannot be written to, or is full.
    """
    import tempfile

    make_folder(path.parent)
    _remove_leftovers(path.parent)
    with writing(path):
        handle, name = tempfile.mkstemp(prefix=_mark(path.name), suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException as problem:
        Path(name).unlink(missing_ok=True)
        of_this = (None, name, str(path))  # a full disk does not say what was being written
        if isinstance(problem, OSError) and problem.errno and problem.filename in of_this:
            with writing(path):
                raise
        raise


def whole_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary sibling, then rename it to ``folder``.

    If another process put its own folder there in the meantime, that one stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder.parent)
    part = _sibling(folder)
    try:
        write(part)
        for path in part.iterdir():
            _sync(path)
        _sync(part)
        part.chmod(0o777 & ~_umask())
        try:
            part.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
        _sync(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def exchange_folder(
    folder: Path, write: Callable[[Path], None], *, is_old: Callable[[str], bool]
) -> None:
    """Let ``write`` fill a temporary sibling, then exchange it with ``folder`` in one step.

    What the old folder holds beside the entries for which ``is_old`` is true is kept. Nothing
    of the old folder is touched before the new one is whole.
    """
    _remove_leftovers(folder.parent)
    part = _sibling(folder)
    try:
        write(part)
        for entry in folder.iterdir():
            if not is_old(entry.name) and not (part / entry.name).exists():
                _link(entry, part / entry.name)
        part.chmod(folder.stat().st_mode & 0o7777)
        _sync(part)
        _exchange(part, folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """Give a file or folder a second name; copy it where the file system has no such links."""
    if source.is_dir() and not source.is_symlink():
        target.mkdir()
        for entry in source.iterdir():
            _link(entry, target / entry.name)
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(source, target, follow_symlinks=False)


def _sibling(folder: Path) -> Path:
    """Make an empty folder beside another one, for what is not finished or on its way out."""
    import tempfile

    return Path(tempfile.mkdtemp(prefix=_mark(folder.name), suffix=".part", dir=folder.parent))


def _exchange(first: Path, second: Path) -> None:
    """Exchange two folders: in one step where the system can, else in three renames."""
    import ctypes

    with suppress(OSError, AttributeError, TypeError):
        rename = ctypes.CDLL(None, use_errno=True).renameat2
        names = (os.fsencode(first.absolute()), os.fsencode(second.absolute()))
        if rename(_HERE, names[0], _HERE, names[1], _RENAME_EXCHANGE) == 0:
            return
    aside = first.with_name(f"{first.name}.old")
    second.rename(aside)
    try:
        first.rename(second)
    except OSError:
        aside.rename(second)
        raise
    aside.rename(first)


def discard_folder(folder: Path) -> None:
    """Remove a folder in one step: nobody sees it half empty."""
    aside = _sibling(folder)
    try:
        folder.rename(aside)
    except FileNotFoundError:
        pass  # somebody else was faster
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def discard_file(path: Path) -> None:
    """Remove a file of an earlier run, if there is one.

    Raises:
        SettingsError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{path}: this file of an earlier run cannot be removed ({error.strerror}). Remove it."
        ) from error


def _mark(name: str) -> str:
    """Return the beginning of the names of this process's temporary siblings of a file."""
    short = name.encode(errors="replace")[:60].decode(errors="ignore")
    return f".{short}.p{os.getpid()}-{_machine()}."


@cache
def _machine() -> str:
    """Return a mark of this machine: the numbers of processes of others mean nothing here."""
    import platform

    return f"{zlib.crc32(platform.node().encode(errors='replace')):08x}"


def _remove_leftovers(parent: Path) -> None:
    """Remove what killed writers left in a folder: their process is gone, or a day has passed.

    Each folder is looked through once a process, as a folder may hold a hundred thousand files.
    """
    place = parent.absolute()
    if place in _looked_through or not parent.is_dir():
        return
    _looked_through.add(place)
    for path in parent.glob(".*.part*"):
        found = _MARKED.search(path.name)
        try:
            old = time.time() - path.lstat().st_mtime > _STALE_SECONDS
        except OSError:
            continue
        gone = found is not None and found[2] == _machine() and not _is_running(int(found[1]))
        if gone or (old and (found is not None or path.is_dir())):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()


def _is_running(process: int) -> bool:
    """Say whether a process of that number may be running on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _sync(path: Path) -> None:
    """Ask the system to put a file or folder on disk; folders cannot be synced everywhere."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def replacing(path: str | Path, *, keep: bool = True) -> Iterator[Path]:
    """Give a temporary sibling to write to; move it to ``path`` if nothing failed.

    Missing folders are made. The sibling keeps the suffix, since writers choose the format
    by it. Raises `SettingsError` if the place cannot be written to. Without ``keep`` the sibling
    is for what is needed in between, and removed in the end.
    """
    target = place_of(path)
    kind = "part" if keep else "rows.part"
    draft = target.with_name(f"{_mark(target.stem)}{kind}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target.parent)
        yield draft
        if keep:
            os.replace(draft, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"{target}: this cannot be written ({reason}). Choose another place."
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()


@contextmanager
def locked(lock: Path, refused: AtomlensError) -> Iterator[None]:
    """Hold a lock file; the system lets go of it when the process ends in any way.

    Where the system or the file system knows no locks nothing is held.

    Raises:
        AtomlensError: ``refused``, where another process holds it.
        SettingsError: the place cannot be written to.
    """
    try:
        import fcntl
    except ImportError:  # not on this system
        yield
        return
    make_folder(lock.parent)
    with writing(lock):
        held = lock.open("ab")
    with held as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refused from None
        except OSError:  # a file system without locks
            pass
        yield


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold a file that is written again and again, so that no other process writes it too.

    Raises:
        SettingsError: another process holds it.
    """
    refused = SettingsError(
        f"{path}: another process writes this file now; wait for it, or give another name."
    )
    lock = lock_of(path)
    with locked(lock, refused):
        try:
            yield
        finally:
            with suppress(OSError):
                lock.unlink()


def lock_of(path: Path) -> Path:
    """Return the file beside another that is locked while that one is written."""
    return path.with_name(f".{path.stem.encode()[:60].decode(errors='ignore')}.lock")


def write_text(text: str, path: str | Path) -> Path:
    """Write text as UTF-8, whole or not at all."""
    with replacing(path) as draft:
        draft.write_text(encodable(text), encoding="utf-8", newline="\n")
    return place_of(path)


def to_json(value: Any) -> str:
    """Return JSON that every reader accepts: no NaN, no infinity, letters as they are."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


class Stems:
    """Gives file names without suffix, all different on every file system."""

    def __init__(self, taken: Sequence[str] = ()) -> None:
        self._used = {t.casefold() for t in taken}
        self._numbers: dict[str, int] = {}

    def add(self, name: str) -> str:
        """Return the file name for another name."""
        stem = candidate = file_stem(name.replace("/", "_"))
        number = self._numbers.get(stem, 1)
        while candidate.casefold() in self._used:
            number += 1
            candidate = f"{stem}-{number}"
        self._numbers[stem] = number
        self._used.add(candidate.casefold())
        return candidate


def unique_stems(names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Return one file name without suffix per name, all different on every file system."""
    stems = Stems(taken)
    return [stems.add(name) for name in names]
