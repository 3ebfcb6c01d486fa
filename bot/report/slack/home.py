"""The tab that everybody sees alone: what waits for him, his runs, and who is at work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.livekit.words import quote
from bot.report.probed import acknowledged, held, muted, shown, times
from bot.report.probed import said as told_
from bot.report.slack.alert import MARKS, mute_buttons
from bot.report.slack.answers import help_
from bot.report.slack.blocks import buttons, context, emoji, line, marked, moment, note, rich, said, who, word
from bot.report.slack.budget import clean
from bot.report.slack.card import show_plan
from bot.report.slack.phase import phase, state, subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.engine.values import Row, Run
    from bot.probes.values import Hold, Standing
    from bot.report.probed import Shown
    from bot.report.slack.message import Block
    from bot.report.slack.modals import View

_WAITING: Final = 10  # plans that are shown
_MINE: Final = 15  # runs that are shown
_PROBES: Final = 10  # that are shown


def home(
    *, waiting: Iterable[Run], mine: Iterable[Row], served: str, version: str, now: float, probes: Iterable[Standing] = (), hold: Hold | None = None
) -> View:  # fmt: skip
    """Somebody's home. `waiting` are the runs that he may answer, `mine` his own, the newest first; `served` says who acts."""
    stopped = rich(
        "hold", line(emoji("octagonal_sign"), word(" "), *said(held(hold, now), 500)) if hold is not None else None
    )
    blocks = [
        *stopped,
        *_waiting(list(waiting), now),
        *_probes(shown(probes), now),
        *_mine(list(mine)),
        *help_().blocks,
    ]
    blocks += context("version", note(served, 300), note(f"Fletcher {version}", 100), marked(f"As of {moment(now)}"))
    return {"type": "home", "blocks": blocks}


def _waiting(runs: list[Run], now: float) -> Iterator[Block]:
    yield from rich(
        "waiting", line(word("Waiting for you", bold=True)), line(word("Nothing waits for you.")) if not runs else None
    )
    for run in runs[:_WAITING]:
        at = phase(run, now)
        yield from rich(
            f"waits {run.id}", line(emoji(at.emoji), word(f" {at.word}: ", bold=True), *said(subject(run), 250))
        )
        yield from buttons(f"open {run.id}", *show_plan(run))
        until = marked(f"Open until {moment(run.asked.until)}") if run.asked is not None else None
        yield from context(f"of {run.id}", *who("Asked for by", run.order.person), until, note(f"Run {run.id}", 120))
    if len(runs) > _WAITING:
        yield from rich("waiting more", line(word(f"… {len(runs) - _WAITING} more")))


def _probes(listed: tuple[Shown, ...], now: float) -> Iterator[Block]:
    """How the probes stand, those first that somebody should look at, then those of which nobody is told."""
    watched = [one for one in listed if one.standing.enabled]
    if not watched:
        return
    watched.sort(key=lambda one: (not one.bad, one.state != "degraded", not muted(one.standing, now)))
    healthy = sum(one.state == "healthy" for one in watched)
    yield from rich("probes", line(word("Probes", bold=True)), line(word(f"{healthy} of {len(watched)} are healthy.")))
    for at, one in enumerate(watched[:_PROBES]):
        name = clean(one.standing.probe.name, 80) or "a probe"
        says = one.because or " · ".join(filter(None, (told_(one.standing, 200), acknowledged(one.standing, now), muted(one.standing, now))))  # fmt: skip
        head = line(
            emoji(MARKS[one.state]),
            word(f" {one.word}: ", bold=True),
            *said(f"{name}, {times(one.standing, now)}", 200),
        )
        yield from rich(f"probe {at}", head, line(*said(says, 400)))
        quiet = one.standing.mute is not None and one.standing.mute.until > now
        yield from buttons(f"mute {at}", *mute_buttons(one.standing.probe.name, muted=quiet))
    if len(watched) > _PROBES:
        yield from rich("probes more", line(word(f"… {len(watched) - _PROBES} more; "), word("/fletcher probes", code=True), word(" has all.")))  # fmt: skip


def _mine(rows: list[Row]) -> Iterator[Block]:
    yield from rich(
        "mine",
        line(word("Your runs", bold=True)),
        line(word("You have not asked for anything yet.")) if not rows else None,
    )
    for row in rows[:_MINE]:
        name, shown = state(row.state)
        room = f" for room {quote(row.room)}" if row.room else ""
        yield from rich(
            f"run {row.id}",
            line(emoji(shown), word(f" {name}: ", bold=True), *said(f"{row.runbook}{room}, run {row.id}", 250)),
        )
    if len(rows) > _MINE:
        yield from rich("mine more", line(word(f"… {len(rows) - _MINE} more")))
