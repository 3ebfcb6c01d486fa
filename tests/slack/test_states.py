"""What every message of every state must be, whatever the report says: within Slack's limits, and nobody else's markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.values import RunState
from bot.report.slack import answers, modals
from bot.report.slack.budget import texts as texts_in
from bot.report.slack.card import card
from bot.report.slack.home import home
from bot.report.slack.message import Message, Upload
from bot.report.slack.thread import thread
from tests.fletcher import RECORDINGS
from tests.slack import hostile
from tests.slack.judges import faults, marked
from tests.slack.runs import AT, lives, looked, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engine.values import Run

LIVES = lives()
ALL = [(name, at) for name, life in LIVES.items() for at in range(len(life))]
every_moment = pytest.mark.parametrize(("name", "at"), ALL, ids=[f"{name}-{at}" for name, at in ALL])
CASES = sorted(path.name for path in RECORDINGS.iterdir() if path.is_dir())
STEADY = settings(deadline=None, derandomize=True, max_examples=60)


def said(one: Run, approvers: str = "") -> Iterator[Message | Upload | dict[str, object]]:
    """Everything that is made of a run."""
    yield card(one, approvers=approvers, hint=approvers, now=AT + 30)
    yield from (part.content for part in thread(one))
    yield answers.shown(one)
    yield modals.plan(one)
    yield home(
        waiting=[one] * 3 if one.state == "waiting" else [], mine=[], served="by this machine", version="1.0", now=AT
    )


def test_every_state_is_there() -> None:
    """The material leaves no state out."""
    assert {one.state for life in LIVES.values() for one in life} == set(get_args(RunState))


@every_moment
def test_slack_takes_every_state(name: str, at: int) -> None:
    """Our rules and Slack's library find nothing."""
    for content in said(LIVES[name][at], "<@U0GRACE> may approve."):
        if not (isinstance(content, dict) and content["type"] == "home" and LIVES[name][at].state == "waiting"):
            assert faults(content) == [], content


@pytest.mark.parametrize("name", CASES)
def test_slack_takes_every_recorded_verdict(name: str) -> None:
    """What really was seen, also where logs are long."""
    seen = looked(RECORDINGS / name)
    one = run("waiting" if seen.plan.steps else "done", seen, says=("It says so.",))
    for content in (card(one, now=AT), *(part.content for part in thread(one))):
        assert faults(content) == [], content


@STEADY
@given(st.sampled_from(ALL), st.lists(hostile.texts, min_size=1, max_size=8), hostile.texts)
def test_whatever_a_report_says(moment: tuple[str, int], pool: list[str], approvers: str) -> None:
    """The budgets are kept, nobody's text becomes markup, and no secret is shown."""
    count = iter(range(10**9))
    name, at = moment
    one = hostile.filled(LIVES[name][at], lambda: pool[next(count) % len(pool)])
    for content in said(one, approvers):
        if isinstance(content, dict) and content["type"] == "home":
            continue
        assert faults(content) == [], (name, at)
        shown = (
            [content.text, content.says]
            if isinstance(content, Upload)
            else list(texts_in(content if isinstance(content, dict) else [content.text, *content.blocks]))
        )
        assert not any(hostile.SECRET in text for text in shown)
        if not isinstance(content, Upload):
            blocks = content["blocks"] if isinstance(content, dict) else list(content.blocks)
            assert not any(hostile.EVIL in text for text in marked(blocks))
        if isinstance(content, Message):
            assert hostile.SECRET not in content.text


@pytest.mark.parametrize("text", ["word " * 600, "<" * 2500, "\ud800" * 600])
@pytest.mark.parametrize(("name", "at"), [("word", -1), ("refused", -1), ("rolled-back", -1), ("not-verified", -1)])
def test_the_fullest_run_fits(name: str, at: int, text: str) -> None:
    """Five times as much of everything, and all of it too long."""
    one = hostile.filled(LIVES[name][at], lambda: text, 5)
    for content in (
        card(one, approvers=text, hint=text, now=AT),
        *(part.content for part in thread(one)),
        modals.plan(one),
    ):
        assert faults(content) == []


@pytest.mark.parametrize("name", LIVES)
def test_a_thread_only_grows(name: str) -> None:
    """What was said stays said, word by word, and nothing comes in between."""
    before: tuple[object, ...] = ()
    for one in LIVES[name]:
        parts = thread(one)
        assert parts[: len(before)] == before
        assert len({part.key for part in parts}) == len(parts)
        before = parts
