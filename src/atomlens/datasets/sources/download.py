"""Fetching one file over HTTP: resumed after a cut, checked against its MD5, whole or not at all.

Needs the standard library alone. With the environment variable ``ATOMLENS_DATA_MIRROR`` set to
an address, ``https://HOST/PATH`` is fetched from ``MIRROR/HOST/PATH`` instead, which is the
tree of folders that ``wget --force-directories`` makes.
"""

import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from atomlens.boundary import parse_json
from atomlens.errors import DatasetError

Progress = Callable[[int, int], None]
"""Called with (bytes that are here, bytes in all; 0 where the server does not say)."""

WAITS = (1.0, 2.0, 4.0)
"""Seconds before each new attempt; an attempt that brought something starts the count again."""
TIMEOUT = 30.0
"""Seconds without an answer after which a connection counts as lost."""

_CHUNK = 1 << 20
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
_RECORD_BYTES = 32 << 20
_FOR_A_WHILE = {408, 425, 429, 500, 502, 503, 504}
"""Answers of a server that is worth asking again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file on a server."""

    name: str
    url: str
    md5: str
    """Hexadecimal, as the deposit states it."""
    n_bytes: int = 0
    """0 if unknown."""
    sha256: str = ""
    """Hexadecimal; empty where nobody but the server itself could say it."""

    def fits(self, path: Path) -> bool:
        """Say whether a file has the checksum: the SHA-256 where it is known, else the MD5."""
        return sha256_of(path) == self.sha256 if self.sha256 else md5_of(path) == self.md5


class _LostError(Exception):
    """The connection failed in a way that a new attempt may mend."""


def download(file: RemoteFile, folder: Path, progress: Progress | None = None) -> Path:
    """Fetch a file into a folder, unless it is there already with the right checksum.

    What has arrived is kept as ``NAME.part``, also after an interrupt, and the next call goes
    on from there; a server that cannot send a part of a file sends all of it again.

    Returns:
        The path of the whole, checked file.

    Raises:
        DatasetError: the server cannot be reached or refuses, the disk is full, or the checksum
            is wrong (then the file is removed).
    """
    path = folder / file.name
    if path.is_file() and file.fits(path):
        return path
    part = folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_space(file, part)
        _fetch_all(file, part, progress)
        if not file.fits(part):
            found = sha256_of(part) if file.sha256 else md5_of(part)
            part.unlink()
            raise DatasetError(
                f"{file.name}: the checksum of what {file.url} sent is {found}, not "
                f"{file.sha256 or file.md5}, so it was removed; fetch it again, and if this "
                "repeats, report it to the deposit."
            )
        os.replace(part, path)
    except OSError as problem:
        raise DatasetError(_disk_sentence(file, folder, problem)) from problem
    return path


def read_json(url: str, advice: str) -> Any:
    """Return the JSON at an address; ``advice`` ends the sentence if it cannot be had.

    Raises:
        DatasetError: the server cannot be reached, or its answer is no JSON.
    """
    for wait in (*WAITS, None):
        try:
            with closing(_open(url, 0, advice)) as answer:
                return parse_json(answer.read(_RECORD_BYTES))
        except ValueError as problem:
            raise DatasetError(f"{url}: the answer is no JSON ({problem}); {advice}.") from problem
        except (OSError, HTTPException, _LostError) as problem:
            if wait is None:
                raise DatasetError(_unreachable(url, problem, advice)) from problem
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fetch_all(file: RemoteFile, part: Path, progress: Progress | None) -> None:
    """Fetch until the part is whole, with new attempts after lost connections."""
    advice = f"or download {file.url} by hand into {part.parent}"
    n_lost = 0
    while True:
        before = _size(part)
        try:
            _fetch_rest(file, part, progress, advice)
            return
        except _LostError as problem:
            n_lost = n_lost + 1 if _size(part) <= before else 1
            if n_lost > len(WAITS):
                raise DatasetError(_unreachable(file.url, problem, advice)) from problem
            time.sleep(WAITS[n_lost - 1])


