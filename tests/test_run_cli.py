"""Runs as people meet them: ordered, answered, watched, searched and reported through the command line."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bot.doors import engine, question
from bot.policy import Policy
from tests.engine.staged import Place
from tests.fletcher import Reply, fletcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MENDED = ["set-value", "set-other", "note", "build", "prove"]


@pytest.fixture
def place(here: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The current folder is one with a service that can be mended, and runs act on that."""
    made = Place(here)
    monkeypatch.setattr(engine, "acting", lambda config: nullcontext(replace(made.parts, policy=engine.policy(config))))
    return made


def ordered(*argv: str) -> Reply:
    """`fletcher run` of the service's runbook."""
    return fletcher("run", "mend.md", *argv)


def answered(*argv: str) -> Any:  # noqa: ANN401  # JSON
    """What a call says with --json."""
    return json.loads(fletcher(*argv, "--json").out)


def ended() -> str:
    """The id of a run that has mended the service."""
    run: str = ordered("--yes", "--json").json["order"]["id"]
    return run


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody is at the terminal, who types these lines, each without being asked twice; "^C" interrupts."""
    lines: list[str] = []

    def answer(prompt: str = "") -> str:
        print(prompt)
        if not lines:
            raise EOFError
        if (line := lines.pop(0)) == "^C":
            raise KeyboardInterrupt
        return line

    monkeypatch.setattr(question, "can_ask", lambda: True)
    monkeypatch.setattr("builtins.input", answer)
    return lines


@contextmanager
def serving(place: Place) -> Iterator[None]:
    """Somebody serves this folder's runs."""
    stop, front = threading.Event(), place.front()
    thread = threading.Thread(target=front.serve, args=(place.parts, stop, "root", io.StringIO()))
    thread.start()
    try:
        while front.executor() is None:
            assert thread.is_alive()
        yield
    finally:
        stop.set()
        thread.join()
        front.__exit__()


# --- carried out here ----------------------------------------------------------------------------


def test_a_script_orders_and_gets_its_report(place: Place) -> None:
    """With --yes the run goes to its end: what happened as plain lines, then the report, and 0."""
    reply = ordered("--yes")
    assert (reply.code, reply.err) == (0, "")
    assert place.done == MENDED
    assert "\x1b" not in reply.out
    for part in (
        "queued",
        "set-value: done",
        "| building",
        "FIXED: Mend the service",
        "[yes] value",
        "approved by",
    ):
        assert part in reply.out


CASES = [
    ({}, [], 1, "declined", "there is no terminal to ask in; --yes answers for a script"),
    ({}, ["--yes", "--dry-run"], 0, "done", "dry run"),
    ({"effect": "disrupt"}, ["--yes"], 4, "refused", "--allow-disrupt beside it does"),
    ({"effect": "disrupt"}, ["--yes", "--allow-disrupt"], 0, "fixed", ""),
    (
        {"warning": "two workers"},
        ["--yes", "--allow-disrupt"],
        4,
        "refused",
        "--yes does not answer a guard: two workers",
    ),
    ({"warning": "two workers"}, [], 1, "declined", "which only somebody at a terminal can answer"),
    ({"down": ""}, ["--yes"], 3, "inconclusive", "the engine does not answer"),
]


@pytest.mark.parametrize(("look", "argv", "code", "state", "said"), CASES, ids=[str(n) for n in range(len(CASES))])
def test_what_a_script_may(
    place: Place, look: dict[str, str], argv: list[str], code: int, state: str, said: str
) -> None:
    """Each flag covers what it says, a guard is answered by none, and the exit code tells how it ended."""
    for name, text in look.items():
        place.put(f"look/{name}", text)
    reply = ordered(*argv, "--json")
    assert (reply.code, reply.json["state"]) == (code, state)
    assert said in " ".join([*reply.json["says"], (reply.json["decision"] or {}).get("reason", "")])
    assert (place.done == MENDED) is (state == "fixed")


def test_a_dry_run_shows_the_plan(place: Place) -> None:
    """All that would be done, and that nothing of it was."""
    reply = ordered("--dry-run")
    assert (reply.code, place.done) == (0, [])
    assert "PLAN: Mend the service" in reply.out
    assert "this is the plan, and nothing of it was done" in reply.out


def test_a_change_that_does_not_hold_is_taken_back(place: Place) -> None:
    """What is refuted ends as rolled back, with 1, and the files are as before."""
    reply = ordered("--yes", "--input", "value=worse")
    assert reply.code == 1
    assert "ROLLED BACK" in reply.out
    assert "set-value: taken back" in reply.out
    assert place.text("app.env") == "VALUE=bad\n"


