"""What a run is at: a word and an emoji that say the same, what it means, and what the run is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.livekit.words import quote
from bot.report.told import STATES

if TYPE_CHECKING:
    from bot.engine.values import Run, RunState, StepRow
    from bot.findings import Finding

_EMOJI: Final[dict[RunState, str]] = {
    "queued": "hourglass_flowing_sand", "looking": "mag", "waiting": "raised_hand", "running": "gear", "fixed": "white_check_mark",
    "done": "ballot_box_with_check", "healthy": "large_green_circle", "declined": "no_entry_sign", "expired": "alarm_clock",
    "cancelled": "black_square_for_stop", "failed": "x", "rolled-back": "leftwards_arrow_with_hook", "rollback-failed": "rotating_light",
    "not-verified": "grey_question", "inconclusive": "grey_question", "unknown": "warning", "refused": "no_entry",
}  # fmt: skip
_DIAGNOSE: Final = "diagnose"  # the order that leaves the runbook open
_BEGUN: Final = frozenset({"done", "failed", "skipped", "unknown", "undone"})


@dataclass(frozen=True, slots=True)
class Phase:
    """Where a run stands: `means` is a sentence.

    `asks` is whether it waits for an answer that may still be given, `stops` whether it can be cancelled.
    """

    word: str
    emoji: str
    means: str
    asks: bool = False
    stops: bool = False


def phase(run: Run, now: float | None = None) -> Phase:
    """Where a run stands; `now` (seconds since the epoch) tells whether its question is still open."""
    word, _, means = STATES[run.state]
    emoji = _EMOJI[run.state]
    if run.state == "waiting":
        return _waiting(run, now, Phase(word, emoji, _sentence(means), asks=True))
    if run.state == "running":
        return _running(run, emoji)
    if run.state == "done" and run.order.dry_run:
        return Phase("DRY RUN", "memo", "The plan is made, and nothing of it was done.")
    if _found_only(run):
        if run.state == "done":
            return Phase("CAUSE FOUND", "red_circle", "No runbook treats it; nothing was changed.")
        if run.plan is not None and not run.plan.steps:
            return Phase(
                "CAUSE FOUND, NO PLAN",
                "red_circle",
                "Nothing that a runbook does would help as it is; nothing was changed.",
            )
        return Phase("CAUSE FOUND, REPAIR REFUSED", "red_circle", "The repair was refused; nothing was changed.")
    return Phase(word, emoji, _sentence(means), stops=run.state == "unknown" and run.cancelled_by is None)


def state(of: RunState) -> tuple[str, str]:
    """A state's word and emoji, where no more of the run is known."""
    return STATES[of][0], _EMOJI[of]


def first(run: Run) -> Finding | None:
    """The finding that the run is about: the newest of the plan's room, else the most urgent; None where it is not kept."""
    findings = run.looked.findings if run.looked is not None else ()
    plan = run.plan
    if plan is not None and plan.room:
        own = next((one for one in findings if one.room == plan.room and plan.cause in {"", one.cause}), None)
        if own is not None or plan.steps:
            return own
    return next(iter(findings), None)


def subject(run: Run) -> str:
    """What a run is about, on one line: the cause and the room where they are known, else what was asked for."""
    found, plan = first(run), run.plan
    if found is not None:
        return finding_title(found)
    if plan is not None and plan.cause:
        return f"{plan.cause}{f' in room {quote(plan.room)}' if plan.room else ''}"
    title = plan.title if plan is not None and plan.title else run.runbook.title
    rooms = ", ".join(map(quote, run.order.rooms[:3]))
    return f"{title}{f' for room {rooms}' if rooms else ''}"


def finding_title(found: Finding) -> str:
    """A finding in a few words."""
    room = f"room {quote(found.room)}" if found.room else "no single room"
    if found.verdict == "healthy":
        return f"{room} is healthy" if found.room else "everything is healthy"
    return f"{found.cause or 'not known what is wrong'} in {room}"


