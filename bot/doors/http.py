"""What `fletcher serve` answers over HTTP: `/healthz` and `/metrics`, to GET and HEAD, where it is told to listen."""

from __future__ import annotations

import json
import logging
import socket
import threading
from concurrent.futures import TimeoutError as TooLate
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from bot.doors.figures import CONTENT_TYPE, figures
from bot.errors import FletcherError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.doors.health import Health

_AT_ONCE: Final = 16  # connections; whoever comes then is told to come again
_SLOW: Final = 5.0  # seconds in which a connection must say something, or take something of the answer
_LONGEST: Final = 15.0  # seconds that it may last in all
_MEASURED: Final = 8.0  # seconds that Prometheus, which waits for 10, is kept waiting
_BUSY: Final = b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"

_log = logging.getLogger("fletcher.http")


@contextmanager
def answering(health: Health, host: str, port: int) -> Iterator[None]:
    """Answer there while the context lasts. Raises Unreachable where that cannot be."""
    try:
        server = _Server(health, host, port)
    except (OSError, UnicodeError) as problem:  # a name that cannot be one, such as a..b, is a UnicodeError
        why = (getattr(problem, "strerror", None) or "no such name").lower()
        raise Unreachable(
            f"cannot listen at {host}:{port} ({why}), as FLETCHER_LISTEN or [serve] of fletcher.toml asks: name another port, or end what listens there"
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="http", daemon=True)
    thread.start()
    _log.info("answers /healthz and /metrics at %s:%s", *server.server_address[:2])
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a connection that says nothing keeps nobody from ending
    request_queue_size = 64

    def __init__(self, health: Health, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        self.health, self._free = health, threading.BoundedSemaphore(_AT_ONCE)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server who this is."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # as the library has it
        """In a thread of its own, while there are not too many."""
        if not self._free.acquire(blocking=False):
            with suppress(OSError):
                request.settimeout(0.5)
                request.sendall(_BUSY)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # the machine has no thread for it now
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # as the library has it
        """One connection, from its request to its end."""
        late = threading.Timer(_LONGEST, _break_off, args=(request,))
        late.daemon = True
        late.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            late.cancel()
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  # as the library has it
        """Whoever went away is no error; a bug is told in the log, and not on the error stream as it is."""
        _log.debug("a connection broke off", exc_info=True)


def _break_off(request: socket.socket) -> None:
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "fletcher", ""
    timeout = _SLOW

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002  # as the library has it
        """Refuse what is none of ours, without repeating anything of it."""
        self.close_connection = True
        if code == HTTPStatus.NOT_IMPLEMENTED:  # so the library calls every method that is not here
            self._send(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET and HEAD are answered here\n", allow=True)
        else:
            self._send(code, b"this is no request that is answered here\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the library has it
        """Nothing: what others ask for does not fill the log."""

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            status, kind, told = self._health()
        elif path == "/metrics":
            status, kind, told = self._metrics()
        else:
            status, kind, told = 404, "text/plain; charset=utf-8", b"/healthz and /metrics are answered here\n"
        self._send(status, told, kind, body=body)

    def _health(self) -> tuple[int, str, bytes]:
        report = self.server.health.report()
        told = {
            "status": "ok" if report.ok else "failing",
            **{name: {"ok": part.ok, "says": part.says} for name, part in report.parts.items()},
            "last_slot_age_seconds": report.last_slot_age, "held": report.held, "slack_connected": report.slack,
        }  # fmt: skip
        return 200 if report.ok else 503, "application/json", json.dumps(told, indent=2).encode() + b"\n"

    def _metrics(self) -> tuple[int, str, bytes]:
        try:
            return 200, CONTENT_TYPE, figures(self.server.health.measured(_MEASURED), slack=self.server.health.slack)
        except (TooLate, FletcherError):
            return 503, "text/plain; charset=utf-8", b"the store cannot be read at present\n"
        except Exception:  # noqa: BLE001  # whoever asks gets an answer, and the log has why
            _log.exception("the figures could not be told")
            return 500, "text/plain; charset=utf-8", b"the figures could not be told, which is a bug in Fletcher\n"

    def _send(self, status: int, told: bytes, kind: str = "text/plain; charset=utf-8", *, body: bool = True, allow: bool = False) -> None:  # fmt: skip
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(told)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if allow:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if body:
            self.wfile.write(told)
