"""Fletcher before a Slack that is not ours: an emulator keeps what is said, and Slack's own types judge every word of it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bot.report.slack.message import Message
from tests.doubles.slack import ADA, GRACE, LIN, OPS, Slack, says
from tests.slack.full.emulated import Emulated, seed
from tests.slack.full.schema import Types
from tests.slack.full.walk import walk
from tests.slack.judges import faults
from tests.slack.served import PERSONS, POLICY, Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.doubles.slack_methods import Call
    from tests.slack.full.parts import Parts

#: How the entries of a thread begin.
BEGINS = ("Verdict: ", "The plan of ", "Approved by grace", "4 steps were carried out", "Proof (run ", "Fixed: ")
#: Calls that have no arguments to judge.
PLAIN = {"apps.connections.open", "auth.test"}


@contextmanager
def workspace(store: str, parts: Parts) -> Iterator[Slack]:
    """A workspace whose messages are kept by ours, or by the emulator."""
    if store == "ours":
        with Slack() as slack:
            yield slack
        return
    with parts.running("emulate.mjs", json.dumps(seed())) as said:
        emulated = Emulated(said["url"])
        with Slack(emulated) as slack:
            slack.run(emulated.learn())
            yield slack


@pytest.mark.timeout(240)
@pytest.mark.parametrize("store", ["ours", "the emulator's"])
def test_everything_that_is_said_is_as_slack_wants_it(here: Path, parts: Parts, store: str) -> None:
    """Over every verb, state, dialog and view: nothing is refused, and no judge finds anything in what was sent."""
    with workspace(store, parts) as slack:
        settings = PERSONS + POLICY
        for one in (ADA, GRACE, LIN):
            settings = settings.replace(one, slack.store.users[one].id)
        with Served(here, slack, settings) as served:
            ended = walk(served, slack)
            assert [served.front.show(run).state for run in ended.values()] == [*ended]
            _read_back(slack, ended["fixed"])
        refused = [(call.method, call.args, call.answer) for call in slack.journal if not call.answer["ok"]]
        assert refused == []
        types = Types(parts)
        assert sorted({*filter(None, (wrong(types, call) for call in slack.journal))}) == []
        assert [*filter(None, (types.said(sent.envelope) for sent in slack.sent))] == []
        asked = {call.method for call in slack.journal}
        assert {
            "chat.postMessage",
            "chat.update",
            "views.open",
            "views.update",
            "views.publish",
            "files.completeUploadExternal",
        } <= asked


def _read_back(slack: Slack, run: str) -> None:
    """What a person reads in the thread of the run, from whoever keeps the messages."""
    (card,) = [m for m in slack.roots(OPS) if run in str(m)]
    # A channel takes about one message in a second, and all the runs tell their threads there.
    slack.until(lambda: any("report" in str(m).lower() for m in slack.thread(OPS, card["ts"])), 90)
    told = [says(one) for one in slack.thread(OPS, card["ts"])]
    begins = [next((word for word in BEGINS if text.startswith(word)), text) for text in told]
    assert begins == [*BEGINS], told
    assert "fixed" in says(card).lower()


def wrong(types: Types, call: Call) -> str:
    """What is wrong with what was sent."""
    if call.method in PLAIN:
        return ""
    method, args = call.method, call.args
    if method == "response_url":  # a message to the channel that the address stands for, and whom to show it to
        method, own = "chat.postMessage", {"user", "response_type", "replace_original"}
        args = {"channel": OPS} | {name: value for name, value in args.items() if name not in own}
    if told := types.asked(method, args):
        return told
    judged = [args["view"]] if "view" in args else []
    if "text" in args:
        judged.append(Message(args["text"], tuple(args.get("blocks") or ())))
    return "; ".join(fault for one in judged for fault in faults(one))
