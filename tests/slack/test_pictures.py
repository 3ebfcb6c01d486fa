"""What people read, as files that can be reviewed: `python -m tests.slack.test_pictures` draws them anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.engine.values import Row
from bot.probes.values import Hold
from bot.report.probed import shown
from bot.report.probes import lines, whole
from bot.report.slack import answers, modals
from bot.report.slack.alert import alert
from bot.report.slack.card import card
from bot.report.slack.home import home
from bot.report.slack.message import Message
from bot.report.slack.thread import thread
from tests.slack.probed import standing
from tests.slack.readable import readable
from tests.slack.runs import AT, lives
from tests.slack.test_alert import EVERY, MUTE, NOW

if TYPE_CHECKING:
    from bot.engine.values import RunState
    from bot.report.slack.modals import View

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURES = Path(__file__).parent / "pictures"
APPROVERS = "<@U0GRACE> may approve it in <#C0OPS>; <@U0ADA> asked for it and may not."


def drawn() -> dict[str, str]:
    """Every picture by its name."""
    every = lives()
    moments = {
        "waiting": every["fixed"][2], "running": every["fixed"][5], "fixed": every["fixed"][-1], "rolled-back": every["rolled-back"][-1],
        "refused": every["refused"][-1], "no-runbook": every["no-runbook"][-1], "inconclusive": every["inconclusive"][-1], "unknown": every["unknown"][-1],
    }  # fmt: skip
    content: dict[str, Message | View] = {
        name: card(run, approvers=APPROVERS if name == "waiting" else "", now=AT + 30) for name, run in moments.items()
    }
    parts = [part.content for part in thread(every["rolled-back"][-1]) if isinstance(part.content, Message)]
    ends: tuple[RunState, ...] = ("fixed", "healthy", "waiting")
    mine = [Row(f"fl-{at}", "diagnose", "demo", "my-room", state, "ada", AT, AT) for at, state in enumerate(ends)]
    content |= {
        "help": answers.help_(),
        "modal-deny": modals.deny("fl-7c1d", "0" * 64),
        "modal-plan": modals.plan(moments["waiting"]),
    }
    asked = thread(moments["waiting"], APPROVERS)[-1].content
    assert isinstance(asked, Message)
    content["asked"] = asked
    probes = [standing("healthy", "agent-canary"), standing(), standing("unknown", "stack-health", mute=MUTE)]
    content["home"] = home(
        waiting=[moments["waiting"]], mine=mine, served="fletcher serve on this host", version="1.0", now=AT, probes=probes,
        hold=Hold(by="grace", at=AT, door="slack", why="the cluster is moved"),
    )  # fmt: skip
    content |= {f"alert-{name}": alert(one, NOW) for name, one in EVERY.items()}
    content["probes"] = answers.probes(lines(probes, now=NOW, due=lambda _: NOW + 30, width=110))
    content["probe"] = answers.probes(
        whole(
            shown(probes)[1],
            now=NOW,
            history=[(int(AT), "done", probes[1].last), (int(AT) + 60, "missed", None)],
            width=110,
        )
    )
    content["no-probes"] = answers.probes(lines((), now=NOW, width=110))
    out = {
        name: f"text: {one.text}\n\n{readable(one)}" if isinstance(one, Message) else readable(one)
        for name, one in content.items()
    }
    out["thread"] = "\n".join(f"text: {one.text}\n\n{readable(one)}" for one in parts)
    digest = moments["waiting"].digest[:12]  # is over the plan's paths too
    return {name: text.replace(str(ROOT), "/srv/fletcher").replace(digest, "0" * 12) for name, text in out.items()}


DRAWN = drawn()


@pytest.mark.parametrize("name", DRAWN)
def test_it_reads_as_it_was_reviewed(name: str) -> None:
    """A change of what people read is seen in a review."""
    assert DRAWN[name] == (PICTURES / f"{name}.txt").read_text(encoding="utf-8")


def test_no_picture_is_left_over() -> None:
    """Each file is drawn."""
    assert {path.stem for path in PICTURES.iterdir()} == set(DRAWN)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for name, text in DRAWN.items():
        (PICTURES / f"{name}.txt").write_text(text, encoding="utf-8")
