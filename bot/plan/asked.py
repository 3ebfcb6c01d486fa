"""Which agents a room asked for, and whether its token did or a call of the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.livekit.words import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.livekit.seen import Seen, Token, Verdict
    from bot.livekit.story import Asked, Room


def asked_for(seen: Seen, row: Verdict | None) -> tuple[str, ...] | None:
    """The agents that this room was made with, by its token and by the backend's calls; None when nothing shows it."""
    asked = [*_by_token(seen, row), *_by_call(seen, row)]
    return tuple(dict.fromkeys(name for agents in asked for name, _ in agents)) if asked else None


def backends(seen: Seen, row: Verdict | None, agent: str, odd: str) -> str:
    """Why an edit of what makes tokens would not help: a call of the backend asks for the odd name. "" when none does."""
    if not odd or odd == agent or not _holds(_by_call(seen, row), odd) or _holds(_by_token(seen, row), odd):
        return ""
    calls = (d.place for d in seen.setup.dispatchers if d.via.startswith("create-") and d.agent_name == odd)
    where = ", ".join(f"{place.source}:{place.line}" for place in calls)
    do = f"let it ask for {quote(agent)}" if agent else "let it ask for nobody"
    return f"the backend's own call asks for {quote(odd)}{f' ({where})' if where else ''}, and this room's token does not; {do} there"


def _holds(asked: Iterable[Asked], name: str) -> bool:
    return any(agent == name for agents in asked for agent, _ in agents)


def _by_token(seen: Seen, row: Verdict | None) -> list[Asked]:
    """What its tokens ask for; without one, what the first join did."""
    joins = [j.asked for room in _rooms(seen, row) for j in room.joins if not j.agent and j.asked is not None]
    return [token.agents for token in _tokens(seen, row)] or joins[:1]


def _by_call(seen: Seen, row: Verdict | None) -> list[Asked]:
    """What the backend's calls ask for, as they were noted beside the token and in the server's log."""
    name = (row.room if row is not None else None) or ""
    noted = [call.agents for token in _tokens(seen, row) for call in token.calls if call.room in {"", name}]
    logged = [room.asked_api for room in _rooms(seen, row) if room.asked_api is not None]
    return [*noted, *logged]


def _tokens(seen: Seen, row: Verdict | None) -> list[Token]:
    name = row.room if row is not None else None
    return [token for token in seen.tokens if not name or not token.room or token.room == name]


def _rooms(seen: Seen, row: Verdict | None) -> list[Room]:
    ident = row.room_id if row is not None else None
    return [room for room in seen.story.rooms.values() if ident and room.id == ident]
