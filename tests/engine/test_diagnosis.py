"""A diagnosis as an order: it is looked, the runbook that treats what is found is pinned, and then it is a run like others."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.engine.eyes import Looking
from bot.engine.front import Front
from bot.engine.values import Person
from bot.policy import Grant, Policy
from tests.engine.staged import Door, Place

if TYPE_CHECKING:
    from bot.engine.values import Run

DEMO = Path(__file__).parent.parent.parent / "bot" / "demo"
ANA = Person("ana", "slack", "C0OPS", "U0ANA")
BEN = Person("ben", "slack", "C0OPS", "U0BEN")
BOTH = Grant(who=("ana", "ben"), doors=("slack",), channels=("C0OPS",))


def ordered(
    folder: Path, policy: Policy | None, person: Person = ANA, *, room: str = "fletcher-dev", door: Door | None = None
) -> Run:
    """A diagnosis of the demo's files, asked for in Slack."""
    shutil.copytree(DEMO, folder / "demo", dirs_exist_ok=True)
    given = (("any", "livekit.log"), ("any", "agent.log"), ("project", "project"), ("token", "token.json"))
    files = tuple((kind, str(folder / "demo" / name)) for kind, name in given)
    place = Place(folder / "place", policy)
    parts = replace(place.parts, eyes=Looking({}), policy=policy)
    with place.front() as front:
        order = place.order(runbook="diagnose", person=person, files=files, rooms=(room,))
        return front.run_here(parts, order, door or Door("no", person=BEN))


def test_without_a_policy_slack_only_looks(tmp_path: Path) -> None:
    """The verdict and its lines are there; nothing is asked, and which lines would change that is said."""
    run = ordered(tmp_path, None)
    assert run.state == "refused"
    assert run.asked is None
    assert 'run = [{who = ["ana"], doors = ["slack"]}]' in run.says[-1]
    assert run.looked is not None
    first = run.looked.findings[0]
    assert (first.room, first.verdict, first.cause) == ("fletcher-dev", "cause", "dispatch-missing")
    assert first.quotes
    assert all(":" in quote.where and quote.text for quote in first.quotes)
    assert (run.runbook.id, run.plan and run.plan.runbook) == ("agent-never-joins", "agent-never-joins")


def test_with_a_policy_another_person_is_asked(tmp_path: Path) -> None:
    """The plan of the runbook that treats the cause waits for a peer, and his no ends it."""
    door = Door("no", person=BEN)
    run = ordered(tmp_path, Policy(run=(BOTH,), approve=(BOTH,), vouching=("slack",)), door=door)
    assert run.state == "declined"
    assert run.asked is not None
    assert (run.asked.need, "in the terminal" in run.asked.why) == ("peer", False)
    assert [asked.runbook.id for asked in door.asked] == ["agent-never-joins"]


def test_who_may_run_nothing_from_there_may_not_look(tmp_path: Path) -> None:
    """The lines name persons and channels; who is in none is refused before anything is looked at, and approvers look."""
    eve, approver = Person("eve", "slack", "C0OPS", "U0EVE"), Grant(who=("eve",), doors=("slack",))
    run = ordered(tmp_path / "1", Policy(run=(BOTH,), vouching=("slack",)), eve)
    assert (run.state, run.looked) == ("refused", None)
    assert "eve may not ask anything from the slack here" in run.says[-1]
    run = ordered(tmp_path / "2", Policy(run=(BOTH,), approve=(approver,), vouching=("slack",)), eve)
    assert run.looked is not None
    assert "eve may not run agent-never-joins" in run.says[-1]


def test_a_room_that_is_not_there_is_inconclusive(tmp_path: Path) -> None:
    """No runbook is pinned, nothing is planned, and the run says what would settle it."""
    run = ordered(tmp_path, None, room="another-room")
    assert (run.state, run.runbook.id, run.asked) == ("inconclusive", "diagnose", None)
    assert run.says[-1]


def test_every_row_of_the_audit_has_the_account(tmp_path: Path) -> None:
    """Whoever did it is known by who he is at that door, and the chain holds."""
    ordered(tmp_path, None)
    with Place(tmp_path / "place").front() as front:
        assert {row.entry.account for row in front.trail()} == {"U0ANA"}
        assert front.tampered() == ()


def test_what_a_door_keeps(tmp_path: Path) -> None:
    """A key is claimed once, also after a restart; a value takes the place of the one before."""
    with Front(tmp_path) as front:
        assert front.claim("slack", "Ev1")
        front.keep("slack", "card a", "1")
        front.keep("slack", "card a", "2")
        front.keep("slack", "card_b", "3")
    with Front(tmp_path) as front:
        assert not front.claim("slack", "Ev1")
        assert front.claim("web", "Ev1")
        assert front.kept("slack", "card ") == {"card a": "2"}
        assert front.kept("slack", "card_") == {"card_b": "3"}


def test_the_pulse_tells_what_has_moved(tmp_path: Path) -> None:
    """A run has another pulse after each state and step; those that ended long ago have none."""
    place = Place(tmp_path)
    with place.front() as front:
        name = front.submit(place.order())
        before = front.pulse(0.0)
        run = front.go_on_here(place.parts, name, ANA, Door())
        after = front.pulse(run.changed_at)
        assert set(before) == set(after) == {name}
        assert before[name] != after[name]
        assert front.pulse(run.changed_at + 1) == {}


def test_a_store_of_before_gets_what_is_new(tmp_path: Path) -> None:
    """Its runs stay, and a door can keep something in it."""
    place = Place(tmp_path)
    with place.front() as front:
        name = front.submit(place.order())
    place.sql("drop table kept")
    place.sql("update fletcher_schema set version = 1")
    with place.front() as front:
        assert front.claim("slack", "Ev1")
        assert front.show(name).state == "queued"
