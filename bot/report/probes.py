"""The probes in each medium: a table with what each said, one of them whole, a line for `status`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from bot.report.probed import acknowledged, clock, every, held, lasted, muted, rooms, said, shown, text, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bot.findings import Finding
    from bot.probes.values import Hold, Probe, Result, Standing
    from bot.report.probed import Shown

    Due = Callable[[Probe], float | None]
    Slot = tuple[int, str, Result | None]  # when it was due, the state of the slot, what came of it

_HEAD: Final = ("PROBE", "STATE", "SINCE", "LOOKS", "LAST LOOK", "NEXT", "MISSED", "SKIPPED", "RUN")
_COLOUR: Final = {"healthy": "\x1b[32;1m", "degraded": "\x1b[31;1m", "unknown": "\x1b[33;1m"}
_OF_NO_ROOM: Final = {"cause": "bad", "healthy": "good", "inconclusive": "not known"}
_FINDINGS: Final = 5  # rooms of one probe that are told whole
_QUOTED: Final = 4  # lines of each
_CODES: Final = {"degraded": 1, "unknown": 3}

#: What to write where no probe is declared yet.
DECLARE: Final = """\
No probe is declared, so nothing is looked at by itself. Lines like these in fletcher.toml declare the four that come with
Fletcher; `fletcher serve` then looks:

  [probes]
  alert-in = "C0123ABCD"        # the Slack channel that is told of a change; leave it out without Slack

  [[probe]]
  runbook = "agent-canary"      # opens a room of its own and waits for the agent
  every = "5m"

  [[probe]]
  runbook = "log-sweep"         # reads the server's and the agents' logs, and judges each new room

  [[probe]]
  runbook = "stack-health"      # containers, worker endpoints, API, clock, log level, disk

  [[probe]]
  runbook = "agent-watch"       # sends an agent to people who wait without one; asks first, unless [policy] has it `auto`

