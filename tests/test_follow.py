"""`fletcher diagnose --follow`: each room is told once when it can be judged, whatever restarts meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bot.follow as follower
from bot.evidence import live
from bot.evidence.look import Question
from bot.follow import Told, follow
from bot.livekit.seen import Verdict
from bot.settings import Target
from tests.doubles.livekit_api import KEY, SECRET, agent, person
from tests.running import Stack, recorded, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.follow import News

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


def watched(stack: Stack, *acts: Callable[[], object], rooms: tuple[str, ...] = ()) -> list[News]:
    """What is told while these things happen, one between two looks, and after them two looks more."""
    left: list[Callable[[], object]] = [*acts, list, list]

    def wait(_seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    seen: list[News] = []
    with suppress(KeyboardInterrupt):
        seen.extend(follow(Question(rooms=rooms, target=target(stack)), target(stack), Told(), wait))
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


def test_another_project_that_starts_is_not_watched(stack: Stack) -> None:
    """The project that was found at first is the one that is watched, whatever comes or goes beside it."""
    for box in stack.engine.boxes:
        box.working_dir = "/elsewhere/demo"
    old = stack.engine.boxes[:]

    def other() -> None:
        new = stack.engine.add(
            "livekit", project="other", image="livekit/livekit-server:v1.11.0", working_dir="/elsewhere/other"
        )
        for ns, line in recorded("livekit.log"):
            new.log(line, ns)

    def leaves() -> None:
        for box in old:
            stack.engine.remove(box)

    def returns() -> None:
        stack.engine.boxes += old

    first, second = pieces(2)
    news = watched(stack, writes(stack, first), other, leaves, list, returns, writes(stack, second))
    names = [name for name, _, _ in rooms(news) if name]
    assert sorted(names) == sorted(EVERY)
    assert [(bool(n.trouble), n.back) for n in news if n.answer is None] == [(True, False), (False, True)]


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


def test_the_command_ends_with_a_summary(stack: Stack, tmp_path: Path) -> None:
    """Ctrl-C ends it with what was seen and exit code 0; in JSON every line is a document."""
    writes(stack, recorded("livekit.log"))()
    for words, number in (((), signal.SIGINT), (("--json",), signal.SIGTERM)):
        environment = {**os.environ, **stack.environment, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", "diagnose", "--follow", *words], cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(number)
        rest, trouble = process.communicate(timeout=30)
        assert (process.returncode, trouble) == (0, "")
        if words:
            *rows, last = [json.loads(line) for line in (first + rest).splitlines()]
            assert {row["room"] for row in rows} >= EVERY
            assert {"verdict": "healthy", "cause": None, "count": 3} in last["summary"]
        else:
            assert "Watched for" in rest
            assert "3 healthy, 1 inconclusive" in rest
