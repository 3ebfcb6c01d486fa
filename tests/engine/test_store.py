"""The store and its audit: what is detected, what is told when it cannot be used, what is kept and for how long."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine import audit, patience, sqlite
from bot.engine.audit import Entry, Head, Row, chained, problems
from bot.engine.front import Front
from bot.engine.front import _executor as executor_of_this
from bot.engine.home import Home, home_of
from bot.engine.states import NEXT, follows
from bot.engine.trouble import StoreTrouble
from bot.engine.values import ENDED, Decision, RunState
from bot.errors import Unreachable
from bot.policy import Policy
from tests.engine import staged
from tests.engine.staged import ME, Door, Place, only_a_file

if TYPE_CHECKING:
    from pathlib import Path


TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)  # halves of surrogate pairs, too
ENTRIES = st.lists(
    st.builds(Entry, at=st.floats(0, 2e9), run=TEXTS, person=TEXTS, door=TEXTS, what=TEXTS, digest=TEXTS, decision=TEXTS, outcome=TEXTS, reference=TEXTS),
    min_size=1,
    max_size=8,
)  # fmt: skip


def chain(entries: list[Entry]) -> list[Row]:
    """The entries as a chain."""
    rows: list[Row] = []
    for entry in entries:
        rows.append(chained(entry, Head(rows[-1].seq, rows[-1].hash) if rows else None))
    return rows


def head(rows: list[Row]) -> Head:
    """The head of a chain."""
    return Head(rows[-1].seq, rows[-1].hash)


# --- the chain ---------------------------------------------------------------------------------------------------------


@given(ENTRIES)
def test_a_chain_that_nobody_touched_has_no_problems(entries: list[Entry]) -> None:
    """Also when the head beside the store is a few rows behind, as after a crash."""
    rows = chain(entries)
    for known in rows:
        assert list(problems(rows, Head(known.seq, known.hash))) == []


@given(ENTRIES, st.data())
def test_whatever_is_done_to_a_chain_is_detected(entries: list[Entry], data: st.DataObject) -> None:
    """An edit, a removal anywhere, rows in another order, a truncation; also when what follows is computed anew."""
    rows = chain(entries)
    at = data.draw(st.integers(0, len(rows) - 1))
    edited = msgspec.structs.replace(
        rows[at], entry=msgspec.structs.replace(rows[at].entry, what=rows[at].entry.what + "!")
    )
    assert list(problems([*rows[:at], edited, *rows[at + 1 :]], head(rows)))
    assert list(problems([*rows[:at], *rows[at + 1 :]], head(rows)))
    assert list(problems(rows[:at], head(rows)))
    anew = chain([row.entry for row in (*rows[:at], edited, *rows[at + 1 :])])
    assert list(problems(anew, head(rows)))
    if len(rows) > 1:
        assert list(problems(rows[::-1], head(rows)))
    assert list(problems(rows, None)) == [
        "the head that is kept beside the store is gone, so that rows may have been cut off at the end"
    ]


def test_the_head_never_goes_back(tmp_path: Path) -> None:
    """Several processes write it, the later ones not always last."""
    path = tmp_path / "head"
    for seq in (3, 5, 4):
        audit.write_head(path, Head(seq, str(seq) * 64))
    assert audit.read_head(path) == Head(5, "5" * 64)
    path.write_text("{half")
    assert audit.read_head(path) is None
    audit.write_head(path, Head(6, "6" * 64))
    assert audit.read_head(path) == Head(6, "6" * 64)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "update audit set entry = replace(entry, 'ada', 'eve') where seq = 2",
            "row 2 was edited: its hash is another",
        ),
        ("delete from audit where seq = 2", "row 2 is missing"),
        ("delete from audit where seq > 2", "rows were cut off at the end: the head beside the store knows"),
        ("delete from audit", "rows were cut off at the end"),
    ],
)
def test_what_is_done_to_the_store_is_seen(tmp_path: Path, statement: str, said: str) -> None:
    """By whoever may write its file."""
    place = Place(tmp_path)
    place.run()
    with place.front() as front:
        assert front.tampered() == ()
    place.sql(statement)
    with place.front() as front:
        assert said in front.tampered()[0]


# --- states ------------------------------------------------------------------------------------------------------------

STATES: tuple[RunState, ...] = get_args(RunState)


@given(st.lists(st.sampled_from(STATES)))
def test_what_has_ended_stays_so(wanted: list[RunState]) -> None:
    """Whatever is asked of a run: it goes only where it may, and from an end nowhere."""
    state: RunState = "queued"
    for next_ in wanted:
        if follows(state, next_):
            assert state not in ENDED or next_ == state
            state = next_


def test_every_state_can_be_reached_and_left_or_is_an_end() -> None:
    """No state is forgotten."""
    reached = {"queued"}.union(*NEXT.values())
    assert reached == set(STATES)
    assert {state for state in STATES if state not in NEXT} == set(ENDED)


# --- the folder --------------------------------------------------------------------------------------------------------


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """Folders 0700, files 0600, and git ignores all of it."""
    place = Place(tmp_path)
    place.run()
    home = place.folder / ".fletcher"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (home / ".gitignore").read_text() == "*\n"
    for path in home.rglob("*"):
        if path.name not in {".gitignore", "set-value.before", "set-other.before"}:
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_it_lies_beside_the_compose_file(tmp_path: Path) -> None:
    """So that host and container share one; FLETCHER_HOME goes before it."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert home_of({}, below) == below / ".fletcher"
    (tmp_path / "compose.yaml").touch()
    assert home_of({}, below) == tmp_path / ".fletcher"
    assert home_of({}, below, tmp_path / "a") == tmp_path / "a" / ".fletcher"
    assert home_of({"FLETCHER_HOME": "x"}, below) == below / "x"


