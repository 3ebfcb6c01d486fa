"""Blocks of lines → records: the plain console lines of a large log quickly, every other form line by line."""
# ruff: noqa: N815  # the fields have the names that the log gives them

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bot.livekit.events import CRASH, SERVER
from bot.livekit.forms import ANSI, Record, braces, clean, epoch, fields_of, loose, parse, peel
from bot.livekit.skim import edges, feeds, levels, line_end, notable_for, own_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.livekit.skim import Chunk

_CONTINUED_LINES: Final = 80
TAKEN: Final = 60
_CONTINUED_BYTES: Final = 1 << 16
_WRAPPED_LINES: Final = 8


class Tally(msgspec.Struct):
    """What a whole source has shown: how much of it is ours, its first and last time, its levels."""

    lines: int = 0
    server_lines: int = 0
    server_hits: int = 0
    worker_hits: int = 0
    traces: int = 0
    taken: list[int] = msgspec.field(default_factory=list)  # the first lines that became evidence
    dated: int = 0
    pasted: bool = False  # with Markdown around it, or lines shortened by hand
    started: bool = False  # a server's own start is in it
    roomed: int = 0
    first: float | None = None
    last: float | None = None
    zone: int | None = None
    levels: set[str] = msgspec.field(default_factory=set)
    forms: set[str] = msgspec.field(default_factory=set)

    def took(self, record: Record, line: int) -> None:
        """Count what a short source has and lacks; of a long one only the beginning matters for that."""
        if len(self.taken) < TAKEN:
            self.taken.append(line)
            self.dated += record.at is not None
            self.roomed += bool(record.fields.get("room") or record.fields.get("roomID"))

    def saw(self, at: float | None, zone: int | None) -> None:
        """Widen the source's time span by a record's time."""
        if at is None:
            return
        if self.first is None or at < self.first:
            self.first = at
        if self.last is None or at > self.last:
            self.last = at
        if self.zone is None:
            self.zone = zone


class _Agents(msgspec.Struct):
    agentName: str = ""  # the log's own key
    deployment: str = ""


class _CreateRoom(msgspec.Struct):
    agents: list[_Agents] = []


class _Video(msgspec.Struct):
    Agent: bool = False


class _Grants(msgspec.Struct):
    Kind: str = ""
    Video: _Video = msgspec.field(default_factory=_Video)


class _Init(msgspec.Struct):
    Reconnect: bool = False
    Grants: _Grants = msgspec.field(default_factory=_Grants)
    CreateRoom: _CreateRoom | None = None


class _Session(msgspec.Struct):
    """The few fields of `starting RTC session` that matter; the rest (10 to 40 kB of SDP) is skipped."""

    room: str = ""
    roomID: str = ""  # the log's own key
    participant: str = ""
    numParticipants: int = -1  # the log's own key
    nodeID: str = ""  # the log's own key
    participantInit: _Init | None = None  # the log's own key


class _Participant(msgspec.Struct):
    """A participant's line, without candidates, client and track: they are most of its bytes."""

    room: str = ""
    roomID: str = ""  # the log's own key
    participant: str = ""
    reason: str = ""


_session: Final = msgspec.json.Decoder(_Session, strict=False).decode
_short: Final = msgspec.json.Decoder(_Participant, strict=False).decode
_fields: Final = msgspec.json.Decoder(dict[str, Any]).decode
_ASKED: Final = 8192  # bytes that a list of dispatches may have


def _participant(text: bytes) -> dict[str, Any]:
    p = _short(text)
    return {"room": p.room, "roomID": p.roomID, "participant": p.participant, "reason": p.reason}


