"""A run as people meet it, made up, so that Slack can say what it thinks of each message and view before there is a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bot.engine.values import Asked, Decision, Looked, Order, Person, Point, Proof, Run, StepRow
from bot.findings import Finding, Quote
from bot.plan.values import Asked as Need
from bot.plan.values import Command, Disrupts, FileEdit, Guard, Plan, Step, sealed
from bot.probes.values import Probe, Result, Standing
from bot.runbook.document import Runbook, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engine.values import RunState
    from bot.report.slack.message import Message

_AT: Final = 1_790_000_000.0
_ADA: Final = Person("ada", "slack", "C0SAMPLE01", "U0SAMPLE01")
_LINE: Final = (
    '2026-11-23T02:45:05.695Z  WARN  not dispatching agent job since no worker is available  {"jobType": "JT_ROOM"}'
)
_DIFF: Final = (
    "--- a/agent.ts\n+++ b/agent.ts\n@@ -1,3 +1,2 @@\n cli.runApp(new WorkerOptions({\n-  agentName: 'sample',\n }));"
)
_STATES: Final[tuple[RunState, ...]] = ("queued", "waiting", "running", "fixed", "rolled-back")


def shown() -> Iterator[tuple[str, Message | dict[str, Any]]]:
    """Each kind of message and view that Fletcher shows, with its name."""
    from bot import __version__
    from bot.report.slack import modals
    from bot.report.slack.alert import Told, alert
    from bot.report.slack.answers import help_
    from bot.report.slack.card import card
    from bot.report.slack.home import home
    from bot.report.slack.message import Message
    from bot.report.slack.thread import thread

    for state in _STATES:
        run = _run(state)
        yield f"the message of a run that is {state}", card(run, approvers="grace may approve it.", now=_AT)
        for part in thread(run, "<@U0SAMPLE0> may approve it."):
            if isinstance(part.content, Message):
                yield f"{part.key} of a run that is {state}", part.content
    waiting = _run("waiting")
    yield "help", help_()
    bad = _standing()
    yield "App Home", home(waiting=[waiting], mine=[], served="Nobody.", version=__version__, now=_AT, probes=[bad])
    yield "an alert", alert(Told(bad, "degraded", _AT, bad.last, 17, 17, run=waiting), _AT + 1020)
    yield "an alert that is over", alert(Told(bad, "degraded", _AT, bad.last, 17, 17, over=_AT + 1020), _AT + 1020)
    yield "the dialog of Deny", modals.deny(waiting.id, waiting.digest)
    yield (
        "the dialog of a guard",
        modals.approve_word(waiting.id, waiting.digest, "understood", "A second worker is there."),
    )
    yield "the dialog of Show plan", modals.plan(waiting)


def _run(state: RunState) -> Run:
    order = Order(id="sample", runbook="diagnose", person=_ADA, at=_AT, live=True)
    runbook = Runbook(id="agent-never-joins", title="The agent never joins", path="", sha256="0" * 64)
    if state == "queued":
        return Run(order=order, state=state, changed_at=_AT, runbook=runbook)
    looked = _looked()
    asked = Asked(need="peer", why="live sessions may be cut off", until=_AT + 900)
    if state == "waiting":
        return Run(order=order, state=state, changed_at=_AT, runbook=runbook, looked=looked, asked=asked)
    ended = state != "running"
    proof = Proof(
        result="holds" if state == "fixed" else "refuted", says="seen in a room of its own",
        points=(Point("dispatch", state == "fixed", "the server wrote: assigned job to worker"), Point("agent", None, "nobody joined")),
    )  # fmt: skip
    return Run(
        order=order, state=state, changed_at=_AT, runbook=runbook, looked=looked, asked=asked,
        decision=Decision(kind="yes", person=Person("grace", "slack", "C0SAMPLE01", "U0SAMPLE02"), digest=looked.plan.digest, at=_AT),
        steps=tuple(StepRow(name=step.name, state="done" if ended else "running", says="done", attempts=1) for step in looked.plan.steps),
        proof=proof if ended else None, says=("It holds.",) if ended else (),
    )  # fmt: skip


def _standing() -> Standing:
    runbook = Runbook(id="log-sweep", title="Rooms that lack their agent", path="", sha256="0" * 64)
    probe = Probe(name="log-sweep", runbook=runbook, schedule=Schedule(every=60.0))
    last = Result(light="red", says="1 room lacks its agent.", findings=_looked().findings)
    return Standing(
        probe=probe, state="degraded", since=_AT, count=17, light="red", streak=17, slot=int(_AT) + 960, last=last
    )


def _looked() -> Looked:
    edit = FileEdit(file="agent.ts", outcome="edit", reason="", before="0" * 64, after="1" * 64, diff=_DIFF)
    build = Command(argv=("docker", "compose", "up", "-d", "--build", "voice-agent"))
    steps = (
        Step(name="plain-worker", kind="patch", line=1, heading="", does="patches agent.ts", effect="change", timeout=10, files=(edit,)),
        Step(name="rebuild", kind="compose", line=2, heading="", does="rebuilds voice-agent", effect="disrupt", timeout=600, command=build),
    )  # fmt: skip
    plan = Plan(
        runbook="agent-never-joins", title="The agent never joins", revision="0" * 64, target="sample", room="sample-room",
        cause="dispatch-missing", agent="sample", remedy="auto-dispatch", why="nobody asks for the agent by its name", steps=steps,
        effect="disrupt", approval=Need("peer", "live sessions may be cut off"), guards=(Guard("note", "there is one worker"),),
        disrupts=(Disrupts(who="voice-agent", rooms=1, people=2, by="the LiveKit API"),),
    )  # fmt: skip
    found = Finding(
        room="sample-room", verdict="cause", cause="dispatch-missing", agent="sample", summary="Nobody asked for the agent.", confidence=0.97,
        quotes=(Quote("livekit.log:7", _LINE, "the server had nobody to ask"),), missing=("the worker's log",), advice="Ask for it by its name.",
    )  # fmt: skip
    return Looked(plan=sealed(plan), verdict="cause", quotes=(f"livekit.log:7: {_LINE}",), findings=(found,), rooms=1)
