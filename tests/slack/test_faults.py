"""What goes wrong between Slack and Fletcher, one at a time: what was asked for is done once, and said as well as it can be."""

from __future__ import annotations

import re
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from bot.doors.slack import serving
from bot.engine.values import Decision
from tests.doubles.slack import ADA, ARCHIVED, BOT_TOKEN, DEV, GRACE, LIN, OPS, OUTSIDE, Slack, buttons, markup, says
from tests.engine.staged import ME
from tests.slack.served import PERSONS, POLICY, Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.doubles.slack_workspace import Json

MENDED = ["set-value", "set-other", "note", "build", "prove"]
#: Lin is somebody too, and may approve.
THREE = f'{PERSONS}\n[[person]]\nname = "lin"\nslack = ["{LIN}"]\n' + POLICY.replace('"grace"]', '"grace", "lin"]')
#: Every method that Fletcher calls; the first call of each fails.
METHODS = (
    "auth.test", "apps.connections.open", "users.info", "conversations.info", "chat.postMessage", "chat.update",
    "chat.postEphemeral", "conversations.open", "views.open", "views.update", "views.publish", "files.getUploadURLExternal",
    "files.completeUploadExternal",
)  # fmt: skip


@pytest.fixture
def slack() -> Iterator[Slack]:
    """A workspace."""
    with Slack() as made:
        yield made


@pytest.fixture
def served(here: Path, slack: Slack) -> Iterator[Served]:
    """Somebody serves this folder, in that workspace."""
    with Served(here, slack) as made:
        yield made


def ends(slack: Slack, word: str, channel: str = OPS) -> Json:
    """The card, once it says how it ended and has nothing left to decide."""
    return slack.until(
        lambda: next(
            (
                m
                for m in slack.roots(channel)
                if word in says(m).lower() and not {"approve", "deny"} & buttons(m).keys()
            ),
            None,
        ),
        20,
        lambda: f"a card that says {word}; there is {[*map(says, slack.roots(channel))]}",
    )


def test_an_envelope_that_comes_twice_is_done_once(served: Served, slack: Slack) -> None:
    """Every delivery is acknowledged; there is one run, one card, one decision."""
    order = slack.slash("diagnose")
    again = slack.again(order)
    assert (order.ack(), again.ack()) == ({}, {})
    run = served.later(slack.until(served.front.runs)[0].id, "waiting")
    card = slack.card(OPS)
    press = slack.click(served.card(run, "approve"), "approve")
    slack.again(press).ack()
    served.later(run.id, "fixed")
    ends(slack, "fixed")
    assert [row.id for row in served.front.runs()] == [run.id]
    assert [m["ts"] for m in slack.roots(OPS)] == [card["ts"]]
    assert served.place.done == MENDED
    assert slack.whispers(GRACE) == []  # the second press was no second one, of which somebody would have to be told


def test_an_event_that_is_delivered_again_is_done_once_also_after_a_restart(here: Path, slack: Slack) -> None:
    """Slack tries again where it heard nothing, with the same event in another envelope."""
    with Served(here, slack) as served:
        order = slack.mention("diagnose")
        order.ack()
        served.later(slack.until(served.front.runs)[0].id, "waiting")
        slack.again(order, retry=1).ack()
    with Served(here, slack) as served:
        slack.again(order, retry=2).ack()
        slack.slash("status").ack()  # comes after it, on the same way
        slack.whisper(ADA, "")
        assert len(served.front.runs()) == 1
        assert len(slack.roots(OPS)) == 1


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("slash_commands", {"command": "/fletcher"}),
        ("slash_commands", {"command": "/other", "text": "x", "user_id": ADA, "channel_id": OPS}),
        ("interactive", {"type": "block_actions", "actions": [{"type": "button", "action_id": "approve"}]}),
        ("interactive", {"type": "block_actions", "actions": [], "user": {"id": ADA}}),
        ("interactive", {"type": "view_submission", "view": {}}),
        ("interactive", {"type": "of tomorrow"}),
        ("events_api", {"type": "event_callback", "event": {"type": "app_mention"}}),
        ("events_api", {"type": "event_callback", "event": {"type": "of_tomorrow"}, "event_id": "Ev1"}),
        ("of tomorrow", {"type": "of tomorrow"}),
    ],
)
def test_whatever_comes_is_acknowledged(served: Served, slack: Slack, kind: str, payload: Json) -> None:
    """What nobody can read, or has a bug in it, is acknowledged too, and what comes next is heard."""
    slack.send(kind, payload).ack()
    served.later(served.ordered().id, "waiting")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_every_method_may_fail(here: Path, slack: Slack, status: int) -> None:
    """Whoever orders, reads, denies and approves gets what he asked for all the same."""
    for method in METHODS:
        slack.fail(method, status=status, after=1)
    with Served(here, slack) as served:
        run = served.later(served.ordered().id, "waiting")
        card = slack.until(lambda: next((m for m in slack.roots(OPS) if "approve" in buttons(m)), None), 20)
        slack.home_opened(GRACE).ack()
        slack.until(lambda: GRACE in slack.homes, 20)
        slack.click(card, "show_plan", ADA).ack()
        slack.until(lambda: [v for v in slack.views.values() if "set-value" in says(v)], 20)
        slack.click(card, "approve", GRACE).ack()
        served.later(run.id, "fixed")
        ends(slack, "fixed")
        assert len(slack.roots(OPS)) == 1


