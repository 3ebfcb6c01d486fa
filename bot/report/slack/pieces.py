"""The parts of messages that several of them have: quoted lines, findings, a plan's diff, commands and consequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from bot.report.plan import checked, command, sessions, span
from bot.report.slack.blocks import bullets, line, pre, said, word
from bot.report.slack.budget import ROWS, clean, clip, cut, rows
from bot.report.slack.phase import finding_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.engine.values import Run
    from bot.findings import Finding
    from bot.plan.values import Plan, Step
    from bot.report.slack.blocks import Element

_PLACE: Final = 80  # characters of where a line stands, of which the end tells most
_QUOTED: Final = 180  # characters of a quoted line in the card, of which the beginning tells most


def deciding(run: Run, found: Finding | None, most: int = 3) -> Element | None:
    """The lines that decided, each with where it stands."""
    folder = run.looked.folder if run.looked is not None else ""
    if found is not None:
        lines = [f"{place(one.where, folder)}: {clean(one.text, _QUOTED)}" for one in found.quotes]
    else:
        lines = [clean(one, _QUOTED + _PLACE) for one in (run.looked.quotes if run.looked is not None else ())]
    return pre("\n".join(lines[:most]))


def place(where: str, folder: str = "") -> str:
    """Where a line stands, short enough to be read: below the project's folder, else with the last folder of its path."""
    shown = clean(where, 1000)
    if folder and shown.startswith(f"{folder.rstrip('/')}/"):
        shown = shown[len(folder.rstrip("/")) + 1 :]
    elif shown.startswith("/"):
        shown = "/".join(shown.split("/")[-2:])
    return shown if len(shown) <= _PLACE else f"…{shown[-_PLACE + 1 :]}"


def finding(found: Finding, folder: str, lines: int, width: int) -> Iterator[Element]:
    """What is known of one room, with so many of its lines, each of which is cut at `width`."""
    yield from _some(line(word(clean(finding_title(found), 200), bold=True)), line(*said(found.summary, 500)))
    for one in found.quotes[:lines]:
        yield from _some(line(*said(f"{place(one.where, folder)}: {one.says}", 200)), pre(clean(one.text, width)))
    yield from missing(found)
    if found.advice:
        yield from _some(line(word("Advice: "), *said(found.advice, 300)))


def missing(found: Finding) -> Iterator[Element]:
    """Which sources would settle what."""
    listed = bullets(said(one, 200) for one in found.missing[:3])
    if listed is not None:
        yield from _some(line(word("What would settle it:", bold=True)), listed)


def others(run: Run, found: Finding | None, most: int = 5) -> Element | None:
    """The rooms besides the one that the run is about, a line each; those that are healthy are only counted."""
    looked = run.looked
    if looked is None or found is None:
        return None
    rest = [one for one in looked.findings if one is not found]
    shown = [one for one in rest if one.verdict != "healthy"][:most]
    items = [said(f"also {finding_title(one)}: {one.summary}", 130) for one in shown]
    left = max(looked.rooms - bool(found.room), len(rest)) - len(shown)
    healthy = sum(one.verdict == "healthy" for one in rest)
    if left > 0:
        kind = " healthy" if healthy == left else ""
        items.append([word(f"… {left} more{kind} {'room' if left == 1 else 'rooms'}")])
    return bullets(items)


# --- a plan ----------------------------------------------------------------------------------------


def steps(plan: Plan, most: int = 6, limit: int = 140) -> Element | None:
    """What will be done, a line a step."""
    items = [
        said(f"{one.name}: {one.does}{f'; {one.condition}' if one.condition else ''}", limit)
        for one in plan.steps[:most]
    ]
    if len(plan.steps) > most:
        items.append([word(f"… {len(plan.steps) - most} more steps")])
    return bullets(items, "ordered")


def diffs(plan: Plan) -> list[str]:
    """Every line of what will become of files."""
    return [row for step in plan.steps for file in step.files for row in rows(file.diff)]


def diff(plan: Plan, where: str) -> Element | None:
    """The diff where it is short, else which files it is of, and `where` all of it can be read."""
    lines = diffs(plan)
    if len(lines) <= ROWS:
        return pre(cut(lines, most=ROWS, limit=1400, width=160))
    files = dict.fromkeys(clean(file.file, 100) for step in plan.steps for file in step.files if file.diff)
    named = ", ".join(list(files)[:5]) + (", …" if len(files) > 5 else "")
    return line(word("Diff: "), *said(f"{len(lines)} lines in {clip(named, 400)}, {where}", 600))


def commands(plan: Plan, folder: str, most: int = 6, limit: int = 600) -> Element | None:
    """What will be run, in `folder` where it does not say otherwise."""
    return pre(cut([row for one in plan.steps for row in _command(one, folder)], most=most, limit=limit, width=200))


def consequences(plan: Plan) -> Iterator[Element]:
    """What it disrupts, as counted now, and what guards say."""
    for one in plan.disrupts[:3]:
        yield from _some(line(word("Disrupts ", bold=True), *said(f"{one.who}: {sessions(one)}", 150)))
    for guard in plan.guards[:3]:
        yield from _some(line(word(f"{guard.level.capitalize()}: ", bold=True), *said(guard.says, 250)))


def whole(plan: Plan) -> Iterator[Element]:
    """All of a plan, however long; `budget` is the caller's."""
    if plan.remedy:
        yield from _some(
            line(word(clean(plan.remedy, 100), bold=True), *said(f": {plan.why}" if plan.why else "", 400))
        )
    if plan.refused:
        yield from _some(
            line(word("Refused: ", bold=True), *said(plan.refused, 800)),
            bullets(said(one, 400) for one in plan.instead[:5]),
        )
        return
    yield from _some(line(word("Effect "), word(plan.effect, bold=True)))  # who has to approve it, the card says
    yield from consequences(plan)
    for number, step in enumerate(plan.steps, 1):
        yield from _step(step, number)
    proof = [said(f"within {span(one.timeout)}, {one.does}", 300) for one in plan.verification[:5]]
    checks = [said(checked(one), 300) for one in plan.checks[:9]]
    for title, items in (
        ("Checks", checks), ("Proof", proof), ("If it does not hold", [said(one, 300) for one in plan.rollback[:9]]),
        ("What it brings along", [said(one, 300) for one in plan.side_effects[:9]]),
        ("Left as it is", [said(one, 300) for one in plan.left_over[:9]]),
    ):  # fmt: skip
        listed = bullets(items)
        if listed is not None:
            yield from _some(line(word(title, bold=True)), listed)
    if plan.digest:
        yield from _some(line(word("Plan "), *said(plan.digest[:12])))


def _step(step: Step, number: int) -> Iterator[Element]:
    told = (
        f"({step.effect}, at most {span(step.timeout)}): {step.does}{f'; {step.condition}' if step.condition else ''}"
    )
    yield from _some(
        line(word(f"{number}. "), word(clean(step.name, 80) or "step", bold=True), word(" "), *said(told, 500))
    )
    yield from _some(pre(cut(_command(step), most=40, limit=2400, width=200)))
    for file in step.files:
        yield from _some(pre(cut(rows(file.diff), most=60, limit=2400, width=200)))
        yield from _some(bullets(said(note, 300) for note in file.notes[:3]))


def _command(step: Step, folder: str = "") -> list[str]:
    given = step.command
    if given is None:
        return []
    shown = rows(command(replace(given, cwd="") if given.cwd == folder else given))
    return [f"{'$ ' if at == 0 else '  '}{row}" for at, row in enumerate(shown)]


def _some(*parts: Element | None) -> Iterable[Element]:
    return [part for part in parts if part is not None]
