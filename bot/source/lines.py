"""The lines of two versions of a file."""

from __future__ import annotations

from itertools import zip_longest


def first_change(before: bytes, after: bytes) -> int:
    """The 1-based line of the first difference; 0 when there is none."""
    pairs = zip_longest(before.split(b"\n"), after.split(b"\n"))
    return next((at for at, (old, new) in enumerate(pairs, 1) if old != new), 0)
