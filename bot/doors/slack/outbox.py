"""What goes to Slack: each message once, the newest state of it, in time; and where Slack refuses, in a form that it takes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bot.doors.slack.calls import TROUBLES, Calls
from bot.doors.slack.failures import Failure, failure, pause
from bot.doors.slack.journal import Journal
from bot.doors.slack.lanes import Clock, Job, Lane, Later, Pace
from bot.doors.slack.leading import leads
from bot.doors.slack.plainer import breaks, moved, plainer
from bot.report.slack.message import Message, Upload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from slack_sdk.web.async_client import AsyncWebClient

    from bot.engine.front import Front

#: Seconds between two updates that nobody waits for: Slack takes about 50 in a minute, of all channels together.
UPDATES: Final = 1.2
_POSTS: Final = (1.0, 5)  # one in a second and channel, and a few at once
_HOMES: Final = 0.6
_FILES: Final = 8  # tries of a file, after which its beginning is said instead
_ODD: Final = 3  # tries of a message that Slack may trip over, after which it is said plainly

_log = logging.getLogger("fletcher.slack")


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it: where the message is now, or the trouble.

    "gone": there is no such message any more, or its channel takes nothing. "refused": Slack takes it in no form. "lost":
    nothing could be sent for long. "other": another process says things now, and may have said this. Each is in the log.
    """

    channel: str = ""
    ts: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _Post:
    channel: str
    thread: str | None
    content: Message | Upload
    key: str
    to: str  # the Slack member who gets it where the channel does not take it; "" for nobody
    doubtful: bool  # whether it may be there already
    plain: bool = False
    direct: bool = False


@dataclass(frozen=True, slots=True)
class _Update:
    channel: str
    ts: str
    message: Message
    asked: bool = False  # by somebody here and now, and not kept by the process that says things in Slack


