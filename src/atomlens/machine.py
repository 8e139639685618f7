"""Compilation of the hot loops: numba where it is installed, plain Python where it is not.

The loops are written so that both give the same numbers. Compiled code is cached on disk
beside the sources (or where ``NUMBA_CACHE_DIR`` says), so only the first run pays for it.
numba notices a change in the file of an entry point, not in the files of the functions that
it calls: whoever edits a kernel removes the ``*.nbi`` files of this folder.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

try:
    from numba import njit
except ImportError:
    njit = None

Function = TypeVar("Function", bound=Callable[..., object])

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "_nrt": False,
    # what vectorises the loops; nothing here makes a NaN, and infinities keep their meaning
    "fastmath": {"contract", "nsz", "reassoc", "nnan"},
}


def compiled(function: Function) -> Function:
    """Compile a function that only compiled functions call; without numba leave it as it is.

    Leaving out what Python would need to call it halves the time of the first run.
    """
    if njit is None:
        return function
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function)  # type: ignore[no-any-return]


def inlined(function: Function) -> Function:
    """Write a function into those that call it.

    For small parts of the innermost loops: handing over all the arrays takes longer than
    what these functions do.
    """
    if njit is None:
        return function
    return njit(inline="always", **_OPTIONS)(function)  # type: ignore[no-any-return]


def entry_point(function: Function) -> Function:
    """Compile a function that Python calls, and keep the compiled code on disk."""
    if njit is None:
        return function
    try:
        return njit(cache=True, **_OPTIONS)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # there is no folder in which it could be kept
        return njit(**_OPTIONS)(function)  # type: ignore[no-any-return]


@compiled
def whole(number: float) -> int:
    """Return a number, cut off towards zero, as a 64-bit integer.

    Counters that start as ``whole(0)`` are no constants to the compiler, which would otherwise
    compile the functions they are passed to a second time, for that one value.
    """
    return np.int64(number)  # type: ignore[return-value]
