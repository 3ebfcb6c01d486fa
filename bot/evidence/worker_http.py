"""A worker's `GET /worker`: a saved body, or a URL that is asked once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bot.errors import Unreachable, UsageError
from bot.evidence.documents import load, shown
from bot.livekit.seen import Endpoint
from bot.livekit.setup import Place

_TIMEOUT: Final = 5.0
_LIMIT: Final = 1 << 20


def is_url(text: str) -> bool:
    """Whether this names an endpoint that can be asked."""
    return text.startswith(("http://", "https://"))


def ask(url: str, timeout: float = _TIMEOUT, *, found: bool = False) -> Endpoint:
    """Ask a running worker; `/worker` is added to an address without a path.

    A proxy of the environment is used for hosts that may lie behind it: not for loopback and private addresses, nor
    for one that was `found` by a container instead of given by a person.

    Raises Unreachable when nobody answers within `timeout` seconds, UsageError when it is no address or the answer none of a worker's.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import ProxyHandler, build_opener

    target = _target(url)
    opener = build_opener(*([ProxyHandler({})] if found or near(target) else []))
    try:
        with opener.open(target, timeout=timeout) as reply:  # http and https only, see is_url
            body = reply.read(_LIMIT)
    except HTTPError as refusal:
        raise Unreachable(
            f"{_shown(target)} answers {refusal.code} {refusal.reason}; a worker answers GET /worker with 200 on its own port "
            "(8081 with `start`, another with `dev`)"
        ) from None
    except (URLError, HTTPException, OSError, ValueError) as problem:
        reason = getattr(problem, "reason", None) or problem
        raise Unreachable(
            f"{_shown(target)} does not answer ({reason}); the worker's port is 8081 with `start`, another with `dev`"
        ) from None
    return endpoint_of(body, _shown(target))


def _target(url: str) -> str:
    """The address to ask. Raises UsageError for what is none."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        _ = parts.port  # looked at only when it is asked for
        wrong = "" if parts.hostname else "it has no host"
    except ValueError as problem:
        wrong = str(problem)
    if any(c.isspace() or not c.isprintable() for c in url):
        wrong = "there is a blank in it"
    elif not url.isascii():
        wrong = "it has letters that an address writes as %xx or xn--"
    if wrong:
        raise UsageError(f"{_shown(url)} is no address of a worker ({wrong}): expected such as http://10.0.0.5:8081")
    return url.rstrip("/") + "/worker" if parts.path in {"", "/"} else url


def near(url: str) -> bool:
    """Whether no proxy can know the way there better than this machine."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _shown(url: str) -> str:
    """The URL without a password in it."""
    from bot.redact import redact

    return redact(url)


def read_endpoint(path: str) -> Endpoint:
    """Read a saved body. Raises UsageError when it is none of a worker's."""
    return endpoint_of(Path(path).read_bytes(), path)


def endpoint_of(body: bytes, source: str) -> Endpoint:
    """The body as a value; Python's leaves out whatever has its default."""
    try:
        value = load(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UsageError(
            f'{source} is no body of a worker\'s /worker endpoint: expected JSON such as {{"agent_name": …}}'
        )

    def text(*names: str) -> str:
        return next((v for n in names if isinstance(v := value.get(n), str)), "")

    jobs = _number(value.get("active_jobs", value.get("activeJobs")))
    plain = {k: v for k, v in value.items() if isinstance(v, (str, int, float, bool))}
    return Endpoint(
        agent_name=text("agent_name", "agentName"), worker_type=text("worker_type", "workerType") or "JT_ROOM", deployment=text("deployment"),
        sdk_version=text("sdk_version", "sdkVersion"), active_jobs=int(jobs or 0),
        load=_number(value.get("worker_load", value.get("workerLoad"))), place=Place(source, 1, shown(plain)),
    )  # fmt: skip


def _number(value: object) -> float | None:
    """A count or a share; None for what no worker can report."""
    return (
        float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9 else None
    )
