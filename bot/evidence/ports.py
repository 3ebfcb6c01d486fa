"""Where on this machine the ports that containers publish can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bot.evidence.attach import Attached
    from bot.evidence.containers import Container

SERVER: Final = 7880
WORKER: Final = 8081  # of a worker that runs with `start`, unless it is set otherwise
_ALL: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # addresses that are read


def published(container: Container, inside: int) -> str:
    """`HOST:PORT` at which this port of the container's is published; "" where it is not."""
    for inner, host, outside in container.ports:
        if inner == inside and outside:
            return f"{'127.0.0.1' if host in _ALL else f'[{host}]' if ':' in host else host}:{outside}"
    return ""


def server_url(attached: Attached | None) -> str:
    """The LiveKit server's address on this machine, if its container publishes its port; "" otherwise."""
    for container in attached.livekit if attached else ():
        at = f"127.0.0.1:{SERVER}" if container.network_mode == "host" else ""
        if at := published(container, SERVER) or at:
            return f"ws://{at}"
    return ""
