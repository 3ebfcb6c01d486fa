"""A line inside a JSON object of another program (docker, journald, Loki, CloudWatch, Datadog) → the line itself."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bot.livekit.events import kind_of
from bot.livekit.forms import ISO, braces, clean, epoch, headed, loose, parse, peel, straight

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALWAYS: Final = ("log", "line", "MESSAGE", "textPayload", "@message")  # keys that only envelopes have
_OR_OWN: Final = ("message", "msg", "content", "body")  # a logger's own record may have them, too
_TIMES: Final = ("time", "timestamp", "@timestamp", "__REALTIME_TIMESTAMP", "ts", "date")
_KEY: Final = re.compile(rb'"(?:log|line|MESSAGE|textPayload|@message|message|msg|content|body)"[ \t]*:[ \t]*["\[{]')
_ALONE: Final = re.compile(
    rb'(?:"(?:log|line|MESSAGE|textPayload|@message|message|content|body|value)"[ \t]*:[ \t]*|\[?[ \t]*"\d{10,19}",[ \t]*)?'
    rb'("(?:[^"\\\n]|\\.)*")[ \t]*\]?,?$'
)
_LIST: Final = re.compile(rb'\[\{"|\{"(?:status|results|events|logs|data)"[ \t]*:[ \t]*[\[{"]')
_TABLE: Final = re.compile(rb'(?:[^"\n]*,)?"[^\n]*\{""\w|"?(?:' + ISO + rb'|\d{13})"?,(?=\D)')
_OF_ITS_OWN: Final = frozenset({"level", "name", "severity", "logger"})


class Inner(msgspec.Struct, gc=False):
    """A line out of an envelope, with the envelope's time in epoch seconds."""

    text: bytes
    at: float | None


def inner_lines(text: bytes) -> list[Inner]:
    """The lines that this (cleaned) line wraps, each cleaned; none when it is no envelope."""
    cells = list(_cells(text))
    if cells:
        return cells
    cut = peel(text).cut
    rest = text[cut:].lstrip(b" \t")
    alone = _ALONE.match(rest)
    if alone:  # of an export written over lines
        return list(_told(_string(alone[1]), {}, own=True))
    if rest[:2] == b"[{" or rest[:1] == b"{":
        if _LIST.match(rest):
            return list(_listed(rest))
        if _KEY.search(rest, 0, 1 << 16):
            return list(_object(rest))
    return []


def _listed(text: bytes) -> Iterator[Inner]:
    """Every entry of an export in one line."""
    try:
        yield from _entries(msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return


def _entries(value: object) -> Iterator[Inner]:
    if isinstance(value, dict):
        raw = msgspec.json.encode(value)
        own = list(_object(raw)) if _KEY.search(raw, 0, 1 << 16) else []
        if own or {"msg", "message"} & value.keys():
            yield from own or [Inner(raw, None)]
            return
        value = list(value.values())
    if not isinstance(value, list):
        return
    if len(value) == 2 and all(isinstance(one, str) for one in value):
        yield from _told(value[1], {"ts": value[0]}, own=True)  # Loki's own: nanoseconds and line
    elif value and all(isinstance(one, dict) and one.keys() == {"field", "value"} for one in value):
        yield from _object(msgspec.json.encode({one["field"]: one["value"] for one in value}))  # CloudWatch Insights'
    else:
        for one in value:
            yield from _entries(one)


def _cells(text: bytes) -> Iterator[Inner]:
    """The line in a row of a table with commas, and the row's time."""
    if b"," not in text or not _TABLE.match(text):
        return
    try:
        row = next(csv.reader([text.decode("utf-8", "surrogateescape")]), [])
    except csv.Error:  # a line of a table that was broken
        return
    cells = [cell.encode("utf-8", "surrogateescape") for cell in row]
    whole = [cell for cell in cells if parse(cell) is not None] or [cell for cell in cells if cell[:1] != b"{"]
    if whole:
        times = (_when(cell.decode("utf-8", "replace")) for cell in cells if cell is not whole[0])
        yield Inner(straight(clean(max(whole, key=len))), next((at for at in times if at is not None), None))


def _string(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _object(text: bytes) -> Iterator[Inner]:
    # A logger's own line is left to its reader: it is decoded only if its message may be another's whole line.
    value = braces(text)
    if value is None:
        value = loose(text)
    for key in ("content", "attributes", "_source"):
        if isinstance(value.get(key), dict):
            value = {**value, **value[key]}
    for key in (*_ALWAYS, *_OR_OWN):
        said = value.get(key)
        if isinstance(said, (str, list)) and said:
            yield from _told(said, value, own=key in _OR_OWN)
            return


def _told(said: object, value: dict[str, Any], *, own: bool) -> Iterator[Inner]:
    if isinstance(said, list):  # journald gives bytes where a line has colours
        if not all(isinstance(byte, int) and 0 <= byte < 256 for byte in said):
            return
        raw = bytes(said)
    elif isinstance(said, str):
        raw = said.encode("utf-8", "replace")
    else:
        return
    whole = headed(raw) or raw.startswith(b"    ")  # a line's beginning, or a field below it
    if own and (kind_of(raw.strip()) or (not whole and (not value or _OF_ITS_OWN & set(value)))):
        return
    at = next((when for key in _TIMES if (when := _when(value.get(key))) is not None), None)
    for line in raw.split(b"\n"):
        text = straight(clean(line))
        if text:
            yield Inner(text, at)


def _when(value: object) -> float | None:
    """Epoch seconds of a time as text, or as a number of seconds down to nanoseconds."""
    if isinstance(value, str) and not value.isdecimal():
        own = epoch(value.encode("utf-8", "replace"))
        return own[0] if own else None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    number = float(value) if len(str(value)) < 40 else 0.0
    for scale in (1e9, 1e6, 1e3, 1.0):
        if 1e8 < number / scale < 1e11:
            return number / scale
    return None
