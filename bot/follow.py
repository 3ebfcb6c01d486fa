"""Keep looking at what runs, and tell each room's verdict once, when it is mature, and again when it changes."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.diagnose import Diagnosis, diagnose
from bot.evidence.live import BACK, Watched, nothing
from bot.evidence.moments import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bot.evidence.live import Live
    from bot.evidence.look import Question
    from bot.livekit.seen import ApiRoom, Verdict
    from bot.settings import Target

_PAUSE: Final = 1.0  # seconds between two looks
_IDLE: Final = 4  # times as long as a look took nothing is done: a fifth of a core at most
_REMEMBERED: Final = 5000  # rooms out of the window whose verdict is remembered, so that it is told once
_ASKED: Final = 20  # rooms that the API is asked about at once
_POLLED: Final = 10.0  # seconds from one question to the API about a room to the next; then twice as long each time
_SELDOM: Final = 160.0  # seconds at most
_LASTING: Final = (
    b"worker registered", b"registered worker", b"worker deregistered", b"closing worker", b"starting LiveKit server", b"starting worker",
    b"single-node", b"connecting to redis",
)  # fmt: skip
_OF_ROOM: Final = (b"starting RTC session", b"assigned job", b"participant active")
_ROOM_ID: Final = re.compile(rb"\bRM_\w{12}\b")
_Key = tuple[str | None, str | None]


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
        self._said: dict[_Key, tuple[str, str | None]] = {}
        self.count: Counter[tuple[str, str | None]] = Counter()

    def new(self, rows: Sequence[Verdict]) -> tuple[Verdict, ...]:
        """The rows that can be judged and have not been told so, oldest first."""
        return tuple(sorted((r for r in rows if r.judged_from is None and self._new(r)), key=lambda r: r.at or 0.0))

    def _new(self, row: Verdict) -> bool:
        if row.room is None and row.room_id is None and row.verdict != "cause":
            return False  # that there is nothing to judge is told at first, and needs no second time
        before = self._said.get(_key(row))
        if before is None:
            return True
        # What was decided is not taken back when its lines grow old.
        return before != (row.verdict, row.cause) and row.verdict != "inconclusive"

    def tell(self, rows: Sequence[Verdict], all_rows: Sequence[Verdict]) -> None:
        """Remember that these rows were told; of rooms that no row is about any more the latest are remembered."""
        for row in rows:
            key, state = _key(row), (row.verdict, row.cause)
            if key in self._said:
                self.count[self._said.pop(key)] -= 1
            self._said[key] = state
            self.count[state] += 1
        if len(self._said) > _REMEMBERED:
            here = {_key(row) for row in all_rows}
            gone = [key for key in self._said if key not in here]
            for key in gone[: max(0, len(self._said) - len(here) - _REMEMBERED // 2)]:
                del self._said[key]

    def healthy(self, room: ApiRoom) -> bool:
        """Whether this room has been told to have its agent."""
        return self._said.get((room.id or room.name, None), ("", None))[0] == "healthy"


def _key(row: Verdict) -> _Key:
    return row.room_id or row.room, None if row.room or row.room_id else row.cause  # agents-js tells ids only


class _Asking:
    """Which rooms the API is asked about and when: each question leaves lines in the server's log."""

    def __init__(self) -> None:
        self._next: dict[
            str, tuple[float, float]
        ] = {}  # by room: when it may be asked about again, and how long it waits

    def due(self, rooms: Sequence[str]) -> tuple[str, ...]:
        """Those that may be asked about now; they wait twice as long the next time."""
        now = time.monotonic()
        found = [room for room in rooms if self._next.get(room, (0.0, 0.0))[0] <= now][:_ASKED]
        for room in found:
            pause = min(_SELDOM, 2 * self._next[room][1]) if room in self._next else _POLLED
            self._next[room] = (now + pause, pause)
        if len(self._next) > _REMEMBERED:
            self._next = {room: when for room, when in self._next.items() if when[0] > now}
        return tuple(found)


