"""What is wrong with one runbook, gathered while it is read, so that all of it can be told at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeVar

from bot.errors import Problem
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T", bound=str)
_WIDE: Final = 160  # characters of a line that are shown


@dataclass
class Troubles:
    """The problems of one document; `lines` are those of its text."""

    path: str
    lines: tuple[str, ...]
    found: list[Problem] = field(default_factory=list)

    def add(self, line: int, column: int, sentence: str) -> None:
        """Note one problem at a 1-based line and column."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        # A tab would move the caret, and half a secret is not recognised as one: it is masked before the cut.
        shown = redact(text.replace("\t", " "))
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)[:_WIDE].rstrip()
        column = max(1, min(column, len(shown) + 1))
        self.found.append(Problem(self.path, line, redact(sentence), column, shown))

    @property
    def all(self) -> tuple[Problem, ...]:
        """Every problem once, in the order of the text."""
        return tuple(sorted(dict.fromkeys(self.found), key=lambda p: (p.line, p.column)))


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean `x`?)` for a slip of the fingers, "" where nothing is near."""
    near = get_close_matches(word, list(known), 1, 0.6)
    return f" (did you mean `{near[0]}`?)" if near else ""


def named(word: str) -> str:
    """A word of the document as it may be repeated in a sentence: short, on one line, and quoted."""
    shown = "".join(c if c.isprintable() and c != "`" else "?" for c in word)
    return f"`{shown if len(shown) <= 60 else shown[:59] + '…'}`"
