"""Slack as people use it: commands, clicks and messages over a real websocket, and what is really done for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.doors.slack import verbs, who
from tests.doubles.slack import (
    ADA,
    BOT,
    GONE,
    GRACE,
    GUEST,
    LIN,
    OPS,
    OUTSIDE,
    ROBOT,
    SECRET,
    SHARED,
    STRANGER,
    Slack,
    buttons,
    markup,
    says,
)  # fmt: skip
from tests.slack.served import PERSONS, POLICY, Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MENDED = ["set-value", "set-other", "note", "build", "prove"]
LINE = "2026-11-23T02:46:11.000Z INFO livekit <not> dispatching & waiting"
TOKEN = "xoxb-123456789-secretsecret"


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


def test_a_diagnosis_is_ordered_approved_and_mends(served: Served, slack: Slack) -> None:
    """One types, the message shows the plan, another one presses Approve, and the message ends at fixed."""
    run, card = served.waiting()
    assert (run.order.person.name, run.order.person.account, served.place.done) == ("ada", ADA, [])
    slack.click(card, "approve", GRACE).ack()
    run = served.later(run.id, "fixed")
    assert run.decision is not None
    assert (run.decision.person.name, served.place.done) == ("grace", MENDED)
    assert "approve" not in buttons(served.card(run, says_="Fixed"))
    assert len(slack.roots(OPS)) == 1
    assert [row.entry.account for row in served.front.trail() if row.entry.decision == "yes"] == [GRACE]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "/fletcher diagnose"),
        ("help", "/fletcher diagnose"),
        ("diagnos x", "Did you mean"),
        ("status", "Slack is connected: Fletcher as @fletcher, 2 of 2 connections"),
        ("status", "They are carried out by fletcher serve"),
        ("runbooks", "mend                  change   no"),
        ("workers", "found nothing that runs"),
        ("show none", "there is no run 'none'"),
        ("cancel none", "there is no run 'none'"),
        ("approve none", "there is no run 'none'"),
        ("run", "which runbook?"),
        ("run /etc/passwd", "is no runbook's id"),
        ("run mine/mend.md", "is no runbook's id"),
        ("run mendd", "no runbook"),
        ("run mend target=nowhere", "no target 'nowhere'"),
        ("diagnose target=nowhere", "no target 'nowhere'"),
    ],
)
def test_what_is_asked_is_answered_to_who_asked(served: Served, slack: Slack, text: str, told: str) -> None:
    """Help, lists and refusals are for one person, and order nothing."""
    slack.slash(text).ack()
    slack.whisper(ADA, told)
    assert (slack.roots(OPS), served.front.runs()) == ([], ())


def test_the_kill_switch_is_thrown_from_slack(served: Served, slack: Slack) -> None:
    """By whoever may run or approve; what is approved meanwhile waits and says so, and `status` names who holds."""
    run, card = served.waiting()
    slack.slash("hold", STRANGER).ack()
    assert served.front.switch.held() is None
    slack.slash("hold the cluster <is> moved").ack()
    slack.whisper(ADA, "HELD by ada (slack)")
    slack.click(card, "approve", GRACE).ack()
    slack.until(lambda: served.front.show(run.id).decision, 20, "the decision")
    slack.slash("status", GRACE).ack()
    slack.whisper(GRACE, "HELD by ada (slack)")
    assert (served.front.show(run.id).state, served.place.done) == ("waiting", [])
    slack.slash("release", GRACE).ack()
    slack.whisper(GRACE, "Released: what ada held")
    served.later(run.id, "fixed")
    assert served.place.done == MENDED


def test_a_plan_is_denied_with_a_reason(served: Served, slack: Slack) -> None:
    """Deny asks why in a view; the message then says who, and why, and nothing was done."""
    run, card = served.waiting()
    slack.click(card, "deny", GRACE).ack()
    assert slack.submit(slack.modal("Deny"), {"reason": "not <!channel> & now"}, GRACE).ack() == {}
    run = served.later(run.id, "declined")
    assert run.decision is not None
    assert (run.decision.reason, run.decision.person.account) == ("not <!channel> & now", GRACE)
    card = served.card(run, says_="not <!channel> & now")
    assert not {"approve", "deny", "cancel"} & buttons(card).keys()
    assert "<!channel>" not in markup(card)
    assert served.place.done == []


def test_a_view_that_comes_too_late_is_said_so(served: Served, slack: Slack) -> None:
    """What opens one lives for three seconds: who pressed is told to press again, and nothing was decided."""
    run, card = served.waiting()
    slack.fail("views.open", "expired_trigger_id")
    slack.click(card, "deny", GRACE).ack()
    slack.whisper(GRACE, "(expired_trigger_id); try it again")
    slack.click(card, "deny", GRACE).ack()
    slack.submit(slack.modal("Deny"), {"reason": "no"}, GRACE).ack()
    served.later(run.id, "declined")
    assert len(slack.whispers(GRACE)) == 1


def test_a_dialog_outlives_a_restart(here: Path, slack: Slack) -> None:
    """What it sends off counts as said where its button was, and nowhere for another person."""
    only_here = POLICY.replace('"grace"], doors = ["slack"]', f'"grace"], doors = ["slack"], channels = ["{OPS}"]')
    with Served(here, slack, PERSONS + only_here) as served:
        run, card = served.waiting("run mend")
        slack.click(card, "deny", GRACE).ack()
        view = slack.modal("Deny")
    with Served(here, slack, PERSONS + only_here) as served:
        slack.submit(view, {"reason": "not mine"}, LIN).ack()
        slack.until(lambda: any("may not approve mend" in says(m) for m in slack.messages(f"D{LIN[1:]}")))
        assert slack.submit(view, {"reason": "no"}, GRACE).ack() == {}
        run = served.later(run.id, "declined")
        assert run.decision is not None
        assert run.decision.person.channel == OPS


def test_a_guard_wants_its_word_typed(served: Served, slack: Slack) -> None:
    """Approve opens a view that says what the guard warns of; only its word lets the plan go."""
    served.place.put("look/warning", "two workers are there")
    run, card = served.waiting()
    slack.click(card, "approve", GRACE).ack()
    view = slack.modal("two workers are there")
    slack.submit(view, {"word": "yes"}, GRACE).ack()
    slack.whisper(GRACE, "has to be typed")
    slack.click(card, "approve", GRACE).ack()
    slack.submit(slack.modal("two workers are there"), {"word": "understood"}, GRACE).ack()
    served.later(run.id, "fixed")


def test_what_is_pressed_can_be_typed(served: Served, slack: Slack) -> None:
    """Approve, deny, cancel and show by the run's id, also by how it begins."""
    one, _ = served.waiting("run mend")
    slack.slash(f"show {one.id[:5]}", LIN).ack()
    slack.whisper(LIN, "may not ask anything from the slack here")
    slack.slash(f"show {one.id[:5]}").ack()
    slack.whisper(ADA, "asked for by ada (slack")
    slack.slash(f"deny {one.id} it is night", GRACE).ack()
    slack.whisper(GRACE, f"Run {one.id} is declined.")
    two, _ = served.waiting("run mend")
    slack.slash(f"cancel {two.id[:6]}").ack()
    slack.whisper(ADA, f"Run {two.id} is cancelled.")
    three, _ = served.waiting("run mend")
    slack.slash(f"approve {three.id} looks right", GRACE).ack()
    run = served.later(three.id, "fixed")
    assert run.decision is not None
    assert run.decision.reason == "looks right"
    slack.click(served.card(one), "show_plan", ADA).ack()
    slack.modal("does set-value")


