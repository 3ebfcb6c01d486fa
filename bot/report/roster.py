"""The workers there are now, as a table for people and as a document for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bot.livekit.words import quote
from bot.report.document import SourceRow, sources, zone_of
from bot.report.terminal import looked_at
from bot.report.times import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.evidence.look import Look
    from bot.livekit.roster import Present

_HEAD = ("NAME", "TYPE", "JOBS", "LOAD", "SDK", "SINCE", "STATE", "ID")


class WorkerNow(msgspec.Struct, frozen=True):
    """One worker: `name` "" is automatic dispatch; null is what nothing tells, as Node's workers do not tell their load."""

    name: str | None
    type: str | None
    id: str | None
    deployment: str | None
    sdk: str | None
    state: str
    since: str | None
    jobs: int | None
    load: float | None
    seen_in: list[str]


class Workers(msgspec.Struct, frozen=True):
    """The answer of `fletcher workers --json`."""

    schema: int
    workers: list[WorkerNow]
    sources: list[SourceRow]


def document(look: Look, rows: tuple[Present, ...], *, utc: bool) -> bytes:
    """The answer for programs, as one line of JSON."""
    zone = 0 if utc else zone_of(look)
    found = [
        WorkerNow(
            None if w.name is None else look.name(w.name), w.type or None, w.id, w.deployment, w.sdk, w.state, stamp(w.since, zone) or None,
            w.jobs, w.load, [look.plain(s) for s in w.seen_in],
        )
        for w in rows
    ]  # fmt: skip
    return msgspec.json.encode(Workers(1, found, list(sources(look, zone)))) + b"\n"


def lines(look: Look, rows: tuple[Present, ...], *, utc: bool, width: int) -> Iterator[str]:
    """The answer for people: a table, where each was seen, and what was looked at."""
    for line in _lines(look, rows, 0 if utc else zone_of(look), width):
        yield look.redactor.text(line)


def _lines(look: Look, rows: tuple[Present, ...], zone: int, width: int) -> Iterator[str]:
    if rows:
        cells = [_cells(look, row, zone) for row in rows]
        wide = [max(map(len, column)) for column in zip(_HEAD, *cells, strict=True)]
        yield _joined(_HEAD, wide)
        for row, cell in zip(rows, cells, strict=True):
            yield _joined(cell, wide)
            yield f"    seen in {', '.join(row.seen_in)}"
    else:
        yield "No worker was seen: none is registered in what was looked at, and no endpoint answers."
    yield ""
    yield from looked_at(look, zone, width)


def _cells(look: Look, w: Present, zone: int) -> tuple[str, ...]:
    name = "?" if w.name is None else quote(look.name(w.name)) if w.name else "(none: automatic dispatch)"
    if w.deployment:
        name += f" @{w.deployment}"
    return (
        name, w.type or "?", "?" if w.jobs is None else str(w.jobs), "not told" if w.load is None else f"{w.load:.2f}", w.sdk or "?",
        stamp(w.since, zone) or "?", w.state, w.id or "?",
    )  # fmt: skip


def _joined(cells: tuple[str, ...], wide: list[int]) -> str:
    return "  ".join(cell.ljust(n) for cell, n in zip(cells, wide, strict=True)).rstrip()