def sentences(run: Run, now: float | None = None) -> str:
    """A run as whole sentences, for a notification and whoever has it read out to him; not escaped."""
    at = phase(run, now)
    asked = f"Run {run.id}, asked for by {run.order.person.name}."
    return f"{at.word.capitalize()}: {subject(run)}. {outcome(run, at)} {asked}"


def outcome(run: Run, at: Phase) -> str:
    """What there is to say of where a run stands: of an end what it came to, else what the phase means."""
    if not run.says or not (run.ended or run.state == "unknown"):
        return at.means
    told = (
        " ".join(run.says) if run.looked is None else run.says[-1]
    )  # why it could not be looked at has several sentences
    names = (
        run.order.person.name,
        *(one.name for one in (run.cancelled_by, run.decision and run.decision.person) if one),
    )
    return _sentence(told, capital=not told.startswith(names))


def progress(run: Run) -> tuple[int, int, str]:
    """The number of the step that is being done, of how many, and its name; "" when all of them are over."""
    names = [step.name for step in run.plan.steps] if run.plan is not None else []
    states = {row.name: row.state for row in run.steps}
    for number, name in enumerate(names, 1):
        if states.get(name) not in _BEGUN:
            return number, len(names), name
    return len(names), len(names), ""


def _found_only(run: Run) -> bool:
    """Whether a diagnosis was asked for and found a cause, and nobody was asked about a repair."""
    found = run.looked is not None and run.looked.verdict == "cause"
    return (
        run.order.runbook == _DIAGNOSE
        and found
        and run.state in {"done", "refused"}
        and not run.decision
        and not _acted(run)
    )


def _waiting(run: Run, now: float | None, open_still: Phase) -> Phase:
    if run.decision is not None and run.decision.kind == "yes":
        return Phase("APPROVED", "ballot_box_with_check", "It is looked at once more, and then begun.")
    if run.decision is not None or run.asked is None:
        return Phase(open_still.word, open_still.emoji, open_still.means)
    if now is not None and run.asked.until <= now:
        return Phase("EXPIRED", _EMOJI["expired"], "Nobody answered in time; nothing was changed.")
    return open_still


def _running(run: Run, emoji: str) -> Phase:
    number, count, name = progress(run)
    if any(row.undo is not None or row.state == "undone" or _stopped(run, row) for row in run.steps) or (
        run.proof is not None and run.proof.result == "refuted"
    ):
        return Phase("TAKING BACK", _EMOJI["rolled-back"], "What was done is being taken back.")
    if run.cancelled_by is not None:
        return Phase(
            "CANCELLING", _EMOJI["cancelled"], "The step that is being done is ended first, then all is taken back."
        )
    if name:
        return Phase(f"RUNNING, step {number}/{count}", emoji, _does(run, name), stops=True)
    return Phase("PROVING", "test_tube", "All steps are done; whether it holds is being looked at.", stops=True)


def _stopped(run: Run, row: StepRow) -> bool:
    """Whether this step failed and nothing comes after it; nothing hangs on a token, or on a step that says so itself."""
    step = next((one for one in run.plan.steps if one.name == row.name), None) if run.plan is not None else None
    optional = row.outcome is not None and "optional" in row.outcome.facts
    return row.state == "failed" and not optional and (step is None or step.kind != "token")


def _does(run: Run, name: str) -> str:
    step = next((one for one in run.plan.steps if one.name == name), None) if run.plan is not None else None
    return _sentence(f"{name}: {step.does}" if step is not None and step.does else name, capital=False)


def _acted(run: Run) -> bool:
    return any(row.attempts for row in run.steps)


def _sentence(words: str, *, capital: bool = True) -> str:
    begun = words[:1].upper() + words[1:] if capital else words
    return begun if begun.endswith((".", "!", "?", "…")) else f"{begun}."
