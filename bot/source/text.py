"""A file's bytes, its lines, and places in it that a person can be pointed to."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bot.livekit.setup import TEXT_LIMIT, Place, Unread
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

_ARGUMENT = r"""(?:[^,()'"`]|'[^'\n]*'|"[^"\n]*"|`[^`\n]*`|\([^()\n]*\))*,\s*"""
_TEXT = r"""(['"`])(?!\[redacted\]).+?\2"""
# The API secret is the second argument of a token and the third of a client.
_SECRET_ARGUMENTS = (
    re.compile(rf"(\b(?:AccessToken|TokenVerifier)\(\s*{_ARGUMENT}){_TEXT}"),
    re.compile(rf"(\b(?:\w+Client|LiveKitAPI)\(\s*{_ARGUMENT}{_ARGUMENT}){_TEXT}"),
)

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class SourceText:
    """One file as UTF-8 without a byte order mark.

    `shift` is what has to be added to a position in `data` to get the position in the file; it is
    None when the file had another encoding, so that its positions cannot be told.
    """

    source: str
    data: bytes
    shift: int | None = 0

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines without their ends; a line ends with a line feed, as in every counter of lines."""
        return self.data.split(b"\n")

    def joined(self, *, comments: Literal["within", "between"]) -> Iterator[tuple[int, str]]:
        """The lines with those that end in a backslash joined to the next, each with its first number.

        `comments` says whether lines that begin with `#` are left out within what is joined, or between it.
        """
        start, held = 0, ""
        for number, raw in enumerate(self.lines, 1):
            line = raw.rstrip(b"\r").decode("utf-8", "replace")
            if bool(held) == (comments == "within") and line.lstrip().startswith("#"):
                continue
            start = start or number
            if line.rstrip().endswith("\\") and len(held) < 20_000:
                held += line.rstrip()[:-1] + " "
                continue
            yield start, held + line
            start, held = 0, ""
        if held:
            yield start, held

    def place(self, line: int) -> Place:
        """The place of a 1-based line, with its text."""
        raw = self.lines[line - 1] if 0 < line <= len(self.lines) else b""
        return Place(self.source, line, shown(raw.decode("utf-8", "replace")))

    def line_at(self, position: int) -> int:
        """The 1-based line of a position in `data`."""
        return self.data.count(b"\n", 0, position) + 1


@dataclass(frozen=True, eq=False)
class Spot:
    """A span of a file: positions in `text.data`, and the 1-based line where it begins."""

    text: SourceText
    start: int
    end: int
    line: int

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells this spot from every other one."""
        return self.text.source, self.start, self.end

    @property
    def place(self) -> Place:
        """The line where it begins."""
        return self.text.place(self.line)


def shown(line: str) -> str:
    """A line as it may be shown: stripped, redacted, short."""
    # Redaction comes before the cut: half a secret is not recognised as one.
    text = redact(line[: 4 * TEXT_LIMIT].strip())
    for pattern in _SECRET_ARGUMENTS:
        text = pattern.sub(r"\g<1>\g<2>[redacted]\g<2>", text)
    return text[:TEXT_LIMIT]


def source_text(source: str, raw: bytes) -> SourceText | Unread:
    """The text of a file, or why it is none."""
    if raw.startswith(codecs.BOM_UTF8):
        raw, shift = raw[3:], 3
    elif raw.startswith(_WIDE):
        try:
            return SourceText(source, raw.decode("utf-16").encode(), None)
        except (UnicodeDecodeError, UnicodeEncodeError):
            return Unread(source, 0, "is not text")
    else:
        shift = 0
    if b"\0" in raw:
        return Unread(source, 0, "is not text")
    try:
        raw.decode()
    except UnicodeDecodeError:
        # Older sources have a comment in another encoding; the syntax around it is still ASCII.
        return SourceText(source, raw.decode("latin-1").encode(), None)
    return SourceText(source, raw, shift)
