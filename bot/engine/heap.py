"""What is asked of the C library's allocator, so that a process which lives for months keeps the size that it has."""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """Give the system back what is free between what is kept, in some milliseconds; where that is not glibc's, nothing.

    Each thread has a heap of its own, and what one has freed is of no use to another, so that it would stay for good.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
