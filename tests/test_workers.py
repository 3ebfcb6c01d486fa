"""`fletcher workers`: one row for each worker there is, however many sources show it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.fletcher import fletcher
from tests.running import Stack, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "livekit-ganglia-agent"


@contextmanager
def endpoint(name: str = NAME, load: float = 0.25) -> Iterator[tuple[str, int]]:
    """A worker's HTTP server, as the address at which its port is published."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"agent_name": name, "worker_type": "JT_ROOM", "worker_load": load}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield "127.0.0.1", server.server_port
        server.shutdown()


def workers() -> list[dict[str, Any]]:
    """The rows."""
    found: list[dict[str, Any]] = fletcher("workers", "--json").json["workers"]
    return found


def second(stack: Stack, ports: dict[str, tuple[str, int] | None], *, registered: bool = True) -> None:
    """A second replica of the worker, which the server knows under another id."""
    kept = {"image": stack.agent.image, "env": stack.agent.env, "working_dir": stack.agent.working_dir}
    box = stack.engine.add("voice-agent", number=2, ports=ports, ips=(), created=stack.agent.created, **kept)
    if not registered:
        return
    own = next(w["id"] for w in workers() if w["id"])
    for of, into, name in ((stack.agent, box, "agent.log"), (stack.livekit, stack.livekit, "livekit.log")):
        assert of.stored
        for ns, line in recorded(name):
            if own in line and ("registered" in line):
                into.log(line.replace(own, "AW_SecondReplica"), ns)
    stack.livekit.stored.sort(key=lambda piece: piece.ns)


def test_replicas_whose_endpoints_answer_are_one_row_each(stack: Stack) -> None:
    """A log, a container and an endpoint that are of one container are one worker, with the load that it tells."""
    with endpoint(load=0.25) as one, endpoint(load=0.5) as two:
        stack.agent.ports = {"8081/tcp": one}
        second(stack, {"8081/tcp": two})
        rows = workers()
    assert [(r["state"], r["load"]) for r in rows] == [("registered", 0.25), ("registered", 0.5)]
    assert [len(r["seen_in"]) for r in rows] == [4, 4]
    assert fletcher("workers").code == 0


@pytest.mark.parametrize("replicas", [1, 2])
def test_workers_whose_logs_cannot_be_read_are_not_told_twice(stack: Stack, replicas: int) -> None:
    """What the server knows and what endpoints answer are the same workers, also where it is not clear which is which."""
    with endpoint(load=0.25) as one, endpoint(load=0.5) as two:
        stack.agent.ports = {"8081/tcp": one}
        if replicas == 2:
            second(stack, {"8081/tcp": two})
        for box in stack.engine.boxes[1:]:
            box.log_driver = "none"
        rows = workers()
    assert [(r["state"], r["load"]) for r in rows] == [("registered", 0.25 if replicas == 1 else None)] * replicas


def test_an_endpoint_hides_no_other_container(stack: Stack) -> None:
    """A container that crashes over and over is told beside a worker that answers."""
    stack.livekit.stored.clear()
    stack.agent.stored.clear()
    with endpoint("another") as at:
        stack.agent.ports = {"8081/tcp": at}
        stack.engine.add(
            "broken-agent", env=stack.agent.env, working_dir=stack.agent.working_dir, state="restarting", restarts=7, exit_code=1, ips=()
        )  # fmt: skip
        rows = workers()
    assert [(r["name"], r["state"]) for r in rows] == [
        (None, "restarting, exit code 1, 7 restarts"),
        ("another", "answers, registration not seen"),
    ]


def test_the_address_of_an_endpoint_needs_no_container(stack: Stack, tmp_path: Path) -> None:
    """An endpoint at an address that is set is that of the one worker of its name."""
    with endpoint() as (host, port):
        (tmp_path / "fletcher.toml").write_text(
            f'[targets.near]\ndocker_host = "{stack.engine.host}"\nworker_endpoint = "http://{host}:{port}"\n', "utf-8"
        )
        (row,) = fletcher("workers", "--target", "near", "--json").json["workers"]
    assert (row["state"], row["load"]) == ("registered", 0.25)
    assert len(row["seen_in"]) == 4


def test_a_worker_that_began_and_did_not_register_is_its_own_row(stack: Stack) -> None:
    """A second container whose log shows only how it began is not taken for the one that registered."""
    second(stack, {}, registered=False)
    for ns, line in recorded("agent.log"):
        if "starting worker" in line:
            stack.engine.boxes[-1].log(line, ns)
    assert [r["state"] for r in workers()] == ["registered", "running, registration not seen"]


def test_loopback_is_asked_without_the_proxy(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment, which leads elsewhere, does not stand between Fletcher and a port of this machine."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with endpoint() as at:
        stack.agent.ports = {"8081/tcp": at}
        (row,) = workers()
    assert row["load"] == 0.25


def test_what_is_found_by_a_container_needs_no_proxy(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that was found is where the engine is reached too, so a proxy's answer for it is not taken."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with endpoint() as (host, port):
        monkeypatch.setenv("http_proxy", f"http://{host}:{port}")
        stack.agent.ports = {"8081/tcp": ("worker.invalid", port)}
        (row,) = workers()
    assert row["load"] is None


def test_other_hosts_are_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose address was given by its name is asked as the environment says."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with endpoint() as (host, port):  # answers as a proxy does: whatever host it is asked for
        monkeypatch.setenv("http_proxy", f"http://{host}:{port}")
        reply = fletcher("diagnose", "--json", "--worker-endpoint", "http://worker.example:8081")
    assert [s["kind"] for s in reply.json["sources"]] == ["worker endpoint"]


@pytest.mark.parametrize(
    ("state", "registered", "code"), [("running", True, 0), ("exited", False, 3), ("paused", False, 3)]
)
def test_the_exit_code_says_whether_a_worker_is_there(stack: Stack, state: str, *, registered: bool, code: int) -> None:
    """0 when one is registered or answers; a container that does not run is none."""
    stack.agent.state = state
    if not registered:
        stack.livekit.stored.clear()
        stack.agent.stored.clear()
    assert fletcher("workers").code == code


@pytest.mark.usefixtures("stack")
def test_an_option_of_what_runs_means_what_runs(tmp_path: Path) -> None:
    """Beside files, an option that only what runs can mean is not passed over."""
    log = tmp_path / "copied.log"
    log.write_text("".join(f"{line}\n" for _, line in recorded("livekit.log")), encoding="utf-8")
    for option in (("--compose-project", "demo"), ("--agent-service", "voice-agent"), ("--livekit-service", "livekit")):
        reply = fletcher("diagnose", "--json", str(log), *option)
        assert "docker logs demo-voice-agent-1" in {source["name"] for source in reply.json["sources"]}
