"""The recorded points of a run that acts: each step is done, or taken back, and what that means for the run."""

from __future__ import annotations

import time
from threading import Event as Flag
from typing import TYPE_CHECKING, Final

from bot.engine import rows, tasks
from bot.engine.attempts import Act, Attempts, failed
from bot.engine.events import write as write_event
from bot.engine.private import not_kept, secret_inputs
from bot.engine.switch import Gate
from bot.engine.values import Event
from bot.errors import FletcherError
from bot.runbook import document as doc
from bot.steps.contract import Doing, Memory, Outcome

if TYPE_CHECKING:
    from bot.engine.contract import Parts
    from bot.engine.rows import Attempt, Part
    from bot.engine.store import Store
    from bot.engine.values import Run
    from bot.steps.contract import Kind, Task


UNTIL_TOLD: Final = 86400.0  # seconds after which a run that waits for a person's word looks by itself


class Acting:
    """Carries out the steps of one store's runs; `flags` stop what a run does just now."""

    def __init__(self, store: Store, parts: Parts) -> None:
        self.store, self.parts = store, parts
        self.gate = Gate(store)
        self._attempts = Attempts(store, parts, self.gate)
        self._known: dict[str, Run] = {}
        self.flags: dict[str, Flag] = {}

    def doing(self, run: Run, *, undoing: bool = False) -> Doing:
        """With what a run's steps are done; what is taken back is not stopped by a cancellation."""
        folder = self.store.home.folder(run.id)

        def tell(line: str) -> None:
            write_event(folder, Event(kind="line", at=time.time(), text=line))

        world = self.store.watched(self.parts.make_world(run.order))
        if run.looked is None:
            raise AssertionError(f"run {run.id} has no plan")
        secrets = frozenset(secret_inputs(folder).values())
        redactor = self.parts.eyes.redactor(run.order, run.looked).with_secrets(secrets)
        flag = Flag() if undoing else self.flags.setdefault(run.id, Flag())
        hand = None if undoing else self.parts.hand(run.order)
        return Doing(world=world, scratch=folder, redactor=redactor, tell=tell, stop=flag, hand=hand)

    # --- doing -----------------------------------------------------------------------------------

    def take(self, run_id: str, name: str) -> str:
        """Do one step: "on", "stop" when it failed, "cancel" when the run is cancelled, "unknown" when nobody can tell."""
        with self.store.read() as c:
            if rows.cancelled(c, run_id):
                return "cancel"
            last = rows.attempt(c, run_id, name, "do")
        return self._taken(self._planned(run_id), name, last, told=False)

    def take_told(self, run_id: str, name: str) -> str | float:
        """Go on with a step of which nothing was known, as a person said; seconds while nobody has said anything."""
        word = self._word(run_id)
        if word in {"resume", "begun"}:
            last = self._last(run_id, name, "do")
            word = self._taken(self._planned(run_id), name, last, told=word == "resume")
        return word if word not in {"", "unknown"} else UNTIL_TOLD

    def _word(self, run_id: str) -> str:
        """What a person has said to a run that waits for him, with which it goes on; "" when nobody has.

        It counts once. "begun" is that it was heeded by a process that died meanwhile: what it did is looked at anew.
        """
        run = self._planned(run_id)
        with self.store.change() as change:
            word: str = rows.told(change.c, run_id)
            if word == "resume" and not self.gate.begins(change, run):
                return ""  # until it is released, or he says another word
            if word:
                change.go(run_id, "running")
                rows.put(change.c, run_id, word="")
            elif rows.state(change.c, run_id) == "running":
                return "begun"
        return word

    def _last(self, run_id: str, name: str, part: Part) -> Attempt | None:
        with self.store.read() as c:
            return rows.attempt(c, run_id, name, part)

    def _taken(self, run: Run, name: str, last: Attempt | None, *, told: bool) -> str:
        try:
            act = self._do(run, name)
        except FletcherError as problem:
            with self.store.change() as change:
                change.step(run.id, name, "failed", str(problem))
            outcome: Outcome | None = failed(problem, None)
        else:
            outcome = self._attempts.made(act, last, told=told)
        if outcome is None or outcome.state == "done":
            return "on"
        if outcome.state == "unknown":
            return "unknown"
        if self._cancelled(run.id):  # that may be why it failed
            return "cancel"
        # A token that was not made neither stops the proof nor undoes what was proven.
        return "on" if isinstance(run.runbook.block(name), doc.TokenStep) else "stop"

    def _cancelled(self, run_id: str) -> bool:
        with self.store.read() as c:
            return rows.cancelled(c, run_id)

    def _planned(self, run_id: str) -> Run:
        """A run with its plan, which is the same for all of its steps; its state and its steps are as they were once."""
        known = self._known.get(run_id)
        if known is None:
            known = self._known[run_id] = self.store.run(run_id)
        return known

    def forget(self, run_id: str) -> None:
        """Keep nothing of a run that has ended."""
        self._known.pop(run_id, None)
        self.flags.pop(run_id, None)

    def _do(self, run: Run, name: str) -> Act:
        secrets = secret_inputs(self.store.home.folder(run.id))
        if gone := tasks.lost(run, secrets):
            raise not_kept(gone)
        task = tasks.task(run, name, secrets)
        kind, doing = self.parts.kind(task.block), self.doing(run)
        return Act(run, name, "do", task, kind, doing, lambda memory: kind.perform(task, memory, doing))

    # --- taking back -----------------------------------------------------------------------------

    def undo_names(self, run_id: str) -> tuple[str, ...]:
        """The steps to be taken back, in their order."""
        return tasks.undo_order(self.store.run(run_id))

    def undo(self, run_id: str, name: str) -> str:
        """Take one step back: "on", or "unknown" when nobody can tell; what failed is in its row."""
        return self._taken_back(self.store.run(run_id), name, told=False)

    def undo_told(self, run_id: str, name: str) -> str | float:
        """Go on with taking back a step, as a person said; a cancellation means that it is left as it is."""
        run = self.store.run(run_id)
        word = self._word(run_id)
        if word in {"resume", "begun"}:
            word = self._taken_back(run, name, told=word == "resume")
        return "on" if word in {"on", "cancel"} else UNTIL_TOLD

    def _taken_back(self, run: Run, name: str, *, told: bool) -> str:
        try:
            act = self._undo(run, name)
        except FletcherError as problem:
            outcome: Outcome | None = failed(problem, None)
            with self.store.change() as change:
                change.tell(
                    run.id, Event(kind="says", at=change.now, step=name, text=f"{name} is not taken back: {problem}")
                )
        else:
            outcome = self._attempts.made(act, self._last(run.id, name, "undo"), told=told)
        return "unknown" if outcome is not None and outcome.state == "unknown" else "on"

    def _undo(self, run: Run, name: str) -> Act:
        secrets, doing = secret_inputs(self.store.home.folder(run.id)), self.doing(run, undoing=True)
        own = tasks.undo_task(run, name, secrets)
        row = next(row for row in run.steps if row.name == name)
        memory = row.memory if row.memory is not None else Memory(began_ns=0)
        if own is not None:
            kind = self.parts.kind(own.block)
            return Act(run, name, "undo", own, kind, doing, lambda fresh: kind.perform(own, fresh, doing))
        task = tasks.task(run, name, secrets)
        kind = self.parts.kind(task.block)

        def back(_: Memory) -> Outcome:
            now = doing.world.now()
            nothing = Outcome(state="done", says="nothing was to be taken back", began_ns=now, ended_ns=now)
            return kind.undo(task, memory, doing) or nothing

        return Act(run, name, "undo", task, _Remembered(kind, memory), doing, back, again=True)


class _Remembered:
    """A kind that is asked to take something back: what it remembers was remembered when it was done."""

    def __init__(self, kind: Kind, memory: Memory) -> None:
        self._kind, self._memory = kind, memory
        self.perform, self.settled, self.undo = kind.perform, kind.settled, kind.undo

    def remember(self, task: Task, doing: Doing) -> Memory:  # noqa: ARG002  # every kind's form
        """What it was."""
        return self._memory
