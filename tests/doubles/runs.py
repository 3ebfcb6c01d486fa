"""Runs as the engine writes them down, made for tests: everything in them can be said otherwise."""

from __future__ import annotations

from msgspec.structs import replace

from bot.engine.values import Asked, Decision, Looked, Order, Person, Point, Proof, Run, StepRow
from bot.plan.values import Asked as Need
from bot.plan.values import Command, Disrupts, FileEdit, Guard, Plan, Step, sealed
from bot.runbook.document import Input, Runbook
from bot.steps.contract import Outcome

SECOND = 1_000_000_000
AT = 1_790_000_000.0
ANN = Person("ann", "terminal")
DIFF = "--- a/agent.ts\n+++ b/agent.ts\n@@ -1,2 +1,1 @@\n-  agentName: 'x',\n   y"


def plan(text: str = "", /, **more: object) -> Plan:
    """A plan of two steps; `text` is put wherever somebody else's text may stand."""
    edit = FileEdit(file="agent.ts", outcome="edit", reason="", before="0" * 64, after="1" * 64, diff=f"{DIFF}{text}")
    steps = (
        Step(name="plain-worker", kind="patch", line=1, heading="", does=f"patches agent.ts{text}", effect="change", timeout=10, files=(edit,)),
        Step(
            name="rebuild-agent", kind="compose", line=2, heading="", does="rebuilds voice-agent", effect="disrupt", timeout=600,
            command=Command(argv=("docker", "compose", "up", "-d", "--build", "voice-agent")),
        ),
    )  # fmt: skip
    made = Plan(
        runbook="agent-never-joins", title=f"Agent never joins{text}", revision="a" * 64, target="demo", room=f"my-room{text}",
        cause="dispatch-missing", agent=f"agent{text}", remedy="auto-dispatch", why=f"the token asks for nobody{text}", steps=steps, effect="disrupt",
        approval=Need("peer", "live sessions may be cut off"), disrupts=(Disrupts(who="voice-agent", rooms=1, people=2, by="the LiveKit API"),),
        guards=(Guard("note", f"one worker{text}"),), side_effects=(f"lines `not dispatching` go on{text}",),
        left_over=(f"server.ts:3 asks for it{text}",),
    )  # fmt: skip
    return sealed(replace(made, **more))


def run(text: str = "", /, **more: object) -> Run:
    """A run that was fixed."""
    order = Order(
        id="1a2b3c4d", runbook="agent-never-joins", person=ANN, at=AT, inputs={"pin": "hush", "remedy": "auto-dispatch"}
    )
    runbook = Runbook(
        id="agent-never-joins", title=f"Agent never joins{text}", path="x.md", sha256="a" * 64,
        inputs=(Input(name="pin", line=1, secret=True), Input(name="remedy", line=2, choices=("auto-dispatch", "create-dispatch"))),
    )  # fmt: skip
    looked = Looked(plan=plan(text), verdict="cause", quotes=(f"livekit.log:7 not dispatching{text}",))
    done = Outcome(state="done", says=f"it is done{text}", began_ns=0, ended_ns=2 * SECOND)
    points = (
        Point("registration", True, f'the worker registered as "", JT_ROOM{text}'), Point("dispatch", None, "no new token was made"),
        Point("agent", True, "the agent was ACTIVE after 0.4 s"),
    )  # fmt: skip
    made = Run(
        order=order, state="fixed", changed_at=AT + 30, runbook=runbook, looked=looked,
        asked=Asked(need="confirm", why="live sessions may be cut off", until=AT + 900),
        decision=Decision(kind="yes", person=ANN, digest=looked.plan.digest, at=AT + 5, reason=f"go{text}"),
        steps=(
            StepRow(name="plain-worker", state="done", says=f"patched{text}", outcome=done, attempts=1),
            StepRow(name="rebuild-agent", state="done", outcome=done, attempts=1),
            StepRow(name="new-token", state="skipped", says=f"nothing to do{text}"),
        ),
        proof=Proof(result="holds", points=points, says=f"the agent is ACTIVE and stayed{text}"), says=(f"It holds{text}.",),
    )  # fmt: skip
    return replace(made, **more)
