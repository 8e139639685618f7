"""Graphs on disk: built once, then memory-mapped, so that they may be larger than memory.

A cache is a folder of flat ``.npy`` arrays with offsets (compressed sparse rows) and a JSON
header. Its name is a hash of everything that decides the graphs: the structures, the builder
with its settings, and the versions of builders and format. It appears in one step, so a kill
leaves no half cache, and what does not fit its header is built again.
"""

import hashlib
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from os.path import isdir
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from atomlens.boundary import parse_json, read_text, regular_size
from atomlens.errors import Failure, warn
from atomlens.files import cache_folder, discard_folder, whole_folder
from atomlens.graphs import FIELDS, GraphStore
from atomlens.graphs.store import CORE
from atomlens.neighbors import BuildResult, build_store
from atomlens.neighbors.base import GraphBuilder
from atomlens.neighbors.features import with_structure_fields
from atomlens.printing import reason
from atomlens.structures.arrays import StructureArrays

FORMAT_VERSION = 1
"""Raise it when the files below change their meaning."""
GRAPH_VERSION = 1
"""Raise it when any builder gives other graphs for the same structure and settings."""

_HEADER = "header.json"
_CHECKED_BYTES = 2 << 30
"""Caches up to this size are compared with their checksums; larger ones by size alone."""


def cached_store(
    structures: StructureArrays,
    builder: GraphBuilder,
    *,
    cache_dir: Path | None = None,
    n_workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> BuildResult:
    """Build all graphs, or take them from the cache if these very graphs were built before.

    Args:
        structures: What the graphs are built from.
        builder: Finds the neighbours.
        cache_dir: Folder that holds the caches; ``graphs`` in the user's cache folder if None.
        n_workers: Threads for building; 0: one a core.
        progress: Called with (done, total) while graphs are built.

    Returns:
        The store (memory-mapped), which structures it holds, and the failures. A damaged cache
        is built again, and a folder that cannot be written is done without, with a warning.
    """
    identity = _identity(structures, builder)
    folder = (cache_dir or cache_folder() / "graphs") / _key(identity)
    found = _read_or_discard(folder, identity, structures)
    if found is not None:
        return found
    built = build_store(structures, builder, n_workers=n_workers, progress=progress)
    try:
        whole_folder(folder, lambda part: _write(part, identity, built))
    except OSError as problem:
        warn(
            f"{folder.parent}: the graphs cannot be kept here ({problem.strerror or problem}), so "
            "they will be built again next time. Set ATOMLENS_CACHE to another folder."
        )
        return built
    return _read_or_discard(folder, identity, structures) or built


def _identity(structures: StructureArrays, builder: GraphBuilder) -> dict[str, Any]:
    """Return everything that decides the graphs, as plain values."""
    identity = {
        "format": FORMAT_VERSION,
        "graphs": GRAPH_VERSION,
        "structures": structures.fingerprint(),
        "builder": builder.name,
        "settings": builder.settings(),
    }
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def _key(identity: dict[str, Any]) -> str:
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _write(folder: Path, identity: dict[str, Any], built: BuildResult) -> None:
    arrays = {"kept": np.asarray(built.kept, dtype=np.int64)}
    for name, tensor in _tensors(built.store.compact()).items():
        arrays[name] = tensor.contiguous().numpy()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    header = {
        "identity": identity,
        "arrays": {n: [str(a.dtype), list(a.shape), _checksum(a)] for n, a in arrays.items()},
        "failures": [[f.name, f.message] for f in built.failures],
    }
    (folder / _HEADER).write_text(json.dumps(header), encoding="utf-8")


def _read_or_discard(
    folder: Path, identity: dict[str, Any], structures: StructureArrays
) -> BuildResult | None:
    """Return what the folder holds; None if there is none or it is damaged (then removed)."""
    if not isdir(folder):
        return None
    try:
        return _read(folder, identity, structures)
    except Exception as problem:  # whatever happened to the files, the graphs can be made again
        warn(f"{folder}: the cached graphs are damaged ({reason(problem)}); they are built again.")
        with suppress(OSError):
            discard_folder(folder)
        return None


def _read(folder: Path, identity: dict[str, Any], structures: StructureArrays) -> BuildResult:
    header = parse_json(read_text(folder / _HEADER))
    if header["identity"] != identity:
        raise ValueError("the header belongs to other graphs")
    described = header["arrays"]
    if not set(described) <= {"kept", *CORE, *FIELDS}:
        raise ValueError("the header names arrays that no graph has")
    arrays = {name: _map(folder / f"{name}.npy") for name in described}
    check_bytes = sum(a.nbytes for a in arrays.values()) <= _CHECKED_BYTES
    for name, array in arrays.items():
        dtype, shape, checksum = described[name]
        whole = str(array.dtype) == dtype and list(array.shape) == shape
        if not whole or (check_bytes and _checksum(array) != checksum):
            raise ValueError(f"{name}.npy is not what was written")
    kept = np.array(arrays.pop("kept"))
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    store = GraphStore.of(tensors)
    store = with_structure_fields(store, structures, kept)
    failures = _renamed(header["failures"], kept, structures.names)
    return BuildResult(store=store, kept=kept, failures=failures)


def _map(path: Path) -> NDArray[Any]:
    """Map a file copy-on-write: torch may not see read-only memory, and no one writes to it."""
    regular_size(path)
    array: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    return np.asarray(array)


def _tensors(store: GraphStore) -> dict[str, torch.Tensor]:
    """Return what is kept on disk: all but what comes from the structures as it is."""
    tensors = store.parts()
    return {n: t for n, t in tensors.items() if n not in FIELDS or FIELDS[n].cached}


def _checksum(array: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _renamed(
    failures: list[list[str]], kept: NDArray[np.int64], names: tuple[str, ...]
) -> tuple[Failure, ...]:
    """Return the failures under the present names; the cache does not depend on names."""
    failed = np.setdiff1d(np.arange(len(names)), kept)
    if len(failed) != len(failures):
        return tuple(Failure(name=name, message=message) for name, message in failures)
    return tuple(
        Failure(name=names[i], message=message.replace(name, names[i]))
        for i, (name, message) in zip(failed.tolist(), failures, strict=True)
    )
