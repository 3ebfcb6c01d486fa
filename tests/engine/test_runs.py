"""Runs through the front: every state, who may decide, what is taken back and in which order, what a restart finds."""

from __future__ import annotations

import io
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import msgspec
import pytest

from bot.engine import durable, executor, rows
from bot.engine.values import Decision, Person, exit_code
from bot.errors import FletcherError, Unreachable, UsageError
from bot.policy import Auto, Grant, Policy
from bot.runbook.document import Limit
from tests.engine.staged import ME, MEND, PEER, Door, Place, only_a_file

if TYPE_CHECKING:
    from pathlib import Path

    from bot.engine.front import Front
    from bot.engine.values import Event, Run

MENDED = ["set-value", "set-other", "note", "build", "prove"]
BACK = ["undo:set-other", "undo:set-value", "build", "unnote", "prove-undone"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """The service in a folder."""
    return Place(tmp_path)


def until(front: Front, run: str, state: str) -> Run:
    """The run once it is in this state."""
    deadline = time.monotonic() + 20
    while (now := front.show(run)).state != state:
        assert time.monotonic() < deadline, (now.state, now.says)
        time.sleep(0.01)
    return now


class Serving:
    """`fletcher serve` in a thread, while the context lasts."""

    def __init__(self, place: Place) -> None:
        self.place, self.stop, self.trouble, self.log = place, threading.Event(), "", io.StringIO()
        self.thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        with self.place.front() as front:
            try:
                front.serve(self.place.parts, self.stop, "root", self.log)
            except FletcherError as trouble:
                self.trouble = str(trouble)

    def __enter__(self) -> Self:
        self.thread.start()
        with self.place.front() as front:
            while front.executor() is None and self.thread.is_alive():
                time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()


# --- how runs end ------------------------------------------------------------------------------------------------------


def test_a_failing_state_becomes_a_working_one(place: Place) -> None:
    """Fixed: everything done once and in order, proven, each step with what it remembered; the files are the new ones."""
    door = Door()
    run = place.run(door)
    assert (run.state, exit_code(run.state)) == ("fixed", 0)
    assert place.done == MENDED
    assert place.text("running") == "VALUE=good\n"
    assert [(row.name, row.state) for row in run.steps] == [
        (name, "done") for name in ("set-value", "set-other", "note", "rebuild")
    ]
    assert run.steps[0].memory is not None
    assert run.steps[0].memory.files[0][0].endswith("app.env")
    assert [e.state for e in door.heard if e.kind == "run"] == ["queued", "looking", "waiting", "running", "fixed"]
    assert [e.text for e in door.heard if e.kind == "line"] == ["note says something", "building"]
    assert [(e.state, e.text) for e in door.heard if e.step == "works"] == [("running", "verifying"), ("done", "seen")]
    assert run.says[-1] == "A failing state became a working one. Seen."


def test_what_does_not_hold_is_taken_back(place: Place) -> None:
    """Patches first, the last one first, then rebuilt from what they were, then the author's own rollback; then proven."""
    door = Door()
    run = place.run(door, inputs={"value": "wrong"})
    assert (run.state, exit_code(run.state)) == ("rolled-back", 1)
    assert place.done == [*MENDED, *BACK[:2], "build", "unnote", "prove-undone"]
    assert (place.text("app.env"), place.text("other.env"), place.text("running")) == (
        "VALUE=bad\n",
        "OTHER=bad\n",
        "VALUE=bad\n",
    )
    assert {row.state for row in run.steps} == {"undone"}
    assert [e.state for e in door.heard if e.step == "what was taken back"] == ["running", "done"]
    assert run.says[-1] == "It did not hold: seen. Everything was taken back. Seen."


def test_a_step_that_fails_is_taken_back_too(place: Place) -> None:
    """A build that fails: what was patched before is as it was, and what ran runs."""
    run = place.run(inputs={"value": "BROKEN"})
    assert run.state == "rolled-back"
    assert "A step failed: the build failed." in run.says[-1]
    assert place.done == [
        "set-value",
        "set-other",
        "note",
        "undo:set-other",
        "undo:set-value",
        "unnote",
        "prove-undone",
    ]


def test_a_rollback_that_fails_is_said_so(place: Place) -> None:
    """The author's rollback fails: the run says what is not taken back."""
    place.put("fail-unnote")
    run = place.run(inputs={"value": "wrong"})
    assert run.state == "rollback-failed"
    assert "Taking it back FAILED: exit code 1" in run.says[-1]


def test_what_cannot_be_told_is_left(place: Place) -> None:
    """Only what is refuted is undone."""
    place.put("cannot-tell")
    run = place.run()
    assert (run.state, exit_code(run.state)) == ("not-verified", 3)
    assert place.done == MENDED
    assert run.says[-1].endswith("whether it holds could not be told. Nobody answers.")


def test_what_is_healthy_is_left_alone_unless_it_is_asked_for(place: Place) -> None:
    """Healthy does nothing; the same with --anyway is done, and never called fixed."""
    place.put("running", "VALUE=good\n")
    run = place.run()
    assert (run.state, exit_code(run.state), place.done) == ("healthy", 0, [])
    run = place.run(anyway=True)
    assert run.state == "done"
    assert "--anyway" in run.says[-1]


def test_nothing_is_known_when_nobody_answers(place: Place) -> None:
    """A look that fails ends the run with its sentence."""
    place.put("look/down")
    run = place.run()
    assert (run.state, exit_code(run.state), run.says) == ("inconclusive", 3, ("the engine does not answer",))


def test_a_person_says_no(place: Place) -> None:
    """Declined: nothing was done, and nothing can be said after it."""
    run = place.run(Door("no"))
    assert (run.state, place.done) == ("declined", [])
    with place.front() as front, pytest.raises(Unreachable, match="decided already: ada said no"):
        front.decide(run.id, Decision(kind="yes", person=ME, digest=run.digest, at=0))


def test_nobody_answers(tmp_path: Path) -> None:
    """A question expires; whoever comes later is told."""
    place = Place(tmp_path, Policy(run=(Grant(),), approve=(Grant(),), expires=0.3))
    run = place.run(Door("leave"))
    assert (run.state, exit_code(run.state), place.done) == ("expired", 1, [])
    with place.front() as front, pytest.raises(Unreachable, match="nobody answered in time"):
        front.decide(run.id, Decision(kind="yes", person=ME, digest=run.digest, at=0))


# --- before anything is done -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "look", "state", "says"),
    [
        ({"yes": True}, {}, "fixed", "A failing state"),
        ({"yes": True}, {"effect": "disrupt"}, "refused", "--allow-disrupt beside it does"),
        ({"yes": True, "allow_disrupt": True}, {"effect": "disrupt"}, "fixed", "A failing state"),
        ({"yes": True, "allow_disrupt": True}, {"effect": "destroy"}, "refused", "another person has to approve"),
        ({"yes": True}, {"warning": "two workers"}, "refused", "--yes does not answer a guard: two workers"),
        ({"dry_run": True}, {}, "done", "This was a dry run"),
    ],
)  # fmt: skip
def test_what_an_order_answers_by_itself(
    place: Place, order: dict[str, bool], look: dict[str, str], state: str, says: str
) -> None:
    """`--yes` covers a change, with --allow-disrupt a disruption, and never a guard; then nobody is asked."""
    for name, text in look.items():
        place.put(f"look/{name}", text)
    door = Door()
    run = place.run(door, **order)
    assert (run.state, door.asked) == (state, [])
    assert says in run.says[-1]
    assert (place.done == MENDED) is (state == "fixed")


