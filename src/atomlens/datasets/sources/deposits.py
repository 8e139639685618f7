"""Public deposits of data on Zenodo and figshare: which files a data set needs of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from atomlens.boundary import parse_json, read_text
from atomlens.datasets.sources.download import (
    Progress,
    RemoteFile,
    download,
    md5_of,
    read_json,
    sha256_of,
)
from atomlens.errors import DatasetError
from atomlens.files import whole_file

_RECORDS = {
    "zenodo": "https://zenodo.org/api/records/",
    "figshare": "https://api.figshare.com/v2/articles/",
}
_NOTE = "fetched.json"
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz")


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositFile:
    """One file that a data set needs."""

    record: str
    """Where it is deposited: ``zenodo:NUMBER`` or ``figshare:NUMBER``."""
    names: tuple[str, ...]
    """Patterns of its name, in small letters; the first is how it is usually called."""
    remote: RemoteFile | None = None
    """Its address and checksum; None to take both from what the record's server answers."""
    members: str = ""
    """Ending of the files that stand for it when a user has unpacked it; empty if none do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """What is downloaded for one data set."""

    page: str
    """Web page where a person can download the files."""
    files: tuple[DepositFile, ...]


class _Record(NamedTuple):
    files: list[RemoteFile]
    licence: str


def fetch_deposit(
    name: str, deposit: Deposit, folder: Path, progress: Progress | None
) -> list[Path]:
    """Download what is not in the folder yet, and note there where it came from.

    A second call compares the files with the checksums noted by the first, without a network;
    files that were put there by hand are left alone unless a known checksum is another.

    Raises:
        DatasetError: see `atomlens.datasets.sources.download.download`; or the record has no such
            file.
    """
    present = _noted_files(folder) if _notes(folder) else _put_by_hand(name, deposit, folder)
    if present:
        return present
    records: dict[str, _Record] = {}
    notes, paths = [], []
    for file in deposit.files:
        remote, licence = file.remote, ""
        if remote is None:
            if file.record not in records:
                records[file.record] = _read_record(file.record, deposit.page, folder)
            remote, licence = _chosen(file, records[file.record]), records[file.record].licence
        paths.append(download(remote, folder, progress))
        notes.append({"file": remote.name, "url": remote.url, "md5": remote.md5})
        notes[-1]["sha256"] = sha256_of(paths[-1])
        notes[-1] |= {"record": file.record, "licence": licence}
    with whole_file(folder / _NOTE) as stream:
        stream.write(json.dumps(notes, indent=1, ensure_ascii=False).encode())
    return paths


def local_files(name: str, deposit: Deposit, folder: Path) -> list[Path]:
    """Return the files of a deposit that are in a folder: archives, or what was in them.

    Raises:
        DatasetError: one is missing.
    """
    found: list[Path] = []
    for file in deposit.files:
        paths = [p for p in _listed(folder) if p.is_file() and _is_called(p.name, file)]
        if not paths and file.members:
            loose = sorted(folder.rglob(f"*{file.members}"))
            paths = [p for p in loose if not p.name.startswith(".")]
        elif len(paths) > 1:
            both = f"{paths[0].name} and {paths[1].name}"
            raise DatasetError(
                f"{folder}: {both} could both be the file {file.names[0]} of {name}; keep one."
            )
        if not paths:
            raise DatasetError(
                f"{name}: there is no file {file.names[0]} in {folder}. Run: atomlens datasets "
                f"fetch {name} (or download it from {deposit.page} into a folder and pass "
                "folder=...)."
            )
        found += paths
    return found


def noted_licence(folder: Path) -> str:
    """Return the licence that the record stated when the files were fetched, if it is known."""
    return next((str(n["licence"]) for n in _notes(folder) if n.get("licence")), "")


def _noted_files(folder: Path) -> list[Path]:
    """Return the files of a finished fetch if all are there with the checksums noted then."""
    notes = _notes(folder)
    paths = [folder / str(note.get("file", "")) for note in notes]
    checked = zip(paths, notes, strict=True)
    return paths if all(path.is_file() and _as_noted(path, note) for path, note in checked) else []


def _as_noted(path: Path, note: dict[str, Any]) -> bool:
    if note.get("sha256"):
        return sha256_of(path) == str(note["sha256"])
    return md5_of(path) == str(note.get("md5"))


def _put_by_hand(name: str, deposit: Deposit, folder: Path) -> list[Path]:
    try:
        paths = local_files(name, deposit, folder)
    except DatasetError:
        return []
    known = {file.remote.name: file.remote for file in deposit.files if file.remote}
    fits = all(p.name not in known or known[p.name].fits(p) for p in paths)
    return paths if fits else []


def _notes(folder: Path) -> list[dict[str, Any]]:
    try:
        notes = parse_json(read_text(folder / _NOTE))
    except (OSError, ValueError):
        return []
    return notes if isinstance(notes, list) and all(isinstance(n, dict) for n in notes) else []


def _listed(folder: Path) -> Sequence[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_called(name: str, file: DepositFile) -> bool:
    small = name.lower()
    if small.startswith(".") or small.endswith(".part"):
        return False
    exact = any("*" not in pattern and small == pattern for pattern in file.names)
    archive = small.endswith((*_ARCHIVES, ".json"))
    return exact or (archive and any(fnmatch(small, pattern) for pattern in file.names))


def _read_record(record: str, page: str, folder: Path) -> _Record:
    """Ask Zenodo or figshare which files a record holds, with addresses and checksums."""
    kind, number = record.split(":")
    url = _RECORDS[kind] + number
    answer = read_json(url, f"or download the files of {page} by hand into {folder}")
    try:
        return _zenodo(answer) if kind == "zenodo" else _figshare(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise DatasetError(
            f"{url}: the answer does not list the files as it used to ({problem!r}); download "
            f"them from {page} by hand into {folder}."
        ) from problem


def _zenodo(answer: Any) -> _Record:
    files = []
    for entry in answer["files"]:
        kind, checksum = str(entry["checksum"]).split(":")
        if kind != "md5":
            raise ValueError(f"checksum {kind}")
        address = entry["links"].get("content") or entry["links"]["self"]
        files.append(_remote(entry["key"], address, checksum, entry["size"]))
    licence = answer.get("metadata", {}).get("license") or {}
    return _Record(files, str(licence.get("id", "")))


def _figshare(answer: Any) -> _Record:
    files = [
        _remote(
            entry["name"],
            entry["download_url"],
            entry.get("computed_md5") or entry["supplied_md5"],
            entry["size"],
        )
        for entry in answer["files"]
    ]
    return _Record(files, str((answer.get("license") or {}).get("name", "")))


def _remote(name: str, url: str, md5: str, n_bytes: int) -> RemoteFile:
    if not name or Path(name).name != name or "\\" in name or name.startswith("."):
        raise ValueError(f"the file name {name!r}")
    return RemoteFile(name=name, url=str(url), md5=str(md5).lower(), n_bytes=int(n_bytes))


def _chosen(file: DepositFile, record: _Record) -> RemoteFile:
    fitting = [remote for remote in record.files if _is_called(remote.name, file)]
    if len(fitting) != 1:
        listed = ", ".join(remote.name for remote in record.files) or "none"
        raise DatasetError(
            f"{file.record}: the file {file.names[0]} is looked for, and {len(fitting)} files fit "
            f"its name; there are: {listed}. Download it by hand into a folder and pass folder=..."
        )
    return fitting[0]
