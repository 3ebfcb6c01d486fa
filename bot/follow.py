"""Keep looking at what runs, and tell each room's verdict once, when it is mature, and again when it changes."""

from __future__ import annotations

import re
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.diagnose import Diagnosis, diagnose
from bot.evidence.live import nothing
from bot.evidence.watch import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.evidence.look import Question
    from bot.livekit.seen import Verdict
    from bot.livekit.story import Room
    from bot.settings import Target

_PAUSE: Final = 1.0  # seconds between two looks
_IDLE: Final = 4  # times as long as a look took nothing is done: a fifth of a core at most
_REMEMBERED: Final = 5000  # rooms whose verdict is remembered, so that it is told once
_ASKED: Final = 20  # rooms that the API is asked about at most
_LASTING: Final = (
    b"worker registered", b"registered worker", b"worker deregistered", b"closing worker", b"starting LiveKit server", b"starting worker",
    b"single-node", b"connecting to redis",
)  # fmt: skip
_OF_ROOM: Final = (b"starting RTC session", b"assigned job", b"participant active")
_ROOM_ID: Final = re.compile(rb"\bRM_\w{12}\b")


@dataclass(frozen=True, slots=True)
class News:
    """What is new: the first whole answer, rows that are told now, or that something is away or back."""

    answer: Diagnosis | None = None
    rows: tuple[Verdict, ...] = ()
    first: bool = False
    trouble: str = ""
    back: bool = False


class Told:
    """What was told of which room, bounded; and the count of it for the summary."""

    def __init__(self) -> None:
        self._said: OrderedDict[tuple[str | None, str | None], tuple[str, str | None]] = OrderedDict()
        self.count: Counter[tuple[str, str | None]] = Counter()
        #: Rooms that are still alive, whose first lines still matter.
        self.open: frozenset[bytes] = frozenset()
        #: Rooms that the logs leave open, which the API may know more of.
        self.doubtful: tuple[str, ...] = ()
        #: From when on a room can be judged that is too young now.
        self.due: float | None = None

    def lasting(self, line: bytes) -> bool:
        """Whether a line that is older than the window is still needed."""
        if any(words in line for words in _LASTING):
            return True
        return any(w in line for w in _OF_ROOM) and any(r in self.open for r in _ROOM_ID.findall(line))

    def news(self, answer: Diagnosis) -> tuple[Verdict, ...]:
        """The rows that have not been told so, oldest first."""
        rows = answer.verdicts.rows
        self.open = frozenset(r.id.encode() for r in answer.look.seen.story.rooms.values() if _open(r))
        self.due = min((r.judged_from for r in rows if r.judged_from is not None), default=None)
        mature = [r for r in rows if r.judged_from is None]
        self.doubtful = tuple(r.room for r in mature if r.room and r.verdict == "inconclusive")[-_ASKED:]
        return tuple(sorted((r for r in mature if self._new(r)), key=lambda r: r.at or 0.0))

    def _new(self, row: Verdict) -> bool:
        if row.room is None and row.room_id is None and row.verdict != "cause":
            return False  # that there is nothing to judge is told at first, and needs no second time
        key = row.room_id or row.room, None if row.room or row.room_id else row.cause  # agents-js tells ids only
        state, before = (row.verdict, row.cause), self._said.get(key)
        if before is not None and (before == state or row.verdict == "inconclusive"):
            return False  # what was decided is not taken back when its lines grow old
        if before is not None:
            self.count[before] -= 1
        self.count[state] += 1
        self._said[key] = state
        self._said.move_to_end(key)
        while len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        return True


def _open(room: Room) -> bool:
    return bool(room.id) and room.closed is None


def follow(question: Question, target: Target, told: Told, wait: Callable[[float], None]) -> Iterator[News]:
    """What is new, for ever; `wait` is called with the seconds until the next look.

    Raises NothingFound when there is nothing to look at to begin with and no server whose address is set could still
    come, UsageError as `diagnose` does.
    """
    with Watched(target, Path.cwd(), told.lasting) as watched:
        away, first, waits = False, True, False
        while True:
            began = time.monotonic()
            new = watched.read()
            if bool(watched.trouble) is not away and not first:
                yield News(trouble=watched.trouble, back=away)
            away = bool(watched.trouble)
            due = told.due is not None and watched.now >= told.due
            ask = first or bool(told.doubtful or watched.trouble)  # without logs there is only the API
            if ask or new or due:
                live = watched.look(told.doubtful, ask=ask)
                if first and live.empty:
                    found = nothing(live)
                    if not target.livekit_url:
                        raise found
                    if not waits:
                        yield News(trouble="; ".join(found.looked))
                    waits = True
                else:
                    with diagnose(question, live) as answer:
                        rows = told.news(answer)
                        if first or rows:
                            yield News(answer, rows, first=first)
                    first = False
            wait(max(_PAUSE, _IDLE * (time.monotonic() - began)))