def test_a_guard_wants_a_word(place: Place) -> None:
    """Where a guard warns a plain yes does not do."""
    place.put("look/warning", "two workers")

    class Late(Door):
        def ask(self, run: Run) -> Decision | None:
            self.word = "yes" if not self.asked else ""
            return super().ask(run)

    door = Late()
    assert place.run(door).state == "fixed"
    assert len(door.asked) == 2
    assert any("the word `understood` has to be typed" in e.text for e in door.heard)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("app.env", "VALUE=worse\n"), "the file app.env"),
        (("mend.md", MEND + "\nMore.\n"), "the runbook's text"),
        (("running", "VALUE=good\n"), "it is refused now: it is healthy"),
        (("look/effect", "disrupt"), "its effect has risen from change to disrupt"),
        (("look/warning", "two workers"), "a guard says something else; two workers"),
        (("look/down", ""), "looked at again, which failed, so nothing was done. the engine does not answer"),
    ],
)
def test_what_changes_after_the_approval_voids_it(place: Place, change: tuple[str, str], said: str) -> None:
    """A file, the runbook, the state, the effect, a guard: refused, nothing done, and it is said what."""

    class Slow(Door):
        def ask(self, run: Run) -> Decision | None:
            place.put(*change)
            return super().ask(run)

    run = place.run(Slow())
    assert (run.state, exit_code(run.state), place.done) == ("refused", 4, [])
    assert said in run.says[-1]


