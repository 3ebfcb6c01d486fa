"""Settings in `.env` files, `ENV` lines of Dockerfiles and assignments before a command."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.source.surroundings import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bot.source.text import SourceText

_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=[ \t]*(.*)$")
_DOCKER = re.compile(r"^\s*ENV\s+(.*)$", re.IGNORECASE)
_PAIR = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']*)""")
REFERENCE = re.compile(r"(?<!\\)\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+?])([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment of a `.env` file as it is written.

    `first` and `last` are 1-based lines. The value stands from `start` in the first line to `end` in the last one, its
    quotes included; `quote` is the kind of them, "" when there are none. `written` is what stands between them.
    """

    name: str
    first: int
    last: int
    start: int
    end: int
    quote: str
    written: str

    def value(self, known: Mapping[str, str | None]) -> str | None:
        """What is assigned where `known` is set; None when it comes from elsewhere."""
        text = self.written
        if self.quote == '"':
            text = _ESCAPE.sub(lambda escape: _ESCAPES.get(escape.group(1), escape.group(1)), text)
        return text if self.quote == "'" else expanded(text, known)


def assignments(lines: Sequence[str]) -> Iterator[Assignment]:
    """The assignments of a `.env` file's lines, given without their ends."""
    at = 0
    while at < len(lines):
        match = _LINE.match(lines[at])
        first, at = at, at + 1
        if match is None or lines[first].lstrip().startswith("#"):
            continue
        name, raw, start = match.group(1), match.group(2), match.start(2)
        quote = raw[:1] if raw[:1] in {'"', "'", "`"} else ""
        if quote:
            body = raw[1:]
            # A quoted value may go on over several lines; one that is never closed is taken as it stands.
            end, extra = _closing(body, quote), at
            while end < 0 and extra < len(lines) and extra - first < 200:
                body += "\n" + lines[extra]
                extra += 1
                end = _closing(body, quote)
            if end < 0:
                yield Assignment(name, at, at, start, len(lines[first]), quote, raw[1:])
                continue
            at = extra
            inner = end + 1 - (body.rfind("\n", 0, end) + 1)
            yield Assignment(name, first + 1, at, start, inner + (start + 1) * (at == first + 1), quote, body[:end])
        else:
            bare = re.split(r"\s#", raw, maxsplit=1)[0].strip() if not raw.startswith("#") else ""
            yield Assignment(name, at, at, start, start + len(bare), "", bare)


def read_dotenv(text: SourceText, around: Mapping[str, str] | None = None) -> tuple[Setting, ...]:
    """The settings of a `.env` file in their order; a later one of a name wins.

    `around` is the environment in which the file is read, for values such as `ws://${HOST}:7880`.
    """
    lines = [line.rstrip(b"\r").decode("utf-8", "replace") for line in text.lines]
    found: list[Setting] = []
    known: dict[str, str | None] = {**(around or {})}
    for assignment in assignments(lines):
        known[assignment.name] = assignment.value(known)
        found.append(Setting(assignment.name, known[assignment.name], text.place(assignment.first)))
    return tuple(found)


def _closing(body: str, quote: str) -> int:
    at = 0
    while at < len(body):
        if body[at] == "\\" and quote == '"':
            at += 2
            continue
        if body[at] == quote:
            return at
        at += 1
    return -1


def expanded(value: str, known: Mapping[str, str | None]) -> str | None:
    """A value with `$NAME` and `${NAME:-default}` filled in, or None when a name is set elsewhere."""
    missing = False

    def fill(match: re.Match[str]) -> str:
        nonlocal missing
        name, operator, rest = match.group(1) or match.group(4), match.group(2) or "", match.group(3) or ""
        given = known.get(name)
        if operator.endswith("+"):
            return rest if given else ""
        if given or (given is not None and not operator.startswith(":")):
            return given
        if operator.endswith("-"):
            return rest
        missing = True
        return ""

    filled = REFERENCE.sub(fill, value)
    return None if missing else filled.replace("\\$", "$")


def read_dockerfile(text: SourceText) -> tuple[Setting, ...]:
    """The variables that a Dockerfile sets with `ENV`."""
    found: list[Setting] = []
    for line, words in text.joined(comments="within"):
        match = _DOCKER.match(words)
        if match is None:
            continue
        body = match.group(1)
        first = body.split(maxsplit=1)
        if first and "=" not in first[0]:
            # The old form: `ENV NAME the whole rest`.
            found.append(Setting(first[0], _plain(first[1]) if len(first) > 1 else "", text.place(line)))
            continue
        place = text.place(line)
        found.extend(Setting(pair.group(1), _plain(_unquoted(pair.group(2))), place) for pair in _PAIR.finditer(body))
    return tuple(found)


def _plain(value: str) -> str | None:
    return None if "$" in value else value.strip()


def _unquoted(value: str) -> str:
    if value[:1] in {'"', "'"} and value[-1:] == value[:1] and len(value) > 1:
        return _ESCAPE.sub(r"\1", value[1:-1]) if value[0] == '"' else value[1:-1]
    return value


def before_command(text: SourceText, line: int, command: str) -> tuple[Setting, ...]:
    """Variables set for one command, as in `LIVEKIT_AGENT_NAME=x node agent.js` or with cross-env."""
    found: list[Setting] = []
    words = command.replace("cross-env ", "").strip()
    while True:
        match = _PAIR.match(words)
        if match is None:
            return tuple(found)
        found.append(Setting(match.group(1), _plain(_unquoted(match.group(2))), text.place(line)))
        words = words[match.end() :].lstrip()
