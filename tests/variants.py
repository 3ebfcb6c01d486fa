"""The same evidence written another way: prefixes, layouts, pieces, and more rooms that are fine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tests.fletcher import RECORDINGS, Reply, diagnose, evidence

CASES = sorted(path.parent for path in RECORDINGS.glob("inc-*/case.json"))
LOG_FLAGS = ("--server-log", "--agent-log")
Rewrite = Callable[[bytes, datetime], bytes]
Verdicts = dict[tuple[str | None, str | None], list[tuple[str, str | None]]]

_MONTHS = {
    "C": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "de": ("Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"),
}
_STAMP = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d{3}(?:Z|[+-]\d{4})?")
_EPOCH = re.compile(rb'"(?:ts|time)":\s?(\d{10,13}(?:\.\d+)?)')
_CLOCK = re.compile(rb"\[(\d\d):(\d\d):(\d\d)\.(\d{3})\]")


def pairs_of(case: Path) -> list[tuple[str, Path]]:
    """A recording's evidence as (flag, path)."""
    given = evidence(case)
    return [(flag, Path(path)) for flag, path in zip(given[::2], given[1::2], strict=True)]


def verdicts(reply: Reply) -> Verdicts:
    """What was concluded, by room and incarnation."""
    out: Verdicts = {}
    for row in reply.json["rooms"]:
        out.setdefault((row["room"], row["room_id"]), []).append((row["verdict"], row["cause"]))
    return out


@cache
def answer(case: Path) -> Reply:
    """The answer to a recording as it is."""
    return diagnose(*evidence(case))


def lines_of(path: Path) -> list[bytes]:
    """A file's lines without their line feeds."""
    return path.read_bytes().removesuffix(b"\n").split(b"\n")


def rewritten(
    case: Path, folder: Path, rewrite: Callable[[Sequence[bytes]], Iterable[bytes]], flags: Sequence[str]
) -> list[str]:
    """The recording's evidence with its logs written anew, line for line, as arguments."""
    out: list[str] = []
    for flag, path in pairs_of(case):
        given = path
        if flag in flags:
            given = folder / path.name
            given.write_bytes(b"\n".join(rewrite(lines_of(path))) + b"\n")
        out += [flag, str(given)]
    return out


def times(lines: Sequence[bytes]) -> list[datetime]:
    """When each line was written, never backwards; a line without a time has that of the line before it."""
    found = [_time(line) for line in lines]
    now = next((at for at in found if at), datetime(2026, 11, 23, tzinfo=UTC))
    out = []
    for at in found:
        now = max(now, at) if at else now
        out.append(now)
    return out


def _time(line: bytes) -> datetime | None:
    if stamp := _STAMP.search(line):
        at = datetime.fromisoformat(stamp[0].decode().replace(",", "."))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    if epoch := _EPOCH.search(line):
        seconds = float(epoch[1])
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    if clock := _CLOCK.match(line):
        hour, minute, second, millis = map(int, clock.groups())
        return datetime(2026, 11, 23, hour, minute, second, millis * 1000, tzinfo=UTC)
    return None


def _nano(at: datetime) -> bytes:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f").encode() + b"789Z "


def _journal(locale: str) -> Rewrite:
    months = _MONTHS[locale]
    return lambda line, at: f"{months[at.month - 1]} {at:%e %H:%M:%S} vm livekit[12]: ".encode() + line


PREFIXES: dict[str, Rewrite] = {
    "docker compose logs": lambda line, _: b"livekit-1  | " + line,
    "docker compose logs --timestamps": lambda line, at: b"livekit-1  | " + _nano(at) + line,
    "docker logs --timestamps": lambda line, at: _nano(at) + line,
    "kubectl logs --prefix": lambda line, _: b"[pod/livekit-5f5c7d9b4c-hm8zt/main] " + line,
    "kubectl logs --prefix --timestamps": lambda line, at: b"[pod/livekit-5f5c7d9b4c-hm8zt/main] " + _nano(at) + line,
    "CRI": lambda line, at: _nano(at) + b"stderr F " + line,
    "journalctl": _journal("C"),
    "journalctl, German": _journal("de"),
}
LAYOUTS: dict[str, Rewrite] = {
    "CR LF": lambda line, _: line + b"\r",
    "single blanks": lambda line, _: line.replace(b"\t", b" "),
    "eight columns": lambda line, _: line.expandtabs(8),
    "runs of blanks": lambda line, _: line.replace(b"\t", b"    "),
}


