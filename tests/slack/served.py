"""`fletcher serve` with Slack, on a service that can really be mended: the folder, its executor, and the gateway beside it."""

from __future__ import annotations

import io
import json
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from msgspec import structs

from bot.doors import engine
from bot.doors.slack.serving import slack
from bot.doors.slack.tokens import Tokens
from bot.engine.contract import Sight
from bot.engine.values import DIAGNOSE
from bot.runbook import shelf
from tests.doubles.slack import ADA, APP_TOKEN, BOT_TOKEN, GRACE, OPS, Slack, buttons, says
from tests.engine.staged import MEND, Eyes, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engine.contract import Parts
    from bot.engine.front import Front
    from bot.engine.values import Order, Run
    from bot.runbook.document import Runbook

PERSONS = f"""
runbooks = ["mine"]

[[person]]
name = "ada"
slack = ["{ADA}"]

[[person]]
name = "grace"
slack = ["{GRACE}"]
"""
#: Ada may run, both may approve, and whatever changes something needs another person.
POLICY = """
[policy]
run = [{who = "ada", doors = ["slack", "terminal"]}]
approve = [{who = ["ada", "grace"], doors = ["slack"]}]
effects = {change = "peer"}
"""


@dataclass
class Finding(Eyes):
    """Eyes that find the runbook by themselves where the order leaves it open."""

    files: list[tuple[str, str]] = field(default_factory=list)

    def look(self, order: Order, runbook: Runbook, inputs: dict[str, str]) -> Sight:
        self.files += [(kind, Path(path).read_text(encoding="utf-8")) for kind, path in order.files]
        if runbook != DIAGNOSE:
            return super().look(order, runbook, inputs)
        found = shelf.read(self.folder / "mine" / "mend.md")
        looked, masked = super().look(order, found, inputs)
        return Sight(structs.replace(looked, runbook=found) if looked.verdict == "cause" else looked, masked)


class Served:
    """The service in `here`, served with Slack while the context lasts; `settings` are its fletcher.toml.

    `parts` are what is acted with, where that is not to be the service.
    """

    def __init__(self, here: Path, slack_: Slack, settings: str = PERSONS + POLICY, *, eyes: Finding | None = None, parts: Parts | None = None) -> None:  # fmt: skip
        self.slack, self.place, self._parts = slack_, Place(here), parts
        self.place.put("mine/mend.md", MEND)
        self.place.put("fletcher.toml", settings)
        self.eyes = eyes or Finding(here)
        self.log = io.StringIO()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self.policy = self.place.policy = engine.policy(None, ("slack",))
        parts = replace(self._parts or replace(self.place.parts, eyes=self.eyes), policy=self.policy)
        self.front: Front = self._held.enter_context(self.place.front())
        stop = threading.Event()
        thread = threading.Thread(target=self.front.serve, args=(parts, stop, "root", self.log))
        thread.start()
        self._held.callback(thread.join)
        self._held.callback(stop.set)
        while self.front.executor() is None:
            assert thread.is_alive(), self.log.getvalue()
            time.sleep(0.005)
        tokens = Tokens(BOT_TOKEN, APP_TOKEN, self.slack.url)
        self.state = self._held.enter_context(slack(tokens, self.front, self.policy, engine.persons(None), None))
        self.slack.connected(2)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def runs(self) -> list[Run]:
        """Every run, the newest first."""
        return [self.front.show(row.id) for row in self.front.runs()]

    def until(self, what: Callable[[Run], Any], within: float = 20.0) -> Run:
        """The newest run once that is so of it."""
        end = time.monotonic() + within
        while not (runs := self.runs()) or not what(runs[0]):
            assert time.monotonic() < end, (runs and (runs[0].state, runs[0].says), self.logged())
            time.sleep(0.005)
        return runs[0]

    def state_of(self, state: str) -> Run:
        """The newest run once it is in this state."""
        return self.until(lambda run: run.state == state)

    def ordered(self, text: str = "diagnose", user: str = ADA, channel: str = OPS) -> Run:
        """Order something in Slack; the run, as it was when it had been ordered."""
        known = {row.id for row in self.front.runs()}
        self.slack.slash(text, user, channel).ack()
        new = self.slack.until(lambda: [row.id for row in self.front.runs() if row.id not in known], why="an order")
        return self.front.show(new[0])

    def later(self, run: str, *states: str, within: float = 20.0) -> Run:
        """That run once it is in one of these states, or has ended where none is named."""
        end = time.monotonic() + within
        now = self.front.show(run)
        while not (now.state in states if states else now.ended):
            assert time.monotonic() < end, (now.state, now.says, self.logged())
            time.sleep(0.005)
            now = self.front.show(run)
        return now

    def waiting(self, text: str = "diagnose", user: str = ADA) -> tuple[Run, dict[str, Any]]:
        """Order something that waits for an answer; the run, and its message with the buttons."""
        run = self.later(self.ordered(text, user).id, "waiting")
        return run, self.card(run, "approve")

    def card(self, run: Run, button: str = "", says_: str = "", channel: str = OPS) -> dict[str, Any]:
        """The message of a run, once it has that button and says that."""

        def there() -> dict[str, Any] | None:
            for message in self.slack.roots(channel):
                if run.id in str(message) and (not button or button in buttons(message)) and says_ in says(message):
                    return message
            return None

        return self.slack.until(there, why=lambda: f"{button} {says_} of {run.id} in {self.slack.roots(channel)}")

    def logged(self) -> list[str]:
        """What the log says."""
        return [json.loads(line).get("trace") or json.loads(line)["says"] for line in self.log.getvalue().splitlines()]
