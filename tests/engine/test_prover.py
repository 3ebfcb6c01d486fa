"""Whether it holds: what counts, what does not, and when it cannot be told."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from bot.engine.prover import Prover
from bot.engine.values import Looked, Order, Person, Run, StepRow
from bot.livekit.marks import CANARY
from bot.livekit.seen import ApiParticipant, Machine
from bot.livekit.setup import Place
from bot.plan.values import Plan, Step
from bot.redact import Redactor
from bot.runbook.compile import compile_runbook
from bot.steps.contract import Doing, Outcome
from bot.steps.token import claims_of
from bot.world.staged import SECOND, START, Inside, StagedWorld

if TYPE_CHECKING:
    from bot.engine.values import Proof
    from bot.world.contract import Role

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "runbooks" / "agent-never-joins.md"
AGENT = "livekit-ganglia-agent"
Stage = Callable[[StagedWorld], None]


def prove(
    stage: Stage,
    *,
    remedy: str = "explicit-dispatch",
    claims: list[str] | None = None,
    after: str = "rebuild-agent",
    room: str = "demo",
    job_type: str = "",
    told: list[str] | None = None,
    world: StagedWorld | None = None,
) -> tuple[Proof, StagedWorld]:
    """The proof of a run whose step began just now, on a stage."""
    world = world or StagedWorld()
    stage(world)
    runbook = compile_runbook(str(RUNBOOK), RUNBOOK.read_bytes())
    verify = "agent-came" if after == "dispatch-again" else "agent-joins"
    step = Step(name=verify, kind="verify", line=1, heading="", does="", effect="read", timeout=90)
    plan = Plan(
        runbook=runbook.id,
        title=runbook.title,
        revision="",
        target="demo",
        room=room,
        agent=AGENT,
        remedy=remedy,
        verification=(step,),
    )
    rows = [StepRow(name=after, state="done", outcome=Outcome(state="done", says="", began_ns=START, ended_ns=START))]
    if claims is not None:
        kept = json.dumps(claims_of(token(claims)))  # as the step that made it keeps them
        rows.append(
            StepRow(
                name="new-token",
                state="done",
                outcome=Outcome(state="done", says="", began_ns=START, ended_ns=START, facts={"claims": kept}),
            )
        )
    order = Order(id="run12345", runbook=runbook.id, person=Person("ada", "terminal"), at=0)
    run = Run(
        order=order,
        state="running",
        changed_at=0,
        runbook=runbook,
        looked=Looked(plan=plan, verdict="cause", job_type=job_type),
        steps=tuple(rows),
    )
    doing = Doing(
        world, Path("/nonexistent"), Redactor.of(frozenset()), (told if told is not None else []).append, Event()
    )
    return Prover().prove(run, doing), world


def token(agents: list[str]) -> str:
    """A token that asks for these agents; nobody signed it."""
    asked = {"roomConfig": {"agents": [{"agentName": name} for name in agents]}} if agents else {}
    parts = ({"alg": "HS256"}, {"video": {"roomJoin": True, "room": "demo"}, **asked})
    coded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return ".".join([*coded, "unsigned"])


def registers(world: StagedWorld, after: float = 2.0, name: str = AGENT, kind: str = "JT_ROOM") -> None:
    """The new worker registers."""
    world.container("running")
    world.log_line(after, "worker registered", namespace="", jobType=kind, agentName=name, workerID="AW_1")


def served(world: StagedWorld, room: str, agent: str | None, *, name: str = AGENT) -> None:
    """The server assigns the room's job, and the agent comes; the noise of the other types comes too."""
    if (agent or "") == name:
        world.log_line(
            0.2, "assigned job to worker", jobID="AJ_1", agentName=name, jobType="JT_ROOM", room=room, workerID="AW_1"
        )
        world.log_line(
            5.0,
            "not dispatching agent job since no worker is available",
            agentName=name,
            jobType="JT_PARTICIPANT",
            room=room,
        )
        world.comes(room, 0.6, name)


def good(world: StagedWorld) -> None:
    """All is well."""
    registers(world)
    world.happens = served


def unnamed(world: StagedWorld) -> None:
    """A worker without a name gets the room that asks for nobody."""
    registers(world, name="")
    world.happens = lambda w, room, agent: served(w, room, agent, name="")


def refuses(world: StagedWorld) -> None:
    """The load is refused still."""
    registers(world)
    world.happens = lambda w, _room, agent: w.log_line(
        0.3,
        "failed to send job request",
        error="no servers available (received 1 responses)",
        jobType="JT_ROOM",
        agentName=agent or "",
    )


