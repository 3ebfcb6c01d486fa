"""Runbooks as people and programs are told of them: the shelf, one runbook, its problems, its rehearsal."""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import TYPE_CHECKING, TypedDict

from bot.redact import redact
from bot.runbook.document import Check
from bot.spans import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.errors import Problem
    from bot.rehearsal import Case
    from bot.runbook.document import AnyBlock, Runbook, Schedule
    from bot.runbook.shelf import Shelf


class StepRow(TypedDict):
    """One block as `show` tells it."""

    name: str
    kind: str
    section: str
    line: int
    effect: str
    approval: str
    timeout: float
    retries: int
    when: list[str]
    unless: list[str]
    fix: list[str]


def shelf_rows(shelf: Shelf) -> list[dict[str, object]]:
    """Every file of a shelf, for programs; ids, titles and paths come from files and are redacted."""
    rows: list[dict[str, object]] = []
    for entry in shelf.entries:
        seen = entry.glance
        row: dict[str, object] = {
            "kind": "runbook" if seen.runbook else "documentation",
            "path": redact(str(entry.path)),
        }
        row["title"] = redact(seen.title)
        if seen.runbook:
            row |= {"id": redact(seen.id), "summary": redact(seen.summary), "causes": [*map(redact, seen.causes)]}
            row |= {"effect": seen.effect, "fixtures": entry.fixtures is not None}
        if seen.trouble:
            row["trouble"] = redact(seen.trouble)
        rows.append(row)
    return rows


def shelf_lines(shelf: Shelf) -> Iterator[str]:
    """Every file of a shelf, for people."""
    rows = [("RUNBOOK", "EFFECT", "FIXTURES", "TITLE")]
    for entry in shelf.runbooks:
        seen = entry.glance
        trouble = f"  [cannot be read: {seen.trouble}]" if seen.trouble else ""
        rows.append((entry.name, seen.effect, "yes" if entry.fixtures else "no", f"{seen.title}{trouble}"))
        if seen.causes:
            rows.append(("", "", "", f"treats {', '.join(seen.causes)}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield redact(
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        )
    papers = [entry for entry in shelf.entries if not entry.glance.runbook]
    if papers:
        yield "\nDocumentation, which is never run:"
        for entry in papers:
            yield redact(f"  {entry.path}  {entry.glance.trouble or entry.glance.title}".rstrip())


def step_rows(runbook: Runbook) -> list[StepRow]:
    """Every block of a runbook, for programs."""
    return [
        StepRow(
            name=block.name,
            kind=kind_of(block),
            section=redact(block.heading),
            line=block.line,
            effect=block.effect,
            approval=block.approval,
            timeout=block.timeout,
            retries=block.retries,
            when=[*map(str, block.when)],
            unless=[*map(str, block.unless)],
            fix=[*block.fix] if isinstance(block, Check) else [],
        )
        for block in runbook.blocks
    ]


def runbook_row(runbook: Runbook) -> dict[str, object]:
    """A whole runbook, for programs."""
    inputs = [
        {
            "name": given.name,
            "type": given.type,
            "default": None if given.secret or given.default is None else redact(given.default),
            "required": given.required,
            "choices": [*map(redact, given.choices)],
        }
        for given in runbook.inputs
    ]
    head = {key: redact(getattr(runbook, key)) for key in ("id", "title", "summary", "owner", "severity", "path")}
    return {
        **head,
        "sha256": runbook.sha256,
        "causes": [*runbook.causes],
        "inputs": inputs,
        "steps": step_rows(runbook),
    }


def runbook_lines(runbook: Runbook, width: int) -> Iterator[str]:
    """A whole runbook, for people: what it is, and section by section what it does."""
    yield redact(f"{runbook.id}: {runbook.title}")
    for text in textwrap.wrap(redact(runbook.summary), width - 2):
        yield f"  {text}"
    facts = (
        ("file", runbook.path),
        ("owner", runbook.owner),
        ("severity", runbook.severity),
        ("treats", ", ".join(runbook.causes)),
        ("schedule", _scheduled(runbook.schedule)),
    )
    for name, value in facts:
        if value:
            yield redact(f"  {name:9} {value}")
    for given in runbook.inputs:
        known = " | ".join(given.choices) if given.choices else given.type
        default = f", {given.default} unless given" if given.default and not given.secret else ""
        yield redact(f"  input     {given.name}: {known}{', required' if given.required else default}")
    names = max((len(block.name) for block in runbook.blocks), default=0)
    for heading, blocks in groupby(runbook.blocks, key=lambda block: block.heading):
        yield redact(f"\n{heading or runbook.title}")
        for block in blocks:
            row = f"  {block.name:{names}}  {kind_of(block):8}  {block.effect:7}  {block.approval:7}  {spoken(block.timeout):>5}"
            yield redact(f"{row}{_conditions(block)}")


def _scheduled(schedule: Schedule | None) -> str:
    """When it is looked at, and after how many bad or good results in a row that is told."""
    if schedule is None:
        return ""
    when = f"every {spoken(schedule.every)}" if schedule.every is not None else schedule.cron
    rows = [f"{n} {word} results in a row" for n, word in ((schedule.fail, "bad"), (schedule.recover, "good")) if n > 1]
    return f"{when} once it is enabled as a probe" + (f"; told after {' or '.join(rows)}" if rows else "")


def kind_of(block: AnyBlock) -> str:
    """The kind of a block, as it stands in its fence."""
    return str(type(block).__struct_config__.tag)


def _conditions(block: AnyBlock) -> str:
    parts = [
        f"when {', '.join(map(str, block.when))}" if block.when else "",
        f"unless {', '.join(map(str, block.unless))}" if block.unless else "",
    ]
    said = "; ".join(part for part in parts if part)
    return f"  {said}" if said else ""


def problem_rows(problems: Sequence[Problem]) -> list[dict[str, object]]:
    """Problems of one document, for programs."""
    return [{"line": p.line, "column": p.column, "sentence": p.sentence, "excerpt": p.excerpt} for p in problems]


def rehearsal_rows(cases: Sequence[Case]) -> list[dict[str, object]]:
    """What came of each case, for programs."""
    return [
        {
            "case": case.name,
            "sick": case.sick,
            "right": case.right,
            "checks": [
                {"check": c.check, "verdict": c.weighed.word, "expected": c.expected, "why": redact(c.weighed.why)}
                for c in case.checks
            ],
        }
        for case in cases
    ]


def rehearsal_lines(name: str, cases: Sequence[Case]) -> Iterator[str]:
    """What came of each case, for people; only what is wrong is told in full."""
    width = max((len(case.name) for case in cases), default=0)
    for case in cases:
        told = ", ".join(f"{c.check} {c.weighed.word}" for c in case.checks if c.expected is not None)
        yield redact(f"{'ok    ' if case.right else 'WRONG '} {name}  {case.name:{width}}  {told}")
        for check in case.checks:
            if not check.right:
                why = f" ({check.weighed.why})" if check.weighed.why else ""
                yield redact(
                    f"         {check.check}: {check.expected} was expected, and it is {check.weighed.word}{why}"
                )
