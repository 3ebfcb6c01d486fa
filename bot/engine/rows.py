"""Runs, their steps and their attempts, as rows. Each function works in the transaction of its connection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import msgspec
import sqlalchemy as sa

from bot.engine import prepared
from bot.engine import tables as t
from bot.engine.states import follows
from bot.engine.values import ENDED, SAID_NO, Asked, Decision, Event, Looked, Order, Person, Proof, Row, Run, StepRow
from bot.engine.written import encoded
from bot.errors import Unreachable, UsageError
from bot.runbook.document import Runbook
from bot.steps.contract import Memory, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from bot.engine.values import RunState, StepState

Part = Literal["do", "undo"]
_T = TypeVar("_T")
_LISTED: Final = 200  # runs that are listed when nothing else is said


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a step was begun; without an outcome it was never seen to end."""

    number: int
    memory: Memory
    outcome: Outcome | None


def text(value: object) -> str:
    """A value as it is written down."""
    return encoded(value).decode()


# msgspec prepares a type when it is read for the first time, and two threads that do so at once end the process with a
# segmentation fault; a decoder that is kept prepares it here, before there is a second thread.
_PREPARED: Final = tuple(
    msgspec.json.Decoder(kind)
    for kind in (Order, Runbook, Looked, Asked, Decision, Proof, Person, Memory, Outcome, Attempt, Run, Event)
)


def _value(raw: str | None, kind: type[_T]) -> _T | None:
    return msgspec.json.decode(raw, type=kind) if raw is not None else None


# --- runs ----------------------------------------------------------------------------------------


def insert(c: Connection, order: Order, runbook: Runbook) -> None:
    """A new run, queued. Raises UsageError when its id is taken."""
    if c.execute(sa.select(t.runs.c.id).where(t.runs.c.id == order.id)).scalar() is not None:
        raise UsageError(f"there is a run {order.id} already")
    c.execute(
        sa.insert(t.runs).values(
            id=order.id, state="queued", at=order.at, changed_at=order.at, runbook=runbook.id, room=next(iter(order.rooms), ""),
            person=order.person.name, order=text(order), pinned=text(runbook),
        )
    )  # fmt: skip


def run(c: Connection, run_id: str) -> Run:
    """All of one run. Raises UsageError where there is none."""
    row = c.execute(sa.select(t.runs).where(t.runs.c.id == run_id)).mappings().one_or_none()
    if row is None:
        raise UsageError(f"there is no run {run_id[:40]!r}; `fletcher runs` lists them")
    decision = c.execute(sa.select(t.approvals.c.decision).where(t.approvals.c.run == run_id)).scalar()
    return Run(
        order=msgspec.json.decode(row["order"], type=Order), state=row["state"], changed_at=row["changed_at"],
        runbook=msgspec.json.decode(row["pinned"], type=Runbook), looked=_value(row["looked"], Looked), asked=_value(row["asked"], Asked),
        decision=_value(decision, Decision), steps=tuple(_steps(c, run_id)), proof=_value(row["proof"], Proof), undone=_value(row["undone"], Proof),
        cancelled_by=_value(row["cancelled_by"], Person), says=tuple(msgspec.json.decode(row["says"], type=list[str])),
    )  # fmt: skip


def state(c: Connection, run_id: str) -> RunState:
    """The state of a run alone. Raises UsageError where there is no such run."""
    found: RunState | None = c.execute(prepared.STATE, {"of_run": run_id}).scalar()
    if found is None:
        raise UsageError(f"there is no run {run_id[:40]!r}; `fletcher runs` lists them")
    return found


def go(c: Connection, run_id: str, after: RunState, now: float, *says: str) -> bool:
    """Bring a run into a state, with sentences that say why; whether it was in another one before."""
    before = state(c, run_id)
    if not follows(before, after):
        raise AssertionError(f"run {run_id} cannot become {after} after {before}")
    if before == after:
        return False
    told = msgspec.json.decode(
        c.execute(sa.select(t.runs.c.says).where(t.runs.c.id == run_id)).scalar_one(), type=list[str]
    )
    put(c, run_id, state=after, changed_at=now, says=text([*told, *says]))
    return True


def put(c: Connection, run_id: str, **values: str | float | None) -> None:
    """Set columns of a run."""
    c.execute(prepared.PUT, {"of_run": run_id, **values})


def listed(c: Connection, limit: int = _LISTED) -> tuple[Row, ...]:
    """The newest runs, the newest first."""
    r = t.runs.c
    asked = (
        sa.select(r.id, r.runbook, r.target, r.room, r.state, r.person, r.at, r.changed_at)
        .order_by(r.at.desc(), r.id)
        .limit(limit)
    )
    return tuple(Row(*row) for row in c.execute(asked))


def open_runs(c: Connection) -> tuple[str, ...]:
    """The ids of all runs that have not ended, the oldest first."""
    asked = sa.select(t.runs.c.id).where(t.runs.c.state.not_in(sorted(ENDED))).order_by(t.runs.c.at)
    return tuple(c.execute(asked).scalars())


