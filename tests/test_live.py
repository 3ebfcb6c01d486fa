"""Looking at what runs, through the command line: a real engine and a real API on sockets of their own."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.doubles.livekit_api import SECRET
from tests.fletcher import Reply, fletcher
from tests.running import ROOM, SERVED, Stack, recorded

ROOT = Path(__file__).parent.parent


def sources(reply: Reply) -> dict[str, str]:
    """What was looked at, by name: its kind and note."""
    return {s["name"]: f"{s['kind']}: {s['note']}" for s in reply.json["sources"]}


def only_begun(stack: Stack, ahead: float = 0.0) -> None:
    """Let the incident have begun some seconds ago, by a clock that is ahead by this."""
    stack.api.rooms.clear()
    for box in (stack.livekit, stack.agent):
        box.stored.clear()
    for ns, line in recorded("livekit.log", -9.5 - ahead):
        if ns / 1e9 < time.time() + ahead:
            stack.livekit.log(line, ns)


def test_without_any_flag_what_runs_is_looked_at(stack: Stack) -> None:
    """The room that waits is named with its cause, and a line each says what was looked at."""
    reply = fletcher("diagnose", "--json", "--room", ROOM)
    assert reply.code == 1
    row = reply.row(ROOM)
    assert (row["verdict"], row["cause"]) == ("cause", "dispatch-missing")
    assert {e["source"] for e in row["evidence"]} >= {"docker logs demo-livekit-1"}
    assert not any(re.match(r"\S+Z \d{4}-", e["text"]) for e in row["evidence"])  # no time twice
    told = sources(reply)
    assert told["docker logs demo-livekit-1"].startswith("server log")
    assert told["docker logs demo-voice-agent-1"].startswith("agent log")
    assert "agent service: voice-agent" in told[f"Docker 20.10.24 ({stack.engine.host})"]
    assert told[f"LiveKit API {stack.api.url}"] == "API: 2 rooms alive; address from the environment"
    assert SECRET not in reply.out


def test_the_text_says_what_was_not_found(stack: Stack) -> None:
    """Sources that are missing stand apart, each with its remedy."""
    stack.engine.add(
        "second-agent",
        env={"LIVEKIT_URL": "ws://livekit:7880"},
        log_driver="none",
        working_dir=stack.agent.working_dir,
        ips=(),
    )
    reply = fletcher("diagnose", "--room", ROOM)
    assert reply.code == 1
    assert "CAUSE FOUND: dispatch-missing" in reply.out
    found, _, absent = reply.out.partition("Not found:")
    assert "Looked at:" in found
    assert "worker endpoint" not in found
    assert "docker logs demo-second-agent-1" in absent
    assert stack.api.calls["ListRooms"] == 1


def test_without_rights_on_docker_the_api_answers_what_it_can(stack: Stack) -> None:
    """An engine that refuses is said; what the API shows is told, and no cause is made up."""
    stack.engine.refusal = (403, "not for you")
    reply = fletcher("diagnose", "--json")
    assert reply.row(SERVED)["verdict"] == "healthy"
    assert reply.row(ROOM)["verdict"] == "inconclusive"
    assert reply.row(ROOM)["missing"]
    assert sources(reply)["Docker"].startswith("not found: ")


def test_without_keys_the_logs_decide(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key is taken out of a container; what the logs prove is answered all the same."""
    monkeypatch.delenv("LIVEKIT_API_KEY")
    monkeypatch.delenv("LIVEKIT_API_SECRET")
    reply = fletcher("diagnose", "--json", "--room", ROOM)
    assert reply.row(ROOM)["cause"] == "dispatch-missing"
    assert "LIVEKIT_API_KEY" in sources(reply)["LiveKit API"]
    assert not stack.api.calls


def test_a_log_that_cannot_be_read_is_said(stack: Stack) -> None:
    """A log driver without a way back is named, and nothing is concluded from the silence."""
    stack.livekit.log_driver = "none"
    reply = fletcher("diagnose", "--json", "--room", ROOM)
    assert reply.row(ROOM)["verdict"] == "inconclusive"
    assert "driver" in sources(reply)["docker logs demo-livekit-1"]


