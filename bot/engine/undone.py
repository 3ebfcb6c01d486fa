"""What is seen of a run after everything of it was taken back: only what was looked at is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.engine import tasks
from bot.engine.case import POLL, SECOND, Case
from bot.engine.registered import registered
from bot.engine.values import Point, Proof
from bot.runbook import document as doc

if TYPE_CHECKING:
    from bot.engine.values import Run
    from bot.steps.contract import Doing

_TIME = 60.0  # seconds for what ran before to run again where no verify block says otherwise


def undone(run: Run, doing: Doing, block: doc.Verify | None) -> Proof:
    """Whether what ran before runs again: containers that were replaced run, a worker among them has registered."""
    rows = [row for row in run.steps if row.undo is not None]
    failed = next((row for row in rows if row.undo is not None and row.undo.state != "done"), None)
    if failed is not None and failed.undo is not None:
        point = Point(failed.name, False, failed.undo.says)
        return Proof(result="refuted", points=(point,), says=f"{failed.name} could not be undone")
    again = {row.name: row.undo for row in rows if row.undo is not None and tasks.services(run, row.name)}
    if not again:
        points = tuple(Point(row.name, True, row.undo.says) for row in rows if row.undo is not None)
        return Proof(result="holds", points=points, says="no container had been replaced, so none was looked at")
    block = block or doc.Verify(name="undone", line=0, timeout=_TIME, evidence=doc.Joined())
    case = Case(
        run=run, doing=doing, block=block, since_ns=max(undo.began_ns for undo in again.values()),
        deadline_ns=doing.world.now() + int(block.timeout * SECOND),
    )  # fmt: skip
    services = tuple(dict.fromkeys(service for name in again for service in tasks.services(run, name)))
    roles = {m.service for role in ("livekit", "agent") for m in doing.world.machines(role)}
    if not roles & set(services):
        return _running(case, services)
    found = registered(case, None)
    if isinstance(found, Proof):
        return found
    if found is None:
        return _running(case, services)
    return case.proof("holds", "the code that ran before runs again, and its worker has registered")


def _running(case: Case, services: tuple[str, ...]) -> Proof:
    """Whether every container of these services runs; that is all that can be seen of them."""
    while True:
        now = case.world.instances(services)
        lost = [name for name in services if name not in {one.service for one in now}]
        bad = [
            *(f"{one.name} is {one.state}" for one in now if one.state != "running"),
            *(f"{s} has no container" for s in lost),
        ]
        if not bad or not case.left():
            break
        case.world.wait(POLL)
    told = ", ".join(services)
    case.add("containers", "; ".join(bad) or f"the containers of {told} run", ok=not bad)
    if bad:
        return case.proof("refuted", "; ".join(bad))
    return case.proof("holds", f"the containers of {told} run again; what they do was not looked at")
