"""The verdicts of a look as they are kept with a run or a probe: few, redacted, the most urgent first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from bot.livekit.answer import remedy_for

if TYPE_CHECKING:
    from bot.diagnose import Diagnosis
    from bot.livekit.seen import Verdict

_ROOMS: Final = 20  # findings that are kept; a server has thousands of rooms
_QUOTED: Final = 8  # lines that are kept of each
_LONGEST: Final = 2000  # characters of a line; a worker's traceback on one line is longer
_URGENT: Final = {"cause": 0, "inconclusive": 1, "healthy": 2}


class Quote(Struct, frozen=True):
    """A line that decided (redacted): where it stands, as file:line, and what it says to who knows LiveKit."""

    where: str
    text: str
    says: str


class Finding(Struct, frozen=True, kw_only=True):
    """The verdict over one room, in words for a person; a `room` of "" is what belongs to none.

    `missing` says which source would settle what, `advice` what to do about the cause.
    """

    room: str
    verdict: Literal["cause", "healthy", "inconclusive"]
    cause: str = ""
    agent: str = ""
    summary: str
    confidence: float
    quotes: tuple[Quote, ...] = ()
    missing: tuple[str, ...] = ()
    advice: str = ""


def findings(answer: Diagnosis) -> tuple[Finding, ...]:
    """The rooms that lack their agent before those of which nothing is known, and the newest of each first."""
    rows = sorted(answer.verdicts.rows, key=lambda row: (_URGENT[row.verdict], -(row.at or 0.0)))
    return tuple(finding(answer, row) for row in rows[:_ROOMS])


def finding(answer: Diagnosis, row: Verdict) -> Finding:
    """One row of it, with its lines."""
    plain, name = answer.look.plain, answer.look.name
    quoted = []
    for cite in row.evidence[:_QUOTED]:
        source, line, text = answer.look.quote(cite)
        quoted.append(Quote(f"{source}:{line}", text[:_LONGEST], plain(cite.says)))
    return Finding(
        room=name(row.room or ""), verdict=row.verdict, cause=row.cause or "", agent=name(row.agent or ""), summary=plain(row.summary),
        confidence=row.confidence, quotes=tuple(quoted), missing=tuple(f"{plain(m.source)}: {plain(m.would_settle)}" for m in row.missing),
        advice=remedy_for(row.cause) or "",
    )  # fmt: skip
