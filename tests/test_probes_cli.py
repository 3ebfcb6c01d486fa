"""The verbs about probes at a terminal: how they stand, in text and as JSON, and what somebody says of them."""

from __future__ import annotations

import io
import json
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from bot import settings_file
from bot.doors.probes import lines
from bot.engine import executor
from bot.engine.values import Person
from bot.errors import UsageError
from bot.probes.values import Result
from bot.report.probes import DECLARE
from bot.report.probes_document import schema
from tests.engine.staged import Place
from tests.fletcher import fletcher
from tests.slack.probed import look, looks, probe, red

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.engine.front import Front
    from bot.probes.values import Standing

PUBLISHED = Path(__file__).parent.parent / "docs" / "probes.schema.json"
CLOCK = re.compile(r"\d\d:\d\d UTC")


@pytest.fixture
def front(here: Path) -> Iterator[Front]:
    """The store of this folder, with a probe that is degraded and one that is healthy."""
    with Place(here).front() as made:
        made.probing.declare([probe("log-sweep"), probe("stack-health")])
        look(made, "stack-health", "green")
        looks(made, "log-sweep", ["green", "red", "red"])
        yield made


def test_without_a_probe_it_says_how_one_is_declared(here: Path) -> None:
    """And the lines that it shows are right, as the file has it; nothing is wrong by that."""
    done = fletcher("probes")
    assert (done.code, done.out) == (0, f"{DECLARE}\n")
    for argv in (("probes", "log-sweep"), ("probes", "log-sweep", "--json"), ("mute", "all", "1h")):
        none = fletcher(*argv)
        assert (none.code, "there is no probe" in none.err) == (2, True), none.err
    with Place(here).front() as made, pytest.raises(UsageError, match="there is no probe"):
        lines(made, None, "log-sweep", Person("ada", "slack"), 100)  # as Slack asks
    declared = "\n".join(line[2:] for line in DECLARE.splitlines() if line.startswith("  "))
    (here / "fletcher.toml").write_text(declared, encoding="utf-8")
    document = settings_file.read(here / "fletcher.toml")
    assert [one.runbook for one in document.probes] == ["agent-canary", "log-sweep", "stack-health", "agent-watch"]
    assert document.watch.alert_in == "C0123ABCD"


def test_what_is_declared_is_told_before_anybody_has_looked(here: Path) -> None:
    """Where `serve` has not been started since: who looks, and from when on, at every verb."""
    (here / "fletcher.toml").write_text('[[probe]]\nrunbook = "stack-health"\nname = "all"\n', encoding="utf-8")
    shown: tuple[tuple[str, ...], ...] = (("probes",), ("probes", "all"))
    for argv in shown:
        done = fletcher(*argv)
        assert (done.code, done.err) == (0, "")
        assert "Declared in fletcher.toml, and nothing has looked yet: `fletcher serve` does" in " ".join(
            done.out.split()
        )
        assert "1970" not in done.out
        told = fletcher(*argv, "--json").json["probes"]
        assert [(one["name"], one["state"], one["since"], one["next_look"]) for one in told] == [
            ("all", "new", None, None)
        ]
    for argv in (
        ("mute", "all", "1h"),
        ("unmute", "all"),
        ("acknowledge", "all"),
        ("probes", "all", "--now"),
        ("probes", "--now"),
    ):
        done = fletcher(*argv)
        assert (done.code, "`fletcher serve` does" in done.err) == (4, True), (argv, done.err)
    (here / "fletcher.toml").write_text('[[probe]]\nrunbook = "stack-health"\n', encoding="utf-8")
    assert "`fletcher serve` does" in fletcher("mute", "all", "1h").err
    assert "did you mean 'stack-health'" in fletcher("probes", "stack-helth").err
    (here / "fletcher.toml").write_text('[[probe]]\nrunbook = "stack-helth"\n', encoding="utf-8")
    assert "fletcher.toml:2" in fletcher("probes").err