def test_a_young_container_and_another_clock_are_said(stack: Stack) -> None:
    """A container that was made anew has lost its log; an engine's clock that differs is told."""
    stack.livekit.created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    stack.engine.ahead = 40.0
    told = sources(fletcher("diagnose", "--json"))
    assert "if there was an earlier one, its log is gone" in told["docker logs demo-livekit-1"]
    assert "its clock is +40 s ahead" in told[f"Docker 20.10.24 ({stack.engine.host})"]


@pytest.mark.parametrize("stack", [1200.0], indirect=True)
def test_a_quarter_of_an_hour_is_looked_at(stack: Stack) -> None:
    """An older room is not told, unless it is asked for or the time is."""
    stack.api.rooms.clear()
    rooms = [r["room"] for r in fletcher("diagnose", "--json").json["rooms"]]
    assert rooms == [None]
    assert fletcher("diagnose", "--json", "--room", ROOM).row(ROOM)["cause"] == "dispatch-missing"
    assert fletcher("diagnose", "--json", "--since", "1h").row(SERVED)["verdict"] == "healthy"


def test_a_young_room_is_pending_by_the_clock(stack: Stack) -> None:
    """What is absent from a room of some seconds is not judged yet, and it is said from when on it can be."""
    only_begun(stack)
    row = fletcher("diagnose", "--json", "--room", ROOM).row(ROOM)
    assert (row["verdict"], row["cause"]) == ("inconclusive", None)
    assert row["judged_from"]


def test_several_projects_are_told_apart(stack: Stack) -> None:
    """Which project is meant has to be said when the folder does not tell, and can be said."""
    for box in stack.engine.boxes:
        box.working_dir = "/elsewhere/demo"
    stack.engine.add("livekit", project="other", image="livekit/livekit-server:v1.11.0", working_dir="/elsewhere/other")
    reply = fletcher("diagnose", "--json")
    assert reply.code == 2
    assert "--compose-project" in reply.err
    assert "other" in reply.err
    assert fletcher("diagnose", "--json", "--compose-project", "demo").row(SERVED)["verdict"] == "healthy"


def test_another_program_called_agent_is_no_worker(stack: Stack) -> None:
    """That something else which is called an agent does not run says nothing about a worker."""
    stack.livekit.stored.clear()
    stack.api.rooms.clear()
    stack.engine.remove(stack.agent)
    for name in ("datadog-agent", "my-agent"):
        stack.engine.add(name, working_dir=stack.livekit.working_dir, state="exited", exit_code=1)
    reply = fletcher("diagnose", "--json")
    assert reply.code == 3
    assert {row["verdict"] for row in reply.json["rooms"]} == {"inconclusive"}
    assert fletcher("diagnose", "--json", "--room", ROOM).code == 3


def test_a_worker_that_does_not_run_is_a_cause(stack: Stack) -> None:
    """A container with settings for LiveKit is a worker: that it has ended explains that nobody comes."""
    stack.livekit.stored.clear()
    stack.agent.stored.clear()
    stack.api.rooms.clear()
    stack.agent.state, stack.agent.exit_code = "exited", 1
    assert fletcher("diagnose", "--json").row()["cause"] == "no-worker"


