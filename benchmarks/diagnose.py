"""How fast a server's log is diagnosed, beside `grep -cF` (and ripgrep, if there) on the same file.

Run `.venv/bin/python benchmarks/diagnose.py` from the checkout. The log is made from recorded lines: about one line in
ten concerns a room or a worker, the rest are API calls, data channels, statistics, half of them at debug level; ids
and times vary. A second log has many rooms, for memory. Figures are of whole processes with their output in a pipe,
all commands in turns. Nothing is asserted: what is slow on one machine is fast on another.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT / "tests" / "recordings"
FLETCHER = str(ROOT / "fletcher")
BEGIN = 1795395600  # 2026-11-23T01:00:00Z
FILLERS = 9  # other lines for each line that concerns a room or a worker
ALIVE = 8  # rooms at the same time

_CONSOLE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z\t([A-Z]+)\tlivekit[^\t]*\t[^\t]*\t([^\t\n]+).*\n)")
_DISPATCH = re.compile(
    rb"worker registered|last worker|closing |not dispatching|failed to (?:send|assign)|no worker|job ended|starting "
    rb"|participant |mediaTrack|assigned|room closed|API (?:Agent|RoomService\.Create)|removing|using single|error handling"
)
_ID = re.compile(rb"\b(?:RM|PA|AJ|TR)_\w{12}\b")
_SDP = re.compile(rb', "PublisherOffer": .*')
_ALPHABET = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


@dataclass(frozen=True)
class Script:
    """The lines of one recorded room that got its agent, without their times."""

    name: bytes
    ids: tuple[bytes, ...]
    lines: tuple[bytes, ...]


@dataclass(frozen=True)
class Material:
    """What a log is made from: a server's first lines, rooms that went well, and all other traffic."""

    begin: tuple[bytes, ...]
    scripts: tuple[Script, ...]
    other: tuple[bytes, ...]


def material() -> Material:
    """Read the recordings."""
    begin: dict[bytes, bytes] = {}
    other: list[bytes] = []
    scripts: list[Script] = []
    for log in sorted(RECORDINGS.glob("inc-*/livekit.log")):
        recorded = re.sub(rb"\bND_\w{12}\b", b"ND_RFyXTAGByuvV", log.read_bytes())  # one node
        found = [m for line in recorded.splitlines(keepends=True) if (m := _CONSOLE.fullmatch(line))]
        for line in found:
            if line[3] in {b"starting LiveKit server", b"worker registered"}:
                begin.setdefault(line[3] if b"starting" in line[3] else line[1], line[1])
            elif not _DISPATCH.match(line[3]):
                other.append(line[1])
        text = b"".join(m[1] for m in found if _DISPATCH.match(m[3]))
        for job, agent, room in re.findall(
            rb'assigned job.*"jobID": "(\w+)".*"agentName": "([^"]*)".*"room": "([^"]+)"', text
        ):
            mine = [line for line in text.splitlines(keepends=True) if room in line or job in line]
            joins = [line for line in mine if b"\tstarting RTC session\t" in line]
            came = any(b"\tparticipant active\t" in line and job in line for line in mine)
            if came and len(joins) == 2 and b'"agentName": "%s"' % agent in joins[0]:
                scripts.append(Script(room, tuple(sorted(set(_ID.findall(b"".join(mine))))), tuple(mine)))
    return Material(tuple(begin.values()), tuple(scripts), tuple(other))


def room_lines(script: Script, number: int, chance: random.Random, *, whole: bool) -> Iterator[bytes]:
    """One room's lines with ids of their own."""
    fresh = [(i, i[:3] + bytes(chance.choices(_ALPHABET, k=12))) for i in script.ids]
    for line in script.lines:
        text = line if whole else _SDP.sub(b"}}", line)
        text = text.replace(script.name, b"ganglia-%06d" % number)
        for old, new in fresh:
            text = text.replace(old, new)
        yield text


def make(path: Path, size: int, rooms: int, *, whole: bool = True) -> int:
    """Write a log of `size` bytes (0: until every room is written) with `rooms` names; the number of its rooms.

    `whole` sessions have their real length, 1 to 17 kB.
    """
    chance = random.Random(1)  # noqa: S311  # the same log every time
    have = material()
    debug = [line.replace(b"Z\tINFO\t", b"Z\tDEBUG\t") for line in have.other]
    written = made = millis = 0
    alive: list[Iterator[bytes]] = []
    second, stamp = -1, b""
    fillers = FILLERS if whole else 1
    with path.open("wb") as out:
        while (size and written < size) or (not size and (made < rooms or alive)):
            while len(alive) < ALIVE and (size or made < rooms):
                script = have.scripts[made % len(have.scripts)]
                alive.append(room_lines(script, made % rooms, chance, whole=whole))
                made += 1
            line = next(alive[turn := chance.randrange(len(alive))], None)
            if line is None:
                del alive[turn]
                continue
            others = chance.choices(have.other, k=fillers // 2) + chance.choices(debug, k=fillers - fillers // 2)
            for text in [*(have.begin if not written else ()), *others, line]:
                millis += chance.randint(0, 12)
                if millis // 1000 != second:
                    second = millis // 1000
                    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(BEGIN + second)).encode()
                written += out.write(stamp + b".%03d" % (millis % 1000) + text)
    return made


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds and peak memory in MB (10^6 bytes) of one process."""

    wall: float
    cpu: float
    peak: float


def run(command: Sequence[str]) -> Cost:
    """Run one process to its end, its output in a pipe."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    while os.read(process.stdout.fileno(), 1 << 20):
        pass
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode not in {0, 1, 3}:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    return Cost(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)


