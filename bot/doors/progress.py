"""What happens in a run, as it happens: a line per step with a running clock, and below it what the step says."""

from __future__ import annotations

import sys
import threading
import time
import unicodedata
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from bot.report.plan import span
from bot.report.safe import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.engine.values import Event

_BELOW: Final = 3  # lines of output that are shown below the step that runs
_TICK: Final = 0.5  # seconds between two looks at the clock
_MARK: Final = {"done": "+", "failed": "!", "skipped": "-", "unknown": "?", "undone": "<"}
_STATES: Final = {
    "queued": "queued", "looking": "looking", "waiting": "waiting for an answer", "running": "carrying it out",
}  # fmt: skip


class Lines:
    """Plain lines, for a pipe and for a file."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def take(self, event: Event) -> None:
        """Show an event."""
        for line in event_lines(event):
            self._write(f"{line}\n")

    def note(self, text: str) -> None:
        """Say something beside what happens; from within a signal, too."""
        print(f"\n{text}", file=sys.stderr)

    def pause(self) -> None:
        """Make room for somebody who is asked."""


def event_lines(event: Event) -> Iterator[str]:
    """An event as lines that stay."""
    at = time.strftime("%H:%M:%S", time.localtime(event.at))
    said = plain(event.text)
    match event.kind:
        case "run":
            first, *more = _sentences(event) or [""]
            yield f"{at} {_STATES.get(event.state, event.state)}{f': {first}' if first else ''}"
            yield from (f"{' ' * len(at)}   {line}" for line in more)
        case "step":
            yield f"{at} {_MARK.get(event.state, ' ')} {plain(event.step)}: {event.state}{f': {said}' if said else ''}"
        case "line":
            yield f"         | {said}"
        case "says":
            yield f"{at} {said}"


class Live:
    """A terminal: what is over stays above, what runs is written anew in its place, in one write, so that nothing flickers.

    `now` is in seconds; `width` are columns. May be told of events and of time by different threads.
    """

    def __init__(self, write: Callable[[str], object], width: Callable[[], int], now: Callable[[], float]) -> None:
        self._write, self._width, self._now = write, width, now
        self._lock = threading.Lock()
        self._shown = 0  # lines of the part that is written anew
        self._doing = ""  # what runs: a step, or the state of the run
        self._since = 0.0
        self._below: deque[str] = deque(maxlen=_BELOW)
        self._noted: deque[str] = deque()
        self._over = threading.Event()
        self._clock = threading.Thread(target=self._tick, name="clock", daemon=True)

    def __enter__(self) -> Self:
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._clock.join()
        self.pause()

    def take(self, event: Event) -> None:
        """Show an event."""
        with self._lock:
            self._draw(list(self._taken(event)))

    def note(self, text: str) -> None:
        """Say something beside what happens, once what runs is drawn anew: from within a signal nothing may be written."""
        self._noted.append(text)

    def pause(self) -> None:
        """Leave what is over, and take away what runs, since somebody is asked or it has ended."""
        with self._lock:
            self._doing = ""
            self._below.clear()
            self._draw([])

    def draw(self) -> None:
        """Write what runs anew, with the clock as it is now."""
        with self._lock:
            self._draw([])

    def _taken(self, event: Event) -> Iterator[str]:
        """Take an event; the lines that stay."""
        match event.kind:
            case "line":
                self._below.append(plain(event.text))
            case "says":
                yield plain(event.text)
            case "step" if event.state in {"running", "waiting", "planned"}:
                if event.state == "running":
                    self._begin(plain(event.step))
            case "step":
                took = f" ({span(round(self._now() - self._since, 1))})" if self._doing == plain(event.step) else ""
                said = f": {plain(event.text)}" if event.text else ""
                yield f"{_MARK.get(event.state, ' ')} {plain(event.step)}: {event.state}{took}{said}"
                self._begin("going on")  # the next step, or the proof, which says what it sees
            case "run":
                yield from _sentences(event)
                self._begin("" if event.state == "waiting" else _STATES.get(event.state, ""))

    def _begin(self, doing: str) -> None:
        self._doing, self._since = doing, self._now()
        self._below.clear()

    def _draw(self, stay: list[str]) -> None:
        width = self._width()
        while self._noted:
            stay.insert(0, self._noted.popleft())
        region = []
        if self._doing:
            region = [f"> {self._doing} … {span(float(int(self._now() - self._since)))}"]
            region += [f"    | {line}" for line in self._below]
        if not stay and not region and not self._shown:
            return
        back = f"\x1b[{self._shown}A" if self._shown else ""
        rows = [*(row for line in stay for row in folded(line, width)), *(cut(line, width) for line in region)]
        # Each line is written over the one that was there, and only what is left of that is erased.
        text = "".join(f"\r{row}\x1b[K\n" for row in rows)
        self._shown = len(region)
        self._write(f"{back}{text}\x1b[J")

    def _tick(self) -> None:
        while not self._over.wait(_TICK):
            self.draw()


def cut(line: str, width: int) -> str:
    """As much of a line as fits into so many columns, one less so that no terminal breaks it."""
    room = width - 1
    if _columns(line) <= room:
        return line
    kept = ""
    for c in line:
        room -= _columns(c)
        if room < 1:
            return f"{kept}…"
        kept += c
    return kept


def folded(line: str, width: int) -> list[str]:
    """A line over as many rows as it takes, broken at a blank where there is one in the row's second half."""
    rows, row, used = [], "", 0
    for c in line:
        if used + _columns(c) > width - 1:
            at = row.rfind(" ") + 1
            if c == " " or at <= len(row) // 2 or _columns(row[at:]) >= width - 8:
                at = len(row)
            rows.append(row[:at].rstrip(" "))
            row = f"    {row[at:]}"
            used = _columns(row)
            if c == " ":
                continue
        row += c
        used += _columns(c)
    return [*rows, row]


def _sentences(event: Event) -> list[str]:
    """What is said of a run's new state, a sentence or a list's line each."""
    return [plain(line) for line in event.text.split("\n") if line.strip()]


def _columns(text: str) -> int:
    return len(text) if text.isascii() else sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)
