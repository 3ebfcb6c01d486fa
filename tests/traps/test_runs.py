"""Traps into which others fell who carry out runbooks from a chat, by their number in our list of them."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.engine.values import Decision, Person
from bot.errors import Unreachable, UsageError
from tests.engine.staged import ME, MEND, Door, Place, kind

if TYPE_CHECKING:
    from pathlib import Path

    from bot.engine.contract import Sight
    from bot.engine.values import Looked, Order, Run
    from bot.redact import Redactor
    from bot.runbook.document import AnyBlock, Runbook
    from bot.steps.contract import Doing, Kind, Memory, Outcome, Task


class Spying:
    """A kind of step that tells a spy before it does anything."""

    def __init__(self, block: AnyBlock, spy: list[str]) -> None:
        self._kind, self._spy = kind(block), spy
        self.settled, self.undo, self.remember = self._kind.settled, self._kind.undo, self._kind.remember

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        self._spy.append(task.step.name)
        return self._kind.perform(task, memory, doing)


def test_T4_an_extra_value_never_becomes_an_input(tmp_path: Path) -> None:
    """What the runbook does not declare is an error, and no run."""
    place = Place(tmp_path)
    with place.front() as front:
        with pytest.raises(UsageError, match="has no input `PATH`"):
            front.submit(place.order(inputs={"value": "good", "PATH": "/tmp"}))
        assert front.runs() == ()


def test_T6_an_approval_is_for_one_plan_once_and_in_time(tmp_path: Path) -> None:
    """Forged or replayed it releases nothing: not another plan, not a second time, not by another's name, not too late."""
    place = Place(tmp_path)
    one, two = place.run(Door("leave", person=ME), dry_run=True), place.order("two", inputs={"value": "other"})
    with place.front() as front:
        front.submit(two)

        def yes(run: str, digest: str, person: Person = ME) -> Run:
            return front.decide(run, Decision(kind="yes", person=person, digest=digest, at=0))

        class Replayed(Door):
            def ask(self, run: Run) -> Decision | None:
                with pytest.raises(Unreachable, match="has another plan than the one that was decided about"):
                    yes(run.id, one.digest)
                with pytest.raises(Unreachable, match="has to confirm this"):
                    yes(run.id, run.digest, Person("mallory", "terminal"))
                yes(run.id, run.digest)
                with pytest.raises(Unreachable, match="is decided already: ada said yes"):
                    yes(run.id, run.digest)
                return None

        assert front.go_on_here(place.parts, "two", ME, Replayed()).state == "rolled-back"
        with pytest.raises(Unreachable, match="is decided already"):
            yes("two", front.show("two").digest)
        with pytest.raises(Unreachable, match=f"run {one.id} asks nothing"):
            yes(one.id, one.digest)


def test_T10_a_dry_run_starts_nothing(tmp_path: Path) -> None:
    """A spy on every kind of step, and on every check, sees nothing."""
    place, spy = Place(tmp_path), list[str]()
    parts = replace(place.parts, kind=lambda block: Spying(block, spy))
    with place.front() as front:
        run = front.run_here(parts, place.order(dry_run=True), Door())
    assert (run.state, spy, place.done) == ("done", [], [])
    assert {row.state for row in run.steps} == {"planned"}


def test_T11_two_runs_at_once_share_nothing(tmp_path: Path) -> None:
    """Two targets at the same time: each has its own inputs, folder and files."""
    places = [Place(tmp_path / name) for name in ("one", "two")]
    for number, place in enumerate(places):
        place.put("mend.md", MEND.replace("default: good", f"default: good{number}"))
    both = threading.Barrier(2, timeout=20)

    class Together:
        def __init__(self, block: AnyBlock) -> None:
            self._kind: Kind = kind(block)
            self.settled, self.undo, self.remember = self._kind.settled, self._kind.undo, self._kind.remember

        def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
            if task.step.name == "note":
                both.wait()
            return self._kind.perform(task, memory, doing)

    with places[0].front() as front:
        eyes = {str(place.folder): place.parts.eyes for place in places}

        class Both:
            def look(self, order: Order, runbook: Runbook, inputs: dict[str, str]) -> Sight:
                return eyes[order.here].look(order, runbook, inputs)

            def redactor(self, order: Order, looked: Looked) -> Redactor:
                return eyes[order.here].redactor(order, looked)

        parts = replace(places[0].parts, eyes=Both(), kind=Together)
        other = front.submit(places[1].order("other", yes=True))
        run = front.run_here(parts, places[0].order(yes=True), Door())
        if not front.show(other).ended:
            front.go_on_here(parts, other, ME, Door())
        runs = [run, front.show(other)]
    assert [one.state for one in runs] == ["fixed", "fixed"]
    for number, place in enumerate(places):
        assert place.text("running") == f"VALUE=good{number}\n"
        assert len(list((places[0].folder / ".fletcher" / "runs" / runs[number].id).glob("*.before"))) == 2


def test_T23_nothing_is_done_before_it_is_approved(tmp_path: Path) -> None:
    """When the question is asked, the spy has seen nothing; after a no it never will."""
    place, spy = Place(tmp_path), list[str]()
    parts = replace(place.parts, kind=lambda block: Spying(block, spy))

    class Looking(Door):
        def ask(self, run: Run) -> Decision | None:
            assert (spy, place.done) == ([], [])
            return super().ask(run)

    with place.front() as front:
        assert front.run_here(parts, place.order(), Looking("no")).state == "declined"
        assert spy == []
        assert front.run_here(parts, place.order(), Looking()).state == "fixed"
    assert spy == ["set-value", "set-other", "note", "rebuild"]
