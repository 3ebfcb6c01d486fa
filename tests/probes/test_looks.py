"""Who looks at what is due: each slot once, whoever dies, hangs or is slow."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from bot.engine import slots
from bot.engine import tables as t
from bot.engine.front import Front
from bot.engine.values import DIAGNOSE, Person
from bot.errors import Unreachable, UsageError
from bot.findings import Finding
from bot.probes.values import Mute, Result, Want
from tests import postgres
from tests.probes.looking import DARK, GREEN, RED, looks, probe, rows, standing, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bot.probes.values import Standing

ANN = Person("ann", "terminal")
MEND = """\
---
runbook: 1
id: mend
title: Mend
inputs:
  room: {type: string}
---

```sh { check name=fine }
true
```
"""


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """A store of its own, in which slots of long ago are kept."""
    monkeypatch.setattr(slots, "KEPT", 1e12)
    with Front(tmp_path / "home", None, postgres.address(tmp_path)) as front:
        yield front


@pytest.fixture
def second(front: Front, tmp_path: Path) -> Iterator[Front]:  # noqa: ARG001  # after it
    """The same store, as another process opens it."""
    with Front(tmp_path / "home", None, postgres.address(tmp_path)) as second:
        yield second


def test_a_slot_is_looked_once_and_leaves_what_it_came_to(front: Front) -> None:
    """Said twice it is due once; the result and the state are there together, with how long it took."""
    front.probing.declare([probe("a")])
    assert (front.probing.due("a", 120), front.probing.due("a", 120)) == (True, False)
    seen: list[int] = []

    def look(one: Standing, _: object) -> Result:
        seen.append(one.slot)
        return RED

    with looks(front, look):
        until(lambda: standing(front, "a").state == "degraded")
    one = standing(front, "a")
    assert (seen, one.slot, one.last and one.last.says, rows(front)) == ([0], 120, "bad", {("a", 120): "done"})
    found = front.probing.result("a", 120)
    assert (found and found.light, one.count, one.light) == ("red", 1, "red")


def test_t21_a_slow_probe_delays_no_other_and_what_it_misses_is_counted(front: Front) -> None:
    """Slow ones go on for as long as they may; quick ones are looked meanwhile, each of their slots."""
    slow, quick = [f"slow{n}" for n in range(8)], [f"quick{n}" for n in range(8)]
    front.probing.declare([probe(name) for name in (*slow, *quick)])
    free = threading.Event()

    def look(one: Standing, _: Callable[[], bool]) -> Result:
        if one.probe.name in slow:
            free.wait(30)
        return GREEN

    with looks(front, look):
        for name in slow:
            front.probing.due(name, 60)
        until(lambda: sum(state == "taken" for state in rows(front).values()) == len(slow))
        for slot in (60, 120, 180):
            for name in quick:
                front.probing.due(name, slot)
            until(lambda slot=slot: all(rows(front).get((name, slot)) == "done" for name in quick))  # type: ignore[misc]
        assert [front.probing.due(name, 120) for name in slow] == [False] * len(
            slow
        )  # not queued behind the one that goes on
        free.set()
        until(lambda: all(rows(front)[name, 60] == "done" for name in slow))
    assert [standing(front, name).missed for name in (*slow, *quick)] == [1] * 8 + [0] * 8
    assert all(rows(front)[name, 120] == "missed" for name in slow)


def test_of_what_waits_for_a_look_only_the_newest_is_made(front: Front) -> None:
    """Two slots that nobody looked in time are one look and one that was missed."""
    front.probing.declare([probe("a")])
    front.probing.due("a", 60)
    assert front.probing.due("a", 120)
    assert not front.probing.due("a", 90)  # a clock that woke up late
    with looks(front, lambda *_: GREEN):
        until(lambda: rows(front)["a", 120] == "done")
    assert rows(front) == {("a", 60): "missed", ("a", 90): "missed", ("a", 120): "done"}
    assert standing(front, "a").missed == 2


def test_two_replicas_look_each_slot_once(front: Front, second: Front) -> None:
    """Both say what is due, and both look."""
    names = [f"p{n}" for n in range(10)]
    front.probing.declare([probe(name) for name in names])
    made: list[tuple[str, str]] = []

    def by(who: str) -> Callable[[Standing, Callable[[], bool]], Result]:
        def look(one: Standing, _: object) -> Result:
            made.append((who, one.probe.name))
            return GREEN

        return look

    alive(front, "one")
    alive(front, "two")
    with looks(front, by("first"), executor="one"), looks(second, by("second"), executor="two"):
        for slot in (60, 120, 180):
            for name in names:
                said = [front.probing.due(name, slot), second.probing.due(name, slot)]
                assert said == [True, False]
            until(lambda slot=slot: all(rows(front)[name, slot] == "done" for name in names))  # type: ignore[misc]
    assert len(made) == 30
    assert all(standing(second, name).missed == 0 and standing(second, name).streak == 3 for name in names)


def alive(front: Front, name: str, *, ended: float | None = None) -> None:
    """An executor that is known, alive or not."""
    with front._store.change() as change:
        change.c.execute(t.executors.delete().where(t.executors.c.id == name))
        change.c.execute(t.executors.insert().values(id=name, holder="{}", beat=0.0, ended=ended))


@pytest.mark.parametrize("known", [True, False])
def test_what_a_dead_process_has_taken_is_looked_again_and_written_once(front: Front, second: Front, *, known: bool) -> None:  # fmt: skip
    """Whoever is not known to be alive is dead: on one machine everybody else is, and what ended long ago is forgotten."""
    front.probing.declare([probe("a")])
    front.probing.due("a", 60)
    free, tried = threading.Event(), threading.Event()

    def late(_: Standing, stop: Callable[[], bool]) -> Result:
        tried.set()
        free.wait(30)
        return Result(light="red" if not stop() else "unknown", says="from the dead")

    with looks(front, late, executor="dead"):
        assert tried.wait(30)
        if known:
            alive(front, "dead", ended=1.0)
        with looks(second, lambda *_: GREEN, executor="alive"):
            until(lambda: rows(front)["a", 60] == "done")
        free.set()
    found = front.probing.result("a", 60)
    assert (found and found.says, standing(front, "a").state) == ("good", "healthy")


def test_what_lives_is_left_alone(front: Front, second: Front) -> None:
    """A replica that has not ended keeps what it has taken, however long it takes."""
    front.probing.declare([probe("a")])
    front.probing.due("a", 60)
    free, begun = threading.Event(), threading.Event()

    def slow(*_: object) -> Result:
        begun.set()
        free.wait(30)
        return RED

    alive(front, "one")
    with looks(front, slow, executor="one"):
        assert begun.wait(30)
        with looks(second, lambda *_: GREEN, executor="two") as other:
            until(lambda: other._next_forget)  # so that it has seen to what others have left
            assert rows(front)["a", 60] == "taken"
        free.set()
        until(lambda: standing(front, "a").state == "degraded")


def test_a_look_that_fails_is_unknown_and_says_why(front: Front) -> None:
    """Whether it says so, or breaks off."""
    front.probing.declare([probe("says"), probe("breaks")])

    def look(one: Standing, _: Callable[[], bool]) -> Result:
        raise Unreachable("no Docker engine answers") if one.probe.name == "says" else ZeroDivisionError

    with looks(front, look):
        for name in ("says", "breaks"):
            front.probing.due(name, 60)
        until(lambda: all(one.state == "unknown" for one in front.probing.standings()))
    said = [one.last.says for one in front.probing.standings() if one.last]
    assert said == ["the look failed, which is a bug in Fletcher: ZeroDivisionError", "no Docker engine answers"]


def test_a_look_that_hangs_is_left_and_the_next_slot_says_so(front: Front) -> None:
    """It is unknown, is told to stop, has one thread however often it is due, and its late result counts no more."""
    front.probing.declare([probe("a", seconds=0.1)])
    free, calls = threading.Event(), list[bool]()

    def look(_: Standing, stop: Callable[[], bool]) -> Result:
        calls.append(False)
        free.wait(30)
        calls[-1] = stop()
        return RED

    with looks(front, look):
        front.probing.due("a", 60)
        until(lambda: standing(front, "a").state == "unknown")
        assert "took longer than 0.1 s" in str(standing(front, "a").last)
        front.probing.due("a", 120)
        until(lambda: "still hangs" in str(standing(front, "a").last))
        free.set()
        until(lambda: calls == [True])
        front.probing.due("a", 180)
        until(lambda: standing(front, "a").slot == 180)
    assert (len(calls), rows(front)) == (2, {("a", 60): "done", ("a", 120): "done", ("a", 180): "done"})


def test_a_look_that_cannot_be_begun_is_unknown_and_the_next_one_is_made(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Where this process may have no more threads, nothing is left in the middle."""
    start, failed = threading.Thread.start, list[str]()

    def fails(thread: threading.Thread) -> None:
        if thread.name == "look a" and not failed:
            failed.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fails)
    front.probing.declare([probe("a"), probe("b")])
    front.probing.due("a", 60)
    front.probing.due("b", 60)
    with looks(front, lambda *_: GREEN):
        until(lambda: rows(front) == {("a", 60): "done", ("b", 60): "done"})
        last = standing(front, "a").last
        assert (last and last.light, last and last.says) == (
            "unknown",
            "it could not be looked: can't start new thread",
        )
        front.probing.due("a", 120)
        until(lambda: standing(front, "a").state == "healthy")


