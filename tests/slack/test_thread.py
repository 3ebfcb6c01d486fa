"""What a run's thread says, once each and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from bot.findings import Finding, Quote
from bot.report.slack.message import Message, Upload
from bot.report.slack.thread import thread
from tests.engine.staged import Door, Place
from tests.slack.judges import faults
from tests.slack.readable import readable
from tests.slack.runs import lives, looked, run

if TYPE_CHECKING:
    from pathlib import Path

    from bot.engine.front import Front
    from bot.engine.values import Event, Looked, Run

LIVES = lives()


def part(one: Run, key: str) -> Message | Upload:
    """One entry of the thread."""
    found = next(part.content for part in thread(one) if part.key == key)
    assert faults(found) == []
    return found


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("fixed", "verdict plan decision steps proof report"), ("done", "verdict plan decision steps report"), ("declined", "verdict plan decision report"),
        ("rolled-back", "verdict plan decision steps proof undone report"), ("refused", "verdict plan report"), ("no-plan", "verdict report"),
        ("unknown", "verdict plan decision"), ("inconclusive", "report"), ("word", "verdict plan"), ("cancelled", "verdict plan decision steps undone report"),
    ],
)  # fmt: skip
def test_what_is_said_at_last(name: str, keys: str) -> None:
    """What became known, in that order."""
    assert [part.key for part in thread(LIVES[name][-1])] == keys.split()


@pytest.mark.parametrize(
    ("name", "at", "approvers", "keys"),
    [
        ("fixed", 2, "<@U0GRACE> may approve it.", "verdict plan asked"), ("fixed", 3, "<@U0GRACE> may approve it.", "verdict plan decision"),
        ("fixed", -1, "<@U0GRACE> may approve it.", "verdict plan decision steps proof report"),
        ("fixed", 2, "Anybody but ada may approve it.", "verdict plan"), ("refused", -1, "<@U0GRACE> may approve it.", "verdict plan report"),
    ],
)  # fmt: skip
def test_who_is_asked_is_called_while_it_waits(name: str, at: int, approvers: str, keys: str) -> None:
    """Slack notifies nobody of a mention that an edit brings, so that it is said below; never once it is decided."""
    parts = thread(LIVES[name][at], approvers)
    assert [part.key for part in parts] == keys.split()
    asked = [part.content for part in parts if part.key == "asked"]
    assert [fault for one in asked for fault in faults(one)] == []
    assert all(isinstance(one, Message) and "@U0GRACE may approve" in readable(one) for one in asked)


def test_a_plan_that_is_long_is_a_file() -> None:
    """More than 20 lines of diffs and commands are no pleasure in a message."""
    seen = looked()
    short = part(run("waiting", seen), "plan")
    assert isinstance(short, Message)
    edit = seen.plan.steps[0].files[0]
    step = replace(seen.plan.steps[0], files=(replace(edit, diff="\n".join(f"+line {n}" for n in range(3000))),))
    long = part(run("waiting", replace(seen, plan=replace(seen.plan, steps=(step,)))), "plan")
    assert isinstance(long, Upload)
    assert long.name == "plan-fl-7c1d.md"
    assert "+line 2999\n" in long.text
    assert "1 step" in long.says


def test_the_report_is_a_file_that_says_how_it_ended() -> None:
    """And beside it the same sentence as in the root message."""
    report = part(LIVES["fixed"][-1], "report")
    assert isinstance(report, Upload)
    assert report.says.startswith(
        'Fixed: dispatch-missing in room "fletcher-dev". A failing state became a working one.'
    )
    assert report.text.startswith("## FIXED")


@pytest.mark.parametrize(
    ("name", "says"),
    [("fixed", "Approved by grace: quiet hour."), ("declined", "Denied by grace: not before the demo."), ("expired", "Nobody answered in time")],
)  # fmt: skip
def test_who_decided_and_why(name: str, says: str) -> None:
    """A notification says it without the blocks."""
    said = part(LIVES[name][-1], "decision")
    assert isinstance(said, Message)
    assert said.text.startswith(says)


def test_the_proof_is_told_point_by_point() -> None:
    """With a word for each mark, and the server's line as it is."""
    proof = part(LIVES["fixed"][-1], "proof")
    assert isinstance(proof, Message)
    said = readable(proof)
    assert ":white_check_mark: yes, registration: the worker registered" in said
    assert ":white_check_mark: yes, assignment:\n| 2026-11-23T02:45:05.695Z INFO" in said
    assert ":grey_question: not known, own room" in said


def test_of_many_rooms_as_many_as_fit() -> None:
    """And how many more there are."""
    quotes = tuple(Quote(f"a.log:{n}", "x" * 2000, "says so") for n in range(8))
    found = tuple(
        Finding(
            room=f"room-{n}",
            verdict="cause",
            cause="no-worker",
            summary="Nobody came. " * 20,
            confidence=1,
            quotes=quotes,
        )
        for n in range(20)
    )
    verdict = part(run("done", many(looked(), found)), "verdict")
    assert isinstance(verdict, Message)
    said = readable(verdict)
    told = sum(f'*no-worker in room "room-{n}"*' in said for n in range(20))
    assert 1 < told < 20
    assert f"… {500 - told} more rooms" in said


def many(seen: Looked, found: tuple[Finding, ...]) -> Looked:
    """The look with these findings out of 500 rooms."""
    return replace(seen, findings=found, rooms=500)


class Watching(Door):
    """Looks at the run whenever anything happens in it."""

    def __init__(self, front: Front, run: str, kind: str) -> None:
        super().__init__(kind)
        self.front, self.run = front, run
        self.seen: list[Run] = []

    def tell(self, event: Event) -> None:
        super().tell(event)
        self.seen.append(self.front.show(self.run))


@pytest.mark.parametrize("kind", ["yes", "no"])
@pytest.mark.parametrize("trouble", ["", "fail-note", "cannot-tell", "look/warning"])
def test_the_thread_of_a_real_run_only_grows(tmp_path: Path, kind: str, trouble: str) -> None:
    """The engine's own runs, looked at whenever it tells something."""
    place = Place(tmp_path / "place")
    if trouble:
        place.put(trouble, "a guard warns")
    order = place.order(runbook="mend.md")
    with place.front() as front:
        door = Watching(front, order.id, kind)
        last = front.run_here(place.parts, order, door)
    before: tuple[object, ...] = ()
    for one in (*door.seen, last):
        parts = thread(one)
        assert parts[: len(before)] == before
        assert [fault for part in parts for fault in faults(part.content)] == []
        before = parts
    assert [part.key for part in thread(last)][-1] == "report"
