"""Cases of edits as text: a name, what is asked for, the file before, and what comes of it.

    >>> name
    what is asked for, as JSON or as a diff
    >>> before [crlf] [no-end] [bom]
    the file
    >>> after | unchanged | refused LINE: how the reason begins
    the file, written like the one before

A line that begins with `>>>` is none of a file's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One case; `outcome` is "after", "unchanged" or "refused"."""

    name: str
    asked: str
    before: bytes
    after: bytes
    outcome: str
    line: int = 0
    reason: str = ""

    def __str__(self) -> str:
        return self.name


def cases(kind: str) -> list[Case]:
    """All cases of a kind of file."""
    found = [case for path in sorted((FOLDER / kind).glob("*.txt")) for case in _cases(path.read_text("utf-8"))]
    names = [case.name for case in found]
    assert len(names) == len(set(names)) > 0
    return found


def _cases(text: str) -> list[Case]:
    parts = re.split(r"(?m)^>>> ?(.*)\n", text)[1:]
    sections = list(zip(parts[::2], parts[1::2], strict=True))
    return [_case(*sections[at : at + 3]) for at in range(0, len(sections), 3)]


def _case(first: tuple[str, str], second: tuple[str, str], third: tuple[str, str]) -> Case:
    word, *flags = second[0].split()
    assert word == "before", f"{first[0]}: {second[0]}"
    before = _bytes(second[1], flags)
    outcome, _, reason = third[0].partition(":")
    kind, _, line = outcome.partition(" ")
    assert kind in {"after", "unchanged", "refused"}, f"{first[0]}: {third[0]}"
    after = _bytes(third[1], flags) if kind == "after" else before
    return Case(first[0], first[1], before, after, kind, int(line or 0), reason.strip())


def _bytes(text: str, flags: list[str]) -> bytes:
    if "no-end" in flags:
        text = text.removesuffix("\n")
    if "crlf" in flags:
        text = text.replace("\n", "\r\n")
    return ("\ufeff" * ("bom" in flags) + text).encode()
