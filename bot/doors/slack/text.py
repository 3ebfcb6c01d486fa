"""Text as Slack hands it over, and the words that it is made of. Pure.

It is escaped (`&lt;`) and holds forms of its own (`<#C1|name>`); both are undone once, here, and nowhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FORM: Final = re.compile(r"<([^<>\s][^<>]*)>")
_FENCE: Final = re.compile(r"```[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_MARKS: Final = re.compile(r"[\s`*_~]+")
_RICH: Final = frozenset({"rich_text_section", "rich_text_preformatted", "rich_text_quote"})  # paragraphs
_PRESSED: Final = frozenset({"actions", "button"})  # what is there to press says nothing of a failure
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


def escaped(text: str) -> str:
    """The text with Slack's escapes, done once."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def said_in(message: Mapping[str, Any]) -> str:
    """What stands in a message and its attachments, as Slack hands text over: the texts, and what only the blocks say."""
    told = _told(str(message.get("text") or ""), message.get("blocks"))
    for one in message.get("attachments") or ():
        parts = [one.get("pretext"), one.get("title"), one.get("text"), *(field.get("value") for field in one.get("fields") or ())]  # fmt: skip
        told += _told("\n".join(str(part) for part in parts if part), one.get("blocks")) or [str(one.get("fallback") or "")]  # fmt: skip
    return "\n".join(told)


def _told(text: str, blocks: object) -> list[str]:
    """The text, and the pieces of the blocks that it does not have: what people type stands in both."""
    known = _bare(plain(text))
    new = [piece for piece, words in _pieces(blocks) if any(_bare(word) not in known for word in words)]
    repeated = new and known in _bare(plain("\n".join(new)))
    return new if repeated or not text else [text, *new]


def _pieces(value: Any) -> Iterator[tuple[str, list[str]]]:  # noqa: ANN401  # JSON
    """Each paragraph of these blocks, as a text would have it, with the words that it is made of."""
    kind = value.get("type") if isinstance(value, dict) else ""
    if isinstance(value, list):
        for inner in value:
            yield from _pieces(inner)
    elif not isinstance(value, dict) or kind in _PRESSED:
        return
    elif kind in _RICH:
        words = [str(one.get("text") or one.get("url") or "") for one in value.get("elements") or ()]
        joined = escaped("".join(words))
        yield f"```{joined}```" if kind == "rich_text_preformatted" else joined, words
    elif isinstance(said := value.get("text"), str):
        yield (said, [plain(said)]) if kind == "mrkdwn" else (escaped(said), [said])
    else:
        yield from _pieces([*value.values()])


def _bare(text: str) -> str:
    """What is left of a text where its blanks and its marks are not looked at."""
    return _MARKS.sub("", text)


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
