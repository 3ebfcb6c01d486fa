"""The root message of a run: always the run as it is, the verdict first, and buttons only while they do something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.report.slack import pieces
from bot.report.slack.blocks import (
    addressed,
    bullets,
    button,
    buttons,
    context,
    emoji,
    line,
    marked,
    moment,
    note,
    pre,
    rich,
    said,
    sure,
    who,
    word,
)
from bot.report.slack.budget import clean, escaped
from bot.report.slack.message import Message
from bot.report.slack.phase import first, outcome, phase, sentences, subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engine.values import Run
    from bot.plan.values import Plan
    from bot.report.slack.blocks import Element
    from bot.report.slack.message import Block
    from bot.report.slack.phase import Phase

_DANGEROUS: Final = frozenset({"disrupt", "destroy"})
_EFFECT: Final = {"read": "nothing is changed", "change": "files or containers are changed", "disrupt": "live sessions may be cut off", "destroy": "data may be lost"}  # fmt: skip
_ASSIGNED: Final = "assigned job to worker"  # the server's line that proves most


def card(run: Run, *, approvers: str = "", approvable: bool = True, hint: str = "", now: float) -> Message:
    """A run's root message.

    `approvers` says who may approve, `hint` what else would help, both as sentences that are not escaped and in which `<@ID>` and
    `<#ID>` name a person and a channel; `approvable` is whether anybody may. `now` is in seconds since the epoch.
    """
    at = phase(run, now)
    blocks: list[Block] = [*rich(f"head {run.id}", _head(run, at), *_lead(run, at))]
    if at.asks:
        blocks += _question(run, approvers, hint)
    else:
        blocks += rich(f"hint {run.id}", line(*addressed(hint, 500)))
    blocks += buttons(f"buttons {run.id}", *_buttons(run, at, approvable=approvable))
    blocks += context(f"who {run.id}", *_who(run, at))
    return Message(escaped(sentences(run, now), 1500), tuple(blocks))


def value(run: Run) -> str:
    """What a button brings back: the run, and the plan that was seen."""
    return f"{run.id} {run.digest}".strip()


def show_plan(run: Run) -> Iterator[Element]:
    """The button that opens the whole plan, where there is one."""
    if run.plan is not None and run.plan.steps:
        yield button("show_plan", "Show plan", value(run))


def _head(run: Run, at: Phase) -> Element | None:
    return line(emoji(at.emoji), word(f" {at.word}: ", bold=True), word(clean(subject(run), 250) or run.id, bold=True))


def _lead(run: Run, at: Phase) -> Iterator[Element | None]:
    """What it is about while that is being decided, what came of it afterwards."""
    found = first(run)
    told = outcome(run, at)
    if _found(run):
        if found is not None:
            yield line(*said(found.summary, 500))
        if found is None or not told.startswith(found.summary):
            yield line(*said(told, 900))
        elif found.advice:
            yield line(word("Advice: ", bold=True), *said(found.advice, 400))
        yield pieces.deciding(run, found)
        if found is not None and found.verdict == "inconclusive":
            yield from pieces.missing(found)
        yield pieces.others(run, found)
        return
    if not at.asks:
        yield line(*said(f"{_doubtful(run)}{told}", 900))
        yield _assigned(run)
        yield bullets(_open(run))
        return
    if found is not None:
        yield line(*said(found.summary, 500))
    yield pieces.deciding(run, found)
    yield pieces.others(run, found)


def _found(run: Run) -> bool:
    """Whether the verdict is what a run has come to: nothing was done, and nobody was asked."""
    return run.looked is not None and run.ended and run.decision is None and not any(row.attempts for row in run.steps)


def _assigned(run: Run) -> Element | None:
    """The server's own line that the agent was asked for, from after the change."""
    points = run.proof.points if run.proof is not None and run.state in {"fixed", "done"} else ()
    return next((pre(clean(point.says, 500)) for point in points if _ASSIGNED in point.says), None)


def _doubtful(run: Run) -> str:
    """The step of which nobody can tell whether it was done."""
    rows = run.steps if run.state == "unknown" else ()
    names = [
        row.name for row in rows if row.state == "unknown" or (row.undo is not None and row.undo.state == "unknown")
    ]
    return f"Step {', '.join(names)}: " if names else ""