def test_a_target_has_one_acting_run(place: Place) -> None:
    """A lock names the run and the person that have it; a waiting approval holds none."""
    with place.front() as front:
        with front._store.change() as change:
            rows.lock(change.c, str(place.folder), "another", "grace", 0)
        run = front.run_here(place.parts, place.order(), Door())
    assert run.state == "refused"
    assert "Run another of grace is acting on" in run.says[-1]


def test_the_same_fix_twice_in_vain_is_enough(place: Place) -> None:
    """The third time it stops and says so; a new plan may be tried."""
    for _ in range(2):
        assert place.run(inputs={"value": "wrong"}).state == "rolled-back"
    run = place.run(inputs={"value": "wrong"})
    assert run.state == "refused"
    assert run.says[-1].startswith("STOPPED: the same fix was made twice in a day and did not hold (runs run-2-")
    assert place.run().state == "fixed"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("policy: {cooldown: 10m}", "the runbook asks to wait 600 s"),
        ("policy: {limit: 1/1h}", "it was done 1 times in the last 3600 s"),
    ],
)
def test_a_runbook_limits_itself(place: Place, policy: str, said: str) -> None:
    """Cooldown and limit count what was carried out on this target."""
    place.put("mend.md", MEND.replace("inputs:", f"{policy}\ninputs:", 1))
    assert place.run().state == "fixed"
    place.put("running", "VALUE=bad\n")
    place.put("app.env", "VALUE=bad\n")
    run = place.run()
    assert run.state == "refused"
    assert said in run.says[-1]


# --- persons and policy ------------------------------------------------------------------------------------------------


def test_a_peer_is_another_person_through_a_door_that_knows_him(tmp_path: Path) -> None:
    """The requester is not his own peer through whatever door, nor does a terminal vouch for anybody."""
    policy = Policy(run=(Grant(),), approve=(Grant(),), effects={"change": "peer"}, vouching=("slack",))
    place = Place(tmp_path, policy)
    with Serving(place), place.front() as front:
        run = until(front, front.submit(place.order()), "waiting")

        def said(person: Person) -> Run:
            return front.decide(run.id, Decision(kind="yes", person=person, digest=run.digest, at=0))

        for person, why in (
            (ME, "asked for this"),
            (Person("ada", "slack"), "asked for this"),
            (Person("grace", "terminal"), "does not"),
        ):
            with pytest.raises(Unreachable, match=why):
                said(person)
        said(PEER)
        until(front, run.id, "fixed")


def test_who_may_say_yes_may_say_no(tmp_path: Path) -> None:
    """Also where he may not run it; who may do neither leaves the question open."""
    grants = Grant(who=("ada",), doors=("terminal",)), Grant(who=("grace",), doors=("slack",))
    policy = Policy(run=grants[:1], approve=grants[1:], effects={"change": "peer"}, vouching=("slack",))
    place = Place(tmp_path, policy)
    with Serving(place), place.front() as front:
        run = until(front, front.submit(place.order()), "waiting")
        for person, refused in ((Person("lin", "slack"), True), (PEER, False)):
            no = Decision(kind="no", person=person, digest=run.digest, at=0)
            with pytest.raises(Unreachable, match="lin may not approve mend") if refused else nullcontext():
                front.decide(run.id, no)
        until(front, run.id, "declined")


def test_without_a_door_that_knows_people_a_peer_is_nobody(tmp_path: Path) -> None:
    """Such a plan is refused and says what would lower it; the switch that does is in the audit."""
    policy = Policy(run=(Grant(),), approve=(Grant(),), effects={"change": "peer"})
    place = Place(tmp_path, policy)
    run = place.run()
    assert run.state == "refused"
    assert "single-operator = true" in run.says[-1]
    place.policy = replace(policy, single_operator=True)
    run = place.run()
    assert run.state == "fixed"
    assert run.asked is not None
    assert run.asked.switches[0].startswith("single-operator")
    with place.front() as front:
        assert any("asks for less than usual: single-operator" in row.entry.what for row in front.trail())


def test_auto_goes_unasked_up_to_its_limit(tmp_path: Path) -> None:
    """Nobody is asked the first time; the second time somebody is."""
    place = Place(tmp_path, Policy(run=(Grant(),), approve=(Grant(),), auto=(Auto("mend", Limit(1, 3600)),)))
    door = Door()
    assert (place.run(door).state, door.asked) == ("fixed", [])
    place.put("app.env", "VALUE=bad\n")
    place.put("running", "VALUE=bad\n")
    assert (place.run(door).state, len(door.asked)) == ("fixed", 1)


