"""The messages of runs that an executor really carries out, in a Slack that may refuse, forget and be away."""

from __future__ import annotations

import asyncio
import io
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.doors.slack.cards import Cards
from bot.doors.slack.homes import Homes
from bot.doors.slack.outbox import Outbox
from bot.engine import executor
from bot.engine.values import Decision, Person
from bot.policy import Grant, Policy
from bot.report.slack.rules import broken
from tests.doubles.slack import ADA, BOT_TOKEN, DEV, GRACE, LIN, OPS, OUTSIDE, Slack, buttons, says
from tests.doubles.slack_clock import Hasty
from tests.engine.staged import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.engine.front import Front
    from bot.engine.values import Run

Json = dict[str, Any]
POLICY = Policy(
    run=(Grant(),), approve=(Grant(who=("ada", "grace"), doors=("slack",)), Grant(doors=("terminal",))), vouching=("slack",), ask_in=DEV
)  # fmt: skip
ANN = Person("ann", "terminal")


def ada(channel: str = OPS) -> Person:
    """Somebody who orders in Slack."""
    return Person("ada", "slack", channel, ADA)


def grace(channel: str = OPS) -> Person:
    """Somebody who approves there."""
    return Person("grace", "slack", channel, GRACE)


class Door:
    """Cards and their outbox, in a thread with a loop of its own, as `fletcher serve` has them."""

    def __init__(self, slack: Slack, front: Front, policy: Policy) -> None:
        self._slack, self._front, self._policy = slack, front, policy
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._begun = threading.Event()

    async def _main(self) -> None:
        self.outbox = Outbox(AsyncWebClient(BOT_TOKEN, self._slack.url, proxy=""), self._front, Hasty())
        self.homes = Homes(self._front, self.outbox, self._policy, clock=Hasty())
        self.cards = Cards(self._front, self.outbox, self._policy, members={"grace": GRACE}, homes=self.homes)
        self.loop, self._task = asyncio.get_running_loop(), asyncio.create_task(self.cards.run())
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

    def call(self, what: Callable[..., Any], *given: object) -> None:
        """Call something in the loop, as a listener does."""
        self.loop.call_soon_threadsafe(what, *given)

    def wait(self, what: Any) -> None:  # noqa: ANN401  # a coroutine
        """Await something in the loop."""
        asyncio.run_coroutine_threadsafe(what, self.loop).result(10)


