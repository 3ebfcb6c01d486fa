"""What there is to say of a run, whatever the medium: sentences and lists, each text made safe once."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from bot.livekit.words import quote
from bot.report.plan import sessions
from bot.report.safe import block, plain
from bot.report.times import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engine.values import Person, Point, Proof, Run, RunState, StepRow, StepState
    from bot.plan.values import Plan, Step

Mood = Literal["good", "bad", "open"]
_SECOND: Final = 1_000_000_000  # nanoseconds

#: What a state is called and means; nothing but `fixed` is ever called fixed.
STATES: Final[dict[RunState, tuple[str, Mood, str]]] = {
    "queued": ("QUEUED", "open", "nothing was begun yet"),
    "looking": ("LOOKING", "open", "it is being looked at; nothing was changed"),
    "waiting": ("WAITING FOR APPROVAL", "open", "the plan waits for an answer; nothing was changed"),
    "running": ("RUNNING", "open", "it is being carried out"),
    "fixed": ("FIXED", "good", "what failed works now, and that was seen"),
    "done": ("DONE", "good", "it was carried out as asked; nothing that failed was shown to work now"),
    "healthy": ("HEALTHY", "good", "nothing is wrong, and nothing was changed"),
    "declined": ("DECLINED", "bad", "the plan was declined; nothing was changed"),
    "expired": ("EXPIRED", "bad", "nobody answered in time; nothing was changed"),
    "cancelled": ("CANCELLED", "bad", "it was cancelled, and what had been done was taken back"),
    "failed": ("FAILED", "bad", "it could not be carried out"),
    "rolled-back": ("ROLLED BACK", "bad", "a step failed or it did not hold, so what had been done was taken back"),
    "rollback-failed": ("ROLL-BACK FAILED", "bad", "taking back what had been done failed: a person has to look at it now"),
    "not-verified": ("NOT VERIFIED", "open", "it was carried out, and whether it holds could not be seen; nothing was taken back"),
    "inconclusive": ("INCONCLUSIVE", "open", "what is wrong is not known; nothing was changed"),
    "unknown": ("UNKNOWN", "bad", "whether a step was done cannot be told, so it waits for a person and holds its target"),
    "refused": ("REFUSED", "bad", "it was refused"),
}  # fmt: skip
_ROW: Final[dict[StepState, str]] = {
    "planned": "not begun", "waiting": "waiting", "running": "running", "done": "done", "failed": "FAILED", "skipped": "not done",
    "unknown": "NOT KNOWN", "undone": "taken back",
}  # fmt: skip
_DIAGNOSE: Final = "diagnose"  # in place of a runbook where none treats what was found
_ACTED: Final = frozenset({"fixed", "done", "not-verified"})


@dataclass(frozen=True, slots=True)
class Did:
    """One step: its state in words, what it does, what came of it, how long it took, and the diffs that it made."""

    name: str
    state: str
    does: str
    says: str
    seconds: str = ""
    diffs: tuple[str, ...] = ()
    undone: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One point of a proof; `mark` is "yes", "no" or "open"."""

    name: str
    mark: Literal["yes", "no", "open"]
    says: str


@dataclass(frozen=True, slots=True)
class Told:
    """A run's report. `facts` are (what, value); every text is on one line but the diffs."""

    id: str
    word: str
    mood: Mood
    means: str
    title: str
    facts: tuple[tuple[str, str], ...]
    says: tuple[str, ...]
    wrong: tuple[str, ...]
    quotes: tuple[str, ...]
    did: tuple[Did, ...]
    who: tuple[str, ...]
    proof: str
    points: tuple[Shown, ...]
    undone: str
    undone_points: tuple[Shown, ...]
    goes_on: tuple[str, ...]
    next: tuple[str, ...]


def told(run: Run) -> Told:
    """Everything that a report says, without a medium."""
    word, mood, means = STATES[run.state]
    if run.order.dry_run and run.state == "done":
        word, means = "DRY RUN", "the plan is made, and nothing of it was done"
    elif run.runbook.id == _DIAGNOSE and run.state == "done":
        word, mood, means = (
            "CAUSE FOUND",
            "bad",
            "what is wrong was found; no runbook treats it, and nothing was changed",
        )
    return Told(
        id=run.id, word=word, mood=mood, means=f"{means[0].upper()}{means[1:]}", title=plain(run.runbook.title), facts=tuple(_facts(run)), says=tuple(_says(run)),
        wrong=tuple(map(plain, _wrong(run))), quotes=tuple(map(plain, run.looked.quotes if run.looked else ())),
        did=tuple(_did(run)), who=tuple(map(plain, _who(run))),
        proof=plain(run.proof.says) if run.proof else "", points=_points(run.proof),
        undone=plain(run.undone.says) if run.undone else "", undone_points=_points(run.undone),
        goes_on=tuple(map(plain, _goes_on(run))), next=tuple(map(plain, _next(run))),
    )  # fmt: skip


def _says(run: Run) -> Iterator[str]:
    """The sentences that were said of its states; who is waited for only while that is so."""
    for said in run.says:
        if run.state == "waiting" or not said.startswith("Waits for "):
            yield plain(said)


def person(who: Person) -> str:
    """A person and the door."""
    return f"{who.name} ({who.door}{f', {who.channel}' if who.channel else ''})"


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    plan = run.plan
    facts = [
        ("run", run.id),
        ("runbook", f"{run.runbook.id}{f' at {plan.revision[:12]}' if plan else ''}"),
        ("target", (plan.target if plan else "") or run.order.target),
        ("room", (plan.room if plan else "") or ", ".join(run.order.rooms)),
        ("remedy", plan.remedy if plan else ""),
        ("plan", run.digest[:12]),
        ("asked for", stamp(run.order.at, None)),
        ("state", f"{run.state} since {stamp(run.changed_at, None)}"),
    ]
    yield from ((name, plain(value)) for name, value in facts if value)


