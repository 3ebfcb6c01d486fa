"""The last recorded points of a run: the proof, the proof that what was taken back runs again, and what it all came to."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec

from bot.engine import rows, tasks
from bot.engine.events import write
from bot.engine.stages import leave
from bot.engine.values import Event, Proof
from bot.errors import FletcherError
from bot.runbook import document as doc

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engine.acting import Acting
    from bot.engine.contract import Parts
    from bot.engine.store import Change, Store
    from bot.engine.values import Run, RunState, StepState
    from bot.steps.contract import Doing

#: What a proof came to, as the state of a step.
_STATE: Final[dict[str, StepState]] = {
    "holds": "done",
    "refuted": "failed",
    "cannot-tell": "unknown",
    "not-needed": "skipped",
}
_log = logging.getLogger("fletcher.engine")


class Ending:
    """The ends of one store's runs."""

    def __init__(self, store: Store, parts: Parts, acting: Acting) -> None:
        self._store, self._parts, self._acting = store, parts, acting

    def prove(self, run_id: str) -> str:
        """Whether what was done holds: "holds", "refuted", "cannot-tell" or "not-needed"; "cancel" when it shall not."""
        run = self._store.run(run_id)
        if run.proof is None:
            if run.cancelled_by is not None:
                return "cancel"
            if _changed(run):
                names = ", ".join(step.name for step in run.plan.verification) if run.plan else ""
                proof = self._proof(run, names, self._parts.prover.prove, undoing=False)
            else:
                proof = Proof(result="not-needed")
            self._keep(run, "proof", proof)
            run = self._store.run(run_id)
        result = run.proof.result if run.proof is not None else "cannot-tell"
        return "cancel" if run.cancelled_by is not None and result != "holds" else result

    def prove_undone(self, run_id: str) -> str:
        """Whether what ran before runs again; as `prove`."""
        run = self._store.run(run_id)
        if run.undone is None:
            proof = self._proof(run, "what was taken back", self._parts.prover.prove_undone, undoing=True)
            self._keep(run, "undone", proof)
        return "on"

    def conclude(self, run_id: str, word: str) -> str:
        """End the run as what it came to; `word` is how its last step or its proof ended."""
        run = self._store.run(run_id)
        if not run.ended:
            state, says = _end(run, word)
            with self._store.change() as change:
                leave(change, run, state, says)
        self._acting.forget(run_id)
        return "ended"

    def bug(self, run_id: str, what: str) -> str:
        """End a run that a bug of ours has stopped."""
        with self._store.change() as change:
            run = rows.run(change.c, run_id)
            if not run.ended:
                change.go(run_id, "running" if run.state == "unknown" else run.state)
                says = f"A bug in Fletcher stopped this run ({what}). What it had done is not taken back; `fletcher show {run_id}` tells it."
                leave(change, run, "failed", says)
        return "ended"

    def _proof(self, run: Run, name: str, prove: Callable[[Run, Doing], Proof], *, undoing: bool) -> Proof:
        """Prove it, and tell that this begins and what it came to, as of a step: it takes its time."""
        self._tell(run, name, "running", "verifying")
        proof = self._proven(run, prove, undoing=undoing)
        self._tell(run, name, _STATE[proof.result], proof.says)
        return proof

    def _tell(self, run: Run, name: str, state: StepState, says: str) -> None:
        write(self._store.home.folder(run.id), Event(kind="step", at=time.time(), step=name, state=state, text=says))

    def _proven(self, run: Run, prove: Callable[[Run, Doing], Proof], *, undoing: bool) -> Proof:
        try:
            doing = self._acting.doing(run, undoing=undoing)
            proof = prove(run, doing)
        except FletcherError as problem:
            return Proof(result="cannot-tell", says=str(problem))
        except Exception as bug:  # noqa: BLE001  # only what is refuted is undone, and a bug refutes nothing
            _log.exception("proof", extra={"run": run.id})
            return Proof(
                result="cannot-tell", says=f"a bug in Fletcher stopped the verification ({type(bug).__name__})"
            )
        return _redacted(proof, doing)

    def _keep(self, run: Run, column: str, proof: Proof) -> None:
        def write(change: Change) -> None:
            rows.put(change.c, run.id, **{column: rows.text(proof)})
            what = "verified" if column == "proof" else "verified what was taken back"
            change.audit(
                run.id,
                run.order.person,
                what,
                digest=run.digest,
                outcome=f"{proof.result}: {proof.says}",
                reference=proof.output,
            )

        self._store.surely(write)


