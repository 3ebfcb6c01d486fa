"""Records over several lines: fields below a message, tracebacks, and lines that a terminal or a mail has broken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from bot.livekit.events import CRASH, ERRORS
from bot.livekit.forms import ISO, WITH_ERROR, Record, braces, clean, loose, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LINES: Final = 80
_BYTES: Final = 1 << 16
_WRAPPED_LINES: Final = 8  # of a broken line without fields
_JSON_LINES: Final = 1500  # of a JSON object written over lines: a session's has hundreds
_JSON_BYTES: Final = 1 << 18
_FOLDED: Final = 16  # columns before a table's column of messages
_ALWAYS: Final = frozenset({"pretty", "open", "wrapped"})
_JSON: Final = frozenset({"json", "pino", "python-json"})
_FIELDLESS: Final = frozenset(
    {"single-node", "w-starting", "w-draining", "w-cloud-load", "w-initialized", "w-initializing"}
)
_IDS: Final = ("roomID", "jobID", "workerID", "room_id", "job_id", "nodeID", "id", "jobType")
_TERMINALS: Final = frozenset({72, 76, 78, 132, *range(80, 400, 10)})  # widths at which whole lines are broken
_BEGINS: Final = re.compile(rb"[ \t]*(?:" + ISO + rb"|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?)[ \t]+[\[(]?[A-Z]{4}")
_CLOCK: Final = re.compile(rb"\[\d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?\] [A-Z]{4}")


class Opened:
    """A record whose fields stand on the lines after it."""

    __slots__ = ("_head", "indent", "json", "line", "lines", "marked", "offset", "parts", "record", "size", "widths")

    def __init__(self, record: Record, line: int, offset: int, text: bytes, cut: int, *, marked: bool) -> None:
        self.record, self.line, self.offset, self.marked = record, line, offset, marked
        self._head = _before(text, cut) if record.form == "pretty" else None
        self.indent = 0 if self._head else _blanks(text[cut:])
        self.parts: list[bytes] = []
        self.widths = [_width(text)]
        self.lines = self.size = 0
        self.json = bool(record.tail) and b"{" in record.tail

    def head(self, text: bytes) -> int:
        """How long the line's beginning is that stands before the record, too, with other times; 0 where there is none."""
        found = self._head.match(text) if self._head else None
        return found.end() if found else 0

    def take(self, whole: bytes, cut: int) -> bool:
        """Whether this line, without what other programs have put before it, still belongs to the record."""
        body = whole[cut:]
        deep = _blanks(body)
        body = body[min(deep, self.indent) :]
        self.lines += 1
        self.size += len(body)
        broken = self.json and (self.record.form == "wrapped" or self.record.form in _JSON)
        if self.lines > (_JSON_LINES if broken else _LINES) or self.size > (_JSON_BYTES if broken else _BYTES):
            return False
        text = body.strip()
        if _BEGINS.match(body) and not (self.json and b'"' in text[:40]):
            return False
        belongs, kept = self._belongs(body, text, deep)
        if kept:
            self.parts.append(kept)
            self.widths.append(_width(whole))
        return belongs

    def _belongs(self, body: bytes, text: bytes, deep: int) -> tuple[bool, bytes]:
        form = self.record.form
        if form == "pretty":
            inside = bool(self.parts) and _open_string(self.parts[-1])
            return not text or body[:1] in b" \t" or text[:1] in b"}]" or inside, body
        if form == "wrapped":
            return bool(text) and (self.json or self.lines <= _WRAPPED_LINES), body
        if self.json:
            if not text:
                return self.lines < 3 and not self.parts, b""
            # Without a quote it is prose, after a record that was cut off.
            return b'"' in text or text[:1] in b"}]", body
        if not text:
            return self.lines < 3 or bool(self.parts), b""
        if text[:1] == b"{":
            self.json = True
            if not b"".join(self.parts):
                self.widths = []
            return True, text
        if self.record.worker and form == "text":  # a traceback; the fields close its last line
            if self.parts or text.startswith(b"Traceback") or CRASH.match(text):
                return True, text
            return deep >= _FOLDED and self.lines < 4, b""  # the rest of a message that a table has folded
        return form in {"open", "excerpt", "text", "console"} and _is_pair(text), text

    def whole(self) -> bool:
        """Whether nothing more can follow."""
        last = self.parts[-1].rstrip(b", ") if self.parts else b""
        if self.record.form == "wrapped" or self.record.form in _JSON:
            if self.json and not (last.endswith(b"}") and (last[:1] == b"}" or self.record.tail.strip() not in b"[{")):
                return False
            return self._again() is not None
        if self.json and last.endswith(b"}"):
            return self._object() is not None
        return self.record.form == "text" and bool(self.parts) and _closing(self.parts[-1]) is not None

    def _again(self) -> Record | None:
        """The record of a line that was broken, read as one line."""
        best = None
        for text in _unfolded(self.record.tail, self.parts, self.widths):
            found = parse(clean(text))
            if found is None or found.form == "wrapped" or found.kind == "other-server" or continues(found):
                continue
            if _sound(found.kind, found.fields):
                return found
            best = best or found
        return best

    def _object(self) -> dict[str, Any] | None:
        """The JSON object of the record."""
        best = None
        begun = b"{" in self.record.tail
        for text in _unfolded(self.record.tail if begun else b"", self.parts, self.widths):
            found = braces(text[text.find(b"{") :])
            if found is not None and _sound(self.record.kind, found):
                return found
            best = best or found
        return best

    def finish(self) -> Record | None:
        """The record with its fields; None when nothing has made it one."""
        record = self.record
        if record.form == "wrapped":
            return self._again()
        if record.form in _JSON:
            return self._again() or record
        joined = _lines(self.parts)
        if record.form == "pretty":
            record.fields = {**record.fields, **loose(joined)}
        elif self.json:
            found = self._object()
            if found is None:
                found = loose(record.tail + b" " + b" ".join(self.parts))
            else:
                record.tail = b""
            record.fields = {**record.fields, **found}
        elif self.parts and record.worker and record.form == "text":
            last = self.parts[-1]
            found = _closing(last) or {}
            trace = [*self.parts[:-1], last[: last.find(b'{"')] if found else last]
            words = [line for line in trace if CRASH.match(line)]
            if words:
                record.fields["exc_info"] = words[-1].decode("utf-8", "replace")
            record.fields = {**record.fields, **found}
        elif self.parts:
            record.fields = {**record.fields, **loose(joined)}
        if record.form == "open":
            if not record.fields:
                return None
            record.form = "excerpt"
        if record.kind == "session-starting" and "agents" not in record.fields:
            record.tail += joined
        return record


