"""Evidence weighed against what a check asks for: one of four verdicts, and the lines that decided. Nothing is looked at here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from bot.runbook import patterns
from bot.runbook.inputs import fill

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.livekit.seen import Verdict
    from bot.runbook.document import Causes, Chosen, Count, File, Lines, Pattern

Word = Literal["matched", "contradicted", "not-matched", "inconclusive"]
WORDS: Final[tuple[Word, ...]] = ("matched", "contradicted", "not-matched", "inconclusive")
_SECONDS: Final = 5.0  # that the patterns of one check may take together
_KEPT: Final = 3  # deciding lines of one pattern
_EMPTY: Final[dict[str, Word]] = {"inconclusive": "inconclusive", "fail": "not-matched", "pass": "matched"}


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a check came to; `why` is a phrase in lower case, `lines` are 1-based numbers and texts of what decided."""

    word: Word
    why: str = ""
    lines: tuple[tuple[int, str], ...] = ()


def weigh_causes(asked: Causes, rows: Iterable[Verdict]) -> Weighed:
    """Whether the verdict of any room is one of the causes that are asked for."""
    rows = tuple(rows)
    for row in rows:
        if row.verdict == "cause" and row.cause in asked.causes:
            return Weighed("matched", f"the cause is {row.cause}")
    if not rows or any(row.verdict == "inconclusive" for row in rows):
        return Weighed("inconclusive", "what was seen does not decide" if rows else "no room was seen")
    found = sorted({row.cause or row.verdict for row in rows})
    return Weighed("not-matched", f"it is {', '.join(found)}")


def weigh_lacking(rows: Iterable[Verdict]) -> Weighed:
    """Whether any room lacks its agent."""
    judged = [row for row in rows if row.room and row.verdict != "inconclusive"]
    for row in judged:
        if row.cause:
            return Weighed("matched", f"room {row.room} lacks its agent: {row.cause}")
    return (
        Weighed("not-matched", "each has its agent") if judged else Weighed("inconclusive", "no room could be judged")
    )


def weigh_inputs(asked: Chosen, known: Mapping[str, str]) -> Weighed:
    """Whether the inputs have the values that are asked for."""
    for name, value in asked.values.items():
        if known.get(name, "") != value:
            return Weighed("not-matched", f"{name} is not {value}")
    return Weighed("matched")


def weigh_presence(asked: File, name: str, *, there: bool) -> Weighed | None:
    """Whether a file is there or not, as it is asked for; None where its lines decide."""
    if not asked.exists or not (asked.lines.require or asked.lines.forbid):
        return Weighed(
            "matched" if there == asked.exists else "not-matched", f"{name} is {'' if there else 'not '}there"
        )
    return None if there else Weighed("inconclusive", f"{name} is not there")


def weigh_lines(asked: Lines, lines: Iterable[str], known: Mapping[str, str], *, truncated: bool = False) -> Weighed:
    """Whether what is required is found in these lines, and nothing of what is forbidden.

    `known` are the inputs' values; `truncated` says that there were lines before these which were not read.
    """
    every = (*asked.require, *asked.forbid)
    hits = {id(pattern): 0 for pattern in every}
    kept: dict[int, list[tuple[int, str]]] = {id(pattern): [] for pattern in every}
    first: dict[str, int] = {}  # by a pattern's id, the line where it was found first
    deadline = time.monotonic() + _SECONDS
    number = 0
    for number, line in enumerate(lines, 1):
        for pattern in every:
            if pattern.after and first.get(pattern.after, number) >= number:
                continue
            hit = _hit(pattern, line, known, deadline)
            if hit is None:
                return Weighed("inconclusive", f"the pattern in line {pattern.line} takes too long")
            if hit:
                hits[id(pattern)] += 1
                if len(kept[id(pattern)]) < _KEPT:
                    kept[id(pattern)].append((number, line))
                if pattern.id:
                    first.setdefault(pattern.id, number)
    if not number and not truncated:
        return Weighed(_EMPTY[asked.empty], "there is no line")
    for pattern in asked.forbid:
        if holds(pattern.count, hits[id(pattern)]):
            return Weighed("contradicted", f"found what line {pattern.line} forbids", tuple(kept[id(pattern)]))
    if truncated:
        return Weighed("inconclusive", "not all lines were read")
    for pattern in asked.require:
        if not holds(pattern.count, hits[id(pattern)]):
            return Weighed("not-matched", f"did not find what line {pattern.line} requires")
    return Weighed("matched", "", tuple(line for pattern in asked.require for line in kept[id(pattern)]))


def holds(count: Count, number: int) -> bool:
    """Whether a number is as a count asks for."""
    return {
        ">=": number >= count.number,
        "<=": number <= count.number,
        "==": number == count.number,
        ">": number > count.number,
        "<": number < count.number,
    }[count.operator]


def _hit(pattern: Pattern, line: str, known: Mapping[str, str], deadline: float) -> bool | None:
    if pattern.match:
        return fill(pattern.match, known) in line
    return patterns.found(pattern.regex, line, deadline - time.monotonic())
