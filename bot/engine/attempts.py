"""The attempts of a step: each is written down before it is made, and made once, whatever dies in between.

An attempt is written down with what undoing it needs, then it is made, then its outcome is written down. One that is found
without an outcome was in flight when the process died: its kind is asked whether it is done; where it cannot tell, a
person has to say how it goes on.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from bot.engine import rows, tasks
from bot.engine.trouble import StoreTrouble
from bot.errors import FletcherError, Unreachable
from bot.steps.contract import Memory, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engine.contract import Parts
    from bot.engine.rows import Attempt, Part
    from bot.engine.store import Change, Store
    from bot.engine.switch import Gate
    from bot.engine.values import Run
    from bot.steps.contract import Doing, Kind, Task

_LONGEST: Final = 30.0  # seconds before a next attempt; they grow from one
_log = logging.getLogger("fletcher.engine")


class _Held(NamedTuple):
    """Why a step is not done; `known` is whether a check said so, or could not tell."""

    why: str
    known: bool


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to be done for a step: itself, or taking it back; `do` makes the attempt."""

    run: Run
    name: str
    part: Part
    task: Task
    kind: Kind
    doing: Doing
    do: Callable[[Memory], Outcome]
    #: Whether an attempt that was in flight may be made anew without asking, as its kind promises.
    again: bool = False