def continues(record: Record) -> bool:
    """Whether more of this record may stand on the lines after it."""
    if record.form in _ALWAYS:
        return True
    if record.form in _JSON:
        return bool(record.tail)
    if record.form == "raw" or record.kind in _FIELDLESS or record.kind == "other-server":
        return False
    if b"{" in record.tail:
        return braces(record.tail[record.tail.find(b"{") :]) is None
    return not record.fields


def _before(text: bytes, cut: int) -> re.Pattern[bytes] | None:
    """What another program has put before a record, whatever its numbers; None where that is known without."""
    start = _CLOCK.search(text)
    if start is None or start.start() <= cut:
        return None
    return re.compile(re.sub(rb"\d+", rb"\\d+", re.escape(text[: start.start()].rstrip())) + rb"(?=[ \t]|$)[ ]?")


def _unfolded(first: bytes, parts: Sequence[bytes], widths: Sequence[int]) -> Iterator[bytes]:
    """The ways in which these lines may have been one, the likeliest first: broken at a width, or between words."""
    pieces = [first, *parts] if first else list(parts)
    words = pieces[0].rstrip()
    for piece in pieces[1:]:
        words += piece.strip() if _hyphen(words) else b" " + piece.strip()
    broken = widths[:-1]
    widest = max(broken, default=0)
    even = all(widest - 1 <= width <= widest for width in broken) and (len(broken) > 1 or widest in _TERMINALS)
    if even:  # a blank at the end of a line is lost when it is copied
        ends = [b" " if width < widest else b"" for width in broken]
        yield b"".join(piece + end for piece, end in zip(pieces, [*ends, b""], strict=False))
    yield words
    if not even:
        yield b"".join(pieces)


def _hyphen(text: bytes) -> bool:
    return text.endswith(b"-") and text[-2:-1].isalnum()


def _sound(kind: str, fields: dict[str, Any]) -> bool:
    """Whether joining lines has left whole what has no blanks, and what has a text of its own."""
    error = fields.get("error")
    if kind in WITH_ERROR and isinstance(error, str) and not ERRORS.fullmatch(error.encode("utf-8", "replace")):
        return False
    return not any(isinstance(value := fields.get(key), str) and " " in value for key in _IDS)


def _lines(parts: Sequence[bytes]) -> bytes:
    """The lines below a message; a string that was broken is whole again."""
    out = b""
    for part in parts:
        out += b" " + part.strip() if _open_string(out.rsplit(b"\n", 1)[-1]) else b"\n" + part
    return out


def _open_string(line: bytes) -> bool:
    """Whether a string begins in this line, of `key: "…`, that does not end in it."""
    return b": " in line and (line.count(b'"') - line.count(b'\\"')) % 2 == 1


def _width(text: bytes) -> int:
    return len(text.decode("utf-8", "replace"))


def _blanks(text: bytes) -> int:
    return len(text) - len(text.lstrip(b" \t"))


def _closing(line: bytes) -> dict[str, Any] | None:
    """The fields that Python's text form puts behind the last line of a traceback."""
    start = line.find(b'{"')
    found = braces(line[start:]) if start >= 0 and line.endswith(b"}") else None
    return found if found and {"pid", "tid", "job_id", "room_id", "retry_count", "inference"} & set(found) else None


def _is_pair(text: bytes) -> bool:
    pairs = loose(text)
    return (
        bool(pairs)
        and text.lstrip(b"\"'`{, \t")[:1].isalpha()
        and (b":" in text or b"=" in text)
        and b". " not in text[:-1]
    )
