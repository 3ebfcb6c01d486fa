"""How probes stand, for programs: the answer of `fletcher probes --json`, whose schema is docs/probes.schema.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bot.report.probed import text
from bot.report.times import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.findings import Finding
    from bot.probes.values import Hold, Result
    from bot.report.probed import Shown
    from bot.report.probes import Due, Slot


class LineNow(msgspec.Struct, frozen=True):
    """A line that decided: where it stands, and what it says."""

    where: str
    text: str
    says: str


class RoomNow(msgspec.Struct, frozen=True):
    """A room that a look found: its verdict, and the lines that decided."""

    room: str
    verdict: str
    cause: str
    agent: str
    summary: str
    evidence: list[LineNow]


class SlotNow(msgspec.Struct, frozen=True):
    """One slot: when it was due, its state ("due", "taken", "done", "missed"), and what came of it, null while nothing has."""

    due: str
    state: str
    light: str | None
    says: str | None
    seconds: float | None


class ProbeNow(msgspec.Struct, frozen=True):
    """How one probe stands. `state` is as it is shown, `because` why that is another one than its own looks say."""

    name: str
    runbook: str
    target: str
    enabled: bool
    state: str
    because: str | None
    since: str | None
    count: int
    light: str
    last_look: str | None
    next_look: str | None
    says: str | None
    seconds: float | None
    seconds_to_agent: float | None
    rooms_lacking: dict[str, int]
    log_lag: float | None
    missed: int
    skipped: int
    run: str | None
    muted_until: str | None
    muted_by: str | None
    muted_why: str | None
    acknowledged_by: str | None
    acknowledged_at: str | None
    findings: list[RoomNow]
    slots: list[SlotNow]


class HoldNow(msgspec.Struct, frozen=True):
    """Nothing that changes something is done: by whose word, and since when."""

    by: str
    since: str
    why: str


class Probes(msgspec.Struct, frozen=True):
    """The answer of `fletcher probes --json`; `slots` are told of one probe that is asked for by its name."""

    schema: int
    hold: HoldNow | None
    probes: list[ProbeNow]


def document(
    listed: Iterable[Shown], *, now: float, due: Due = lambda _: None, hold: Hold | None = None, history: Iterable[Slot] = ()
) -> bytes:  # fmt: skip
    """The answer for programs."""
    by = HoldNow(text(hold.by), _at(hold.at) or "", text(hold.why)) if hold is not None else None
    slots = [_slot(*one) for one in history]
    made = Probes(1, by, [_probe(one, now, due, slots) for one in listed])
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of that answer."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Probes)}


def _probe(one: Shown, now: float, due: Due, slots: list[SlotNow]) -> ProbeNow:
    it, last = one.standing, one.standing.last
    mute = it.mute if it.mute is not None and it.mute.until > now else None
    return ProbeNow(
        name=text(it.probe.name), runbook=it.probe.runbook.id, target=text(it.probe.target), enabled=it.enabled, state=one.state, because=text(one.because, 1000) or None,
        since=_at(it.since), count=it.count, light=it.light, last_look=_at(float(it.slot)), next_look=_at(due(it.probe) if it.enabled and it.since else None),
        says=text(last.says, 2000) if last else None, seconds=last.seconds if last else None, seconds_to_agent=last.to_agent if last else None,
        rooms_lacking={text(cause): count for cause, count in last.lacking.items()} if last else {}, log_lag=last.lag if last else None, missed=it.missed, skipped=it.skipped, run=it.run or None,
        muted_until=_at(mute.until) if mute else None, muted_by=text(mute.by) if mute else None, muted_why=(text(mute.why) or None) if mute else None,
        acknowledged_by=text(it.acknowledged) or None, acknowledged_at=_at(it.acknowledged_at), slots=slots,
        findings=[_room(found) for found in (last.findings if last else ())],
    )  # fmt: skip


def _room(found: Finding) -> RoomNow:
    quoted = [LineNow(text(one.where, 400), text(one.text, 2000), text(one.says, 400)) for one in found.quotes]
    return RoomNow(text(found.room, 256), found.verdict, text(found.cause), text(found.agent, 256), text(found.summary, 1000), quoted)  # fmt: skip


def _slot(slot: int, state: str, result: Result | None) -> SlotNow:
    if result is None:
        return SlotNow(_at(float(slot)) or "", state, None, None, None)
    return SlotNow(_at(float(slot)) or "", state, result.light, text(result.says, 1000), result.seconds)


def _at(seconds: float | None) -> str | None:
    return (stamp(seconds, None) or None) if seconds else None