def follow(question: Question, target: Target, told: Told, wait: Callable[[float], None]) -> Iterator[News]:
    """What is new, for ever; `wait` is called with the seconds until the next look.

    Raises NothingFound when there is nothing to look at to begin with and no server whose address is set could still
    come, UsageError as `diagnose` does.
    """
    with Watched(target, Path.cwd()) as watched:
        waits = False
        while (found := _begun(watched, question)).empty:
            if not target.livekit_url:
                raise nothing(found)
            if not waits:
                yield News(trouble="; ".join(nothing(found).looked))
            waits = True
            wait(_POLLED)
        back = watched.now - moment(question.since, (), "--since", watched.now) if question.since else BACK
        question = replace(question, since=f"{max(0.0, back):.0f}s" if question.since else None)
        follower = _Follower(question, watched, told, max(BACK, back))
        yield from follower.first()
        while True:
            began = time.monotonic()
            yield from follower.again()
            wait(max(_PAUSE, _IDLE * (time.monotonic() - began)))


def _begun(watched: Watched, question: Question) -> Live:
    """The first look, at everything."""
    watched.attach()
    watched.read_folder()
    watched.read_logs()
    watched.read_events()
    watched.ask_api(question.rooms or None)
    return watched.seen()


class _Follower:
    """One look after the other."""

    def __init__(self, question: Question, watched: Watched, told: Told, back: float) -> None:
        self._question, self._watched, self._told, self._back = question, watched, told, back
        self._asking = _Asking()
        self._away, self._listed = bool(watched.trouble), time.monotonic()
        self._open: frozenset[bytes] = frozenset()  # rooms that are alive, whose first lines still matter
        self._due: float | None = None  # from when on a room can be judged that is too young now
        self._unsettled: tuple[str, ...] = ()  # rooms that the API may know more of

    def first(self) -> Iterator[News]:
        """The whole answer, with all that can be told at once."""
        with diagnose(self._question, self._watched.seen()) as answer:
            self._learn(answer)
            rows = self._told.new(answer.verdicts.rows)
            self._told.tell(rows, answer.verdicts.rows)
            yield News(answer, rows, first=True)

    def again(self) -> Iterator[News]:
        """Look again, and tell what is new."""
        watched = self._watched
        watched.attach()
        new = watched.read_logs()
        if new:
            watched.read_events()
        watched.compact(watched.now - self._back, self._lasting)
        if bool(watched.trouble) is not self._away:
            yield News(trouble=watched.trouble, back=self._away)
        self._away = bool(watched.trouble)
        due = self._due is not None and watched.now >= self._due
        asked = self._asking.due(self._unsettled)
        blind = (
            bool(watched.trouble) and time.monotonic() >= self._listed + _POLLED
        )  # without logs there is only the API
        if asked or blind:
            watched.ask_api(asked)
            self._listed = time.monotonic()
        if new or due or asked or blind:
            yield from self._tell()

    def _tell(self) -> Iterator[News]:
        """Tell what is new; what is no good news is told only after the API was asked about it too."""
        with diagnose(self._question, self._watched.seen()) as answer:
            bad = [r for r in self._told.new(answer.verdicts.rows) if r.verdict != "healthy" and (r.room or r.room_id)]
            asked = self._asking.due([name for r in bad if (name := r.room or r.room_id)])
            if not asked:
                yield from self._told_of(answer)
                return
        self._watched.ask_api(asked)
        with diagnose(self._question, self._watched.seen()) as answer:
            yield from self._told_of(answer)

    def _told_of(self, answer: Diagnosis) -> Iterator[News]:
        self._learn(answer)
        rows = self._told.new(answer.verdicts.rows)
        self._told.tell(rows, answer.verdicts.rows)
        if rows:
            yield News(answer, rows)

    def _learn(self, answer: Diagnosis) -> None:
        """Keep what decides when to look, ask and forget."""
        rows, seen = answer.verdicts.rows, answer.look.seen
        self._open = frozenset(r.id.encode() for r in seen.story.rooms.values() if r.id and r.closed is None)
        self._due = min((r.judged_from for r in rows if r.judged_from is not None), default=None)
        doubtful = [r.room for r in rows if r.room and r.verdict == "inconclusive" and r.judged_from is None]
        blind = seen.api is not None and (self._away or not seen.logs)
        unlooked = [r.name for r in seen.api.rooms if not self._told.healthy(r)] if blind and seen.api else []
        self._unsettled = tuple(dict.fromkeys([*unlooked, *doubtful]))

    def _lasting(self, line: bytes) -> bool:
        """Whether a line that is older than the window is still needed."""
        if any(words in line for words in _LASTING):
            return True
        return any(w in line for w in _OF_ROOM) and any(r in self._open for r in _ROOM_ID.findall(line))
