"""What doors call. Only `serve`, `run_here` and `go_on_here` act, and need dbos; all else goes through the store."""

from __future__ import annotations

import contextlib
import gc
import logging
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TextIO

import msgspec

from bot.engine import events, owners, private, rows
from bot.engine.database import StoreTrouble
from bot.engine.home import Home, checked
from bot.engine.log import logged
from bot.engine.probing import Probing
from bot.engine.store import Store
from bot.engine.switch import Switch
from bot.engine.switch import told as told_of
from bot.engine.values import DIAGNOSE, ENDED, Event
from bot.errors import FletcherError, Unreachable
from bot.policy import KEEP, why_not_approve, why_not_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from threading import Event as Flag

    from bot.engine import audit
    from bot.engine.contract import Herald, Parts
    from bot.engine.executor import Executor
    from bot.engine.lease import Lease
    from bot.engine.measured import Measured
    from bot.engine.values import Decision, Holder, Order, Person, Row, Run
    from bot.policy import Policy

_SERVE: Final = "fletcher serve"  # how an executor that serves calls itself
_HEARD: Final = 30 * 86400.0  # seconds that a door remembers; no question is open for longer than a week

_log = logging.getLogger("fletcher.engine")


class Front:
    """One FLETCHER_HOME, as every door sees it; a context manager that gives the store back.

    `address` is that of the PostgreSQL database which several machines share; "" for a file of the folder.
    """

    def __init__(self, folder: Path, policy: Policy | None = None, address: str = "") -> None:
        self.home = Home(folder)
        self._store = Store(self.home, address)
        self.probing = Probing(self._store)
        self._policy = policy
        self.switch = Switch(self._store, policy)
        self._shown: dict[str, int] = {}  # how many events of a run were shown here

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    @property
    def lease(self) -> Lease | None:
        """By what this process may act; None where it does not."""
        return self._store.lease

    @property
    def shared(self) -> bool:
        """Whether several may act on it at once, each by a lease of its own."""
        return self._store.database.kind.shared

    # --- orders and decisions --------------------------------------------------------------------

    def submit(self, order: Order, *, here: bool = False) -> str:
        """Write an order down, with its runbook as it is now; the run's id. `here` it is for this process alone.

        Raises UsageError for an input that the runbook does not take, an unknown runbook or an id that is taken, and
        WrongDocument for a runbook that is wrong.
        """
        from pathlib import Path

        from bot.runbook import shelf
        from bot.runbook.inputs import values

        shelves = [Path(order.here, folder) for folder in order.shelves]
        given = Path(order.here, order.runbook).absolute()
        if order.runbook == DIAGNOSE.id:
            runbook = DIAGNOSE
        else:
            path = given if given.is_file() else shelf.shelf(shelves).find(order.runbook).path
            runbook = shelf.read(path.absolute())
        values(runbook, order.inputs)
        checked(order.id)
        secret = private.secret(runbook, order.inputs)
        kept = msgspec.structs.replace(order, inputs=private.hidden(order.inputs, secret))
        with self._store.change() as change:
            rows.insert(change.c, kept, runbook)
            private.keep(self.home.folder(order.id), secret)
            if here and self._store.lease is not None:
                owners.taken(change.c, order.id, self._store.lease.id)
            change.signal(order.id, "order")
            change.audit(order.id, order.person, f"ordered {runbook.title} ({runbook.id}){_flags(order)}")
            change.tell(order.id, Event(kind="run", at=change.now, state="queued"))
        return order.id

    def decide(self, run_id: str, decision: Decision) -> Run:
        """Answer the question of a run: stored once, for the plan that was seen, before anybody is told.

        Raises UsageError for an unknown run, Unreachable when this person may not, the word is missing, the plan is
        another one, or it is decided or expired already.
        """
        run = self.show(run_id)
        asked, person = run.asked, decision.person
        effect, need = run.plan.effect if run.plan else None, asked.need if asked is not None else "none"
        trouble = why_not_approve(self._policy, person, run.order.person, run.runbook.id, need, effect)
        if decision.kind == "yes" and asked is not None:
            if trouble:
                raise Unreachable(f"{trouble}.")
            if asked.word and decision.word != asked.word:
                raise Unreachable(f"a guard warns, so the word `{asked.word}` has to be typed to approve this")
        elif trouble and self._why_not_stop(run, person):  # whoever may say yes may say no
            raise Unreachable(f"{trouble}.")
        with self._store.change() as change:
            rows.answer(change.c, run_id, msgspec.structs.replace(decision, at=change.now))
            why = f": {decision.reason}" if decision.reason else ""
            change.audit(run_id, person, f"said {decision.kind}{why}", digest=decision.digest, decision=decision.kind)
            if decision.kind == "no":
                change.go(run_id, "declined", f"Declined by {person.name}{why}. Nothing was done.")
            change.signal(run_id, "decision")
        return self.show(run_id)

    def cancel(self, run_id: str, person: Person) -> Run:
        """End a run: at once while it has done nothing, else between its steps, when all is taken back.

        Raises UsageError for an unknown run, Unreachable for one that has ended or when this person may not.
        """
        run = self.show(run_id)
        if trouble := self._why_not_stop(run, person):
            raise Unreachable(f"{trouble}.")
        with self._store.change() as change:
            state = rows.state(change.c, run_id)
            if state in ENDED:
                raise Unreachable(f"run {run_id} has ended already: {state}")
            rows.put(change.c, run_id, cancelled_by=rows.text(person), word="cancel")
            change.audit(run_id, person, "cancelled the run", digest=run.digest)
            change.tell(run_id, Event(kind="says", at=change.now, text=f"{person.name} cancels."))
            if state in {"queued", "waiting"}:
                change.go(run_id, "cancelled", f"{person.name} cancelled it before anything was done.")
            change.signal(run_id, "cancel")
        return self.show(run_id)

    def resume(self, run_id: str, person: Person) -> Run:
        """Let a run go on that waits as `unknown`: its step is done again, on this person's word.

        Raises UsageError for an unknown run, Unreachable for one that does not wait so, or when this person may not.
        """
        run = self.show(run_id)
        if trouble := self._why_not_stop(run, person):
            raise Unreachable(f"{trouble}.")
        with self._store.change() as change:
            state = rows.state(change.c, run_id)
            if state != "unknown":
                raise Unreachable(f"run {run_id} does not wait to be resumed: it is {state}")
            rows.put(change.c, run_id, word="resume")
            change.audit(run_id, person, "resumed the run", digest=run.digest)
            change.signal(run_id, "resume")
        return self.show(run_id)

    def _why_not_stop(self, run: Run, person: Person) -> str:
        if person.name == run.order.person.name:
            return ""
        return why_not_run(self._policy, person, run.runbook.id)

    @property
    def kept_in(self) -> str:
        """Where runs are kept, for people."""
        kind = self._store.database.kind
        return f"{kind.name} and {self.home.path}" if kind.shared else str(self.home.path)

    # --- looking at runs -------------------------------------------------------------------------

    def runs(self, limit: int = 200) -> tuple[Row, ...]:
        """The newest runs, the newest first."""
        with self._store.read() as c:
            return rows.listed(c, limit)

    def pulse(self, since: float) -> dict[str, str]:
        """What tells whether a run has moved on, by run: of those that are open, or changed since (epoch seconds)."""
        with self._store.read() as c:
            return rows.pulse(c, since)

    def show(self, run_id: str) -> Run:
        """All of one run. Raises UsageError where there is none."""
        return self._store.run(run_id)

    def follow(self, run_id: str) -> Iterator[Event]:
        """What happens in a run, from its beginning until it has ended, or waits for a person who knows more."""
        self.show(run_id)

        def over() -> bool:
            with self._store.read() as c:
                state = rows.state(c, run_id)
                return state in ENDED or (state == "unknown" and not rows.told(c, run_id))

        told = ""
        for event in events.read(self.home.folder(run_id), over):
            told = event.state if event.kind == "run" else told
            yield event
        run = self.show(run_id)
        if told != run.state:  # it is written down before it is told
            yield Event(kind="run", at=run.changed_at, state=run.state, text=" ".join(run.says[-1:]))

    def attend(self, run_id: str, herald: Herald) -> Run:
        """Show a run to somebody and ask him when it asks, until it has ended or waits as `unknown`."""
        shown = self._shown.setdefault(run_id, 0)
        for number, event in enumerate(self.follow(run_id), 1):
            if number <= shown:  # before somebody interrupted
                continue
            self._shown[run_id] = number
            herald.tell(event)
            if event.kind == "run" and event.state == "waiting":
                self._asked(run_id, herald)
        return self.show(run_id)

    def _asked(self, run_id: str, herald: Herald) -> None:
        while (run := self.show(run_id)).state == "waiting" and run.decision is None:
            decision = herald.ask(run)
            if decision is None:
                return
            try:
                self.decide(run_id, decision)
            except FletcherError as trouble:
                herald.tell(Event(kind="says", at=time.time(), text=str(trouble)))

    def trail(self) -> Iterator[audit.Row]:
        """The audit's rows, the oldest first."""
        return self._store.trail()

    def tampered(self) -> tuple[str, ...]:
        """What was done to the audit that should not have been, a sentence each; () when nothing was."""
        return self._store.tampered()

    def executors(self) -> tuple[Holder, ...]:
        """Who acts now, those that serve before others; () when orders are carried out by nobody until `serve` or `run_here`."""
        return tuple(sorted(self._store.executors(), key=lambda one: one.what != _SERVE))

    def measured(self) -> Measured:
        """What is measured of the whole deployment."""
        from bot.engine.measured import measured

        return measured(self._store)

    def beat(self) -> float | None:
        """How many seconds ago this process last saw to what others want; None where it carries nothing out."""
        beat = self._store.beat
        return None if beat is None else time.monotonic() - beat

    def executor(self) -> Holder | None:
        """The first of them."""
        return next(iter(self.executors()), None)

    # --- what a door keeps for itself -------------------------------------------------------------

    def claim(self, door: str, key: str) -> bool:
        """Whether this is the first time that somebody claims the key: what comes twice is done once, also after a restart."""
        with self._store.change() as change:
            return rows.claim(change.c, door, key, change.now)

    def keep(self, door: str, key: str, value: str) -> None:
        """Keep a value under a key, in place of the one before."""
        with self._store.change() as change:
            rows.keep(change.c, door, key, value, change.now)

    def kept(self, door: str, begins: str) -> dict[str, str]:
        """What is kept under the keys that begin so."""
        with self._store.read() as c:
            return rows.kept(c, door, begins)

    # --- acting ----------------------------------------------------------------------------------

    def serve(
        self,
        parts: Parts,
        stop: Flag,
        person: str,
        log: TextIO,
        clock: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        """Be the executor until `stop` is set; then the step that is being done is ended first, and the rest waits.

        `log` gets its log; `clock` says what is due as long as it lasts. Raises Unreachable, naming who is the executor
        already.
        """
        executor = _executor()
        with logged(log), self._store.acting(_SERVE, person):
            self._forget()
            with executor(self._store, parts), clock(), self._looking(parts):
                _log.info("serves from %s", self.kept_in)
                while not stop.wait(3600.0):
                    try:
                        self._forget()
                    except StoreTrouble as trouble:  # an hour later is early enough
                        _log.warning("%s", trouble)
                _log.info("ends: a step that is being done is waited for, all else goes on at the next start")
            _log.info("has ended")

    def _looking(self, parts: Parts) -> AbstractContextManager[object]:
        """Who looks; nobody where nothing is to be looked."""
        if not any(one.enabled for one in self.probing.standings()):
            return contextlib.nullcontext()
        from bot.engine.slots import Looks

        lease = self._store.lease
        if lease is None or not lease.shared:  # the one executor of a file has one name for all times
            return Looks(self._store, parts, self.submit)
        return Looks(self._store, parts, self.submit, executor=lease.id)

    def _forget(self) -> None:
        """Remove what has been kept for long enough: outputs of runs that have ended, as the policy says."""
        with self._store.change() as change:
            rows.drop_kept(change.c, change.now - _HEARD)
            still_open = rows.open_runs(change.c)
        self.home.forget(self._policy.keep if self._policy else KEEP, still_open)

    def run_here(self, parts: Parts, order: Order, herald: Herald) -> Run:
        """Carry an order out in this process, and what a dead one has left; Ctrl-C cancels it, and all is taken back.

        Raises Unreachable, naming who is the executor already; and as `submit`.
        """
        return self._here(parts, order.id, order.person, herald, lambda: self.submit(order, here=True))

    def go_on_here(self, parts: Parts, run_id: str, person: Person, herald: Herald) -> Run:
        """Go on in this process with a run that was left, as `run_here`."""
        self.show(run_id)
        return self._here(parts, run_id, person, herald)

    def _here(
        self, parts: Parts, run_id: str, person: Person, herald: Herald, begin: Callable[[], object] = lambda: None
    ) -> Run:
        def hand(order: Order) -> Callable[[str], str] | None:
            own = order.id == run_id and order.person.name == person.name  # nobody else's token, whoever carries it out
            return partial(herald.hand, self.home.folder(run_id)) if own else None

        def warn(says: str) -> None:
            herald.tell(Event(kind="says", at=time.time(), text=says))

        parts = replace(parts, hand=hand)
        with (
            self.home.log() as log, logged(log, warn), self._store.acting("fletcher run", person.name), self._acting_here(parts)
        ):  # fmt: skip
            begin()  # once it can be carried out: what is interrupted before has never been ordered
            try:
                run = self.attend(run_id, herald)
            except KeyboardInterrupt:
                self._cancel_here(run_id, person)
                run = self.attend(run_id, herald)
            with contextlib.suppress(KeyboardInterrupt, StoreTrouble):  # it goes on at the next start
                self._let_end(warn)
        return run

    def _acting_here(self, parts: Parts) -> Executor:
        self._forget()
        return _executor()(self._store, parts)

    def _let_end(self, tell: Callable[[str], None]) -> None:
        """Wait for runs that a dead process left in their middle, and that go on here."""
        told = False
        while left := self._left():
            if (held := self.switch.held()) is not None:
                tell(f"Run {', '.join(left)} was left in the middle, and goes on with a later start: {told_of(held)}")
                return
            if not told:
                tell(f"Run {', '.join(left)} was left in the middle by a process that died, and is ended here first.")
            told = True
            time.sleep(0.05)

    def _left(self) -> list[str]:
        """The runs that are being carried out here, and not by another executor."""
        with self._store.read() as c:
            running = [row.id for row in rows.listed(c) if row.state == "running"]
            lease = self._store.lease
            if not running or lease is None or not lease.shared:
                return running
            known = owners.owners(c)
        return [run for run in running if known.get(run) == lease.id]

    def _cancel_here(self, run_id: str, person: Person) -> None:
        try:
            if not self.show(run_id).ended:
                self.cancel(run_id, person)
        except StoreTrouble as trouble:
            raise Unreachable(
                f"run {run_id} is not cancelled: {trouble}; `fletcher cancel {run_id}` does it then, and until it does the "
                "next `fletcher run` or `fletcher serve` here goes on with it"
            ) from None


def _executor() -> type[Executor]:
    """What carries runs out, with dbos; what its modules are made of is no garbage, so it is not looked for meanwhile."""
    gc.disable()
    try:
        from bot.engine.executor import Executor
    finally:
        gc.enable()
    gc.freeze()
    return Executor


def _flags(order: Order) -> str:
    words = {
        "--dry-run": order.dry_run,
        "--yes": order.yes,
        "--allow-disrupt": order.allow_disrupt,
        "--anyway": order.anyway,
    }
    said = [word for word, given in words.items() if given]
    return f" with {' '.join(said)}" if said else ""
