"""The trap of a check that cannot tell and says yes or no all the same: in a diagnosis, a plan, a run and its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.stage import Stage, stage
from tests.fletcher import fletcher
from tests.running import ROOM, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# --- the diagnosis, and a run that begins with it ----------------------------------------------------------------------


def _no_server(stack: Stack) -> None:
    stack.engine.remove(stack.livekit)


def _no_containers(stack: Stack) -> None:
    stack.engine.remove(stack.livekit)
    stack.engine.remove(stack.agent)


def _old_lines_gone(stack: Stack) -> None:
    stack.livekit.log_driver = "local"
    stack.livekit.stored[:] = stack.livekit.stored[-3:]


def _no_line(stack: Stack) -> None:
    stack.livekit.stored.clear()
    stack.agent.stored.clear()


def _breaks_off(stack: Stack) -> None:
    stack.engine.cut_after = 300


@pytest.mark.parametrize("happens", [_no_server, _no_containers, _old_lines_gone, _no_line, _breaks_off])
def test_T27_a_diagnosis_that_cannot_tell_says_so(stack: Stack, happens: Callable[[Stack], None]) -> None:
    """It names no cause, says what is missing, and a run that begins with it does nothing."""
    happens(stack)
    reply = fletcher("diagnose", "--room", ROOM, "--json")
    assert (reply.code, reply.json["verdict"]) == (3, "inconclusive")
    assert {row["verdict"] for row in reply.json["rooms"]} == {"inconclusive"}
    assert all(row["missing"] for row in reply.json["rooms"])
    run = fletcher("run", "agent-never-joins", "--room", ROOM, "--yes", "--allow-disrupt", "--json")
    assert (run.code, run.json["state"]) == (3, "inconclusive"), run.out + run.err
    assert not [row for row in run.json["steps"] if row["state"] == "done"]


# --- the proof of what was done ----------------------------------------------------------------------------------------

STARTED = "logs: {service: turn}\nrequire: [TURN/TLS listener started]"
CALM = f"{STARTED}\nforbid: [Traceback]"


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Stage]:
    """A project in whose log there is a line that would prove it, from before the step."""
    with stage(tmp_path) as made:
        yield made


def _rotated(on: Stage) -> None:
    on.turn.log_driver = "local"
    on.turn.stored.clear()
    on.logs(0.5, "what is left of it")


def _gone(on: Stage) -> None:
    on.engine.add("other")
    on.engine.remove(on.turn)


def _many(on: Stage) -> None:
    for number in range(9):
        on.logs(0.1 * number, "line")


def _cut(on: Stage) -> None:
    on.logs(0.5, "x" * 500)
    on.engine.cut_after = 80


def _unreadable(on: Stage) -> None:
    on.turn.log_driver = "none"


def _undated(on: Stage) -> None:
    (on.folder / "a.log").write_text("x\n", encoding="utf-8")


UNTELLABLE: dict[str, tuple[Callable[[Stage], None], str, str]] = {
    "container missing": (_gone, STARTED, "has no container"),
    "service unknown": (lambda _on: None, STARTED.replace("turn}", "stun}"), "has no container"),
    "log rotated": (_rotated, STARTED, "not all lines were read"),
    "empty window": (lambda _on: None, STARTED, "there is no line"),
    "truncated by max-lines": (_many, STARTED.replace("turn}", "turn, max-lines: 3}"), "not all lines"),
    "truncated on the way": (_cut, STARTED, ""),
    "no logs to read": (_unreadable, STARTED, ""),
    "engine away": (lambda on: on.engine.down(), STARTED, ""),
    "containers of an engine that is away": (lambda on: on.engine.down(), "compose: {service: turn}", ""),
    "file without times": (_undated, "logs: {file: a.log}\nrequire: [x]", "has a time"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNTELLABLE)
def test_T27_what_cannot_be_told_is_neither_yes_nor_no(on: Stage, case: str) -> None:
    """Nothing that was not seen refutes a fix, nor does it prove it."""
    happens, body, says = UNTELLABLE[case]
    happens(on)
    proof = on.prove(body, "timeout=5s")
    assert (proof.result, "is inconclusive: " in proof.says, says in proof.says) == ("cannot-tell", True, True), proof
    assert [point.ok for point in proof.points] == [None]


def test_T27_what_is_seen_counts_although_not_all_is(on: Stage) -> None:
    """A forbidden line in what is left of a rotated log refutes all the same."""
    _rotated(on)
    on.logs(0.6, "Traceback")
    assert on.prove(CALM, "timeout=5s").result == "refuted"
