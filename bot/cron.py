"""Cron expressions as cron itself reads them: five fields, Monday is 1, Sunday is 0 and 7.

A field may be a star, a number or name, a range, a list of these, and a star or a range with a step. Where the day of the
month and the day of the week are both restricted, a day that is either will do; a field that begins with a star restricts
nothing. What is wrong with a text is the end of a sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONGEST_MONTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ENTRY: Final = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?P<step>/(?P<by>\d{1,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _Field("day of the week", 0, 7, WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """When it comes: the values of each field, in their order; `weekdays` are 0 (Sunday) to 6.

    With `either` a day of one of both kinds will do.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either: bool


def cron(text: str) -> Cron | str:
    """What an expression says, or what is wrong with it."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        named = " (write what @daily and its like mean in five fields)" if text.startswith("@") else ""
        return f"must be five fields: minute, hour, day of the month, month, day of the week, such as `30 2 * * mon`{named}"
    found: list[tuple[int, ...]] = []
    for field, written in zip(_FIELDS, fields, strict=True):
        values: set[int] = set()
        for entry in written.split(","):
            more = _entry(field, entry)
            if isinstance(more, str):
                return more
            values.update(more)
        found.append(tuple(sorted(values)))
    minutes, hours, days, months, weekdays = found
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    if not either and min(days) > max(_LONGEST_MONTHS[month - 1] for month in months):
        return f"never comes: no month in it has a day {min(days)}"
    return Cron(minutes, hours, days, months, tuple(sorted({day % 7 for day in weekdays})), either)


def _entry(field: _Field, written: str) -> range | str:
    """The values of one entry of a list, or what is wrong with it."""
    parts = _ENTRY.fullmatch(written)
    if parts is None:
        return f"has `{written[:20]}` for the {field.name}, which is no number, range such as 1-5, list, `*` or step such as */5"
    step = int(parts["by"]) if parts["step"] else 1
    if step == 0:
        return f"has `{written[:20]}` for the {field.name}: a step is at least 1"
    if parts["first"] == "*":
        if parts["last"]:
            return f"has `{written[:20]}` for the {field.name}: a range has two ends, and `*` is none"
        return range(field.least, (6 if field.most == 7 else field.most) + 1, step)
    first, last = _value(field, parts["first"]), _value(field, parts["last"]) if parts["last"] else None
    for value in (first, last):
        if isinstance(value, str):
            return value
    assert isinstance(first, int)  # noqa: S101
    if last is None:
        if parts["step"]:
            return f"has `{written[:20]}` for the {field.name}: a step needs a range before it, such as {first}-{field.most}/{step}"
        return range(first, first + 1)
    assert isinstance(last, int)  # noqa: S101
    if field.names is WEEKDAYS and last == 0 < first and not parts["last"].isdigit():
        last = 7  # to Sunday, which ends a week as well as it begins one
    if last < first:
        return f"has `{written[:20]}` for the {field.name}, which ends before it begins; write two ranges with a comma"
    return range(first, last + 1, step)


def _value(field: _Field, word: str) -> int | str:
    if word.isdigit() and len(word) <= 4:
        number = int(word)
        if field.least <= number <= field.most:
            return number
        return f"has {number} for the {field.name}, which goes from {field.least} to {field.most}"
    if word.lower() in field.names:
        return field.names.index(word.lower()) + (1 if field.names is MONTHS else 0)
    known = f" or a name such as {field.names[1]}" if field.names else ""
    return f"has `{word[:20]}` for the {field.name}, which is a number from {field.least} to {field.most}{known}"
