"""The gateway of the tests, judged by clients that Slack wrote: Bolt for JavaScript, and Bolt for Python's standard client."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.doubles.slack import ADA, GRACE, OPS, Slack, says
from tests.slack.full.parts import HERE, Parts, program
from tests.slack.full.schema import Types

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Client = Callable[[Parts, Slack], AbstractContextManager[dict[str, Any]]]

CLIENTS: dict[str, Client] = {
    "bolt for javascript": lambda parts, slack: parts.running("bolt.mjs", env=slack.environment),
    "bolt for python": lambda _, slack: program([sys.executable, HERE / "python_bolt.py"], slack.environment),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_of_slack_gets_along_with_the_gateway(name: str, parts: Parts, slack: Slack) -> None:
    """Commands, clicks, dialogs, mentions, shortcuts and the home; and connections that end are made anew."""
    with CLIENTS[name](parts, slack):
        slack.connected()
        slack.slash("diagnose <#C1|x> & co").ack()
        card = slack.card(OPS, says_="heard diagnose")
        slack.until(lambda: slack.calls("response_url", text="only you"))
        slack.click(card, "approve", GRACE).ack()
        modal = slack.modal("Deny")
        assert slack.submit(modal, {"why": "no"}).ack() == {"response_action": "errors", "errors": {"why": "too short"}}
        assert slack.submit(modal, {"why": "not now"}).ack() == {}
        mention = slack.mention("help", ADA)
        mention.ack()
        root = mention.envelope["payload"]["event"]["ts"]
        assert says(slack.until(lambda: slack.thread(OPS, root))[0]) == "mentioned"
        slack.again(mention, retry=1).ack()
        slack.shortcut(slack.write("it hangs"), user=ADA).ack()
        slack.whisper(ADA, "read it hangs")
        slack.dm("help", GRACE).ack()
        slack.home_opened(GRACE).ack()
        slack.until(lambda: GRACE in slack.homes)

        for end in (slack.disconnect, slack.cut):
            end()
            slack.connected(1, within=20)
            slack.slash(f"after {end.__name__}").ack()
            slack.card(OPS, says_=f"after {end.__name__}")
    opened = slack.calls("apps.connections.open")
    assert len(opened) >= 3
    assert all(call.answer["ok"] for call in opened)
    assert [call.method for call in slack.journal if not call.answer["ok"]] == []
    # What the gateway said is what Slack's own types say of it.
    types = Types(parts)
    assert [*filter(None, (types.said(sent.envelope) for sent in slack.sent))] == []
    answers = [call for call in slack.journal if call.method not in {"ack", "response_url", "api.test"}]
    assert [*filter(None, (types.answered(call.method, call.answer) for call in answers))] == []