def over(c: Connection, person: str, since: float) -> tuple[str, ...]:
    """The ids of what somebody ordered that has ended since then without a no."""
    r = t.runs.c
    asked = sa.select(r.id).where(r.changed_at >= since, r.person == person, r.state.in_(sorted(ENDED - SAID_NO)))
    return tuple(c.execute(asked).scalars())


def pulse(c: Connection, since: float) -> dict[str, str]:
    """What tells whether a run has moved on, by run: of those that have not ended, or changed since."""
    r, s = t.runs.c, t.steps.c
    fresh = sa.or_(r.state.not_in(sorted(ENDED)), r.changed_at >= since)
    said = {
        run_id: f"{now} {changed} {asked is not None} {proof is not None} {by is not None}"
        for run_id, now, changed, asked, proof, by in c.execute(
            sa.select(r.id, r.state, r.changed_at, r.asked, r.proof, r.cancelled_by).where(fresh)
        )
    }
    if not said:  # it is asked for many times a second
        return said
    for run_id, now in c.execute(sa.select(s.run, s.state).where(s.run.in_(said)).order_by(s.run, s.seq)):
        said[run_id] += f" {now}"
    a = t.approvals.c
    for run_id, kind in c.execute(sa.select(a.run, a.kind).where(a.run.in_(said), a.kind.is_not(None))):
        said[run_id] += f" {kind}"
    return said


# --- what a door keeps for itself -----------------------------------------------------------------


def claim(c: Connection, door: str, key: str, now: float) -> bool:
    """Write a key down, unless it is there; whether it was not."""
    k = t.kept.c
    if c.execute(sa.select(k.at).where(k.door == door, k.key == key)).one_or_none() is not None:
        return False
    c.execute(sa.insert(t.kept).values(door=door, key=key, value="", at=now))
    return True


def keep(c: Connection, door: str, key: str, value: str, now: float) -> None:
    """Keep a value under a key."""
    k = t.kept.c
    claim(c, door, key, now)
    c.execute(sa.update(t.kept).where(k.door == door, k.key == key).values(value=value, at=now))


def kept(c: Connection, door: str, begins: str) -> dict[str, str]:
    """What is kept under the keys that begin so."""
    k = t.kept.c
    asked = sa.select(k.key, k.value).where(k.door == door, k.key.startswith(begins, autoescape=True)).order_by(k.key)
    return {row.key: row.value for row in c.execute(asked)}


def drop_kept(c: Connection, before: float) -> None:
    """Forget what doors kept before that time."""
    c.execute(sa.delete(t.kept).where(t.kept.c.at < before))


# --- steps ---------------------------------------------------------------------------------------


def plan_steps(c: Connection, run_id: str, planned: tuple[tuple[str, StepState, str], ...]) -> None:
    """Write down the steps of a plan (name, state, why), those that will be skipped included."""
    c.execute(sa.delete(t.steps).where(t.steps.c.run == run_id))
    for seq, (name, now, says) in enumerate(planned):
        c.execute(sa.insert(t.steps).values(run=run_id, name=name, seq=seq, state=now, says=says))


def step(c: Connection, run_id: str, name: str, now: StepState, says: str | None = None) -> None:
    """Bring a step into a state; `says` None leaves what was said."""
    values = {"state": now} if says is None else {"state": now, "says": says}
    c.execute(prepared.STEP, {"of_run": run_id, "of_step": name, **values})


def begin(c: Connection, run_id: str, name: str, part: Part, number: int, memory: Memory, now: float) -> None:
    """Write down that a step is begun, before it is."""
    values = {"run": run_id, "step": name, "part": part, "number": number, "began_at": now, "memory": text(memory)}
    c.execute(prepared.BEGIN, values)


def end(c: Connection, run_id: str, name: str, part: Part, number: int, outcome: Outcome, now: float) -> None:
    """Write down what came of an attempt."""
    this = {"of_run": run_id, "of_step": name, "of_part": part, "of_number": number}
    c.execute(prepared.END, {**this, "outcome": text(outcome), "ended_at": now})


def attempt(c: Connection, run_id: str, name: str, part: Part) -> Attempt | None:
    """The last attempt of a step; None when it was never begun."""
    row = c.execute(prepared.LAST, {"of_run": run_id, "of_step": name, "of_part": part}).one_or_none()
    return None if row is None else _attempt(row[0], row[1], row[2])


def _attempt(number: int, memory: str, outcome: str | None) -> Attempt:
    return Attempt(number=number, memory=msgspec.json.decode(memory, type=Memory), outcome=_value(outcome, Outcome))


def _steps(c: Connection, run_id: str) -> Iterator[StepRow]:
    a = t.attempts.c
    tried: dict[tuple[str, str], Attempt] = {}
    asked = sa.select(a.step, a.part, a.number, a.memory, a.outcome).where(a.run == run_id).order_by(a.number)
    for name, part, number, memory, outcome in c.execute(asked):
        tried[name, part] = _attempt(number, memory, outcome)
    s = t.steps.c
    for name, now, says in c.execute(sa.select(s.name, s.state, s.says).where(s.run == run_id).order_by(s.seq)):
        done, undone = tried.get((name, "do")), tried.get((name, "undo"))
        yield StepRow(
            name=name, state=now, says=says, outcome=done.outcome if done else None, memory=done.memory if done else None,
            undo=undone.outcome if undone else None, attempts=done.number if done else 0,
        )  # fmt: skip


