"""The canary's look, over a real socket: what each state of the server, the room and its surroundings comes to."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.evidence.look import Question
from bot.evidence.look import look as see
from bot.findings import Finding
from bot.probes import canary
from bot.probes.whom import odd_type, whom
from tests.doubles.livekit_api import LiveKit, agent, dispatch, person
from tests.fletcher import diagnose
from tests.probes.staged import Around, Staged, never, probe, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.livekit.seen import Seen
    from bot.probes.values import Result

FIXTURES = Path(__file__).parents[2] / "runbooks" / "fixtures"
ROOM = "fletcher-canary-look-"
WHY = Finding(room="", verdict="cause", cause="name-mismatch", summary="It asks for another.", confidence=0.9)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Staged]:
    """A server without rooms, and no engine."""
    with LiveKit() as server:
        yield Staged(server, tmp_path)


def looked(world: Staged, around: Around | None = None, dispatch: str = "desk", stop: Callable[[], bool] = never) -> Result:  # fmt: skip
    """One look."""
    of = probe("agent-canary", **({"dispatch": dispatch} if dispatch else {}))
    return canary.look(of, standing(of), world, stop, eyes=around or Around())


def log(folder: Path, server: LiveKit, ago: float, name: str, kind: str = "JT_ROOM") -> Seen:
    """A server's log in which a worker registered so many seconds ago."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(server.now - ago))
    fields = json.dumps({"namespace": "", "jobType": kind, "agentName": name, "workerID": "AW_1"})
    begun = "INFO\tlivekit\tserver/main.go:1\tstarting LiveKit server\t" + json.dumps(
        {"version": "1.13.5", "nodeID": "ND_1"}
    )
    path = folder / "livekit.log"
    path.write_text(f"{at}\t{begun}\n{at}\tINFO\tlivekit.agents\ts.go:303\tworker registered\t{fields}\n", "utf-8")
    return seen(path)


def seen(*paths: Path) -> Seen:
    """What these files and projects show."""
    with ExitStack() as opened:
        return see(Question(tuple(("project" if p.is_dir() else "any", str(p)) for p in paths)), opened).seen


# --- the room ------------------------------------------------------------------------------------

#: Who comes (name, state, seconds), whom it asks for → the light, and words of what is said.
CAME: dict[str, tuple[list[tuple[str, str, float]], str, str, str]] = {
    "the agent": ([("desk", "ACTIVE", 0.4)], "desk", "green", 'works now: agent "desk" was ACTIVE after '),
    "late": ([("desk", "ACTIVE", 6.0)], "desk", "green", "ACTIVE after "),
    "automatic": ([("", "ACTIVE", 1.0)], "none", "green", "an agent (automatic dispatch) was ACTIVE"),
    "of an old server": ([("", "ACTIVE", 1.0)], "desk", "green", "works now"),
    "nobody": ([], "desk", "red", 'a new room does not get agent "desk": not ACTIVE in 12 s'),
    "another": ([("clerk", "ACTIVE", 1.0)], "desk", "red", "name-mismatch"),
    "without media": ([("desk", "JOINED", 1.0)], "desk", "red", "not ACTIVE in 12 s"),
    "too late": ([("desk", "ACTIVE", 13.0)], "desk", "red", "not ACTIVE in 12 s"),
    "a named one for nobody": ([("clerk", "ACTIVE", 1.0)], "none", "red", "does not get an agent (automatic dispatch)"),
}


@pytest.mark.parametrize("case", CAME)
def test_a_room_gets_its_agent_or_does_not(world: Staged, case: str) -> None:
    """Only the right agent, ACTIVE in time, is green; the room is marked, asks as real ones do, and is always ended."""
    world.comes, asks, light, words = CAME[case]
    around = Around(told=(WHY,))
    told = looked(world, around, asks)
    assert (told.light, words in told.says) == (light, True), told.says
    ((room, asked, metadata, empty),) = world.made
    assert room.startswith(ROOM)
    assert asked == (None if asks == "none" else asks)
    assert json.loads(metadata) == {"fletcher": "agent-canary", "canary": True}
    assert 20 <= empty <= 30
    assert world.ended == [room]
    assert not world.server.rooms
    assert (told.to_agent is not None) == (light == "green")
    if light == "red":
        assert around.asked == [room]
        assert (told.findings, told.lacking) == ((WHY,), {"name-mismatch": 1})
    assert world.server.calls["ListParticipants"] <= 30


