"""`fletcher diagnose --follow` tells each room of a real stack once, whatever restarts, on the host and in the image."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.live.follower import Follower
from tests.live.incidents import second_in_the_room
from tests.live.scenes import NAME
from tests.stack.progress import StackError
from tests.stack.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

HEALTHY = [("healthy", None)]


@pytest.fixture(scope="module")
def stack(machine: None) -> Iterator[Stack]:  # noqa: ARG001  # without it there is none
    """A working stack of its own, since the incidents' logs shall hold nothing but incidents."""
    with Stack(name=f"{NAME}-follow", settle=False) as stack:
        yield stack


@pytest.fixture(scope="module")
def follower(stack: Stack) -> Iterator[Follower]:
    """One that is there through all that happens here."""
    with Follower(stack) as follower:
        yield follower


@contextmanager
def served(stack: Stack, room: str) -> Iterator[str]:
    """A room with its agent, by its name; a worker that is too busy just then is asked again, for another room."""
    for number in range(4):
        name = f"{room}-{number}"
        with stack.join(name, publish=True) as visitor:
            if visitor.agent_came(8):
                yield name
                return
        time.sleep(5)  # two reports of load later
    raise StackError(f"no room of {room} got its agent")


def serve(stack: Stack, room: str) -> str:
    """Make a room that gets its agent, and end it: an agent that is left alone comes back to a server that restarts."""
    with served(stack, room) as name:
        pass
    stack.delete_room(name)
    return name


@contextmanager
def coming_back(stack: Stack) -> Iterator[None]:
    """Let something restart server or worker, then wait until both are there again."""
    began = time.time_ns()
    yield
    stack.wait_for_server()
    stack.wait_registered(since=began)


def no_room_twice(follower: Follower) -> bool:
    """Whether each room was told once."""
    return len(follower.rooms) == len(set(follower.rooms))


def test_each_room_is_told_when_it_can_be_judged(stack: Stack, follower: Follower) -> None:
    """One that gets its agent, and one that was there before anybody asked for an agent."""
    assert follower.told(serve(stack, "served")) == HEALTHY
    with second_in_the_room(stack, "there-already"):
        assert follower.told("there-already") == [("cause", "room-already-existed")]
    assert no_room_twice(follower)
    assert [line for line in follower.said if "ending after this look" not in line] == []


def test_a_server_that_restarts_ends_nothing(stack: Stack, follower: Follower) -> None:
    """It goes on, tells what comes after, and nothing again that came before."""
    before = serve(stack, "before-the-server")
    with coming_back(stack):
        stack.docker("restart", stack.container("livekit"))
    after = serve(stack, "after-the-server")
    assert follower.told(before) == HEALTHY
    assert follower.told(after) == HEALTHY
    assert no_room_twice(follower)
    assert [line for line in follower.said if "ending after this look" not in line] == []


def test_an_engine_that_restarts_ends_nothing(stack: Stack, follower: Follower) -> None:
    """It tells what was logged before, and after, once; that the engine is away, if a look fell into it, and back."""
    before = serve(stack, "before-the-engine")
    with coming_back(stack), stack.without_engine():
        pass
    after = serve(stack, "after-the-engine")
    assert follower.told(before) == HEALTHY
    assert follower.told(after) == HEALTHY
    assert len(follower.heard("waiting for it")) == len(follower.heard("it is back")) <= 1
    assert no_room_twice(follower)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_a_summary(stack: Stack, by: signal.Signals) -> None:
    """Ending it is how it ends: code 0, and what was seen."""
    room = f"before-{by.name}"
    with stack.join(room), Follower(stack) as follower:
        assert len(follower.told(room)) == 1
        assert follower.end(by) == 0
    assert sum(one["count"] for one in follower.rows[-1]["summary"]) >= 1
    assert [line for line in follower.said if "ending after this look" not in line] == []


@pytest.mark.parametrize("socket", [True, False], ids=["with-the-socket", "without-its-group"])
def test_the_compose_service_tells_rooms(stack: Stack, monkeypatch: pytest.MonkeyPatch, socket: bool) -> None:  # noqa: FBT001
    """It is not root; without a right to the socket it says so once, and goes on with what the API tells."""
    if not socket:
        monkeypatch.setenv("DOCKER_GID", "65533")
    stack.build_fletcher()
    stack.compose("up", "--detach", "--no-build", "--force-recreate", "watch")
    wait_for_words(stack, "Watching.")
    with served(stack, f"in-the-image-{socket}".lower()) as room:
        log = wait_for_words(stack, room)
    told = [line for line in log.splitlines() if room in line]
    assert [line.partition("  ")[0] for line in told] == ["HEALTHY"], log
    assert log.count("no permission for the Docker socket") == (0 if socket else 1), log
    state = "{{.State.Status}} {{.RestartCount}} {{.Config.User}}"
    words = stack.docker("inspect", "--format", state, stack.container("watch")).split()
    assert words[:2] == ["running", "0"], log
    assert words[2].partition(":")[0] not in {"", "0", "root"}


def wait_for_words(stack: Stack, words: str, seconds: float = 60) -> str:
    """Wait until the compose service has printed these words, and return all that it has."""
    until = time.monotonic() + seconds
    while words not in (log := stack.logs("watch").decode()) and time.monotonic() < until:
        time.sleep(0.3)
    return log
