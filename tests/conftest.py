"""Test set-up: shapes are checked, files of other people's code are found or skipped."""

import fcntl
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import atomlens
from atomlens import machine
from shapes import check_shapes_of
from small_deposits import DepositServer

ROOT = Path(__file__).parents[1]
PACKAGE = Path(atomlens.__file__).parent
COMPILED = {
    *("kernels", "layer_kernels", "node_kernels", "geometry_kernels", "blocks", "assembly"),
    *("row_kernels", "gated_kernels", "attended_kernels", "changed_kernels", "loops"),
}
"""Modules of compiled loops: numba reads their source, so nothing may wrap their functions."""

check_shapes_of(
    [
        ".".join(("atomlens", *file.relative_to(PACKAGE).with_suffix("").parts))
        for package in ("graphs", "models", "nn")
        for file in (PACKAGE / package).rglob("*.py")
        if file.stem not in COMPILED
    ]
)

os.environ["no_proxy"] = (
    "127.0.0.1,localhost"  # servers of tests, whatever this machine goes through
)

machine._is_on_disk = lambda _: True
"""Loops are compiled from the first call on. Else it would hang on what a process has done before,
and on what the one beside it has compiled meanwhile, when the order of edges at equal distances
changes to that of compiled code."""

OF_PROCESSES = (
    "browser",
    "cli",
    "contract/test_failing_machines.py",
    "fuzz",
    "integration",
    "unit/screening",
    "unit/web",
)
"""Tests of programs beside others: processes, kills, servers, browsers, bounds on time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask such a test once more if it fails, and tell of it (docs/decisions/0035)."""
    places = [Path(__file__).parent / one for one in OF_PROCESSES]
    files = {item.path for item in items}
    again = {path for path in files if any(path.is_relative_to(place) for place in places)}
    for item in items:
        if item.path in again:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let each test draw the same random numbers, whichever tests were there before it."""
    for name, seed in (("torch", "manual_seed"), ("numpy.random", "seed")):
        if name in sys.modules:
            getattr(sys.modules[name], seed)(0)
    random.seed(0)


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Folder with the outputs of the authors' own code."""
    folder = Path(os.environ.get("ATOMLENS_FIXTURES", "../shared/fixtures"))
    if not folder.is_dir():
        pytest.skip("the reference outputs are not on this machine (set ATOMLENS_FIXTURES)")
    return folder


@pytest.fixture
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working folder, and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings draw nothing, which takes longer than they; `test_training_outputs` looks at it."""
    monkeypatch.setattr("atomlens.training.pipeline.draw", lambda *_: True)


@pytest.fixture
def deposit_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[DepositServer]:
    """A mirror of the public deposits on this machine, and an empty cache folder."""
    server = DepositServer()
    monkeypatch.setenv("ATOMLENS_DATA_MIRROR", server.url)
    monkeypatch.setenv("ATOMLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("atomlens.datasets.sources.download.WAITS", (0.0, 0.0, 0.0))
    yield server
    server.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation as a site, built by one worker for all.

    It is built in strict mode: a link to nowhere or a name that is gone is an error.
    """
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    out = folder / "site"
    with (folder / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "index.html").exists():
            making = folder / "site.part"
            typed = [sys.executable, "-m", "mkdocs", "build", "--strict"]
            typed += ["--site-dir", str(making)]
            done = subprocess.run(typed, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-3000:]
            making.rename(out)
    return out
