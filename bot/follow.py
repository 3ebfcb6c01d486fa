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
    from contextlib import AbstractContextManager

    from bot.evidence.live import Live
    from bot.evidence.look import Question
    from bot.livekit.seen import ApiRoom, Verdict
    from bot.settings import Target

_PAUSE: Final = 1.0  # seconds between two looks
_IDLE: Final = 4  # times as long as a look took nothing is done: a fifth of a core at most
_REMEMBERED: Final = 5000  # rooms out of the window whose verdict is remembered, so that it is told once
_ASKED: Final = 20  # rooms that the API is asked about at once
_POLLED: Final = 10.0  # seconds from one question to the API about a room to the next; then twice as long each time
_MOMENT: Final = 3.0  # seconds from one question about a room to the next when its verdict waits for it
_GIVEN_UP: Final = 30.0  # seconds of silence after which the API is waited for no more
_HOPELESS: Final = frozenset({"keys", "address", "refused", "clock"})  # troubles of the API that waiting does not end
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
        here = {_key(row) for row in all_rows}
        for key in [key for key in self._said if key[0] is None and key not in here]:
            del self._said[key]  # a trouble of no room that is over; when it comes again it is told again
        if len(self._said) > _REMEMBERED:
            gone = [key for key in self._said if key not in here]
            for key in gone[: max(0, len(self._said) - len(here) - _REMEMBERED // 2)]:
                del self._said[key]

    def healthy(self, room: ApiRoom) -> bool:
        """Whether this room has been told to have its agent."""
        return self._said.get((room.id or room.name, None), ("", None))[0] == "healthy"


def _bad(row: Verdict) -> str:
    """The room, by name or id, of which this is no good news; "" when it is good, or of no room."""
    return "" if row.verdict == "healthy" else row.room or row.room_id or ""


def _key(row: Verdict) -> _Key:
    return row.room_id or row.room, None if row.room or row.room_id else row.cause  # agents-js tells ids only


class _Asking:
    """Which rooms the API is asked about and when: each question leaves lines in the server's log."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float]] = {}  # by room: when it was asked about, and how long it waits

    def due(self, rooms: Sequence[str]) -> tuple[str, ...]:
        """Those that have waited long enough; they wait twice as long the next time."""
        return self._asked([r for r in rooms if self._since(r) >= self._last.get(r, (0.0, 0.0))[1]])

    def now(self, rooms: Sequence[str]) -> tuple[str, ...]:
        """Those whose verdict waits for it, and that were not asked about a moment ago."""
        return self._asked([r for r in rooms if self._since(r) >= _MOMENT])

    def _since(self, room: str) -> float:
        return time.monotonic() - self._last[room][0] if room in self._last else float("inf")

    def _asked(self, rooms: list[str]) -> tuple[str, ...]:
        found = rooms[:_ASKED]
        for room in found:
            pause = min(_SELDOM, 2 * self._last[room][1]) if room in self._last else _POLLED
            self._last[room] = (time.monotonic(), pause)
        if len(self._last) > _REMEMBERED:
            self._last = dict(list(self._last.items())[-_REMEMBERED // 2 :])
        return tuple(found)


def follow(question: Question, target: Target, told: Told, wait: Callable[[float], None]) -> Iterator[News]:
    """What is new, for ever; `wait` is called with the seconds until the next look.

    Raises NothingFound when there is nothing to look at to begin with and no server whose address and keys are set
    could still come, UsageError as `diagnose` does.
    """
    with Watched(target, Path.cwd()) as watched:
        waits = False
        while (found := begun(watched, question)).empty:
            if not target.livekit_url or watched.api_trouble in _HOPELESS:
                raise nothing(found)
            if not waits:
                yield News(trouble="; ".join(nothing(found).looked))
            waits = True
            wait(_POLLED)
        watched.patient = True
        follower = Follower(question, watched, told)
        yield from follower.first()
        while True:
            began = time.monotonic()
            yield from follower.again()
            wait(max(_PAUSE, _IDLE * (time.monotonic() - began)))


def begun(watched: Watched, question: Question) -> Live:
    """The first look, at everything."""
    watched.attach()
    watched.read_folder()
    watched.read_logs()
    watched.read_events()
    watched.ask_api(question.rooms or None)
    return watched.seen()


class Follower:
    """One look after the other; from `begin` (epoch seconds, by the clock that dates the logs) on where that is given.

    What is no good news of a room is told only after the API was asked about it in the same look, if the API answers at
    all: a log may be behind, and what the API told earlier may have changed.
    """

    def __init__(self, question: Question, watched: Watched, told: Told, begin: float | None = None) -> None:
        self._question, self._watched, self._told = question, watched, told
        now = watched.now
        self._dated = begin is not None or bool(question.since)
        asked = moment(question.since, (), "--since", now) if question.since else now - BACK
        self._begin = asked if begin is None else begin
        self._back = max(BACK, now - self._begin)
        #: The rooms that are alive and lack their agent, by cause; known after a look.
        self.lacking: Counter[str] = Counter()
        self._asking = _Asking()
        self._away = False  # whether something that was there is away
        self._blind = False  # whether there is no server's log, so that rooms come by the API alone
        self._listed = self._answered = time.monotonic()
        self._open: frozenset[bytes] = frozenset()  # rooms that are alive, whose first lines still matter
        self._due: float | None = None  # from when on a room can be judged that is too young now
        self._held = False  # whether news waits for the API
        self._unsettled: tuple[str, ...] = ()  # rooms that the API may know more of

    @property
    def trouble(self) -> str:
        """What stands in the way; an engine that was never there is no trouble while the API tells which rooms there are."""
        return (self._watched.trouble if self._watched.found else "") or (self._watched.api_told if self._blind else "")

    def first(self) -> Iterator[News]:
        """The whole answer, with all that can be told at once."""
        with self._diagnosed() as answer:
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
        due = self._due is not None and watched.now >= self._due
        asked = self._asking.due(self._unsettled)
        list_rooms = (self._blind or bool(watched.trouble)) and time.monotonic() - self._listed >= _POLLED
        answers = self._ask(asked) if asked or list_rooms else False
        trouble = self.trouble
        if bool(trouble) is not self._away:
            yield News(trouble=trouble, back=self._away)
        self._away = bool(trouble)
        if new or due or asked or list_rooms or self._held:
            yield from self._tell(frozenset(asked if answers else ()))

    def _ask(self, rooms: tuple[str, ...]) -> bool:
        """Ask the API about these rooms, and which there are; whether it answers."""
        self._listed = time.monotonic()
        self._watched.ask_api(rooms)
        if not self._watched.api_told:
            self._answered = time.monotonic()
        return not self._watched.api_told

    def _tell(self, known: frozenset[str]) -> Iterator[News]:
        """Tell what is new, and hold what has to wait for the API; of the rooms that are `known` it told just now."""
        with self._diagnosed() as answer:
            bad = [name for r in self._told.new(answer.verdicts.rows) if (name := _bad(r)) and name not in known]
            if not bad or self._watched.api_trouble in _HOPELESS:
                yield from self._told_of(answer, None)
                return
        more = self._asking.now(bad)
        # What was known has to be asked again, since the API tells only of the rooms of one question who is in them.
        answers = self._ask((*more, *known)) if more else False
        given_up = not answers and time.monotonic() - self._answered > _GIVEN_UP
        with self._diagnosed() as answer:
            yield from self._told_of(answer, None if given_up else known | frozenset(more if answers else ()))

    def _told_of(self, answer: Diagnosis, asked: frozenset[str] | None) -> Iterator[News]:
        """Tell the good news, and of the bad that of rooms that were asked about; with None all."""
        self._learn(answer)
        new = self._told.new(answer.verdicts.rows)
        rows = tuple(r for r in new if asked is None or not (name := _bad(r)) or name in asked)
        self._held = len(rows) < len(new)
        self._told.tell(rows, answer.verdicts.rows)
        if rows:
            yield News(answer, rows)

    def _diagnosed(self) -> AbstractContextManager[Diagnosis]:
        """The answer now, about the time from the beginning on, as far back as is looked."""
        live = self._watched.seen()
        begin = max(self._begin, live.at - self._back)
        since = f"{max(0.0, live.at - begin):.3f}s" if self._dated else None
        return diagnose(replace(self._question, since=since), live)

    def _learn(self, answer: Diagnosis) -> None:
        """Keep what decides when to look, ask and forget."""
        rows, seen = answer.verdicts.rows, answer.look.seen
        closed = {name for r in seen.story.rooms.values() if r.closed for name in (r.id or r.name,)}
        self.lacking = Counter(
            r.cause for r in rows if r.cause and (name := r.room_id or r.room) and name not in closed
        )
        self._open = frozenset(r.id.encode() for r in seen.story.rooms.values() if r.id and r.closed is None)
        self._due = min((r.judged_from for r in rows if r.judged_from is not None), default=None)
        self._blind = not seen.has_server_log
        alive = [r.name for r in seen.api.rooms if not self._told.healthy(r)] if self._blind and seen.api else []
        doubtful = [name for r in rows if r.verdict == "inconclusive" and r.judged_from is None and (name := _bad(r))]
        self._unsettled = tuple(dict.fromkeys([*alive, *doubtful]))

    def _lasting(self, line: bytes) -> bool:
        """Whether a line that is older than the window is still needed."""
        if any(words in line for words in _LASTING):
            return True
        return any(w in line for w in _OF_ROOM) and any(r in self._open for r in _ROOM_ID.findall(line))
