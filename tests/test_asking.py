"""The declarative checks of a runbook, asked before a plan is made: logs, files, addresses and containers."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fletcher import RECORDINGS, Reply, fletcher

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.running import Stack

LOG = RECORDINGS / "inc-071" / "livekit.log"
HEAD = """---
runbook: 1
id: asks
title: Asks around
inputs:
  window: {type: duration, default: 15m}
  word: {type: string}
---

# Asks around

"""
STEP = """
```sh {{ step name=mend when={name} }}
true
```

```yaml {{ verify name=asked-later }}
logs: {{service: livekit}}
require: [never asked]
```
"""
SECRET = "f3k9Qz7LmN2pXv8RtB4wYc6D"


def write(checks: Mapping[str, str], timeout: str = "30s") -> None:
    """A runbook `asks.md` in the current folder with these checks, and a step that hangs on the first."""
    blocks = "".join(
        f"```yaml {{ check name={name} timeout={timeout} }}\n{body}\n```\n\n" for name, body in checks.items()
    )
    Path("asks.md").write_text(HEAD + blocks + STEP.format(name=next(iter(checks))), encoding="utf-8")


def asked(checks: Mapping[str, str], *argv: str, timeout: str = "30s") -> dict[str, tuple[str, str]]:
    """What `fletcher plan` says of each check: its result and its words; of what runs when no file is given."""
    write(checks, timeout)
    reply = planned(*argv)
    return {check["name"]: (check["result"], check["says"]) for check in reply.json["checks"]}


def planned(*argv: str) -> Reply:
    """The plan of `asks.md`."""
    reply = fletcher("plan", "asks.md", *argv, "--json")
    assert reply.code in {0, 1, 3}, reply.err
    return reply


def result(body: str, *argv: str) -> tuple[str, str]:
    """The same of one check."""
    return asked({"one": body}, *argv)["one"]


class _Handler(BaseHTTPRequestHandler):
    asked: tuple[str, ...] = ()
    elsewhere = ""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        type(self).asked += (self.path,)
        status, body = {"/": (200, b"all is well\nreally\n"), "/busy": (503, b"busy")}.get(self.path, (302, b""))
        if self.path == "/large":
            status, body = 200, b"a line\n" * 300_000
        self.send_response(status)
        to = {"/here": "/", "/away": self.elsewhere, "/files": "file:///etc/hostname"}.get(self.path)
        if to is not None:
            self.send_header("Location", to)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def web() -> Iterator[tuple[str, type[_Handler]]]:
    """A web server: its address, and what it was asked for."""

    class Handler(_Handler):
        """One of its own for each server."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", Handler
        server.shutdown()


def unused() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# --- logs of containers ------------------------------------------------------------------------------------------------


def ago(seconds: float) -> int:
    """A time in epoch nanoseconds."""
    return time.time_ns() - int(seconds * 1e9)


@pytest.mark.parametrize(
    ("body", "word", "said"),
    [
        ("logs: {service: turn}\nrequire: [hello]", "matched", "docker logs demo-turn-1 "),
        ("logs: {service: turn}\nrequire: [{regex: '^hel+o$'}]", "matched", ": hello"),
        ("logs: {service: turn}\nrequire: [goodbye]", "not-matched", "did not find what line"),
        ("logs: {service: turn}\nforbid: [hello]", "contradicted", "found what line"),
        ("logs: {service: turn, since: 10m}\nrequire: [hello]", "matched", "hello"),
        ("logs: {service: turn, since: 1m}\nrequire: [hello]", "inconclusive", "there is no line"),
        ("logs: {service: turn, since: 1m}\nempty: pass\nforbid: [hello]", "matched", ""),
        ("logs: {service: turn, since: $window}\nrequire: [hello]", "matched", "hello"),
        ("logs: {service: turn, since: '2026-01-01 00:00'}\nrequire: [hello]", "matched", "hello"),
        ("logs: {service: turn, since: step:mend}\nrequire: [hello]", "inconclusive", "it is looked at after mend"),
        ("logs: {service: turn, max-lines: 1}\nrequire: [nothing]", "inconclusive", "not all lines were read"),
        ("logs: {service: turn, max-lines: 1}\nforbid: [second]", "contradicted", "second"),
        ("logs: {service: turn, max-lines: 2}\nrequire: [hello]", "matched", "hello"),
        ("logs: {container: demo-turn-1}\nrequire: [hello]", "matched", "hello"),
        ("logs: {container: demo-turn-9}\nrequire: [hello]", "inconclusive", "there is no container demo-turn-9"),
        ("logs: {service: stun}\nrequire: [hello]", "inconclusive", "the service stun has no container in"),
        ("logs: {service: turn}\nrequire: [$word]", "inconclusive", "the input word has no value"),
        ("compose: {service: turn}", "matched", "demo-turn-1 is running"),
        ("compose: {service: turn, state: healthy}", "not-matched", "has no health check"),
        ("compose: {service: turn, state: exited}", "not-matched", "demo-turn-1 is running"),
        ("compose: {service: turn, state: absent}", "not-matched", "demo-turn-1 is running"),
        ("compose: {service: stun, state: absent}", "matched", "stun has no container"),
        ("compose: {service: stun}", "not-matched", "stun has no container"),
    ],
)
def test_the_containers_of_a_service_are_asked(stack: Stack, body: str, word: str, said: str) -> None:
    """Its log since a time of the engine's clock and as far as it may be read, and its state."""
    turn = stack.engine.add("turn")
    turn.log("hello", ago(300))
    turn.log("second", ago(299))
    told = result(body)
    assert told[0] == word, told
    assert said in told[1]


