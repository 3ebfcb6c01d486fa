"""The project's own token script: what becomes of its token, and that nothing hangs on it."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from bot.errors import Unreachable
from bot.plan.tools import SHELLS
from bot.plan.values import Command
from bot.runbook import document as doc
from bot.steps.token import TokenStep, into_file
from tests.steps.doing import bench, task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.steps.contract import Doing, Outcome, Task
    from tests.steps.doing import Bench


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    """A bench."""
    with bench(tmp_path, environment={"PATH": "/usr/bin:/bin", "LIVEKIT_API_SECRET": "ours"}) as bench_:
        yield bench_


def jwt(**claims: object) -> str:
    """A token that nobody has signed."""
    parts = ({"alg": "HS256"}, {"sub": "uma-8347", "exp": 1795999999, "video": {"room": "new-room"}, **claims})
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{body}.c2lnbmF0dXJl"


JWT = jwt(roomConfig={"agents": [{"agentName": "ganglia"}]})


def token(at: Bench, text: str, timeout: float = 20) -> Task:
    """The task of a token block."""
    block = doc.TokenStep(name="new-token", line=1, text=text, language="sh", timeout=timeout)
    command = Command(argv=(*SHELLS["sh"], text), cwd=str(at.project), environment={"IN_ROOM": "my room"})
    return task(block, at, {"room": "my room"}, kind="token", command=command, timeout=timeout)


def perform(planned: Task, at: Bench, hand: Callable[[str], str] | None = None) -> Outcome:
    """Both halves of it."""
    doing: Doing = at.doing
    doing = type(doing)(doing.world, doing.scratch, doing.redactor, doing.tell, doing.stop, hand)
    kind = TokenStep()
    memory = kind.remember(planned, doing)
    assert kind.settled(planned, memory, doing) is False
    assert kind.undo(planned, memory, doing) is None
    return kind.perform(planned, memory, doing)


def nothing_of_it(at: Bench, outcome: Outcome) -> None:
    """Neither in what was told nor in what is kept."""
    kept = msgspec.json.encode(outcome).decode() + "\n".join(at.told)
    kept += "".join(path.read_text() for path in at.scratch.rglob("*") if path.is_file())
    for part in (JWT, *JWT.split(".")):
        assert part not in kept


def test_a_token_is_handed_to_who_asked_and_its_claims_are_kept(at: Bench) -> None:
    """Room, agents and expiry; the token itself is nowhere else."""
    got: list[str] = []

    def hand(token: str) -> str:
        got.append(token)
        return ""

    (at.project / "made").write_text(f"TOKEN={JWT}")
    outcome = perform(token(at, "echo noise; cat made"), at, hand)
    assert (outcome.state, outcome.says, outcome.output) == ("done", "a new token was handed over", "")
    assert got == [JWT]
    assert json.loads(outcome.facts["claims"]) == {"room": "new-room", "agents": ["ganglia"], "expires": 1795999999}
    nothing_of_it(at, outcome)


def test_a_token_can_go_into_a_file(at: Bench, tmp_path: Path) -> None:
    """Which nobody else may read, even where one was there that everybody could."""
    file = tmp_path / "token"
    file.write_text("old")
    file.chmod(0o644)
    (at.project / "made").write_text(JWT)
    outcome = perform(token(at, "cat made"), at, into_file(file))
    assert (outcome.state, outcome.facts["file"]) == ("done", str(file))
    assert (file.read_text(), file.stat().st_mode & 0o777) == (JWT + "\n", 0o600)
    nothing_of_it(at, outcome)


def test_without_anybody_to_take_it_the_command_is_told(at: Bench) -> None:
    """It runs by hand as it stands."""
    (at.project / "made").write_text(JWT)
    outcome = perform(token(at, 'cat made; echo "$IN_ROOM"'), at)
    assert outcome.state == "done"
    ran = subprocess.run(outcome.facts["command"], shell=True, capture_output=True, text=True, check=True)  # noqa: S602  # as a person would
    assert ran.stdout == f"{JWT}my room\n"
    assert outcome.says.startswith("a token was made and discarded")
    assert JWT not in outcome.facts["command"] + outcome.says
    assert shlex.split(outcome.facts["command"])[:4] == ["cd", str(at.project), "&&", "IN_ROOM=my room"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no-such-tool run x", "a program that the script calls is not installed here (exit code 127)"),
        ("exit 3", "the script ended with exit code 3"),
        ("echo hello", "the script ended well, but printed no token"),
        ("sleep 60", "the script did not end within 0.3 s"),
        ("echo eyJh.eyJ1.c2ln", "what the script printed is no readable token"),
    ],
)
def test_whatever_goes_wrong_stops_nothing(at: Bench, text: str, why: str) -> None:
    """It is marked so, and says what a person can do."""
    planned = token(at, text, timeout=0.3 if "sleep" in text else 20)
    outcome = perform(planned, at)
    assert (outcome.state, outcome.facts["optional"]) == ("failed", "yes")
    assert outcome.says.startswith(f"no new token: {why}")
    assert outcome.says.endswith(f"Make one with: {outcome.facts['command']}")


def test_a_folder_or_a_file_that_is_gone_stops_nothing_either(at: Bench, tmp_path: Path) -> None:
    """Nor does a hand that cannot take it."""
    outcome = perform(token(at, f"echo {JWT}"), at, into_file(tmp_path / "none" / "token"))
    assert (outcome.state, outcome.facts["optional"]) == ("failed", "yes")
    assert "it could not be handed over" in outcome.says
    planned = token(at, "true")
    at.project.rmdir()
    assert "that folder is not there" in perform(planned, at).says


def test_it_gets_the_projects_keys_and_none_of_ours(at: Bench) -> None:
    """From its own env files, the first of which wins; what the script prints of them is nowhere."""
    (at.project / ".env").write_text("LIVEKIT_API_SECRET=theirs\nLIVEKIT_API_KEY=key\nOTHER=x\n")
    (at.project / ".env.local").write_text("LIVEKIT_API_KEY=local\n")
    text = f'env | grep -E "^(LIVEKIT_|OTHER)" | sort > seen; echo {JWT}'
    outcome = perform(token(at, text), at)
    assert outcome.state == "done"
    assert (at.project / "seen").read_text() == "LIVEKIT_API_KEY=local\nLIVEKIT_API_SECRET=theirs\n"


def test_a_token_that_asks_for_nobody_says_so(at: Bench) -> None:
    """What it asks for may be other than its file says: the claims are the truth."""
    outcome = perform(token(at, f"echo {jwt(exp='soon')}"), at)
    assert json.loads(outcome.facts["claims"]) == {"room": "new-room", "agents": [], "expires": None}


def test_a_run_that_is_stopped_makes_none(at: Bench) -> None:
    """And says so."""
    at.stop.set()
    assert "the script was ended with the run" in perform(token(at, "sleep 60"), at).says


def test_an_env_file_that_cannot_be_read_stops_nothing(at: Bench) -> None:
    """The sentence names it."""
    (at.project / ".env").write_bytes(b"\xff\xfe\x00\x00\x01")
    outcome = perform(token(at, "true"), at)
    assert outcome.state == "failed"
    assert ".env" in outcome.says


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(Unreachable, match="cannot be written"):
        into_file(tmp_path / "none" / "token")(JWT)
