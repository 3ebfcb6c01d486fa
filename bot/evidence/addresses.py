"""Where a container's ports can be reached from this machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bot.evidence.attach import Attached
    from bot.evidence.containers import Container
    from bot.settings import Target

BY_PORT: Final = "the port that its container publishes"
WORKER_PORT: Final = 8081  # of a worker that runs with `start`, unless it is set otherwise
_SERVER_PORT: Final = 7880
_REMOTE: Final = re.compile(r"(?:ssh|tcp|https?)://(?:[^@/\s)]*@)?(\[[^\]]+\]|[^:/\s)]+)")
_EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # an address that is read
_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def server_address(attached: Attached | None, engine: str, *, inside: bool = False) -> str:
    """The server's address, if its container can be reached; "" otherwise.

    `engine` is where the engine is (its `told`); `inside` says that we run in one of its containers ourselves.
    """
    found = (_reached(c, _SERVER_PORT, engine, inside=inside) for c in attached.livekit) if attached else ()
    return next((f"ws://{address}" for address in found if address), "")


def worker_addresses(
    target: Target, attached: Attached | None, engine: str, *, inside: bool = False
) -> tuple[tuple[str, str], ...]:
    """Where workers can be asked, each with its container's name: where it is set, else where containers listen."""
    if target.worker_endpoint:
        return ((target.worker_endpoint, ""),)
    agents = [c for c in attached.agents if c.state == "running"] if attached else []
    found = ((_reached(c, WORKER_PORT, engine, inside=inside), c.name) for c in agents)
    return tuple((f"http://{address}", name) for address, name in found if address)


def elsewhere(engine: str) -> str:
    """The host of an engine that is on another machine; "" when it is on this one."""
    remote = _REMOTE.search(engine)
    return remote[1] if remote and remote[1].strip("[]") not in _HERE else ""


def _reached(container: Container, port: int, engine: str, *, inside: bool) -> str:
    """Host and port at which this port of the container is reached; "" when it is not."""
    host = elsewhere(engine)
    if inside:  # 127.0.0.1 is our own container then
        return _joined(container.ips[0], port) if container.ips else ""
    for inner, bound, outside in container.ports:
        if inner == port and outside:
            if bound in _EVERYWHERE:
                return _joined(host or "127.0.0.1", outside)
            return "" if host and bound in _HERE else _joined(bound, outside)
    if container.network_mode == "host":
        return _joined(host or "127.0.0.1", port)
    return _joined(container.ips[0], port) if container.ips and not host else ""


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
