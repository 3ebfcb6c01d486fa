"""Everything seen → how many workers, rooms and sessions a change would touch; what is not known is None."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.livekit.roster import workers_now
from bot.livekit.versions import parts

if TYPE_CHECKING:
    from collections.abc import Collection

    from bot.livekit.seen import ApiRoom, Seen

NOW, LOG = "by the API, now", "by the log, at its end"


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of some agents: their rooms, the people in them, and `by` what they were counted; None: not known."""

    rooms: int | None
    people: int | None
    by: str


def sessions(seen: Seen, agents: Collection[str] | None) -> Sessions:
    """The rooms in which one of these agents is now; with None those of every agent. A log tells of its own end only."""
    if seen.api is None or any(room.participants is None for room in seen.api.rooms):
        return Sessions(None, None, "nothing told who is in the rooms now")
    found = [room for room in seen.api.rooms if agents is None or any(_has(room, agent) for agent in agents)]
    people = sum(not p.agent for room in found for p in room.participants or ())
    return Sessions(len(found), people, NOW)


def _has(room: ApiRoom, agent: str) -> bool:
    agents = [p for p in room.participants or () if p.agent]
    if any(p.agent_name for p in agents):
        return any(p.agent_name == agent for p in agents)
    # Servers before 1.9.2 do not say which agent it is: then its dispatch does.
    asked = [d.agent_name for d in room.dispatches or ()]
    return bool(agents) and (agent in asked or not asked)


def live_workers(seen: Seen, agent: str) -> int | None:
    """The workers of this name that are there; None when nothing shows one."""
    found = sum(row.there and row.name == agent for row in workers_now(seen))
    return found or None


def open_rooms(seen: Seen) -> tuple[int | None, str]:
    """The rooms that are open, and by what they were counted."""
    if seen.api is not None:
        return len(seen.api.rooms), NOW
    if seen.has_server_log and not seen.partial:
        return sum(room.closed is None for room in seen.story.rooms.values()), LOG
    return None, "no server log and no API told"


def server_version(seen: Seen) -> tuple[int, ...]:
    """The version that the server logged last when it started; () when it is not shown."""
    starts = [start for start in seen.story.starts if start[2]]
    return parts(starts[-1][2]) if starts else ()


def hosted_on_cloud(seen: Seen) -> bool:
    """Whether LiveKit Cloud hosts a worker: its token is among the settings, or it says so itself in a warning."""
    by_token = any(setting.name == "LIVEKIT_WORKER_TOKEN" and setting.value for setting in seen.setup.env)
    return by_token or any(log.cloud >= 0 for log in seen.story.logs.values())


def on_cloud(seen: Seen) -> bool:
    """Whether the server is LiveKit Cloud's, whose log nobody else can read."""
    urls = (setting.value for setting in seen.setup.env if setting.name == "LIVEKIT_URL")
    return (seen.api is not None and seen.api.cloud) or any(".livekit.cloud" in url for url in urls)
