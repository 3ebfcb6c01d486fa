"""Verify blocks that are not about LiveKit: asked until they match and hold, are refuted, or nobody can tell."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.engine.stage import SECOND, Stage, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Stage]:
    """The stage."""
    with stage(tmp_path) as made:
        yield made


STARTED = "logs: {service: turn}\nrequire: [TURN/TLS listener started]"
CALM = f"{STARTED}\nforbid: [Traceback]"
Lines = tuple[tuple[float, str], ...]


@pytest.mark.parametrize(
    ("lines", "body", "attributes", "result", "says"),
    [
        (((4, "TURN/TLS listener started"),), STARTED, "timeout=30s", "holds", "works matches"),
        (((4, "TURN/TLS listener started"),), CALM, "timeout=30s settle=10s", "holds", "did for 10s"),
        (((4, "TURN/TLS listener started"), (9, "Traceback")), CALM, "timeout=30s settle=10s", "refuted", "Traceback"),
        (((4, "TURN/TLS listener started"), (20, "Traceback")), CALM, "timeout=30s settle=10s", "holds", ""),
        (((-2, "Traceback"), (4, "TURN/TLS listener started")), CALM, "timeout=30s settle=10s", "holds", ""),
        (((0.5, "going"),), STARTED, "timeout=30s", "refuted", "does not match within 30s"),
        (((31, "TURN/TLS listener started"), (1, "x")), STARTED, "timeout=20s", "refuted", "does not match"),
        (((28, "TURN/TLS listener started"), (1, "x")), CALM, "timeout=30s settle=10s", "holds", ""),
        (((0.5, "hello there"),), "logs: {service: turn}\nrequire: [$word]", "timeout=9s", "holds", ""),
        ((), "logs: {service: turn}\nempty: pass\nforbid: [Traceback]", "timeout=9s settle=9s", "holds", ""),
        ((), "logs: {service: turn}\nempty: fail\nforbid: [Traceback]", "timeout=9s", "refuted", "there is no line"),
        ((), "compose: {service: turn}", "timeout=9s settle=5s", "holds", ""),
        ((), "compose: {service: turn, state: healthy}", "timeout=9s", "refuted", "has no health check"),
        ((), "compose: {service: stun, state: absent}", "timeout=9s", "holds", ""),
        ((), "file: {path: made.txt}", "timeout=9s", "refuted", "made.txt is not there"),
        ((), "file: {path: made.txt, exists: false}", "timeout=9s", "holds", ""),
        ((), "input: {word: hello}", "timeout=9s", "holds", ""),
        ((), "input: {word: goodbye}", "timeout=3s", "refuted", "word is not goodbye"),
        ((), "#!\nexit 0", "timeout=9s", "holds", ""),
        ((), "#!\necho no; exit 1", "timeout=9s interval=5s", "refuted", "ended with 1: no"),
        ((), "#!\nexit 2", "timeout=9s interval=5s", "cannot-tell", "exit code 2"),
    ],
)
def test_what_a_check_comes_to(on: Stage, lines: Lines, body: str, attributes: str, result: str, says: str) -> None:
    """Within its time, for as long as it has to, and by lines since its step alone."""
    for seconds, line in lines:
        on.logs(seconds, line)
    proof = on.prove(body, attributes)
    assert (proof.result, says in proof.says) == (result, True), proof
    assert [point.ok for point in proof.points] == [{"holds": True, "refuted": False, "cannot-tell": None}[result]]


@pytest.mark.parametrize("since", ["", "1h", "step:mend", "'2026-01-01 00:00'"])
def test_T19_an_old_line_never_counts(on: Stage, since: str) -> None:  # noqa: N802
    """A line from a nanosecond before the step proves nothing, however far back the check asks; one of its moment does."""
    asked = f"logs: {{service: turn{f', since: {since}' if since else ''}}}\nrequire: [TURN/TLS listener started]"
    on.logs(0.5, "something else")
    assert on.prove(asked, "timeout=5s").result == "refuted"
    on.logs(0, "TURN/TLS listener started")
    assert on.prove(asked, "timeout=5s").result == "holds"


def test_what_is_refuted_for_good_is_not_waited_for(on: Stage) -> None:
    """A forbidden line does not leave the log again; one that is only wanting is waited for, and told while it is."""
    on.logs(0.5, "Traceback")
    began = on.world.clock
    assert on.prove(CALM, "timeout=30s").result == "refuted"
    assert on.world.clock == began
    on.turn.stored.clear()
    on.logs(0.5, "going")
    on.logs(8, "TURN/TLS listener started")
    assert on.prove(STARTED, "timeout=30s interval=5s settle=4s").result == "holds"
    assert "waiting 5 s until works is asked again" in on.told
    assert any(line.startswith("works: matched") for line in on.told)


@contextmanager
def answering(*codes: int) -> Iterator[tuple[str, int]]:
    """A web server that answers with these statuses, the last of them ever after."""
    left = list(codes)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", int(server.server_address[1])
        server.shutdown()


@pytest.mark.parametrize(
    ("codes", "settle", "result", "seconds"),
    [
        ((200,), 0, "holds", 0),
        ((503, 503, 200), 0, "holds", 6),
        ((503,), 0, "refuted", 20),
        ((200, 503, 200), 6, "holds", 12),  # it begins to hold anew
        ((200, 200, 200, 200, 200, 200, 503), 60, "refuted", 20),
    ],
)
def test_an_address_has_to_go_on_answering(
    on: Stage, codes: tuple[int, ...], settle: int, result: str, seconds: int
) -> None:
    """What it answered before it did so for long enough counts no more."""
    began = on.world.clock
    with answering(*codes) as (url, port):
        proof = on.prove(f"http: {url}/", f"timeout=20s settle={settle}s")
        assert on.prove(f"tcp: 127.0.0.1:{port}").result == "holds"
    assert (proof.result, (on.world.clock - began) // SECOND) == (result, seconds)


def test_nobody_listens(on: Stage) -> None:
    """At an address, or at a port: that is no."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert on.prove(f"http: http://127.0.0.1:{port}/", "timeout=5s").result == "refuted"
    assert on.prove(f"tcp: 127.0.0.1:{port}", "timeout=5s").result == "refuted"


def test_a_secret_of_the_service_is_not_told(on: Stage) -> None:
    """What its container has for a secret is masked where the deciding line is quoted."""
    on.turn.env = {"TURN_SECRET": "f3k9Qz7LmN2pXv8RtB4wYc6D"}
    on.logs(0.5, "TURN/TLS listener started with f3k9Qz7LmN2pXv8RtB4wYc6D")
    proof = on.prove(STARTED)
    assert proof.result == "holds"
    assert "f3k9" not in repr((proof, on.told))
