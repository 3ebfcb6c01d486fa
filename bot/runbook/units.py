"""Counts and limits as a runbook writes them; what is wrong with one is the end of a sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bot.runbook.document import Count, Limit
from bot.spans import often

if TYPE_CHECKING:
    from bot.runbook.document import Operator

_OPERATORS: Final[tuple[Operator, ...]] = (">=", "<=", "==", ">", "<")


def count(text: str) -> Count | str:
    """The count in `3`, `>=2` or `<5`, or what is wrong with the text."""
    if re.fullmatch(r"\d{1,9}", text):
        return Count("==", int(text))
    for operator in _OPERATORS:
        number = text.removeprefix(operator).strip()
        if text.startswith(operator) and re.fullmatch(r"\d{1,9}", number):
            return Count(operator, int(number))
    return f"`{text}` is no count such as 1, >=2 or <5"


def limit(text: str) -> Limit | str:
    """The limit in `3/1h`, or what is wrong with the text."""
    found = often(text)
    return found if isinstance(found, str) else Limit(*found)