def test_a_project_without_a_container_is_told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that is named and has no container is not there yet: the rest is looked at, and which there are is told."""
    reply = fletcher("diagnose", "--json", "--compose-project", "shop")
    assert "one of: demo" in sources(reply)["Docker"]
    assert sources(reply)[f"LiveKit API {stack.api.url}"]
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.delenv(name)
    reply = fletcher("diagnose", "--compose-project", "shop")
    assert reply.code == 4
    assert "the compose project shop has no container" in reply.err


def test_a_targets_context_goes_before_the_environments_host(stack: Stack, tmp_path: Path) -> None:
    """The engine that a chosen target names is asked, whichever the environment names."""
    (tmp_path / "fletcher.toml").write_text('[targets.near]\ndocker_context = "nosuch"\n', encoding="utf-8")
    assert "there is no Docker context nosuch" in fletcher("diagnose", "--target", "near").err
    assert not stack.engine.asked


def test_files_and_what_runs_go_together(stack: Stack, tmp_path: Path) -> None:
    """--live adds what runs to what was given; without it only what was given is read."""
    stack.livekit.stored.clear()
    log = tmp_path / "copied.log"
    log.write_text("".join(f"{line}\n" for _, line in recorded("livekit.log")), encoding="utf-8")
    reply = fletcher("diagnose", "--json", "--live", str(log), "--room", ROOM)
    assert reply.row(ROOM)["cause"] == "dispatch-missing"
    assert {str(log), "docker logs demo-voice-agent-1"} <= set(sources(reply))
    stack.engine.asked.clear()
    assert set(sources(fletcher("diagnose", "--json", str(log)))) == {str(log)}
    assert not stack.engine.asked


def test_the_workers_there_are_now(stack: Stack) -> None:
    """One row for one worker, however many sources show it; Node does not tell its load."""
    reply = fletcher("workers", "--json")
    assert reply.code == 0
    (worker,) = reply.json["workers"]
    assert (worker["name"], worker["type"], worker["sdk"], worker["load"]) == (
        "livekit-ganglia-agent",
        "JT_ROOM",
        "1.9.0",
        None,
    )
    assert worker["state"] == "registered"
    assert any("demo-livekit-1" in s for s in worker["seen_in"])
    assert any("demo-voice-agent-1" in s for s in worker["seen_in"])
    assert '"livekit-ganglia-agent"' in fletcher("workers").out
    assert stack.api.calls["ListRooms"] == 2


def test_a_worker_that_does_not_register_is_no_worker(stack: Stack) -> None:
    """A container that only restarts is shown as that."""
    stack.livekit.stored.clear()
    stack.agent.stored.clear()
    stack.agent.state, stack.agent.restarts, stack.agent.exit_code = "restarting", 7, 1
    (worker,) = fletcher("workers", "--json").json["workers"]
    assert worker["name"] is None
    assert worker["state"] == "restarting, exit code 1, 7 restarts"


def test_the_doctor_looks_at_what_runs(stack: Stack) -> None:
    """What can be reached is ok; a container that restarts, a key that is refused and a log that is hidden are bad."""
    names = {c["name"]: c["status"] for c in fletcher("doctor", "--json").json["checks"]}
    assert {names[n] for n in ("docker", "livekit", "keys", "container", "log-level", "server-version")} == {"ok"}
    stack.agent.state, stack.livekit.log_driver = "restarting", "none"
    stack.api.keys.clear()
    reply = fletcher("doctor", "--json")
    assert reply.code == 1
    bad = {c["name"] for c in reply.json["checks"] if c["status"] == "bad"}
    assert bad == {"keys", "container", "log-driver"}
    assert all(c["mend"] for c in reply.json["checks"] if c["status"] == "bad")


def test_a_target_of_fletcher_toml_is_looked_at(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--target takes address, engine and services from the file, and the keys by the names that it gives."""
    (tmp_path / "fletcher.toml").write_text(
        f'[targets.near]\nlivekit_url = {json.dumps(stack.api.url)}\napi_key_env = "NEAR_KEY"\napi_secret_env = "NEAR_SECRET"\n'
        f'docker_host = {json.dumps(stack.engine.host)}\nagent_service = "voice-agent"\n[targets.far]\nlivekit_url = "ws://127.0.0.1:1"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("NEAR_KEY", stack.environment["LIVEKIT_API_KEY"])
    monkeypatch.setenv("NEAR_SECRET", SECRET)
    for name in stack.environment:
        monkeypatch.delenv(name)
    assert fletcher("diagnose").code == 2
    reply = fletcher("diagnose", "--target", "near", "--json", "--room", ROOM)
    assert reply.row(ROOM)["cause"] == "dispatch-missing"
    assert "fletcher.toml:2" in sources(reply)[f"LiveKit API {stack.api.url}"]
    assert fletcher("diagnose", "--target", "far").code == 4


def test_a_clock_that_is_ahead_makes_no_room_older(stack: Stack) -> None:
    """Engine and server on one machine that is 40 s ahead: a room of two seconds is as young as it is."""
    stack.engine.ahead = stack.api.ahead = 40.0
    only_begun(stack, 40.0)
    row = fletcher("diagnose", "--json", "--room", ROOM).row(ROOM)
    assert (row["verdict"], row["cause"]) == ("inconclusive", None)
    assert row["judged_from"]


def test_secrets_of_containers_are_masked_wherever_they_turn_up(stack: Stack) -> None:
    """The API's secret, bare in a line that is cited, is not shown."""
    for stored in list(stack.livekit.stored):
        if b"starting RTC session" in stored.data and ROOM.encode() in stored.data:
            at = stack.livekit.stored.index(stored)
            data = stored.data.replace(b"uma-8347", SECRET.encode(), 1)
            stack.livekit.stored[at] = replace(stored, data=data)
    reply = fletcher("diagnose", "--json", "--room", ROOM)
    assert reply.row(ROOM)["cause"] == "dispatch-missing"
    assert SECRET not in reply.out + fletcher("diagnose", "--room", ROOM).out


@pytest.mark.parametrize("stack", [1200.0], indirect=True)
def test_a_project_beside_what_runs_does_not_widen_the_time(stack: Stack, tmp_path: Path) -> None:
    """--live --project looks at a quarter of an hour as well; only logs that are given are looked at as a whole."""
    stack.api.rooms.clear()
    rows = fletcher("diagnose", "--json", "--live", "--project", str(tmp_path)).json["rooms"]
    assert SERVED not in {r["room"] for r in rows}
    log = tmp_path / "copied.log"
    log.write_text("".join(f"{line}\n" for _, line in recorded("livekit.log", 1200)), encoding="utf-8")
    assert fletcher("diagnose", "--json", "--live", str(log)).row(SERVED)["verdict"] == "healthy"


@pytest.mark.usefixtures("stack")
def test_naming_what_runs_means_it(tmp_path: Path) -> None:
    """--compose-project beside a file looks at that project too, and says when it is not there."""
    log = tmp_path / "copied.log"
    log.write_text("".join(f"{line}\n" for _, line in recorded("livekit.log")), encoding="utf-8")
    assert "docker logs demo-livekit-1" in sources(
        fletcher("diagnose", "--json", "--compose-project", "demo", str(log))
    )
    assert "gone" in sources(fletcher("diagnose", "--json", "--compose-project", "gone", str(log)))["Docker"]


def test_two_logs_without_a_line_are_no_copies(stack: Stack) -> None:
    """A container that has logged nothing yet is looked at, and called nothing else."""
    stack.livekit.stored.clear()
    stack.agent.stored.clear()
    told = sources(fletcher("diagnose", "--json"))
    assert not any(kind.startswith("copy") for kind in told.values())


def test_ctrl_c_ends_it_while_something_does_not_answer(stack: Stack) -> None:
    """Nobody waits for an API that is slow: it ends as interrupted, without a trace."""
    stack.api.slow["ListRooms"] = 3.0
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "diagnose"], env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    while not stack.api.calls:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, trouble = process.communicate(timeout=30)
    assert (process.returncode, out, trouble) == (130, "", "")


