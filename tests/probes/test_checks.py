"""Any runbook with a schedule as a probe: its checks must not match, and without steps each verify must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.probes.ask import Asking
from bot.probes.values import Probe, Result, Standing
from bot.runbook.compile import compile_runbook
from bot.runbook.document import Schedule
from tests.probes.replay import never
from tests.running import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.running import Stack

HEAD = "---\nrunbook: 1\nid: own\ntitle: Own\nschedule: 1m\ninputs:\n  word: {type: string, default: worker registered}\n---\n\n# Own\n\n## Part\n\n"  # fmt: skip
STEP = "```sh { step name=act }\ntrue\n```\n\n```sh { verify name=acted after=act }\nfalse\n```\n"


def block(kind: str, body: str, name: str = "one", language: str = "yaml", more: str = "") -> str:
    """One block of a runbook."""
    return f"```{language} {{ {kind} name={name}{more} }}\n{body}\n```\n\n"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """What runs."""
    monkeypatch.chdir(tmp_path)
    with running(tmp_path) as made:
        yield made


@pytest.fixture
def looks(stack: Stack) -> Iterator[Callable[..., Result]]:
    """One look of a probe of this runbook."""
    with Asking(stack.environment) as asking:

        def look(text: str, stop: Callable[[], bool] = never, **inputs: str) -> Result:
            runbook = compile_runbook("own.md", (HEAD + text).encode())
            probe = Probe(name="own", runbook=runbook, schedule=Schedule(every=60), inputs=inputs)
            return asking.look(Standing(probe=probe), stop)

        yield look


FOUND = block("check", 'logs: {service: livekit}\nrequire: ["${word}"]')
RUNS = block("verify", "compose: {service: voice-agent}")
CASES = {
    "matches": (FOUND, "red", "one (Part) matches: "),
    "does not": (block("check", "logs: {service: livekit}\nrequire: [nothing like it]"), "green", "all is well: one"),
    "holds": (RUNS, "green", "all is well: one"),
    "does not hold": (
        block("verify", "compose: {service: voice-agent, state: exited}"),
        "red",
        "one (Part) does not hold: ",
    ),
    "cannot be told": (
        block("check", "logs: {service: nobody}\nrequire: [x]"),
        "unknown",
        "one (Part) cannot be told: ",
    ),
    "script matches": (
        block("check", 'echo seen; test "$IN_WORD" = "worker registered"', language="sh"),
        "red",
        "matches",
    ),
    "script does not": (block("check", "exit 1", language="sh"), "green", "all is well"),
    "script fails": (block("check", "echo why >&2; exit 3", language="sh"), "unknown", "ended with exit code 3: why"),
    "script holds": (block("verify", "true", language="sh"), "green", "all is well"),
    "steps are not proven": (block("check", "exit 1", language="sh") + STEP, "green", "all is well: one"),
    "cause": (block("check", "livekit: {cause: [dispatch-missing]}"), "unknown", "what was seen does not decide"),
    "when": (
        block("check", "exit 1", "first", "sh") + block("check", "true", "second", "sh", " when=first"),
        "green",
        "all is well: first, second",
    ),
    "worst": (
        block("check", "logs: {service: nobody}\nrequire: [x]", "first") + block("check", "true", "second", "sh"),
        "red",
        "second (Part) matches",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_look_comes_to(looks: Callable[..., Result], case: str) -> None:
    """One light and a sentence with the check's name, its heading and why."""
    text, light, says = CASES[case]
    result = looks(text)
    assert (result.light, says in result.says) == (light, True), result
    assert result.seconds > 0


def test_lines_that_decide_are_told(looks: Callable[..., Result]) -> None:
    """The line stands in the sentence, from the log of which container."""
    assert "demo-livekit-1 " in (said := looks(FOUND).says)
    assert '"agentName": "livekit-ganglia-agent"' in said


def test_a_cause_has_its_findings(looks: Callable[..., Result]) -> None:
    """A check of a cause is judged by a diagnosis, whose rooms are told."""
    result = looks(block("check", "livekit: {cause: [load-refused]}"))
    assert "ganglia-b8f13c" in [finding.room for finding in result.findings]


def test_an_input_that_is_wrong_is_unknown(looks: Callable[..., Result]) -> None:
    """What was set for the probe is Fletcher's own, and says nothing of what runs."""
    result = looks(RUNS, wrod="x")
    assert (result.light, "did you mean `word`" in result.says) == ("unknown", True)


def test_secrets_of_what_runs_are_masked(looks: Callable[..., Result], stack: Stack) -> None:
    """A script's last line may hold one."""
    secret = dict(stack.agent.env)["LIVEKIT_API_SECRET"]
    result = looks(block("check", f"echo {secret}; exit 3", language="sh"))
    assert secret not in result.says
    assert "[redacted]" in result.says


def test_a_look_that_should_stop_is_skipped(looks: Callable[..., Result]) -> None:
    """A script is not begun any more, and one that runs is ended."""
    assert looks(block("check", "true", language="sh"), lambda: True).light == "skipped"
    asked = iter([False])
    result = looks(block("check", "sleep 50", language="sh"), lambda: next(asked, True))
    assert (result.light, result.seconds < 20) == ("unknown", True)


def test_an_engine_that_is_away_is_unknown(looks: Callable[..., Result], stack: Stack) -> None:
    """Whatever the check asks of it."""
    stack.engine.down()
    result = looks(RUNS)
    assert (result.light, "no Docker engine at" in result.says) == ("unknown", True)