class Scene:
    """A place that is served, and a Slack; `door` begins and ends at will."""

    def __init__(self, slack: Slack, place: Place, front: Front) -> None:
        self.slack, self.place, self.front = slack, place, front

    def door(self) -> Door:
        """Slack's side of `fletcher serve`, begun anew."""
        return Door(self.slack, self.front, self.place.policy or POLICY)

    def order(self, person: Person, **more: Any) -> str:  # noqa: ANN401  # fields of an order
        """Order the place's runbook."""
        return self.front.submit(self.place.order(person=person, **more))

    def until(self, run: str, *states: str) -> Run:
        """Wait for a state of a run."""
        return self.slack.until(
            lambda: found if (found := self.front.show(run)).state in states else None, 20, f"{run} to be {states}"
        )

    def approve(self, run: str, person: Person, kind: str = "yes") -> None:
        """Decide about a run."""
        digest = self.front.show(run).digest
        self.front.decide(run, Decision(kind=kind, person=person, digest=digest, at=0))  # type: ignore[arg-type]  # one of its words

    def calls(self, method: str) -> list[Json]:
        """What a method was called with."""
        return [call.args for call in self.slack.journal if call.method == method]

    def report(self, channel: str = OPS, ts: str = "") -> list[Json]:
        """Wait for the last entry of the newest card's thread; all of them."""
        at = ts or self.slack.card(channel)["ts"]

        def ended() -> list[Json]:
            thread = self.slack.thread(channel, at)
            return (
                thread if thread and any(f["name"].startswith("report-") for f in thread[-1].get("files", ())) else []
            )

        return self.slack.until(
            ended, 20, f"a report below {at}; there is {[says(m)[:200] for m in self.slack.thread(channel, at)]}"
        )

    @contextmanager
    def served(self) -> Iterator[None]:
        """While runs are carried out."""
        assert executor.__name__  # is loaded before there is a second thread, as `fletcher serve` does
        stop = threading.Event()
        thread = threading.Thread(target=self.front.serve, args=(self.place.parts, stop, "root", io.StringIO()))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(20)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A place whose repair may cut off sessions, so that a peer has to approve it; runs are carried out."""
    place = Place(tmp_path, POLICY)
    place.put("look/effect", "disrupt")
    with Slack() as slack, place.front() as front:
        scene = Scene(slack, place, front)
        with scene.served():
            yield scene
        for call in slack.journal:
            assert call.method != "chat.postMessage" or call.args["unfurl_links"] is call.args["unfurl_media"] is False


# --- a run, from its order to its end -------------------------------------------------------------------


def test_a_run_is_one_message_that_becomes_what_the_run_is(scene: Scene) -> None:
    """Ordered in Slack, asked about, approved by another person, fixed; its thread tells each thing once, in order."""
    with scene.door() as door:
        run = scene.order(ada())
        asked = scene.slack.card(says_="approval")
        assert {"approve", "deny", "show_plan"} <= set(buttons(asked))
        assert f"<@{GRACE}>" in [
            f"<@{n['user_id']}>" for b in asked["blocks"] for n in _nodes(b) if n.get("type") == "user"
        ]
        said = scene.slack.until(lambda: t if len(t := scene.slack.thread(OPS, asked["ts"])) == 3 else [], 20, "a call")
        assert GRACE in [n["user_id"] for n in _nodes(said[-1]["blocks"]) if n.get("type") == "user"]
        scene.approve(run, grace())
        door.call(door.cards.touch, run)
        scene.until(run, "fixed")
        fixed = scene.slack.card(says_="FIXED")
        assert fixed["ts"] == asked["ts"]
        assert not {"approve", "deny", "cancel"} & set(buttons(fixed))
        thread = scene.report()
    keys = [one["metadata"]["event_payload"]["key"].split()[-1] for one in thread if one.get("metadata")]
    assert keys == ["verdict", "plan", "asked", "decision", "steps", "proof"]
    assert len(scene.slack.roots()) == 1
    assert scene.slack.messages(DEV) == []


def _nodes(node: Any) -> Iterator[Json]:  # noqa: ANN401  # any part of a JSON document
    for one in node if isinstance(node, list) else node.values() if isinstance(node, dict) else ():
        yield from _nodes(one)
    if isinstance(node, dict):
        yield node


def test_a_run_of_the_terminal_that_needs_a_peer_is_asked_about_in_the_policys_channel(scene: Scene) -> None:
    """It appears there once it waits, and follows the run to its end; what needs nobody else never does."""
    scene.place.put("look/effect", "destroy")
    with scene.door():
        run = scene.order(ANN)
        card = scene.slack.card(DEV, says_="approval")
        assert "ann" in says(card)
        scene.approve(run, grace(DEV))
        scene.slack.card(DEV, says_="FIXED")
        scene.report(DEV)
        scene.place.put("app.env", "VALUE=bad\n")
        scene.place.put("running", "VALUE=bad\n")
        scene.place.put("look/effect", "change")
        other = scene.order(ANN)
        scene.until(other, "waiting")
        scene.front.cancel(other, ANN)
    assert len(scene.slack.roots(DEV)) == 1
    assert scene.slack.messages(OPS) == []


def test_what_a_probe_asks_for_is_asked_about_where_the_policy_says(scene: Scene) -> None:
    """Where it has no channel of its own; the approvers are called in its thread, and what waits for nobody is not shown."""
    clock, shown, other = Person("clock", "clock"), DEV, OPS
    with scene.door():
        done = scene.order(clock, dry_run=True)
        scene.until(done, "done")
        run = scene.order(clock)
        card = scene.slack.card(shown, says_="approval")
        said = scene.slack.until(
            lambda: t if len(t := scene.slack.thread(shown, card["ts"])) == 3 else [], 20, "a call"
        )
        assert GRACE in [n["user_id"] for n in _nodes(said[-1]["blocks"]) if n.get("type") == "user"]
        scene.approve(run, grace(shown))
        scene.slack.card(shown, says_="FIXED")
        scene.report(shown)
    assert (len(scene.slack.roots(shown)), scene.slack.messages(other)) == (1, [])


def test_what_is_approved_while_it_is_held_says_so(scene: Scene) -> None:
    """The card says who holds, until it goes on."""
    scene.place.put("look/effect", "change")
    with scene.door():
        run = scene.order(ada())
        scene.until(run, "waiting")
        scene.front.switch.hold(ANN, "moving")
        scene.approve(run, ada())
        assert "/fletcher release" in says(scene.slack.card(says_="Held by ann"))
        scene.front.switch.release(grace())
        scene.slack.card(says_="FIXED")


def test_a_run_of_a_direct_message_is_asked_about_where_a_peer_sees_it(scene: Scene) -> None:
    """The direct message says where; both cards end as the run does."""
    direct = f"D{ADA[1:]}"
    scene.slack.run(scene.slack.store.direct(ADA))
    with scene.door():
        run = scene.order(ada(direct))
        scene.slack.card(DEV, says_="approval")
        assert "asked about in" in says(scene.slack.card(direct, says_="approval"))
        scene.approve(run, grace(DEV))
        scene.slack.card(DEV, says_="FIXED")
        scene.slack.card(direct, says_="FIXED")
        scene.report(direct)


def test_a_decision_of_the_terminal_takes_the_buttons_away(scene: Scene) -> None:
    """Nobody clicks in Slack, and the card says who decided all the same."""
    scene.place.put("look/effect", "change")
    with scene.door():
        run = scene.order(ada())
        scene.slack.card(says_="approval")
        scene.approve(run, grace(), "no")
        declined = scene.slack.card(says_="DECLINED")
        assert not {"approve", "deny"} & set(buttons(declined))


# --- what goes wrong ----------------------------------------------------------------------------------------


def test_a_restart_between_post_and_click_changes_the_card_in_place(scene: Scene) -> None:
    """A new process finds the card and the thread of the old one, and posts nothing twice."""
    with scene.door():
        run = scene.order(ada())
        before = scene.slack.card(says_="approval")
        scene.slack.until(lambda: len(scene.slack.thread(OPS, before["ts"])) == 3, 20, "verdict, plan, who is asked")
    scene.approve(run, grace())
    scene.until(run, "fixed")  # while nobody told Slack
    with scene.door():
        assert scene.slack.card(says_="FIXED")["ts"] == before["ts"]
        thread = scene.report()
    keys = [call["metadata"]["event_payload"]["key"] for call in scene.calls("chat.postMessage")]
    assert len(keys) == len(set(keys)) == len(thread)  # the root, and the file is no message of this method
    with scene.door():
        scene.slack.until(lambda: scene.front.kept("slack", "watched"), 10, "a look around")
    assert [one["text"] for one in scene.slack.thread(OPS, before["ts"])] == [one["text"] for one in thread]


def test_what_ended_while_slack_was_not_told_is_told_afterwards(scene: Scene) -> None:
    """A run that began and ended without a door gets its card from the next one, once."""
    with scene.door():
        scene.slack.until(lambda: scene.front.kept("slack", "watched"), 10, "a look around")
    run = scene.order(ada())
    scene.until(run, "waiting")
    scene.front.cancel(run, ada())
    for _ in range(2):
        with scene.door():
            scene.report(ts=scene.slack.card(says_="CANCELLED")["ts"])
    assert len(scene.slack.roots()) == 1


def test_a_card_that_was_deleted_is_posted_anew_with_its_thread(scene: Scene) -> None:
    """Whoever deletes the root does not take the question with it."""
    with scene.door():
        run = scene.order(ada())
        first = scene.slack.card(says_="approval")
        scene.slack.until(lambda: len(scene.slack.thread(OPS, first["ts"])) == 3, 20, "verdict, plan, who is asked")
        scene.slack.run(scene.slack.store.call("chat.delete", {"channel": OPS, "ts": first["ts"]}))
        scene.approve(run, grace())
        fixed = scene.slack.card(says_="FIXED")
        assert fixed["ts"] != first["ts"]
        assert len(scene.report(ts=fixed["ts"])) == 6


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("chat.postMessage", "restricted_action_non_threadable_channel"), ("chat.postMessage", "cannot_reply_to_message"),
        ("files.completeUploadExternal", "not_in_channel"),
    ],
)  # fmt: skip
def test_where_only_replies_are_refused_the_card_is_posted_once(scene: Scene, method: str, error: str) -> None:
    """The card is still there, so that it is kept to the end; what its thread does not take is in the log."""
    scene.slack.fail(method, error, times=None, when=lambda args: bool(args.get("thread_ts")))
    with scene.door():
        run = scene.order(ada())
        scene.slack.card(says_="approval")
        scene.approve(run, grace())
        scene.slack.until(
            lambda: scene.front.kept("slack", f"card {run}")[f"card {run}"].endswith("final"), 20, "the end"
        )
        assert len(scene.slack.roots()) == 1
        scene.slack.card(says_="FIXED")


@pytest.mark.parametrize(("channel", "error"), [(OUTSIDE, ""), (OPS, "is_archived"), (OPS, "not_in_channel")])
def test_where_the_channel_takes_nothing_the_requester_has_the_run(scene: Scene, channel: str, error: str) -> None:
    """The card and all that follows it are a direct message to him; without that the run goes on and the log has it."""
    if error:
        scene.slack.fail("chat.postMessage", error, times=None, channel=channel)
    with scene.door():
        run = scene.order(ada(channel))
        direct = scene.slack.card(f"D{ADA[1:]}", says_="approval")
        assert f"<#{channel}>" in says(direct)
        scene.slack.card(DEV, says_="approval")  # where a peer sees it
        scene.approve(run, grace())
        scene.slack.card(f"D{ADA[1:]}", says_="FIXED")
        scene.report(f"D{ADA[1:]}")


def test_where_the_policys_channel_takes_nothing_an_approver_is_asked_himself(scene: Scene) -> None:
    """The terminal's run is in a direct message to one whom the policy names, and follows it to its end."""
    scene.place.put("look/effect", "destroy")
    scene.slack.fail("chat.postMessage", "not_in_channel", times=None, channel=DEV)
    with scene.door():
        run = scene.order(ANN)
        direct = f"D{GRACE[1:]}"
        asked = scene.slack.card(direct, says_="approval")
        assert f"<#{DEV}>" in says(asked)
        assert {"approve", "deny"} <= set(buttons(asked))
        scene.approve(run, grace(direct))
        scene.slack.card(direct, says_="FIXED")
        scene.report(direct)


