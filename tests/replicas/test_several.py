"""Three processes on one PostgreSQL: what one of them leaves the others finish, and nothing is done by two.

How long a take-over took is printed, since docs/machines.md tells it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from bot.doors.engine import account
from bot.engine.front import Front
from bot.engine.lease import ENDED, Lost
from bot.engine.values import Person
from bot.errors import Unreachable
from tests import postgres
from tests.engine.staged import ME
from tests.probes.looking import probe
from tests.replicas.several import ROOT, Several, freeze, until

if TYPE_CHECKING:
    from pathlib import Path

ONCE = ("set-value", "set-other", "note", "build")
pytestmark = pytest.mark.timeout(180)


def each_once(several: Several) -> None:
    """Every effect was there once, and the audit is whole."""
    done = several.place.done
    assert [done.count(name) for name in ONCE] == [1] * len(ONCE), done
    with several.front() as front:
        assert front.tampered() == ()


def test_what_a_killed_one_was_doing_another_finishes(several: Several) -> None:
    """Killed with -9 in a step: the step is looked at and done, every other one stays as it was."""
    several.place.put("hang-build")
    several.order("run")
    several.entered(1)
    owner = several.owner("run")
    owner.kill()
    print(f"\ntaken over {several.entered(2):.2f} s after kill -9")
    assert several.owner("run") is not owner
    (several.place.folder / "hang-build").unlink()
    several.reaches("run", "fixed")
    each_once(several)
    with several.front() as front:
        assert len(front.executors()) == 2


def test_who_was_killed_serves_no_more_where_nobody_else_does(several: Several) -> None:
    """All of them at once: else an order would be handed to one of them, and wait for ever."""
    for one in several.replicas:
        one.kill()
    with several.front() as front:
        until(lambda: front.executors() == (), "nobody serves")


def test_a_frozen_one_acts_no_more_when_it_wakes_up(several: Several) -> None:
    """Frozen in the middle of a step, taken for dead, awake again: it does nothing of it, says why and ends itself."""
    several.place.put("hang-build")
    several.order("run")
    several.entered(1)
    owner = several.owner("run")
    freeze(owner)
    print(f"\ntaken over {several.entered(2):.2f} s after SIGSTOP")
    (several.place.folder / "hang-build").unlink()
    several.reaches("run", "fixed")
    owner.send_signal(signal.SIGCONT)
    assert owner.wait(30) == ENDED
    assert f"ends itself with {ENDED}" in several.log(owner)
    each_once(several)
    several.place.put("running", "VALUE=bad\n")
    several.order("again", anyway=True)  # the others serve
    several.reaches("again", "fixed", "done", "refused", "not-verified")


def test_one_that_was_frozen_for_a_moment_goes_on(several: Several) -> None:
    """Nobody takes it for dead who is away for a second."""
    several.place.put("hang-build")
    several.order("run")
    several.entered(1)
    owner = several.owner("run")
    freeze(owner)
    time.sleep(1)
    owner.send_signal(signal.SIGCONT)
    (several.place.folder / "hang-build").unlink()
    several.reaches("run", "fixed")
    each_once(several)
    assert several.alive(owner)


def test_what_nobody_can_tell_is_asked_about_on_any_machine(several: Several) -> None:
    """A script was running when its replica was killed: no other one runs it again before somebody says so."""
    several.place.put("hang-note")
    several.order("run")
    until(lambda: "note" in several.place.done, "the script runs")
    several.owner("run").kill()
    several.reaches("run", "unknown")
    assert several.place.done.count("note") == 1
    (several.place.folder / "hang-note").unlink()
    with several.front() as front:
        front.resume("run", ME)
    several.reaches("run", "fixed")
    assert [several.place.done.count(name) for name in ONCE] == [1, 1, 2, 1]


def test_an_approval_reaches_whoever_has_the_run(several: Several) -> None:
    """Given on any machine, also when the run's first executor has ended meanwhile."""
    several.order("run", yes=False, person=Person(account(), "terminal"))
    several.reaches("run", "waiting")
    first = several.owner("run")
    first.terminate()
    assert first.wait(30) == 0
    print(f"\nhanded over in {until(lambda: several.handed_over('run', first), 'somebody else has it'):.2f} s")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "FLETCHER_DATABASE": several.address}
    here = several.place.folder
    answer = [sys.executable, "-m", "bot", "approve", "run", "--json"]
    told = subprocess.run(answer, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    several.reaches("run", "fixed")
    each_once(several)
    status = [sys.executable, "-m", "bot", "status"]
    said = subprocess.run(status, cwd=here, env=environment, capture_output=True, text=True, check=False).stdout
    assert said.count("fletcher serve (process") == 2, said
    check = [sys.executable, "-m", "bot", "serve", "--check"]
    assert subprocess.run(check, cwd=here, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_an_approval_that_waits_outlives_all_of_them_and_an_upgrade(several: Several) -> None:
    """Every replica ends, the tables become those of before; new ones upgrade them, once, and the run goes on."""
    several.order("run", yes=False)
    several.reaches("run", "waiting")
    several.end()
    for name in ("switches", "probes", "slots", "owners", "leaders"):
        postgres.rows(several.address, f"drop table {name}")
    postgres.rows(several.address, "update fletcher_schema set version = 2")
    several.start(3)
    several.decide("run")
    several.reaches("run", "fixed")
    each_once(several)


def test_the_database_may_restart_in_the_middle(several: Several, server: postgres.Cluster) -> None:
    """While a step is being done, and while runs wait: nobody is taken for dead, nothing is done again."""
    several.place.put("hang-build")
    several.order("run")
    several.entered(1)
    server.stop()
    time.sleep(0.5)
    server.start()
    (several.place.folder / "hang-build").unlink()
    several.reaches("run", "fixed")
    each_once(several)
    assert [one.poll() for one in several.replicas] == [None] * 3


def test_a_database_that_is_away_for_longer(several: Several, server: postgres.Cluster) -> None:
    """Whoever is in the middle of a step ends itself, since nobody can tell it who took it over; the others wait."""
    several.place.put("hang-build")
    several.order("run")
    several.entered(1)
    owner = several.owner("run")
    server.stop()
    try:
        assert owner.wait(30) == ENDED
        assert "was not heard of for too long" in several.log(owner)
    finally:
        server.start()
    print(f"\ntaken over {several.entered(2):.2f} s after the database was back")
    (several.place.folder / "hang-build").unlink()
    several.reaches("run", "fixed")
    each_once(several)
    assert [one.poll() for one in several.replicas if one is not owner] == [None] * 2


def test_one_ends_while_the_database_is_away(several: Several, server: postgres.Cluster) -> None:
    """On SIGTERM, after a little patience; what waits goes on with the others."""
    several.order("run", yes=False)
    several.reaches("run", "waiting")
    owner = several.owner("run")
    server.stop()
    try:
        owner.terminate()
        owner.wait(60)
    finally:
        server.start()
    until(lambda: several.handed_over("run", owner), "somebody else has it")
    several.decide("run")
    several.reaches("run", "fixed")
    each_once(several)


def test_one_that_looks_ends_while_the_database_is_away(several: Several, server: postgres.Cluster) -> None:
    """On SIGTERM too, whether or not anything is due; what is the same for as long as it lasts is said once by each."""
    with several.front() as front:
        front.probing.declare([probe("a")])
    several.start(1)
    server.stop()
    try:
        time.sleep(4)  # it has noticed
        several.replicas[-1].terminate()
        assert several.replicas[-1].wait(60) == 0
        assert several.log(several.replicas[-1]).count("Connection refused); see whether it runs") <= 3
    finally:
        server.start()


def test_another_folder_is_refused(several: Several, tmp_path: Path) -> None:
    """Outputs and before-images are files: a replica with another folder would not find them."""
    with pytest.raises(Unreachable, match=r"is not the folder that goes with postgresql://postgres@127\.0\.0\.1"):
        Front(tmp_path / "other", None, several.address)


def test_one_that_is_frozen_while_it_writes_holds_nobody_up_for_long(several: Several) -> None:
    """Its session is ended by the database, and what it wrote is not there."""
    script = (
        "import sys, time; from pathlib import Path; from bot.engine.front import Front\n"
        "with Front(Path(sys.argv[1]), None, sys.argv[2]) as front, front._store.change() as change:\n"
        "    change.signal('nobody', 'order'); print('writes', flush=True); time.sleep(600)\n"
    )
    argv = [sys.executable, "-c", script, str(several.place.folder / ".fletcher"), several.address]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE) as frozen:
        assert frozen.stdout is not None
        assert frozen.stdout.readline() == b"writes\n"
        freeze(frozen)
        began = time.monotonic()
        several.order("run")
        took = time.monotonic() - began
        print(f"\nheld up for {took:.2f} s")
        assert took < 10
        several.reaches("run", "fixed")
        frozen.kill()
    assert postgres.rows(several.address, "select 1 from signals where run = 'nobody'") == []


def test_orders_are_carried_out_once_whoever_is_fast(several: Several) -> None:
    """Thirty orders to three replicas, one of which dies in the middle: each begun once, none lost."""
    names = [f"run-{number}" for number in range(30)]
    with several.front() as front:
        for number, name in enumerate(names):
            front.submit(several.place.order(name, dry_run=True))
            if number == 15:
                several.replicas[0].kill()
    for name in names:
        several.reaches(name, "done", "healthy")
    with several.front() as front:
        planned = [row.entry.run for row in front.trail() if row.entry.what.startswith("planned")]
        assert sorted(set(planned)) == sorted(names)
        assert len(planned) == len(set(planned)), planned
        assert front.tampered() == ()
    assert postgres.rows(several.address, "select * from owners") == []


def test_one_leads_until_it_is_gone(server: postgres.Cluster, tmp_path: Path) -> None:
    """Of all executors one posts at a time; another one does once the first has ended, and the first one acts no more."""
    address = postgres.database(server.address(), "leading")
    with Front(tmp_path, None, address) as one, Front(tmp_path, None, address) as two:
        with two._store.acting("fletcher run", ME.name) as second:
            with one._store.acting("fletcher run", ME.name) as first:
                assert [first.leads("slack"), second.leads("slack"), second.leads("other")] == [True, False, True]
                assert [holder.what for holder in one.executors()] == ["fletcher run"] * 2
                first.check()
            until(lambda: second.leads("slack"), "another one leads")
            with pytest.raises(Lost):
                first.check()
        assert one.executors() == ()


def test_a_hold_counts_for_all_of_them(several: Several) -> None:
    """Thrown at any machine, no replica begins anything, also one that takes over; released, it is done once."""
    with several.front() as front:
        front.switch.hold(ME, "the cluster is moved")
        several.order("run")
        until(lambda: front.show("run").asked is not None, "it looks and plans")
        owner = several.owner("run")
        owner.kill()
        until(lambda: several.handed_over("run", owner), "somebody else has it")
        time.sleep(1)
        assert (front.show("run").state, several.place.done, front.switch.in_the_middle()) == ("looking", [], ())
        assert front.measured().hold is not None
    with several.front() as front:
        front.switch.release(ME)
        several.reaches("run", "fixed")
    each_once(several)
