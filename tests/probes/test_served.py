"""Probes of a `fletcher serve` that is a process of its own: looked, killed, frozen and started again."""

from __future__ import annotations

import signal
import sqlite3
import time
from typing import TYPE_CHECKING

from bot.engine.front import Front
from tests.fletcher import fletcher
from tests.probes.looking import standing, until
from tests.probes.served import Served, declare

if TYPE_CHECKING:
    from pathlib import Path


def slots(folder: Path) -> dict[int, str]:
    """The state of every slot."""
    with sqlite3.connect(folder / ".fletcher" / "fletcher.db") as store:
        return dict(store.execute("SELECT slot, state FROM slots ORDER BY slot").fetchall())


def looked(folder: Path) -> int:
    """How often the runbook was looked with."""
    path = folder / "looked"
    return len(path.read_text(encoding="utf-8").split()) if path.exists() else 0


def test_a_probe_is_looked_and_orders_a_diagnosis_when_it_is_red(here: Path) -> None:
    """From fletcher.toml to a run that the clock has ordered, which is told in the log."""
    declare(here, 'every = "1s"\nfail = 2')
    with Served(here) as serve, Front(here / ".fletcher") as front:
        until(lambda: front.probing.standings() and standing(front, "look").state == "healthy")
        (here / "bad").touch()
        until(front.runs)
        one = standing(front, "look")
        assert (one.state, one.run, front.runs()[0].person) == ("degraded", front.runs()[0].id, "clock")
        (here / "bad").unlink()
        until(lambda: standing(front, "look").state == "healthy")
        assert "probe look is degraded, and was healthy" in serve.says()
    assert list(slots(here).values()).count("done") <= looked(here)


def test_what_was_due_while_it_was_killed_or_frozen_is_counted(here: Path) -> None:
    """Killed with -9 in the middle of a look, and frozen over several slots: none is twice, each is done or missed."""
    declare(here, 'every = "1s"\norders = "nothing"')
    with Served(here) as serve:
        until(lambda: looked(here) >= 2)
        serve.kill()
    before = max(slots(here))
    with Served(here) as serve, Front(here / ".fletcher") as front:
        until(lambda: max(slots(here)) > before and standing(front, "look").slot > before)
        serve.send(signal.SIGSTOP)
        frozen, missed = max(slots(here)), standing(front, "look").missed
        until(lambda: time.time() > frozen + 4)
        serve.send(signal.SIGCONT)
        until(lambda: standing(front, "look").slot > frozen + 3)
        assert standing(front, "look").missed >= missed + 2
        assert "the newest is looked late" in serve.says()
    found = slots(here)
    assert list(found) == list(range(min(found), max(found) + 1))  # each second is written down
    assert set(found.values()) <= {"done", "missed", "taken"}
    assert list(found.values()).count("done") <= looked(here) <= list(found.values()).count("done") + 2


def test_a_probe_that_is_wrong_keeps_it_from_starting_and_says_where(here: Path) -> None:
    """As every mistake in fletcher.toml does."""
    declare(here, 'every = "1s"\norders = "diagnos"')
    reply = fletcher("serve")
    assert (reply.code, "fletcher.toml:5: `orders` is diagnose, nothing" in reply.err) == (2, True)
