"""The worker is killed during a session, and whoever waits in it gets an agent again, for real."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.live.healing import Desk, wait
from tests.live.looks import looked
from tests.live.scenes import NAME
from tests.stack.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stack(machine: None) -> Iterator[Stack]:  # noqa: ARG001  # without it there is none
    """A working stack of its own, since its worker is killed."""
    with Stack(name=f"{NAME}-watch") as stack:
        yield stack


SERVED = """
[[probe]]
runbook = "agent-watch"
orders = "nothing"

[policy]
run = [{doors = ["terminal"]}, {doors = ["clock"], runbooks = ["agent-watch"]}]
auto = {agent-watch = "20/1h"}
"""


def agents(stack: Stack, room: str) -> list[str]:
    """The agents that are active in a room."""
    return [p["identity"] for p in stack.participants(room) if p["kind"] == "AGENT" and p["state"] == "ACTIVE"]


def test_whoever_waits_gets_an_agent_again(stack: Stack, tmp_path: Path) -> None:
    """A probe that is served sends one into that very room, once, and unasked; a canary beside it is in nobody's way."""
    room = "lobby"
    (stack.project / "fletcher.toml").write_text(SERVED, encoding="utf-8")
    with Desk(stack, tmp_path) as desk, stack.join(room, publish=True) as visitor:
        assert visitor.agent_came(15)
        (first,) = agents(stack, room)
        watcher = desk.serve()
        assert looked("agent-canary", stack)["light"] == "green"
        stack.docker("kill", stack.container("voice-agent"))
        killed = time.monotonic()
        stack.compose("up", "-d", "voice-agent")
        # The server lists the killed worker's agent for a while, and for that long nobody is sent.
        wait(lambda: agents(stack, room) not in ([first], []), "no agent came again", watcher, seconds=90)
        took = time.monotonic() - killed
        (second,) = agents(stack, room)
        assert second != first
        wait(lambda: desk.id.startswith("watch-RM_") and _ended(desk), "the run did not end", watcher)
        run = desk.call("show", desk.id, "--json").json
        print(f"an agent again {took:.1f} s after its worker was killed; run {desk.id}: {run['state']}", flush=True)
        assert (run["state"], desk.id.rpartition("-")[2]) == ("fixed", "1")
        assert run["order"]["inputs"]["reason"] == "try 1 of 3"
        time.sleep(12)  # for two looks more
        assert agents(stack, room) == [second]
        assert len(list((tmp_path / "runs").iterdir())) == 1
        assert run["order"]["person"]["door"] == "clock"
        watcher.terminate()
        watcher.communicate(timeout=60)


def _ended(desk: Desk) -> bool:
    return desk.call("show", desk.id, "--json").json["state"] in {"fixed", "not-verified", "failed", "rolled-back"}
