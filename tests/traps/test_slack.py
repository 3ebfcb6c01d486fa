"""Traps into which others fell who take orders in a chat, by their number in our list of them: here through Slack itself."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from bot.doors import engine
from bot.engine.values import Decision, Person
from bot.errors import Unreachable
from tests.doubles.slack import ADA, DEV, GRACE, GUEST, LIN, OPS, ROBOT, STRANGER, Slack, buttons, says
from tests.engine.staged import ME
from tests.slack.served import PERSONS, POLICY, Finding, Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.engine.contract import Sight
    from bot.engine.values import Order
    from bot.runbook.document import Runbook

MENDED = ["set-value", "set-other", "note", "build", "prove"]
#: A second account of ada's, in the same workspace.
TWICE = PERSONS.replace(f'"{ADA}"', f'"{ADA}", "{LIN}"')


@pytest.fixture
def slack() -> Iterator[Slack]:
    """A workspace."""
    with Slack() as made:
        yield made


@pytest.mark.parametrize("settings", ["", PERSONS])
def test_T1_without_a_policy_nothing_is_done_but_in_the_terminal(here: Path, slack: Slack, settings: str) -> None:
    """Every door but the terminal may look, sees the plan and the lines that would allow it, and no button to approve."""
    with Served(here, slack, settings or 'runbooks = ["mine"]\n') as served:
        for text in ("diagnose", "run mend"):
            run = served.later(served.ordered(text).id)
            card = served.card(run, says_="run = [{who = [")
            assert run.state == "refused"
            assert not {"approve", "deny"} & buttons(card).keys()
        for door in ("slack", "web"):
            served.front.submit(served.place.order(door, person=Person("ada", door)))
            assert served.later(door).state == "refused"
        served.front.submit(served.place.order("clock", person=Person("clock", "clock")))
        asked = served.later("clock", "waiting")  # which the terminal may answer, and nobody here
        slack.slash(f"approve {asked.id}").ack()
        slack.whisper(ADA, "may only look")
        served.front.cancel("clock", Person("clock", "clock"))
        served.front.submit(served.place.order("terminal", person=ME))
        run = served.later("terminal", "waiting")
        slack.slash(f"approve {run.id}").ack()
        slack.whisper(ADA, "may only look")
        assert served.front.show(run.id).decision is None
        assert served.place.done == []
        served.front.decide(run.id, Decision(kind="yes", person=ME, digest=run.digest, at=0))
        assert served.later(run.id).state == "fixed"


def test_T2_everybody_is_himself_also_in_a_direct_message(here: Path, slack: Slack) -> None:
    """Each row of the audit has who it was in Slack; what a channel is needed for is refused in a direct message."""
    settings = PERSONS + POLICY.replace('who = "ada", doors', f'who = "ada", channels = ["{OPS}"], doors')
    with Served(here, slack, settings) as served:
        slack.dm("run mend", ADA).ack()
        dm = f"D{ADA[1:]}"
        slack.until(lambda: any("may not run mend from the slack" in says(m) for m in slack.messages(dm)))
        slack.slash("run mend", ADA, DEV).ack()
        slack.whisper(ADA, "may not run mend from the slack")
        slack.slash("status", LIN, OPS).ack()
        slack.whisper(LIN, "may not ask anything from the slack here")
        assert served.front.runs() == ()
        run, card = served.waiting("run mend")
        slack.click(card, "approve", GRACE).ack()
        served.later(run.id, "fixed")
        rows = [row.entry for row in served.front.trail() if row.entry.run == run.id]
        assert {(row.person, row.account, row.door) for row in rows} == {
            ("ada", ADA, "slack"),
            ("grace", GRACE, "slack"),
        }


def test_T3_the_same_command_of_two_people(here: Path, slack: Slack) -> None:
    """One may, the other may not: what counts is who types, not the bot that carries it."""
    with Served(here, slack) as served:
        for user in (GRACE, LIN):
            slack.slash("run mend", user).ack()
            slack.whisper(user, "may not run mend from the slack")
        assert served.front.runs() == ()
        run, _ = served.waiting("run mend", ADA)
        assert run.order.person.name == "ada"


def test_T4_an_extra_value_never_becomes_an_input(here: Path, slack: Slack) -> None:
    """What the runbook does not declare is an error that only who typed it sees, and no run."""
    with Served(here, slack) as served:
        slack.slash("run mend value=good PATH=/tmp").ack()
        slack.whisper(ADA, "no input `PATH`")
        assert served.front.runs() == ()


def test_T5_a_peer_is_another_person(here: Path, slack: Slack) -> None:
    """Not the requester, not his second account, not the terminal, no bot, no guest, and nobody from elsewhere."""
    grace = 'approve = [{who = ["ada", "grace"], doors = ["slack"]}]'
    settings = TWICE + POLICY.replace(grace, 'approve = [{doors = ["slack", "terminal"]}]')
    with Served(here, slack, settings) as served:
        run, card = served.waiting()
        for user, why in (
            (ADA, "ada asked for this, so another person has to approve it"),
            (LIN, "ada asked for this, so another person has to approve it"),
            (ROBOT, "a bot gives no orders"),
            (GUEST, "guests of this workspace"),
            (STRANGER, "another organisation"),
        ):
            slack.click(card, "approve", user).ack()
            slack.whisper(user, why)
        for who in (ME, Person("grace", "terminal"), Person("ada", "slack", OPS, ADA)):
            with pytest.raises(Unreachable):
                served.front.decide(run.id, Decision(kind="yes", person=who, digest=run.digest, at=0))
        assert (served.front.show(run.id).state, served.place.done) == ("waiting", [])
        slack.click(card, "approve", GRACE).ack()
        served.later(run.id, "fixed")


def test_T7_two_plans_that_wait_stay_two(here: Path, slack: Slack) -> None:
    """In one channel each has its own message, and a button answers the plan beside it, also after the other was answered."""
    with Served(here, slack) as served:
        one, first = served.waiting("run mend")
        two, second = served.waiting("run mend value=other")
        assert one.digest != two.digest
        slack.click(second, "deny", GRACE).ack()
        slack.submit(slack.modal("Deny"), {"reason": "not this one"}, GRACE).ack()
        served.later(two.id, "declined")
        assert served.front.show(one.id).state == "waiting"
        forged = json.loads(json.dumps(first).replace(one.digest, two.digest))
        slack.click(forged, "approve", GRACE).ack()
        slack.whisper(GRACE, "another plan")
        slack.click(first, "approve", GRACE).ack()
        served.later(one.id, "fixed")
        slack.click(second, "approve", GRACE).ack()
        slack.whisper(GRACE, "decided already")
        assert served.place.done == MENDED


EVIL = ("; touch gone", "$(touch gone) `touch gone`", "' && touch gone #<b> | touch gone")
LABEL = """\
---
runbook: 1
id: label
title: Label it
inputs:
  label: {type: string}
