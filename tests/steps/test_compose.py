"""Services built and restarted, through a program called `docker` and a real engine's address."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from bot.errors import Unreachable
from bot.plan.values import Command
from bot.runbook import document as doc
from bot.settings import Target
from bot.steps.compose import Compose as ComposeStep
from tests.doubles import docker_cli
from tests.doubles.compose import Compose
from tests.doubles.engine import Engine
from tests.steps.doing import bench, task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Literal

    from bot.steps.contract import Memory, Outcome, Task
    from tests.steps.doing import Bench

OLD = "sha256:old"
UP = "docker compose up -d --build voice-agent"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with a worker, and one with which it has nothing to do."""
    with Engine() as engine:
        engine.add("voice-agent", image_id=OLD, working_dir=str(tmp_path))
        engine.add("livekit", image="livekit/livekit-server:v1.13.5")
        yield engine


@pytest.fixture
def docker(engine: Engine) -> Compose:
    """Its program."""
    return Compose(engine)


@pytest.fixture
def at(tmp_path: Path, engine: Engine) -> Iterator[Bench]:
    """A bench with this program alone in front of the system's."""
    programs = tmp_path / "bin"
    programs.mkdir()
    docker_cli.install(programs)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "LIVEKIT_API_SECRET": "ours"}
    with bench(tmp_path, Target(docker_host=engine.host, compose_project="demo"), environment) as bench_:
        yield bench_


def step(at: Bench, action: Literal["build", "restart"] = "build", timeout: float = 20) -> Task:
    """The task of a compose step."""
    block = doc.Compose(name="rebuild", line=1, command=doc.Composed(action=action, services=("voice-agent",)))
    words = UP if action == "build" else "docker compose restart voice-agent"
    command = Command(
        argv=tuple(words.split()), cwd=str(at.project), environment={"COMPOSE_PROJECT_NAME": "demo", "COMPOSE_FILE": "a.yml:b.yml"}
    )  # fmt: skip
    return task(block, at, kind="compose", command=command, timeout=timeout)


def perform(planned: Task, at: Bench) -> tuple[Outcome, Memory]:
    """Both halves of it."""
    kind = ComposeStep()
    memory = kind.remember(planned, at.doing)
    return kind.perform(planned, memory, at.doing), memory


def test_a_service_is_built_and_then_replaced(at: Bench, docker: Compose) -> None:
    """The one command is shown; the program gets compose's settings, the plan's folder and the engine, and nothing of ours."""
    planned = step(at)
    outcome, memory = perform(planned, at)
    assert (outcome.state, outcome.says) == ("done", "voice-agent runs anew")
    assert docker.words == ["build voice-agent", "up -d voice-agent"]
    assert at.told == [f"$ {UP}", "build", "up"]
    assert at.stored(outcome.output) == f"$ {UP}\nbuild\nup\n".encode()
    for call in docker.calls:
        assert call["cwd"] == str(at.project)
        assert (call["environment"]["COMPOSE_PROJECT_NAME"], call["environment"]["COMPOSE_FILE"]) == (
            "demo",
            "a.yml:b.yml",
        )
        assert not [name for name in call["environment"] if name.startswith("LIVEKIT")]
    told = json.loads(outcome.facts["containers"])
    assert (told["before"][0][2], told["after"][0][2]) == (OLD, "sha256:new1")
    assert outcome.facts["recreated"] == "yes"
    assert outcome.began_ns <= int(outcome.facts["replaced_ns"]) <= outcome.ended_ns
    kind = ComposeStep()
    assert kind.settled(planned, memory, at.doing) is True
    assert kind.perform(planned, memory, at.doing).says == "voice-agent had been replaced already"
    assert len(docker.calls) == 2


