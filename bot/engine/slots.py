"""Who looks: takes the slots that are due, each in a thread of its own, and writes down what came of it.

A look only reads, so that it may be made again by another process where its taker died; its result is written once, with
the state that follows from it in the same transaction.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from msgspec.structs import replace

from bot.engine import counts, ordered, probe_rows, rows
from bot.engine.database import StoreTrouble
from bot.engine.heap import give_back
from bot.errors import FletcherError
from bot.probes.flips import flipped
from bot.probes.values import Result
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engine.contract import Parts
    from bot.engine.store import Change, Store
    from bot.engine.values import Order
    from bot.probes.values import Standing

MOST: Final = 96  # looks at once, those that hang included: a thread each
PAUSE: Final = 0.5  # seconds between two looks at what another process has said to be due
_BACK: Final = 5.0  # seconds between two looks at what others have left
_AGAIN: Final = 60.0  # seconds between two looks at what should have been ordered
_FORGET: Final = 600.0  # seconds between two times that old slots are forgotten
KEPT: Final = 3 * 86400.0  # seconds that a slot is kept
ROWS: Final = 200_000  # slots that are kept: three hours of a thousand probes a minute
_OVER: Final = 3600.0  # seconds for which a look is told of runs that have ended
_ENDING: Final = 10.0  # seconds that looks have to stop in, before they are left

_log = logging.getLogger("fletcher.probes")


@dataclass(slots=True)
class _Look:
    """A look that goes on; `left` is that it took too long, and its result counts no more."""

    name: str
    slot: int
    until: float
    seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    left: bool = False


class Looks:
    """A context manager: while it lasts, this process looks.

    `executor` is who it is among those that are alive, made up where there are no others. Whether it still is, each
    transaction asks, so that nobody waits here for a database that is away.
    """

    def __init__(self, store: Store, parts: Parts, submit: Callable[[Order], str], *, executor: str = "") -> None:
        self._store, self._parts = store, parts
        self._executor = executor or secrets.token_hex(8)
        self._orders = ordered.Orders(store, submit)
        self._running: dict[str, _Look] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._full = False
        self._next_back = self._next_again = self._next_forget = 0.0
        self._thread = threading.Thread(target=self._go_on, name="looks", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let looks stop; what has not ended by then is looked again at the next start."""
        self._over.set()
        self._store.looks.set()
        self._thread.join()
        until = time.monotonic() + _ENDING
        while self._running and time.monotonic() < until:
            time.sleep(0.01)

    # --- taking ----------------------------------------------------------------------------------

    def _go_on(self) -> None:
        told = ""
        while not self._over.is_set():
            self._store.looks.clear()
            try:
                self._see()
                told = ""
            except StoreTrouble as trouble:
                if str(trouble) != told:  # once, however long it lasts
                    _log.warning("%s; trying again", trouble)
                told = str(trouble)
                self._over.wait(1.0)
            except Exception:  # noqa: BLE001  # the other probes are looked
                _log.exception("what is due could not be seen to")
                self._over.wait(1.0)
            self._store.looks.wait(PAUSE)

    def _see(self) -> None:
        now = time.monotonic()
        if now >= self._next_back:
            self._next_back = now + _BACK
            self._give_back()
        if now >= self._next_again:
            self._next_again = now + _AGAIN
            self._orders.again()
            give_back()
        if now >= self._next_forget:
            self._next_forget = now + _FORGET
            with self._store.change() as change:
                probe_rows.forget(change.c, change.now - KEPT, ROWS)
        self._leave(now)
        self._take()

    def _give_back(self) -> None:
        with self._store.read() as c:
            left = probe_rows.left(c, self._executor)
        for name, slot in left:
            with self._store.change() as change:
                mine = probe_rows.give_back(change.c, name, slot, self._executor, change.now)
            if mine:
                _log.info("probe %s: slot %s was left by a process that has ended, and is looked again", name, slot)

    def _take(self) -> None:
        with self._store.read() as c:
            due = probe_rows.due(c)
        if not due:
            return
        newest = dict(due)  # of each probe, since the oldest come first
        hung, ready = [], []
        with self._lock:
            free = MOST - len(self._running)
            for name, slot in newest.items():
                if name not in self._running:
                    ready.append((name, slot))
                elif self._running[name].left:
                    hung.append((name, slot))
        self._tell_full(full=len(ready) > free)
        if not hung and not ready[:free] and len(newest) == len(due):
            return
        taken: list[tuple[Standing, int]] = []
        with self._store.change() as change:
            for name, slot in newest.items() if len(newest) < len(due) else ():
                if missed := probe_rows.overtaken(change.c, name, slot, change.now):
                    probe_rows.count_missed(change.c, name, missed)
            for name, slot in (*hung, *ready[:free]):
                if probe_rows.take(change.c, name, slot, self._executor, change.now):
                    taken.append((self._told(change, name), slot))
        for standing, slot in taken:
            if (standing.probe.name, slot) in hung:
                says = f"the look of {_clock(self._running_slot(standing.probe.name))} still hangs, so that nothing was looked"  # fmt: skip
                self._written(standing.probe.name, slot, Result(light="unknown", says=says))
            else:
                self._begin(standing, slot)

    @staticmethod
    def _told(change: Change, name: str) -> Standing:
        """What a look is told of its probe; what became of runs only where it remembers something."""
        standing = probe_rows.standing(change.c, name)
        if standing.last is None or not standing.last.memory:
            return standing
        return replace(standing, over=rows.over(change.c, ordered.CLOCK.name, change.now - _OVER))

    def _running_slot(self, name: str) -> int:
        with self._lock:
            look = self._running.get(name)
        return look.slot if look is not None else 0

    def _tell_full(self, *, full: bool) -> None:
        if full and not self._full:
            _log.warning("%s looks go on at once, which is the most; what is due waits", MOST)
        self._full = full

    def _begin(self, standing: Standing, slot: int) -> None:
        seconds = standing.probe.seconds
        look = _Look(standing.probe.name, slot, time.monotonic() + seconds, seconds)
        with self._lock:
            self._running[look.name] = look
        try:
            threading.Thread(target=self._look, args=(standing, look), name=f"look {look.name}", daemon=True).start()
        except RuntimeError as problem:  # there are too many threads: nothing is left in the middle
            with self._lock:
                del self._running[look.name]
            self._written(look.name, slot, Result(light="unknown", says=f"it could not be looked: {problem}"))

    def _leave(self, now: float) -> None:
        """What takes too long is told to stop, and its result counts no more."""
        with self._lock:
            late = [look for look in self._running.values() if not look.left and now >= look.until]
            for look in late:
                look.left = True
        for look in late:
            look.stop.set()
            says = (
                f"the look took longer than {look.seconds:g} s and was left; `timeout` in its [[probe]] gives it more"
            )
            self._written(look.name, look.slot, Result(light="unknown", says=says, seconds=look.seconds))

    # --- looking ---------------------------------------------------------------------------------

    def _look(self, standing: Standing, look: _Look) -> None:
        began = time.monotonic()
        try:
            result = self._parts.probe(standing, lambda: look.stop.is_set() or self._over.is_set())
        except FletcherError as trouble:
            result = Result(light="unknown", says=redact(" ".join(trouble.lines)))
        except Exception as bug:  # noqa: BLE001  # the probe is unknown, and the next look is made all the same
            _log.exception("probe %s: slot %s could not be looked", look.name, look.slot)
            result = Result(light="unknown", says=f"the look failed, which is a bug in Fletcher: {type(bug).__name__}")
        if not result.seconds:
            result = replace(result, seconds=round(time.monotonic() - began, 3))
        try:
            # One that was stopped because this process ends says nothing: the slot stays taken, and is looked again.
            if not look.left and not (self._over.is_set() and result.light in {"unknown", "skipped"}):
                self._written(look.name, look.slot, result)
        finally:
            with self._lock:
                self._running.pop(look.name, None)
            self._store.looks.set()

    def _written(self, name: str, slot: int, result: Result) -> None:
        """Write the result down with what follows from it, then order what is to be ordered."""
        while True:
            try:
                with self._store.change() as change:
                    own = probe_rows.done(change.c, name, slot, self._executor, result, change.now)
                    standing = self._after(change, name, slot, result) if own else None
            except StoreTrouble as trouble:
                _log.warning("probe %s: what came of slot %s is not written down yet: %s", name, slot, trouble)
                if self._over.wait(1.0):
                    return
            else:
                if standing is not None:
                    self._orders.after(standing, result)
                return

    @staticmethod
    def _after(change: Change, name: str, slot: int, result: Result) -> Standing:
        before = probe_rows.standing(change.c, name, to_write=True)
        after, flip = flipped(before, result, slot, change.now)
        if flip:
            if after.state == "degraded" and after.probe.orders:
                after = ordered.noted(after, slot, change.now)
            _log.info("probe %s is %s, and was %s: %s", name, after.state, before.state, result.says)
        probe_rows.put(change.c, after)
        counts.add(change.c, name, before.last, result, change.now)
        return after


def _clock(slot: int) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(slot))
