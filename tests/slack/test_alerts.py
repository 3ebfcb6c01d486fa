"""The messages about probes, in a Slack that may refuse and forget: each trouble is told once, as it is, whatever happens."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.doors.slack import alerts
from bot.doors.slack.alerts import Alerts
from bot.doors.slack.outbox import Outbox
from bot.engine.lease import Lease
from bot.engine.values import Person
from bot.probes.values import Mute
from bot.runbook.document import Schedule
from tests.doubles.slack import ADA, ARCHIVED, BOT_TOKEN, DEV, GRACE, OPS, Slack, buttons, markup, says
from tests.doubles.slack_clock import Hasty
from tests.engine.staged import Place
from tests.slack.probed import look, looks, mute, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.engine.front import Front

Json = dict[str, Any]
WHO = Person("ada", "slack", OPS, ADA)
NAME = "log-sweep"


class Leads(Lease):
    """A lease of which a test says whether it leads; `asked` counts how often somebody wanted to know."""

    def __init__(self, front: Front, leads: Callable[[], bool]) -> None:
        self.now, self.asked = leads, 0
        front._store.lease = self  # as whoever acts has one

    def leads(self, name: str) -> bool:
        """Whether it does."""
        assert name == "slack"
        self.asked += 1
        return self.now()


class Door:
    """Alerts and their outbox, in a thread with a loop of its own, as `fletcher serve` has them; `late` moves their wall clock."""

    def __init__(self, slack: Slack, front: Front) -> None:
        self._slack, self._front = slack, front
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._begun = threading.Event()
        self.late = 0.0

    async def _main(self) -> None:
        self.outbox = Outbox(AsyncWebClient(BOT_TOKEN, self._slack.url, proxy=""), self._front, Hasty())
        self.alerts = Alerts(
            self._front, self.outbox, channel=OPS, to=GRACE, clock=Hasty(), wall=lambda: time.time() + self.late
        )
        self.loop, self._task = asyncio.get_running_loop(), asyncio.create_task(self.alerts.run())
        self._begun.set()
        with suppress(asyncio.CancelledError):
            await self._task
        await self.outbox.close()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._begun.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)
        assert not self._thread.is_alive()


class Scene:
    """A store with one probe that is healthy, and a Slack; `door` begins and ends at will."""

    def __init__(self, slack: Slack, front: Front) -> None:
        self.slack, self.front = slack, front
        self.declare()

    def declare(self, channel: str = "", **more: Any) -> None:  # noqa: ANN401  # fields of a probe
        """The probe, once more, healthy."""
        self.front.probing.declare([probe(NAME, channel=channel, **more)])
        self.look("green")

    def door(self) -> Door:
        """Slack's side of `fletcher serve`, begun anew."""
        return Door(self.slack, self.front)

    def look(self, light: str, says_: str = "", **more: Any) -> None:  # noqa: ANN401  # fields of a result
        """A look of the probe."""
        look(self.front, NAME, light, says_, **more)  # type: ignore[arg-type]  # one of its words

    def until(self, *words: str, channel: str = OPS) -> Json:
        """The newest message of the channel once it says all of that."""

        def there() -> Json | None:
            return next(
                (m for m in reversed(self.slack.roots(channel)) if all(word in says(m) for word in words)), None
            )

        return self.slack.until(there, 15, lambda: f"{words} in {[says(m)[:300] for m in self.slack.roots(channel)]}")

    def calls(self, method: str) -> list[Json]:
        """What a method was called with."""
        return [call.args for call in self.slack.journal if call.method == method]

    def settled(self, door: Door) -> None:
        """Wait until the door has looked twice more, so that what it does not tell by then it does not tell."""
        seen = self.front.probing.standings
        counted, done = [0], threading.Event()

        def counting() -> Any:  # noqa: ANN401  # what it returns otherwise
            counted[0] += 1
            if counted[0] > 2:
                done.set()
            return seen()

        self.front.probing.standings = counting  # type: ignore[method-assign]
        door.loop.call_soon_threadsafe(door.alerts.touch, NAME)
        assert done.wait(15)
        self.front.probing.standings = seen  # type: ignore[method-assign]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A probe, and a workspace; whatever was sent is within Slack's limits and mentions nobody."""
    with Slack() as slack, Place(tmp_path).front() as front, front._store.acting("fletcher serve", "root"):
        yield Scene(slack, front)
        for call in slack.journal:
            if call.method in {"chat.postMessage", "chat.update"}:
                assert not any(mark in found for found in markup(call.args) for mark in ("!channel", "@U")), call.args


