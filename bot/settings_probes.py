"""What looks by itself: `[[probe]]` and `[probes]` of a fletcher.toml, read as strictly as its targets.

Which runbooks there are is not known here: what depends on them is checked once they are read (`bot.probes.declared`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bot.cron import cron
from bot.errors import Problem
from bot.settings_words import kind, nearest, shown, text_trouble, unknown
from bot.spans import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.source.toml import Toml

#: What a probe may set.
PROBE: Final[Mapping[str, str]] = {
    "runbook": "the runbook that is looked with, by its id or path; the only key that is needed",
    "name": "what it is called, the runbook's id unless it is set",
    "target": "the target to look at, the default one unless it is set",
    "every": "how often it looks, such as 1m; else as the runbook says",
    "cron": "when it looks, as cron has it, in place of `every`",
    "zone": "the time zone of `cron`, that of [probes] unless it is set",
    "fail": "how many looks in a row must fail before it is called degraded",
    "recover": "how many in a row must be good before it is called healthy again",
    "inputs": "values for the runbook's inputs",
    "orders": "what is ordered once it is degraded: diagnose, the id of a runbook, or nothing",
    "channel": "the Slack channel, by its id, in which people are told of it",
    "timeout": "how long one look may take, 30s unless it is set",
}
#: What [probes] may set for all of them.
PROBES: Final[Mapping[str, str]] = {
    "alert-in": "the Slack channel, by its id, in which people are told of probes",
    "ping_env": "the environment variable with the address that is called while all is well: a dead man's switch",
    "zone": "the time zone of every `cron`, UTC unless it is set",
    "quiet": "maintenance windows in which nobody is told",
}
#: What a maintenance window may say.
QUIET: Final[Mapping[str, str]] = {
    "cron": "when it begins, as cron has it",
    "for": "how long it lasts, such as 1h",
    "probes": "which probes it is about, all of them unless it is set",
    "why": "what for, to be shown",
}
DIAGNOSE: Final = "diagnose"
NOTHING: Final = "nothing"
TIMEOUT: Final = 30.0  # seconds that a look may take where nothing says otherwise
_LONGEST_LOOK: Final = 3600.0  # seconds; a look that takes longer than an hour tells of the past
_LONGEST_QUIET: Final = 7 * 86400.0  # seconds; who wants to hear nothing for longer takes the probe out
_RARELY: Final = 31 * 86400.0  # seconds between two looks
_MOST: Final = 2000  # probes of one file
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_CHANNEL: Final = re.compile(r"[CG][A-Z0-9]{6,}")
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_THRESHOLD: Final = 100


@dataclass(frozen=True, slots=True)
class Declared:
    """One [[probe]]; "", None or {} is what it leaves out. `line` is where a key of it stands, "" being the table."""

    runbook: str
    name: str = ""
    target: str = ""
    every: float | None = None
    cron: str = ""
    zone: str = ""
    fail: int | None = None
    recover: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    orders: str = DIAGNOSE
    channel: str = ""
    timeout: float = TIMEOUT
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, key: str) -> int:
        """Where a key stands, else the table itself."""
        return self.lines.get(key) or self.lines.get("", 1)


@dataclass(frozen=True, slots=True)
class Quiet:
    """A maintenance window: it begins by `cron` and lasts `seconds`; `probes` are names, () for all of them."""

    cron: str
    seconds: float
    probes: tuple[str, ...] = ()
    why: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True)
class Rules:
    """A [probes]: what is the same for all of them."""

    alert_in: str = ""
    ping_env: str = ""
    zone: str = "UTC"
    quiet: tuple[Quiet, ...] = ()


#: What is so where the file has no [probes].
NO_RULES: Final = Rules()


def problems(source: str, toml: Toml) -> Iterator[Problem]:
    """Everything that is wrong with the probes, as far as the file alone tells."""
    if "probe" in toml.data:
        yield from _probes(source, toml)
    common = toml.data.get("probes", {})
    if not isinstance(common, dict):
        yield Problem(source, toml.line("probes"), f"`probes` must be a table [probes], and is {kind(common)}; one probe is a [[probe]]")  # fmt: skip
        return
    for key, value in common.items():
        at = toml.line("probes", key)
        if key not in PROBES:
            hint = "; it belongs into a [[probe]]" if key in PROBE else ""
            yield Problem(source, at, f"{unknown(key, PROBES)}{hint}")
        elif key == "quiet":
            yield from _quiet(source, toml, value)
        elif trouble := _common_trouble(key, value):
            yield Problem(source, at, f"`{key}` {trouble}")


def probes(toml: Toml) -> tuple[Declared, ...]:
    """The probes of a document that has no problems."""
    return tuple(_declared(toml, str(number), one) for number, one in enumerate(toml.data.get("probe", [])))


def rules(toml: Toml) -> Rules:
    """What a document that has no problems says of all probes."""
    common = toml.data.get("probes", {})
    return Rules(
        alert_in=common.get("alert-in", "").strip(),
        ping_env=common.get("ping_env", "").strip(),
        zone=common.get("zone", "UTC").strip(),
        quiet=tuple(
            Quiet(
                cron=one["cron"].strip(), seconds=_seconds(one["for"]), probes=tuple(_names(one.get("probes", []))),
                why=one.get("why", "").strip(), line=toml.line("probes", "quiet", str(number)),
            )
            for number, one in enumerate(common.get("quiet", []))
        ),
    )  # fmt: skip


def _declared(toml: Toml, number: str, one: dict[str, Any]) -> Declared:
    texts: dict[str, Any] = {key: one[key].strip() for key in ("runbook", "name", "target", "cron", "zone", "orders", "channel") if key in one}  # fmt: skip
    spans: dict[str, Any] = {key: _seconds(one[key]) for key in ("every", "timeout") if key in one}
    numbers = {key: one[key] for key in ("fail", "recover") if key in one}
    inputs = {name: _input(value) for name, value in one.get("inputs", {}).items()}
    paths = {"": (), **{key: (key,) for key in one}, **{f"inputs.{name}": ("inputs", name) for name in inputs}}
    lines = {key: toml.line("probe", number, *path) for key, path in paths.items()}
    return Declared(**texts, **spans, **numbers, inputs=inputs, lines=lines)


def _probes(source: str, toml: Toml) -> Iterator[Problem]:
    found = toml.data["probe"]
    if not _tables(found):
        yield Problem(source, toml.line("probe"), f"`probe` must be tables such as [[probe]], and is {kind(found)}")
        return
    if len(found) > _MOST:
        yield Problem(source, toml.line("probe", str(_MOST)), f"there are {len(found)} probes, and {_MOST} is the most that one file may have")  # fmt: skip
    for number, one in enumerate(found):
        here = ("probe", str(number))
        for key, value in one.items():
            at = toml.line(*here, key)
            if key not in PROBE:
                hint = "; it belongs below a line [probes]" if key in PROBES else ""
                yield Problem(source, at, f"{unknown(key, PROBE)}{hint}")
            elif key == "inputs":
                yield from _inputs(source, toml, here, value)
            elif trouble := _trouble(key, value, toml):
                yield Problem(source, at, f"`{key}` {trouble}")
        if "runbook" not in one:
            yield Problem(source, toml.line(*here), 'a [[probe]] needs a runbook, such as runbook = "stack-health"')
        if "every" in one and "cron" in one:
            at = max(toml.line(*here, key) for key in ("every", "cron"))
            yield Problem(source, at, "a [[probe]] has `every` or `cron`, and this one has both; keep one of them")


def _trouble(key: str, value: object, toml: Toml) -> str:
    """What is wrong with the value of a probe's key, as the end of a sentence; "" when nothing is."""
    if key in {"fail", "recover"}:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number from 1 to {_THRESHOLD}, and is {kind(value)}"
        return "" if 1 <= value <= _THRESHOLD else f"must be a whole number from 1 to {_THRESHOLD}, and is {value}"
    if (trouble := text_trouble(value)) or not isinstance(value, str):
        return trouble
    text = value.strip()
    match key:
        case "name":
            return name_trouble(text)
        case "target":
            targets = toml.data.get("targets", {})
            known = targets if isinstance(targets, dict) else {}
            return "" if text in known else f"names no target of this file{nearest(text, known)}"
        case "every":
            return _every_trouble(text)
        case "timeout":
            return _span_trouble(text, _LONGEST_LOOK, "1h")
        case "cron":
            return found if isinstance(found := cron(text), str) else ""
    return _common_trouble("alert-in" if key == "channel" else key, text) if key in {"zone", "channel"} else ""


