"""The clock says what is due and what was missed, on a clock of the tests: after a stop, a freeze, and beside a replica."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bot.doors import clock
from bot.doors.clock import windows
from bot.engine import probing, slots, store
from bot.engine import tables as t
from bot.engine.front import Front
from bot.probes.slots import offset
from bot.settings_probes import NO_RULES, Quiet, Rules
from tests import postgres
from tests.probes.looking import GREEN, looks, probe, rows, standing, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.probes.values import Probe

BEGAN = 1_790_000_040.0 + offset("a", 60)  # a slot of the probe "a" that looks every minute


class Frozen:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = BEGAN

    def time(self) -> float:
        """What time it is."""
        return self.now


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Frozen:
    """The time for whoever says what is due."""
    frozen = Frozen()
    for module in (clock, probing, store):
        monkeypatch.setattr(module, "time", frozen)
    monkeypatch.setattr(slots, "KEPT", 1e12)
    return frozen


@pytest.fixture
def front(tmp_path: Path, now: Frozen) -> Iterator[Front]:  # noqa: ARG001  # on its clock
    """A store of its own."""
    with Front(tmp_path / "home", None, postgres.address(tmp_path)) as front:
        yield front


def hands(front: Front, *probes: Probe, rules: Rules = NO_RULES) -> clock._Clock:
    """What a clock does that has just been started."""
    front.probing.declare(probes)
    return clock._Clock(front, probes, rules)


def said(front: Front) -> dict[int, str]:
    """The slots of "a" by how many minutes after the beginning they were due."""
    return {int(slot - BEGAN) // 60: state for (_, slot), state in rows(front).items()}


def looked(front: Front) -> None:
    """Look at what is due."""
    with looks(front, lambda *_: GREEN):
        until(lambda: "due" not in rows(front).values() and "taken" not in rows(front).values())


def test_a_slot_is_the_moment_at_which_it_was_due_however_late_it_is_said(front: Front, now: Frozen) -> None:
    """Nothing is due before the first slot after it was declared; a slot that is said late is the same slot."""
    one = probe("a")
    hand = hands(front, one)
    hand.begin()
    now.now += 59.9
    hand.fire(one)
    assert said(front) == {}
    now.now += 30
    hand.fire(one)
    hand.fire(one)
    assert (said(front), standing(front, "a").missed) == ({1: "due"}, 0)


def test_t21_ticks_that_were_missed_are_counted_and_the_newest_is_looked(front: Front, now: Frozen) -> None:
    """While the process was frozen or the machine asleep: one look, late, and each of the others is written as missed."""
    one = probe("a")
    hand = hands(front, one)
    now.now += 60
    hand.fire(one)
    looked(front)
    now.now += 5 * 60 + 20
    hand.fire(one)
    assert said(front) == {1: "done", 2: "missed", 3: "missed", 4: "missed", 5: "missed", 6: "due"}
    looked(front)
    assert (standing(front, "a").missed, said(front)[6]) == (4, "done")


def test_ticks_that_were_missed_between_two_starts_are_counted_at_the_next(front: Front, now: Frozen) -> None:
    """What was due while nothing served; a probe that was not declared meanwhile has missed nothing."""
    one, other = probe("a"), probe("b", cron="*/20 * * * *")
    hands(front, one, other).begin()
    now.now += 60
    hands(front, one).begin()
    looked(front)
    now.now += 3600
    hands(front, one, other).begin()
    states = [state for (name, _), state in rows(front).items() if name == "a"]
    assert (states.count("done"), states.count("missed"), states.count("due")) == (1, 59, 1)
    assert [standing(front, name).missed for name in "ab"] == [59, 0]
    now.now += 3600
    hands(front, one, other).begin()
    assert [standing(front, name).missed for name in "ab"] == [119, 2]  # one of them was due, and nobody looked


def test_a_month_of_seconds_is_counted_without_a_row_for_each(front: Front, now: Frozen) -> None:
    """All are counted, the newest are written."""
    one = probe("a", every=1)
    hands(front, one)
    now.now += 30 * 86400
    hand = hands(front, one)
    hand.fire(one)
    hand.fire(one)
    assert (standing(front, "a").missed, len(rows(front))) == (30 * 86400 - 1, 1000)


def test_two_clocks_say_each_slot_once(front: Front, now: Frozen, tmp_path: Path) -> None:
    """The second finds all of it said, also what was missed, and when it was frozen for a while."""
    one = probe("a")
    with Front(tmp_path / "home", None, postgres.address(tmp_path)) as second:
        mine, theirs = hands(front, one), clock._Clock(second, (one,), NO_RULES)
        for minutes in (1, 1, 3):
            now.now += minutes * 60
            mine.fire(one)
            theirs.fire(one)
            looked(front)
        now.now += 60
        mine.fire(one)
        now.now -= 60  # behind
        theirs.fire(one)
    assert said(front) == {1: "done", 2: "done", 3: "missed", 4: "missed", 5: "done", 6: "due"}
    assert standing(front, "a").missed == 2


def test_a_store_that_cannot_be_written_loses_no_count(front: Front, now: Frozen, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """The next firing says what this one could not, and the clock goes on."""
    from bot.engine.database import StoreTrouble

    one = probe("a")
    hand = hands(front, one)

    def full(*_: object) -> bool:
        raise StoreTrouble("the disk is full")

    now.now += 60
    with monkeypatch.context() as patch:
        patch.setattr(front.probing, "due", full)
        hand.fire(one)
    assert said(front) == {}
    now.now += 60
    hand.fire(one)
    assert said(front) == {1: "missed", 2: "due"}


def test_a_maintenance_window_is_open_for_as_long_as_it_says(now: Frozen, front: Front) -> None:
    """In its time zone, for the probes that it names, and also when the clock is started in the middle of it."""
    one, other = probe("a"), probe("b")
    night = Quiet(cron="0 2 * * sun", seconds=3600.0, probes=("a",), why="backups")
    rules = Rules(zone="Europe/Berlin", quiet=(night, Quiet(cron="30 2 * * *", seconds=600.0)))
    sunday = 1_790_467_200.0  # 2026-09-27 00:00 UTC, when it is 02:00 in Berlin
    for after, expected in (
        (-1, {}),
        (0, {"a": 3600.0}),
        (1800, {"a": 3600.0, "b": 2400.0}),
        (3599, {"a": 3600.0}),
        (3600, {}),
    ):
        found = {name: mute.until - sunday for name, mute in windows(rules, (one, other), sunday + after).items()}
        assert found == expected
    now.now = sunday + 1800
    hands(front, one, other, rules=rules).begin()
    muted = [one.mute for one in front.probing.standings()]
    assert [mute and mute.why for mute in muted] == ["backups", "maintenance window"]


@pytest.mark.parametrize(
    ("zone", "hours", "expected"),
    [
        ("Europe/Berlin", 1_792_886_400, ["00:30", "01:30"]),  # 25 October 2026, when 02:30 comes twice
        ("Europe/Berlin", 1_774_742_400, ["01:30"]),  # 29 March, when there is no 02:30
        ("America/New_York", 1_772_946_000, ["07:30"]),  # 8 March, the same there
    ],
)
def test_no_slot_is_lost_or_missed_while_clocks_change(front: Front, now: Frozen, zone: str, hours: int, expected: list[str]) -> None:  # fmt: skip
    """The clock wakes every minute of such a night, and looks at 02:30 as its zone has it."""
    one = probe("a", cron="30 2 * * *", zone=zone)
    now.now = float(hours)
    hand = hands(front, one)
    for minute in range(9 * 60):
        now.now = hours + minute * 60.0
        if minute % 10 == 1:  # a little late, and often for nothing
            hand.fire(one)
            with front._store.change() as change:
                change.c.execute(t.slots.update().values(state="done"))
    assert [datetime.fromtimestamp(slot, UTC).strftime("%H:%M") for _, slot in sorted(rows(front))] == expected
    assert not standing(front, "a").missed


def test_it_goes_by_the_real_clock(tmp_path: Path) -> None:
    """Every second a slot, each looked once, by APScheduler as it is; what is taken out of the file is disabled."""
    with Front(tmp_path / "home", None, postgres.address(tmp_path)) as front:
        with (
            clock.clock(front, (probe("a", every=1), probe("b", cron="* * * * *")), NO_RULES),
            looks(front, lambda *_: GREEN),
        ):
            until(lambda: list(rows(front).values()).count("done") >= 3)
        assert not standing(front, "a").missed
        with clock.clock(front, (), NO_RULES):
            assert not any(one.enabled for one in front.probing.standings())


def test_without_probes_nothing_of_it_is_loaded(here: Path) -> None:
    """Neither the clock's library nor who looks."""
    code = (
        "import sys, threading; from bot.doors import serve, engine; from bot.engine.front import Front\n"
        "stop = threading.Event(); stop.set()\n"
        "front = Front(engine.folder())\n"
        "from functools import partial\n"
        "with engine.acting(None) as parts:\n"
        "    front.serve(parts, stop, 'ann', sys.stderr, partial(serve._clock, front, *engine.probes(None)))\n"
        "print([m for m in ('apscheduler', 'bot.engine.slots') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=here)
    assert told.stdout.strip() == "[]", told.stderr
