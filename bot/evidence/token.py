"""A join token (a JWT, or its claims as JSON) → what it asks for; the token itself is kept nowhere."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any, Final

from bot.errors import UsageError
from bot.evidence.documents import load, shown
from bot.livekit.forms import epoch
from bot.livekit.seen import ApiCall, Token
from bot.livekit.setup import Place


def read_token(path: str) -> Token:
    """Read a token file. Raises UsageError when it holds no readable token."""
    return token_in(Path(path).read_bytes(), path)


def is_token(given: str, hint: str) -> bool:
    """Whether an argument is a token itself, and no file of that name is there."""
    given = given.strip()
    if hint == "token" and given.startswith("{"):
        return True
    jwt = given.startswith("eyJ") and given.count(".") == 2 and "/" not in given
    return jwt and hint in {"token", "any"} and not os.path.lexists(given)


def token_in(raw: bytes, path: str) -> Token:
    """Read a token; `path` is what it is called. Raises UsageError when it cannot be read."""
    raw = raw.lstrip(b"\xef\xbb\xbf").strip()
    if raw.startswith(b"eyJ"):
        return token_of(jwt_claims(raw.decode("ascii", "replace"), path), path, raw=b"")
    try:
        document = load(raw)
    except ValueError:
        raise UsageError(f"{path} is no token: expected a JWT (eyJ…) or its claims as JSON") from None
    if not isinstance(document, dict) or not (_CLAIMS & set(document)):
        raise UsageError(f"{path} is no token: expected a JSON object with its claims (`video`, `sub`, `roomConfig`)")
    return token_of(document, path, raw=raw)


def jwt_claims(jwt: str, path: str) -> dict[str, Any]:
    """The claims of a JWT, unverified: they are evidence, nobody is let in by them."""
    pieces = jwt.split(".")
    try:
        body = base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4))
        claims = load(body)
    except (ValueError, IndexError):
        claims = None
    if not isinstance(claims, dict):
        raise UsageError(f"{path} is no readable token: its second part is no JSON")
    return claims


def token_of(document: dict[str, Any], path: str, *, raw: bytes) -> Token:
    """What the claims ask for, with the backend's calls where the document lists them."""
    claims = _dict(document.get("claims")) or document
    video = _dict(claims.get("video"))
    config = _dict(claims.get("roomConfig")) or _dict(claims.get("room_config"))
    agents = _agents(config.get("agents"))
    line = 1 + raw[: max(0, raw.find(b'"agentName"'))].count(b"\n") if agents and raw else 1
    asked = {"room": video.get("room"), "roomConfig": _deciding(config) if config else None}
    calls = document.get("api_calls")
    listed = [c for c in calls if isinstance(c, dict)] if isinstance(calls, list) else []
    return Token(
        room=_str(video.get("room")), identity=_str(claims.get("sub")) or _str(claims.get("identity")), agents=agents,
        place=Place(path, line, shown(asked)), calls=tuple(c for call in listed if (c := _call(call, path, raw)) is not None),
        calls_known=isinstance(calls, list),
    )  # fmt: skip


def _call(call: dict[str, Any], path: str, raw: bytes) -> ApiCall | None:
    name, request = _str(call.get("call")), _dict(call.get("request"))
    when = epoch(_str(call.get("time")).encode()) if call.get("time") else None
    at = raw.find(name.encode()) if name else -1
    place = Place(
        path,
        1 + raw[: max(at, 0)].count(b"\n"),
        shown({"call": name, "request": _deciding(request)}),
    )
    if name.endswith("CreateDispatch"):
        agent = _str(request.get("agentName")) or _str(request.get("agent_name"))
        return ApiCall(
            when[0] if when else None,
            "create-dispatch",
            _str(request.get("room")),
            ((agent, _str(request.get("deployment"))),),
            place,
        )
    if name.endswith("CreateRoom"):
        return ApiCall(
            when[0] if when else None,
            "create-room",
            _str(request.get("name")) or _str(request.get("room")),
            _agents(request.get("agents")),
            place,
        )
    return None


_CLAIMS: Final = frozenset(
    {"claims", "api_calls", "video", "sub", "identity", "roomConfig", "room_config", "iss", "exp"}
)
_DECIDING: Final = frozenset(
    {"name", "room", "agents", "agentName", "agent_name", "deployment", "emptyTimeout", "departureTimeout"}
)


def _deciding(value: dict[str, Any]) -> dict[str, Any]:
    """What of a request decides about dispatch; metadata and the accounts of an egress are nobody's business."""
    kept = {k: v for k, v in value.items() if k in _DECIDING and not isinstance(v, (dict, list))}
    agents = value.get("agents")
    return {**kept, "agents": [_deciding(_dict(a)) for a in agents]} if isinstance(agents, list) else kept


def _agents(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        return ()
    found = [_dict(a) for a in value]
    return tuple((_str(a.get("agentName")) or _str(a.get("agent_name")), _str(a.get("deployment"))) for a in found if a)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""
