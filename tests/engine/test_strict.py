"""What a stranger would try: stale approvals, cancelling early, guards that cannot tell, retries, checks that were failing."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
import sqlalchemy as sa

from bot.engine import rows
from bot.engine import tables as t
from bot.engine.acting import Acting
from bot.plan.values import Checked
from bot.runbook import shelf
from bot.steps.contract import Memory
from tests.engine.staged import ME, MEND, Door, Place, World
from tests.engine.test_runs import Serving, until
from tests.fletcher import fletcher

if TYPE_CHECKING:
    from pathlib import Path

    from bot.engine.contract import Sight
    from bot.engine.values import Order
    from bot.redact import Redactor
    from bot.runbook.document import Runbook

GUARDED = MEND.replace(
    "```sh { step name=note effect=change rollback=unnote }",
    "```sh { check name=noted }\nnote\n```\n\n```sh { step name=note effect=change rollback=unnote unless=noted retries=3 }",
)


def test_what_was_approved_long_ago_does_not_begin(tmp_path: Path) -> None:
    """Nobody carried it out in time, such as while nothing served: the approval has expired, as a question does."""
    place = Place(tmp_path)
    with Serving(place), place.front() as front:
        run = until(front, front.submit(place.order()), "waiting")
    with place.front() as front:
        said = Door().ask(run)
        assert said is not None
        front.decide(run.id, said)
        old = msgspec.structs.replace(said, at=time.time() - 901)
        with front._store.change() as change:
            change.c.execute(sa.update(t.approvals).values(decision=rows.text(old)))
        ended = front.go_on_here(place.parts, run.id, ME, Door())
    assert (ended.state, place.done) == ("expired", [])
    assert "nothing carried it out within 15m" in ended.says[-1]


def test_cancelled_while_it_looks_it_asks_nobody(tmp_path: Path) -> None:
    """The question of a run that somebody has cancelled is not put to anybody."""
    place, door = Place(tmp_path), Door()

    class Cancelling:
        def look(self, order: Order, runbook: Runbook, inputs: dict[str, str]) -> Sight:
            front.cancel(order.id, ME)
            return place.parts.eyes.look(order, runbook, inputs)

        def redactor(self, *_: object) -> Redactor:
            raise AssertionError

    with place.front() as front:
        run = front.run_here(replace(place.parts, eyes=Cancelling()), place.order(), door)
    assert (run.state, door.asked, place.done) == ("cancelled", [], [])


@pytest.mark.parametrize(
    ("result", "word"), [("matched", "on"), ("inconclusive", "unknown"), ("not-matched", "on")], ids=str
)
def test_a_guard_that_cannot_tell_leaves_it_to_a_person(tmp_path: Path, result: str, word: str) -> None:
    """Of a step that was in flight: done when its guard says so, begun anew when not; else nobody knows."""
    place = Place(tmp_path)
    place.put("mend.md", GUARDED)

    def ask(check: object, *_: object) -> Checked:  # noqa: ARG001  # every check's form
        return Checked("noted", result, "")  # type: ignore[arg-type]  # one of its words

    parts = replace(place.parts, ask=ask)
    with place.front() as front:
        order = place.order()
        front.submit(order)
        looked = parts.eyes.look(order, shelf.read(tmp_path / "mend.md"), {}).looked
        with front._store.change() as change:
            rows.put(change.c, order.id, looked=rows.text(looked), target="x")
            rows.plan_steps(change.c, order.id, tuple((step.name, "planned", "") for step in looked.plan.steps))
            for state in ("looking", "running"):
                change.go(order.id, state)
            rows.begin(change.c, order.id, "note", "do", 1, Memory(began_ns=1), change.now)
        assert Acting(front._store, parts).take(order.id, "note") == word
        assert front.show(order.id).state == ("unknown" if word == "unknown" else "running")
    assert place.done == (["note"] if result == "not-matched" else [])


def test_what_is_tried_again_is_waited_for(tmp_path: Path) -> None:
    """Longer each time; and not again once its guard says that it is done."""
    place, door = Place(tmp_path), Door()
    place.put("mend.md", GUARDED)
    place.put("fail-note")
    waits: list[float] = []

    class Waiting(World):
        def wait(self, seconds: float) -> None:
            waits.append(seconds)
            super().wait(30)

    world = Waiting(tmp_path)
    asked = iter(("not-matched", "not-matched", "not-matched", "matched"))

    def ask(check: object, *_: object) -> Checked:  # noqa: ARG001  # every check's form
        return Checked("noted", next(asked), "")  # type: ignore[arg-type]  # one of its words

    with place.front() as front:
        run = front.run_here(replace(place.parts, ask=ask, make_world=lambda _: world), place.order(), door)
    assert run.state == "rolled-back"
    assert place.done.count("note") == 3
    told = [event.text for event in door.heard if "tried again" in event.text]
    assert told == [f"note failed; it is tried again in {seconds} s" for seconds in (1, 2, 4)]
    assert waits


def test_a_run_that_did_nothing_says_so(tmp_path: Path) -> None:
    """Every step was skipped by its guard: done, and nothing is claimed to have been verified."""
    place = Place(tmp_path)
    guarded = GUARDED.replace("fix: [set-value]", "fix: [note]")
    only = guarded[: guarded.index("```dotenv")] + guarded[guarded.index("```sh { check") :]
    place.put(
        "mend.md",
        only[: only.index("```sh { compose")]
        + only[only.index("```sh { verify") :].replace("after=rebuild", "after=note"),
    )
    place.put("trace", "note\n")
    run = place.run()
    assert run.state == "done"
    assert run.says[-1] == "No step was done: note: the check noted matches: as the trace says."


GENERIC = """---
runbook: 1
id: unbreaks
title: Unbreaks it
---

