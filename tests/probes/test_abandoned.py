"""The watcher's look: which rooms lack their agent, which tries are due, and that none is made twice."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise, repeat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import Unreachable
from bot.livekit.seen import ApiDispatch, ApiParticipant, ApiRoom, ApiSeen
from bot.livekit.setup import Place
from bot.probes import abandoned
from bot.runbook.document import Verify
from tests.doubles.livekit_api import LiveKit, agent, dispatch, person
from tests.probes.staged import Staged, never, probe, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from livekit.protocol import models

    from bot.probes.values import Result

ROOM = "RM_call"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Staged]:
    """A server without rooms, and no engine."""
    with LiveKit() as server:
        yield Staged(server, tmp_path)


def looks(world: Any, number: int, last: Result | None = None, **inputs: str) -> Result:  # noqa: ANN401  # any world will do
    """So many looks, five seconds apart; the last result."""
    of = probe("agent-watch", **inputs)
    for i in range(number):
        if i:
            world.wait(5)
        last = abandoned.look(of, standing(of, last), world, never)
    assert last is not None
    return last


def _kind(kind: int, *, hidden: bool = False) -> models.ParticipantInfo:
    told = person("somebody", joined=1.0)
    told.kind = kind  # type: ignore[assignment]  # its number
    told.permission.hidden = hidden
    return told


def _ended(status: int, lasted: float = 0.0) -> Any:  # noqa: ANN401  # a message
    told = dispatch("desk", jobs=1, created=1.0)
    state = told.state.jobs[0].state
    state.status = status  # type: ignore[assignment]  # its number
    if lasted:
        state.started_at, state.ended_at = 10**18, 10**18 + int(lasted * 1e9)
    return told


UMA, OLD = person("uma", joined=1.0), dispatch("desk", jobs=1, created=1.0)

#: Who is in a room, what it asks for → red or green after two looks.
STANDS: dict[str, tuple[list[Any], list[Any], str]] = {
    "its agent is gone": ([UMA], [OLD], "red"),
    "it never came": ([UMA], [dispatch("desk", created=1.0)], "red"),
    "a caller waits": ([_kind(3)], [OLD], "red"),
    "its job says failed": ([UMA], [_ended(3)], "red"),
    "its agent is there": ([UMA, agent("AJ_1", "desk")], [OLD], "green"),
    "its agent is joining": ([UMA, agent("AJ_1", "desk", state="JOINED")], [OLD], "green"),
    "another agent is there": ([UMA, agent("AJ_1", "clerk")], [OLD], "green"),
    "its job ended well": ([UMA], [_ended(2)], "green"),
    "its job did its work": ([UMA], [_ended(2, 40.0)], "green"),
    "its code failed at once": ([UMA], [_ended(2, 0.06)], "red"),  # which Python agents call a success
    "nobody waits": ([], [OLD], "green"),
    "only a recorder": ([_kind(2)], [OLD], "green"),
    "only a stream": ([_kind(1)], [OLD], "green"),
    "only somebody hidden": ([_kind(0, hidden=True)], [OLD], "green"),
    "it asked for nobody": ([UMA], [dispatch("", created=1.0)], "green"),
}


@pytest.mark.parametrize("case", STANDS)
def test_who_waits_for_nobody(world: Staged, case: str) -> None:
    """By who is there and what was asked; a want goes with each room that lacks its agent, and with no other."""
    people, asks, light = STANDS[case]
    world.server.room("call", room_id=ROOM, participants=people, dispatches=asks)
    told = looks(world, 2)
    assert told.light == light, told.says
    assert [want.id for want in told.wants] == (["watch-RM_call-1"] if light == "red" else [])
    if light == "red":
        (want,) = told.wants
        assert (want.runbook, want.rooms) == ("agent-watch", ("call",))
        assert want.inputs["agent_name"] == "desk"
        assert want.inputs["metadata"] == "as-before"
        assert [row.room for row in told.findings] == ["call"]
        assert told.lacking == {"abandoned": 1}


#: Seconds before now at which the room, its person and its dispatch were made, and the dispatch's jobs → abandoned or not.
YOUNG: dict[str, tuple[float, float, float, int, bool]] = {
    "all is old": (90, 90, 90, 1, True),
    "the room is young": (3, 3, 3, 0, False),
    "somebody has just come": (90, 3, 90, 1, False),
    "sent for a moment ago": (90, 90, 4, 0, False),
    "nobody took it in time": (90, 90, 12, 0, True),
    "a job that is starting": (90, 90, 12, 1, False),
    "a job that never started": (90, 90, 40, 1, True),
}


@pytest.mark.parametrize("case", YOUNG)
def test_what_is_on_its_way_is_waited_for(world: Staged, case: str) -> None:
    """The maturity rule: nobody is sent after somebody who may still come."""
    room, joined, asked, jobs, lacks = YOUNG[case]
    now = world.server.now
    world.server.room("call", room_id=ROOM, created=now - room, participants=[person("uma", joined=now - joined)],
                      dispatches=[dispatch("desk", jobs=jobs, created=now - asked)])  # fmt: skip
    first = looks(world, 1)
    assert (first.light, first.wants) == ("green", ())
    assert ("without an agent just now" in first.says) is lacks, first.says


def test_a_room_that_lacks_it_for_a_moment_is_left_alone(world: Staged) -> None:
    """An agent that connects anew is gone for a moment."""
    world.server.room("call", room_id=ROOM, participants=[UMA, agent("AJ_1", "desk")], dispatches=[OLD])
    told = looks(world, 2)
    for _ in range(3):
        world.leaves("call", "agent-AJ_1")
        told = looks(world, 1, told)
        assert (told.light, told.wants) == ("green", ())
        world.wait(5)
        world.enters("call", "desk")
        told = looks(world, 1, told)
        world.wait(5)


def test_automatic_dispatch_is_wanted_where_it_serves(world: Staged) -> None:
    """A room that asks for nobody lacks an agent where one without a name was there, or is in other rooms; or one is named."""
    quiet = [dispatch("", jobs=1, created=1.0)]
    world.server.room("call", room_id=ROOM, participants=[UMA], dispatches=quiet)
    assert looks(world, 2).light == "green"
    (want,) = looks(world, 2, agent_name="desk").wants
    assert (want.inputs["agent_name"], want.inputs["metadata"]) == ("desk", "")
    assert "not known" in want.why
    world.server.room("other", participants=[UMA, agent("AJ_2")], dispatches=quiet)
    (want,) = looks(world, 2).wants
    assert (want.inputs["agent_name"], want.inputs["metadata"]) == ("", "as-before")


def test_automatic_dispatch_that_is_given_up_is_forgotten(world: Staged) -> None:
    """While its worker is gone its rooms lack it; once agents with names serve for long, who asks for nobody wants nobody."""
    quiet = [dispatch("", jobs=1, created=1.0)]
    world.server.room("other", participants=[UMA, agent("AJ_2")], dispatches=quiet)
    told = looks(world, 1)
    world.delete_room("other")
    world.server.room("call", room_id=ROOM, participants=[UMA], dispatches=quiet)
    world.wait(7200)
    told = looks(world, 2, told)
    assert (told.light, "automatic dispatch" in told.findings[0].summary) == ("red", True)
    world.server.room("named", participants=[UMA, agent("AJ_3", "desk")], dispatches=[OLD])
    told = looks(world, 2, told)
    assert (told.light, told.wants) == ("green", ()), told.says


def test_what_was_there_is_remembered(world: Staged) -> None:
    """The only session's agent is gone, and nothing else shows that rooms have one."""
    world.server.room(
        "call", room_id=ROOM, participants=[UMA, agent("AJ_1")], dispatches=[dispatch("", jobs=1, created=1.0)]
    )
    told = looks(world, 1)
    world.leaves("call", "agent-AJ_1")
    assert [want.id for want in looks(world, 3, told).wants] == ["watch-RM_call-1"]