@pytest.mark.parametrize("keep", [None, 3e9])
def test_outputs_are_not_kept_for_ever(tmp_path: Path, keep: float | None) -> None:
    """Whoever carries out runs removes what is older than the policy says; rows stay, and so does what is still open."""
    place = Place(tmp_path, policy=Policy(keep=keep) if keep else None)
    old = place.run()
    with place.front() as front:
        waits = front.submit(place.order())
    folder = place.folder / ".fletcher" / "runs"
    for run in (old.id, waits):
        for path in (*(folder / run).iterdir(), folder / run):
            os.utime(path, (1, 1))
    new = place.run(dry_run=True)
    assert {path.name for path in folder.iterdir()} == {new.id, waits, *([old.id] if keep else [])}
    with place.front() as front:
        assert front.show(old.id).state == "fixed"


# --- what stands in the way --------------------------------------------------------------------------------------------


def test_a_newer_store_is_left_alone(tmp_path: Path) -> None:
    """It says so, and what to do."""
    place = Place(tmp_path)
    with place.front():
        pass
    place.sql("update fletcher_schema set version = 99")
    with pytest.raises(Unreachable, match="was written by a newer Fletcher"):
        place.front()


def test_an_approval_that_waits_outlives_an_upgrade(tmp_path: Path) -> None:
    """Asked under the tables of before, answered under those of now: the run goes on where it was, each step once."""
    place = Place(tmp_path)
    with place.front() as front:
        run = waiting(place, front)
    for name in ("switches", "probes", "slots", "executors", "owners", "leaders", "homes"):
        place.sql(f"drop table {name}")
    place.sql("update fletcher_schema set version = 2")
    with place.front() as front:
        asked = front.show(run)
        assert asked.state == "waiting"
        front.decide(run, Decision(kind="yes", person=ME, digest=asked.digest, at=0))
        assert front.go_on_here(place.parts, run, ME, Door()).state == "fixed"
        assert front.tampered() == ()
    assert sorted(set(place.done)) == sorted(place.done)


def waiting(place: Place, front: Front) -> str:
    """A run that waits for its answer when its executor ends."""
    run = front.submit(place.order())
    with front._store.acting("fletcher serve", "ada"), executor_of_this()(front._store, place.parts):
        for event in front.follow(run):
            if event.state == "waiting":
                break
    return run


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    """Whatever lies there."""
    home = Home(tmp_path)
    home.database.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(Unreachable, match="is damaged or no database of Fletcher"):
        Front(tmp_path)
    home.database.unlink()
    home.database.mkdir()
    with pytest.raises(Unreachable, match=r"cannot open .*: is a directory; FLETCHER_HOME names another folder"):
        Front(tmp_path)


def test_a_file_in_the_folders_place_is_said(tmp_path: Path) -> None:
    """With the way out."""
    (tmp_path / "x").touch()
    with pytest.raises(Unreachable, match="FLETCHER_HOME names another folder"):
        Front(tmp_path / "x")


@only_a_file
def test_a_locked_store_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a backup that does not end."""
    monkeypatch.setattr(sqlite, "BUSY", 0.05)
    place = Place(tmp_path)
    with place.front() as front:
        other = sqlite3.connect(tmp_path / ".fletcher" / "fletcher.db", isolation_level=None)
        other.execute("begin immediate")
        with pytest.raises(Unreachable, match="is locked by another program"):
            front.submit(place.order())
        other.execute("rollback")
        other.close()
        front.cancel(front.submit(place.order()), ME)


@only_a_file
@pytest.mark.parametrize("when", ["remember", "perform"])
def test_a_run_outlasts_a_store_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """That a step is begun, and what it came to, is written down as soon as it can be; the step is not done again."""
    monkeypatch.setattr(sqlite, "BUSY", 0.05)
    place = Place(tmp_path)
    other = sqlite3.connect(tmp_path / ".fletcher.db", isolation_level=None, check_same_thread=False)
    before, warned = getattr(staged.Building, when), list[str]()

    def locks(*args: object) -> object:
        done = before(*args)
        if not warned:
            other.execute("attach ? as store", [str(tmp_path / ".fletcher" / "fletcher.db")])
            other.execute("begin immediate")
            other.execute("update store.locks set at = 0")
        return done

    def warning(text: str, *args: object) -> None:
        warned.append(text % args)
        other.execute("rollback")

    monkeypatch.setattr(patience._log, "warning", warning)
    monkeypatch.setattr(staged.Building, when, locks)
    assert place.run().state == "fixed"
    other.close()
    assert place.done.count("build") == 1
    assert [text.endswith("then try again; trying again") for text in warned] == [True]


def test_a_process_that_uses_all_of_its_connections_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is trouble with the store, which passes, and no bug that ends a run."""
    place = Place(tmp_path)
    with place.front() as front, ExitStack() as used:
        engine = front._store.database.engine
        monkeypatch.setattr(engine.pool, "_timeout", 0.05)
        for _ in range(20):
            used.enter_context(engine.connect())
        with pytest.raises(StoreTrouble, match="all of its connections"):
            front.runs()
        with pytest.raises(StoreTrouble, match="all of its connections"):
            front.submit(place.order())
        used.close()
        assert front.runs() == ()


def test_any_text_is_kept_and_exported(tmp_path: Path) -> None:
    """A file name of other bytes, as a folder may have one: the run ends, its audit is whole, and all of it is JSON."""
    place, reason = Place(tmp_path), "since \udcff said so"
    with place.front() as front:
        run = front.run_here(place.parts, place.order(), Door("no", reason=reason))
        assert (run.state, front.tampered()) == ("declined", ())
        assert b"since \\\\udcff said so" in b"\n".join(msgspec.json.encode(row) for row in front.trail())
