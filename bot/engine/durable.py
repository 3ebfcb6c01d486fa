"""Durable functions: what was recorded is not done again, whatever dies in between. The one place that knows dbos.

Its traps, and how each is avoided: on a file one executor at a time with a fixed name (`Home.executing`), on PostgreSQL
each with a name of its own, so that nothing is done by two, and what a dead one leaves is taken over by us, since the
library does not; a fixed version, so that an upgrade leaves no run behind; JSON instead of pickles; waiting in coroutines,
in memory, since whatever is waited for is in our store, so that a process with open questions can end, and goes on at
once when it is woken; its log goes where ours goes (`log.logged`, within which this is used).
"""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import sqlalchemy as sa
from dbos import DBOS, Serializer, SetWorkflowID
from sqlalchemy.exc import DBAPIError

from bot.engine import rows
from bot.engine.database import StoreTrouble
from bot.engine.heap import give_back
from bot.engine.patience import Locked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dbos import DBOSConfig

    from bot.engine.lease import Lease
    from bot.engine.store import Store

_VERSION: Final = "1"  # of the order in which a run records; another one leaves runs that wait behind, so it stays
_LISTENER: Final = 0.05  # seconds for which its listener, that nobody needs here, holds up the end
_THREADS: Final = 64  # things that are done at a time: a long one keeps none waiting that somebody has just approved

# Its own way to ask for this reads every run that waits.
_PENDING: Final = sa.text("SELECT DISTINCT executor_id FROM dbos.workflow_status WHERE status = 'PENDING'")

_T = TypeVar("_T")


class _Json(Serializer):
    """Plain JSON. What runs record are texts; an exception, which is a bug, is kept as what it says."""

    def serialize(self, data: object) -> str:
        return json.dumps(data, default=repr)

    def deserialize(self, serialized_data: str) -> object:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "fletcher_json"


