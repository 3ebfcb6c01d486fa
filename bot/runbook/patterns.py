"""Regular expressions that a runbook brings along: whether one is right, and looking for it without ever hanging."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from regex import Pattern

LONGEST: Final = 500  # characters
_TEMPLATE: Final = re.compile(r"\$\{[A-Za-z_]")


def why_not(pattern: str) -> str:
    """What is wrong with a pattern, as the end of a sentence; "" when nothing is."""
    if not pattern:
        return "is empty"
    if len(pattern) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if _TEMPLATE.search(pattern):
        return "has ${…} in it; an input never becomes a part of a pattern, use `match` for a text"
    made = _made(pattern)
    return made if isinstance(made, str) else ""


def found(pattern: str, text: str, seconds: float) -> bool | None:
    """Whether the pattern is found in a text, None when that could not be told within the time or it is no pattern."""
    made = _made(pattern)
    if isinstance(made, str):
        return None
    try:
        return made.search(text, timeout=max(seconds, 0.001)) is not None
    except TimeoutError:
        return None


@lru_cache(maxsize=256)
def _made(pattern: str) -> Pattern[str] | str:
    import regex

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of spellings that may mean something else one day
            return regex.compile(pattern)
    except regex.error as problem:
        return f"is no regular expression: {problem}"
    except (RecursionError, OverflowError, MemoryError, ValueError, IndexError, KeyError, TypeError):
        return "is no regular expression"
