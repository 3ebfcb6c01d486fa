"""The front matter of a runbook: who it is, what it asks to be told, and what it asks of whoever runs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, get_args

import msgspec

from bot import spans
from bot.runbook import inputs, patterns, units
from bot.runbook.document import APPROVALS, AppliesTo, Input, InputType, Policy, Runbook, Schedule
from bot.runbook.troubles import named
from bot.source.located import Mapping, Scalar

if TYPE_CHECKING:
    from bot.runbook.keys import Keys

VERSION: Final = "1"
ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
INPUT: Final = re.compile(r"[a-z][a-z0-9_]*")
_TYPES: Final[tuple[InputType, ...]] = get_args(InputType)
_CRON: Final = re.compile(r"[\d*/,A-Za-z-]+(?:\s+[\d*/,A-Za-z-]+){4}")


def read_front(keys: Keys, path: str, sha256: str) -> Runbook:
    """The runbook without its blocks; what is wrong is noted."""
    version = keys.text("runbook")
    value = keys.mapping.get("runbook")
    if version != VERSION and value is not None:
        keys.add(value, f"`runbook` is the version of the format and must be {VERSION}, and is {named(version)}")
    found = Runbook(
        id=_id(keys),
        title=_needed(keys, "title"),
        path=path,
        sha256=sha256,
        summary=keys.text("summary"),
        owner=keys.text("owner"),
        severity=keys.text("severity"),
        applies_to=_applies(keys),
        inputs=_inputs(keys),
        policy=_policy(keys),
        schedule=_schedule(keys),
        cwd=keys.text("cwd"),
        shell=keys.one_of("shell", ("sh", "bash"), "bash"),
    )
    keys.rest("in the front matter")
    return found


def _needed(keys: Keys, name: str) -> str:
    text = keys.text(name)
    if keys.mapping.get(name) is None:
        keys.troubles.add(1, 1, f"`{name}` is missing in the front matter")
    elif not text.strip() and isinstance(value := keys.mapping.get(name), Scalar) and value.kind != "null":
        keys.add(value, f"`{name}` is empty")
    return text


def _id(keys: Keys) -> str:
    text = _needed(keys, "id")
    value = keys.mapping.get("id")
    if text.strip() and value is not None and not ID.fullmatch(text):
        keys.add(value, f"`id` must be small letters, digits and single hyphens, and is {named(text)}")
    return text


def _applies(keys: Keys) -> AppliesTo:
    inner = keys.inner("applies-to")
    if inner is None:
        return AppliesTo()
    project, services = (tuple(item.text for item in inner.texts(name)) for name in ("project", "services"))
    inner.rest("in `applies-to`")
    return AppliesTo(project=project, services=services)


def _inputs(keys: Keys) -> tuple[Input, ...]:
    inner = keys.inner("inputs")
    if inner is None:
        return ()
    found = []
    for key, value in inner.mapping.items:
        inner.get(key.text)
        if not INPUT.fullmatch(key.text):
            inner.add(key, f"an input's name must be small letters, digits and _, and this is {named(key.text)}")
        elif isinstance(value, Mapping):
            one = inner.inner(key.text)
            if one is not None:
                found.append(_input(key.text, inner.line(key), one))
        else:
            inner.add(value, f"`{key.text}` must say what it is, such as {{type: string}}")
    return tuple(found)


def _input(name: str, line: int, keys: Keys) -> Input:
    kind = keys.one_of("type", _TYPES, "string")
    choices = tuple(item.text for item in keys.texts("choices"))
    written = keys.text("default") if keys.mapping.get("default") is not None else None
    pattern = keys.text("pattern")
    if pattern and (trouble := patterns.why_not(pattern)):
        keys.add(keys.key("pattern"), f"`pattern` {trouble}")
        pattern = ""
    found = Input(
        name=name,
        line=line,
        type=kind,
        default=written,
        required=keys.truth("required", default=False),
        pattern=pattern,
        choices=choices,
        minimum=_bound(keys, "min", kind),
        maximum=_bound(keys, "max", kind),
        secret=keys.truth("secret", default=False),
        under=keys.text("under"),
    )
    if found.under and kind != "path":
        keys.add(keys.key("under"), "`under` is for a path only")
    for choice in keys.texts("choices"):
        if trouble := inputs.why_not(msgspec.structs.replace(found, choices=()), choice.text):
            keys.add(choice, f"this choice of {name} {trouble}")
    if written and (trouble := inputs.why_not(found, written)):
        keys.add(keys.key("default"), f"the default of {name} {trouble}")
    if written and found.secret:
        keys.add(keys.key("default"), f"{name} is secret, and a secret cannot stand in a runbook")
    keys.rest(f"of the input {name}")
    return found


def _bound(keys: Keys, name: str, kind: InputType) -> float | None:
    if keys.get(name) is None:
        return None
    if kind == "duration":
        return keys.duration(name)
    if kind != "integer":
        keys.add(keys.key(name), f"`{name}` is for integers and durations only")
        return None
    return float(keys.whole(name, 0, least=-(10**15), most=10**15))


def _policy(keys: Keys) -> Policy:
    inner = keys.inner("policy")
    if inner is None:
        return Policy()
    written = inner.text("limit")
    limit = units.limit(written) if written else None
    if isinstance(limit, str):
        inner.add(inner.key("limit"), f"`limit`: {limit}")
        limit = None
    found = Policy(
        approval=inner.maybe("approval", APPROVALS),
        lock=inner.text("lock"),
        limit=limit,
        cooldown=inner.duration("cooldown"),
    )
    inner.rest("in `policy`")
    return found


def _schedule(keys: Keys) -> Schedule | None:
    value = keys.get("schedule")
    if value is None:
        return None
    if isinstance(value, Scalar):
        every = spans.duration(value.text)
        if isinstance(every, float):
            return Schedule(every=every)
        if not _CRON.fullmatch(value.text):
            keys.add(
                value, f"`schedule` must be an interval such as 5m or five fields of cron, and is {named(value.text)}"
            )
        return Schedule(cron=value.text)
    inner = keys.inner("schedule")
    if inner is None:
        return None
    cron = inner.text("cron")
    if cron and not _CRON.fullmatch(cron):
        inner.add(inner.key("cron"), f"`cron` must be five fields, and is {named(cron)}")
    found = Schedule(
        every=inner.duration("every"),
        cron=cron,
        fail=inner.whole("fail", 1, least=1, most=100),
        recover=inner.whole("recover", 1, least=1, most=100),
    )
    if bool(found.cron) == (found.every is not None) and not keys.troubles.found:
        inner.add(inner.mapping, "`schedule` needs one of `every` and `cron`")
    inner.rest("in `schedule`")
    return found