def test_without_logs_it_is_red_and_says_what_is_missing(world: Staged) -> None:
    """That no agent came is known all the same."""
    told = looked(world, Around(away="no engine answers"))
    assert told.light == "red"
    assert "why cannot be seen: no engine answers" in told.says
    assert [row.room for row in told.findings] == [world.made[0][0]]
    assert told.lacking == {"unknown": 1}


class Slow(Around):
    """Eyes that take so many seconds for each look."""

    def __init__(self, world: Staged, seconds: float) -> None:
        super().__init__(told=(WHY,))
        self._world, self._seconds = world, seconds

    def seen(self) -> Seen:
        self._world.wait(self._seconds)
        return super().seen()

    def verdict(self, room: str) -> tuple[Finding, ...]:
        self._world.wait(self._seconds)
        return super().verdict(room)


@pytest.mark.parametrize(("seconds", "cause"), [(3, "name-mismatch"), (12, "unknown")])
def test_that_no_agent_came_is_told_in_time(world: Staged, seconds: float, cause: str) -> None:
    """A look that takes longer than its `timeout` counts as unknown, so the reason is left out rather than the result."""
    told = looked(world, Slow(world, seconds))
    assert (told.light, told.lacking) == ("red", {cause: 1}), told.says
    assert told.seconds < probe("agent-canary").seconds
    assert ("`timeout`" in told.says) == (cause == "unknown"), told.says


# --- what is in the way --------------------------------------------------------------------------


def _api_is_away(world: Staged) -> None:
    world.server.fails["ListRooms"] = (503, b"gone")


def _no_room(world: Staged) -> None:
    world.server.fails["CreateRoom"] = (403, b'{"code":"permission_denied","msg":"quota"}')


def _gone_meanwhile(world: Staged) -> None:
    world.comes = [("desk", "ACTIVE", 5.0)]
    world.later(2.0, lambda: world.server.fails.update(ListParticipants=(503, b"gone")))


def _setting_up(world: Staged) -> None:
    world.server.room("call", created=world.server.now - 3, participants=[person("uma")], dispatches=[dispatch("desk")])


def _another(world: Staged) -> None:
    world.server.room(f"{ROOM}0-a", created=world.server.now - 5)


def _a_proof(world: Staged) -> None:
    world.server.room("fletcher-canary-12345678-00001", created=world.server.now - 70)


def _not_ended(world: Staged) -> None:
    world.comes = [("desk", "ACTIVE", 0.4)]
    world.server.fails["DeleteRoom"] = (500, b'{"code":"internal","msg":"no"}')


