"""Two processes that share a database, each with a connection to Slack: one of them says things, and the other one follows it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bot.doors.slack.leading import leads
from bot.engine.front import Front
from tests import postgres
from tests.doubles.slack import Slack
from tests.engine.staged import Place
from tests.slack.test_alerts import NAME, Door, Scene

if TYPE_CHECKING:
    from pathlib import Path


def test_the_alert_of_one_is_brought_to_its_end_by_the_other(server: postgres.Cluster, tmp_path: Path) -> None:
    """The leases are real; who does not act yet, or any more, says nothing."""
    home = Place(tmp_path / "place").folder / ".fletcher"
    address = postgres.database(server.address(), f"slack{time.monotonic_ns()}")
    with Slack() as slack, Front(home, None, address) as one, Front(home, None, address) as two, ExitStack() as held:
        assert not leads(one)
        scene = Scene(slack, one)
        first, second = ExitStack(), ExitStack()
        held.callback(second.close)
        first.enter_context(one._store.acting("fletcher serve", "root"))  # as `serve` does, without what runs need
        second.enter_context(two._store.acting("fletcher serve", "root"))
        held.enter_context(Door(slack, one))
        slack.until(lambda: leads(one), 15)
        held.enter_context(Door(slack, two))
        scene.look("red")
        scene.until("DEGRADED")
        assert not leads(two)
        first.close()
        assert not leads(one)
        slack.until(lambda: leads(two), 30)
        scene.look("red")
        scene.until("×2")
        scene.look("green")
        scene.until("HEALTHY AGAIN", "×2")
        assert len(slack.messages()) == 1
        assert {stands.probe.name for stands in two.probing.standings()} == {NAME}
