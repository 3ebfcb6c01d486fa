"""The store: one transaction for each change, with its audit rows in it; heads and events are written after it."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager, nullcontext
from threading import Event as Flag
from typing import TYPE_CHECKING, cast

import msgspec
import sqlalchemy as sa

from bot.engine import audit, events, owners, prepared, private, rows
from bot.engine import tables as t
from bot.engine.audit import Entry, Head
from bot.engine.database import Database
from bot.engine.home import holder
from bot.engine.lease import Lease, Shared, Watched
from bot.engine.patience import Patience
from bot.engine.sessions import HEARD
from bot.engine.values import ENDED, Event
from bot.errors import Unreachable
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from bot.engine.home import Home
    from bot.engine.values import Holder, Person, Run, RunState, StepState
    from bot.world.contract import World


_log = logging.getLogger("fletcher.engine")


class Change:
    """One change of the store; what it tells is told once it is written down."""

    def __init__(self, connection: Connection) -> None:
        self.c = connection
        self.now = time.time()
        self.told: list[tuple[str, Event]] = []
        self.head: Head | None = None
        self.ended: list[str] = []
        self.signalled = False

    def audit(
        self,
        run: str,
        who: Person,
        what: str,
        *,
        digest: str = "",
        decision: str = "",
        outcome: str = "",
        reference: str = "",
    ) -> None:
        """Add a row to the audit."""
        entry = Entry(
            at=self.now, run=run, person=who.name, door=who.door, what=redact(what), digest=digest, decision=decision,
            outcome=redact(outcome), reference=reference, account=who.account,
        )  # fmt: skip
        if self.head is None:
            last = self.c.execute(prepared.HEAD).one_or_none()
            self.head = Head(*last) if last is not None else None
        row = audit.chained(entry, self.head)
        values = {"seq": row.seq, "run": run, "entry": rows.text(entry), "before": row.before, "hash": row.hash}
        self.c.execute(prepared.AUDIT, values)
        self.head = Head(row.seq, row.hash)

    def go(self, run: str, state: RunState, *says: str) -> bool:
        """Bring a run into a state and tell it; whether it was in another one. One that has ended gives its lock back."""
        moved = rows.go(self.c, run, state, self.now, *says)
        if moved:
            self.tell(run, Event(kind="run", at=self.now, state=state, text="\n".join(says)))
            if state in ENDED:
                rows.unlock(self.c, run)
                rows.unsignal(self.c, run)
                owners.disown(self.c, run)
                self.ended.append(run)
        return moved

    def step(self, run: str, name: str, state: StepState, says: str | None = None) -> None:
        """Bring a step into a state and tell it."""
        rows.step(self.c, run, name, state, says)
        self.tell(run, Event(kind="step", at=self.now, step=name, state=state, text=says or ""))

    def signal(self, run: str, kind: str) -> None:
        """Let the executor see to something once this change is written down: at once where it is this process."""
        rows.signal(self.c, run, kind)
        self.signalled = True

    def tell(self, run: str, event: Event) -> None:
        """Tell something once this change is written down."""
        self.told.append((run, event))


class Store:
    """The store of one FLETCHER_HOME. Every method raises Unreachable where it cannot be read or written."""

    def __init__(self, home: Home, address: str = "") -> None:
        self.home = home
        self.signalled = Flag()  # set when this process has signalled something
        self.looks = Flag()  # set when this process has said that a probe is due
        self.beat: float | None = None  # when this process last saw to what others want; None while it does not
        self.patience = Patience()
        self.lease: Lease | None = None  # of a process that acts
        self.database = Database(home.database, address)
        self._head = home.shared_head if self.database.kind.shared else home.head
        if self.database.kind.shared:
            with ExitStack() as undone:
                undone.callback(self.close)
                self._share()
                undone.pop_all()

    def close(self) -> None:
        """Give it back."""
        self.database.close()

    @contextmanager
    def acting(self, what: str, person: str) -> Iterator[Lease]:
        """Be the executor for a while, or one of several where the store is shared.

        Raises Unreachable, naming who is already, where there can be only one.
        """
        kind = self.database.kind
        with ExitStack() as held:
            if kind.shared:
                self.lease = held.enter_context(
                    Shared(self.database, kind.process, holder(what, person), self.patience)
                )
            else:
                held.enter_context(self.home.executing(what, person))
                self.lease = Lease()
            try:
                yield self.lease
            finally:
                self.lease = None

    def effect(self) -> AbstractContextManager[None]:
        """Do something outside, which no transaction takes back: just before it is asked whether this process may."""
        return self.lease.effect() if self.lease is not None else nullcontext()

    def watched(self, world: World) -> World:
        """The outside, of which this process changes something only while it may."""
        if self.lease is None or not self.lease.shared:
            return world
        return cast("World", Watched(world, self.lease))

    def executors(self) -> tuple[Holder, ...]:
        """Who acts now: whoever is silent does not, also while there is no other one that would take over."""
        if not self.database.kind.shared:
            one = self.home.executor()
            return () if one is None else (one,)
        with self.read() as c:
            heard = set(c.execute(HEARD).scalars())
            return tuple(one for name, one in owners.executors(c).items() if name in heard)

    def _share(self) -> None:
        """See that this folder is the one of all who share the database. Raises Unreachable where it is another one."""
        with self.database.read() as connection:
            known = owners.mark(connection)
        if known is None:
            with self.database.write() as connection:  # of several that start at once, the first one marks both
                known = owners.mark(connection)
                if known is None:
                    known = self.home.mark()
                    connection.execute(sa.insert(t.homes).values(mark=known))
        if known != self.home.marked():
            raise Unreachable(
                f"{self.home.path} is not the folder that goes with {self.database.kind.name}: what runs printed and what "
                "they change back is in that one. Mount the same folder on every machine and name it with FLETCHER_HOME, "
                "or give this one a database of its own"
            )

    @contextmanager
    def change(self) -> Iterator[Change]:
        """Change it, all or nothing."""
        with self.database.write() as connection:
            if self.lease is not None:
                self.lease.still(connection)
            change = Change(connection)
            yield change
        if change.signalled:
            self.signalled.set()
        self._after(change)

    def surely(self, write: Callable[[Change], object]) -> None:
        """Change it, however long that takes: for what was seen once and cannot be seen again.

        Raises StoreTrouble once the executor has ended and waited in vain.
        """

        def once() -> None:
            with self.change() as change:
                write(change)

        self.patience(once)

    def library_waits(self) -> AbstractContextManager[None]:
        """Within it the library that records into the same file has our patience."""
        return self.patience.for_library(self.database.kind)

    def _after(self, change: Change) -> None:
        """Tell what is written down by now. What a full disk does not take of it is lost, and keeps nobody from going on."""
        try:
            if change.head is not None:
                audit.write_head(self._head, change.head)
            for run, event in change.told:
                if event.kind == "run":
                    _log.info("%s", f"{event.state} {event.text}".rstrip().replace("\n", " "), extra={"run": run})
                events.write(self.home.folder(run), event)
        except OSError as problem:
            _log.warning("%s: %s", self.home.path, (problem.strerror or "cannot be written").lower())
        for run in change.ended:
            private.forget(self.home.folder(run))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read one state of it."""
        with self.database.read() as connection:
            yield connection

    def run(self, run: str) -> Run:
        """All of one run. Raises UsageError where there is none."""
        with self.read() as c:
            return rows.run(c, run)

    def trail(self) -> Iterator[audit.Row]:
        """The audit's rows, the oldest first."""
        a = t.audit.c
        with self.read() as c:
            for seq, entry, before, hashed in c.execute(sa.select(a.seq, a.entry, a.before, a.hash).order_by(a.seq)):
                yield audit.Row(seq=seq, entry=msgspec.json.decode(entry, type=Entry), before=before, hash=hashed)

    def tampered(self) -> tuple[str, ...]:
        """What was done to the audit that should not have been, a sentence each; () when nothing was."""
        head = audit.read_head(self._head)  # first: rows that come meanwhile are after it
        return tuple(audit.problems(self.trail(), head))
