"""Everything seen → the names at play: which workers have, which are asked for, and under which rooms were served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.livekit.roster import workers_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.livekit.seen import Seen
    from bot.livekit.story import Room


@dataclass(frozen=True, slots=True)
class Names:
    """Agent names; "" is a worker without one (automatic dispatch).

    `running` are of the workers that are there now, `written` of those in the source, `asked` of every dispatch that was
    seen or is written, `served` those under which a room got an agent. `whole` says that the server's log goes back to
    its start: without that, rooms that were served before are not among them.
    """

    running: tuple[str, ...]
    written: tuple[str, ...]
    asked: tuple[str, ...]
    served: tuple[str, ...]
    whole: bool

    @property
    def known(self) -> tuple[str, ...]:
        """Every name there is, "" left out."""
        return tuple(sorted({*self.running, *self.written, *self.asked, *self.served} - {""}))


def names(seen: Seen) -> Names:
    """The names at play; pure."""
    running = {row.name for row in workers_now(seen) if row.there and row.name is not None}
    written = {w.agent_name for w in seen.setup.workers if w.agent_name is not None}
    asked, served = set(_asked(seen)), set(_served(seen))
    whole = bool(seen.story.starts) and not seen.partial
    return Names(_sorted(running), _sorted(written), _sorted(asked), _sorted(served), whole)


def _sorted(found: set[str]) -> tuple[str, ...]:
    return tuple(sorted(found))


def _asked(seen: Seen) -> Iterator[str]:
    for token in seen.tokens:
        yield from (name for name, _ in token.agents or ())
        for call in token.calls:
            yield from (name for name, _ in call.agents or ())
    yield from (d.agent_name for d in seen.setup.dispatchers if d.agent_name)
    for server in seen.setup.server:
        yield from (d.agent_name for d in server.presets if d.agent_name)
    for room in seen.story.rooms.values():
        yield from (name for name, _ in room.asked_api or ())
        for join in room.joins:
            yield from (name for name, _ in join.asked or ())
        yield from (silent[0] for silent in room.silent if silent[0])
        yield from (job.name for job in room.jobs)
    for refused in (*seen.story.refusals, *seen.story.silent):
        if refused.name:
            yield refused.name
    for room_now in seen.api.rooms if seen.api is not None else ():
        yield from (dispatch.agent_name for dispatch in room_now.dispatches or ())


def _served(seen: Seen) -> Iterator[str]:
    for room in seen.story.rooms.values():
        if _came(room):
            yield from (job.name for job in room.jobs)
    for room_now in seen.api.rooms if seen.api is not None else ():
        active = [p for p in room_now.participants or () if p.agent and p.state == "ACTIVE"]
        yield from (p.agent_name for p in active if p.agent_name)
        if active and not any(p.agent_name for p in active):
            yield from (d.agent_name for d in room_now.dispatches or () if d.jobs)


def _came(room: Room) -> bool:
    """Whether an agent came into this room: it became active, or, where its joins are not shown, a job was assigned."""
    joins = [join for join in room.joins if join.agent]
    return any(join.active is not None for join in joins) if joins else bool(room.jobs) and not room.refused