@pytest.mark.parametrize("of", ["auto", "limit", "cooldown"])
def test_a_limit_may_be_longer_than_a_day(tmp_path: Path, of: str) -> None:
    """What was done two days ago counts in a limit of a week."""
    auto = (Auto("mend", Limit(1, 7 * 86400)),) if of == "auto" else ()
    place = Place(tmp_path, Policy(run=(Grant(),), approve=(Grant(),), auto=auto))
    if of != "auto":
        own = {"limit": "policy: {limit: 1/7d}", "cooldown": "policy: {cooldown: 7d}"}[of]
        place.put("mend.md", MEND.replace("inputs:", f"{own}\ninputs:", 1))
    door = Door()
    first = place.run(door)
    assert first.state == "fixed"
    with place.front() as front, front._store.change() as change:
        rows.put(change.c, first.id, acted_at=change.now - 2 * 86400)
    place.put("app.env", "VALUE=bad\n")
    place.put("running", "VALUE=bad\n")
    asked, second = len(door.asked), place.run(door)
    assert (second.state, len(door.asked) - asked) == (("fixed", 1) if of == "auto" else ("refused", 0)), second.says


def test_other_doors_only_look_without_a_policy(place: Place) -> None:
    """And are told the line that would enable more."""
    run = place.run(person=Person("bot", "web"))
    assert (run.state, place.done) == ("refused", [])
    assert 'run = [{who = ["bot"], doors = ["web"]}]' in run.says[-1]


# --- cancelling and waiting --------------------------------------------------------------------------------------------


def cancelled(place: Place, run: str) -> Run:
    """A run that is cancelled while its note is written, and so stopped."""

    class Sudden(Door):
        def tell(self, event: Event) -> None:
            if event.text == "note says something":
                with place.front() as another:
                    another.cancel(run, ME)

    with place.front() as front:
        return front.run_here(place.parts, place.order(run), Sudden())


def test_a_cancelled_run_is_taken_back(place: Place) -> None:
    """Cancelled while a step is done: that is stopped, what was done is taken back, then the run is cancelled."""
    place.put("hang-note")
    run = cancelled(place, "sudden")
    assert (run.state, exit_code(run.state)) == ("cancelled", 1)
    assert place.done == [
        "set-value",
        "set-other",
        "note",
        "undo:set-other",
        "undo:set-value",
        "unnote",
        "prove-undone",
    ]
    assert run.says[-1].startswith("ada cancelled it. Everything was taken back")


def test_ctrl_c_cancels_a_run_in_the_foreground(place: Place) -> None:
    """And waits until all is taken back."""
    place.put("hang-note")

    class Interrupted(Door):
        def tell(self, event: Event) -> None:
            if event.text == "note says something" and not self.heard:
                self.heard.append(event)
                raise KeyboardInterrupt

    assert place.run(Interrupted()).state == "cancelled"
    assert place.text("app.env") == "VALUE=bad\n"


def test_cancelled_while_it_waits_it_ends_at_once(place: Place) -> None:
    """Without anybody who acts, too."""
    with place.front() as front:
        run = front.submit(place.order())
        assert front.cancel(run, ME).state == "cancelled"
        with pytest.raises(Unreachable, match="has ended already: cancelled"):
            front.cancel(run, ME)
        with pytest.raises(Unreachable, match="does not wait to be resumed"):
            front.resume(run, ME)


@pytest.mark.parametrize(("word", "state"), [("resume", "fixed"), ("cancel", "cancelled")])
def test_what_nobody_can_tell_waits_for_a_person(place: Place, word: str, state: str) -> None:
    """It holds its lock until somebody says how it goes on."""
    place.put("lost-note")
    run = place.run()
    assert (run.state, exit_code(run.state)) == ("unknown", 3)
    assert "fletcher resume" in run.says[-1]
    assert run.steps[2].state == "unknown"
    other = place.run()
    assert f"Run {run.id} of ada is acting" in other.says[-1]
    (place.folder / "lost-note").unlink()
    with place.front() as front:
        getattr(front, word)(run.id, ME)
        run = front.go_on_here(place.parts, run.id, ME, Door())
    assert run.state == state
    assert place.text("app.env") == ("VALUE=good\n" if word == "resume" else "VALUE=bad\n")


def test_a_bug_in_a_step_is_not_forgotten(place: Place) -> None:
    """What it had done by then is for a person to look at."""
    place.put("bug-note")
    run = place.run()
    assert run.state == "unknown"
    assert "a bug in Fletcher (ZeroDivisionError) stopped note" in run.says[-1]


