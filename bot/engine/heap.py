"""What is asked of the C library's allocator, so that a process which lives for months keeps the size that it has."""

from __future__ import annotations

import contextlib
import ctypes
from typing import Final

_ARENA_MAX: Final = -8  # of the C library's mallopt


def share() -> None:
    """Let threads that come and go share two heaps, where each would keep what it once had at its most."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


def give_back() -> None:
    """Give the system back what is free between what is kept, in some milliseconds; where that is not glibc's, nothing.

    Each thread has a heap of its own, and what one has freed is of no use to another, so that it would stay for good.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
