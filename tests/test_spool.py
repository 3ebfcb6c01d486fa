"""A container's log is copied and kept up with: the spool is what was logged, nothing twice and nothing lost."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import Unreachable
from bot.evidence import spool as spooling
from bot.evidence.docker import connect
from bot.evidence.spool import Spool, nanoseconds, spooled
from bot.livekit.forms import clean, parse
from bot.settings import Target
from tests.doubles.engine import START, Box, Engine, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

MS = 10**6
SERVER = (
    b'2026-02-02T02:40:00.000Z\tINFO\tlivekit.agents\tservice/agentservice.go:303\tworker registered\t{"namespace": ""}'
)


def take(engine: Engine, spool: Spool, limit: int | None = None) -> int:
    """Read once more, over a connection of its own, as after an engine's restart."""
    with connect(Target(docker_host=engine.host)) as asked:
        (container,) = asked.containers()
        return spool.read(asked, container, limit)


def content(spool: Spool) -> list[bytes]:
    """The lines that are in it."""
    return [line for base, data, end in spool.chunks() for line in data[: end + (base < 0)].split(b"\n") if line]


def stored(box: Box) -> list[bytes]:
    """The lines of short ones that the engine has."""
    return [stamp(piece.ns) + b" " + piece.data.rstrip(b"\r\n") for piece in box.stored]


@contextmanager
def made(limit: int = 3) -> Iterator[tuple[Engine, Box, Spool]]:
    """An engine with a container of some lines, and their spool."""
    with Engine() as engine:
        box = engine.add("livekit", lines=["one", "two", "three", "four"])
        with connect(Target(docker_host=engine.host)) as asked:
            (container,) = asked.containers()
            with closing(spooled(asked, container, limit)) as spool:
                yield engine, box, spool


def test_the_last_lines_are_spooled() -> None:
    """A log is named after its container, and says when older lines were left out; they stay so."""
    with made(limit=3) as (engine, box, spool):
        assert content(spool) == stored(box)[1:]
        assert spool.name == "docker logs demo-livekit-1"
        assert "only its last 3 lines" in spool.note
        box.log("five")
        assert take(engine, spool) == 1
        assert content(spool) == stored(box)[1:]
    with made(limit=5) as (_, box, spool):
        assert content(spool) == stored(box)
        assert not spool.note


def test_the_engines_time_stays_before_a_line() -> None:
    """A line keeps the engine's time, which is read as another program's prefix, so that an undated line has a date."""
    with made() as (engine, box, spool):
        box.log(SERVER)
        take(engine, spool)
        line = content(spool)[-1]
    assert nanoseconds(line) == START + 4 * MS
    record = parse(clean(line))
    assert record is not None
    assert record.kind == "worker-registered"


def test_a_container_created_anew_is_read_from_its_beginning() -> None:
    """What the new container logs follows on what the old one did."""
    with made(limit=9) as (engine, box, spool):
        old = stored(box)
        new = engine.recreate(box, lines=["one", "five"])
        assert take(engine, spool) == 2
        assert content(spool) == old + stored(new)
        assert take(engine, spool) == 0


def test_more_than_one_look_can_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """When more was logged than the short look takes, nothing of it is missing, long lines counted as often as stored."""
    monkeypatch.setattr(spooling, "_NEXT", 4)
    with made(limit=9) as (engine, box, spool):
        for number in range(20):
            box.log(f"line {number}")
        assert take(engine, spool) == 20
        box.log("x" * 50_000)
        box.log("end")
        assert take(engine, spool) == 2
        got = content(spool)
    assert [line[31:] for line in got[4:24]] == [f"line {number}".encode() for number in range(20)]
    assert [len(line) - 31 for line in got[24:]] == [50_000, 3]


