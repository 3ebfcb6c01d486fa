"""Lanes in which things are sent one at a time: the newest of each wins, what is urgent goes first, and all may wait."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_T = TypeVar("_T")
_R = TypeVar("_R")
LONGEST: Final = 600.0  # seconds after which something that cannot be sent is given up
_FULL: Final = 500  # things that wait in one lane; what is above that is lost, the oldest first

_log = logging.getLogger("fletcher.slack")


class Clock:
    """Time as it passes; a test has one of its own."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Until something has happened, or so many seconds are over."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return


class Pace:
    """How often something may be done: `burst` times at once, and from then on once in `every` seconds."""

    def __init__(self, every: float, burst: int = 1) -> None:
        self._every, self._ahead = every, (burst - 1) * every
        self._free = 0.0

    def take(self, now: float) -> float:
        """Take the next turn; when it comes."""
        turn = max(self._free - self._ahead, now)
        self._free = max(self._free, now) + self._every
        return turn

    def rested(self, now: float) -> bool:
        """Whether nothing that was done still counts."""
        return self._free <= now


@dataclass(frozen=True, slots=True)
class Later:
    """It could not be sent now, and can be in so many seconds."""

    seconds: float


@dataclass(eq=False, slots=True)
class Job(Generic[_T, _R]):
    """One thing to send: what it is now, since when it waits, how often it was tried, and who waits for what comes of it."""

    what: _T
    born: float
    urgent: bool = False
    tries: int = 0
    waiters: list[asyncio.Future[_R]] = field(default_factory=list)


class Lane(Generic[_T, _R]):
    """A lane, with a task for as long as something is in it. `send` sends a job, or says how much later it can.

    `lost` is what comes of a job that is given up, `empty` is called when nothing is left.
    """

    def __init__(
        self, send: Callable[[Job[_T, _R]], Awaitable[_R | Later]], pace: Pace, clock: Clock, lost: _R, empty: Callable[[], None]
    ) -> None:  # fmt: skip
        self._send, self._pace, self._clock, self._lost, self._empty = send, pace, clock, lost, empty
        self._jobs: dict[str, Job[_T, _R]] = {}
        self._event = asyncio.Event()
        self._after = 0.0  # before which nothing is sent, since it was said so
        self._turn: float | None = None  # that was taken for what is not urgent
        self._now: Job[_T, _R] | None = None  # what is being sent
        self.task: asyncio.Task[None] | None = None

    def put(self, key: str, what: _T, *, urgent: bool) -> asyncio.Future[_R]:
        """Send this, in place of what still waits under the key; what comes of it, or of what takes its place."""
        waiter: asyncio.Future[_R] = asyncio.get_running_loop().create_future()
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = Job(what, self._clock.now())
        job.what = what
        job.urgent |= urgent
        job.waiters.append(waiter)
        if len(self._jobs) > _FULL:
            oldest = next((key for key, one in self._jobs.items() if not one.urgent), next(iter(self._jobs)))
            _log.warning("more than %d messages wait for Slack: the oldest is dropped", _FULL)
            _end(self._jobs.pop(oldest), self._lost)
        self._event.set()
        if self.task is None:
            self.task = asyncio.create_task(self._work())
        return waiter

    def stop(self) -> None:
        """Give up all that is in it."""
        if self.task is not None:
            self.task.cancel()
        for job in (*((self._now,) if self._now else ()), *self._jobs.values()):
            _end(job, self._lost)
        self._jobs.clear()

    async def _work(self) -> None:
        while self._jobs:
            key = next((key for key, job in self._jobs.items() if job.urgent), None) or next(iter(self._jobs))
            if (pause := self._due(urgent=self._jobs[key].urgent) - self._clock.now()) > 0:
                self._event.clear()
                await self._clock.wait(self._event, pause)
                continue
            self._now = job = self._jobs.pop(key)
            if job.urgent:
                self._pace.take(self._clock.now())  # others wait for it
            else:
                self._turn = None
            self._settle(key, job, await self._tried(job))
            self._now = None
        self.task = None
        self._empty()

    def _due(self, *, urgent: bool) -> float:
        """When the next job may go."""
        if urgent:
            return self._after
        if self._turn is None:
            self._turn = self._pace.take(self._clock.now())
        return max(self._after, self._turn)

    async def _tried(self, job: Job[_T, _R]) -> _R | Later:
        try:
            return await self._send(job)
        except Exception:  # noqa: BLE001  # the others in the lane are sent
            _log.exception("a message for Slack could not be made")
            return self._lost

    def _settle(self, key: str, job: Job[_T, _R], came: _R | Later) -> None:
        if not isinstance(came, Later):
            _end(job, came)
            return
        now = self._clock.now()
        self._after = max(self._after, now + came.seconds)
        job.tries += 1
        newer = self._jobs.get(key)
        if newer is not None:  # what came meanwhile is sent in its place
            newer.waiters = job.waiters + newer.waiters
            newer.urgent |= job.urgent
            newer.born, newer.tries = job.born, job.tries
        elif now + came.seconds - job.born > LONGEST:
            _log.warning("a message for Slack is given up after %d tries", job.tries)
            _end(job, self._lost)
        else:
            self._jobs = {key: job, **self._jobs}


def _end(job: Job[_T, _R], came: _R) -> None:
    for waiter in job.waiters:
        if not waiter.done():
            waiter.set_result(came)
