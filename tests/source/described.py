"""A setup as short JSON: only what is set, with lines instead of places."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

from bot.livekit.setup import Place, Setup

_SHORT = {
    "agent_name": "name",
    "name_origin": "origin",
    "job_type": "type",
    "name_variable": "variable",
    "name_default": "default",
    "name_choices": "choices",
    "name_note": "note",
}


def described(setup: Setup, top: str = "") -> dict[str, Any]:
    """The setup as JSON; paths are shown below `top`."""
    found: dict[str, Any] = {}
    for one in fields(Setup):
        entries = [_entry(entry, top) for entry in getattr(setup, one.name)]
        if entries:
            found[one.name] = entries
    whole: dict[str, Any] = json.loads(json.dumps(found))
    return whole


def _entry(entry: Any, top: str) -> dict[str, Any]:  # noqa: ANN401  # entries of every kind
    found: dict[str, Any] = {}
    for one in fields(entry):
        value = getattr(entry, one.name)
        name = _SHORT.get(one.name, one.name)
        if isinstance(value, Place):
            if name == "place":
                if top:
                    found["source"] = _below(value.source, top)
                found["line"] = value.line
            else:
                found[name] = value.line
        elif isinstance(value, tuple) and value and not isinstance(value[0], str):
            found[name] = [_entry(inner, "") for inner in value]
        elif name == "source":
            if top:
                found[name] = _below(value, top)
        elif name in {"name", "origin"} or value not in {None, "", (), False}:
            found[name] = "inf" if isinstance(value, float) and math.isinf(value) else value
    return found


def _below(source: str, top: str) -> str:
    return source.removeprefix(top).lstrip("/")
