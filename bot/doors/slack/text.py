"""Text as Slack hands it over, and the words that it is made of. Pure.

It is escaped (`&lt;`) and holds forms of its own (`<#C1|name>`); both are undone once, here, and nowhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORM: Final = re.compile(r"<([^<>\s][^<>]*)>")
_FENCE: Final = re.compile(r"```[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_CLOSES: Final[Mapping[str, str]] = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“”", "”": "”", "‘": "’", "’": "’", "«": "»"}  # fmt: skip


def plain(text: str) -> str:
    """The text as it was typed: Slack's forms read, its escapes undone once."""

    def form(found: re.Match[str]) -> str:
        link, bar, label = found[1].partition("|")
        sign, name = link[0], link[1:]
        if sign in "#@":
            return f"{sign}{label or name}"
        if sign == "!":
            return label or f"@{name.partition('^')[0]}"
        return label if bar else link.removeprefix("mailto:")

    return unescaped(_FORM.sub(form, text.replace("\r\n", "\n").replace("\N{NO-BREAK SPACE}", " ")))


def unescaped(text: str) -> str:
    """The text without Slack's escapes, undone once."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def first(text: str) -> tuple[str, str]:
    """The first word, without its quotes, and what follows it."""
    text = text.lstrip()
    word, at = _word(text)
    return word, text[at:]


def split(text: str) -> list[str]:
    """All words; quotes of any kind hold blanks together where a word or a value begins with one."""
    words = []
    while text := text.lstrip():
        word, text = first(text)
        words.append(word)
    return words


def _word(text: str) -> tuple[str, int]:
    """The word that a text begins with, and where it ends. A quote that is never closed is a sign like any other."""
    out = ""
    for at, sign in enumerate(text):
        if sign.isspace():
            return out, at
        if not out or out.endswith("="):
            ends = [end for close in _CLOSES.get(sign, "") if (end := text.find(close, at + 1)) > 0]
            end = min(ends, default=0)
            if end and not text[end + 1 : end + 2].strip():
                return out + text[at + 1 : end], end + 1
        out += sign
    return out, len(text)


def unfenced(text: str) -> str:
    """What stands in code fences where there are any, else the text."""
    blocks = [found[1].strip("\n") for found in _FENCE.finditer(text)]
    return "\n".join(blocks) if blocks else text
