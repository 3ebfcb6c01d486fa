"""Whether a disk is nearly full: that of the engine's own folder, where it is on this machine, and of Fletcher's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_SHARE: Final = 0.05  # of the disk that should be free, unless that is much
_MUCH: Final = 20 << 30  # bytes
_LEAST: Final = 1 << 30  # bytes that should be free in any case
_INODES: Final = 0.02  # of the files that the disk can have


class Disk(NamedTuple):
    """How full it is; `full` None where that cannot be told, and `says` why."""

    full: bool | None
    says: str


def disk(path: Path) -> Disk:
    """How full the disk is on which this folder is, or will be."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        told = os.statvfs(there)
    except OSError as problem:
        return Disk(None, f"the disk of {path} cannot be looked at: {problem.strerror}")
    free, size = told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize
    if not size:
        return Disk(None, f"the disk of {path} does not say how large it is")
    says = f"the disk of {path} has {_spoken(free)} of {_spoken(size)} free"
    if told.f_files and told.f_favail < _INODES * told.f_files:
        return Disk(True, f"{says}, and room for {told.f_favail} more files only")  # its field
    return Disk(free < _LEAST or (free < _SHARE * size and free < _MUCH), says)


def _spoken(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
