"""What goes to Slack: each message once, the newest state of it, in time; and where Slack refuses, in a form that it takes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.doors.slack.failures import Failure, failure, pause
from bot.doors.slack.lanes import Clock, Job, Lane, Later, Pace
from bot.doors.slack.plainer import moved, plainer
from bot.errors import FletcherError
from bot.report.slack.message import Message, Upload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Protocol

    class Journal(Protocol):
        """What remembers where each message is, also after a restart."""

        def keep(self, door: str, key: str, value: str) -> None:
            """Keep a value under a key."""

        def kept(self, door: str, begins: str) -> dict[str, str]:
            """What is kept under the keys that begin so."""


#: Seconds between two updates that nobody waits for: Slack takes about 50 in a minute, of all channels together.
UPDATES: Final = 1.2
_POSTS: Final = (1.0, 5)  # one in a second and channel, and a few at once
_HOMES: Final = 0.6
_PATIENCE: Final = 30  # seconds for one call
_FILES: Final = 3  # tries of a file, after which its beginning is said instead
_KEPT_OPEN: Final = 10.0  # seconds: shorter than Slack does, so that no call meets a connection that is being closed
_TROUBLES: Final = (SlackClientError, aiohttp.ClientError, OSError, TimeoutError)

_log = logging.getLogger("fletcher.slack")


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it: where the message is now, or the trouble.

    "gone": there is no such message any more, or its channel takes nothing. "lost": it was given up, which is in the log.
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


class Outbox:
    """The one way to Slack for what is to last. Nothing here raises because of Slack; what fails is in the log.

    `client` says where Slack is and who we are; its own retries are not used, since what waits here becomes newer.
    """

    def __init__(self, client: AsyncWebClient, journal: Journal, clock: Clock | None = None) -> None:
        self._client = AsyncWebClient(
            token=client.token, base_url=client.base_url, timeout=_PATIENCE, ssl=client.ssl, proxy=client.proxy, headers=client.headers, retry_handlers=[]
        )  # fmt: skip
        self._journal, self._clock = journal, clock or Clock()
        self._lanes: dict[str, Lane[Any, Sent]] = {}
        self._paces: dict[str, Pace] = {}
        self._going: dict[str, asyncio.Task[Sent]] = {}
        self._updates, self._homes = Pace(UPDATES), Pace(_HOMES)
        #: Why Slack takes nothing at present, as its own word such as `token_revoked`; "" while it does.
        self.trouble = ""

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
        kept = await self._kept(post.key)
        if kept is not None:
            return kept
        lane = self._lane(f"post {post.channel}", self._posted, self._pace(post.channel))
        return await lane.put(post.key, post, urgent=post.thread is None)  # a run before what there is to say of others

    def update(self, channel: str, ts: str, message: Message, *, urgent: bool = False) -> asyncio.Future[Sent]:
        """Show this in place of what the message says; the newest wins. What is urgent goes at once, the rest in turn."""
        lane = self._lane(f"update {channel}", self._updated, self._updates)
        return lane.put(ts, _Update(channel, ts, message), urgent=urgent)

    def home(self, account: str, view: dict[str, Any], *, urgent: bool = False) -> asyncio.Future[Sent]:
        """Show this as the App Home of a Slack member."""
        lane = self._lane(f"home {account}", partial(self._published, account), self._homes)
        return lane.put("home", view, urgent=urgent)

    async def forget(self, key: str) -> None:
        """Let this key be posted anew, since what was posted under it is gone."""
        await self._keep(key, "")

    async def close(self, seconds: float = 5.0) -> None:
        """Send what still waits, for so long at most, and give the connections back."""
        tasks = [*self._going.values(), *(lane.task for lane in self._lanes.values() if lane.task is not None)]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for lane in [*self._lanes.values()] if late else ():
                lane.stop()
        if self._client.session is not None:
            await self._client.session.close()

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
        if post.doubtful and (found := await self._found(post)):
            return await self._noted(post, found)
        while True:
            failed = await self._post(post)
            if isinstance(failed, Sent):
                return await self._noted(post, failed)
            _told(f"{post.key} in {post.channel or post.to}", failed)
            if failed.kind == "wait" and not (isinstance(post.content, Upload) and job.tries >= _FILES):
                job.what = replace(post, doubtful=post.doubtful or failed.doubtful)
                return Later(pause(failed, job.tries))
            if failed.kind == "gone":
                return Sent(trouble="gone")
            if failed.kind == "dead":
                return Sent(trouble="lost")
            if failed.kind != "place" and not post.plain:
                post = replace(post, content=plainer(post.content), plain=True)
            elif post.to and not post.direct:
                content = moved(post.content, post.channel, failed.says or failed.error)
                post = replace(post, content=content, channel="", thread=None, direct=True)
            else:
                return Sent(trouble="gone" if failed.kind == "place" else "lost")
            job.what = post

    async def _post(self, post: _Post) -> Sent | Failure:
        try:
            client = self._connected()
            channel = post.channel
            if not channel:
                channel = (await client.conversations_open(users=post.to))["channel"]["id"]
            if isinstance(post.content, Upload):
                await client.files_upload_v2(
                    filename=post.content.name, title=post.content.title, content=post.content.text, channel=channel, thread_ts=post.thread,
                    initial_comment=post.content.says or None,
                )  # fmt: skip
                return Sent(channel, "file")
            answer = await client.chat_postMessage(
                channel=channel, thread_ts=post.thread, text=post.content.text, blocks=list(post.content.blocks) or None, unfurl_links=False,
                unfurl_media=False, metadata={"event_type": "fletcher", "event_payload": {"key": post.key}},
            )  # fmt: skip
        except _TROUBLES as error:
            return self._failed(error)
        self.trouble = ""
        return Sent(answer["channel"], answer["ts"])

    async def _updated(self, job: Job[_Update, Sent]) -> Sent | Later:
        update = job.what
        messages = (update.message, plainer(update.message))
        for message in messages[_broken(update.message) :]:
            failed = await self._update(update, message)
            if failed is None:
                return Sent(update.channel, update.ts)
            _told(f"the update of {update.ts} in {update.channel}", failed)
            if failed.kind == "wait":
                return Later(pause(failed, job.tries))
            if failed.kind in {"gone", "place"}:
                return Sent(trouble="gone")
            if failed.kind == "dead":
                break
        return Sent(trouble="lost")

    async def _update(self, update: _Update, message: Message) -> Failure | None:
        try:
            # Slack knows no word against unfurling here: what is only edited is not unfurled. Without blocks those
            # before would stay.
            await self._connected().chat_update(
                channel=update.channel, ts=update.ts, text=message.text, blocks=list(message.blocks)
            )
        except _TROUBLES as error:
            return self._failed(error)
        self.trouble = ""
        return None

    async def _published(self, account: str, job: Job[dict[str, Any], Sent]) -> Sent | Later:
        try:
            await self._connected().views_publish(user_id=account, view=job.what)
        except _TROUBLES as error:
            failed = self._failed(error)
            _told(f"the App Home of {account}", failed)
            return Later(pause(failed, job.tries)) if failed.kind == "wait" else Sent(trouble="lost")
        return Sent()

    def _failed(self, error: Exception) -> Failure:
        failed = failure(error)
        if failed.kind == "dead":
            self.trouble = failed.error
        return failed

    def _connected(self) -> AsyncWebClient:
        """Our client, with a session that was made in this loop."""
        if self._client.session is None or self._client.session.closed:
            self._client.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=_KEPT_OPEN), timeout=aiohttp.ClientTimeout(_PATIENCE)
            )
        return self._client

    # --- what was posted -------------------------------------------------------------------------

    async def _found(self, post: _Post) -> Sent | None:
        """A message that may have been posted already, among the newest; None where it is not, or Slack lets nobody look."""
        if not post.channel or isinstance(post.content, Upload):
            return None
        asked: dict[str, Any] = {"channel": post.channel, "include_all_metadata": True, "limit": 100}
        try:
            client = self._connected()
            if post.thread:
                answer = await client.conversations_replies(ts=post.thread, **asked)
            else:
                answer = await client.conversations_history(**asked)
        except _TROUBLES:
            return None
        messages: list[dict[str, Any]] = answer.get("messages", [])
        for message in messages:
            payload = message.get("metadata", {}).get("event_payload", {})
            if payload.get("key") == post.key:
                return Sent(post.channel, message["ts"])
        return None

    async def _kept(self, key: str) -> Sent | None:
        try:
            kept = await asyncio.to_thread(self._journal.kept, "slack", key)
        except FletcherError as trouble:  # then it may be posted twice, which is better than never
            _log.warning("%s", trouble)
            return None
        channel, _, rest = kept.get(key, "").partition(" ")
        return Sent(channel, rest.split(" ")[0]) if rest else None

    async def _noted(self, post: _Post, sent: Sent) -> Sent:
        await self._keep(post.key, f"{sent.channel} {sent.ts}")
        return sent

    async def _keep(self, key: str, value: str) -> None:
        try:
            await asyncio.to_thread(self._journal.keep, "slack", key, value)
        except FletcherError as trouble:
            _log.warning("%s", trouble)


def _fitting(post: _Post) -> _Post:
    """The same within Slack's limits as we know them."""
    if post.plain or isinstance(post.content, Upload) or not _broken(post.content):
        return post
    return replace(post, content=plainer(post.content), plain=True)


def _broken(message: Message) -> bool:
    from bot.report.slack.rules import broken

    troubles = broken(message)
    if troubles:
        _log.error("a message breaks Slack's limits and is said plainly: %s", "; ".join(troubles))
    return bool(troubles)


def _told(what: str, failed: Failure) -> None:
    _log.warning("Slack did not take %s: %s (%s)", what, failed.error, failed.kind)
