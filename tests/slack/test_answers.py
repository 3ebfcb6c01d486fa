"""Answers that only who asked sees, the forms that open, and somebody's home."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.engine.values import Row
from bot.report.slack import answers, modals
from bot.report.slack.home import home
from tests.slack import hostile
from tests.slack.judges import faults
from tests.slack.readable import readable
from tests.slack.runs import AT, lives

if TYPE_CHECKING:
    from bot.engine.values import RunState

LIVES = lives()
WAITING = LIVES["fixed"][2]
STEADY = settings(deadline=None, derandomize=True, max_examples=60)


def test_help_names_every_verb() -> None:
    """As the manifest of the app promises them."""
    said = readable(answers.help_())
    for verb in ("diagnose", "run", "runbooks", "status", "workers", "approve", "deny", "cancel", "show"):
        assert verb in said


@pytest.mark.parametrize(
    ("typed", "nearest", "says"),
    [
        ("diagnos", "diagnose", "I do not know `diagnos`. Did you mean `/fletcher diagnose`? `/fletcher help` lists what I know."),
        ("xyzzy", "", "I do not know `xyzzy`. `/fletcher help` lists what I know."), ("`a`", "", "I do not know `'a'`."), ("", "", "I do not know `that`."),
    ],
)  # fmt: skip
def test_an_unknown_verb_gets_the_nearest(typed: str, nearest: str, says: str) -> None:
    """And what was typed only as far as it is a word."""
    assert readable(answers.unknown(typed, nearest)).startswith(says)


def test_a_sentence_is_no_markup() -> None:
    """Backticks are code; what would mention, link or format is text, also where blocks are not shown."""
    message = answers.sentence("no room `<!channel>`: *look* at <https://a|b> & go")
    assert message.text == "no room `&lt;!channel&gt;`: *look* at &lt;https://a|b&gt; &amp; go"
    assert readable(message) == "no room `<!channel>`: *look* at <https://a|b> & go\n"


def test_a_list_is_cut_at_the_end_of_a_line() -> None:
    """And says how many lines there are besides."""
    message = answers.listing("Runs", (f"line {n}" for n in range(372)))
    said = readable(message).splitlines()
    assert faults(message) == []
    assert (said[0], said[1], said[-2], said[-1]) == ("*Runs*", "| line 0", "| line 59", "| … 312 more lines")


def test_a_list_of_nothing_is_a_sentence() -> None:
    """Whose words say what is not there."""
    assert readable(answers.workers([])) == "No worker was seen.\n"
    assert readable(answers.status([])) == "No run is open.\n"
    assert readable(answers.runbooks([])) == "There are no runbooks here.\n"


@STEADY
@given(st.lists(hostile.texts, max_size=5), hostile.texts)
def test_whatever_is_answered(lines: list[str], text: str) -> None:
    """Slack takes it, and no secret is in it."""
    for content in (
        answers.sentence(text), answers.unknown(text, "diagnose"), answers.listing(text, lines), answers.status(lines), answers.workers(lines),
        answers.runbooks(lines), modals.note(text, text), modals.loading(text), modals.approve_word("fl-1", "0" * 64, text, text), modals.deny("fl-1", ""),
        home(waiting=[], mine=[Row("fl-1", text, text, text, "done", text, AT, AT)], served=text, version=text, now=AT),
    ):  # fmt: skip
        assert faults(content) == []
        told = json.dumps(content if isinstance(content, dict) else [content.text, content.blocks], ensure_ascii=False)
        assert hostile.SECRET not in told


def test_forms_bring_back_which_plan_they_are_about() -> None:
    """The run and the plan that was seen."""
    deny, word = modals.deny("fl-1", "abc"), modals.approve_word("fl-1", "abc", "understood", "a second worker runs")
    assert (deny["callback_id"], deny["private_metadata"]) == ("deny", "fl-1 abc")
    assert (word["callback_id"], word["private_metadata"]) == ("approve_word", "fl-1 abc")
    assert "type `understood`" in readable(word)
    assert deny["blocks"][-1]["block_id"] == deny["blocks"][-1]["element"]["action_id"] == "reason"
    assert word["blocks"][-1]["block_id"] == word["blocks"][-1]["element"]["action_id"] == "word"


def test_a_plan_in_a_view_has_no_button() -> None:
    """It is read, not answered there; the longest of them fits."""
    view = modals.plan(WAITING)
    assert "submit" not in view
    assert "callback_id" not in view
    assert WAITING.looked is not None
    step = WAITING.looked.plan.steps[0]
    edit = replace(step.files[0], diff="+ line\n" * 5000)
    huge = replace(WAITING.looked.plan, steps=(replace(step, files=(edit,) * 40),) * 9)
    view = modals.plan(replace(WAITING, looked=replace(WAITING.looked, plan=huge)))
    assert faults(view) == []
    assert f"`fletcher show {WAITING.id}` has all of it" in readable(view)
    assert faults(modals.plan(LIVES["fixed"][0])) == []


def test_home_shows_what_waits_and_what_was() -> None:
    """As many as can be read, and how many more; ids stay apart."""
    waiting = [replace(WAITING, order=replace(WAITING.order, id=f"fl-{n}")) for n in range(14)]
    states: tuple[RunState, ...] = ("fixed", "failed")
    mine = [Row(f"fl-m{n}", "diagnose", "t", "r", states[n % 2], "ada", AT, AT) for n in range(40)]
    view = home(waiting=waiting, mine=mine, served="by this machine", version="1.0", now=AT)
    assert faults(view) == []
    said = readable(view)
    assert said.count("[Show plan]") == 10
    assert "… 4 more" in said
    assert "… 25 more" in said
    assert "[Approve" not in said
    empty = readable(home(waiting=[], mine=[], served="nobody", version="1.0", now=AT))
    assert "Nothing waits for you." in empty
    assert "You have not asked for anything yet." in empty
