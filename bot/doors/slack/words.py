"""What somebody typed in Slack, as a value: one kind for each verb, or a refusal that says what was meant. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Literal

from bot.doors.slack.probe_words import READ, Ack, Mute, Probes, Unmute, Watched
from bot.doors.slack.text import first, plain, split, unfenced
from bot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "Ack", "Cancel", "Decide", "Diagnose", "Help", "Hold", "List", "Mute", "Probes", "Release", "Run", "Said", "Show", "Unknown", "Unmute",
    "Watched", "evidence", "understood",
]  # fmt: skip

VERBS: Final = (
    "help", "diagnose", "run", "runbooks", "status", "workers", "approve", "deny", "cancel", "show",
    "probes", "mute", "unmute", "ack", "acknowledge",
    "hold", "release",
)  # fmt: skip
_ROOM: Final = 256  # characters of a room's name
_LOG: Final = re.compile(r"[{}\t=]|\d\d:\d\d|\b(?:TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL)\b", re.IGNORECASE)
_NAMED: Final = re.compile(r"(room|target)=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Help:
    """Say what can be said."""


@dataclass(frozen=True, slots=True)
class Diagnose:
    """Say what is wrong, in one room or in all; `pasted` are log lines to be looked at beside what runs.

    `probe` is the one whose button was pressed: then it is about what that found.
    """

    room: str = ""
    target: str = ""
    pasted: str = ""
    probe: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Carry a runbook out."""

    runbook: str
    inputs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class List:
    """Tell what there is: "runbooks", "status" or "workers"; the last of a target."""

    what: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Decide:
    """Answer a plan; `said` is a reason, or begins with the word that a guard asks for."""

    kind: Literal["yes", "no"]
    run: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a run."""

    run: str


@dataclass(frozen=True, slots=True)
class Show:
    """Show a run as it is now."""

    run: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Let nothing begin that changes something; `why` is for status and the audit."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """Let everything go on."""


Said = Help | Diagnose | Run | List | Decide | Cancel | Show | Hold | Release | Watched


class Unknown(UsageError):  # noqa: N818  # a word that is no verb is no error of Fletcher
    """The first word is no verb; `typed` is that word, `nearest` the verb that was meant, "" where none is near."""

    def __init__(self, typed: str, nearest: str) -> None:
        near = f"; did you mean `{nearest}`?" if nearest else ""
        super().__init__(f"{typed!r} is nothing that Fletcher does{near}")
        self.typed, self.nearest = typed, nearest


def understood(text: str) -> Said:
    """What was typed behind `/fletcher`, or behind the mention. Raises UsageError, and Unknown for an unknown verb."""
    said = plain(text).strip()
    verb, rest = first(said)
    verb = verb.lower().removeprefix("/")
    if not verb:
        return Help()
    if verb not in VERBS:
        near = get_close_matches(verb, VERBS, 1, 0.5)
        raise Unknown(verb[:40], near[0] if near else "")
    return _READ[verb](rest)


def evidence(text: str) -> Diagnose:
    """A message of somebody else's as evidence: its code blocks where it has some, else all of it."""
    return Diagnose(pasted=unfenced(plain(text)).strip("\n"))


# --- the verbs -----------------------------------------------------------------------------------


def _help(_rest: str) -> Help:
    return Help()


def _diagnose(rest: str) -> Diagnose:
    named: dict[str, str] = {}
    while found := _NAMED.match(rest.lstrip(" ")):
        value, rest = first(rest.lstrip(" ")[found.end() :])
        _name(named, found[1], value)
    if rest.lstrip(" ").startswith("\n"):
        return _asked(named, "", rest)
    before, fence, _ = rest.partition("```")
    head, newline, more = (before, "", rest) if fence else rest.strip().partition("\n")
    words = split(head)
    bare = [word for word in words if not _NAMED.match(word)]
    if len(bare) > 1 or (bare and bare[0].startswith("{")):  # no name of a room
        if fence or newline or _LOG.search(head):
            return _asked(named, "", rest)
        raise UsageError(
            "a room's name is one word, or stands in quotes; log lines are pasted whole, best between ``` and ```"
        )
    for word in words:
        if found := _NAMED.match(word):
            _name(named, found[1], word[found.end() :])
    return _asked(named, bare[0] if bare else "", more)


def _name(named: dict[str, str], name: str, value: str) -> None:
    if not value or named.setdefault(name.lower(), value) != value:
        raise UsageError(f"{name.lower()}= takes one value: `diagnose my-room target=staging`")


def _asked(named: Mapping[str, str], room: str, pasted: str) -> Diagnose:
    if "room" in named and room not in {"", named["room"]}:
        raise UsageError(f"{room[:40]!r} and room={named['room'][:40]} are two rooms: one at a time")
    room = named.get("room", room)
    if len(room) > _ROOM:
        raise UsageError(f"a room's name has at most {_ROOM} characters; log lines are pasted between ``` and ```")
    return Diagnose(room, named.get("target", ""), unfenced(pasted).strip())


def _run(rest: str) -> Run:
    runbook, *given = split(rest) or [""]
    if not runbook or "=" in runbook:
        raise UsageError("which runbook? `run RUNBOOK name=value`; `runbooks` lists them")
    inputs: dict[str, str] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"{word[:40]!r} has no value: an input is written name=value, with quotes around blanks")
        if inputs.setdefault(name, value) != value:
            raise UsageError(f"{name[:40]} is given twice, with two values")
    return Run(runbook, tuple(inputs.items()))


def _list(what: str) -> Callable[[str], List]:
    def read(rest: str) -> List:
        words = split(rest)
        target = words.pop(0)[7:] if what == "workers" and words and words[0].startswith("target=") else ""
        if words:
            raise UsageError(f"`{what}` takes nothing more, and {words[0][:40]!r} is more")
        return List(what, target)

    return read


def _decide(kind: Literal["yes", "no"]) -> Callable[[str], Decide]:
    def read(rest: str) -> Decide:
        run, said = first(rest)
        if not run:
            raise UsageError("which run? `status` names those that wait")
        return Decide(kind, run, " ".join(said.split()))

    return read


def _one(kind: type[Cancel | Show]) -> Callable[[str], Cancel | Show]:
    def read(rest: str) -> Cancel | Show:
        words = split(rest)
        if len(words) != 1:
            raise UsageError(f"one run at a time: `{kind.__name__.lower()} RUN`; `status` names those that are open")
        return kind(words[0])

    return read


def _hold(rest: str) -> Hold:
    return Hold(" ".join(rest.split()))


def _release(rest: str) -> Release:
    if rest.strip():
        raise UsageError("`release` takes nothing more: it lets everything go on that is held")
    return Release()


_READ: Final[Mapping[str, Callable[[str], Said]]] = {
    "help": _help, "diagnose": _diagnose, "run": _run, "runbooks": _list("runbooks"), "status": _list("status"), "workers": _list("workers"),
    "approve": _decide("yes"), "deny": _decide("no"), "cancel": _one(Cancel), "show": _one(Show),
    "hold": _hold, "release": _release,
    **READ,
}  # fmt: skip
