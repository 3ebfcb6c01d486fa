"""A store that cannot be written just now is waited for: what was done is not forgotten because a disk was full."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import event

from bot.engine.database import StoreTrouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import ExceptionContext

    from bot.engine.postgres import PostgreSQL
    from bot.engine.sqlite import SQLite

_T = TypeVar("_T")
AGAIN: Final = 1.0  # seconds after which something is tried again that the store could not take
LAST: Final = (
    10.0  # seconds that an executor which ends still waits; the library itself sleeps up to a minute between two tries
)
_OURS: Final = ("dbos-executor", "run", "watcher")  # threads in which runs are recorded, woken and taken over

_log = logging.getLogger("fletcher.engine")


class Patience:
    """How long an executor waits for its store: as long as it lasts, and a little while it ends."""

    def __init__(self) -> None:
        self._until: float | None = None
        self._told = ""

    def begin(self) -> None:
        """Wait for as long as it takes."""
        self._until = None

    def end(self) -> None:
        """Wait only a little longer."""
        self._until = time.monotonic() + LAST

    @property
    def spent(self) -> bool:
        """Whether nothing is waited for any more."""
        return self._until is not None and time.monotonic() >= self._until

    def __call__(self, do: Callable[[], _T]) -> _T:
        """Do it, and again while the store cannot take it: to begin anew is safe, as after a crash.

        Raises StoreTrouble once the executor has ended and waited in vain.
        """
        while True:
            try:
                done = do()
            except StoreTrouble as trouble:
                self._tell(str(trouble))
                if self.spent:
                    raise
                time.sleep(AGAIN)
            else:
                self._told = ""
                return done

    @contextmanager
    def for_library(self, kind: SQLite | PostgreSQL) -> Iterator[None]:
        """Let the library that records into the same store wait for a full disk, as it waits by itself while it is locked.

        The failures of our own engine are told by us. What waits in vain is left as it is by a killed process.
        """
        own = kind.engine

        def failed(context: ExceptionContext) -> Exception | None:
            engine, said = context.engine, str(context.original_exception)
            if engine is None or engine.pool is own.pool or engine.url.database != own.url.database:
                return None
            if not kind.passes(context.original_exception):
                return None
            if self.spent and threading.current_thread().name.startswith(_OURS):
                raise asyncio.CancelledError
            if self.spent:  # the library's own threads take a failure for one
                return None
            self._tell(f"{kind.name} could not be written: {said.strip().splitlines()[0] if said.strip() else said}")
            return None if kind.shared else Locked(said)

        event.listen(sa.Engine, "handle_error", failed)
        try:
            yield
        finally:
            event.remove(sa.Engine, "handle_error", failed)

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:  # once, however often it is tried
            self._told = trouble
            _log.warning("%s; trying again", trouble)


class Locked(Exception):  # noqa: N818  # it is told in the library's own words
    """A failure in the words that the library knows for one that passes."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.orig = f"{said} (database is locked)"
