"""Who may act: one executor where the store is a file, several where it is PostgreSQL, each as long as it is alive.

Where there are several, an executor holds a lock of its own by a session of its own. The lock ends with the session: at
once when the process dies, and when a peer ends it since its heartbeat is too old, as that of a frozen process. Before
anything is done that cannot be taken back by not committing it, the session is asked; so whoever was taken for dead and
wakes up later acts no more. It ends itself with `ENDED`, and whatever watches over it may start it anew.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn, Self

import sqlalchemy as sa
from sqlalchemy import bindparam as of
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from bot.engine import rows
from bot.engine import tables as t

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from bot.engine.database import Database
    from bot.engine.values import Holder
    from bot.world.contract import World

ENDED: Final = 75  # the exit code of a process that was taken for dead: try again
BEAT: Final = 1.0  # seconds between two heartbeats
STALE: Final = 6.0  # seconds after which a heartbeat is too old, and its process taken for dead
OWN: Final = 5.0  # seconds without the database after which whoever is in the middle of something ends itself
_AGAIN: Final = 0.2  # seconds between two tries to get the session back
_KEPT: Final = 86400.0  # seconds for which an executor that has ended is remembered

_e, _l = t.executors.c, t.leaders.c
_NOW: Final = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)  # one clock for all of them
_UP: Final = _NOW - sa.cast(sa.extract("epoch", sa.func.pg_postmaster_start_time()), sa.Float)
_KEY: Final = sa.func.hashtextextended(of("of_id", type_=sa.String), 7)
_MINE: Final = sa.func.pg_backend_pid()
_TRY: Final = sa.select(sa.func.pg_try_advisory_lock(_KEY))
_GIVE: Final = sa.select(sa.func.pg_advisory_unlock(_KEY))
_ASK: Final = sa.select(1)
_BORN: Final = sa.insert(t.executors).values(id=of("of_id"), holder=of("of_holder"), beat=_NOW, session=_MINE)
_ALIVE: Final = (_e.id == of("of_id"), _e.ended.is_(None))
_STANDS: Final = sa.select(_e.id).where(*_ALIVE)
_BEATS: Final = sa.update(t.executors).where(*_ALIVE).values(beat=_NOW, session=_MINE)
_DIES: Final = sa.update(t.executors).where(*_ALIVE).values(ended=_NOW)
_FORGET: Final = sa.delete(t.executors).where(_e.ended < _NOW - _KEPT)
_PEERS: Final = sa.select(_e.id, _NOW - _e.beat, _UP).where(_e.ended.is_(None), _e.id != of("of_id"))
_SESSIONS: Final = sa.table("pg_stat_activity", sa.column("pid"), sa.column("application_name"))
_END: Final = sa.select(sa.func.pg_terminate_backend(_SESSIONS.c.pid)).where(
    _SESSIONS.c.application_name == of("of_process"), _SESSIONS.c.pid != _MINE
)
_DEAD: Final = ~sa.exists().where(_e.id == _l.executor, _e.ended.is_(None))
_WANTED: Final = insert(t.leaders).values(name=of("of_name"), executor=of("of_id"), until=_NOW + STALE)
_LEAD: Final = _WANTED.on_conflict_do_update(
    index_elements=["name"], set_={"executor": _WANTED.excluded.executor, "until": _WANTED.excluded.until},
    where=sa.or_(_l.executor == of("of_id"), _l.until < _NOW, _DEAD),
).returning(_l.name)  # fmt: skip
_RESIGN: Final = sa.delete(t.leaders).where(_l.executor == of("of_id"))

_COUNT: Final = itertools.count(1)
_log = logging.getLogger("fletcher.engine")


class Lost(Exception):  # noqa: N818  # it is no error to be taken for dead
    """This process may act no more."""


class Lease:
    """The lease of the one executor of a file: while it holds the folder's lock, nobody else acts."""

    id = "fletcher"
    shared = False

    def check(self) -> None:
        """Pass where this process may act. Raises Lost where it may no more."""

    @contextmanager
    def effect(self) -> Iterator[None]:
        """Do something outside: checked just before."""
        yield

    def still(self, connection: Connection) -> None:
        """Pass where this process may write what this transaction is to write."""

    def leads(self, name: str) -> bool:  # noqa: ARG002  # with others it depends on the name
        """Whether this is the one executor that does what is called so, such as posting."""
        return True

    @property
    def bereaved(self) -> bool:
        """Whether somebody has died since this was asked last."""
        return False


