"""What compiled loops over float32 share: types, numba's options, the exponential."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atomlens.machine import kept

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
loop: Callable[..., Callable[[Any], Any]] = partial(kept, nogil=True, error_model="numpy")
"""Compiles a function, with more of numba's options."""
REORDERED = {"reassoc", "contract", "nsz", "arcp"}
"""``fastmath`` where sums may be added in any order; what is no number stays none."""


@loop(fastmath={"contract"}, inline="always")
def _exp(x: Any) -> Any:
    """Return exp(x) for x from -87 to 88 to about 1e-7, in a form that becomes vector code.

    It is written into those below: called, `falling` takes a seventh longer.
    """
    n = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    r = x - n * np.float32(0.693359375)
    r = r - n * np.float32(-2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * r * r + r + np.float32(1.0)
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@loop(fastmath={"contract"})
def exp(x: Any) -> Any:
    """Return exp(x)."""
    return _exp(min(max(x, np.float32(-87.0)), np.float32(88.0)))


@loop(fastmath={"contract"})
def falling(x: Any) -> Any:
    """Return exp(-x) for x >= 0."""
    return _exp(-min(x, np.float32(87.0)))
