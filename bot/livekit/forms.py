"""One line of a log in any form people have it in → one record, or nothing."""

from __future__ import annotations

import calendar
import html
import re
from typing import Any, Final

import msgspec

from bot.livekit.events import CRASH, ERRORS, MESSAGE, SERVER, kind_of

ANSI: Final = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9])")
_QUOTES: Final = dict.fromkeys(("\u201c", "\u201d", "\u201e", "\u00ab", "\u00bb"), b'"')
_BLANKS: Final = dict.fromkeys(("\u00a0", "\u202f", "\u2007", "\u3000"), b" ")
_NOTHING: Final = dict.fromkeys(("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff"), b"")
_TYPOGRAPHIC: Final = {key.encode(): value for key, value in {**_QUOTES, **_BLANKS, **_NOTHING}.items()}
_LEADS: Final = (b"\xe2\x80", b"\xc2", b"\xe2\x81\xa0", b"\xef\xbb\xbf", b"\xe3\x80\x80")
#: What a chat has put between words; a string in straight quotes is as it was written, invisible characters and all.
_COPIED: Final = re.compile(b"|".join(_TYPOGRAPHIC))
_TYPED: Final = re.compile(rb'"(?:[^"\\\n]|\\.)*"|' + _COPIED.pattern)
_ENTITY: Final = re.compile(rb"&(?:quot|#34|#x22);")
LINE_LIMIT: Final = 1 << 20  # of a longer line only the beginning is read: a record's fields stand there


class Record(msgspec.Struct, gc=False):
    """One line that says something about dispatch.

    `at` is in epoch seconds on the writer's own clock, or on the engine's where only its prefix has a time
    (`by_engine`); None when the line has no full date. `naive` marks times without a zone, read as UTC.
    `zone` is the offset from UTC in minutes as written. `service` is the name before a `|` of compose and
    its like. `form` names the layout; "excerpt" is a line without time, level and logger.
    """

    kind: str
    form: str
    at: float | None
    zone: int | None
    naive: bool
    by_engine: bool
    level: str
    service: str
    fields: dict[str, Any]
    tail: bytes
    worker: bool


class Prefix(msgspec.Struct, gc=False):
    """What other programs put before a line: a service's name, the engine's time, and marks (`> `, `12:`, `- `)."""

    service: str = ""
    stamp: bytes = b""
    marked: bool = False
    cut: int = 0


