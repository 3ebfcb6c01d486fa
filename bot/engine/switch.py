"""The kill switch: while somebody holds, nothing above `read` begins, in whichever process; looks and diagnoses go on.

It is a row of the store, so that it outlives every process and holds for all of them. Runs wait before what they would
begin next, unrecorded: what is released goes on as if nothing had been.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final

import msgspec
import sqlalchemy as sa

from bot.engine import rows
from bot.engine import tables as t
from bot.engine.values import ENDED, Event
from bot.errors import Unreachable
from bot.policy import why_not_hold
from bot.probes.values import Hold
from bot.redact import redact

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.engine.rows import Part
    from bot.engine.store import Change, Store
    from bot.engine.values import Person, Run
    from bot.policy import Policy

NAME: Final = "hold"
_ENTERED: Final = {"running", "unknown"}  # states in which a run has begun to act
_WHY: Final = 300  # characters of a reason
_LOOK: Final = 0.05  # seconds between two looks of who waits in a thread
_HELD: Final = sa.select(t.switches.c.value).where(t.switches.c.name == NAME)
_READ: Final = msgspec.json.Decoder(Hold)  # prepared before there is a second thread


class Switch:
    """The switch of one store, as doors see it."""

    def __init__(self, store: Store, policy: Policy | None) -> None:
        self._store, self._policy = store, policy

    def hold(self, person: Person, why: str = "") -> Hold:
        """Hold everything above `read`; where it is held already, who holds it. Raises Unreachable for who may not."""
        if trouble := why_not_hold(self._policy, person):
            raise Unreachable(f"{trouble}.")
        with self._store.change() as change:
            if (found := held(change.c)) is not None:
                return found
            says = redact(" ".join(why.split()))[:_WHY]
            made = Hold(by=person.name, at=change.now, door=person.door, why=says)
            change.c.execute(sa.insert(t.switches).values(name=NAME, value=rows.text(made), at=change.now))
            change.audit("", person, f"holds everything above read{f': {says}' if says else ''}")
        return made

    def release(self, person: Person) -> Hold | None:
        """Let everything go on; what was held, None where nothing was. Raises Unreachable for who may not."""
        if trouble := why_not_hold(self._policy, person, releases=True):
            raise Unreachable(f"{trouble}.")
        with self._store.change() as change:
            found = held(change.c)
            if found is not None:
                change.c.execute(sa.delete(t.switches).where(t.switches.c.name == NAME))
                change.audit("", person, f"releases what {found.by} held")
        return found

    def held(self) -> Hold | None:
        """Who holds, None while everything goes on."""
        with self._store.read() as c:
            return held(c)

    def in_the_middle(self) -> tuple[tuple[str, str], ...]:
        """The steps that are being done or taken back just now, as (run, step): they are let end.

        One of which nobody can tell whether it was done waits for a person, and is not being done.
        """
        a, r = t.attempts.c, t.runs.c
        asked = (
            sa.select(a.run, a.step)
            .join(t.runs, r.id == a.run)
            .where(a.outcome.is_(None), r.state.not_in(sorted({*ENDED, "unknown"})))
        )
        with self._store.read() as c:
            return tuple((run, step) for run, step in c.execute(asked.order_by(a.run, a.step)))


def held(c: Connection) -> Hold | None:
    """Who holds, as this transaction sees it."""
    raw = c.execute(_HELD).scalar()
    return None if raw is None else _READ.decode(raw)


def above_read(run: Run) -> bool:
    """Whether a run would do anything that a hold keeps back."""
    return run.plan is None or run.plan.effect != "read"


class Gate:
    """What an executor's runs pass before they begin anything; `see` keeps it as the store has it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, float] = {}  # when the hold began of which a run was told
        self._over = threading.Event()
        self.hold: Hold | None = None

    def see(self, c: Connection) -> bool:
        """Look at the switch; whether it was released since the last look."""
        before, self.hold = self.hold, held(c)
        return before is not None and self.hold is None

    def end(self) -> None:
        """This process ends: who waits here in a thread is let go, and begins at the next start."""
        self._over.set()

    def closed(self, run_id: str, name: str, part: Part) -> bool:
        """Whether a run waits before this step, "" for its entering; one that a former process has done is not waited for.

        One that is cancelled does no more steps, so that it only waits before it takes something back.
        """
        run = self._store.run(run_id)
        with self._store.change() as change:
            state = rows.state(change.c, run_id)
            if state in ENDED or (part == "do" and rows.cancelled(change.c, run_id)):
                return False
            last = rows.attempt(change.c, run_id, name, part) if name else None
            done = last.outcome is not None if last is not None else not name and state in _ENTERED
            return not done and not self.begins(change, run)

    def begins(self, change: Change, run: Run) -> bool:
        """Whether something of a run may begin, as the transaction sees it that writes it down; if not, that is told once."""
        found = held(change.c) if above_read(run) else None
        if found is not None and self._told.get(run.id) != found.at:
            self._told[run.id] = found.at
            change.tell(run.id, Event(kind="says", at=change.now, text=told(found)))
        return found is None

    def released(self, stop: threading.Event) -> bool:
        """Wait in a thread until it is released; False when `stop` is set before.

        Raises CancelledError when this process ends before: the next one begins here.
        """
        while not stop.is_set():
            if self._over.is_set():
                raise asyncio.CancelledError
            with self._store.read() as c:
                if held(c) is None:
                    return True
            stop.wait(_LOOK)
        return False


def told(found: Hold) -> str:
    """Who holds and what that means, as a sentence for whoever waits."""
    why = f" ({found.why})" if found.why else ""
    return f"HELD by {found.by}{why}: nothing that changes anything begins until `fletcher release`."