@pytest.mark.parametrize("error", ["msg_blocks_too_long", "invalid_blocks", "msg_too_long"])
def test_what_slack_refuses_is_said_in_words(served: Served, slack: Slack, error: str) -> None:
    """Without blocks there are no buttons, and the run can be approved by what is typed."""
    for method in ("chat.postMessage", "chat.update"):
        slack.fail(method, error, times=None, when=lambda args: bool(args.get("blocks")))
    run = served.later(served.ordered().id, "waiting")
    assert buttons(slack.card(OPS, says_=run.id)) == {}
    slack.slash(f"approve {run.id}", GRACE).ack()
    served.later(run.id, "fixed")
    ends(slack, "fixed")


def test_a_card_that_was_deleted_comes_back(served: Served, slack: Slack) -> None:
    """Somebody deletes the message of a run that waits; what happens to the run is said in another one."""
    run = served.later(served.ordered().id, "waiting")
    gone = served.card(run, "approve")
    slack.erase(gone)
    slack.slash(f"approve {run.id}", GRACE).ack()
    served.later(run.id, "fixed")
    assert ends(slack, "fixed")["ts"] != gone["ts"]
    slack.until(lambda: slack.thread(OPS, slack.roots(OPS)[0]["ts"]), 10, "a thread below the new one")


@pytest.mark.parametrize("channel", [OUTSIDE, ARCHIVED])
def test_where_fletcher_cannot_write_the_requester_is_told(served: Served, slack: Slack, channel: str) -> None:
    """The card comes to him alone, and is kept to the end; in the channel there is nothing."""
    run = served.later(served.ordered("diagnose", ADA, channel).id, "waiting")
    direct = f"D{ADA[1:]}"
    served.card(run, channel=direct)
    slack.slash(f"approve {run.id}", GRACE).ack()
    served.later(run.id, "fixed")
    ends(slack, "fixed", direct)
    assert slack.roots(channel) == []


def test_a_dialog_that_came_too_late_is_told(served: Served, slack: Slack) -> None:
    """Where the dialog cannot be opened any more, who pressed is told so, and nothing was decided."""
    run, card = served.waiting()
    slack.fail("views.open", "expired_trigger_id")
    slack.click(card, "deny", GRACE).ack()
    slack.whisper(GRACE, "again")
    assert served.front.show(run.id).state == "waiting"
    slack.click(card, "deny", GRACE).ack()
    slack.submit(slack.modal("Deny"), {"reason": "not now"}, GRACE).ack()
    served.later(run.id, "declined")
    ends(slack, "declined")
    assert len(slack.whispers(GRACE)) == 1  # that, once


