"""The answer as a document for programs (`--json`); its types are the published schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from bot.livekit.answer import remedy_for, runbook_for
from bot.plan.values import Plan  # noqa: TC001  # the schema is made of it
from bot.report.times import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.diagnose import Diagnosis
    from bot.evidence.look import Look
    from bot.livekit.seen import Cite, Verdict
    from bot.livekit.setup import Place

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
    plan: Plan | None


def schema() -> dict[str, Any]:
    """The JSON Schema of the answer."""
    return msgspec.json.schema(Document)


def pieces(diagnosis: Diagnosis, *, utc: bool = False) -> Iterator[bytes]:
    """The document's bytes, row by row: fifty thousand rooms are never in memory as text."""
    zone = 0 if utc else zone_of(diagnosis.look)
    head = {"schema": 1, "verdict": diagnosis.verdicts.overall}
    yield msgspec.json.encode(head)[:-1] + b',"rooms":['
    encode, gap = msgspec.json.Encoder().encode, b"\n"
    for verdict in diagnosis.verdicts.rows:
        yield gap + encode(row_of(diagnosis, verdict, zone))
        gap = b",\n"
    tail = {
        "workers": list(workers(diagnosis, zone)), "dispatchers": list(dispatchers(diagnosis)), "sources": list(sources(diagnosis.look, zone)),
        "notes": [diagnosis.look.plain(note) for note in diagnosis.verdicts.notes], "plan": diagnosis.plan,
    }  # fmt: skip
    yield b"\n]," + msgspec.json.encode(tail)[1:] + b"\n"


def zone_of(look: Look) -> int:
    """The offset in minutes that the logs are written in; 0 when they do not tell."""
    return next((log.tally.zone for log in look.seen.logs if log.tally.zone), 0)


def row_of(diagnosis: Diagnosis, verdict: Verdict, zone: int) -> Row:
    """A verdict with the texts of its evidence."""
    plain, name = diagnosis.look.plain, diagnosis.look.name
    return Row(
        named(name, verdict.room), named(plain, verdict.room_id), verdict.verdict, verdict.cause, verdict.confidence, plain(verdict.summary),
        [evidence_of(diagnosis, cite) for cite in distinct(verdict.evidence)], [Lack(plain(m.source), plain(m.would_settle)) for m in verdict.missing],
        runbook_for(verdict.cause), named(name, verdict.agent), stamp(verdict.at, zone) or None, stamp(verdict.judged_from, zone) or None, remedy_for(verdict.cause),
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


def named(mask: Callable[[str], str], text: str | None) -> str | None:
    """A name without a secret in it, or none."""
    return None if text is None else mask(text)


def workers(diagnosis: Diagnosis, zone: int) -> Iterator[WorkerRow]:
    """Every worker by every source that shows it."""
    seen, name, plain = diagnosis.look.seen, diagnosis.look.name, diagnosis.look.plain

    def row(
        called: str | None, kind: str | None, ident: str | None, deployment: str | None, sdk: str | None,
        span: tuple[float | None, float | None], jobs: int, source: str, line: int,
    ) -> WorkerRow:  # fmt: skip
        first, last = (stamp(at, zone) or None for at in span)
        return WorkerRow(
            named(name, called), kind and plain(kind), named(plain, ident), named(plain, deployment), sdk and plain(sdk),
            first, last, jobs, plain(source), line,
        )  # fmt: skip

    for w in seen.story.workers.values():
        mark = w.mark if w.mark >= 0 else w.ours_mark
        source, line, _ = diagnosis.look.quote(_at(mark)) if mark >= 0 else ("", 0, "")
        since = w.registered if w.registered is not None else w.ours_at
        yield row(w.name, w.type or None, w.id, w.deployment, w.sdk or None, (since, w.gone), w.served, source, line)
    for w in seen.story.anonymous:
        source, line, _ = diagnosis.look.quote(_at(w.mark))
        yield row(w.name, w.type or None, None, None, None, (w.registered, None), 0, source, line)
    for e in seen.endpoints:
        sdk, place = e.sdk_version or None, e.place
        yield row(
            e.agent_name, e.worker_type, None, e.deployment, sdk, (None, None), e.active_jobs, place.source, place.line
        )
    for s in seen.setup.workers:
        place = s.name_place or s.place
        yield row(s.agent_name, s.job_type, None, s.deployment, None, (None, None), 0, place.source, place.line)


def _at(mark: int) -> Cite:
    from bot.livekit.seen import Cite

    return Cite("", mark)


def dispatchers(diagnosis: Diagnosis) -> Iterator[DispatcherRow]:
    """Every place that asks for an agent: source, environment, tokens, the backend's calls."""
    seen, plain = diagnosis.look.seen, diagnosis.look.plain

    def row(agent: str | None, via: str, place: Place) -> DispatcherRow:
        return DispatcherRow(named(diagnosis.look.name, agent), via, plain(place.source), place.line, plain(place.text))

    for d in seen.setup.dispatchers:
        yield row(d.agent_name, d.via, d.place)
    for s in seen.setup.server:
        for d in s.presets:
            yield row(d.agent_name, d.via, d.place)
    for t in seen.tokens:
        for name, _ in t.agents:
            yield row(name, "token", t.place)
        for call in t.calls:
            for name, _ in call.agents:
                yield row(name, call.kind, call.place)


def sources(look: Look, zone: int) -> Iterator[SourceRow]:
    """Everything that was read, and what was looked for and not found."""
    plain = look.plain
    for s in look.sources:
        first, last = stamp(s.first, zone) or None, stamp(s.last, zone) or None
        yield SourceRow(plain(s.name), s.kind, s.lines, s.records, first, last, plain(s.note), list(s.taken))