def test_tries_are_few_and_further_and_further_apart(world: Staged) -> None:
    """Each is made once, by its id; who carries it out leaves its mark, and the budget outlives a lost memory."""
    world.server.room("call", room_id=ROOM, participants=[UMA], dispatches=[OLD])
    told, at = looks(world, 2, tries="3"), list[tuple[str, float]]()
    for step in range(14):
        for want in told.wants:
            if want.id not in {name for name, _ in at}:
                at.append((want.id, world.server.now))
                mark = json.dumps({"fletcher": f"{want.id}/send-agent"})
                world.create_dispatch("call", want.inputs["agent_name"], mark)
        world.wait(5)
        told = looks(world, 1, None if step == 1 else told, tries="3")
    assert [name for name, _ in at] == [f"watch-RM_call-{n}" for n in (1, 2, 3)]
    first, second = (b[1] - a[1] for a, b in pairwise(at))
    assert 10 <= first < second
    told = looks(world, 2, told, tries="3")
    assert (told.light, "3 tries brought none" in told.findings[0].summary) == ("red", True)


def test_a_try_that_waits_for_approval_makes_no_second(world: Staged) -> None:
    """The same is wanted again, which is ordered once; one that sent nobody makes way where that is known, and does not count."""
    world.server.room("call", room_id=ROOM, participants=[UMA], dispatches=[OLD])
    told = looks(world, 10)
    assert {want.id for want in told.wants} == {"watch-RM_call-1"}
    of, wanted = probe("agent-watch", tries="1"), dict[str, float]()
    for _ in range(60):
        told = abandoned.look(of, standing(of, told), world, never, ended=lambda _: True)  # each was refused
        for want in told.wants:
            wanted.setdefault(want.id, world.server.now)
        world.wait(20)
    assert list(wanted) == [f"watch-RM_call-{number}" for number in range(2, 12)]
    assert all(60 <= b - a < 100 for a, b in pairwise(wanted.values()))
    assert "11 runs ended and sent nobody" in told.findings[0].summary


