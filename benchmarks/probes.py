"""A thousand probes a minute of 200 ms each, on one machine: what is missed, what is looked twice, and what memory it takes.

Run `.venv/bin/python benchmarks/probes.py` from the checkout. `fletcher serve` is a process of its own on SQLite; each probe
asks an address that answers after 200 ms, as an endpoint of Gatus does. The service that answers counts the questions, so
that what was looked twice is seen from outside. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PROBES, MINUTES, EVERY, ANSWERS = 1000, 6, 60, 0.2
LOOK = """\
---
runbook: 1
id: answers
title: It answers
inputs:
  url: {type: url, required: true}
---

# It answers

```yaml { verify name=answers }
http: {url: "${url}", status: 200}
```
"""
PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--probes", type=int, default=PROBES)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    args = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}\n")
    asked: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, answering(asked) as port:
        folder = Path(name)
        (folder / "answers.md").write_text(LOOK, encoding="utf-8")
        (folder / "fletcher.toml").write_text(
            'runbooks = ["."]\n'
            + "".join(
                f'[[probe]]\nrunbook = "answers"\nname = "p{n}"\nevery = "{EVERY}s"\norders = "nothing"\n'
                f'inputs = {{url = "http://127.0.0.1:{port}/p{n}"}}\n'
                for n in range(args.probes)
            ),
            encoding="utf-8",
        )
        with serving(folder) as process:
            watched(process.pid, args.minutes * 60)
        judged(folder, asked)


def watched(pid: int, seconds: float) -> None:
    """Print memory and processor for each minute."""
    began, before = time.monotonic(), used(pid)
    minute = 0
    while (now := time.monotonic() - began) < seconds:
        time.sleep(min(1.0, seconds - now))
        if now >= (minute + 1) * 60:
            minute, cpu = minute + 1, used(pid)
            print(
                f"minute {minute}: {resident(pid) / 1e6:6.1f} MB, {(cpu - before) / 0.6:5.1f} % of a core", flush=True
            )
            before = cpu
    print(f"at most:  {highest(pid) / 1e6:6.1f} MB")


def judged(folder: Path, asked: Counter[str]) -> None:
    """Print what became of the slots."""
    with sqlite3.connect(folder / ".fletcher" / "fletcher.db") as store:
        states = dict(store.execute("SELECT state, count(*) FROM slots GROUP BY state").fetchall())
        done = dict(
            store.execute(
                "SELECT probe, count(*) FROM slots WHERE state IN ('done', 'taken') GROUP BY probe"
            ).fetchall()
        )
        late = [at - slot for at, slot in store.execute("SELECT at, slot FROM slots WHERE state = 'done'")]
        lights = Counter(
            row[0] for row in store.execute("SELECT json_extract(result, '$.light') FROM slots WHERE state = 'done'")
        )
    print(f"slots:    {', '.join(f'{count} {state}' for state, count in sorted(states.items()))}; {dict(lights)}")
    print(f"missed:   {states.get('missed', 0)}")
    print(
        f"twice:    {sum(asked[f'/{name}'] > count for name, count in done.items())} probes were asked more often than slots were looked"
    )
    print(
        f"from due until written, s: {statistics.median(late):.2f} median, {statistics.quantiles(late, n=100)[98]:.2f} p99, {max(late):.2f} at most"
    )


@contextmanager
def serving(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`fletcher serve` in a folder, until it has ended."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "FLETCHER_HOME": str(folder / ".fletcher"),
        "DOCKER_HOST": f"unix://{folder}/none.sock",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "bot", "serve"], cwd=folder, env=env, stderr=log)
        try:
            yield process
            assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@contextmanager
def answering(asked: Counter[str]) -> Iterator[int]:
    """A service that answers each question after a while, and counts them by path; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked[head.split(b" ", 2)[1].decode()] += 1
        await asyncio.sleep(ANSWERS)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def resident(pid: int) -> float:
    """Bytes of a process in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE


def highest(pid: int) -> float:
    """The most that it ever had in memory."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def used(pid: int) -> float:
    """Seconds of processor that it has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
