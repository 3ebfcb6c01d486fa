"""Killed at any of its points, a run ends right after a restart: its files, its verdict, each thing done once.

`make test-crash` tries every point of a run that succeeds and of one that is taken back, and every sixth with the runs in
PostgreSQL; without it only some are tried.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from tests.engine.crash import NEVER, Scenario, after, first, wrong

if TYPE_CHECKING:
    from pathlib import Path

EVERY = int(os.environ.get("FLETCHER_CRASH") or 29)  # points from one that is tried to the next
AT_ONCE = 3 * (os.cpu_count() or 1)  # cases, which wait for most of their time


def processes(count: int) -> ProcessPoolExecutor:
    """Processes with one thread each, as those must have that are forked."""
    return ProcessPoolExecutor(count, get_context("spawn"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("value", ["good", "wrong"])
def test_killed_at_any_point_it_ends_right(tmp_path: Path, value: str) -> None:
    """Each point in a folder of its own."""
    scenario = Scenario(value, "resume")
    with processes(AT_ONCE) as pool:
        points = pool.submit(first, tmp_path / "whole", scenario, NEVER).result()
        assert points is not None
        assert points > 60
        tried = range(1, points + 1, EVERY)
        found = list(pool.map(wrong, [tmp_path / str(at) for at in tried], [scenario] * len(tried), tried))
    print(f"{len(tried)} of {points} points of a run whose value is {value}")
    assert [problem for problem in found if problem] == []


def test_a_step_in_flight_that_cannot_be_told_is_asked_about_and_may_be_cancelled(tmp_path: Path) -> None:
    """Killed while the script ran: it is not run again; a person says cancel, and all is taken back."""
    scenario = Scenario("good", "cancel")
    with processes(1) as pool:
        whole = pool.submit(first, tmp_path / "whole", scenario, NEVER).result()
        assert whole is not None
        for at in range(whole // 3, whole):  # the point after the script's trace is somewhere in the middle
            folder = tmp_path / str(at)
            assert pool.submit(first, folder, scenario, at).result() is None
            if (folder / "trace").exists() and (folder / "trace").read_text().split()[-1] == "note":
                break
        run, _, said = pool.submit(after, folder, scenario).result()
        assert (run.state, said) == ("cancelled", 1)
        assert pool.submit(wrong, tmp_path / "again", scenario, at).result() == ""