ISO: Final = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?"
_LEVELS: Final = rb"(?:TRACE|DEBUG|INFO|NOTICE|WARNING|WARNI|WARN|ERROR|FATAL|CRITICAL)"
_PREFIX: Final = re.compile(
    rb"(?:\[(?!" + _LEVELS + rb"\])(?:pod/)?(?P<pod>[\w.-]+(?:/[\w.-]+)*)\][ \t]"
    rb"|(?P<compose>(?!\d{1,7}[ \t]*\|)[A-Za-z0-9][\w.-]{0,80})[ \t]*\|(?:[ \t]|$)"
    rb"|(?:[^\s\d\[{]{3,7}[ ]{1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)?|" + ISO + rb")"
    rb" [\w.-]+ (?P<syslog>[\w./@-]+?)(?:\[\d+\])?: "
    rb"|(?P<file>[\w./-]*\.(?:log|txt|jsonl?|out|err))[:-](?:\d{1,7}[:-])?"  # grep over several files
    rb"|(?P<iso>" + ISO + rb")(?:[ \t](?:stdout|stderr) [FP]|[ \t]*\||[ \t]\{\w+=\"[^}\n]*\})?(?:[ \t]|$)"
    rb"|(?P<unix>\d{10}(?:\d{3}){1,3})[ \t]+(?=" + ISO + rb"|[{\[])"
    rb"|(?:" + _LEVELS + rb"|DEFAULT|ALERT|EMERGENCY)[ \t]+(?P<cloud>" + ISO + rb")[ \t]+(?=\{|" + ISO + rb")"
    rb"|(?P<number>[ ]{0,7}\d{1,7}(?:[:)-](?=\D|\d{4}-\d\d-|\d\d:\d\d:\d\d|$)[ ]?|\t|\.[ ]|[ ]?(?:\||\xe2\x94\x82)[ ]?|[ ]+(?="
    + ISO
    + rb"|[{\[])))"
    rb"|(?P<tag><summary>[^<\n]*</summary>|</?(?:details|pre|code|li|p|div|span|br)(?:[ ][^>\n]*)?>)"
    rb"|(?P<mark>(?:[>*|\x60]|\xe2\x94\x82|&gt;|(?:-|\xe2\x80[\xa2\xa3]|\xc2\xb7|\xe2\x96\xaa)(?=[ \t])|#(?=\d))[ \t]?))"
)  # fmt: skip
_NAMES: Final = frozenset({"pod", "compose", "syslog", "file"})
_CONSOLE: Final = re.compile(
    rb"(?P<time>" + ISO + rb")[ \t]+(?P<level>DEBUG|INFO|WARN|ERROR|FATAL|DPANIC|PANIC)[ \t]+"
    rb"(?P<logger>livekit[\w.-]*)[ \t]+(?:(?P<caller>[\w./@-]+\.go:\d+)[ \t]*)?(?P<rest>.*)",
    re.DOTALL,
)
_PRETTY: Final = re.compile(
    rb"\[(?P<clock>\d\d:\d\d:\d\d(?:\.\d+)?)(?: [+-]\d{4})?\] (?P<level>TRACE|DEBUG|INFO|WARN|ERROR|FATAL)(?: \([^)]*\))?: ?(?P<rest>.*)",
    re.DOTALL,
)
_HEAD: Final = re.compile(
    rb"(?:(?P<time>"
    + ISO
    + rb")|(?P<clock>\[?\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?[AP]M)?\]?)|\[?(?P<level>"
    + _LEVELS
    + rb"|"
    + _LEVELS.lower()
    + rb")\b\]?:?(?: ?\xe2\x80\xa6)?"
    rb"|(?P<logger>\[?livekit(?:[.\w-]*\w)?\]?:?(?!:)|agents?\b:?|\[?root\]?:)|(?P<caller>[\w./@-]+\.(?:go|py|ts|js):\d+)"
    rb"|(?P<pid>\(\d+\):?|\[\d+\]:?|pid=\d+)|(?P<sep>[|:]|\*\*|-(?=\s)|\xe2\x80\x93|\xe2\x80\x94|\xe2\x86\x92|\xe2\x9d\xaf))[ \t]*"
)
_INNER: Final = re.compile(
    rb"(?<![\w\"'`(])(?:\{\"(?=level|message|msg|time|ts|log)|"
    + ISO
    + rb"[ \t]+(?:DEBUG|INFO|WARN|ERROR)[ \t]+livekit|\[\d\d:\d\d:\d\d\.\d+\] (?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL) \("
    + rb"|"
    + ISO
    + rb" - (?:TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) )"
)
_PAIR: Final = re.compile(
    rb'(?<![\w.])["\']?([A-Za-z_][\w.]{0,40})["\']?[ \t]*[:=][ \t]*("(?:[^"\\\n]|\\.)*"?|\'[^\'\n]*\'|\x60[^\x60\n]*\x60|[^\s,{}\[\]"\']+)'
)
_PAIR_START: Final = re.compile(
    rb'[ \t,:;(\xe2\x80\x93\xe2\x80\x94-]*(?:\{|["\']?[A-Za-z_][\w.]{0,40}["\']?[ \t]*[:=][ \t]*["\'\x60\w{\[])'
)
_JSON_HEAD: Final = re.compile(rb'\{[ ]?"(?:level|ts|time|timestamp|msg|message|severity|logger|asctime)"')
_decode: Final = msgspec.json.Decoder().decode
_seconds: dict[bytes, int] = {}


