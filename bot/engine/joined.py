"""The proof that a room gets its agent: the server's word for it, the agent in the room, and that it stays.

A worker that was rebuilt has to register first, and to report its load: before that a bad one looks idle.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.engine.anew import rooms_of
from bot.engine.case import SECOND, Case
from bot.engine.registered import registered
from bot.engine.since import Heard, Said, hear
from bot.engine.values import Proof
from bot.errors import FletcherError
from bot.livekit.words import quote, ways_out

if TYPE_CHECKING:
    from bot.livekit.seen import ApiRoom
    from bot.runbook import document as doc

_LOADED: Final = 6.0  # seconds after its registration from which on a worker's reported load is its own
_JOINS: Final = 12.0  # seconds in which an agent is sent and becomes ACTIVE; a cold name lookup alone takes 5
_STARTS: Final = 30.0  # seconds in which one that was sent becomes ACTIVE, on a machine that has much else to do
_EMPTY: Final = 30  # seconds after which the server ends the room by itself, should nobody do it


@dataclass(slots=True, kw_only=True)
class Joining(Case):
    """`agent` is who has to come, `room` the one of the complaint ("" for none), `type` the worker's job type, "" while it is not known.

    `asked` are the agents for whom the new token asks, None where none was made.
    """

    what: doc.Joined
    agent: str
    room: str
    rebuilt: bool
    asked: tuple[str, ...] | None
    type: str = "JT_ROOM"


def joined(case: Joining) -> Proof:
    """Whether the agent comes: into a room made for it, or into the one that asked."""
    if case.rebuilt:
        found = registered(case, case.agent)
        if isinstance(found, Proof):
            return found
        case.type = (found.type or case.type) if found is not None else ""
        ready = found.at_ns if found is not None else case.world.now()
        case.wait_until(ready + int(_LOADED * SECOND), "for the worker's first report of its load")
    if not case.what.canary:
        proof = _watched(case, case.room, case.since_ns)
    elif case.type in {"JT_ROOM", ""}:
        proof = _canary(case)
    else:
        says = f"a {case.type} worker starts only when somebody joins or publishes, so a room made for it proves nothing; a real join was waited for"
        case.add("room", says, ok=None)
        proof = _watched(case, "", case.since_ns)
    return _besides(case, proof) if proof.result == "holds" else proof


# --- a room of its own ---------------------------------------------------------------------------


def _canary(case: Joining) -> Proof:
    """A room of its own, made as a new token would make it; ended in any case."""
    begun = case.world.now()
    room = f"{rooms_of(case.run)}{begun % 100_000:05d}"
    agent = _dispatched(case, begun)
    marked = json.dumps({"fletcher": case.run.id, "canary": True})
    try:
        case.world.create_room(room, agent=agent, metadata=marked, empty_timeout=_EMPTY)
        return _watched(case, room, begun)
    except FletcherError as problem:
        case.add("room", f"no room could be made: {problem}", ok=None)
        return case.proof("cannot-tell", "the LiveKit API made no room to prove it in")
    finally:
        try:
            case.world.delete_room(room)
        except FletcherError as problem:
            case.tell(f"the room {room} could not be ended ({problem}); it ends by itself after {_EMPTY} s")


def _dispatched(case: Joining, at_ns: int) -> str | None:
    """Whom the room asks for: whom the new token does. None is nobody: a worker without a name gets such rooms."""
    if case.asked is None:
        says = f"no new token was made, so the room asks for {quote(case.agent)} by itself: only the worker is proven"
        case.add("dispatch", says, ok=None, at_ns=at_ns)
        return case.agent or None
    if case.agent in case.asked or not (case.agent or case.asked):
        who = quote(case.agent) if case.agent else "nobody"
        case.add("dispatch", f"the room is made as the new token makes it: it asks for {who}", ok=True, at_ns=at_ns)
        return case.agent or None
    told = ", ".join(map(quote, case.asked)) or "nobody"
    case.add("dispatch", f"the new token asks for {told}, the worker is {quote(case.agent)}", ok=False, at_ns=at_ns)
    return next(iter(case.asked), "") or None


# --- watching ------------------------------------------------------------------------------------


def _watched(case: Joining, room: str, begun_ns: int) -> Proof:
    """Watch a room ("" is any new one) until the agent is there and stays, or it is clear that it will not come."""
    own = case.what.canary and bool(room)
    limit = begun_ns + int(_JOINS * SECOND) if own else case.deadline_ns
    settle = int(case.block.settle * SECOND)
    active_at, assigned, heard, api_why = 0, None, Heard(), ""
    where = f"in {room}" if room else "in a room that somebody joins"
    case.tell(f"waiting for the agent {where} (at most {(limit - case.world.now()) / SECOND:.0f} s)")
    while True:
        heard = hear(case.world, "livekit", begun_ns)
        assigned = assigned or _assigned(case, heard, room, begun_ns)
        if assigned is not None:
            limit = max(limit, assigned.at_ns + int(_STARTS * SECOND))
        inside = room or (assigned.room if assigned is not None else "")
        there, api_why = _there(case, inside) if inside else (False, "")
        now = case.world.now()
        if there and not active_at and settle:
            case.tell(f"the agent is there; it has to stay for {case.block.settle:.0f} s")
        active_at = (active_at or now) if there else 0
        # Before it is there a line counts if it may be about this room; while it has to stay, every one of its type.
        refused = _refusals(case, heard, "" if there else room, active_at or begun_ns)
        if refused:
            return _refused(case, refused)
        shown = assigned is not None or heard.blind or not case.what.log
        if there and now - active_at >= settle and shown:
            break
        if (not there and now >= limit and not api_why) or now >= max(limit, case.deadline_ns) + settle or case.stopped:
            if there and not case.stopped:
                case.add("assignment", f"the server's log has no `{case.what.log}` for this room", ok=None)
                return case.proof(
                    "cannot-tell", "the agent is in the room, but the server did not write that it sent it"
                )
            return _absent(case, heard, assigned, api_why, seconds=(now - begun_ns) / SECOND)
        case.pause(active_at + settle if there else 0)
    seconds = (active_at - begun_ns) / SECOND
    _found(case, heard, assigned, active_at, seconds)
    return case.proof("holds", f"the agent is ACTIVE in the room after {seconds:.1f} s, and stayed")


def _assigned(case: Joining, heard: Heard, room: str, begun_ns: int) -> Said | None:
    lines = heard.of("assigned", begun_ns)
    return next((s for s in lines if (not room or s.room == room) and (s.name or "") == case.agent), None)


def _refusals(case: Joining, heard: Heard, room: str, since_ns: int) -> list[Said]:
    """Lines that count against it: of this agent's name, of its own type, of this room where both name one."""
    lines = (*heard.of("request-failed", since_ns), *heard.of("not-dispatching", since_ns))
    own = (s for s in lines if (s.name or "") == case.agent and s.type in {case.type or "JT_ROOM", ""})
    return [s for s in own if not s.room or not room or s.room == room]


