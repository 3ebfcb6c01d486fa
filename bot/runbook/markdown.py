"""Markdown into the blocks that a runbook is made of, each with its place. Nothing here knows what a block means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FRONT: Final = re.compile(r"---[ \t]*\n(?:(.*?)\n)??---[ \t]*(?:\n|\Z)", re.DOTALL)
_OPEN: Final = re.compile(r"( *)(`{3,}|~{3,})(.*)")
#: A line that looks as if it opened a block of ours, wherever it stands.
_LOOKS_LIKE: Final = re.compile(
    r"[\s>*+\-\d.]*(?:`{3,}|~{3,})[^`{]*\{\s*(?:check|patch|step|compose|dispatch|token|verify|rollback)\b"
)
_ALERT: Final = re.compile(r"\[!(CAUTION|WARNING)\][ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Front:
    """The front matter: its text, and the line of the document before its first."""

    text: str
    shift: int


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block: `line` is that of its fence, `indent` the blanks before it, `info` all behind the fence's signs.

    `section` are the lines of the headings above it, from the outermost, and `heading` the text of the innermost.
    """

    line: int
    indent: int
    info: str
    info_column: int
    body: str
    closed: bool
    section: tuple[int, ...]
    heading: str


@dataclass(frozen=True, slots=True)
class Page:
    """A Markdown text taken apart; `alerts` are the sections in which a caution or a warning can be seen.

    `hidden` are lines that look like a block of ours and are none, with the reason.
    """

    front: Front | None
    fences: tuple[Fence, ...]
    alerts: frozenset[tuple[int, ...]]
    hidden: tuple[tuple[int, str], ...]


def front_matter(text: str) -> Front | None:
    """The front matter at the beginning of a text with line feeds, where it is closed."""
    found = _FRONT.match(text)
    return Front(found[1] or "", 1) if found else None


def page(text: str) -> Page:
    """Take a text apart whose line ends are line feeds."""
    front = front_matter(text)
    behind = text
    if front is not None:  # empty lines in its place keep every number
        end = _FRONT.match(text).end()  # type: ignore[union-attr]  # it did
        behind = "\n" * text.count("\n", 0, end) + text[end:]
    lines = behind.split("\n")
    fences: list[Fence] = []
    alerts: set[tuple[int, ...]] = set()
    covered: list[tuple[int, int, str]] = []
    headings: list[tuple[int, int, str]] = []  # level, line, text
    tokens = _parser().parse(behind)
    for at, token in enumerate(tokens):
        if token.map is None:
            continue
        first, end_line = token.map
        section = tuple(line for _, line, _ in headings)
        if token.type == "heading_open" and token.level == 0:
            level = int(token.tag[1])
            headings = [h for h in headings if h[0] < level]
            headings.append((level, first + 1, tokens[at + 1].content.strip()))
        elif token.type == "blockquote_open" and token.level == 0 and _is_alert(tokens[at:]):
            alerts.add(section)
        elif token.type == "fence" and token.level == 0:
            fences.append(_fence(token, lines, section, headings[-1][2] if headings else ""))
            covered.append((first, end_line, "fence"))
        elif token.type in {"fence", "code_block", "html_block"}:
            covered.append((first, end_line, _why(token, lines)))
    return Page(front, tuple(fences), frozenset(alerts), tuple(_hidden(lines, covered)))


def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # What stands within a line is never looked at.
    return MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])


def _is_alert(tokens: Sequence[Token]) -> bool:
    inner = next((t for t in tokens[1:4] if t.type == "inline"), None)
    return inner is not None and _ALERT.fullmatch(inner.content.split("\n")[0]) is not None


def _fence(token: Token, lines: Sequence[str], section: tuple[int, ...], heading: str) -> Fence:
    assert token.map is not None  # noqa: S101
    first, end = token.map
    opened = _OPEN.match(lines[first])
    indent, mark = (len(opened[1]), opened[2]) if opened else (0, token.markup)
    # One that is not closed goes on to the end of the text, without a word.
    closed = token.content.count("\n") == end - first - 2
    return Fence(first + 1, indent, token.info, indent + len(mark) + 1, token.content, closed, section, heading)


def _why(token: Token, lines: Sequence[str]) -> str:
    """Why a block of ours is none where this token stands; "" where nobody would take it for one."""
    assert token.map is not None  # noqa: S101
    if token.type == "html_block":
        # What is commented out is no part of the page, and nobody expects it to run.
        return (
            ""
            if lines[token.map[0]].lstrip().startswith("<!--")
            else "HTML that stands right above it; put an empty line before it"
        )
    if token.type == "code_block":
        return "text that is indented by a tab or four blanks; begin its lines at the left margin"
    return "a list or a quote; begin its lines at the left margin, outside of it"


def _hidden(lines: Sequence[str], covered: Sequence[tuple[int, int, str]]) -> Iterator[tuple[int, str]]:
    known = {at: why for first, end, why in covered for at in range(first, end)}
    for at, line in enumerate(lines):
        if _LOOKS_LIKE.match(line) and (why := known.get(at, "a paragraph that cannot be a block of its own")) not in {
            "",
            "fence",
        }:
            yield at + 1, why
