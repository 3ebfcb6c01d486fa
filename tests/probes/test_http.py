"""What `fletcher serve` answers over HTTP, to who asks it: a process, its store, and a real connection."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.doors import http
from bot.doors.figures import figures
from bot.doors.health import Health
from bot.engine.counts import Counts, counted_with
from bot.engine.front import Front
from bot.engine.values import Person
from bot.findings import Finding
from bot.livekit.remedies import REMEDY
from bot.probes.values import Result
from bot.settings_serve import address, listen_trouble
from tests.engine.staged import Place
from tests.fletcher import fletcher
from tests.probes.looking import looks, probe, standing, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
SECRET, ONE, TWO, THREE = "hush-hush", "room-of-ann", "room-of-bob", "room-of-eve"
GREEN = Result(light="green", says=SECRET, seconds=0.2, to_agent=0.7, lag=3.5)
SLOW = Result(light="green", says="ok", seconds=0.2, to_agent=99.0)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as JSON."""
        told: dict[str, Any] = json.loads(self.body)
        return told

    def figure(self, name: str) -> float | None:
        """One figure, by its name with its labels; None where it is not there."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.body.decode(), re.MULTILINE)
        return float(found[1]) if found else None


def ask(port: int, path: str, method: str = "GET") -> Answer:
    """Ask over a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path)
        got = connection.getresponse()
        return Answer(got.status, dict(got.headers), got.read())
    finally:
        connection.close()


def lacking(*rooms: tuple[str, str], more: dict[str, int] | None = None) -> Result:
    """A look that saw these rooms without their agents: (room, cause)."""
    findings = tuple(
        Finding(room=room, verdict="cause", cause=cause, summary=SECRET, confidence=1.0) for room, cause in rooms
    )
    counted: dict[str, int] = more or {}
    for _, cause in rooms if more is None else ():
        counted = {**counted, cause: counted.get(cause, 0) + 1}
    return Result(light="red", says=SECRET, findings=findings, lacking=counted)


def looked(front: Front, name: str, *results: Result) -> None:
    """Let a probe look so, one slot after another, from now on."""

    def made() -> int:
        found = front.measured()
        return sum(found.counts[name].lights.values()) if name in found.counts else 0

    left, before = list(results), made()
    with looks(front, lambda _standing, _stop: left.pop(0)):
        for number in range(1, len(results) + 1):
            assert front.probing.due(name, int(time.time()) + before + number)
            until(lambda number=number: made() == before + number)  # type: ignore[misc]  # as it is now


@contextmanager
def filled(here: Path) -> Iterator[Front]:
    """A store in which every figure has something to tell."""
    place = Place(here)
    with place.front() as front:
        front.probing.declare([probe("agent-canary", fail=1), probe("log-sweep", every=3600), probe("weekly", cron="0 3 * * sun")])  # fmt: skip
        looked(front, "agent-canary", GREEN, SLOW)
        looked(front, "log-sweep", lacking((ONE, "no-worker"), (TWO, "load-refused"), (THREE, "made-up")))
        front.submit(place.order())
        yield front


@contextmanager
def served(here: Path, *, listen: str = "127.0.0.1:0", **more: str) -> Iterator[Callable[..., Answer]]:
    """`fletcher serve` in a process of its own; ask it."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.defpath, "FLETCHER_LISTEN": listen, **more}
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "serve"], cwd=here, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            said = next((json.loads(line)["says"] for line in lines if "answers /healthz" in line), "")
            assert said, "it does not answer"
            threading.Thread(target=lambda: list(lines), daemon=True).start()
            yield lambda path, method="GET": ask(int(said.rpartition(":")[2]), path, method)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextmanager
def answering(front: Front) -> Iterator[int]:
    """The same in this process; the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with http.answering(Health(front, None), "127.0.0.1", port):
        yield port


def test_a_process_says_whether_it_is_well(here: Path) -> None:
    """200 while it carries out and its clock goes; figures to GET and HEAD, and nothing else to anybody."""
    (here / "fletcher.toml").write_text('[serve]\nlisten = "127.0.0.1:1"\n', encoding="utf-8")
    with served(here) as ask_it:  # the environment goes before the file
        until(lambda: ask_it("/healthz").status == 200)
        told = ask_it("/healthz?x").json
        assert (told["status"], told["store"]["ok"], told["clock"]["says"]) == ("ok", True, "No probe is declared.")
        assert (told["held"], told["slack_connected"], told["last_slot_age_seconds"]) == (False, None, None)
        assert ask_it("/metrics").headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert fletcher("hold").code == 0
        assert (ask_it("/healthz").json["held"], ask_it("/metrics").figure("fletcher_hold")) == (True, 1.0)
        head = ask_it("/healthz", "HEAD")
        assert (head.status, head.body, int(head.headers["Content-Length"]) > 50) == (200, b"", True)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
            refused = ask_it("/metrics", method)
            assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")
        lost = ask_it("/<script>")
        assert (lost.status, b"script" in lost.body, "Python" in str(lost.headers)) == (404, False, False)


