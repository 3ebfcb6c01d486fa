"""A plan as text for people: in the terminal, and as Markdown to paste into a ticket."""

from __future__ import annotations

import re
import shlex
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.plan.values import Checked, Command, Disrupts, Plan, Step

_MARKED = re.compile(r"([\\`*_\[\]<>#|~&])")
_LEADS = re.compile(r"^(\d{0,9})([-+.)])")  # what would begin a list inside of one
_TICKS = re.compile(r"`+")


def lines(plan: Plan, *, width: int = 100, brief: bool = False) -> Iterator[str]:
    """The plan line by line; `brief` leaves out what only somebody who is about to say yes needs."""
    head = f"{plan.title} (runbook {plan.runbook})" if not brief else f"runbook {plan.runbook}"
    yield f"PLAN REFUSED: {head}" if plan.refused else f"PLAN: {head}"
    if not brief and plan.room:
        yield f"  for room {plan.room!r}, {plan.cause or 'no cause'}{f', on {plan.target}' if plan.target else ''}"
    if plan.remedy:
        yield from _wrapped(f"{plan.remedy}: {plan.why}" if plan.why else plan.remedy, width, "  remedy ")
    if plan.refused:
        yield from _wrapped(plan.refused, width, "  because ")
        for way in plan.instead:
            yield from _wrapped(way, width, "  instead ")
        return
    if plan.anyway:
        yield "  anyway: the diagnosis does not indicate this change"
    yield from _wrapped(f"{plan.effect}; approval: {plan.approval.need} ({plan.approval.why})", width, "  effect ")
    for one in plan.disrupts:
        yield from _wrapped(f"{one.who}: {sessions(one)}", width, "  disrupts ")
    for guard in plan.guards:
        yield from _wrapped(guard.says, width, f"  {guard.level} ")
    if plan.checks and not brief:
        yield "  Checks"
        for check in plan.checks:
            yield from _wrapped(checked(check), width, "    - ")
    yield "  Steps"
    for number, step in enumerate(plan.steps, 1):
        yield from _step(step, number, width)
    yield from _afterwards(plan, width, brief=brief)


def _step(step: Step, number: int, width: int) -> Iterator[str]:
    condition = f"; {step.condition}" if step.condition else ""
    yield from _wrapped(
        f"{step.name} ({step.effect}, at most {span(step.timeout)}): {step.does}{condition}", width, f"    {number}. "
    )
    if step.command is not None:
        yield from (
            f"         $ {line}" if not at else f"           {line}"
            for at, line in enumerate(command(step.command).splitlines())
        )
    for file in step.files:
        if file.diff:
            yield from (f"       {line}" for line in file.diff.splitlines())
            yield f"       before {file.before[:12]}, after {file.after[:12]}"
        for note in file.notes:
            yield from _wrapped(note, width, "       note: ")


def _afterwards(plan: Plan, width: int, *, brief: bool) -> Iterator[str]:
    if plan.verification:
        yield "  Proof"
    for step in plan.verification:
        yield from _wrapped(f"within {span(step.timeout)}, {step.does}", width, "    - ")
    if brief:
        return
    for title, said in (
        ("If it does not hold", plan.rollback),
        ("What it brings along", plan.side_effects),
        ("Left as it is", plan.left_over),
    ):
        if said:
            yield f"  {title}"
        for one in said:
            yield from _wrapped(one, width, "    - ")
        for step in plan.undo if said is plan.rollback else ():
            yield from (f"       {line}" for file in step.files for line in file.diff.splitlines())
    if plan.skipped:
        yield "  Not done"
    for skipped in plan.skipped:
        yield from _wrapped(f"{skipped.name}: {skipped.why}", width, "    - ")
    if plan.tools:
        yield "  Programs"
    for tool in plan.tools:
        yield from _wrapped(
            f"{tool.name}, for {tool.needed_by}: {tool.path or f'not found; {tool.mend}'}", width, "    - "
        )
    yield f"  digest {plan.digest}"


def markdown(plan: Plan) -> str:
    """The plan as Markdown that keeps what it quotes from being taken for markup."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    room = Environment(
        loader=PackageLoader("bot.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  # Markdown, no HTML: `text`, `code` and `fenced` escape what is filled in
    )
    template = room.get_template("plan.md.j2")
    missing = [tool for tool in plan.tools if not tool.path]
    told = template.render(
        plan=plan,
        missing=missing,
        text=text,
        code=code,
        fenced=fenced,
        command=command,
        sessions=sessions,
        span=span,
        checked=checked,
    )
    return re.sub(r"\n{3,}", "\n\n", told)


def text(said: str) -> str:
    """A sentence in Markdown, on one line: what stands between backticks is code, nothing else is taken for markup."""
    parts = " ".join(said.split()).split("`")
    if len(parts) % 2 == 0:  # one of them has no partner
        return _LEADS.sub(r"\1\\\2", _MARKED.sub(r"\\\1", "`".join(parts)))
    return "".join(
        code(part) if at % 2 and part else _LEADS.sub(r"\1\\\2" if not at else r"\g<0>", _MARKED.sub(r"\\\1", part))
        for at, part in enumerate(parts)
    )


def code(said: str) -> str:
    """A name in Markdown's code style, whatever backticks it has."""
    said = " ".join(said.split())
    ticks = "`" * (max((len(run) for run in _TICKS.findall(said)), default=0) + 1)
    pad = " " if said.startswith("`") or said.endswith("`") else ""
    return f"{ticks}{pad}{said}{pad}{ticks}"


def fenced(said: str, language: str) -> str:
    """A block of code with a fence that is longer than any in it."""
    fence = "`" * max(3, max((len(run) for run in _TICKS.findall(said)), default=0) + 1)
    return f"{fence}{language}\n{said.rstrip()}\n{fence}"


def command(given: Command) -> str:
    """A command as one could type it, with what is set for it and where it is run."""
    shell = (given.argv[0] in {"sh", "bash", "python3"} and given.argv[-2] == "-c") or "-euc" in given.argv
    said = given.argv[-1].rstrip("\n") if shell else shlex.join(given.argv)
    gap, word = ("\n", "export ") if shell else (" ", "")  # `X=1 run "$X"` would put in the X of before
    setting = "".join(f"{word}{name}={shlex.quote(value)}{gap}" for name, value in given.environment.items())
    where = f"cd {shlex.quote(given.cwd)}\n" if given.cwd else ""
    return f"{where}{setting}{said}"


def checked(check: Checked) -> str:
    """What a check came to, and by what."""
    return f"{check.name}: {check.result}{f' ({check.says})' if check.says else ''}"


def sessions(one: Disrupts) -> str:
    """How many sessions and people, as far as it is known."""
    if one.rooms is None:
        return f"how many is not known ({one.by}), which counts as many"
    people = f"{one.people} {'person' if one.people == 1 else 'people'}"
    return f"{one.rooms} {'room' if one.rooms == 1 else 'rooms'}, {people} ({one.by})"


def span(seconds: float) -> str:
    """A span of time as a person writes it."""
    return f"{seconds / 60:g} min" if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g} s"


def _wrapped(said: str, width: int, first: str) -> Iterator[str]:
    yield from textwrap.wrap(
        said,
        width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]
