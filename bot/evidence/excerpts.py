"""Pasted text: whether it is a choice of lines rather than a log, and what is said of such a choice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bot.livekit.forms import clean

if TYPE_CHECKING:
    from bot.evidence.files import LogFile
    from bot.livekit.lines import Tally

_RECORD: Final = re.compile(  # how a line of a log begins, with what compose and its like put before it
    rb"(?:[\w.-]{1,80}[ \t]*\|[ \t]*)?(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|\{.*\"(?:ts|time|timestamp)\":|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
)
_MOSTLY: Final = 0.6  # an agent prints words of its own between its records


def whole(log: LogFile, t: Tally) -> bool:
    """Whether most lines are dated records, or go on with one: so a program writes, and hardly anybody who pastes.

    A handful of lines with evidence among them was chosen by somebody, however whole they are.
    """
    if t.pasted or (t.taken and t.lines < _HANDFUL):
        return False
    begun = dated = 0
    for _base, data, end in log.chunks():
        for raw in data[:end].split(b"\n"):
            line = clean(raw[:_HEAD])
            if line.strip() and line[:1] not in b" \t}]":
                begun += 1
                dated += _RECORD.match(line) is not None
    return begun > 0 and dated >= _MOSTLY * begun


_HEAD: Final = 400  # bytes of a line in which its time stands
_HANDFUL: Final = 6  # lines


def told(t: Tally) -> str:
    """Which lines of pasted text were taken as evidence, and what they lack."""
    if not t.taken:
        return "no line of it was taken as evidence: prose is not"
    more = " and more" if t.server_hits + t.worker_hits > len(t.taken) else ""
    lacks = [
        what
        for what, there in (
            ("times", t.dated),
            ("room names", t.roomed),
            ("the agent's own log", t.worker_hits),
            ("the server's log", t.server_hits),
        )
        if not there
    ]
    taken = f"taken as evidence: line{'s' if len(t.taken) > 1 else ''} {', '.join(map(str, t.taken))}{more}"
    return taken + (f"; lacks {', '.join(lacks)}" if lacks else "")
