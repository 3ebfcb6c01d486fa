"""What an edit is asked for and what came of it: the same three outcomes in every language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["edit", "unchanged", "refused"]


@dataclass(frozen=True, slots=True)
class Want:
    """What a file must say afterwards; None leaves that part as it is.

    `name` is the worker's own name and `dispatch` the agent that each join token made here asks for; "" removes
    either. `load` "zero" makes the worker report no load, "real" takes such an override away. `job_type` is the
    server type to register with, "" takes it away.
    """

    name: str | None = None
    dispatch: str | None = None
    load: Literal["zero", "real"] | None = None
    job_type: Literal["JT_ROOM", "JT_PUBLISHER", "JT_PARTICIPANT", ""] | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """What came of one file.

    `data` is what the file holds afterwards, as bytes on the disk; it equals what it held unless `outcome` is "edit".
    `reason` is a phrase in lower case without a full stop: what was changed, why nothing needs to be, or what stands in
    the way. `line` is 1-based: of the first change, or of what stands in the way; 0 when there is none.
    `notes` are sentences for the person: what to know or do beside the edit.
    """

    outcome: Outcome
    data: bytes
    reason: str
    line: int = 0
    notes: tuple[str, ...] = ()


class RefusedError(Exception):
    """An edit that must not be made; `line` is 1-based, of what stands in the way, 0 when it is the whole file."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line