def test_an_engine_that_breaks_off_costs_nothing() -> None:
    """What an engine gave before it went away is kept, and the rest is read when it is back."""
    with made(limit=9) as (engine, box, spool):
        box.log("five")
        box.log("six")
        engine.cut_after = 90
        with pytest.raises(Unreachable):
            take(engine, spool)
        engine.cut_after = None
        engine.restart()
        take(engine, spool)
        assert content(spool) == stored(box)
    with Engine() as engine, closing(Spool("new")) as spool:
        box = engine.add("livekit", lines=["one", "two", "three"])
        engine.cut_after = 90
        with pytest.raises(Unreachable):
            take(engine, spool)
        assert content(spool) == stored(box)[:2]
        engine.cut_after = None
        take(engine, spool)
        assert content(spool) == stored(box)


def test_a_spool_stays_small() -> None:
    """Old lines that nobody wants are dropped; reading goes on where it was."""
    with made(limit=9) as (engine, box, spool):
        box.log("five", START + 10**10)
        take(engine, spool)
        assert spool.compact((START + 10**10) / 10**9, lambda line: line.endswith(b" two")) == 3
        kept = [stored(box)[1], stored(box)[4]]
        assert content(spool) == kept
        box.log("six")
        assert take(engine, spool) == 1
        assert content(spool) == [*kept, stored(box)[5]]


Step = tuple[str, int, str]
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("log"), st.sampled_from([0, 0, 0, 1, 10**9, 3 * 10**9, -(10**9)]), st.sampled_from(["a", "b", ""])
        ),
        st.tuples(st.just("long"), st.sampled_from([0, 1]), st.sampled_from(["x", "y"])),
        st.tuples(
            st.sampled_from(["read", "read", "restart", "again", "cut", "recreate", "compact"]), st.just(0), st.just("")
        ),
    ),
    max_size=30,
)


@settings(max_examples=60)
@given(STEPS, st.sampled_from([None, 1, 5, 40]), st.booleans(), st.sampled_from([2, 1000]))
def test_the_spool_is_what_was_logged(steps: list[Step], chunk: int | None, tty: bool, short: int) -> None:  # noqa: FBT001
    """Whatever is logged, restarted, cut or read in between, each line is there once, as often as it was logged."""
    logged: list[bytes] = []
    with Engine() as engine, closing(Spool("log")) as spool, pytest.MonkeyPatch.context() as patched:
        patched.setattr(spooling, "_NEXT", short)
        engine.chunk = chunk
        box, now = engine.add("livekit", tty=tty), START
        for what, after, text in steps:
            if what in {"log", "long"}:
                now = max(now + after, START)
                line = text * 17_000 if what == "long" and chunk is None else text
                box.log(line, now, "stderr" if after else "stdout")
                logged.append(stamp(now) + b" " + line.encode())
            elif what == "restart":
                engine.restart()
            elif what == "again":
                box.restarts += 1
            elif what == "recreate":
                take(engine, spool)  # what a container that is gone had not told, nobody can know
                box = engine.recreate(box)
            elif what == "compact":
                spool.compact(START / 10**9 + 5, lambda _: True)
            elif what == "cut" and chunk is None:
                engine.cut_after = 100
                try:
                    take(engine, spool)
                except Unreachable:
                    pass
                finally:
                    engine.cut_after = None
            else:
                take(engine, spool)
        take(engine, spool)
        got = content(spool)
    assert sorted(got) == sorted(logged)
    assert [line for line in got if line in set(logged)] == got
    if all(after >= 0 for _, after, _ in steps):
        assert got == logged


def test_a_record_of_several_lines_is_kept_whole() -> None:
    """The lines of a record that is wanted go with it, as a worker in `dev` writes its name below its message."""
    with made() as (engine, box, spool):
        for text in ("[10:00:00] registered worker", '    id: "AW_1"', "        nested", "another", "    of another"):
            box.log(text)
        take(engine, spool)
        spool.compact((START + 10**11) / 10**9, lambda line: b"registered" in line)
        assert [line.split(b" ", 1)[1] for line in content(spool)] == [
            b"[10:00:00] registered worker", b'    id: "AW_1"', b"        nested",
        ]  # fmt: skip
