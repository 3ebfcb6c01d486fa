"""Processes that a test starts, known by a mark in their environment, which all that they start inherits."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def marked() -> Iterator[str]:
    """A mark; what still has it afterwards is ended, so that a test that fails leaves nothing."""
    mark = f"mark-{secrets.token_hex(8)}"
    try:
        yield mark
    finally:
        left = alive(mark)
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def alive(mark: str) -> list[int]:
    """The processes with this mark, zombies too: those have no environment, but are children of nobody then."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def wait_until(so: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether something became so."""
    until = time.monotonic() + seconds
    while not so():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