def test_who_waits_at_a_terminal_is_told_that_it_goes_on(stack: Stack) -> None:
    """After two seconds a line says so, where somebody watches, and nowhere else."""
    stack.api.slow["ListRooms"] = 2.5
    command = [sys.executable, "-m", "bot", "diagnose", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ours, theirs = pty.openpty()
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=theirs, check=False)
    os.close(theirs)
    told = os.read(ours, 1000)
    os.close(ours)
    assert (done.returncode in {0, 1, 3}, told) == (True, b"fletcher: still looking \xe2\x80\xa6\r\n")
    assert subprocess.run(command, env=environment, capture_output=True, check=False).stderr == b""


REFUSED = """\
{0}\tINFO\tlivekit\tservice/server.go:272\tstarting LiveKit server\t{{"portHttp": 7880, "nodeID": "ND_a", "version": "1.13.5"}}
{0}\tINFO\tlivekit.agents\tservice/agentservice.go:303\tworker registered\t{{"namespace": "", "jobType": "JT_ROOM", "agentName": "helper", "workerID": "AW_0000000000aa"}}
{1}\tINFO\tlivekit\tservice/roommanager.go:434\tstarting RTC session\t{{"room": "late", "roomID": "RM_0000000000aa", "participant": "user", "participantID": "PA_a", "nodeID": "ND_a", "numParticipants": 0, "participantInit": {{"Identity": "user", "CreateRoom": {{"name": "late", "agents": [{{"agentName": "helper"}}]}}}}}}
{2}\tINFO\tlivekit\tagent/client.go:181\tfailed to send job request\t{{"error": "no servers available (received 1 responses)", "namespace": "", "jobType": "JT_ROOM", "agentName": "helper"}}
"""