def _refused(case: Joining, refused: list[Said]) -> Proof:
    case.add("assignment", refused[0].text, ok=False)
    says = f"the server refuses {quote(case.agent)} still: {len(refused)} lines of its own type since"
    return case.proof("refuted", says)


def _there(case: Joining, room: str) -> tuple[bool, str]:
    """Whether the agent is ACTIVE in the room, and why that cannot be told."""
    try:
        api = case.world.api((room,))
    except FletcherError as problem:
        return False, str(problem)
    found = next((one for one in api.rooms if one.name == room), None)
    return found is not None and _active(found, case.agent), ""


def _active(room: ApiRoom, agent: str) -> bool:
    agents = [p for p in room.participants or () if p.agent and p.state == "ACTIVE"]
    named = [p for p in agents if p.agent_name]
    return any(p.agent_name == agent for p in named) if named and agent else bool(agents)


def _absent(case: Joining, heard: Heard, assigned: Said | None, api_why: str, *, seconds: float) -> Proof:
    """Nobody came in time: refuted where it would have been seen, else it cannot be told."""
    if case.stopped:
        return case.proof("refuted", "it was cancelled while the agent was waited for")
    if assigned is not None:
        case.add("assignment", assigned.text, ok=True)
    if api_why:
        case.add("agent", f"the LiveKit API does not tell who is in the room: {api_why}", ok=None)
        return case.proof("cannot-tell", "whether the agent is in the room cannot be seen")
    if not case.what.canary or case.type not in {"JT_ROOM", ""}:
        case.add("agent", f"nobody's agent became ACTIVE within {seconds:.0f} s; nobody may have joined", ok=None)
        return case.proof("cannot-tell" if assigned is None else "refuted", "no agent came into the room in that time")
    if not case.type and assigned is None:
        says = (
            f"no agent became ACTIVE within {seconds:.0f} s, and whether the worker starts in such a room is not known"
        )
        case.add("agent", says, ok=None)
        return case.proof(
            "cannot-tell", "neither log shows the new worker, and no agent came into the room made for it"
        )
    if assigned is None and not heard.blind:
        case.add("assignment", f"the server assigned no job to {quote(case.agent)} in {seconds:.0f} s", ok=False)
    case.add("agent", f"no agent became ACTIVE in the room within {seconds:.0f} s", ok=False)
    return case.proof("refuted", "the agent does not join a new room")


