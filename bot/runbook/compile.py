"""A Markdown text into a Runbook, or every problem that it has at once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from bot.errors import Problem, WrongDocument
from bot.runbook.blocks import KINDS, read_block
from bot.runbook.front import read_front
from bot.runbook.keys import read_keys
from bot.runbook.lint import Read, lint
from bot.runbook.markdown import front_matter, page
from bot.runbook.marker import marker
from bot.runbook.troubles import Troubles

if TYPE_CHECKING:
    from bot.runbook.document import Runbook

LIMIT: Final = 400_000  # bytes; a long runbook has twenty thousand
BEGIN: Final = (
    "is documentation, since it does not begin with front matter that has `runbook: 1`; "
    "to make it a runbook begin it with the lines ---, runbook: 1, id: …, title: … and ---"
)


def compile_runbook(path: str, raw: bytes) -> Runbook:
    """The runbook in the bytes of a Markdown file; `path` names it. Raises WrongDocument with every problem."""
    text = decoded(path, raw)
    troubles = Troubles(path, tuple(text.split("\n")))
    runbook = _read(path, text, hashlib.sha256(raw).hexdigest(), troubles)
    if runbook is None or troubles.found:
        raise WrongDocument(troubles.all)
    return runbook


def decoded(path: str, raw: bytes) -> str:
    """The text of a file with line feeds as its line ends. Raises WrongDocument when it is none."""
    if len(raw) > LIMIT:
        raise WrongDocument((Problem(path, 1, f"is larger than {LIMIT // 1000} kB; is it the right file?", 1),))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        column = problem.start - raw.rfind(b"\n", 0, problem.start)
        raise WrongDocument((Problem(path, line, "is not UTF-8 here; save it as UTF-8", column),)) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(path: str, text: str, sha256: str, troubles: Troubles) -> Runbook | None:
    front = front_matter(text)
    if front is None:
        unclosed = text.startswith("---\n") and any(line.startswith("runbook:") for line in troubles.lines)
        troubles.add(1, 1, "the front matter is not closed by a line ---" if unclosed else BEGIN)
        return None
    keys = read_keys(front.text, troubles, front.shift)
    if keys is None:
        return None
    if keys.mapping.get("runbook") is None:
        troubles.add(1, 1, BEGIN)
        return None
    runbook = read_front(keys, path, sha256)
    taken = page(text)
    if "\0" in text:
        at = text.index("\0")
        troubles.add(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at), "has a NUL, which no text has")
    for line, why in taken.hidden:
        column = len(troubles.lines[line - 1]) - len(troubles.lines[line - 1].lstrip()) + 1
        troubles.add(line, column, f"this block is never run, since it is within {why}")
    read = []
    for fence in taken.fences:
        said = marker(fence, KINDS, troubles)
        if said is None:
            continue
        if not fence.closed:
            troubles.add(fence.line, 1, "this block is not closed, so that it goes on to the end of the file")
        read.append(Read(fence, said, read_block(fence, said, troubles)))
    blocks = tuple(one.block for one in read if one.block is not None)
    return lint(msgspec.structs.replace(runbook, blocks=blocks), read, taken, troubles)
