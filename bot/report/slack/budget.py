"""How much Slack takes, and how text of others' making is brought within it: masked, made visible, cut where it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bot.redact import redact
from bot.report.safe import block, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bot.report.slack.message import Block

BLOCKS: Final = 45  # of a message; Slack refuses the 51st
TOTAL: Final = (
    9000  # characters of all texts of a message; Slack refuses somewhere above 11 000, and does not say where
)
SECTION: Final = 2900  # characters of one block's text; Slack refuses the 3001st
TEXT: Final = 3000  # characters of `text`; chat.update refuses the 4001st
ROWS: Final = 20  # lines of a diff or an output that are read in a message; a longer one is a file

_ESCAPED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def clean(said: str, limit: int = SECTION) -> str:
    """Text on one line, without secrets and without what cannot be seen, of at most `limit` characters."""
    return clip(_masked(said, plain), limit)


def rows(said: str) -> list[str]:
    """The same for text that keeps its lines, uncut; [] for an empty one."""
    shown = _masked(said, block)
    return shown.split("\n") if shown else []


def clip(said: str, limit: int) -> str:
    """The beginning of a text, which says that there was more."""
    return said if len(said) <= limit else f"{said[: max(limit - 1, 0)].rstrip()}…"


def cut(lines: Sequence[str], *, most: int, limit: int, width: int = 300) -> str:
    """The first lines, at most `most` and together `limit` characters; the last one says how many there are besides."""
    kept: list[str] = []
    size = 0
    for line in lines:
        shown = clip(line, width)
        if len(kept) == most or size + len(shown) + 1 > limit - len(_more(len(lines))):
            break
        kept.append(shown)
        size += len(shown) + 1
    if len(kept) < len(lines):
        kept.append(_more(len(lines) - len(kept)))
    return "\n".join(kept)


def escaped(said: str, limit: int = TEXT) -> str:
    """Text for `text` and for mrkdwn, in which nothing mentions or links anything, of at most `limit` characters."""
    shown = [_ESCAPED.get(letter, letter) for letter in clean(said, limit)]
    size = sum(map(len, shown))
    if size > limit:
        while size > limit - 1:
            size -= len(shown.pop())
        shown.append("…")
    return "".join(shown)


def weight(blocks: Iterable[Block]) -> int:
    """The characters of all texts in these blocks."""
    return sum(len(text) for one in blocks for text in texts(one))


def texts(value: Any) -> Iterator[str]:  # noqa: ANN401  # JSON
    """Every text that a reader of this JSON would see."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"text", "fallback"} and isinstance(inner, str):
                yield inner
            else:
                yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


def _more(count: int) -> str:
    return f"… {count} more {'line' if count == 1 else 'lines'}"


def _masked(said: str, shown: Any) -> str:  # noqa: ANN401  # plain or block
    # Before, since a secret of several lines is known by its lines; and after, since what is joined may read as another.
    masked: str = redact(shown(redact(said)))
    return masked
