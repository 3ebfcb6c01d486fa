"""A process that serves keeps one heap, however many threads it has."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from unittest.mock import patch

import pytest

from bot.engine import heap

GLIBC = hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
THREADS = """
import ctypes, threading
from bot.engine.heap import keep_flat
{first}
gate = threading.Barrier(9)
def use():
    kept = [bytearray(1000 + n) for n in range(100)]
    gate.wait()
threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads:
    thread.start()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
gate.wait()
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc has heaps that threads do not share")
def test_threads_share_one_heap() -> None:
    """Without being asked, the library gives them several."""
    heaps = [
        subprocess.run(
            [sys.executable, "-c", THREADS.format(first=first)], check=True, capture_output=True, text=True
        ).stdout.count("<heap nr=")
        for first in ("", "keep_flat()")
    ]
    assert heaps[0] > 1
    assert heaps[1] == 1


def test_another_library_is_left_as_it_is() -> None:
    """It is asked for nothing that it does not have."""
    with patch.object(ctypes, "CDLL", side_effect=OSError):
        heap.keep_flat()
