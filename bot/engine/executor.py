"""The one process that acts: it begins what was ordered, and wakes what somebody has spoken to."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from bot.engine import owners, rows
from bot.engine.acting import Acting
from bot.engine.database import StoreTrouble
from bot.engine.durable import Durable
from bot.engine.ending import Ending
from bot.engine.lease import Lease
from bot.engine.run import Remedy
from bot.engine.stages import Stages
from bot.engine.values import ENDED

if TYPE_CHECKING:
    from bot.engine.contract import Parts
    from bot.engine.store import Store

_PAUSE: Final = 0.05  # seconds between two looks at what other processes want
_ENDING: Final = 0.01  # seconds between two looks whether what is being done has ended
_INHERIT: Final = 1.0  # seconds between two looks at what dead executors have left
_AGAIN: Final = 1.0  # seconds after which a store that could not be read is read again

_log = logging.getLogger("fletcher.engine")


class Executor:
    """A context manager: while it lasts, runs go on; the caller acts already (`Store.acting`)."""

    def __init__(self, store: Store, parts: Parts) -> None:
        self._store, self._lease = store, store.lease or Lease()
        self._looked = -_INHERIT  # when it was looked last whether somebody has died, by this process's clock
        self._acting = Acting(store, parts)
        remedy = Remedy(Stages(store, parts), self._acting, Ending(store, parts, self._acting))
        self._durable = remedy.durable = Durable(store, self._lease, remedy)
        self._seen = 0
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self._store.patience.begin()
        with self._store.read() as c:  # before anything goes on
            self._acting.gate.see(c)
        self._durable.launch()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End between two recorded points; what has not ended goes on at the next start."""
        self._durable.drain()
        self._acting.gate.end()
        self._store.beat = None
        self._store.patience.end()
        self._over.set()
        self._store.signalled.set()
        self._watcher.join()
        while self._durable.busy:
            time.sleep(_ENDING)
        self._durable.close()

    def _watch(self) -> None:
        told = ""
        while not self._over.is_set():
            self._store.signalled.clear()
            again = False
            try:
                self._see()
                told = ""
            except StoreTrouble as trouble:
                if str(trouble) != told:  # once, however long it lasts
                    _log.warning("%s; trying again", trouble)
                told, again = str(trouble), True
            except (
                concurrent.futures.CancelledError,
                asyncio.CancelledError,
            ):  # it ends, and what could not be written is left to the next one
                return
            except Exception:  # noqa: BLE001  # the others' runs go on
                _log.exception("what others want could not be seen to")
                again = True
            if again:
                self._over.wait(_AGAIN)
            else:
                self._store.signalled.wait(_PAUSE)

    def _see(self) -> None:
        """See to what was signalled since, the first time to all that runs which have not ended were told."""
        if self._lease.shared:
            self._inherit()
        with self._store.read() as c:
            told, released = rows.signals(c, self._seen), self._acting.gate.see(c)
        if released:
            self._durable.wake_all()
        for number, run, kind in told:
            if kind == "order":
                if self._may_begin(run):
                    self._durable.start(run)
            else:
                if kind == "cancel" and run in self._acting.flags:
                    self._acting.flags[run].set()
                self._durable.wake(run)
            self._seen = number
        self._store.beat = time.monotonic()

    def _may_begin(self, run: str) -> bool:
        """Whether this executor is the one that begins a run: of several the first that says so."""
        if not self._lease.shared:
            return True
        with self._store.read() as c:
            owner = owners.owner(c, run)
        if owner not in {None, self._lease.id}:
            return False
        with self._store.change() as change:
            return rows.state(change.c, run) not in ENDED and owners.own(change.c, run, self._lease.id)

    def _inherit(self) -> None:
        """Let go on what dead executors have left. Several may do this at once; each run goes to one of them."""
        now = time.monotonic()
        if not self._lease.bereaved and now - self._looked < _INHERIT:
            return
        self._looked = now
        left = self._durable.pending()  # before those that are alive: whoever begins something is alive before
        with self._store.read() as c:
            alive, owning = set(owners.executors(c)), set(owners.owners(c).values())
        for dead in left - alive:
            _log.info("runs that %s has left go on", dead)
            self._durable.recover(dead)
        if owning - alive:
            with self._store.change() as change:
                runs = owners.inherit(change.c, self._lease.id)
            for run in runs:
                if not self._durable.begun(run):  # it was to be begun by whoever died
                    self._durable.start(run)
