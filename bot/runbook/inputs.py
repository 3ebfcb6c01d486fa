"""Inputs of a runbook: what may be given, what is wrong with a value, and putting values where a text asks for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bot import spans
from bot.errors import UsageError
from bot.runbook import patterns
from bot.runbook.document import Containers, File, Http, Logs, Tcp
from bot.runbook.troubles import named, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bot.runbook.document import Evidence, Input, Runbook

#: `$name` as a whole value, or `${name}` anywhere in one.
_ALONE: Final = re.compile(r"\$([A-Za-z_]\w*)")
_WITHIN: Final = re.compile(r"\$\{([^{}]*)\}")
_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[?[0-9a-fA-F:]+\]?")
_URL: Final = re.compile(r"(https?|wss?)://[^\s/?#@]+([/?#]\S*)?")
_LONGEST: Final = 4096  # characters of a value


def values(runbook: Runbook, given: Mapping[str, str]) -> dict[str, str]:
    """Every input's value: what was given, else its default, else "".

    Raises UsageError for an input that the runbook does not declare, one that is required and missing, and a value
    that is not of its kind; never with the value of a secret one.
    """
    known = {declared.name: declared for declared in runbook.inputs}
    for name in given:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"runbook {runbook.id} has no input {named(name)}{nearest(name, known)}; {has}")
    out = {}
    for name, declared in known.items():
        value = given.get(name, declared.default or "")
        if name in given and (trouble := why_not(declared, value)):
            raise UsageError(f"input {name} {trouble}")
        if declared.required and not value:
            raise UsageError(f"runbook {runbook.id} needs the input {name}: --input {name}=…")
        out[name] = value
    return out


def why_not(declared: Input, value: str) -> str:
    """What is wrong with a value, as the end of a sentence; "" when nothing is. An empty one counts as not given."""
    if not value:
        return ""
    shown = "the value" if declared.secret else named(value)
    if len(value) > _LONGEST or "\0" in value:
        return f"is longer than {_LONGEST} characters, or has a NUL in it"
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        return "has bytes in it that are no text in UTF-8"
    if declared.choices and value not in declared.choices:
        near = "" if declared.secret else nearest(value, declared.choices)
        return f"must be one of {', '.join(declared.choices)}; it is {shown}{near}"
    trouble = _type_trouble(declared, value, shown)
    if trouble:
        return trouble
    if declared.pattern and not patterns.found(rf"\A(?:{declared.pattern})\Z", value, 1):
        return f"does not match the pattern `{declared.pattern}`; it is {shown}"
    return ""


def _type_trouble(declared: Input, value: str, shown: str) -> str:
    match declared.type:
        case "integer":
            if not re.fullmatch(r"[+-]?\d{1,18}", value):
                return f"must be a whole number; it is {shown}"
            return _bounds(declared, int(value), "{:g}".format)
        case "duration":
            seconds = spans.duration(value)
            return _bounds(declared, seconds, spans.spoken) if isinstance(seconds, float) else seconds
        case "boolean":
            return "" if value in {"true", "false"} else f"must be true or false; it is {shown}"
        case "path":
            parts = value.split("/")
            if declared.under and (value.startswith("/") or ".." in parts):
                return f"must be a path inside {named(declared.under)}; it is {shown}"
            return "" if value.isprintable() else "must be a path on one line"
        case "service":
            return "" if _SERVICE.fullmatch(value) else f"must be the name of a service; it is {shown}"
        case "host":
            return "" if _HOST.fullmatch(value) else f"must be a host's name or address; it is {shown}"
        case "url":
            return "" if _URL.fullmatch(value) else f"must be an address that begins with https://; it is {shown}"
    return ""


def _bounds(declared: Input, number: float, say: Callable[[float], str]) -> str:
    if declared.minimum is not None and number < declared.minimum:
        return f"must be at least {say(declared.minimum)}"
    if declared.maximum is not None and number > declared.maximum:
        return f"must be at most {say(declared.maximum)}"
    return ""


def wanted(text: str) -> tuple[str, ...]:
    """The inputs for which a text asks."""
    alone = _ALONE.fullmatch(text)
    return (alone[1],) if alone else tuple(_WITHIN.findall(text))


def asked_in(evidence: Evidence) -> Iterator[str]:
    """The texts of what a check looks at into which inputs are put."""
    match evidence:
        case Logs():
            yield from (evidence.service, evidence.container, evidence.file, evidence.since)
        case File(path=path):
            yield path
        case Http(url=url):
            yield url
        case Tcp(host=host, port=port):
            yield from (host, port)
        case Containers(service=service):
            yield service
    if isinstance(evidence, Logs | File | Http):
        yield from (p.match for p in (*evidence.lines.require, *evidence.lines.forbid) if p.match)


def fill(text: str, known: Mapping[str, str]) -> str:
    """The text with the inputs' values; a value is never looked into again, and an unknown name stays as it stands."""
    alone = _ALONE.fullmatch(text)
    if alone:
        return known.get(alone[1], text)
    return _WITHIN.sub(lambda found: known.get(found[1], found[0]), text)
