"""Who waits in a living room, and whether an agent is there or on its way: by the API alone, for a watcher and a plan."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from bot.livekit.marks import CANARY, MARK
from bot.livekit.versions import JOB_MATURE, LIVE_GRACE, MATURE
from bot.livekit.words import ago, quote

if TYPE_CHECKING:
    from bot.livekit.seen import ApiDispatch, ApiParticipant, ApiRoom, ApiSeen

#: Seconds that a job which a worker took may need until its agent joins, where nothing else is said.
STARTS: Final = JOB_MATURE + LIVE_GRACE
_PEOPLE: Final = frozenset({"STANDARD", "SIP", "CONNECTOR"})  # not who records, streams in, or is another server
_INSIDE: Final = frozenset({"JOINING", "JOINED"})

State = Literal["lacks", "served", "coming", "empty", "unasked", "unknown"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How it stands with one room.

    `lacks`: people wait, an agent was wanted, none is there and none is on its way. `unasked`: no agent was wanted here.
    `agent` is who was wanted ("" is automatic dispatch), `waits` for how many seconds the first of the people has been
    there, None where nothing tells.
    """

    room: ApiRoom
    state: State
    says: str
    agent: str = ""
    people: int = 0
    waits: float | None = None

    @property
    def tries(self) -> dict[str, float]:
        """The runs of ours that asked for an agent here, by their id, each with when (epoch seconds, 0 for not told)."""
        marks = ((_marked(d), d.created or 0.0) for d in self.room.dispatches or ())
        return {mark.partition("/")[0]: at for mark, at in marks if mark}


def now_of(api: ApiSeen) -> float:
    """The server's time when it was asked, by which it dates rooms, dispatches and joins."""
    return api.asked_at + (api.skew or 0.0)


def serves_all(api: ApiSeen) -> bool:
    """Whether agents come to rooms that ask for nobody: one is active in such a room."""
    return any(
        any(p.agent and p.state == "ACTIVE" for p in room.participants or ()) and not _named(room)
        for room in api.rooms
        if room.dispatches is not None and not room.name.startswith(CANARY)
    )


def serves_some(api: ApiSeen) -> bool:
    """Whether an agent is active in a room that asked for one by name."""
    return any(
        any(p.agent and p.state == "ACTIVE" for p in room.participants or ()) and _named(room)
        for room in api.rooms
        if not room.name.startswith(CANARY)
    )


def stands(
    room: ApiRoom, now: float, *, wanted: str | None = None, serves: bool = False, starts: float = STARTS
) -> Waiting:
    """How it stands with a room that was looked into.

    A room wants the agents that it was made with, or that were sent for. One that asked for nobody wants `wanted`, the
    agent of every room (None where nobody says so), or the one of automatic dispatch where that `serves`.
    """
    if room.name.startswith(CANARY):
        return Waiting(room, "unasked", "it is Fletcher's own")
    if room.participants is None:
        return Waiting(room, "unknown", "the API does not tell who is in it")
    people = [p for p in room.participants if _waits(p)]
    joined = [p.joined for p in people if p.joined is not None]
    waits = now - min(joined) if joined else None
    agent, why_not = _wanted(room, wanted, serves=serves)

    def told(state: State, says: str) -> Waiting:
        return Waiting(room, state, says, agent or "", len(people), waits)

    if not people:
        return told("empty", "nobody waits in it")
    if coming := _there(room.participants):
        return told(*coming)
    if room.dispatches is None:
        return told("unknown", "the API does not tell whom it asks for")
    if why_not:
        return told("unasked", why_not)
    if soon := _on_its_way(room, joined if len(joined) == len(people) else [], now, starts):
        return told("coming", soon)
    who = quote(agent) if agent else "an agent by automatic dispatch"
    since = f" for {ago(waits)}" if waits is not None else ""
    several = f"{len(people)} people wait" if len(people) > 1 else "somebody waits"
    return told("lacks", f"{several}{since} for {who}, no agent is in the room, and none is on its way")


def promised(room: ApiRoom) -> str:
    """The agent that a room asked for by name, the first where there are several; "" for none."""
    return min(_named(room), key=lambda d: d.created or 0.0).agent_name if _named(room) else ""


def _waits(p: ApiParticipant) -> bool:
    return not p.agent and not p.hidden and p.kind in _PEOPLE and p.state != "DISCONNECTED"


def _there(participants: tuple[ApiParticipant, ...]) -> tuple[State, str] | None:
    agents = [p for p in participants if p.agent]
    if any(p.state == "ACTIVE" for p in agents):
        return "served", "an agent is active in it"
    joining = next((p for p in agents if p.state in _INSIDE), None)
    return ("coming", f"an agent is {joining.state}, not active yet") if joining is not None else None


def _wanted(room: ApiRoom, wanted: str | None, *, serves: bool) -> tuple[str | None, str]:
    """Who was wanted here, the first that was asked for; or why nobody is to be sent."""
    agent = promised(room) or (wanted if wanted is not None else "" if serves else None)
    if agent is None:
        return None, "nobody ever asked for an agent in it"
    own = [d for d in room.dispatches or () if d.agent_name == agent]
    newest = max(own, key=lambda d: d.created or 0.0, default=None)
    if newest is not None and newest.jobs and newest.done == newest.jobs:
        return agent, "its agent has ended by itself"
    return agent, ""


def _named(room: ApiRoom) -> list[ApiDispatch]:
    return [d for d in room.dispatches or () if d.agent_name]


def _on_its_way(room: ApiRoom, joined: list[float], now: float, starts: float) -> str:
    """Why an agent may still come without anybody's help; "" when it would be there."""
    if room.created is not None and now - room.created < MATURE:
        return "the room is too young to say that an agent is missing"
    if joined and now - min(joined) < MATURE:  # a worker of one agent per participant is asked at each join
        return "whoever waits has just come"
    for dispatch in room.dispatches or ():
        limit = starts if dispatch.jobs else MATURE
        if dispatch.created is not None and now - dispatch.created < limit:
            who = quote(dispatch.agent_name)
            return f"{who} was sent for {ago(max(0.0, now - dispatch.created))} ago, and may need {limit:g} s"
    return ""


def _marked(dispatch: ApiDispatch) -> str:
    """Our own mark in a dispatch, as the step writes it: the run and the step; "" where another sent it."""
    try:
        told = json.loads(dispatch.metadata) if dispatch.metadata else None
    except (ValueError, RecursionError):
        return ""
    mark = told.get(MARK) if isinstance(told, dict) else None
    return mark if isinstance(mark, str) else ""
