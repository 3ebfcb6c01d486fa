"""From broken to healed with nothing faked: `fletcher run` on a real engine, a real server and a real worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.incidents import second_in_the_room
from tests.live.scenes import NAME
from tests.live.ways import surroundings
from tests.stack.stack import AGENT, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stack.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

JUDGED = 8.5  # seconds after a room's birth from which on it can be judged
NEVER, REFUSED = "agent-never-joins", "no-servers-available"
SABOTAGE = "\nimport { readFileSync } from 'node:fs';\nif (!readFileSync(import.meta.filename, 'utf8').includes(\"agent\" + \"Name:\")) process.exit(7);\n"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One stack for all of it; each test switches the failure that it heals."""
    made = Stack(name=f"{NAME}-heal")
    try:
        yield made.up()
    finally:
        made.down()


def command(runbook: str, *argv: str) -> list[str]:
    """`fletcher run`, as a script calls it."""
    return [sys.executable, "-I", "-m", "bot", "run", runbook, *argv, "--yes", "--allow-disrupt", "--json"]


def carried_out(stack: Stack, home: Path, runbook: str, *argv: str, code: int | None = 0) -> dict[str, Any]:
    """The run that a command made, in the project's folder with a store of its own."""
    env = surroundings({**stack.environment, "FLETCHER_HOME": str(home)})
    began = time.monotonic()
    done = subprocess.run(
        command(runbook, *argv), cwd=stack.project, env=env, capture_output=True, text=True, check=False, timeout=400
    )
    assert code is None or done.returncode == code, f"{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    made: dict[str, Any] = json.loads(done.stdout)
    print(f"run {runbook} {' '.join(argv)}: {made['state']} after {time.monotonic() - began:.1f} s", flush=True)
    return made


@contextmanager
def waiting(stack: Stack, room: str) -> Iterator[Visitor]:
    """Somebody is in a room and waits for an agent, long enough to be judged."""
    with stack.join(room, publish=True) as visitor:
        time.sleep(JUDGED)
        assert not visitor.agent_came(0), "the failure was not made"
        yield visitor


def comes(stack: Stack, room: str) -> bool:
    """Whether a new room that is joined with the project's own token gets its agent."""
    with stack.join(room, publish=True) as visitor:
        return visitor.agent_came(15)


HEALED = [
    ("dispatch-missing", NEVER, "auto-dispatch"),
    ("dispatch-missing", NEVER, "explicit-dispatch"),
    ("worker-unnamed", NEVER, "auto-dispatch"),
    ("worker-unnamed", NEVER, "explicit-dispatch"),
    ("name-mismatch", NEVER, ""),
    ("load-refused", REFUSED, "zero-load"),
]


@pytest.mark.parametrize(("failure", "runbook", "remedy"), HEALED, ids=lambda value: value or "proposed")
def test_it_is_fixed_and_the_next_room_gets_its_agent(
    stack: Stack, tmp_path: Path, failure: str, runbook: str, remedy: str
) -> None:
    """The run ends as fixed, with the server's word and the agent in a room; and so it is for the next user."""
    stack.fail(failure, settle=failure.startswith("load"))
    room = f"{failure}-{remedy or 'proposed'}"
    with waiting(stack, room):
        run = carried_out(
            stack, tmp_path, runbook, "--room", room, *(("--input", f"remedy={remedy}") if remedy else ())
        )
    points = {point["name"]: point["ok"] for point in run["proof"]["points"]}
    assert (run["state"], points["agent"], points["assignment"]) == ("fixed", True, True)
    assert comes(stack, f"{room}-next")


def test_a_room_that_was_there_gets_its_agent(stack: Stack, tmp_path: Path) -> None:
    """CreateDispatch into the living room, verified there; no file is touched."""
    stack.fail("none")
    with second_in_the_room(stack, "was-there") as visitor:
        time.sleep(JUDGED)
        assert not visitor.agent_came(0)
        run = carried_out(stack, tmp_path, NEVER, "--room", "was-there")
        assert run["state"] == "fixed"
        assert visitor.agent_came(10)


