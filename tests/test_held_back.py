"""Confident answers that are held back, or turned, when one more line explains the same silence."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.fletcher import RECORDINGS, diagnose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REDIS = '2026-11-23T02:00:00.000Z\tINFO\tlivekit\tredis/redis.go:142\tconnecting to redis\t{"simple": true, "addr": "redis:6379"}\n'


def _as_it_is(lines: list[str]) -> list[str]:
    return lines


def _without_refusals(lines: list[str]) -> list[str]:
    return [line for line in lines if '"status": 401' not in line and "401" not in line.split("\t{")[0]]


def _on_a_shared_bus(lines: list[str]) -> list[str]:
    kept = _without_refusals(lines)
    stamp = kept[0].split("\t")[0]
    return [REDIS.replace("2026-11-23T02:00:00.000Z", stamp), *kept]


def _without_registration(lines: list[str]) -> list[str]:
    return [line for line in lines if "livekit.agents" not in line]


def _without_start_and_registration(lines: list[str]) -> list[str]:
    return [line for line in _without_registration(lines) if "starting LiveKit server" not in line]


@pytest.mark.parametrize(
    ("case", "room", "logs", "change", "says"),
    [
        # A server before 1.9 does not log what CreateDispatch asked for; the job says it.
        ("inc-003", "visit_50b250a1", 1, _as_it_is, ("healthy", None)),
        ("inc-003", "visit_6448f673", 1, _as_it_is, ("cause", "dispatch-missing")),
        # Nobody registered; with a Redis, the workers of other nodes are not in this log.
        ("inc-035", "visit_b489b35b", 1, _without_refusals, ("cause", "no-worker")),
        ("inc-035", "visit_b489b35b", 1, _on_a_shared_bus, ("inconclusive", None)),
        # A worker that this log does not know is not elsewhere when it names this very node.
        ("inc-089", "ganglia-7cd46c", 2, _without_registration, ("inconclusive", None)),
        ("inc-089", "ganglia-7cd46c", 2, _without_start_and_registration, ("inconclusive", None)),
    ],
)
def test_one_more_line_holds_an_answer_back(
    case: str,
    room: str,
    logs: int,
    change: Callable[[list[str]], list[str]],
    says: tuple[Any, Any],
    tmp_path: Path,
) -> None:
    """A recording, changed in one thing: the verdict over its room."""
    folder = RECORDINGS / case
    server = tmp_path / "livekit.log"
    server.write_text("".join(change((folder / "livekit.log").read_text().splitlines(keepends=True))))
    rows = [
        r for r in diagnose(*[server, folder / "agent.log"][:logs], "--room", room).json["rooms"] if r["room"] == room
    ]
    assert [(r["verdict"], r["cause"]) for r in rows] == [says]


@pytest.mark.parametrize("neighbours", [True, False], ids=["with the other rooms", "alone"])
@pytest.mark.parametrize(
    ("flags", "says"),
    [([], ("inconclusive", None)), (["--room"], ("cause", "dispatch-missing"))],
    ids=["among all", "asked for"],
)
def test_only_who_asks_for_a_room_says_that_an_agent_was_meant_to_come(
    flags: list[str], says: tuple[Any, Any], tmp_path: Path, *, neighbours: bool
) -> None:
    """A room that asked for nobody may be meant so, whatever other rooms ask for and however they are named."""
    room, lines = "visit_6448f673", (RECORDINGS / "inc-003" / "livekit.log").read_text().splitlines(keepends=True)
    server = tmp_path / "livekit.log"
    server.write_text("".join(line for line in lines if neighbours or '"visit_' not in line or room in line))
    row = diagnose(server, *(word for flag in flags for word in (flag, room))).row(room)
    assert (row["verdict"], row["cause"]) == says


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without_registration, ("cause", "worker-unreachable")),
        (_without_start_and_registration, ("inconclusive", None)),
    ],
)
def test_a_worker_that_names_another_node_is_elsewhere_if_the_log_reaches_back(
    change: Callable[[list[str]], list[str]], says: tuple[Any, Any], tmp_path: Path
) -> None:
    """A log that begins after the registration may be of a node that has another id since it started anew."""
    folder, room = RECORDINGS / "inc-089", "ganglia-7cd46c"
    server, agent = tmp_path / "livekit.log", tmp_path / "agent.log"
    server.write_text("".join(change((folder / "livekit.log").read_text().splitlines(keepends=True))))
    agent.write_text(re.sub(r'"nodeId":"\w+"', '"nodeId":"ND_elsewhere"', (folder / "agent.log").read_text()))
    row = diagnose(server, agent, "--room", room).row(room)
    assert (row["verdict"], row["cause"]) == says


@pytest.mark.parametrize("agents", [True, False], ids=["with the worker's log", "without"])
@pytest.mark.parametrize(("case", "proven"), [("inc-070", 42), ("inc-072", 45)])
def test_a_second_nodes_log_that_begins_late_sends_no_worker_elsewhere(
    case: str, proven: int, tmp_path: Path, *, agents: bool
) -> None:
    """Registered with the other node, which its id or a later line proves; where nothing does, nothing is concluded."""
    folder = RECORDINGS / case
    truth = json.loads((folder / "case.json").read_text())
    lines = (folder / "livekit-2.log").read_text().splitlines(keepends=True)
    later = tmp_path / "livekit-2.log"
    logs = [folder / "livekit.log", later, *([folder / "agent.log"] if agents else [])]
    for start in range(3, len(lines)):
        later.write_text("".join(lines[start:]))
        row = diagnose(*logs, "--room", truth["room"]).row(truth["room"])
        said = (row["verdict"], row["cause"])
        assert said in {("cause", "nodes-not-shared"), ("inconclusive", None)}, start
        assert said[0] == "cause" or start > proven or not agents, start
