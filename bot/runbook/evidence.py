"""What a check looks at: the YAML in its block into a value of `document`, and all that is wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bot import spans
from bot.runbook import patterns, units
from bot.runbook.document import (
    Chosen,
    Containers,
    Count,
    File,
    Http,
    Lines,
    Logs,
    Pattern,
    Tcp,
)
from bot.runbook.evidence_livekit import judged, proved
from bot.runbook.troubles import named, nearest
from bot.source.located import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.runbook.document import Evidence, State
    from bot.runbook.keys import Keys

_STATES: Final[tuple[State, ...]] = ("running", "healthy", "exited", "absent")
MOST_LINES: Final = 1_000_000
_PORT: Final = re.compile(r"\d{1,5}|\$\{\w+\}|\$\w+")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?\S*")


def read_evidence(keys: Keys, *, verifies: bool) -> Evidence | None:
    """The evidence that a body asks for; None when it is not clear which, which is told."""
    kinds = [name for name in _KINDS if keys.mapping.get(name) is not None]
    if len(kinds) != 1:
        known = ", ".join(_KINDS)
        near = next((near for key, _ in keys.mapping.items if (near := nearest(key.text, _KINDS))), "")
        said = (
            "a check needs one of" if not kinds else f"`{kinds[0]}` and `{kinds[1]}` are two checks; a block has one of"
        )
        keys.add(keys.mapping, f"{said} {known}{near if not kinds else ''}")
        return None
    if kinds[0] == "livekit":
        return proved(keys) if verifies else judged(keys)
    return _KINDS[kinds[0]](keys)


def _logs(keys: Keys) -> Evidence | None:
    inner = keys.inner("logs")
    if inner is None:
        return None
    since = inner.text("since")
    if since and not _since(since):
        inner.add(
            inner.key("since"), f"`since` must be a duration, a time, step:NAME or an input, and is {named(since)}"
        )
    service, container, file = (inner.text(name) for name in ("service", "container", "file"))
    if len([name for name in (service, container, file) if name]) != 1:
        inner.add(inner.mapping, "`logs` needs one of service, container and file")
    found = Logs(
        lines=_lines(keys, needed=True),
        service=service,
        container=container,
        file=file,
        since=since,
        max_lines=inner.whole("max-lines", 20_000, least=1, most=MOST_LINES),
    )
    inner.rest("in `logs`")
    return found


def _since(text: str) -> bool:
    return (
        text.startswith(("step:", "$"))
        or isinstance(spans.duration(text), float)
        or _MOMENT.fullmatch(text) is not None
    )


def _file(keys: Keys) -> Evidence | None:
    lines = _lines(keys, needed=False)
    value = keys.get("file")
    if isinstance(value, Scalar):
        return File(lines=lines, path=value.text)
    inner = keys.inner("file")
    if inner is None:
        return None
    path = inner.text("path")
    if not path:
        inner.add(inner.mapping, "`file` needs `path`")
    found = File(lines=lines, path=path, exists=inner.truth("exists", default=True))
    inner.rest("in `file`")
    return found


def _http(keys: Keys) -> Evidence | None:
    lines = _lines(keys, needed=False)
    value = keys.get("http")
    inner = None if isinstance(value, Scalar) else keys.inner("http")
    url = value.text if isinstance(value, Scalar) else inner.text("url") if inner is not None else ""
    if value is not None and not re.match(r"https?://|\$", url):
        keys.add(value, "`http` needs an address that begins with http:// or https://")
    status = 200
    if inner is not None:
        status = inner.whole("status", 200, least=100, most=599)
        inner.rest("in `http`")
    return Http(lines=lines, url=url, status=status)


def _tcp(keys: Keys) -> Evidence | None:
    value = keys.get("tcp")
    if isinstance(value, Scalar):
        host, _, port = value.text.rpartition(":")
    else:
        inner = keys.inner("tcp")
        if inner is None:
            return None
        host, port = inner.text("host"), inner.text("port")
        inner.rest("in `tcp`")
    if value is not None and (not host or not _PORT.fullmatch(port)):
        keys.add(value, "`tcp` needs a host and a port, such as 127.0.0.1:7880")
    return Tcp(host=host, port=port)


def _compose(keys: Keys) -> Evidence | None:
    inner = keys.inner("compose")
    if inner is None:
        return None
    service = inner.text("service")
    if not service:
        inner.add(inner.mapping, "`compose` needs `service`")
    state = inner.maybe("state", _STATES) or "running"
    inner.rest("in `compose`")
    return Containers(service=service, state=state)


def _input(keys: Keys) -> Evidence | None:
    inner = keys.inner("input")
    if inner is None:
        return None
    if not inner.mapping.items:
        inner.add(inner.mapping, "`input` needs an input and its value")
    return Chosen({key.text: inner.text(key.text) for key, _ in inner.mapping.items})


_KINDS: Final[dict[str, Callable[[Keys], Evidence | None]]] = {
    "livekit": judged,
    "logs": _logs,
    "file": _file,
    "http": _http,
    "tcp": _tcp,
    "compose": _compose,
    "input": _input,
}


def _lines(keys: Keys, *, needed: bool) -> Lines:
    require, forbid = _patterns(keys, "require"), _patterns(keys, "forbid")
    if needed and keys.mapping.get("require") is None and keys.mapping.get("forbid") is None:
        keys.add(keys.mapping, "says nothing about the lines; it needs `require` or `forbid`")
    known = {pattern.id for pattern in (*require, *forbid) if pattern.id}
    for name in ("require", "forbid"):
        items = keys.mapping.get(name)
        for item in items.items if isinstance(items, Sequence) else ():
            after = item.get("after") if isinstance(item, Mapping) else None
            if isinstance(after, Scalar) and after.text not in known:
                keys.add(
                    after, f"`after` names {named(after.text)}, and no line has that id{nearest(after.text, known)}"
                )
    return Lines(
        require=require,
        forbid=forbid,
        empty=keys.one_of("empty", ("inconclusive", "fail", "pass"), "inconclusive"),
    )


def _patterns(keys: Keys, name: str) -> tuple[Pattern, ...]:
    value = keys.get(name)
    if value is None:
        return ()
    if not isinstance(value, Sequence):
        keys.add(value, f"`{name}` must be a list, with a `match` or a `regex` in each item")
        return ()
    found = []
    for item in value.items:
        if isinstance(item, Mapping):
            found.append(_pattern(type(keys)(item, keys.troubles, keys.shift, keys.indent)))
        elif isinstance(item, Scalar) and item.text:
            found.append(Pattern(line=keys.line(item), match=item.text))
        else:
            keys.add(item, f"each item of `{name}` is a text or has a `match` or a `regex`")
    ids = [pattern.id for pattern in found if pattern.id]
    for double in {one for one in ids if ids.count(one) > 1}:
        keys.add(value, f"the id {named(double)} stands here twice")
    return tuple(found)


def _pattern(keys: Keys) -> Pattern:
    match, regex = keys.text("match"), keys.text("regex")
    if bool(match) == bool(regex):
        keys.add(keys.mapping, "needs one of `match` (a text) and `regex`")
    if regex and (trouble := patterns.why_not(regex)):
        keys.add(keys.mapping.get("regex") or keys.mapping, f"`regex` {trouble}")
    written = keys.text("count")
    count = units.count(written) if written else Count()
    if isinstance(count, str):
        keys.add(keys.key("count"), f"`count`: {count}")
        count = Count()
    found = Pattern(
        line=keys.line(keys.mapping),
        id=keys.text("id"),
        regex=regex,
        match=match,
        count=count,
        after=keys.text("after"),
    )
    keys.rest("of a line to be found")
    return found