def earlier(world: StagedWorld) -> None:
    """There is a line that would prove it, from before the step."""
    world.log_line(-5, "worker registered", jobType="JT_ROOM", agentName=AGENT, workerID="AW_0")
    world.log_line(
        -4, "assigned job to worker", jobID="AJ_0", agentName=AGENT, jobType="JT_ROOM", room="demo", workerID="AW_0"
    )
    world.log_line(1, "starting RTC session", room="other")
    world.container("running")


def crashes(world: StagedWorld) -> None:
    """The new worker ends at once."""
    world.container("exited", exit_code=1)


def misnamed(world: StagedWorld) -> None:
    """The new worker has another name."""
    registers(world, name="other")


def dumb(world: StagedWorld) -> None:
    """The API does not answer."""
    registers(world)
    world.api_fails = "the LiveKit API does not answer"


def quiet(world: StagedWorld) -> None:
    """The server writes warnings only; its worker tells that it registered, and the API that the agent is there."""
    world.container("running")
    world.log_line(1, "something else", level="WARN")
    at = world.clock + 2 * SECOND
    world.lines.append(
        (
            at,
            "agent",
            json.dumps(
                {
                    "level": 30,
                    "time": at // 1_000_000,
                    "msg": "registered worker",
                    "id": "AW_1",
                    "agentName": AGENT,
                    "version": "1.9.0",
                }
            ),
        )
    )
    world.happens = lambda w, room, _agent: w.comes(room, 0.6, AGENT)


def absent(world: StagedWorld) -> None:
    """It is assigned, and nobody comes."""
    registers(world)
    world.happens = lambda w, room, agent: w.log_line(
        0.2,
        "assigned job to worker",
        jobID="AJ_1",
        agentName=agent or "",
        jobType="JT_ROOM",
        room=room,
        workerID="AW_1",
    )


def slow(world: StagedWorld) -> None:
    """It is assigned at once, and its process needs long to start, as on a machine that has much else to do."""
    absent(world)
    assigned = world.happens

    def happens(w: StagedWorld, room: str, agent: str | None) -> None:
        assigned(w, room, agent)
        w.comes(room, 25.0, AGENT)

    world.happens = happens


def leaves(world: StagedWorld) -> None:
    """The agent comes and goes again within the time in which it has to stay."""
    registers(world)

    def happens(w: StagedWorld, room: str, agent: str | None) -> None:
        served(w, room, agent)
        w.log_line(
            4, "failed to send job request", error="no response from servers", jobType="JT_ROOM", agentName=AGENT
        )
        w.rooms[room].people.clear()

    world.happens = happens


def participant(world: StagedWorld) -> None:
    """The worker starts only when somebody joins."""
    registers(world, kind="JT_PARTICIPANT")


@pytest.mark.parametrize(
    ("stage", "remedy", "claims", "result", "says"),
    [
        (good, "explicit-dispatch", [AGENT], "holds", "ACTIVE"),
        (good, "explicit-dispatch", None, "holds", "ACTIVE"),
        (unnamed, "auto-dispatch", [], "holds", "ACTIVE"),
        (unnamed, "auto-dispatch", [AGENT], "refuted", "does not join"),
        (refuses, "zero-load", None, "refuted", "refuses"),
        (earlier, "explicit-dispatch", None, "refuted", "never registered"),
        (crashes, "explicit-dispatch", None, "refuted", "does not stay alive"),
        (misnamed, "explicit-dispatch", None, "refuted", "another name"),
        (dumb, "explicit-dispatch", None, "cannot-tell", "made no room"),
        (quiet, "explicit-dispatch", None, "holds", "ACTIVE"),
        (absent, "explicit-dispatch", None, "refuted", "does not join"),
        (slow, "explicit-dispatch", None, "holds", "ACTIVE in the room after 25."),
        (leaves, "explicit-dispatch", None, "refuted", "refuses"),
        (participant, "job-type-participant", None, "cannot-tell", "no agent came"),
    ],
)
def test_what_a_stage_comes_to(stage: Stage, remedy: str, claims: list[str] | None, result: str, says: str) -> None:
    """Three outcomes, and each for its reason; the room is ended whatever happened."""
    proof, world = prove(stage, remedy=remedy, claims=claims)
    assert (proof.result, says in proof.says) == (result, True), proof
    assert not [name for name in world.rooms if name.startswith(CANARY)]


