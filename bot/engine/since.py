"""What logs tell since a step began, by the engine's clock; an older line never counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import FletcherError
from bot.livekit.lines import Tally, records
from bot.livekit.skim import chunk_of
from bot.livekit.story import job_type
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.livekit.forms import Record
    from bot.world.contract import Line, Role, World


@dataclass(frozen=True, slots=True)
class Said:
    """One line about dispatch: its kind (see bot.livekit.events), the engine's time, and what it says of whom.

    `name` is the agent's, None where the line tells none; `text` is redacted.
    """

    kind: str
    at_ns: int
    name: str | None
    type: str
    room: str
    identity: str
    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """All that a service's log says since a moment; `why` says why it cannot be read as a whole, "" when it can.

    `quiet` says why what decides is not written: there are lines and none of level info, or no line at all.
    """

    said: tuple[Said, ...] = ()
    why: str = ""
    quiet: str = ""

    @property
    def blind(self) -> str:
        """Why that something is not among them proves nothing; "" when it does."""
        return self.why or self.quiet

    def of(self, kind: str, since_ns: int = 0) -> Iterator[Said]:
        """The lines of a kind from a moment on."""
        return (one for one in self.said if one.kind == kind and one.at_ns >= since_ns)


def hear(world: World, role: Role, since_ns: int) -> Heard:
    """Read a service's log from a moment on."""
    lines: list[Line] = []
    why = ""
    try:
        for line in world.log(role, since_ns):
            if line.at_ns >= since_ns:
                lines.append(line)  # noqa: PERF401  # what came before an error is kept
    except FletcherError as problem:
        why = str(problem)
    lines.sort()
    tally = Tally()
    text = b"\n".join(line.text.replace(b"\n", b" ") for line in lines)
    said = tuple(
        _said(record, lines[number - 1].at_ns, lines[number - 1].text)
        for record, number, _ in records([chunk_of(text)], tally)
    )
    levels = {level.lower() for level in tally.levels}
    quiet = "" if lines else "there is no line since the step began"
    if levels and not levels & {"info", "debug"}:
        quiet = "its level is too high"
    return Heard(said, why, quiet)


def _said(record: Record, at_ns: int, line: bytes) -> Said:
    fields = record.fields
    name = next((fields[key] for key in ("agentName", "agent_name") if isinstance(fields.get(key), str)), None)
    return Said(
        record.kind, at_ns, name, job_type(str(fields.get("jobType") or "")), str(fields.get("room") or ""), str(fields.get("participant") or ""),
        redact(" ".join(line.decode("utf-8", "replace").split()))[:300],
    )  # fmt: skip