def epoch(stamp: bytes) -> tuple[float, int | None] | None:
    """Epoch seconds and offset in minutes (None: no zone written, read as UTC) of an ISO 8601 time."""
    try:
        whole = _seconds.get(stamp[:19])
        if whole is not None and len(stamp) == 24 and stamp[19] == 46 and stamp[23] == 90:  # the server's own form
            return whole + int(stamp[20:23]) / 1000, 0
        return _epoch(stamp, whole)
    except ValueError:
        return None


def seconds(text: bytes | float, per_second: int = 1) -> float | None:
    """Epoch seconds that a record writes as a number; None for what is no moment of the years 1970 to 5138."""
    try:
        at = float(text) / per_second
    except (ValueError, OverflowError):
        return None
    return at if 0 < at < 1e11 else None


def _epoch(stamp: bytes, whole: int | None) -> tuple[float, int | None] | None:
    base = stamp[:19]
    if whole is None:
        year, month, day = int(base[0:4]), int(base[5:7]), int(base[8:10])
        hour, minute, second = int(base[11:13]), int(base[14:16]), int(base[17:19])
        if not (year > 1969 and 1 <= month <= 12 and 1 <= day <= 31 and 0 <= hour < 24 and 0 <= minute < 60):
            return None
        whole = calendar.timegm((year, month, day, hour, minute, second, 0, 0, 0))
        if len(_seconds) > 4096:
            _seconds.clear()
        _seconds[base] = whole
    rest = stamp[19:]
    if rest == b"Z":
        return float(whole), 0
    fraction = 0.0
    if rest[:1] in (b".", b","):
        end = 1
        while end < len(rest) and 48 <= rest[end] <= 57:
            end += 1
        fraction = float(b"0." + rest[1:end]) if end > 1 else 0.0
        rest = rest[end:]
    rest = rest.strip()
    if rest in (b"Z", b"UTC"):
        return whole + fraction, 0
    if len(rest) >= 5 and rest[:1] in b"+-":
        minutes = int(rest[1:3]) * 60 + int(rest[-2:])
        if not 0 <= minutes < 1440:
            return None  # a clock without such an offset
        offset = minutes if rest[:1] == b"+" else -minutes
        return whole + fraction - offset * 60, offset
    return whole + fraction, None


def peel(line: bytes) -> Prefix:
    """What of the line's beginning other programs have written: compose, docker, kubectl, journalctl, Markdown."""
    out = Prefix()
    at = 0
    for _ in range(8):
        m = _PREFIX.match(line, at)
        if not m and not at:  # all of it may be indented
            m = _PREFIX.match(line, len(line) - len(line.lstrip(b" \t")))
        if not m:
            break
        which = m.lastgroup or ""
        if which == "iso" and (
            _CONSOLE.match(line, m.start())
            or (not out.stamp and line[m.end() : m.end() + 12].lstrip()[:2] == b"- ")  # a Python text line's own time
        ):
            break
        if which in _NAMES:
            out.service = m[which].decode("utf-8", "replace")
        elif which in {"number", "mark", "tag"}:
            out.marked = True
        else:
            out.stamp = m[which]
        at = m.end()
    out.cut = at
    return out


def loose(text: bytes) -> dict[str, Any]:
    """`key: "value"` pairs of a text that is no JSON: cut off, shortened by hand, or pretty-printed."""
    out: dict[str, Any] = {}
    for m in _PAIR.finditer(text[:65536]):
        key, raw = m[1].decode(), m[2]
        if key in out:
            continue
        out[key] = _scalar(raw)
    return out


def _scalar(raw: bytes) -> str | int | float | bool | None:
    if raw[:1] in b"\"'`":
        body = raw[1:-1] if len(raw) > 1 and raw[-1:] == raw[:1] else raw[1:]
        if raw[:1] == b'"' and b"\\" in body:
            try:
                return str(_decode(b'"' + body + b'"'))
            except (msgspec.DecodeError, UnicodeDecodeError):
                pass
        return body.decode("utf-8", "replace")
    word = raw.rstrip(b".;)`*").decode("utf-8", "replace")
    if word in {"true", "false", "null"}:
        return {"true": True, "false": False, "null": None}[word]
    try:
        return int(word) if "." not in word else float(word)
    except ValueError:
        return word


