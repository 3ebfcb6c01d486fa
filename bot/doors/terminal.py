"""What kind of terminal the answer is for."""

from __future__ import annotations

import os
import shutil
import sys


def colour() -> bool:
    """Whether colours are wanted."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def width() -> int:
    """Columns for the text, between 60 and 120."""
    return max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
