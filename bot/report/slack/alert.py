"""The message about a probe that is not healthy: what it saw, since when, how often, what was ordered; green once that is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bot.report.probed import clock, lasted, rooms
from bot.report.slack.blocks import (
    button,
    buttons,
    context,
    emoji,
    line,
    marked,
    moment,
    note,
    plain_text,
    pre,
    rich,
    said,
    word,
)
from bot.report.slack.budget import clean, escaped
from bot.report.slack.message import Message
from bot.report.slack.phase import finding_title, phase, subject
from bot.report.slack.pieces import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engine.values import Run
    from bot.findings import Finding
    from bot.probes.values import Result, Standing, State
    from bot.report.slack.blocks import Element
    from bot.report.slack.message import Block

MARKS: Final = {"degraded": "red_circle", "unknown": "grey_question", "healthy": "large_green_circle", "new": "hourglass_flowing_sand", "off": "black_square_for_stop"}  # fmt: skip
#: How long a probe can be muted with one press, by what the value of the button says.
MUTES: Final = {"1h": "1 hour", "4h": "4 hours", "1d": "1 day"}
_MEANS: Final = {"degraded": "DEGRADED", "unknown": "UNKNOWN, it could not look"}
_QUOTED: Final = 4  # lines
_WIDE: Final = 180  # characters of one


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of a probe in one message: from when it was `state` first, over all times since, until it was `over`.

    `result` is what the last look said that was not good. `bad` of `looks` looks were not good. `over` is 0 while it is not,
    `anew` that it is told in another message from then on. `run` is what was ordered, as it is now.
    """

    standing: Standing
    state: State
    began: float
    result: Result | None
    bad: int
    looks: int
    over: float = 0.0
    anew: bool = False
    run: Run | None = None


def alert(told: Told, now: float) -> Message:
    """The message as it is now; `now` is in seconds since the epoch."""
    name = clean(told.standing.probe.name, 80) or "a probe"
    mark, head = _head(told)
    what = _what(told)
    blocks: list[Block] = [
        *rich(f"alert {name}", line(emoji(mark), word(f" {head}: ", bold=True), word(f"{name}, {what}" if what else name, bold=True)), *_lead(told, now)),
        *buttons(f"probe {name}", *_buttons(told, now)),
        *context(f"known {name}", *_known(told, now)),
    ]  # fmt: skip
    return Message(escaped(_text(told, head, name, what, now), 1500), tuple(blocks))


def value(name: str, span: str = "-") -> str:
    """What a button brings back: for how long, and the probe; what is done is decided by what the store has then."""
    return f"{span} {name}"


def mute_buttons(name: str, *, muted: bool) -> Iterator[Element]:
    """The buttons by which people are told of a probe no more for a while, or again."""
    if muted:
        yield button("probe_unmute", "Unmute", value(name))
        return
    yield button("probe_mute", "Mute 1h", value(name, "1h"))
    # An option's value is short; what does not fit in it is muted in words.
    if len(value(name, "1h")) <= 150:
        options = [{"text": plain_text(f"Mute for {said_}", 75), "value": value(name, span)} for span, said_ in MUTES.items()]  # fmt: skip
        menu: dict[str, Any] = {"type": "overflow", "action_id": "probe_menu", "options": options}
        yield menu


def _head(told: Told) -> tuple[str, str]:
    if told.anew:
        return "arrow_down", "LOOKS AGAIN"
    if told.over:
        off = not told.standing.enabled
        return (MARKS["off"], "NOT WATCHED ANY MORE") if off else (MARKS["healthy"], "HEALTHY AGAIN")
    return MARKS[told.state], _MEANS[told.state]


def _first(result: Result | None) -> Finding | None:
    found = result.findings if result is not None else ()
    return next((one for one in found if one.verdict == "cause"), next(iter(found), None))


def _what(told: Told) -> str:
    """What is wrong in a few words, where a look found a room."""
    found = _first(told.result)
    return clean(finding_title(found), 200) if found is not None and found.verdict != "healthy" else ""