def braces(text: bytes) -> dict[str, Any] | None:
    """The JSON object at the beginning of the text, whatever follows it; None when it is not whole."""
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    else:
        return value if isinstance(value, dict) else None
    end = text.rfind(b"}")
    if end > 0:
        for candidate in (text[: end + 1], text[: end + 1].decode("utf-8", "replace").encode()):
            try:
                value = _decode(candidate)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            return value if isinstance(value, dict) else None
    return None


def fields_of(text: bytes) -> dict[str, Any]:
    """Fields behind a message: a JSON object, what is left of one, or loose pairs."""
    start = text.find(b"{")
    if start >= 0:
        value = braces(text[start:])
        if value is not None:
            return value
    return loose(text)


def clean(line: bytes) -> bytes:
    """The line without colours, line end and byte order mark."""
    if b"\x1b" in line:
        line = ANSI.sub(b"", line)
    if line.startswith(b"\xef\xbb\xbf"):
        line = line[3:]
    return line.rstrip(b"\r\n\t \x00")[:LINE_LIMIT]


def straight(line: bytes) -> bytes:
    """The cleaned line as a program wrote it: without what copying has done to its quotes and blanks."""
    if any(lead in line for lead in _LEADS):
        line = _TYPED.sub(_retyped, line)
    if b"&" in line and b'"' not in line and _ENTITY.search(line):
        line = html.unescape(line.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    brace = line.find(b"{")
    inside = brace >= 0 and line.startswith(b'\\"', brace + 1) and b'"' not in line[:brace]
    if inside:  # of a string: `{\"error\": …`
        return line.replace(b"\\t", b"\t").replace(b'\\"', b'"').replace(b"\\\\", b"\\")
    return line


def _retyped(found: re.Match[bytes]) -> bytes:
    """What a program wrote where copying has left this: only a string that is a log's own words is no name."""
    typed = found[0]
    if typed[:1] != b'"' or not any(lead in typed for lead in _LEADS):
        return _TYPOGRAPHIC.get(typed, typed)
    plain = _COPIED.sub(lambda m: _TYPOGRAPHIC[m[0]], typed)
    return plain if kind_of(plain[1:-1]) or ERRORS.fullmatch(plain[1:-1]) else typed


def headed(text: bytes) -> bool:
    """Whether a text begins as a log's lines do: with a time, a level, a logger, or an object."""
    flush = text.lstrip(b" \t\x1b")
    return flush[:1] in {b"{", b"["} or bool(_HEAD.match(flush) or peel(flush).stamp)


def parse(line: bytes, *, inner: bool = False) -> Record | None:
    """The record that this (cleaned) line holds by itself, in any form; None when it holds none.

    `inner`: what stood before it in the line has been looked at already.
    """
    if line[:1] == b"{":
        return _json_line(line, Prefix())
    m = _CONSOLE.match(line)
    if m:
        return _console(m, Prefix())
    prefix = peel(line)
    rest = line[prefix.cut :] if prefix.cut else line
    flush = rest.lstrip(b" \t")
    if flush[:1] == b"{":
        return _json_line(flush, prefix)
    if flush is not line:
        m = _CONSOLE.match(flush)
        if m:
            return _console(m, prefix)
    m = _PRETTY.match(flush)
    if m:
        return _pretty(m, prefix)
    found = _text(rest, prefix)
    if found is not None or inner:
        return found
    begun = _INNER.search(rest[:200])  # behind a prefix of a program that is not known
    before = rest[: begun.start()] if begun else b""
    if begun is None or not before.strip() or b'"' in before:
        return None
    within = parse(rest[begun.start() :], inner=True)
    if within is not None and not within.service:
        within.service = prefix.service or before.split()[0].decode("utf-8", "replace")[:80]
    return within


def _record(
    kind: str, form: str, stamp: bytes, prefix: Prefix, level: str, fields: dict[str, Any], tail: bytes
) -> Record:
    own = epoch(stamp) if stamp else None
    by_engine = False
    if own is None and prefix.stamp:
        own, by_engine = epoch(prefix.stamp), True
    at, zone = own or (None, None)
    return Record(
        kind, form, at, zone, own is not None and zone is None, by_engine, level, prefix.service, fields, tail,
        kind not in _SERVER_KINDS,
    )  # fmt: skip


_SERVER_KINDS: Final = frozenset({*SERVER.values(), "other-server"})
_SILENT: Final = b"not dispatching agent job since no worker is available"  # people shorten it, the server does not


def _console(m: re.Match[bytes], prefix: Prefix) -> Record | None:
    rest = m["rest"]
    brace = rest.find(b"{")
    message = (rest if brace < 0 else rest[:brace]).strip()
    kind = kind_of(message)
    tail = b"" if brace < 0 else rest[brace:]
    if m["caller"] and brace < 0 and kind == "not-dispatching" and message != _SILENT:  # its line was broken
        return _record("other-server", "wrapped", m["time"], prefix, m["level"].decode().lower(), {}, m[0])
    if kind is None or kind.startswith("w-"):
        found = MESSAGE.match(message) if m["caller"] or brace < 0 else None
        if not found or not ERRORS.search(message):
            level = m["level"].decode().lower()
            if brace < 0:  # a line that ends before its message or fields do, or has no more
                return _record("other-server", "wrapped", m["time"], prefix, level, {}, m[0])
            return _record("other-server", "console", m["time"], prefix, level, {}, b"")
        kind = kind_of(found[0]) or "other-server"  # `failed to send job request: no servers …`
        tail = rest[found.end() :]
    fields = fields_of(tail) if tail else {}
    error = ERRORS.search(tail) if tail and "error" not in fields else None
    if error:
        fields = {**fields, "error": error[0].decode()}
    return _record(kind, "console", m["time"], prefix, m["level"].decode().lower(), fields, tail)


def _json_line(line: bytes, prefix: Prefix) -> Record | None:
    """A JSON object: the server's, pino's or Python's record, or another program's wrapping of one."""
    head = line[:400]
    worker_like = b'"message"' in head or b'"time"' in head
    message = _quick_message(line)
    if message is not None and kind_of(message) is None and not CRASH.match(message):
        return _other_json(line, prefix)
    value = braces(line)
    broken = b"" if value is not None else line
    if value is None:
        value = loose(line)
    if isinstance(value.get("jsonPayload"), dict):
        value = {**value, **value["jsonPayload"]}
    text = value.get("msg", value.get("message"))
    kind = kind_of(text.strip().encode("utf-8", "replace")) if isinstance(text, str) else None
    if kind is None:
        if broken and _JSON_HEAD.match(line):
            return _record("other", "wrapped", b"", prefix, "", {}, broken)
        return None if isinstance(text, str) else _bare(line, value, prefix)
    level, form, stamp, at = _json_head(value, worker_like=worker_like)
    record = _record(kind, form, stamp, prefix, level, value, broken)
    if at is not None:
        record.at, record.zone, record.naive, record.by_engine = at, 0, False, False
    return record


def _json_head(value: dict[str, Any], *, worker_like: bool) -> tuple[str, str, bytes, float | None]:
    raw = value.get("level")
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):  # pino
        time = value.get("time")
        at = seconds(time, 1000) if isinstance(time, (int, float)) and not isinstance(time, bool) else None
        return (
            {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}.get(
                int(raw) if abs(raw) < 1e6 else 0, "info"
            ),
            "pino",
            b"",
            at,
        )
    level = str(raw or "").lower().replace("warning", "warn")
    ts = value.get("ts")
    if isinstance(ts, (int, float)) and not isinstance(ts, bool):
        return level, "json", b"", seconds(ts)
    stamp = value.get("timestamp") or value.get("ts") or value.get("time") or value.get("asctime") or ""
    return level, "python-json" if worker_like else "json", str(stamp).encode("utf-8", "replace")[:40], None


