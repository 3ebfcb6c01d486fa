"""Times as people give them: a moment, a time of day, a duration back → epoch seconds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bot.errors import UsageError
from bot.livekit.forms import epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.livekit.lines import Tally

_DURATION: Final = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?"
)


def moment(text: str, tallies: Sequence[Tally], flag: str, now: float | None) -> float:
    """A time, or a duration back from now or else from the last record → epoch seconds. Raises UsageError."""
    text = text.strip()
    last = now if now is not None else max((t.last for t in tallies if t.last is not None), default=None)
    zone = next((t.zone for t in tallies if t.zone is not None), 0) or 0
    m = _DURATION.fullmatch(text)
    if m and any(m.groups()):
        if last is None:
            raise UsageError(f"{flag} {text}: no record has a time to count back from")
        days, hours, minutes, seconds, millis = (float(g or 0) for g in m.groups())
        return last - (days * 86400 + hours * 3600 + minutes * 60 + seconds + millis / 1000)
    candidate = text.replace("t", "T", 1)
    if re.fullmatch(r"\d\d:\d\d(:\d\d(\.\d+)?)?", candidate):
        if last is None:
            raise UsageError(f"{flag} {text}: no record has a date to go with this time")
        import time

        day = time.strftime("%Y-%m-%d", time.gmtime(last + zone * 60))
        candidate = f"{day}T{candidate}"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", candidate):
        candidate += "T00:00:00"
    if re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", candidate):
        candidate += ":00"
    found = (
        epoch(candidate.encode())
        if re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?\s?(Z|UTC|[+-]\d\d:?\d\d)?", candidate)
        else None
    )
    if found is None:
        raise UsageError(
            f"{flag} {text}: expected a time (2026-11-23T02:46:11Z, 02:46) or a duration back from the last record, live from now (15m, 1h30m)"
        )
    at, own_zone = found
    return at if own_zone is not None else at - zone * 60
