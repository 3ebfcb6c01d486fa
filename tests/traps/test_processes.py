"""Traps into which those who start programs fell, by their number in our list of them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from bot.world.contract import Ended
from bot.world.processes import Processes
from tests.world.marks import alive, marked


def ended_after(seconds: float, script: str, mark: str = "") -> tuple[Ended, int]:
    """How a script ended that was given so many seconds, and how many bytes it said."""
    said: list[int] = []
    environment = {"PATH": os.environ["PATH"], "MARK": mark}
    with Processes() as processes:
        ended = processes.run(
            ("bash", "-c", script), cwd="", environment=environment, seconds=seconds,
            tell=lambda data: said.append(len(data)), stop=threading.Event(),
        )  # fmt: skip
    return ended, sum(said)


def test_T16_every_program_has_a_deadline() -> None:
    """One that waits for ever, one that never stops talking, and one that hears no signal but the last."""
    assert ended_after(0.2, "sleep 1000") == (Ended(None, "timeout"), 0)
    ended, said = ended_after(0.2, "yes")
    assert ended == Ended(None, "timeout")
    assert said > 0
    assert ended_after(0.2, "trap '' TERM INT HUP; while :; do sleep 1; done")[0] == Ended(None, "timeout")
    assert ended_after(0.2, "kill -STOP $$")[0] == Ended(None, "timeout")


def test_T17_after_a_timeout_nothing_of_it_is_alive() -> None:
    """Children, grandchildren without a parent, sessions of their own with an environment of their own; nor a thread."""
    threads = threading.active_count()
    script = """
        sleep 1001 &
        (setsid sleep 1002 &)
        (setsid bash -c 'trap "" TERM; (env -i MARK="$MARK" setsid sleep 1003 &); while :; do sleep 1; done' &)
        nohup bash -c 'sleep 1004; sleep 1005' >/dev/null 2>&1 &
        disown -a
        wait
        sleep 1006
    """
    with marked() as mark:
        ended, _ = ended_after(0.5, script, mark)
        assert ended == Ended(None, "timeout")
        assert not alive(mark)
    assert threading.active_count() == threads
    assert not zombies()


def zombies() -> list[str]:
    """Children of this process that have ended and that nobody has waited for."""
    found = []
    for name in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            found.append(name)
    return found
