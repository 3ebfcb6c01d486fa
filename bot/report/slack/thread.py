"""What is said once in a run's thread, in the order in which it becomes known: verdict, plan, decision, steps, proof, report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.report import plan as plans
from bot.report import run as reports
from bot.report.slack import pieces
from bot.report.slack.blocks import addressed, bullets, context, emoji, line, pre, rich, said, who, word
from bot.report.slack.budget import ROWS, clean, escaped, rows, weight
from bot.report.slack.message import Message, Part, Upload
from bot.report.slack.phase import first, outcome, phase, subject
from bot.report.told import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.engine.values import Looked, Run
    from bot.plan.values import Plan
    from bot.report.slack.blocks import Element
    from bot.report.slack.message import Block
    from bot.report.told import Shown
    from bot.steps.contract import Outcome

_VERDICT: Final = 7500  # characters of findings in one message
_PLAN: Final = 6000  # characters of a plan in one message
_MARK: Final = {"yes": ("white_check_mark", "yes"), "no": ("x", "NO"), "open": ("grey_question", "not known")}
_DID: Final = {"done": "done", "failed": "FAILED", "unknown": "NOT KNOWN"}
_BACK: Final = {"done": "taken back", "failed": "NOT taken back", "unknown": "NOT KNOWN"}
_PROOF: Final = 5000  # characters of a proof in one message
_POINTS: Final = 15  # of a proof
_STEPS: Final = 12  # of a list
_PIECES: Final = 40  # blocks of a plan in one message
_ASSIGNED: Final = "assigned job to worker"


def thread(run: Run, approvers: str = "") -> tuple[Part, ...]:
    """The thread so far. What a later state of the same run adds comes after all that an earlier one had.

    `approvers` is the sentence of `card`. Whom it mentions is called below, since Slack notifies nobody of a mention that
    an edit brings; only while the run waits, so that nobody is called to what is decided.
    """
    return tuple(_parts(run, approvers))


def _parts(run: Run, approvers: str) -> Iterator[Part]:
    if run.looked is not None:
        yield Part("verdict", _verdict(run, run.looked))
        if run.looked.plan.steps:
            yield Part("plan", _plan(run, run.looked.plan))
    if run.state == "waiting" and run.decision is None and "<@" in approvers:
        yield Part("asked", _asked(run, approvers))
    if run.decision is not None:
        yield Part("decision", _decision(run))
    if any(row.attempts for row in run.steps) and (run.proof is not None or run.undone is not None or run.ended):
        yield Part("steps", _steps(run))
    one = told(run)
    if run.proof is not None and run.proof.result != "not-needed":
        yield Part("proof", _proof(run, "Proof", run.proof.result, one.proof, one.points))
    if run.undone is not None or (run.ended and any(row.undo for row in run.steps)):
        yield Part("undone", _undone(run, one.undone, one.undone_points))
    if run.ended:
        yield Part("report", _report(run))


def _verdict(run: Run, looked: Looked) -> Message:
    blocks: list[Block] = []
    left = len(looked.findings)
    for at, found in enumerate(looked.findings):
        block = list(rich(f"finding {at}", *pieces.finding(found, looked.folder, *((8, 400) if at == 0 else (3, 300)))))
        if weight(blocks) + weight(block) > _VERDICT:
            break
        blocks += block
        left -= 1
    more = max(looked.rooms, len(looked.findings)) - len(looked.findings) + left
    if more > 0:
        blocks += rich("more", line(word(f"… {more} more {'room' if more == 1 else 'rooms'}")))
    blocks += rich("notes", bullets(said(one, 250) for one in looked.notes[:3]))
    if not blocks:
        blocks += rich("verdict", line(*said(f"{subject(run)}.", 300)), pieces.deciding(run, None, 8))
    about = first(run)
    return Message(
        escaped(f"Verdict: {subject(run)}. {about.summary if about is not None else ''}".strip(), 1500), tuple(blocks)
    )


def _plan(run: Run, plan: Plan) -> Message | Upload:
    blocks = [block for at, piece in enumerate(pieces.whole(plan)) for block in rich(f"plan {at}", piece)]
    commands = sum(len(rows(plans.command(step.command))) for step in plan.steps if step.command is not None)
    says = f"The plan of run {run.id}: {plan.title}; {len(plan.steps)} {'step' if len(plan.steps) == 1 else 'steps'}."
    if len(pieces.diffs(plan)) + commands > ROWS or len(blocks) > _PIECES or weight(blocks) > _PLAN:
        return Upload(
            f"plan-{run.id}.md", f"Plan of run {clean(run.id, 100)}", _text(plans.markdown(plan)), escaped(says, 500)
        )
    head = rich("plan", line(word("The plan", bold=True), *said(f": {plan.title}", 300)))
    return Message(escaped(says, 500), (*head, *blocks))


def _asked(run: Run, approvers: str) -> Message:
    says = f"Run {run.id} waits for approval: {subject(run)}."
    head = line(emoji("raised_hand"), word(" Approval is asked for: ", bold=True), *addressed(approvers, 300))
    return Message(escaped(says, 500), tuple(rich("asked", head)))


def _decision(run: Run) -> Message:
    decision = run.decision
    if decision is None or decision.kind == "expired":
        says = "Nobody answered in time, so the plan expired; nothing was done."
        return Message(says, tuple(rich("decision", line(emoji("alarm_clock"), word(f" {says}")))))
    verb, mark = ("Approved", "white_check_mark") if decision.kind == "yes" else ("Denied", "no_entry_sign")
    why = f": {decision.reason}" if decision.reason else ""
    answered = f" A guard was answered with “{decision.word}”." if decision.word else ""
    text = f"{verb} by {decision.person.name}{why}.{answered}"
    blocks = rich("decision", line(emoji(mark), word(f" {verb}", bold=True), *said(f"{why or '.'}{answered}", 1500)))
    return Message(escaped(text, 2000), (*blocks, *context("by", *who("By", decision.person, decision.at))))


def _steps(run: Run) -> Message:
    """What was done, as it was before anything of it was taken back: that is told afterwards."""
    begun = [row for row in run.steps if row.attempts]
    items = [_step(row.name, _DID[row.outcome.state] if row.outcome else "not known", row.outcome) for row in begun]
    says = "; ".join(f"{row.name} {row.outcome.state if row.outcome else 'not known'}" for row in begun)
    count = f"{len(begun)} {'step was' if len(begun) == 1 else 'steps were'} carried out"
    return Message(escaped(f"{count}: {says}.", 1000), tuple(rich("steps", *_listed("What was done", items))))


def _step(name: str, state: str, outcome: Outcome | None) -> list[Element]:
    took = f", {(outcome.ended_ns - outcome.began_ns) / 1e9:.1f} s" if outcome is not None else ""
    says = f": {outcome.says}" if outcome is not None and outcome.says else ""
    return [word(clean(name, 80) or "step", bold=True), *said(f": {state}{took}{says}", 150)]


def _listed(title: str, items: list[list[Element]]) -> Iterator[Element | None]:
    more = [[word(f"… {len(items) - _STEPS} more steps")]] if len(items) > _STEPS else []
    yield line(word(title, bold=True))
    yield bullets([*items[:_STEPS], *more], "ordered")


def _undone(run: Run, says: str, points: Iterable[Shown]) -> Message:
    """What was taken back, and whether what ran before runs again."""
    back = [_step(row.name, _BACK[row.undo.state], row.undo) for row in run.steps if row.undo is not None]
    result = run.undone.result if run.undone is not None else "cannot-tell"
    proof = _proof(run, "Whether what ran before runs again", result, says, points)
    return Message(proof.text, (*(rich("back", *_listed("What was taken back", back)) if back else ()), *proof.blocks))


def _proof(run: Run, title: str, result: str, says: str, points: Iterable[Shown]) -> Message:
    listed = list(points)
    came = result.replace("-", " ")
    blocks = list(rich("proof", line(word(title, bold=True), *said(f": {came}{f'; {says}' if says else ''}", 600))))
    for at, point in enumerate(listed):
        block = list(rich(f"point {at}", *_point(point)))
        if at == _POINTS or weight(blocks) + weight(block) > _PROOF:
            blocks += rich("more", line(word(f"… {len(listed) - at} more points")))
            break
        blocks += block
    return Message(escaped(f"{title} (run {run.id}): {came}. {says}".strip(), 1000), tuple(blocks))


def _point(point: Shown) -> Iterator[Element | None]:
    name, mark = _MARK[point.mark]
    quoted = _ASSIGNED in point.says  # the server's own line stands as it is
    yield line(
        emoji(name), word(f" {mark}, "), *said(f"{point.name}:" if quoted else f"{point.name}: {point.says}", 500)
    )
    if quoted:
        yield pre(clean(point.says, 700))


def _report(run: Run) -> Upload:
    at = phase(run)
    says = f"{at.word.capitalize()}: {subject(run)}. {outcome(run, at)}"
    return Upload(
        f"report-{run.id}.md", f"Report of run {clean(run.id, 100)}", _text(reports.markdown(run)), escaped(says, 1500)
    )


def _text(document: str) -> str:
    return "\n".join(rows(document)) + "\n"
