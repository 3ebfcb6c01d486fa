"""How long a live diagnosis takes from call to answer, and what an hour of --follow costs in memory.

Run `.venv/bin/python benchmarks/live.py` from the checkout. It looks at an engine and a LiveKit API on sockets of this
machine that answer at once (tests/doubles), with 20 rooms made from a recorded room that got its agent, so what is
measured is Fletcher's own time; `--stack` measures the same on the real stack that `make stack-up` has started. The
hour of --follow is compressed: the engine's clock and its lines run through an hour of traffic while the process looks
as often as it would. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.evidence import live as watch  # noqa: E402  # the checkout's own packages, whatever is installed
from bot.evidence.look import Question  # noqa: E402
from bot.follow import Told, follow  # noqa: E402
from bot.settings import Target  # noqa: E402
from tests.doubles.livekit_api import KEY, SECRET, agent, person  # noqa: E402
from tests.running import SERVED, Stack, recorded, running  # noqa: E402

ROOMS = 20
AN_HOUR = 3600
RUNS = 9


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument(
        "--stack", metavar="DIR", help="the project folder of a stack that runs, such as build/stack/fletcher-stack"
    )
    parser.add_argument("--minutes", type=int, default=60, help="of --follow")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child()
        return
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n"
    )
    if args.stack:
        keys = {"LIVEKIT_API_KEY": "devkey", "LIVEKIT_API_SECRET": "a-secret-for-this-demonstration-only"}
        timed("real stack", Path(args.stack), keys, args.runs)
        return
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as stack:
        stack.livekit.stored.clear()
        for number in range(ROOMS):
            room(stack, number, time.time() - 300 + 10 * number)
        timed(f"{ROOMS} rooms", Path(name), stack.environment, args.runs)
        hour(Path(name), args.minutes)


def room(stack: Stack, number: int, at: float) -> None:
    """Let the server log one more room that got its agent, and the API list it."""
    lines = recorded("livekit.log", 0)
    born = next(ns for ns, line in lines if f'"room": "{SERVED}"' in line)
    for ns, line in lines:
        if SERVED in line or (number == 0 and "worker registered" in line):
            moved = ids(line.replace(SERVED, f"room-{number}"), number)
            stamp = int(at * 1e9) + ns - born
            iso = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamp // 10**9)) + f".{stamp // 10**6 % 1000:03d}Z"
            stack.livekit.log(re.sub(r"^\S+Z", iso, moved), stamp)
    stack.api.room(
        f"room-{number}",
        room_id=f"RM_{number:012d}",
        created=at,
        participants=[person("user"), agent(f"AJ_{number:012d}")],
    )


def ids(line: str, number: int) -> str:
    """The line with ids of its own."""
    return re.sub(r"\b(RM|AJ|PA|TR)_\w{12}\b", lambda m: f"{m[1]}_{number:012d}", line)


def timed(what: str, folder: Path, environment: dict[str, str], runs: int) -> None:
    """Time whole processes from call to answer, and the API's own part beside them."""
    times, api = [], []
    for _ in range(runs):
        began = time.perf_counter()
        done = subprocess.run(
            [ROOT / "fletcher", "diagnose", "--json"], cwd=folder, env={**os.environ, **environment}, capture_output=True, check=False
        )  # fmt: skip
        times.append(time.perf_counter() - began)
        assert done.returncode in {0, 1, 3}, done.stderr.decode()
        if "LIVEKIT_URL" in environment:
            from bot.evidence.livekit_api import ask

            began = time.perf_counter()
            ask(Target(livekit_url=environment["LIVEKIT_URL"], api_key=KEY, api_secret=SECRET))
            api.append(time.perf_counter() - began)
    told = f"; the API alone {min(api):.2f} s" if api else ""
    print(
        f"diagnose, {what}: {min(times):.2f} s at best, {statistics.median(times):.2f} s median, {max(times):.2f} s at worst{told}"
    )


def hour(folder: Path, minutes: int) -> None:
    """Let a process of its own follow an hour in which a room is made every ten seconds, and print its memory."""
    with running(folder) as stack:
        stack.livekit.stored.clear()
        stack.agent.stored.clear()
        began, steps = time.time() - minutes * 60, minutes * 6
        stack.engine.ahead = began - time.time()
        child = subprocess.Popen(
            [sys.executable, __file__, "--child"], cwd=folder, env={**os.environ, "DOCKER_HOST": stack.engine.host}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert child.stdin
        assert child.stdout
        told = 0
        for number in range(steps):
            rows, memory = child.stdout.readline().split()
            told += int(rows)
            room(stack, number, began + number * 10)
            stack.engine.ahead = began + number * 10 + 30 - time.time()
            if number % (steps // 6) == 0:
                print(f"--follow, after {number // 6:2} min: {memory} MB, {told} rooms told")
            child.stdin.write("\n")
            child.stdin.flush()
        child.kill()
        child.wait()


def child() -> None:
    """Follow; before every look tell how many rows were told since the last one and the memory, and wait for a line."""
    watch._CLOCK = 0.0  # noqa: SLF001  # an hour of the engine's is a minute of ours
    watch._COMPACTED = 0.0  # noqa: SLF001
    watch._SPOOL = 1 << 20  # noqa: SLF001  # a real log is larger
    told = 0

    def wait(_seconds: float) -> None:
        nonlocal told
        print(told, round(resident()), flush=True)
        told = 0
        if not sys.stdin.readline():
            raise KeyboardInterrupt

    target = Target(docker_host=os.environ["DOCKER_HOST"])
    with suppress(KeyboardInterrupt):
        for news in follow(Question(target=target), target, Told(), wait):
            told += len(news.rows)


def resident() -> float:
    """This process's memory in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
