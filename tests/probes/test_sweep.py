"""`log-sweep`: each recorded incident's bad room is told once and only once, however its log comes and whoever looks."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.livekit.seen import Verdict
from bot.probes.ask import Asking
from bot.probes.sweep import Sweep
from bot.probes.told import Memory, read, written
from bot.probes.values import Result
from tests.probes.replay import CASES, RECORDINGS, Replay, replayed, told, truth

if TYPE_CHECKING:
    from collections.abc import Iterator

UNDECIDABLE = {"log-level-too-high", "window-too-short"}
AFTER = (9.0, 40.0, 75.0)  # seconds after the last line: when a young room, and a job, can be judged


def swept(replay: Replay, by: list[Asking], every: float) -> list[Result]:
    """What the looks say, one each so many seconds, by one replica after the other."""
    results = []
    moments = [replay.begin + every * n for n in range(int((replay.end - replay.begin) / every) + 1)]
    for number, at in enumerate([*moments, *(replay.end + after for after in AFTER)]):
        replay.until(at)
        results.append(replay.look(by[number % len(by)]))
    return results


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_bad_room_of_a_recording_is_told_once(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told with lines that prove it, it is counted, and the look that tells it is red; no room is told twice."""
    known = truth(case)
    with replayed(case, tmp_path, monkeypatch) as replay, Asking(replay.environment) as asking:
        results = swept(replay, [asking], every=20.0)
    rooms = Counter(room for room, _ in told(results))
    if known["diagnosis"] in UNDECIDABLE:
        assert (rooms, {r.light for r in results} & {"red", "green"}) == (Counter(), set())
        assert "unknown" in {r.light for r in results}
        return
    assert rooms[known["room"]] == 1
    assert set(rooms.values()) == {1}
    first = next(r for r in results if f"room {known['room']} lacks" in r.says)
    found = next(f for f in first.findings if f.room == known["room"])
    assert (first.light, found.verdict) == ("red", "cause")
    assert found.quotes


MANY = ("inc-040", "inc-089", "inc-092", "inc-108", "inc-156", "inc-158")  # recordings with several bad rooms
Turn = tuple[float, int, str]  # when in the recording, by which replica, and what happens before or after it looks


@lru_cache
def known_of(name: str) -> dict[str, int]:
    """How often each room of a recording is told by a look each five seconds."""
    with (
        TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        replayed(RECORDINGS / name, Path(folder), patch) as replay,
        Asking(replay.environment) as asking,
    ):
        return Counter(room for room, _ in told(swept(replay, [asking], every=5.0)))


