"""What every message about a probe must be, whatever a look says: within Slack's limits, nobody else's markup, no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.findings import Finding, Quote
from bot.probes.values import Hold, Mute, Result
from bot.report.probed import shown
from bot.report.probes import lines, status, whole
from bot.report.probes_document import document
from bot.report.slack import answers
from bot.report.slack.alert import Told, alert
from bot.report.slack.budget import texts as texts_in
from bot.report.slack.home import home
from bot.report.slack.message import Message
from tests.slack import hostile
from tests.slack.judges import faults, marked
from tests.slack.probed import AT, standing
from tests.slack.runs import lives

if TYPE_CHECKING:
    from bot.probes.values import Standing, State

NOW = AT + 1050
RUN = lives()["fixed"][2]
MUTE = Mute(by="ada", until=NOW + 3600, why="deploy")


def told() -> dict[str, Told]:
    """A message of every kind."""
    bad, lost = standing(run=RUN.order.id), standing("unknown", "agent-canary")
    known = standing(mute=MUTE, acknowledged="grace", acknowledged_at=AT + 100)
    return {
        "degraded": Told(bad, "degraded", AT, bad.last, 17, 17, run=RUN),
        "known": Told(known, "degraded", AT, known.last, 17, 40),
        "unknown": Told(lost, "unknown", AT, lost.last, 3, 3),
        "green": Told(standing("healthy"), "degraded", AT, bad.last, 17, 17, over=AT + 1080, run=RUN),
        "anew": Told(bad, "unknown", AT, lost.last, 3, 3, anew=True),
        "gone": Told(standing(enabled=False), "degraded", AT, bad.last, 17, 17, over=AT + 1080),
    }


EVERY = told()


@pytest.mark.parametrize("name", EVERY)
def test_slack_takes_every_message(name: str) -> None:
    """Our rules and Slack's library find nothing, and buttons are there only while they do something."""
    message = alert(EVERY[name], NOW)
    assert faults(message) == []
    acts = any(block["type"] == "actions" for block in message.blocks)
    assert acts == (name in {"degraded", "known", "unknown"})


def _filled(one: Any, text: Any) -> Any:  # noqa: ANN401  # whatever a standing is made of
    """The same with every text that others make replaced."""
    fixed = {
        "state",
        "light",
        "verdict",
        "id",
        "path",
        "sha256",
        "orders",
        "channel",
        "zone",
        "cron",
        "door",
        "here",
        "run",
        "memory",
    }
    if isinstance(one, msgspec.Struct):
        names = [name for name in one.__struct_fields__ if name not in fixed]
        return replace(one, **{name: _filled(getattr(one, name), text) for name in names})
    if isinstance(one, tuple):
        return tuple(_filled(inner, text) for inner in one)
    if isinstance(one, dict):
        return {text(): value for value in one.values()}
    return text() if isinstance(one, str) else one


@settings(deadline=None, derandomize=True, max_examples=20)
@given(st.sampled_from(sorted(EVERY)), st.lists(hostile.texts, min_size=1, max_size=8), st.integers(1, 3))
def test_whatever_a_look_says(name: str, pool: list[str], rooms: int) -> None:
    """In Slack, in its App Home, as an answer, in the terminal and as JSON."""
    count = iter(range(10**9))

    def text() -> str:
        return pool[next(count) % len(pool)]

    one = EVERY[name]
    found = Finding(
        room="r",
        verdict="cause",
        cause="c",
        agent="a",
        summary="s",
        confidence=1.0,
        quotes=(Quote("w", "t", "s"),) * 2,
        advice="a",
    )
    last = _filled(Result(light="red", says="s", findings=(found,) * rooms, lacking={"c": 1}), text)
    stands: Standing = replace(_filled(one.standing, text), last=last)
    message = alert(Told(stands, one.state, one.began, last, one.bad, one.looks, one.over, one.anew, one.run), NOW)
    assert faults(message) == []
    assert hostile.EVIL not in "".join(marked(list(message.blocks)))
    hold = Hold(by=text(), at=AT, door="slack", why=text())
    view = home(waiting=(), mine=(), served="x", version="1", now=NOW, probes=[stands] * 2, hold=hold)
    assert faults(view) == []
    history = [(int(AT), "done", last)]
    table = [
        *lines([stands], now=NOW, hold=hold),
        *whole(shown([stands])[0], now=NOW, history=history),
        *status([stands], NOW),
    ]
    assert faults(answers.probes(table)) == []
    raw = document(shown([stands]), now=NOW, hold=hold, history=history).decode()
    everything = [message.text, *texts_in([*message.blocks, view]), *table, raw]
    assert not any(hostile.SECRET in said for said in everything)
    assert not any(letter in line for line in table for letter in ("\x1b", "\u202e", "\n"))


@pytest.mark.parametrize("text", ["word " * 600, "<" * 2500, "\ud800" * 600])
def test_the_fullest_message_fits(text: str) -> None:
    """Much of everything, and all of it too long."""
    found = Finding(
        room=text,
        verdict="cause",
        cause=text,
        agent=text,
        summary=text,
        confidence=1.0,
        quotes=(Quote(text, text, text),) * 8,
        advice=text,
    )
    last = Result(light="red", says=text, findings=(found,) * 20)
    for state in ("degraded", "unknown", "healthy"):
        stands = _filled(standing(state, mute=MUTE, acknowledged="x", acknowledged_at=AT), lambda: text)
        for over in (0.0, NOW):
            bad: State = "unknown" if state == "unknown" else "degraded"
            message = alert(Told(replace(stands, last=last), bad, AT, last, 10**6, 10**7, over, run=RUN), NOW)
            assert isinstance(message, Message)
            assert faults(message) == []


def test_a_green_canary_is_no_good_news_while_users_wait() -> None:
    """It is shown as degraded with the reason, wherever it is shown; that of another target is not."""
    canary, sweep = standing("healthy", "agent-canary"), standing("degraded", "log-sweep")
    other = replace(canary, probe=replace(canary.probe, name="canary-2", target="staging"))
    rows = {one.standing.probe.name: one for one in shown([canary, sweep, other])}
    assert [rows[name].state for name in ("agent-canary", "log-sweep", "canary-2")] == [
        "degraded",
        "degraded",
        "healthy",
    ]
    assert "log-sweep finds rooms of users without theirs: 2 rooms lack their agent" in rows["agent-canary"].because
    told_ = "\n".join(status([canary, sweep, other], NOW))
    assert "Probe agent-canary counts as DEGRADED" in told_
    assert "canary-2" not in told_
    assert rows["agent-canary"].state == "degraded"
    assert shown([canary, replace(sweep, state="healthy")])[0].state == "healthy"
    assert shown([canary, replace(sweep, enabled=False)])[0].state == "healthy"