def test_a_service_is_restarted(at: Bench, docker: Compose) -> None:
    """The container stays the same one."""
    planned = step(at, "restart")
    kind = ComposeStep()
    memory = kind.remember(planned, at.doing)
    assert kind.settled(planned, memory, at.doing) is False
    assert kind.perform(planned, memory, at.doing).state == "done"
    assert docker.words == ["restart voice-agent"]
    assert kind.settled(planned, memory, at.doing) is True


def test_a_build_that_fails_touches_nothing(at: Bench, docker: Compose, engine: Engine) -> None:
    """That the old container runs on was looked at, not assumed."""
    docker.fails["build"] = (17, "agent.ts(3,1): error TS1005: ';' expected")
    outcome, memory = perform(step(at), at)
    assert outcome.state == "failed"
    assert outcome.says == (
        "the build ended with exit code 17: agent.ts(3,1): error TS1005: ';' expected; the old container of voice-agent is untouched and runs on"
    )
    assert docker.words == ["build voice-agent"]
    assert (outcome.facts["recreated"], outcome.facts["untouched"]) == ("no", "yes")
    assert ComposeStep().settled(step(at), memory, at.doing) is False
    engine.boxes[0].state, engine.boxes[0].exit_code = "exited", 137
    outcome, _ = perform(step(at), at)
    assert outcome.says.endswith("; demo-voice-agent-1 is exited (exit code 137) now")


def test_a_container_that_does_not_stay_is_a_failure(at: Bench, docker: Compose) -> None:
    """Whatever compose says."""
    docker.starts = ("exited", 1)
    outcome, memory = perform(step(at), at)
    assert (outcome.state, outcome.says) == (
        "failed",
        "demo-voice-agent-1 is exited (exit code 1) right after its start",
    )
    assert ComposeStep().settled(step(at), memory, at.doing) is False


def test_a_start_that_fails_says_what_runs_now(at: Bench, docker: Compose, engine: Engine) -> None:
    """Such as when a port is taken."""
    docker.fails["up"] = (1, "port is already allocated")
    docker.first["up"] = lambda: engine.remove(engine.boxes[0])
    outcome, _ = perform(step(at), at)
    assert outcome.state == "failed"
    assert outcome.says.endswith(
        "up ended with exit code 1: port is already allocated; voice-agent has no container now"
    )


@pytest.mark.parametrize("word", ["build", "restart"])
def test_a_compose_file_that_is_missing_is_said(at: Bench, docker: Compose, word: str) -> None:
    """With the folder that was looked in and the way on; what runs is left as it is."""
    docker.fails[word] = (14, "no configuration file provided: not found")
    outcome, _ = perform(step(at, "restart" if word == "restart" else "build"), at)
    assert outcome.state == "failed"
    assert outcome.says.startswith(f"there is no compose file in {at.project} or above it: name the folder")
    assert outcome.says.endswith("the old container of voice-agent is untouched and runs on")


def test_a_build_that_changes_nothing_is_told(at: Bench, docker: Compose) -> None:
    """Since then no new worker will come."""
    docker.changes = False
    outcome, _ = perform(step(at), at)
    assert (outcome.state, outcome.facts["recreated"]) == ("done", "no")
    assert outcome.says.startswith("docker compose found nothing to change")


@pytest.mark.parametrize("word", ["build", "up", "restart"])
def test_an_engine_that_goes_away_leaves_the_outcome_unknown(
    at: Bench, docker: Compose, engine: Engine, word: str
) -> None:
    """And says so; nothing can be told after a crash either, until it is back."""
    docker.first[word] = engine.down
    planned = step(at, "restart" if word == "restart" else "build")
    outcome, memory = perform(planned, at)
    assert outcome.state == "unknown"
    assert "whether voice-agent was replaced is not known" in outcome.says
    assert "docker compose ps" in outcome.says
    kind = ComposeStep()
    assert kind.settled(planned, memory, at.doing) is None
    with pytest.raises(Unreachable):
        kind.remember(planned, at.doing)
    engine.up()
    assert kind.settled(planned, memory, at.doing) is (
        word != "build"
    )  # the engine did what its program never heard of