def turns() -> st.SearchStrategy[list[Turn]]:
    """Looks at any moments, by any of two replicas, some of which end, and some of whose results are lost."""
    happens = st.sampled_from(["", "", "", "restart", "lost"])
    return st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1), happens), max_size=12).map(sorted)


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(MANY), cuts=turns())
def test_wherever_the_log_is_cut_the_same_rooms_are_told(name: str, cuts: list[Turn]) -> None:
    """Restarts, another replica that takes over, and results that were never written neither double nor lose a room."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        replay = opened.enter_context(replayed(RECORDINGS / name, Path(folder), patch))
        replicas = [opened.enter_context(Asking(replay.environment)) for _ in range(2)]
        written = []
        for at, who, happens in [*cuts, *((1 + after / (replay.end - replay.begin), 0, "") for after in AFTER)]:
            replay.until(replay.begin + at * (replay.end - replay.begin))
            result = replay.look(replicas[who], lost=happens == "lost")
            written += [result] if happens != "lost" else []
            if happens == "restart":
                replicas[who] = opened.enter_context(Asking(replay.environment))
    assert Counter(room for room, _ in told(written)) == known_of(name)
    assert read(written[-1].memory).cursor


INCIDENT = RECORDINGS / "inc-071"  # four rooms that get their agents, and then one that does not


@pytest.fixture
def replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    """An incident in which the last room is the bad one."""
    with replayed(INCIDENT, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def asking(replay: Replay) -> Iterator[Asking]:
    """Who looks."""
    with Asking(replay.environment) as made:
        yield made


def waits(replay: Replay, seconds: float) -> None:
    """Let time pass."""
    replay.until(replay.clock.at + seconds)


def test_silence_says_nothing(replay: Replay, asking: Asking) -> None:
    """Without a new room a look is skipped, and says since when; what it measured is there all the same."""
    replay.until(replay.end + 9)
    assert replay.look(asking).light == "red"
    waits(replay, 60)
    result = replay.look(asking)
    assert (result.light, result.findings) == ("skipped", ())
    assert result.says.startswith("no new room since 2026-11-23 02:4")
    assert result.lag is not None
    assert result.lag > 60
    assert result.lacking == {"dispatch-missing": 1}


def test_it_is_red_for_as_long_as_the_newest_room_lacks_its_agent(replay: Replay, asking: Asking) -> None:
    """After a room with its agent it is green; one that lacks it makes it red until the next one."""
    lights = {light for light in (result.light for result in swept(replay, [asking], every=5.0)) if light != "skipped"}
    assert lights == {"green", "red"}
    assert replay.standing.light == "red"


@pytest.mark.parametrize("what", ["engine", "log", "down"])
def test_what_is_away_is_unknown_and_then_it_goes_on(replay: Replay, asking: Asking, what: str) -> None:
    """An engine that is away, a log that cannot be read, a project that is down: the reason is told, and no room lost."""
    replay.until(replay.begin + 5)
    replay.look(asking)
    boxes, driver = list(replay.engine.boxes), replay.server.log_driver
    if what == "engine":
        replay.engine.down()
    elif what == "log":
        replay.server.log_driver = "none"
    else:
        replay.engine.boxes.clear()
    replay.until(replay.end + 9)
    away = replay.look(asking)
    assert away.light == "unknown"
    words = {"engine": "no Docker engine at", "log": "log", "down": "compose project demo has no container"}
    assert words[what] in away.says
    waits(replay, 5)
    assert replay.look(asking).light == "unknown"
    if what == "engine":
        replay.engine.up()
    replay.server.log_driver, replay.engine.boxes[:] = driver, boxes
    waits(replay, 5)
    back = replay.look(asking)
    assert (back.light, told([back])) == ("red", [("ganglia-b8f13c", "dispatch-missing")])


def test_what_can_be_seen_again_stands_as_it_stood(replay: Replay, asking: Asking) -> None:
    """Nothing is new after the engine was away, yet it is not unknown any more."""
    replay.until(replay.begin + 18)
    assert replay.look(asking).light == "green"
    replay.engine.down()
    waits(replay, 1)
    assert replay.look(asking).light == "unknown"
    replay.engine.up()
    assert replay.clock.at < replay.end
    waits(replay, 0.5)
    back = replay.look(asking)
    assert (back.light, back.says) == ("green", "the newest room of each agent has its agent")


def test_who_begins_while_nothing_can_be_seen_claims_nothing(replay: Replay, asking: Asking) -> None:
    """A restart while the engine is away, beside source files and without an API: unknown for as long as that lasts."""
    replay.until(replay.begin + 18)
    assert replay.look(asking).light == "green"
    replay.engine.down()
    alone = {name: value for name, value in replay.environment.items() if not name.startswith("LIVEKIT_")}
    Path("requirements.txt").write_text("livekit-agents\n", "utf-8")
    Path("agent.py").write_text(WORKER, "utf-8")
    with Asking(alone) as another:
        lights = []
        for _ in range(5):
            waits(replay, 0.5)
            result = replay.look(another)
            assert "no Docker engine at" in result.says
            lights.append(result.light)
        assert set(lights) == {"unknown"}, lights
        replay.engine.up()
        replay.until(replay.end + 9)
        back = replay.look(another)
    assert (back.light, told([back])) == ("red", [("ganglia-b8f13c", "dispatch-missing")])


WORKER = """
from livekit.agents import WorkerOptions, cli

