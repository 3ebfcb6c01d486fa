"""Durable functions: what was recorded is not done again, whatever dies in between. The one place that knows dbos.

Its traps, and how each is avoided: one executor at a time with a fixed name (`Home.executing`), so that nothing is
done by two; a fixed version, so that an upgrade leaves no run behind; JSON instead of pickles; waiting in coroutines,
so that a process with open questions can end; its log goes where ours goes (`log.logged`, within which this is used).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from dbos import DBOS, Serializer, SetWorkflowID

from bot.engine.database import StoreTrouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dbos import DBOSConfig

    from bot.engine.home import Home

_EXECUTOR: Final = "fletcher"
_VERSION: Final = "1"  # of the order in which a run records; another one leaves runs that wait behind, so it stays
_POLL: Final = 0.05  # seconds until a waiting run notices that it was woken
_AGAIN: Final = 1.0  # seconds after which something is tried again that the store could not take
_THREADS: Final = 64  # things that are done at a time; a long one keeps none waiting that somebody has just approved
_LONGEST: Final = 10 * 365 * 86400.0  # seconds of a wait that has no end

_log = logging.getLogger("fletcher.engine")


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

    def __init__(self, home: Home, body: Callable[[str], Awaitable[str]]) -> None:
        config: DBOSConfig = {
            "name": "fletcher", "system_database_url": f"sqlite:///{home.database}", "executor_id": _EXECUTOR, "application_version": _VERSION,
            "serializer": _Json(), "log_level": "ERROR", "notification_listener_polling_interval_sec": _POLL,
        }  # fmt: skip
        self._dbos = DBOS(config=config)
        self._draining = threading.Event()
        self._busy = 0
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_THREADS, "run"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="runs", daemon=True)

        @DBOS.workflow(name="remedy")
        async def remedy(run: str) -> str:
            return await body(run)

        self._remedy = remedy

    def launch(self) -> None:
        """Begin; what a dead process left goes on by itself."""
        self._thread.start()

        async def within() -> None:  # so that runs are tasks of our loop, and none of them keeps a thread
            DBOS.launch()

        asyncio.run_coroutine_threadsafe(within(), self._loop).result()

    def start(self, run: str) -> None:
        """Start a run; one that was started already goes on as it is."""

        async def within() -> None:
            with SetWorkflowID(run):
                await DBOS.start_workflow_async(self._remedy, run)

        asyncio.run_coroutine_threadsafe(within(), self._loop).result()

    def wake(self, run: str, topic: str, key: str) -> None:
        """Wake a run that waits for a topic; the same key wakes once."""
        DBOS.send(run, "", topic=topic, idempotency_key=f"{run}:{key}")
        # Without this it is noticed all the same, at the next poll. Where a later dbos keeps it elsewhere, it is only slower.
        with contextlib.suppress(AttributeError, TypeError, ValueError):
            for _, waiting, event in self._dbos._sys_db.notifications_map.snapshot():  # noqa: SLF001  # there is no other way
                if waiting[0] == run:
                    event.set()

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
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def recorded(self, name: str, do: Callable[[], str]) -> str:
        """Do something in a thread and record what it came to; after that it is never done again."""
        if self._draining.is_set():
            await asyncio.Event().wait()  # until the process ends; the next one begins here
        self._busy += 1
        try:
            return await DBOS.run_step_async({"name": name}, self._done, do)
        finally:
            self._busy -= 1

    async def heard(self, topic: str, seconds: float = _LONGEST) -> bool:
        """Wait until somebody wakes the run, counted from the first time that it began to wait; False: nobody did."""
        return await DBOS.recv_async(topic, timeout_seconds=seconds) is not None

    async def _done(self, do: Callable[[], str]) -> str:
        return await asyncio.to_thread(_with_patience, do)


def _with_patience(do: Callable[[], str]) -> str:
    """Do it, and again while the store is locked or the disk is full: to begin anew is safe, as after a crash."""
    while True:
        try:
            return do()
        except StoreTrouble as trouble:
            _log.warning("%s; trying again", trouble)
            time.sleep(_AGAIN)