@pytest.mark.parametrize(
    ("look", "lines", "code", "state"),
    [
        ({}, ["y"], 0, "fixed"),
        ({}, ["YES"], 0, "fixed"),
        ({}, [""], 1, "declined"),
        ({}, [], 1, "declined"),
        ({}, ["^C"], 1, "cancelled"),
        ({"effect": "disrupt"}, ["y"], 0, "fixed"),
        ({"warning": "two workers"}, ["understood"], 0, "fixed"),
        ({"warning": "two workers"}, ["y"], 1, "declined"),
    ],
)
def test_somebody_at_the_terminal_is_asked(
    place: Place, typed: list[str], look: dict[str, str], lines: list[str], code: int, state: str
) -> None:
    """The plan is shown before the question, a plain yes suffices up to disrupt, and a guard wants its word."""
    for name, text in look.items():
        place.put(f"look/{name}", text)
    typed += lines
    reply = ordered()
    assert reply.code == code
    assert answered("runs")[0]["state"] == state
    asked = "type understood" if look.get("warning") else "Carry this out? [y/N]"
    assert reply.out.index("PLAN: Mend the service") < reply.out.index(asked)
    assert reply.out.count(" queued\n") == 1  # told once, also to somebody who interrupted
    assert (place.done == MENDED) is (state == "fixed")


def test_a_second_one_is_told_who_acts(place: Place) -> None:
    """While another process acts from this folder, a run is refused with who that is."""
    with place.front() as front, front.home.executing("fletcher run", "bob"):
        reply = ordered("--yes")
    assert (reply.code, reply.out) == (4, "")
    assert f"fletcher run (process {os.getpid()}" in reply.err
    assert "started by bob" in reply.err


# --- by somebody who serves ----------------------------------------------------------------------


def test_a_served_run_is_left_answered_and_followed(place: Place) -> None:
    """A script's order waits without it; another call approves it, and a third sees it end."""
    with serving(place):
        assert fletcher("serve", "--check").code == 0
        reply = ordered()
        [row] = answered("status")["runs"]
        assert (reply.code, row["state"], place.done) == (3, "waiting", [])
        assert f"`fletcher approve {row['id']}`" in reply.out
        stale = fletcher("approve", row["id"], "--digest", "0" * 12)
        assert (stale.code, "is another one" in stale.err) == (4, True)
        assert fletcher("approve", row["id"][:6], "--reason", "go").code == 0
        followed = fletcher("logs", "-f", row["id"])
        assert (followed.code, place.done) == (0, MENDED)
        assert f"Run {row['id']} is fixed" in followed.out
        again = fletcher("approve", row["id"])
        assert (again.code, "does not wait for an answer: it is fixed" in again.err) == (4, True)
    assert fletcher("serve", "--check").code == 4
    assert "go" in fletcher("report", row["id"]).out


def test_interrupting_leaves_a_served_run_alone(place: Place, typed: list[str]) -> None:
    """Ctrl-C detaches, says how to come back, and cancels nothing; a no from elsewhere ends it."""
    typed.append("^C")
    with serving(place):
        reply = ordered()
        [row] = answered("runs")
        assert (reply.code, row["state"]) == (3, "waiting")
        assert f"`fletcher logs -f {row['id']}` comes back to it" in reply.out
        assert fletcher("deny", row["id"], "--reason", "later").code == 0
        assert fletcher("logs", "-f", row["id"]).code == 1
    assert place.done == []


@pytest.mark.parametrize("elsewhere", [False, True])
def test_runbooks_that_the_settings_name_can_be_ordered(place: Place, elsewhere: bool) -> None:  # noqa: FBT001  # a case
    """By their id, from the folders of fletcher.toml, whichever file of that kind is meant."""
    place.put("mine/mend.md", place.text("mend.md").replace("id: mend", "id: ours"))
    settings = "deploy/fletcher.toml" if elsewhere else "fletcher.toml"
    place.put(settings, f'runbooks = ["{"../" if elsewhere else ""}mine"]\n')
    argv = ("--config", settings) if elsewhere else ()
    reply = fletcher("run", "ours", "--yes", *argv)
    assert (reply.code, place.done) == (0, MENDED), reply.err


def test_what_a_dead_one_left_is_answered_without_anybody_who_serves(place: Place) -> None:
    """Approved where nobody carries out runs, it is carried out by the call that approves it."""
    with place.front() as front:
        run = front.submit(place.order("1a2b3c4d", person=engine.me(None)))
        stop = threading.Event()
        thread = threading.Thread(target=front.serve, args=(place.parts, stop, "root", io.StringIO()))
        thread.start()
        while front.show(run).state != "waiting":
            assert thread.is_alive()
        stop.set()
        thread.join()
    reply = fletcher("approve", run)
    assert (reply.code, place.done) == (0, MENDED)
    assert "FIXED" in reply.out


