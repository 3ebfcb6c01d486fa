"""This machine's world: a clock that is the engine's, logs, containers, rooms; and what programs get of ours."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.errors import Unreachable
from bot.plan.values import Command
from bot.settings import Target
from bot.world.contract import Ended, Line
from bot.world.real import RealWorld, passed_on
from tests.doubles.engine import START, Engine
from tests.doubles.livekit_api import KEY, SECRET, LiveKit, person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine with a server and a worker."""
    with Engine() as engine:
        engine.add("livekit", image="livekit/livekit-server:v1.13.5", lines=["one", "two"], image_id="sha256:1")
        engine.add("voice-agent", env={"LIVEKIT_URL": "ws://livekit:7880"}, lines=["hello"], image_id="sha256:2")
        yield engine


@pytest.fixture
def server() -> Iterator[LiveKit]:
    """A server with one room."""
    with LiveKit() as server:
        server.room("lobby", participants=[person("uma")])
        yield server


@pytest.fixture
def world(engine: Engine, server: LiveKit, tmp_path: Path) -> Iterator[RealWorld]:
    """Both of them."""
    target = Target(docker_host=engine.host, livekit_url=server.url, api_key=KEY, api_secret=SECRET)
    with RealWorld(target, tmp_path) as world:
        yield world


# --- time and programs -------------------------------------------------------------------------------------------------


def test_the_time_is_the_engines(engine: Engine, world: RealWorld) -> None:
    """Also while it is away, as its clock went before."""
    engine.ahead = 3600.0
    assert abs(world.now() - time.time_ns() - 3600 * 10**9) < 10**9
    engine.down()
    world._clock_at = -1e9
    assert abs(world.now() - time.time_ns() - 3600 * 10**9) < 10**9


def test_without_an_engine_the_time_is_this_machines(here: Path) -> None:
    """And nothing is raised for it."""
    with RealWorld(Target(docker_host=f"unix://{here}/none.sock"), here) as world:
        assert abs(world.now() - time.time_ns()) < 10**9


