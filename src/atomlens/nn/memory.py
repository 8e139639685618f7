"""Keep memory that was freed, so that the next step need not ask the system for it again.

Each training step makes and frees some hundred megabytes. With the usual settings of the GNU
allocator they go back to the system every time, and every page is cleared and mapped anew when
it is touched: a fifth of a step's time on a CPU.
"""

import ctypes
import sys
from contextlib import suppress
from functools import cache

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Names of the settings in the allocator's header file."""
_KEEP = 2**31 - 1
"""Bytes of free memory that a process may keep."""
_LARGEST_BLOCK = 32 * 2**20
"""Bytes; the allocator accepts no larger threshold."""
_GROW_BY = 64 * 2**20


@cache
def keep_freed_memory() -> None:
    """Tell the allocator once to keep up to 2 GiB of freed memory; only on Linux with glibc."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
        library.mallopt(_TRIM_THRESHOLD, _KEEP)
        library.mallopt(_TOP_PAD, _GROW_BY)