# --- what is kept --------------------------------------------------------------------------------


def test_everything_about_a_run_can_be_had(place: Place) -> None:
    """List, state, story and report, for people and for scripts."""
    assert "no run yet" in fletcher("runs").out
    run = ended()
    assert f"{run}  fixed  mend" in fletcher("runs").out
    assert "Nothing carries them out now" in fletcher("status").out
    assert "FIXED: Mend the service" in fletcher("show", run).out
    assert fletcher("show", run, "--json").json["state"] == "fixed"
    assert fletcher("report", run, "--html").out.startswith("<!doctype html>")
    assert fletcher("report", run, "--markdown").out.startswith("## FIXED: Mend the service")
    events = [json.loads(line) for line in fletcher("logs", run, "--json").out.splitlines()]
    assert [event["state"] for event in events if event["kind"] == "run"][-1] == "fixed"
    assert "set-value: done" in fletcher("logs", run).out
    assert place.done == MENDED


WRONG = [
    (["run"], 2, "which runbook?"),
    (["run", "mend.md", "--input", "valeu=1"], 2, "no input `valeu` (did you mean `value`?)"),
    (["run", "mend.md", "-"], 2, "a run looks again before it acts"),
    (["run", "gone.md"], 2, "gone.md"),
    (["run", "mend.md", "--yse"], 2, "did you mean '--yes'?"),
    (["run", "mend.md", "--target", "x"], 2, "no target 'x'"),
    (["show"], 2, "which run?"),
    (["show", "zzz"], 2, "there is no run 'zzz'"),
    (["show", "../../etc"], 2, "there is no run"),
    (["show", "RUN", "other"], 2, "one run at a time"),
    (["show", "RUN", "--step", "nope"], 2, "has no step 'nope'; its steps: 1 set-value"),
    (["show", "RUN", "--grep", "("], 2, "--grep is no regular expression"),
    (["approve", "RUN"], 4, "does not wait for an answer: it is fixed"),
    (["cancel", "RUN"], 4, "has ended already: fixed"),
    (["resume", "RUN"], 4, "does not wait to be resumed: it is fixed"),
    (["report", "RUN", "--html", "--markdown"], 2, "choose one"),
    (["serve", "--check"], 4, "nothing serves from"),
    (["audit", "verfy"], 2, "invalid choice"),
]


@pytest.mark.usefixtures("place")
def test_what_is_wrong_is_one_sentence() -> None:
    """Each wrong question has its exit code, a sentence with the next step, and changes nothing."""
    run = ended()
    for argv, code, said in WRONG:
        reply = fletcher(*(run if word == "RUN" else word for word in argv))
        assert (reply.code, reply.err.count("\n")) == (code, 1), argv
        assert said in reply.err, argv
    assert [row["state"] for row in answered("runs")] == ["fixed"]


def test_the_policy_of_the_folder_holds(place: Place) -> None:
    """A [policy] without a line for this user refuses the run, and one that asks for a peer cannot be met yet."""
    user = engine.account()
    place.put(
        "fletcher.toml",
        f'[[person]]\nname = "ann"\n[[person]]\nname = "me"\nos = "{user}"\n[policy]\nrun = [{{who = "ann"}}]\n',
    )
    reply = ordered("--yes")
    assert reply.code == 4
    assert "me may not run mend from the terminal: no line `run` of [policy] allows it" in reply.out
    place.put("fletcher.toml", '[policy]\nrun = [{effects = "read"}]\n')
    reply = ordered("--yes")
    assert (reply.code, "from the terminal where files or containers are changed: no line" in reply.out) == (4, True)
    assert ordered("--dry-run").code == 0
    place.put("fletcher.toml", '[policy]\neffects = {change = "peer"}\n')
    reply = ordered("--yes")
    assert (reply.code, "through a door that knows who somebody is" in reply.out) == (4, True)
    place.put("fletcher.toml", '[policy]\neffects = {change = "peer"}\nsingle-operator = true\n')
    reply = ordered("--yes")
    assert (reply.code, place.done) == (0, MENDED)
    assert "LOWERED by single-operator" in reply.out
    assert "single-operator" in fletcher("audit", "export").out


POLICIES = [
    ("", "change", [], 1, "there is no terminal to ask in", ""),
    ('effects = {change = "peer"}', "change", ["--yes"], 4, "through a door that knows who somebody is", ""),
    ('effects = {disrupt = "peer"}', "disrupt", ["--yes", "--allow-disrupt"], 4, "through a door that knows who somebody is", ""),
    ("", "destroy", ["--yes", "--allow-disrupt"], 4, "another person has to approve this (data may be lost)", ""),
    ('effects = {change = "peer"}\nsingle-operator = true', "change", ["--yes"], 0, "FIXED", "single-operator: the requester's own"),
    ('auto = {mend = "1/1h"}', "change", [], 0, "FIXED", "auto: mend goes unasked, at most 1 times in 3600 s"),
    ('auto = {mend = "1/1h"}', "disrupt", [], 0, "FIXED", "auto: mend goes unasked"),
    ('auto = {mend = "1/1h"}', "destroy", ["--yes"], 4, "another person has to approve this", ""),
    ('auto = {other = "1/1h"}', "change", [], 1, "there is no terminal to ask in", ""),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "effect", "argv", "code", "said", "switch"), POLICIES)