def _open(run: Run) -> Iterator[list[Element]]:
    """What of the proof failed or could not be told, such as how it stands with the room of the complaint."""
    points = run.proof.points if run.proof is not None and run.ended else ()
    for point in [one for one in points if not one.ok][:2]:
        yield said(f"{'not known' if point.ok is None else 'NO'}, {point.name}: {point.says}", 300)


def _question(run: Run, approvers: str, hint: str) -> Iterator[Block]:
    plan, asked = run.plan, run.asked
    if plan is None or asked is None:
        return
    yield from rich(
        f"plan {run.id}", line(word("Plan: ", bold=True), *said(_plan_title(plan), 250)), pieces.steps(plan), pieces.diff(plan, "in the thread"),
        pieces.commands(plan, run.looked.folder if run.looked is not None else ""), *pieces.consequences(plan),
    )  # fmt: skip
    needs = "another person has to approve" if asked.need == "peer" else "the requester's word is enough"
    lowered = [line(word("Lowered by "), *said(one, 120)) for one in asked.switches[:3]]
    yield from rich(
        f"asked {run.id}", line(word("Needs approval: ", bold=True), *said(f"{needs} ({asked.why}).", 400)), *lowered,
        line(*addressed(approvers, 300)), line(*addressed(hint, 250)),
    )  # fmt: skip


def _plan_title(plan: Plan) -> str:
    where = f" on {plan.target}" if plan.target else ""
    return f"{plan.title}{f', {plan.remedy}' if plan.remedy else ''}{where}; {_EFFECT[plan.effect]}"


def _buttons(run: Run, at: Phase, *, approvable: bool) -> Iterator[Element]:
    if at.asks and run.asked is not None and run.plan is not None:
        if approvable:
            yield _approve(run, run.plan, run.asked.word)
        yield button("deny", "Deny…", value(run))
    yield from show_plan(run)
    if at.stops:
        what = f"Run {run.id} on {run.plan.target if run.plan else 'its target'} ends before its next step, and what it did is taken back."
        yield button(
            "cancel", "Cancel", value(run), confirm=sure("Cancel this run?", what, "Cancel the run", "Let it go on")
        )


def _approve(run: Run, plan: Plan, asked: str) -> Element:
    """The button to approve a plan; `asked` is the word that a guard wants typed, "" for none."""
    dangerous = plan.effect in _DANGEROUS
    confirm = sure("Approve this plan?", _warning(plan), "Approve", "Not now") if dangerous and not asked else None
    style = "danger" if dangerous else "primary"
    return button("approve", "Approve…" if asked else "Approve", value(run), style=style, confirm=confirm)


def _warning(plan: Plan) -> str:
    """The target and the effect, in a sentence or two."""
    known = [one for one in plan.disrupts if one.rooms is not None]
    rooms, people = sum(one.rooms or 0 for one in known), sum(one.people or 0 for one in known)
    counted = (
        f" {rooms} rooms and {people} people are counted now."
        if known
        else " How many is not known."
        if plan.disrupts
        else ""
    )
    return f"On {plan.target or 'the target'}: {_EFFECT[plan.effect]}.{counted}"


def _who(run: Run, at: Phase) -> Iterator[Element | None]:
    yield from who("Asked for by", run.order.person, run.order.at)
    decision = run.decision
    if decision is not None and decision.kind != "expired":
        yield from who("Approved by" if decision.kind == "yes" else "Denied by", decision.person, decision.at)
        if decision.reason:
            yield note(f"because: {decision.reason}", 200)
    if run.cancelled_by is not None:
        yield from who("Cancelled by", run.cancelled_by)
    if at.asks and run.asked is not None:
        yield marked(f"Open until {moment(run.asked.until)}")
    elif run.ended:
        yield marked(f"Ended {moment(run.changed_at)}")
    elif run.state in {"running", "unknown"}:
        yield marked(f"Since {moment(run.changed_at)}")
    yield note(f"Run {run.id}", 120)
