"""Small stories of one server, told line by line: what each more line, or its time, makes of the verdict."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.fletcher import Reply, diagnose

if TYPE_CHECKING:
    from pathlib import Path

Line = tuple[float, str]
BEGIN = datetime(2026, 3, 12, 7, 20, tzinfo=UTC)


def say(sec: float, message: str, fields: dict[str, Any], logger: str = "livekit") -> Line:
    """A line of the server's, so many seconds after its start."""
    at = (BEGIN + timedelta(seconds=sec)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return sec, f"{at}\tINFO\t{logger}\tx/y.go:1\t{message}\t{json.dumps(fields)}\n"


def start(version: str = "1.11.0") -> Line:
    """The server's start."""
    return say(0, "starting LiveKit server", {"portHttp": 7880, "nodeID": "ND_a", "version": version})


def registered(sec: float, name: str, worker: str = "AW_1") -> Line:
    """A worker registers."""
    fields = {"namespace": "", "jobType": "JT_ROOM", "agentName": name, "workerID": worker}
    return say(sec, "worker registered", fields, "livekit.agents")


def joins(sec: float, who: str, others: int, *agents: str) -> Line:
    """Somebody joins, with a token that asks for these agents."""
    made = {"name": "desk", **({"agents": [{"agentName": a} for a in agents]} if agents else {})}
    fields = {"participant": who, "nodeID": "ND_a", "numParticipants": others, "participantInit": {"CreateRoom": made}}
    return room(sec, "starting RTC session", **fields)


def room(sec: float, message: str, **fields: object) -> Line:
    """A line about the room."""
    return say(sec, message, {"room": "desk", "roomID": "RM_desk", **fields})


def silent(sec: float, name: str) -> Line:
    """No worker of that name is known."""
    return room(sec, "not dispatching agent job since no worker is available", agentName=name, jobType="JT_ROOM")


def full(sec: float, name: str) -> Line:
    """Every worker of that name has too much to do."""
    fields = {"error": "no servers available (received 1 responses)", "jobType": "JT_ROOM", "agentName": name}
    return say(sec, "failed to send job request", {"namespace": "", **fields})


def call(sec: float, name: str) -> Line:
    """The backend dispatches."""
    fields = {"room": "desk", "request": {"room": "desk", "agentName": name}, "status": "200"}
    return say(sec, "API AgentDispatchService.CreateDispatch", fields, "livekit.api")


def served(sec: float, name: str, job: str = "AJ_1", worker: str = "AW_1") -> list[Line]:
    """The agent gets its job and comes."""
    return [
        given(sec + 0.2, name, job, worker),
        joins(sec + 0.4, f"agent-{job}", 1),
        room(sec + 0.6, "participant active", participant=f"agent-{job}"),
    ]


def given(sec: float, name: str, job: str = "AJ_1", worker: str = "AW_1") -> Line:
    """A worker gets the job."""
    return room(sec, "assigned job to worker", jobID=job, agentName=name, jobType="JT_ROOM", workerID=worker)


def later(sec: float = 60) -> Line:
    """The log goes on."""
    return say(sec, "API RoomService.ListRooms", {"status": "200"}, "livekit.api")


def told(tmp_path: Path, lines: list[Line], *more: str | Path) -> Reply:
    """What is concluded from these lines."""
    log = tmp_path / "livekit.log"
    log.write_text("".join(text for _, text in sorted(lines, key=lambda line: line[0])))
    return diagnose(log, *more)


@pytest.mark.parametrize("others", [0, 1], ids=["born", "birth unseen"])
def test_an_agent_that_came_by_a_later_call_does_not_outweigh_the_one_that_was_asked_for(
    others: int, tmp_path: Path
) -> None:
    """A room that asked for one agent at its birth and got another later has a cause for the first."""
    lines = [start(), registered(1, "b"), joins(10, "u", others, "a"), silent(15, "a"), call(20, "b"), *served(20, "b")]
    row = told(tmp_path, [*lines, later()]).row("desk")
    assert (row["cause"], row["agent"]) == ("name-mismatch", "a")


def test_a_refusal_that_a_second_call_made_good_is_the_rooms_own(tmp_path: Path) -> None:
    """It fits the room's birth, so it is no refusal of some other room."""
    lines = [start(), registered(1, "a"), joins(10, "u", 0, "a"), full(10.2, "a"), call(20, "a"), *served(20, "a")]
    rows = told(tmp_path, [*lines, later()]).json["rooms"]
    assert [(row["room"], row["verdict"]) for row in rows] == [("desk", "healthy")]


@pytest.mark.parametrize(
    ("end", "after", "says"),
    [
        ("JOIN_TIMEOUT", 1.0, "ice-failed"),
        ("NEGOTIATE_FAILED", 2.0, "ice-failed"),
        ("PEER_CONNECTION_DISCONNECTED", 3.0, "ice-failed"),
        ("SIGNAL_SOURCE_CLOSE", 1.0, None),  # a crash closes it, too
        ("SIGNAL_SOURCE_CLOSE", 15.0, "ice-failed"),
    ],
)
@pytest.mark.parametrize("message", ["participant closing", "removing participant without connection"])
def test_a_reason_that_names_the_media_is_judged_at_once(
    message: str, end: str, after: float, says: str | None, tmp_path: Path
) -> None:
    """Other reasons only when the stay was longer than a crash takes."""
    lines = [start(), registered(1, "a"), joins(10, "u", 0, "a"), given(10.2, "a"), joins(10.4, "agent-AJ_1", 1)]
    lines.append(room(10.4 + after, message, participant="agent-AJ_1", reason=end))
    assert told(tmp_path, lines).row("desk")["cause"] == says


@pytest.mark.parametrize("ahead", [-0.9, 0.0, 0.9])
def test_a_refusal_counts_whatever_the_backends_clock_says(ahead: float, tmp_path: Path) -> None:
    """The backend's own record of its call may stand a second beside the server's line about it."""
    at = (BEGIN + timedelta(seconds=20 + ahead)).isoformat()
    calls = [{"call": "CreateDispatch", "time": at, "request": {"room": "desk", "agentName": "a"}}]
    token = tmp_path / "token.json"
    token.write_text(json.dumps({"claims": {"sub": "u", "video": {"room": "desk"}}, "api_calls": calls}))
    lines = [start(), registered(1, "a"), joins(10, "u", 0), full(20.2, "a"), later(120)]
    assert told(tmp_path, lines, "--token", token).row("desk")["cause"] == "load-refused"


def test_a_deployment_without_a_name_is_no_automatic_dispatch(tmp_path: Path) -> None:
    """Worker and dispatch that name different deployments, one of them none."""
    agent = tmp_path / "agent.log"
    own = {"level": 30, "time": int((BEGIN.timestamp() + 1) * 1000), "pid": 1, "version": "1.9.0", "id": "AW_1"}
    agent.write_text(json.dumps({**own, "agentName": "a", "deployment": "blue", "msg": "registered worker"}) + "\n")
    refusal = {"error": "no response from servers", "namespace": "", "jobType": "JT_ROOM", "agentName": "a"}
    lines = [
        start("1.13.5"),
        registered(1, "a"),
        joins(10, "u", 0, "a"),
        say(11, "failed to send job request", refusal),
    ]
    row = told(tmp_path, [*lines, later()], agent).row("desk")
    assert row["cause"] == "deployment-mismatch"
    assert "none (the default)" in row["summary"]
    assert "automatic" not in row["summary"]


@pytest.mark.parametrize(
    ("version", "fields", "says"),
    [
        ("1.5.3", None, None),  # tells of no worker at all
        ("1.7.2", None, "no-worker"),
        ("1.7.2", {"agentName": "b"}, "name-mismatch"),
        ("1.7.2", {"agentName": "a"}, None),
        ("1.7.0", {}, "worker-unnamed"),
        ("1.11.0", None, "no-worker"),
    ],
)
def test_a_server_that_tells_no_ids_tells_of_workers_all_the_same(
    version: str, fields: dict[str, str] | None, says: str | None, tmp_path: Path
) -> None:
    """Before 1.8 only the first worker of a kind is told, without an id; before 1.6 none is."""
    lines = [start(version), joins(10, "u", 0, "a"), silent(15, "a"), later()]
    if fields is not None:
        first = {"namespace": "", "jobType": "JT_ROOM", **fields}
        lines.append(say(1, "initial worker registered", first, "livekit.agents"))
    assert told(tmp_path, lines).row("desk")["cause"] == says


def test_refusals_of_one_moment_find_their_rooms_however_many_they_are(tmp_path: Path) -> None:
    """Each of very many rooms of the same seconds is told why, in a time that grows as they do."""
    lines = [start(), registered(1, "a")]
    for number in range(600):
        at, name = 10 + number / 200, f"desk {number}"
        made = {"CreateRoom": {"name": name, "agents": [{"agentName": "a"}]}}
        fields = {"room": name, "roomID": f"RM_{number}", "participant": "u", "numParticipants": 0}
        lines.append(say(at, "starting RTC session", {**fields, "participantInit": made}))
        lines += [full(at + 0.2, "a")] * 4
    causes = {row["cause"] for row in told(tmp_path, [*lines, later()]).json["rooms"]}
    assert causes == {"load-refused"}


@pytest.mark.parametrize(
    ("session", "ended", "gone", "again", "says"),
    [
        (True, None, None, None, None),  # what will happen to the worker is still to come
        (True, 40.0, 41.0, None, "draining"),
        (True, 40.0, None, None, "load-refused"),  # who was told to stop would have gone
        (True, None, 70.0, None, None),  # it was killed, whatever it did before
        (True, None, None, 50.0, "load-refused"),  # who was told to stop takes no job
        (False, None, None, None, "load-refused"),  # who was told to stop and has no session is gone
    ],
)
def test_a_worker_with_a_session_may_have_been_told_to_stop(
    *, session: bool, ended: float | None, gone: float | None, again: float | None, says: str | None, tmp_path: Path
) -> None:
    """The server's words are the same for load, and a Node worker's log at info says nothing of either."""
    lines = [start("1.13.5"), registered(1, "a"), joins(30, "u", 0, "a"), full(30.2, "a"), later(90)]
    other = {"room": "lobby", "roomID": "RM_lobby"}
    job = {"agentName": "a", "jobType": "JT_ROOM", "workerID": "AW_1"}
    if session:
        lines.append(say(10, "assigned job to worker", {**other, **job, "jobID": "AJ_l"}, "livekit.agents"))
    if again is not None:
        lines.append(say(again, "assigned job to worker", {**other, **job, "jobID": "AJ_m"}, "livekit.agents"))
    if ended is not None:
        left = {**job, "jobID": "AJ_l", "status": "JS_FAILED", "error": "agent worker left the room"}
        lines.append(say(ended, "job ended", left, "livekit.agents"))
    if gone is not None:
        lines.append(say(gone, "last worker deregistered", {"namespace": "", **job}, "livekit.agents"))
    agent = tmp_path / "agent.log"
    own = {"level": 30, "time": int((BEGIN.timestamp() + 1) * 1000), "pid": 1, "version": "1.9.0", "id": "AW_1"}
    agent.write_text(json.dumps({**own, "agentName": "a", "msg": "registered worker"}) + "\n")
    row = told(tmp_path, lines, agent).row("desk")
    assert row["cause"] == says
    assert bool(row["missing"]) is (says is None)


def test_a_worker_that_cannot_drain_was_told_to_stop_all_the_same(tmp_path: Path) -> None:
    """agents-js 1.9.0 fails to drain while one of its processes starts: it stays, takes nothing, and logs one error."""
    own = {"time": int((BEGIN.timestamp() + 1) * 1000), "pid": 1, "version": "1.9.0", "id": "AW_1", "agentName": "a"}
    failed = {"level": 50, "time": int((BEGIN.timestamp() + 25) * 1000), "pid": 1, "msg": "runner not started"}
    agent = tmp_path / "agent.log"
    agent.write_text("".join(json.dumps(x) + "\n" for x in ({"level": 30, **own, "msg": "registered worker"}, failed)))
    lines = [start("1.13.5"), registered(1, "a"), joins(30, "u", 0, "a"), full(30.2, "a"), later(90)]
    assert told(tmp_path, lines, agent).row("desk")["cause"] == "draining"