class Attempts:
    """The attempts of one store's steps."""

    def __init__(self, store: Store, parts: Parts, gate: Gate) -> None:
        self._store, self._parts, self._gate = store, parts, gate

    def made(self, act: Act, last: Attempt | None, *, told: bool) -> Outcome | None:
        """Make them, after the last one, until one is good or none is left; None when the step's conditions forbid it.

        `told` is whether a person said that an attempt of which nothing is known is to be made again.
        """
        if last is not None and last.outcome is not None and not (told and last.outcome.state == "unknown"):
            if last.outcome.state == "unknown":
                with self._store.change() as change:
                    _waits(change, act.run, last.outcome.says)
            # A process that ended between two attempts is no reason to make none.
            return self._retried(act, last.number, last.outcome) or last.outcome
        if last is None:
            return self._first(act)
        settled = self._settled(act, last)
        if settled is None and not told:
            return self._unknown(
                act, "it was being done when Fletcher was ended, and whether it is done cannot be told"
            )
        held = self._held(act) if settled is not True else None
        if held is not None and held.known:
            return self._found_done(act, last, held.why)
        if held is not None and not told:
            return self._unknown(act, f"it was being done when Fletcher was ended, and {held.why}")
        return self._make(act, last.number, last.memory)

    def _first(self, act: Act) -> Outcome | None:
        if held := self._held(act):
            self._skipped(act, held.why)
            return None
        return self._begun(act, 1)

    def _begun(self, act: Act, number: int) -> Outcome:
        """Write down that the step is begun, with what undoing it needs, and make the attempt."""
        try:
            memory = act.kind.remember(act.task, act.doing)
            while not self._written(act, number, memory):
                if not self._gate.released(act.doing.stop):
                    raise Unreachable("it was held, and cancelled before it began")
                memory = act.kind.remember(act.task, act.doing)
        except StoreTrouble:  # it says nothing of the step: whoever is patient begins anew
            raise
        except FletcherError as problem:
            outcome = failed(problem, act.doing)
            self._ended(act, number, outcome, never_begun=True)
            return outcome
        return self._make(act, number, memory)

    def _written(self, act: Act, number: int, memory: Memory) -> bool:
        """Write down that an attempt is begun; False where somebody holds, so that it may not begin."""
        with self._store.change() as change:
            if not self._gate.begins(change, act.run):
                return False
            rows.begin(change.c, act.run.id, act.name, act.part, number, memory, change.now)
            if act.part == "do":
                change.step(act.run.id, act.name, "running")
            verb = "begins" if act.part == "do" else "takes back"
            change.audit(
                act.run.id, act.run.order.person, f"{verb} {act.name}: {act.task.step.does}", digest=act.run.digest
            )
        return True

    def _make(self, act: Act, number: int, memory: Memory) -> Outcome:
        """Make an attempt that is written down, and again as often as the plan says while it fails."""
        try:
            with self._store.effect():
                outcome = act.do(memory)
        except FletcherError as problem:
            outcome = failed(problem, act.doing, memory.began_ns)
        except Exception as bug:  # noqa: BLE001  # what a bug has done is for a person to look at, not to be forgotten
            _log.exception("step %s", act.name, extra={"run": act.run.id})
            says = f"a bug in Fletcher ({type(bug).__name__}) stopped {act.name}; what it had done by then is not known"
            outcome = Outcome(state="unknown", says=says, began_ns=memory.began_ns, ended_ns=now_ns(act.doing))
        self._ended(act, number, outcome)
        return self._retried(act, number, outcome) or outcome

    def _retried(self, act: Act, number: int, outcome: Outcome) -> Outcome | None:
        """Make the next attempt after one that failed; None where no more is to be made."""
        step = act.task.step
        guarded = step.effect == "read" or bool(act.task.block.unless)
        if (
            outcome.state == "failed"
            and act.part == "do"
            and guarded
            and number <= step.retries
            and self._waited(act, min(2.0 ** (number - 1), _LONGEST))
            and self._held(act) is None  # its guard may say that it is done by now
        ):
            return self._begun(act, number + 1)
        return None

    @staticmethod
    def _waited(act: Act, seconds: float) -> bool:
        """Wait before the next attempt; False where the run is stopped meanwhile."""
        act.doing.tell(f"{act.name} failed; it is tried again in {seconds:g} s")
        until = now_ns(act.doing) + int(seconds * 1e9)
        while not act.doing.stop.is_set() and now_ns(act.doing) < until:
            act.doing.world.wait(min(seconds, 0.5))
        return not act.doing.stop.is_set()

    def _settled(self, act: Act, last: Attempt) -> bool | None:
        if act.again:
            return False
        try:
            return act.kind.settled(act.task, last.memory, act.doing)
        except FletcherError as problem:
            _log.warning("step %s: %s", act.name, problem, extra={"run": act.run.id})
            return None

    def _held(self, act: Act) -> _Held | None:
        """What keeps a step from being done: a condition of its own, whose checks are scripts that are run now."""
        if act.part == "undo":
            return None
        for check, wanted in tasks.pending(act.run, act.name):
            folder = act.run.looked.folder if act.run.looked else ""
            try:
                told = self._parts.ask(check, act.task.inputs, act.run.runbook.inputs, folder, act.doing)
            except FletcherError as problem:
                return _Held(f"the check {check.name} is inconclusive: {problem}", known=False)
            if told.result not in {"matched", "not-matched"}:
                return _Held(f"the check {check.name} is inconclusive: {told.says}", known=False)
            if (told.result == "matched") != wanted:
                how = "matches" if told.result == "matched" else "does not match"
                return _Held(f"the check {check.name} {how}: {told.says}", known=True)
        return None

    # --- what became of it -----------------------------------------------------------------------

    def _skipped(self, act: Act, why: str) -> None:
        with self._store.change() as change:
            change.step(act.run.id, act.name, "skipped", why)

    def _found_done(self, act: Act, last: Attempt, why: str) -> Outcome:
        """One that was in flight and is not due any more: its guard says that its work is done."""
        began = last.memory.began_ns
        outcome = Outcome(state="done", says=f"it was done before: {why}", began_ns=began, ended_ns=now_ns(act.doing))
        self._ended(act, last.number, outcome)
        return outcome

    def _unknown(self, act: Act, why: str) -> Outcome:
        now = now_ns(act.doing)
        says = f"{act.name}: {why}"
        with self._store.change() as change:
            if act.part == "do":
                change.step(act.run.id, act.name, "unknown", says)
            _waits(change, act.run, says)
        return Outcome(state="unknown", says=says, began_ns=now, ended_ns=now)

    def _ended(self, act: Act, number: int, outcome: Outcome, *, never_begun: bool = False) -> None:
        outcome = msgspec.structs.replace(outcome, says=act.doing.redactor.text(outcome.says))

        def write(change: Change) -> None:
            if never_begun:
                nothing = Memory(began_ns=outcome.began_ns)
                rows.begin(change.c, act.run.id, act.name, act.part, number, nothing, change.now)
            rows.end(change.c, act.run.id, act.name, act.part, number, outcome, change.now)
            if act.part == "do":
                change.step(act.run.id, act.name, outcome.state, outcome.says)
            elif outcome.state == "done":
                change.step(act.run.id, act.name, "undone")
            what = act.name if act.part == "do" else f"taking back {act.name}"
            change.audit(
                act.run.id, act.run.order.person, what, digest=act.run.digest, outcome=f"{outcome.state}: {outcome.says}", reference=outcome.output
            )  # fmt: skip
            if outcome.state == "unknown":
                _waits(change, act.run, outcome.says)

        self._store.surely(write)


def _waits(change: Change, run: Run, says: str) -> None:
    """Let the run wait for a person's word; one that was given before counts no more."""
    ways = f"`fletcher resume {run.id}` (it is done again) or `fletcher cancel {run.id}` (all is taken back)"
    if change.go(run.id, "unknown", f"{says}. Look, then {ways}."):
        rows.put(change.c, run.id, word="")
        change.audit(run.id, run.order.person, "waits for a person", digest=run.digest, outcome=f"unknown: {says}")


def failed(problem: FletcherError, doing: Doing | None, began_ns: int = 0) -> Outcome:
    """What came of something that could not be done, and changed nothing."""
    now = now_ns(doing)
    return Outcome(
        state="failed", says=str(problem), began_ns=began_ns or now, ended_ns=now, facts={tasks.UNTOUCHED: "1"}
    )


def now_ns(doing: Doing | None) -> int:
    """The engine's time; this machine's where it does not answer."""
    try:
        return doing.world.now() if doing is not None else time.time_ns()
    except FletcherError:
        return time.time_ns()
