"""Kill a process with SIGKILL at its nth point, and tell afterwards what a restart made of it. Nothing of it is in `bot`.

Points are: before and after each recorded call, before and after each change of the store, and after each thing that was
really done to the service. Each case is a forked process, so that nothing has to be imported again.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import msgspec

from bot.engine import durable, store
from bot.engine.values import Run
from bot.errors import UsageError
from tests.engine import staged
from tests.engine.staged import ME, Door, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.engine.store import Change, Store

ORDER: Final = "crash"
NEVER: Final = 1_000_000


class Points:
    """Counts points, and dies at one of them."""

    def __init__(self, dies_at: int) -> None:
        self.passed, self._dies_at = 0, dies_at

    def __call__(self, _: str = "") -> None:
        self.passed += 1
        if self.passed == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def wrapped(point: Points) -> Iterator[None]:
    """The engine with points in it."""
    recorded, answered = durable.Durable.recorded, durable.Durable.answered
    change, trace = store.Store.change, staged.trace

    def between(do: Callable[[], str]) -> str:
        point()
        told = do()
        point()
        return told

    async def with_points(self: durable.Durable, name: str, do: Callable[[], str]) -> str:
        told = await recorded(self, name, partial(between, do))
        point()
        return told

    async def asking(self: durable.Durable, run: str, name: str, ask: Callable[[], str | float]) -> str:
        def until_a_word() -> str | float:
            told = ask()
            if isinstance(told, str):  # how often it is asked before depends on who is faster
                point()
            return told

        point()
        told = await answered(self, run, name, until_a_word)
        point()
        return told

    @contextmanager
    def changing(self: Store) -> Iterator[Change]:
        with change(self) as changed:
            yield changed
            point()
        point()

    def traced(folder: Path, what: str) -> None:
        trace(folder, what)
        point()

    with (
        patch.object(durable.Durable, "recorded", with_points),
        patch.object(durable.Durable, "answered", asking),
        patch.object(store.Store, "change", changing),
        patch.object(staged, "trace", traced),
    ):
        yield


@dataclass(frozen=True)
class Scenario:
    """An order, and what a person says when nobody else can tell."""

    value: str
    word: str


def first(folder: Path, scenario: Scenario, dies_at: int) -> int | None:
    """Order it and die at that point; how many points there were, when it was not reached."""
    point = Points(dies_at)

    def ordered() -> bytes:
        with wrapped(point):
            place = Place(folder)
            with place.front() as front:
                front.run_here(place.parts, place.order(ORDER, inputs={"value": scenario.value}), Door())
        return str(point.passed).encode()

    told = forked(ordered)
    return int(told) if told is not None else None


def after(folder: Path, scenario: Scenario) -> tuple[Run, list[str], int]:
    """What a restart makes of it: the run, what was wrong with the audit, and how often a person had to say something."""

    def restarted() -> bytes:
        place = Place(folder)
        said = 0
        with place.front() as front:
            try:
                run = front.go_on_here(place.parts, ORDER, ME, Door())
            except UsageError:  # it died before the order was written down
                run = front.run_here(place.parts, place.order(ORDER, inputs={"value": scenario.value}), Door())
            while run.state == "unknown":
                said += 1
                getattr(front, scenario.word)(ORDER, ME)
                run = front.go_on_here(place.parts, ORDER, ME, Door())
            audit = [*front.tampered(), *(row.entry.what for row in front.trail())]
            return msgspec.json.encode((run, audit, said))

    told = forked(restarted)
    assert told is not None
    return msgspec.json.decode(told, type=tuple[Run, list[str], int])


def forked(do: Callable[[], bytes]) -> bytes | None:
    """Do something in a process of its own; None when that was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(do())
            code = 0
        except BaseException:  # noqa: BLE001  # it must not come back into the parent's tests
            traceback.print_exc(file=sys.stderr)
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, signal.Signals(os.WTERMSIG(status))
        return None
    assert os.WEXITSTATUS(status) == 0, "the process failed; its trace is above"
    return told


# --- what must be so, wherever it died -----------------------------------------------------------------------------------

MENDED: Final = ["set-value", "set-other", "note", "build"]
TAKEN_BACK: Final = ["undo:set-other", "undo:set-value", "unnote"]


def wrong(folder: Path, scenario: Scenario, dies_at: int) -> str:
    """Die at this point and start again; what is wrong then, "" when nothing is."""
    if first(folder, scenario, dies_at) is not None:
        return f"point {dies_at} was not reached"
    run, told, said = after(folder, scenario)
    return "; ".join(
        f"point {dies_at} of {scenario}: {problem}" for problem in _problems(folder, scenario, run, told, said)
    )


def _problems(folder: Path, scenario: Scenario, run: Run, told: list[str], said: int) -> Iterator[str]:
    held = scenario.value == "good" and not (said and scenario.word == "cancel")
    state = "fixed" if held else "cancelled" if scenario.word == "cancel" else "rolled-back"
    if run.state != state:
        yield f"it is {run.state}: {run.says}"
    place = Place(folder)
    value = "good" if held else "bad"
    for name, text in (
        ("app.env", f"VALUE={value}\n"),
        ("other.env", f"OTHER={value}\n"),
        ("running", f"VALUE={value}\n"),
    ):
        if place.text(name) != text:
            yield f"{name} is {place.text(name)!r}"
    done = place.done
    for name in (*MENDED, *TAKEN_BACK):
        # A person who says that a step is done again has looked; without him nothing is done twice.
        most = 2 if name == "build" and not held else 1 + said * (name in {"note", "unnote"})
        least = 0 if (held and name in TAKEN_BACK) or said else 1
        if not least <= done.count(name) <= most:
            yield f"{name} was done {done.count(name)} times: {done}"
    for what in ("said yes", "began to act", "begins note", "ended Mend"):
        if sum(line.startswith(what) for line in told) != 1:
            yield f"the audit has not one row `{what}`: {told}"
    if sum(says.startswith("Waits for") for says in run.says) != 1 or said > 1:
        yield f"it asked {run.says} and {said} times"
    if any("row" in line or "head" in line for line in told):
        yield f"the audit's chain is broken: {told}"
