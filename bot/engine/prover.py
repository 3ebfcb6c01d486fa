"""Does it hold? Each verify block of the plan is asked, and what was taken back is looked at again.

The outcome is one of three: it holds, it is refuted, or it cannot be told. Only what is refuted is undone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bot.engine import private, tasks
from bot.engine.anew import steadily, sweep
from bot.engine.case import SECOND, Case
from bot.engine.held import held
from bot.engine.joined import Joining, joined
from bot.engine.undone import undone
from bot.engine.values import Proof
from bot.redact import masked
from bot.runbook import document as doc
from bot.steps import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engine.values import Run
    from bot.steps.contract import Doing


class Prover:
    """Proves what a runbook's verify blocks ask for."""

    def prove(self, run: Run, doing: Doing) -> Proof:
        """Whether the steps that were done made a failing state a working one."""
        sweep(run, doing)
        proofs: list[Proof] = []
        for block in _blocks(run):
            if not _wanted(run, block, doing):
                continue
            proofs.append(self._block(run, block, doing))
            if proofs[-1].result == "refuted":  # what is asked for after it would only take time
                break
        if not proofs:
            return Proof(result="not-needed", says="the runbook asks for no proof of what was done")
        points = tuple(point for proof in proofs for point in proof.points)
        worst = next((p for word in ("refuted", "cannot-tell") for p in proofs if p.result == word), proofs[-1])
        return Proof(result=worst.result, points=points, says=worst.says)

    def prove_undone(self, run: Run, doing: Doing) -> Proof:
        """Whether, after everything was taken back, what ran before runs again."""
        sweep(run, doing)
        return undone(run, doing, next(_blocks(run), None))

    def _block(self, run: Run, block: doc.Verify, doing: Doing) -> Proof:
        since, deadline = _since(run, block), doing.world.now() + int(block.timeout * SECOND)
        if not isinstance(block.evidence, doc.Joined):
            other = Case(run=run, doing=doing, block=block, since_ns=since, deadline_ns=deadline)
            return held(other, tasks.inputs(run, private.secret_inputs(doing.scratch)))
        plan, known = run.plan, tasks.inputs(run, private.secret_inputs(doing.scratch))
        agent = "" if plan is None or plan.remedy == "auto-dispatch" else _true(plan.agent, known.get("agent_name", ""))
        rebuilt = any(tasks.builds(run, row.name) and row.state == "done" for row in run.steps)
        case = Joining(
            run=run, doing=doing, block=block, since_ns=since, deadline_ns=deadline, what=block.evidence, agent=agent,
            room=_true(plan.room, known.get("room", "")) if plan is not None else "", rebuilt=rebuilt, asked=_claimed(run), type=(run.looked.job_type if run.looked else "") or "JT_ROOM",
        )  # fmt: skip
        return steadily(case, joined)


def _true(shown: str, known: str) -> str:
    """A name as it is: a plan masks one that looks like a secret."""
    return known if known and masked(shown) else shown


def _blocks(run: Run) -> Iterator[doc.Verify]:
    """The verify blocks that the plan names."""
    names = {step.name for step in run.plan.verification} if run.plan is not None else set()
    return (block for block in run.runbook.blocks if isinstance(block, doc.Verify) and block.name in names)


def _wanted(run: Run, block: doc.Verify, doing: Doing) -> bool:
    """Whether a proof is asked for, by checks that are scripts; it is where they cannot tell."""
    known = tasks.inputs(run, private.secret_inputs(doing.scratch))
    for one, wanted in tasks.pending(run, block.name):
        told = check.ask(one, known, run.runbook.inputs, run.looked.folder if run.looked else "", doing)
        if told.result in {"matched", "not-matched"} and (told.result == "matched") != wanted:
            doing.tell(f"{block.name} is not asked: the check {one.name} {told.result}")
            return False
    return True


def _since(run: Run, block: doc.Verify) -> int:
    """When the step began after which lines count; without one of those that were done, the last that was."""
    began = {row.name: row.outcome.began_ns for row in run.steps if row.outcome is not None and row.state == "done"}
    own = [began[name] for name in block.after if name in began]
    return max(own or list(began.values()) or [0])


def _claimed(run: Run) -> tuple[str, ...] | None:
    """The agents that the new token asks for; None where no token was made."""
    for row in reversed(run.steps):
        told = row.outcome.facts.get("claims") if row.outcome is not None else None
        if told:
            return tuple(json.loads(told)["agents"])
    return None
