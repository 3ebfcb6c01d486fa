"""Traps into which those fell of whom several run at once, or who are started again, by their number in our list of them."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import get_context
from typing import TYPE_CHECKING
from unittest.mock import patch

from bot.engine.attempts import Attempts
from tests.engine.staged import ME, MEND, Door, Place

if TYPE_CHECKING:
    from pathlib import Path

TRIED = MEND.replace(
    "```sh { step name=note effect=change rollback=unnote }",
    "```sh { check name=noted }\nwas noted\n```\n\n```sh { step name=note effect=change rollback=unnote unless=noted retries=3 }",
)


def killed_between_two_attempts(place: Place) -> None:
    """Carry a run out until its step has failed once and waits to be tried again, and die there."""

    def dies(*_: object) -> bool:
        os.kill(os.getpid(), signal.SIGKILL)
        return False

    with patch.object(Attempts, "_waited", dies), place.front() as front:
        front.run_here(place.parts, place.order("run", yes=True), Door())


def test_T22_a_restart_between_two_attempts_loses_none(tmp_path: Path) -> None:
    """A step failed and is to be tried again when the process dies: the next one makes the attempts that are left."""
    place = Place(tmp_path)
    place.put("mend.md", TRIED)
    place.put("fail-note")
    process = get_context("spawn").Process(target=killed_between_two_attempts, args=(place,))
    process.start()
    process.join()
    assert (process.exitcode, place.done.count("note")) == (-signal.SIGKILL, 1)
    with place.front() as front:
        run = front.go_on_here(place.parts, "run", ME, Door())
    note = next(row for row in run.steps if row.name == "note")
    assert (place.done.count("note"), note.attempts, run.state) == (4, 4, "rolled-back")


def test_T22_two_instances_never_do_the_same(tmp_path: Path) -> None:
    """Whatever several hear at once, one of them claims: each key once, and every key by somebody."""
    place, won, begin = Place(tmp_path), list[str](), threading.Barrier(3)

    def instance() -> None:
        with place.front() as front:
            begin.wait()
            won.extend(key for key in map(str, range(15)) if front.claim("clock", key))

    instances = [threading.Thread(target=instance) for _ in range(3)]
    for one in instances:
        one.start()
    for one in instances:
        one.join()
    assert sorted(won, key=int) == [str(number) for number in range(15)]