def session_fields(text: bytes, start: int = 0, end: int | None = None) -> dict[str, Any]:
    """`starting RTC session`: who joins which room, what the token asks for; `agents` None when not shown.

    The fields stand in `text` from `start` to `end`.
    """
    end = len(text) if end is None else end
    asked = text.find(b'"CreateRoom"', start, end)
    bulk = text.find(b'"PublisherOffer"', asked, min(end, asked + _ASKED)) if asked >= 0 else -1
    try:
        # Without the 15 kB of SDP, which say nothing about dispatch.
        s = _session(text[start:end] if bulk < 0 else text[start : text.rfind(b",", asked, bulk)] + b"}}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = text[start:end]
        whole = text.rfind(b"}") + 1  # a terminal may have put colours behind it
        return session_fields(text[:whole]) if 0 < whole < len(text) else _session_loose(text)
    out: dict[str, Any] = {
        "room": s.room, "roomID": s.roomID, "participant": s.participant, "nodeID": s.nodeID,
        "numParticipants": s.numParticipants, "agents": None, "agent": False, "reconnect": False,
    }  # fmt: skip
    if s.participantInit:
        init = s.participantInit
        out["agent"] = init.Grants.Kind == "agent" or init.Grants.Video.Agent
        out["reconnect"] = init.Reconnect
        if init.CreateRoom is not None:
            out["agents"] = tuple((a.agentName, a.deployment) for a in init.CreateRoom.agents)
    return out


def _session_loose(text: bytes) -> dict[str, Any]:
    """The same from a record that is cut off or shortened."""
    pairs = loose(text[:4096])
    out: dict[str, Any] = {
        key: pairs[key] for key in ("room", "roomID", "participant", "numParticipants", "nodeID") if key in pairs
    }
    out["agents"] = None
    start = text.find(b'"CreateRoom"')
    if start >= 0:
        part = text[start : start + 4096]
        open_, close = part.find(b"["), part.find(b"]")
        if b"}" in part[: part.find(b'"agents"')] and b'"agents"' not in part[: part.find(b"}")]:
            out["agents"] = ()
        elif b'"agents"' in part[: max(0, open_)] and close > open_:
            names = [braces(b"{" + piece.split(b"}", 1)[0] + b"}") or {} for piece in part[open_:close].split(b"{")[1:]]
            out["agents"] = tuple((str(n.get("agentName", "")), str(n.get("deployment", ""))) for n in names)
    out["agent"] = b'"Kind": "agent"' in text or b'"Kind":"agent"' in text
    out["reconnect"] = False
    return out


class _Open:
    """A record whose fields stand on the lines after it."""

    __slots__ = ("begun", "json", "line", "lines", "offset", "parts", "record", "size")

    def __init__(self, record: Record, line: int, offset: int) -> None:
        self.record, self.line, self.offset = record, line, offset
        self.parts: list[bytes] = []
        self.lines = self.size = 0
        self.begun = bool(record.tail) and b"{" in record.tail
        self.json = self.begun

    def take(self, body: bytes) -> bool:
        """Whether this line still belongs to the record."""
        self.lines += 1
        self.size += len(body)
        if self.lines > _CONTINUED_LINES or self.size > _CONTINUED_BYTES:
            return False
        text = body.strip()
        if self.record.form == "pretty":
            if text and body[:1] not in b" \t" and text[:1] not in b"}]":
                return False
            self.parts.append(body)
            return True
        if self.record.form == "wrapped":
            if not text or self.lines > _WRAPPED_LINES:
                return False
            self.parts.append(body)
            return True
        if self.json:
            if not text:
                return self.lines < 3 and not self.parts
            if b'"' not in text and text[:1] not in b"}]":
                return False  # prose after a record that was cut off
            self.parts.append(body.lstrip() if self.record.form in {"excerpt", "open"} else body)
            return True
        if not text:
            return self.lines < 3 or bool(self.parts)
        if text[:1] == b"{":
            self.json = True
            self.parts.append(text)
            return True
        if self.record.worker and self.record.form == "text":  # a traceback; the fields close its last line
            if not self.parts and not text.startswith(b"Traceback") and not CRASH.match(text):
                return False
            self.parts.append(text)
            return True
        if self.record.form in {"open", "excerpt", "text", "console"} and _is_pair(text):
            self.parts.append(text)
            return True
        return False

    def whole(self) -> bool:
        """Whether nothing more can follow."""
        if self.record.form == "wrapped":
            return self._unwrapped() is not None
        if self.json and self.parts and self.parts[-1].rstrip().endswith(b"}"):
            return braces(self.record.tail + b"".join(self.parts)) is not None
        return self.record.form == "text" and bool(self.parts) and _closing(self.parts[-1]) is not None

    def _unwrapped(self) -> Record | None:
        """The record of a console line that a terminal or a chat has broken."""
        found = parse(clean(self.record.tail + b"".join(self.parts)))
        if found is None or found.kind == "other-server" or _continues(found):
            return None
        return found

    def finish(self) -> Record | None:
        """The record with its fields; None when nothing has made it one."""
        record = self.record
        if record.form == "wrapped":
            return self._unwrapped()
        joined = b"\n".join(self.parts)
        if record.form == "pretty":
            record.fields = {**record.fields, **loose(joined)}
        elif self.json:
            found = (
                braces(record.tail + b"".join(self.parts))
                or braces(record.tail + joined)
                or loose(record.tail + b" " + joined)
            )
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
            record.fields = session_fields(record.tail + joined)
        return record


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


_LONG: Final = frozenset({"participant-active", "track-published", "participant-closing", "participant-removed"})
#: What only the room itself needs; other rooms' births and jobs say which refusal belongs to whom.
_OWN: Final = frozenset({*_LONG, "not-dispatching", "room-closing", "room-closed"})
_QUICK: Final = {
    **SERVER,
    **{message + b"\r": kind for message, kind in SERVER.items()},
}  # CR LF ends a line without fields
_TELLING: Final = frozenset({"info", "debug"})  # a log with these levels can hold nearly all that decides
_OWN_MESSAGES: Final = tuple(message for message, kind in SERVER.items() if kind in _OWN)
_AGENT: Final = b'"participant": "agent-AJ_'
_FRONT: Final = 600  # bytes in which a session's line names its participant
_PASSED: Final = Record("", "", None, None, False, False, "", "", {}, b"", False)
_COLUMNS: Final = re.compile(
    rb"([^\t\n]*+)\t([^\t\n]*+)\tlivekit[^\t\n]*+\t[^\t\n]*+(?<=\d)\t([^\t\n]*+)\t?+"
).match  # time with what stands before it, level, message; the caller between them ends with its line's number
_LEVELS: Final = {level.upper().encode(): level for level in ("debug", "info", "warn", "error")}
_ALWAYS_OPEN: Final = frozenset({"pretty", "open", "wrapped"})
_FIELDLESS: Final = frozenset(
    {"single-node", "w-starting", "w-draining", "w-cloud-load", "w-initialized", "w-initializing"}
)


def _continues(record: Record) -> bool:
    if record.form in _ALWAYS_OPEN:
        return True
    if (
        record.form in {"json", "pino", "python-json", "raw"}
        or record.kind in _FIELDLESS
        or record.kind == "other-server"
    ):
        return False
    if b"{" in record.tail:
        return braces(record.tail[record.tail.find(b"{") :]) is None
    return not record.fields


def records(chunks: Iterable[Chunk], tally: Tally, only: tuple[bytes, ...] = ()) -> Iterator[tuple[Record, int, int]]:
    """Every record with its line (from 1) and byte offset; `tally` fills up as the lines go by.

    `only` are names and ids of rooms: of all other rooms just births and jobs are given, which a large log is read
    faster by. It decides nothing about the rooms that are named.
    """
    hits = 0
    number = 0  # of line feeds before `counted`: the number of the line that begins there
    waiting: dict[str, _Open] = {}
    notable = notable_for(_OWN_MESSAGES if only else (), only)
    for base, data, end in chunks:
        begun = number
        at = counted = slow = 0
        while at < end:
            start, record = at + 1, None
            if waiting:
                at = line_end(data, start, end)
            else:
                found = notable(data, at, end)
                if found is None:
                    break
                start = found.end()
                at = line_end(data, start, end)
                record = _quick(data, start, at, only)
                if record is _PASSED:
                    continue
            number += feeds(data, counted, start)
            counted = start
            if record is not None:
                hits += 1
                if hits <= TAKEN:
                    tally.took(record, number)
                if record.kind == "server-starting":
                    tally.started = True
                yield record, number, base + start
                continue
            slow += 1
            yield from _slowly(data[start:at], number, base + start, waiting, tally)
        number += feeds(data, counted, end)
        if slow < number - begun:
            tally.server_lines += number - begun - slow
            for own in edges(data, end):
                tally.saw(*own)
            if not tally.levels & _TELLING:
                tally.levels |= levels(data, end)
    for opened in waiting.values():
        yield from _close(opened, tally)
    tally.lines += number
    tally.server_hits += hits


def _slowly(
    line: bytes, number: int, here: int, waiting: dict[str, _Open], tally: Tally
) -> Iterator[tuple[Record, int, int]]:
    """A line in any other form, or one that may continue a record before it."""
    text = clean(line)
    found = parse(text) if text else None
    if text[:3] in {b"```", b"~~~"}:
        tally.pasted = True
    if found is not None and found.kind == "session-starting":
        if found.tail:
            found.fields = session_fields(found.tail)
        elif "participantInit" in found.fields:
            found.fields = session_fields(msgspec.json.encode(found.fields))
    if waiting:
        prefix = peel(text)
        service = found.service if found is not None else prefix.service
        opened = waiting.get(service)
        if opened is not None:
            loosely = found is None or (found.kind == "w-trace" and opened.record.worker)
            if loosely and opened.take(text[prefix.cut :] if prefix.service or prefix.stamp else text):
                if opened.whole():
                    del waiting[service]
                    yield from _close(opened, tally)
                return
            del waiting[service]
            yield from _close(opened, tally)
    if found is None:
        return
    if found.kind == "other-server" and found.tail:
        found.form = "wrapped"  # a console line that ends before its message or fields do
        waiting[found.service] = _Open(found, number, here)
    elif found.kind == "other-server":
        tally.server_lines += 1
        tally.levels.add(found.level)
        tally.saw(found.at, found.zone)
    elif _continues(found):
        waiting[found.service] = _Open(found, number, here)
    else:
        yield from _counted(found, number, here, tally)


def _close(opened: _Open, tally: Tally) -> Iterator[tuple[Record, int, int]]:
    record = opened.finish()
    if record is not None:
        yield from _counted(record, opened.line, opened.offset, tally)


def _counted(record: Record, number: int, here: int, tally: Tally) -> Iterator[tuple[Record, int, int]]:
    if record.worker:
        tally.worker_hits += record.kind != "w-trace"
        tally.traces += record.form == "raw"
    else:
        tally.server_hits += 1
        tally.levels.add(record.level)
    tally.forms.add(record.form)
    tally.pasted = tally.pasted or record.form == "excerpt"
    tally.started = tally.started or record.kind == "server-starting"
    tally.took(record, number)
    tally.saw(record.at, record.zone)
    yield record, number, here


def _quick(data: bytes, start: int, end: int, only: tuple[bytes, ...]) -> Record | None:
    """The record of a line in the server's console layout, with or without another program's prefix, TABs kept.

    `_PASSED` for a line that says nothing about dispatch, or nothing about the rooms that are wanted; None when a
    slower look is needed.
    """
    found = _COLUMNS(data, start, end)
    if found is None:
        return None
    stamp, level, message = found.groups()
    kind = _QUICK.get(message)
    if kind is None or (only and _of_others(kind, data, start, end, only)):
        return None if b"\x1b" in message else _PASSED
    service = ""
    if len(stamp) > 29 or not stamp[:1].isdigit():
        service = peel(ANSI.sub(b"", stamp) + b" ").service
        stamp = own_stamp(stamp)
    own = epoch(stamp)
    if own is None:
        return None
    at, zone = own
    if kind == "session-starting":
        fields = session_fields(data, found.end(), end)
    else:
        tail = data[found.end() : end]
        try:
            fields = _participant(tail) if kind in _LONG else _fields(tail) if tail else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            fields = fields_of(clean(tail))
    return Record(
        kind, "console", at, zone, zone is None, False, _LEVELS.get(level) or _level(level), service, fields, b"", False
    )


def _level(level: bytes) -> str:
    return ANSI.sub(b"", level).decode("utf-8", "replace").lower()


def _of_others(kind: str, data: bytes, start: int, end: int, only: tuple[bytes, ...]) -> bool:
    """Whether a line is only of use to a room that is not wanted."""
    if kind in _OWN or (kind == "session-starting" and data.find(_AGENT, start, start + _FRONT) >= 0):
        return all(data.find(name, start, end) < 0 for name in only)
    return False
