"""Files are written whole or not at all, and only while they are what was planned.

The new text is written to a temporary file beside the old one, which then takes its name: whatever happens, the name
leads to the old text or to the new one. Several files are all written before the first is named anew; if one cannot
be, those before it are put back. Only a killed process or a power cut between two of the renamings can leave some of
the files new and others old, each of them whole, with the temporary files (`.NAME.*.fletcher`) beside them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import FletcherError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Change:
    """One file's change; `before` is the planned content, or its SHA-256 in hexadecimal digits."""

    path: Path
    before: bytes | str
    after: bytes


@dataclass(slots=True)
class _File:
    """A file that is being changed: its own name behind all links, and the temporary files beside it."""

    change: Change
    real: Path
    seen: os.stat_result
    old: bytes
    new_at: Path
    old_at: Path


def write(path: Path, before: bytes | str, after: bytes) -> None:
    """Write a file that still is what was planned; its mode, owner and extended attributes stay.

    A symbolic link stays one, and the file that it leads to is written.

    Raises:
        FletcherError: the file is another one by now, or cannot be written; nothing was changed.
    """
    write_all([Change(path, before, after)])


def write_all(changes: Sequence[Change]) -> None:
    """Write several files, all or none of them.

    Raises:
        FletcherError: nothing was changed, or the sentence says what could not be put back.
    """
    files = [_looked_at(change) for change in changes]
    _each_once(files)
    lost: list[_File] = []
    try:
        try:
            _write_each(files, lost)
        finally:
            _clear(files, lost)
    finally:
        _clear(files, lost)  # again, as Ctrl-C may have come in the midst of it


def _write_each(files: Sequence[_File], lost: list[_File]) -> None:
    """Prepare all files, then rename them; `lost` takes those that could not be put back."""
    for file in files:
        _prepare(file, keep_old=len(files) > 1)
    for file in files:
        _still_as_seen(file)
    started: list[_File] = []
    try:
        for file in files:
            started.append(file)
            _rename(file)
    except BaseException as error:
        lost += [file for file in started if not _put_back(file)]
        if not lost or not isinstance(error, FletcherError):
            raise
        left = "; ".join(f"{file.change.path} has its new text, its old one is {file.old_at}" for file in lost)
        raise Unreachable(f"{error} What was written before could not be put back: {left}.") from error


def notes(path: Path) -> tuple[str, ...]:
    """What a person should know before a file is written, a sentence each."""
    try:
        links = path.stat().st_nlink
    except OSError:
        return ()
    if links < 2:
        return ()
    return (f"{path} has {links} names (hard links); only this one gets the new text, the others keep the old one.",)


def _looked_at(change: Change) -> _File:
    """A file as it is now, which must be what was planned."""
    path = change.path
    try:
        real = path.resolve(strict=True)
        seen = real.stat()
        if not stat.S_ISREG(seen.st_mode):
            raise Unreachable(f"{path} is no file that could be written.")
        old = real.read_bytes()
    except FileNotFoundError:
        raise Unreachable(f"{path} is not there any more; plan again.") from None
    except (OSError, RuntimeError) as error:
        raise Unreachable(f"{path} cannot be read: {_why(error)}.") from error
    planned = change.before if isinstance(change.before, str) else hashlib.sha256(change.before).hexdigest()
    if hashlib.sha256(old).hexdigest() != planned.lower():
        raise Unreachable(f"{path} has changed since this was planned, so nothing was written; plan again.")
    if os.statvfs(real).f_flag & os.ST_RDONLY:
        raise Unreachable(f"{path} cannot be written: {_why(OSError(errno.EROFS, ''))}.")
    if not os.access(real, os.W_OK):
        raise Unreachable(f"{path} is not allowed to be written; see its owner and its mode.")
    mark = f".{real.name[:100]}.{secrets.token_hex(6)}"
    return _File(
        change, real, seen, old, real.with_name(f"{mark}.new.fletcher"), real.with_name(f"{mark}.old.fletcher")
    )


def _each_once(files: Iterable[_File]) -> None:
    seen: dict[tuple[int, int], Path] = {}
    for file in files:
        other = seen.setdefault((file.seen.st_dev, file.seen.st_ino), file.change.path)
        if other is not file.change.path:
            raise Unreachable(f"{other} and {file.change.path} are the same file, so nothing was written.")


def _prepare(file: _File, *, keep_old: bool) -> None:
    try:
        _write_beside(file, file.new_at, file.change.after)
        if keep_old:
            _write_beside(file, file.old_at, file.old)
    except OSError as error:
        raise Unreachable(f"{file.change.path} could not be written, and is as it was: {_why(error)}.") from error


def _write_beside(file: _File, at: Path, data: bytes) -> None:
    """Write a temporary file with all that belongs to the one it will replace, down to the disk."""
    descriptor = os.open(at, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        made = os.fstat(descriptor)
        if (made.st_uid, made.st_gid) != (file.seen.st_uid, file.seen.st_gid):
            os.fchown(descriptor, file.seen.st_uid, file.seen.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(file.seen.st_mode))
        _copy_attributes(file.real, descriptor)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_attributes(real: Path, descriptor: int) -> None:
    """Copy the extended attributes that this process may set; access lists are among them."""
    if not hasattr(os, "listxattr"):
        return
    with contextlib.suppress(OSError):
        for name in os.listxattr(real):
            with contextlib.suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(real, name))


def _still_as_seen(file: _File) -> None:
    """Refuse a file that somebody has written while this was prepared."""
    try:
        now = file.real.stat()
    except OSError as error:
        raise Unreachable(f"{file.change.path} cannot be read: {_why(error)}.") from error
    if _state(now) != _state(file.seen):
        raise Unreachable(f"{file.change.path} has just been changed, so nothing was written; plan again.")


def _state(seen: os.stat_result) -> tuple[int, ...]:
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns


def _rename(file: _File) -> None:
    try:
        file.new_at.replace(file.real)
    except OSError as error:
        raise Unreachable(f"{file.change.path} could not be written, and is as it was: {_why(error)}.") from error
    _settle(file.real.parent)


def _settle(folder: Path) -> None:
    """Bring a folder's names down to the disk, where its file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _put_back(file: _File) -> bool:
    """Give a name its old text again, if it has the new one; whether it has the old one now."""
    if file.new_at.exists():
        return True
    try:
        if not file.old_at.exists():
            return False
        file.old_at.replace(file.real)
    except OSError:
        return False
    _settle(file.real.parent)
    return True


def _clear(files: Iterable[_File], lost: Sequence[_File]) -> None:
    """Remove the temporary files, but not an old text that is nowhere else."""
    for file in files:
        for at in (file.new_at, file.old_at):
            if at is file.old_at and file in lost:
                continue
            with contextlib.suppress(OSError):
                at.unlink()


def _why(error: OSError | RuntimeError) -> str:
    """What stands in the way, with what to do about it."""
    if not isinstance(error, OSError):
        return "its links lead in a circle"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the disk is full"
    if error.errno == errno.EROFS:
        return "the file system is mounted for reading only"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "its folder, or its owner, does not allow it"
    return (error.strerror or type(error).__name__).lower()