def test_what_is_declared_again_is_not_said_to_be_gone(here: Path, front: Front) -> None:
    """And one that is added is told beside those that are looked; a mistake in the file hides nothing."""
    front.probing.declare([probe("stack-health")])
    (here / "fletcher.toml").write_text('[[probe]]\nrunbook = "log-sweep"\n', encoding="utf-8")
    done = fletcher("probes")
    assert ("no longer declared" in done.out, "nothing has looked yet" in done.out) == (False, True)
    (here / "fletcher.toml").write_text('[[probe]]\nrunbook = "log-swep"\n', encoding="utf-8")
    assert "stack-health" in fletcher("probes").out


def test_the_list_has_each_with_what_it_said(front: Front) -> None:
    """Exit code 1 while one is degraded, 3 while one is unknown, 0 once all is well."""
    done = fletcher("probes")
    head, first, says, second, _ = CLOCK.sub("12:00 UTC", done.out).splitlines()
    assert head.split() == ["PROBE", "STATE", "SINCE", "LOOKS", "LAST", "LOOK", "NEXT", "MISSED", "SKIPPED", "RUN"]
    assert first.split()[:2] == ["log-sweep", "DEGRADED"]
    assert first.split()[4:] == ["×2", "12:00", "UTC", "12:00", "UTC", "0", "0", "-"]
    assert says == "    2 rooms lack their agent."
    assert second.split()[:2] == ["stack-health", "healthy"]
    assert done.code == 1
    look(front, "log-sweep", "green")
    look(front, "stack-health", "unknown")
    assert fletcher("probes").code == 3
    assert fletcher("probes", "log-sweep").code == 0
    look(front, "stack-health", "green")
    assert fletcher("probes").code == 0


def test_one_is_told_whole(front: Front) -> None:
    """With the lines that decided, and its last slots."""
    front.probing.missed("log-sweep", [int(time.time()) + 500])
    told = fletcher("probes", "log-sweep").out
    for word in (
        "DEGRADED: log-sweep, since",
        "worker-unnamed in room",
        "livekit.log:411: INFO not dispatching",
        "red, 0.4 s",
        "missed",
        "every 1m",
    ):
        assert word in told, word
    wrong = fletcher("probes", "log-swep")
    assert (wrong.code, "did you mean 'log-sweep'?" in wrong.err) == (2, True)
    assert fletcher("probes", "log-sweep", "stack-health").code == 2


@pytest.mark.usefixtures("front")
def test_json_has_the_published_schema() -> None:
    """Of all and of one, muted and acknowledged or not; no key is there that is not published."""
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == json.loads(json.dumps(schema()))
    closed = schema()
    for definition in closed["$defs"].values():
        definition["additionalProperties"] = False
        assert definition["description"]
    judge = Draft202012Validator(closed)
    fletcher("mute", "log-sweep", "1h", "we", "know")
    fletcher("acknowledge", "log-sweep")
    fletcher("hold", "moving")
    for argv in (("probes", "--json"), ("probes", "log-sweep", "--json")):
        told = fletcher(*argv).json
        assert [error.message for error in judge.iter_errors(told)] == []
        one = told["probes"][0]
        assert (one["state"], one["count"], one["muted_why"], len(one["findings"])) == ("degraded", 2, "we know", 1)
        assert one["next_look"] > one["since"]
        assert told["hold"]["why"] == "moving"
    assert [slot["light"] for slot in fletcher("probes", "log-sweep", "--json").json["probes"][0]["slots"]] == [
        "green",
        "red",
        "red",
    ]


