"""A run is broken off in its middle, by the end of who carries it out, of the engine or of the server; nothing is lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.healing import AGENT_SOURCE, NEVER, Desk, comes, container, kill, ordered, reply, slowly, wait, waiting
from tests.live.scenes import NAME
from tests.stack.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

BUILDS = "RUN sleep"  # words of the build while it does
REST = "Fletcher, and nobody"  # what goes on in a run that is broken off beside what it waits for


@pytest.fixture(scope="module")
def stack(machine: None) -> Iterator[Stack]:  # noqa: ARG001  # without it there is none
    """One stack for all of it, whose agent nobody asks for; a build takes long enough to be broken off."""
    with Stack(name=f"{NAME}-broken-off", settle=False) as stack:
        yield stack


@pytest.fixture
def desk(stack: Stack, tmp_path: Path) -> Iterator[Desk]:
    """Somebody who will have the agent's name removed, since the token asks for nobody."""
    stack.fail("dispatch-missing", settle=False)
    slowly(stack)
    with Desk(stack, tmp_path) as desk:
        yield desk


def order(room: str) -> tuple[str, ...]:
    """The order of which every run here is."""
    return ordered(NEVER, "--room", room, "--input", "remedy=auto-dispatch")


def shown(desk: Desk) -> Any:  # noqa: ANN401  # JSON
    """The newest run as it is kept."""
    return json.loads(desk.call("show", desk.id, "--json").out)


def attempts(run: Any) -> dict[str, int]:  # noqa: ANN401  # JSON
    """How often each step was begun."""
    return {row["name"]: row["attempts"] for row in run["steps"] if row["attempts"]}


def once(desk: Desk, run: Any) -> None:  # noqa: ANN401  # JSON
    """The run has healed, without a step that was done twice, and its audit is whole."""
    assert (run["state"], run["proof"]["result"]) == ("fixed", "holds")
    assert set(attempts(run).values()) == {1}
    assert desk.call("audit", "verify").code == 0
    assert comes(desk.stack, f"{run['order']['rooms'][0]}-next")


def test_a_served_run_goes_on_whatever_becomes_of_its_executor(desk: Desk) -> None:
    """`serve` is killed in the rebuild, ended gently in the next one, and killed in the proof; who waits sees it healed."""
    stack = desk.stack
    with waiting(stack, "served"):
        first = desk.serve()
        asked = desk.begin(*order("served"))
        desk.happens(BUILDS, asked)
        kill(first)
        wait(lambda: not building(stack), "the build goes on without anybody")
        status = json.loads(desk.call("status", "--json").out)
        assert (status["executor"], [row["state"] for row in status["runs"]]) == (None, ["running"])

        second, before = desk.serve(), len(desk.events())
        desk.happens(BUILDS, second, after=before)
        second.send_signal(signal.SIGTERM)
        ended = reply(second)
        assert ended.code == 0, ended.err  # between two steps: the rebuild was ended first
        left = shown(desk)
        assert (left["state"], left["proof"]) == ("running", None)
        assert next(row["state"] for row in left["steps"] if row["name"] == "rebuild-agent") == "done"

        third = desk.serve()
        wait(lambda: assigned(desk), "no agent was asked for", third)
        kill(third)
        assert shown(desk)["proof"] is None

        fourth = desk.serve()
        run = desk.ended(reply(asked), rest=REST)
        fourth.send_signal(signal.SIGTERM)
        assert reply(fourth).code == 0
    once(desk, run)
    assert any("of a proof that was broken off is ended" in event.get("text", "") for event in desk.events())


def test_what_is_ended_gently_is_taken_back_and_what_is_killed_is_gone_on_with(desk: Desk) -> None:
    """Without `serve`: TERM in the rebuild cancels; with -9 before it, in it and after it the next start goes on from there."""
    source = desk.stack.sources / AGENT_SOURCE
    before, ran = source.read_bytes(), container(desk.stack)
    with waiting(desk.stack, "killed"):
        gentle = desk.begin(*order("killed"))
        desk.happens(BUILDS, gentle)
        gentle.send_signal(signal.SIGTERM)
        assert desk.ended(reply(gentle), code=1, rest=REST)["state"] == "cancelled"
        assert (source.read_bytes(), container(desk.stack)) == (before, ran)

        first = desk.begin(*order("killed"))
        wait(lambda: source.read_bytes() != before, "it did not patch", first)
        kill(first)
        assert shown(desk)["state"] == "running"
        for words in (BUILDS, "rebuild-agent done"):
            told = len(desk.events())
            next_one = desk.begin("resume", desk.id, "--json")
            desk.happens(words, next_one, after=told)
            kill(next_one)
            assert (shown(desk)["state"], shown(desk)["proof"]) == ("running", None)
        run = desk.ended(desk.call("resume", desk.id, "--json"), rest=REST)
    once(desk, run)


def test_a_server_that_restarts_meanwhile_refutes_nothing(desk: Desk) -> None:
    """While the agent is rebuilt, once it has registered, and while it has to stay: what is gone is proven anew."""
    stack = desk.stack
    with waiting(stack, "restarted"):
        run = desk.begin(*order("restarted"))
        desk.happens(BUILDS, run)
        stack.docker("restart", "--time", "1", stack.container("livekit"))
        desk.happens("the worker registered as", run)
        stack.docker("restart", "--time", "1", stack.container("livekit"))
        wait(lambda: assigned(desk), "no agent was asked for", run)
        stack.docker("restart", "--time", "1", stack.container("livekit"))
        healed = desk.ended(reply(run), rest=REST)
    once(desk, healed)


def test_an_engine_that_ends_in_the_middle_of_a_rebuild_is_waited_for(desk: Desk) -> None:
    """Ended gently, then killed: nobody can tell what runs, so the run waits for a person, and heals once it is back."""
    stack = desk.stack
    with waiting(stack, "engine"):
        first = desk.begin(*order("engine"))
        desk.happens(BUILDS, first)
        with stack.without_engine(signal.SIGTERM):
            left = desk.ended(reply(first), code=3, rest=REST)
        assert left["state"] == "unknown"
        assert "docker compose ps" in left["says"][-1]
        again, before = desk.begin("resume", desk.id, "--json"), len(desk.events())
        desk.happens(BUILDS, again, after=before)
        with stack.without_engine(signal.SIGKILL):
            left = desk.ended(reply(again), code=3, rest=REST)
        assert left["state"] == "unknown"
        run = desk.ended(desk.call("resume", desk.id, "--json"), rest=REST)
    once(desk, run)


def assigned(desk: Desk) -> bool:
    """Whether the server has sent for an agent into the room of the newest run's proof."""
    room = f"fletcher-canary-{desk.id[:8]}".encode()
    return any(b"assigned job" in line and room in line for line in desk.stack.logs("livekit").splitlines())


def building(stack: Stack) -> bool:
    """Whether a program of compose works on this stack's project."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, folder = (process / "cmdline").read_bytes(), (process / "cwd").readlink()
        except OSError:
            continue
        if b"compose\0build" in words and folder == stack.project:
            return True
    return False