# --- locks ---------------------------------------------------------------------------------------


def lock(c: Connection, target: str, run_id: str, person: str, now: float) -> tuple[str, str] | None:
    """Take a target's lock; None when this run has it, else the run and the person that have it."""
    held = c.execute(sa.select(t.locks.c.run, t.locks.c.person).where(t.locks.c.target == target)).one_or_none()
    if held is None:
        c.execute(sa.insert(t.locks).values(target=target, run=run_id, person=person, at=now))
        return None
    return None if held[0] == run_id else (held[0], held[1])


def unlock(c: Connection, run_id: str) -> None:
    """Give back every lock of a run."""
    c.execute(sa.delete(t.locks).where(t.locks.c.run == run_id))


# --- approvals -----------------------------------------------------------------------------------


def ask(c: Connection, run_id: str, digest: str, until: float) -> bool:
    """Open the question of a run; whether it was not open (or answered) before."""
    if c.execute(sa.select(t.approvals.c.run).where(t.approvals.c.run == run_id)).scalar() is not None:
        return False
    c.execute(sa.insert(t.approvals).values(run=run_id, digest=digest, until=until))
    return True


def answer(c: Connection, run_id: str, decision: Decision) -> None:
    """Answer it, once and in time, for the plan that was seen. Raises Unreachable when that is not so."""
    a = t.approvals.c
    in_time = a.until < decision.at if decision.kind == "expired" else a.until >= decision.at
    this = (a.run == run_id, a.digest == decision.digest, a.kind.is_(None), in_time)
    done = c.execute(sa.update(t.approvals).where(*this).values(kind=decision.kind, decision=text(decision)))
    if done.rowcount == 1:
        return
    row = c.execute(sa.select(a.digest, a.until, a.decision).where(a.run == run_id)).one_or_none()
    if row is None:
        raise Unreachable(f"run {run_id} asks nothing (it is {state(c, run_id)})")
    if row[2] is not None:
        given = msgspec.json.decode(row[2], type=Decision)
        at = time.strftime("%H:%M UTC", time.gmtime(given.at))
        who = "nobody answered in time" if given.kind == "expired" else f"{given.person.name} said {given.kind} at {at}"
        raise Unreachable(f"the plan of run {run_id} is decided already: {who}")
    if row[0] != decision.digest:
        raise Unreachable(
            f"run {run_id} has another plan than the one that was decided about; see `fletcher show {run_id}`"
        )
    raise Unreachable(f"the approval of run {run_id} has expired; order it again")


def decision(c: Connection, run_id: str) -> Decision | None:
    """What was decided, None while the question is open or was never asked."""
    return _value(c.execute(sa.select(t.approvals.c.decision).where(t.approvals.c.run == run_id)).scalar(), Decision)


# --- what was done before, and what others want ---------------------------------------------------


class Before(msgspec.Struct, frozen=True):
    """An earlier run on the same target that acted: how it ended, when it began to act, and what it did."""

    id: str
    runbook: str
    state: RunState
    acted_at: float
    fix: str


def acted(c: Connection, target: str, since: float, but: str) -> tuple[Before, ...]:
    """The runs that acted on a target since then, the newest first, without this one."""
    r = t.runs.c
    asked = sa.select(r.id, r.runbook, r.state, r.acted_at, r.fix).where(
        r.target == target, r.acted_at >= since, r.id != but
    )
    return tuple(Before(*row) for row in c.execute(asked.order_by(r.acted_at.desc())))


def signal(c: Connection, run_id: str, kind: str) -> None:
    """Tell the executor that there is something to see to."""
    c.execute(sa.insert(t.signals).values(run=run_id, kind=kind))


def signals(c: Connection, after: int) -> tuple[tuple[int, str, str], ...]:
    """What was signalled after that id: (id, run, kind)."""
    found = c.execute(prepared.SIGNALS, {"of_after": after})
    return tuple((number, run_id, kind) for number, run_id, kind in found)


def unsignal(c: Connection, run_id: str) -> None:
    """Forget what was signalled about a run that has ended."""
    c.execute(sa.delete(t.signals).where(t.signals.c.run == run_id))


def cancelled(c: Connection, run_id: str) -> bool:
    """Whether somebody has cancelled a run."""
    return c.execute(prepared.CANCELLED, {"of_run": run_id}).scalar_one() is not None


def told(c: Connection, run_id: str) -> Literal["", "resume", "cancel"]:
    """What a person has said about a run that waits for his word."""
    word: Literal["", "resume", "cancel"] = c.execute(
        sa.select(t.runs.c.word).where(t.runs.c.id == run_id)
    ).scalar_one()
    return word