def test_a_running_run_is_cancelled_and_taken_back(served: Served, slack: Slack) -> None:
    """The button ends it between its steps."""
    served.place.put("hang-note")
    run, card = served.waiting()
    slack.click(card, "approve", GRACE).ack()
    slack.click(served.card(run, "cancel"), "cancel", ADA).ack()
    assert served.later(run.id).state == "cancelled"
    assert served.place.text("app.env") == "VALUE=bad\n"


def test_of_two_at_once_one_is_told_that_he_was_too_late(served: Served, slack: Slack) -> None:
    """Both press within a moment: one decision counts, and the plan is carried out once."""
    run, card = served.waiting("run mend")
    sent = [slack.click(card, "approve", GRACE), slack.click(card, "approve", GRACE)]
    for one in sent:
        one.ack()
    slack.whisper(GRACE, "decided already: grace said yes")
    served.later(run.id, "fixed")
    assert served.place.done == MENDED


@pytest.mark.parametrize(
    ("user", "channel", "why"),
    [
        (GUEST, OPS, "guests of this workspace"),
        (STRANGER, OPS, "another organisation"),
        (GONE, OPS, "deactivated"),
        (ROBOT, OPS, "a bot gives no orders"),
        (BOT, OPS, "a bot gives no orders"),
        (ADA, SHARED, "shared with another organisation"),
    ],
)
def test_who_is_no_member_here_is_refused(served: Served, slack: Slack, user: str, channel: str, why: str) -> None:
    """Guests, people and channels of others, bots and accounts that are gone order nothing and see nothing."""
    for text in ("diagnose", "status"):
        slack.slash(text, user, channel).ack()
        slack.whisper(user, why)
    assert served.front.runs() == ()