def _found(case: Joining, heard: Heard, assigned: Said | None, at_ns: int, seconds: float) -> None:
    since = hear(case.world, "livekit", case.since_ns)
    refused = _refusals(case, since, "", case.since_ns)
    when = ", all before its room was made" if refused else ""
    says = f"{len(refused)} lines since the step that refuse {quote(case.agent)} for its own job type{when}"
    case.add("forbidden lines", says, ok=None if since.blind else True)
    if assigned is not None:
        case.add("assignment", assigned.text, ok=True)
    else:
        why = heard.blind or "it did not show it"
        case.add("assignment", f"the server's log does not tell ({why}); the API does", ok=None)
    case.add("agent", f"the agent was ACTIVE after {seconds:.1f} s", ok=True, at_ns=at_ns)
    noise = sum(s.type not in {case.type or "JT_ROOM", ""} for s in since.of("not-dispatching"))
    if noise:
        says = f"{noise} lines `not dispatching …` of other job types will go on: the server tries all three types"
        case.add("harmless", says, ok=True)


# --- what stays as it was ------------------------------------------------------------------------


def _besides(case: Joining, proof: Proof) -> Proof:
    """What stays as it was although the fix holds: tokens that were handed out, and the room of the complaint."""
    plan = case.run.plan
    if plan is not None and plan.remedy in {"auto-dispatch", "explicit-dispatch"}:
        says = "tokens that were issued before keep the dispatch that they were made with until they expire"
        case.add("earlier tokens", says, ok=None)
    if case.room and case.what.canary:
        case.add("own room", *_own(case, case.room))
    return Proof(result=proof.result, points=tuple(case.points), says=proof.says)


def _own(case: Joining, room: str) -> tuple[str, bool | None]:
    """How it stands with the room of the complaint, in a sentence, and whether its agent is there."""
    try:
        found = next((one for one in case.world.api((room,)).rooms if one.name == room), None)
    except FletcherError as problem:
        return f"room {quote(room)} was not looked at again: {problem}", None
    people = sum(not p.agent for p in found.participants or ()) if found is not None else 0
    if found is None or not people:
        return f"room {quote(room)} is over; its next session is a new room", True
    if _active(found, case.agent):
        return f"room {quote(room)} has its agent now", True
    says = f"room {quote(room)} is still open without an agent ({people} inside), since agents are asked for when a room is made"
    return f"{says}: {ways_out(room, case.agent)}", None