@pytest.mark.parametrize(
    "error", ["msg_blocks_too_long", "invalid_blocks", "invalid_auth", "is_archived", "fatal_error"]
)
def test_no_refusal_of_slack_costs_a_decision(scene: Scene, error: str) -> None:
    """Whatever becomes of each picture, what was approved is done."""
    with scene.door() as door:
        run = scene.order(ada())
        scene.slack.card(says_="approval")
        for method in ("chat.update", "chat.postMessage", "files.getUploadURLExternal", "conversations.open"):
            scene.slack.fail(method, error, times=None)
        scene.approve(run, grace())
        door.call(door.cards.touch, run)
        scene.until(run, "fixed")
        scene.slack.heal()
    with scene.door():
        scene.slack.card(says_="Fixed" if "blocks" in error else "FIXED")


def test_a_storm_of_runs_keeps_no_approval_waiting(scene: Scene) -> None:
    """Slack lets one channel post nothing; the card of another one is there, and its buttons vanish."""
    scene.slack.fail("chat.postMessage", status=429, after=600, times=None, channel=DEV)
    with scene.door():
        storm = [scene.order(ada(DEV)) for _ in range(8)]
        run = scene.order(ada())
        scene.slack.card(says_="approval")
        scene.approve(run, grace())
        scene.slack.card(says_="FIXED")
        for one in storm:
            with suppress(Exception):
                scene.front.cancel(one, ada(DEV))