@pytest.mark.parametrize(
    ("method", "what"), [("users.info", "who you are"), ("conversations.info", "which channel this is")]
)
def test_who_is_not_known_approves_nothing(
    served: Served, slack: Slack, monkeypatch: pytest.MonkeyPatch, method: str, what: str
) -> None:
    """Where Slack does not say who somebody is or where, his click counts for nothing, and a later one does."""
    monkeypatch.setattr(who, "FRESH", 0.0)
    run, card = served.waiting("run mend")
    slack.fail(method, "fatal_error", times=None)
    slack.click(card, "approve", GRACE).ack()
    slack.whisper(GRACE, f"Slack does not say just now {what} (fatal_error)")
    assert served.front.show(run.id).decision is None
    slack.heal()
    slack.click(card, "approve", GRACE).ack()
    served.later(run.id, "fixed")


def test_what_nobody_may_approve_is_said_and_has_no_button(here: Path, slack: Slack) -> None:
    """What the terminal can confirm still waits, and what needs another person is refused, with the line that lets one."""
    settings = f"{PERSONS}[policy]\nrun = [{{}}]\n"
    with Served(here, slack, settings) as served:
        card = served.card(
            served.later(served.ordered("run mend").id, "waiting"), "deny", "Nobody may approve this in Slack"
        )
        assert "approve" not in buttons(card)
    with Served(here, slack, f'{settings}effects = {{change = "peer"}}\n') as served:
        run = served.later(served.ordered("run mend").id)
        assert run.state == "refused"
        served.card(run, says_='approve = [{who = ["NAME"], doors = ["slack"]}]')


@pytest.mark.parametrize("channel", [OUTSIDE, SECRET])
def test_where_it_is_not_in_the_channel_it_asks_to_be_invited(served: Served, slack: Slack, channel: str) -> None:
    """The diagnosis then goes to a direct message of who asked, and can be approved by whom he asks."""
    run = served.later(served.ordered("diagnose", ADA, channel).id, "waiting")
    slack.whisper(ADA, "/invite @fletcher")
    served.card(run, channel=f"D{ADA[1:]}")


@pytest.mark.parametrize("channel", [OUTSIDE, SECRET])
def test_nothing_is_decided_from_where_it_cannot_tell_who_is(served: Served, slack: Slack, channel: str) -> None:
    """Strangers may be in such a channel; in a direct message only he is."""
    run, _ = served.waiting("run mend")
    for verb, user in (("approve", GRACE), ("deny", LIN), ("cancel", ADA)):
        slack.slash(f"{verb} {run.id}", user, channel).ack()
        slack.whisper(user, "I am not in this channel")
    assert (served.front.show(run.id).state, served.front.show(run.id).decision) == ("waiting", None)
    slack.dm(f"approve {run.id}", GRACE).ack()
    served.later(run.id, "fixed")


def test_the_same_thing_twice_is_done_once(here: Path, slack: Slack) -> None:
    """An envelope that comes again, an event that is delivered again, and both after a restart."""
    settings = PERSONS + POLICY
    with Served(here, slack, settings) as served:
        command = slack.slash("run mend")
        event = slack.mention("run mend")
        slack.until(lambda: len(served.front.runs()) == 2)
        for again in (slack.again(command), slack.again(event, retry=1)):
            again.ack()
    with Served(here, slack, settings) as served:
        for again in (slack.again(command), slack.again(event, retry=2), slack.slash("status")):
            again.ack()
        slack.whisper(ADA, "Runs are kept")
        assert len(served.front.runs()) == 2


def mention(slack: Slack, text: str, user: str = ADA) -> Any:  # noqa: ANN401  # what was sent
    """In a thread of the channel."""
    return slack.mention(text, user, thread=slack.write("something is wrong")["ts"])


