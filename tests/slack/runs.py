"""Runs for what Slack is shown: real verdicts over recorded incidents, and each state that a run passes through from there."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec.structs import replace

from bot.engine.eyes import Looking
from bot.engine.values import DIAGNOSE, Asked, Decision, Looked, Order, Person, Point, Proof, Run, StepRow
from bot.plan.values import Disrupts, Guard
from bot.policy import why_not_run
from bot.steps.contract import Memory, Outcome
from tests.fletcher import RECORDINGS

if TYPE_CHECKING:
    from pathlib import Path

    from bot.engine.values import RunState
    from bot.evidence.files import Kind

Result = Literal["holds", "refuted", "cannot-tell", "not-needed"]

AT: Final = 1_795_401_918.0  # seconds since the epoch: when everything here was ordered
DEMO: Final = RECORDINGS.parent.parent / "bot" / "demo"
ADA: Final = Person("ada", "slack", "C0OPS", "U0ADA")
GRACE: Final = Person("grace", "slack", "C0OPS", "U0GRACE")
ASSIGNED: Final = (
    '2026-11-23T02:45:05.695Z  INFO  livekit.agents  service/agentservice.go:411  assigned job to worker  {"jobID": "AJ_8vQReEkfvhSz", '
    '"agentName": "livekit-ganglia-agent", "jobType": "JT_ROOM", "room": "fletcher-proof-1"}'
)


def order(**more: Any) -> Order:  # noqa: ANN401  # fields of an order
    """What ada asks for in Slack."""
    given = {"id": "fl-7c1d", "runbook": DIAGNOSE.id, "person": ADA, "at": AT, "here": str(DEMO), **more}
    return Order(**given)


@cache
def looked(case: Path = DEMO) -> Looked:
    """What a look at a recorded incident comes to; the demo's, as shipped, where none is named."""
    given: list[tuple[Kind, str]] = []
    for pattern, kind in (
        ("livekit*.log", "any"),
        ("agent*.log", "any"),
        ("token.json", "token"),
        ("agent*/", "project"),
        ("project/", "project"),
    ):
        given += [(kind, str(path)) for path in sorted(case.glob(pattern))]  # type: ignore[misc]  # kinds by their names
    return Looking({}).look(order(files=tuple(given), here=str(case)), DIAGNOSE, {}).looked


def run(state: RunState, seen: Looked | None = None, **more: Any) -> Run:  # noqa: ANN401  # fields of a run
    """A run in a state, with the runbook that treats what was seen."""
    runbook = seen.runbook if seen is not None and seen.runbook is not None else DIAGNOSE
    given = {"order": order(), "runbook": runbook, "looked": seen, "changed_at": AT + 60, **more}
    return Run(state=state, **given)


def disruptive(seen: Looked, *guards: Guard) -> Looked:
    """The same, with live sessions in the way."""
    counted = (Disrupts(who='worker of "livekit-ganglia-agent"', rooms=2, people=3, by="the LiveKit API"),)
    return replace(seen, plan=replace(seen.plan, disrupts=counted, guards=guards))


def rows(seen: Looked, *states: str) -> tuple[StepRow, ...]:
    """The steps of its plan, the first of them in these states and the rest not begun."""
    out = []
    for at, step in enumerate(seen.plan.steps):
        state = states[at] if at < len(states) else "planned"
        ended = state in {"done", "failed", "undone"}
        began = int((AT + 30 + at) * 1e9)
        outcome = Outcome(
            state="failed" if state == "failed" else "done",
            says="exit code 1" if state == "failed" else "it is done",
            began_ns=began,
            ended_ns=began + 2_500_000_000,
        )
        out.append(
            StepRow(
                name=step.name, state=state, attempts=int(state != "planned"), outcome=outcome if ended else None,  # type: ignore[arg-type]  # states by their names
                memory=Memory(began_ns=began) if state != "planned" else None, undo=replace(outcome, says="as it was before") if state == "undone" else None,
            )
        )  # fmt: skip
    return (*out, *(StepRow(name=one.name, state="skipped", says=one.why) for one in seen.plan.skipped))


def proof(result: Result) -> Proof:
    """A proof as it is made on a real stack."""
    ok = {"holds": True, "refuted": False}.get(result)
    refused = "the server refuses it still: not dispatching agent job since no worker is available"
    points = (
        Point("registration", True, 'the worker registered as "livekit-ganglia-agent", JT_ROOM'),
        Point("assignment", ok, ASSIGNED if ok else refused),
        Point("own room", None, 'room "fletcher-dev" is still open without an agent (1 inside)'),
    )
    return Proof(
        result=result, points=points, says="an agent came into a new room and stayed" if ok else "no agent came"
    )


