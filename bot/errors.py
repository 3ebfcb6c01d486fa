"""Everything Fletcher may tell a person went wrong, with its exit code.

FletcherError
├── UsageError     the question or the document is wrong
└── Unreachable    something that is needed cannot be reached or is not allowed

Exit codes everywhere: 0 healthy or done, 1 cause found or not fixed, 2 usage error or a document that is wrong,
3 inconclusive, 4 something needed is not reachable or not allowed, 70 a bug in Fletcher.
"""

from typing import ClassVar


class FletcherError(Exception):
    """Something went wrong that a person can mend; `str()` is one sentence for that person."""

    exit_code: ClassVar[int] = 4


class UsageError(FletcherError):
    """An argument or a document is wrong."""

    exit_code = 2


class Unreachable(FletcherError):  # noqa: N818  # what is unreachable is no error of Fletcher
    """Something that is needed is not reachable or not allowed."""

    exit_code = 4
