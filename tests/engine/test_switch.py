"""The kill switch, through the front: what it stops, what goes on, and that it outlives who set it."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.engine import rows
from bot.engine import tables as t
from bot.engine.values import Decision, Person
from bot.errors import Unreachable
from bot.policy import Auto, Grant, Policy
from bot.runbook.document import Limit
from tests.engine import staged
from tests.engine.staged import ME, PEER, Door, Place
from tests.engine.test_runs import MENDED, Serving, until
from tests.fletcher import fletcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engine.contract import Parts
    from bot.engine.front import Front
    from bot.runbook import document as doc
    from bot.steps.contract import Doing, Kind, Memory, Outcome, Task

READS = """\
---
runbook: 1
id: reads
title: Only read
---

# Read

```sh { step name=note effect=read }
echo note
```
"""
GRACE = Person("grace", "terminal")
A_WHILE = 0.4  # seconds in which what is not held would have been done many times over


class Watched(staged.Scripting):
    """A script that lasts until `go` is there, and tells the tests when it begins and what came before."""

    def __init__(self, before: Callable[[], object]) -> None:
        self._before = before

    def remember(self, task: Task, doing: Doing) -> Memory:
        self._before()
        return super().remember(task, doing)

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        done = super().perform(task, memory, doing)
        folder = Path(task.folder)
        while task.step.name == "note" and (folder / "wait").exists() and not doing.stop.wait(0.01):
            pass
        return done


@dataclass
class Slow(Place):
    """The service, with a script that takes its time."""

    before: Callable[[], object] = lambda: None

    @property
    def parts(self) -> Parts:
        def kind(block: doc.AnyBlock) -> Kind:
            found = staged.kind(block)
            return Watched(self.before) if isinstance(found, staged.Scripting) else found

        return replace(super().parts, kind=kind)


@pytest.fixture
def place(tmp_path: Path) -> Slow:
    """The service in a folder."""
    return Slow(tmp_path)


def yes(front: Front, run: str) -> None:
    """Approve it, as who ordered it."""
    front.decide(run, Decision(kind="yes", person=ME, digest=front.show(run).digest, at=0))


def seen(check: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def heard(front: Front, run: str) -> list[str]:
    """The sentences that were told of a run so far."""
    from bot.engine import events

    return [one.text for one in events.read(front.home.folder(run), lambda: True) if one.kind == "says"]


def test_what_is_approved_waits_until_it_is_released(place: Slow) -> None:
    """The decision is taken and nothing begins, also after a restart; a look goes on; after the release all is done."""
    with place.front() as front:
        hold = front.switch.hold(GRACE, "the cluster   is moved")
        assert (hold.by, hold.door, hold.why) == ("grace", "terminal", "the cluster is moved")
        assert front.switch.hold(ME) == hold  # the first word counts
        with Serving(place):
            run = front.submit(place.order())
            until(front, run, "waiting")
            yes(front, run)
            seen(lambda: any(text.startswith("HELD by grace (the cluster is moved)") for text in heard(front, run)))
            tried = front.submit(place.order(dry_run=True))
            until(front, tried, "done")
        with Serving(place):
            other = front.submit(place.order(dry_run=True))
            until(front, other, "done")
            time.sleep(A_WHILE)
            assert (place.done, front.show(run).state, front.show(run).decision is not None) == ([], "waiting", True)
            with place.front() as another:
                assert another.switch.release(ME) == hold
            until(front, run, "fixed")
        assert (place.done, front.switch.held(), front.switch.release(ME)) == (MENDED, None, None)
        assert [row.entry.what for row in front.trail() if not row.entry.run] == [
            "holds everything above read: the cluster is moved", "releases what grace held",
        ]  # fmt: skip
        assert front.tampered() == ()


def test_a_step_is_let_end_and_the_next_one_does_not_begin(place: Slow) -> None:
    """Who holds is told what is in its middle; cancelled meanwhile, it is not taken back before the release."""
    place.put("wait")
    with Serving(place), place.front() as front:
        run = front.submit(place.order(yes=True))
        seen(lambda: "note" in place.done)
        front.switch.hold(ME)
        assert front.switch.in_the_middle() == ((run, "note"),)
        (place.folder / "wait").unlink()
        seen(
            lambda: (
                heard(front, run)[-1:]
                == ["HELD by ada: nothing that changes anything begins until `fletcher release`."]
            )
        )
        assert [row.state for row in front.show(run).steps] == ["done", "done", "done", "planned"]
        front.cancel(run, ME)
        time.sleep(A_WHILE)
        assert (front.show(run).state, place.done) == ("running", MENDED[:3])
        front.switch.release(ME)
        until(front, run, "cancelled")
    assert (place.text("app.env"), place.text("other.env")) == ("VALUE=bad\n", "OTHER=bad\n")


def test_a_cancel_breaks_off_what_is_in_its_middle(place: Slow) -> None:
    """Also while it is held; one that has only been approved ends at once."""
    place.put("wait")
    with Serving(place), place.front() as front:
        run = front.submit(place.order(yes=True))
        seen(lambda: "note" in place.done)
        front.switch.hold(ME)
        other = front.submit(place.order())
        until(front, other, "waiting")
        yes(front, other)
        front.cancel(other, ME)
        assert front.show(other).state == "cancelled"
        front.cancel(run, ME)
        seen(lambda: front.show(run).steps[2].state != "running")
        front.switch.release(ME)
        until(front, run, "cancelled")
    assert "build" not in place.done


def test_a_hold_counts_up_to_the_moment_in_which_a_step_is_begun(place: Slow) -> None:
    """Held after the run has passed every gate, and before its step is written down: it is not begun."""
    with place.front() as front:
        held = iter([True])
        place.before = lambda: next(held, False) and front.switch.hold(ME)
        with Serving(place):
            run = front.submit(place.order(yes=True))
            seen(lambda: any(text.startswith("HELD") for text in heard(front, run)))
            time.sleep(A_WHILE)
            assert (place.done, front.switch.in_the_middle()) == (MENDED[:2], ())
        with Serving(place):  # it ended although a run waited in the middle of a step
            front.switch.release(ME)
            until(front, run, "fixed")
    assert place.done == MENDED


def test_cancelled_in_that_moment_it_is_not_begun_at_all(place: Slow) -> None:
    """The run that waits to begin a step is cancelled: the step never was, and the rest is taken back after the release."""
    with place.front() as front:
        held = iter([True])
        place.before = lambda: next(held, False) and front.switch.hold(ME)
        with Serving(place):
            run = front.submit(place.order(yes=True))
            seen(lambda: any(text.startswith("HELD") for text in heard(front, run)))
            front.cancel(run, ME)
            seen(lambda: front.show(run).steps[2].state == "failed")
            front.switch.release(ME)
            until(front, run, "cancelled")
    assert place.done == [*MENDED[:2], "undo:set-other", "undo:set-value", "prove-undone"]


def test_what_only_reads_goes_on(place: Slow) -> None:
    """A run of which every step reads is not held."""
    place.put("reads.md", READS)
    with place.front() as front:
        front.switch.hold(ME)
    assert (place.run(runbook="reads.md").state, place.done) == ("done", ["note"])


def test_a_run_in_the_foreground_says_who_holds(place: Slow) -> None:
    """It waits where it is, and goes on by itself when somebody else releases."""
    with place.front() as front:
        front.switch.hold(GRACE)
        door = Door()
        thread = threading.Thread(target=lambda: place.run(door, run="fore"))
        thread.start()
        seen(lambda: any(event.text.startswith("HELD by grace") for event in door.heard))
        assert place.done == []
        front.switch.release(ME)
        thread.join()
        assert (front.show("fore").state, place.done) == ("fixed", MENDED)


def test_what_was_left_in_the_middle_keeps_nobody_waiting(place: Slow) -> None:
    """A run in the foreground does not wait for a held one that a process has left, and says why."""
    place.put("wait")
    with place.front() as front:
        with Serving(place):
            run = front.submit(place.order(yes=True))
            seen(lambda: "note" in place.done)
            front.switch.hold(GRACE)
            (place.folder / "wait").unlink()
            seen(lambda: heard(front, run))
        door = Door()
        assert place.run(door, dry_run=True).state == "done"
        assert any("goes on with a later start: HELD by grace" in event.text for event in door.heard)
        assert front.show(run).state == "running"
        front.switch.release(ME)
        assert (place.run(Door("leave"), dry_run=True).state, front.show(run).state) == ("done", "fixed")
    assert place.done == MENDED


def test_a_person_s_word_waits_too(place: Slow) -> None:
    """What waits as unknown and is resumed while it is held is done again once that is over."""
    place.put("lost-note")
    with Serving(place), place.front() as front:
        run = front.submit(place.order(yes=True))
        until(front, run, "unknown")
        front.switch.hold(ME)
        (place.folder / "lost-note").unlink()
        front.resume(run, ME)
        seen(lambda: any(text.startswith("HELD") for text in heard(front, run)))
        time.sleep(A_WHILE)
        assert (front.show(run).state, "note" in place.done) == ("unknown", False)
        front.switch.release(ME)
        until(front, run, "fixed")


def test_what_was_to_go_unasked_counts_again_before_it_begins(tmp_path: Path) -> None:
    """Planned while the limit was not reached yet, as several orders of one look are: the limit holds all the same."""
    place = Slow(tmp_path, Policy(run=(Grant(),), approve=(Grant(),), auto=(Auto("mend", Limit(1, 3600)),)))
    with Serving(place), place.front() as front:
        front.switch.hold(ME)
        runs = [front.submit(place.order(name)) for name in ("one", "two")]
        seen(lambda: all(any(text.startswith("HELD") for text in heard(front, run)) for run in runs))
        assert [asked and asked.need for asked in (front.show(run).asked for run in runs)] == ["none", "none"]
        front.cancel("one", ME)
        with front._store.change() as change:  # as if it had been quicker
            rows.put(change.c, "one", acted_at=change.now)
        front.switch.release(ME)
        said = until(front, "two", "refused").says
        assert "goes unasked no more" in said[-1]
    assert "note" not in place.done


def test_what_waits_for_a_person_s_word_is_in_no_middle(place: Slow) -> None:
    """A step that was in flight when its process died, of which nobody can tell: it is not being done."""
    place.put("lost-note")
    with Serving(place), place.front() as front:
        run = front.submit(place.order(yes=True))
        until(front, run, "unknown")
        with front._store.change() as change:  # as a process that died leaves it
            change.c.execute(sa.update(t.attempts).where(t.attempts.c.step == "note").values(outcome=None))
        assert front.switch.in_the_middle() == ()


GRANTED = Policy(
    run=(Grant(who=("ada",), runbooks=("mend",)),),
    approve=(Grant(who=("grace",), channels=("ops",), effects=("change",)),),
)


@pytest.mark.parametrize(
    ("policy", "who", "holds", "releases"),
    [
        (None, ME, True, True),
        (None, PEER, False, False),
        (GRANTED, ME, True, True),
        (GRANTED, PEER, True, True),
        (GRANTED, Person("grace", "slack", "D1"), True, False),
        (GRANTED, Person("eve", "terminal"), False, False),
        (Policy(approve=(Grant(who=("grace",)),)), Person("eve", "terminal"), True, True),
        (Policy(approve=(Grant(who=("grace",)),)), Person("eve", "slack"), False, False),
    ],
)
def test_who_may_hold(tmp_path: Path, policy: Policy | None, who: Person, holds: bool, releases: bool) -> None:  # noqa: FBT001  # columns of the table
    """Whoever may run or approve anything; to release it, from a place where he may."""
    with Place(tmp_path, policy).front() as front:
        for do, may in ((front.switch.hold, holds), (front.switch.release, releases)):
            with nullcontext() if may else pytest.raises(Unreachable, match=f"{who.name} may not"):
                do(who)


def test_it_is_told_in_the_terminal(here: Path) -> None:
    """By the verbs, in `status` and to programs; what was typed is redacted and cannot be taken for an instruction."""
    assert here.is_dir()
    told = fletcher("hold", "password=hunter22hunter22", "\x1b[31mred")
    assert (told.code, "HELD by" in told.out, "hunter22" in told.out, "\x1b" in told.out) == (0, True, False, False)
    assert "It is held already." in fletcher("hold").out
    status = fletcher("status")
    assert ("HELD by" in status.out, "`fletcher release`" in status.out) == (True, True)
    found = fletcher("status", "--json").json["hold"]
    assert (found["door"], "hunter22" in found["why"]) == ("terminal", False)
    assert fletcher("hold", "--json").json["hold"] == found
    assert fletcher("release").out.startswith("Released: ")
    assert fletcher("release", "--json").json == {"hold": None, "in_the_middle": []}
    assert (fletcher("release").out, fletcher("status", "--json").json["hold"]) == ("Nothing was held.\n", None)
