"""How fast a server's log is diagnosed, beside `grep -cF` (and ripgrep, if there) on the same file.

Run `.venv/bin/python benchmarks/diagnose.py [--size MB] [--rooms N] [--runs N] [--keep DIR]` from the checkout. The
log is made from recorded lines: about one line in ten concerns a room or a worker, the rest are API calls, data
channels and other lines of ordinary traffic; ids and times vary. Figures are of whole processes, output into a pipe.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parent.parent
RECORDINGS = ROOT / "tests" / "recordings"
_ROOM_LINE = re.compile(
    rb"\t(?:worker reg|last worker|closing |not disp|failed to (?:send|assign)|no worker av|job ended|starting (?:RTC|Live)"
    rb"|participant |mediaTrack|assigned|room closed|API AgentD|removing|using single)"
)
_ALPHABET = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_BEGIN = datetime(2026, 11, 23, 1, tzinfo=UTC)


def material() -> tuple[list[bytes], list[bytes], list[bytes]]:
    """A server's first lines, the lines of one healthy room, and other lines, from the recordings."""
    other: list[bytes] = []
    for log in sorted(RECORDINGS.glob("inc-*/livekit.log")):
        other += [
            line
            for line in log.read_bytes().splitlines(keepends=True)
            if re.match(rb"\d{4}-\d\d-\d\dT[\d:.]{12}Z\t\w+\tlivekit", line) and not _ROOM_LINE.search(line)
        ]
    lines = (RECORDINGS / "inc-001" / "livekit.log").read_bytes().splitlines(keepends=True)
    first = next(line for line in lines if b"starting RTC session" in line)
    room = re.search(rb'"room": "([^"]+)"', first)
    assert room is not None
    begin = [line for line in lines[:8] if b"starting LiveKit server" in line or b"worker registered" in line]
    return begin, [line for line in lines if room[1] in line], other


def make(path: Path, size: int, rooms: int) -> str:
    """Write about `size` bytes with at least `rooms` rooms; the name of one of them."""
    chance = random.Random(1)  # noqa: S311  # the same log every time
    begin, room, other = material()
    name = re.search(rb'"room": "([^"]+)"', room[0])
    assert name is not None
    ids = sorted(set(re.findall(rb"(?:RM|PA|AJ|TR)_\w+", b"".join(room))))
    per_room = size // rooms if rooms else sum(map(len, room)) + 9 * len(room) * sum(map(len, other)) // len(other)
    between = max(1, round((per_room - sum(map(len, room))) / len(room) / (sum(map(len, other)) / len(other))))
    between = between if rooms else 9
    written = number = millis = 0

    def stamped(line: bytes) -> bytes:
        when = (_BEGIN + timedelta(milliseconds=millis)).strftime("%Y-%m-%dT%H:%M:%S.").encode()
        return when + b"%03dZ" % (millis % 1000) + line[24:]

    with path.open("wb") as out:
        out.writelines(stamped(line) for line in begin)
        while written < size or number < rooms:
            number += 1
            fresh = {i: i[:3] + bytes(chance.choice(_ALPHABET) for _ in range(12)) for i in ids}
            for line in room:
                changed = line.replace(name[1], b"ganglia-%06d" % number)
                for old, new in fresh.items():
                    changed = changed.replace(old, new)
                for extra in [*chance.choices(other, k=between), changed]:
                    millis += chance.randint(0, 3)
                    text = stamped(extra)
                    written += out.write(text)
    return f"ganglia-{number // 2:06d}"


def run(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one process."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, stdout=subprocess.PIPE, check=False, env={**os.environ, "LC_ALL": "C"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - begun, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak(command: list[str]) -> float:
    """Peak memory of one process in MB (10^6 bytes)."""
    ask = "import resource,subprocess,sys;subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL);"
    ask += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", ask, *command], capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024 / 1e6


def machine() -> str:
    """What this ran on."""
    cpu = next(
        (ln.split(":", 1)[1].strip() for ln in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in ln),
        "?",
    )
    memory = next(ln.split()[1] for ln in Path("/proc/meminfo").read_text().splitlines() if ln.startswith("MemTotal"))
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return (
        f"{cpu}, {os.cpu_count()} cores, {int(memory) // 1_000_000} GB, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()}, load {load}"
    )


def main() -> None:
    """Make the log, time the commands in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1000, help="MB")
    parser.add_argument("--rooms", type=int, default=0, help="at least so many rooms; default: one line in ten")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a folder to leave the log in")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="fletcher-bench-"))
    log = folder / "livekit.log"
    try:
        room = make(log, args.size * 1_000_000, args.rooms)
        print(machine())
        print(f"{log.stat().st_size / 1e6:.0f} MB, room asked for: {room}\n")
        launcher = str(ROOT / "fletcher")
        commands = {
            "grep -cF": ["grep", "-cF", room, str(log)],
            "diagnose --room --json": [launcher, "diagnose", str(log), "--room", room, "--json"],
            "diagnose --json": [launcher, "diagnose", str(log), "--json"],
            "diagnose": [launcher, "diagnose", str(log)],
        }
        if shutil.which("rg"):
            commands["rg -cF"] = ["rg", "-cF", room, str(log)]
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(args.runs):
            for name, command in commands.items():
                times[name].append(run(command))
        base = min(t[1] for t in times["grep -cF"])
        print("| command | wall s, min / median | CPU s, min | × grep | peak MB |\n|---|---|---|---|---|")
        for name, command in commands.items():
            walls, cpus = sorted(t[0] for t in times[name]), sorted(t[1] for t in times[name])
            memory = f"{peak(command):.0f}" if name.startswith("diagnose") else ""
            print(
                f"| `{name}` | {walls[0]:.2f} / {walls[len(walls) // 2]:.2f} | {cpus[0]:.2f} | {cpus[0] / base:.1f} | {memory} |"
            )
        help_, bare = (
            min(run([launcher, "--help"])[1] for _ in range(11)),
            min(run(["python3", "-c", "pass"])[1] for _ in range(11)),
        )
        print(f"\n`./fletcher --help`: {help_ * 1000:.0f} ms of CPU, `python3 -c pass`: {bare * 1000:.0f} ms")
    finally:
        if not args.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
