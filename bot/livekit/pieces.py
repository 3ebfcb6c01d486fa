"""The logs of workers, as files held them → one log per worker: a log that was rotated is one log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.livekit.story import WorkerLog

_ORDER: Final = 1.0  # seconds by which the lines of one log may be out of order
_NEVER: Final = float("inf")


def whole(logs: Iterable[WorkerLog]) -> list[WorkerLog]:
    """Join each log that goes on where exactly one other ends; undated ones follow in the order they were given."""
    found: list[WorkerLog] = []
    for log in sorted(logs, key=lambda log: (_begin(log) is None, _begin(log) or 0.0, log.source)):
        before = [earlier for earlier in found if _goes_on(earlier, log)]
        mine = [earlier for earlier in before if earlier.processes & log.processes]
        mine = mine if mine and len(mine) < len(before) else before
        if len(mine) == 1:
            mine[0].extend(log)
        else:
            found.append(log)
    return found


def _goes_on(earlier: WorkerLog, later: WorkerLog) -> bool:
    """Whether this may be the rest of that worker's log: another file, the same form, and none of its time."""
    return (
        not later.fresh
        and earlier.source != later.source
        and earlier.service == later.service
        and (earlier.language == later.language or not (earlier.language and later.language))
        and (_begin(earlier) is None or (earlier.last or 0.0) <= (_begin(later) or _NEVER) + _ORDER)
    )


def _begin(log: WorkerLog) -> float | None:
    return None if log.undated else log.first
