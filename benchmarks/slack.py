"""How long a person waits in Slack: from a command that is sent over the websocket to the answer that arrives, without Slack.

Run `.venv/bin/python benchmarks/slack.py` from the checkout. Fletcher is a process of its own with the small service of the
tests to look at; Slack is the tests' gateway (tests/doubles), which answers at once, so what is measured is Fletcher's own
time. Meanwhile 10 runs wait for an answer and 10 print 20 lines a second each. Beside it stands a bare echo on Slack's own
Bolt for Python: it acknowledges and answers with what was typed. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from msgspec import structs  # noqa: E402  # the checkout's own packages, whatever is installed

from bot.engine.contract import Sight  # noqa: E402
from bot.plan.values import sealed  # noqa: E402
from bot.runbook import document as doc  # noqa: E402
from tests.doubles.slack import ADA, GRACE, Channel, Slack, User, buttons, says  # noqa: E402
from tests.engine import staged  # noqa: E402
from tests.slack.served import PERSONS, Finding, Served  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engine.values import Order
    from bot.runbook.document import Runbook
    from bot.steps.contract import Doing, Kind, Memory, Outcome, Task
    from tests.doubles.slack_wire import Sent
    from tests.doubles.slack_workspace import Json

RUNS, WARM = 200, 10
WAITING = STREAMING = 10
SETTINGS = f"""{PERSONS}
[policy]
run = [{{}}]
approve = [{{}}]
"""
STREAM = """\
---
runbook: 1
id: stream
title: Print lines
---

# Print lines

```sh { step name=stream effect=change rollback=unstream }
yes
```

```sh { verify name=works after=stream }
true
```

```sh { rollback name=unstream for=stream }
true
```
"""
ECHO = """\
import asyncio, os
from slack_bolt.async_app import AsyncApp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.web.async_client import AsyncWebClient

async def main():
    app = AsyncApp(client=AsyncWebClient(os.environ.pop("SLACK_BOT_TOKEN"), base_url=os.environ["SLACK_API_URL"]))

    @app.command("/fletcher")
    async def echo(ack, command, respond):
        await ack()
        await respond(command["text"])

    await AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"]).start_async()

