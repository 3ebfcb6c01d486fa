"""The dead man's switch: `fletcher serve` calls an address of somebody else's, over a real connection."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from bot.doors import ping
from bot.doors.health import Part, Report
from tests.fletcher import fletcher
from tests.probes.looking import until
from tests.probes.test_http import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.doors.health import Health

WELL = Report({"clock": Part(ok=True, says="The clock goes.")})
SILENT = Report({"clock": Part(ok=False, says="The clock is silent."), "store": Part(ok=True, says="")})
UUID = "/3fd9-hush"


class Heard:
    """Somebody who is called: what he heard, as (method, path, body), and with what he answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.status, self.port = 200, 0


@contextmanager
def somebody() -> Iterator[Heard]:
    """Such a one."""
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            heard.calls.append((self.command, self.path, body))
            self.send_response(heard.status)
            self.send_header("Location", f"http://127.0.0.1:{heard.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815  # as the library has it

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard.port = int(server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield heard
        server.shutdown()


class Watch:
    """A health that a test sets."""

    def __init__(self) -> None:
        self.now = WELL

    def report(self) -> Report:
        """As it is set."""
        return self.now


@contextmanager
def pinging(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Call it often."""
    monkeypatch.setattr(ping, "EVERY", 0.02)
    monkeypatch.setattr(ping, "_FIRST", 0.0)
    watch = Watch()
    health: Health = watch  # type: ignore[assignment]  # as far as it is asked
    with ping.pinging(health, url):
        yield watch


@pytest.mark.parametrize(
    ("tail", "failing"), [(UUID, f"{UUID}/fail"), (f"{UUID}/", f"{UUID}/fail"), (f"{UUID}?rid=1", f"{UUID}/fail?rid=1")]
)
def test_it_is_called_as_long_as_all_is_well(monkeypatch: pytest.MonkeyPatch, tail: str, failing: str) -> None:
    """And told what is wrong behind `/fail` while something is."""
    with somebody() as heard, pinging(f"http://127.0.0.1:{heard.port}{tail}", monkeypatch) as watch:
        until(lambda: ("GET", tail, "") in heard.calls)
        watch.now = SILENT
        until(lambda: ("POST", failing, "The clock is silent.") in heard.calls)
        watch.now = WELL
        until(lambda: heard.calls[-1] == ("GET", tail, ""))


@pytest.mark.parametrize(("status", "told"), [(500, "it answered 500"), (404, "it answered 404"), (302, "it answered 302"), (0, "refused")])  # fmt: skip
def test_what_is_not_heard_is_told_once_without_the_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int, told: str
) -> None:
    """Nobody is told the address, no other server, and no log; it is tried again."""
    caplog.set_level(logging.INFO, "fletcher.ping")
    with somebody() as heard:
        heard.status = status or 200
        port = heard.port if status else 1
        with pinging(f"http://127.0.0.1:{port}{UUID}", monkeypatch):
            until(lambda: caplog.records)
            time.sleep(0.2)
            heard.status = 200
            if status:
                until(lambda: len(caplog.records) == 2)
    assert told in caplog.records[0].getMessage()
    assert len(caplog.records) == (2 if status else 1)
    assert "hush" not in caplog.text
    assert not [path for _, path, _ in heard.calls if path == "/elsewhere"]


@pytest.mark.parametrize("answers", [True, False])
def test_what_is_no_http_is_told_once_and_the_address_by_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, answers: bool
) -> None:
    """Neither what answers something else, nor an address that the library refuses, and would repeat."""
    caplog.set_level(logging.INFO, "fletcher.ping")

    def garbage() -> None:
        while True:
            with suppress(OSError):
                taken, _ = listener.accept()
                with taken:
                    taken.recv(1000)
                    taken.sendall(b"hello\r\n\r\n")
                continue
            return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=garbage, daemon=True).start()
        port = listener.getsockname()[1]
        with pinging(f"http://127.0.0.1:{port}{UUID}{'' if answers else chr(1)}", monkeypatch):
            until(lambda: caplog.records)
            time.sleep(0.2)
        listener.shutdown(socket.SHUT_RDWR)
    assert len(caplog.records) == 1
    assert ("hush" in caplog.text, "Traceback" in caplog.text) == (False, False)


def test_a_process_calls_it(here: Path) -> None:
    """The variable that fletcher.toml names has the address."""
    (here / "fletcher.toml").write_text('[probes]\nping_env = "DEAD_MAN"\n', encoding="utf-8")
    with somebody() as heard:
        url = f"http://127.0.0.1:{heard.port}{UUID}"
        with served(here, DEAD_MAN=url) as ask:
            until(lambda: heard.calls == [("GET", UUID, "")])
            assert b"hush" not in ask("/healthz").body + ask("/metrics").body


@pytest.mark.parametrize(("value", "told"), [("", "nothing sets DEAD_MAN"), ("hush-hush", "DEAD_MAN (the environment) must begin with http:// or https://")])  # fmt: skip
def test_a_switch_that_nobody_could_hear_is_no_switch(
    here: Path, monkeypatch: pytest.MonkeyPatch, value: str, told: str
) -> None:
    """It is refused at the start, and its value is not repeated."""
    (here / "fletcher.toml").write_text('[probes]\nping_env = "DEAD_MAN"\n', encoding="utf-8")
    monkeypatch.setenv("DEAD_MAN", value)
    said = fletcher("serve")
    assert (said.code, told in said.err, "hush" in said.err) == (2, True, False)
