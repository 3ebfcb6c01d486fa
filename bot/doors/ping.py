"""The dead man's switch: an address of somebody else's that is called each minute, so that he tells when nobody calls any more.

Healthchecks' form: the address itself while all is well, `/fail` behind it with a text while something is not. The address
is a secret, and stands in no message.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.doors.health import Health

EVERY: Final = 60.0  # seconds between two calls
_FIRST: Final = 5.0  # seconds after the start, when everything has begun
_TIMEOUT: Final = 10.0  # seconds that a call may take
_LONGEST: Final = 500  # characters of what is wrong

_log = logging.getLogger("fletcher.ping")


@contextmanager
def pinging(health: Health, url: str) -> Iterator[None]:
    """Call while the context lasts, in a thread for which nobody waits."""
    over = threading.Event()
    thread = threading.Thread(target=_ping, args=(health, url, over), name="ping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def _ping(health: Health, url: str, over: threading.Event) -> None:
    wait, trouble = _FIRST, ""
    while not over.wait(wait):
        wait, before = EVERY, trouble
        try:
            trouble = _called(url, health.report().trouble)
        except Exception:  # noqa: BLE001  # the next call is another one
            _log.exception("the dead man's switch could not be called")
            continue
        if trouble != before:
            _log.log(*((logging.WARNING, "the dead man's switch could not be called: %s", trouble) if trouble else (logging.INFO, "the dead man's switch is called again")))  # fmt: skip


def _called(url: str, failing: str) -> str:
    """Call it; why that could not be done, "" when it was."""
    request = Request(_fail(url), data=failing[:_LONGEST].encode(), method="POST") if failing else Request(url)  # noqa: S310  # its scheme was checked
    request.add_header("User-Agent", "fletcher")
    try:
        with build_opener(_Stays).open(request, timeout=_TIMEOUT) as answer:
            answer.read(1)
    except HTTPError as problem:
        return f"it answered {problem.code}"
    except OSError as problem:
        reason = getattr(problem, "reason", problem)
        return (getattr(reason, "strerror", None) or type(reason).__name__).lower()
    except (
        ValueError,
        HTTPException,
    ) as problem:  # an address that the library does not take and would repeat; no HTTP
        return type(problem).__name__
    return ""


def _fail(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))


class _Stays(HTTPRedirectHandler):
    """The address is a secret of the one who gave it out, and is told to nobody else."""

    def redirect_request(self, *_: object) -> None:
        """Nowhere."""