def test_a_build_without_end_is_ended(at: Bench, docker: Compose) -> None:
    """The old container runs on."""
    docker.takes["build"] = 60
    outcome, _ = perform(step(at, timeout=0.5), at)
    assert outcome.says == (
        "the build was ended after 0.5 s, with everything that it had started; the old container of voice-agent is untouched and runs on"
    )


def test_a_run_that_is_stopped_replaces_nothing(at: Bench, docker: Compose) -> None:
    """Not even when its build is done."""
    docker.first["build"] = at.stop.set
    outcome, _ = perform(step(at), at)
    assert outcome.state == "failed"
    assert docker.words == ["build voice-agent"]


def test_a_service_that_is_set_up_otherwise_is_told(at: Bench, docker: Compose, engine: Engine) -> None:
    """As when it was started from a shell that had more in its environment."""
    engine.boxes[0].config_hash = docker.config_hash = "a"
    assert perform(step(at), at)[0].says == "voice-agent runs anew"
    docker.config_hash = "b"
    assert "voice-agent is set up otherwise than before" in perform(step(at), at)[0].says


UNSET = 'level=warning msg="The \\"LIVEKIT_API_SECRET\\" variable is not set. Defaulting to a blank string."'


@pytest.mark.parametrize(("runs", "would"), [("a" * 64, "b" * 64), ("", "b" * 64), ("a" * 64, "")])
def test_a_variable_that_is_missing_stops_it(at: Bench, docker: Compose, engine: Engine, runs: str, would: str) -> None:
    """A container without it would be another one than runs now, or nobody knows."""
    docker.says["build"] = docker.says["config"] = UNSET
    engine.boxes[0].config_hash = runs
    if would:
        docker.says["config"] += f"\nvoice-agent {would}"
    outcome, _ = perform(step(at), at)
    assert outcome.state == "failed"
    assert "write it into the project's .env (`LIVEKIT_API_SECRET=` where it is to be empty)" in outcome.says
    assert outcome.says.endswith("is untouched and runs on")
    assert docker.words == ["build voice-agent", "config --hash voice-agent"]


def test_a_variable_that_is_missing_elsewhere_is_none_of_its_business(
    at: Bench, docker: Compose, engine: Engine
) -> None:
    """Compose warns of the whole file; the service would be what it is."""
    docker.says["build"], docker.says["config"] = UNSET, f"{UNSET}\nvoice-agent {'a' * 64}"
    engine.boxes[0].config_hash = docker.config_hash = "a" * 64
    assert perform(step(at), at)[0].state == "done"


def test_it_is_undone_by_the_same_command(at: Bench, docker: Compose) -> None:
    """On the files as they were, which are not its business."""
    planned = step(at)
    _, memory = perform(planned, at)
    undone = ComposeStep().undo(planned, memory, at.doing)
    assert undone is not None
    assert undone.state == "done"
    assert docker.words == ["build voice-agent", "up -d voice-agent"] * 2


def test_what_was_never_replaced_needs_no_undoing(at: Bench, docker: Compose) -> None:
    """When it cannot be built now either, what ran before still runs, and that is what counts."""
    docker.fails["build"] = (17, "no network")
    planned = step(at)
    _, memory = perform(planned, at)
    undone = ComposeStep().undo(planned, memory, at.doing)
    assert undone is not None
    assert undone.state == "done"
    assert undone.says.endswith("was never replaced, so nothing had to be taken back")


def test_docker_that_is_not_installed_is_an_error(tmp_path: Path, engine: Engine) -> None:
    """Nothing was changed."""
    environment = {"PATH": str(tmp_path)}
    target = Target(docker_host=engine.host, compose_project="demo")
    with (
        bench(tmp_path, target, environment) as at,
        pytest.raises(Unreachable, match="there is no program docker on PATH"),
    ):
        perform(step(at), at)
