"""Fletcher is right about a real server and a real worker, from files that were copied off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fletcher import Reply, diagnose

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack.stack import Stack

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

MATURE = 8.0  # seconds: the server may need five for its line about a name that nobody has


def copied_off(stack: Stack, folder: Path, room: str) -> Reply:
    """What Fletcher says about the room, from the logs and the project alone.

    The visitor has left by then: for files, time ends with their last line.
    """
    logs = stack.copy_logs(folder)
    said: list[str | Path] = [
        "--server-log",
        logs["livekit"],
        "--agent-log",
        logs["voice-agent"],
        "--project",
        stack.sources,
    ]
    return diagnose(*said, "--room", room)


def test_a_named_worker_is_healthy_whatever_the_noise(stack: Stack, tmp_path: Path) -> None:
    """The line about JT_PARTICIPANT is there, and the room is healthy."""
    stack.fail("none")
    with stack.join("healthy-room", publish=True) as visitor:
        assert visitor.agent_came()
        assert visitor.wait("published", 5)
        visitor.wait("left", MATURE)
    reply = copied_off(stack, tmp_path, "healthy-room")
    noise = b"not dispatching agent job since no worker is available"
    assert noise in (tmp_path / "livekit.log").read_bytes()
    assert reply.row("healthy-room")["verdict"] == "healthy"


def test_a_token_that_asks_for_nobody(stack: Stack, tmp_path: Path) -> None:
    """A token without a dispatch is named as the cause where the worker has a name."""
    stack.fail("dispatch-missing")
    with stack.join("silent-room") as visitor:
        assert not visitor.agent_came(MATURE)
    reply = copied_off(stack, tmp_path, "silent-room")
    assert reply.row("silent-room")["cause"] == "dispatch-missing"


def test_a_worker_that_reports_too_much_load(stack: Stack, tmp_path: Path) -> None:
    """A worker that the server passes over because of its load is named as the cause."""
    stack.fail("load-refused")
    with stack.join("refused-room") as visitor:
        assert not visitor.agent_came(MATURE)
    reply = copied_off(stack, tmp_path, "refused-room")
    assert reply.row("refused-room")["cause"] == "load-refused"
