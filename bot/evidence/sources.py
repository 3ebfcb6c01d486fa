"""What the answer says of each thing that was looked at: what it was taken for, what it held, what it lacked."""

from __future__ import annotations

from dataclasses import dataclass

ABSENT = "not found"


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that was read, for the answer's list; of kind `ABSENT` when it was looked for and is not there."""

    name: str
    kind: str
    lines: int = 0
    records: int = 0
    first: float | None = None
    last: float | None = None
    note: str = ""
    taken: tuple[int, ...] = ()  # of an excerpt: the lines that became evidence
    trouble: str = ""  # of what is not found: the `kind` of the Unreachable that `note` tells