def test_a_name_that_cannot_be_one_is_refused_as_any_other(here: Path) -> None:
    """It is no bug."""
    (here / "fletcher.toml").write_text('[serve]\nlisten = "a..b:9464"\n', encoding="utf-8")
    said = fletcher("serve")
    assert (said.code, "cannot listen at a..b:9464 (no such name)" in said.err) == (4, True), said.err


def test_nothing_listens_unless_it_is_told_to(here: Path) -> None:
    """And where it cannot, the start says so, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (here / "fletcher.toml").write_text(f'[serve]\nlisten = "127.0.0.1:{port}"\n', encoding="utf-8")
        said = fletcher("serve")
    assert (said.code, f"cannot listen at 127.0.0.1:{port}" in said.err, "name another port" in said.err) == (
        4,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ('listen = "9464"', "must be an address of this machine and a port, such as 127.0.0.1:9464"),
        ('listen = ":9464"', "must be an address"),
        ('listen = "::1:9464"', "must be an address"),
        ('listen = "http://127.0.0.1:9464"', "must be an address"),
        ('listen = "127.0.0.1:http"', "must end with a port"),
        ('listen = "127.0.0.1:65536"', "must end with a port"),
        ("listen = 9464", "must be a text in quotes"),
        ('lisen = "127.0.0.1:9464"', "unknown key `lisen` (did you mean 'listen'?)"),
    ],
)
def test_where_to_listen_is_read_strictly(here: Path, value: str, told: str) -> None:
    """With the file and the line; a variable is named as well."""
    (here / "fletcher.toml").write_text(f"[serve]\n{value}\n", encoding="utf-8")
    said = fletcher("config", "check")
    assert (said.code, "fletcher.toml:2" in said.err, told in said.err) == (2, True, True)


def test_a_variable_is_read_as_strictly(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An IPv6 address has brackets."""
    assert here.is_dir()
    monkeypatch.setenv("FLETCHER_LISTEN", "::1")
    said = fletcher("serve")
    assert (said.code, "FLETCHER_LISTEN (the environment) must be an address" in said.err) == (2, True)
    (here / "fletcher.toml").write_text('[serve]\nlisten = "[::1]:0"\n', encoding="utf-8")
    assert "answers /healthz and /metrics at ::1  (the environment)" in fletcher("config", "check").out
    monkeypatch.delenv("FLETCHER_LISTEN")
    assert fletcher("config", "check", "--json").json["serve"] == [
        "answers /healthz and /metrics at [::1]:0  ([serve])"
    ]


def test_the_figures_are_those_of_the_deployment(here: Path) -> None:
    """From the store, so that every process tells the same; labels have few values, and nobody's rooms or words."""
    with filled(here) as front, answering(front) as port:
        told = ask(port, "/metrics")
        for name, value in {
            'fletcher_probe_results_total{light="green",probe="agent-canary"}': 2, 'fletcher_probe_results_total{light="red",probe="log-sweep"}': 1,
            'fletcher_probe_results_total{light="red",probe="weekly"}': 0, 'fletcher_probe_state{probe="log-sweep",state="degraded"}': 1,
            'fletcher_probe_state{probe="agent-canary",state="healthy"}': 1, 'fletcher_probe_state{probe="weekly",state="new"}': 1,
            'fletcher_rooms_without_agent{cause="no-worker",probe="log-sweep"}': 1, 'fletcher_rooms_without_agent{cause="other",probe="log-sweep"}': 1,
            'fletcher_dispatch_failures_total{cause="load-refused",probe="log-sweep"}': 1, 'fletcher_time_to_agent_seconds_count{probe="agent-canary"}': 2,
            'fletcher_time_to_agent_seconds_bucket{le="1.0",probe="agent-canary"}': 1, 'fletcher_time_to_agent_seconds_bucket{le="30.0",probe="agent-canary"}': 1,
            'fletcher_time_to_agent_seconds_sum{probe="agent-canary"}': 99.7, 'fletcher_probe_interval_seconds{probe="log-sweep"}': 3600,
            'fletcher_probe_missed_slots_total{probe="weekly"}': 0, 'fletcher_runs{state="queued"}': 1, "fletcher_approvals_waiting": 0, "fletcher_hold": 0,
        }.items():  # fmt: skip
            assert told.figure(name) == value, name
        assert told.figure('fletcher_probe_interval_seconds{probe="weekly"}') is None
        assert told.figure("fletcher_hold_start_timestamp_seconds") is None
        front.switch.hold(Person("ada", "terminal"), SECRET)
        told = ask(port, "/metrics")
        assert (told.figure("fletcher_hold"), (told.figure("fletcher_hold_start_timestamp_seconds") or 0) > 1e9) == (
            1,
            True,
        )
        with Place(here).front() as other:
            again = figures(other.measured(), slack=None)
        for text in (told.body.decode(), again.decode()):
            assert not re.search(rf"{SECRET}|room-of|ada\\b|/tmp", re.sub(r"# HELP.*", "", text))
            labels = set(re.findall(r'(\w+)="([^"]*)"', text))
            assert {name for name, _ in labels} <= {"probe", "light", "state", "cause", "le", "version"}
            assert {value for name, value in labels if name == "cause"} <= {*REMEDY, "other"}
        figure = re.compile(r"^fletcher_(?!approvals_oldest).*$", re.MULTILINE)
        assert figure.findall(told.body.decode()) == figure.findall(again.decode())


