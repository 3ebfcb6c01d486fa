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
    stack: Stack, *acts: Callable[[], object], rooms: tuple[str, ...] = (), compose_project: str = ""
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
        seen.extend(follow(Question(rooms=rooms, target=asked), asked, Told(), wait))
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
        assert (process.returncode, trouble) == (0, "")
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