@pytest.mark.parametrize("way", [mention, Slack.mention, Slack.dm])
def test_the_same_words_by_mention_and_in_a_direct_message(
    served: Served, slack: Slack, way: Callable[[Slack, str], Any]
) -> None:
    """Each verb, with its answer where it was asked; the app's own messages are not taken for orders."""
    way(slack, "what is up").ack()
    channel = f"D{ADA[1:]}" if way is Slack.dm else OPS
    if way is Slack.dm:
        slack.until(lambda: any("Did you mean" in says(m) or "do not know" in says(m) for m in slack.messages(channel)))
    else:
        slack.whisper(ADA, "do not know")
    way(slack, "run mend").ack()
    slack.until(served.front.runs)
    run = served.later(served.front.runs()[0].id, "waiting")
    served.card(run, channel=channel)
    assert len(served.front.runs()) == 1


@pytest.mark.parametrize("way", [mention, Slack.dm])
def test_only_the_mention_that_it_begins_with_is_left_out(
    served: Served, slack: Slack, way: Callable[[Slack, str, str], Any]
) -> None:
    """Whoever else is named stays in a reason."""
    run, _ = served.waiting("run mend")
    way(slack, f"deny {run.id} <@{ADA}> knows why", GRACE).ack()
    decision = served.later(run.id, "declined").decision
    assert decision is not None
    assert decision.reason == f"@{ADA} knows why"


def test_pasted_lines_are_evidence(served: Served, slack: Slack) -> None:
    """By the command and by the shortcut: redacted, in a file that nobody else may read, and never a room's name."""
    run = served.later(served.ordered(f"diagnose {LINE}\n{TOKEN}").id, "waiting")
    [(kind, path)] = run.order.files
    assert (kind, run.order.rooms, run.order.live) == ("any", (), True)
    said = f"{LINE}\n[redacted]\n"
    assert served.eyes.files[0] == ("any", said)
    assert Path(path).parent == served.front.home.folder(run.id)
    assert Path(path).stat().st_mode & 0o777 == 0o600
    message = slack.write(f"Please look:\n```{LINE}```", GRACE, OPS, attachments=[{"text": "```more &amp; more```"}])
    slack.shortcut(message).ack()
    slack.until(lambda: len(served.front.runs()) == 2)
    slack.until(lambda: served.eyes.files[-1] == ("any", f"{LINE}\nmore & more\n"))
    assert not any(TOKEN in str(call.args) for call in slack.journal)


