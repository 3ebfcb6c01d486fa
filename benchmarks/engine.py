"""What a durable run costs: per step with its journal and audit, at its start, until a decision is heeded, in memory.

Run `.venv/bin/python benchmarks/engine.py` from the checkout. The steps do nothing, so that what is measured is the engine
alone; beside it, `zx` and `rundoc` run the same 200 steps as 200 times `true`, without being durable (`peers.py` installs
them). Nothing is asserted: what is slow on one machine is fast on another.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import peers  # noqa: E402  # the checkout is on the path only now
from bot.engine.values import Decision  # noqa: E402  # as above
from bot.steps.contract import Memory, Outcome  # noqa: E402  # as above
from tests.engine.staged import ME, Door, Place  # noqa: E402  # as above

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from bot.engine.contract import Parts
    from bot.engine.front import Front
    from bot.steps.contract import Doing, Task

ENVIRONMENT: Final = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
FRONT: Final = "---\nrunbook: 1\nid: mend\ntitle: Mend\n---\n\n# Mend\n\n"
VERIFY: Final = "```sh { verify name=works }\ntrue\n```\n"
STEP: Final = "```sh {{ step name=s{number} effect=change }}\ntrue\n```\n\n"


class Nothing:
    """A step that does nothing."""

    def remember(self, task: Task, doing: Doing) -> Memory:  # noqa: ARG002  # every kind's form
        return Memory(began_ns=1)

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:  # noqa: ARG002  # every kind's form
        return Outcome(state="done", says="done", began_ns=1, ended_ns=2)

    def settled(self, task: Task, memory: Memory, doing: Doing) -> bool | None:  # noqa: ARG002  # every kind's form
        return False

    def undo(self, task: Task, memory: Memory, doing: Doing) -> Outcome | None:  # noqa: ARG002  # every kind's form
        return None


def place(folder: Path, steps: int) -> tuple[Place, Parts]:
    """A service whose runbook has so many steps."""
    made = Place(folder)
    made.put("cannot-tell")  # so that nothing is taken back
    made.put("mend.md", FRONT + "".join(STEP.format(number=number) for number in range(steps)) + VERIFY)
    return made, replace(made.parts, kind=lambda _: Nothing())


def per_step(steps: int) -> float:
    """Milliseconds for each step of a run, those of the first and the last event of a step between them."""
    with tempfile.TemporaryDirectory() as folder:
        made, parts = place(Path(folder), steps)
        door = Door()
        with made.front() as front:
            run = front.run_here(parts, made.order(yes=True), door)
        assert run.state == "not-verified", run.says
        times = [event.at for event in door.heard if event.kind == "step"]
        return (times[-1] - times[0]) / steps * 1000


# --- start ---------------------------------------------------------------------------------------


def whole(way: str) -> float:
    """Seconds of a process of its own, until it has carried out one order: "serve" from the order that waits for it, "run"."""
    with tempfile.TemporaryDirectory() as folder:
        made, _ = place(Path(folder), 1)
        with made.front() as front:
            order = front.submit(made.order("first", yes=True)) if way == "serve" else ""
            began = time.monotonic()
            process = subprocess.Popen([sys.executable, __file__, "--only", way, folder], env=ENVIRONMENT)
            while order and not front.show(order).ended:
                time.sleep(0.005)
            if way == "run":
                process.wait()
            took = time.monotonic() - began
            process.terminate()
            process.wait()
        return took


def only(way: str, folder: Path) -> None:
    """Be such a process."""
    made, parts = place(folder, 1)
    with made.front() as front:
        if way == "run":
            front.run_here(parts, made.order("first", yes=True), Door())
        else:
            with (folder / "log").open("w", encoding="utf-8") as log:
                front.serve(parts, threading.Event(), "bench", log)


# --- waking --------------------------------------------------------------------------------------


def waking(front: Front, made: Place, count: int, name: str) -> list[float]:
    """Milliseconds from each decision, as it is stored, until its run goes on."""
    times = []
    for number in range(count):
        run = front.submit(made.order(f"{name}-{number}"))
        while front.show(run).state != "waiting":
            time.sleep(0.01)
        time.sleep(0.013 * (number % 7))  # at any moment between two looks
        stored = time.time()
        front.decide(run, Decision(kind="yes", person=ME, digest=front.show(run).digest, at=0))
        decided = front.show(run).decision
        assert decided is not None
        assert decided.at >= stored
        goes_on = next(event.at for event in front.follow(run) if event.state == "running" and event.kind == "run")
        times.append((goes_on - decided.at) * 1000)
        while not front.show(run).ended:
            time.sleep(0.01)
    return times


# --- memory --------------------------------------------------------------------------------------


@contextmanager
def serving(made: Place, parts: Parts) -> Iterator[Front]:
    """Serve in this process, with a log as it has one."""
    stop = threading.Event()
    with made.front() as front, (made.folder / "log").open("w", encoding="utf-8") as log:
        thread = threading.Thread(target=front.serve, args=(parts, stop, "bench", log))
        thread.start()
        try:
            yield front
        finally:
            stop.set()
            thread.join()


def served(folder: str, runs: int, woken: int, told: Connection) -> None:
    """Serve so many orders; tell the memory (MB) before and after each quarter, the processor while idle, and the waking."""
    made, parts = place(Path(folder), 1)
    with serving(made, parts) as front:
        carried_out(front, made, "first")
        idle, spent = memory(), time.process_time()
        time.sleep(5)
        share = (time.process_time() - spent) / 5 * 100
        sizes = []
        for number in range(1, runs + 1):
            carried_out(front, made, f"run-{number}")
            if number % (runs // 4) == 0:
                gc.collect()
                sizes.append(memory())
        told.send((idle, share, sizes, waking(front, made, woken, "here")))
        told.recv()  # until the other process has had its decisions heeded


def carried_out(front: Front, made: Place, name: str) -> None:
    """Order it and wait for its end."""
    order = front.submit(made.order(name, yes=True))
    while not front.show(order).ended:
        time.sleep(0.005)


def memory() -> float:
    """What this process keeps in memory now, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


