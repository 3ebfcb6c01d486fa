"""Assignments of a `.env` file: set where they stand, added at the end, or removed with their lines."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.livekit.setup import Unread
from bot.source.dotenv import REFERENCE, assignments
from bot.source.edit import Edited, RefusedError
from bot.source.lines import first_change
from bot.source.text import source_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.source.dotenv import Assignment

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]*", re.ASCII)
_ODD = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


@dataclass
class _File:
    """A file's lines without their ends, with the bytes that are no UTF-8 kept as they are."""

    lines: list[str]
    ends: list[str]

    @property
    def text(self) -> str:
        return "".join(line + end for line, end in zip(self.lines, self.ends, strict=True))

    @property
    def assignments(self) -> list[Assignment]:
        return list(assignments(self.lines))


def assign(raw: bytes, source: str, values: Mapping[str, str | None]) -> Edited:
    """Set variables of a `.env` file, or remove them with None; of a name that is set twice the last one counts.

    Refused is a value that would replace one from outside of the file (`${NAME}`), or that no quotes can hold so that
    every reader reads it alike.
    """
    try:
        start, file = _opened(raw)
        notes: list[str] = []
        for name, value in values.items():
            _assign(file, name, value, notes)
        after = start + file.text.encode("utf-8", "surrogateescape")
        _prove(raw, after, values)
    except RefusedError as refusal:
        return Edited("refused", raw, refusal.reason, refusal.line)
    reason = f"{', '.join(values)} of {source} is as asked for"
    if after == raw:
        return Edited("unchanged", raw, f"{reason} already", notes=tuple(notes))
    return Edited("edit", after, reason, first_change(raw, after), tuple(notes))


def _opened(raw: bytes) -> tuple[bytes, _File]:
    text = source_text("", raw)
    if isinstance(text, Unread) or (text.shift is None and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))):
        raise RefusedError("the file is not plain text")
    start = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    pieces = raw[len(start) :].decode("utf-8", "surrogateescape").split("\n")
    lines = [piece.rstrip("\r") for piece in pieces]
    ends = [piece[len(line) :] + "\n" for piece, line in zip(pieces, lines, strict=True)]
    ends[-1] = ends[-1][:-1]
    if not pieces[-1]:
        del lines[-1], ends[-1]
    return start, _File(lines, ends)


def _assign(file: _File, name: str, value: str | None, notes: list[str]) -> None:
    if not _NAME.fullmatch(name):
        raise RefusedError("a name is none that an environment can have")
    found = [assignment for assignment in file.assignments if assignment.name == name]
    if value is None:
        for assignment in reversed(found):
            del file.lines[assignment.first - 1 : assignment.last], file.ends[assignment.first - 1 : assignment.last]
        return
    if _ODD.search(value) or (not value.isascii() and re.search("[\udc80-\udcff]", file.text)):
        raise RefusedError(f"the value of {name} has a character that no line can hold")
    notes += [f"{name} is set in line {other.first} as well; the last one counts." for other in found[:-1]]
    if not found:
        _add(file, f"{name}={_quoted(value, '')}")
        return
    now = found[-1]
    if now.quote != "'" and _from_outside(file, now):
        raise RefusedError(f"the value of {name} is filled in from outside", now.first)
    if _read(file, now) == value:
        return
    text = _quoted(value, now.quote)
    head = file.lines[now.first - 1][: now.start] + text
    rest = file.lines[now.last - 1][now.end :]
    file.lines[now.first - 1 : now.last] = [head + (" " if rest.startswith("#") else "") + rest]
    del file.ends[now.first - 1 : now.last - 1]


def _add(file: _File, line: str) -> None:
    """Put a line at the end, which keeps its way to end."""
    if not file.lines:
        file.lines, file.ends = [line], ["\n"]
        return
    windows = sum(end == "\r\n" for end in file.ends) * 2 > len([end for end in file.ends if end])
    last = file.ends[-1]
    file.ends[-1] = last or ("\r\n" if windows else "\n")
    file.lines.append(line)
    file.ends.append(last and ("\r\n" if windows else "\n"))


def _from_outside(file: _File, now: Assignment) -> bool:
    """Whether a value is filled in by a name that the file does not set above."""
    above = {assignment.name for assignment in file.assignments if assignment.first < now.first}
    return any((match.group(1) or match.group(4)) not in above for match in REFERENCE.finditer(now.written))


def _read(file: _File, wanted: Assignment) -> str | None:
    known: dict[str, str | None] = {}
    for assignment in file.assignments:
        known[assignment.name] = assignment.value(known)
        if assignment == wanted:
            break
    return known.get(wanted.name)


def _quoted(value: str, quote: str) -> str:
    """A value as every reader takes it; in the quotes that were there, if they can hold it."""
    if not quote and _BARE.fullmatch(value):
        return value
    double = not re.search(r'["\\$`]', value)
    single = not re.search(r"['\n\r]", value)
    if single and (quote == "'" or not double):
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _prove(raw: bytes, after: bytes, values: Mapping[str, str | None]) -> None:
    """Read the file again: the names say what is asked for, and every other line says what it said."""
    before, now = _opened(raw)[1], _opened(after)[1]
    known: dict[str, str | None] = {}
    for assignment in now.assignments:
        known[assignment.name] = assignment.value(known)
    others = [
        [(a.name, a.quote, a.written) for a in file.assignments if a.name not in values] for file in (before, now)
    ]
    if others[0] != others[1]:
        raise RefusedError("the file has a quote that is never closed")
    for name, value in values.items():
        if known.get(name) != value or (value is None and name in known):
            raise RefusedError(f"no quotes can hold the value of {name} so that every program reads it alike")
