"""The root message of a run: what can be pressed when, who is mentioned, and what is shown of a long plan or many rooms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from bot.engine.values import Asked, Person
from bot.findings import Finding, Quote
from bot.plan.values import Guard
from bot.report.slack.card import card
from tests.slack.judges import faults
from tests.slack.readable import readable
from tests.slack.runs import ADA, ASSIGNED, AT, disruptive, lives, looked, order, rows, run

if TYPE_CHECKING:
    from bot.engine.values import Looked, Run
    from bot.report.slack.message import Message

LIVES = lives()
WAITING = LIVES["fixed"][2]
NOW = AT + 30


def shown(one: Run, now: float = NOW) -> str:
    """The card as text; whatever it is, Slack takes it."""
    message = card(one, now=now)
    assert faults(message) == []
    return readable(message)


def buttons(message: Message) -> dict[str, dict[str, Any]]:
    """The buttons by their action."""
    return {
        one["action_id"]: one for block in message.blocks if block["type"] == "actions" for one in block["elements"]
    }


def waiting(seen: Looked, **asked: Any) -> Run:  # noqa: ANN401  # fields of what is asked
    """A run that waits with this plan."""
    given = {"need": "peer", "why": "live sessions may be cut off", "until": AT + 900, **asked}
    return run("waiting", seen, asked=Asked(**given), steps=rows(seen))


def planned(seen: Looked, **more: Any) -> Looked:  # noqa: ANN401  # fields of a plan
    """The same with another plan."""
    return replace(seen, plan=replace(seen.plan, **more))


@pytest.mark.parametrize(
    ("name", "at", "actions"),
    [
        ("fixed", 0, []), ("fixed", 1, []), ("fixed", 2, ["approve", "deny", "show_plan"]), ("fixed", 3, ["show_plan"]), ("fixed", 4, ["show_plan", "cancel"]),
        ("fixed", -3, ["show_plan", "cancel"]), ("fixed", -1, ["show_plan"]), ("rolled-back", -3, ["show_plan"]), ("cancelled", -2, ["show_plan"]),
        ("unknown", -1, ["show_plan", "cancel"]), ("refused", -1, ["show_plan"]), ("no-plan", -1, []), ("no-runbook", -1, []), ("declined", -1, ["show_plan"]),
        ("expired", -1, ["show_plan"]), ("inconclusive", -1, []),
    ],
)  # fmt: skip
def test_buttons_are_there_while_they_do_something(name: str, at: int, actions: list[str]) -> None:
    """After a click, and at every end, nothing is left to be pressed but the plan; each brings back the run and its plan."""
    one = LIVES[name][at]
    found = buttons(card(one, now=NOW))
    assert list(found) == actions
    assert all(button["value"] == f"{one.id} {one.digest}".strip() for button in found.values())


def test_what_is_dangerous_is_asked_about_with_its_target_and_effect() -> None:
    """Only the words of the question say what a click would do; a change of files alone needs no second question."""
    found = buttons(card(WAITING, now=NOW))
    assert WAITING.plan is not None
    asks = found["approve"]["confirm"]["text"]["text"]
    assert found["approve"]["style"] == "danger"
    assert all(part in asks for part in (WAITING.plan.target, "live sessions may be cut off", "2 rooms and 3 people"))
    assert "taken back" in buttons(card(LIVES["fixed"][4], now=NOW))["cancel"]["confirm"]["text"]["text"]
    mild = buttons(card(waiting(planned(looked(), effect="change")), now=NOW))["approve"]
    assert (mild["style"], "confirm" in mild) == ("primary", False)


def test_a_guard_is_answered_in_words() -> None:
    """The button opens a form, which its dots say; the form is the second question."""
    found = buttons(card(LIVES["word"][-1], now=NOW))["approve"]
    assert (found["text"]["text"], "confirm" in found) == ("Approve…", False)
    assert "Warning: a second worker" in shown(LIVES["word"][-1]).replace("*", "")


def test_a_question_that_has_expired_says_so_before_the_engine_does() -> None:
    """Its buttons are gone, and the word is another."""
    late = shown(WAITING, now=AT + 901)
    assert "EXPIRED" in late
    assert "[Approve" not in late
    assert "Open until" not in late


def test_times_are_shown_in_the_readers_zone() -> None:
    """Slack puts them there; who has no Slack at hand reads them in UTC."""
    said = json.dumps(card(WAITING, now=NOW).blocks)
    assert f"Open until <!date^{int(AT + 900)}^{{date_short_pretty}} {{time}}|2026-11-23 03:00 UTC>" in said


@pytest.mark.parametrize(
    ("person", "mentioned"),
    [
        (ADA, True), (Person("ada", "terminal"), False), (Person("<!channel>", "slack", "", "U0X> <!channel"), False), (Person("ada", "slack"), False),
        (Person("ada", "terminal", "", "U0ADA"), False),
    ],
)  # fmt: skip
def test_only_who_is_meant_is_mentioned(person: Person, mentioned: bool) -> None:  # noqa: FBT001  # a column of the table
    """Slack's id is mentioned; a name is only text, whatever it is."""
    message = card(run("queued", order=order(person=person)), now=NOW)
    assert faults(message) == []
    said = json.dumps(message.blocks)
    assert ("<@U0ADA>" in said) is mentioned
    assert "Asked for by" in said


