"""Blocks of lines → records: the plain console lines of a large log quickly, every other form line by line."""
# ruff: noqa: N815  # the fields have the names that the log gives them

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from bot.livekit.events import CRASH, SERVER
from bot.livekit.forms import ANSI, Prefix, Record, braces, clean, epoch, fields_of, loose, parse, peel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CONTINUED_LINES: Final = 80
TAKEN: Final = 60
_CONTINUED_BYTES: Final = 1 << 16
_WRAPPED_LINES: Final = 8
_COLUMNS: Final = 160  # bytes in which time, level, logger, caller and message usually end; the rest is long


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
_participant: Final = msgspec.json.Decoder(_Participant, strict=False).decode
_fields: Final = msgspec.json.Decoder(dict[str, Any]).decode


def session_fields(text: bytes) -> dict[str, Any]:
    """`starting RTC session`: who joins which room, what the token asks for; `agents` None when not shown."""
    try:
        s = _session(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        end = text.rfind(b"}") + 1
        return session_fields(text[:end]) if 0 < end < len(text) else _session_loose(text)
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


def records(
    blocks: Iterable[list[bytes]], tally: Tally, only: tuple[bytes, ...] = ()
) -> Iterator[tuple[Record, int, int]]:
    """Every record with its line (from 1) and byte offset; `tally` fills up as the lines go by.

    `only` are names and ids of rooms: of all other rooms just births and jobs are given, which a large log is read
    faster by. It decides nothing about the rooms that are named.
    """
    number = offset = 0  # of the block's first line
    waiting: dict[str, _Open] = {}
    server = _QUICK.get
    loggers: set[bytes] = set()
    informed = False
    for block in blocks:
        done = slow = 0  # lines of the block that `here` counts; lines in other forms
        here = offset
        for index, line in enumerate(block):
            # The server's console layout, TABs kept, with or without another program's prefix.
            column = line[:_COLUMNS].split(b"\t", 5)
            if len(column) < 6 and len(line) > _COLUMNS:
                column = line.split(b"\t", 5)
            if len(column) > 4 and not waiting and (column[2] in loggers or _is_logger(column[2], loggers)):
                kind = server(column[4])
                if kind is None:
                    if not informed:
                        informed = _note_level(column, tally)
                    continue
                if only and kind in _OWN and not any(name in line for name in only):
                    continue
                if len(line) > _COLUMNS:
                    column = line.split(b"\t", 5)
                record = _quick(kind, column)
                if record is not None:
                    here += sum(map(len, block[done:index])) + index - done
                    done = index
                    tally.server_hits += 1
                    tally.started = tally.started or kind == "server-starting"
                    if len(tally.taken) < TAKEN:
                        tally.took(record, number + index + 1)
                    yield record, number + index + 1, here
                    continue
            slow += 1
            here += sum(map(len, block[done:index])) + index - done
            done = index
            yield from _slowly(line, number + index + 1, here, waiting, tally)
        if slow < len(block):
            _note_times(block, tally)
            tally.server_lines += len(block) - slow
        number += len(block)
        offset += sum(map(len, block)) + len(block)
    for opened in waiting.values():
        yield from _close(opened, tally)
    tally.lines += number


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


def _is_logger(column: bytes, loggers: set[bytes]) -> bool:
    if not column.startswith(b"livekit") or len(loggers) > 256:
        return column.startswith(b"livekit")
    loggers.add(column)
    return True


def _note_level(column: list[bytes], tally: Tally) -> bool:
    """Remember a level; True once it is known that the log has INFO, the level of nearly all that decides."""
    level = column[1].decode("utf-8", "replace").lower()
    tally.levels.add(level)
    return level in {"info", "debug"}


def _note_times(block: list[bytes], tally: Tally) -> None:
    for lines in (block, reversed(block)):
        for line in lines:
            column = line.split(b"\t", 3)
            if len(column) > 3 and column[2].startswith(b"livekit"):
                own = epoch(_own_stamp(column[0]))
                if own:
                    tally.saw(*own)
                    tally.levels.add(column[1].decode("utf-8", "replace").lower())
                    break


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


def _own_stamp(column: bytes) -> bytes:
    if column[:1].isdigit() and len(column) < 30:
        return column
    return ANSI.sub(b"", column).rstrip().rsplit(b" ", 1)[-1]


def _quick(kind: str, column: list[bytes]) -> Record | None:
    """A record of the server's console layout, its columns known; None when a slower look is needed."""
    stamp = column[0]
    service = ""
    if len(stamp) > 29 or not stamp[:1].isdigit():
        prefix: Prefix = peel(stamp + b" ")
        service = prefix.service
        stamp = _own_stamp(stamp)
    own = epoch(stamp)
    if own is None:
        return None
    tail = column[5] if len(column) > 5 else b""
    fields: dict[str, Any]
    if kind == "session-starting":
        fields = session_fields(tail)
    elif tail:
        try:
            if kind in _LONG:
                short = _participant(tail)
                fields = {
                    "room": short.room,
                    "roomID": short.roomID,
                    "participant": short.participant,
                    "reason": short.reason,
                }
            else:
                fields = _fields(tail)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            fields = fields_of(clean(tail))
    else:
        fields = {}
    return Record(
        kind,
        "console",
        own[0],
        own[1],
        own[1] is None,
        False,
        column[1].decode("utf-8", "replace").lower(),
        service,
        fields,
        b"",
        False,
    )