def test_T19_an_old_line_never_counts() -> None:  # noqa: N802
    """A success line from before the step proves nothing."""
    proof, _ = prove(earlier)
    assert not any(point.ok for point in proof.points)


def test_the_room_is_made_as_the_new_token_makes_it() -> None:
    """The dispatch is the one that the token asks for; without a token only the worker is proven, and that is said."""
    proof, world = prove(good, claims=[AGENT])
    assert list(world.asked.values()) == [AGENT]
    assert next(p for p in proof.points if p.name == "dispatch").ok is True
    alone, _ = prove(good)
    assert "only the worker is proven" in next(p for p in alone.points if p.name == "dispatch").says


def test_it_waits_for_the_first_report_of_load() -> None:
    """No room is made before 6 s after the registration: a bad worker looks idle until then."""
    made: list[int] = []

    def stage(world: StagedWorld) -> None:
        def happens(w: StagedWorld, room: str, agent: str | None) -> None:
            made.append(w.clock)
            served(w, room, agent)

        registers(world)
        world.happens = happens

    prove(stage)
    assert made[0] >= START + 8 * SECOND


def test_the_room_of_the_complaint_is_looked_at_again() -> None:
    """Where it is still open without an agent the report says so, with the ways out; the fix holds all the same."""

    def stage(world: StagedWorld) -> None:
        good(world)
        user = ApiParticipant("ada", agent=False, state="ACTIVE", agent_name="", joined=None)
        world.rooms["demo"] = Inside(world.clock, [(world.clock, user)])

    proof, _ = prove(stage, claims=[AGENT])
    own = next(point for point in proof.points if point.name == "own room")
    assert (proof.result, own.ok) == ("holds", None)
    # What is wrong with that room may be called otherwise by now, such as that the worker came too late.
    way = f"`fletcher run agent-never-joins --room demo --input remedy=create-dispatch --input agent_name={AGENT} --anyway`"
    assert way in own.says


def test_without_a_name_nobody_is_dispatched_into_the_room() -> None:
    """A worker without a name is sent for by no name, so that the way out is to join again."""

    def stage(world: StagedWorld) -> None:
        unnamed(world)
        user = ApiParticipant("ada", agent=False, state="ACTIVE", agent_name="", joined=None)
        world.rooms["demo"] = Inside(world.clock, [(world.clock, user)])

    proof, _ = prove(stage, remedy="auto-dispatch", claims=[])
    own = next(point for point in proof.points if point.name == "own room")
    assert (proof.result, own.says.endswith("when a room is made: let everybody leave and join again")) == (
        "holds",
        True,
    )


def test_a_dispatch_is_proven_in_its_own_room() -> None:
    """For a room that was there already no other is made."""

    def stage(world: StagedWorld) -> None:
        world.rooms.clear()
        world.comes("demo", 0.6, AGENT)
        world.log_line(
            0.2,
            "assigned job to worker",
            jobID="AJ_1",
            agentName=AGENT,
            jobType="JT_ROOM",
            room="demo",
            workerID="AW_1",
        )

    proof, world = prove(stage, remedy="create-dispatch", after="dispatch-again")
    assert (proof.result, world.asked) == ("holds", {})


def test_what_a_killed_proof_left_behind_is_ended() -> None:
    """A proof that begins anew ends the rooms of its own run, and leaves users' rooms and those of others alone."""

    def stage(world: StagedWorld) -> None:
        good(world)
        for room in (f"{CANARY}run12345-00001", f"{CANARY}other-00001", "users"):
            world.comes(room, 0)

    proof, world = prove(stage, claims=[AGENT])
    assert (proof.result, world.ended[0], set(world.rooms)) == (
        "holds",
        f"{CANARY}run12345-00001",
        {f"{CANARY}other-00001", "users"},
    )


class Restarting(StagedWorld):
    """A server that restarts: everything in it is gone, and the worker registers anew a while later."""

    began = START / SECOND
    at = knows = 0

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        if self.at and self.clock >= self.at:
            self.at, self.began, self.knows = 0, self.clock / SECOND, self.clock + 3 * SECOND
            self.rooms.clear()
            self.log_line(3.0, "worker registered", jobType="JT_ROOM", agentName=AGENT, workerID="AW_2")

    def machines(self, role: Role) -> tuple[Machine, ...]:
        if role == "agent":
            return super().machines(role)
        place = Place("docker inspect demo-livekit-1", 1, "running")
        return (
            Machine("livekit", "livekit", "demo-livekit-1", "running", "", 0, oom_killed=False, restarts=0, created=None, started=self.began, finished=None, place=place),
        )  # fmt: skip


