"""What is done with what was heard: who it is and where, then the verb, then what he sees of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from bot import __version__
from bot.doors.slack import words
from bot.doors.slack.text import said_in
from bot.errors import FletcherError, Unreachable, UsageError
from bot.report.slack import answers, modals
from bot.report.slack.home import home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from slack_sdk.web.async_client import AsyncWebClient

    from bot.doors.slack.alerts import Alerts
    from bot.doors.slack.cards import Cards
    from bot.doors.slack.homes import Homes
    from bot.doors.slack.reply import Replies, Spot
    from bot.doors.slack.verbs import Verbs
    from bot.doors.slack.who import Who
    from bot.engine.values import Person
    from bot.report.slack.message import Message

    T = TypeVar("T")

_INVITE: Final = (
    "I am not in this channel, so the answer comes to you as a direct message. `/invite @fletcher` lets me answer here."
)
_NOT_HERE: Final = "I am not in this channel and cannot tell who is; answer where the run's message is."


class Doing:
    """Does what is asked; every method raises FletcherError for what a person is told in a sentence."""

    def __init__(
        self, verbs: Verbs, who: Who, replies: Replies, cards: Cards, homes: Homes, alerts: Alerts, client: AsyncWebClient
    ) -> None:  # fmt: skip
        self._verbs, self._who, self._replies, self._client = verbs, who, replies, client
        self._cards, self._homes, self._alerts = cards, homes, alerts
        self._repairs: set[asyncio.Task[None]] = set()
        self._looking = ThreadPoolExecutor(4, "slack-look")  # what looks at machines keeps nobody else waiting

    def close(self) -> None:
        """Begin nothing more."""
        self._looking.shutdown(wait=False, cancel_futures=True)

    # --- what was typed --------------------------------------------------------------------------

    async def typed(self, text: str, spot: Spot, files: tuple[str, ...] = ()) -> None:
        """Do what was typed; `files` are the names of those that came along."""
        said = words.understood(text)
        if isinstance(said, words.Help):
            await self._replies.tell(spot, answers.help_())
            return
        person, here = await self._known(spot)
        if isinstance(said, words.Decide | words.Cancel) and not here and not spot.channel.startswith("D"):
            raise Unreachable(_NOT_HERE)  # strangers may be in it
        match said:
            case words.Diagnose() | words.Run():
                await self._ordered(said, spot, person, files if isinstance(said, words.Diagnose) else (), here=here)
            case words.Decide():
                run = await self._quick(self._verbs.decide, said, person)
                self._cards.touch(run.id)
                done = f"approved.{await self._quick(self._verbs.waits)}" if said.kind == "yes" else "declined."
                await self._replies.tell(spot, answers.sentence(f"Run {run.id} is {done}"))
            case words.Cancel():
                await self._ended(said.run, spot, person)
            case words.Hold() | words.Release():
                await self._replies.tell(spot, await self._quick(self._verbs.switched, said, person))
            case words.List(what="workers"):
                message = await asyncio.get_running_loop().run_in_executor(
                    self._looking, self._verbs.answer, said, person
                )
                await self._replies.tell(spot, message)
            case words.Probes() | words.Mute() | words.Unmute() | words.Ack():
                await self._replies.tell(spot, await self._watched(said, person))
            case _:
                await self._replies.tell(spot, await self._quick(self._verbs.answer, said, person))

    async def evidence(self, message: dict[str, Any], spot: Spot) -> None:
        """Diagnose with a message of somebody's as evidence."""
        said, files = words.evidence(said_in(message)), files_of(message)
        person, here = await self._known(spot)
        if not said.pasted:
            why = f"I cannot read files ({', '.join(files)})" if files else "There is no text in this message"
            raise UsageError(f"{why}; paste the lines behind `/fletcher diagnose`.")
        await self._ordered(said, spot, person, files, here=here)

    async def _ordered(
        self, said: words.Diagnose | words.Run, spot: Spot, person: Person, files: tuple[str, ...], *, here: bool
    ) -> None:
        run_id = await self._quick(self._verbs.order, said, person)
        self._cards.touch(run_id)
        notes = [_INVITE] if not here else []
        if spot.thread and not spot.direct:
            notes.append(f"Run {run_id} has a message of its own in this channel.")
        if files:
            notes.append(f"I cannot read files, so {', '.join(files)} is not looked at; paste its lines.")
        if notes:
            await self._replies.tell(spot, answers.sentence(" ".join(notes)))

    async def _ended(self, asked: str, spot: Spot, person: Person) -> None:
        run = await self._quick(self._verbs.cancel, asked, person)
        self._cards.touch(run.id)
        how = "is cancelled" if run.ended else "ends before its next step, and what it did is taken back"
        await self._replies.tell(spot, answers.sentence(f"Run {run.id} {how}."))

    # --- what was pressed ------------------------------------------------------------------------

    async def approve(self, spot: Spot, trigger: str, run_id: str, digest: str) -> None:
        """Say yes; where a guard warns, ask for its word first."""
        run = await self._quick(self._verbs.found, run_id)
        if run.state == "waiting" and run.asked is not None and run.asked.word:
            warned = " ".join(guard.says for guard in (run.plan.guards if run.plan else ()) if guard.level == "warning")
            await self._ask(spot, trigger, modals.approve_word(run_id, digest, run.asked.word, warned))
        else:
            await self.decided(spot, words.Decide("yes", run_id), digest)

    async def deny(self, spot: Spot, trigger: str, run_id: str, digest: str) -> None:
        """Ask for the reason first: what opens a view lives for three seconds, so who it is comes afterwards."""
        await self._ask(spot, trigger, modals.deny(run_id, digest))

    async def decided(self, spot: Spot, said: words.Decide, digest: str) -> None:
        """Answer the plan that was seen, and show at once what came of it, also to whoever came too late."""
        with self._shown(spot, said.run):
            person, _ = await self._known(spot)
            if not digest:
                raise Unreachable("this names no plan; order the run again.")
            await self._quick(self._verbs.decide, said, person, digest)

    async def cancel(self, spot: Spot, _trigger: str, run_id: str, _digest: str) -> None:
        """End a run; its message says so."""
        with self._shown(spot, run_id):
            person, _ = await self._known(spot)
            await self._quick(self._verbs.cancel, run_id, person)

    async def plan(self, spot: Spot, trigger: str, run_id: str, _digest: str) -> None:
        """Show the whole plan."""
        view = await self._open(trigger, modals.loading("Plan"))
        try:
            person, _ = await self._known(spot)
            shown = modals.plan(await self._quick(self._verbs.looked_at, run_id, person))
        except FletcherError as trouble:
            shown = modals.note("Plan", str(trouble))
        await self._client.views_update(view_id=view, view=shown)

    async def probed(self, said: words.Watched | words.Diagnose, spot: Spot) -> None:
        """Do what a button of a probe asks; its message shows it, also to whoever came too late."""
        person, here = await self._known(spot)
        if isinstance(said, words.Diagnose):
            try:
                await self._ordered(said, spot, person, (), here=here)
            finally:
                self._alerts.touch(said.probe)
            return
        message = await self._watched(said, person)
        if not spot.message:  # in the App Home, which has no message to change
            await self._homes.opened(person)
        elif isinstance(said, words.Mute):
            await self._replies.tell(spot, message)

    async def _watched(self, said: words.Watched, person: Person) -> Message:
        try:
            return await self._quick(self._verbs.watched, said, person)
        finally:
            self._alerts.touch(said.name)

    async def opened(self, spot: Spot, view: str) -> Spot:
        """Where something counts as said that comes from a view: where the button was that opened it."""
        return await self._quick(self._verbs.opened, view, spot)

    async def _ask(self, spot: Spot, trigger: str, view: dict[str, Any]) -> None:
        """Open a view that may be sent off after a restart, too."""
        key = secrets.token_hex(8)
        await self._quick(self._verbs.opens, key, spot)
        await self._open(trigger, view | {"external_id": key})

    async def _open(self, trigger: str, view: dict[str, Any]) -> str:
        """Open a view; its id."""
        opened: str = (await self._client.views_open(trigger_id=trigger, view=view))["view"]["id"]
        return opened

    # --- the App Home ----------------------------------------------------------------------------

    async def home(self, user: str) -> None:
        """Show somebody what waits for him, and his runs; to who is not served, why."""
        try:
            person = await self._who.person(user, "", "")
        except Unreachable as trouble:
            view = home(waiting=(), mine=(), served=str(trouble), version=__version__, now=time.time())
            await self._client.views_publish(user_id=user, view=view)
        else:
            await self._homes.opened(person)

    # --- who -------------------------------------------------------------------------------------

    async def _known(self, spot: Spot) -> tuple[Person, bool]:
        """Who it is, and whether Fletcher can answer there. Raises Unreachable for who or where is not served."""
        if not spot.channel:  # in a view or the App Home
            return await self._who.person(spot.user, spot.team, ""), True
        person, place = await asyncio.gather(
            self._who.person(spot.user, spot.team, spot.channel),
            self._who.place(spot.channel, spot.user, posted=spot.posted),
        )
        if place.why_not:
            raise Unreachable(place.why_not)
        return person, place.here

    @contextmanager
    def _shown(self, spot: Spot, run_id: str) -> Iterator[None]:
        """Show at once what came of it; where it was refused, also in the message with the button that is out of date."""
        try:
            yield
        except FletcherError:
            if spot.message:
                task = asyncio.create_task(self._cards.repair(run_id, spot.channel, spot.message))
                self._repairs.add(task)
                task.add_done_callback(self._repairs.discard)
            raise
        finally:
            self._cards.touch(run_id)

    @staticmethod
    async def _quick(do: Callable[..., T], *given: object) -> T:
        return await asyncio.to_thread(do, *given)


def files_of(message: dict[str, Any]) -> tuple[str, ...]:
    """The names of a message's files, which the app may not read."""
    return tuple(str(one.get("name") or one.get("id") or "a file")[:80] for one in (message.get("files") or ())[:5])
