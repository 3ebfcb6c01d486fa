"""A container's log, copied where it can be read again and again, and kept up with while the container runs."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Final

from bot.evidence.docker_lines import PIECE
from bot.evidence.files import LogFile
from bot.livekit.forms import epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.evidence.containers import Container
    from bot.evidence.docker import Engine

LINES: Final = 50_000
_NEXT: Final = 1_000  # of what an engine stored, enough for most times that are between two looks
#: Two streams and several writers may store their lines not quite in the order of their times.
_WINDOW: Final = 2 * 10**9  # nanoseconds
_GOES_ON: Final = re.compile(rb"\S+Z \s")  # a line of a record that began above
_STAMP: Final = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)(?= |$)")


class Spool(LogFile):
    """The log of one service's container, each line with the engine's time before it; grows with every `read`.

    What was read is known by time and content: a line is taken as often as the engine has it, in whatever order it
    comes, as long as it comes within two seconds of its time.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, tempfile.TemporaryFile())  # noqa: SIM115  # lives as long as the answer
        self._container = ""
        self._oldest = self._newest = -1
        self._seen: Counter[tuple[int, int]] = Counter()

    @property
    def reading(self) -> bool:
        """Whether lines of the container that is there now were read."""
        return self._newest >= 0

    @property
    def newest(self) -> float | None:
        """The engine's time of the newest line of that container, in epoch seconds; None where none was read."""
        return self._newest / 10**9 if self._newest > 0 else None

    def read(self, engine: Engine, container: Container, limit: int | None = LINES) -> int:
        """Take what has been logged since; returns how many lines that was.

        The first time, and of a container that was created anew, at most the last `limit` lines. Raises Unreachable
        as `Engine.log`; the lines that came before are kept and counted on from.
        """
        if container.id != self._container:
            self._container, self._oldest, self._newest, self._seen = container.id, -1, -1, Counter()
        if self._newest < 0:
            lines = engine.log(container, tail=limit)
            first = next(lines, b"")
            if limit is not None:  # what stands before it was left out, and stays so
                self._oldest = nanoseconds(first)
            taken = self._take(chain([first] if first else [], lines))
            if limit is not None and taken >= limit:
                self.note = f"only its last {limit} lines; what was logged before them was left out"
            return taken
        since = max(0, self._newest - _WINDOW)
        # `tail` spares the engine its way through the whole log; only when it was not cut off, nothing is missing.
        recent = list(engine.log(container, since_ns=since, tail=_NEXT))
        if sum(1 + len(line) // (PIECE - 64) for line in recent) < _NEXT:
            return self._take(iter(recent))
        return self._take(engine.log(container, since_ns=since))

    def _take(self, lines: Iterator[bytes]) -> int:
        """Append the lines that are new."""
        known, taken = self._seen.copy(), 0
        self._file.seek(0, 2)
        try:
            for line in lines:
                at = nanoseconds(line)
                mark = at, hash(line)
                if known[mark]:
                    known[mark] -= 1
                elif at >= self._oldest:
                    self._file.write(line + b"\n")
                    self._seen[mark] += 1
                    self._newest, taken = max(self._newest, at), taken + 1
        finally:
            oldest = self._newest - _WINDOW
            for mark in [mark for mark in self._seen if mark[0] < oldest]:
                del self._seen[mark]
        return taken

    def compact(self, before: float, keep: Callable[[bytes], bool]) -> int:
        """Drop the lines that are older than `before` (epoch seconds), but for those that `keep` wants; returns how many.

        Places in the log that were told before hold no longer.
        """
        limit, dropped, kept_last = int(before * 10**9), 0, False
        kept: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # becomes this log's
        try:
            self._file.seek(0)
            for ended in self._file:
                line = ended.removesuffix(b"\n")
                goes_on = kept_last and _GOES_ON.match(line) is not None  # with the record before it
                kept_last = nanoseconds(line) >= limit or goes_on or keep(line)
                if kept_last:
                    kept.write(ended)
                else:
                    dropped += 1
        except BaseException:
            kept.close()
            raise
        self._file.close()
        self._file = kept
        return dropped


def spooled(engine: Engine, container: Container, limit: int | None = LINES) -> Spool:
    """The container's log as `docker logs NAME`, its last `limit` lines; its `note` says when older ones were left out.

    Raises Unreachable as `Engine.log`.
    """
    spool = Spool(f"docker logs {container.name}")
    try:
        spool.read(engine, container, limit)
    except BaseException:
        spool.close()
        raise
    return spool


def nanoseconds(line: bytes) -> int:
    """The engine's time before a line, in epoch nanoseconds; 0 where there is none."""
    found = _STAMP.match(line)
    whole = epoch(found[1] + found[3]) if found else None
    if found is None or whole is None:
        return 0
    return int(whole[0]) * 10**9 + int((found[2] or b"0")[:9].ljust(9, b"0"))