def refused(stack: Stack) -> tuple[float, list[str]]:
    """Let the log hold one room whose agent was refused half a minute ago; the time now, and the lines."""
    for box in (stack.livekit, stack.agent):
        box.stored.clear()
    stack.api.rooms.clear()
    now = time.time()
    moments = [time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now - ago)) for ago in (120, 30, 29)]
    lines = REFUSED.format(*moments).splitlines()
    for line, ago in zip(lines, (120, 120, 30, 29), strict=True):
        stack.livekit.log(line, int((now - ago) * 1e9))
    return now, lines


@pytest.mark.parametrize(
    ("stopped", "cause"), [((), "load-refused"), ((1,), "load-refused"), ((1, 2), "draining")], ids=str
)
@pytest.mark.parametrize("version", ["1.9.0", "1.4.0"])
def test_all_replicas_have_to_drain(stack: Stack, stopped: tuple[int, ...], cause: str, version: str) -> None:
    """With two workers of the name, one that was told to stop explains no refusal by the other."""
    now, lines = refused(stack)
    second = stack.engine.add(
        "voice-agent", number=2, env=stack.agent.env, ips=(), working_dir=stack.agent.working_dir, created=stack.agent.created,
        started=stack.agent.started,
    )  # fmt: skip
    registered = re.sub("AW_0000000000aa", "AW_0000000000bb", lines[1])
    stack.livekit.log(registered, int((now - 110) * 1e9))
    for box, ident in ((stack.agent, "aa"), (second, "bb")):
        told = {
            "level": 30,
            "time": int((now - 119) * 1000),
            "pid": 1,
            "hostname": ident,
            "version": version,
            "id": f"AW_0000000000{ident}",
        }
        told |= {"agentName": "helper"} if version == "1.9.0" else {}
        box.log(json.dumps({**told, "msg": "registered worker"}), int((now - 119) * 1e9))
        later = {**told, "time": int((now - 20) * 1000), "msg": "worker is below capacity, marking as available"}
        box.log(json.dumps(later), int((now - 20) * 1e9))
    for number in stopped:
        stack.engine.happened((stack.agent, second)[number - 1], "kill", now - 40, signal="15")
    assert fletcher("diagnose", "--json", "--room", "late").row("late")["cause"] == cause


@pytest.mark.parametrize(
    ("events", "cause"),
    [
        ([], "load-refused"),
        ([("kill", -40, {"signal": "15"})], "draining"),
        ([("kill", -40, {"signal": "15"}), ("die", -35, {"exitCode": "0"}), ("start", -34, {})], "load-refused"),
        ([("kill", -40, {"signal": "1"})], "load-refused"),
        ([("kill", -5, {"signal": "15"})], "load-refused"),
    ],
)
def test_the_engine_knows_who_told_a_worker_to_stop(
    stack: Stack, events: list[tuple[str, float, dict[str, str]]], cause: str
) -> None:
    """A refusal for load and one by a worker that drains are the same line: that its container got SIGTERM decides."""
    now, _ = refused(stack)
    for action, after, attributes in events:
        stack.engine.happened(stack.agent, action, now + after, **attributes)
    row = fletcher("diagnose", "--json", "--room", "late").row("late")
    assert row["cause"] == cause, row
    assert (cause == "draining") == any(e["source"] == "docker events" for e in row["evidence"])
