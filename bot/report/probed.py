"""How a probe stands, in words that every door uses: its state, since when, what it said, who knows of it. Pure."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.livekit.words import quote
from bot.redact import redact
from bot.report.safe import plain
from bot.spans import spoken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.findings import Finding
    from bot.probes.values import Hold, Standing

#: A state's word, as it stands at the head of a line.
WORDS: Final = {
    "new": "not known yet",
    "healthy": "healthy",
    "degraded": "DEGRADED",
    "unknown": "UNKNOWN",
    "off": "off",
}
_CANARY: Final = "agent-canary"
_ROOMS: Final = ("log-sweep", "agent-watch")  # what sees the rooms of users, of which a canary knows nothing
_DAY: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Shown:
    """How a probe is shown: `state` is a key of WORDS, `because` why it is another one than its own looks say, else ""."""

    standing: Standing
    state: str
    because: str = ""

    @property
    def word(self) -> str:
        """The state's word."""
        return WORDS[self.state]

    @property
    def bad(self) -> bool:
        """Whether somebody should look at it."""
        return self.state in {"degraded", "unknown"}


def shown(standings: Iterable[Standing]) -> tuple[Shown, ...]:
    """Each as it is shown. A canary that comes through is no good news while users' rooms on its target lack their agent."""
    listed = tuple(standings)
    return tuple(_shown(one, listed) for one in listed)


def _shown(one: Standing, every: tuple[Standing, ...]) -> Shown:
    if not one.enabled:
        return Shown(one, "off")
    if one.probe.runbook.id == _CANARY and one.state == "healthy":
        for other in every:
            worse = other.enabled and other.state == "degraded" and other.probe.runbook.id in _ROOMS
            if worse and _where(other) == _where(one):
                says = f": {said(other).rstrip('.')}" if said(other) else ""
                why = f"its own agent comes, and {other.probe.name} finds rooms of users without theirs{says}"
                return Shown(one, "degraded", why)
    return Shown(one, one.state)


def _where(one: Standing) -> tuple[str, str, str]:
    return one.probe.here, one.probe.config, one.probe.target


def said(one: Standing, most: int = 400) -> str:
    """What its newest look said, on one line; "" where it has not looked."""
    return text(one.last.says, most) if one.last is not None else ""


def text(anybodys: str, most: int = 400) -> str:
    """Anybody's text on one line, without secrets, cut where it says so."""
    shown_ = redact(plain(redact(anybodys)))
    return shown_ if len(shown_) <= most else f"{shown_[: most - 1].rstrip()}…"


def rooms(findings: Iterable[Finding], most: int = 5) -> str:
    """The rooms that it is about, the newest of those with a cause first, and how many more."""
    named = dict.fromkeys(one.room for one in findings if one.room and one.verdict != "healthy")
    left = len(named) - most
    listed = ", ".join(quote(text(one, 100)) for one in [*named][:most])
    return f"{listed}, … {left} more" if left > 0 else listed


def muted(one: Standing, now: float) -> str:
    """Until when nobody is told of it, and by whose word; "" where people are told."""
    mute = one.mute
    if mute is None or mute.until <= now:
        return ""
    return (
        f"muted until {clock(mute.until, now)} by {text(mute.by, 80)}{f': {text(mute.why, 200)}' if mute.why else ''}"
    )


def acknowledged(one: Standing, now: float) -> str:
    """Who sees to it, and since when; "" where nobody said so."""
    if not one.acknowledged:
        return ""
    return f"acknowledged by {text(one.acknowledged, 80)} at {clock(one.acknowledged_at, now)}"


def held(hold: Hold | None, now: float) -> str:
    """What a hold means, in a sentence; "" where nothing is held."""
    if hold is None:
        return ""
    why = f": {text(hold.why, 200)}" if hold.why else ""
    return (
        f"HELD since {clock(hold.at, now)} by {text(hold.by, 80)} ({text(hold.door, 20)}){why}. Nothing that changes something "
        "begins until `fletcher release`."
    )


def told(one: Shown, now: float) -> str:
    """A probe in one line, for `status` and other lists."""
    standing = one.standing
    name, since = text(standing.probe.name, 80), clock(standing.since, now)
    if one.because:
        return f"Probe {name} counts as {one.word}: {one.because}."
    parts = [f"Probe {name} is {one.word} since {since} ({times(standing, now)})", said(standing, 250).rstrip(".")]
    parts += [f"run {standing.run}" if standing.run else "", acknowledged(standing, now), muted(standing, now)]
    head, *rest = parts
    more = "; ".join(filter(None, rest))
    return f"{head}: {more}." if more else f"{head}."


def times(one: Standing, now: float) -> str:
    """How often it was seen so, and when at last: `×17, last 12:03 UTC`."""
    at = f", last {clock(float(one.slot), now)}" if one.slot else ""
    return f"×{one.count}{at}"


def every(one: Standing) -> str:
    """When it looks, as its author wrote it."""
    schedule = one.probe.schedule
    if schedule.every is not None:
        return f"every {spoken(schedule.every)}"
    return f"cron {schedule.cron} ({one.probe.zone})"


def clock(at: float, now: float) -> str:
    """A time as people say it, in UTC; with its day where that is not near. Seconds since the epoch, 0 for never."""
    if not at:
        return "never"
    try:
        form = "%H:%M" if abs(now - at) < _DAY / 2 else "%Y-%m-%d %H:%M"
        return time.strftime(f"{form} UTC", time.gmtime(at))
    except (ValueError, OverflowError, OSError):
        return "an unknown time"


def lasted(seconds: float) -> str:
    """How long something lasted, no more exact than anybody wants to know."""
    left = max(round(seconds), 0)
    if left >= 3600:
        left -= left % 60
    return spoken(float(left))