def _redacted(proof: Proof, doing: Doing) -> Proof:
    clean = doing.redactor.text
    points = tuple(msgspec.structs.replace(point, says=clean(point.says)) for point in proof.points)
    return msgspec.structs.replace(proof, says=clean(proof.says), points=points)


def _changed(run: Run) -> bool:
    """Whether anything was done that can be verified."""
    return bool(run.plan and run.plan.verification) and any(row.state == "done" for row in run.steps)


def _end(run: Run, word: str) -> tuple[RunState, str]:
    """The state that a run ends in, and why, as a sentence."""
    if word in {"stop", "cancel", "refuted"}:
        return _taken_back(run, word)
    says = _sentence(run.proof.says) if run.proof is not None and run.proof.says else ""
    late = (
        f" {run.cancelled_by.name} cancelled it too late: it was proven already."
        if run.cancelled_by is not None
        else ""
    )
    if word == "cannot-tell":
        return "not-verified", f"What was done stays; whether it holds could not be told. {says}".strip()
    if word == "holds" and _was_failing(run):
        return "fixed", f"A failing state became a working one. {says}{late}".strip()
    if not any(row.state == "done" for row in run.steps):
        return (
            "done",
            f"No step was done: {'; '.join(f'{row.name}: {row.says}' for row in run.steps if row.says)}.{late}",
        )
    why = "" if word == "holds" else " Nothing of it was to be verified."
    asked = " The diagnosis did not indicate it: it was asked for all the same (--anyway)." if run.order.anyway else ""
    return "done", f"Done as asked.{why}{asked} {says}{late}".strip()


def _was_failing(run: Run) -> bool:
    """Whether a failing state was seen before, which what was done treats; with --anyway nobody says that it was."""
    looked = run.looked
    if looked is None or looked.verdict != "cause" or run.order.anyway:
        return False
    if run.runbook.causes:
        return looked.plan.cause in run.runbook.causes
    matched = {check.name for check in looked.plan.checks if check.result == "matched"}
    done = {row.name for row in run.steps if row.state == "done"}
    checks = (block for block in run.runbook.blocks if isinstance(block, doc.Check) and block.name in matched)
    return any(not isinstance(check.evidence, doc.Chosen) and done & set(check.fix) for check in checks)


def _taken_back(run: Run, word: str) -> tuple[RunState, str]:
    """How a run ends of which everything was to be taken back."""
    names = tasks.undo_order(run)
    left = [row for row in run.steps if row.name in names and (row.undo is None or row.undo.state != "done")]
    refuted = run.undone is not None and run.undone.result == "refuted"
    what = _why(run, word)
    if left or refuted:
        told = "; ".join(row.undo.says if row.undo is not None else f"{row.name} is not taken back" for row in left)
        again = f"what ran before does not run again: {run.undone.says}" if refuted and run.undone is not None else ""
        return "rollback-failed", f"{what} Taking it back FAILED: {'; '.join(part for part in (told, again) if part)}."
    if not names:
        return ("cancelled" if word == "cancel" else "failed"), f"{what} Nothing was changed."
    kept = tasks.stays(run)
    left_so = f", but not {', '.join(kept)}: the runbook has no rollback for it" if kept else ""
    says = f"{what} {'Everything' if not kept else 'What can be'} was taken back{left_so}. {_seen_again(run.undone)}"
    return ("cancelled" if word == "cancel" else "rolled-back"), says.strip()


def _seen_again(proof: Proof | None) -> str:
    """What was seen of what ran before, and no more."""
    if proof is None:
        return ""
    if proof.result == "holds":
        return _sentence(proof.says)
    return f"Whether what ran before runs again could not be told: {proof.says.rstrip('.')}."


def _sentence(says: str) -> str:
    return f"{says[:1].upper()}{says[1:].rstrip('.')}."


def _why(run: Run, word: str) -> str:
    if word == "cancel":
        return f"{run.cancelled_by.name if run.cancelled_by is not None else 'Somebody'} cancelled it."
    if word == "refuted":
        return f"It did not hold: {run.proof.says if run.proof is not None else ''}".rstrip(": .") + "."
    failed = next(
        (
            row
            for row in run.steps
            if row.state in {"failed", "undone"} and row.outcome is not None and row.outcome.state == "failed"
        ),
        None,
    )
    says = (
        failed.outcome.says
        if failed is not None and failed.outcome is not None
        else next((r.says for r in run.steps if r.state == "failed"), "")
    )
    return f"A step failed: {says.rstrip('.')}."