def to_json(line: bytes) -> bytes:
    """A line of the server's console layout in its JSON layout; any other line stays."""
    column = line.split(b"\t", 5)
    if len(column) < 5 or not column[2].startswith(b"livekit"):
        return line
    at = datetime.fromisoformat(column[0].decode())
    head = {"level": column[1].decode().lower(), "ts": at.timestamp(), "logger": column[2].decode()}
    head |= {"caller": column[3].decode(), "msg": column[4].decode()}
    shown = json.dumps(head, separators=(",", ":"))
    if len(column) > 5:  # keys that are there twice stay so
        fields: Any = json.loads(column[5].decode("utf-8", "replace"), object_pairs_hook=_Pairs)
        shown = shown[:-1] + "," + _dump(fields)[1:]
    return shown.encode()


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its keys in order, as often as they are there."""


def _dump(value: object) -> str:
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{_dump(one)}" for key, one in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def to_console(line: bytes) -> bytes:
    """A line of the server's JSON layout in its console layout; any other line stays."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if "msg" not in fields or "ts" not in fields:
        return line
    at = datetime.fromtimestamp(fields.pop("ts"), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    column = [at, fields.pop("level").upper(), fields.pop("logger"), fields.pop("caller"), fields.pop("msg")]
    if fields:
        column.append(json.dumps(fields, ensure_ascii=False))
    return "\t".join(column).encode()


def is_console(case: Path) -> bool:
    """Whether the recording's server log has the plain console layout."""
    return bool(re.match(rb"\d{4}-\d\d-\d\dT[^\t]+\t", (case / "livekit.log").read_bytes()))


# --- rooms that are fine ---------------------------------------------------------------------------------------------


class Donor:
    """The lines of a room that got its agent."""

    def __init__(self, case: Path, room: str, room_id: str) -> None:
        lines = [line for line in lines_of(case / "livekit.log") if _STAMP.match(line)]
        mine = [line for line in lines if room_id.encode() in line]
        self.room, self.room_id = room, room_id
        self.jobs = sorted(set(re.findall(rb"AJ_\w+", b"\n".join(mine))))
        self.lines = [line for line in lines if room_id.encode() in line or any(job in line for job in self.jobs)]
        self.names = set(re.findall(rb'"agentName": "([^"]*)"', b"\n".join(self.lines)))
        self.workers = set(re.findall(rb"AW_\w+", b"\n".join(self.lines)))

    def graft(self, number: int, name: bytes, worker: bytes, start: datetime) -> list[bytes]:
        """The same room again with ids of its own, served by another worker, born at this time."""
        born = times(self.lines)[0]
        out = []
        for line, at in zip(self.lines, times(self.lines), strict=True):
            end = line.index(b"\t")
            moved = (start + (at - born)).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
            text = moved + line[end:].replace(self.room_id.encode(), b"RM_grafted%04d" % number)
            text = text.replace(json.dumps(self.room)[1:-1].encode(), b"grafted-%d" % number)
            for index, job in enumerate(self.jobs):
                text = text.replace(job, b"AJ_grafted%d%03d" % (index, number))
            for other in self.workers:
                text = text.replace(other, worker)
            for other in self.names:
                text = text.replace(b'"agentName": "%s"' % other, b'"agentName": "%s"' % name)
            out.append(text)
        return out


@cache
def donors() -> list[Donor]:
    """Every room of a recording with a plain console log that got the one agent it asked for by name."""
    found = []
    for case in filter(is_console, CASES):
        for row in answer(case).json["rooms"]:
            if row["verdict"] == "healthy" and row["room_id"]:
                donor = Donor(case, row["room"], row["room_id"])
                if len(donor.workers) == 1 and len(donor.names) == 1 and donor.names != {b""}:
                    found.append(donor)
    return found


@cache
def stays(case: Path) -> list[tuple[bytes, bytes, datetime, datetime]]:
    """The named workers of the recording's own agent logs: name, id, and from when to when the server knew them."""
    lines = lines_of(case / "livekit.log")
    ours = b"\n".join(path.read_bytes() for path in sorted(case.glob("agent*.log")))
    end = max(times(lines))
    out = []
    for line in lines:
        column = line.split(b"\t", 5)
        if len(column) > 5 and column[4] == b"worker registered":
            fields = json.loads(column[5])
            name, worker = fields["agentName"].encode(), fields["workerID"].encode()
            gone = [at for at in lines if worker in at and b"\tclosing worker\t" in at]
            if name and worker in ours:
                last = times(gone)[0] if gone else end
                out.append((name, worker, times([line])[0], last - timedelta(seconds=3)))
    return out
