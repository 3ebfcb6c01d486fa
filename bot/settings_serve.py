"""Where `fletcher serve` answers over HTTP: `[serve]` of a fletcher.toml, read as strictly as its targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.errors import Problem
from bot.settings_words import kind, text_trouble, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.source.toml import Toml

#: What [serve] may set.
SERVE: Final[Mapping[str, str]] = {
    "listen": "address and port at which /healthz and /metrics are answered, such as 127.0.0.1:9464; nowhere unless it is set",
}
_EXAMPLE: Final = "127.0.0.1:9464"


def problems(source: str, toml: Toml) -> Iterator[Problem]:
    """Everything that is wrong with [serve]."""
    table = toml.data.get("serve", {})
    if not isinstance(table, dict):
        yield Problem(source, toml.line("serve"), f"`serve` must be a table [serve], and is {kind(table)}")
        return
    for key, value in table.items():
        at = toml.line("serve", key)
        if key not in SERVE:
            yield Problem(source, at, unknown(key, SERVE))
        elif trouble := listen_trouble(value):
            yield Problem(source, at, f"`{key}` {trouble}")


def listen(toml: Toml) -> str:
    """Where a document that has no problems wants answers; "" for nowhere."""
    said: str = toml.data.get("serve", {}).get("listen", "")
    return said.strip()


def listen_trouble(value: object) -> str:
    """What is wrong with an address to listen at, as the end of a sentence; "" when nothing is."""
    if (trouble := text_trouble(value)) or not isinstance(value, str):
        return trouble
    host, port = address(value.strip())
    if not host or any(c.isspace() or c in "/@" for c in host):
        return f"must be an address of this machine and a port, such as {_EXAMPLE} (or 0.0.0.0:9464 for every address)"
    return "" if 0 <= port <= 65535 else f"must end with a port from 0 to 65535, such as {_EXAMPLE}"


def address(text: str) -> tuple[str, int]:
    """The host and the port of such an address, without the brackets of IPv6; -1 for a port that is none."""
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if ":" in bare and bare == host:  # IPv6 without brackets: nobody knows where its port begins
        return "", -1
    return bare, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else -1
