"""Frontier orbitals of many molecules: in parallel, and each calculated only once."""

import hashlib
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atomlens.boundary import parse_json, read_bytes
from atomlens.elements.naming import chemical_formula
from atomlens.errors import Failure, StudyError
from atomlens.files import cache_folder, whole_file
from atomlens.studies.base import Progress, no_progress
from atomlens.studies.orbitals.populations import frontier_orbitals
from atomlens.studies.orbitals.solution import FrontierOrbitals, OrbitalSettings

if TYPE_CHECKING:
    from ase import Atoms

_VERSION = 1
"""Raise it when the meaning of the cached numbers changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyOrbitals:
    """Frontier orbitals of the molecules that could be calculated."""

    found: tuple[FrontierOrbitals, ...]
    kept: tuple[int, ...]
    """Which of the given molecules they belong to."""
    failures: tuple[Failure, ...]


def orbitals_of_many(
    molecules: "Sequence[Atoms]",
    settings: OrbitalSettings,
    *,
    folder: Path | None = None,
    n_workers: int = 1,
    progress: Progress = no_progress,
) -> ManyOrbitals:
    """Calculate the frontier orbitals of many molecules.

    Args:
        molecules: Named in ``info["name"]``.
        settings: Of the calculation.
        folder: Holds one small file for each molecule that was calculated; what is there is
            not calculated again. By default ``orbitals`` in the cache folder.
        n_workers: Processes, each of a single thread.
        progress: Called with the number of molecules done and in all.

    Raises:
        MissingDependencyError: pyscf is not installed.
    """
    place = folder if folder is not None else cache_folder() / "orbitals"
    names = [str(m.info.get("name") or chemical_formula(m.numbers)) for m in molecules]
    paths = [place / f"{orbital_key(m, settings)}.json" for m in molecules]
    results: dict[int, FrontierOrbitals | Failure] = {}
    for i, (molecule, path) in enumerate(zip(molecules, paths, strict=True)):
        cached = _read(path, molecule, names[i])
        if cached is not None:
            results[i] = cached
    missing = [i for i in range(len(molecules)) if i not in results]
    progress(len(results), len(molecules))
    for i, result in _calculated(
        [(i, molecules[i], names[i]) for i in missing], settings, n_workers
    ):
        results[i] = result
        if isinstance(result, FrontierOrbitals):
            _write(paths[i], result, settings)
        progress(len(results), len(molecules))
    rows = [i for i in range(len(molecules)) if isinstance(results[i], FrontierOrbitals)]
    return ManyOrbitals(
        found=tuple(r for r in (results[i] for i in rows) if isinstance(r, FrontierOrbitals)),
        kept=tuple(rows),
        failures=tuple(r for _, r in sorted(results.items()) if isinstance(r, Failure)),
    )


def orbital_key(molecule: "Atoms", settings: OrbitalSettings) -> str:
    """Return a name for elements, positions (to 1e-6 Å), charge and settings."""
    said = {"version": _VERSION, "charge": int(molecule.info.get("charge", 0))} | asdict(settings)
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    digest.update(np.asarray(molecule.numbers, dtype=np.int64).tobytes())
    digest.update(np.round(molecule.positions * 1e6).astype(np.int64).tobytes())
    return digest.hexdigest()[:32]


def keep_orbitals(
    molecule: "Atoms", found: FrontierOrbitals, settings: OrbitalSettings, folder: Path
) -> None:
    """Put orbitals that were calculated elsewhere into a folder of `orbitals_of_many`."""
    _write(folder / f"{orbital_key(molecule, settings)}.json", found, settings)


_Job = tuple[int, "Atoms", str]


def _calculated(
    jobs: Sequence[_Job], settings: OrbitalSettings, n_workers: int
) -> Iterator[tuple[int, FrontierOrbitals | Failure]]:
    """Yield results as they are ready."""
    if n_workers < 2 or len(jobs) < 2:
        for i, molecule, name in jobs:
            yield i, _attempt(molecule, settings, name)
        return
    context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads
    with ProcessPoolExecutor(min(n_workers, len(jobs)), mp_context=context) as pool:
        running: dict[Future[FrontierOrbitals | Failure], tuple[int, str]] = {
            pool.submit(_attempt, molecule, settings, name): (i, name) for i, molecule, name in jobs
        }
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                i, name = running.pop(future)
                yield i, _result(future, name)


def _result(future: "Future[FrontierOrbitals | Failure]", name: str) -> FrontierOrbitals | Failure:
    try:
        return future.result()
    except BrokenProcessPool:
        message = f"{name}: a worker process died, perhaps for lack of memory; use fewer workers."
        return Failure(name=name, message=message)


def _attempt(molecule: "Atoms", settings: OrbitalSettings, name: str) -> FrontierOrbitals | Failure:
    try:
        return frontier_orbitals(molecule, settings, name)
    except StudyError as error:
        return Failure(name=name, message=str(error))


def _write(path: Path, found: FrontierOrbitals, settings: OrbitalSettings) -> None:
    """Keep a result; a folder that cannot be written costs time only."""
    content: dict[str, Any] = {
        "settings": asdict(settings),
        **{name: getattr(found, name) for name in _PLAIN},
        "homo": found.homo.tolist(),
        "lumo": found.lumo.tolist(),
    }
    try:
        with whole_file(path) as stream:
            stream.write(json.dumps(content).encode())
    except OSError:
        pass


_PLAIN = ("homo_energy", "lumo_energy", "n_homo", "n_lumo")


def _read(path: Path, molecule: "Atoms", name: str) -> FrontierOrbitals | None:
    """Return None for a file that is not there or not whole: it will be made again."""
    try:
        content = parse_json(read_bytes(path))
        found = FrontierOrbitals(
            name=name,
            atomic_numbers=np.asarray(molecule.numbers, dtype=np.int64),
            positions=np.asarray(molecule.positions, dtype=np.float64),
            homo=np.array(content["homo"], dtype=np.float64),
            lumo=np.array(content["lumo"], dtype=np.float64),
            **{key: content[key] for key in _PLAIN},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if len(found.homo) == len(found.lumo) == len(molecule) else None
