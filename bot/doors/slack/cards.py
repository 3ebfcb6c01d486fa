"""The messages of runs: each is kept as its run is, at one place, whatever happens to Slack or to this process."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bot.doors.slack.asking import Place, may_approve, places
from bot.doors.slack.card import FINAL, Card, key_of, part_key
from bot.doors.slack.lanes import Clock
from bot.doors.slack.leading import leads
from bot.errors import FletcherError, UsageError
from bot.policy import approvable
from bot.report.slack.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.doors.slack.homes import Homes
    from bot.doors.slack.outbox import Outbox
    from bot.engine.front import Front
    from bot.engine.values import Run
    from bot.policy import Policy
    from bot.report.slack.message import Part

PAUSE: Final = 0.05  # seconds between two looks at which runs have moved on
_OVERLAP: Final = 5.0  # seconds: longer than a change of the store takes
_AGAIN: Final = 60.0  # seconds between two tries to bring in order what could not be shown
_TROUBLED: Final = 1.0  # seconds after which a store that could not be read is read again
_LEADS: Final = 1.0  # seconds between two questions whether this process says things in Slack
_STALE: Final = 86400.0  # seconds after which the end of a run is no news any more
_KINDS: Final = ("card", "ask")

_log = logging.getLogger("fletcher.slack")


@dataclass(frozen=True, slots=True)
class _Drawn:
    message: Message
    parts: tuple[Part, ...]


class Cards:
    """Watches the runs and keeps their messages.

    `members` are Slack's member ids by the names of fletcher.toml, `homes` are told when runs have moved on. `alerted` says in
    which channel a run belongs that nobody asked for, by its id.
    """

    def __init__(
        self, front: Front, outbox: Outbox, policy: Policy | None, *, members: Mapping[str, str] | None = None, homes: Homes | None = None,
        alerted: Callable[[str], str] = lambda _: "", clock: Clock | None = None, wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._front, self._outbox, self._policy = front, outbox, policy
        self._alerted = alerted
        self._members, self._homes, self._clock, self._wall = members or {}, homes, clock or Clock(), wall
        self._began = wall()
        self._seen: dict[str, str] = {}
        self._cards: dict[str, dict[str, Card]] = {}  # of the runs that something is still to be shown of, by kind
        self._tended: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._urgent: set[str] = set()
        self._over = False
        self._leading = False

    async def run(self) -> None:
        """Keep every run's messages as the runs are, until it is cancelled."""
        try:
            await self._watch()
        finally:
            self._over = True
            for task in self._tended.values():
                task.cancel()
            for card in (card for cards in self._cards.values() for card in cards.values()):
                card.stop()

    def touch(self, run_id: str) -> None:
        """Show a run as it is now, at once: somebody waits for that."""
        self._urgent.add(run_id)
        self._touch(run_id)

    async def repair(self, run_id: str, channel: str, ts: str) -> None:
        """Show a run in a message that somebody has clicked, which may be another one than its card."""
        with suppress(FletcherError):
            run = await asyncio.to_thread(self._front.show, run_id)
            drawn = await asyncio.to_thread(self._draw, run, self._cards.get(run_id, {}))
            await self._outbox.update(channel, ts, drawn.message, urgent=True, asked=True)

    # --- which runs ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        never = asyncio.Event()
        since, swept, asked = 0.0, float("-inf"), float("-inf")
        while True:
            began = self._wall()
            try:
                if self._clock.now() - asked >= _LEADS:
                    asked, before = self._clock.now(), self._leading
                    self._leading = await asyncio.to_thread(leads, self._front)
                    if self._leading and not before:
                        since, swept = await self._watched(), float("-inf")
                    elif before and not self._leading:
                        self._leave()
                if not self._leading:
                    await self._clock.wait(never, _LEADS)
                    continue
                if began - swept > _AGAIN:
                    await self._sweep()
                    swept = began
                pulse = await asyncio.to_thread(self._front.pulse, since)
            except Exception as trouble:  # noqa: BLE001  # whatever it is, the next look may be better
                _log.warning("%s; trying again", trouble, exc_info=not isinstance(trouble, FletcherError))
                await self._clock.wait(never, _TROUBLED)
                continue
            news = [one for one, said in pulse.items() if self._seen.get(one) != said]
            for run_id in news:
                self._touch(run_id)
            if news and self._homes is not None:
                self._homes.moved()
            self._seen, since = pulse, began - _OVERLAP
            await self._clock.wait(never, PAUSE)

    def _leave(self) -> None:
        """Leave all messages to the process that says things in Slack from now on."""
        for card in (card for cards in self._cards.values() for card in cards.values()):
            card.stop()
        self._cards, self._seen = {}, {}

    async def _watched(self) -> float:
        """Since when runs are to be looked at: since the last process did, within reason."""
        with suppress(FletcherError, ValueError):
            self._began = self._wall()
            kept = await asyncio.to_thread(self._front.kept, "slack", "watched")
            return max(float(kept["watched"]), self._began - _STALE) if "watched" in kept else self._began
        return self._began

    async def _sweep(self) -> None:
        """Bring in order what could not be shown when it was time, or was left by another process."""
        for kind in _KINDS:
            for key, value in (await asyncio.to_thread(self._front.kept, "slack", key_of(kind, ""))).items():
                if not value.endswith(FINAL):
                    run_id = key.removeprefix(key_of(kind, ""))
                    for card in self._cards.get(run_id, {}).values():
                        card.lost = False
                    self._touch(run_id)
        await asyncio.to_thread(self._front.keep, "slack", "watched", str(self._wall() - _OVERLAP))

    def _touch(self, run_id: str) -> None:
        if not self._leading:  # whoever leads sees by itself what has become of it
            return
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
        at = cards["card"].channel if "card" in cards else ""
        for place in places(run, self._policy, self._members, at, self._alerted(run.order.id)):
            if place.kind not in cards:
                cards[place.kind] = self._card(place, run_id)
        if not cards:
            return
        self._cards[run_id] = cards
        drawn = await asyncio.to_thread(self._draw, run, cards)
        for card in cards.values():
            card.show(
                drawn.message, drawn.parts, urgent=run_id in self._urgent, ended=run.ended, doubtful=run.order.at < self._began
            )  # fmt: skip
        if run.ended and not any(card.busy for card in cards.values()) and run_id not in self._again:
            del self._cards[run_id]
            for card in cards.values():
                final = not card.lost or self._wall() - run.changed_at > _STALE
                await asyncio.to_thread(self._front.keep, "slack", card.key, card.kept(final=final))

    async def _known(self, run: Run) -> dict[str, Card]:
        """The cards that were posted before, by this process or another one."""
        known = {
            place.kind: place for place in places(run, self._policy, self._members, "", self._alerted(run.order.id))
        }
        cards = {}
        for kind in _KINDS:
            key = key_of(kind, run.id)
            value = (await asyncio.to_thread(self._front.kept, "slack", key)).get(key)
            if value is not None:
                card = cards[kind] = self._card(known.get(kind, Place(kind, "")), run.id, value)
                begins = part_key(run.id, card.ts)
                parts = await asyncio.to_thread(self._front.kept, "slack", begins)
                card.said = {part.removeprefix(begins) for part in parts}
        return cards

    def _card(self, place: Place, run_id: str, kept: str = "") -> Card:
        return Card(place, run_id, self._outbox, partial(self._touch, run_id), kept)

    def _draw(self, run: Run, cards: Mapping[str, Card]) -> _Drawn:
        """What is to be seen of a run; one that cannot be drawn is told in a sentence, since people wait for it."""
        from bot.report.slack.card import card
        from bot.report.slack.thread import thread

        held = self._front.switch.held() if not run.ended and run.decision is not None else None
        asked_in = cards["ask"].place.channel if "ask" in cards and "card" in cards else ""
        hint = f"It is asked about in <#{asked_in}>." if asked_in and run.state == "waiting" else ""
        if held is not None:
            hint = f"Held by {held.by}: nothing that changes anything begins until somebody says `/fletcher release`."
        try:
            who = may_approve(run, self._policy, self._members)
            may = run.plan is None or run.asked is None or approvable(self._policy, run.order.person.name, run.runbook.id, run.plan.effect, run.asked.need, "slack")  # fmt: skip
            called = who if may and "ask" not in cards else ""  # what is asked elsewhere is posted as a question
            return _Drawn(card(run, approvers=who, approvable=may, hint=hint, now=self._wall()), thread(run, called))
        except Exception:  # noqa: BLE001  # a bug in a picture must not keep a decision from being made
            _log.exception("a run could not be drawn", extra={"run": run.id})
            return _Drawn(Message(f"Run {run.id} is {run.state}; `fletcher show {run.id}` has the rest."), ())