def test_what_is_healthy_is_left_alone(stack: Stack, tmp_path: Path) -> None:
    """With the noise line in the log there is no plan; the same change made anyway is done, and never fixed."""
    stack.fail("none")
    with stack.join("well", publish=True) as visitor:
        assert visitor.agent_came()
        time.sleep(JUDGED)
        assert carried_out(stack, tmp_path / "a", NEVER, "--room", "well")["state"] == "healthy"
    run = carried_out(stack, tmp_path / "b", REFUSED, "--room", "well", "--input", "remedy=zero-load", "--anyway")
    assert (run["state"], run["proof"]["result"]) == ("done", "holds")


def test_code_that_crashes_at_start_is_taken_back(stack: Stack, tmp_path: Path) -> None:
    """The patched worker ends at once: the file is as it was, the old code runs again, and that is proven."""
    stack.fail("dispatch-missing")
    source = stack.sources / "apps" / "voice-agent" / "src" / "agent.ts"
    source.write_text(source.read_text(encoding="utf-8") + SABOTAGE, encoding="utf-8")
    before = source.read_bytes()
    with waiting(stack, "crashes"):
        run = carried_out(stack, tmp_path, NEVER, "--room", "crashes", "--input", "remedy=auto-dispatch", code=1)
    assert (run["state"], run["proof"]["result"], run["undone"]["result"]) == ("rolled-back", "refuted", "holds")
    assert source.read_bytes() == before
    assert AGENT.encode() in before


def test_an_image_that_cannot_be_built_touches_nothing(stack: Stack, tmp_path: Path) -> None:
    """The old container runs on all the time."""
    stack.fail("dispatch-missing")
    dockerfile = stack.sources / "Dockerfile"
    dockerfile.write_text(
        dockerfile.read_text(encoding="utf-8") + "RUN grep -q agentName: apps/voice-agent/src/agent.ts\n",
        encoding="utf-8",
    )
    container = stack.container("voice-agent")
    with waiting(stack, "unbuilt"):
        run = carried_out(stack, tmp_path, NEVER, "--room", "unbuilt", "--input", "remedy=auto-dispatch", code=1)
    assert run["state"] == "rolled-back"
    assert stack.container("voice-agent") == container
    assert b"agentName:" in (stack.sources / "apps" / "voice-agent" / "src" / "agent.ts").read_bytes()


def test_killed_between_patch_and_rebuild_it_is_told_the_truth_of(stack: Stack, tmp_path: Path) -> None:
    """With -9 in the middle nothing is lost: the next start goes on, and the run ends as fixed."""
    stack.fail("dispatch-missing")
    source = stack.sources / "apps" / "voice-agent" / "src" / "agent.ts"
    before = source.read_bytes()
    env = surroundings({**stack.environment, "FLETCHER_HOME": str(tmp_path)})
    with waiting(stack, "killed"):
        argv = command(NEVER, "--room", "killed", "--input", "remedy=auto-dispatch")
        process = subprocess.Popen(
            argv,
            cwd=stack.project,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while source.read_bytes() == before:
            assert process.poll() is None, "it ended before it patched"
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        [row] = json.loads(
            subprocess.run(
                [sys.executable, "-I", "-m", "bot", "runs", "--json"],
                cwd=stack.project,
                env=env,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        done = subprocess.run(
            [sys.executable, "-I", "-m", "bot", "resume", row["id"], "--json"],
            cwd=stack.project,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-1000:]
    assert json.loads(done.stdout)["state"] == "fixed"
    assert comes(stack, "killed-next")


def test_two_workers_make_a_guard_warn(stack: Stack, tmp_path: Path) -> None:
    """A warning is answered by somebody at a terminal, never by a flag."""
    stack.fail("load-refused", settle=True)
    second = stack.compose("run", "--detach", "--no-deps", "voice-agent").split()[-1]
    try:
        time.sleep(12)  # until it has registered, and reported its load
        with waiting(stack, "two"):
            run = carried_out(stack, tmp_path, REFUSED, "--room", "two", "--input", "remedy=zero-load", code=4)
    finally:
        stack.docker("rm", "--force", second)  # `compose down` leaves it
    assert run["state"] == "refused"
    assert any(guard["level"] == "warning" for guard in run["looked"]["plan"]["guards"])
