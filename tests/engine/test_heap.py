"""What is freed goes back to the system, though what is kept lies in between."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from unittest.mock import patch

import pytest

from bot.engine import heap

GLIBC = hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
HOLES = """
from pathlib import Path
from bot.engine.heap import give_back
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
freed, kept = [], []
for _ in range(2000):
    freed.append(bytearray(30_000))
    kept.append(bytearray(1_000))
freed.clear()
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc is asked")
def test_what_is_freed_is_given_back() -> None:
    """Most of 60 MB."""
    told = subprocess.run([sys.executable, "-c", HOLES], check=True, capture_output=True, text=True).stdout
    assert int(told) > 30_000_000


def test_another_library_is_left_as_it_is() -> None:
    """It is asked for nothing that it does not have."""
    with patch.object(ctypes, "CDLL", side_effect=OSError):
        heap.give_back()