def name_trouble(text: str) -> str:
    """What is wrong with a probe's name, "" when nothing is."""
    return "" if _NAME.fullmatch(text) else "must be letters, digits, dots, - and _, at most 60, such as canary-staging"


def _every_trouble(text: str) -> str:
    seconds = duration(text)
    if isinstance(seconds, str):
        return seconds
    if seconds < 1 or seconds % 1:
        return "must be whole seconds, and one at least"
    return "is more than 31d; `cron` says when something rare is due" if seconds > _RARELY else ""


def _span_trouble(text: str, most: float, written: str) -> str:
    seconds = duration(text)
    if isinstance(seconds, str):
        return seconds
    if not seconds:
        return "must be longer than nothing"
    return f"is more than {written}" if seconds > most else ""


def _common_trouble(key: str, value: object) -> str:
    if (trouble := text_trouble(value)) or not isinstance(value, str):
        return trouble
    text = value.strip()
    match key:
        case "alert-in" if not _CHANNEL.fullmatch(text):
            return f"must be a channel's id such as C0123ABCD, and is {shown(text)}"
        case "ping_env" if not _VARIABLE.fullmatch(text):
            return 'must be the name of an environment variable in capitals, such as "FLETCHER_PING", and never the address itself'
        case "zone":
            return _zone_trouble(text)
    return ""