def test_the_engines_clock_counts(stack: Stack) -> None:
    """A duration is counted back from what the engine shows, not from this machine's time."""
    stack.engine.ahead = 3600
    turn = stack.engine.add("turn")
    turn.log("hello", ago(-3590))
    turn.log("long ago", ago(-3000))
    body = "logs: {service: turn, since: 1m}\nrequire: [hello]\nforbid: [long ago]"
    assert result(body)[0] == "matched"


def test_the_replicas_of_a_service_are_one_log(stack: Stack) -> None:
    """The lines of all of them count, in the order of their times."""
    stack.engine.add("turn").log("second", ago(50))
    stack.engine.add("turn", number=2).log("first", ago(60))
    stack.engine.add("turn", number=3, state="exited").log("third", ago(40))
    body = "logs: {service: turn}\nrequire: [{id: one, match: first}, {match: second, after: one}, third]"
    word, says = result(body)
    assert word == "matched"
    assert [says.find(f"demo-turn-{number}") for number in (2, 1, 3)] == sorted(
        says.find(f"demo-turn-{number}") for number in (2, 1, 3)
    )
    assert result("compose: {service: turn}") == ("not-matched", "demo-turn-3 is exited")


def test_each_log_is_read_once(stack: Stack) -> None:
    """However many checks ask for it, with whatever windows."""
    turn = stack.engine.add("turn")
    turn.log("hello", ago(300))
    checks = {
        "all": "logs: {service: turn}\nrequire: [hello]",
        "short": "logs: {service: turn, since: 1m}\nrequire: [hello]",
        "one": "logs: {service: turn, since: 10m, max-lines: 1}\nrequire: [hello]",
    }
    words = {name: word for name, (word, _) in asked(checks).items()}
    assert words == {"all": "matched", "short": "inconclusive", "one": "matched"}
    read = [path for path in stack.engine.asked if "/logs" in path]
    assert sum(turn.id in path for path in read) == 1
    assert sum(stack.livekit.id in path for path in read) == 1  # for the diagnosis, not for the verification


def test_a_usual_name_means_the_service_that_is_here(stack: Stack) -> None:
    """`livekit` is the server's service, whatever it is called in this deployment."""
    stack.livekit.service, stack.livekit.name = "sfu", "demo-sfu-1"
    word, says = result("logs: {service: livekit}\nrequire: [worker registered]")
    assert word == "matched"
    assert says.startswith("docker logs demo-sfu-1 ")


def test_at_most_three_lines_are_told_without_their_secrets(stack: Stack) -> None:
    """What decided, redacted: by its form, and since it is a setting of that container."""
    turn = stack.engine.add("turn", env={"TURN_PASSWORD": "correcthorsebatterystaple"})
    for number in range(9):
        turn.log(f"line {number} apiSecret={SECRET} correcthorsebatterystaple", ago(60 - number))
    word, says = result("logs: {service: turn}\nrequire: [{match: line}, {match: 'line 8'}]")
    assert word == "matched"
    assert says.count("docker logs demo-turn-1") == 3
    assert "line 0 apiSecret=[redacted] [redacted]" in says
    text = fletcher("plan", "asks.md").out + fletcher("plan", "asks.md", "--markdown").out
    assert "correcthorse" not in says + text
    assert SECRET not in says + text
    assert "one: matched (docker logs demo-turn-1" in " ".join(text.split())


