"""The LiveKit API as it is asked: over a real socket, with everything that can go wrong there."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from bot.errors import Unreachable
from bot.evidence.livekit_api import ask
from bot.settings import Target
from tests.doubles.livekit_api import KEY, SECRET, LiveKit, agent, dispatch, person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.livekit.seen import ApiSeen

FROM = (("livekit_url", ".env:1"), ("api_key", ".env:2"), ("api_secret", ".env:3"))


@pytest.fixture
def server() -> Iterator[LiveKit]:
    """A server that nothing is wrong with."""
    with LiveKit() as running:
        yield running


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine's way out is."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def asked(
    server: LiveKit, *rooms: str, url: str = "", key: str = KEY, secret: str = SECRET, timeout: float = 4.0
) -> ApiSeen:
    """What is seen of this server."""
    target = Target(livekit_url=url or server.url, api_key=key, api_secret=secret, origins=FROM)
    return ask(target, rooms=rooms or None, timeout=timeout)


def refused(server: LiveKit, url: str = "", key: str = KEY, secret: str = SECRET, timeout: float = 4.0) -> str:
    """Why this server cannot be asked."""
    with pytest.raises(Unreachable) as told:
        asked(server, url=url, key=key, secret=secret, timeout=timeout)
    return str(told.value)


def test_a_room_is_told_with_who_is_in_it_and_what_it_waits_for(server: LiveKit) -> None:
    """Participants with kind, state and agent name, dispatches with their jobs, times in seconds, one line to cite."""
    people = [person("user-1"), agent("AJ_1", "desk", state="JOINED", joined=1795431500.25)]
    waits = [dispatch("desk", jobs=1, created=1795431499.5, error="it broke"), dispatch("")]
    server.room("r", created=1795431499.125, participants=people, dispatches=waits)
    seen = asked(server)
    (room,) = seen.rooms
    assert (room.name, room.id, room.created) == ("r", "RM_r", 1795431499.125)
    assert [(p.identity, p.agent, p.state, p.agent_name) for p in room.participants or ()] == [
        ("user-1", False, "ACTIVE", ""),
        ("agent-AJ_1", True, "JOINED", "desk"),
    ]
    assert (room.participants or ())[1].joined == 1795431500.25
    assert [(d.agent_name, d.jobs, d.errors) for d in room.dispatches or ()] == [
        ("desk", 1, ("it broke",)),
        ("", 0, ()),
    ]
    assert (room.dispatches or ())[0].created == 1795431499.5
    assert room.place.source == f"LiveKit API http{server.url[2:]}"
    assert room.place.text == (
        "ListParticipants r: agent-AJ_1 AGENT JOINED, user-1 USER ACTIVE; "
        'ListDispatch: "desk" (1 job), automatic dispatch (no name) (0 jobs)'
    )
    assert (seen.cloud, seen.skew, seen.unread) == (False, 0.0, ())


@pytest.mark.parametrize("scheme", ["ws", "http", "WS"])
def test_websocket_addresses_are_asked_as_http(scheme: str, server: LiveKit) -> None:
    """LIVEKIT_URL is what a worker uses, with a trailing slash or without."""
    assert asked(server, url=f"{scheme}{server.url[2:]}/").rooms == ()


@pytest.mark.parametrize("name", ["r7", "RM_r7"])
def test_only_the_rooms_that_are_asked_for_are_looked_into(name: str, server: LiveKit) -> None:
    """By name or id; one that is not alive costs no call, since the server takes 3 s to say so."""
    for number in range(30):
        server.room(f"r{number}")
    seen = asked(server, name, "gone")
    assert len(seen.rooms) == 30
    assert [r.name for r in seen.rooms if r.participants is not None] == ["r7"]
    assert server.calls == {"ListRooms": 1, "ListParticipants": 1, "ListDispatch": 1}


def test_of_many_rooms_the_newest_are_looked_into(server: LiveKit) -> None:
    """Each call leaves a line in the server's log."""
    for number in range(50):
        server.room(f"r{number}", created=1795431500 + number)
    seen = asked(server)
    assert {r.name for r in seen.rooms if r.dispatches is not None} == {f"r{n}" for n in range(30, 50)}
    assert server.calls == {"ListRooms": 1, "ListParticipants": 20, "ListDispatch": 20}


@pytest.mark.parametrize("ahead", [-40.0, 40.0])
def test_a_servers_other_clock_is_noticed(ahead: float, server: LiveKit) -> None:
    """By how many seconds it is ahead, to the second."""
    server.ahead = ahead
    assert asked(server).skew == pytest.approx(ahead, abs=5.0)


def test_a_call_that_fails_beside_others_is_told(server: LiveKit) -> None:
    """What was not told of a room is None, never empty."""
    server.room("r", participants=[person("u")])
    server.fails["ListDispatch"] = (503, b'{"code":"unavailable","msg":"no response from servers"}')
    seen = asked(server)
    assert seen.rooms[0].dispatches is None
    assert len(seen.rooms[0].participants or ()) == 1
    assert seen.unread == ('ListDispatch "r": 503 no response from servers',)