def _fetch_rest(file: RemoteFile, part: Path, progress: Progress | None, advice: str) -> None:
    """Ask for what is missing, once; raise _LostError if the connection breaks."""
    start = _size(part)
    if file.n_bytes and start >= file.n_bytes:
        if start == file.n_bytes:
            return
        part.unlink()  # of another version of the file
        start = 0
    try:
        answer = _open(file.url, start, advice)
    except (OSError, HTTPException) as problem:
        raise _LostError(_reason(problem)) from problem
    with closing(answer), part.open("r+b" if part.exists() else "wb") as stream:
        start, total = _place(answer, start)
        stream.truncate(start)
        stream.seek(start)
        while chunk := _next_chunk(answer):
            stream.write(chunk)
            start += len(chunk)
            if progress:
                progress(start, file.n_bytes or total)
    if start < (total or file.n_bytes):
        raise _LostError(f"the connection was cut after {start} of {total or file.n_bytes} bytes")


def _next_chunk(answer: HTTPResponse) -> bytes:
    try:
        return answer.read(_CHUNK)
    except (OSError, HTTPException) as problem:
        raise _LostError(_reason(problem)) from problem


def _open(url: str, start: int, advice: str) -> HTTPResponse:
    """Open an address, from a byte on; a lasting refusal is a DatasetError at once."""
    address = mirrored(url)
    _check_address(address, advice)
    headers = {"User-Agent": "atomlens", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        opener = build_opener(_SafeRedirects(advice))
        answer: HTTPResponse = opener.open(Request(address, headers=headers), timeout=TIMEOUT)
    except HTTPError as refusal:
        refusal.close()
        if refusal.code == 416 and start:  # the part is no beginning of this file
            return _open(url, 0, advice)
        if refusal.code in _FOR_A_WHILE:
            raise _LostError(f"the server answers {refusal.code} {refusal.reason}") from refusal
        code = f"{refusal.code} {refusal.reason}"
        raise DatasetError(f"{url}: the server answers {code}; try later, {advice}.") from refusal
    if answer.status not in (200, 206):
        answer.close()
        raise DatasetError(
            f"{url}: the server does not hand the file to programs (it answers {answer.status}); "
            f"try later, {advice}."
        )
    return answer


def _check_address(address: str, advice: str) -> None:
    """Refuse what is not fetched by https; this machine itself may do without."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https"):
        raise DatasetError(f"{address}: this is no web address; {advice}.")
    here = parts.scheme == "http" and parts.hostname in _THIS_MACHINE
    if parts.scheme != "https" and not here:
        raise DatasetError(
            f"{address}: only https addresses are fetched, since anybody on the way could change "
            f"the others (ATOMLENS_DATA_MIRROR included); {advice}."
        )


class _SafeRedirects(HTTPRedirectHandler):
    """Follows a server to another address only if that is a safe one."""

    def __init__(self, advice: str) -> None:
        self.advice = advice

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Return the next request."""
        _check_address(newurl, self.advice)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def mirrored(url: str) -> str:
    """Return where an address is really fetched from: the mirror, if there is one."""
    mirror = os.environ.get("ATOMLENS_DATA_MIRROR")
    return f"{mirror.rstrip('/')}/{url.split('://', 1)[-1]}" if mirror else url


def _place(answer: HTTPResponse, asked: int) -> tuple[int, int]:
    """Return the byte at which an answer begins, and how many bytes the whole file has."""
    if answer.status == 206:
        given = re.match(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if given is None or int(given[1]) != asked:
            raise _LostError("the server sent another part of the file than was asked for")
        return asked, int(given[2]) if given[2] != "*" else 0
    return 0, int(answer.headers.get("Content-Length") or 0)


def _check_space(file: RemoteFile, part: Path) -> None:
    free, missing = shutil.disk_usage(part.parent).free, file.n_bytes - _size(part)
    if missing > free:
        raise OSError(errno.ENOSPC, f"{_mb(missing)} are needed, {_mb(free)} are free")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"


def _reason(problem: BaseException) -> str:
    inner = problem.reason if isinstance(problem, URLError) else problem
    words = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return " ".join(str(words).split())


def _unreachable(url: str, problem: BaseException, advice: str) -> str:
    host = urlsplit(mirrored(url)).netloc
    return f"{host} could not be reached ({_reason(problem)}); try again with a network, {advice}."


def _disk_sentence(file: RemoteFile, folder: Path, problem: OSError) -> str:
    if problem.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return (
            f"{folder}: the disk is full ({problem.strerror}), so {file.name} is not whole; make "
            "room or set ATOMLENS_CACHE to another folder, and fetch it again: it goes on."
        )
    return (
        f"{folder}: {file.name} cannot be kept here ({problem.strerror or problem}); set "
        "ATOMLENS_CACHE to another folder."
    )
