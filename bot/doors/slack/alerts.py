"""The messages about probes: one for each time that a probe is not healthy, kept as the probe is, whatever happens between."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from bot.doors.slack.asking import Place
from bot.doors.slack.card import Card, key_of
from bot.doors.slack.episode import CALM, Episode, begun, flickered, is_bad, is_news, stepped
from bot.doors.slack.lanes import Clock
from bot.doors.slack.leading import leads
from bot.errors import FletcherError
from bot.report.slack.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.doors.slack.homes import Homes
    from bot.doors.slack.outbox import Outbox
    from bot.engine.front import Front
    from bot.engine.values import Run
    from bot.probes.values import Result, Standing

PAUSE: Final = 1.0  # seconds between two looks at how probes stand
EVERY: Final = 10.0  # seconds between two updates of a message that only count on
_AGAIN: Final = 60.0  # seconds between two tries of what Slack did not take
_TROUBLED: Final = 5.0  # seconds after which a store that could not be read is read again
_MOST: Final = 5000  # looks that are counted at once
_KIND: Final = "alert"  # of a card: where its place is kept
_KEPT: Final = "alerted "  # under which is kept what a message tells of

_log = logging.getLogger("fletcher.slack")


@dataclass(slots=True)
class _Message:
    """A message, what it tells of, and when it was brought to Slack last."""

    episode: Episode
    card: Card
    left: bool = False  # by another process, which may have posted it without having written that down
    drawn: Message | None = None
    shown: tuple[object, ...] = ()  # what somebody has said of it, as it is shown
    at: float = float("-inf")
    turned_at: float = float("-inf")
    kept: Episode | None = None
    run: Run | None = field(default=None, repr=False)


class Alerts:
    """Watches how probes stand and tells of those that are not healthy.

    `channel` is where it is told of a probe that names none, "" for nowhere; `to` the Slack member who is told where a
    channel takes nothing. `homes` are told when something has changed.
    """

    def __init__(
        self, front: Front, outbox: Outbox, *, channel: str = "", to: str = "", homes: Homes | None = None, clock: Clock | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._front, self._outbox, self._channel, self._to = front, outbox, channel, to
        self._homes, self._clock, self._wall = homes, clock or Clock(), wall
        self._began = wall()
        self._told: dict[str, _Message] = {}  # by probe
        self._past: list[_Message] = []  # of which only the last update is still to be made
        self._good: dict[str, tuple[int, float]] = {}  # the slot up to which a probe was healthy, and since when
        self._seen: dict[str, Standing] = {}
        self._urgent: set[str] = set()
        self._news = asyncio.Event()
        self._loaded = False
        self._swept = float("-inf")

    async def run(self) -> None:
        """Keep the messages as the probes are, until it is cancelled."""
        try:
            while True:
                self._news.clear()
                pause = PAUSE
                try:
                    await self._look()
                except Exception as trouble:  # noqa: BLE001  # whatever it is, the next look may be better
                    _log.warning("%s; trying again", trouble, exc_info=not isinstance(trouble, FletcherError))
                    pause = _TROUBLED
                await self._clock.wait(self._news, pause)
        finally:
            self._forget()

    def touch(self, probe: str) -> None:
        """Show a probe as it is now, at once: somebody waits for that."""
        self._urgent.add(probe)
        self._news.set()

    def channel_of(self, run_id: str) -> str:
        """Where what was ordered by itself is told; "" for nowhere."""
        one = self._seen.get(run_id.rpartition(".")[0])
        return (one.probe.channel if one is not None else "") or self._channel

    # --- which probes ----------------------------------------------------------------------------

    async def _look(self) -> None:
        urgent, self._urgent = self._urgent, set()
        if not await asyncio.to_thread(leads, self._front):
            self._forget()  # whoever leads goes on with it
            return
        standings = await asyncio.to_thread(self._front.probing.standings)
        before, self._seen = self._seen, {one.probe.name: one for one in standings}
        if self._homes is not None and any(_words(one) != _words(before.get(one.probe.name)) for one in standings):
            self._homes.moved()
        if not self._loaded:
            await self._load()
        if self._wall() - self._swept > _AGAIN:
            self._swept = self._wall()
            for message in (*self._told.values(), *self._past):
                if message.card.lost:
                    message.card.lost, message.drawn = False, None
        for one in standings:
            try:
                await self._keep(one, urgent=one.probe.name in urgent)
            except FletcherError as trouble:  # the others are told
                _log.warning("the probe %s: %s; trying again", one.probe.name, trouble)
        for message in [*self._past]:
            await self._end(message)

    async def _load(self) -> None:
        """What this process, or another one, told before."""
        kept = await asyncio.to_thread(self._front.kept, "slack", _KEPT)
        places = await asyncio.to_thread(self._front.kept, "slack", key_of(_KIND, ""))
        found = (msgspec.json.decode(value, type=Episode) for value in kept.values() if value)
        for episode in sorted(found, key=lambda one: one.began):
            if (before := self._told.get(episode.probe)) is not None:
                self._past.append(before)
            card = self._card(episode, places.get(key_of(_KIND, episode.id), ""))
            self._told[episode.probe] = _Message(episode, card, left=True, kept=episode)
        self._loaded = True

    def _forget(self) -> None:
        for message in (*self._told.values(), *self._past):
            message.card.stop()
        self._told, self._past, self._good, self._loaded = {}, [], {}, False

    def _card(self, episode: Episode, kept: str = "") -> Card:
        standing, before = self._seen.get(episode.probe), kept.partition(" ")[0]
        channel = (standing.probe.channel if standing is not None else "") or self._channel
        if before and not before.startswith("D"):  # what was told stays where it was, whatever the file says by now
            channel = before
        return Card(Place(_KIND, channel, self._to), episode.id, self._outbox, self._news.set, kept)

    # --- one probe -------------------------------------------------------------------------------

    async def _keep(self, standing: Standing, *, urgent: bool) -> None:
        """Do what is to be done next for one probe."""
        name, message, turned = standing.probe.name, self._told.get(standing.probe.name), True
        slot, since = self._good.get(name, (None, 0.0))
        if message is None and not is_bad(standing):
            if not standing.bad:  # else it may be about to become what is told then
                self._good[name] = standing.slot, standing.since
            gone = slot is not None and standing.since != since and standing.state == "healthy"
            past = flickered(standing, await self._looks(name, slot, standing)) if gone else None
            if past is not None:  # it may come back
                self._told[name] = _Message(past, self._card(past))
            return
        if message is not None and is_news(message.episode, standing):
            await self._replace(message, standing)
            message = None
        if message is None:
            episode = begun(standing, await self._looks(name, slot, standing))
            message = self._told[name] = _Message(episode, self._card(episode))
        else:
            before, looks = message.episode, await self._looks(name, message.episode.slot, standing)
            message.episode = stepped(before, standing, self._wall(), looks)
            turned = _turn(before) != _turn(message.episode)
        await self._show(message, standing, urgent=urgent, turned=turned)
        over = message.episode.over
        if over and self._wall() - over > CALM and not message.card.busy:
            await self._end(message)

    async def _looks(self, name: str, after: int | None, standing: Standing) -> list[tuple[int, Result]]:
        """The looks after that slot; none where it is not known from which on they count."""
        if after is None or standing.slot <= after:
            return []
        slots = await asyncio.to_thread(self._front.probing.history, name, after, _MOST)
        return [(slot, result) for slot, _, result in slots if result is not None]

    async def _replace(self, message: _Message, standing: Standing) -> None:
        """Tell in its message that it is told anew, and no more in it."""
        name = standing.probe.name
        self._good[name] = message.episode.slot, message.episode.began
        del self._told[name]
        if not message.episode.over:
            message.episode = replace(message.episode, anew=True)
            await self._show(message, standing, urgent=True)
        self._past.append(message)

    async def _show(self, message: _Message, standing: Standing, *, urgent: bool, turned: bool = False) -> None:
        """Bring the message to what it is to be, as far as people are told, and no more often than they read."""
        episode, card = message.episode, message.card
        told = standing.mute is None and not episode.over and not episode.anew
        if card.lost or (not card.ts and (card.busy or not (told and card.place.channel))):
            return
        now, words = self._clock.now(), _words(standing)
        urgent = urgent or words[2:] != message.shown[2:]  # somebody has said something of it
        if turned and now - message.turned_at >= EVERY:  # what comes and goes all the time is told in turn
            urgent, message.turned_at = True, now
        if card.ts and message.drawn is not None and not urgent and now - message.at < EVERY:
            return
        await self._write(message)
        drawn = await asyncio.to_thread(self._draw, message, standing)
        message.shown = words
        if drawn != message.drawn or not card.ts:
            message.drawn, message.at = drawn, now
            card.show(drawn, (), urgent=urgent, ended=False, doubtful=message.left)

    async def _write(self, message: _Message) -> None:
        """Keep what is told, before it is told."""
        if message.kept != message.episode:
            await self._store(message.episode, msgspec.json.encode(message.episode).decode())
            message.kept = message.episode

    async def _end(self, message: _Message) -> None:
        """Forget a message that changes no more."""
        if message.card.busy or (message.card.lost and self._wall() - message.episode.over < 3600.0):
            return
        await self._store(message.episode, "")
        if message in self._past:
            self._past.remove(message)
        elif self._told.get(message.episode.probe) is message:
            del self._told[message.episode.probe]

    async def _store(self, episode: Episode, value: str) -> None:
        await asyncio.to_thread(self._front.keep, "slack", f"{_KEPT}{episode.id}", value)

    def _draw(self, message: _Message, standing: Standing) -> Message:
        from bot.report.slack.alert import Told, alert

        episode = message.episode
        if episode.run and (message.run is None or message.run.order.id != episode.run or not message.run.ended):
            message.run = self._run(episode.run)
        told = Told(
            standing, episode.state, episode.began, episode.result, episode.bad, episode.looks, episode.over, episode.anew, message.run
        )  # fmt: skip
        try:
            return alert(told, self._wall())
        except Exception:  # noqa: BLE001  # a bug in a picture must not keep people from being told
            _log.exception("an alert could not be drawn")
            return Message(f"A probe is {standing.state}; `fletcher probes` has the rest.")

    def _run(self, run_id: str) -> Run | None:
        try:
            return self._front.show(run_id)
        except FletcherError:  # it is shown by its id
            return None


def _words(one: Standing | None) -> tuple[object, ...]:
    """What of a probe tells people that something has changed; from the third on it is what somebody has said of it."""
    return (one.state, one.since, one.acknowledged, one.mute, one.enabled) if one is not None else ()


def _turn(one: Episode) -> tuple[object, ...]:
    return one.state, bool(one.over), one.run