def test_at_most_so_many_looks_go_on_and_the_rest_waits(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds no thread is looked as soon as one is free."""
    monkeypatch.setattr(slots, "MOST", 3)
    front.probing.declare([probe(f"p{n}") for n in range(7)])
    most, now, lock = [0], [0], threading.Lock()

    def look(*_: object) -> Result:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return GREEN

    for n in range(7):
        front.probing.due(f"p{n}", 60)
    with looks(front, look):
        until(lambda: set(rows(front).values()) == {"done"})
    assert most == [3]


def test_what_ends_in_the_middle_is_looked_at_the_next_start(front: Front, second: Front) -> None:
    """A look that is told to stop since the process ends says nothing."""
    front.probing.declare([probe("a")])
    front.probing.due("a", 60)
    begun = threading.Event()

    def waits(_: Standing, stop: Callable[[], bool]) -> Result:
        begun.set()
        until(stop)
        return DARK

    with looks(front, waits):
        assert begun.wait(30)
    assert (rows(front), standing(front, "a").state) == ({("a", 60): "taken"}, "new")
    with looks(second, lambda *_: GREEN):
        until(lambda: rows(front)["a", 60] == "done")
    assert standing(front, "a").state == "healthy"


# --- what is ordered ------------------------------------------------------------------------------


def test_red_orders_a_diagnosis_of_the_first_room_once(front: Front, here: Path) -> None:
    """As a person would order it, for the probe's target, and once for as long as the state lasts."""
    front.probing.declare([probe("a", orders="diagnose", here=str(here))])
    bad = [Finding(room=room, verdict="cause", summary="", confidence=1.0) for room in ("one", "two")]
    with looks(front, lambda *_: Result(light="red", says="bad", findings=tuple(bad))):
        for slot in (60, 120, 180):
            front.probing.due("a", slot)
            until(lambda slot=slot: rows(front)["a", slot] == "done")  # type: ignore[misc]
        until(front.runs)
    assert [row.id for row in front.runs()] == ["a.60"]
    order = front.show("a.60").order
    assert (order.runbook, order.rooms, order.person, order.live) == (
        DIAGNOSE.id,
        ("one",),
        Person("clock", "clock"),
        True,
    )
    assert (standing(front, "a").run, standing(front, "a").count) == ("a.60", 3)


def test_a_probe_that_comes_and_goes_orders_once(front: Front, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within minutes it is one trouble, and its run is named by every state; later it is another one."""
    front.probing.declare([probe("a", orders="diagnose", here=str(here))])
    with looks(front, lambda *_: RED if len(rows(front)) % 2 else GREEN):
        for slot in range(60, 1260, 60):
            front.probing.due("a", slot)
            until(lambda slot=slot: rows(front)["a", slot] == "done")  # type: ignore[misc]
        front.probing.due("a", 1260)
        until(lambda: standing(front, "a").slot == 1260)
        assert (standing(front, "a").state, standing(front, "a").run) == ("degraded", "a.60")
        assert [row.id for row in front.runs()] == ["a.60"]
        monkeypatch.setattr("bot.engine.ordered.AGAIN", 0.0)
        for slot in (1320, 1380):
            front.probing.due("a", slot)
            until(lambda slot=slot: standing(front, "a").slot == slot)  # type: ignore[misc]
    assert {row.id for row in front.runs()} == {"a.60", "a.1380"}


def test_what_a_look_wants_is_ordered_in_any_state_and_once(front: Front, here: Path) -> None:
    """Under its own id, with its inputs; a runbook that is none is told and stops nothing."""
    (here / "fletcher.toml").write_text('runbooks = ["books"]\n')
    (here / "books").mkdir()
    (here / "books" / "mend.md").write_text(MEND)
    front.probing.declare([probe("a", here=str(here))])
    wants = (Want(id="mend-1", runbook="mend", why="", rooms=("one",)), Want(id="mend-2", runbook="none", why=""))
    with looks(front, lambda *_: Result(light="green", says="good", wants=wants)):
        for slot in (60, 120):
            front.probing.due("a", slot)
            until(lambda slot=slot: rows(front)["a", slot] == "done")  # type: ignore[misc]
        until(front.runs)
    assert [row.id for row in front.runs()] == ["mend-1"]
    assert front.show("mend-1").order.inputs == {"room": "one"}


def test_a_look_that_remembers_is_told_what_has_ended(front: Front, here: Path) -> None:
    """Of what the clock ordered, so that a try that came to nothing makes way for the next one."""
    front.probing.declare([probe("a", orders="diagnose", here=str(here))])
    told = []

    def look(standing: Standing, _: Callable[[], bool]) -> Result:
        told.append(standing.over)
        return Result(light="red", says="bad", memory="something")

    with looks(front, look):
        for slot in (60, 120, 180):
            front.probing.due("a", slot)
            until(lambda slot=slot: standing(front, "a").slot == slot)  # type: ignore[misc]
            if slot == 120:
                with front._store.change() as change:
                    change.go("a.60", "looking")
                    change.go("a.60", "refused", "Another run is acting on it.")
    assert told == [(), (), ("a.60",)]
    assert standing(front, "a").over == ()


def test_what_was_not_ordered_before_it_died_is_ordered_afterwards(front: Front, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """The state says which run there should be."""
    monkeypatch.setattr("bot.engine.ordered._SETTLED", 0.0)
    front.probing.declare([probe("a", orders="diagnose", here=str(here))])
    front.probing.due("a", 60)
    with looks(front, lambda *_: RED) as one:
        one._orders.after = lambda *_: None  # type: ignore[method-assign]  # killed in between
        until(lambda: standing(front, "a").run == "a.60")
    assert not front.runs()
    with looks(front, lambda *_: RED):
        until(front.runs)
    assert [row.id for row in front.runs()] == ["a.60"]


# --- what people say ------------------------------------------------------------------------------


def test_a_mute_and_a_maintenance_window_keep_nobody_from_looking(front: Front) -> None:
    """The one that lasts longest is shown; what is over is none, and taking it back takes both."""
    front.probing.declare([probe("a"), probe("b")])
    now = time.time()
    front.probing.quiet({"a": Mute(by="fletcher.toml", until=now + 60, why="window"), "b": Mute(by="x", until=now - 1)})
    assert [one.mute and one.mute.why for one in front.probing.standings()] == ["window", None]
    front.probing.mute(["a", "b"], Mute(by="ann", until=now + 3600, why="night"), ANN)
    with looks(front, lambda *_: RED):
        front.probing.due("a", 60)
        until(lambda: standing(front, "a").state == "degraded")
    assert [one.mute and one.mute.why for one in front.probing.standings()] == ["night", "night"]
    front.probing.unmute(["a"], ANN)
    assert [one.mute and one.mute.why for one in front.probing.standings()] == [None, "night"]
    front.probing.quiet({})
    assert (front.tampered(), len(list(front.trail()))) == ((), 3)


def test_somebody_sees_to_it_until_it_changes(front: Front) -> None:
    """Only what is wrong is acknowledged; a name that is none is told with the nearest."""
    front.probing.declare([probe("canary")])
    with pytest.raises(Unreachable, match="nothing to acknowledge"):
        front.probing.acknowledge("canary", ANN)
    with pytest.raises(UsageError, match="did you mean `canary`"):
        front.probing.acknowledge("canari", ANN)
    lights = iter([RED, RED, GREEN])
    with looks(front, lambda *_: next(lights)):
        for slot, by in ((60, ""), (120, "ann"), (180, "")):
            front.probing.due("canary", slot)
            until(lambda slot=slot: rows(front)["canary", slot] == "done")  # type: ignore[misc]
            assert standing(front, "canary").acknowledged == by
            if slot == 60:
                front.probing.acknowledge("canary", ANN)


def test_what_is_gone_is_disabled_and_what_changes_begins_anew(front: Front) -> None:
    """Its history stays; another schedule is counted from now on, and another target is looked at anew."""
    front.probing.declare([probe("a"), probe("b")])
    with looks(front, lambda *_: RED):
        front.probing.due("a", 60)
        until(lambda: standing(front, "a").state == "degraded")
    front.probing.due("b", 60)
    front.probing.declare([probe("a", fail=3)])
    assert [(one.enabled, one.state) for one in front.probing.standings()] == [(True, "degraded"), (False, "new")]
    assert rows(front)["b", 60] == "missed"
    with pytest.raises(Unreachable, match="no longer declared"):
        front.probing.look_now("b")
    assert front.probing.look_now("a")
    before = time.time()
    front.probing.declare([probe("a", every=30, target="far")])
    assert (standing(front, "a").state, front.probing.known("a") >= before) == ("new", True)


def test_old_slots_are_forgotten_and_stay_counted(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older than some days, or beyond so many; a probe's newest one says up to when it is known, and stays."""
    front.probing.declare([probe("a"), probe("b"), probe("c")])
    front.probing.missed("a", [60, 120], 5)
    front.probing.missed("b", [60, 120])
    now = int(time.time()) + 1
    front.probing.missed("c", [now, now + 1, now + 2])
    assert front.probing.due("a", now)
    monkeypatch.setattr(slots, "KEPT", 3600.0)
    with looks(front, lambda *_: GREEN):
        until(
            lambda: (
                rows(front)
                == {("a", now): "done", ("b", 120): "missed", **{("c", now + n): "missed" for n in range(3)}}
            )
        )
    assert [one.missed for one in front.probing.standings()] == [7, 2, 3]
    monkeypatch.setattr(slots, "ROWS", 1)
    with looks(front, lambda *_: GREEN):
        until(lambda: ("c", now) not in rows(front))
    assert {("a", now), ("b", 120), ("c", now + 2)} <= set(rows(front))
