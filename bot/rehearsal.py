"""A runbook's declarative checks, made on its fixtures: recorded folders with what each check must come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.errors import Problem, UsageError, WrongDocument
from bot.runbook.document import Abandoned, Causes, Check, File, Health, Joined, Lacking, Logs
from bot.runbook.keys import read_keys
from bot.runbook.troubles import Troubles, named, nearest
from bot.runbook.weigh import WORDS, Weighed, weigh_causes, weigh_lacking, weigh_lines, weigh_presence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bot.evidence.files import Kind
    from bot.livekit.seen import Verdict
    from bot.runbook.document import Runbook
    from bot.runbook.weigh import Word

EXPECTED: Final = "expected.yaml"
_KINDS: Final[tuple[tuple[str, Kind], ...]] = (
    ("livekit*.log", "log"),
    ("agent*.log", "agent"),
    ("worker-endpoint*.json", "endpoint"),
    ("livekit*.yaml", "config"),
    ("token*.json", "token"),
)
_LIMIT: Final = 4 << 20  # bytes of one fixture


@dataclass(frozen=True, slots=True)
class Expected:
    """What a case must come to: its room ("" is any), and a verdict for each check that is named."""

    room: str
    checks: Mapping[str, Word]

    @property
    def sick(self) -> bool:
        """Whether any check must match: then the case is one of what the runbook treats."""
        return "matched" in self.checks.values()


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One check on one case; `expected` is "" for a check of which the case says nothing."""

    check: str
    weighed: Weighed
    expected: Word | None

    @property
    def right(self) -> bool:
        """Whether it came to what was expected."""
        return self.expected in {None, self.weighed.word}


@dataclass(frozen=True, slots=True)
class Case:
    """One fixture with all that was tried on it."""

    name: str
    sick: bool
    checks: tuple[Rehearsed, ...]

    @property
    def right(self) -> bool:
        """Whether every check came to what was expected."""
        return all(check.right for check in self.checks)


def rehearse(runbook: Runbook, folder: Path | None) -> tuple[Case, ...]:
    """Try the runbook on every case in its folder of fixtures. Raises WrongDocument for one that says nothing right."""
    cases = sorted(path for path in folder.iterdir() if path.is_dir()) if folder is not None else []
    return tuple(_case(runbook, case) for case in cases)


def untried(runbook: Runbook) -> bool:
    """Whether all that it looks at is what runs, of which nothing can be recorded: then it needs no case."""
    looks = runbook.looks
    return bool(looks) and all(isinstance(block.evidence, Abandoned | Health | Joined) for block in looks)


def lacking(cases: tuple[Case, ...]) -> Iterator[str]:
    """What is missing among the cases: at least one is sick and one is healthy."""
    for sick, what in ((True, "sick case, on which a check matches"), (False, "healthy case, on which none does")):
        if not any(case.sick == sick for case in cases):
            yield f"there is no {what}"


def _case(runbook: Runbook, folder: Path) -> Case:
    wanted = _expected(runbook, folder / EXPECTED)
    rows: tuple[Verdict, ...] | None = None
    tried = []
    for check in runbook.blocks:
        if not isinstance(check, Check):
            continue
        evidence = check.evidence
        if isinstance(evidence, Lacking):
            tried.append(Rehearsed(check.name, weigh_lacking(_verdicts(folder, "")), wanted.checks.get(check.name)))
        elif isinstance(evidence, Causes):
            rows = _verdicts(folder, wanted.room) if rows is None else rows
            tried.append(Rehearsed(check.name, weigh_causes(evidence, rows), wanted.checks.get(check.name)))
        elif isinstance(evidence, Logs | File):
            tried.append(Rehearsed(check.name, _lines(evidence, folder), wanted.checks.get(check.name)))
    return Case(folder.name, wanted.sick, tuple(tried))


def _verdicts(folder: Path, room: str) -> tuple[Verdict, ...]:
    from bot.diagnose import diagnose
    from bot.evidence.look import Question

    given = [(kind, str(path)) for pattern, kind in _KINDS for path in sorted(folder.glob(pattern))]
    given += [("project", str(path)) for path in sorted(folder.iterdir()) if path.is_dir()]
    if not given:
        raise UsageError(f"{folder} has nothing to look at: no livekit.log, agent.log or folder with source")
    with diagnose(Question(tuple(given), (room,) if room else (), meant="*")) as answer:
        return tuple(answer.verdicts.rows)


def _lines(evidence: Logs | File, folder: Path) -> Weighed:
    """A service's log is the file of its name with `.log`; other files are named as the check names them."""
    name = (
        evidence.path
        if isinstance(evidence, File)
        else evidence.file or f"{evidence.service or evidence.container}.log"
    )
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        return Weighed("inconclusive", f"{name} is not in the fixture")
    there = path.is_file()
    if isinstance(evidence, File) and (weighed := weigh_presence(evidence, name, there=there)):
        return weighed
    if not there:
        return Weighed("inconclusive", f"the fixture has no {name}")
    with path.open("rb") as file:
        text = file.read(_LIMIT).decode("utf-8", "replace")
    lines = text.splitlines()
    kept = evidence.max_lines if isinstance(evidence, Logs) else len(lines)
    return weigh_lines(evidence.lines, lines[-kept:] if kept else [], {}, truncated=kept < len(lines))


def _expected(runbook: Runbook, path: Path) -> Expected:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        sentence = (
            f"cannot be read; it says what each check comes to, such as {{checks: {{{_checks(runbook)[0]}: matched}}}}"
        )
        raise WrongDocument((Problem(str(path), 0, sentence),)) from None
    troubles = Troubles(str(path), tuple(text.split("\n")))
    keys = read_keys(text, troubles, 0)
    checks: dict[str, Word] = {}
    room = ""
    if keys is not None:
        room = keys.text("room")
        inner = keys.inner("checks")
        for key, _ in inner.mapping.items if inner is not None else ():
            word = inner.maybe(key.text, WORDS) if inner is not None else None
            if key.text not in _checks(runbook):
                troubles.add(
                    key.line,
                    key.column,
                    f"no declarative check {named(key.text)} in the runbook{nearest(key.text, _checks(runbook))}",
                )
            elif word is not None:
                checks[key.text] = word
        keys.rest("of a case")
        if not checks and not troubles.found:
            troubles.add(1, 1, "`checks` is missing: a check's name and what it must come to")
    if troubles.found:
        raise WrongDocument(troubles.all)
    return Expected(room, checks)


def _checks(runbook: Runbook) -> list[str]:
    """The checks that can be tried without what runs."""
    return [
        b.name
        for b in runbook.blocks
        if isinstance(b, Check) and isinstance(b.evidence, Causes | Lacking | Logs | File)
    ] or ["name"]
