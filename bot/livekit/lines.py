"""Blocks of lines → records: the plain console lines of a large log quickly, every other form line by line."""
# ruff: noqa: N815  # the fields have the names that the log gives them

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bot.livekit.envelopes import inner_lines
from bot.livekit.events import SERVER
from bot.livekit.expected import Expected
from bot.livekit.folded import Opened, continues
from bot.livekit.forms import ANSI, Prefix, Record, braces, clean, epoch, loose, parse, peel, straight
from bot.livekit.skim import edges, feeds, levels, line_end, notable_for, own_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.livekit.skim import Chunk

TAKEN: Final = 60


class Tally(msgspec.Struct):
    """What a whole source has shown: how much of it is ours, its first and last time, its levels."""

    lines: int = 0
    server_lines: int = 0
    server_hits: int = 0
    worker_hits: int = 0
    traces: int = 0
    taken: list[int] = msgspec.field(default_factory=list)  # the first lines that became evidence
    dated: int = 0
    pasted: bool = False  # lines shortened by hand are in it
    fenced: bool = False  # with Markdown around it
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
_AS_WRITTEN: Final = re.compile(rb'\{"(?!")|\{\}|\r?$')  # how fields begin that no copying has changed
_NO_PREFIX: Final = Prefix()
_PASSED: Final = Record("", "", None, None, False, False, "", "", {}, b"", False)
_COLUMNS: Final = re.compile(
    rb"([^\t\n]*+)\t([^\t\n]*+)\tlivekit[^\t\n]*+\t[^\t\n]*+(?<=\d)\t([^\t\n]*+)\t?+"
).match  # time with what stands before it, level, message; the caller between them ends with its line's number
_LEVELS: Final = {level.upper().encode(): level for level in ("debug", "info", "warn", "error")}


def records(chunks: Iterable[Chunk], tally: Tally, only: tuple[bytes, ...] = ()) -> Iterator[tuple[Record, int, int]]:
    """Every record with its line (from 1) and byte offset; `tally` fills up as the lines go by.

    `only` are names and ids of rooms: of all other rooms just births and jobs are given, which a large log is read
    faster by. It decides nothing about the rooms that are named.
    """
    hits = 0
    number = 0  # of line feeds before `counted`: the number of the line that begins there
    waiting: dict[str, Opened] = {}
    expected = Expected()
    notable = notable_for(_OWN_MESSAGES if only else (), only)
    for base, data, end in chunks:
        begun = number
        at = counted = slow = 0
        while at < end:
            start, record = at + 1, None
            if waiting or expected.active:
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
            text = straight(clean(data[start:at]))
            if not expected.passes(text):
                yield from _slowly(text, number, base + start, waiting, tally)
        number += feeds(data, counted, end)
        if slow < number - begun:
            tally.server_lines += number - begun - slow
            for own in edges(data, end):
                tally.saw(*own)
            if not tally.levels & _TELLING:
                tally.levels |= levels(data, end)
    for opened in waiting.values():
        yield from _close(opened, tally)
    tally.fenced = tally.fenced or expected.fenced
    tally.lines += number
    tally.server_hits += hits


def _slowly(
    text: bytes, number: int, here: int, waiting: dict[str, Opened], tally: Tally
) -> Iterator[tuple[Record, int, int]]:
    """A line in any other form, or one that may continue a record before it."""
    inner = inner_lines(text)
    if not inner:
        yield from _one(text, parse(text) if text else None, number, here, waiting, tally)
    for one in inner:
        found = parse(one.text)
        if found is not None:
            if found.at is None and one.at is not None:
                found.at, found.zone, found.naive, found.by_engine = one.at, 0, False, True
            found.service = found.service or peel(text).service
        yield from _one(one.text, found, number, here, waiting, tally)


def _one(
    text: bytes, found: Record | None, number: int, here: int, waiting: dict[str, Opened], tally: Tally
) -> Iterator[tuple[Record, int, int]]:
    """A line by itself, and the record that it holds."""
    prefix = peel(text) if waiting or (found is not None and continues(found)) else _NO_PREFIX
    if waiting:
        service = found.service if found is not None else prefix.service
        if found is None and service not in waiting:  # behind what is no known program's prefix
            service = next((name for name, opened in waiting.items() if opened.head(text)), service)
        opened = waiting.get(service)
        if opened is not None:
            bare = found is not None and found.form == "excerpt" and text[prefix.cut :].lstrip()[:1] == b"{"
            loosely = found is None or (found.kind == "w-trace" and opened.record.worker) or (bare and not opened.json)
            known = prefix.cut if prefix.service or prefix.stamp or opened.marked else 0
            if loosely and opened.take(text, opened.head(text) or known):
                if opened.whole():
                    del waiting[service]
                    yield from _close(opened, tally)
                return
            del waiting[service]
            yield from _close(opened, tally)
    if found is None:
        if text.strip(b" \t") in {b"{", b"[{"}:  # an object over several lines, as `jq` writes it
            found = Record("other", "wrapped", None, None, False, False, "", "", {}, b"{", False)
            waiting[""] = Opened(found, number, here, text, prefix.cut, marked=prefix.marked)
        return
    if continues(found):
        waiting[found.service] = Opened(found, number, here, text, prefix.cut, marked=prefix.marked)
    elif found.kind == "other-server":
        tally.server_lines += 1
        tally.levels.add(found.level)
        tally.saw(found.at, found.zone)
    else:
        yield from _counted(found, number, here, tally)


def _close(opened: Opened, tally: Tally) -> Iterator[tuple[Record, int, int]]:
    record = opened.finish()
    if record is not None:
        yield from _counted(record, opened.line, opened.offset, tally)


def _counted(record: Record, number: int, here: int, tally: Tally) -> Iterator[tuple[Record, int, int]]:
    if record.kind == "session-starting" and "agents" not in record.fields:
        raw = record.tail or (msgspec.json.encode(record.fields) if "participantInit" in record.fields else b"")
        record.fields = session_fields(raw) if raw else record.fields
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
        plain = message.isascii() and b"\x1b" not in message and found.end() < end
        return _PASSED if plain else None
    service = ""
    if len(stamp) > 29 or stamp[4:5] != b"-":
        service = peel(ANSI.sub(b"", stamp) + b" ").service
        stamp = own_stamp(stamp)
    own = epoch(stamp)
    if own is None or not _AS_WRITTEN.match(data, found.end(), end):
        return None
    at, zone = own
    if kind == "session-starting":
        fields = session_fields(data, found.end(), end)
    else:
        tail = data[found.end() : end]
        try:
            fields = _participant(tail) if kind in _LONG else _fields(tail) if tail else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
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