def _wrong(run: Run) -> Iterator[str]:
    plan, looked = run.plan, run.looked
    if plan is None or looked is None:
        return
    room = f"room {quote(plan.room)}" if plan.room else "no single room"
    if looked.verdict == "healthy":
        yield f"nothing: {room} is healthy"
    elif looked.verdict == "inconclusive":
        yield f"not known: {room} cannot be judged from what was at hand"
    else:
        yield f"{plan.cause or 'no cause'} in {room}{f', agent {quote(plan.agent)}' if plan.agent else ''}"
    if plan.why:
        yield plan.why
    if plan.refused:
        yield f"no plan: {plan.refused}"
        yield from (f"instead: {way}" for way in plan.instead)


def _did(run: Run) -> Iterator[Did]:
    planned = {step.name: step for step in run.plan.steps} if run.plan else {}
    for row in run.steps:
        yield _step(row, planned.get(row.name))


def _step(row: StepRow, step: Step | None) -> Did:
    outcome = row.outcome
    seconds = f"{(outcome.ended_ns - outcome.began_ns) / _SECOND:.1f} s" if outcome is not None else ""
    says = row.says or (outcome.says if outcome is not None else "")
    untouched = outcome is not None and "untouched" in outcome.facts
    wrote = (
        row.state in {"done", "undone", "unknown", "failed"} and step is not None and row.attempts > 0 and not untouched
    )
    return Did(
        name=plain(row.name), state=_ROW[row.state], does=plain(step.does) if step else "", says=plain(says), seconds=seconds,
        diffs=tuple(block(one.diff) for one in step.files if one.diff) if wrote and step else (),
        undone=plain(row.undo.says) if row.undo else "",
    )  # fmt: skip


def _who(run: Run) -> Iterator[str]:
    order, asked, decision = run.order, run.asked, run.decision
    yield f"asked for by {person(order.person)}"
    if order.anyway:
        yield "deliberately (--anyway): the diagnosis does not indicate this change"
    if asked is not None:
        yield f"needed: {asked.need} ({asked.why})"
        yield from (f"LOWERED by {switch}" for switch in asked.switches)
    if decision is not None:
        verb = {"yes": "approved", "no": "declined", "expired": "expired"}[decision.kind]
        by = f" by {person(decision.person)}" if decision.kind != "expired" else ""
        word = f"; a guard was answered with {quote(decision.word)}" if decision.word else ""
        yield f"{verb}{by} at {stamp(decision.at, None)}{f': {decision.reason}' if decision.reason else ''}{word}"
    for guard in run.plan.guards if run.plan else ():
        yield f"guard, {guard.level}: {guard.says}"
    for one in run.plan.disrupts if run.plan else ():
        yield f"in the way, {one.who}: {sessions(one)}"
    if run.cancelled_by is not None:
        yield f"cancelled by {person(run.cancelled_by)}"


def _points(proof: Proof | None) -> tuple[Shown, ...]:
    return tuple(_point(point) for point in proof.points) if proof else ()


def _point(point: Point) -> Shown:
    said = point.says
    if point.name == "registration" and '""' in said:
        said = f"{said}; an empty name means that it takes every room without being asked for by name"
    return Shown(plain(point.name), "open" if point.ok is None else "yes" if point.ok else "no", plain(said))


def _goes_on(run: Run) -> Iterator[str]:
    """What stays as it is after a run that changed something."""
    plan = run.plan
    if plan is None or not plan.steps or run.state not in _ACTED or run.order.dry_run:
        return
    yield from plan.side_effects
    yield from plan.left_over
    points = {point.name for point in run.proof.points} if run.proof else set()
    if plan.remedy in {"auto-dispatch", "explicit-dispatch"} and "earlier tokens" not in points:
        yield "tokens that were issued before keep the dispatch that they were made with until they expire"
    if plan.cause and plan.room and plan.remedy != "create-dispatch" and "own room" not in points:
        yield (
            f"room {quote(plan.room)} itself was not looked at again: where it is still open without an agent it stays so, since "
            f"agents are asked for when a room is made; let everybody leave and join again{_dispatch(run, plan)}"
        )


def _dispatch(run: Run, plan: Plan) -> str:
    """How an agent gets into a room that is open, as the end of a sentence, where the runbook has a way."""
    if not any(one.name == "remedy" and "create-dispatch" in (one.choices or ()) for one in run.runbook.inputs):
        return ""
    return f", or dispatch into it with `fletcher run {plan.runbook} --room {shlex.quote(plan.room)} --input remedy=create-dispatch --anyway`"


def _next(run: Run) -> Iterator[str]:
    match run.state:
        case "waiting":
            yield f"`fletcher approve {run.id}` or `fletcher deny {run.id}`"
            if run.asked is not None:
                yield f"open until {stamp(run.asked.until, None)}"
        case "unknown":
            yield f"look at it, then `fletcher resume {run.id}` to go on or `fletcher cancel {run.id}` to take it back"
        case "queued" | "looking" | "running":
            yield f"`fletcher logs -f {run.id}` follows it"
        case "failed" | "rolled-back" | "rollback-failed" | "not-verified" | "cancelled" if any(
            row.attempts for row in run.steps
        ):
            yield f"`fletcher show {run.id} --step NAME` has what a step printed"
        case "expired" | "refused" | "declined" | "cancelled":
            yield f"`fletcher run {shlex.quote(run.order.runbook)}` asks anew"
        case _:
            return
