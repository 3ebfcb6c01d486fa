"""What stands in the braces of a fence: the kind of block, and its attributes with their columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bot.runbook.troubles import named, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.runbook.markdown import Fence
    from bot.runbook.troubles import Troubles

_BARE: Final = re.compile(r"[A-Za-z0-9_./:@%+,!$-]+")
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORD: Final = re.compile(r"\"[^\"]*\"?|[^\s\"]+")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One `key=value`, with the columns of both."""

    key: str
    value: str
    column: int
    value_column: int


@dataclass(frozen=True, slots=True)
class Marker:
    """What a fence says of its block; `column` is that of the kind."""

    language: str
    kind: str
    column: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def value(self, key: str) -> str:
        """The value of an attribute, "" where it is not given."""
        return self.attributes[key].value if key in self.attributes else ""


def marker(fence: Fence, kinds: Mapping[str, object], troubles: Troubles) -> Marker | None:
    """The marker of this fence, None for a fence that is none of ours or whose kind cannot be told.

    Ours is one with braces whose first word is a plain one; those of other tools begin with `.`, `#`, a number or an
    assignment.
    """
    opening = fence.info.find("{")
    if opening < 0:
        return None
    inside, closing, behind = fence.info[opening + 1 :].partition("}")
    base = fence.info_column + opening + 1
    words = _words(inside, base)
    first = words[0] if words else ("", base)
    if not _KEY.fullmatch(first[0]):
        late = next(((word, column) for word, column in words if word in kinds), None)
        if late is not None:
            troubles.add(fence.line, late[1], f"the kind must come first: {{ {late[0]} name=… }}")
        return None
    kind, column = first
    if kind not in kinds:
        troubles.add(
            fence.line, column, f"unknown kind {named(kind)}{nearest(kind, kinds)}; the kinds are {', '.join(kinds)}"
        )
        return None
    language = fence.info[:opening].strip()
    if not language:
        troubles.add(
            fence.line, fence.info_column, f"a {kind} needs its language before the braces, such as sh or yaml"
        )
    elif " " in language:
        troubles.add(
            fence.line, fence.info_column, f"{named(language)} is no language: it is one word before the braces"
        )
    if not closing:
        troubles.add(fence.line, fence.info_column + len(fence.info.rstrip()), "the closing brace is missing")
    elif behind.strip():
        at = base + len(inside) + 1 + len(behind) - len(behind.lstrip())
        troubles.add(fence.line, at, "nothing may follow the first closing brace, and no value may have a brace in it")
    return Marker(language, kind, column, _attributes(words[1:], fence.line, troubles))


def _words(inside: str, base: int) -> list[tuple[str, int]]:
    """What stands between blanks, each with its column; blanks within double quotes do not part."""
    words: list[tuple[str, int]] = []
    at = -1  # where the last word ended
    for found in _WORD.finditer(inside):
        if found.start() == at and words:
            words[-1] = (words[-1][0] + found[0], words[-1][1])
        else:
            words.append((found[0], base + found.start()))
        at = found.end()
    return words


def _attributes(words: list[tuple[str, int]], line: int, troubles: Troubles) -> dict[str, Attribute]:
    known: dict[str, Attribute] = {}
    for word, column in words:
        key, equals, written = word.partition("=")
        at = column + len(key) + 1
        if not _KEY.fullmatch(key):
            troubles.add(line, column, f"{named(word)} is no attribute such as name=value")
        elif not written:
            troubles.add(line, at if equals else column, f"`{key}` has no value; write {key}=…")
        elif key in known:
            troubles.add(line, column, f"`{key}` stands here a second time")
        # One whose value is none has been told; it counts as given, and as nothing.
        if _KEY.fullmatch(key) and key not in known:
            known[key] = Attribute(key, _value(key, written, line, at, troubles) if written else "", column, at)
    return known


def _value(key: str, written: str, line: int, column: int, troubles: Troubles) -> str:
    """A value without its quotes, "" when it is none, which is told."""
    value = written
    if written.startswith('"'):
        if len(written) < 2 or written.count('"') != 2 or not written.endswith('"'):
            troubles.add(line, column, f"the quotes of {named(key)} are not closed, or something follows them")
            return ""
        value = written[1:-1]
        if any(c.isspace() for c in value):
            troubles.add(
                line,
                column,
                f"{named(key)} has a blank in its value, where other programs part it; what needs blanks belongs into the block",
            )
            return ""
    if _BARE.fullmatch(value):
        return value
    bad = next((c for c in value if not _BARE.fullmatch(c)), "")
    said = f"{named(bad)} cannot stand in a value" if bad else "the value is empty"
    troubles.add(line, column, f"{said}; what needs it belongs into the block")
    return ""
