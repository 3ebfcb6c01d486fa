"""The answer as text for people: the verdict first, then what decided, what would settle it, what to do."""

from __future__ import annotations

import shlex
import textwrap
from typing import TYPE_CHECKING

from bot.evidence.sources import ABSENT
from bot.livekit.answer import remedy_for
from bot.livekit.words import quote
from bot.report.document import distinct, evidence_of, zone_of
from bot.report.times import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.diagnose import Diagnosis
    from bot.evidence.look import Look
    from bot.livekit.seen import Verdict
    from bot.plan.values import Plan

_WORD = {"cause": "CAUSE FOUND", "healthy": "HEALTHY", "inconclusive": "INCONCLUSIVE"}
_COLOUR = {"cause": "\x1b[31;1m", "healthy": "\x1b[32;1m", "inconclusive": "\x1b[33;1m"}
_MOST_ROWS = 20
_MOST_HEALTHY = 3
_MOST_QUOTED = 4


def lines(diagnosis: Diagnosis, *, utc: bool = False, colour: bool = False, width: int = 100) -> Iterator[str]:
    """The answer line by line, without a secret in any of them."""
    for line in _lines(diagnosis, utc=utc, colour=colour, width=width):
        yield diagnosis.look.redactor.text(line)


def row_lines(diagnosis: Diagnosis, rows: Sequence[Verdict], *, utc: bool, colour: bool, width: int) -> Iterator[str]:
    """These rows alone, a healthy one in a line."""
    zone = 0 if utc else zone_of(diagnosis.look)
    for row in rows:
        for line in _row(diagnosis, row, zone, colour=colour, width=width, brief=row.verdict == "healthy"):
            yield diagnosis.look.redactor.text(line)


def _lines(diagnosis: Diagnosis, *, utc: bool, colour: bool, width: int) -> Iterator[str]:
    zone = 0 if utc else zone_of(diagnosis.look)
    rows = diagnosis.verdicts.rows
    asked = bool(diagnosis.look.seen.rooms)
    causes: list[Verdict] = []
    open_: list[Verdict] = []
    healthy: list[Verdict] = []
    fine = 0
    for row in rows:
        if row.verdict == "healthy":
            fine += 1
            if len(healthy) < _MOST_HEALTHY:
                healthy.append(row)
        elif row.verdict == "cause":
            causes.append(row)
        else:
            open_.append(row)
    shown = [*causes, *open_]
    if asked or not shown:
        shown += healthy
        fine -= len(healthy)
    for row in shown[:_MOST_ROWS]:
        yield from _row(diagnosis, row, zone, colour=colour, width=width)
        yield ""
    if len(shown) > _MOST_ROWS:
        rest = shown[_MOST_ROWS:]
        yield f"{len(rest)} more rooms like these are left out here; --room NAME shows one, --json all."
    if fine:
        yield f"{fine} {'other ' if shown else ''}room{'s' if fine != 1 else ''} healthy: the agent came."
    for note in diagnosis.verdicts.notes:
        yield from _wrapped(diagnosis.look.plain(note), width, "Note: ", "      ")
    yield from looked_at(diagnosis.look, zone, width)
    if diagnosis.plan is not None:
        yield from _proposed(diagnosis.plan, width)


def _proposed(plan: Plan, width: int) -> Iterator[str]:
    from bot.report.plan import lines as plan_lines

    yield ""
    yield from plan_lines(plan, width=width, brief=True)
    room = f" --room {shlex.quote(plan.room)}" if plan.room else ""
    yield from _wrapped(
        f"All of it: `fletcher plan {plan.runbook}{room}` with the same sources. Nothing was changed.",
        width,
        "  ",
        "  ",
    )


def _row(
    diagnosis: Diagnosis, row: Verdict, zone: int, *, colour: bool, width: int, brief: bool = False
) -> Iterator[str]:
    # Masked before the lines are broken: a break would part a name from the secret behind it.
    plain, name = diagnosis.look.plain, diagnosis.look.name
    word = _WORD[row.verdict]
    if colour:
        word = f"{_COLOUR[row.verdict]}{word}\x1b[0m"
    where = f"room {quote(name(row.room))}" if row.room else f"room {row.room_id}" if row.room_id else "no single room"
    ident = f" ({row.room_id})" if row.room and row.room_id else ""
    at = f", {stamp(row.at, zone)}" if row.at is not None else ""
    yield f"{word}{': ' + row.cause if row.cause else ''}  —  {where}{ident}{at}"
    yield from _wrapped(plain(row.summary), width, "  ", "  ")
    if brief:
        return
    if row.judged_from is not None:
        yield f"  It can be judged from {stamp(row.judged_from, zone)} on."
    events = row.story
    if events:
        yield "  What happened"
        start = row.at if row.at is not None else events[0][0]
        for when, text in events:
            yield f"    {stamp(when, zone, date=False)}  {when - start:+8.3f} s  {text}"
    cites = [evidence_of(diagnosis, cite) for cite in distinct(row.evidence)]
    if cites:
        yield "  What decided"
        for e in cites:
            yield f"    {'standard input' if e.source == '-' else e.source}:{e.line}  {e.says}"
            yield from _quoted(e.text, width)
    if row.missing:
        yield "  What would settle it" if row.verdict != "cause" else "  What could not be excluded"
        for m in row.missing:
            yield from _wrapped(plain(f"{m.source}: {m.would_settle}"), width, "    - ", "      ")
    fix = remedy_for(row.cause)
    if fix:
        yield "  What to do"
        yield from _wrapped(fix, width, "    ", "    ")


def _quoted(text: str, width: int) -> Iterator[str]:
    """A cited line, folded; of the long ones (10 to 40 kB of SDP) the beginning says enough."""
    pieces = textwrap.wrap(" ".join(text.split()), width - 8, break_on_hyphens=False) or [""]
    for piece in pieces[:_MOST_QUOTED]:
        yield f"      │ {piece}"
    if len(pieces) > _MOST_QUOTED:
        yield "      │ …"


def _wrapped(text: str, width: int, first: str, rest: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first.rstrip()]


def looked_at(look: Look, zone: int, width: int) -> Iterator[str]:
    """What was looked at, and after it what was looked for and not found."""
    there = [s for s in look.sources if s.kind != ABSENT]
    yield "Looked at:"
    for s in there:
        name = "standard input" if s.name == "-" else s.name
        span = f", {stamp(s.first, zone)} to {stamp(s.last, zone, date=False)}" if s.first is not None else ""
        count = f", {s.lines} lines, {s.records} of them about dispatch" if s.lines else ""
        note = f" ({s.note})" if s.note else ""
        yield from _wrapped(look.plain(f"{name}: {s.kind}{count}{span}{note}"), width, "  ", "    ")
    if len(there) < len(look.sources):
        yield "Not found:"
        for s in look.sources:
            if s.kind == ABSENT:
                yield from _wrapped(look.plain(f"{s.name}: {s.note}"), width, "  ", "    ")
