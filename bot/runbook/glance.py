"""A runbook at a glance, for lists of a thousand: its front matter, and what its fences say, without reading them all.

For a text that compiles, this tells what the compiled runbook does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.runbook.document import EFFECTS
from bot.runbook.markdown import front_matter
from bot.source.located import Fault, Mapping, Scalar, Sequence, read_located

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.runbook.document import Effect
    from bot.source.located import Value

#: What begins or ends a fence or a comment, and headings; each at the beginning of a line.
_MARK: Final = re.compile(r"^ {0,3}(?:(`{3,}|~{3,})([^\n]*)|(<!--)|# +([^\n]+))", re.MULTILINE)
_KIND: Final = re.compile(r"[^{`]*\{\s*(patch|step|compose|dispatch|token|check)\b[^}]*\}\s*")
_EFFECT: Final = re.compile(r"\beffect=\"?(change|disrupt|destroy|read)\b")
_CAUSES: Final = re.compile(r"^livekit\s*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Glance:
    """What a list says of one Markdown file; without `runbook` it is documentation, and only has a title.

    `effect` is the gravest that a step declares; `trouble` is why the front matter cannot be read.
    """

    runbook: bool
    id: str = ""
    title: str = ""
    summary: str = ""
    causes: tuple[str, ...] = ()
    effect: Effect = "read"
    trouble: str = ""


def glance(text: str) -> Glance:
    """Look at the text of a Markdown file, with line feeds as its line ends."""
    front = front_matter(text)
    if front is None or "runbook" not in front.text:
        return Glance(runbook=False, title=_heading(text))
    said = read_located(front.text)
    if isinstance(said, Fault):
        return Glance(runbook=True, title=_heading(text), trouble=f"line {said.line + front.shift} {said.sentence}")
    if not isinstance(said, Mapping) or said.get("runbook") is None:
        return Glance(runbook=False, title=_heading(text))
    causes: dict[str, None] = {}
    effect: Effect = "read"
    for info, body in _fences(text):
        kind = _KIND.fullmatch(info)
        if kind is None:
            continue
        if kind[1] == "check":
            causes.update(dict.fromkeys(_causes(body)))
            continue
        declared = _EFFECT.search(info)
        effect = max(effect, next((e for e in EFFECTS if declared and e == declared[1]), "change"), key=EFFECTS.index)
    own, title, summary = (_text(said.get(key)) for key in ("id", "title", "summary"))
    return Glance(runbook=True, id=own, title=title, summary=summary, causes=tuple(causes), effect=effect)


def _text(value: Value | None) -> str:
    return value.text if isinstance(value, Scalar) and value.kind != "null" else ""


def _heading(text: str) -> str:
    found = next((mark[4] for mark in _MARK.finditer(text) if mark[4]), "")
    return found.strip().rstrip("#").strip()


def _fences(text: str) -> Iterator[tuple[str, str]]:
    """The info and the body of every fence at the left margin, but for those in comments."""
    at = 0
    while (mark := _MARK.search(text, at)) is not None:
        at = mark.end()
        if mark[3]:
            end = text.find("-->", at)
            at = len(text) if end < 0 else end
        elif mark[1] and not (mark[1][0] == "`" and "`" in mark[2]):
            close = re.compile(rf"^ {{0,3}}{mark[1][0]}{{{len(mark[1])},}}[ \t]*$", re.MULTILINE).search(text, at)
            yield mark[2], text[at + 1 : close.start() if close else len(text)]
            at = close.end() if close else len(text)


def _causes(body: str) -> Iterator[str]:
    if not _CAUSES.search(body):
        return
    said = read_located(body)
    asked = said.get("livekit") if isinstance(said, Mapping) else None
    causes = asked.get("cause") if isinstance(asked, Mapping) else None
    for cause in causes.items if isinstance(causes, Sequence) else (causes,):
        if isinstance(cause, Scalar):
            yield cause.text