@pytest.mark.parametrize("after", [1.0, 4.0, 12.0], ids=["before-the-room", "before-the-load", "while-it-settles"])
def test_a_server_that_restarts_meanwhile_refutes_nothing(after: float) -> None:
    """What it took with it is proven anew, from the worker's new registration on."""
    world = Restarting()

    def stage(world: StagedWorld) -> None:
        assert isinstance(world, Restarting)
        registers(world, after=0.0)
        world.happens = lambda w, room, agent: served(w, room, agent) if w.clock >= world.knows else None
        world.at = START + int(after * SECOND)

    proof, _ = prove(stage, claims=[AGENT], world=world)
    points = {point.name: point for point in proof.points}
    assert (proof.result, points["agent"].ok, points["assignment"].ok) == ("holds", True, True)
    assert not any(room.startswith(CANARY) for room in world.rooms)


def empty(world: StagedWorld) -> None:
    """Neither log has a line since the step, and nobody comes."""
    world.container("running")


def unread(world: StagedWorld) -> None:
    """No log can be read, and nobody comes."""
    world.container("running")
    world.log_fails = "the log of demo-livekit-1 was rotated, and does not go back to when the step began"


def unread_and_served(world: StagedWorld) -> None:
    """No log can be read, and the agent comes all the same."""
    unread(world)
    world.happens = lambda w, room, _agent: w.comes(room, 0.6, AGENT)


@pytest.mark.parametrize(
    ("stage", "result", "says"),
    [
        (empty, "cannot-tell", "no agent came into the room"),
        (unread, "cannot-tell", "no agent came into the room"),
        (dumb, "cannot-tell", "made no room"),
        (unread_and_served, "holds", "ACTIVE"),
    ],
)
def test_T27_what_no_log_tells_is_neither_yes_nor_no(stage: Stage, result: str, says: str) -> None:  # noqa: N802
    """Without a line or a log that is whole the API decides; an agent that does not come refutes nothing then."""
    proof, world = prove(stage, claims=[AGENT])
    assert (proof.result, says in proof.says) == (result, True), proof
    if stage is not dumb:
        registration = next(point for point in proof.points if point.name == "registration")
        assert (registration.ok, "cannot be seen" in registration.says) == (None, True)
    assert not [name for name in world.rooms if name.startswith(CANARY)]


def test_a_refusal_while_it_has_to_stay_counts() -> None:
    """One of its own name and type, wherever it is, refutes; one of another type is noise."""

    def stage(kind: str) -> Stage:
        def happens(w: StagedWorld, room: str, agent: str | None) -> None:
            served(w, room, agent)
            w.log_line(3, "failed to send job request", error="no servers available", jobType=kind, agentName=AGENT)

        def set_up(world: StagedWorld) -> None:
            registers(world)
            world.happens = happens

        return set_up

    assert prove(stage("JT_ROOM"), claims=[AGENT])[0].result == "refuted"
    assert prove(stage("JT_PUBLISHER"), claims=[AGENT])[0].result == "holds"


def test_forbidden_lines_since_the_step_are_counted() -> None:
    """Those from before the room was made do not refute it, and the report says how many there were."""

    def stage(world: StagedWorld) -> None:
        world.log_line(
            -1, "failed to send job request", error="no servers available", jobType="JT_ROOM", agentName=AGENT
        )
        world.log_line(
            1, "failed to send job request", error="no servers available", jobType="JT_ROOM", agentName=AGENT
        )
        good(world)

    proof, _ = prove(stage, claims=[AGENT])
    point = next(point for point in proof.points if point.name == "forbidden lines")
    assert (proof.result, point.says.startswith("1 lines since the step")) == ("holds", True), point


def test_a_worker_that_waits_for_a_join_is_not_refuted_by_an_empty_room() -> None:
    """Also where nothing was rebuilt: its type is the one that was seen when it was looked at."""
    proof, world = prove(lambda _world: None, claims=[AGENT], after="new-token", job_type="JT_PUBLISHER")
    assert (proof.result, world.asked) == ("cannot-tell", {})


def test_every_wait_is_told() -> None:
    """Whoever watches is told what is waited for, and for how long."""
    told: list[str] = []
    prove(good, claims=[AGENT], told=told)
    for said in (
        "to register (at most 90 s)",
        "waiting 6 s for the worker's first report",
        "waiting for the agent in",
        "it has to stay for 10 s",
    ):
        assert any(said in line for line in told), said