class Durable:
    """Carries out `body` for each run that is started, and again after a crash, in this process alone."""

    def __init__(self, store: Store, lease: Lease, body: Callable[[str], Awaitable[str]]) -> None:
        kind = store.database.kind
        config: DBOSConfig = {
            "name": "fletcher", "system_database_url": kind.url, "executor_id": lease.id, "application_version": _VERSION,
            "serializer": _Json(), "log_level": "ERROR", "notification_listener_polling_interval_sec": _LISTENER,
            "db_engine_kwargs": kind.library, "sys_db_idle_transaction_timeout_sec": kind.idle,
        }  # fmt: skip
        DBOS(config=config)
        self._store, self._held = store, ExitStack()
        self._draining = threading.Event()
        self._busy = 0
        self._bells: dict[str, asyncio.Event] = {}
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_THREADS, "run"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="runs", daemon=True)

        @DBOS.workflow(name="remedy", max_recovery_attempts=None)  # a run may wait through any number of starts
        async def remedy(run: str) -> str:
            try:
                if lease.shared:  # which of them gets one that is recovered is up to the library
                    await asyncio.to_thread(self._patiently, partial(self._own, run, lease.id))
                return await body(run)
            finally:
                give_back()

        self._remedy = remedy

    def launch(self) -> None:
        """Begin; what a dead process left goes on by itself. Raises StoreTrouble where the store cannot be written."""
        self._thread.start()
        self._held.enter_context(self._store.library_waits())

        async def within() -> None:  # so that runs are tasks of our loop, and none of them keeps a thread
            DBOS.launch()

        try:
            asyncio.run_coroutine_threadsafe(within(), self._loop).result()
        except (DBAPIError, Locked) as problem:
            self.close()
            raise StoreTrouble(f"{self._store.database.kind.name} could not be written: {problem.orig}") from problem
        except BaseException:  # such as Ctrl-C: nothing goes on behind a lock that is given back
            self.close()
            raise

    def start(self, run: str) -> None:
        """Start a run; one that was started already goes on as it is."""

        async def within() -> None:
            with SetWorkflowID(run):
                await DBOS.start_workflow_async(self._remedy, run)

        asyncio.run_coroutine_threadsafe(within(), self._loop).result()

    def _own(self, run: str, executor: str) -> None:
        with self._store.change() as change:
            rows.taken(change.c, run, executor)

    def pending(self) -> set[str]:
        """The executors that began runs which have not ended, dead ones too."""
        with self._store.read() as c:
            return {name for (name,) in c.execute(_PENDING) if name}

    def recover(self, executor: str) -> None:
        """Let the runs that a dead executor began go on, each at one of those that are alive."""
        DBOS._recover_pending_workflows([executor])  # noqa: SLF001  # the public way takes them out of their queue

    def begun(self, run: str) -> bool:
        """Whether a run was started, by whichever executor."""
        return DBOS.get_workflow_status(run) is not None

    def wake(self, run: str) -> None:
        """Let a run that waits look again at what it waits for."""
        self._loop.call_soon_threadsafe(self._ring, run)

    def _ring(self, run: str) -> None:
        if bell := self._bells.get(run):
            bell.set()

    def wake_all(self) -> None:
        """Let every run that waits look again."""
        self._loop.call_soon_threadsafe(self._ring_all)

    def _ring_all(self) -> None:
        for bell in self._bells.values():
            bell.set()

    def drain(self) -> None:
        """Let what is being done end, and begin nothing more."""
        self._draining.set()

    @property
    def busy(self) -> bool:
        """Whether something is being done just now."""
        return self._busy > 0

    def close(self) -> None:
        """End; runs that have not ended go on with the next launch."""

        async def leave() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._loop.shutdown_default_executor()

        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(leave(), self._loop).result()
        DBOS.destroy(destroy_registry=True)
        self._held.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def recorded(self, name: str, do: Callable[[], str]) -> str:
        """Do something in a thread and record what it came to; after that it is never done again.

        What is no coroutine is looked up, done and recorded in one thread, without a way back to the loop in between.
        """
        await self._going_on()
        self._busy += 1
        try:
            return await DBOS.run_step_async({"name": name}, self._patiently, do)
        finally:
            self._busy -= 1

    async def answered(self, run: str, name: str, ask: Callable[[], str | float]) -> str:
        """Ask in a thread until there is a word, and record it; after that it is never asked again.

        What is no word yet is for how many seconds not to ask again, unless the run is woken.
        """
        await self._going_on()
        self._busy += 1
        try:
            return await DBOS.run_step_async({"name": name}, self._until_answered, run, ask)
        finally:
            self._busy -= 1

    async def opened(self, run: str, closed: Callable[[], bool]) -> None:
        """Wait, unrecorded, while `closed` says so; it is asked again whenever the run is woken."""
        bell = self._bells[run] = asyncio.Event()
        try:
            while await asyncio.to_thread(self._patiently, closed):
                await bell.wait()
                bell.clear()
        finally:
            del self._bells[run]

    async def _until_answered(self, run: str, ask: Callable[[], str | float]) -> str:
        bell = self._bells[run] = asyncio.Event()
        try:
            while True:
                bell.clear()
                told = await asyncio.to_thread(self._patiently, ask)
                if isinstance(told, str):
                    return told
                await self._rung(bell, told)
        finally:
            del self._bells[run]

    async def _rung(self, bell: asyncio.Event, seconds: float) -> None:
        """Wait without being busy; `wait_for` would overhear that it is cancelled while the bell rings."""
        timer = self._loop.call_later(seconds, bell.set)
        self._busy -= 1
        try:
            await bell.wait()
            await self._going_on()
        finally:
            self._busy += 1
            timer.cancel()

    async def _going_on(self) -> None:
        """Where the process is about to end, until it has; the next one begins here."""
        if self._draining.is_set():
            await asyncio.Event().wait()

    def _patiently(self, do: Callable[[], _T]) -> _T:
        try:
            return self._store.patience(do)
        except StoreTrouble:  # this process ends before the store can be written: the next one begins here
            raise asyncio.CancelledError from None
