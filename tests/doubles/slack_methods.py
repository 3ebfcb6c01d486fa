"""What is asked of a method of the Web API before it is done: its arguments, its token, its scopes; and what may go wrong."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.doubles.slack_workspace import Channel, Json

#: What the app's manifest asks for.
SCOPES: Final = (
    "app_mentions:read", "channels:read", "chat:write", "commands", "files:write", "groups:read", "im:history", "im:write",
    "users:read",
)  # fmt: skip
_JSON: Final = ("blocks", "attachments", "view", "metadata", "files", "message")
_NEEDS: Final = {
    "chat.postMessage": "chat:write", "chat.update": "chat:write", "chat.delete": "chat:write", "chat.postEphemeral": "chat:write",
    "users.info": "users:read", "conversations.open": "im:write", "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write", "usergroups.users.list": "usergroups:read", "reactions.add": "reactions:write",
    "users.lookupByEmail": "users:read.email", "bookmarks.add": "bookmarks:write", "pins.add": "pins:write",
}  # fmt: skip


class Refused(Exception):  # noqa: N818  # an answer, not a failure of this program
    """The error that Slack answers with, and what stands beside it."""

    def __init__(self, error: str, **more: object) -> None:
        super().__init__(error)
        self.answer: Json = {"ok": False, "error": error, **more}


@dataclass
class Call:
    """A call of the Web API as it came, when (of the monotonic clock), and what was answered."""

    at: float
    method: str
    args: Json
    token: str
    answer: Json
    status: int


@dataclass
class Fault:
    """What goes wrong with a method, so many times."""

    method: str
    error: str = ""
    status: int = 200
    after: float = 0.0
    times: int | None = 1
    channel: str = ""
    lost: bool = False
    when: Callable[[Json], bool] | None = None

    def meets(self, method: str, args: Json) -> bool:
        """Whether this call is one that goes wrong; it is counted."""
        if (
            self.times == 0
            or self.method not in {method, "*"}
            or (self.channel and args.get("channel") != self.channel)
        ):
            return False
        if self.when is not None and not self.when(args):
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def answer(self) -> tuple[Json, int, dict[str, str]]:
        """The body, the status and the headers."""
        if self.status == 429:
            return {"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(math.ceil(self.after))}
        return {"ok": False, "error": self.error or "internal_error"}, self.status, {}


def answered(answer: Json, status: int, headers: Mapping[str, str]) -> web.Response:
    """The answer as it goes over the wire; what is wrong with Slack itself comes as a page."""
    if status >= 500:
        return web.Response(status=status, text="<html>server error</html>", content_type="text/html")
    return web.json_response(answer, status=status, headers=headers)


async def arguments(request: web.Request) -> tuple[str, Json]:
    """The token and the arguments of a call, however they came: in the address, as a form or as JSON."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        args |= await request.json()
    elif request.can_read_body:
        args |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    for name in _JSON:
        if isinstance(args.get(name), str):
            args[name] = _parsed(args[name])
    for name in ("length", "limit"):
        if str(args.get(name, "")).isdecimal():
            args[name] = int(args[name])
    for name, value in args.items():
        args[name] = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    token = str(args.pop("token", "")) or request.headers.get("Authorization", "").removeprefix("Bearer ")
    return token, args


def _parsed(text: str) -> Any:  # noqa: ANN401  # any JSON document
    try:
        return json.loads(text)
    except ValueError:
        return text  # is refused by its form


def allowed(method: str, token: str, good: set[str], app_token: str, scopes: set[str], channel: Channel | None) -> Json:
    """Why this token may not call this method, as Slack answers it; {} when it may."""
    if not token:
        return {"ok": False, "error": "not_authed"}
    if token not in good:
        return {"ok": False, "error": "invalid_auth" if good else "token_revoked"}
    if (method == "apps.connections.open") != (token == app_token):
        return {"ok": False, "error": "not_allowed_token_type"}
    needed = _NEEDS.get(method, "") or _of_channel(method, channel)
    if needed and needed not in scopes:
        return {"ok": False, "error": "missing_scope", "needed": needed, "provided": ",".join(sorted(scopes))}
    return {}


def _of_channel(method: str, channel: Channel | None) -> str:
    kinds = {"conversations.info": "read", "conversations.history": "history", "conversations.replies": "history"}
    if method not in kinds or channel is None:
        return ""
    return f"{'im' if channel.im else 'groups' if channel.private else 'channels'}:{kinds[method]}"
