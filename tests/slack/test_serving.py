"""`fletcher serve` as a process: with Slack where its tokens are set, and with the terminal alone where they are not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.doors.slack.tokens import Tokens, tokens
from bot.errors import UsageError
from bot.settings import Value
from tests.doubles.slack import ADA, APP_TOKEN, BOT_TOKEN, Slack
from tests.fletcher import fletcher

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def serve(here: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that serves this folder, until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "serve"], cwd=here, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **environment},
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def says(process: subprocess.Popen[str]) -> str:
    """The next line of its log about Slack: that it serves may come before or after."""
    assert process.stderr is not None
    told = "serves from"
    while told.startswith("serves from"):
        told = json.loads(process.stderr.readline())["says"]
    return told


def test_without_tokens_the_terminal_is_the_only_door(here: Path) -> None:
    """It serves, and says so."""
    with serve(here, {}) as process:
        assert "the terminal is the only door" in says(process)


def test_with_tokens_it_is_in_slack(here: Path) -> None:
    """From the environment or from `.env`; what is typed there is answered, and no token is in the log."""
    with Slack() as slack:
        environment = dict(slack.environment)
        (here / ".env").write_text(f"SLACK_APP_TOKEN={environment.pop('SLACK_APP_TOKEN')}\n", encoding="utf-8")
        with serve(here, environment) as process:
            assert says(process) == "connected to Slack: Fletcher as @fletcher"
            slack.connected(2)
            slack.slash("status").ack()
            slack.whisper(ADA, "carried out by fletcher serve (process")
            process.send_signal(signal.SIGTERM)
            assert process.stderr is not None
            assert BOT_TOKEN not in process.stderr.read()
        slack.until(lambda: slack.connections == 0)


def test_a_slack_that_is_not_there_stops_nothing(here: Path) -> None:
    """It serves all the same, and says what it could not reach."""
    environment = {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_API_URL": "http://127.0.0.1:1/"}
    with serve(here, environment) as process:
        assert says(process).startswith("no connection to Slack; auth.test:")
        assert fletcher("serve", "--check").code == 0


def value(text: str) -> Value:
    """As the environment sets it."""
    return Value(text, "the environment")


GOOD = {"SLACK_BOT_TOKEN": value("xoxb-1"), "SLACK_APP_TOKEN": value("xapp-1")}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"SLACK_BOT_TOKEN": None}, "SLACK_APP_TOKEN is set (the environment) and SLACK_BOT_TOKEN is not"),
        ({"SLACK_APP_TOKEN": None}, "SLACK_BOT_TOKEN is set (the environment) and SLACK_APP_TOKEN is not"),
        ({"SLACK_BOT_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN (the environment) is no such token: one begins with xoxb-"),
        ({"SLACK_APP_TOKEN": "xoxp-1"}, "SLACK_APP_TOKEN (the environment) is no such token: one begins with xapp-"),
        ({"SLACK_API_URL": "slack.com"}, "SLACK_API_URL (the environment) must begin with https:// or http://"),
    ],
)
def test_tokens_that_are_none_are_said_so(change: dict[str, str | None], why: str) -> None:
    """Which one, where it is set, and never its value."""
    known = {**GOOD, **{name: value(text) for name, text in change.items() if text is not None}}
    for name, text in change.items():
        if text is None:
            del known[name]
    with pytest.raises(UsageError) as refused:
        tokens(known)
    assert why in str(refused.value)


def test_tokens_are_found(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None, both, and Slack elsewhere; `fletcher serve` refuses half of them."""
    assert tokens({}) is None
    assert tokens(GOOD) == Tokens("xoxb-1", "xapp-1")
    assert tokens({**GOOD, "SLACK_API_URL": value("http://127.0.0.1/")}) == Tokens(
        "xoxb-1", "xapp-1", "http://127.0.0.1/"
    )
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    assert (here.exists(), fletcher("serve").code) == (True, 2)
