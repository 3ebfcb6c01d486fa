"""Everything Fletcher may tell a person went wrong, with its exit code.

FletcherError
├── UsageError           the question or the document is wrong
│   └── WrongDocument    a document is wrong, in all the places that are named
└── Unreachable          something that is needed cannot be reached or is not allowed
    └── NothingFound     there is nothing to look at, and these are the ways on

Exit codes everywhere: 0 healthy or done, 1 cause found or not fixed, 2 usage error or a document that is wrong,
3 inconclusive, 4 something needed is not reachable or not allowed, 70 a bug in Fletcher, 75 an executor that was taken for dead by others.
"""

from typing import ClassVar, NamedTuple


class FletcherError(Exception):
    """Something went wrong that a person can mend; `str()` is one sentence for that person."""

    exit_code: ClassVar[int] = 4

    @property
    def lines(self) -> tuple[str, ...]:
        """What is said, each on a line of its own."""
        return (str(self),)


class UsageError(FletcherError):
    """An argument or a document is wrong."""

    exit_code = 2


class Unreachable(FletcherError):  # noqa: N818  # what is unreachable is no error of Fletcher
    """Something that is needed is not reachable or not allowed.

    `kind` says what kind of thing has to be mended, for a program that tells the kinds apart: of a LiveKit server
    "address" or "keys" (not set, or no good), "refused" (the keys) or "clock" (the time); of a program "lost" (it was started, and how it ended is not known);
    of a compose project "down" (the engine answers, and has no container of it); "" is any other.
    """

    exit_code = 4

    def __init__(self, sentence: str, *, kind: str = "") -> None:
        super().__init__(sentence)
        self.kind = kind


class Problem(NamedTuple):
    """One thing that is wrong with a document.

    `line` and `column` count from 1, and are 0 when none can be named; `excerpt` is that line as it may be shown.
    """

    source: str
    line: int
    sentence: str
    column: int = 0
    excerpt: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.source, self.line, self.column) if part)
        return f"{place}: {self.sentence}"

    @property
    def shown(self) -> tuple[str, ...]:
        """The problem, the line it is in, and a caret under what is wrong there."""
        if not self.excerpt:
            return (str(self),)
        return str(self), f"  {self.excerpt}", f"  {' ' * (self.column - 1)}^"


class WrongDocument(UsageError):  # noqa: N818  # what is wrong is the document
    """A document is wrong; every problem is told at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(map(str, self.problems))


class NothingFound(Unreachable):
    """There is nothing to look at; `looked` says where it was looked, `ways` how to go on."""

    def __init__(self, sentence: str, looked: tuple[str, ...] = (), ways: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.looked, self.ways = looked, ways

    @property
    def lines(self) -> tuple[str, ...]:
        return (str(self), *(f"  {line}" for line in self.looked), *(f"  - {way}" for way in self.ways))