---

# Label

```sh { step name=write effect=change }
printf '%s' "$IN_LABEL" > label.txt
```

```sh { verify name=written after=write }
test -e label.txt
```
"""


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("value", EVIL)
def test_T18_what_is_typed_is_never_read_by_a_shell(slack: Slack, tmp_path: Path, value: str) -> None:
    """It comes to a script that really runs as the text that it is, and starts nothing on its way there."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "label.md").write_text(LABEL, encoding="utf-8")
    with engine.acting(None, ("slack",)) as parts, Served(tmp_path, slack, parts=parts) as served:
        run, card = served.waiting(f'run label label="{value}"')
        slack.click(card, "approve", GRACE).ack()
        served.later(run.id)
        assert (tmp_path / "label.txt").read_text(encoding="utf-8") == value
        slack.slash(f"show {value}").ack()
        served.later(served.ordered(f"diagnose ```{value}```").id)
        served.later(served.ordered(f'diagnose "{value}"').id)
        assert not [*tmp_path.rglob("gone")]


@dataclass
class Busy(Finding):
    """Eyes that look at the terminal's orders until they are let go."""

    go: threading.Event = field(default_factory=threading.Event)

    def look(self, order: Order, runbook: Runbook, inputs: dict[str, str]) -> Sight:
        if order.person.door == "terminal":
            assert self.go.wait(50)
        return super().look(order, runbook, inputs)


def test_T20_long_jobs_keep_nobody_waiting(here: Path, slack: Slack) -> None:
    """While 20 runs are busy, people are answered, a plan is approved and carried out, and a run is cancelled."""
    eyes = Busy(here)
    with Served(here, slack, eyes=eyes) as served:
        run, card = served.waiting()
        for number in range(20):
            served.front.submit(served.place.order(f"busy-{number}", person=ME))
        slack.until(lambda: sum(row.state == "looking" for row in served.front.runs()) == 20)
        asked: list[Any] = [slack.slash("status"), slack.slash(f"show {run.id}"), slack.slash("help")]
        for one in asked:
            assert one.seconds < 1.0
        slack.whisper(ADA, "busy-19", 5)
        began = time.monotonic()
        slack.click(card, "approve", GRACE).ack()
        served.later(run.id, "fixed", within=5)
        slack.slash("cancel busy-3").ack()
        slack.until(lambda: served.front.show("busy-3").cancelled_by is not None, 5)
        assert time.monotonic() - began < 10
        eyes.go.set()
        slack.until(lambda: all(row.state != "looking" for row in served.front.runs()), 20)
