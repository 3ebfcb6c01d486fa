"""The front door for tests: run `fletcher` in this process and read what it says."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bot.__main__ import main

RECORDINGS = Path(__file__).parent / "recordings"
EXIT = {"healthy": 0, "cause": 1, "inconclusive": 3}


@dataclass(frozen=True)
class Reply:
    """What one call printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The answer of a call with --json."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    def row(self, room: str | None = None) -> dict[str, Any]:
        """The row of this room (None: of no room)."""
        found: dict[str, Any] = next(r for r in self.json["rooms"] if r["room"] == room)
        return found


class _Bytes(io.TextIOWrapper):
    """Standard output that takes text and bytes, as the real one does."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)


def fletcher(*argv: str | Path, stdin: bytes = b"") -> Reply:
    """Run one command line as a person would."""
    out, err = _Bytes(), io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin))
    with patch.object(sys, "stdout", out), patch.object(sys, "stdin", given), redirect_stderr(err):
        code = main([str(a) for a in argv])
    raw = out.buffer
    assert isinstance(raw, io.BytesIO)
    return Reply(code, raw.getvalue().decode(), err.getvalue())


def diagnose(*argv: str | Path, stdin: bytes = b"") -> Reply:
    """`fletcher diagnose … --json`, its exit code in step with its verdict."""
    reply = fletcher("diagnose", *argv, "--json", stdin=stdin)
    assert reply.code in {0, 1, 3}, reply.err
    assert reply.code == EXIT[reply.json["verdict"]]
    return reply


def evidence(case: Path) -> list[str]:
    """Everything that a recording has at hand, as arguments."""
    out: list[str] = []
    for pattern, flag in (
        ("livekit*.log", "--server-log"),
        ("agent*.log", "--agent-log"),
        ("worker-endpoint*.json", "--worker-endpoint"),
        ("livekit*.yaml", "--livekit-config"),
        ("token.json", "--token"),
    ):
        for path in sorted(case.glob(pattern)):
            out += [flag, str(path)]
    for path in sorted(case.glob("agent*/")):
        out += ["--project", str(path)]
    return out