def test_who_may_approve_is_mentioned_where_the_sentence_says_so() -> None:
    """Persons and channels, and nothing else that looks like it."""
    message = card(WAITING, approvers="<@U0GRACE|grace> in <#C0OPS>, not <!channel> or <@nobody>.", now=NOW)
    assert faults(message) == []
    assert "@U0GRACE in #C0OPS, not <!channel> or <@nobody>." in readable(message)


def test_where_nobody_may_approve_there_is_no_button_for_it() -> None:
    """Whoever asked can still take it back, and everybody see it."""
    message = card(WAITING, approvers="Nobody may approve this in Slack.", approvable=False, now=NOW)
    assert [*buttons(message)] == ["deny", "show_plan"]
    assert faults(message) == []


def test_no_approval_without_a_policy_and_the_lines_that_would_allow_it() -> None:
    """The verdict stands first, then why it cannot be repaired from here, with the line to copy, and one more hint."""
    message = card(LIVES["refused"][-1], hint="docs/slack.md shows a whole policy.", now=NOW)
    said = readable(message)
    assert said.startswith(":red_circle: *CAUSE FOUND, REPAIR REFUSED:* *dispatch-missing in room")
    assert '`run = [{who = ["ada"], doors = ["slack"]}]`' in said
    assert "docs/slack.md shows a whole policy." in said


def test_the_end_quotes_the_servers_own_line() -> None:
    """`assigned job to worker`, from after the change, as it stood in the log."""
    assert f"| {' '.join(ASSIGNED.split())}" in shown(LIVES["fixed"][-1])


def test_a_long_diff_is_named_and_left_to_the_thread() -> None:
    """Up to 20 lines are shown; of more, which files they are of."""
    seen = looked()
    edit = seen.plan.steps[0].files[0]
    long = replace(seen.plan.steps[0], files=(replace(edit, diff="\n".join(f"+line {n}" for n in range(21))),))
    said = shown(waiting(planned(seen, steps=(long, *seen.plan.steps[1:]))))
    assert f"Diff: 21 lines in {edit.file}, in the thread" in said
    assert "+line" not in said