def test_of_two_approvers_at_once_one_is_the_first(here: Path, slack: Slack) -> None:
    """One decision is written down and carried out once; the other person is told whose it was."""
    with Served(here, slack, THREE) as served:
        run, card = served.waiting()
        both = [Thread(target=slack.click, args=(card, "approve", who)) for who in (GRACE, LIN)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        served.later(run.id, "fixed")
        yes = [row.entry.account for row in served.front.trail() if row.entry.decision == "yes"]
        assert yes in ([GRACE], [LIN])
        loser = LIN if yes == [GRACE] else GRACE
        slack.whisper(loser, "decided already")
        assert served.place.done == MENDED
        assert served.front.show(run.id).decision is not None


def test_the_requester_does_not_approve_what_needs_a_peer(served: Served, slack: Slack) -> None:
    """He is told why, by button and by word, and the card stays as it was."""
    run, card = served.waiting()
    slack.click(card, "approve", ADA).ack()
    slack.whisper(ADA, "another person")
    told = len(slack.whispers(ADA))
    slack.slash(f"approve {run.id}", ADA).ack()
    slack.until(lambda: len(slack.whispers(ADA)) > told)
    assert served.front.show(run.id).state == "waiting"
    assert served.place.done == []
    assert "approve" in buttons(served.card(run))


def test_who_may_approve_is_asked_when_he_presses(here: Path, slack: Slack) -> None:
    """What counts is not who could when the card was posted: grace is taken from the policy, then leaves the company."""
    with Served(here, slack, THREE) as served:
        run, card = served.waiting()
    with Served(here, slack, THREE.replace('"grace", ', "")) as served:
        slack.click(card, "approve", GRACE).ack()
        slack.whisper(GRACE, "may not approve")
    slack.store.users[LIN].flags["deleted"] = True
    with Served(here, slack, THREE) as served:
        slack.click(card, "approve", LIN).ack()
        slack.whisper(LIN, "deactivated")
        assert served.front.show(run.id).state == "waiting"
        slack.click(card, "approve", GRACE).ack()
        served.later(run.id, "fixed")


def test_whom_slack_does_not_vouch_for_approves_nothing(here: Path, slack: Slack) -> None:
    """When Slack does not say who somebody is, nothing is done for him."""
    with Served(here, slack) as served:
        run, card = served.waiting()
        slack.fail("users.info", "internal_error", times=None)
        slack.click(card, "approve", GRACE).ack()
        slack.whisper(GRACE, "who you are")
        assert served.front.show(run.id).state == "waiting"
        slack.heal()
        slack.click(card, "approve", GRACE).ack()
        served.later(run.id, "fixed")


def test_a_restart_between_the_card_and_the_click(here: Path, slack: Slack) -> None:
    """The same message goes on, in the process that comes after."""
    with Served(here, slack) as served:
        run, card = served.waiting()
    with Served(here, slack) as served:
        slack.click(card, "approve", GRACE).ack()
        served.later(run.id, "fixed")
        assert ends(slack, "fixed")["ts"] == card["ts"]
        assert len(slack.roots(OPS)) == 1
        thread = [says(one) for one in slack.thread(OPS, card["ts"])]
        assert len(thread) == len(set(thread))
        assert served.front.show(run.id).state == "fixed"


@pytest.mark.parametrize("end", ["disconnect", "cut"])
def test_connections_that_end_in_the_middle_of_a_run(served: Served, slack: Slack, end: str) -> None:
    """The run goes on, its end is shown, and what is typed next is heard."""
    served.place.put("hang-note")
    run, card = served.waiting()
    slack.click(card, "approve", GRACE).ack()
    slack.until(
        lambda: [row for row in served.front.show(run.id).steps if row.name == "note" and row.state == "running"]
    )
    getattr(slack, end)()
    slack.connected(2)
    slack.slash(f"cancel {run.id}").ack()
    served.later(run.id)
    ends(slack, "cancel")
    slack.slash("status").ack()


@pytest.mark.parametrize(
    "text", ["<!channel>", "<@U0GRACE001>", "<https://evil.example|good>", "a&b<c>d", "*b* _i_ `c` ```"]
)
def test_nothing_that_was_typed_becomes_live(served: Served, slack: Slack, text: str) -> None:
    """A room, an unknown verb and a reason are shown as they were typed, and call nobody."""
    run, card = served.waiting(f'diagnose "{text}"')
    slack.slash(f"diagnos {text}").ack()
    slack.slash(f"show {text}").ack()
    slack.click(card, "deny", GRACE).ack()
    slack.submit(slack.modal("Deny"), {"reason": text}, GRACE).ack()
    served.later(run.id, "declined")
    ends(slack, "declined")
    slack.until(lambda: len(slack.whispers(ADA)) >= 2)
    word = re.findall(r"\w+", text)[0]
    slack.until(
        lambda: any("grace" in says(one).lower() and word in says(one) for one in slack.thread(OPS, card["ts"]))
    )
    told = [*slack.messages(OPS), *slack.whispers(ADA), *slack.whispers(GRACE)]
    ours = {f"<@{ADA}>", f"<@{GRACE}>", f"<#{OPS}>", f"<#{DEV}>"}
    live = {one for message in told for one in markup(message) if not one.startswith("<!date^")}
    assert live <= ours
    assert served.front.show(run.id).state == "declined"


def test_without_slack_fletcher_goes_on_and_says_so(here: Path, slack: Slack) -> None:
    """The app is removed while a run waits: the terminal orders, approves and sees the end, and reads why Slack is silent."""
    settings = f"{PERSONS}\n[policy]\nrun = [{{}}]\napprove = [{{}}]\n"
    with Served(here, slack, settings) as served:
        waits, _ = served.waiting()
        slack.revoke()
        slack.until(lambda: "revoked" in served.state.told(), 20, served.state.told)
        served.front.submit(served.place.order("of-the-terminal", person=ME))
        run = served.later("of-the-terminal", "waiting")
        served.front.decide(run.id, Decision(kind="yes", person=ME, digest=run.digest, at=0))
        served.later(run.id, "fixed")
        assert served.front.show(waits.id).state == "waiting"
        assert any("revoked" in line and "terminal" in line for line in served.logged())


@pytest.mark.parametrize("asked", [60.0, 0.05])
def test_a_bot_token_that_is_revoked_while_the_connections_stay_up_is_noticed(
    here: Path, slack: Slack, asked: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the first call that is refused, and without one by asking: `status` says so, and the log, as no bug of ours."""
    monkeypatch.setattr(serving, "_ASKED", asked)
    with Served(here, slack) as served:
        run, _ = served.waiting()
        slack.tokens.discard(BOT_TOKEN)
        if asked > 1:
            served.front.cancel(run.id, ME)
        slack.until(lambda: served.state.told().startswith("Slack is not connected"), 20, served.state.told)
        assert "auth.test: the token" in served.state.told()
        slack.until(lambda: slack.connections == 0)
        told = [line for line in served.logged() if "auth.test" in line]
        assert len(told) == 1
        assert "Traceback" not in "".join(served.logged())
