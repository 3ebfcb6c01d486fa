"""Several replicas of one place on one database, as processes; and what a test wants to know of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.engine.front import Front
from bot.engine.values import Decision
from tests import postgres
from tests.engine.staged import ME, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.engine.values import RunState

ROOT: Final = Path(__file__).parent.parent.parent
LONGEST: Final = 60.0  # seconds for anything: a machine may be busy


def until(so: Callable[[], object], what: str) -> float:
    """Wait until something is so; how many seconds it took."""
    began = time.monotonic()
    while not so():
        assert time.monotonic() - began < LONGEST, what
        time.sleep(0.02)
    return time.monotonic() - began


class Several:
    """Replicas of one place."""

    def __init__(self, folder: Path, address: str) -> None:
        self.place, self.address, self.replicas = Place(folder), address, list[subprocess.Popen[bytes]]()
        self.logs = folder.parent / f"{folder.name}-logs"
        self.logs.mkdir()

    @contextmanager
    def front(self) -> Iterator[Front]:
        """A door on this machine."""
        with Front(self.place.folder / ".fletcher", None, self.address) as front:
            yield front

    def start(self, count: int = 1) -> None:
        """Start so many more at once, and wait until they serve."""
        begun = []
        for number in range(count):
            log = self.logs / str(len(self.replicas) + number)
            argv = [sys.executable, "-m", "tests.replicas.replica", str(self.place.folder), self.address]
            with log.open("wb") as err:
                begun.append(subprocess.Popen(argv, cwd=ROOT, stderr=err))
        self.replicas += begun
        for one in begun:
            until(lambda one=one: "serves from" in self.log(one) or one.poll() is not None, "it serves")  # type: ignore[misc]  # a loop's own value
            assert one.poll() is None, self.log(one)

    def log(self, replica: subprocess.Popen[bytes]) -> str:
        """What a replica has logged."""
        number = self.replicas.index(replica) if replica in self.replicas else None
        texts = [path.read_text(encoding="utf-8") for path in sorted(self.logs.iterdir(), key=lambda p: int(p.name))]
        return texts[number] if number is not None else ""

    def order(self, run: str, **more: object) -> None:
        """Order a run that needs no answer, unless it says otherwise."""
        given = {"yes": True, "allow_disrupt": True, **more}
        with self.front() as front:
            front.submit(self.place.order(run, **given))

    def decide(self, run: str) -> None:
        """Say yes, through this door."""
        with self.front() as front:
            front.decide(run, Decision(kind="yes", person=ME, digest=front.show(run).digest, at=0))

    def reaches(self, run: str, *states: RunState) -> float:
        """Wait until a run is in one of these states; how many seconds that took."""
        with self.front() as front:
            return until(lambda: front.show(run).state in states, f"{run} is {front.show(run).state}, not {states}")

    def owner(self, run: str) -> subprocess.Popen[bytes]:
        """The replica that carries a run out."""
        asked = "select holder::json->>'pid' from owners join executors on executor = id where run = %s"
        ((pid,),) = postgres.rows(self.address, asked, run)
        return next(one for one in self.replicas if one.pid == int(str(pid)))

    def alive(self, replica: subprocess.Popen[bytes]) -> bool:
        """Whether a replica is one of the executors that are alive."""
        asked = "select 1 from executors where holder::json->>'pid' = %s and ended is null"
        return bool(postgres.rows(self.address, asked, str(replica.pid)))

    def handed_over(self, run: str, before: subprocess.Popen[bytes]) -> bool:
        """Whether a run is with another one by now."""
        return self.owner(run) is not before

    def entered(self, times: int) -> float:
        """Wait until the build was entered so often; how many seconds that took."""
        return until(lambda: self.place.done.count("enter-build") >= times, f"entered {times} times: {self.place.done}")

    def end(self) -> None:
        """End all of them."""
        for one in self.replicas:
            if one.poll() is None:
                one.send_signal(signal.SIGCONT)
                one.terminate()
        for one in self.replicas:
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


def freeze(replica: subprocess.Popen[bytes]) -> None:
    """Let a replica stand still."""
    os.kill(replica.pid, signal.SIGSTOP)