cli.run_app(WorkerOptions(entrypoint_fnc=print, agent_name="desk"))
"""


def test_a_container_that_is_made_anew_loses_no_room(replay: Replay, asking: Asking) -> None:
    """The server in a new container: what comes after is told, and nothing twice."""
    replay.until(replay.begin + 12)
    results = [replay.look(asking)]
    replay.server = replay.engine.recreate(replay.server)
    for at in (replay.end, replay.end + 9):
        replay.until(at)
        results.append(replay.look(asking))
    assert told(results) == [("ganglia-b8f13c", "dispatch-missing")]


def test_a_log_that_was_rotated_away_is_no_good_news(replay: Replay, asking: Asking) -> None:
    """Who takes over and finds that the log begins after the last look says so, and then goes on."""
    replay.until(replay.begin + 3)
    replay.look(asking)
    replay.until(replay.end + 300)
    replay.server.log_driver = "local"
    del replay.server.stored[:-1]
    with Asking(replay.environment) as another:
        result = replay.look(another)
        assert result.light == "unknown"
        assert "was rotated and does not go back to 2026-11-23 02:4" in result.says
        waits(replay, 5)
        assert replay.look(another).light == "skipped"


def test_rooms_of_fletchers_own_are_left_out(replay: Replay, asking: Asking) -> None:
    """A canary's room that lacks its agent is for the canary to tell."""
    replay.rename("ganglia-b8f13c", "fletcher-canary-x1")
    assert told(swept(replay, [asking], every=5.0)) == []
    assert replay.standing.light == "green"


def test_rooms_that_are_meant_to_have_no_agent_can_be_named(replay: Replay, asking: Asking) -> None:
    """Who asks for an agent is judged in any case; who does not, only where the name fits."""
    replay.given(rooms="call-*")
    results = swept(replay, [asking], every=5.0)
    assert told(results) == []
    assert replay.standing.light == "green"


def test_a_name_that_nobody_asks_for_any_more_is_forgotten() -> None:
    """Three rooms with their agents end a trouble of names; any other ends with a room of that agent, or after an hour."""

    def row(at: float, cause: str = "", agent: str = "a") -> Verdict:
        return Verdict(
            f"r{at}", f"RM_{at}", "cause" if cause else "healthy", cause or None, 1.0, "", agent=agent, at=at
        )

    memory = Memory().after([row(1, "name-mismatch", "typo"), row(2, "load-refused", "b")], 10)
    assert [*memory.lacking] == ["b", "typo"]
    memory = memory.after([row(3), row(4)], 10)
    assert [*memory.lacking] == ["b", "typo"]
    memory = memory.after([row(5)], 10)
    assert [*memory.lacking] == ["b"]
    assert not memory.after([row(4000)], 4000).lacking
    assert not memory.after([row(6, agent="b")], 10).lacking


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60))
def test_a_memory_that_cannot_be_read_is_none(text: str) -> None:
    """Whatever stands there, a look begins anew instead of failing."""
    assert read(text) == read(written(read(text)))


def test_a_look_that_took_too_long_loses_nothing(replay: Replay, asking: Asking) -> None:
    """Whoever gave it up writes that it is unknown, without any memory; what it had found is told by the next."""
    replay.until(replay.begin + 12)
    before = replay.look(asking)
    replay.until(replay.end + 9)
    replay.look(asking, lost=True)
    replay.standing = msgspec.structs.replace(replay.standing, last=Result(light="unknown", says="it took too long"))
    waits(replay, 5)
    assert told([before, replay.look(asking)]) == [("ganglia-b8f13c", "dispatch-missing")]
    waits(replay, 5)
    assert told([replay.look(asking)]) == []


def test_a_look_that_fails_is_unknown_and_keeps_what_was_told(
    replay: Replay, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in a look says nothing of the stack; the next one begins anew and tells nothing twice."""
    replay.until(replay.end + 9)
    first = replay.look(asking)

    def broken(*_: object) -> Result:
        raise RuntimeError("password=hunter2secretvalue")

    with monkeypatch.context() as patch:
        patch.setattr(Sweep, "look", broken)
        waits(replay, 5)
        failed = replay.look(asking)
    assert (failed.light, failed.memory) == ("unknown", first.memory)
    assert "hunter2" not in failed.says
    waits(replay, 5)
    assert told([replay.look(asking)]) == []


def test_a_better_cause_is_no_news() -> None:
    """A room that is known to lack its agent is not told anew when more is known of why, however long that takes."""

    def row(cause: str, at: float = 1.0) -> Verdict:
        return Verdict(f"r{at}", f"RM_{at}", "cause", cause, 1.0, "", agent="a", at=at)

    memory = Memory().after([row("no-worker")], 10)
    for later in (memory, memory.after([], 10_000)):
        assert (later.knows(row("worker-late")), later.lacked(row("worker-late"))) == (False, True)
    assert not memory.lacked(row("no-worker", 2.0))
    assert memory.after([row("worker-late")], 20).lacking["a"].cause == "worker-late"