def test_a_program_gets_nothing_of_ours(world: RealWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """But the way to the engine, PATH, HOME and LANG."""
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    said: list[bytes] = []
    command = Command(argv=("env",), cwd=str(tmp_path), environment={"COMPOSE_PROJECT_NAME": "demo"})
    assert world.run(command, seconds=20, tell=said.append, stop=threading.Event()) == Ended(0)
    names = {line.partition("=")[0] for line in b"".join(said).decode().splitlines()}
    assert {"PATH", "DOCKER_HOST", "COMPOSE_PROJECT_NAME"} <= names
    assert names <= {"PATH", "HOME", "LANG", "PWD", "COMPOSE_PROJECT_NAME"} | {
        n for n in os.environ if n.startswith("DOCKER_")
    } | {"DOCKER_HOST"}


@pytest.mark.parametrize(
    ("target", "environment", "gets"),
    [
        (Target(), {"DOCKER_HOST": "tcp://a"}, {"DOCKER_HOST": "tcp://a"}),
        (Target(docker_host="tcp://b"), {"DOCKER_HOST": "tcp://a", "DOCKER_CONTEXT": "c"}, {"DOCKER_HOST": "tcp://b"}),
        (Target(docker_context="c"), {"DOCKER_HOST": "tcp://a"}, {"DOCKER_CONTEXT": "c"}),
        (
            Target(docker_host="ssh://me@b"),
            {"SSH_AUTH_SOCK": "/s"},
            {"DOCKER_HOST": "ssh://me@b", "SSH_AUTH_SOCK": "/s"},
        ),
        (Target(), {"SSH_AUTH_SOCK": "/s", "LIVEKIT_API_SECRET": "x"}, {}),
    ],
)
def test_the_engine_is_the_targets(target: Target, environment: dict[str, str], gets: dict[str, str]) -> None:
    """As it was looked at, so it is acted upon."""
    assert passed_on(target, {"PATH": "/bin", **environment}) == {"PATH": "/bin", **gets}


# --- containers --------------------------------------------------------------------------------------------------------


def test_lines_come_with_the_engines_time(world: RealWorld) -> None:
    """To the nanosecond, from a time on, of one role."""
    assert list(world.log("livekit", START)) == [
        Line(START, "demo-livekit-1", b"one"),
        Line(START + 10**6, "demo-livekit-1", b"two"),
    ]
    assert [line.text for line in world.log("livekit", START + 1)] == [b"two"]
    assert [line.text for line in world.log("agent", 0)] == [b"hello"]


def test_containers_are_told_as_they_are_now(engine: Engine, world: RealWorld) -> None:
    """By their role, and by their service; one that was made anew is another one."""
    (before,) = world.instances(("voice-agent",))
    assert (before.service, before.image, before.state) == ("voice-agent", "sha256:2", "running")
    box = engine.recreate(engine.boxes[1], state="exited", exit_code=1)
    (after,) = world.instances(("voice-agent",))
    assert (after.id, after.state, after.exit_code) == (box.id, "exited", 1)
    assert after.id != before.id
    assert [m.state for m in world.machines("agent")] == ["exited"]
    assert world.instances(("no-such-service",)) == ()


def test_an_engine_that_was_restarted_is_asked_again(engine: Engine, world: RealWorld) -> None:
    """One that stays away is told."""
    assert world.instances(("livekit",))
    engine.restart()
    assert world.instances(("livekit",))
    engine.down()
    for ask in (lambda: world.instances(("livekit",)), lambda: world.log("agent", 0), lambda: world.machines("agent")):
        with pytest.raises(Unreachable):
            ask()
    engine.up()
    assert world.instances(("livekit",))


def test_an_engine_that_is_being_ended_is_not_asked_on_the_old_connection(engine: Engine, world: RealWorld) -> None:
    """A program that failed may have failed for that; as long as its containers stop it answers who is connected."""
    assert world.instances(("livekit",))
    engine.drain()
    assert world.instances(("livekit",))
    command = Command(argv=("false",), cwd="/")
    assert world.run(command, seconds=20, tell=lambda _: None, stop=threading.Event()) == Ended(1)
    with pytest.raises(Unreachable):
        world.instances(("livekit",))


# --- LiveKit -----------------------------------------------------------------------------------------------------------


def test_a_room_is_made_as_asked_and_ended(server: LiveKit, world: RealWorld) -> None:
    """With an agent, with the one without a name, and for nobody; ending one that is gone is no error."""
    world.create_room("a", agent="ganglia", metadata="m", empty_timeout=20)
    world.create_room("b", agent="", metadata="m", empty_timeout=20)
    world.create_room("c", agent=None, metadata="m", empty_timeout=20)
    asked = {room.name: room.dispatches for room in world.api(("a", "b", "c")).rooms if room.name != "lobby"}
    assert {name: [(d.agent_name, d.metadata) for d in of or ()] for name, of in asked.items()} == {
        "a": [("ganglia", "m")],
        "b": [("", "m")],
        "c": [],
    }
    assert (server.rooms["a"].metadata, server.rooms["a"].empty_timeout) == ("m", 20)
    world.delete_room("a")
    world.delete_room("a")
    assert "a" not in server.rooms


def test_an_agent_is_sent_into_a_room(world: RealWorld) -> None:
    """The id is the dispatch's own."""
    ident = world.create_dispatch("lobby", "ganglia", "mark")
    (room,) = world.api(("lobby",)).rooms
    assert [(d.id, d.metadata) for d in room.dispatches or ()] == [(ident, "mark")]


def test_the_address_is_where_the_servers_container_listens(engine: Engine, server: LiveKit, world: RealWorld) -> None:
    """Where none is set."""
    host, _, port = server.url.removeprefix("ws://").rpartition(":")
    engine.boxes[0].ports = {"7880/tcp": (host, int(port))}
    world._target = replace(world._target, livekit_url="")
    world.create_dispatch("lobby", "ganglia", "")
    assert server.calls["CreateDispatch"] == 1


CALLS: dict[str, Callable[[RealWorld], object]] = {
    "CreateRoom": lambda world: world.create_room("a", agent=None, metadata="", empty_timeout=1),
    "DeleteRoom": lambda world: world.delete_room("lobby"),
    "CreateDispatch": lambda world: world.create_dispatch("lobby", "a", ""),
}


@pytest.mark.parametrize(
    ("method", "status", "says"),
    [
        ("CreateRoom", 503, "cannot answer just now (503"),
        ("DeleteRoom", 401, "refuses the API key or its secret"),
        ("CreateDispatch", 404, "has no LiveKit API (404)"),
    ],
)
def test_a_call_that_fails_says_why(server: LiveKit, world: RealWorld, method: str, status: int, says: str) -> None:
    """In the words of the other calls."""
    server.fails[method] = (status, b"no")
    with pytest.raises(Unreachable) as caught:
        CALLS[method](world)
    assert says in str(caught.value)


def test_a_server_that_is_away_is_told(engine: Engine, tmp_path: Path) -> None:
    """And so is one that has no address."""
    engine.boxes[0].ips = ()
    for url, says in (("ws://127.0.0.1:9", "nobody listens"), ("", "no LiveKit server to ask")):
        target = Target(docker_host=engine.host, livekit_url=url, api_key=KEY, api_secret=SECRET)
        with RealWorld(target, tmp_path) as world, pytest.raises(Unreachable) as caught:
            world.create_dispatch("lobby", "a", "")
        assert says in str(caught.value)
