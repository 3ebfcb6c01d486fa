"""Spans of time and how often something may happen in one, as people write them in runbooks and in fletcher.toml.

What is wrong with a text is the end of a sentence.
"""

from __future__ import annotations

import re
from typing import Final

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(?:\d{1,6}(?:ms|[smhd]))+")
_PART: Final = re.compile(r"(\d+)(ms|[smhd])")


def duration(text: str) -> float | str:
    """Seconds of `10s`, `5m` or `1h30m`, or what is wrong with the text."""
    if _DURATION.fullmatch(text):
        parts = _PART.findall(text)
        units = [unit for _, unit in parts]
        if len(units) == len(set(units)):
            return sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return (
            f"`{text}` has no unit; write {text}s, {text}m or {text}h" if "." not in text else f"`{text}` has no unit"
        )
    unit = re.fullmatch(r"[\d.]+\s*([A-Za-z]+)", text)
    if unit and unit[1] not in _SECONDS:
        return f"has an unknown unit `{unit[1]}`; the units are ms, s, m, h and d"
    return f"`{text}` is no duration such as 10s, 5m or 1h30m"


def often(text: str) -> tuple[int, float] | str:
    """How many times in how many seconds `3/1h` is, or what is wrong with the text."""
    times, slash, span = text.partition("/")
    within = duration(span) if slash else ""
    if not re.fullmatch(r"[1-9]\d{0,5}", times) or isinstance(within, str):
        return f"`{text}` is no limit such as 3/1h"
    return int(times), within


def spoken(seconds: float) -> str:
    """A duration as a person writes it."""
    left, parts = round(seconds * 1000), []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
