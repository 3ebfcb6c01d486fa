"""`fletcher diagnose --follow`: each room is told once when it can be judged, whatever restarts meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bot.follow as follower
from bot.doors import follow as door
from bot.evidence import live
from bot.evidence.look import Question
from bot.follow import News, Told, follow
from bot.livekit.seen import Verdict
from bot.settings import Target
from tests.doubles.livekit_api import KEY, SECRET, agent, dispatch, person
from tests.running import END, SERVED, Stack, recorded, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """What runs, with nothing logged yet and no room."""
    monkeypatch.chdir(tmp_path)
    with running(tmp_path) as stack:
        stack.livekit.stored.clear()
        stack.agent.stored.clear()
        stack.api.rooms.clear()
        yield stack


def target(stack: Stack) -> Target:
    """How it is reached."""
    return Target(docker_host=stack.engine.host, livekit_url=stack.api.url, api_key=KEY, api_secret=SECRET)


def watched(
    stack: Stack,
    *acts: Callable[[], object],
    rooms: tuple[str, ...] = (),
    compose_project: str = "",
    since: str | None = None,
) -> list[News]:
    """What is told while these things happen, one between two looks, and after them two looks more."""
    left: list[Callable[[], object]] = [*acts, list, list]

    def wait(_seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    seen: list[News] = []
    asked = replace(target(stack), compose_project=compose_project)
    with suppress(KeyboardInterrupt):
        seen.extend(follow(Question(rooms=rooms, since=since, target=asked), asked, Told(), wait))
    return seen


def rooms(news: list[News]) -> list[tuple[str | None, str, str | None]]:
    """The rows that were told, in order."""
    return [(row.room, row.verdict, row.cause) for one in news for row in one.rows]


def pieces(number: int) -> list[list[tuple[int, str]]]:
    """The recorded incident's server log in so many parts."""
    lines = recorded("livekit.log")
    size = -(-len(lines) // number)
    return [lines[at : at + size] for at in range(0, len(lines), size)]


def writes(stack: Stack, lines: list[tuple[int, str]]) -> Callable[[], None]:
    """An act: the server, in the container that there is by then, logs these lines."""

    def act() -> None:
        for ns, line in lines:
            stack.livekit.log(line, ns)

    return act


EVERY = {"ganglia-0075e4", "ganglia-379ea3", "ganglia-7ebaf8", "ganglia-b8f13c"}


def test_every_room_is_told_once_when_it_can_be_judged(stack: Stack) -> None:
    """Lines that come bit by bit tell each room exactly once, with what the whole log says."""
    told = rooms(watched(stack, *(writes(stack, part) for part in pieces(9))))
    names = [name for name, _, _ in told if name]
    assert len(names) == len(set(names))
    with_all = rooms(watched(stack))
    assert {(n, v) for n, v, _ in told if n} == {(n, v) for n, v, _ in with_all if n}


@pytest.mark.parametrize("what", ["engine", "server", "recreated", "away"])
def test_restarts_lose_nothing_and_repeat_nothing(stack: Stack, what: str) -> None:
    """An engine that restarts or is away for a while, a server in a new container: it goes on where it was."""

    def again() -> None:
        stack.livekit = stack.engine.recreate(stack.livekit)

    between: dict[str, list[Callable[[], object]]] = {  # list() does nothing
        "engine": [stack.engine.restart],
        "server": [list],
        "recreated": [again],
        "away": [stack.engine.down, list, stack.engine.up],
    }
    first, second = pieces(2)
    news = watched(stack, writes(stack, first), *between[what], writes(stack, second))
    told = rooms(news)
    names = [name for name, _, _ in told if name]
    assert len(names) == len(set(names))
    assert set(names) == EVERY
    troubles = [(bool(n.trouble), n.back) for n in news if n.answer is None]
    assert troubles == ([(True, False), (False, True)] if what == "away" else [])


def test_an_engine_that_is_away_is_told_once(stack: Stack) -> None:
    """However often the reason changes while it is away, it went once and comes back once."""
    socket = Path(stack.engine.socket)
    acts: list[Callable[[], object]] = [stack.engine.down, list, socket.unlink, list, stack.engine.up]
    news = watched(stack, writes(stack, recorded("livekit.log")), *acts)
    assert [(bool(n.trouble), n.back) for n in news if n.answer is None] == [(True, False), (False, True)]


@pytest.mark.parametrize("what", ["engine", "log"])
def test_silence_of_what_is_away_proves_nothing(stack: Stack, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """A room whose next lines cannot be read is not judged by their lack; it is told when they are there."""
    began, finished = 1795401907.662, 1795401909.99  # when the recording's room is made, and when it has its agent
    lines = recorded("livekit.log", ago=3 + began - END)
    first = [(ns, line) for ns, line in lines if ns / 1e9 < lines[0][0] / 1e9 + 18.7]
    rest = [(ns, line) for ns, line in lines[len(first) :] if ns / 1e9 < time.time() - 3 + finished - began]
    clock, driver = time.time, stack.livekit.log_driver

    def goes() -> None:
        if what == "engine":
            stack.engine.down()
        else:
            stack.livekit.log_driver = "none"
        monkeypatch.setattr(time, "time", lambda: clock() + 30)

    def returns() -> None:
        writes(stack, rest)()
        monkeypatch.setattr(time, "time", clock)
        if what == "engine":
            stack.engine.up()
        stack.livekit.log_driver = driver

    news = watched(stack, writes(stack, first), goes, list, list, returns)
    assert [(v, c) for name, v, c in rooms(news) if name == "ganglia-379ea3"] == [("healthy", None)]
    assert [(bool(n.trouble), n.back) for n in news if n.answer is None] == [(True, False), (False, True)]


@pytest.mark.parametrize("named", [True, False])
def test_a_project_that_is_away_is_waited_for(stack: Stack, named: bool) -> None:  # noqa: FBT001
    """`docker compose down` ends nothing, and what else runs there is not taken for it."""
    stack.engine.add("livekit", project="other", image="livekit/livekit-server:v1.11.0", working_dir="/srv/other")
    boxes = [stack.livekit, stack.agent]

    def down() -> None:
        for box in boxes:
            stack.engine.remove(box)

    def up() -> None:
        stack.engine.boxes += boxes
        stack.livekit, stack.agent = map(stack.engine.recreate, boxes)

    first, second = pieces(2)
    news = watched(
        stack, writes(stack, first), down, list, up, writes(stack, second), compose_project="demo" if named else ""
    )
    names = [name for name, _, _ in rooms(news) if name]
    assert sorted(names) == sorted(EVERY)
    assert [(n.trouble, n.back) for n in news if n.answer is None] == [
        ("the compose project demo has no container: start it, or give --compose-project one of: other", False),
        ("", True),
    ]


def test_a_room_that_is_named_later_is_the_same(stack: Stack) -> None:
    """A worker's log tells ids only, the API names too: what is asked once in a while tells no room twice."""
    stack.livekit.log_driver = "none"
    stack.api.room(SERVED, room_id="RM_hj6hPNkBS5T2", participants=[agent("AJ_8vQReEkfvhSz", "livekit-ganglia-agent")])
    for ns, line in recorded("agent.log", ago=60):
        stack.agent.log(line, ns)
    news = watched(stack, lambda: stack.agent.log("something new"), list, lambda: stack.agent.log("and more"))
    ids = [row.room_id for one in news for row in one.rows if row.room_id]
    assert "RM_hj6hPNkBS5T2" in ids
    assert len(ids) == len(set(ids))


def test_a_server_that_is_not_there_yet_is_waited_for(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has set its address means it, also where nothing else can be seen: what is missing is told once."""
    monkeypatch.setattr(follower, "_POLLED", 0.0)
    stack.engine.down()
    stack.api.fails["ListRooms"] = (503, b"not yet")
    asked, came = dispatch("livekit-ganglia-agent", jobs=1), agent("AJ_1", "livekit-ganglia-agent")
    stack.api.room("served", participants=[came], dispatches=[asked])
    missing, answer = watched(stack, list, stack.api.fails.clear)
    assert "LiveKit API" in missing.trouble
    assert "no Docker engine at" in missing.trouble
    assert answer.first
    assert rooms([answer]) == [("served", "healthy", None)]


def test_what_is_old_is_given_up_and_no_verdict_with_it(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """When lines older than the window are dropped, no room is told anew and the worker is still known."""
    monkeypatch.setattr(live, "_SPOOL", 1)
    monkeypatch.setattr(live, "_COMPACTED", 0.0)
    old = recorded("livekit.log", ago=3600)
    new = [(ns, line) for ns, line in recorded("livekit.log") if "worker registered" not in line]
    news = watched(stack, writes(stack, old), writes(stack, new))
    by_room: dict[str | None, set[str]] = {}
    for name, verdict, _ in rooms(news):
        by_room.setdefault(name, set()).add(verdict)
    assert all(len(verdicts) == 1 for verdicts in by_room.values())
    assert "healthy" in set().union(*by_room.values())


def test_an_agent_that_the_api_shows_stays_there(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A room that the API knows to be served is told healthy once, however much is logged after it."""
    monkeypatch.setattr(follower, "_POLLED", 0.0)
    lines = recorded("livekit.log")
    stack.api.room(
        "ganglia-b8f13c",
        room_id="RM_XLhCFCvdWkUp",
        participants=[person("uma"), agent("AJ_x", "livekit-ganglia-agent")],
    )
    news = watched(
        stack,
        writes(stack, lines[:40]),
        writes(stack, lines[40:50]),
        writes(stack, lines[50:]),
        rooms=("ganglia-b8f13c",),
    )
    assert [(v, c) for n, v, c in rooms(news) if n == "ganglia-b8f13c"] == [("healthy", None)]


def test_without_docker_rooms_come_by_the_api(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no logs, a room that is made later is told too; each room is looked into only until it is settled."""
    monkeypatch.setattr(follower, "_POLLED", 0.0)
    stack.engine.refusal = (403, "not for you")
    stack.api.room("waits", participants=[person("a")], created=time.time() - 60)

    def one_more() -> None:
        stack.api.room("served", participants=[person("b"), agent("AJ_y", "someone")], created=time.time() - 30)

    news = watched(stack, list, one_more, list, list)
    told = [(n, v) for n, v, _ in rooms(news) if n]
    assert sorted(told) == [("served", "healthy"), ("waits", "inconclusive")]


class Clock:
    """The time of this machine and of the engine on it, which a test may put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead, wall, fine, steady = 0.0, time.time, time.time_ns, time.monotonic
        monkeypatch.setattr(time, "time", lambda: wall() + self._ahead)
        monkeypatch.setattr(time, "time_ns", lambda: fine() + int(self._ahead * 1e9))  # the engine's double asks so
        monkeypatch.setattr(time, "monotonic", lambda: steady() + self._ahead)

    def on(self, seconds: float) -> Callable[[], None]:
        """An act: so much time passes."""

        def act() -> None:
            self._ahead += seconds

        return act


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time, to be put forward."""
    return Clock(monkeypatch)


def waits(stack: Stack, name: str, *inside: Any, ago: float = 60.0) -> Callable[[], None]:  # noqa: ANN401  # as the API has it
    """An act: the API shows a room that waits for somebody whom nobody knows."""

    def act() -> None:
        wanted = [dispatch("nobody-has-this", created=time.time() - ago)]
        stack.api.room(name, participants=[person("b"), *inside], dispatches=wanted, created=time.time() - ago)

    return act


def test_an_api_that_fails_for_a_while_ends_nothing(stack: Stack, clock: Clock) -> None:
    """Where there is only the API it is waited for, and told once that it is away and once that it is back."""
    stack.engine.refusal = (403, "not for you")
    waits(stack, "first")()

    def fails() -> None:
        stack.api.fails["ListRooms"] = (503, b"not now")

    acts: list[Callable[[], object]] = [
        list,
        fails,
        clock.on(11),
        list,
        clock.on(11),
        stack.api.fails.clear,
        waits(stack, "later"),
        clock.on(11),
        list,
    ]
    news = watched(stack, *acts, clock.on(11), list)
    assert {name for name, _, _ in rooms(news) if name} == {"first", "later"}
    assert [(bool(n.trouble), n.back) for n in news if n.answer is None][-2:] == [(True, False), (False, True)]


def test_a_new_container_whose_log_cannot_be_read_stops_no_clock(stack: Stack, clock: Clock) -> None:
    """What an earlier container logged is no reason to wait for a log that nobody will ever read."""

    def again() -> None:
        stack.livekit = stack.engine.recreate(stack.livekit, log_driver="syslog")

    with live.Watched(target(stack), Path.cwd()) as looked:
        writes(stack, recorded("livekit.log"))()
        looked.attach()
        looked.read_logs()
        again()
        clock.on(100)()
        looked.attach()
        looked.read_logs()
        assert time.time() - looked.now < 5


def test_without_a_servers_log_rooms_come_by_the_api(stack: Stack, clock: Clock) -> None:
    """A worker's container here and the server elsewhere: rooms that are made later are told too."""
    stack.engine.remove(stack.livekit)
    stack.agent.log("hello", int((time.time() - 50) * 1e9))
    news = watched(stack, list, waits(stack, "later"), clock.on(11), list, clock.on(11), list)
    assert [name for name, _, _ in rooms(news) if name] == ["later"]


def test_bad_news_is_told_only_of_what_is_so_now(stack: Stack, clock: Clock) -> None:
    """An agent that came after the API was asked, and before the room can be judged, is seen."""
    stack.engine.refusal = (403, "not for you")

    def came() -> None:
        stack.api.room(
            "later",
            participants=[person("b"), agent("AJ_1", "x")],
            dispatches=[dispatch("x", jobs=1)],
            created=time.time() - 4,
        )

    acts: list[Callable[[], object]] = [
        clock.on(10.5),
        waits(stack, "later", ago=1),
        clock.on(3),
        came,
        clock.on(4.5),
        list,
        clock.on(11),
        list,
        clock.on(11),
    ]
    news = watched(stack, *acts, list)
    assert [v for name, v, _ in rooms(news) if name == "later"] == ["healthy"]


def test_an_api_that_fails_takes_no_good_news_back(stack: Stack, clock: Clock) -> None:
    """A room that the API showed to be served stays told so when the API is away and the log alone says otherwise."""
    writes(stack, recorded("livekit.log"))()
    served = [person("u"), agent("AJ_x", "livekit-ganglia-agent")]
    stack.api.room("ganglia-b8f13c", room_id="RM_XLhCFCvdWkUp", participants=served)

    def fails() -> None:
        stack.api.fails["ListRooms"] = (503, b"not now")
        stack.livekit.log("something")

    news = watched(
        stack, list, fails, list, clock.on(5), lambda: stack.livekit.log("more"), list, rooms=("ganglia-b8f13c",)
    )
    assert [v for name, v, _ in rooms(news) if name] == ["healthy"]


def test_a_trouble_that_comes_again_is_told_again(stack: Stack, clock: Clock) -> None:
    """A worker that ends, comes back and ends again has ended twice."""

    def ends() -> None:
        stack.agent.state, stack.agent.exit_code = "exited", 1
        stack.agent.finished = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        stack.livekit.log("something")

    def returns() -> None:
        stack.agent.state = "running"
        stack.livekit.log("something")

    news = watched(stack, ends, list, returns, list, clock.on(60), ends, list)
    assert [cause for name, _, cause in rooms(news) if name is None] == ["no-worker", "no-worker"]


def test_a_short_time_back_is_only_where_it_begins(stack: Stack, clock: Clock) -> None:
    """--since says from when on it is watched; a room is not lost for being older than that when it can be judged."""

    def made() -> None:
        for ns, line in recorded("livekit.log", ago=0.5):
            stack.livekit.log(line, ns)

    news = watched(stack, made, clock.on(6), list, clock.on(6), list, clock.on(30), since="30s")
    assert {name for name, _, _ in rooms(news) if name} == EVERY


def test_many_rooms_are_each_told_once() -> None:
    """However many rooms there are at the same time, none is told twice; those that are gone are forgotten."""
    told = Told()

    def rows(names: range) -> list[Verdict]:
        return [Verdict(f"r{n}", f"RM_{n}", "healthy", None, 1.0, "came") for n in names]

    for batch in (rows(range(7000)), rows(range(7000)), rows(range(6000, 16000))):
        told.tell(told.new(batch), batch)
        assert told.new(batch) == ()
    assert told.count[("healthy", None)] == 16000
    assert len(told._said) < 16000


def started(stack: Stack, folder: Path, last: str, *words: str, **more: str) -> tuple[subprocess.Popen[str], str]:
    """The command, in this folder, and what it prints up to the line with this in it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "diagnose", "--follow", *words],
        cwd=folder,
        env={**os.environ, **stack.environment, "PYTHONPATH": str(ROOT), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if last in line:
            break
    return process, told


def ended(process: subprocess.Popen[str], by: signal.Signals) -> tuple[str, str]:
    """What else it prints until its end; `communicate` would miss what was read ahead with a line."""
    process.send_signal(by)
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        return process.stdout.read(), process.stderr.read()


def test_the_command_ends_with_a_summary(stack: Stack, tmp_path: Path) -> None:
    """Ctrl-C ends it with what was seen and exit code 0; in JSON every line is a document."""
    writes(stack, recorded("livekit.log"))()
    for words, number, last in (((), signal.SIGINT, "Watching."), (("--json",), signal.SIGTERM, "ganglia-7ebaf8")):
        process, first = started(stack, tmp_path, last, *words)
        rest, trouble = ended(process, number)
        assert process.returncode == 0
        assert trouble in {"", "fletcher: ending after this look; again to end now\n"}
        if words:
            *rows, end = [json.loads(line) for line in (first + rest).splitlines()]
            assert {row["room"] for row in rows} >= EVERY
            assert {"verdict": "healthy", "cause": None, "count": 3} in end["summary"]
        else:
            assert "Watched for" in rest
            assert "3 healthy, 1 inconclusive" in rest


@pytest.mark.parametrize("signals", [1, 2])
def test_what_was_begun_is_told_before_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], signals: int
) -> None:
    """A signal in the midst of a look ends it after that look; a second one does not wait for it."""

    def looking(*asked: Any) -> Iterator[News]:  # noqa: ANN401  # as `follow`
        for _ in range(signals):
            signal.raise_signal(signal.SIGTERM)
        yield News(trouble="begun")
        asked[-1](0.0)
        yield News(trouble="goes on")

    monkeypatch.setattr(door, "follow", looking)
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        assert door.run(Question(), Target(), as_json=False, utc=True) == 0
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    said = capsys.readouterr()
    assert ("begun" in said.err, "goes on" in said.err) == (signals == 1, False)
    assert "Watched for" in said.out


def test_what_is_missing_is_told_once(stack: Stack, tmp_path: Path) -> None:
    """Without access to Docker it goes on with the API alone, and says once what is missing, in JSON too."""
    asked, came = dispatch("livekit-ganglia-agent", jobs=1), agent("AJ_1", "livekit-ganglia-agent")
    stack.api.room("served", participants=[came], dispatches=[asked])
    process, first = started(stack, tmp_path, "served", "--json", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    time.sleep(2.5)  # long enough for a second look
    _, said = ended(process, signal.SIGTERM)
    row = json.loads(first)
    assert (row["room"], row["verdict"], process.returncode) == ("served", "healthy", 0)
    assert said.count("no Docker engine at") == 1
