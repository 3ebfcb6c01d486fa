"""Socket Mode: two connections to Slack, so that one is there while the other is replaced; each envelope to Bolt and back.

The connection itself is aiohttp's: the SDK's client comes back with a ticket that was used already when the first attempt
fails, and never says that a token was revoked.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.doors.slack.failures import backoff
from bot.doors.slack.who import TROUBLES, code

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from slack_bolt.app.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

CONNECTIONS: Final = 2
_PING: Final = 10.0  # seconds between two pings; without an answer to one the connection is given up
_LONGEST: Final = 30.0  # seconds between two attempts, at most
_GONE: Final = 300.0  # seconds until Slack is asked again that has said no for good
_REST: Final = 30.0  # seconds for which a connection that Slack has replaced is still read
#: What does not pass by itself; with any of these only a person can help.
_FOR_GOOD: Final = {
    "invalid_auth": "the token is not valid", "not_authed": "there is no token", "token_revoked": "the token was revoked",
    "token_expired": "the token has expired", "account_inactive": "the app was removed or the workspace is gone",
    "not_allowed_token_type": "this is another kind of token (SLACK_BOT_TOKEN begins with xoxb-, SLACK_APP_TOKEN with xapp-)",
    "missing_scope": "the token lacks a permission (SLACK_APP_TOKEN needs connections:write)", "org_login_required": "the workspace is being moved",
    "team_access_not_granted": "the app may not use this workspace", "ekm_access_denied": "the workspace's administrators suspended access",
    "forbidden_team": "the app may not use this workspace", "app_inactive": "the app is disabled",
}  # fmt: skip

_log = logging.getLogger("fletcher.slack")


class State:
    """How things stand with Slack, as `status` tells it and as the log is told once."""

    def __init__(self) -> None:
        self.open = 0
        self.workspace = ""
        self._trouble, self._since = "not connected yet", time.time()

    def told(self) -> str:
        """A line."""
        if self.open:
            return f"Slack is connected: {self.workspace}, {min(self.open, CONNECTIONS)} of {CONNECTIONS} connections."
        at = time.strftime("%H:%M:%S", time.localtime(self._since))
        return f"Slack is not connected since {at}: {self._trouble}."

    def up(self) -> None:
        """One more connection."""
        self.open += 1
        if self._trouble:
            _log.info("connected to Slack: %s", self.workspace)
        self._trouble = ""

    def down(self) -> None:
        """One less."""
        self.open -= 1
        if not self.open:
            self._since, self._trouble = time.time(), self._trouble or "the connections were lost"

    def failed(self, trouble: BaseException, what: str) -> float:
        """Slack could not be reached; seconds until that may be different, at least."""
        word = code(trouble)
        says = f"{what}: {_FOR_GOOD.get(word, word)}"
        if says != self._trouble:
            level = logging.ERROR if word in _FOR_GOOD else logging.WARNING
            _log.log(level, "no connection to Slack; %s; the terminal works as before, and it is tried again", says)
            self._trouble = says
        return _GONE if word in _FOR_GOOD else 0.0


class Connections:
    """Keeps the connections while `run` runs."""

    def __init__(
        self, app: AsyncApp, client: AsyncWebClient, session: aiohttp.ClientSession, token: str, state: State
    ) -> None:
        self._app, self._client, self._session, self._token, self._state = app, client, session, token, state
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Keep them until this is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CONNECTIONS):
                    group.create_task(self._keep())
        finally:
            for task in self._tasks:
                task.cancel()

    async def _keep(self) -> None:
        """One connection, again and again."""
        tries = 0
        while True:
            began = time.monotonic()
            least = 0.0
            try:
                answer = await self._client.apps_connections_open(app_token=self._token)
                replaced = asyncio.Event()
                reading = self._spawn(self._read(str(answer["url"]), replaced))
                waiting = self._spawn(_wait(replaced))
                await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if reading.done():
                    reading.result()
            except TROUBLES as trouble:
                least = self._state.failed(trouble, "apps.connections.open")
            except Exception:  # noqa: BLE001  # the next envelope and the next connection are others
                _log.exception("a connection to Slack ended")
            tries = 0 if time.monotonic() - began > _PING else tries + 1
            await asyncio.sleep(max(least, backoff(tries, 0.1, _LONGEST) if tries else 0.0))

    async def _read(self, url: str, replaced: asyncio.Event) -> None:
        """Read one connection to its end; `replaced` is set when Slack wants another one in its place."""
        async with self._session.ws_connect(url, heartbeat=_PING, proxy=self._client.proxy) as ws:
            known = False
            try:
                async for message in ws:
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        continue
                    said = json.loads(message.data)
                    if said.get("type") == "hello" and not known:
                        known = True
                        self._state.up()
                        self._greeted(said)
                    elif said.get("type") == "disconnect":
                        replaced.set()
                        asyncio.get_running_loop().call_later(_REST, lambda: self._spawn(ws.close()))
                    elif "envelope_id" in said:
                        self._spawn(self._envelope(ws, said))
            finally:
                if known:
                    self._state.down()

    def _greeted(self, hello: dict[str, Any]) -> None:
        count = hello.get("num_connections")
        if isinstance(count, int) and count > 2 * CONNECTIONS:
            _log.warning(
                "Slack counts %d connections of this app, more than are made here: who else has its token?", count
            )

    async def _envelope(self, ws: aiohttp.ClientWebSocketResponse, said: dict[str, Any]) -> None:
        """Give one envelope to Bolt, and acknowledge it, whatever Bolt makes of it."""
        request = SocketModeRequest.from_dict(said)
        answer: dict[str, Any] = {"envelope_id": said["envelope_id"]}
        try:
            if request is not None:
                request.payload["envelope_id"] = said["envelope_id"]
                response = await run_async_bolt_app(self._app, request)
                if response is not None and response.status == 200 and response.body:
                    answer["payload"] = json.loads(response.body)
        except Exception:  # noqa: BLE001  # the next envelope and the next connection are others
            _log.exception("an envelope of Slack's could not be taken")
        try:
            await ws.send_json(answer)
        except ConnectionError:
            _log.warning("Slack could not be told that something was heard: the connection was lost")

    def _spawn(self, what: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