def test_one_room_after_the_other(world: Staged) -> None:
    """A run keeps the deployment to itself, so that a second one at the same time would be refused."""
    for name in ("a", "b", "c"):
        world.server.room(name, room_id=f"RM_{name}", participants=[UMA], dispatches=[OLD])
    told = looks(world, 2)
    assert [want.id for want in told.wants] == ["watch-RM_a-1"]
    world.enters("a", "desk")
    world.wait(5)
    told = looks(world, 1, told)
    assert [want.id for want in told.wants] == ["watch-RM_b-1"]


def test_the_next_room_waits_until_a_try_that_brings_nobody_is_over(world: Staged) -> None:
    """It waits for its agent for as long as the runbook says; a run that finds it at work is refused, and wanted no more."""
    for name in ("a", "b"):
        world.server.room(name, room_id=f"RM_{name}", participants=[UMA], dispatches=[OLD])
    told, began = looks(world, 2), world.server.now
    assert [want.id for want in told.wants] == ["watch-RM_a-1"]
    while not any("RM_b" in want.id for want in told.wants):
        world.wait(1)
        told = looks(world, 1, told)
    (proof,) = (block for block in probe("agent-watch").runbook.blocks if isinstance(block, Verify))
    assert proof.timeout + 10 <= world.server.now - began <= 2 * proof.timeout  # and it has looked before that


def test_of_many_rooms_each_has_its_turn(world: Staged) -> None:
    """No look asks about more than forty, and none is forgotten."""
    for i in range(60):
        lacks = i in {7, 53}
        people = [UMA] if lacks else [UMA, agent(f"AJ_{i}", "desk")]
        world.server.room(f"r{i}", room_id=f"RM_{i:03d}", participants=people, dispatches=[OLD])
    world.server.room("empty", room_id="RM_999", dispatches=[OLD])
    before = world.server.calls["ListParticipants"]
    told = looks(world, 4)
    assert world.server.calls["ListParticipants"] - before <= 160
    assert {row.room for row in told.findings} == {"r7", "r53"}
    assert len(told.memory) < 10_000


@dataclass
class Many:
    """So many rooms in which somebody waits for an agent that never comes; nothing but an API."""

    number: int
    clock: float = 1_000_000.0

    def api(self, rooms: tuple[str, ...] | None) -> ApiSeen:
        """What there is."""
        uma = ApiParticipant("uma", agent=False, state="ACTIVE", agent_name="", joined=1.0)
        asks = (ApiDispatch("AD_0", "desk", "", 1.0, 1, (), ""),)
        made = [(f"r{i}", rooms is None or f"r{i}" in rooms) for i in range(self.number)]
        return ApiSeen("", self.clock, tuple(
            ApiRoom(name, f"RM_{name}", 1.0, (uma,) if inside else None, asks if inside else None, PLACE, people=1)
            for name, inside in made
        ))  # fmt: skip


def test_of_more_rooms_without_agents_than_one_look_sees_each_gets_its_try() -> None:
    """A worker's end leaves all of its rooms alone; those whose tries are used up are in nobody's way."""
    world, of, last = Many(100), probe("agent-watch", tries="1"), None
    wanted: set[str] = set()
    for _ in range(130):
        last = abandoned.look(of, standing(of, last), world, never, ended=wanted.__contains__)  # type: ignore[arg-type]  # all that it asks
        wanted |= {want.id for want in last.wants}
        world.clock += 5
    assert wanted >= {f"watch-RM_r{i}-1" for i in range(100)}


def test_what_cannot_be_seen_is_unknown_and_nothing_is_forgotten(world: Staged) -> None:
    """Neither red nor green, and the tries stay counted."""
    world.server.room("call", room_id=ROOM, participants=[UMA], dispatches=[OLD])
    told = looks(world, 2)
    world.server.fails["ListRooms"] = (503, b"gone")
    gone = looks(world, 1, told)
    assert (gone.light, gone.wants, gone.memory) == ("unknown", (), told.memory)
    world.server.fails = {"ListParticipants": (503, b"gone")}
    assert looks(world, 1, told).light == "unknown"
    world.server.fails = {}
    assert looks(world, 1, replace_memory(told, "of another version")).light == "green"


def replace_memory(told: Result, memory: str) -> Result:
    """The result with another memory."""
    from msgspec.structs import replace as changed

    return changed(told, memory=memory)


