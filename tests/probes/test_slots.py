"""When a probe is due: what cron means, time zones whose clocks change, and the same moments on every machine."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.cron import Cron, cron
from bot.probes.slots import between, moments, offset, trigger
from tests.probes.looking import probe

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def due(expression: str, zone: str, begin: str, end: str) -> list[str]:
    """The moments between two (UTC), as UTC."""
    after, until = (datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in (begin, end))
    found = moments(expression, zone, after - 1, until).newest
    return [datetime.fromtimestamp(at, UTC).strftime("%a %m-%d %H:%M") for at in found]


# --- what an expression means ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 * * 1", ["Mon 06-01 00:00", "Mon 06-08 00:00"]),
        ("0 0 * * 0", ["Sun 06-07 00:00", "Sun 06-14 00:00"]),
        ("0 0 * * 7", ["Sun 06-07 00:00", "Sun 06-14 00:00"]),
        ("0 0 * * sat-sun", ["Sat 06-06 00:00", "Sun 06-07 00:00", "Sat 06-13 00:00", "Sun 06-14 00:00"]),
        ("0 0 * * 6-7", ["Sat 06-06 00:00", "Sun 06-07 00:00", "Sat 06-13 00:00", "Sun 06-14 00:00"]),
        ("0 0 * jun */3", ["Wed 06-03 00:00", "Sat 06-06 00:00", "Sun 06-07 00:00", "Wed 06-10 00:00", "Sat 06-13 00:00", "Sun 06-14 00:00"]),
        ("0 0 13 * fri", ["Fri 06-05 00:00", "Fri 06-12 00:00", "Sat 06-13 00:00"]),  # either of them
        ("0 0 */12 * sat", ["Sat 06-13 00:00"]),  # both, since a star restricts nothing
        ("0 0 13,14 6 *", ["Sat 06-13 00:00", "Sun 06-14 00:00"]),
        ("15-45/15 6,18 2 * *", ["Tue 06-02 06:15", "Tue 06-02 06:30", "Tue 06-02 06:45", "Tue 06-02 18:15", "Tue 06-02 18:30", "Tue 06-02 18:45"]),
        ("0 0 29 2 *", []),
    ],
)  # fmt: skip
def test_an_expression_means_what_cron_means(expression: str, expected: list[str]) -> None:
    """In the two weeks from Monday, 1 June 2026 on."""
    assert due(expression, "UTC", "2026-06-01T00:00", "2026-06-14T23:59") == expected


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("@daily", "five fields"),
        ("* * * *", "must be five fields"),
        ("60 * * * *", "has 60 for the minute, which goes from 0 to 59"),
        ("* * 0 * *", "has 0 for the day of the month, which goes from 1 to 31"),
        ("* * * * 8", "goes from 0 to 7"),
        ("* * * * mo", "a name such as mon"),
        ("5/15 * * * *", "a step needs a range before it, such as 5-59/15"),
        ("*/0 * * * *", "a step is at least 1"),
        ("30-10 * * * *", "ends before it begins"),
        ("* * * dec-jan *", "ends before it begins"),
        ("*-3 * * * *", "`*` is none"),
        ("1,,2 * * * *", "is no number"),
        ("0 0 L * *", "a number from 1 to 31"),
        ("0 0 31 2,4 *", "never comes: no month in it has a day 31"),
    ],
)
def test_what_is_no_expression_is_told_with_what_would_be_one(expression: str, says: str) -> None:
    """Each sentence names the field, and nothing is guessed."""
    assert says in str(cron(expression))


@given(st.text(alphabet="0123456789*/,-@?LW #monjanfri\t", max_size=30) | st.text(max_size=30))
def test_any_text_is_an_expression_or_is_told_what_is_wrong(text: str) -> None:
    """What is taken can be counted, and has its values where they belong."""
    found = cron(text)
    if isinstance(found, Cron):
        assert all((found.minutes, found.hours, found.days, found.months, found.weekdays))
        assert max(found.weekdays) <= 6
        moments(text, "UTC", 0, 3600)
    else:
        assert found


# --- clocks that change ---------------------------------------------------------------------------

# Berlin goes from 02:00 to 03:00 at 01:00 UTC, and back from 03:00 to 02:00 at 01:00 UTC; New York from 02:00 to 03:00 at
# 07:00 UTC, and back from 02:00 to 01:00 at 06:00 UTC.
SPRING_B, AUTUMN_B = ("2026-03-28T12:00", "2026-03-30T12:00"), ("2026-10-24T12:00", "2026-10-26T12:00")
SPRING_N, AUTUMN_N = ("2026-03-07T12:00", "2026-03-09T12:00"), ("2026-10-31T12:00", "2026-11-02T12:00")


@pytest.mark.parametrize(
    ("expression", "zone", "span", "expected"),
    [
        ("30 1 * * *", BERLIN, SPRING_B, ["Sun 03-29 00:30", "Sun 03-29 23:30"]),
        ("30 2 * * *", BERLIN, SPRING_B, ["Sun 03-29 01:30", "Mon 03-30 00:30"]),  # is not: an hour later by the clock
        (
            "0,30 2 * * *",
            BERLIN,
            SPRING_B,
            ["Sun 03-29 01:00", "Mon 03-30 00:00", "Mon 03-30 00:30"],
        ),  # once, not twice
        ("30 3 * * *", BERLIN, SPRING_B, ["Sun 03-29 01:30", "Mon 03-30 01:30"]),
        ("30 2,3 * * *", BERLIN, SPRING_B, ["Sun 03-29 01:30", "Mon 03-30 00:30", "Mon 03-30 01:30"]),  # one moment
        ("30 2 * * *", BERLIN, AUTUMN_B, ["Sun 10-25 00:30", "Sun 10-25 01:30", "Mon 10-26 01:30"]),  # comes twice
        ("30 3 * * *", BERLIN, AUTUMN_B, ["Sun 10-25 02:30", "Mon 10-26 02:30"]),
        (
            "0,30 2 25 * *",
            BERLIN,
            AUTUMN_B,
            ["Sun 10-25 00:00", "Sun 10-25 00:30", "Sun 10-25 01:00", "Sun 10-25 01:30"],
        ),
        ("30 2,3 25 * *", BERLIN, AUTUMN_B, ["Sun 10-25 00:30", "Sun 10-25 01:30", "Sun 10-25 02:30"]),
        ("30 2 * * *", NEW_YORK, SPRING_N, ["Sun 03-08 07:30", "Mon 03-09 06:30"]),
        ("30 1 * * *", NEW_YORK, AUTUMN_N, ["Sun 11-01 05:30", "Sun 11-01 06:30", "Mon 11-02 06:30"]),
        ("30 2 * * *", NEW_YORK, AUTUMN_N, ["Sun 11-01 07:30", "Mon 11-02 07:30"]),
        ("30 2 * * sun", BERLIN, SPRING_B, ["Sun 03-29 01:30"]),
    ],
)
def test_a_time_that_is_not_comes_once_and_one_that_comes_twice_is_due_twice(expression: str, zone: str, span: tuple[str, str], expected: list[str]) -> None:  # fmt: skip
    """On the two days of a year on which a clock is changed."""
    assert due(expression, zone, *span) == expected


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("begin", ["2026-03-08T00:00", "2026-03-29T00:00", "2026-04-04T10:00", "2026-10-03T10:00", "2026-10-25T00:00", "2026-11-01T00:00"])  # fmt: skip
def test_what_is_due_every_quarter_goes_on_through_every_change(zone: str, begin: str) -> None:
    """No hour has more or less of them by real time."""
    at = datetime.fromisoformat(begin).replace(tzinfo=UTC).timestamp()
    found = moments("*/15 * * * *", zone, at - 1, at + 86400).newest
    assert [b - a for a, b in pairwise(found)] == [900] * 96


FIELDS = st.tuples(
    st.sampled_from(["*", "*/7", "0", "30", "5,50", "15-45/10"]),
    st.sampled_from(["*", "*/5", "1", "2", "3", "1-3", "2,14"]),
    st.sampled_from(["*", "*", "29", "8", "*/2"]),
    st.sampled_from(["*", "3", "10-11"]),
    st.sampled_from(["*", "*", "sun", "0-5"]),
)
SPANS = st.tuples(st.sampled_from([BERLIN, NEW_YORK, "Australia/Lord_Howe"]), st.sampled_from([*SPRING_B, *AUTUMN_B, *SPRING_N, *AUTUMN_N]))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(FIELDS, SPANS, st.integers(0, 86400), st.integers(0, 3 * 86400))
@example(("30", "2", "*", "*", "*"), (BERLIN, "2026-03-28T12:00"), 0, 2 * 86400)
def test_every_moment_is_as_the_expression_says(fields: tuple[str, ...], span: tuple[str, str], begin: int, long: int) -> None:  # fmt: skip
    """Judged minute by minute by the zone's own clock: all that match are due, and no other but what the clock skips."""
    zone, day = span
    after = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + begin
    found = moments(" ".join(fields), zone, after, after + long).newest
    said = cron(" ".join(fields))
    assert isinstance(said, Cron)
    assert list(found) == sorted(set(found))
    first = int(after // 60 + 1) * 60
    wanted = {
        at
        for at in range(first, int(after + long) + 1, 60)
        if _matches(said, datetime.fromtimestamp(at, ZoneInfo(zone)))
    }
    assert wanted <= set(found)
    for at in set(found) - wanted:  # skipped by the clock: it would have been then by the one before
        wall = datetime.fromtimestamp(at, ZoneInfo(zone))
        offset_before = (wall - timedelta(hours=3)).utcoffset()
        assert offset_before != wall.utcoffset()
        assert offset_before is not None
        assert _matches(said, datetime.fromtimestamp(at, UTC) + offset_before)


def _matches(said: Cron, at: datetime) -> bool:
    day, weekday = at.day in said.days, (at.weekday() + 1) % 7 in said.weekdays
    on = day or weekday if said.either else day and weekday
    return at.minute in said.minutes and at.hour in said.hours and at.month in said.months and on


# --- intervals ------------------------------------------------------------------------------------


@given(st.integers(1, 10**6), st.integers(0, 2 * 10**9), st.integers(0, 10**6), st.text(min_size=1, max_size=9))
@example(60, 1_790_000_000, 60, "a")
@example(1, 1_790_000_000, 1_000_000, "a")
def test_an_interval_has_its_slots_at_multiples_of_it(every: int, after: int, long: int, name: str) -> None:
    """Each one in the span once, whoever counts, moved by what the name says; the rest of many is counted."""
    one = probe(name, every=float(every))
    newest, more = between(one, after, after + long)
    move = offset(name, every)
    assert 0 <= move < every
    assert all(after < at <= after + long and at % every == move for at in newest)
    assert len(newest) + more == len(range(after + 1 + (move - after - 1) % every, after + long + 1, every))
    if newest:
        assert newest == tuple(range(newest[0], newest[-1] + 1, every))
        assert newest[-1] + every > after + long


def test_two_spans_that_meet_share_no_slot_and_lose_none() -> None:
    """However a moment falls, also on a slot."""
    for one in (probe("a", every=7), probe("b", cron="*/3 * * * *")):
        for middle in (1_790_000_000 + n / 2 for n in range(60)):
            whole = between(one, 1_789_999_000, 1_790_001_000).newest
            assert between(one, 1_789_999_000, middle).newest + between(one, middle, 1_790_001_000).newest == whole


def test_another_process_moves_a_probe_by_as_much() -> None:
    """Python's own hashes differ in each."""
    code = "from bot.probes.slots import offset; print([offset(f'p{n}', 60) for n in range(50)])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    mine = [offset(f"p{n}", 60) for n in range(50)]
    assert told.strip() == str(mine)
    assert len(set(mine)) > 25  # they are spread


@pytest.mark.parametrize("one", [probe("a", every=45), probe("b", cron="*/5 * * * *", zone=BERLIN)], ids=["every", "cron"])  # fmt: skip
def test_the_clock_wakes_at_the_slots(one: object) -> None:
    """What APScheduler waits for is what is counted."""
    at = datetime(2026, 6, 1, 12, 0, 1, tzinfo=UTC)
    waits = trigger(one)  # type: ignore[arg-type]
    woken, previous = [], None
    for _ in range(5):
        previous = at = waits.get_next_fire_time(previous, at)  # type: ignore[assignment]
        woken.append(at.timestamp())
    begin = datetime(2026, 6, 1, 12, 0, 1, tzinfo=UTC).timestamp()
    assert tuple(woken) == between(one, begin - 1, woken[-1]).newest  # type: ignore[arg-type]
