"""Slack beside an executor: started and ended with `fletcher serve`, in a thread with a loop of its own.

Whatever becomes of Slack, the executor and the terminal go on; what is wrong is in the log and in `status`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import aiohttp
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from bot.doors.slack.alerts import Alerts
from bot.doors.slack.app import Ears, bolt
from bot.doors.slack.cards import Cards
from bot.doors.slack.connect import Connections, State
from bot.doors.slack.doing import Doing
from bot.doors.slack.failures import DEAD, backoff
from bot.doors.slack.homes import Homes
from bot.doors.slack.outbox import Outbox
from bot.doors.slack.reply import Replies
from bot.doors.slack.verbs import Verbs
from bot.doors.slack.who import TROUBLES, Who, code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slack_sdk.http_retry.request import HttpRequest
    from slack_sdk.http_retry.response import HttpResponse
    from slack_sdk.http_retry.state import RetryState

    from bot.doors.slack.tokens import Tokens
    from bot.engine.front import Front
    from bot.policy import Policy
    from bot.settings_policy import Declared

_TIMEOUT: Final = 30  # seconds for one call
_AGAIN: Final = 5.0  # seconds after which all is begun anew that ended with a bug
_ASKED: Final = 60.0  # seconds between two questions whether Slack still knows the bot
_THREADS: Final = 16  # calls of the front at a time; each takes milliseconds

_log = logging.getLogger("fletcher.slack")


class _UnknownError(Exception):
    """Slack does not know the bot any more, as `State` has it."""


class _ServerErrors(AsyncServerErrorRetryHandler):
    """Slack's own handler takes only 500 and 503 for a trouble that passes."""

    async def _can_retry_async(
        self, *, state: RetryState, request: HttpRequest, response: HttpResponse | None = None, error: Exception | None = None  # noqa: ARG002
    ) -> bool:  # fmt: skip
        return response is not None and response.status_code in {500, 502, 503, 504}


def client_of(tokens: Tokens, session: aiohttp.ClientSession | None = None) -> AsyncWebClient:
    """A client that waits as long as Slack asks it to, and tries again what may pass."""
    logger = logging.getLogger("fletcher.slack.sdk")
    logger.setLevel(logging.ERROR)  # it prints what people wrote
    client = AsyncWebClient(
        token=tokens.bot, base_url=tokens.url, timeout=_TIMEOUT, session=session, logger=logger,
        retry_handlers=[AsyncConnectionErrorRetryHandler(2), AsyncRateLimitErrorRetryHandler(3), _ServerErrors(2)],
    )  # fmt: skip
    if proxy_bypass(urlsplit(tokens.url).hostname or ""):  # which the client does not heed by itself
        client.proxy = None
    return client


@contextmanager
def slack(
    tokens: Tokens, front: Front, policy: Policy | None, persons: tuple[Declared, ...], config: str | None, alert_in: str = ""
) -> Iterator[State]:  # fmt: skip
    """Speak with Slack while the context lasts; how things stand with it. `alert_in` is where probes are told of by themselves."""
    # Loaded before there is a second thread: SQLAlchemy is not to be used while another one loads the rest of it.
    from bot.engine import executor  # noqa: F401

    state = State()
    service = _Service(tokens, front, policy, persons, config, state, alert_in)
    thread = threading.Thread(target=service.run, name="slack", daemon=True)
    thread.start()
    try:
        yield state
    finally:
        service.end()
        thread.join(2 * _TIMEOUT)


class _Service:
    """All of it, in the thread."""

    def __init__(
        self, tokens: Tokens, front: Front, policy: Policy | None, persons: tuple[Declared, ...], config: str | None, state: State,
        alert_in: str,
    ) -> None:  # fmt: skip
        self._tokens, self._front, self._policy, self._persons, self._config = tokens, front, policy, persons, config
        self._state, self._alert_in = state, alert_in
        self._begun, self._ended = threading.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        """Until `end`."""
        try:
            asyncio.run(self._main())
        except Exception:  # noqa: BLE001  # the executor goes on without Slack
            _log.exception("Slack is left alone from now on; the terminal works as before")
        finally:
            self._begun.set()

    def end(self) -> None:
        """From another thread: end it."""
        self._begun.wait()
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._ended.set)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_THREADS, "slack"))
        self._begun.set()
        serving = asyncio.create_task(self._serving())
        await self._ended.wait()
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving

    async def _serving(self) -> None:
        while True:
            try:
                timeout = aiohttp.ClientTimeout(_TIMEOUT)
                async with aiohttp.ClientSession(timeout=timeout) as session:
                    await self._served(client_of(self._tokens, session), session)
            except Exception as bug:  # noqa: BLE001  # the executor goes on without Slack
                _log.exception("speaking with Slack is begun anew")
                self._state.failed(bug, "a bug")
            await asyncio.sleep(_AGAIN)

    async def _served(self, client: AsyncWebClient, session: aiohttp.ClientSession) -> None:
        workspace = await self._workspace(client)
        outbox = Outbox(client, self._front)
        homes = Homes(self._front, outbox, self._policy)
        members = {one.name: account for one in self._persons for kind, account in one.accounts if kind == "slack"}
        alerts = Alerts(self._front, outbox, channel=self._alert_in, to=_told_first(self._policy, members), homes=homes)
        cards = Cards(self._front, outbox, self._policy, members=members, homes=homes, alerted=alerts.channel_of)
        replies = Replies(client, session)
        who = Who(client, workspace["team_id"], self._persons)
        verbs = Verbs(self._front, self._policy, self._config, self._state.told)
        doing = Doing(verbs, who, replies, cards, homes, alerts, client)
        ears = Ears(self._front, doing, replies)
        app = bolt(client, workspace)
        ears.listen(app)
        connections = Connections(app, client, session, self._tokens.app, self._state)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(connections.run())
                group.create_task(cards.run())
                group.create_task(alerts.run())
                group.create_task(self._known(client, outbox))
        except* _UnknownError:
            pass  # it is asked who we are until Slack says so
        finally:
            await ears.close()
            doing.close()
            await outbox.close()

    async def _known(self, client: AsyncWebClient, outbox: Outbox) -> None:
        """Ask whether Slack still knows the bot, for its connections stay up when the token is revoked; raises once it does not."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(outbox.dead.wait(), _ASKED)
            outbox.dead.clear()
            try:
                await client.auth_test()
            except TROUBLES as trouble:
                if code(trouble) in DEAD:
                    self._state.failed(trouble, "auth.test")
                    raise _UnknownError from trouble

    async def _workspace(self, client: AsyncWebClient) -> dict[str, Any]:
        """Which workspace this is; asked until Slack says so."""
        tries = 0
        while True:
            try:
                said = await client.auth_test()
            except TROUBLES as trouble:
                least = self._state.failed(trouble, "auth.test")
                await asyncio.sleep(max(least, backoff(tries, 1.0, _TIMEOUT)))
                tries += 1
            else:
                self._state.workspace = f"{said.get('team')} as @{said.get('user')}"
                return dict(said.data)  # type: ignore[arg-type]  # a JSON object


def _told_first(policy: Policy | None, members: dict[str, str]) -> str:
    """Who is told of a probe where a channel takes nothing: the first whom the policy lets approve, else run; "" for nobody."""
    lines = (*policy.approve, *policy.run) if policy is not None else ()
    return next((members[name] for line in lines for name in line.who if name in members), "")
