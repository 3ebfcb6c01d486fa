"""Lines that a check is about, of containers' logs and of local files: the newest, as far as they may be read."""

from __future__ import annotations

import re
import stat
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from bot.errors import Unreachable, UsageError
from bot.evidence.docker_lines import PIECE
from bot.evidence.files import as_utf8
from bot.evidence.rotation import lost_until
from bot.evidence.spool import nanoseconds
from bot.evidence.together import together
from bot.livekit.forms import clean, epoch, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bot.evidence.containers import Container
    from bot.evidence.docker import Containers

MOST: Final = 64 << 20  # bytes of one log that are read; what is older is left out
_DATE: Final = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")
_NUMBER: Final = re.compile(rb'"(?:time|ts|timestamp)":\s*(?:(\d{13})|(\d{10}(?:\.\d{1,9})?))\b')
_EVER: Final = 1 << 63  # later than any time of a line
_HEAD: Final = 200  # bytes of a line in which its time stands


class Line(NamedTuple):
    """One line; `at` is its time in epoch nanoseconds, None where it has none, `number` 0 where it is not known."""

    at: int | None
    text: str
    of: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """Lines in their order; nothing is missing of them, or nothing after `whole_since` (epoch nanoseconds).

    `secrets` are to be masked wherever they turn up.
    """

    lines: tuple[Line, ...]
    whole_since: int | None = None
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def within(self, since: int | None, most: int) -> tuple[tuple[Line, ...], bool]:
        """The last `most` lines since a time, and whether there are others before them which are left out."""
        found = tuple(line for line in self.lines if since is None or (line.at is not None and line.at >= since))
        cut = self.whole_since is not None and (since is None or self.whole_since >= since)
        return found[-most:], cut or len(found) > most


def of_containers(engine: Containers, containers: Sequence[Container], since: int | None, most: int) -> Text:
    """The logs of one service's containers as one, in the order of their times.

    At most the last `most` lines of each, since a time of the engine's clock (epoch nanoseconds). Raises Unreachable as `Engine.log`.
    """
    parts: list[Text] = []
    together([partial(_of_container, engine, container, since, most, parts) for container in containers])
    cuts = [part.whole_since for part in parts if part.whole_since is not None]
    lines = sorted((line for part in parts for line in part.lines), key=lambda line: line.at or 0)
    return Text(tuple(lines), max(cuts, default=None), frozenset[str]().union(*(part.secrets for part in parts)))


def _of_container(engine: Containers, container: Container, since: int | None, most: int, parts: list[Text]) -> None:
    name, size, pieces, cut = f"docker logs {container.name}", 0, 0, False
    kept: deque[tuple[int, Line]] = deque()
    for raw in engine.log(container, since_ns=since, tail=most + 1):
        pieces += 1 + len(raw) // (PIECE - 64)
        line = Line(nanoseconds(raw), clean(raw.partition(b" ")[2]).decode("utf-8", "replace"), name)
        kept.append((len(raw), line))
        size += len(raw)
        while size > MOST:
            size, cut = size - kept.popleft()[0], True
    lines = tuple(line for _, line in kept)
    # The engine counts the pieces that it stored: only when there are fewer than were asked for, nothing was before them.
    cut = cut or pieces > most
    whole_since = lines[0].at if cut and lines else None
    if whole_since is None and since is not None and (lost := lost_until(engine, container, since)):
        whole_since = lost
    parts.append(Text(lines, whole_since, container.secrets()))


def of_file(path: Path, name: str, *, dated: bool) -> Text | None:
    """The lines of a local file, None where there is no such file.

    With `dated` each line has its own time, or that of the line before it. Raises Unreachable, with the reason, for
    what is there and cannot be read, and for what is no text.
    """
    try:
        if not there(path, name):
            return None
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size - MOST)
            file.seek(start)
            raw = file.read(MOST)
    except OSError as problem:
        raise Unreachable(f"{name} cannot be read ({(problem.strerror or 'unreadable').lower()})") from None
    if raw.startswith(b"\x1f\x8b") and not start:
        raise Unreachable(f"{name} is packed with gzip; unpack it first")
    try:
        raw = raw if start else as_utf8(raw, name)
    except UsageError as problem:
        raise Unreachable(str(problem)) from None
    found = raw.split(b"\n")
    if not found[-1]:
        found.pop()
    numbered = list(enumerate(found, 1)) if not start else [(0, line) for line in found[1:]]
    lines = tuple(
        _dated(numbered, name) if dated else (Line(None, _text(line), name, number) for number, line in numbered)
    )
    first = next((line.at for line in lines if line.at is not None), _EVER)
    return Text(lines, first if start else None)


def there(path: Path, name: str) -> bool:
    """Whether a file is there. Raises Unreachable for what is there and no ordinary file, or may not be looked at."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or "its name is none"
        raise Unreachable(f"{name} cannot be looked at ({why.lower()})") from None
    if not stat.S_ISREG(mode):
        raise Unreachable(f"{name} is {'a folder' if stat.S_ISDIR(mode) else 'no ordinary file'}")
    return True


def _text(line: bytes) -> str:
    return clean(line).decode("utf-8", "replace")


def _dated(numbered: Iterable[tuple[int, bytes]], name: str) -> Iterable[Line]:
    at: int | None = None
    for number, line in numbered:
        at = _moment(line[:_HEAD]) or at
        yield Line(at, _text(line), name, number)


def _moment(head: bytes) -> int | None:
    """The time that a line begins with or has in its JSON; one without a zone is read as UTC."""
    if iso := _DATE.search(head):
        found = epoch(iso[0].replace(b",", b"."))
        at = found[0] if found else None
    else:
        number = _NUMBER.search(head)
        at = (seconds(number[1], 1000) if number[1] else seconds(number[2])) if number else None
    return None if at is None else round(at * 10**9)


def of_body(body: bytes, name: str, *, cut: bool) -> Text:
    """The lines of what an address answered."""
    found = body.split(b"\n")
    lines = tuple(
        Line(None, _text(line), name, number) for number, line in enumerate(found, 1) if line or number < len(found)
    )
    return Text(lines, _EVER if cut else None)
