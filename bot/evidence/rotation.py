"""Whether lines of a container's log are gone: a log that rotates gives up its oldest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.evidence.spool import nanoseconds

if TYPE_CHECKING:
    from bot.evidence.containers import Container
    from bot.evidence.docker import Containers


def lost_until(engine: Containers, container: Container, since_ns: int) -> int:
    """Until when (epoch ns) lines from `since_ns` on may be gone; 0 where none is.

    Of a container that was there before, the log must reach back to that moment. One that was started since has all of
    its lines, but for those of a program that fills its log at once. Raises Unreachable as `Engine.log`.
    """
    if not container.log_rotates or int((container.started or 0) * 10**9) >= since_ns:
        return 0
    first = next((nanoseconds(line) for line in engine.log(container)), 0)
    return first if first > since_ns else 0
