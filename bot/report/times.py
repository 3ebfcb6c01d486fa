"""Times as people read them: in the log's own zone with its offset, or in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone


def stamp(at: float | None, zone: int | None, *, date: bool = True) -> str:
    """ISO 8601 to the millisecond with offset; "" for no time. `zone` is the offset in minutes, None for UTC."""
    if at is None:
        return ""
    try:
        when = datetime.fromtimestamp(at, timezone(timedelta(minutes=zone)) if zone else UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    text = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text if date else text[11:]