IN_THE_WAY: dict[str, tuple[Callable[[Staged], None], str, str, int]] = {
    "the API is away": (_api_is_away, "unknown", "the LiveKit API does not tell", 0),
    "no room can be made": (_no_room, "unknown", "no room could be made", 0),
    "the API goes": (_gone_meanwhile, "unknown", "whether the agent came cannot be seen", 1),
    "a session is set up": (_setting_up, "skipped", 'just being set up in room "call"', 0),
    "another canary": (_another, "skipped", "another canary is at work", 0),
    "a run's proof": (_a_proof, "skipped", "another canary is at work", 0),
    "its room stays": (_not_ended, "green", "could not be ended", 1),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
def test_what_is_in_the_way_is_said(world: Staged, case: str) -> None:
    """A look that fails is unknown, never red; one that had better not be made is skipped, and makes no room."""
    stage, light, words, rooms = IN_THE_WAY[case]
    stage(world)
    told = looked(world)
    assert (told.light, words in told.says, len(world.made)) == (light, True, rooms), told.says


def test_what_dies_is_swept_away_and_old_rooms_are_in_nobodys_way(world: Staged) -> None:
    """Rooms of looks that died are ended; users' rooms, however they stand, are left alone."""
    now = world.server.now
    world.server.room(f"{ROOM}0-dead", created=now - 90)
    world.server.room("fletcher-canary-12345678-00001", created=now - 900)
    world.server.room("young", created=now - 3, participants=[person("uma"), agent("AJ_9", "desk")])
    world.server.room("alone", created=now - 3)
    world.comes = [("desk", "ACTIVE", 0.4)]
    assert looked(world).light == "green"
    assert world.ended == [f"{ROOM}0-dead", world.made[0][0]]


def test_who_comes_second_makes_way(world: Staged) -> None:
    """Two looks that begin at once are not both made."""
    world.later(0.0, lambda: world.server.room(f"{ROOM}0-first", created=world.server.now - 1))
    told = looked(world)
    assert (told.light, len(world.ended)) == ("skipped", 1)


def test_it_is_stopped_and_ends_its_room(world: Staged) -> None:
    """An executor that ends waits for nobody."""
    told = looked(world, stop=lambda: bool(world.made))
    assert told.light == "unknown"
    assert world.ended == [world.made[0][0]]


@pytest.mark.parametrize(
    ("ago", "stays", "light"), [(90, 90, "red"), (90, 2, "green"), (3, 90, "green")], ids=["lacks", "ends", "young"]
)
def test_a_green_canary_beside_rooms_without_agents_is_degraded(world: Staged, ago: float, stays: float, light: str) -> None:  # fmt: skip
    """That new rooms work is of no use to who waits; a room counts once two looks found it so."""
    now = world.server.now
    world.server.room("call", created=now - 90, participants=[person("uma", joined=now - 80)],
                      dispatches=[dispatch("desk", created=now - ago)])  # fmt: skip
    world.comes = [("desk", "ACTIVE", 0.4)]
    world.later(stays, lambda: world.enters("call", "desk"))
    told = looked(world)
    assert told.light == light
    assert told.to_agent is not None
    if light == "red":
        assert told.says.startswith("DEGRADED: dispatch for a new room works now")
        assert [row.room for row in told.findings] == ["call"]


def test_the_oldest_room_counts_as_well(world: Staged) -> None:
    """A worker that died leaves the old rooms alone, while many newer ones have their agents."""
    now = world.server.now
    world.server.room("call", created=now - 900, participants=[person("uma", joined=now - 800)],
                      dispatches=[dispatch("desk", created=now - 900)])  # fmt: skip
    for number in range(30):
        world.server.room(f"r{number}", created=now - 60, participants=[person("uma"), agent("AJ_1", "desk")],
                          dispatches=[dispatch("desk", created=now - 60)])  # fmt: skip
    world.server.room("empty", created=now - 60, dispatches=[dispatch("desk", created=now - 60)])
    world.comes = [("desk", "ACTIVE", 0.4)]
    told = looked(world)
    assert (told.light, [row.room for row in told.findings]) == ("red", ["call"]), told.says


@pytest.mark.parametrize(("joined", "light"), [(80, "red"), (4, "skipped")])
def test_who_joins_all_the_time_does_not_hide_that_nobody_gets_an_agent(world: Staged, joined: float, light: str) -> None:  # fmt: skip
    """While all fails, some session is always being set up: nothing is asked for, and what is seen is told."""
    _setting_up(world)
    world.server.room("waits", created=world.server.now - 90, participants=[person("ann", joined=world.server.now - joined)],
                      dispatches=[dispatch("desk", created=world.server.now - 90)])  # fmt: skip
    if light == "skipped":
        world.later(2.0, lambda: world.enters("waits", "desk"))
    told = looked(world)
    assert (told.light, world.made, told.to_agent) == (light, [], None), told.says
    assert "just being set up" in told.says
    if light == "red":
        assert [row.room for row in told.findings] == ["waits"]
        assert told.lacking == {"abandoned": 1}


def test_its_rooms_make_no_noise_in_a_diagnosis(tmp_path: Path) -> None:
    """Neither a room of its own nor a word about how its job ended."""
    healthy = (FIXTURES / "agent-never-joins" / "healthy" / "livekit.log").read_bytes()
    lines = healthy.splitlines(keepends=True)
    room = next(json.loads(line.split(b"\t")[-1])["room"] for line in lines if b"assigned job to worker" in line)
    about = [line for line in lines if room.encode() in line]
    path = tmp_path / "livekit.log"
    told = []
    for more in (b"", b"".join(about).replace(room.encode(), b"fletcher-canary-look-1-a")):
        identity = more.replace(b"RM_", b"RM_c").replace(b"AJ_", b"AJ_c")
        ended = b'\tINFO\tlivekit.agents\tagent/worker.go:549\tjob ended\t{"jobID": "%s", "jobType": "JT_ROOM", "status": "JS_FAILED", "error": "agent worker left the room"}\n'
        job = next(
            (json.loads(line.split(b"\t")[-1])["jobID"] for line in identity.splitlines() if b"assigned job" in line),
            "",
        )
        path.write_bytes(healthy + identity + (about[-1].split(b"\t")[0] + ended % job.encode() if more else b""))
        answer = diagnose("--server-log", path).json
        told.append(([row["room"] for row in answer["rooms"]], answer["notes"]))
    assert room in told[0][0]
    assert told[0] == told[1]


# --- whom it asks for ----------------------------------------------------------------------------


def test_a_worker_that_has_just_registered_is_waited_for(world: Staged, tmp_path: Path) -> None:
    """Before its first report of load a bad worker looks idle."""
    begun = world.server.now
    world.comes = [("desk", "ACTIVE", 0.4)]
    told = looked(world, Around(log(tmp_path, world.server, 2, "desk")))
    assert told.light == "green"
    assert world.server.rooms == {}
    assert 3 <= world.server.now - begun <= 8
    assert told.to_agent is not None
    assert told.to_agent < 1


@pytest.mark.parametrize("kind", ["JT_PARTICIPANT", "JT_PUBLISHER"])
def test_a_worker_that_needs_a_real_join_is_not_asked(world: Staged, tmp_path: Path, kind: str) -> None:
    """A room without people would prove nothing."""
    told = looked(world, Around(log(tmp_path, world.server, 60, "desk", kind)))
    assert (told.light, kind in told.says, world.made) == ("skipped", True, [])


def test_nothing_shows_whom_to_ask_for(world: Staged, tmp_path: Path) -> None:
    """Then it says what to set; a single worker is better than nothing."""
    told = looked(world, dispatch="")
    assert (told.light, "dispatch = " in told.says, world.made) == ("unknown", True, [])
    world.comes = [("desk", "ACTIVE", 0.4)]
    told = looked(world, Around(log(tmp_path, world.server, 60, "desk")), dispatch="")
    assert (told.light, "nothing shows what tokens ask for" in told.says) == ("green", True)


TOKEN = 'import {{ AccessToken }} from "livekit-server-sdk";\nconst t = new AccessToken("k", "s", {{ identity: "u" }});\n{asks}\n'
ASKS = 't.roomConfig = new RoomConfiguration({{ agents: [new RoomAgentDispatch({{ agentName: "{name}" }})] }});'


def _project(folder: Path, **files: str) -> Path:
    """A project whose files make tokens that ask for these agents, "" for nobody."""
    made = folder / "project"
    made.mkdir()
    for file, name in files.items():
        asks = ASKS.format(name=name) if name else ""
        (made / f"{file}.ts").write_text(TOKEN.format(asks=asks), "utf-8")
    return made


#: Files of a project and logs of a recording → whom a new room asks for, or words of why that is not clear.
WHOM: dict[str, tuple[dict[str, str], str, str]] = {
    "a token": ({"token": "desk"}, "", "desk"),
    "a token that asks for nobody": ({"token": ""}, "", ""),
    "two tokens": ({"one": "desk", "two": "clerk"}, "", '!asks for "clerk", "desk"'),
    "one of two asks": ({"one": "desk", "two": ""}, "", "desk"),
    "rooms alone": ({}, "agent-never-joins/healthy", "triage-bot"),
    "rooms that differ": ({}, "agent-never-joins/name-mismatch", '!"tutor", "tutor "'),
    "token and rooms": ({"token": "triage-bot"}, "agent-never-joins/healthy", "triage-bot"),
    "a token against its rooms": ({"token": "desk"}, "agent-never-joins/healthy", '!the newest room asked for "triage-bot"'),
    "rooms that ask for nobody": ({}, "no-servers-available/healthy", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOM)
def test_whom_new_rooms_ask_for(tmp_path: Path, case: str) -> None:
    """Tokens before rooms before workers; what disagrees is said."""
    files, logs, expected = WHOM[case]
    paths = [_project(tmp_path, **files)] if files else []
    told = whom(seen(*paths, *((FIXTURES / logs / name) for name in ("livekit.log",) if logs)), "")
    if expected.startswith("!"):
        assert expected[1:] in told.trouble
        assert "dispatch = " in told.trouble
    else:
        assert (told.trouble, told.agent) == ("", expected)


def test_what_is_said_goes_first(tmp_path: Path) -> None:
    """The input decides whatever else is there."""
    all_of = seen(_project(tmp_path, one="desk", two="clerk"))
    assert [whom(all_of, given).agent for given in ("clerk", "none")] == ["clerk", ""]
    assert odd_type(all_of, "clerk") == ""


def test_the_real_eyes_see_what_diagnose_sees(world: Staged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without others' eyes it looks at the deployment that the probe names: here its API and its folder."""
    from msgspec.structs import replace

    for name, value in world.server_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    world.server.room("call", created=world.server.now - 60, participants=[person("uma"), agent("AJ_1", "desk")],
                      dispatches=[dispatch("desk")])  # fmt: skip
    of: Any = replace(probe("agent-canary"), here=str(tmp_path))
    told = canary.look(of, standing(of), world, never)
    assert told.light == "red", told.says
    assert 'the rooms of late asked for "desk"' in told.says
    assert told.findings[0].room == world.made[0][0]
    assert world.made[0][1] == "desk"
