"""Probes in Slack as people use them: buttons, menus, words and the App Home, over a real websocket with what runs behind it."""

from __future__ import annotations

import json
import time
from dataclasses import replace as replace_
from typing import TYPE_CHECKING, Any

import pytest

from bot.doors import engine
from bot.doors.slack import alerts, homes
from bot.doors.slack.serving import slack as serving
from bot.doors.slack.tokens import Tokens
from bot.engine.values import Person
from bot.probes.values import Result
from tests.doubles.slack import ADA, APP_TOKEN, BOT_TOKEN, GRACE, GUEST, LIN, OPS, Slack, buttons, says
from tests.engine.staged import Place
from tests.slack.probed import look, probe
from tests.slack.probed import red as red_
from tests.slack.served import PERSONS, Finding, Served
from tests.slack.test_alerts import Leads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.probes.values import Standing

NAME = "log-sweep"


@pytest.fixture
def slack() -> Iterator[Slack]:
    """A workspace."""
    with Slack() as made:
        yield made


@pytest.fixture
def served(here: Path, slack: Slack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Somebody serves this folder, with a probe that is told in a channel and one that is healthy."""
    monkeypatch.setattr(alerts, "PAUSE", 0.1)
    monkeypatch.setattr(alerts, "EVERY", 0.2)
    with Served(here, slack) as made:
        made.front.probing.declare([probe(NAME, channel=OPS), probe("stack-health", channel=OPS)])
        look(made.front, "stack-health", "green")
        look(made.front, NAME, "green")
        yield made


def red(served: Served, slack: Slack, *words: str) -> dict[str, Any]:
    """The probe finds something; its message."""
    look(served.front, NAME, "red")
    return alert(slack, "DEGRADED", *words)


def alert(slack: Slack, *words: str) -> dict[str, Any]:
    """The alert once it says that."""
    return slack.until(
        lambda: next((m for m in slack.roots(OPS) if "Probe log-sweep" in says(m) and all(w in says(m) for w in words)), None),
        15, lambda: f"{words} in {[says(m)[:400] for m in slack.roots(OPS)]}",
    )  # fmt: skip


def stands(served: Served, name: str = NAME) -> Standing:
    """How the probe stands."""
    return next(one for one in served.front.probing.standings() if one.probe.name == name)


def test_an_alert_is_acknowledged_once(served: Served, slack: Slack) -> None:
    """By whom stands in it; who comes second is told so alone, and both are known by name."""
    message = red(served, slack)
    slack.click(message, "probe_ack", GRACE).ack()
    assert "probe_ack" not in buttons(alert(slack, "Acknowledged by grace"))
    slack.click(message, "probe_ack", ADA).ack()
    slack.whisper(ADA, "grace has acknowledged the probe log-sweep already")
    slack.slash("ack log-sweep", ADA).ack()
    slack.until(lambda: len([m for m in slack.whispers(ADA) if "already" in says(m)]) == 2)
    audited = [row.entry for row in served.front.trail() if "acknowledged" in row.entry.what]
    assert [(row.person, row.account) for row in audited] == [("grace", GRACE)]
    look(served.front, NAME, "green")
    assert buttons(alert(slack, "HEALTHY AGAIN")) == {}
    slack.click(message, "probe_ack", ADA).ack()
    slack.whisper(ADA, "probe log-sweep is healthy, so that there is nothing to acknowledge")


def test_an_alert_is_muted_for_as_long_as_is_chosen_and_unmuted(served: Served, slack: Slack) -> None:
    """By the button for an hour, by its menu for longer; the message says so, and so does the audit."""
    message = red(served, slack)
    slack.click(message, "probe_mute", GRACE).ack()
    muted = alert(slack, "Muted by grace")
    assert 3500 < _left(served) < 3700
    slack.click(muted, "probe_unmute", ADA).ack()
    again = slack.until(lambda: m if "probe_mute" in buttons(m := alert(slack)) else None)
    slack.choose(again, "probe_menu", "1d log-sweep", ADA).ack()
    alert(slack, "Muted by ada")
    assert 86000 < _left(served) < 86500
    told = [
        (row.entry.person, row.entry.account, row.entry.what)
        for row in served.front.trail()
        if "muted" in row.entry.what
    ]
    assert [(person, account) for person, account, _ in told] == [("grace", GRACE), ("ada", ADA), ("ada", ADA)]
    slack.whisper(GRACE, "Probe log-sweep is muted for 1h.")


def _left(served: Served) -> float:
    mute = stands(served).mute
    assert mute is not None
    return mute.until - time.time()


def test_diagnose_orders_one_diagnosis(served: Served, slack: Slack) -> None:
    """Of what the probe found, in the name of who pressed first; the others are told which run it is."""
    message = red(served, slack)
    sent = [slack.click(message, "probe_diagnose", user) for user in (ADA, ADA, ADA)]
    assert [one.ack() for one in sent]
    run = served.until(lambda run: run.state == "waiting")
    assert (run.order.runbook, run.order.rooms, run.order.live) == ("diagnose", ("lobby <!channel>",), True)
    served.card(run, "approve")
    slack.until(lambda: len([m for m in slack.whispers(ADA) if "already" in says(m)]) == 2)
    assert len(served.front.runs()) == 1
    slack.click(message, "probe_diagnose", GRACE).ack()
    slack.whisper(GRACE, f"run {run.id} looks into it already")


def test_buttons_do_what_the_store_says_and_not_what_they_bring(served: Served, slack: Slack) -> None:
    """A forged name, span or kind does nothing; guests may press nothing."""
    message = red(served, slack)
    text = json.dumps(message)
    slack.click(json.loads(text.replace("1h log-sweep", "1h no-such")), "probe_mute", ADA).ack()
    slack.whisper(ADA, "there is no probe 'no-such'")
    for forged in ("99999h log-sweep", "log-sweep", "", "1h  ", "- log-sweep\n"):
        slack.click(
            json.loads(text.replace('"value": "1h log-sweep"', f'"value": {json.dumps(forged)}')), "probe_mute", ADA
        ).ack()
    slack.click(
        json.loads(text.replace('"action_id": "probe_ack"', '"action_id": "probe_explode"')), "probe_explode", ADA
    ).ack()
    slack.click(message, "probe_mute", GUEST).ack()
    slack.whisper(GUEST, "guests")
    assert (stands(served).mute, stands(served).acknowledged, served.front.runs()) == (None, "", ())


def by_slash(slack: Slack, text: str) -> None:
    """Type a command."""
    slack.slash(text).ack()


def by_mention(slack: Slack, text: str) -> None:
    """Mention it in a thread."""
    slack.mention(text, thread=slack.write("look")["ts"]).ack()


def by_message(slack: Slack, text: str) -> None:
    """Write to it."""
    slack.dm(text).ack()


@pytest.mark.parametrize("way", [by_slash, by_mention, by_message])
def test_the_same_words_in_every_place(served: Served, slack: Slack, way: Callable[[Slack, str], None]) -> None:
    """Each verb about probes, with its answer where it was asked."""
    red(served, slack)
    channel = f"D{ADA[1:]}"

    def told(word: str) -> None:
        if way is by_message:
            slack.until(lambda: any(word in says(m) for m in slack.messages(channel)), 10, word)
        else:
            slack.whisper(ADA, word)

    for text, answer in (
        ("probes", "stack-health  healthy"), ("probes log-sweep", "Its last slots"), ("probes nonsense", "there is no probe 'nonsense'"),
        ("status", "Probe log-sweep is DEGRADED since"), ("mute log-sweep 1h we &lt;know&gt;", "Probe log-sweep is muted for 1h."),
        ("mute all 30m", "The probes log-sweep, stack-health are muted for 30m."), ("unmute all", "are not muted any more"),
        ("mute log-sweep", "for how long?"), ("mute", "which probe"), ("mute log-sweep 99d", "30d at most"), ("mute log-sweep soon", "no duration"),
        ("ack log-sweep", "Probe log-sweep is acknowledged by ada."), ("acknowledge stack-health", "is healthy"), ("ack", "one probe at a time"),
        ("probess", "Did you mean"),
    ):  # fmt: skip
        way(slack, text)
        told(answer)
    assert stands(served).acknowledged == "ada"


def test_who_may_not_look_may_not_mute(here: Path, slack: Slack) -> None:
    """The policy that says who may look says this."""
    policy = '[policy]\nrun = [{who = "ada", doors = ["slack"]}]\n'
    with Served(here, slack, PERSONS + policy) as served:
        served.front.probing.declare([probe(NAME)])
        for text in ("mute log-sweep 1h", "unmute log-sweep", "ack log-sweep", "probes"):
            slack.slash(text, LIN).ack()
        slack.until(lambda: len([m for m in slack.whispers(LIN) if "may not ask anything" in says(m)]) == 4)
        assert stands(served).mute is None


def test_the_home_shows_probes_and_a_hold(served: Served, slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst first, with buttons that work there; it follows by itself."""
    monkeypatch.setattr(homes, "EVERY", 0.3)
    red(served, slack)
    slack.home_opened(ADA).ack()
    slack.until(lambda: "1 of 2 are healthy." in says(slack.homes.get(ADA, {})))
    home = slack.homes[ADA]
    assert says(home).index("log-sweep, ×1") < says(home).index("stack-health, ×1")
    slack.click(home, "probe_mute", ADA).ack()
    slack.until(lambda: "muted until" in says(slack.homes[ADA]))
    slack.click(slack.homes[ADA], "probe_unmute", ADA).ack()
    slack.until(lambda: "muted until" not in says(slack.homes[ADA]))
    look(served.front, NAME, "green")
    slack.until(lambda: "2 of 2 are healthy." in says(slack.homes[ADA]), 15)
    served.front.switch.hold(Person("ada", "slack", OPS, ADA), "the cluster is moved")
    look(served.front, NAME, "red")
    slack.until(lambda: "HELD since" in says(slack.homes[ADA]), 15)


def test_a_look_that_finds_something_is_told_with_what_it_ordered(
    here: Path, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked by who serves: one alert, one diagnosis in nobody's name, and its plan is asked about where the probe is told."""
    monkeypatch.setattr(alerts, "EVERY", 0.2)
    found = [Result(light="green", says="It is well."), red_(), red_(), Result(light="green", says="It is well again.")]
    with Place(here).front() as front:
        front.probing.declare([probe(NAME, channel=OPS, orders="diagnose", here=str(here))])
    place = Place(here)
    parts = replace_(place.parts, eyes=Finding(here), probe=lambda *_: found.pop(0))
    with Served(here, slack, parts=parts) as served:
        begun = int(time.time()) - 100
        for slot in range(begun, begun + 3):
            served.front.probing.due(NAME, slot)
            slack.until(lambda: stands(served).slot == slot)  # noqa: B023  # it is called at once
        run = served.later(f"{NAME}.{begun + 1}", "waiting")
        assert (run.order.person.door, run.order.rooms) == ("clock", ("lobby <!channel>",))
        card = served.card(run, "approve")
        message = alert(slack, "DEGRADED", "×2", f"run {run.id}", "WAITING FOR APPROVAL")
        assert message["ts"] != card["ts"]
        slack.click(card, "approve", GRACE).ack()
        served.later(run.id, "fixed")
        served.front.probing.due(NAME, begun + 3)
        alert(slack, "HEALTHY AGAIN", f"run {run.id}", "FIXED")
        assert [row.id for row in served.front.runs()] == [run.id]
        assert len(slack.roots(OPS)) == 2


def test_two_that_serve_say_it_once_and_hear_a_click_once(served: Served, slack: Slack) -> None:
    """Each has its own connection; one leads. Whoever hears a click acts, and the one that leads shows it."""
    with served.place.front() as other:
        Leads(other, lambda: False)
        tokens = Tokens(BOT_TOKEN, APP_TOKEN, slack.url)
        with serving(tokens, other, served.policy, engine.persons(None), None):
            slack.connected(4)
            message = red(served, slack)
            # Slack gives each click to any one of the connections.
            for _ in range(8):
                slack.click(message, "probe_ack", GRACE).ack()
            alert(slack, "Acknowledged by grace")
            slack.until(lambda: len([m for m in slack.whispers(GRACE) if "already" in says(m)]) == 7)
            run = served.later(served.ordered("diagnose").id, "waiting")
            card = served.card(run, "approve")
            for _ in range(4):
                slack.click(card, "approve", GRACE).ack()
            served.later(run.id, "fixed")
            served.card(run, says_="FIXED")
            look(served.front, NAME, "green")
            alert(slack, "HEALTHY AGAIN")
    assert len(slack.roots(OPS)) == 2
    assert len([row for row in served.front.trail() if "acknowledged" in row.entry.what]) == 1
