"""`stack-health`: each part of what runs with its own light, sentence and remedy, and one light for all."""

from __future__ import annotations

import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from bot.probes.ask import Asking
from bot.probes.values import Probe, Result, Standing
from bot.runbook import shelf
from bot.runbook.document import Schedule
from tests.probes.replay import never
from tests.running import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.running import Stack

GB = 1 << 30


class Worker(ThreadingHTTPServer):
    """A worker's endpoint."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def end(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        body = json.dumps({"agent_name": "a", "worker_type": "JT_ROOM", "active_jobs": 2}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Disk(NamedTuple):
    """What a file system says of itself."""

    f_bavail: int = 100 * GB // 4096
    f_frsize: int = 4096
    f_blocks: int = 200 * GB // 4096
    f_files: int = 1000
    f_favail: int = 900


class Looked:
    """Something that runs, all well, and looks at it."""

    def __init__(self, stack: Stack, worker: Worker, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.stack, self.worker, self.patch = stack, worker, patch
        stack.agent.ports = {"8081/tcp": ("127.0.0.1", worker.server_port)}
        stack.engine.root = str(folder)
        self.disk(Disk())
        runbook = shelf.read(shelf.shipped() / "stack-health.md")
        probe = Probe(name="stack-health", runbook=runbook, schedule=runbook.schedule or Schedule(every=60))
        self.standing = Standing(probe=probe)

    def disk(self, told: Disk) -> None:
        """Let every disk be so."""
        self.patch.setattr(os, "statvfs", lambda _path: told)

    def look(self, asking: Asking) -> Result:
        """One look."""
        result = asking.look(self.standing, never)
        self.standing = msgspec.structs.replace(self.standing, last=result, light=result.light)
        return result


def lights(result: Result) -> dict[str, str]:
    """The worst light of each part, by the verdict of its findings."""
    words = {"cause": "red", "inconclusive": "unknown", "healthy": "green"}
    return {f.summary.partition(":")[0]: words[f.verdict] for f in reversed(result.findings)}


@pytest.fixture
def looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looked]:
    """What runs, and how it is looked at."""
    monkeypatch.chdir(tmp_path)
    worker = Worker()
    with running(tmp_path) as stack:
        yield Looked(stack, worker, tmp_path, monkeypatch)
    worker.end()


@pytest.fixture
def asking(looked: Looked, tmp_path: Path) -> Iterator[Asking]:
    """Who looks."""
    with Asking(looked.stack.environment, tmp_path) as made:
        yield made


PARTS = ["containers", "workers", "api", "clock", "log-level", "disk"]


def test_all_is_well(looked: Looked, asking: Asking) -> None:
    """Every part is green, and says so."""
    result = looked.look(asking)
    assert lights(result) == dict.fromkeys(PARTS, "green"), result
    assert (result.light, result.says) == ("green", f"all is well: {', '.join(PARTS)}")
    assert looked.look(asking).light == "green"


def _set(what: str, **fields: Any) -> Callable[[Looked], None]:  # noqa: ANN401  # Box's fields
    def act(looked: Looked) -> None:
        for name, value in fields.items():
            setattr(getattr(looked.stack, what), name, value)

    return act


def _warnings_only(looked: Looked) -> None:
    looked.stack.livekit.started = "2026-11-30T00:00:00Z"  # it was started anew
    looked.stack.livekit.stored.clear()
    for number in range(400):
        looked.stack.livekit.log(
            f'2026-11-23T02:45:05.{number:03d}Z\tWARN\tlivekit\trtc/room.go:1\tslow\t{{"room": "a"}}'
        )


RED: dict[str, tuple[Callable[[Looked], object], str, str, str]] = {
    "exited": (_set("agent", state="exited", exit_code=1), "containers", "is exited", "docker start"),
    "restarting": (_set("agent", state="restarting", restarts=4), "containers", "keeps restarting", "docker logs"),
    "unhealthy": (_set("livekit", health="unhealthy"), "containers", "its health check fails", "docker logs"),
    "restarted": (_set("agent", restarts=1), "containers", "was restarted 0 min ago, 1 times in all", "docker logs"),
    "out of memory": (_set("agent", oom_killed=True), "containers", "ran out of memory", "mem_limit"),
    "gone": (lambda on: on.stack.engine.remove(on.stack.agent), "containers", "has no container any more", "up --detach"),
    "down": (lambda on: on.stack.engine.boxes.clear(), "containers", "demo has no container", ""),
    "worker": (lambda on: on.worker.end(), "workers", "does not answer", "worker_endpoint"),
    "keys": (lambda on: on.stack.api.keys.clear(), "api", "The server refuses the key", "`keys:`"),
    "clock": (_set("api", ahead=9.0), "clock", r"is (8|9|10) s ahead of this machine's", "timedatectl"),
    "level": (_warnings_only, "log-level", "hides the lines that decide", "level: info"),
    "full": (lambda on: on.disk(Disk(f_bavail=2 * GB // 4096)), "disk", "2 GB of 215 GB free", "docker system df"),
    "no files": (lambda on: on.disk(Disk(f_favail=10)), "disk", "room for 10 more files only", "FLETCHER_HOME"),
}  # fmt: skip


@pytest.mark.parametrize("what", RED)
def test_what_is_not_well_is_red(looked: Looked, asking: Asking, what: str) -> None:
    """It was well, and then a part is not: its sentence says what is so, and how it is mended."""
    act, part, says, mend = RED[what]
    assert looked.look(asking).light == "green"
    act(looked)
    result = looked.look(asking)
    assert result.light == "red"
    assert lights(result)[part] == "red"
    assert re.search(says, result.says)  # a server tells whole seconds only
    bad = [f for f in result.findings if f.verdict == "cause"]
    assert any(mend in f.advice for f in bad)
    assert result.findings[: len(bad)] == tuple(bad)


UNKNOWN: dict[str, tuple[Callable[[Looked], object], list[str], str]] = {
    "engine": (lambda on: on.stack.engine.down(), ["containers", "disk", "log-level", "workers"], "no Docker engine at"),
    "no endpoint": (_set("agent", ports={}, ips=()), ["workers"], "No worker's endpoint is known"),
    "never answered": (_set("agent", ports={"8081/tcp": ("127.0.0.1", 9)}), ["workers"], "does not answer"),
    "root": (lambda on: setattr(on.stack.engine, "root", ""), ["disk"], "does not tell where it keeps its data"),
    "elsewhere": (lambda on: setattr(on.stack.engine, "root", "/not/here"), ["disk"], "cannot be looked at from here"),
    "log of no driver": (_set("livekit", log_driver="none"), ["log-level"], "log level is not known"),
    "no log": (lambda on: on.stack.livekit.stored.clear(), ["log-level"], "log level is not known"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_cannot_be_told_is_unknown(looked: Looked, asking: Asking, what: str) -> None:
    """A part that cannot be looked at is not red, and does not hide that the others are well."""
    act, parts, says = UNKNOWN[what]
    act(looked)
    result = looked.look(asking)
    assert (result.light, [*parts]) == ("unknown", sorted(p for p, light in lights(result).items() if light != "green"))
    assert says in result.says


def test_a_part_can_be_left_out(looked: Looked, asking: Asking) -> None:
    """What can never be told somewhere need not keep the whole unknown."""
    looked.stack.engine.root = ""
    probe = msgspec.structs.replace(looked.standing.probe, inputs={"without": "disk, workers"})
    looked.standing = msgspec.structs.replace(looked.standing, probe=probe)
    assert looked.look(asking).says == "all is well: containers, api, clock, log-level"


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ("disk, worker", "no part `worker`"),
        (", ".join(PARTS), "nothing is left to look at"),
        ("log_level", "log_level"),
    ],
)
def test_what_is_left_out_wrongly_is_said(looked: Looked, asking: Asking, without: str, says: str) -> None:
    """A slip of the fingers leaves nothing out, and a look at nothing is no good news."""
    probe = msgspec.structs.replace(looked.standing.probe, inputs={"without": without})
    looked.standing = msgspec.structs.replace(looked.standing, probe=probe)
    result = looked.look(asking)
    assert (result.light, says in result.says, result.findings) == ("unknown", True, ()), result.says


def test_keys_that_nobody_set_are_unknown(looked: Looked, tmp_path: Path) -> None:
    """What is missing is Fletcher's own setting, and says nothing of the stack."""
    environment = {k: v for k, v in looked.stack.environment.items() if k != "LIVEKIT_API_SECRET"}
    with Asking(environment, tmp_path) as asking:
        result = looked.look(asking)
    assert lights(result)["api"] == "unknown"
    assert "LIVEKIT_API_SECRET is not set" in result.says


def test_an_old_restart_is_no_trouble(looked: Looked, asking: Asking) -> None:
    """Restarts that were there before the first look count for nothing."""
    looked.stack.agent.restarts, looked.stack.agent.oom_killed = 7, True
    result = looked.look(asking)
    assert lights(result)["containers"] == "green"