# --- one trouble -----------------------------------------------------------------------------------------


def test_a_trouble_is_one_message_from_its_beginning_to_its_end(scene: Scene) -> None:
    """It appears with what was seen, counts on, shows who knows of it, and turns green with how long it lasted."""
    with scene.door():
        scene.look("red")
        first = scene.until("DEGRADED", "2 rooms lack their agent.", "front-desk", "no worker is available", "×1,")
        assert [*buttons(first)] == ["probe_diagnose", "probe_ack", "probe_mute"]
        for _ in range(4):
            scene.look("red", "3 rooms lack their agent.")
        scene.until("3 rooms lack their agent.", "×5,")
        scene.front.probing.acknowledge(NAME, WHO)
        seen = scene.until("Acknowledged by ada")
        assert "probe_ack" not in buttons(seen)
        scene.look("green")
        green = scene.until("HEALTHY AGAIN", "It was degraded for", "×5")
        assert (green["ts"], buttons(green)) == (first["ts"], {})
    assert len(scene.slack.roots()) == len(scene.slack.messages()) == 1


def test_what_is_only_counted_on_is_not_sent_each_time(scene: Scene) -> None:
    """Of a hundred looks, a look at a time, people are shown the newest, in a few edits."""
    with scene.door():
        scene.look("red")
        scene.until("DEGRADED")
        for _ in range(100):
            scene.look("red")
        scene.until("×101,")
        assert len(scene.calls("chat.update")) < 25


@pytest.mark.parametrize("begun", [False, True])
def test_a_thousand_turns_in_a_minute_are_one_message_that_counts_right(scene: Scene, begun: bool) -> None:  # noqa: FBT001
    """However it comes and goes, and whether it was told before or not."""
    with scene.door() as door:
        scene.settled(door)
        if begun:
            scene.look("red")
            scene.until("DEGRADED")
        for _ in range(10):
            looks(scene.front, NAME, ["red", "green"] * 50)
        scene.look("red", "It is still so.")
        bad = 501 + begun
        scene.until("DEGRADED", "It is still so.", f"×{bad} of {bad + 500} looks, it was healthy in between")
        scene.look("green")
        scene.until("HEALTHY AGAIN", f"×{bad}")
    assert len(scene.slack.messages()) == 1


