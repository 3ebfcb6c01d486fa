"""What kind of terminal the answer is for."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE: Final = 2.0  # seconds after which somebody who waits is told that it goes on


def colour() -> bool:
    """Whether colours are wanted."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def width() -> int:
    """Columns for the text, between 60 and 120."""
    return max(60, min(120, columns()))


def columns() -> int:
    """Columns that the terminal has now."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


@contextmanager
def patience(what: str) -> Iterator[None]:
    """Say to somebody who waits at a terminal what takes so long, once it does."""
    import threading

    def tell() -> None:
        print(f"fletcher: {what} …", file=sys.stderr, flush=True)

    timer = threading.Timer(_PATIENCE, tell)
    timer.daemon = True
    if sys.stderr is not None and sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