# --- whatever happens ----------------------------------------------------------------------------

PLACE = Place("LiveKit API", 1, "")
FATES = st.sampled_from(["sends", "sends late", "waits", "fails", "sends without a mark"])
AGENTS = st.sampled_from(["never", "at once", "slowly", "joins and goes", "comes and goes"])


@dataclass
class Simulated:
    """One room in which somebody waits, and runs that do what they are drawn to do; nothing but an API."""

    fates: Iterator[str]
    agents: Iterator[str]
    clock: float = 1_000_000.0
    dispatches: list[ApiDispatch] = field(default_factory=list)
    there: list[tuple[float, float, str]] = field(
        default_factory=list
    )  # from when until when an agent is in which state
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)
    away: bool = False

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock += seconds
        due = [one for one in self.later if one[0] <= self.clock]
        self.later = [one for one in self.later if one[0] > self.clock]
        for _, happen in due:
            happen()

    def api(self, rooms: tuple[str, ...] | None) -> ApiSeen:
        """What there is."""
        if self.away:
            raise Unreachable("away")
        uma = ApiParticipant("uma", agent=False, state="ACTIVE", agent_name="", joined=1.0)
        now = [state for begin, end, state in self.there if begin <= self.clock < end]
        agents = [
            ApiParticipant(f"agent-{i}", agent=True, state=s, agent_name="desk", joined=1.0) for i, s in enumerate(now)
        ]
        room = ApiRoom("call", ROOM, 1.0, (uma, *agents), tuple(self.dispatches), PLACE, people=1)
        return ApiSeen(
            "", self.clock, (room if rooms is None or rooms else replace(room, participants=None, dispatches=None),)
        )

    @property
    def on_its_way(self) -> bool:
        """Whether an agent is there, is joining, or will be: each comes within the time that it may take."""
        return any(self.clock < end for _, end, _ in self.there)

    def order(self, run: str) -> None:
        """A new run, which meets its fate."""
        fate = next(self.fates)
        self.runs[run] = "open"
        if fate == "fails":
            self.runs[run] = "ended"
        elif fate != "waits":
            mark = "" if "without" in fate else json.dumps({"fletcher": f"{run}/send-agent"})
            self.later.append((self.clock + (12 if "late" in fate else 1), lambda: self.sends(run, mark)))

    def sends(self, run: str, mark: str) -> None:
        """A run acts."""
        self.runs[run] = "ended"
        self.dispatches.append(ApiDispatch(f"AD_{run}", "desk", "", self.clock, 1, (), mark))
        now, how = self.clock, next(self.agents)
        if how == "slowly":
            self.there.append((now + 20, now + 1e9, "ACTIVE"))
        elif how == "at once":
            self.there.append((now + 1, now + 1e9, "ACTIVE"))
        elif how == "comes and goes":
            self.there.append((now + 1, now + 30, "ACTIVE"))
        elif how == "joins and goes":
            self.there.append((now + 1, now + 16, "JOINED"))


@settings(max_examples=40, deadline=None)
@given(
    tries=st.integers(1, 5),
    fates=st.lists(FATES, min_size=8, max_size=8),
    agents=st.lists(AGENTS, min_size=8, max_size=8),
    forgets=st.sets(st.integers(0, 79)),
    away=st.sets(st.integers(0, 79), max_size=30),
    tells=st.booleans(),
)
def test_never_more_than_so_many_and_never_twice(
    tries: int, fates: list[str], agents: list[str], forgets: set[int], away: set[int], *, tells: bool
) -> None:
    """Whatever becomes of runs, agents and memory: at most K tries, one at a time, none beside an agent on its way."""
    world = Simulated(
        chain(fates, repeat("fails")),
        chain(agents, repeat("never")),
        dispatches=[ApiDispatch("AD_0", "desk", "", 1.0, 1, (), "")],
    )
    of, last = probe("agent-watch", tries=str(tries)), None
    marked = "sends without a mark" not in fates  # where no mark can be set, only the memory counts the tries
    for step in range(80):
        world.away = step in away
        ended = (lambda run: world.runs.get(run) != "open") if tells else None
        told = abandoned.look(of, standing(of, last), world, never, ended=ended)  # type: ignore[arg-type]  # all that it asks
        assert len(told.wants) <= 1
        for want in told.wants:
            if want.id in world.runs:
                continue
            assert not world.on_its_way
            assert "open" not in world.runs.values()
            world.order(want.id)
        last = None if step in forgets and marked else told
        world.wait(5)
    assert len(world.dispatches) - 1 <= tries
    void = sum(state == "ended" for state in world.runs.values()) - (len(world.dispatches) - 1)
    assert set(world.runs) <= {f"watch-{ROOM}-{n}" for n in range(1, tries + void + 1)}
    assert void <= (11 if tells else tries)
