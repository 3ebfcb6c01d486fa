"""`fletcher watch`, from a room whose people wait to the agent that is there again: a real engine, a real socket."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from bot.probes import abandoned
from tests.doubles.livekit_api import LiveKit, agent, dispatch, person
from tests.fletcher import fletcher
from tests.probes.staged import Staged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.message import Message

SECRET_DATA = '{"customer": "c-17"}'


class Serving(LiveKit):
    """A server whose worker brings its agent a moment after it was sent for."""

    def _dispatched(self, asked: Any, grants: dict[str, Any]) -> Message | None:  # noqa: ANN401  # its own message
        made = super()._dispatched(asked, grants)
        came = agent("AJ_2", asked.agent_name, joined=self.now)
        threading.Timer(0.3, lambda: self.inside[asked.room][0].append(came)).start()
        return made


@pytest.fixture
def server(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveKit]:
    """The deployment of this folder: an API, no engine, and a room in which somebody waits."""
    monkeypatch.setattr(abandoned, "_SURE", 0.8)
    monkeypatch.setattr("bot.doors.watch._EVERY", 1.0)
    with Serving() as made:
        for name, value in Staged(made, here).server_environment.items():
            monkeypatch.setenv(name, value)
        old = time.time() - 90
        made.room("call", room_id="RM_call", created=old, participants=[person("uma", joined=old)],
                  dispatches=[dispatch("desk", jobs=1, created=old, metadata=SECRET_DATA)])  # fmt: skip
        yield made


def test_the_room_gets_its_agent_again(server: LiveKit) -> None:
    """Once, by a run that says why; the agent is handed what the first was, with our mark, and nobody else reads that."""
    reply = fletcher("watch", "--once", "--yes")
    assert reply.code == 1, reply.out + reply.err
    assert "without an agent just now" in reply.out
    assert 'try 1 of 3 for room "call"' in reply.out
    assert server.calls["CreateDispatch"] == 1
    made = server.inside["call"][1][-1]
    assert made.agent_name == "desk"
    assert json.loads(made.metadata) == {"customer": "c-17", "fletcher": "watch-RM_call-1/send-agent"}
    run = fletcher("show", "watch-RM_call-1", "--json")
    assert run.json["state"] in {"fixed", "not-verified"}, reply.out
    assert run.json["order"]["inputs"]["reason"] == "try 1 of 3"
    assert "c-17" not in reply.out + run.out
    again = fletcher("watch", "--once", "--yes", "--json")
    assert (again.code, server.calls["CreateDispatch"]) == (0, 1), again.out
    assert json.loads(again.out.splitlines()[0])["light"] == "green"


def test_an_agent_that_goes_between_two_looks_is_looked_for_once_more(server: LiveKit) -> None:
    """What is not clear after the second look is none of what `--once` may end with."""
    server.inside["call"][0].append(agent("AJ_1", "desk"))

    def goes() -> None:
        while not server.calls["ListParticipants"]:
            time.sleep(0.05)
        time.sleep(0.3)
        server.inside["call"][0][:] = [person("uma", joined=server.now - 90)]

    threading.Thread(target=goes, daemon=True).start()
    reply = fletcher("watch", "--once", "--yes")
    assert "has its agent" in reply.out
    assert (reply.code, server.calls["CreateDispatch"]) == (1, 1), reply.out + reply.err


def test_without_yes_and_a_terminal_nobody_is_sent(server: LiveKit) -> None:
    """It shows what it would do, and the run says what is missing; nothing is tried a second time in this call."""
    reply = fletcher("watch", "--once")
    assert reply.code == 1
    assert "--yes answers for a script" in reply.out
    assert server.calls["CreateDispatch"] == 0
    assert fletcher("show", "watch-RM_call-1", "--json").json["state"] == "declined"


SERVED = """
[[probe]]
runbook = "agent-watch"
every = "2s"
orders = "nothing"

[policy]
run = [{doors = ["terminal"]}, {doors = ["clock"], runbooks = ["agent-watch"]}]
auto = {agent-watch = "20/1h"}
"""


def test_a_served_probe_sends_an_agent_by_itself(server: LiveKit, here: Path, checkout: Path) -> None:
    """With a policy that lets the clock do so unasked: no terminal, no approval, one dispatch."""
    (here / "fletcher.toml").write_text(SERVED, "utf-8")
    environment = {**Staged(server, here).server_environment, "PYTHONPATH": str(checkout), "PATH": "/usr/bin:/bin"}
    words = [sys.executable, "-m", "bot", "serve"]
    with subprocess.Popen(words, cwd=here, env=environment, stderr=subprocess.PIPE, text=True) as served:
        try:
            until = time.monotonic() + 40
            while served.poll() is None and time.monotonic() < until and not server.calls["CreateDispatch"]:
                time.sleep(0.1)
            while time.monotonic() < until and _state() not in {"fixed", "not-verified"}:
                time.sleep(0.3)
        finally:
            served.send_signal(signal.SIGTERM)
            said = served.communicate(timeout=30)[1]
    assert server.calls["CreateDispatch"] == 1, said
    run = fletcher("show", "watch-RM_call-1", "--json").json
    assert (run["state"] in {"fixed", "not-verified"}, run["order"]["person"]["door"]) == (True, "clock"), run
    assert [row["id"] for row in json.loads(fletcher("runs", "--json").out)] == ["watch-RM_call-1"]


def _state() -> str:
    reply = fletcher("show", "watch-RM_call-1", "--json")
    return str(reply.json["state"]) if reply.code in {0, 1, 3, 4} and reply.out else ""


#: Who else is in the room, and what is said of the plan: its refusal, or "" where an agent would be sent.
PLANNED = {
    "nobody": ([], ""),
    "its agent": ([agent("AJ_1", "desk")], "nothing is left to do"),
    "an agent that joins": ([agent("AJ_1", "desk", state="JOINED")], "nothing is left to do"),
}


@pytest.mark.parametrize("case", PLANNED)
def test_by_hand_it_is_planned_for_whom_the_room_was_promised(server: LiveKit, case: str) -> None:
    """The name is found by the API; where an agent is there or on its way, none is sent after it."""
    people, refused = PLANNED[case]
    server.inside["call"][0].extend(people)
    for number in range(30):  # of many rooms the one that is named is looked into all the same
        server.room(f"young-{number}", participants=[person("u")])
    plan = fletcher("plan", "agent-watch", "--room", "call", "--json").json
    assert (refused in plan["refused"], bool(plan["refused"])) == (True, bool(refused)), plan["refused"]
    if not refused:
        (step,) = plan["steps"]
        assert step["does"] == 'asks the LiveKit API for "desk" in room "call" (CreateDispatch)'
        assert (plan["effect"], plan["inputs"]["metadata"]) == ("change", "as-before")
        assert "c-17" not in json.dumps(plan)


@pytest.mark.parametrize("tries", ["0", "21", "many", "-1"])
def test_what_is_asked_wrongly_is_said(server: LiveKit, tries: str) -> None:  # noqa: ARG001  # it must not be asked
    """A number of tries that is none."""
    reply = fletcher("watch", f"--tries={tries}")
    assert (reply.code, "--tries must be a number from 1 to 20" in reply.err) == (2, True)
