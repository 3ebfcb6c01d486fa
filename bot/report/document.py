"""The answer as a document for programs (`--json`); its types are the published schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from bot.livekit.answer import remedy_for, runbook_for
from bot.report.times import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.diagnose import Diagnosis
    from bot.livekit.seen import Cite, Verdict

Word = Literal["cause", "healthy", "inconclusive"]


class Evidence(msgspec.Struct, frozen=True):
    """One line that decided: where it stands, what it is (redacted), what it says."""

    source: str
    line: int
    text: str
    says: str


class Lack(msgspec.Struct, frozen=True):
    """A source that was not there, or not enough of it, and what it would settle."""

    source: str
    would_settle: str


class Event(msgspec.Struct, frozen=True):
    """One moment of a room's story."""

    at: str
    what: str


class Row(msgspec.Struct, frozen=True):
    """One room's incarnation, or what belongs to no room (`room` null)."""

    room: str | None
    room_id: str | None
    verdict: Word
    cause: str | None
    confidence: float
    summary: str
    evidence: list[Evidence]
    missing: list[Lack]
    runbook: str | None
    agent: str | None
    at: str | None
    judged_from: str | None
    fix: str | None
    story: list[Event]


class WorkerRow(msgspec.Struct, frozen=True):
    """One worker that was seen: by the server, in its own log, at its endpoint or in the source."""

    name: str | None
    type: str | None
    id: str | None
    deployment: str | None
    sdk: str | None
    registered: str | None
    gone: str | None
    jobs: int
    seen_in: str
    line: int


class DispatcherRow(msgspec.Struct, frozen=True):
    """One place that asks for an agent; `agent` null when the name is only known at run time."""

    agent: str | None
    via: str
    source: str
    line: int
    text: str


class SourceRow(msgspec.Struct, frozen=True):
    """One thing that was read, and what it held."""

    name: str
    kind: str
    lines: int
    records: int
    first: str | None
    last: str | None
    note: str
    taken: list[int]


class Document(msgspec.Struct, frozen=True):
    """The whole answer."""

    schema: Literal[1]
    verdict: Word
    rooms: list[Row]
    workers: list[WorkerRow]
    dispatchers: list[DispatcherRow]
    sources: list[SourceRow]
    notes: list[str]


def schema() -> dict[str, Any]:
    """The JSON Schema of the answer."""
    return msgspec.json.schema(Document)


def pieces(diagnosis: Diagnosis, *, utc: bool = False) -> Iterator[bytes]:
    """The document's bytes, row by row: fifty thousand rooms are never in memory as text."""
    zone = 0 if utc else zone_of(diagnosis)
    head = {"schema": 1, "verdict": diagnosis.verdicts.overall}
    yield msgspec.json.encode(head)[:-1] + b',"rooms":['
    encode, gap = msgspec.json.Encoder().encode, b"\n"
    for verdict in diagnosis.verdicts.rows:
        yield gap + encode(row_of(diagnosis, verdict, zone))
        gap = b",\n"
    tail = {
        "workers": list(workers(diagnosis, zone)), "dispatchers": list(dispatchers(diagnosis)), "sources": list(sources(diagnosis, zone)),
        "notes": list(diagnosis.verdicts.notes),
    }  # fmt: skip
    yield b"\n]," + msgspec.json.encode(tail)[1:] + b"\n"


def zone_of(diagnosis: Diagnosis) -> int:
    """The offset in minutes that the logs are written in; 0 when they do not tell."""
    return next((log.tally.zone for log in diagnosis.look.seen.logs if log.tally.zone), 0)


def row_of(diagnosis: Diagnosis, verdict: Verdict, zone: int) -> Row:
    """A verdict with the texts of its evidence."""
    plain = diagnosis.look.plain
    return Row(
        verdict.room, verdict.room_id, verdict.verdict, verdict.cause, verdict.confidence, plain(verdict.summary),
        [evidence_of(diagnosis, cite) for cite in distinct(verdict.evidence)], [Lack(m.source, m.would_settle) for m in verdict.missing],
        runbook_for(verdict.cause), verdict.agent, stamp(verdict.at, zone) or None, stamp(verdict.judged_from, zone) or None, remedy_for(verdict.cause),
        [Event(stamp(at, zone), plain(what)) for at, what in verdict.story],
    )  # fmt: skip


def distinct(cites: tuple[Cite, ...]) -> list[Cite]:
    """Each line once, with what was said of it first."""
    out: dict[object, Cite] = {}
    for cite in cites:
        out.setdefault(cite.mark if cite.place is None else (cite.place.source, cite.place.line), cite)
    return list(out.values())


def evidence_of(diagnosis: Diagnosis, cite: Cite) -> Evidence:
    """A cited line as it may be shown."""
    source, line, text = diagnosis.look.quote(cite)
    return Evidence(source, line, text, diagnosis.look.plain(cite.says))


def workers(diagnosis: Diagnosis, zone: int) -> Iterator[WorkerRow]:
    """Every worker by every source that shows it."""
    seen = diagnosis.look.seen
    for w in seen.story.workers.values():
        mark = w.mark if w.mark >= 0 else w.ours_mark
        source, line, _ = diagnosis.look.quote(_at(mark)) if mark >= 0 else ("", 0, "")
        yield WorkerRow(
            w.name,
            w.type or None,
            w.id,
            w.deployment,
            w.sdk or None,
            stamp(w.registered if w.registered is not None else w.ours_at, zone) or None,
            stamp(w.gone, zone) or None,
            w.served,
            source,
            line,
        )
    for w in seen.story.anonymous:
        source, line, _ = diagnosis.look.quote(_at(w.mark))
        yield WorkerRow(
            w.name, w.type or None, None, None, None, stamp(w.registered, zone) or None, None, 0, source, line
        )
    for e in seen.endpoints:
        yield WorkerRow(
            e.agent_name,
            e.worker_type,
            None,
            e.deployment,
            e.sdk_version or None,
            None,
            None,
            e.active_jobs,
            e.place.source,
            e.place.line,
        )
    for s in seen.setup.workers:
        place = s.name_place or s.place
        yield WorkerRow(s.agent_name, s.job_type, None, s.deployment, None, None, None, 0, place.source, place.line)


def _at(mark: int) -> Cite:
    from bot.livekit.seen import Cite

    return Cite("", mark)


def dispatchers(diagnosis: Diagnosis) -> Iterator[DispatcherRow]:
    """Every place that asks for an agent: source, environment, tokens, the backend's calls."""
    seen = diagnosis.look.seen
    for d in seen.setup.dispatchers:
        yield DispatcherRow(d.agent_name, d.via, d.place.source, d.place.line, d.place.text)
    for s in seen.setup.server:
        for d in s.presets:
            yield DispatcherRow(d.agent_name, d.via, d.place.source, d.place.line, d.place.text)
    for t in seen.tokens:
        for name, _ in t.agents:
            yield DispatcherRow(name, "token", t.place.source, t.place.line, t.place.text)
        for call in t.calls:
            for name, _ in call.agents:
                yield DispatcherRow(name, call.kind, call.place.source, call.place.line, call.place.text)


def sources(diagnosis: Diagnosis, zone: int) -> Iterator[SourceRow]:
    """Everything that was read."""
    for s in diagnosis.look.sources:
        first, last = stamp(s.first, zone) or None, stamp(s.last, zone) or None
        yield SourceRow(s.name, s.kind, s.lines, s.records, first, last, s.note, list(s.taken))
