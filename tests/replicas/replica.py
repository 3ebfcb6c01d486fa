"""One replica as a process: `python -m tests.replicas.replica FOLDER ADDRESS` serves the place in that folder.

Its build step waits as long as there is a file `hang-build`, and what it then does goes through the world, as with the
real steps; each time that it is entered, and each time that it really builds, leaves a trace.
"""

# ruff: noqa: ARG002  # each has the form that the engine asks for
from __future__ import annotations

import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.engine.front import Front
from bot.plan.values import Command
from bot.world.contract import Ended
from tests.engine import staged
from tests.engine.staged import Building, Place, World, trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.runbook import document as doc
    from bot.steps.contract import Doing, Kind, Memory, Outcome, Task

BUILD = Command(argv=("build",))


class Outside(World):
    """The outside, in which something can be run: that is the effect which is counted."""

    def run(self, command: Command, *, seconds: float, tell: Callable[[bytes], None], stop: threading.Event) -> Ended:
        """Build."""
        trace(self.folder, "build")
        (self.folder / "running").write_bytes((self.folder / "app.env").read_bytes())
        return Ended(0, "exit")


class Slow(Building):
    """Builds once it is let."""

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        """Wait, then build."""
        folder = Path(task.folder)
        trace(folder, "enter-build")
        while (folder / "hang-build").exists():
            time.sleep(0.005)
        doing.world.run(BUILD, seconds=1, tell=lambda _: None, stop=doing.stop)
        return staged._outcome(doing, "built")


def kind(block: doc.AnyBlock) -> Kind:
    """What carries out a block."""
    found = staged.kind(block)
    return Slow() if isinstance(found, Building) else found


def main(folder: Path, address: str) -> int:
    """Serve until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    place = Place(folder)
    parts = replace(place.parts, kind=kind, make_world=lambda _: Outside(folder))
    with Front(folder / ".fletcher", None, address) as front:
        front.serve(parts, stop, "root", sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
