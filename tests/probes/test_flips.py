"""When a probe changes its state: a table, and what holds for any looks in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.engine.counts import Counts, counted_with
from bot.probes.flips import flipped
from bot.probes.values import Result, Standing
from tests.probes.looking import probe

LIGHTS = {"g": "green", "r": "red", "u": "unknown", "s": "skipped"}
LOOKS = st.text(alphabet="grus", max_size=40)
THRESHOLDS = st.integers(1, 5)


def through(looks: str, fail: int = 1, recover: int = 1, begin: Standing | None = None) -> tuple[Standing, list[str]]:
    """How a probe stands after these looks, and every state that it came into."""
    standing, states = begin or Standing(probe=probe("a", fail=fail, recover=recover)), list[str]()
    for slot, light in enumerate(looks, standing.slot + 1):
        before = standing
        result = Result(light=LIGHTS[light], says=light)  # type: ignore[arg-type]
        standing, flip = flipped(standing, result, slot, float(slot))
        assert flip == (standing.state != before.state)
        if flip:
            states.append(standing.state)
            assert (standing.since, standing.run, standing.acknowledged) == (float(slot), "", "")
    return standing, states


@pytest.mark.parametrize(
    ("fail", "recover", "looks", "states", "count"),
    [
        (1, 1, "g", ["healthy"], 1),
        (1, 1, "gggrrrg", ["healthy", "degraded", "healthy"], 1),
        (3, 2, "rr", [], 0),
        (3, 2, "grrgrr", [], 0),  # never three, and two good ones in a row were never there
        (3, 2, "ggrrr", ["healthy", "degraded"], 3),
        (3, 2, "ggrrrrr", ["healthy", "degraded"], 5),
        (3, 2, "rrrgrg", ["degraded"], 4),
        (3, 2, "rrrgg", ["degraded", "healthy"], 2),
        (2, 1, "guu", ["healthy", "unknown"], 2),
        (2, 1, "gsususs", ["healthy", "unknown"], 2),  # what is skipped breaks no row
        (3, 1, "gruru", ["healthy", "unknown"], 4),  # neither good nor red for sure, and never passed for good
        (3, 1, "grurur", ["healthy", "unknown", "degraded"], 3),
        (2, 1, "rrur", ["degraded"], 3),  # one look that failed is no news of it
        (2, 1, "rruu", ["degraded", "unknown"], 4),
        (2, 1, "rruur", ["degraded", "unknown", "degraded"], 3),
        (2, 2, "uugg", ["unknown", "healthy"], 2),
        (1, 1, "ss", [], 0),
    ],
)
def test_a_state_changes_after_so_many_looks(fail: int, recover: int, looks: str, states: list[str], count: int) -> None:  # fmt: skip
    """States in the order in which they came, and how many looks were as the last one says."""
    standing, found = through(looks, fail, recover)
    assert found == states
    assert (standing.count if states else 0) == count


@given(LOOKS, THRESHOLDS, THRESHOLDS)
def test_so_many_of_one_kind_always_decide(looks: str, fail: int, recover: int) -> None:
    """Whatever was before."""
    before, _ = through(looks, fail, recover)
    for light, many, state in (("g", recover, "healthy"), ("r", fail, "degraded"), ("u", fail, "unknown")):
        assert through(light * many, begin=before)[0].state == state


@given(LOOKS, THRESHOLDS, THRESHOLDS)
def test_it_is_never_worse_or_better_than_was_seen(looks: str, fail: int, recover: int) -> None:
    """Degraded only after enough red ones without a green one between, healthy never after as many that were not green."""
    standing = Standing(probe=probe("a", fail=fail, recover=recover))
    seen = ""
    for slot, light in enumerate(looks, 1):
        standing, flip = flipped(standing, Result(light=LIGHTS[light], says=""), slot, 0.0)  # type: ignore[arg-type]
        seen += light if light != "s" else ""
        since_green = seen.rpartition("g")[2]
        if flip and standing.state == "degraded":
            assert since_green.count("r") >= fail
        if flip and standing.state == "healthy":
            assert seen.endswith("g" * recover)
        if len(since_green) >= fail:
            assert standing.state not in {"healthy", "new"}
        assert (standing.bad, standing.red) == (len(since_green), since_green.count("r"))


@given(LOOKS, THRESHOLDS, THRESHOLDS)
def test_what_was_skipped_changes_nothing_but_its_count(looks: str, fail: int, recover: int) -> None:
    """And what it remembers is kept."""
    before, _ = through(looks, fail, recover)
    skipped, flip = flipped(before, Result(light="skipped", says="busy", memory="m"), 99, 99.0)
    assert (flip, skipped.skipped) == (False, before.skipped + 1)
    assert skipped.last is not None
    assert skipped.last.memory == "m"
    assert replace(skipped, skipped=before.skipped, last=before.last) == before


def test_a_look_that_remembers_nothing_loses_nothing() -> None:
    """A cursor outlives a look that failed."""
    standing = Standing(probe=probe("a"))
    for light, memory in (("green", "at 7"), ("unknown", ""), ("skipped", "")):
        standing, _ = flipped(standing, Result(light=light, says="", memory=memory), 1, 1.0)  # type: ignore[arg-type]
    assert standing.last is not None
    assert (standing.last.memory, standing.last.light) == ("at 7", "unknown")


def test_what_a_skipped_look_has_read_counts_as_figures_only() -> None:
    """A log that stands still is seen to, and a room that is gone lacks its agent no more; one that read nothing says nothing."""
    standing = Standing(probe=probe("a"))
    red = Result(light="red", says="a room lacks its agent", lacking={"no-worker": 1}, lag=1.0)
    standing, _ = flipped(standing, red, 1, 1.0)
    standing, _ = flipped(standing, Result(light="skipped", says="the one before goes on"), 2, 2.0)
    assert standing.last == red
    standing, _ = flipped(standing, Result(light="skipped", says="no new room", lag=700.0), 3, 3.0)
    assert (standing.state, standing.slot, standing.last) == ("degraded", 1, replace(red, lag=700.0, lacking={}))


def test_a_room_with_another_cause_is_counted_once_while_looks_are_skipped() -> None:
    """However many of them follow."""
    standing, counts = Standing(probe=probe("a")), Counts()
    looks = [
        Result(light="red", says="", lacking={"no-worker": 1}, lag=1.0),
        *[Result(light="skipped", says="", lacking={"load-refused": 1}, lag=1.0)] * 9,
    ]
    for slot, result in enumerate(looks, 1):
        counts = counted_with(counts, standing.last, result)
        standing, _ = flipped(standing, result, slot, float(slot))
    assert counts.failures == {"no-worker": 1, "load-refused": 1}
