"""Everything that people do with Fletcher in Slack, one after the other, so that everything it says is said once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.doubles.slack import ADA, BOT, GRACE, LIN, OPS, Slack, buttons, says

if TYPE_CHECKING:
    from tests.doubles.slack_workspace import Json
    from tests.slack.served import Served

LINES = (
    "2026-11-23T02:46:11.504Z\tINFO\tlivekit\tserver started\nnot dispatching agent job since no worker is available"
)
VERBS = (
    "",
    "help",
    "runbooks",
    "status",
    "workers",
    "diagnos",
    "run mend nothing=1",
    "show nothing",
    "approve nothing",
)


def walk(served: Served, slack: Slack) -> dict[str, str]:
    """Walk through every verb, state of a card, dialog and view; the runs' ids by how they ended."""
    for verb in VERBS:
        _told(slack, verb)
    _told(slack, "run mend", LIN)
    slack.home_opened(ADA).ack()
    slack.until(lambda: slack.calls("views.publish"))
    ended = {
        "declined": _denied(served, slack),
        "cancelled": _cancelled(served, slack),
        "rolled-back": _taken_back(served, slack),
    }
    ended["fixed"] = fixed(served, slack)
    ended["healthy"] = served.ordered("diagnose").id
    served.later(ended["healthy"])
    _other_doors(served, slack)
    _told(slack, f"show {ended['fixed']}")
    _told(slack, "status")
    slack.until(lambda: all(_over(slack, run) for run in ended.values()), 20)
    return ended


def fixed(served: Served, slack: Slack) -> str:
    """One orders a diagnosis, another person approves, and it works; a guard warns, so he types its word."""
    served.place.put("look/warning", "a second worker runs")
    run, card = served.waiting("diagnose")
    slack.click(card, "show_plan", ADA).ack()
    slack.modal("set-value")
    slack.click(card, "approve", GRACE).ack()
    assert run.asked is not None
    slack.submit(slack.modal(run.asked.word), {"word": run.asked.word}, GRACE).ack()
    served.later(run.id, "fixed")
    (served.place.folder / "look" / "warning").unlink()
    return run.id


def _denied(served: Served, slack: Slack) -> str:
    run, card = served.waiting(f"diagnose\n{LINES}")
    slack.click(card, "deny", GRACE).ack()
    slack.submit(slack.modal("Deny"), {"reason": "not <now> & never"}, GRACE).ack()
    return served.later(run.id, "declined").id


def _cancelled(served: Served, slack: Slack) -> str:
    served.place.put("hang-note")
    run, card = served.waiting("run mend")
    slack.click(card, "approve", GRACE).ack()
    slack.until(
        lambda: [row for row in served.front.show(run.id).steps if (row.name, row.state) == ("note", "running")]
    )
    running = served.card(run, "cancel")
    slack.click(running, "cancel", ADA).ack()
    served.later(run.id)
    (served.place.folder / "hang-note").unlink()
    return run.id


def _taken_back(served: Served, slack: Slack) -> str:
    run, _ = served.waiting("run mend value=BROKEN")
    _told(slack, f"approve {run.id}", GRACE)
    return served.later(run.id).id


def _other_doors(served: Served, slack: Slack) -> None:
    known = {row.id for row in served.front.runs()}
    root = slack.write(LINES, ADA)
    slack.shortcut(root, user=ADA).ack()
    slack.until(lambda: {row.id for row in served.front.runs()} - known)
    slack.mention("status", ADA, thread=root["ts"]).ack()
    slack.dm("help", ADA).ack()
    slack.home_opened(GRACE).ack()
    slack.until(lambda: len({call.args["user_id"] for call in slack.calls("views.publish")}) == 2)


def _told(slack: Slack, text: str, user: str = ADA) -> Json:
    before = len(slack.whispers(user))
    slack.slash(text, user).ack()
    return slack.until(lambda: slack.whispers(user)[before:], 20, f"an answer to {text!r}")[0]


def _over(slack: Slack, run: str) -> bool:
    """Whether a card says that its run has ended, and its thread was told all of it."""
    found = [m for m in slack.roots(OPS) if run in says(m) or run in str(buttons(m))]
    return any(not {"approve", "deny", "cancel"} & buttons(m).keys() and m["user"] == BOT for m in found)
