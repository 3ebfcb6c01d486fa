"""Who answers: a GET that follows no way to another host and reads no more than it must, and a connection."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.errors import Unreachable
from bot.evidence.worker_http import near
from bot.redact import redact

if TYPE_CHECKING:
    from http.client import HTTPMessage
    from typing import IO
    from urllib.request import OpenerDirector, Request

MOST: Final = 1 << 20  # bytes of a body that are read
LONGEST: Final = 10.0  # seconds for the next word of whoever is asked
_BLOCK: Final = 1 << 16
_REDIRECTS: Final = range(300, 400)
_PORTS: Final = range(1, 1 << 16)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status 0 where nobody listens; `cut` says that there was more of the body."""

    status: int
    body: bytes = b""
    cut: bool = False


def get(url: str, seconds: float, *, follow: bool) -> Answer:
    """GET an address, within about so many seconds; with `follow` it goes where it is sent to on the same host.

    Raises Unreachable when it cannot be told who answers: no address, no answer in time, sent to another host.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError

    until = time.monotonic() + seconds
    try:
        with _opener(_address(url), follow=follow).open(url, timeout=min(seconds, LONGEST)) as reply:
            return _read(reply.status, reply, until)
    except HTTPError as refusal:
        with refusal:
            if follow and refusal.code in _REDIRECTS and refusal.headers.get("Location"):
                raise Unreachable(
                    f"it sends to {redact(refusal.headers['Location'])[:100]}, where it is not followed"
                ) from None
            return _read(refusal.code, refusal, until)
    except ConnectionRefusedError:
        return Answer(0)
    except (URLError, HTTPException, OSError, ValueError) as problem:
        reason = getattr(problem, "reason", None) or problem
        if isinstance(reason, ConnectionRefusedError):
            return Answer(0)
        raise Unreachable(f"it does not answer ({redact(str(reason))})") from None


def _address(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not (url.isascii() and url.isprintable()) or " " in url:
        raise Unreachable("it is no address such as http://127.0.0.1:7880/")
    return url


def _opener(url: str, *, follow: bool) -> OpenerDirector:
    from urllib.parse import urlsplit
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

    class Redirects(HTTPRedirectHandler):
        """Those to the same host only: what a runbook asks is not what another host chooses."""

        max_redirections = 4

        def redirect_request(
            self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
        ) -> Request | None:
            before, after = urlsplit(req.full_url), urlsplit(newurl)
            same = after.scheme in {"http", "https"} and after.hostname == before.hostname
            return super().redirect_request(req, fp, code, msg, headers, newurl) if follow and same else None

    # A proxy knows the way to this machine and its neighbours no better than we do.
    return build_opener(Redirects(), *([ProxyHandler({})] if near(url) else []))


def _read(status: int, reply: IO[bytes], until: float) -> Answer:
    body = b""
    while len(body) <= MOST:
        if time.monotonic() > until:
            raise Unreachable("its answer does not end")
        block = reply.read1(_BLOCK)  # type: ignore[attr-defined]  # every answer of http.client has it
        if not block:
            return Answer(status, body)
        body += block
    return Answer(status, body[:MOST], cut=True)


def listens(host: str, port: str, seconds: float) -> bool:
    """Whether somebody takes a connection there. Raises Unreachable when that cannot be told."""
    import socket

    if not (port.isascii() and port.isdecimal()) or int(port) not in _PORTS:
        raise Unreachable(f"{redact(port)[:20]} is no port")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=min(seconds, LONGEST)).close()
    except ConnectionRefusedError:
        return False
    except (OSError, ValueError) as problem:
        raise Unreachable(f"it cannot be reached ({getattr(problem, 'strerror', None) or problem})") from None
    return True
