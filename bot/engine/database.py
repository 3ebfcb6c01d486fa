"""A connection to the database, and what its failures mean for a person. What only SQLite needs is here."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from bot.engine import tables
from bot.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY: Final = 10.0  # seconds that a writer waits for another one


class StoreTrouble(Unreachable):
    """The store cannot be read or written at present; nothing of the change is in it."""


class Database:
    """The database in a file, made where it is missing. Raises Unreachable with what stands in the way."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._told():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self.engine = sa.create_engine(f"sqlite:///{path}", pool_size=4, max_overflow=16)
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)
        self._writing = self.engine.execution_options(fletcher_writes=True)
        self._check()

    def close(self) -> None:
        """Give its connections back."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read one state of it."""
        with self._told(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Change it, all or nothing, nobody else writing meanwhile."""
        with self._told(), self._writing.begin() as connection:
            yield connection

    def _check(self) -> None:
        with self.read() as connection:
            found = self._version(connection)
        if found is None:
            with self.write() as connection:
                if self._version(connection) is None:
                    tables.META.create_all(connection)
                    connection.execute(sa.insert(tables.schema).values(version=tables.VERSION))
        elif found < tables.VERSION:  # every version so far has only added tables
            with self.write() as connection:
                tables.META.create_all(connection)
                connection.execute(sa.update(tables.schema).values(version=tables.VERSION))
        elif found > tables.VERSION:
            raise Unreachable(
                f"{self._path} was written by a newer Fletcher (its tables are version {found}, this one knows "
                f"{tables.VERSION}); use that Fletcher, or another folder with FLETCHER_HOME"
            )

    @staticmethod
    def _version(connection: Connection) -> int | None:
        if not sa.inspect(connection).has_table(tables.schema.name):
            return None
        return connection.execute(sa.select(tables.schema.c.version)).scalar()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Failures of the database as sentences."""
        try:
            yield
        except OSError as problem:
            raise Unreachable(
                f"cannot open {self._path}: {(problem.strerror or '').lower()}; FLETCHER_HOME names another folder"
            ) from None
        except DBAPIError as problem:
            raise _sentence(problem, self._path) from problem


def _sentence(problem: DBAPIError, path: Path) -> StoreTrouble:
    told = str(problem.orig).lower()
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
