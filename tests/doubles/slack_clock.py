"""A clock for what is sent to Slack: time stands still until a test moves it on, and calls take as long as they take."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bot.doors.slack import lanes

if TYPE_CHECKING:
    from bot.doors.slack.outbox import Outbox


class Hasty(lanes.Clock):
    """Time passes fifty times as fast, for what is about the outcome and not about when."""

    def now(self) -> float:
        return super().now() * 50

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await super().wait(event, seconds / 50)


class Clock(lanes.Clock):
    """It begins at 1000 s; `outbox` is what has to come to rest before time moves."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.outbox: Outbox | None = None
        self._sleepers: dict[asyncio.Future[None], float] = {}

    def now(self) -> float:
        return self.time

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers[over] = self.time + seconds
        happened = asyncio.ensure_future(event.wait())
        try:
            both: set[asyncio.Future[Any]] = {over, happened}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._sleepers.pop(over, None)
            happened.cancel()
            with suppress(asyncio.CancelledError):
                await happened

    async def rest(self) -> None:
        """Until everything that can be sent now has been."""
        assert self.outbox is not None
        await asyncio.sleep(0)  # what was asked for just now begins
        while self._busy(self.outbox):  # noqa: ASYNC110  # there is no single event that tells it
            await asyncio.sleep(0.001)

    async def forward(self, seconds: float) -> None:
        """Let so many seconds pass, each thing in its time."""
        until = self.time + seconds
        await self.rest()
        while (due := min(self._sleepers.values(), default=until + 1)) <= until:
            self.time = max(self.time, due)
            for over, at in [*self._sleepers.items()]:
                if at <= self.time and not over.done():
                    over.set_result(None)
                    self._sleepers.pop(over)
            await self.rest()
        self.time = until

    def _busy(self, outbox: Outbox) -> bool:
        lanes_at_work = sum(lane.task is not None for lane in outbox._lanes.values())
        waiting = {key for lane in outbox._lanes.values() for key in lane._jobs}
        return len(self._sleepers) < lanes_at_work or any(key not in waiting for key in outbox._going)
