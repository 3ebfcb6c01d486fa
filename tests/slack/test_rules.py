"""Our rules find what Slack refuses and its own library does not; and text is cut as they want it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.report.slack.budget import clean, cut, escaped, rows
from bot.report.slack.message import Message
from bot.report.slack.rules import broken
from tests.slack import hostile

if TYPE_CHECKING:
    from bot.report.slack.message import Block

Json = dict[str, Any]


def text(said: str, kind: str = "plain_text") -> Json:
    """A text object."""
    return {"type": kind, "text": said}


def section(said: str = "x", **more: Any) -> Block:  # noqa: ANN401  # JSON
    """A section."""
    return {"type": "section", "text": text(said, "mrkdwn"), **more}


def actions(*elements: Json) -> Block:
    """A row of buttons."""
    return {"type": "actions", "elements": list(elements)}


def button(**more: Any) -> Json:  # noqa: ANN401  # JSON
    """A button."""
    return {"type": "button", "action_id": "a", "text": text("x"), "value": "v", **more}


def rich(*parts: Json) -> Block:
    """Rich text."""
    return {"type": "rich_text", "elements": list(parts)}


def line(said: str) -> Json:
    """A line of it."""
    return {"type": "rich_text_section", "elements": [text(said, "text")]}


def modal(*blocks: Block, **more: Any) -> Json:  # noqa: ANN401  # JSON
    """A view."""
    return {"type": "modal", "title": text("t"), "blocks": list(blocks) or [section()], **more}


FIELD: Json = {"type": "input", "label": text("x"), "element": {"type": "plain_text_input", "action_id": "a"}}


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ([section()] * 46, "46 blocks"), ([section("x" * 2901)], "section has 2901"), ([section("x" * 2900)] * 4, "11600 characters in all"),
        ([section(block_id="a"), section(block_id="a")], "block_id 'a' is there 2 times"), ([section(block_id="a" * 256)], "block_id has 1 to 255"),
        ([actions(button(), button())], "action_id 'a' is there 2 times"), ([actions(button(text=text("x" * 76)))], "button has 76"),
        ([actions(button(value="v" * 2001))], "longer than 2000"), ([actions(button(url="u" * 3001))], "longer than 3000"), ([actions()], "1 to 25 elements"),
        ([actions(*(button(action_id=str(n)) for n in range(26)))], "1 to 25 elements"), ([actions(button(confirm={"title": text("x" * 101)}))], "confirm's title"),
        ([actions(button(action_id="cancel", style="danger"))], "without confirm"), ([{"type": "header", "text": text("x" * 151)}], "header has 151"),
        ([{"type": "context", "elements": [text("x")] * 11}], "1 to 10 elements"), ([{"type": "context", "elements": [text("")]}], "an empty text"),
        ([section(fields=[text("x")] * 11)], "11 fields"), ([section(fields=[text("x" * 2001)])], "field has 2001"), ([{"type": "section"}], "without text"),
        ([rich()], "without a part"), ([rich({"type": "rich_text_section", "elements": []})], "without an element"), ([rich(line("x" * 2901))], "has 2901"),
        ([rich(line("\ud800"))], "half a letter"), ([{"type": "alert", "text": text("x")}], "does not belong there"), ([FIELD], "does not belong there"),
        ([{"type": "table", "rows": [[]] * 101}], "at most 100 rows"), ([{"type": "task_card"}], "does not belong there"),
    ],
)  # fmt: skip
def test_a_message_that_slack_would_refuse(blocks: list[Block], says: str) -> None:
    """Each with what is wrong in it."""
    assert any(says in one for one in broken(Message("x", tuple(blocks)))), broken(Message("x", tuple(blocks)))


@pytest.mark.parametrize(
    ("said", "says"), [("x" * 4001, "text has 4001"), ("", "text is empty"), ("<!channel> look", "mentions everybody")]
)
def test_a_text_that_slack_would_refuse_or_shout(said: str, says: str) -> None:
    """`chat.update` takes no more than 4000."""
    assert says in broken(Message(said))[0]


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (modal(title=text("x" * 25)), "title has 25"), (modal(submit=text("")), "submit is empty"), (modal(private_metadata="x" * 3001), "private_metadata"),
        (modal(callback_id="x" * 256), "callback_id"), (modal(FIELD), "needs submit"), (modal(*[section()] * 101), "1 to 100 blocks"),
        ({"type": "panel", "blocks": [section()]}, "a modal or a home"), (modal(*[section("x" * 2900)] * 20), "characters in all blocks"),
        (modal({**FIELD, "element": {**FIELD["element"], "max_length": 3001}}, submit=text("x")), "at most 3000"),
        (modal({**FIELD, "element": {**FIELD["element"], "placeholder": text("x" * 151)}}, submit=text("x")), "placeholder has 151"),
    ],
)  # fmt: skip
def test_a_view_that_slack_would_refuse(view: Json, says: str) -> None:
    """Each with what is wrong in it."""
    assert any(says in one for one in broken(view)), broken(view)


def test_what_is_right_is_not_broken() -> None:
    """So that nothing is degraded for nothing."""
    blocks = (
        section(block_id="a"),
        actions(button()),
        rich(line("x")),
        {"type": "context", "elements": [text("x")]},
        {"type": "divider"},
    )
    assert broken(Message("x", blocks)) == ()
    assert broken(modal(FIELD, submit=text("Send"))) == ()


@given(hostile.texts, st.integers(1, 200))
@example("<" * 500, 100)
@example("\ud800" * 300, 100)
def test_text_is_cut_within_its_limit(said: str, limit: int) -> None:
    """Also where an escape makes it longer, and never within one."""
    assert len(clean(said, limit)) <= limit
    told = escaped(said, limit)
    assert len(told) <= limit
    told.encode()
    assert "<" not in told
    assert told.count("&") == sum(told.count(mark) for mark in ("&amp;", "&lt;", "&gt;"))


@given(st.lists(st.text(max_size=60).map(clean), max_size=80), st.integers(1, 30), st.integers(40, 500))
def test_lines_are_cut_at_their_end(lines: list[str], most: int, limit: int) -> None:
    """What is kept is the beginning, whole; the last line says how many there are besides."""
    told = cut(lines, most=most, limit=limit)
    assert len(told) <= limit
    kept = told.split("\n") if told else []
    left = len(lines)
    if kept and kept[-1].startswith("… "):
        left = int(kept.pop().split()[1])
        assert kept == lines[: len(lines) - left]
    else:
        assert kept == lines or told == ""


def test_a_secret_of_several_lines_is_not_shown() -> None:
    """It is known by its lines, so it is looked for before they are joined."""
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----"
    assert "MIIEvQ" not in clean(key)
    assert "MIIEvQ" not in "".join(rows(key))
