"""What only SQLite needs: a file for one machine, and what its failures mean for a person."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy import event

from bot.engine.trouble import StoreTrouble
from bot.errors import Unreachable

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY: Final = 10.0  # seconds that a writer waits for another one


class SQLite:
    """The database in a file, made where it is missing. Raises Unreachable with what stands in the way."""

    shared = False
    process = ""  # it needs no name: there is one
    idle = 0.0  # seconds: nothing ends a session of a file

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name, self.other = str(path), "another folder with FLETCHER_HOME"
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as problem:
            raise Unreachable(
                f"cannot open {path}: {(problem.strerror or '').lower()}; FLETCHER_HOME names another folder"
            ) from None
        self.url = f"sqlite:///{path}"
        self.engine = sa.create_engine(self.url, pool_size=4, max_overflow=16)
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)
        self.reading, self.writing = self.engine, self.engine.execution_options(fletcher_writes=True)
        self.library: dict[str, object] = {"pool_pre_ping": False}  # a file does not hang up

    def alone(self, connection: Connection) -> None:
        """Nothing is left to do: whoever begins to write is the only one already."""

    def sentence(self, problem: DBAPIError) -> StoreTrouble:
        """A failure as a sentence."""
        path, told = self._path, str(problem.orig).lower()
        if "locked" in told or "busy" in told:
            return StoreTrouble(
                f"{path} is locked by another program for more than {BUSY:g} s; end it (a backup, a viewer?), then try again"
            )
        if "readonly" in told or "unable to open" in told:
            return StoreTrouble(f"{path} may not be written; see the owner and the mode of it and its folder")
        if "full" in told or ("disk i/o" in told and not _room(path)):
            return StoreTrouble(f"{path} could not be written: the disk is full; make room on it")
        if "not a database" in told or "malformed" in told:
            return StoreTrouble(f"{path} is damaged or no database of Fletcher; move it away, and runs begin anew")
        if "no such" in told:
            return StoreTrouble(
                f"{path} lacks a table or column, so another program has changed it; move it away, and runs begin anew"
            )
        return StoreTrouble(f"{path} could not be read or written: {problem.orig}")

    def passes(self, problem: BaseException) -> bool:
        """Whether the library should wait for this to pass, such as for room on a disk."""
        return any(word in str(problem).lower() for word in ("full", "disk i/o"))


def _room(path: Path) -> int:
    """Bytes that are free where a file is; one too many where nobody knows."""
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return 1


def _prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, since the library begins them too late
    connection.execute(f"PRAGMA busy_timeout={BUSY * 1000:.0f}")
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous=FULL")  # a power cut loses nothing that was approved or done


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a log of what is written; where another one asks for the same of a new file, the library does not wait."""
    until = time.monotonic() + BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(
        "BEGIN IMMEDIATE" if connection.get_execution_options().get("fletcher_writes") else "BEGIN"
    )
