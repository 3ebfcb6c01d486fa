"""Traps that others' doors fell into, by their numbers."""

from __future__ import annotations

import os
import subprocess
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from bot.doors import engine
from tests.engine.staged import Place
from tests.fletcher import fletcher

if TYPE_CHECKING:
    from pathlib import Path

KEPT = "one\ntwo $(touch gone)\n\x1b[31mthree\n"


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["--grep", "t[wh]"], 0, ["note: two $(touch gone)", "note: \\u001b[31mthree"]),
        (["--grep", "`touch gone`"], 1, []),
        (["--grep", "; touch gone"], 1, []),
        (["--step", "note"], 0, ["one", "two $(touch gone)", "\\u001b[31mthree"]),
        (["--step", "3", "--grep", "^o", "--json"], 0, ['[{"step":"note","line":"one"}]']),
    ],
)
def test_T8_a_filter_runs_nothing_again(
    here: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], code: int, told: list[str]
) -> None:
    """Whatever is searched for, only what was kept is read: no process is started, and no step is done again."""
    place = Place(here)
    monkeypatch.setattr(engine, "acting", lambda _config: nullcontext(place.parts))
    run = fletcher("run", "mend.md", "--yes", "--json").json["order"]["id"]
    (here / ".fletcher" / "runs" / run / "note.1.log").write_text(KEPT, encoding="utf-8")
    before = place.done

    def spawned(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    for owner, name in ((subprocess, "Popen"), (os, "system"), (os, "fork"), (os, "posix_spawn"), (os, "execve")):
        monkeypatch.setattr(owner, name, spawned)
    reply = fletcher("show", run, *argv)
    assert (reply.code, reply.out.splitlines()) == (code, told)
    assert (place.done, (here / "gone").exists()) == (before, False)
