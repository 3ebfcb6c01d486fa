"""The containers of server and worker, as the engine tells them: what they add to the verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from bot.livekit.seen import Cite, Verdict

if TYPE_CHECKING:
    from bot.livekit.case import Case
    from bot.livekit.seen import Machine
    from bot.livekit.story import Room

#: Causes that a worker's container which does not run explains further.
_GONE: Final = frozenset(
    {"no-worker", "worker-died", "worker-auth", "worker-unreachable", "worker-refused", "init-crash"}
)
#: What Docker's words for a state mean to a reader who has not started the container.
_WORDS: Final = {"created": "created but not started", "removing": "being removed"}
_MANY: Final = 3  # restarts that are no accident
_SHORT: Final = 30.0  # seconds that a life lasts in a loop of crashes


def idle(case: Case, since: float | None = None) -> tuple[Machine, ...]:
    """The worker's containers, if there are any, none of them runs, and no worker is known to run elsewhere.

    With `since`: only if none of them can have worked just after that time either.
    """
    agents = tuple(m for m in case.seen.machines if m.role == "agent")
    if any(m.state == "running" or _ran(m, since) for m in agents) or case.seen.endpoints:
        return ()
    now = case.pool.live
    return () if not agents or (now is not None and case.pool.at(now)) else agents


def _ran(m: Machine, since: float | None) -> bool:
    """Whether this container may have served after that time: it ended later, and not in a loop of short lives."""
    if since is None:
        return False
    if m.finished is None or m.state == "paused":
        return m.state == "paused"
    looping = m.restarts >= _MANY and m.started is not None and m.finished - m.started < _SHORT
    return m.finished > since and not looping


def cites(found: tuple[Machine, ...]) -> list[Cite]:
    """Each container as evidence."""
    return [Cite(f"the worker's container {m.name} is {state_of(m)}", place=m.place) for m in found]


def told(found: tuple[Machine, ...]) -> str:
    """Which containers do not run, and how they ended."""
    return ", ".join(f"container {m.name} is {state_of(m)}" for m in found)


class Told(Protocol):
    """What the engine says of how a container is."""

    @property
    def state(self) -> str: ...
    @property
    def health(self) -> str: ...
    @property
    def exit_code(self) -> int: ...
    @property
    def oom_killed(self) -> bool: ...
    @property
    def restarts(self) -> int: ...


def state_of(container: Told) -> str:
    """How a container is, to go on after "is": `exited (exit code 137, out of memory, 4 restarts)`, `running (unhealthy)`.

    An exit code is told of one that has ended, and Docker's word on its health of one that runs.
    """
    ended = container.state in {"exited", "dead", "restarting"}
    parts = [
        container.health if container.state == "running" else "",
        f"exit code {container.exit_code}" if ended else "",
        "out of memory" if container.oom_killed else "",
        f"{container.restarts} restart{'s' * (container.restarts != 1)}" if container.restarts else "",
    ]
    more = ", ".join(part for part in parts if part)
    state = _WORDS.get(container.state, container.state)
    return f"{state} ({more})" if more else state


def behind(case: Case, row: Verdict, room: Room | None) -> Verdict:
    """The row of a room with what the worker's containers tell: that none ran explains that nobody came."""
    if not case.seen.machines or row.verdict == "healthy":
        return row
    if row.verdict == "cause" and row.cause in _GONE:
        return replace(row, evidence=(*row.evidence, *cites(idle(case))))
    born = room.birth if room is not None and room.seen_born and not room.jobs else None
    if row.verdict != "inconclusive" or row.judged_from is not None or row.agent is None or born is None:
        return row
    found = idle(case, born)
    if not found or case.pool.at(born) or any(m.state == "restarting" for m in found):
        return row
    text = f"No worker ran when the room was born: {told(found)}."
    return replace(
        row,
        verdict="cause",
        cause="no-worker",
        confidence=0.8,
        summary=text,
        evidence=(*row.evidence, *cites(found)),
        missing=(),
    )


def explain(case: Case, rows: list[Verdict]) -> list[Verdict]:
    """Rows of workers that never came, with their containers; one of its own where nothing else is known of them."""
    found = idle(case)
    if not found:
        return rows
    if rows:
        return [replace(r, evidence=(*r.evidence, *cites(found))) if r.cause in _GONE else r for r in rows]
    text = f"No worker runs, so no room can get an agent: {told(found)}."
    return [Verdict(None, None, "cause", "no-worker", 0.85, text, tuple(cites(found)))]


def notes(case: Case) -> list[str]:
    """Servers that do not run, and workers that run but do not stay."""
    out = [
        f"The server's container {m.name} is {state_of(m)}: until it runs, no room can be made and no worker can register."
        for m in case.seen.machines
        if m.role == "livekit" and m.state != "running"
    ]
    out += [
        f"The {'worker' if m.role == 'agent' else 'server'}'s container {m.name} runs, but was restarted {m.restarts} times: its log says why it ended."
        for m in case.seen.machines
        if m.state == "running" and m.restarts >= _MANY
    ]
    return out
