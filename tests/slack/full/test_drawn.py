"""Every state of a run as it is drawn, also those that a walk does not come to, judged by the types that Slack publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.report.slack.alert import alert
from bot.report.slack.home import home
from bot.report.slack.message import Message, Upload
from tests.slack.full.schema import Types
from tests.slack.test_alert import EVERY, NOW
from tests.slack.test_states import LIVES, said

if TYPE_CHECKING:
    from tests.slack.full.parts import Parts


@pytest.mark.timeout(240)
def test_every_state_is_of_slacks_types(parts: Parts) -> None:
    """Cards, threads, dialogs and homes of every moment; and what is none of Slack's types is refused."""
    types = Types(parts)
    drawn = [content for life in LIVES.values() for run in life for content in said(run, "<@U0GRACE> may approve.")]
    drawn += [alert(one, NOW) for one in EVERY.values()]
    drawn.append(
        home(waiting=(), mine=(), served="x", version="1", now=NOW, probes=[one.standing for one in EVERY.values()])
    )
    told = set()
    for content in drawn:
        if isinstance(content, Message):
            told.add(
                types.asked(
                    "chat.update", {"channel": "C1", "ts": "1.1", "text": content.text, "blocks": [*content.blocks]}
                )
            )
        elif not isinstance(content, Upload):
            told.add(types.asked(str(content["type"]), content))
    assert told == {""}
    for wrong in (
        {"type": "sektion"},
        {"type": "actions", "elements": [{"type": "button", "text": "no object", "action_id": "a"}]},
    ):
        assert types.asked("chat.update", {"channel": "C1", "ts": "1.1", "text": "x", "blocks": [wrong]})
