"""From broken to healed with nothing faked: `fletcher run` on a real engine, a real server and a real worker."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests.live.healing import AGENT_SOURCE, JUDGED, NEVER, REFUSED, SABOTAGE, Desk, comes, container, points, waiting
from tests.live.incidents import second_in_the_room
from tests.live.scenes import NAME
from tests.stack.places import FAILURES
from tests.stack.stack import AGENT, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.healing import Row

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

TOKEN_SOURCE = "scripts/generate-token.ts"
#: What a project often has beside its scripts, and nobody sees in the script itself: here it forgets the dispatch.
SIGNS = """\
import type { AccessToken } from 'livekit-server-sdk';

export function checked(token: AccessToken): AccessToken {
  token.roomConfig = undefined;
  return token;
}
"""


@pytest.fixture(scope="module")
def stack(machine: None) -> Iterator[Stack]:  # noqa: ARG001  # without it there is none
    """One stack for all of it; each test switches the failure that it heals."""
    with Stack(name=f"{NAME}-heal", settle=False) as stack:
        yield stack


@pytest.fixture
def desk(stack: Stack, tmp_path: Path) -> Iterator[Desk]:
    """Somebody at the project, who has bun."""
    with Desk(stack, tmp_path) as desk:
        yield desk


HEALED = [
    ("dispatch-missing", NEVER, "auto-dispatch"),
    ("dispatch-missing", NEVER, "explicit-dispatch"),
    ("worker-unnamed", NEVER, "auto-dispatch"),
    ("worker-unnamed", NEVER, "explicit-dispatch"),
    ("name-mismatch", NEVER, ""),
    ("load-refused", REFUSED, "zero-load"),
]


@pytest.mark.parametrize(("failure", "runbook", "remedy"), HEALED, ids=lambda value: value or "proposed")
def test_it_is_fixed_and_the_next_room_gets_its_agent(desk: Desk, failure: str, runbook: str, remedy: str) -> None:
    """The run ends as fixed, with the server's word and the agent in a room; and so it is for the next user."""
    stack = desk.stack
    stack.fail(failure, settle=failure.startswith("load"))
    room = f"{failure}-{remedy or 'proposed'}"
    with waiting(stack, room):
        run = desk.run(runbook, "--room", room, *(("--input", f"remedy={remedy}") if remedy else ()))
    told = points(run)
    assert run["state"] == "fixed"
    # What the new token asks for is what its claims say.
    assert (told["agent"][0], told["assignment"][0], told["dispatch"][0]) == (True, True, True)
    alone, says = told["own room"]  # whoever waits there is not helped by a fix
    assert (alone, f"{json.dumps(room)} is still open without an agent (1 inside)" in says) == (None, True)
    assert comes(stack, f"{room}-next")


def test_without_bun_it_is_fixed_and_the_user_who_waits_is_helped(stack: Stack, tmp_path: Path) -> None:
    """That bun is missing is known before anybody says yes, and the exact command is left; a way out of the room works."""
    stack.fail("worker-unnamed", settle=False)
    with Desk(stack, tmp_path, bun=False) as desk, waiting(stack, "no-bun") as visitor:
        order = ("--room", "no-bun", "--input", "remedy=explicit-dispatch")
        planned = desk.run(NEVER, *order, "--dry-run")["looked"]["plan"]
        assert [(tool["path"], "bun.sh" in tool["mend"]) for tool in planned["tools"] if tool["name"] == "bun"] == [("", True)]  # fmt: skip
        run = desk.run(NEVER, *order)
        assert run["state"] == "fixed"
        assert step(run, "new-token")["state"] != "done"
        report = desk.call("report", run["order"]["id"]).out
        assert "bun run scripts/generate-token.ts" in report
        assert f"cd {stack.sources}" in " ".join(report.split())
        asked, says = points(run)["dispatch"]
        assert (asked, "only the worker is proven" in says) == (None, True)
        way = points(run)["own room"][1].partition("`fletcher ")[2].rstrip("`")
        assert not visitor.agent_came(0)
        helped = desk.ended(desk.call(*shlex.split(way), "--yes", "--json"))
        assert (helped["state"], helped["looked"]["plan"]["remedy"]) == ("done", "create-dispatch")
        assert visitor.agent_came(10)


def test_a_token_that_asks_for_another_than_its_file_says_refutes(desk: Desk) -> None:
    """The script is patched as it should be, and what it imports forgets the dispatch: what counts are the claims."""
    stack = desk.stack
    stack.fail("dispatch-missing", settle=False)
    script = stack.sources / TOKEN_SOURCE
    (script.parent / "checked.ts").write_text(SIGNS, encoding="utf-8")
    text = script.read_text(encoding="utf-8").replace("await token.toJwt()", "await checked(token).toJwt()")
    script.write_text(f"import {{ checked }} from './checked.ts';\n{text}", encoding="utf-8")
    before = script.read_bytes()
    with waiting(stack, "claims"):
        run = desk.run(NEVER, "--room", "claims", "--input", "remedy=explicit-dispatch", code=1)
    assert (run["state"], run["proof"]["result"]) == ("rolled-back", "refuted")
    assert points(run)["dispatch"] == (False, f'the new token asks for nobody, the worker is "{AGENT}"')
    assert f'the new token asks for nobody, the worker is "{AGENT}"' in " ".join(
        desk.call("report", desk.id).out.split()
    )
    assert script.read_bytes() == before


def test_a_room_that_was_there_gets_its_agent(desk: Desk) -> None:
    """CreateDispatch into the living room, verified there; no file is touched."""
    desk.stack.fail("none", settle=False)
    with second_in_the_room(desk.stack, "was-there") as visitor:
        time.sleep(JUDGED)
        assert not visitor.agent_came(0)
        assert desk.run(NEVER, "--room", "was-there")["state"] == "fixed"
        assert visitor.agent_came(10)


