"""How long it takes to list a thousand runbooks, and to read one in full.

Run `.venv/bin/python benchmarks/runbooks.py` from the checkout. The thousand are copies of those that come along, each
with an id of its own. Figures are of whole processes with their output in a pipe. Nothing is asserted but that all are
there: what is slow on one machine is fast on another.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNBOOKS = sorted((ROOT / "runbooks").glob("*.md"))


def main() -> None:
    """Make the folder, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=1000, help="how many runbooks are listed")
    parser.add_argument("--times", type=int, default=10, help="how often each command runs")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(args.many):
            source = RUNBOOKS[number % len(RUNBOOKS)]
            text = source.read_text(encoding="utf-8").replace(f"id: {source.stem}", f"id: copy-{number}", 1)
            (folder / f"copy-{number}.md").write_text(text, encoding="utf-8")
        calls = {
            f"`runbooks list` of {args.many}": ["runbooks", "list", "--runbooks", str(folder)],
            "`runbooks show` of one": ["runbooks", "show", "agent-never-joins"],
            "`--version`": ["--version"],
        }
        print("| | s, min / median |\n|---|---|")
        for label, call in calls.items():
            seconds = [timed(call, args.many if "list" in call else 0) for _ in range(args.times)]
            print(f"| {label} | {min(seconds):.2f} / {statistics.median(seconds):.2f} |", flush=True)


def timed(call: list[str], listed: int) -> float:
    """Seconds of one process, which must have listed so many copies."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "bot", *call], cwd=ROOT, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - begin
    assert done.stdout.count("\ncopy-") == listed
    return seconds


if __name__ == "__main__":
    main()
