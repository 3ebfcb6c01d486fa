"""Rooms that already existed: a join into a living room dispatches nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.livekit.seen import Cite, Missing
from bot.livekit.versions import MATURE
from bot.livekit.words import listed

if TYPE_CHECKING:
    from bot.livekit.case import Case
    from bot.livekit.seen import Verdict
    from bot.livekit.story import Join, Room


def came_too_late(case: Case, room: Room) -> Verdict | None:
    """A join that asks for an agent in a room that was made without it: its wish is ignored, silently."""
    users = _users(room)
    if len(users) < 2 and room.asked_api is None:
        return None  # whoever makes a room has his wish
    asked, cite = case.birth_asked(room)
    token = case.token_of(room)
    if asked is None:
        return None
    have = {name for name, _ in asked} | {
        n
        for _, kind, agents, _ in case.calls.get(id(room), ())
        if kind == "api-create-dispatch"
        for n, _ in agents or ()
    }
    have |= {job.name for job in room.jobs}
    first = users[0] if users else None
    for join in users:
        wishes = join.asked
        if wishes is None and token is not None and join.who == token.identity:
            wishes = token.agents
        if not wishes or (join is first and room.asked_api is None):
            continue
        lost = [n for n, _ in wishes if n and n not in have]
        now = case.now(room)
        if not lost:
            continue
        if now is not None and join.at is not None and now - join.at < MATURE:
            text = f"Somebody has just joined a living room with a dispatch for {listed(lost)}, which is ignored there; none may have followed yet."
            lack = Missing("server log", "whether the backend dispatches the agent by itself")
            return case.open(room, text, [lack], [Cite("this join", join.mark)], judged_from=join.at + MATURE)
        text = f"The room already existed when somebody joined with a dispatch for {listed(lost)}: a room's dispatches are fixed when it is made, later ones are ignored."
        here = [
            Cite("the room is made without that dispatch", cite.mark, cite.place) if cite else case.birth_cite(room),
            Cite("this join's wish is ignored", join.mark),
        ]
        return case.verdict(room, "room-already-existed", 0.9, text, here, agent=lost[0])
    return None


def came_back(case: Case, room: Room) -> Verdict | None:
    """Somebody came (back) into a room whose agent had already left: no new dispatch is made."""
    users = _users(room)
    if len(users) < 2:
        return None
    agents = [j for j in room.joins if j.agent and (j.active is not None or j.left is not None)]
    if not agents or case.chosen(room):
        return None
    gone = [a.left for a in agents]
    now = case.now(room)
    last = users[-1]
    if now is None or last.at is None or last.reconnect or any(g is None for g in gone):
        return None
    end = max(g for g in gone if g is not None)
    if end > last.at + 3.0 or any(j.at is not None and j.at > last.at - 0.5 for j in room.jobs):
        return None
    begun = [j for j in users if j is not last and j.left is not None and j.left <= last.at + 3.0]
    stay = (last.left if last.left is not None else now) - last.at
    if begun and stay < MATURE and last.left is None and end <= max((j.left or 0.0) for j in begun) + 30.0:
        text = "The agent had come with an earlier visit and left with it; somebody is back, too recently to say that no agent follows."
        lack = Missing("server log", "whether an agent is dispatched into the room again")
        return case.open(room, text, [lack], [Cite("this join", last.mark)], judged_from=last.at + MATURE)
    if not begun or stay < MATURE or end > max((j.left or 0.0) for j in begun) + 30.0:
        return None
    text = "The room already existed: its agent had come with an earlier visit and left with it, and a join into a living room dispatches nobody."
    job = room.jobs[-1].mark if room.jobs else -1
    cites = [
        case.birth_cite(room),
        Cite("its one dispatch", job) if job >= 0 else None,
        Cite("the agent of the earlier visit", agents[-1].mark),
        Cite("this join dispatches nobody: same room id", last.mark),
    ]
    return case.verdict(room, "room-already-existed", 0.9, text, cites, agent=room.jobs[-1].name if room.jobs else None)


def _users(room: Room) -> list[Join]:
    return [j for j in room.joins if not j.agent and not j.who.startswith(("EG_", "IN_"))]