def test_a_log_that_cannot_be_read_is_inconclusive(stack: Stack) -> None:
    """The engine's own reason is told, and the other checks are made all the same."""
    stack.engine.add("turn", log_driver="syslog")
    checks = {
        "turn": "logs: {service: turn}\nrequire: [hello]",
        "livekit": "logs: {service: livekit}\nrequire: [worker registered]",
    }
    told = asked(checks)
    assert told["turn"][0] == "inconclusive"
    assert "syslog" in told["turn"][1]
    assert told["livekit"][0] == "matched"


def test_what_a_check_quotes_is_not_in_the_digest(stack: Stack) -> None:
    """What it came to is: the same result by other lines is the same plan."""
    turn = stack.engine.add("turn")
    turn.log("hello", ago(300))
    write({"one": "logs: {service: turn}\nrequire: [hello]\nforbid: [goodbye]"})
    first = planned().json
    turn.log("hello again", ago(200))
    again = planned().json
    turn.log("goodbye", ago(100))
    other = planned().json
    assert first["checks"] != again["checks"]
    assert first["digest"] == again["digest"] != other["digest"]
    assert [step["name"] for step in again["steps"]] == ["mend"]
    assert other["steps"] == []


# --- local files -------------------------------------------------------------------------------------------------------

LINES = """2026-11-23T01:00:00Z began
  goes on
{"level":30,"time":1795399200000,"msg":"later"}
2026-11-23 02:10:00,250 last
"""


@pytest.mark.parametrize(
    ("body", "word", "said"),
    [
        ("file: notes.txt", "matched", "notes.txt is there"),
        ("file: {path: notes.txt, exists: false}", "not-matched", "notes.txt is there"),
        ("file: other.txt", "not-matched", "other.txt is not there"),
        ("file: {path: other.txt, exists: false}", "matched", "other.txt is not there"),
        ("file: other.txt\nrequire: [began]", "inconclusive", "other.txt is not there"),
        ("file: notes.txt\nrequire: [began]", "matched", "notes.txt:1: 2026-11-23T01:00:00Z began"),
        ("file: folder\nrequire: [began]", "inconclusive", "folder is a folder"),
        ("file: pipe\nrequire: [began]", "inconclusive", "pipe is no ordinary file"),
        ("file: zipped.gz\nrequire: [began]", "inconclusive", "packed with gzip"),
        ("file: binary\nrequire: [began]", "inconclusive", "binary"),
        ("file: wide.txt\nrequire: [began]", "matched", "wide.txt:1: began"),
        ("file: hollow.txt\nempty: fail\nrequire: [began]", "not-matched", "there is no line"),
        ("logs: {file: notes.txt}\nrequire: [goes on]", "matched", "notes.txt:2:   goes on"),
        ("logs: {file: notes.txt, max-lines: 1}\nrequire: [began]", "inconclusive", "not all lines were read"),
        ("logs: {file: notes.txt, max-lines: 4}\nrequire: [began]", "matched", "began"),
        ("logs: {file: notes.txt, since: 2h}\nrequire: [goes on]", "matched", "goes on"),
        ("logs: {file: notes.txt, since: 1h}\nforbid: [began, goes on]", "matched", ""),
        ("logs: {file: notes.txt, since: '2026-11-23T02:00:00Z'}\nrequire: [later]", "matched", "notes.txt:3:"),
        ("logs: {file: wide.txt, since: 1h}\nrequire: [began]", "inconclusive", "no record has a time"),
        ("logs: {file: wide.txt, since: '2026-11-23 02:00'}\nempty: pass\nrequire: [x]", "inconclusive", "has a time"),
        ("logs: {file: other.txt}\nrequire: [began]", "inconclusive", "other.txt is not there"),
        ("logs: {service: livekit}\nrequire: [began]", "inconclusive", "nothing that runs was looked at"),
        ("http: http://127.0.0.1:9/", "inconclusive", "nothing that runs was looked at"),
        ("tcp: 127.0.0.1:9", "inconclusive", "nothing that runs was looked at"),
        ("compose: {service: livekit}", "inconclusive", "nothing that runs was looked at"),
    ],
)
def test_a_local_file_is_looked_at_wherever_the_plan_is_made(here: Path, body: str, word: str, said: str) -> None:
    """Nothing else is where only files were given."""
    import gzip
    import os

    (here / "notes.txt").write_text(LINES, encoding="utf-8")
    (here / "folder").mkdir()
    (here / "zipped.gz").write_bytes(gzip.compress(b"began"))
    (here / "binary").write_bytes(b"began\0\0\0\0\0")
    (here / "wide.txt").write_text("began\n", encoding="utf-16")
    (here / "hollow.txt").touch()
    os.mkfifo(here / "pipe")
    told = result(body, str(LOG))
    assert told[0] == word, told
    assert said in told[1]