def _quick_message(line: bytes) -> bytes | None:
    """The message of a JSON record without decoding it; None when it is not where loggers put it."""
    for key in (b'"msg":"', b'"message": "', b'"message":"', b'"msg": "'):
        start = line.find(key)
        if start >= 0:
            start += len(key)
            end = line.find(b'"', start)
            message = line[start:end]
            return None if end < 0 or message.endswith(b"\\") else message
    return None


def _other_json(line: bytes, prefix: Prefix) -> Record | None:
    """A record of the server's that says nothing about dispatch: only its time and level count."""
    if b'"logger":"livekit' not in line[:200] or b'"ts":' not in line[:120]:
        return None
    start = line.find(b'"ts":') + 5
    at = seconds(line[start : line.find(b",", start)])
    if at is None:
        return None
    level = line[line.find(b'"level":"') + 9 :].split(b'"', 1)[0].decode("utf-8", "replace")
    record = _record("other-server", "json", b"", prefix, level, {}, b"")
    record.at, record.zone, record.naive = at, 0, False
    return record


def _bare(line: bytes, value: dict[str, Any], prefix: Prefix) -> Record | None:
    """Fields without their message, as people paste them: only what one message alone can have is taken."""
    error = value.get("error")
    alone = "jobType" in value and not {"workerID", "roomID", "jobID"} & set(value)
    if alone and isinstance(error, str) and ERRORS.fullmatch(error.encode("utf-8", "replace")):
        return _record("request-failed", "excerpt", b"", prefix, "", value, line)
    return None