def lives() -> dict[str, tuple[Run, ...]]:
    """The states that a run passes through, by how it ends."""
    seen = disruptive(looked(), Guard("note", "the image is built anew"))
    count = len(seen.plan.steps)
    asked = Asked(need="peer", why="live sessions may be cut off", until=AT + 900)
    word = replace(asked, word="understood")
    yes = Decision(kind="yes", person=GRACE, digest=seen.plan.digest, at=AT + 25, reason="quiet hour")
    no = Decision(kind="no", person=GRACE, digest=seen.plan.digest, at=AT + 25, reason="not before the demo")
    late = Decision(kind="expired", person=ADA, digest=seen.plan.digest, at=AT + 900)
    begin = (run("queued"), run("looking"))
    waits = "Waits for another person: live sessions may be cut off."
    ask = (*begin, run("waiting", seen, asked=asked, steps=rows(seen), says=(waits,)))
    said = {"asked": asked, "decision": yes}
    go = (
        *ask, run("waiting", seen, **said, steps=rows(seen), says=(waits,)),
        *(run("running", seen, **said, steps=rows(seen, *["done"] * n, "running"), says=(waits, "Counted again.")) for n in range(count)),
    )  # fmt: skip
    done = rows(seen, *["done"] * count)
    back = rows(seen, *["undone"] * count)
    failed = rows(seen, *["done"] * (count - 1), "failed")
    proving = (*go, run("running", seen, **said, steps=done, says=(waits,)))

    def end(state: RunState, says: str, **more: Any) -> Run:  # noqa: ANN401  # fields of a run
        return run(state, seen, **{"asked": asked, "changed_at": AT + 200, "says": (waits, says), **more})

    holds, refuted, unclear = proof("holds"), proof("refuted"), proof("cannot-tell")
    healed = replace(seen, verdict="healthy", findings=looked(RECORDINGS / "inc-071").findings[1:])
    bare = replace(seen, plan=replace(seen.plan, steps=(), refused="no step of the runbook applies"))
    doubt = (
        "it was being done when Fletcher was ended, and whether it is done cannot be told. Look, then `fletcher resume fl-7c1d` (it is done again) "
        "or `fletcher cancel fl-7c1d` (all is taken back)."
    )
    policy = f"{why_not_run(None, ADA, 'agent-never-joins', 'disrupt')}."
    return {
        "fixed": (*proving, run("running", seen, **said, steps=done, proof=holds), end("fixed", "A failing state became a working one. An agent came.", **said, steps=done, proof=holds)),
        "done": (*proving, end("done", "Done as asked. Nothing of it was to be verified.", **said, steps=done, proof=Proof(result="not-needed"))),
        "not-verified": (*proving, end("not-verified", "What was done stays; whether it holds could not be told.", **said, steps=done, proof=unclear)),
        "rolled-back": (
            *proving, run("running", seen, **said, steps=done, proof=refuted), run("running", seen, **said, steps=back, proof=refuted),
            run("running", seen, **said, steps=back, proof=refuted, undone=proof("holds")),
            end("rolled-back", "It did not hold: no agent came. Everything was taken back, and what ran before was proven to run again.",
                **said, steps=back, proof=refuted, undone=proof("holds")),
        ),
        "rollback-failed": (*proving, end("rollback-failed", "Taking it back FAILED: the build failed.", **said, steps=failed, proof=refuted, undone=refuted)),
        "failed": (*go, end("failed", "A step failed: exit code 1. Nothing was changed.", **said, steps=failed)),
        "unknown": (*go, run("unknown", seen, **said, steps=rows(seen, "done", "unknown"), says=(waits, doubt))),
        "cancelled": (
            *go, run("running", seen, **said, steps=rows(seen, "done"), cancelled_by=GRACE),
            end("cancelled", "grace cancelled it. Everything was taken back.", **said, steps=back, cancelled_by=GRACE),
        ),
        "declined": (*ask, end("declined", "grace said no: not before the demo; nothing was done.", decision=no, steps=rows(seen))),
        "expired": (*ask, end("expired", "Nobody answered in time, so nothing was done.", decision=late, steps=rows(seen))),
        "word": (*begin, run("waiting", disruptive(looked(), Guard("warning", "a second worker of that name runs elsewhere")), asked=word, steps=rows(seen))),
        "refused": (*begin, end("refused", policy, asked=None, steps=rows(seen))),
        "no-plan": (*begin, run("refused", bare, says=("no step of the runbook applies",))),
        "no-runbook": (*begin, run("done", looked(RECORDINGS / "inc-024"), says=(first_says(looked(RECORDINGS / "inc-024")),))),
        "healthy": (*begin, run("healthy", healed, says=("Every room has its agent.",))),
        "inconclusive": (*begin, run("inconclusive", None, says=("The Docker engine does not answer.", "Start it, or give a log."))),
        "dry-run": (*begin, run("done", seen, order=order(dry_run=True), says=("This was a dry run.",), steps=rows(seen))),
    }  # fmt: skip


def first_says(seen: Looked) -> str:
    """What a diagnosis says of which no runbook treats anything."""
    return f"{seen.findings[0].summary} {seen.findings[0].advice}".strip()