def test_what_somebody_says_of_one_is_shown_and_audited(front: Front) -> None:
    """Muted, unmuted, acknowledged; twice is refused, and status tells each that is not healthy."""
    assert (
        fletcher("mute", "log-sweep", "1h30m", "the", "server", "is", "moved").out
        == "Probe log-sweep is muted for 1h30m.\n"
    )
    assert "muted until" in fletcher("probes").out
    assert fletcher("acknowledge", "log-sweep").out.startswith("Probe log-sweep is acknowledged by ")
    again = fletcher("acknowledge", "log-sweep")
    assert (again.code, "has acknowledged the probe log-sweep already" in again.err) == (4, True)
    status = fletcher("status").out
    assert re.search(
        r"Probe log-sweep is DEGRADED since .* \(×2, last .*\): 2 rooms lack their agent; acknowledged by .*; muted until .*: the server is moved\.",
        status,
    )
    assert "stack-health" not in status
    assert fletcher("unmute", "all").out == "The probes log-sweep, stack-health are not muted any more.\n"
    assert "muted until" not in fletcher("probes").out
    said = [row.entry.what for row in front.trail()]
    assert [words.split()[0] for words in said] == ["muted", "acknowledged", "unmuted"]
    assert all(row.entry.door == "terminal" and row.entry.person for row in front.trail())


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (("mute",), 2, "which probe, and for how long?"), (("mute", "log-sweep"), 2, "for how long?"), (("mute", "log-sweep", "0s"), 2, "a second at least"),
        (("mute", "log-sweep", "31d"), 2, "30d at most"), (("mute", "log-sweep", "1w"), 2, "unknown unit"), (("mute", "no", "1h"), 2, "there is no probe 'no'"),
        (("unmute",), 2, "which probe?"), (("acknowledge", "stack-health"), 4, "nothing to acknowledge"), (("acknowledge", "a", "b"), 2, "one probe at a time"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("front")
def test_what_cannot_be_done_is_said(argv: tuple[str, ...], code: int, says: str) -> None:
    """With what would do."""
    done = fletcher(*argv)
    assert (done.code, says in done.err) == (code, True), done.err


def test_what_nobody_looks_any_more_is_not_passed_for_how_it_is(here: Path, front: Front) -> None:
    """It says so beside what it was, also while somebody carries out a single run, who looks at no probe."""
    for argv in (("probes",), ("probes", "--json"), ("probes", "stack-health")):
        told = fletcher(*argv)
        assert ("nobody looks now" in told.err, "healthy" in told.out) == (True, True)
    with front._store.acting("fletcher run", "root"):
        assert "nobody looks now" in fletcher("probes").err
        assert fletcher("probes", "stack-health", "--now").code == 4
    with serving(here, front, lambda *_: Result(light="green", says="well")):
        assert fletcher("probes").err == ""


def test_a_look_now_is_waited_for_where_somebody_looks(here: Path, front: Front) -> None:
    """Else it is said that nobody does, and it is due."""
    nobody = fletcher("probes", "log-sweep", "--now")
    assert (nobody.code, "nobody looks here now" in nobody.err) == (4, True)
    with serving(here, front, lambda standing, _: Result(light="green", says=f"{standing.probe.name} is well.")):
        done = fletcher("probes", "stack-health", "--now")
        assert (done.code, "stack-health is well." in done.out, done.err) == (0, True, "")
        every = fletcher("probes", "--now")
        assert (every.code, "log-sweep is well." in every.out) == (0, True)


@contextmanager
def serving(here: Path, front: Front, probe_: Callable[[Standing, Any], Result]) -> Iterator[None]:
    """While somebody serves who looks so."""
    assert executor.__name__  # loaded before there is a second thread
    stop = threading.Event()
    parts = replace(Place(here).parts, probe=probe_)
    thread = threading.Thread(target=front.serve, args=(parts, stop, "root", io.StringIO()))
    thread.start()
    try:
        while front.executor() is None:
            assert thread.is_alive()
            time.sleep(0.01)
        yield
    finally:
        stop.set()
        thread.join(20)


def test_a_secret_in_what_is_said_is_masked(front: Front) -> None:
    """In a reason as in a log line."""
    secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJ2aWRlbyI6e319.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"
    fletcher("mute", "log-sweep", "1h", f"token {secret}")
    look(front, "log-sweep", "red", f"saw {secret}")
    told = [
        fletcher(*argv).out
        for argv in (("probes",), ("probes", "log-sweep"), ("probes", "--json"), ("status",), ("audit", "export"))
    ]
    assert not any(secret in one for one in told)
    assert red().findings