def test_what_is_counted_stays_counted(here: Path) -> None:
    """A room that lacks its agent from look to look is one failure; an unknown look tells of no room; old slots may go."""
    one, dark = lacking((ONE, "no-worker")), Result(light="unknown", says="?")
    with Place(here).front() as front:
        front.probing.declare([probe("sweep")])
        many = lacking((ONE, "no-worker"), more={"no-worker": 40})
        looked(front, "sweep", one, one, lacking((ONE, "no-worker"), (TWO, "no-worker")), many, GREEN, one)

        def failures() -> float | None:
            return Answer(200, {}, figures(front.measured(), slack=None)).figure('fletcher_dispatch_failures_total{cause="no-worker",probe="sweep"}')  # fmt: skip

        assert failures() == 1 + 0 + 1 + 38 + 0 + 1
        with front._store.change() as change:
            change.c.exec_driver_sql("DELETE FROM slots")
        looked(front, "sweep", dark)
        text = figures(front.measured(), slack=True)
        assert failures() == 41
        assert b"fletcher_rooms_without_agent{" not in text
        assert b"fletcher_slack_connected 1.0" in text
        front.probing.declare([])
        assert b"sweep" not in figures(front.measured(), slack=None)


def test_a_clock_that_is_silent_is_told(here: Path) -> None:
    """Due slots that nobody writes down, or nobody looks, are no health; neither is a process that carries nothing out."""
    with Place(here).front() as front, answering(front) as port:
        assert "Nothing is carried out" in ask(port, "/healthz").json["executor"]["says"]
        front._store.beat = time.monotonic()
        assert ask(port, "/healthz").status == 200
        front._store.beat -= 100
        assert ask(port, "/healthz").status == 503
        front._store.beat = time.monotonic() + 1000
        front.probing.declare([probe("sweep", every=10)])
        told = ask(port, "/healthz")
        assert (told.status, told.json["clock"]["says"]) == (200, "The clock goes for 1 probe.")
        with front._store.change() as change:
            change.c.exec_driver_sql("UPDATE switches SET at = at - 600 WHERE name = 'clock sweep'")
        told = ask(port, "/healthz")
        assert (told.status, told.json["status"], "silent: sweep was due" in told.json["clock"]["says"]) == (
            503,
            "failing",
            True,
        )
        front.probing.due("sweep", int(time.time()))
        assert ask(port, "/healthz").status == 200
        with front._store.change() as change:
            change.c.exec_driver_sql("UPDATE slots SET at = at - 600")
        assert "Nobody looks" in ask(port, "/healthz").json["clock"]["says"]
        assert standing(front, "sweep").state == "new"


def test_a_clock_that_was_ahead_is_told_and_forgotten_at_the_next_start(here: Path) -> None:
    """Else nothing would be due until the time that it showed, and all of it would look well."""
    later = int(time.time()) + 365 * 86400
    with Place(here).front() as front:
        front.probing.declare([probe("a"), probe("b")])
        assert front.probing.due("a", later)
        told = Health(front, None).report().parts["clock"]
        assert (told.ok, "ahead, so that a would not" in told.says, "start `fletcher serve` anew" in told.says) == (
            False,
            True,
            True,
        )
        front.probing.declare([probe("a"), probe("b")])
        assert front.probing.known("a") <= time.time()
        assert Health(front, None).report().parts["clock"].ok
        assert front.probing.look_now("a")
        assert [slot for slot, *_ in front.probing.history("a")][-1] < later


