"""`fletcher diagnose --follow`: print what is new until somebody ends it, then a summary."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from bot.doors import terminal
from bot.evidence.sources import ABSENT
from bot.follow import Told, follow
from bot.report.document import row_of, zone_of
from bot.report.terminal import lines, row_lines

if TYPE_CHECKING:
    from types import FrameType

    from bot.evidence.look import Question
    from bot.follow import News
    from bot.settings import Target


def run(question: Question, target: Target, *, as_json: bool, utc: bool) -> int:
    """Follow until Ctrl-C or SIGTERM, and return the exit code: 0, since ending it is how it ends."""
    began, told, end = time.monotonic(), Told(), _End()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end.ask)
    try:
        for news in follow(question, target, told, end.wait):
            _tell(news, as_json=as_json, utc=utc)
            sys.stdout.flush()
    except KeyboardInterrupt:
        _summary(told, time.monotonic() - began, as_json=as_json)
    return 0


class _End:
    """Ends the watching in the next pause, so that what was begun is told whole; a second signal ends it at once.

    An exception raised anywhere could be lost: Python drops those that come up while it collects garbage.
    """

    def __init__(self) -> None:
        self._asked = self._pausing = False

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        at_once = self._pausing or self._asked
        self._asked = True
        if at_once:
            raise KeyboardInterrupt
        os.write(2, b"fletcher: ending after this look; again to end now\n")

    def wait(self, seconds: float) -> None:
        """Do nothing for so long, unless the end was asked for."""
        self._pausing = True
        if self._asked:
            raise KeyboardInterrupt
        time.sleep(seconds)
        self._pausing = False


def _tell(news: News, *, as_json: bool, utc: bool) -> None:
    if news.answer is None:
        text = "it is back; going on from where it was" if news.back else f"{news.trouble}; waiting for it"
        print(f"fletcher: {text}", file=sys.stderr)
        return
    zone = 0 if utc else zone_of(news.answer.look)
    if as_json:
        if news.first:
            for source in news.answer.look.sources:
                if source.kind == ABSENT:
                    print(f"fletcher: {news.answer.look.plain(f'{source.name}: {source.note}')}", file=sys.stderr)
        for row in news.rows:
            sys.stdout.buffer.write(msgspec.json.encode(row_of(news.answer, row, zone)) + b"\n")
        return
    told = (
        lines(news.answer, utc=utc, colour=terminal.colour(), width=terminal.width())
        if news.first
        else row_lines(news.answer, news.rows, utc=utc, colour=terminal.colour(), width=terminal.width())
    )
    for line in told:
        print(line)
    if news.first:
        print("\nWatching. Each room is told when it can be judged; Ctrl-C ends with a summary.\n")


def _summary(told: Told, seconds: float, *, as_json: bool) -> None:
    counts = [(n, verdict, cause) for (verdict, cause), n in sorted(told.count.items(), key=lambda c: -c[1]) if n]
    if as_json:
        verdicts = [{"verdict": verdict, "cause": cause, "count": n} for n, verdict, cause in counts]
        sys.stdout.buffer.write(msgspec.json.encode({"watched_s": round(seconds, 1), "summary": verdicts}) + b"\n")
        return
    what = ", ".join(f"{n} {cause or verdict}" for n, verdict, cause in counts) or "no room was judged"
    print(f"\nWatched for {_spoken(seconds)}: {what}.")


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
