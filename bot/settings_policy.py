"""Who is who, and who may do what: `[[person]]` and `[policy]` of a fletcher.toml, read as strictly as its targets."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bot.errors import Problem
from bot.settings_words import kind, nearest, shown, text_trouble, unknown
from bot.spans import duration, often

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.runbook.document import Approval, Effect
    from bot.source.toml import Toml

#: What a person may have; all but the name are accounts, one or a list of them.
PERSON: Final[Mapping[str, str]] = {
    "name": "how this person is called in `who`, in plans, reports and the audit",
    "os": "the person's users on this machine, as the terminal knows them",
    "slack": "the person's member ids in Slack, such as U012AB3CD",
}
#: What a line `run` or `approve` may say; what it leaves out allows every one.
GRANT: Final[Mapping[str, str]] = {
    "who": "names of persons",
    "doors": "terminal, slack, clock or web",
    "channels": "where in the door, such as a Slack channel",
    "runbooks": "ids of runbooks",
    "effects": "read, change, disrupt or destroy",
}
#: What [policy] may set.
POLICY: Final[Mapping[str, str]] = {
    "run": "who may run what; without such a line the terminal may, and every other door only looks",
    "approve": "who may approve what; without such a line as with `run`",
    "effects": "what is asked for an effect: confirm or peer; it only raises what is asked anyway",
    "single-operator": "lowers: true lets the requester's own confirmation stand for a peer's",
    "auto": "lowers: runbooks that go unasked, each with a limit such as 3/1h",
    "ask-in": "the Slack channel, by its id, in which plans of other doors wait for another person",
    "expires": "how long a question is open, 15m unless it is set",
    "keep": "how long the outputs of runs are kept, 30d unless it is set",
}
DOORS: Final = ("terminal", "slack", "clock", "web")
EFFECTS: Final[tuple[Effect, ...]] = ("read", "change", "disrupt", "destroy")
APPROVALS: Final[tuple[Approval, ...]] = ("none", "confirm", "peer")
#: What an effect asks for anyway, below which the policy cannot go.
ASKED: Final[Mapping[Effect, Approval]] = {"read": "none", "change": "confirm", "disrupt": "peer", "destroy": "peer"}
_LISTED: Final[Mapping[str, tuple[str, ...]]] = {"doors": DOORS, "effects": EFFECTS}
_LONGEST: Final = 7 * 86400.0  # seconds that a question may be open; what is asked then is stale


_CHANNEL: Final = re.compile(r"[CG][A-Z0-9]{6,}")


@dataclass(frozen=True, slots=True)
class Declared:
    """One person, with all accounts: the kind of each is the key under which it stands."""

    name: str
    accounts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """One line `run` or `approve`; () allows every one."""

    who: tuple[str, ...] = ()
    doors: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """A [policy]: `auto` are (runbook, times, seconds), spans are seconds, None where the file says nothing."""

    run: tuple[Allowed, ...] = ()
    approve: tuple[Allowed, ...] = ()
    effects: Mapping[Effect, Approval] = field(default_factory=dict)
    single_operator: bool = False
    auto: tuple[tuple[str, int, float], ...] = ()
    ask_in: str = ""
    expires: float | None = None
    keep: float | None = None


def problems(source: str, toml: Toml) -> Iterator[Problem]:
    """Everything that is wrong with the persons and the policy."""
    names: list[str] = []
    if "person" in toml.data:
        yield from _persons(source, toml, names)
    policy = toml.data.get("policy", {})
    if not isinstance(policy, dict):
        yield Problem(source, toml.line("policy"), f"`policy` must be a table [policy], and is {kind(policy)}")
        return
    for key, value in policy.items():
        at = toml.line("policy", key)
        if key not in POLICY:
            yield Problem(source, at, unknown(key, POLICY))
        elif key in {"run", "approve"}:
            yield from _grants(source, toml, key, value, names)
        elif key in {"effects", "auto"}:
            yield from _table(source, toml, key, value)
        elif key == "single-operator":
            if not isinstance(value, bool):
                yield Problem(source, at, f"`single-operator` must be true or false, and is {kind(value)}")
        elif trouble := text_trouble(value) or (
            _channel_trouble(value) if key == "ask-in" else _span_trouble(key, value)
        ):
            yield Problem(source, at, f"`{key}` {trouble}")


def persons(data: Mapping[str, Any]) -> tuple[Declared, ...]:
    """The persons of a document that has no problems."""
    return tuple(
        Declared(
            one["name"].strip(),
            tuple((key, name.strip()) for key in PERSON if key != "name" for name in _listed(one.get(key, []))),
        )
        for one in data.get("person", [])
    )


def rules(data: Mapping[str, Any]) -> Rules | None:
    """The policy of a document that has no problems; None where it has none."""
    if "policy" not in data:
        return None
    policy = data["policy"]

    def allowed(key: str) -> tuple[Allowed, ...]:
        return tuple(
            Allowed(**{name: tuple(_listed(line.get(name, []))) for name in GRANT}) for line in policy.get(key, [])
        )

    return Rules(
        run=allowed("run"),
        approve=allowed("approve"),
        effects=policy.get("effects", {}),
        single_operator=policy.get("single-operator", False),
        auto=tuple((runbook, *_times(limit)) for runbook, limit in policy.get("auto", {}).items()),
        ask_in=policy.get("ask-in", "").strip(),
        expires=_seconds(policy.get("expires")),
        keep=_seconds(policy.get("keep")),
    )


def _persons(source: str, toml: Toml, names: list[str]) -> Iterator[Problem]:
    found = toml.data["person"]
    if not _tables(found):
        yield Problem(source, toml.line("person"), f"`person` must be tables such as [[person]], and is {kind(found)}")
        return
    taken: dict[tuple[str, str], int] = {}
    for number, one in enumerate(found):
        for key, value in one.items():
            at = toml.line("person", str(number), key)
            if key not in PERSON:
                yield Problem(source, at, unknown(key, PERSON))
            elif trouble := text_trouble(value) if key == "name" else _texts_trouble(value):
                yield Problem(source, at, f"`{key}` {trouble}")
            elif key != "name":
                for account in _listed(value):
                    if taken.setdefault((key, account), number) != number:
                        yield Problem(
                            source, at, f"`{key}` names an account that another person has; nobody shares one"
                        )
        name = one.get("name")
        if name is None:
            yield Problem(source, toml.line("person", str(number)), 'a [[person]] needs a name, such as name = "ann"')
        elif isinstance(name, str):
            names.append(name.strip())
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(
                source, toml.line("person"), f"there are {count} persons called {shown(name)}; one has all the accounts"
            )


def _grants(source: str, toml: Toml, key: str, value: object, names: list[str]) -> Iterator[Problem]:
    if not _tables(value):
        example = f'{key} = [{{who = ["ann"], doors = ["terminal"]}}]'
        yield Problem(
            source, toml.line("policy", key), f"`{key}` must be a list such as {example}, and is {kind(value)}"
        )
        return
    assert isinstance(value, list)  # noqa: S101
    for number, line in enumerate(value):
        for name, said in line.items():
            at = toml.line("policy", key, str(number), name)
            if name not in GRANT:
                yield Problem(source, at, unknown(name, GRANT))
                continue
            trouble = _texts_trouble(said)
            for word in () if trouble else _listed(said):
                if name in _LISTED and word not in _LISTED[name]:
                    trouble = f"names {shown(word)}{nearest(word, _LISTED[name])}; there are {', '.join(_LISTED[name])}"
                elif name == "who" and word not in names:
                    trouble = f"names {shown(word)}, and no [[person]] is called so{nearest(word, names)}"
            if trouble:
                yield Problem(source, at, f"`{name}` of `{key}` {trouble}")


def _table(source: str, toml: Toml, key: str, value: object) -> Iterator[Problem]:
    """What is wrong with `effects` or `auto`."""
    example = '{change = "peer"}' if key == "effects" else '{agent-never-joins = "3/1h"}'
    if not isinstance(value, dict):
        yield Problem(
            source, toml.line("policy", key), f"`{key}` must be a table such as {key} = {example}, and is {kind(value)}"
        )
        return
    for name, said in value.items():
        at = toml.line("policy", key, name)
        if trouble := text_trouble(said):
            yield Problem(source, at, f"`{shown(name)}` of `{key}` {trouble}")
        elif key == "auto":
            if isinstance(wrong := often(said.strip()), str):
                yield Problem(source, at, f"`{shown(name)}` of `auto` {wrong}")
        elif name not in EFFECTS:
            yield Problem(source, at, unknown(name, EFFECTS))
        elif said not in APPROVALS:
            yield Problem(source, at, f"`{name}` of `effects` must be confirm or peer")
        elif APPROVALS.index(said) < APPROVALS.index(ASKED[name]):
            yield Problem(
                source, at, f"`{name}` of `effects` asks for less than the {ASKED[name]} that it needs anyway; only single-operator and auto lower"
            )  # fmt: skip


def _channel_trouble(value: str) -> str:
    return (
        "" if _CHANNEL.fullmatch(value.strip()) else f"must be a channel's id such as C0123ABCD, and is {shown(value)}"
    )


def _span_trouble(key: str, value: str) -> str:
    seconds = duration(value.strip())
    if isinstance(seconds, str):
        return seconds
    if not seconds:
        return "must be longer than nothing"
    return "is more than 7d, after which what was asked is stale" if key == "expires" and seconds > _LONGEST else ""


def _texts_trouble(value: object) -> str:
    if isinstance(value, list):
        return next((trouble for one in value if (trouble := text_trouble(one))), "" if value else "is empty")
    return text_trouble(value)


def _listed(value: str | list[str]) -> list[str]:
    return [value.strip()] if isinstance(value, str) else [one.strip() for one in value]


def _seconds(span: str | None) -> float | None:
    seconds = duration(span.strip()) if span is not None else None
    return None if isinstance(seconds, str) else seconds


def _times(limit: str) -> tuple[int, float]:
    found = often(limit.strip())
    assert not isinstance(found, str)  # noqa: S101
    return found


def _tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)