class Outbox:
    """The one way to Slack for what is to last. Nothing here raises because of Slack; what fails is in the log."""

    def __init__(self, client: AsyncWebClient, front: Front, clock: Clock | None = None) -> None:
        self._calls, self._front = Calls(client), front
        self._journal, self._clock = Journal(front), clock or Clock()
        self._lanes: dict[str, Lane[Any, Sent]] = {}
        self._paces: dict[str, Pace] = {}
        self._going: dict[str, asyncio.Task[Sent]] = {}
        self.dead = asyncio.Event()  # Slack has said that it does not know us any more
        self._updates, self._homes = Pace(UPDATES), Pace(_HOMES)

    async def post(
        self, channel: str, thread_ts: str | None, content: Message | Upload, key: str, *, to: str = "", doubtful: bool = False
    ) -> Sent:  # fmt: skip
        """Post it once, whoever asks for this key how often, also after a restart.

        Where the channel does not take it, it goes to the member `to` as a direct message. `doubtful` is that it may have
        been posted by a process that died. Where Slack does not say whether it has taken a message it is looked for, which
        Slack allows in direct messages and with `channels:history`; elsewhere it may then be there twice.
        """
        going = self._going.get(key)
        if going is None:
            going = self._going[key] = asyncio.create_task(
                self._once(_Post(channel, thread_ts, content, key, to, doubtful))
            )
            going.add_done_callback(lambda _: self._going.pop(key, None))
        return await asyncio.shield(going)

    async def _once(self, post: _Post) -> Sent:
        if kept := await self._journal.place(post.key):
            return Sent(*kept)
        lane = self._lane(f"post {post.channel}", self._posted, self._pace(post.channel))
        return await lane.put(post.key, post, urgent=post.thread is None)  # a run before what there is to say of others

    def update(
        self, channel: str, ts: str, message: Message, *, urgent: bool = False, asked: bool = False
    ) -> asyncio.Future[Sent]:
        """Show this in place of what the message says; the newest wins. What is urgent goes at once, the rest in turn.

        `asked` is that somebody has clicked here: any process may show him what is so; else only the one that leads does.
        """
        lane = self._lane(f"update {channel}", self._updated, self._updates)
        return lane.put(ts, _Update(channel, ts, message, asked), urgent=urgent)

    def home(self, account: str, view: dict[str, Any], *, urgent: bool = False) -> asyncio.Future[Sent]:
        """Show this as the App Home of a Slack member."""
        lane = self._lane(f"home {account}", partial(self._published, account), self._homes)
        return lane.put("home", view, urgent=urgent)

    async def forget(self, key: str) -> None:
        """Let this key be posted anew, since what was posted under it is gone."""
        await self._journal.keep(key)

    async def close(self, seconds: float = 5.0) -> None:
        """Send what still waits, for so long at most, and give the connections back."""
        tasks = [*self._going.values(), *(lane.task for lane in self._lanes.values() if lane.task is not None)]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for lane in [*self._lanes.values()] if late else ():
                lane.stop()
        for going in self._going.values():
            going.cancel()
        await self._calls.close()

    # --- sending ---------------------------------------------------------------------------------

    def _lane(
        self, name: str, send: Callable[[Job[Any, Sent]], Awaitable[Sent | Later]], pace: Pace
    ) -> Lane[Any, Sent]:
        lane = self._lanes.get(name)
        if lane is None:
            lost = Sent(trouble="lost")
            lane = self._lanes[name] = Lane(send, pace, self._clock, lost, partial(self._emptied, name))
        return lane

    def _emptied(self, name: str) -> None:
        del self._lanes[name]

    def _pace(self, channel: str) -> Pace:
        """How often this channel may be posted in, as long as what was posted counts."""
        now = self._clock.now()
        self._paces = {name: pace for name, pace in self._paces.items() if not pace.rested(now)}
        return self._paces.setdefault(channel, Pace(*_POSTS))

    async def _posted(self, job: Job[_Post, Sent]) -> Sent | Later:
        post = job.what = _fitting(job.what)
        if not await asyncio.to_thread(leads, self._front):  # this one may have slept for long
            _log.warning("%s is left to the process that says things in Slack now", post.key)
            return Sent(trouble="other")
        if post.doubtful and (found := await self._found(post)):
            return await self._noted(post, found)
        while True:
            failed = await self._post(post)
            if isinstance(failed, Sent):
                return await self._noted(post, failed)
            self._told(f"{post.key} in {post.channel or post.to}", failed)
            if failed.kind == "wait" and (post.plain or _patient(failed, post.content, job.tries)):
                job.what = replace(post, doubtful=post.doubtful or failed.doubtful)
                return Later(pause(failed, job.tries))
            if failed.kind == "gone":
                return Sent(trouble="gone")
            if failed.kind == "dead":
                return Sent(trouble="lost")
            if failed.kind != "place" and not post.plain:
                post = replace(post, content=plainer(post.content), plain=True)
            elif post.to and not post.direct and isinstance(post.content, Message):
                content = moved(post.content, post.channel, failed.says or failed.error)
                post = replace(post, content=content, channel="", thread=None, direct=True)
            else:
                return Sent(trouble="gone" if failed.kind == "place" else "refused")
            job.what = post

    async def _post(self, post: _Post) -> Sent | Failure:
        seen = False  # whether a failure may come of a call that shows it to people
        try:
            channel = post.channel or await self._calls.direct(post.to)
            if isinstance(post.content, Upload):
                file = await self._calls.upload(post.content)
                seen = True
                await self._calls.share(channel, post.thread, post.content, file)
                return Sent(channel, "file")
            seen = True
            return Sent(*await self._calls.post(channel, post.thread, post.content, post.key))
        except TROUBLES as error:
            failed = failure(error)
            return failed if seen else replace(failed, doubtful=False)

    async def _updated(self, job: Job[_Update, Sent]) -> Sent | Later:
        update = job.what
        if not update.asked and not await asyncio.to_thread(leads, self._front):  # it may have shown something newer
            _log.warning("the update of %s is left to the process that says things in Slack now", update.ts)
            return Sent(trouble="other")
        messages = (update.message, plainer(update.message))
        for message in messages[breaks(update.message) :]:
            failed = await self._update(update, message)
            if failed is None:
                return Sent(update.channel, update.ts)
            self._told(f"the update of {update.ts} in {update.channel}", failed)
            if failed.kind == "wait" and (message is messages[-1] or _patient(failed, message, job.tries)):
                return Later(pause(failed, job.tries))
            if failed.kind in {"gone", "place"}:
                return Sent(trouble="gone")
            if failed.kind == "dead":
                return Sent(trouble="lost")
        return Sent(trouble="refused")

    async def _update(self, update: _Update, message: Message) -> Failure | None:
        try:
            await self._calls.update(update.channel, update.ts, message)
        except TROUBLES as error:
            return failure(error)
        return None

    async def _published(self, account: str, job: Job[dict[str, Any], Sent]) -> Sent | Later:
        try:
            await self._calls.publish(account, job.what)
        except TROUBLES as error:
            failed = failure(error)
            self._told(f"the App Home of {account}", failed)
            return Later(pause(failed, job.tries)) if failed.kind == "wait" else Sent(trouble="refused")
        return Sent()

    # --- what was posted -------------------------------------------------------------------------

    async def _found(self, post: _Post) -> Sent | None:
        """A message that may have been posted already; None where it is not, or nobody may look."""
        if not post.channel or isinstance(post.content, Upload):
            return None
        try:
            ts = await self._calls.found(post.channel, post.thread, post.key)
        except TROUBLES:
            return None
        return Sent(post.channel, ts) if ts else None

    async def _noted(self, post: _Post, sent: Sent) -> Sent:
        await self._journal.keep(post.key, sent.channel, sent.ts)
        return sent

    def _told(self, what: str, failed: Failure) -> None:
        _log.warning("Slack did not take %s: %s (%s)", what, failed.error, failed.kind)
        if failed.kind == "dead":
            self.dead.set()


def _fitting(post: _Post) -> _Post:
    """The same within Slack's limits as we know them."""
    if isinstance(post.content, Upload) or not breaks(post.content):
        return post
    return replace(post, content=plainer(post.content), plain=True)


def _patient(failed: Failure, content: Message | Upload, tries: int) -> bool:
    """Whether the same is tried once more, and not something plainer. Nobody may look whether a file is there already."""
    if isinstance(content, Upload):
        return tries < (1 if failed.doubtful else _FILES)
    return not failed.odd or tries < _ODD