def test_what_is_healthy_is_left_alone(stack: Stack, tmp_path: Path) -> None:
    """With the noise line in the log there is no plan; the same change made anyway is done, and never fixed."""
    stack.fail("none", settle=False)
    with stack.join("well", publish=True) as visitor:
        assert visitor.agent_came()
        time.sleep(JUDGED)
        assert Desk(stack, tmp_path / "a").run(NEVER, "--room", "well")["state"] == "healthy"
    run = Desk(stack, tmp_path / "b").run(REFUSED, "--room", "well", "--input", "remedy=zero-load", "--anyway")
    assert (run["state"], run["proof"]["result"]) == ("done", "holds")


def test_code_that_crashes_at_start_is_taken_back(desk: Desk) -> None:
    """The patched worker ends at once: the file is as it was, the old code runs again, and that is proven."""
    desk.stack.fail("dispatch-missing", settle=False)
    source = desk.stack.sources / AGENT_SOURCE
    source.write_text(source.read_text(encoding="utf-8") + SABOTAGE, encoding="utf-8")
    taken_back(desk, "crashes")


def test_a_fix_that_does_not_hold_is_taken_back(desk: Desk) -> None:
    """Two things are wrong, and one is mended: the server refuses the worker's load still, and says so."""
    desk.stack.fail("load-refused")
    shutil.copy2(FAILURES / "dispatch-missing" / TOKEN_SOURCE, desk.stack.sources / TOKEN_SOURCE)
    run = taken_back(desk, "still-refused")
    assert (points(run)["registration"][0], points(run)["assignment"][0]) == (True, False)
    assert "no servers available" in points(run)["assignment"][1]


def taken_back(desk: Desk, room: str) -> Row:
    """A run whose fix is refuted by what runs: every file is as it was, and its code was proven to run again."""
    source = desk.stack.sources / AGENT_SOURCE
    before = source.read_bytes()
    with waiting(desk.stack, room):
        run = desk.run(NEVER, "--room", room, "--input", "remedy=auto-dispatch", code=1)
    assert (run["state"], run["proof"]["result"], run["undone"]["result"]) == ("rolled-back", "refuted", "holds")
    assert points(run, "undone")["registration"] == (True, f'the worker registered as "{AGENT}", JT_ROOM')
    assert source.read_bytes() == before
    assert AGENT.encode() in before
    return run


def test_code_that_does_not_compile_touches_nothing(desk: Desk) -> None:
    """The build says why; the file is as it was, and the old container runs on all the time."""
    stack = desk.stack
    stack.fail("dispatch-missing", settle=False)
    source, modules = stack.sources / AGENT_SOURCE, stack.sources / "node_modules"
    text = source.read_text(encoding="utf-8").replace(f"agentName: '{AGENT}'", "agentName: NAME")
    source.write_text(text.replace("cli.runApp", f"const NAME = '{AGENT}';\ncli.runApp"), encoding="utf-8")
    for package in ("typescript", "@types/node", "undici-types"):
        shutil.copytree(modules / package, stack.sources / "compiler" / package)
    checks = "COPY compiler node_modules/\nCOPY tsconfig.json ./\nRUN node node_modules/typescript/bin/tsc --noUnusedLocals\n"
    run = unbuilt(desk, "uncompiled", checks)
    assert "'NAME' is declared but its value is never read" in desk.call("show", run["order"]["id"], "--step", "rebuild-agent").out  # fmt: skip


def test_an_image_that_cannot_be_built_touches_nothing(desk: Desk) -> None:
    """Whatever of a Dockerfile fails."""
    desk.stack.fail("dispatch-missing", settle=False)
    unbuilt(desk, "unbuilt", f"RUN grep -q agentName: {AGENT_SOURCE}\n")


def unbuilt(desk: Desk, room: str, checks: str) -> Row:
    """A run whose image does not pass these checks of its Dockerfile once the name is removed."""
    dockerfile, source = desk.stack.sources / "Dockerfile", desk.stack.sources / AGENT_SOURCE
    text = dockerfile.read_text(encoding="utf-8")
    dockerfile.write_text(text.replace("USER 1000", f"{checks}USER 1000"), encoding="utf-8")
    before, ran = source.read_bytes(), container(desk.stack)
    with waiting(desk.stack, room):
        run = desk.run(NEVER, "--room", room, "--input", "remedy=auto-dispatch", code=1)
    assert (run["state"], run["undone"]["result"]) == ("rolled-back", "holds")
    assert "untouched and runs on" in step(run, "rebuild-agent")["outcome"]["says"]
    assert (source.read_bytes(), container(desk.stack)) == (before, ran)
    return run


def test_two_workers_make_a_guard_warn(desk: Desk) -> None:
    """A warning is answered by somebody at a terminal, never by a flag."""
    stack = desk.stack
    stack.fail("load-refused", settle=True)
    second = stack.compose("run", "--detach", "--no-deps", "voice-agent").split()[-1]
    try:
        time.sleep(12)  # until it has registered, and reported its load
        with waiting(stack, "two"):
            run = desk.run(REFUSED, "--room", "two", "--input", "remedy=zero-load", code=4)
    finally:
        stack.docker("rm", "--force", second)  # `compose down` leaves it
    assert run["state"] == "refused"
    assert any(guard["level"] == "warning" for guard in run["looked"]["plan"]["guards"])


def step(run: Row, name: str) -> Row:
    """One step of a run."""
    found: Row = next(row for row in run["steps"] if row["name"] == name)
    return found