Each look of agent-canary is a real session of your agent, with whatever it calls (models, speech) until the room is closed:
every 5m is 288 sessions a day. The looks of the other three only read. `fletcher probes` then shows how each stands."""

#: Of one that no `serve` has read in the file yet.
TAKEN_UP: Final = (
    "Declared in fletcher.toml, and nothing has looked yet: `fletcher serve` does, from its next start on."
)


def lines(
    standings: Iterable[Standing], *, now: float, due: Due = lambda _: None, hold: Hold | None = None, width: int = 100, colour: bool = False
) -> Iterator[str]:  # fmt: skip
    """All of them: a table, below each what it said."""
    listed = shown(standings)
    if hold is not None:
        yield from _wrapped(held(hold, now), width, "")
        yield ""
    if not listed:
        yield from DECLARE.splitlines()
        return
    cells = [_cells(one, now, due) for one in listed]
    wide = [max(map(len, column)) for column in zip(_HEAD, *cells, strict=True)]
    yield "  ".join(cell.ljust(n) for cell, n in zip(_HEAD, wide, strict=True)).rstrip()
    for one, row in zip(listed, cells, strict=True):
        line = "  ".join(cell.ljust(n) for cell, n in zip(row, wide, strict=True)).rstrip()
        yield (
            line.replace(one.word, f"{_COLOUR[one.state]}{one.word}\x1b[0m", 1)
            if colour and one.state in _COLOUR
            else line
        )
        for note in _notes(one, now):
            yield from _wrapped(note, width, "    ")


def whole(
    one: Shown, *, now: float, due: Due = lambda _: None, history: Iterable[Slot] = (), width: int = 100, colour: bool = False
) -> Iterator[str]:  # fmt: skip
    """One of them with all that is known: what it looks for, what it said, the lines that decided, its last slots."""
    standing, probe = one.standing, one.standing.probe
    word = f"{_COLOUR[one.state]}{one.word}\x1b[0m" if colour and one.state in _COLOUR else one.word
    since = f", since {clock(standing.since, now)}" if standing.since else ""
    yield f"{word}: {text(probe.name, 100)}{since}"
    for note in _notes(one, now):
        yield from _wrapped(note, width, "  ")
    for name, value in _facts(standing, now, due(probe) if standing.enabled and standing.since else None):
        yield from _wrapped(value, width, f"  {name:11} ")
    findings = standing.last.findings if standing.last is not None else ()
    for found in findings[:_FINDINGS]:
        yield from _finding(found, width)
    if len(findings) > _FINDINGS:
        yield f"  … {len(findings) - _FINDINGS} more; --json has them"
    slots = list(history)
    if slots:
        yield "  Its last slots"
    for slot, state, result in slots:
        came = f"{result.light}, {result.seconds:.1f} s: {text(result.says, 200)}" if result is not None else state
        yield from _wrapped(came, width, f"    {clock(float(slot), now)}  ")


def status(standings: Iterable[Standing], now: float) -> Iterator[str]:
    """What of the probes `status` says: each that is not healthy."""
    yield from (told(one, now) for one in shown(standings) if one.bad)


def code(listed: Iterable[Shown]) -> int:
    """The exit code over them: 1 where one is degraded, 3 where one is unknown, else 0."""
    return min((_CODES.get(one.state, 4) for one in listed), default=4) % 4


def _cells(one: Shown, now: float, due: Due) -> tuple[str, ...]:
    standing = one.standing
    following = due(standing.probe) if standing.enabled and standing.since else None
    return (
        text(standing.probe.name, 60), one.word, clock(standing.since, now), f"×{standing.count}", clock(float(standing.slot), now),
        "-" if following is None else clock(following, now), str(standing.missed), str(standing.skipped), standing.run or "-",
    )  # fmt: skip


def _notes(one: Shown, now: float) -> Iterator[str]:
    standing = one.standing
    if one.because:
        yield f"Shown as {one.word}: {one.because}."
    says = said(standing)
    if says:
        yield says
    yield from filter(None, (acknowledged(standing, now), muted(standing, now)))
    if not standing.since:
        yield TAKEN_UP
    if not standing.enabled:
        yield "it is no longer declared in fletcher.toml, so nobody looks"


def _facts(one: Standing, now: float, following: float | None) -> Iterator[tuple[str, str]]:
    probe, last = one.probe, one.last
    yield "runbook", f"{probe.runbook.id}: {text(probe.runbook.title)}"
    if probe.target:
        yield "target", text(probe.target, 100)
    fail, recover = probe.schedule.fail, probe.schedule.recover
    turns = f"; degraded after {fail} bad, healthy after {recover} good" if (fail, recover) != (1, 1) else ""
    yield "looks", f"{every(one)}{turns}"
    yield "last look", f"{clock(float(one.slot), now)}, {one.light} ×{one.streak}" if one.slot else "never"
    if following is not None:
        yield "next", clock(following, now)
    yield "slots", f"{one.missed} missed, {one.skipped} skipped"
    if one.run:
        yield "run", f"{one.run}, ordered when it became degraded: `fletcher show {one.run}`"
    if last is not None and last.to_agent is not None:
        yield "to agent", f"{last.to_agent:.2f} s until the agent was active"
    if last is not None and last.lacking:
        yield "lacking", ", ".join(f"{count} {text(cause, 60)}" for cause, count in sorted(last.lacking.items()))
    if last is not None and last.lag is not None:
        yield "log lag", f"{lasted(last.lag)} since the server's newest line"


def _finding(found: Finding, width: int) -> Iterator[str]:
    said = text(found.cause, 100) or _OF_NO_ROOM[found.verdict]
    if found.room:
        said = f"{text(found.cause, 100) or found.verdict} in room {rooms([found]) or text(found.room, 100)}"
    yield from _wrapped(f"{said}: {text(found.summary, 500)}", width, "  - ")
    for quoted in found.quotes[:_QUOTED]:
        yield from _wrapped(f"{text(quoted.where, 120)}: {text(quoted.text, 300)}", width, "      | ")


def _wrapped(words: str, width: int, first: str) -> Iterator[str]:
    rest = " " * len(first)
    yield from textwrap.wrap(
        words, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first.rstrip()]
