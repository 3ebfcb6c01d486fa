"""What a durable run costs: per step with its journal and audit, in memory, and until `serve` is ready.

Run `.venv/bin/python benchmarks/engine.py` from the checkout. The steps do nothing, so that what is measured is the engine
alone; `zx` and `rundoc`, where they are installed, run the same 200 steps as 200 times `true`, without being durable.
Nothing is asserted: what is slow on one machine is fast on another.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.steps.contract import Memory, Outcome  # noqa: E402  # the checkout is on the path only now
from tests.engine.staged import Door, Place  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from bot.engine.contract import Parts
    from bot.steps.contract import Doing, Task

FRONT = "---\nrunbook: 1\nid: mend\ntitle: Mend\n---\n\n# Mend\n\n"
VERIFY = "```sh { verify name=works }\ntrue\n```\n"
STEP = "```sh {{ step name=s{number} effect=change }}\ntrue\n```\n\n"


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


def serving(folder: str, runs: int, told: Connection) -> None:
    """Serve and take so many orders; tell how long it took to be ready, and the memory (MB) before and after them."""
    began = time.monotonic()
    made, parts = place(Path(folder), 1)
    stop = threading.Event()
    with made.front() as front:
        thread = threading.Thread(target=front.serve, args=(parts, stop, "bench", StringIO()))
        thread.start()
        first = front.submit(made.order("first", yes=True))
        while not front.show(first).ended:
            time.sleep(0.005)
        ready = time.monotonic() - began
        idle, spent = memory(), time.process_time()
        time.sleep(3)
        share = (time.process_time() - spent) / 3 * 100
        sizes = []
        for number in range(1, runs + 1):
            order = front.submit(made.order(f"run-{number}", yes=True))
            while not front.show(order).ended:
                time.sleep(0.002)
            if number % (runs // 4) == 0:
                gc.collect()
                sizes.append(memory())
        stop.set()
        thread.join()
    told.send((ready, idle, share, sizes))


def memory() -> float:
    """What this process keeps in memory now, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


def others(steps: int) -> dict[str, Callable[[Path], list[str]]]:
    """The commands of others for so many steps, by their names."""

    def zx(folder: Path) -> list[str]:
        script = folder / "steps.mjs"
        script.write_text("".join("await $`true`\n" for _ in range(steps)), encoding="utf-8")
        return ["zx", "--quiet", str(script)]

    def rundoc(folder: Path) -> list[str]:
        document = folder / "steps.md"
        document.write_text("".join("```sh\ntrue\n```\n\n" for _ in range(steps)), encoding="utf-8")
        return ["rundoc", "run", "-y", str(document)]

    return {"zx": zx, "rundoc": rundoc}


def other(command: Callable[[Path], list[str]], steps: int) -> float:
    """Milliseconds for each step of another's, its own start included."""
    with tempfile.TemporaryDirectory() as folder:
        words = command(Path(folder))
        began = time.monotonic()
        subprocess.run(
            words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        return (time.monotonic() - began) / steps * 1000


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=200)
    options.add_argument("--runs", type=int, default=1000)
    options.add_argument("--repeat", type=int, default=5)
    args = options.parse_args()
    told = [per_step(args.steps) for _ in range(args.repeat)]
    print("| | |\n|---|---|")
    print(f"| a step of {args.steps}, with journal and audit, ms | {min(told):.1f} / {statistics.median(told):.1f} |")
    for name, command in others(args.steps).items():
        if shutil.which(name):
            times = [other(command, args.steps) for _ in range(args.repeat)]
            print(f"| the same with `{name}`, not durable, ms | {min(times):.1f} / {statistics.median(times):.1f} |")
        else:
            print(f"| the same with `{name}` | not installed |")
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        child = multiprocessing.get_context("spawn").Process(target=serving, args=(folder, args.runs, theirs))
        child.start()
        ready, idle, share, sizes = ours.recv()
        child.join()
    print(f"| `serve`, until its first run has ended, s | {ready:.2f} |")
    print(f"| memory of `serve`, idle, MB | {idle:.0f} |")
    print(f"| memory after each quarter of {args.runs} runs, MB | {', '.join(f'{size:.0f}' for size in sizes)} |")
    print(f"| processor while idle, % of a core | {share:.1f} |")


if __name__ == "__main__":
    main()
