"""What is true now, by the API → the verdicts that logs alone left open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bot.livekit import machines, unlogged
from bot.livekit.case import CLOCKS
from bot.livekit.seen import Cite, Missing, Verdict
from bot.livekit.setup import Place
from bot.livekit.words import listed, quote

if TYPE_CHECKING:
    from bot.livekit.case import Case
    from bot.livekit.seen import ApiParticipant, ApiRoom, ApiSeen
    from bot.livekit.story import Room

_LINGERS: Final = 30.0  # seconds for which the agent of a killed worker may still be listed as ACTIVE
#: Causes that an agent in the room does not refute.
_STAYS: Final = frozenset({"competing-worker"})


def refine(case: Case, row: Verdict, room: Room | None = None) -> Verdict:
    """The row of a room after a look at who is in it now; `room` is None when only a worker's log shows it.

    An agent that is there is there, whatever went wrong at first. That none is there any more proves nothing about a
    room that had one, so no other verdict comes of it.
    """
    if row.verdict == "healthy":
        return row
    row = machines.behind(case, row, room)
    found = _alive(case, row, room)
    if found is None:
        return row
    row = replace(row, room=row.room or found.name)  # agents-js tells ids only
    if found.participants is None:
        return row
    agents = [p for p in found.participants if p.agent and _fits(p, row.agent, found, room)]
    active = next((p for p in agents if p.state == "ACTIVE" and not _lingers(case, p, room)), None)
    if active is not None:
        return row if row.cause in _STAYS else _here(row, active, found)
    joining = next((p for p in agents if p.state in {"JOINING", "JOINED"}), None)
    if row.verdict == "cause":
        return row if joining is None else _trying(row, joining, found)
    if joining is not None:
        return unlogged.connecting(case, row, joining, found)
    if row.judged_from is not None:
        return row
    return _nobody_there(case, row, found, room)


def _alive(case: Case, row: Verdict, room: Room | None) -> ApiRoom | None:
    """The living room that this row is about: the same id, or where a log tells none the same name and birth."""
    if row.room_id:
        return case.alive.get(row.room_id)
    found = case.alive.get(f"name:{row.room}")
    if found is None or found.created is None or row.at is None or (room is not None and room.closed):
        return None
    return found if abs(found.created - row.at) <= CLOCKS else None


def _fits(p: ApiParticipant, name: str | None, found: ApiRoom, room: Room | None) -> bool:
    """Whether this is the agent that the row is about: by its job, by its name, or because no other was dispatched."""
    if not name or any(job.name == name and p.identity == f"agent-{job.id}" for job in (room.jobs if room else ())):
        return True
    return unlogged.fits(p, name, found)


def _lingers(case: Case, p: ApiParticipant, room: Room | None) -> bool:
    """Whether its worker went just now, so that the server has not noticed yet that the agent went with it."""
    job = next((j for j in (room.jobs if room else ()) if p.identity == f"agent-{j.id}"), None)
    worker = case.story.workers.get(job.worker) if job else None
    now = case.pool.live
    return worker is not None and worker.gone is not None and (now is None or now - worker.gone < _LINGERS)


def _here(row: Verdict, p: ApiParticipant, found: ApiRoom) -> Verdict:
    name = p.agent_name or row.agent
    who = f"Agent {quote(name)}" if name else f"The agent {p.identity}"
    text = f"{who} is active in the room now, by the API."
    if row.verdict == "cause":
        text += f" At first none came ({row.cause}): {row.summary}"
    cite = Cite("its agent is active in the room", place=found.place)
    return replace(
        row, verdict="healthy", cause=None, confidence=0.9, summary=text, evidence=(cite, *row.evidence), missing=(),
        agent=name, judged_from=None,
    )  # fmt: skip


def _trying(row: Verdict, p: ApiParticipant, found: ApiRoom) -> Verdict:
    cite = Cite(f"an agent is {p.state}, not ACTIVE", place=found.place)
    text = f"{row.summary} By the API an agent is in the room meanwhile, {p.state} and not active yet."
    return replace(row, summary=text, evidence=(*row.evidence, cite))


def _nobody_there(case: Case, row: Verdict, found: ApiRoom, room: Room | None) -> Verdict:
    """No agent is there: that decides only where no log shows what the room asked for, and the API does."""
    cite = Cite("no agent is in the room", place=found.place)
    if room is None or not room.seen_born:
        told = unlogged.judge(case, found)
        if told.verdict == "cause":
            return replace(told, evidence=(*told.evidence, *row.evidence), story=row.story)
    now = case.pool.live
    if room is None and now is not None and row.at is not None and now - row.at < case.job_limit:
        return replace(row, evidence=(cite, *row.evidence), judged_from=row.at + case.job_limit)
    return replace(row, summary=f"{row.summary} By the API no agent is in it now.", evidence=(cite, *row.evidence))


def absent(case: Case, row: Verdict) -> Verdict:
    """A room that was asked for and that neither a log nor the API shows."""
    api = case.seen.api
    if api is None or row.verdict != "inconclusive":
        return row
    text = f"{row.summary} By the API it is not alive now: it has ended, or it was never made."
    return replace(row, summary=text, evidence=(*row.evidence, _listed(api)))


def _listed(api: ApiSeen) -> Cite:
    names = ", ".join(r.name for r in api.rooms[:5]) + (" …" if len(api.rooms) > 5 else "")
    place = Place(f"LiveKit API {api.url}", 1, f"ListRooms: {len(api.rooms)} room(s){': ' if names else ''}{names}")
    return Cite("the rooms that are alive", place=place)


def nothing(case: Case, quiet: Missing | None) -> Verdict:
    """A live look that shows no room at all: who waits, and how to get an answer."""
    api, now = case.seen.api, case.pool.live
    names = set(unlogged.workers(case, now) or {})
    who = f"the worker that is there: {listed(sorted(names))}" if names else "no worker is known"
    none = "and none is alive" if api is not None else "as far as can be seen"
    text = f"No room was made in the time looked at {none} ({who}), so there is nothing to judge: join a room and ask again."
    if now is None:
        text = "The server does not run, and no room is shown: start it, join a room and ask again."
    lack = quiet or Missing("a room", "whether it gets its agent: join one, then ask again")
    evidence = (_listed(api),) if api is not None else ()
    return Verdict(None, None, "inconclusive", None, 0.0, text, evidence, (lack,))


def notes(case: Case) -> list[str]:
    """What the API did not tell, and what LiveKit Cloud tells nobody."""
    api, seen = case.seen.api, case.seen
    if api is None:
        return []
    out = [f"The API did not tell everything: {'; '.join(api.unread[:5])}."] if api.unread else []
    unlooked = sum(r.participants is None and r.dispatches is None for r in api.rooms)
    if unlooked and not seen.rooms and not api.unread:
        out.append(f"{unlooked} more room(s) are alive that were not looked into: name one with --room.")
    if api.cloud:
        by = [
            "the API",
            *(["the agent's log"] if seen.story.logs else []),
            *(["the source"] if seen.setup.workers else []),
        ]
        out.append(
            f"LiveKit Cloud keeps its server log to itself; this answer is by {', '.join(by)}. Give the agent's log (--agent-log) and the source (--project) for more; "
            "why a dispatch found no worker, only LiveKit's support can say: ask with the room's id and the time."
        )
    return out