def in_turns(commands: dict[str, list[str]], runs: int) -> dict[str, list[Cost]]:
    """Cost of every run of every command; in turns, so that a busy moment of the machine hits all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            costs[name].append(run(command))
    return costs


def least_and_median(values: list[float], digits: int = 2) -> str:
    """`1.20 / 1.31`."""
    return f"{min(values):.{digits}f} / {statistics.median(values):.{digits}f}"


def machine() -> str:
    """What this ran on."""
    cpu = re.search(r"^model name\s*: (.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", _read("/proc/meminfo"), re.MULTILINE)
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', _read("/etc/os-release"), re.MULTILINE)
    parts = [
        cpu[1] if cpu else platform.processor() or platform.machine(), f"{os.cpu_count()} cores",
        f"{int(memory[1]) / 1e6:.0f} GB" if memory else "", f"Python {platform.python_version()}",
        name[1] if name else platform.system(), f"kernel {platform.release()}",
        "load " + " ".join(f"{load:.1f}" for load in os.getloadavg()),
    ]  # fmt: skip
    return ", ".join(part for part in parts if part)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def scan(log: Path, rooms: int, runs: int) -> None:
    """The large log: every way of asking beside grep."""
    room = f"ganglia-{rooms // 2:06d}"
    commands = {"grep -cF": ["grep", "-cF", room, str(log)]}
    if shutil.which("rg"):
        commands["rg -cF"] = ["rg", "-cF", room, str(log)]
    commands |= {
        "diagnose --room X --json": [FLETCHER, "diagnose", str(log), "--room", room, "--json"],
        "diagnose --json": [FLETCHER, "diagnose", str(log), "--json"],
        "diagnose": [FLETCHER, "diagnose", str(log)],
    }
    run(commands["grep -cF"])  # the file is in memory from here on
    costs = in_turns(commands, runs)
    grep = costs["grep -cF"]
    print(
        "| command | wall s, min / median | × grep | CPU s, min / median | × grep | peak MB |\n|---|---|---|---|---|---|"
    )
    for name, of in costs.items():
        walls, cpus = [c.wall for c in of], [c.cpu for c in of]
        by_wall, by_cpu = min(walls) / min(c.wall for c in grep), min(cpus) / min(c.cpu for c in grep)
        peak = f"{max(c.peak for c in of):.0f}" if name.startswith("diagnose") else ""
        print(
            f"| `{name}` | {least_and_median(walls)} | {by_wall:.1f} | {least_and_median(cpus)} | {by_cpu:.1f} | {peak} |"
        )


def memory(log: Path) -> None:
    """The log of many rooms: peak memory."""
    for name, more in {
        "--json": ["--json"],
        "as text": [],
        "--room X --json": ["--room", "ganglia-000007", "--json"],
    }.items():
        cost = run([FLETCHER, "diagnose", str(log), *more])
        print(f"| `diagnose` {name} | {cost.peak:.0f} | {cost.cpu:.1f} |")


def small(runs: int) -> None:
    """The largest recording, and what starting costs."""
    largest = max(RECORDINGS.glob("inc-*"), key=lambda case: sum(p.stat().st_size for p in case.glob("*.log")))
    files = [str(p) for p in sorted(largest.glob("*")) if p.suffix in {".log", ".yaml"} or p.name == "token.json"]
    projects = [part for p in sorted(largest.glob("agent*/")) for part in ("--project", str(p))]
    commands = {
        f"diagnose, the largest recording ({largest.name})": [FLETCHER, "diagnose", *files, *projects],
        "fletcher --help": [FLETCHER, "--help"],
        ".venv/bin/python -c pass": [sys.executable, "-c", "pass"],
        "python3 -c pass": ["python3", "-c", "pass"],
    }
    print("| command | wall ms, min / median | CPU ms, min / median |\n|---|---|---|")
    for name, of in in_turns(commands, runs).items():
        walls, cpus = [1000 * c.wall for c in of], [1000 * c.cpu for c in of]
        print(f"| `{name}` | {least_and_median(walls, 0)} | {least_and_median(cpus, 0)} |")


def main() -> None:
    """Make the logs, measure, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1000, metavar="MB", help="of the large log (default: 1000)")
    parser.add_argument("--rooms", type=int, default=50_000, help="of the log for memory (default: 50000)")
    parser.add_argument("--runs", type=int, default=3, help="of each command (default: 3)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the logs there, and use them if they are there")
    parser.add_argument("--quick", action="store_true", help="50 MB and 2000 rooms")
    args = parser.parse_args()
    size, rooms = (50, 2000) if args.quick else (args.size, args.rooms)
    folder = args.keep or Path(tempfile.mkdtemp(prefix="fletcher-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        names = max(50, 4 * size)
        large, many = folder / f"{size}mb.log", folder / f"{rooms}rooms.log"
        for log, arguments in ((large, (size * 1_000_000, names, True)), (many, (0, rooms, False))):
            if not log.exists():
                subprocess.run([sys.executable, __file__, "--make", str(log), *map(str, arguments)], check=True)
        print(f"{machine()}\n\nOne server's log, {large.stat().st_size / 1e6:.0f} MB:\n")
        scan(large, names, args.runs)
        print(f"\n{rooms} rooms, {many.stat().st_size / 1e6:.0f} MB:\n\n| command | peak MB | CPU s |\n|---|---|---|")
        memory(many)
        print()
        small(max(11, args.runs))
        print(f"\nLoad at the end: {os.getloadavg()[0]:.1f}")
    finally:
        if not args.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:  # in a process of its own, so that this one stays small: memory is inherited
        make(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), whole=sys.argv[5] == "True")
    else:
        main()
