"""The messages of runs: each is kept as its run is, at one place, whatever happens to Slack or to this process."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bot.doors.slack.asking import Place, may_approve, places
from bot.doors.slack.lanes import Clock
from bot.errors import FletcherError, UsageError
from bot.report.slack.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from bot.doors.slack.homes import Homes
    from bot.doors.slack.outbox import Outbox, Sent
    from bot.engine.front import Front
    from bot.engine.values import Run
    from bot.policy import Policy
    from bot.report.slack.message import Part

PAUSE: Final = 0.05  # seconds between two looks at which runs have moved on
_OVERLAP: Final = 5.0  # seconds: longer than a change of the store takes
_AGAIN: Final = 300.0  # seconds between two tries to bring what could not be shown in order
_TROUBLED: Final = 1.0  # seconds after which a store that could not be read is read again
_STALE: Final = 86400.0  # seconds after which the end of a run is no news any more
_FINAL: Final = "final"  # stands behind the place of a card of which everything was said

_log = logging.getLogger("fletcher.slack")


@dataclass(eq=False, slots=True)
class _Card:
    """A card of a run that is being kept: where it is, what it shows, and what was said below it."""

    place: Place
    key: str
    channel: str = ""
    ts: str = ""
    shown: Message | None = None
    said: set[str] = field(default_factory=set)
    busy: int = 0  # things that are on their way to Slack
    saying: bool = False
    lost: bool = False  # Slack takes nothing of it at present
    left: bool = False  # by another process, of which nobody knows what it was about to say
    final: bool = False  # and everything was said

    def at(self, channel: str, ts: str) -> None:
        """It is there now; what was said below another one is said anew."""
        self.channel, self.ts, self.shown, self.said = channel, ts, None, set()


@dataclass(frozen=True, slots=True)
class _Drawn:
    run: Run
    message: Message
    parts: tuple[Part, ...]


class Cards:
    """Watches the runs and keeps their messages.

    `members` are Slack's member ids by the names of fletcher.toml, `homes` are told when runs have moved on.
    """

    def __init__(
        self, front: Front, outbox: Outbox, policy: Policy | None, *, members: Mapping[str, str] | None = None, homes: Homes | None = None,
        clock: Clock | None = None, wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._front, self._outbox, self._policy = front, outbox, policy
        self._members, self._homes, self._clock, self._wall = members or {}, homes, clock or Clock(), wall
        self._began = wall()
        self._seen: dict[str, str] = {}
        self._cards: dict[str, dict[str, _Card]] = {}  # of the runs that something is still to be shown of
        self._tended: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._urgent: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    async def run(self) -> None:
        """Keep every run's messages as the runs are, until it is cancelled."""
        try:
            await self._watch()
        finally:
            self._over = True
            for task in (*self._tended.values(), *self._tasks):
                task.cancel()

    async def _watch(self) -> None:
        never = asyncio.Event()
        since, swept = await self._watched(), float("-inf")
        while True:
            began = self._wall()
            try:
                if began - swept > _AGAIN:
                    swept = began
                    await self._sweep()
                pulse = await asyncio.to_thread(self._front.pulse, since)
            except FletcherError as trouble:
                _log.warning("%s; trying again", trouble)
                await self._clock.wait(never, _TROUBLED)
                continue
            moved = [one for one, said in pulse.items() if self._seen.get(one) != said]
            for run_id in moved:
                self._touch(run_id)
            if moved and self._homes is not None:
                self._homes.moved()
            self._seen, since = pulse, began - _OVERLAP
            await self._clock.wait(never, PAUSE)

    def touch(self, run_id: str) -> None:
        """Show a run as it is now, at once: somebody waits for that."""
        self._urgent.add(run_id)
        self._touch(run_id)

    async def repair(self, run_id: str, channel: str, ts: str) -> None:
        """Show a run in a message that somebody has clicked, which may be another one than its card."""
        with suppress(FletcherError):
            drawn = await asyncio.to_thread(self._draw, run_id)
            await self._outbox.update(channel, ts, drawn.message, urgent=True)

    # --- which runs ------------------------------------------------------------------------------

    async def _watched(self) -> float:
        """Since when runs are to be looked at: since the last process did, within reason."""
        with suppress(FletcherError, ValueError):
            kept = await asyncio.to_thread(self._front.kept, "slack", "watched")
            return max(float(kept["watched"]), self._began - _STALE) if "watched" in kept else self._began
        return self._began

    async def _sweep(self) -> None:
        """Bring in order what could not be shown when it was time, or was left by another process."""
        for kind in ("card", "ask"):
            for key, value in (await asyncio.to_thread(self._front.kept, "slack", f"{kind} ")).items():
                if not value.endswith(_FINAL):
                    run_id = key.partition(" ")[2]
                    for card in self._cards.get(run_id, {}).values():
                        card.lost = False
                    self._touch(run_id)
        await asyncio.to_thread(self._front.keep, "slack", "watched", str(self._wall() - _OVERLAP))

    def _touch(self, run_id: str) -> None:
        self._again.add(run_id)
        if run_id not in self._tended and not self._over:
            self._tended[run_id] = asyncio.create_task(self._tend(run_id))

    async def _tend(self, run_id: str) -> None:
        try:
            while run_id in self._again:
                self._again.discard(run_id)
                await self._keep(run_id)
        except UsageError:  # there is no such run any more
            self._cards.pop(run_id, None)
        except FletcherError as trouble:
            _log.warning("%s; trying again", trouble, extra={"run": run_id})
            await self._clock.wait(asyncio.Event(), _TROUBLED)
            self._seen.pop(run_id, None)  # so that it counts as one that has moved on
        except Exception:  # noqa: BLE001  # the others' messages are kept
            _log.exception("the messages of a run could not be kept", extra={"run": run_id})
        finally:
            self._urgent.discard(run_id)
            del self._tended[run_id]

    # --- one run ---------------------------------------------------------------------------------

    async def _keep(self, run_id: str) -> None:
        """Do what is to be done next for a run's cards; whatever has been done comes here again."""
        run = await asyncio.to_thread(self._front.show, run_id)
        cards = self._cards.get(run_id)
        if cards is None:
            cards = await self._known(run)
            if run.ended and cards and all(card.final for card in cards.values()) and run_id not in self._urgent:
                return
        for place in places(run, self._policy):
            cards.setdefault(place.kind, _Card(place, f"{place.kind} {run_id}"))
        if not cards:
            return
        self._cards[run_id] = cards
        drawn = await asyncio.to_thread(self._draw, run_id)
        for card in cards.values():
            self._show(card, drawn)
        if drawn.run.ended and not any(card.busy for card in cards.values()) and run_id not in self._again:
            del self._cards[run_id]
            for card in cards.values():
                stale = self._wall() - drawn.run.changed_at > _STALE
                final = f" {_FINAL}" if stale or not card.lost else ""
                await asyncio.to_thread(self._front.keep, "slack", card.key, f"{card.channel} {card.ts}{final}".strip())

    async def _known(self, run: Run) -> dict[str, _Card]:
        """The cards that were posted before, by this process or another one."""
        known = {place.kind: place for place in places(run, self._policy)}
        cards = {}
        for kind in ("card", "ask"):
            key = f"{kind} {run.id}"
            value = (await asyncio.to_thread(self._front.kept, "slack", key)).get(key)
            if value is None:
                continue
            final = value.endswith(_FINAL)
            card = cards[kind] = _Card(known.get(kind, Place(kind, "")), key, left=True, final=final)
            channel, _, ts = value.removesuffix(_FINAL).strip().partition(" ")
            if ts:
                card.at(channel, ts)
                begins = f"part {run.id} {ts} "
                parts = await asyncio.to_thread(self._front.kept, "slack", begins)
                card.said = {part.removeprefix(begins) for part in parts}
        return cards

    def _draw(self, run_id: str) -> _Drawn:
        """What is to be seen of a run; one that cannot be drawn is told in a sentence, since people wait for it."""
        from bot.report.slack.card import card
        from bot.report.slack.thread import thread

        run = self._front.show(run_id)
        elsewhere = [place.channel for place in places(run, self._policy) if place.kind == "ask"]
        hint = f"It is asked about in <#{elsewhere[0]}>." if elsewhere and run.order.person.door == "slack" else ""
        try:
            who = may_approve(run, self._policy, self._members)
            return _Drawn(run, card(run, approvers=who, hint=hint, now=self._wall()), thread(run))
        except Exception:  # noqa: BLE001  # a bug in a picture must not keep a decision from being made
            _log.exception("a run could not be drawn", extra={"run": run_id})
            return _Drawn(run, Message(f"Run {run.id} is {run.state}; `fletcher show {run.id}` has the rest."), ())

    def _show(self, card: _Card, drawn: _Drawn) -> None:
        """Begin whatever is to be done for a card."""
        if card.lost or not (card.ts or card.place.channel):
            return
        if not card.ts:
            if not card.busy:
                self._start(card, self._root(card, drawn))
            return
        if drawn.message != card.shown:
            self._start(card, self._update(card, drawn))
        if not card.saying and (part := next((one for one in drawn.parts if one.key not in card.said), None)):
            card.saying = True
            self._start(card, self._say(card, part, drawn.run.id))

    def _start(self, card: _Card, work: Coroutine[None, None, None]) -> None:
        card.busy += 1
        task = asyncio.create_task(self._done(card, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _done(self, card: _Card, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        finally:
            card.busy -= 1
            self._touch(card.key.partition(" ")[2])

    async def _root(self, card: _Card, drawn: _Drawn) -> None:
        place, doubtful = card.place, drawn.run.order.at < self._began
        sent = await self._outbox.post(place.channel, None, drawn.message, card.key, to=place.to, doubtful=doubtful)
        if sent.trouble:
            card.lost = True
            await self._outbox.forget(card.key)  # it is tried again with what is left of others
        else:
            card.at(sent.channel, sent.ts)
            card.shown = drawn.message

    def _update(self, card: _Card, drawn: _Drawn) -> Coroutine[None, None, None]:
        before, card.shown = card.shown, drawn.message
        moved = before is not None and (drawn.run.ended or _buttons(before) != _buttons(drawn.message))
        at = card.ts
        waiting = self._outbox.update(card.channel, at, drawn.message, urgent=moved or drawn.run.id in self._urgent)

        async def shown() -> None:
            await self._came(card, at, await waiting)

        return shown()

    async def _say(self, card: _Card, part: Part, run_id: str) -> None:
        at, key = card.ts, f"part {run_id} {card.ts} {part.key}"
        try:
            sent = await self._outbox.post(card.channel, at, part.content, key, doubtful=card.left)
        finally:
            card.saying = False
        if card.ts == at and sent.trouble not in {
            "gone",
            "lost",
        }:  # what is refused is in the log, and what follows is said
            card.said.add(part.key)
        await self._came(card, at, sent)

    async def _came(self, card: _Card, at: str, sent: Sent) -> None:
        """See to a message that is gone, or could not be brought to Slack."""
        if card.ts != at:
            return
        if sent.trouble == "gone":
            await self._outbox.forget(card.key)
            card.at("", "")
        elif sent.trouble == "lost":
            card.lost, card.shown = True, None


def _buttons(message: Message) -> list[object]:
    return [block.get("elements") for block in message.blocks if block.get("type") == "actions"]