def test_of_several_rooms_one_is_told_and_the_others_are_a_line_each() -> None:
    """Five at most, then how many more; healthy ones are only counted."""
    seen = looked()
    other = [
        Finding(room=f"room-{n}", verdict="cause", cause="no-worker", summary="Nobody was there.", confidence=0.9)
        for n in range(9)
    ]
    fine = Finding(room="fine", verdict="healthy", summary="All is well.", confidence=0.9)
    said = shown(waiting(replace(seen, findings=(seen.findings[0], *other, fine), rooms=40)))
    assert [n for n in range(9) if f'also no-worker in room "room-{n}": Nobody was there.' in said] == [0, 1, 2, 3, 4]
    assert "… 34 more rooms" in said
    assert "fine" not in said
    alone = shown(
        run(
            "healthy",
            replace(seen, verdict="healthy", findings=(fine, fine), rooms=12, plan=replace(seen.plan, room="")),
        )
    )
    assert "… 11 more healthy rooms" not in alone  # of ten of them nothing is kept, so that nothing is known
    assert "… 11 more rooms" in alone


def test_the_lines_that_decided_are_those_of_the_plans_room() -> None:
    """Not of a more urgent one, and none where the room's finding is not kept any more."""
    seen = looked()
    urgent = Finding(
        room="urgent",
        verdict="cause",
        cause="no-worker",
        summary="Urgent.",
        confidence=0.9,
        quotes=(Quote("a.log:1", "urgent line", "x"),),
    )
    said = shown(waiting(replace(seen, findings=(urgent, *seen.findings))))
    assert 'WAITING FOR APPROVAL:* *dispatch-missing in room "fletcher-dev"*' in said
    assert "urgent line" not in said
    gone = shown(waiting(replace(seen, findings=(urgent,), quotes=("b.log:2: own line",))))
    assert "| b.log:2: own line" in gone
    assert "urgent line" not in gone


@pytest.mark.parametrize(
    ("where", "shown_as"),
    [
        ("/srv/project/src/agent.ts:7", "src/agent.ts:7"),
        ("/var/log/livekit.log:12", "log/livekit.log:12"),
        ("livekit:12", "livekit:12"),
    ],
)
def test_where_a_line_stands_is_short(where: str, shown_as: str) -> None:
    """Below the project's folder, else with the last folder of its path."""
    seen = looked()
    found = replace(seen.findings[0], quotes=(Quote(where, "a line", "x"),))
    assert f"| {shown_as}: a line" in shown(waiting(replace(seen, folder="/srv/project", findings=(found,))))


def test_what_would_settle_it_is_said_where_nothing_is_known() -> None:
    """An inconclusive verdict asks for what is missing."""
    seen = looked()
    found = Finding(
        room="r",
        verdict="inconclusive",
        summary="It cannot be told.",
        confidence=0,
        missing=("server log: whether it was asked",),
    )
    said = shown(
        run("inconclusive", replace(seen, findings=(found,), verdict="inconclusive", plan=replace(seen.plan, room="")))
    )
    assert "*What would settle it:*\n • server log: whether it was asked" in said


def test_a_failed_step_is_not_followed_by_the_next() -> None:
    """Between a failure and what it takes back nothing is running."""
    seen = disruptive(looked(), Guard("note", "x"))
    assert "TAKING BACK" in shown(run("running", seen, steps=rows(seen, "done", "failed")))


def test_a_token_that_was_not_made_stops_nothing() -> None:
    """The proof goes on without it."""
    seen = looked()
    assert seen.plan.steps[-1].kind == "token"
    assert "PROVING" in shown(run("running", seen, steps=rows(seen, "done", "done", "failed")))


def test_the_step_of_which_nobody_can_tell_is_named() -> None:
    """With the ways on, as the engine says them."""
    said = shown(LIVES["unknown"][-1])
    assert "Step rebuild-agent: It was being done when Fletcher was ended" in said
    assert "`fletcher resume fl-7c1d`" in said


def test_what_the_proof_left_open_stands_at_the_end() -> None:
    """Such as the room of the complaint, which waits for everybody to join anew."""
    assert ' • not known, own room: room "fletcher-dev" is still open' in shown(LIVES["fixed"][-1])
    assert " • NO, assignment: the server refuses it still" in shown(LIVES["rolled-back"][-1])