# --- one executor ------------------------------------------------------------------------------------------------------


@only_a_file
def test_a_second_one_says_who_acts(place: Place) -> None:
    """Served or in the foreground: one acts, the other is told who."""
    with Serving(place), place.front() as front:
        holder = front.executor()
        assert holder is not None
        assert holder.what == "fletcher serve"
        with pytest.raises(Unreachable, match=r"fletcher serve \(process \d+ on .*, started by root at"):
            front.run_here(place.parts, place.order(), Door())
        second = Serving(place)
        with second:
            pass
        assert "acts from" in second.trouble
    with place.front() as front:
        assert front.executor() is None


def test_an_order_reaches_who_serves(place: Place) -> None:
    """Submitted, attended and approved by another process' front; what it asks survives that process."""
    with place.front() as front:
        run = front.submit(place.order())
    with Serving(place), place.front() as front:
        until(front, run, "waiting")
    with place.front() as front:
        assert front.show(run).state == "waiting"  # nobody acts now
        front.decide(run, Decision(kind="yes", person=ME, digest=front.show(run).digest, at=0))
    with Serving(place), place.front() as front:
        assert front.attend(run, Door()).state == "fixed"
        assert [row.state for row in front.runs()] == ["fixed"]
    assert place.done == MENDED


def test_who_serves_ends_while_somebody_answers(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is woken in the very moment in which it is ended goes on at the next start."""
    close = durable.Durable.close

    def woken(self: durable.Durable) -> None:
        self.wake("asks")
        close(self)

    monkeypatch.setattr(durable.Durable, "close", woken)
    with Serving(place), place.front() as front:
        until(front, front.submit(place.order("asks")), "waiting")
    with Serving(place), place.front() as front:
        assert front.attend("asks", Door()).state == "fixed"


def test_a_decision_of_the_process_that_acts_is_heeded_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order, a decision and a cancellation are seen to before anybody looks whether other processes want something."""
    monkeypatch.setattr(executor, "_PAUSE", 3600.0)
    assert place.run().state == "fixed"
    place.put("app.env", "VALUE=bad\n")
    place.put("running", "VALUE=bad\n")
    place.put("hang-note")
    with place.front() as front:

        class Sudden(Door):
            def tell(self, event: Event) -> None:
                if event.text == "note says something":
                    front.cancel("sudden", ME)

        assert front.run_here(place.parts, place.order("sudden"), Sudden()).state == "cancelled"


def test_who_serves_takes_one_order_after_another(place: Place) -> None:
    """What was signalled of a run that has ended is forgotten, and the next order is seen all the same."""
    with Serving(place), place.front() as front:
        for _ in range(3):
            assert until(front, front.submit(place.order(dry_run=True)), "done").ended


def test_secret_inputs_are_in_no_store(place: Place) -> None:
    """They wait in a file that nobody else may read, and are gone with the run's end."""
    with place.front() as front:
        run = front.submit(place.order(inputs={"password": "hunter2-hunter2"}))
        secret = place.folder / ".fletcher" / "runs" / run / "inputs.secret"
        assert secret.stat().st_mode & 0o777 == 0o600
        assert front.show(run).order.inputs == {"password": "[redacted]"}
    for path in (place.folder / ".fletcher").iterdir():
        assert path.is_dir() or b"hunter2" not in path.read_bytes()
    with place.front() as front:
        assert front.go_on_here(place.parts, run, ME, Door()).state == "fixed"
    assert not secret.exists()


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"inputs": {"valeu": "x"}}, "has no input `valeu`"),
        ({"runbook": "nobody.md"}, "no such file"),
        ({"run": "../x"}, "is no run's id"),
    ],
)
def test_an_order_that_is_wrong_is_not_taken(place: Place, order: dict[str, str], said: str) -> None:
    """Nothing is written down of it."""
    with place.front() as front:
        with pytest.raises(UsageError, match=said):
            front.submit(place.order(**order))
        assert front.runs() == ()
        with pytest.raises(UsageError, match="there is no run 'nothing'"):
            front.show("nothing")


def test_an_id_is_taken_once(place: Place) -> None:
    """So that a clock that fires twice orders once."""
    with place.front() as front:
        order = place.order("probe:a:1")
        front.submit(order)
        with pytest.raises(UsageError, match="there is a run probe:a:1 already"):
            front.submit(msgspec.structs.replace(order, at=9.0))