asyncio.run(main())
"""


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--child", nargs=2, metavar=("URL", "DIR"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(*args.child)
        return
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}\n")
    print(f"{'ms, p50 / p99, of ' + str(args.runs):<44}")
    with Slack() as slack, started(slack, [sys.executable, "-c", ECHO], 1):
        told("Bolt's bare echo", [answered(slack, f"text {n}") for n in range(args.runs + WARM)])
    with (
        tempfile.TemporaryDirectory() as name,
        Slack() as slack,
        started(slack, [sys.executable, __file__, "--child", slack.url, name], 2),
    ):
        told("fletcher, idle: help", [answered(slack, "help") for _ in range(args.runs + WARM)])
        run = busy(slack)
        for verb in ("help", "status", "runbooks", f"show {run}"):
            told(f"while 20 runs go on: {verb.split()[0]}", [answered(slack, verb) for _ in range(args.runs + WARM)])
        told("the message of a run that was ordered", [ordered(slack, n) for n in range(args.runs // 4 + WARM)])
        told("buttons gone after Approve", [pressed(slack, n) for n in range(args.runs // 4 + WARM)])


def told(what: str, times: list[float]) -> None:
    """Print a line."""
    seconds = sorted(times[WARM:])
    print(
        f"{what:<44} {statistics.median(seconds) * 1000:6.1f} / {seconds[int(len(seconds) * 0.99)] * 1000:6.1f}",
        flush=True,
    )


def answered(slack: Slack, text: str) -> float:
    """Seconds from a command to its answer."""
    before = len(slack.whispers(ADA))
    sent = slack.slash(text, ADA)
    slack.until(lambda: len(slack.whispers(ADA)) > before)
    call = [c for c in slack.journal if c.method in {"response_url", "chat.postEphemeral"}][-1]
    return call.at - sent.at


def ordered(slack: Slack, number: int) -> float:
    """Seconds from an order to its message; each of a person and in a channel of his own, since both are held to a pace."""
    sent = order(slack, f"B{number:03d}", "run mend")
    return slack.until(lambda: slack.calls("chat.postMessage", channel=f"C0B{number:03d}"))[0].at - sent.at


def order(slack: Slack, name: str, text: str) -> Sent:
    """Order something in a channel that nobody else uses."""
    slack.store.users[f"U0{name}"] = User(f"U0{name}", name.lower())
    slack.store.channels[f"C0{name}"] = Channel(f"C0{name}", name.lower())
    return slack.slash(text, f"U0{name}", f"C0{name}")


def card(slack: Slack, name: str, button: str) -> Json:
    """The message in that channel, once it has that button."""
    return slack.until(
        lambda: next((m for m in slack.roots(f"C0{name}") if button in buttons(m)), None), 30,
        lambda: f"a message with {button}; there is {[says(m) for m in (*slack.roots(f'C0{name}'), *slack.whispers(f'U0{name}'))]}",
    )  # fmt: skip


def pressed(slack: Slack, number: int) -> float:
    """Seconds from a click on Approve to the message without the button."""
    channel = f"C0B{number:03d}"
    sent = slack.click(card(slack, f"B{number:03d}", "approve"), "approve", GRACE)
    gone = slack.until(
        lambda: next(
            (
                c
                for c in slack.calls("chat.update", channel=channel)
                if c.at > sent.at and "approve" not in buttons(c.args)
            ),
            None,
        )
    )
    return gone.at - sent.at


def busy(slack: Slack) -> str:
    """Order the runs that wait and those that print; the id of one that waits."""
    names = [f"BUSY{number:02d}" for number in range(WAITING + STREAMING)]
    for number, name in enumerate(names):
        order(slack, name, "run mend" if number < WAITING else "run stream").ack()
    for name in names[WAITING:]:
        slack.click(card(slack, name, "approve"), "approve", GRACE).ack()
    for name in names[WAITING:]:
        card(slack, name, "cancel")
    return str(buttons(card(slack, names[0], "approve"))["approve"]["value"]).split()[0]


@contextmanager
def started(slack: Slack, command: list[str], connections: int) -> Iterator[None]:
    """A process that is connected."""
    with subprocess.Popen(command, env={**os.environ, **slack.environment}, stdin=subprocess.PIPE) as process:
        try:
            slack.connected(connections, 30)
            yield
        finally:
            process.terminate()
            process.wait(30)


# --- the process that is measured ------------------------------------------------------------------


@dataclass
class Far:
    """The gateway, as the process sees it."""

    url: str

    def connected(self, number: int) -> None:
        """The other side looks after that."""


class Apart(Finding):
    """Every run has a target of its own, so that they need not wait for one another."""

    def look(self, order: Order, runbook: Runbook, inputs: dict[str, str]) -> Sight:
        looked, masked = super().look(order, runbook, inputs)
        return Sight(structs.replace(looked, plan=sealed(structs.replace(looked.plan, target=order.id))), masked)


class Streaming(staged.Scripting):
    """Prints 20 lines a second until it is stopped."""

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        number = 0
        while not doing.stop.wait(0.05):
            number += 1
            doing.tell(f"line {number} of something that goes on for long and says what it does")
        return super().perform(task, memory, doing)


def kind(block: doc.AnyBlock) -> Kind:
    """What carries out a block."""
    return Streaming() if isinstance(block, doc.ShellStep) and block.name == "stream" else staged.kind(block)


def child(url: str, folder: str) -> None:
    """Serve until the end."""
    os.chdir(folder)
    here = Path(folder)
    slack: Any = Far(url)
    served = Served(here, slack, SETTINGS, eyes=Apart(here))
    served.place.put("mine/stream.md", STREAM)
    served._parts = replace(served.place.parts, eyes=served.eyes, kind=kind)  # noqa: SLF001  # its own process
    with served:
        time.sleep(3600)


if __name__ == "__main__":
    main()
