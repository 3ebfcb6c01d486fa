"""Small phrases that all verdicts use: quoted names, spans of time."""

from __future__ import annotations

import json
import shlex
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@lru_cache(maxsize=4096)
def quote(name: str) -> str:
    """A name in quotes, with everything invisible in it made visible; automatic dispatch has no name."""
    if not name:
        return "automatic dispatch (no name)"
    if name.isascii() and name.isprintable() and '"' not in name and "\\" not in name:
        return f'"{name}"'
    shown = json.dumps(name, ensure_ascii=False)
    return "".join(
        c if (c.isprintable() and unicodedata.category(c) != "Zs") or c == " " else f"\\u{ord(c):04x}" for c in shown
    )


def deployed(names: Iterable[str]) -> str:
    """Deployments, quoted; most workers and dispatches name none, which is one of its own."""
    return ", ".join(quote(n) if n else "none (the default)" for n in names)


def ago(seconds: float) -> str:
    """A span of time as a person says it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:  # two minutes still read well in seconds
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


def hint(wanted: str, have: str) -> str:
    """How two names that look alike differ."""
    if wanted == have or not wanted or not have:
        return ""
    if wanted.strip() == have.strip() or _visible(wanted) == _visible(have):
        return " They differ in blanks or invisible characters only."
    if wanted.casefold() == have.casefold():
        return " They differ in upper and lower case only; the comparison is exact."
    return ""


def _visible(name: str) -> str:
    return "".join(c for c in name if unicodedata.category(c)[0] not in {"C", "Z"})


def listed(names: Iterable[str]) -> str:
    """Several names, quoted."""
    return ", ".join(quote(n) for n in names)


def ways_out(room: str, agent: str) -> str:
    """What helps who waits in an open room without its agent, once that can be sent; one without a name is sent nowhere."""
    again = "let everybody leave and join again"
    if not agent:
        return again
    inputs = f"--input remedy=create-dispatch --input {shlex.quote(f'agent_name={agent}')}"
    # The diagnosis may call it otherwise by now, such as that the worker came too late for this room.
    return (
        f"{again}, or dispatch into it: `fletcher run agent-never-joins --room {shlex.quote(room)} {inputs} --anyway`"
    )