def _pretty(m: re.Match[bytes], prefix: Prefix) -> Record | None:
    rest = m["rest"].strip(b" \t\x60")
    kind = kind_of(rest)
    if kind is None:
        return None
    record = _record(kind, "pretty", b"", prefix, m["level"].decode().lower(), {}, rest)
    if record.at is None:
        record.fields = {"clock": m["clock"].decode()}
    return record


def _text(line: bytes, prefix: Prefix) -> Record | None:
    """A worker's text line, or an excerpt of any record: known message, nothing but a log's head before it."""
    at, stamp, level, structured = len(line) - len(line.lstrip()), b"", "", False
    for _ in range(12):
        m = _HEAD.match(line, at)
        if not m or m.end() == at:
            break
        if m["time"]:
            stamp = m["time"]
        elif m["level"]:
            level = m["level"].decode().lower().replace("warning", "warn").replace("warni", "warn")
        structured = structured or bool(m["time"] or m["level"] or m["logger"] or m["caller"] or m["clock"])
        at = m.end()
    found = MESSAGE.match(line, at)
    if not found:
        crash = CRASH.match(line) if not structured else None
        if crash:  # uncaught: the program's own words, now and then one of the worker's
            return _record(kind_of(line[crash.end() :].strip()) or "w-trace", "raw", b"", prefix, "", {}, line)
        return None
    kind = kind_of(found[0]) or kind_of(found[0].strip())
    if kind is None:
        return None
    tail = line[found.end() :].lstrip(
        b"`*\"' \t" if line[found.end() : found.end() + 1] in b'`*"' and found.end() < len(line) else b"\t"
    )
    boundary = line[found.end() : found.end() + 1]
    if boundary and (boundary.isalnum() or boundary == b"_"):
        return None
    error = ERRORS.search(tail) if kind in WITH_ERROR else None
    described = bool(_PAIR_START.match(tail)) or bool(error and tail.strip(b" \t:,-\"'`(").startswith(error[0]))
    if not structured and not prefix.stamp and not described:
        if tail.strip():
            return None  # prose that begins with a message's words
        return _record(kind, "open", b"", prefix, level, {}, b"")  # counts only when its fields follow
    fields = fields_of(tail) if tail.strip() else {}
    if error and "error" not in fields:
        fields = {**fields, "error": error[0].decode()}
    if not tail.strip() and kind.startswith("w-"):
        tail = found[0]  # a message with a variable part says there what went wrong
    return _record(kind, "text" if structured or prefix.stamp else "excerpt", stamp, prefix, level, fields, tail)


WITH_ERROR: Final = frozenset({"request-failed", "assign-failed", "no-worker-for-job"})