# Unbreaks it

```yaml { check name=broken }
file: {path: broken.txt}
FIX```

```sh { step name=unbreak WHEN }
rm -f broken.txt
```

```yaml { verify name=whole after=unbreak timeout=5s interval=1s }
file: {path: broken.txt, exists: false}
```

```sh { verify name=never after=unbreak when=!broken timeout=5s interval=1s }
false
```
"""


@pytest.mark.parametrize(
    ("fix", "when", "argv", "state"),
    [
        ("fix: [unbreak]\n", "when=broken", (), "fixed"),
        ("fix: [unbreak]\n", "when=broken", ("--anyway",), "done"),
        ("", "when=broken", (), "done"),
    ],
)
def test_fixed_is_what_a_check_saw_failing(here: Path, fix: str, when: str, argv: tuple[str, ...], state: str) -> None:
    """A check that matched and names the step as its fix, and the proof afterwards; nothing else is called fixed."""
    (here / "unbreaks.md").write_text(GENERIC.replace("FIX", fix).replace("WHEN", when), encoding="utf-8")
    (here / "broken.txt").touch()
    reply = fletcher("run", "unbreaks.md", "--project", ".", "--yes", "--json", *argv)
    assert reply.json["state"] == state, reply.out + reply.err
    assert [point["name"] for point in reply.json["proof"]["points"]] == ["whole"]  # `never` was not asked for
    assert not (here / "broken.txt").exists()


def test_a_script_decides_whether_a_proof_is_asked_for(here: Path) -> None:
    """A verification that hangs on a script is asked for by what that says afterwards."""
    script = GENERIC.replace(
        "```yaml { check name=broken }\nfile: {path: broken.txt}\nFIX```", "```sh { check name=broken }\ntrue\n```"
    )
    (here / "unbreaks.md").write_text(script.replace("WHEN", ""), encoding="utf-8")
    reply = fletcher("run", "unbreaks.md", "--project", ".", "--yes", "--json")
    assert reply.json["state"] == "done", reply.out + reply.err
    assert [point["name"] for point in reply.json["proof"]["points"]] == ["whole"]
