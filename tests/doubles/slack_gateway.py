"""The Web API of Slack, for one app: every call is judged as Slack does, written down, and answered by a store."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from tests.doubles import slack_limits
from tests.doubles import slack_workspace as workspace
from tests.doubles.slack_methods import SCOPES, Call, Fault, allowed, answered, arguments
from tests.doubles.slack_store import Memory
from tests.doubles.slack_wire import Wire, envelope
from tests.doubles.slack_workspace import BOT, BOT_ID, TEAM, fresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.doubles.slack_wire import Sent
    from tests.doubles.slack_workspace import Channel, Json, User

BOT_TOKEN, APP_TOKEN = "xoxb-1-fletcher-of-the-tests", "xapp-1-fletcher-of-the-tests"


class Store(Protocol):
    """What answers methods, and knows who and what is there."""

    users: dict[str, User]
    channels: dict[str, Channel]

    async def call(self, method: str, args: Json) -> Json:
        """What the method answers."""

    async def trigger(self, user: str) -> str:
        """A new trigger id, for something this person did."""

    async def read(self, channel: str) -> list[Json]:
        """Every message of a channel as it is now, the oldest first, those in threads too."""

    async def put(self, channel: str, message: Json) -> None:
        """Keep a message that a person wrote; it gets its `ts` here."""

    async def direct(self, user: str) -> Channel:
        """The direct message of the app with a person."""

    async def close(self) -> None:
        """Give back what it holds."""


class Gateway(Wire):
    """Slack, for one app in one workspace. `scopes` are the bot's, `tokens` those that are good.

    `views` are as they were last shown, the newest last; `homes` are by person.
    """

    def __init__(self, store: Store | None = None, scopes: tuple[str, ...] = SCOPES) -> None:
        super().__init__()
        self.store: Store = store if store is not None else Memory()
        self.scopes = set(scopes)
        self.tokens = {BOT_TOKEN, APP_TOKEN}
        self.views: dict[str, Json] = {}
        self.homes: dict[str, Json] = {}
        self._faults: list[Fault] = []
        self._rates: dict[str, tuple[int, float]] = {}
        self._used: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._responses: dict[str, tuple[int, str]] = {}
        self._echoes: list[asyncio.Future[Sent]] = []

    async def _stop(self) -> None:
        await super()._stop()
        await self.store.close()

    def routes(self, app: web.Application) -> None:
        """Add what is answered to the server."""
        super().routes(app)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/upload/{file}", self._upload)
        app.router.add_post("/response/{id}", self._response)

    @property
    def url(self) -> str:
        """The base of the Web API, for SLACK_API_URL."""
        return f"{self.root}/api/"

    @property
    def environment(self) -> dict[str, str]:
        """How an app reaches it; no proxy of this machine stands between."""
        none = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "")
        return {"SLACK_API_URL": self.url, "SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, **none}

    # --- what goes wrong ---------------------------------------------------------------------------

    def fail(
        self, method: str, error: str = "", *, status: int = 200, after: float = 0.0, times: int | None = 1, channel: str = "",
        lost: bool = False, when: Callable[[Json], bool] | None = None,
    ) -> Fault:  # fmt: skip
        """Let the next `times` calls of a method (all with None) fail: in a channel where one is named, `when` that is so of their arguments.

        With `error` it answers that; `status` 429 comes with Retry-After of `after` seconds, others with a page of HTML.
        `lost` does what was asked, and the answer never comes.
        """
        fault = Fault(method, error, status, after, times, channel, lost, when)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Nothing fails any more."""
        self._faults.clear()

    def rate(self, method: str, calls: int, seconds: float) -> None:
        """Allow so many calls of a method in so many seconds in each channel, and answer 429 to the others."""
        self._rates[method] = (calls, seconds)

    def revoke(self) -> None:
        """Revoke the app's tokens, as its removal from the workspace does."""
        self.tokens.clear()
        self.disconnect("link_disabled")

    # --- HTTP --------------------------------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        token, args = await arguments(request)
        at = time.monotonic()
        fault = next((f for f in self._faults if f.meets(method, args)), None)
        if fault is not None and not fault.lost:
            answer, status, headers = fault.answer()
        elif wait := self._too_fast(method, args):
            answer, status, headers = Fault(method, status=429, after=wait).answer()
        else:
            answer, status, headers = await self._done(method, token, args), 200, {}
        self.note(Call(at, method, args, token, answer, status))
        if fault is not None and fault.lost:
            assert request.transport is not None
            request.transport.close()
        return answered(answer, status, headers | self._scopes_told(token))

    def _scopes_told(self, token: str) -> dict[str, str]:
        return {"x-oauth-scopes": ",".join(sorted(self.scopes))} if token == BOT_TOKEN else {}

    def _too_fast(self, method: str, args: Json) -> float:
        calls, seconds = self._rates.get(method, (0, 0.0))
        used, now = self._used[method, str(args.get("channel", ""))], time.monotonic()
        while used and used[0] <= now - seconds:
            used.popleft()
        if calls and len(used) >= calls:
            return used[0] + seconds - now
        used.append(now)
        return 0.0

    async def _done(self, method: str, token: str, args: Json) -> Json:
        channel = self.store.channels.get(str(args.get("channel", "")))
        if refused := allowed(method, token, self.tokens, APP_TOKEN, self.scopes, channel):
            return refused
        if method == "apps.connections.open":
            return {"ok": True, "url": self.ticket()}
        if method == "auth.test":
            return {
                "ok": True, "url": "https://fletcher.slack.com/", "team": "Fletcher", "user": "fletcher", "team_id": TEAM, "user_id": BOT,
                "bot_id": BOT_ID, "is_enterprise_install": False,
            }  # fmt: skip
        error, told = _limits(method, args)
        if error:
            return {"ok": False, "error": error, "response_metadata": {"messages": [f"[ERROR] {one}" for one in told]}}
        answer = {"ok": True} if method == "blocks.validate" else await self.store.call(method, args)
        if answer["ok"]:
            self._seen(method, args, answer)
        return answer

    def _seen(self, method: str, args: Json, answer: Json) -> None:
        if method.startswith("views."):
            shown = answer["view"]
            self.views.pop(shown["id"], None)
            self.views[shown["id"]] = shown
            if method == "views.publish":
                self.homes[args["user_id"]] = shown
        channel = self.store.channels.get(str(answer.get("channel")))
        if method in {"chat.postMessage", "chat.update"} and channel is not None and channel.im and self.connections:
            said = workspace.echo(channel, answer["message"], changed=method == "chat.update")
            self._echoes.append(asyncio.ensure_future(self.post(envelope("events_api", workspace.event(said)))))
        if method == "files.getUploadURLExternal" and answer["upload_url"].startswith("/"):
            answer["upload_url"] = self.root + answer["upload_url"]

    async def _upload(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if request.content_type.startswith("multipart/"):
            raise web.HTTPUnsupportedMediaType
        assert isinstance(self.store, Memory)
        self.store.uploads[request.match_info["file"]] = raw
        return web.Response(text=f"OK - {len(raw)}")

    def response_url(self, user: str) -> str:
        """A new address for answers to this person, good for five of them."""
        made = fresh("r")
        self._responses[made] = 5, user
        return f"{self.root}/response/{made}"

    async def _response(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        args = await request.json()
        left, to = self._responses.get(name, (0, ""))
        error, _ = slack_limits.of_message(args, update=False) if left else ("used_url", [])
        self._responses[name] = left - 1, to
        answer: Json = {"ok": False, "error": error} if error else {"ok": True}
        self.note(Call(time.monotonic(), "response_url", args | {"user": to}, "", answer, 404 if error else 200))
        return web.Response(status=404 if error else 200, text=error or "ok")


def _limits(method: str, args: Json) -> tuple[str, list[str]]:
    if method in {"chat.postMessage", "chat.postEphemeral"}:
        return slack_limits.of_message(args, update=False)
    if method == "chat.update":
        return slack_limits.of_message(args, update=True)
    if method.startswith("views.") and isinstance(args.get("view"), dict):
        return slack_limits.of_view(args["view"])
    if method == "blocks.validate":
        told = slack_limits.of_blocks(args.get("blocks") or args.get("message", {}).get("blocks") or [])
        return ("invalid_blocks", told) if told else ("", [])
    return "", []
