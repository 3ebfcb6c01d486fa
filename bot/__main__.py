"""The way in: hand the command line to the door, and turn whatever happens into a sentence and an exit code."""

import errno
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from bot.errors import FletcherError

INTERRUPTED = 130
READER_GONE = 141
OUT_OF_ROOM = 4
BUG = 70

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command (default: this process's own arguments) and return the exit code; no exception leaves here."""
    tolerate_any_character()
    try:
        try:
            # Imported here, so that an interruption or a bug during the imports reads like any other.
            from bot.doors import cli

            code = cli.main(sys.argv[1:] if argv is None else argv)
        except SystemExit as ended:  # argparse ends a usage error, --help and --version so
            code = ended.code if isinstance(ended.code, int) else 0
        if sys.stdout is not None:
            sys.stdout.flush()  # now, while a failure to do so can still be told
    except FletcherError as problem:
        return fail("\n".join(sayable(line) for line in problem.lines), problem.exit_code)
    except KeyboardInterrupt:
        abandon(sys.stdout, sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        abandon(sys.stdout, sys.stderr)
        return READER_GONE
    except MemoryError:
        return fail("the machine has not enough memory for this", OUT_OF_ROOM)
    except OSError as problem:
        if problem.filename is not None or problem.errno not in UNWRITABLE:
            return fail_with_bug(problem)
        abandon(sys.stdout)
        return fail(f"cannot write the answer: {problem.strerror}", OUT_OF_ROOM)
    except Exception as bug:  # noqa: BLE001  # this is the place where a crash becomes a sentence
        return fail_with_bug(bug)
    return code


def tolerate_any_character() -> None:
    """Let no terminal's narrow encoding turn an answer into a crash."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def abandon(*streams: TextIO | None) -> None:
    """Drop what is still to be written, so that the interpreter does not complain about it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def sayable(sentence: str) -> str:
    """The sentence on one line and without a secret: it may repeat what was typed, and a terminal is recorded."""
    try:
        from bot.redact import redact

        return " ".join(redact(sentence).splitlines())
    except Exception as bug:  # noqa: BLE001  # then nothing of it may be shown
        return f"an argument or a file is wrong; which is withheld, since masking secrets failed: {type(bug).__name__}"


def fail(sentence: str, code: int) -> int:
    """Tell the person and return the code."""
    if sys.stderr is not None:
        print(f"fletcher: {sentence}", file=sys.stderr)
    return code


def fail_with_bug(bug: Exception) -> int:
    """Say that this is a bug, and keep the trace for whoever mends it."""
    import traceback

    try:
        from bot.redact import redact

        trace = redact("".join(traceback.format_exception(bug)))
    except Exception as second:  # noqa: BLE001  # then nothing of it may be shown
        trace = (
            f"{type(bug).__name__}; the trace is withheld, since masking secrets in it failed: {type(second).__name__}"
        )
    if os.environ.get("FLETCHER_DEBUG") == "1":
        return fail(f"This is a bug in Fletcher.\n{trace}", BUG)
    return fail(
        f"This is a bug in Fletcher ({type(bug).__name__}), and no diagnosis. {keep(trace)}",
        BUG,
    )


def keep(trace: str) -> str:
    """Write the trace to a file that only this user can read, and say where."""
    import tempfile

    try:
        handle, name = tempfile.mkstemp(prefix="fletcher-bug-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(trace)
    except OSError as problem:
        return f"The trace could not be kept ({problem.strerror}); run it again with FLETCHER_DEBUG=1 to see it."
    return f"Please report it with {name}, which holds the trace (read it first: it may quote your files)."


if __name__ == "__main__":
    sys.exit(main())