def test_of_a_long_file_the_end_is_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found there counts, what is not found proves nothing."""
    monkeypatch.setattr("bot.asking.text.MOST", 1000)
    (here / "long.log").write_text("first\n" + "2026-11-23T01:00:00Z line\n" * 100 + "2026-11-23T03:00:00Z last\n")
    told = asked(
        {
            "forbidden": "file: long.log\nforbid: [last]",
            "unread": "file: long.log\nrequire: [first]",
            "since": "logs: {file: long.log, since: 1h}\nrequire: [last]",
        },
        str(LOG),
    )
    assert {name: word for name, (word, _) in told.items()} == {
        "forbidden": "contradicted", "unread": "inconclusive", "since": "matched",
    }  # fmt: skip


# --- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("body", "word", "said"),
    [
        ("http: {web}/", "matched", "it answers 200"),
        ("http: {web}/\nrequire: [all is well]", "matched", "/:1: all is well"),
        ("http: {web}/\nforbid: [really]", "contradicted", "really"),
        ("http: {web}/busy", "not-matched", "it answers 503, not 200"),
        ("http: {{url: '{web}/busy', status: 503}}\nrequire: [busy]", "matched", "busy"),
        ("http: {web}/here", "matched", "it answers 200"),
        ("http: {{url: '{web}/here', status: 302}}", "matched", "it answers 302"),
        ("http: {web}/away", "inconclusive", "it sends to http://localhost"),
        ("http: {web}/files", "inconclusive", "it sends to file:///etc/hostname"),
        ("http: {web}/circle", "not-matched", "it answers 302, not 200"),
        ("http: {web}/large\nrequire: [another]", "inconclusive", "not all lines were read"),
        ("http: http://127.0.0.1:{free}/", "not-matched", "nobody listens there"),
        ("http: http://127.0.0.1:0/", "inconclusive", "it is no address"),
        ("tcp: 127.0.0.1:{port}", "matched", "somebody listens at 127.0.0.1:{port}"),
        ("tcp: 127.0.0.1:{free}", "not-matched", "nobody listens at 127.0.0.1:{free}"),
        ("tcp: {{host: 127.0.0.1, port: 99999}}", "inconclusive", "99999 is no port"),
        ("tcp: 'nowhere.invalid:80'", "inconclusive", "it cannot be reached"),
    ],
)
def test_somebody_answers_or_not(body: str, word: str, said: str) -> None:
    """A GET that stays on its host and reads no more than it must, and a connection."""
    with web() as (address, handler):
        port = int(address.rpartition(":")[2])
        handler.elsewhere = f"http://localhost:{port}/"
        free = unused()
        told = result(body.format(web=address, port=port, free=free))
        assert told[0] == word, told
        assert said.format(port=port, free=free) in told[1]
        assert len(handler.asked) <= 2


@pytest.mark.usefixtures("stack")
def test_a_source_that_never_answers_does_not_hang_the_plan() -> None:
    """Each check waits for its own timeout at most, and all of them at the same time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        checks = {f"silent-{n}": f"http: http://127.0.0.1:{port}/{n}" for n in range(20)}
        told = asked(checks, timeout="500ms")
    assert {word for word, _ in told.values()} == {"inconclusive"}
    assert "Traceback" not in "".join(says for _, says in told.values())


def test_a_log_that_never_ends_does_not_hang_the_plan(stack: Stack) -> None:
    """An engine that is asked for a log and says nothing is given up, and its reason told."""
    turn = stack.engine.add("turn")
    forever = threading.Event()

    def sent(query: Mapping[str, str]) -> Iterator[bytes]:
        assert query["timestamps"] == "1"
        forever.wait(60)
        yield b""

    turn.sent = sent  # type: ignore[method-assign]
    try:
        told = asked({"one": "logs: {service: turn}\nrequire: [x]"}, timeout="500ms")["one"]
    finally:
        forever.set()
    assert told == ("inconclusive", "there was no answer within 500ms")
