"""A line inside a JSON object of another program (docker, journald, Loki, CloudWatch, Datadog) → the line itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bot.livekit.events import kind_of
from bot.livekit.forms import braces, clean, epoch, headed, loose, peel, straight

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALWAYS: Final = ("log", "line", "MESSAGE", "textPayload", "@message")  # keys that only envelopes have
_OR_OWN: Final = ("message", "msg", "content", "body")  # a logger's own record may have them, too
_TIMES: Final = ("time", "timestamp", "@timestamp", "__REALTIME_TIMESTAMP", "ts", "date")
_KEY: Final = re.compile(rb'"(?:log|line|MESSAGE|textPayload|@message|message|msg|content|body)"[ \t]*:[ \t]*["\[{]')
_ALONE: Final = re.compile(
    rb'"(?:log|line|MESSAGE|textPayload|@message|message|content|body)"[ \t]*:[ \t]*("(?:[^"\\\n]|\\.)*"),?$'
)
_LIST: Final = re.compile(rb'\[\{"|\{"(?:events|logs|data)"[ \t]*:[ \t]*\[')
_OF_ITS_OWN: Final = frozenset({"level", "name", "severity", "logger"})


class Inner(msgspec.Struct, gc=False):
    """A line out of an envelope, with the envelope's time in epoch seconds."""

    text: bytes
    at: float | None


def inner_lines(text: bytes) -> list[Inner]:
    """The lines that this (cleaned) line wraps, each cleaned; none when it is no envelope."""
    cut = peel(text).cut
    rest = text[cut:].lstrip(b" \t")
    if rest[:1] == b'"':  # of an export written over lines
        alone = _ALONE.match(rest)
        said = loose(rest) if alone else {}
        return [line for value in said.values() for line in _told(value, {}, own=True)]
    if rest[:2] == b"[{" or rest[:1] == b"{":
        if _LIST.match(rest):
            return list(_listed(rest))
        if _KEY.search(rest, 0, 1 << 16):
            return list(_object(rest))
    return []


def _listed(text: bytes) -> Iterator[Inner]:
    """Every entry of an export in one line."""
    try:
        entries: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(entries, dict):
        entries = next(iter(entries.values()))
    for entry in entries if isinstance(entries, list) else ():
        raw = msgspec.json.encode(entry)
        yield from inner_lines(raw) or [Inner(raw, None)]


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
    if own and (kind_of(raw.strip()) or (not headed(raw) and (not value or _OF_ITS_OWN & set(value)))):
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
