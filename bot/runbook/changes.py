"""What a patch or a rollback does to a file, and what a compose block runs: bodies into values of `document`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from bot.runbook.document import Assignment, Composed, Diff, Hunk, Merge, SetVariables, Token, Worker
from bot.runbook.keys import kind, read_keys
from bot.runbook.troubles import named, nearest
from bot.source.located import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.runbook.document import Body
    from bot.runbook.keys import Keys
    from bot.runbook.troubles import Troubles
    from bot.source.located import Value

#: The modes of a patch, and the language of each.
MODES: Final = {"diff": "diff", "merge": "yaml", "livekit-worker": "yaml", "livekit-token": "yaml", "set": "dotenv"}
_FORMS: Final = "`docker compose up -d --build SERVICE…` or `docker compose restart SERVICE…`"
_COMPOSE: Final = re.compile(r"docker compose (up -d --build|restart)((?: [A-Za-z0-9][A-Za-z0-9_.-]*)+)")
_VARIABLE: Final = re.compile(r"([A-Za-z_]\w*)=(.*)")
_REMOVABLE: Final = ("agentName", "loadFunc", "serverType")
_JobType = Literal["JT_ROOM", "JT_PUBLISHER", "JT_PARTICIPANT"]
_JOB_TYPES: Final[tuple[_JobType, ...]] = ("JT_ROOM", "JT_PUBLISHER", "JT_PARTICIPANT")


def read_body(mode: str, body: str, troubles: Troubles, shift: int, indent: int) -> Body | None:
    """What a body asks for in this mode; None when it asks for nothing that can be told. `shift` as in `Keys`."""
    if mode == "diff":
        return _diff(body, troubles, shift, indent)
    if mode == "set":
        return _set(body, troubles, shift, indent)
    keys = read_keys(body, troubles, shift, indent)
    if keys is None:
        return None
    if mode == "merge":
        return Merge(tuple(_assignments(keys, keys.mapping, ())))
    return _worker(keys) if mode == "livekit-worker" else _token(keys)


def _diff(body: str, troubles: Troubles, shift: int, indent: int) -> Diff:
    lines = list(enumerate(body.split("\n")[:-1], 1 + shift))
    # The names of the files at its head: the block says which file it is for.
    while lines and lines[0][1].startswith(("diff --git ", "index ")):
        lines.pop(0)
    if len(lines) > 1 and lines[0][1].startswith("--- ") and lines[1][1].startswith("+++ "):
        del lines[:2]
    parts: list[list[tuple[int, str]]] = [[]]
    for number, line in lines:
        if line.startswith("@@"):
            parts.append([])
        elif line[:1] in {"", " ", "-", "+"}:
            parts[-1].append((number, line))
        elif not line.startswith("\\ No newline"):
            troubles.add(number, 1 + indent, "a line of a diff begins with a blank, - or +")
    hunks = []
    for part in parts:
        while part and not part[-1][1].strip():
            part.pop()
        if not part:
            continue
        before = tuple(line[1:] for _, line in part if line[:1] in {"", " ", "-"})
        after = tuple(line[1:] for _, line in part if line[:1] in {"", " ", "+"})
        if before == after:
            troubles.add(part[0][0], 1 + indent, "changes nothing here: no line begins with - or +")
        elif not any(line.strip() for line in before):
            troubles.add(part[0][0], 1 + indent, "has no line by which its place could be found")
        hunks.append(Hunk(part[0][0], before, after))
    if not hunks:
        troubles.add(1 + shift, 1 + indent, "an empty diff changes nothing")
    return Diff(tuple(hunks))


def _set(body: str, troubles: Troubles, shift: int, indent: int) -> SetVariables:
    found: dict[str, Assignment] = {}
    for number, line in enumerate(body.split("\n"), 1 + shift):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        assignment = _VARIABLE.fullmatch(text)
        if assignment is None:
            troubles.add(number, 1 + indent, f"{named(text.split('=')[0])} is no assignment such as NAME=value")
        elif assignment[1] in found:
            troubles.add(number, 1 + indent, f"{named(assignment[1])} stands here a second time")
        else:
            found[assignment[1]] = Assignment((assignment[1],), assignment[2])
    if not found:
        troubles.add(1 + shift, 1 + indent, "no variable is set here")
    return SetVariables(tuple(found.values()))


def _assignments(keys: Keys, mapping: Mapping, path: tuple[str, ...]) -> Iterator[Assignment]:
    if not mapping.items:
        keys.add(mapping, "an empty mapping changes nothing; null removes a key")
    for key, value in mapping.items:
        inner = (*path, key.text)
        if isinstance(value, Mapping):
            yield from _assignments(keys, value, inner)
        elif isinstance(value, Scalar):
            yield Assignment(inner, value.value)
        else:
            for item in value.items:
                if not isinstance(item, Scalar):
                    keys.add(item, f"a list in a merge holds single values, and this is {kind(item)}; use a diff")
            yield Assignment(inner, tuple(item.value for item in value.items if isinstance(item, Scalar)))


def _worker(keys: Keys) -> Worker:
    removed = {item.text: item for item in _removals(keys, _REMOVABLE)}
    name: str | None = "" if "agentName" in removed else None
    load: Literal["zero", "real"] | None = "real" if "loadFunc" in removed else None
    job_type: _JobType | Literal[""] | None = "" if "serverType" in removed else None
    if keys.mapping.get("set") is not None and (setting := keys.inner("set")) is not None:
        for key in removed:
            if setting.mapping.get(key) is not None:
                setting.add(setting.key(key), f"`{key}` is both set and removed")
        name = setting.text("agentName") if setting.mapping.get("agentName") is not None else name
        if setting.mapping.get("loadFunc") is not None:
            load = setting.maybe("loadFunc", _LOADS) or load
        job_type = setting.maybe("serverType", _JOB_TYPES) or job_type
        setting.rest("to set in a worker")
    return Worker(name=name, load=load, job_type=job_type)


_LOADS: Final[tuple[Literal["zero"], ...]] = ("zero",)


def _token(keys: Keys) -> Token:
    removed = _removals(keys, ("dispatch",))
    dispatch = ""
    if keys.mapping.get("set") is not None and (setting := keys.inner("set")) is not None:
        dispatch = setting.text("dispatch")
        if removed:
            setting.add(setting.mapping, "`dispatch` is both set and removed")
        elif not dispatch:
            setting.add(setting.mapping, "`set` needs `dispatch`, the agent that a token asks for")
        setting.rest("to set in a token")
    return Token(dispatch=dispatch)


def _removals(keys: Keys, known: tuple[str, ...]) -> list[Scalar]:
    found: list[Scalar] = []
    value: Value | None = keys.mapping.get("remove")
    for item in keys.texts("remove") if value is not None else ():
        if item.text in known:
            found.append(item)
        else:
            keys.add(
                item, f"{named(item.text)} cannot be removed{nearest(item.text, known)}; what can: {', '.join(known)}"
            )
    keys.get("set")
    if value is None and keys.mapping.get("set") is None:
        keys.add(keys.mapping, "says neither what to `set` nor what to `remove`")
    if isinstance(value, Sequence) and not value.items:
        keys.add(value, "`remove` is an empty list")
    keys.rest("of such a patch")
    return found


def read_compose(body: str, troubles: Troubles, line: int, column: int) -> Composed | None:
    """The one command of a compose block, by its whole text; None when it is none of the two that are known."""
    commands = [(at, text.strip()) for at, text in enumerate(body.split("\n"), line) if text.strip()]
    if not commands:
        troubles.add(line, column, f"a compose block has one command: {_FORMS}")
        return None
    if len(commands) > 1:
        troubles.add(
            commands[1][0], column, f"a compose block has exactly one command: {_FORMS}; use a step for others"
        )
        return None
    found = composed(body)
    if found is None:
        troubles.add(
            commands[0][0], column, f"a compose block is exactly {_FORMS}, without anything else; use a step for others"
        )
    return found


def composed(body: str) -> Composed | None:
    """The command of a text that is nothing but one that Fletcher runs itself."""
    found = _COMPOSE.fullmatch(body.strip())
    if found is None:
        return None
    return Composed(action="build" if found[1].startswith("up") else "restart", services=tuple(found[2].split()))