RICH = {"type": "rich_text", "elements": [
    {"type": "rich_text_section", "elements": [{"type": "text", "text": "Look, "}, {"type": "user", "user_id": ADA}, {"type": "text", "text": " & see:"}]},
    {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": LINE}]},
]}  # fmt: skip
SECTIONS = [
    {"type": "header", "text": {"type": "plain_text", "text": "An alert <of> ours"}},
    {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Room* a &lt;b&gt;"}, {"type": "mrkdwn", "text": "<https://a.example|a link>"}]},
    {"type": "context", "elements": [{"type": "plain_text", "text": "WARN no worker"}]},
    {"type": "actions", "elements": [{"type": "button", "action_id": "ack", "text": {"type": "plain_text", "text": "Acknowledge"}}]},
]  # fmt: skip
READ = "An alert <of> ours\n*Room* a <b>\na link\nWARN no worker\n"


@pytest.mark.parametrize(
    ("text", "more", "read"),
    [
        (f"Look, <@{ADA}> & see:\n```{LINE}```", {"blocks": [RICH]}, f"{LINE}\n"),
        ("", {"blocks": [RICH]}, f"{LINE}\n"),
        ("An alert <of> ours", {"blocks": SECTIONS}, READ),
        ("Something is wrong", {"blocks": SECTIONS}, f"Something is wrong\n{READ}"),
        ("", {"attachments": [{"fallback": "[no preview available]", "blocks": SECTIONS}]}, READ),
        ("", {"attachments": [{"fallback": "WARN no room"}]}, "WARN no room\n"),
    ],
)  # fmt: skip
def test_what_a_message_says_in_blocks_is_evidence(
    served: Served, slack: Slack, text: str, more: dict[str, Any], read: str
) -> None:
    """Monitors say what is wrong in blocks, and in the text little of it; what people type stands in both, and counts once."""
    slack.shortcut(slack.write(text, GRACE, OPS, **more)).ack()
    slack.until(lambda: served.eyes.files)
    assert served.eyes.files == [("any", read)]


def test_files_cannot_be_read_and_that_is_said(served: Served, slack: Slack) -> None:
    """A message with nothing but a file orders nothing; one with lines too is diagnosed, and what was left out is said."""
    file = [{"id": "F1", "name": "agent.log"}]
    slack.shortcut(slack.write("", GRACE, OPS, files=file)).ack()
    slack.whisper(ADA, "I cannot read files (agent.log)")
    slack.shortcut(slack.write("", GRACE, OPS)).ack()
    slack.whisper(ADA, "There is no text in this message")
    assert served.front.runs() == ()
    slack.shortcut(slack.write(LINE, GRACE, OPS, files=file)).ack()
    slack.whisper(ADA, "agent.log is not looked at")
    slack.until(lambda: len(served.front.runs()) == 1)


def test_the_home_has_what_waits_for_whom(served: Served, slack: Slack) -> None:
    """Its owner's runs, and what he may answer."""
    run, _ = served.waiting()
    for user in (ADA, GRACE):
        slack.home_opened(user).ack()
        slack.until(lambda: slack.calls("views.publish", user_id=user))  # noqa: B023  # it is called at once
    slack.until(lambda: run.id in json.dumps(slack.homes[GRACE]) and run.id in json.dumps(slack.homes[ADA]))
    assert "Nothing waits for you" in says(slack.homes[ADA])
    assert "Nothing waits for you" not in says(slack.homes[GRACE])
    slack.click(slack.homes[GRACE], "show_plan", GRACE).ack()
    slack.modal("does set-value")


def test_a_guest_is_told_so_in_his_home(served: Served, slack: Slack) -> None:
    """He is shown no run, and gets no message for having looked."""
    run, _ = served.waiting()
    slack.home_opened(GUEST).ack()
    slack.until(lambda: slack.calls("views.publish", user_id=GUEST))
    assert "guests of this workspace may not use Fletcher" in says(slack.homes[GUEST])
    assert run.id not in json.dumps(slack.homes[GUEST])
    slack.home_opened(GUEST, "messages").ack()
    assert len(slack.calls("views.publish")) == 1


def test_nobody_orders_without_end(served: Served, slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than so many in a minute are refused; others are not kept from theirs."""
    monkeypatch.setattr(verbs, "_ORDERS", 2)
    for _ in range(2):
        served.ordered("diagnose")
    slack.slash("diagnose").ack()
    slack.whisper(ADA, "more than 2 orders in a minute")
    served.ordered("diagnose", GRACE)


def test_whatever_comes_is_acknowledged(served: Served, slack: Slack) -> None:
    """Buttons, views, shortcuts and events that nobody knows, and values that were never ours."""
    run, card = served.waiting()
    odd = json.loads(json.dumps(card).replace('"approve"', '"explode"'))
    slack.click(odd, "explode").ack()
    slack.click(json.loads(json.dumps(card).replace(run.digest, "zz")), "approve").ack()
    slack.click(json.loads(json.dumps(card).replace(f"{run.id} ", "../../etc/passwd ")), "approve").ack()
    slack.click(json.loads(json.dumps(card).replace(f" {run.digest}", "")), "approve").ack()
    slack.whisper(GRACE, "names no plan")
    slack.shortcut(card, "something_else").ack()
    slack.send("events_api", {"type": "event_callback", "event_id": "Ev1", "event": {"type": "team_join"}}).ack()
    slack.send("interactive", {"type": "view_closed", "view": {"callback_id": "x"}}).ack()
    slack.send("interactive", {"type": "something_new"}).ack()
    assert (served.front.show(run.id).decision, served.place.done) == (None, [])
    assert served.logged()[1:] == []


def test_a_connection_is_replaced_and_nothing_is_missed(served: Served, slack: Slack) -> None:
    """Asked to, or cut off without a word: what is typed a moment later is heard."""
    for lose in (slack.disconnect, slack.cut, slack.disconnect):
        lose()
        slack.slash("status").ack()
        slack.connected(2)
    slack.until(lambda: len(slack.whispers(ADA)) == 3)
    assert len(slack.calls("apps.connections.open")) == 8
    assert served.state.open == 2


def test_without_slack_it_goes_on_and_says_so(served: Served, slack: Slack) -> None:
    """The tokens are revoked: `status` and the log say so once, and the terminal's runs are carried out."""
    slack.revoke()
    slack.until(lambda: "the token is not valid" in served.state.told() or "revoked" in served.state.told())
    served.front.submit(served.place.order("terminal"))
    served.later("terminal", "waiting", "refused")
    told = [line for line in served.logged() if "no connection to Slack" in line]
    assert len(told) == 1
    assert "the terminal works as before" in told[0]