class Shared(Lease):
    """The lease of one of several executors; a context manager."""

    shared = True

    def __init__(self, database: Database, process: str, holder: Holder) -> None:
        self.id = f"{process} {next(_COUNT)}"  # never the same again: what is left of one is taken over by its name
        self._engine, self._holder = database.engine, holder
        self._told = database.told
        self._guard = threading.RLock()  # the session is one for all threads
        self._session: Connection | None = None
        self._heard = time.monotonic()  # when the database was heard of last
        self._acting = 0
        self._bereaved = False
        self._led: dict[str, float] = {}  # what it leads or wants to, until when for sure, by this machine's clock
        self._over = threading.Event()
        self._threads = tuple(
            threading.Thread(target=do, name="lease", daemon=True) for do in (self._beat_on, self._watch_over)
        )

    def __enter__(self) -> Self:
        with self._told():
            self._session = session = self._connected()
            session.execute(_TRY, {"of_id": self.id})
            session.execute(_BORN, {"of_id": self.id, "of_holder": rows.text(self._holder)})
            session.execute(_FORGET)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        with self._guard, contextlib.suppress(DBAPIError):  # its session ends with the process anyway
            if self._session is not None:
                self._session.execute(_RESIGN, {"of_id": self.id})
                self._session.execute(_DIES, {"of_id": self.id})
                self._session.execute(_GIVE, {"of_id": self.id})
                self._session.close()
        self._session = None

    # --- what others ask -------------------------------------------------------------------------

    def check(self) -> None:
        with self._guard:
            self._asked(_ASK, {})

    @contextmanager
    def effect(self) -> Iterator[None]:
        with self._guard:
            self.check()
            self._acting += 1
        try:
            yield
        finally:
            with self._guard:
                self._acting -= 1

    def still(self, connection: Connection) -> None:
        if connection.execute(_STANDS, {"of_id": self.id}).one_or_none() is None:
            self._lose()

    def leads(self, name: str) -> bool:
        if name not in self._led and not self._over.is_set():
            with self._guard:
                self._lead(name)
        return time.monotonic() < self._led.get(name, 0.0)  # as the last beat said: nobody waits for the database

    @property
    def bereaved(self) -> bool:
        told, self._bereaved = self._bereaved, False
        return told

    # --- the session -----------------------------------------------------------------------------

    def _connected(self) -> Connection:
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _asked(self, statement: sa.Executable, values: dict[str, str]) -> int:
        """Carry something out by the session, which is got back where it was lost; how many rows it was about."""
        while True:
            if self._session is None:
                raise Lost
            began = time.monotonic()
            try:
                done = self._session.execute(statement, values)
            except DBAPIError as problem:
                _log.warning("the session of this executor is lost: %s", _first(problem))
                self._regain(self._session)
            else:
                self._heard = began
                return len(done.all()) if done.returns_rows else done.rowcount

    def _regain(self, lost: Connection) -> None:
        """Get the session back, as long as nobody has taken this process for dead."""
        with contextlib.suppress(DBAPIError):
            lost.invalidate()
            lost.close()
        while True:
            try:
                session = self._connected()
                if self._regained(session):
                    self._session = session
                    _log.warning("the session of this executor is back")
                    return
                session.close()
            except (DBAPIError, NoConnection):
                _log.debug("the session of this executor cannot be had yet")
            time.sleep(_AGAIN)

    def _regained(self, session: Connection) -> bool:
        mine = bool(session.execute(_TRY, {"of_id": self.id}).scalar())
        if session.execute(_STANDS, {"of_id": self.id}).one_or_none() is None:
            self._lose()
        if mine:
            return session.execute(_BEATS, {"of_id": self.id}).rowcount == 1
        session.execute(
            _END, {"of_process": _process(self.id)}
        )  # the server has not noticed yet that the old one is gone
        return False

    def _lose(self, why: str = "it was silent for too long, so that others have taken it for dead") -> NoReturn:
        """Act no more: whatever this process was about to do is done by others now."""
        _log.error("ends itself with %d and does nothing more: %s", ENDED, why)
        os._exit(ENDED)

    # --- the heartbeat ---------------------------------------------------------------------------

    def _beat_on(self) -> None:
        while not self._over.is_set():
            try:
                with self._guard:
                    if self._asked(_BEATS, {"of_id": self.id}) != 1:
                        self._lose()
                    for name in tuple(self._led):
                        self._lead(name)
                    if self._session is not None:
                        self._look_around(self._session)
            except DBAPIError as problem:  # the next beat gets the session back
                _log.warning("peers could not be looked at: %s", _first(problem))
            except Lost:
                return
            self._over.wait(BEAT)

    def _watch_over(self) -> None:
        """End this process where it cannot be sure any more that what it is in the middle of is its own."""
        while not self._over.wait(_AGAIN):
            if self._acting and time.monotonic() - self._heard > OWN:
                self._lose("the database was not heard of for too long while something was being done")

    def _lead(self, name: str) -> None:
        began = time.monotonic()
        led = self._asked(_LEAD, {"of_name": name, "of_id": self.id}) == 1
        self._led[name] = began + OWN if led else 0.0

    def _look_around(self, session: Connection) -> None:
        """End every peer that is dead, or as good as that."""
        for peer, silent, up in session.execute(_PEERS, {"of_id": self.id}).all():
            if up < STALE:  # the database has just begun: whoever is alive comes back now
                continue
            if silent > STALE:
                _log.warning("%s is silent for %.0f s and taken for dead; its sessions are ended", peer, silent)
                session.execute(_END, {"of_process": _process(peer)})
            if session.execute(_TRY, {"of_id": peer}).scalar():
                if session.execute(_DIES, {"of_id": peer}).rowcount == 1:
                    _log.warning("%s has died; what it was doing goes on here or at another executor", peer)
                    self._bereaved = True
                session.execute(_GIVE, {"of_id": peer})


class Watched:
    """The outside, of which a process that may act no more changes nothing; what only looks is passed on."""

    def __init__(self, world: World, lease: Lease) -> None:
        self._world, self._lease = world, lease

    def __getattr__(self, name: str) -> object:
        """What it is asked for, once this process may act where that changes something."""
        if name in {"run", "create_room", "delete_room", "create_dispatch"}:
            self._lease.check()
        found: object = getattr(self._world, name)
        return found


def _process(executor: str) -> str:
    """How the sessions of an executor's process are called."""
    return executor.rpartition(" ")[0]


def _first(problem: DBAPIError) -> str:
    return next(iter(str(problem.orig).strip().splitlines()), "")
