"""The machine below: its devices, its memory, and the compiler of the hot loops.

numba compiles where it is installed; where it is not, the loops of the neighbour builders run as
plain Python, and those of the models are left to torch. The loops are written so that all give
the same numbers.

Compiled code is kept on disk beside the sources (or where ``NUMBA_CACHE_DIR`` says), so only the
first run pays for it. numba by itself notices a change in the file of an entry point, not in
those of the functions that it calls: a kernel could be broken, and every test pass on what was
compiled before. Here the key of what is kept is a digest of all sources in the folders of the
entry point and of the compiled functions that it calls, of this file, and of the versions of numba
and numpy.
"""

import ctypes
import gc
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from atomlens.errors import SettingsError

if TYPE_CHECKING:
    import torch

Function = TypeVar("Function", bound=Callable[..., object])

_NEIGHBORS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "_nrt": False,
    # what vectorises the loops; nothing here makes a NaN, and infinities keep their meaning
    "fastmath": {"contract", "nsz", "reassoc", "nnan"},
}
"""Options of the loops over neighbours."""


def choose_device(name: str) -> "torch.device":
    """Return the torch device of a name; ``auto`` is a GPU if there is one.

    Raises:
        SettingsError: torch does not know the device, or it is not on this machine.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device("cuda" if name == "gpu" else name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise SettingsError(
            f"device={name!r} cannot be used on this machine; use auto or cpu."
        ) from None
    return device


def n_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def compiler() -> Callable[..., Any] | None:
    """Return numba's ``njit``, or None where numba is not installed."""
    try:
        from numba import njit
    except ImportError:
        return None
    with suppress(ImportError, AttributeError):  # a numba without events
        _listen()
    return njit  # type: ignore[no-any-return]


@cache
def has_triton() -> bool:
    """Return whether Triton's kernels can be used; ``ATOMLENS_TRITON=0`` says not to."""
    return find_spec("triton") is not None and os.environ.get("ATOMLENS_TRITON", "1") != "0"


@dataclass(slots=True)
class Compilation:
    """What numba had to compile in this process, for those who wait for it."""

    n_functions: int = 0
    seconds: float = 0.0


@contextmanager
def watch_compilation(begun: Callable[[], None]) -> Iterator[Compilation]:
    """Call ``begun`` when numba first has to compile, and count what it compiles from then on.

    What is found on disk is not compiled.
    """
    watched = Compilation()
    _watchers.append((watched, begun))
    try:
        yield watched
    finally:
        _watchers[:] = [one for one in _watchers if one[0] is not watched]


_watchers: list[tuple[Compilation, Callable[[], None]]] = []


@cache
def _listen() -> None:
    """Hear of every function that numba compiles; of functions inside functions the outer one."""
    from numba.core import event

    class Listener(event.Listener):
        depth = 0
        start = 0.0

        def on_start(self, _event: Any) -> None:
            self.depth += 1
            if self.depth > 1:
                return
            self.start = time.perf_counter()
            for watched, begun in _watchers:
                if not watched.n_functions:
                    begun()
                watched.n_functions += 1

        def on_end(self, _event: Any) -> None:
            self.depth -= 1
            if not self.depth:
                for watched, _ in _watchers:
                    watched.seconds += time.perf_counter() - self.start

    event.register("numba:compile", Listener())


def compiled(function: Function) -> Function:
    """Compile a function that only compiled functions call; without numba leave it as it is.

    Leaving out what Python would need to call it halves the time of the first run.
    """
    njit = compiler()
    if njit is None:
        return function
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_NEIGHBORS)(function)  # type: ignore[no-any-return]


def inlined(function: Function) -> Function:
    """Write a function into those that call it.

    For small parts of the innermost loops: handing over all the arrays takes longer than
    what these functions do.
    """
    njit = compiler()
    if njit is None:
        return function
    return njit(inline="always", **_NEIGHBORS)(function)  # type: ignore[no-any-return]


def entry_point(function: Function) -> Function:
    """Compile a loop over neighbours that Python calls, and keep the compiled code on disk."""
    return kept(**_NEIGHBORS)(function)


def kept(**options: Any) -> Callable[[Function], Function]:
    """Return a decorator that compiles with numba's options and keeps the code on disk.

    Without numba the function stays as it is.
    """

    def decorate(function: Function) -> Function:
        njit = compiler()
        if njit is None:
            return function
        made = njit(**options)(function)
        # no folder in which it could be kept, or a numba that keeps its code in another way:
        # then it is compiled in every process
        with suppress(RuntimeError, AttributeError):
            _keep_by_digest(made)
        return made  # type: ignore[no-any-return]

    return decorate


_plain_work: dict[Any, int] = {}
"""What each loop has done as plain Python in this process."""
_compiled: set[Any] = set()
"""Loops that are known to be compiled: asking a dispatcher takes as long as a small crystal."""