# --- all -----------------------------------------------------------------------------------------


def spread(times: list[float]) -> str:
    """The least and the middle of them."""
    return f"{min(times):.1f} / {statistics.median(times):.1f}"


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=200)
    options.add_argument("--runs", type=int, default=3000)
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--only", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.only:
        only(args.only[0], Path(args.only[1]))
        return
    print("| | |\n|---|---|")
    print(f"| a step of {args.steps}, ms | {spread([per_step(args.steps) for _ in range(args.repeat)])} |")
    for name, (installed, words) in peers.PEERS.items():
        command = installed()
        times = [peers.per_step(words, command, args.steps) for _ in range(args.repeat)] if command else []
        print(f"| the same with {name}, ms | {spread(times) if times else 'cannot be installed here'} |")
    for way in ("serve", "run"):
        whole(way)  # leaves the bytecode
        times = [whole(way) * 1000 for _ in range(args.repeat)]
        print(f"| `{way}`, a whole process until its first run has ended, ms | {spread(times)} |", flush=True)
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        child = multiprocessing.get_context("spawn").Process(target=served, args=(folder, args.runs, 20, theirs))
        child.start()
        idle, share, sizes, here = ours.recv()
        made = Place(Path(folder))
        with made.front() as front:
            there = waking(front, made, 20, "there")
        ours.send("")
        child.join()
    print(f"| memory of `serve`, idle, MB | {idle:.0f} |")
    print(f"| memory after each quarter of {args.runs} runs, MB | {', '.join(f'{size:.0f}' for size in sizes)} |")
    print(f"| processor while idle, % of a core | {share:.1f} |")
    print(f"| until a decision of the same process is heeded, ms | {spread(here)}, at most {max(here):.1f} |")
    print(f"| until a decision of another process is heeded, ms | {spread(there)}, at most {max(there):.1f} |")


if __name__ == "__main__":
    main()