def test_what_is_asked_under_a_policy(
    place: Place, rules: str, effect: str, argv: list[str], code: int, said: str, switch: str
) -> None:
    """A peer whom nobody can be here is a refusal; each switch that lowers stands on plan, report and audit."""
    place.put("fletcher.toml", f"[policy]\n{rules}\n" if rules else "")
    place.put("look/effect", effect)
    dry = ordered("--dry-run", "--json").json
    assert (dry["state"], list(dry["asked"]["switches"]) != []) == ("done", bool(switch))
    shown = ordered("--dry-run").out
    assert switch in shown
    assert ("For real it would be refused" in shown) is (code == 4)
    reply = ordered(*argv)
    assert (reply.code, said in " ".join(reply.out.split())) == (code, True)
    assert reply.out.count("LOWERED by") == 2 * bool(switch)  # as it happens, and in the report
    assert switch in fletcher("audit", "export").out
    assert (place.done == MENDED) is (code == 0)


def test_going_unasked_has_its_limit(place: Place) -> None:
    """The first goes unasked, the next one is asked about as if there were no switch."""
    place.put("fletcher.toml", '[policy]\nauto = {mend = "1/1h"}\n')
    assert ordered().code == 0
    reply = ordered("--input", "value=better", "--anyway")
    assert (reply.code, "there is no terminal to ask in" in reply.out, "LOWERED" in reply.out) == (1, True, False)


def test_another_person_cannot_answer_at_the_terminal(place: Place) -> None:
    """The terminal does not know who somebody is, whatever account of a declared person it is."""
    mine = f'os = "{engine.account()}"\n'
    place.put("fletcher.toml", f'[[person]]\nname = "ann"\n{mine}')
    with serving(place):
        ordered()
        [row] = answered("status")["runs"]
        place.put("fletcher.toml", f'[[person]]\nname = "bob"\n{mine}')
        reply = fletcher("approve", row["id"])
        assert (reply.code, "ann has to confirm this; another person" in reply.err) == (4, True)
        assert answered("show", row["id"])["state"] == "waiting"
        place.put("fletcher.toml", f'[[person]]\nname = "ann"\n{mine}')
        assert fletcher("approve", row["id"]).code == 0
        assert fletcher("logs", "-f", row["id"]).code == 0


def test_what_has_expired_cannot_be_approved(place: Place) -> None:
    """It ends by itself, and a late yes is told so."""
    place.policy = Policy(expires=0.2)
    with serving(place):
        ordered()
        run = answered("runs")[0]["id"]
        assert fletcher("logs", "-f", run).code == 1
        reply = fletcher("approve", run)
    assert (reply.code, "does not wait for an answer: it is expired" in reply.err, place.done) == (4, True, [])


# --- audit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("", 0, "each in its place"),
        ("update audit set entry = replace(entry, 'ordered', 'watched') where seq = 1", 1, "row 1 was edited"),
        ("delete from audit where seq = 2", 1, "row 2 is missing"),
        ("delete from audit where seq > 2", 1, "rows were cut off at the end"),
    ],
)
def test_the_audit_tells_what_was_done_to_it(place: Place, sql: str, code: int, said: str) -> None:
    """Every row is exported; an edit, a removal and a cut are found."""
    run = ended()
    rows = [json.loads(line) for line in fletcher("audit", "export").out.splitlines()]
    assert {row["entry"]["run"] for row in rows} == {run}
    assert rows[0]["entry"]["person"] == engine.account()
    with sqlite3.connect(place.folder / ".fletcher" / "fletcher.db") as store:
        store.execute(sql or "select 1")
    store.close()
    reply = fletcher("audit", "verify")
    assert (reply.code, said in reply.out) == (code, True)
    assert bool(fletcher("audit", "verify", "--json").json["problems"]) is bool(code)


# --- starting ------------------------------------------------------------------------------------


def test_what_only_looks_loads_no_engine() -> None:
    """Whoever only asks does not wait for the store and all that belongs to it."""
    code = "import sys, bot.doors.cli; print(sorted({'bot.engine', 'dbos', 'sqlalchemy', 'jinja2', 'msgspec'} & set(sys.modules)))"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout == "[]\n"