_compiling = 0
"""How many times `compiling` is entered"""


@contextmanager
def compiling() -> Iterator[None]:
    """Let every loop run compiled, however little there is to do.

    Plain Python adds up in another order, so a training that began in it, on a machine that had
    compiled nothing yet, would differ in the last digits from all later ones.
    """
    global _compiling
    _compiling += 1
    try:
        yield
    finally:
        _compiling -= 1


def worth_compiling(loop: Callable[..., Any], work: int, most: int) -> bool:
    """Say whether a loop shall run compiled rather than as plain Python.

    It shall where its code is there, in memory or on disk, and where there is so much to do that
    compiling it pays: the first crystal of a new user has eight atoms, and compiling the search
    for its neighbours takes thirty times as long as finding them in plain Python. Inside
    `compiling` it always shall.

    Args:
        loop: What `entry_point` or `kept` made.
        work: What is to be done now, in any unit.
        most: As much as plain Python does in a part of the time that the compiler takes.
    """
    if _compiling or loop in _compiled:
        return True
    if not getattr(loop, "py_func", None) or loop.signatures:  # type: ignore[attr-defined]
        _compiled.add(loop)
        return True
    done = _plain_work[loop] = _plain_work.get(loop, 0) + work
    return done > most or _is_on_disk(loop)


def _is_on_disk(dispatcher: Any) -> bool:
    """Say whether there is compiled code of a function that fits to its sources."""
    try:
        return bool(dispatcher._cache._cache_file._load_index())
    except (AttributeError, OSError, ValueError, TypeError, EOFError):
        return False


@cache
def plain(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Return a compiled loop as plain Python, with everything that it calls.

    Divisions by zero and roots of negative numbers raise there, where compiled code goes on with
    an infinity or a NaN.
    """
    made: Callable[..., Any] = _uncompiled(loop, {})
    return made


def _uncompiled(loop: Any, known: dict[str, dict[str, Any]]) -> Any:
    """Return a function with its module's names, of which the compiled ones are plain as well."""
    python = loop.py_func
    if python.__module__ not in known:
        names = known[python.__module__] = dict(python.__globals__)
        for name, value in python.__globals__.items():
            if hasattr(value, "py_func"):
                names[name] = _uncompiled(value, known)
    return FunctionType(python.__code__, known[python.__module__], python.__name__)


def _keep_by_digest(dispatcher: Any) -> None:
    """Let numba keep the code of a function under a digest of sources, not of its file's age."""
    from numba.core.caching import FunctionCache

    found = FunctionCache(dispatcher.py_func)
    if not hasattr(found._cache_file, "_source_stamp"):
        raise AttributeError("numba keeps its compiled code in another way")
    folders = sorted(source_folders(dispatcher))
    found._cache_file._source_stamp = " ".join(map(folder_digest, folders))
    dispatcher._cache = found


def source_folders(dispatcher: Any) -> set[Path]:
    """Return the folders of a compiled function and of all compiled ones that it calls."""
    folders: set[Path] = set()
    seen, ahead = set(), [dispatcher.py_func]
    while ahead:
        python = ahead.pop()
        if python in seen:
            continue
        seen.add(python)
        folders.add(Path(python.__code__.co_filename).parent)
        called = (python.__globals__.get(name) for name in python.__code__.co_names)
        ahead += [one.py_func for one in called if hasattr(one, "py_func")]
    return folders


@cache
def folder_digest(folder: Path) -> str:
    """Return a digest of all sources that decide the machine code made from one folder."""
    import numba
    import numpy as np

    digest = hashlib.sha256(f"numba {numba.__version__}, numpy {np.__version__}".encode())
    for path in [Path(__file__), *sorted(folder.glob("*.py"))]:
        digest.update(f"\n{path.name}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def long_lived() -> Iterator[None]:
    """Spare the garbage collector what is there already, such as all modules, while much is made.

    Each of its larger rounds looks at every object, and 2,000 crystals make for 400 rounds: a tenth
    of what reading and predicting them takes. No round goes before, which would look at all of this
    once more.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Names of the settings in the header file of the GNU allocator."""
_KEEP = 2**31 - 1
"""Bytes of free memory that a process may keep."""
_LARGEST_BLOCK = 32 * 2**20
"""Bytes; the allocator accepts no larger threshold."""
_GROW_BY = 64 * 2**20


@cache
def keep_freed_memory() -> None:
    """Tell the allocator once to keep up to 2 GiB of freed memory; only on Linux with glibc.

    Each training step makes and frees some hundred megabytes. With the usual settings they go
    back to the system every time, and every page is cleared and mapped anew when it is touched:
    a fifth of a step's time on a CPU.
    """
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
        library.mallopt(_TRIM_THRESHOLD, _KEEP)
        library.mallopt(_TOP_PAD, _GROW_BY)