def test_nothing_grows_with_the_runs_that_have_ended(scene: Scene) -> None:
    """After a dozen runs there is nothing in memory of any."""
    with scene.door() as door:
        for _ in range(12):
            run = scene.order(ada())
            scene.until(run, "waiting")
            scene.front.cancel(run, ada())
        cards = door.cards
        scene.slack.until(
            lambda: not (cards._cards or cards._tended or cards._again or cards._urgent), 55, "nothing of any run"
        )
        scene.slack.until(lambda: not cards._seen, 20, "nothing that moves")
        assert (door.outbox._going, door.outbox._lanes) == ({}, {})


# --- clicks, and the App Home ---------------------------------------------------------------------------------


def test_a_message_that_was_lost_is_repaired_when_it_is_clicked(scene: Scene) -> None:
    """A second card, posted by a call whose answer never came, shows the run as it is from then on."""
    with scene.door() as door:
        run = scene.order(ada())
        scene.slack.card(says_="approval")
        lost = scene.slack.run(scene.slack.store.call("chat.postMessage", {"channel": OPS, "text": "an old card"}))
        door.wait(door.cards.repair(run, OPS, lost["ts"]))
        assert "approval" in says(next(m for m in scene.slack.messages() if m["ts"] == lost["ts"]))
        scene.front.cancel(run, ada())


def test_the_app_home_shows_what_waits_for_whom(scene: Scene) -> None:
    """To an approver what waits for him, to the requester that nothing does but his run; it is kept up to date."""
    with scene.door() as door:
        run = scene.order(ada())
        scene.slack.card(says_="approval")
        for person in (
            Person("grace", "slack", "", GRACE),
            Person("ada", "slack", "", ADA),
            Person("lin", "slack", "", LIN),
        ):
            door.wait(door.homes.opened(person))
        scene.slack.until(lambda: {GRACE, ADA, LIN} <= scene.slack.homes.keys(), 10, "three homes")
        assert f"Run {run}" in says(scene.slack.homes[GRACE])
        assert "Nothing waits for you" in says(scene.slack.homes[ADA])
        assert f"run {run}" in says(scene.slack.homes[ADA])
        assert "Nothing waits for you" in says(scene.slack.homes[LIN])
        assert "carried out by fletcher serve" in says(scene.slack.homes[LIN])
        assert all(broken({"type": "home", "blocks": home["blocks"]}) == () for home in scene.slack.homes.values())
        scene.front.cancel(run, ada())
        scene.slack.until(lambda: "Nothing waits for you" in says(scene.slack.homes[GRACE]), 30, "a newer home")