def test_a_call_that_takes_too_long_is_told(server: LiveKit) -> None:
    """Whatever one call does, the look ends."""
    server.room("r")
    server.slow["ListParticipants"] = 50.0
    seen = asked(server, timeout=0.5)
    assert seen.rooms[0].participants is None
    assert seen.rooms[0].dispatches == ()
    assert seen.unread == ('ListParticipants "r": no answer in time',)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"url": "127.0.0.1:7880"}, "is no address of a LiveKit server (.env:1): LIVEKIT_URL is such as"),
        ({"url": "ws://127.0.0.1:banana"}, "is no address"),
        ({"key": ""}, "set LIVEKIT_API_KEY in"),
        ({"secret": ""}, "set LIVEKIT_API_SECRET in"),
        ({"key": "", "secret": ""}, "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET in"),
        ({"key": "APIother"}, 'does not know the API key "APIother" (.env:2, .env:3) (401)'),
        ({"secret": "another-secret-that-is-long-enough"}, "the secret is another (.env:2, .env:3) (401)"),
        ({"url": "ws://nobody.invalid:7880"}, "there is no host nobody.invalid (.env:1)"),
    ],
)
def test_what_keeps_us_from_asking_is_said_with_its_remedy(how: dict[str, Any], says: str, server: LiveKit) -> None:
    """One sentence: what is wrong, where that is set."""
    told = refused(server, **how)
    assert says in told
    assert SECRET not in told
    assert "eyJ" not in told


def test_without_an_address_there_is_nothing_to_ask() -> None:
    """The sentence names the setting."""
    with pytest.raises(Unreachable, match="set LIVEKIT_URL"):
        ask(Target())


@pytest.mark.parametrize(("ahead", "says"), [(-300.0, "ahead"), (0.0, "")])
def test_clocks_that_differ_are_told_apart_from_wrong_keys(ahead: float, says: str, server: LiveKit) -> None:
    """A token of the future is refused, and by how much the clocks differ is said."""
    server.ahead = ahead
    if ahead:
        assert f"s {says}): " not in (told := refused(server))
        assert "clock" in told
        assert says in told
    else:
        assert asked(server).rooms == ()


def test_nobody_listens(server: LiveKit) -> None:
    """A port at which no server runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{free.getsockname()[1]}"
        assert "nobody listens at http" in refused(server, url=url)


def test_a_proxy_that_does_not_answer(server: LiveKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's way out is named, not the server; this machine's own servers are asked without it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free.getsockname()[1]}")
        assert "the proxy of the environment" in refused(server, url="ws://livekit.invalid:7880")
        assert asked(server).rooms == ()


def test_a_server_that_speaks_no_tls(server: LiveKit) -> None:
    """Wss where the server speaks ws."""
    assert "use ws:// instead of wss://" in refused(server, url="wss" + server.url[2:])


@pytest.mark.parametrize("says", [b"", b"HTTP/1.0 nonsense\r\n\r\n", None], ids=["closes", "babbles", "silent"])
def test_something_else_listens(says: bytes | None, server: LiveKit) -> None:
    """What closes, what speaks no HTTP and what says nothing is told within the time that is given."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        done = threading.Event()

        def serve() -> None:
            talk, _ = listener.accept()
            with talk:
                if says is None:
                    done.wait(20)
                else:
                    talk.recv(65536)
                    talk.sendall(says)

        thread = threading.Thread(target=serve)
        thread.start()
        told = refused(server, url=f"ws://127.0.0.1:{listener.getsockname()[1]}", timeout=0.5)
        done.set()
        thread.join()
    assert "127.0.0.1" in told
    assert ("does not answer in time" if says is None else "breaks off") in told


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (404, b"<html>404</html>", "has no LiveKit API (404)"),
        (200, b"<html>welcome</html>", "answers, but not as a LiveKit server does"),
        (503, b'{"code":"unavailable","msg":"starting"}', "cannot answer just now (503: starting)"),
        (
            401,
            b'{"code":"unauthenticated","msg":"permissions denied"}',
            "(401: permissions denied): set LIVEKIT_API_KEY",
        ),
    ],
)
def test_an_answer_that_is_none(status: int, body: bytes, says: str, server: LiveKit) -> None:
    """A proxy or another program in place of LiveKit, and a server that is not ready."""
    server.fails["ListRooms"] = (status, body)
    assert says in refused(server)


def test_a_base_path_that_leads_nowhere(server: LiveKit) -> None:
    """The address of something in front of LiveKit."""
    assert "has no LiveKit API (404)" in refused(server, url=server.url + "/elsewhere")


def test_a_short_secret_is_the_servers_affair() -> None:
    """`livekit-server --dev` has the secret `secret`; no library's warning reaches the person."""
    with LiveKit("devkey", "secret") as server:
        assert asked(server, key="devkey", secret="secret").rooms == ()


def test_a_secret_that_got_into_a_name_is_not_shown(server: LiveKit) -> None:
    """What a server tells is redacted where it enters."""
    server.room("r", participants=[person("password=hunter22hunter22")])
    assert "hunter22" not in asked(server).rooms[0].place.text


def test_the_time_of_the_question_is_this_machines(server: LiveKit) -> None:
    """Whatever the server's clock says."""
    before = time.time()
    server.ahead = 5000.0
    assert before <= asked(server).asked_at <= time.time()
