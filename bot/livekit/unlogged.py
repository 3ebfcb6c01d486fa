"""Living rooms that no log shows: what the API, the worker's own words and the source make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bot.livekit import machines, nobody, rest
from bot.livekit.marks import own
from bot.livekit.seen import Cite, Missing, Verdict
from bot.livekit.story import Room
from bot.livekit.versions import ICE_LIMIT, MATURE
from bot.livekit.words import ago, hint, listed, quote

if TYPE_CHECKING:
    from bot.livekit.case import Case
    from bot.livekit.seen import ApiDispatch, ApiParticipant, ApiRoom, Token
    from bot.livekit.story import Worker

#: Seconds after a room's birth within which a join may be the one that made it.
_MAKES: Final = 2.0
_SETTLES: Final = Missing(
    "server log of the time when the room was made, at info level",
    "`not dispatching …`, `failed to send job request` or `assigned job to worker` for this room",
)


def rooms(case: Case, have: set[str | None]) -> list[Verdict]:
    """A row for each living room that was looked into, or asked for, and that no log shows (`have`: shown by a worker's)."""
    seen = case.seen
    known = {r.id for r in case.story.rooms.values() if r.id} | have
    loose = {r.name for r in case.story.rooms.values() if not r.id}
    out = []
    for found in seen.api.rooms if seen.api else ():
        if own(found.name, seen.rooms):
            continue
        asked = found.name in seen.rooms or found.id in seen.rooms
        if found.id in known or found.name in loose or not (asked if seen.rooms else found.participants is not None):
            continue
        out.append(judge(case, found))
    return out


def judge(case: Case, found: ApiRoom) -> Verdict:
    """The verdict over one living room, by everything but a server's log."""
    room = Room(found.name, found.id, len(case.pool.group))
    room.birth = room.first = found.created
    token = next((t for t in case.seen.tokens if t.room == found.name), None)
    here = Cite("the room, by the API", place=found.place)
    if found.participants is None:
        lack = Missing("the API's ListParticipants", "whether an agent is in the room")
        return case.open(room, "The room is alive; who is in it, the API did not tell.", [lack, _SETTLES], [here])
    agents = [p for p in found.participants if p.agent]
    named = [d for d in found.dispatches or () if d.agent_name]
    wanted = dict.fromkeys([*(d.agent_name for d in named), *(n for n, _ in (token.agents if token else ()) if n)])
    lacking = [n for n in wanted if not any(p.state == "ACTIVE" and fits(p, n, found) for p in agents)]
    active = [p for p in agents if p.state == "ACTIVE"]
    if active and not lacking:
        name = next(iter(wanted), active[0].agent_name)
        text = f"{f'Agent {quote(name)}' if name else f'The agent {active[0].identity}'} is active in the room now, by the API."
        cite = Cite("its agent is active in the room", place=found.place)
        return Verdict(found.name, found.id, "healthy", None, 0.9, text, (cite,), (), name, found.created)
    joining = [p for p in agents if p.state in {"JOINING", "JOINED"} and (not lacking or fits(p, lacking[0], found))]
    if joining:
        row = case.open(room, "", [_SETTLES], agent=next(iter(lacking), None))
        return connecting(case, row, joining[0], found)
    if found.dispatches is None:
        lack = Missing("the API's ListDispatch", "which agents the room asked for")
        who = "An agent is in the room, of which no name is told" if agents else "No agent is in the room"
        return case.open(room, f"{who}; what the room asked for, the API did not tell.", [lack, _SETTLES], [here])
    if not lacking:
        return _nothing_asked(case, room, found, token)
    dispatch = next((d for d in named if d.agent_name == lacking[0]), None)
    if dispatch is None:
        return _ignored(case, room, found, token, lacking[0])
    return _waits(case, room, found, dispatch)


def fits(p: ApiParticipant, name: str, found: ApiRoom) -> bool:
    """Whether this agent has that name; before 1.9.2 servers do not tell names, then nobody else may be dispatched."""
    if p.agent_name:
        return p.agent_name == name
    return bool(found.dispatches) and all(d.agent_name == name for d in found.dispatches or ())


def connecting(case: Case, row: Verdict, p: ApiParticipant, found: ApiRoom) -> Verdict:
    """The agent is in the room and not active: still connecting, or its media never will."""
    now, name = case.pool.live, p.agent_name or row.agent
    since = now - p.joined if now is not None and p.joined is not None else None
    who = f"Agent {quote(name)}" if name else f"The agent {p.identity}"
    cite = Cite(f"its agent is {p.state}, not ACTIVE", place=found.place)
    until = None
    if since is None or since > ICE_LIMIT:
        long = f"for {since:.0f} s " if since is not None else ""
        text = f"{who} has been in the room {long}and is not active: its media does not seem to connect (ICE)."
    else:
        text, until = f"{who} is just joining: its media may still connect.", (p.joined or 0.0) + ICE_LIMIT
    lack = Missing("server log", "whether `participant active` or `removing participant without connection` follows")
    missing = (lack, *(m for m in row.missing if m.source != lack.source))
    return replace(row, summary=text, evidence=(cite, *row.evidence), missing=missing, judged_from=until)


def workers(case: Case, at: float | None) -> dict[str, Cite] | None:
    """The names of the workers there are; None when one is there whose name nothing tells."""
    out = rest.worker_names(case.seen)
    for w in _registered(case, at):
        if w.name is None:
            return None
        out.setdefault(w.name, Cite(f"the worker registers as {quote(w.name)}", w.mark if w.mark >= 0 else w.ours_mark))
    nameless = any(log.workers and not log.names for log in case.story.logs.values())
    return None if nameless and not out else out


def _registered(case: Case, at: float | None) -> list[Worker]:
    """The workers that a server's log shows and that had not gone by then; of one that came later it may not show all."""
    return [w for w in case.pool.registered if at is None or w.gone is None or w.gone > at]


def _young(case: Case, room: Room, here: Cite, since: float | None, limit: float, agent: str | None) -> Verdict | None:
    now = case.pool.live
    if now is None or since is None or now - since >= limit:
        return None
    text = "The room is too young to say that an agent is missing."
    lack = Missing("another look", f"whether an agent comes within {limit:g} s")
    return case.open(room, text, [lack], [here], agent=agent, judged_from=since + limit)


def _waits(case: Case, room: Room, found: ApiRoom, dispatch: ApiDispatch) -> Verdict:
    """A dispatch is there, its agent is not: by who could have taken it."""
    name, since = dispatch.agent_name, dispatch.created or found.created
    here = Cite(f"the room waits for {quote(name)}, and no such agent is in it", place=found.place)
    young = _young(case, room, here, since, MATURE, name)
    if young is not None:
        return young
    if dispatch.jobs:
        return _taken(case, room, here, dispatch)
    idle = machines.idle(case, since)
    if idle:
        text = f"The room waits for {quote(name)}, and no worker runs: {machines.told(idle)}."
        return case.verdict(
            room, "no-worker", 0.8, text, [here, *machines.cites(idle)], agent=name, missing=(_SETTLES,)
        )
    names = workers(case, since)
    failed = _never_registered(case, name)
    if failed is not None and all(w.name != name for w in _registered(case, since)):
        return case.verdict(room, failed[0], 0.75, failed[1], [here, *failed[2]], agent=name, missing=(_SETTLES,))
    if not names:
        lack = Missing("the agent's log, or its GET /worker", "whether a worker is registered, and under which name")
        text = f"The room waits for {quote(name)}, and no agent of that name is in it; which workers there are is not known."
        return case.open(room, text, [lack, _SETTLES], [here], agent=name)
    if name not in names:
        return _other_names(case, room, here, name, names)
    young = _young(case, room, here, since, case.job_limit, name)
    if young is not None:
        return young
    error = f" Its job says: {dispatch.errors[-1][:160]}." if dispatch.errors else ""
    text = (
        f"The room waits for {quote(name)}, a worker has that name, and no agent came in {ago(case.job_limit)}.{error}"
    )
    return case.open(room, text, [_SETTLES], [here, names[name]], agent=name)


def _taken(case: Case, room: Room, here: Cite, dispatch: ApiDispatch) -> Verdict:
    """A worker took the job: its agent is still starting, never started, or has left; a job that is listed tells none of it."""
    name = dispatch.agent_name
    young = _young(case, room, here, dispatch.created, case.job_limit, name)
    if young is not None:
        return young
    error = f" The job says: {dispatch.errors[-1][:160]}." if dispatch.errors else ""
    what = f"the job for {quote(name)}" if name else "the job of automatic dispatch"
    text = (
        f"A worker took {what}, and its agent is not in the room: it never started, never joined, or has left.{error}"
    )
    lack = Missing(
        "the agent's log of that time", "whether its process started, what its entry function did, and whether it left"
    )
    return case.open(room, text, [lack, _SETTLES], [here, *machines.cites(machines.idle(case))], agent=name)


def _never_registered(case: Case, name: str) -> tuple[str, str, list[Cite]] | None:
    """What the worker's own log says of why it never registered."""
    logs = list(case.story.logs.values())
    if any(log.workers for log in logs):
        return None
    return next((f for log in logs if (f := nobody.log_failure(case, log, name, None)) is not None), None)


def _other_names(case: Case, room: Room, here: Cite, name: str, names: dict[str, Cite]) -> Verdict:
    """Every worker that is known has another name; others that nothing shows may exist, so this is less sure."""
    live = case.story.logs or case.seen.endpoints or case.seen.has_server_log
    sure = 0.75 if live else 0.6  # a source may not be what runs
    cites = [here, *names.values()]
    lack = (Missing("server log", "that no other worker was registered when the room was made"),)
    if set(names) == {""}:
        text = f"The room waits for {quote(name)}, but the worker that is known has no name, so it only gets rooms that ask for nobody."
        return case.verdict(room, "worker-unnamed", sure, text, cites, agent=name, missing=lack)
    others = sorted(n for n in names if n)
    text = f"The names differ: the room waits for {quote(name)}, the worker that is known is named {listed(others)}.{hint(name, others[0])}"
    return case.verdict(room, "name-mismatch", sure, text, cites, agent=name, missing=lack)


def _ignored(case: Case, room: Room, found: ApiRoom, token: Token | None, name: str) -> Verdict:
    """The token asks for an agent that the room does not wait for: it was made before, by somebody else."""
    here = Cite(f"the room does not wait for {quote(name)}", place=found.place)
    asks = Cite(f"the token asks for {quote(name)}", place=token.place) if token else None
    who = next((p for p in found.participants or () if token and p.identity == token.identity), None)
    young = _young(case, room, here, who.joined if who else found.created, MATURE, name)  # a CreateDispatch may follow
    if young is not None:
        return young
    later = who.joined - found.created if who and who.joined is not None and found.created is not None else None
    if later is not None and later > _MAKES:
        text = f"The room already existed: it was made {ago(later)} before {token.identity if token else ''} joined with a dispatch for {quote(name)}, which a living room ignores."
        return case.verdict(room, "room-already-existed", 0.8, text, [here, asks], agent=name)
    text = f"The token asks for {quote(name)}, and the room does not wait for it: the room existed already when somebody joined with this token, or it was made with another."
    lack = Missing("server log of the time when the room was made", "who made the room, and what that asked for")
    return case.open(room, text, [lack], [here, asks], agent=name)


def _nothing_asked(case: Case, room: Room, found: ApiRoom, token: Token | None) -> Verdict:
    """No dispatch by name: then only a worker without a name could have come."""
    here = Cite("the room waits for no agent by name, and none is in it", place=found.place)
    young = _young(case, room, here, found.created, MATURE, None)
    if young is not None:
        return young
    taken = next((d for d in found.dispatches or () if d.jobs), None)
    if taken is not None:
        return _taken(case, room, here, taken)
    names = workers(case, found.created)
    idle = machines.idle(case, found.created)
    if idle and (not names or "" in names):
        text = f"No agent is in the room, and no worker runs: {machines.told(idle)}."
        return case.verdict(room, "no-worker", 0.7, text, [here, *machines.cites(idle)], missing=(_SETTLES,))
    if not names:
        lack = Missing("the agent's log, or its GET /worker", "whether a worker is registered, and under which name")
        text = "No agent is in the room, and it asked for none by name; which workers there are is not known."
        return case.open(room, text, [lack, _SETTLES], [here])
    if "" in names:
        text = "No agent is in the room, though a worker without a name is known, which every new room asks."
        return case.open(room, text, [_SETTLES], [here, names[""]])
    agent = next(iter(names)) if len(names) == 1 else None
    text = f"Nothing asked for an agent: the worker is named {listed(sorted(names))} and waits to be dispatched by name, and this room has no such dispatch."
    setup = case.seen.setup
    asks_never = (
        bool(setup.token_makers) and not setup.dispatchers and not any(t.dispatches for t in setup.token_makers)
    )
    if token is not None and not token.agents and not any(call.agents for call in token.calls):
        says = Cite("the token asks for no agent", place=token.place)
        return case.verdict(room, "dispatch-missing", 0.85, text, [here, says, *names.values()], agent=agent)
    if asks_never and case.expected(room):
        says = Cite("the token is made without a dispatch", place=setup.token_makers[0].place)
        return case.verdict(room, "dispatch-missing", 0.75, text, [here, says, *names.values()], agent=agent)
    if not case.expected(room):
        text = "Nobody asked for an agent in this room, and none came; it may be meant to have none. If one was meant to come here, its dispatch is missing."
        lack = Missing(
            "whoever makes this room", "whether an agent was meant to come (ask again with --room to have it judged)"
        )
        return case.open(room, text, [lack], [here])
    text += " Either nobody asks for it, or the room existed already when somebody joined who does."
    lack = Missing(
        "the token of the first join (--token)",
        "whether it asks for the agent (room-already-existed) or not (dispatch-missing)",
    )
    return case.open(room, text, [lack, _SETTLES], [here, *names.values()], agent=agent)
