r"""Values as JSON that is written down. Any text can be: what UTF-8 has no place for is spelled out (`\\udcff`)."""

from __future__ import annotations

from typing import Literal

import msgspec


def encoded(value: object, *, order: Literal["sorted"] | None = None) -> bytes:
    """A value as JSON; half of a surrogate pair, as in a file name of other bytes, is spelled out."""
    try:
        return msgspec.json.encode(value, order=order)
    except UnicodeEncodeError:
        return msgspec.json.encode(_spelled(msgspec.to_builtins(value)), order=order)


def _spelled(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_spelled(name): _spelled(inner) for name, inner in value.items()}
    return [_spelled(inner) for inner in value] if isinstance(value, list | tuple) else value
