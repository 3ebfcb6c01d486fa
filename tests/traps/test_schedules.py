"""Traps into which others fell whose runbooks are carried out by a schedule, by their number in our list of them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from bot.engine.values import DIAGNOSE, Decision, Person
from bot.errors import Unreachable
from bot.policy import Auto, Grant, Policy
from bot.probes.values import Result
from bot.runbook import shelf
from bot.runbook.document import Limit
from tests.engine.staged import Eyes, Place
from tests.engine.test_runs import MENDED, Serving, until
from tests.probes.looking import probe
from tests.probes.looking import until as due

if TYPE_CHECKING:
    from pathlib import Path

    from bot.engine.contract import Parts, Sight
    from bot.engine.values import Order
    from bot.runbook.document import Runbook

CLOCK, EVE = Person("clock", "clock"), Person("eve", "terminal")
GRACE = Person("grace", "slack", "ops")
APPROVED = Policy(run=(Grant(who=("ada",)),), approve=(Grant(who=("grace",), doors=("slack",)),), vouching=("slack",))


class Finding(Eyes):
    """A diagnosis of it finds the runbook that treats what is wrong."""

    def look(self, order: Order, runbook: Runbook, inputs: dict[str, str]) -> Sight:
        if runbook != DIAGNOSE:
            return super().look(order, runbook, inputs)
        found = shelf.read(self.folder / "mend.md")
        seen = super().look(order, found, inputs)
        return seen._replace(looked=msgspec.structs.replace(seen.looked, runbook=found))


class Probed(Place):
    """The service, of which a diagnosis finds what is wrong."""

    @property
    def parts(self) -> Parts:
        red = Result(light="red", says="rooms lack their agent")
        return replace(super().parts, eyes=Finding(self.folder), probe=lambda _standing, _stop: red)


def test_T24_a_scheduled_run_asks_for_approval(tmp_path: Path) -> None:
    """A schedule asks, the diagnosis plans, and nothing is done before a person who may has said yes; that may be one."""
    place = Probed(tmp_path, APPROVED)
    place.put("look/effect", "disrupt")
    with Serving(place), place.front() as front:
        run = front.submit(place.order("sweep.1790000000", runbook=DIAGNOSE.id, person=CLOCK))
        asked = until(front, run, "waiting")
        assert (asked.runbook.id, asked.asked is not None and asked.asked.need, place.done) == ("mend", "confirm", [])
        assert asked.says[-1].startswith("Waits for somebody who may approve it")
        for who in (EVE, Person("eve", "slack", "ops")):
            with pytest.raises(Unreachable, match="eve may not approve mend"):
                front.decide(run, Decision(kind="yes", person=who, digest=asked.digest, at=0))
        front.decide(run, Decision(kind="yes", person=GRACE, digest=asked.digest, at=0))
        assert until(front, run, "fixed").order.person == CLOCK
    assert place.done == MENDED


def test_T24_what_is_due_and_red_asks_for_approval(tmp_path: Path) -> None:
    """From a slot of the clock's to the question; the next red look asks nothing anew."""
    place = Probed(tmp_path, APPROVED)
    with place.front() as front:
        front.probing.declare([probe("sweep", orders=DIAGNOSE.id, here=str(tmp_path))])
    with Serving(place), place.front() as front:
        slot = int(time.time())
        assert front.probing.due("sweep", slot)
        due(front.runs)
        asked = until(front, f"sweep.{slot}", "waiting")
        assert (asked.runbook.id, asked.order.person, place.done) == (
            "mend",
            CLOCK,
            [],
        )
        assert front.probing.due("sweep", slot + 1)
        due(lambda: front.probing.standings()[0].count == 2)
        front.decide(asked.id, Decision(kind="yes", person=GRACE, digest=asked.digest, at=0))
        until(front, asked.id, "fixed")
        assert len(front.runs()) == 1
    assert place.done == MENDED


@pytest.mark.parametrize(("times", "state"), [(1, "fixed"), (0, "waiting")])
def test_T24_it_goes_unasked_only_within_the_limit_of_auto(tmp_path: Path, times: int, state: str) -> None:
    """Named `auto` it asks nobody, as often as that says; else it waits for a person."""
    place = Probed(tmp_path, replace(APPROVED, auto=(Auto("mend", Limit(times, 3600.0)),)))
    with Serving(place), place.front() as front:
        run = front.submit(place.order(runbook=DIAGNOSE.id, person=CLOCK))
        until(front, run, state)
    assert place.done == (MENDED if times else [])


def test_T24_what_nobody_may_approve_is_refused(tmp_path: Path) -> None:
    """With the line that would let somebody, instead of a question that nobody can answer."""
    place = Probed(tmp_path, replace(APPROVED, approve=(Grant(doors=("web",)),)))
    with Serving(place), place.front() as front:
        run = front.submit(place.order(runbook=DIAGNOSE.id, person=CLOCK))
        assert "no line `approve` of [policy] lets anybody" in until(front, run, "refused").says[-1]
    assert place.done == []
