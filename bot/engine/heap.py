"""What the C library's allocator is asked for, so that a process which lives for months keeps the size that it has."""

from __future__ import annotations

import contextlib
import ctypes
from typing import Final

_TRIM, _MMAP, _ARENAS = -1, -3, -8  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX of mallopt(3)
_LARGE: Final = 128 * 1024  # bytes; what glibc begins with, and would raise by itself


def keep_flat() -> None:
    """Let all threads share one heap, and give back what is free of it; only glibc is asked, and what it refuses is so.

    Each thread would else get a heap of its own, in which what has been freed is of no use to the others. They take turns
    anyway, so that nobody waits for it.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENAS, 1)
        mallopt(_MMAP, _LARGE)
        mallopt(_TRIM, _LARGE)