def test_nobody_is_kept_waiting(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that hangs is told in time, and asked once however often somebody asks; so is one that is broken."""
    asked, go = list[int](), threading.Event()

    def hang(_front: Front) -> None:
        asked.append(1)
        go.wait(20)
        raise sqlite3.DatabaseError

    with Place(here).front() as front, answering(front) as port:
        monkeypatch.setattr(Front, "measured", hang)
        health = Health(front, None)
        began = time.monotonic()
        with http.answering(health, "127.0.0.1", 0):
            reports = [health.report() for _ in range(2)]
        assert time.monotonic() - began < 15
        assert [(report.ok, report.parts["store"].says) for report in reports] == [(False, "The store did not answer within 2 s.")] * 2  # fmt: skip
        assert len(asked) == 1
        go.set()
        until(lambda: "bug in Fletcher" in health.report().parts["store"].says)
        assert port


def test_a_machine_without_threads_is_answered_again_once_it_has_some(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many came meanwhile; and what is a bug is an answer, too."""
    start = threading.Thread.start

    def none(thread: threading.Thread) -> None:
        if thread.name == "measures" or "process_request" in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    with Place(here).front() as front, answering(front) as port:
        front._store.beat = time.monotonic() + 1000
        health = Health(front, None)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", none)
            for _ in range(20):
                with pytest.raises(ConnectionError):
                    ask(port, "/healthz")
            with pytest.raises(RuntimeError, match="new thread"):
                health.measured()
        assert ask(port, "/healthz").status == 200
        assert health.measured().standings == ()
        monkeypatch.setattr(http, "figures", none)
        told = ask(port, "/metrics")
        assert (told.status, b"bug in Fletcher" in told.body) == (500, True)


def test_who_says_nothing_keeps_nobody_out_for_long(here: Path) -> None:
    """Connections are few: more are told to come again, until those that say nothing are ended."""
    with Place(here).front() as front, answering(front) as port:
        mute = [socket.create_connection(("127.0.0.1", port)) for _ in range(16)]
        try:
            until(lambda: _status(port) == 503)
            until(lambda: _status(port) == 405)
        finally:
            for one in mute:
                one.close()


def _status(port: int) -> int:
    return ask(port, "/healthz", "POST").status


# --- what is said of it ---------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["docs/metrics.md", "examples/prometheus/fletcher.rules.yml"])
def test_every_figure_that_is_named_is_there(here: Path, file: str) -> None:
    """The document names all of them, and the alerts none that there is not."""
    with filled(here) as front:
        front.switch.hold(Person("ada", "terminal"))
        text = figures(front.measured(), slack=True).decode()
    there = set(re.findall(r"^# TYPE (fletcher_\w+)", text, re.MULTILINE))
    named = {name.removesuffix("_bucket") for name in re.findall(r"\b(fletcher_\w+)", (ROOT / file).read_text("utf-8"))}
    assert named <= there
    assert file.startswith("examples") or named == there


@given(st.text() | st.from_regex(r"[\[\]a-z0-9.:]{0,9}:[0-9]{0,6}", fullmatch=True))
def test_any_text_is_an_address_or_a_sentence(text: str) -> None:
    """What is taken can be listened at, as far as its form goes; what is not is never repeated."""
    trouble = listen_trouble(text)
    if trouble:
        assert len(text) < 6 or text.strip() not in trouble or text.strip() in "such as 127.0.0.1:9464"
    else:
        host, port = address(text.strip())
        assert host
        assert 0 <= port <= 65535


RESULTS = st.builds(
    lambda light, rooms, more, waited: Result(
        light=light, says="", to_agent=waited, lacking=more,
        findings=tuple(Finding(room=room, verdict="cause", cause="no-worker", summary="", confidence=1.0) for room in rooms),
    ),
    st.sampled_from(["green", "red", "unknown", "skipped"]), st.sets(st.sampled_from("abcdef")),
    st.dictionaries(st.sampled_from(["no-worker", "made-up"]), st.integers(0, 50)), st.none() | st.floats(0, 1e6),
)  # fmt: skip


@given(st.lists(RESULTS, max_size=8))
def test_counts_only_grow_and_none_is_lost(results: list[Result]) -> None:
    """Each look is counted once, each time to an agent in one class, and a room that stays without agent once."""
    counts, before = Counts(), None
    for number, result in enumerate(results, 1):
        after = counted_with(counts, before, result)
        assert sum(after.lights.values()) == number
        assert all(after.failures.get(cause, 0) >= count for cause, count in counts.failures.items())
        again = counted_with(after, result, result)
        assert again.failures == after.failures
        counts, before = after, result
    assert sum(counts.classes) == sum(result.to_agent is not None for result in results)