def test_a_later_trouble_is_a_message_of_its_own(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it was healthy for a while."""
    monkeypatch.setattr("bot.doors.slack.episode.CALM", 0.05)
    with scene.door():
        scene.look("red", "the first")
        scene.until("the first")
        scene.look("green")
        scene.until("HEALTHY AGAIN")
        time.sleep(0.06)
        scene.look("red", "the second")
        scene.until("DEGRADED", "the second")
    assert len(scene.slack.roots()) == 2


def test_a_probe_that_cannot_look_is_unknown_and_once_it_finds_something_that_is_news(scene: Scene) -> None:
    """Nobody is notified of an edit, so that what is worse has its own message; the first one says so."""
    with scene.door():
        scene.look("unknown", "Docker does not answer.")
        unknown = scene.until("UNKNOWN", "Docker does not answer.")
        scene.look("red")
        scene.until("DEGRADED")
        scene.until("LOOKS AGAIN")
        scene.look("unknown", "Docker is away.")
        scene.until("UNKNOWN", "Docker is away.")
        scene.look("green")
        scene.until("HEALTHY AGAIN")
    first, second = scene.slack.roots()
    assert first["ts"] == unknown["ts"]
    assert buttons(first) == buttons(second) == {}


def test_thresholds_are_the_engines(scene: Scene) -> None:
    """One bad look of three alarms nobody; the message counts every look that was bad."""
    scene.declare(schedule=Schedule(every=60.0, fail=3, recover=2))
    scene.look("green")
    with scene.door() as door:
        scene.look("red")
        scene.settled(door)
        assert scene.slack.roots() == []
        scene.look("red")
        scene.look("red")
        scene.until("DEGRADED", "×3")
        scene.look("green")
        scene.settled(door)
        scene.until("DEGRADED")
        scene.look("green")
        scene.until("HEALTHY AGAIN", "×3")


# --- whom it is told ------------------------------------------------------------------------------------


def test_what_is_muted_is_told_once_that_is_over(scene: Scene) -> None:
    """Nothing is posted, by a person's word or in a maintenance window; what is over by then never was told."""
    quiet = Mute(by="fletcher.toml", until=time.time() + 60, why="the server is moved")
    with scene.door() as door:
        mute(scene.front, NAME, 60, WHO)
        scene.look("red", "while it is muted")
        scene.settled(door)
        scene.look("green")
        scene.settled(door)
        scene.front.probing.unmute([NAME], WHO)
        scene.settled(door)
        scene.front.probing.quiet({NAME: quiet})
        scene.look("red", "in the window")
        scene.settled(door)
        assert scene.slack.roots() == []
        scene.front.probing.quiet({})
        scene.until("DEGRADED", "in the window")
    assert len(scene.slack.roots()) == 1


def test_what_was_told_is_kept_up_to_date_while_it_is_muted(scene: Scene) -> None:
    """By whom and why stands in it; it may be unmuted there, and turns green all the same."""
    with scene.door():
        scene.look("red")
        scene.until("DEGRADED")
        mute(scene.front, NAME, 60, WHO, "a known trouble <!channel>")
        muted = scene.until("Muted by ada: a known trouble")
        assert [*buttons(muted)] == ["probe_diagnose", "probe_ack", "probe_unmute"]
        scene.look("red")
        scene.until("×2")
        scene.look("green")
        scene.until("HEALTHY AGAIN")
    assert len(scene.slack.roots()) == 1


def test_a_probe_has_a_channel_of_its_own(scene: Scene) -> None:
    """And is told nowhere else."""
    scene.declare(channel=DEV)
    with scene.door():
        scene.look("red")
        scene.until("DEGRADED", channel=DEV)
    assert scene.slack.roots(OPS) == []


def test_a_channel_that_takes_nothing_is_left_for_a_person(scene: Scene) -> None:
    """As with the messages of runs: a direct message that says where it belongs, and goes on."""
    scene.declare(channel=ARCHIVED)
    alone = f"D{GRACE[1:]}"
    with scene.door():
        scene.look("red")
        scene.until("which does not take it", "DEGRADED", channel=alone)
        scene.look("green")
        scene.until("which does not take it", "HEALTHY AGAIN", channel=alone)
    assert len(scene.slack.roots(alone)) == 1


def test_a_message_that_somebody_deletes_comes_back_while_it_is_true(scene: Scene) -> None:
    """And does not, once it is over."""
    with scene.door() as door:
        scene.look("red")
        scene.slack.erase(scene.until("DEGRADED"))
        scene.look("red")
        again = scene.until("DEGRADED")
        scene.settled(door)  # what was still to be said of it is said
        scene.slack.erase(again)
        scene.look("green")
        scene.slack.until(lambda: scene.calls("chat.update")[-1]["ts"] == again["ts"], 15)
        scene.settled(door)
    assert scene.slack.roots() == []


def test_what_is_no_longer_declared_says_so(scene: Scene) -> None:
    """Nobody waits for a green that never comes."""
    with scene.door():
        scene.look("red")
        scene.until("DEGRADED")
        scene.front.probing.declare([])
        assert buttons(scene.until("NOT WATCHED ANY MORE")) == {}


# --- restarts, and several processes -----------------------------------------------------------------------


def test_a_restart_goes_on_with_the_same_message(scene: Scene) -> None:
    """Also where it became healthy meanwhile, and what was looked meanwhile is counted."""
    with scene.door():
        scene.look("red")
        scene.until("DEGRADED")
    looks(scene.front, NAME, ["red"] * 5)
    with scene.door():
        scene.until("DEGRADED", "×6")
    scene.look("green")
    with scene.door():
        scene.until("HEALTHY AGAIN", "×6")
    with scene.door() as door:
        scene.settled(door)
    assert len(scene.slack.messages()) == 1


def test_another_channel_counts_from_the_next_trouble_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told stays where it was, and is brought to its end there."""
    monkeypatch.setattr("bot.doors.slack.episode.CALM", 0.05)
    with scene.door():
        scene.look("red")
        scene.until("DEGRADED")
    scene.front.probing.declare([probe(NAME, channel=DEV)])
    with scene.door():
        scene.look("red")
        assert "belongs in" not in says(scene.until("×2"))
        scene.look("green")
        scene.until("HEALTHY AGAIN")
        time.sleep(0.06)
        scene.look("red")
        scene.until("DEGRADED", "×1,", channel=DEV)
    assert len(scene.slack.roots()) == len(scene.slack.roots(DEV)) == 1


def test_only_the_one_that_leads_posts_and_another_goes_on_with_its_message(scene: Scene, tmp_path: Path) -> None:
    """Two processes on one store: one message; when the first one leads no more, the other one brings it to its end."""
    with Place(tmp_path).front() as other:
        first = [True]
        mine, theirs = Leads(scene.front, lambda: first[0]), Leads(other, lambda: not first[0] and mine.asked > late[0])
        late = [10**9]
        with scene.door(), Door(scene.slack, other):
            scene.look("red")
            scene.until("DEGRADED")
            asked = theirs.asked
            scene.slack.until(lambda: theirs.asked > asked + 3, 15)
            first[0], late[0] = False, mine.asked + 3
            scene.look("red")
            scene.until("×2")
            scene.look("green")
            scene.until("HEALTHY AGAIN", "×2")
    assert len(scene.slack.messages()) == 1


def test_one_that_leads_no_more_posts_nothing_that_it_still_had_to(scene: Scene) -> None:
    """It is asked once more just before, and leaves it to who leads now; nothing of that one's is forgotten."""
    lease = Leads(scene.front, lambda: not scene.front.kept("slack", "alerted "))
    with scene.door():
        scene.look("red")
        scene.slack.until(lambda: scene.front.kept("slack", "alerted "), 15)
        asked = lease.asked
        scene.slack.until(lambda: lease.asked > asked + 5, 15)
    assert scene.slack.roots() == []
    assert scene.front.kept("slack", "alert ") == {}


def test_a_store_that_cannot_be_read_is_read_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one probe that cannot be drawn is told in a sentence."""
    monkeypatch.setattr(alerts, "_TROUBLED", 0.1)
    with scene.door():
        seen = scene.front.probing.standings
        scene.front.probing.standings = _raising  # type: ignore[method-assign]
        scene.look("red", "")
        time.sleep(0.05)
        scene.front.probing.standings = seen  # type: ignore[method-assign]
        scene.until("DEGRADED")
        monkeypatch.setattr("bot.report.slack.alert._lead", _raising)
        scene.look("red")
        scene.until("`fletcher probes` has the rest")


def _raising(*_: object) -> Any:  # noqa: ANN401  # it returns nothing
    raise RuntimeError("a disk that is away")
