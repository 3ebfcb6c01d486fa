"""How long it takes to patch a worker's source, beside the bare start of the same program.

Run `.venv/bin/python benchmarks/patch.py` from the checkout. The files are a worker as people write it and one of 900
lines, each in TypeScript and in Python; the patch takes its name out of it and is not written (`--dry-run`). Figures
are of whole processes with their output in a pipe, all in turns, after one that leaves its bytecode behind; the last
column is the work alone, in a process that has loaded everything. Nothing is asserted but that each file is edited: what is slow on one machine is fast on another.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
LONG = 900  # lines
HEAD = {
    "ts": """import { type JobContext, ServerOptions, cli, defineAgent, voice } from '@livekit/agents';

""",
    "py": """from livekit import agents
from livekit.agents import Agent, AgentSession, JobContext, WorkerOptions, cli

""",
}
MORE = {
    "ts": """/** What the caller is told about order {n}. */
async function order{n}(id: string, items: Array<{{ name: string; price: number }}>): Promise<string> {{
  const total = items.reduce((sum, item) => sum + item.price, 0);
  if (total > {n}) {{
    return `order ${{id}} of ${{items.length}} items costs ${{total}}`; // agentName: 'not-this-one'
  }}
  return ['nothing', "to", `pay`].join(' ');
}}

""",
    "py": '''async def order_{n}(number: str, items: list[dict[str, float]]) -> str:
    """What the caller is told about an order."""
    total = sum(item["price"] for item in items)
    if total > {n}:
        return f"order {{number}} of {{len(items)}} items costs {{total}}"  # agent_name="not-this-one"
    return " ".join(["nothing", "to", "pay"])


''',
}
TAIL = {
    "ts": """export default defineAgent({
  entry: async (ctx: JobContext) => {
    await ctx.connect();
    const session = new voice.AgentSession({ llm: 'openai/gpt-4.1-mini' });
    await session.start({ agent: new voice.Agent({ instructions: 'Help.' }), room: ctx.room });
  },
});

cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: 'support', initializeProcessTimeout: 60_000 }));
""",
    "py": """async def entrypoint(ctx: JobContext) -> None:
    await ctx.connect()
    session = AgentSession(llm="openai/gpt-4.1-mini")
    await session.start(agent=Agent(instructions="Help."), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, agent_name="support", num_idle_processes=2))
""",
}


def source(language: str, lines: int) -> str:
    """A worker of about so many lines."""
    text, number = HEAD[language], 0
    ends = TAIL[language].count("\n")
    while text.count("\n") + ends < lines:
        number += 1
        text += MORE[language].format(n=number)
    return text + TAIL[language]


def timed(call: list[str]) -> float:
    """Milliseconds of one process; a patch must edit its file."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bot", *call], cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=True
    )
    took = 1000 * (time.perf_counter() - begin)
    assert call == ["--help"] or [one["outcome"] for one in json.loads(done.stdout)] == ["edit"]
    return took


def work(path: str) -> float:
    """Milliseconds that reading, editing and reading again take in this process, at least."""
    from bot.patch import patches

    def once() -> float:
        begin = time.perf_counter()
        patches([path], "auto-dispatch", None)
        return 1000 * (time.perf_counter() - begin)

    return min(once() for _ in range(10))


def main() -> None:
    """Make the files, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how often each command runs")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        calls = {"`--help`": ["--help"]}
        for language, lines in (("ts", 20), ("py", 20), ("ts", LONG), ("py", LONG)):
            path = Path(name) / f"{lines}.{language}"
            path.write_text(source(language, lines), encoding="utf-8")
            written = path.read_text(encoding="utf-8").count("\n")
            spoken = {"ts": "TypeScript", "py": "Python"}[language]
            calls[f"{spoken}, {written} lines"] = [
                "patch",
                str(path),
                "--remedy",
                "auto-dispatch",
                "--dry-run",
                "--json",
            ]
        sys.path.insert(0, str(ROOT))
        alone = {label: work(call[1]) for label, call in calls.items() if len(call) > 1}
        took: dict[str, list[float]] = {label: [] for label in calls}
        for call in calls.values():
            timed(call)
        for _ in range(args.times):
            for label, call in calls.items():
                took[label].append(timed(call))
    start = took["`--help`"]
    print("| | ms, min / median | beside `--help` | the work alone |\n|---|---|---|---|")
    for label, of in took.items():
        beside = f"{min(of) - min(start):.0f} / {statistics.median(of) - statistics.median(start):.0f}"
        print(
            f"| {label} | {min(of):.0f} / {statistics.median(of):.0f} | {'' if of is start else beside} | {f'{alone[label]:.0f}' if label in alone else ''} |"
        )


if __name__ == "__main__":
    main()
