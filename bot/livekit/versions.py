"""Thresholds, times and traps that differ between versions of the server and of the SDKs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bot.livekit.setup import Package

#: Seconds after a room's birth before absence means anything: a cold name lookup takes 5.0 s.
MATURE: Final = 7.0
#: Seconds that a job may take from assignment to the agent's session in the room, without a longer process limit.
JOB_MATURE: Final = 10.0
#: Seconds more that a job gets when it is looked at while it runs: a slow start still ends well, a wrong verdict stays.
LIVE_GRACE: Final = 15.0
#: Seconds until the server removes a participant whose media never connects.
ICE_LIMIT: Final = 15.0
#: Seconds after a room's birth within which a worker that registers was merely late; later, it was not there.
LATE: Final = 120.0
#: Seconds for which a server still believes in a name after its last worker went.
CHECK_CACHE: Final = 60.0
#: Seconds after which the latest answer to a job request comes (3.0) and some slack on a busy machine.
REQUEST_LIMIT: Final = 4.5

#: The first SDK of each language whose own load figure respects a container's limits (agents-js#1099).
OWN_LOAD: Final[dict[Package, tuple[int, ...]]] = {"@livekit/agents": (1, 0, 49), "livekit-agents": (0, 11)}
#: Levels from which on a server does not write the lines that decide, which are of level info.
QUIET: Final = frozenset({"warn", "warning", "error", "fatal", "panic", "dpanic"})

#: The first server that tells when a worker of a new kind registers.
TELLS_WORKERS: Final = (1, 6)


def parts(version: str) -> tuple[int, ...]:
    """`1.13.5` → (1, 13, 5); () for a text that begins with no number."""
    m = re.match(r"v?(\d{1,4}(?:\.\d{1,6})*)", version.strip())
    return tuple(int(p) for p in m[1].split(".")) if m else ()


def refuses_from(server: str, target_load: float | None = None) -> float | None:
    """The reported load from which on this server refuses a worker; None when it does not look at the load.

    Source: livekit pkg/service/agentservice.go and pkg/agent/config.go of the tags 1.7.0 to 1.13.5.
    """
    v = parts(server)
    if not v:
        return None
    if v <= (1, 7, 0):
        return None
    if v < (1, 8):
        return 1.0
    if v < (1, 9):
        return 0.65
    if v < (1, 11):
        return 1.0
    return target_load if target_load is not None else 0.7
