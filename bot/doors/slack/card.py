"""One card of one run: its message and what is said below it, brought to what they are to be, a step at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from bot.doors.slack.plainer import moved

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from bot.doors.slack.asking import Place
    from bot.doors.slack.outbox import Outbox, Sent
    from bot.report.slack.message import Message, Part

FINAL: Final = "final"  # stands behind the place of a card of which everything was said


def key_of(kind: str, run_id: str) -> str:
    """The key under which a card's place is kept."""
    return f"{kind} {run_id}"


def part_key(run_id: str, ts: str, part: str = "") -> str:
    """The key under which it is kept that something was said below the card with this ts; how all of them begin."""
    return f"part {run_id} {ts} {part}"


class Card:
    """A card that is being kept. `went_on` is called whenever something has been done, so that the next thing is.

    `kept` is what was kept of it, "" for a card that is new. `said` are the keys of what was said below it.
    """

    def __init__(self, place: Place, run_id: str, outbox: Outbox, went_on: Callable[[], None], kept: str = "") -> None:
        self.place, self.run, self._outbox, self._went_on = place, run_id, outbox, went_on
        self.key = key_of(place.kind, run_id)
        self.final = kept.endswith(FINAL)
        self.lost = False  # Slack takes nothing of it at present
        channel, _, ts = kept.removesuffix(FINAL).strip().partition(" ")
        self.channel, self.ts = (channel, ts) if ts else ("", "")
        self.said: set[str] = set()
        # What another process left: it may have posted something without having written that down.
        self._left = bool(kept)
        self._shown: Message | None = None
        self._saying = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether something is on its way to Slack."""
        return bool(self._tasks)

    def kept(self, *, final: bool) -> str:
        """What is to be kept of it."""
        return f"{self.channel} {self.ts}{f' {FINAL}' if final else ''}".strip()

    def show(self, message: Message, parts: tuple[Part, ...], *, urgent: bool, ended: bool, doubtful: bool) -> None:
        """Begin whatever is to be done next. `doubtful` is whether it may have been posted by another process."""
        if self.lost or not (self.ts or self.place.channel):
            return
        if not self.ts:
            if not self._tasks:
                self._start(self._root(message, doubtful=doubtful))
            return
        if self.place.channel not in {self.channel, ""}:
            message = moved(message, self.place.channel)
        before, self._shown = self._shown, message
        if message != before:
            turned = before is not None and (ended or _buttons(before) != _buttons(message))
            self._start(self._update(message, urgent=urgent or turned))
        part = next((one for one in parts if one.key not in self.said), None)
        if part is not None and not self._saying:
            self._saying = True
            self._start(self._say(part))

    def stop(self) -> None:
        """Wait for nothing more."""
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._went_on()

    async def _root(self, message: Message, *, doubtful: bool) -> None:
        place = self.place
        sent = await self._outbox.post(place.channel, None, message, self.key, to=place.to, doubtful=doubtful)
        if sent.trouble:
            self.lost = True
            if sent.trouble != "other":
                await self._outbox.forget(self.key)  # it is tried again with what is left of others
        else:
            self.channel, self.ts, self._shown = sent.channel, sent.ts, message

    async def _say(self, part: Part) -> None:
        at = self.ts
        try:
            key = part_key(self.run, at, part.key)
            sent = await self._outbox.post(self.channel, at, part.content, key, doubtful=self._left)
        finally:
            self._saying = False
        if self.ts != at:
            return
        if sent.trouble in {"", "refused", "gone"}:  # which is in the log; the rest is said
            self.said.add(part.key)
        if sent.trouble == "gone":  # the thread takes nothing; whether the card is gone as well, its next update tells
            self._shown = None
        else:
            await self._see(at, sent)

    async def _update(self, message: Message, *, urgent: bool) -> None:
        at = self.ts
        await self._see(at, await self._outbox.update(self.channel, at, message, urgent=urgent))

    async def _see(self, at: str, sent: Sent) -> None:
        """See to a message that is gone, or could not be brought to Slack; a new card has a thread of its own."""
        if self.ts != at:
            return
        if sent.trouble == "gone":
            await self._outbox.forget(self.key)
            self.channel = self.ts = ""
            self._shown, self.said = None, set()
        elif sent.trouble in {"lost", "other"}:
            self.lost, self._shown = True, None


def _buttons(message: Message) -> list[object]:
    return [block.get("elements") for block in message.blocks if block.get("type") == "actions"]
