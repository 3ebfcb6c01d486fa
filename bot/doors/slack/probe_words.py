"""What somebody typed about probes, as a value. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.doors.slack.text import first, split
from bot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Probes:
    """Tell how the probes stand, or all of one."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Mute:
    """Tell nobody of a probe for so long, or of "all"."""

    name: str
    span: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Unmute:
    """Tell of a probe again, or of "all"."""

    name: str


@dataclass(frozen=True, slots=True)
class Ack:
    """Say that one sees to a probe that is not healthy."""

    name: str


Watched = Probes | Mute | Unmute | Ack


def _probes(rest: str) -> Probes:
    words = split(rest)
    if len(words) > 1:
        raise UsageError("one probe at a time: `probes NAME`, or `probes` for all")
    return Probes(*words)


def _mute(rest: str) -> Mute:
    name, rest = first(rest)
    span, why = first(rest)
    return Mute(name, span, " ".join(why.split()))


def _one(kind: type[Unmute | Ack]) -> Callable[[str], Unmute | Ack]:
    def read(rest: str) -> Unmute | Ack:
        words = split(rest)
        if len(words) != 1:
            raise UsageError(f"one probe at a time: `{kind.__name__.lower()} NAME`; `probes` lists them")
        return kind(words[0])

    return read


#: How each verb is read.
READ: Final[Mapping[str, Callable[[str], Watched]]] = {
    "probes": _probes, "mute": _mute, "unmute": _one(Unmute), "ack": _one(Ack), "acknowledge": _one(Ack),
}  # fmt: skip
