"""A run's report in each medium: the terminal, Markdown for a ticket, a page that needs nothing else."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

import msgspec

from bot.redact import MASK
from bot.report.plan import code, fenced, text
from bot.report.told import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.engine.values import Run
    from bot.report.told import Did, Shown

_COLOUR: Final = {"good": "\x1b[32;1m", "bad": "\x1b[31;1m", "open": "\x1b[33;1m"}
_QUOTED: Final = 4  # rows of a quoted line in the terminal: its beginning says enough
_MARK: Final = {"yes": "[yes]", "no": "[NO] ", "open": "[?]  "}


def lines(run: Run, *, width: int = 100, colour: bool = False) -> Iterator[str]:
    """The report line by line."""
    one = told(run)
    word = f"{_COLOUR[one.mood]}{one.word}\x1b[0m" if colour else one.word
    yield f"{word}: {one.title} (run {one.id})"
    yield from _wrapped(f"{one.means}.", width, "  ")
    for said in one.says:
        yield from _wrapped(said, width, "  ")
    for name, value in one.facts:
        yield from _wrapped(value, width, f"  {name:10} ")
    yield from _section("What was wrong", one.wrong, width)
    for quoted in one.quotes:
        rows = list(_wrapped(quoted, width, "      | "))
        yield from rows[:_QUOTED]
        if len(rows) > _QUOTED:
            yield "      | …"
    if one.did:
        yield "  What was done"
    for number, did in enumerate(one.did, 1):
        yield from _did(did, number, width)
    yield from _section("Who", one.who, width)
    yield from _proof("Proof", one.proof, one.points, width)
    yield from _proof("After it was taken back", one.undone, one.undone_points, width)
    yield from _section("What goes on as it was", one.goes_on, width)
    yield from _section("Next", one.next, width)


def markdown(run: Run) -> str:
    """The report as Markdown that keeps what it quotes from being taken for markup."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    room = Environment(
        loader=PackageLoader("bot.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  # Markdown, no HTML: `text`, `code` and `fenced` escape what is filled in
    )
    page = room.get_template("run.md.j2").render(run=told(run), text=text, code=code, fenced=fenced)
    return re.sub(r"\n{3,}", "\n\n", page)


def html(run: Run) -> str:
    """The report as a page of its own: no script, no address of anything else, light or dark as its reader has it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    room = Environment(
        loader=PackageLoader("bot.report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return room.get_template("run.html.j2").render(run=told(run))


def document(run: Run) -> bytes:
    """The whole run as JSON, without the values of inputs that are secret."""
    secret = {one.name for one in run.runbook.inputs if one.secret}
    inputs = {name: MASK if name in secret else value for name, value in run.order.inputs.items()}
    shown = msgspec.structs.replace(run, order=msgspec.structs.replace(run.order, inputs=inputs))
    return msgspec.json.format(msgspec.json.encode(shown), indent=2) + b"\n"


def _did(did: Did, number: int, width: int) -> Iterator[str]:
    took = f", {did.seconds}" if did.seconds else ""
    yield from _wrapped(f"{did.name}: {did.state}{took}{f': {did.says}' if did.says else ''}", width, f"    {number}. ")
    for diff in did.diffs:
        yield from (f"       {line}" for line in diff.splitlines())
    if did.undone:
        yield from _wrapped(did.undone, width, "       taken back: ")


def _proof(title: str, says: str, points: Iterable[Shown], width: int) -> Iterator[str]:
    if says or points:
        yield f"  {title}{':' if says else ''}"
    if says:
        yield from _wrapped(says, width, "    ")
    for point in points:
        yield from _wrapped(f"{point.name}: {point.says}", width, f"    {_MARK[point.mark]} ")


def _section(title: str, said: Iterable[str], width: int) -> Iterator[str]:
    listed = list(said)
    if listed:
        yield f"  {title}"
    for one in listed:
        yield from _wrapped(one, width, "    - ")


def _wrapped(said: str, width: int, first: str) -> Iterator[str]:
    yield from textwrap.wrap(
        said, width, initial_indent=first, subsequent_indent=" " * len(first), break_long_words=False, break_on_hyphens=False
    ) or [first.rstrip()]  # fmt: skip