def _lead(told: Told, now: float) -> Iterator[Element | None]:
    result = told.result
    if told.anew:
        yield line(word("It can look again, and what it sees has a message of its own."))
        return
    if told.over:
        yield line(word(f"It was {told.state} for {lasted(told.over - told.began)} ({_times(told, now)})."))
        if result is not None:
            yield line(word("It said: "), *said(result.says, 400))
        yield from _ordered(told)
        return
    yield line(*said(result.says, 600)) if result is not None else None
    yield from _about(result)
    yield _evidence(result)
    found = _first(result)
    if found is not None and found.advice:
        yield line(word("Advice: ", bold=True), *said(found.advice, 400))
    yield line(word(f"Seen {_times(told, now)}."))
    yield from _ordered(told)


def _about(result: Result | None) -> Iterator[Element | None]:
    found = result.findings if result is not None else ()
    agents = [*dict.fromkeys(clean(one.agent, 80) for one in found if one.agent)]
    if agents:
        more = f", … {len(agents) - 3} more" if len(agents) > 3 else ""
        yield line(word("Agent: "), *said(f"{', '.join(agents[:3])}{more}", 300))
    named = rooms(found)
    if named:
        yield line(word("Rooms: "), *said(named, 600))


def _evidence(result: Result | None) -> Element | None:
    quotes = [one for found in (result.findings if result is not None else ()) for one in found.quotes]
    return pre("\n".join(f"{place(one.where)}: {clean(one.text, _WIDE)}" for one in quotes[:_QUOTED]))


def _times(told: Told, now: float) -> str:
    """How often it was seen so, over all times, and when at last."""
    between = f" of {told.looks} looks, it was healthy in between" if told.looks > told.bad and not told.over else ""
    slot = told.standing.slot
    last = f", last {clock(float(slot), now)}" if slot and not told.over else ""
    return f"×{told.bad}{between}{last}"


def _ordered(told: Told) -> Iterator[Element | None]:
    run = told.run
    if run is not None:
        at = phase(run)
        yield line(word("Ordered: ", bold=True), word(f"run {clean(run.id, 120)}", code=True), word(" is at "), *said(f"{at.word}: {subject(run)}", 300))  # fmt: skip
    elif told.standing.run and not told.over:
        yield line(word("Ordered: ", bold=True), word(f"run {clean(told.standing.run, 120)}", code=True))


def _muted(told: Told, now: float) -> bool:
    return told.standing.mute is not None and told.standing.mute.until > now


def _buttons(told: Told, now: float) -> Iterator[Element]:
    """Only while they do something."""
    if told.over or told.anew:
        return
    name = told.standing.probe.name
    yield button("probe_diagnose", "Diagnose", value(name), style="primary")
    if not told.standing.acknowledged:
        yield button("probe_ack", "Acknowledge", value(name))
    yield from mute_buttons(name, muted=_muted(told, now))


def _known(told: Told, now: float) -> Iterator[Element | None]:
    standing = told.standing
    yield marked(f"Since {moment(told.began)}")
    if told.over:
        yield marked(f"until {moment(told.over)}")
    if standing.acknowledged and not told.over:
        yield note(f"Acknowledged by {standing.acknowledged}", 120)
        yield marked(moment(standing.acknowledged_at))
    mute = standing.mute
    if mute is not None and _muted(told, now):
        yield note(f"Muted by {mute.by}{f': {mute.why}' if mute.why else ''}", 250)
        yield marked(f"until {moment(mute.until)}")
    target = f" on {standing.probe.target}" if standing.probe.target else ""
    yield note(f"Probe {standing.probe.name} ({standing.probe.runbook.id}{target})", 200)


def _text(told: Told, head: str, name: str, what: str, now: float) -> str:
    """The whole of it in sentences, for notifications and screen readers; not escaped."""
    if told.anew or told.over:
        sentence = f"{head.capitalize()}: {name}."
        return f"{sentence} It was {told.state} for {lasted(told.over - told.began)}." if told.over else sentence
    says = clean(told.result.says, 600) if told.result is not None else ""
    standing, known = told.standing, []
    if standing.acknowledged:
        known.append(f"Acknowledged by {clean(standing.acknowledged, 80)}.")
    if standing.mute is not None and _muted(told, now):
        known.append(f"Muted by {clean(standing.mute.by, 80)}.")
    named = f"{name}, {what}" if what else name
    return " ".join(filter(None, [f"{head.capitalize()}: {named}.", says, f"Since {clock(told.began, now)}, {_times(told, now)}.", *known]))  # fmt: skip
