"""The App Home of everybody who has looked at it lately: what waits for him, his runs, who carries them out."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bot import __version__
from bot.doors.slack.asking import waits_for
from bot.doors.slack.lanes import Clock
from bot.engine.home import named
from bot.engine.values import Person  # noqa: TC001  # a value is made of it
from bot.errors import FletcherError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.doors.slack.outbox import Outbox
    from bot.engine.front import Front
    from bot.engine.values import Run
    from bot.policy import Policy

EVERY: Final = 10.0  # seconds between two looks at what has moved on
_LATELY: Final = 3600.0  # seconds after which nobody is taken to look any more
_PEOPLE: Final = 50  # of whom the home is kept; who comes back is shown it anew
_WAITING: Final = 20
_MINE: Final = 10

_KEY: Final = "home "  # under which is kept who looks

_log = logging.getLogger("fletcher.slack")


class _Looks(msgspec.Struct, frozen=True):
    """Who has opened his home, and when."""

    person: Person
    at: float


class Homes:
    """Keeps App Homes as the runs are. Nothing here raises."""

    def __init__(
        self, front: Front, outbox: Outbox, policy: Policy | None, *, clock: Clock | None = None, wall: Callable[[], float] = time.time
    ) -> None:  # fmt: skip
        self._front, self._outbox, self._policy = front, outbox, policy
        self._clock, self._wall = clock or Clock(), wall
        self._task: asyncio.Task[None] | None = None

    async def opened(self, person: Person) -> None:
        """Somebody looks at his App Home: show it, and let whoever says things in Slack keep it while he may be looking."""
        await self._publish(person, urgent=True)
        try:
            looks = msgspec.json.encode(_Looks(person, self._wall())).decode()
            await asyncio.to_thread(self._front.keep, "slack", f"{_KEY}{person.account}", looks)
        except FletcherError as trouble:
            _log.warning("%s", trouble)

    def moved(self) -> None:
        """Something has moved on; the homes are shown anew in a while, all at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._later())

    async def _later(self) -> None:
        await self._clock.wait(asyncio.Event(), EVERY)
        self._task = None
        try:
            kept = await asyncio.to_thread(self._front.kept, "slack", _KEY)
        except FletcherError as trouble:
            _log.warning("%s", trouble)
            return
        people = sorted((msgspec.json.decode(one, type=_Looks) for one in kept.values()), key=lambda one: -one.at)
        for one in people[:_PEOPLE]:
            if one.at >= self._wall() - _LATELY:
                await self._publish(one.person, urgent=False)

    async def _publish(self, person: Person, *, urgent: bool) -> None:
        try:
            view = await asyncio.to_thread(self._view, person)
        except FletcherError as trouble:
            _log.warning("%s", trouble)
        except Exception:  # noqa: BLE001  # the others' homes are kept
            _log.exception("an App Home could not be drawn")
        else:
            self._outbox.home(person.account, view, urgent=urgent)

    def _view(self, person: Person) -> dict[str, Any]:
        from bot.report.slack.home import home

        rows = self._front.runs()
        waiting: list[Run] = []
        for run in (self._front.show(row.id) for row in rows if row.state == "waiting"):
            if waits_for(run, self._policy, person):
                waiting.append(run)
            if len(waiting) == _WAITING:
                break
        mine = [row for row in rows if row.person == person.name][:_MINE]
        holder = self._front.executor()
        served = f"Runs are carried out by {named(holder)}." if holder else "Nobody carries out runs at present."
        return home(
            waiting=waiting, mine=mine, served=served, version=__version__, now=self._wall(), probes=self._front.probing.standings(),
            hold=self._front.switch.held(),
        )  # fmt: skip