def _zone_trouble(name: str) -> str:
    """What is wrong with a time zone, "" when nothing is."""
    from zoneinfo import ZoneInfo, available_timezones

    if name == "UTC":
        return ""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a folder of that name is an OSError
        known = available_timezones()
        if not known:
            return "cannot be looked up, since this machine has no time zones; install its package tzdata"
        return f"names no time zone{nearest(name, known)}, such as Europe/Berlin"
    return ""


def _inputs(source: str, toml: Toml, here: tuple[str, str], value: object) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(source, toml.line(*here, "inputs"), f'`inputs` must be a table such as {{service = "agent"}}, and is {kind(value)}')  # fmt: skip
        return
    for name, said in value.items():
        if isinstance(said, bool | int):
            continue
        if trouble := text_trouble(said):
            yield Problem(source, toml.line(*here, "inputs", name), f"`{shown(name)}` of `inputs` {trouble}")


def _quiet(source: str, toml: Toml, value: object) -> Iterator[Problem]:
    if not _tables(value):
        example = 'quiet = [{cron = "0 2 * * sun", for = "1h"}]'
        yield Problem(source, toml.line("probes", "quiet"), f"`quiet` must be a list such as {example}, and is {kind(value)}")  # fmt: skip
        return
    assert isinstance(value, list)  # noqa: S101
    for number, window in enumerate(value):
        here = ("probes", "quiet", str(number))
        for key, said in window.items():
            if key not in QUIET:
                yield Problem(source, toml.line(*here, key), unknown(key, QUIET))
            elif trouble := _quiet_trouble(key, said):
                yield Problem(source, toml.line(*here, key), f"`{key}` of `quiet` {trouble}")
        for key in ("cron", "for"):
            if key not in window:
                yield Problem(source, toml.line(*here), f"a maintenance window in `quiet` needs `{key}`: {QUIET[key]}")


def _quiet_trouble(key: str, value: object) -> str:
    if key == "probes":
        named = value if isinstance(value, list) else [value]
        return next((trouble for one in named if (trouble := text_trouble(one))), "" if named else "is empty")
    if (trouble := text_trouble(value)) or not isinstance(value, str):
        return trouble
    if key == "cron":
        found = cron(value.strip())
        return found if isinstance(found, str) else ""
    return _span_trouble(value.strip(), _LONGEST_QUIET, "7d") if key == "for" else ""


def _seconds(span: str) -> float:
    seconds = duration(span.strip())
    assert isinstance(seconds, float)  # noqa: S101
    return seconds


def _input(value: str | int) -> str:
    """A value as an environment has it."""
    return (
        str(value).lower() if isinstance(value, bool) else str(value).strip() if isinstance(value, str) else str(value)
    )


def _names(value: str | list[str]) -> list[str]:
    return [value.strip()] if isinstance(value, str) else [one.strip() for one in value]


def _tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)
