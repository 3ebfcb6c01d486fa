"""`log-sweep`: follow the logs of what runs, and tell each new room that lacks its agent.

What was told stands in the memory of the last result, which every replica gets: a room is told when it is not in there,
and again in the next look where a result was never written. A look is as gentle as `fletcher diagnose --follow`.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bot.errors import FletcherError
from bot.evidence.live import BACK, Watched, nothing
from bot.evidence.look import Question
from bot.findings import finding
from bot.follow import Follower, Told, begun
from bot.livekit.rest import level_too_high
from bot.probes.told import KEPT, Memory, key, read, written
from bot.probes.values import Result
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.findings import Finding
    from bot.livekit.seen import Verdict
    from bot.probes.values import Light, Standing
    from bot.settings import Target

_IDLE: Final = 4  # times as long as a look took nothing is done: a fifth of a core at most
_FOUND: Final = 20  # rooms that are told with their lines
_FOLDER: Final = 600.0  # seconds after which the project's files are read again


@dataclass(frozen=True, slots=True)
class _News:
    """A row that was told, its names without secrets; of a room that lacks its agent what is shown of it."""

    row: Verdict
    finding: Finding | None = None


class Sweep:
    """One target, followed from look to look. Give back what it holds with `close`.

    `meant` is how the rooms are called in which an agent is meant to come, also where nobody asks for one.
    """

    def __init__(self, target: Target, here: Path, meant: str = "*") -> None:
        self._target, self._here = target, here
        self._question = Question(target=target, here=str(here), meant=meant)
        self._looking = threading.Lock()
        self._opened = ExitStack()
        self._watched: Watched | None = None
        self._follower: Follower | None = None
        self._news: dict[str, _News] = {}  # by key, what was found and is perhaps not written down yet
        self._shown: dict[str, Finding] = {}  # by key, the newest rooms that lack their agents
        self._memory = Memory()  # the last that was given: a result that somebody else wrote may have none
        self._upto = 0.0  # the cursor when this process looked last
        self._level = False  # whether the server's log hides what decides
        self._rests_until = self._folder_at = 0.0

    def close(self) -> None:
        """End it."""
        self._opened.close()

    def look(self, standing: Standing, stop: Callable[[], bool]) -> Result:
        """What is new; see the module."""
        given = read(standing.last.memory if standing.last is not None else "")
        if not self._looking.acquire(blocking=False):
            return Result(light="skipped", says="the look before it has not ended yet", memory=written(given))
        try:
            memory = self._memory = given if given.cursor else self._memory
            began = time.monotonic()
            if stop():
                return self._result("skipped", "it was asked to stop", memory)
            if began < self._rests_until:
                rest = self._rests_until - began
                return self._result("skipped", f"it rests for {rest:.0f} s more, since a look takes long here", memory)
            try:
                return self._look(standing, memory)
            finally:
                self._rests_until = time.monotonic() + _IDLE * (time.monotonic() - began)
        finally:
            self._looking.release()

    # --- one look ------------------------------------------------------------------------------

    def _look(self, standing: Standing, memory: Memory) -> Result:
        try:
            trouble = self._read(memory)
        except FletcherError as problem:
            trouble = str(problem)
        watched = self._watched
        if watched is None or self._follower is None:
            return self._result("unknown", trouble, memory)
        known = {k: news for k, news in self._news.items() if not memory.knows(news.row)}
        after = memory.after((news.row for news in known.values()), watched.now)
        self._news, self._upto = known, watched.now
        for news in known.values():
            if news.finding is not None:
                self._shown[key(news.row)] = news.finding
        still = {one.key for one in after.lacking.values()}
        self._shown = {k: shown for k, shown in self._shown.items() if k in still or k in known}
        # Of a room that lacks its agent a better cause is no news.
        fresh = [n for n in known.values() if n.row.verdict != "cause" or not memory.lacked(n.row)]
        return self._judged(standing, fresh, after, trouble)

    def _read(self, memory: Memory) -> str:
        """Read on, and remember what is new; what stands in the way, "" for nothing."""
        watched = self._watched
        if watched is None:
            watched = self._watched = self._opened.enter_context(Watched(self._target, self._here))
        if self._follower is None:
            found = begun(watched, self._question)
            if found.empty:
                return "; ".join(nothing(found).looked)
            watched.patient, self._folder_at = True, time.monotonic()
            begin = memory.cursor - KEPT if memory.cursor else watched.now - BACK
            follower = self._follower = Follower(self._question, watched, Told(), begin)
            self._take(follower, memory, first=True)
            return self._gap(watched, memory)
        if time.monotonic() - self._folder_at > _FOLDER:
            self._folder_at = time.monotonic()
            watched.read_folder()
        return self._take(self._follower, memory, first=False)

    def _take(self, follower: Follower, memory: Memory, *, first: bool) -> str:
        late = memory.cursor - KEPT if memory.cursor - self._upto > KEPT / 2 else 0.0
        if late:
            self._news.clear()
        newest = {one.key for one in memory.newest.values()}
        for news in follower.first() if first else follower.again():
            if news.answer is None:
                continue
            self._level = level_too_high(news.answer.look.seen) is not None
            for seen in news.rows:
                if not (seen.room or seen.room_id):
                    continue
                name = news.answer.look.name
                row = replace(seen, room=name(seen.room or ""), agent=name(seen.agent or ""), evidence=(), missing=())
                if (row.at or 0.0) >= late or key(row) in newest:  # what is older was told while nobody looked here
                    shown = finding(news.answer, seen) if row.verdict == "cause" else None
                    self._news[key(row)] = _News(row, shown)
        return self._trouble()

    def _trouble(self) -> str:
        """What stands in the way now, also of who began in the middle of it; "" for nothing."""
        watched, trouble = self._watched, self._follower.trouble if self._follower is not None else ""
        if watched is None or not trouble:
            return ""
        return "; ".join(dict.fromkeys(filter(None, (watched.trouble, trouble))))

    def _gap(self, watched: Watched, memory: Memory) -> str:
        """What to say of lines that were rotated away while nobody looked."""
        lost = watched.lost_since(memory.cursor) if memory.cursor else ()
        if not lost:
            return self._trouble()
        since = _clock(memory.cursor)
        return f"the log of {', '.join(lost)} was rotated and does not go back to {since}: rooms of that time were not judged"

    # --- what it comes to ----------------------------------------------------------------------

    def _judged(self, standing: Standing, news: list[_News], after: Memory, trouble: str) -> Result:
        bad = sorted((n for n in news if n.row.verdict == "cause"), key=lambda n: -(n.row.at or 0.0))
        good = [n for n in news if n.row.verdict == "healthy"]
        says = list(_says(bad, good, after))
        if bad:
            return self._result("red", "; ".join([*says, *filter(None, [trouble])]), after, bad)
        if trouble:
            return self._result("unknown", trouble, after)
        if good:
            return self._result("red" if after.lacking else "green", "; ".join(says), after)
        if news and self._level:
            hidden = "the server's log hides the lines that decide: set `logging: {level: info}` in livekit.yaml"
            return self._result("unknown", hidden, after)
        blind = "unknown" in {standing.light, standing.state}
        if blind and after.newest:  # it can be seen again, and stands as it stood
            return self._result("red" if after.lacking else "green", "; ".join(says), after)
        said = f"{len(news)} new room(s) could not be judged" if news else "no new room"
        last = max((one.at for one in after.newest.values()), default=0.0)
        since = f" since {_clock(last)}" if last and not news else ""
        return self._result("skipped", f"{said}{since}", after)

    def _result(self, light: Light, says: str, memory: Memory, bad: list[_News] | None = None) -> Result:
        first = [n.finding for n in bad or () if n.finding is not None]
        more = [] if light == "skipped" else [shown for shown in self._shown.values() if shown not in first]
        lag = self._watched.lag if self._watched is not None else None
        lacking = dict(self._follower.lacking) if self._follower is not None else {}
        return Result(
            light=light, says=redact(says), findings=tuple((first + more)[:_FOUND]), lacking=lacking,
            lag=round(lag, 3) if lag is not None else None, memory=written(memory),
        )  # fmt: skip


def _says(bad: list[_News], good: list[_News], after: Memory) -> Iterator[str]:
    told = {key(n.row) for n in bad}
    for n in bad[:3]:
        summary = n.finding.summary if n.finding is not None else ""
        yield f"room {n.row.room or n.row.room_id} lacks its agent ({n.row.cause}): {summary.rstrip('.')}"
    if len(bad) > 3:
        yield f"so do {len(bad) - 3} more new rooms"
    for agent, one in list(after.lacking.items())[:3]:
        if one.key not in told:
            whose = f"the newest room of agent {agent}" if agent else "the newest room without a named agent"
            yield f"{whose}, {one.room} of {_clock(one.at)}, lacks it ({one.cause})"
    if good:
        yield f"{len(good)} new room{'s have their agents' if len(good) > 1 else ' has its agent'}"
    elif not bad and not after.lacking:
        yield "the newest room of each agent has its agent"


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))
