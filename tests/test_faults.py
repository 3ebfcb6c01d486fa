"""Faults as people meet them: each is one clear sentence with its exit code, and nothing is left half written.

The runbook, its steps and the files are real; only a Docker engine and a LiveKit server are not there.
"""

from __future__ import annotations

import _thread
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from bot.doors import question
from bot.engine import breaker, patience
from bot.engine.rows import Before
from bot.errors import Unreachable
from bot.plan.values import Plan, Step
from bot.runbook.document import Limit, Policy
from tests.engine import staged
from tests.engine.staged import Door, Place
from tests.fletcher import RECORDINGS, fletcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engine.values import Event

ROOT = Path(__file__).parent.parent
MEND = """\
---
runbook: 1
id: mend
title: Mend the service
---

# Mend

```dotenv { patch name=set-value file=app.env }
VALUE=good
```

```sh { step name=note effect=change rollback=unnote }
pwd
touch noted
```

```sh { verify name=works after=note }
true
```

```sh { rollback name=unnote for=note }
rm noted
```
"""


@pytest.fixture
def service(here: Path) -> Path:
    """The current folder has a file that can be mended, a runbook that does so, and a log to look at."""
    (here / "app.env").write_text("VALUE=bad\n", encoding="utf-8")
    (here / "mend.md").write_text(MEND, encoding="utf-8")
    log = (RECORDINGS / "inc-071" / "livekit.log").read_text(encoding="utf-8")
    (here / "livekit.log").write_text("".join(log.splitlines(keepends=True)[:5]), encoding="utf-8")
    return here


def left(folder: Path) -> set[str]:
    """What lies in a folder, but for the runs."""
    return {path.name for path in folder.iterdir()} - {".fletcher"}


# --- what changes between the question and the answer ---------------------------------------------


def _link(folder: Path) -> None:
    (folder / "app.env").replace(folder / "elsewhere.env")
    (folder / "app.env").symlink_to("elsewhere.env")


def _folder(folder: Path) -> None:
    (folder / "app.env").unlink()
    (folder / "app.env").mkdir()


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (lambda f: (f / "app.env").unlink(), "app.env"),
        (_folder, "app.env"),
        (lambda f: (f / "app.env").write_text("VALUE=worse\n"), "Changed: the file app.env"),
        (lambda f: (f / "mend.md").write_text(MEND.replace("good", "better")), "Changed: the runbook's text"),
        (lambda f: (f / "mend.md").unlink(), "mend.md"),
        (lambda f: (f / "livekit.log").unlink(), "livekit.log"),
        (_link, "app.env, which leads to"),
    ],
)
def test_what_is_not_as_it_was_shown_is_not_touched(
    service: Path, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Path], object], said: str
) -> None:
    """A file that vanished, was replaced or edited, and a runbook with another text void the yes."""

    def answer(_prompt: str = "") -> str:
        happens(service)
        before.update(
            {p.name: p.read_bytes() for p in service.iterdir() if p.is_file()}, names=b",".join(sorted(os.fsencode(n) for n in left(service)))
        )  # fmt: skip
        return "y"

    before: dict[str, bytes] = {}
    monkeypatch.setattr(question, "can_ask", lambda: True)
    monkeypatch.setattr("builtins.input", answer)
    reply = fletcher("run", "mend.md", "livekit.log")
    assert (reply.code, "REFUSED" in reply.out) == (4, True), reply.out
    assert said in " ".join(reply.out.split())
    assert "so nothing was done" in " ".join(reply.out.split())
    names = before.pop("names")
    assert b",".join(sorted(os.fsencode(n) for n in left(service))) == names
    assert before == {p.name: p.read_bytes() for p in service.iterdir() if p.is_file()}


def test_scripts_and_paths_start_where_they_were_asked_for(service: Path) -> None:
    """Without a project at hand that is the folder of whoever asks, never the root of the machine."""
    reply = fletcher("run", "mend.md", "livekit.log", "--yes")
    assert (service / "noted").exists()
    assert f"| {service}\n" in reply.out
    assert (service / "app.env").read_text() == "VALUE=good\n"


def test_a_runbook_is_found_where_fletcher_toml_says(service: Path) -> None:
    """By its id for a run as for a plan, and by its file for both."""
    (service / "books").mkdir()
    (service / "mend.md").rename(service / "books" / "mend.md")
    (service / "fletcher.toml").write_text('runbooks = ["books"]\n', encoding="utf-8")
    for asked in ("mend", "books/mend.md"):
        assert fletcher("plan", asked, "livekit.log").code == 0
        assert fletcher("run", asked, "livekit.log", "--dry-run").code == 0


def test_what_is_not_there_is_said_before_anything_is_ordered(service: Path) -> None:
    """A mistyped file is wrong usage, and no run."""
    reply = fletcher("run", "mend.md", "livekit.log", "--agent-log", "gone.log")
    assert (reply.code, reply.out, reply.err) == (2, "", "fletcher: gone.log: no such file\n")
    assert not (service / ".fletcher" / "runs").exists()


# --- the folder of the runs -----------------------------------------------------------------------

VERBS = (
    ["run", "mend.md", "livekit.log", "--yes"], ["runs"], ["status"], ["show", "x"], ["logs", "x"], ["report", "x"], ["approve", "x"], ["cancel", "x"],
    ["resume", "x"], ["audit", "verify"], ["serve"],
)  # fmt: skip


def _newer(home: Path) -> None:
    with sqlite3.connect(home / "fletcher.db") as store:
        store.execute("update fletcher_schema set version = 99")
    store.close()


def _damaged(home: Path) -> None:
    (home / "fletcher.db").write_bytes(b"no database" * 1000)
    for name in ("fletcher.db-wal", "fletcher.db-shm"):
        (home / name).unlink(missing_ok=True)


def _file(home: Path) -> None:
    shutil.rmtree(home)
    home.touch()


@pytest.mark.parametrize(
    ("home", "happens", "said"),
    [
        (".fletcher", _newer, "was written by a newer Fletcher"),
        (".fletcher", _damaged, "is damaged or no database of Fletcher; move it away"),
        (".fletcher", _file, "FLETCHER_HOME names another folder"),
        ("/proc/fletcher", None, "cannot write in /proc/fletcher, where runs are kept"),
        ("/dev/null/fletcher", None, "FLETCHER_HOME names another folder"),
    ],
)
def test_every_verb_says_why_runs_cannot_be_kept(
    service: Path, monkeypatch: pytest.MonkeyPatch, home: str, happens: Callable[[Path], None] | None, said: str
) -> None:
    """In one sentence, with 4, and without a change to the project."""
    monkeypatch.setenv("FLETCHER_HOME", home)
    if happens is not None:
        assert fletcher("runs").code == 0
        happens(service / home)
    for argv in VERBS:
        reply = fletcher(*argv)
        assert (reply.code, reply.out, reply.err.count("\n")) == (4, "", 1), argv
        assert said in reply.err
    assert (service / "app.env").read_text() == "VALUE=bad\n"


# --- a full disk ----------------------------------------------------------------------------------

INSIDE = ("unshare", "--mount", "--map-root-user", "sh", "-c")
FULL = """\
mount -t tmpfs -o size=3m none {folder} && cp {service}/* {folder} && cd {folder} && {before}
{python} -m bot run mend.md livekit.log --yes --json {then}
rc=$?; {python} -m bot audit verify >&2; ls; cat app.env; exit $rc
"""


@pytest.fixture(scope="module")
def _mounts() -> None:
    if (
        shutil.which("unshare") is None
        or subprocess.run([*INSIDE, "mount -t tmpfs none /mnt"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine lets nobody mount a file system of his own")


def on_a_small_disk(
    service: Path, folder: Path, *, before: str = ":", then: str = ""
) -> subprocess.CompletedProcess[str]:
    """The run on a disk of 3 MB of its own; `before` and `then` are shell around it."""
    folder.mkdir()
    told = FULL.format(folder=folder, service=service, python=sys.executable, before=before, then=then)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*INSIDE, told], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.usefixtures("_mounts")
def test_a_disk_that_is_full_while_patching(service: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the file is written and no rest is left; the runs are elsewhere, and tell why."""
    folder, home = tmp_path_factory.mktemp("disk") / "full", tmp_path_factory.mktemp("home")
    before = f"export FLETCHER_HOME={home} && (dd if=/dev/zero of=fill bs=1k 2>/dev/null || :)"
    ended = on_a_small_disk(service, folder, before=before, then=f">{home}/said")
    said = json.loads((home / "said").read_text())
    assert (ended.returncode, said["state"]) == (1, "failed"), ended.stderr
    assert "app.env could not be written, and is as it was: the disk is full" in said["says"][-1]
    assert ended.stdout.split() == ["app.env", "fill", "livekit.log", "mend.md", "VALUE=bad"]


@pytest.mark.usefixtures("_mounts")
def test_what_a_step_came_to_outlasts_a_full_disk(service: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The store waits until there is room, what was seen is not forgotten, and the step is done once."""
    fills = (
        "echo once >>../ran\n(sleep 3; rm fill) >/dev/null 2>&1 &\ndd if=/dev/zero of=fill bs=1k 2>/dev/null || true\n"
    )
    (service / "mend.md").write_text(MEND.replace("pwd\ntouch noted\n", fills), encoding="utf-8")
    folder = tmp_path_factory.mktemp("disk") / "filled"
    ended = on_a_small_disk(service, folder, then=">../said; cat .fletcher/engine.log >../log")
    said = json.loads((folder.parent / "said").read_text())
    assert [step["state"] for step in said["steps"]] == ["done", "done"], ended.stderr
    assert "each in its place" in ended.stderr
    log = [json.loads(line) for line in (folder.parent / "log").read_text().splitlines()]
    assert any("the disk is full; make room on it; trying again" in line["says"] for line in log)


class Full:
    """A disk on which statements that say so do not succeed, as often as it is full."""

    def __init__(self, *words: str, times: float = float("inf")) -> None:
        self.words, self.times = words, times

    def __call__(self, _cursor: object, statement: str, _parameters: object, _context: object) -> None:
        """Fail as SQLite does."""
        if self.times > 0 and any(word in statement for word in self.words):
            self.times -= 1
            raise sqlite3.OperationalError("database or disk is full")

    def __enter__(self) -> Self:
        event.listen(sa.Engine, "do_execute", self)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(sa.Engine, "do_execute", self)


def test_the_record_of_a_point_outlasts_a_full_disk(tmp_path: Path) -> None:
    """What the library could not write down it writes later; the run is not taken for stopped by a bug."""
    place = Place(tmp_path)
    with Full("INSERT INTO main.operation_outputs (", times=2) as disk:
        run = place.run()
    assert (run.state, disk.times, place.done.count("build")) == ("fixed", 0, 1)


def test_a_start_on_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """The library's own tables could not be made; at the next start they are."""
    place = Place(tmp_path)
    with (
        Full("INSERT INTO operation_outputs_new", times=1),
        pytest.raises(Unreachable, match=r"could not be written: .*disk is full"),
    ):
        place.run()
    assert place.done == []
    assert place.run().state == "fixed"


class Interrupting(Door):
    """Somebody who presses Ctrl-C once when he hears that the disk is full."""

    def tell(self, event: Event) -> None:
        """Hear it."""
        if "disk is full" in event.text and not self.heard:  # as the real door, which heeds one Ctrl-C
            self.heard.append(event)
            _thread.interrupt_main()


def test_a_disk_that_stays_full_does_not_hold_up_whoever_interrupts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said that nothing was cancelled, and what does that once there is room."""
    monkeypatch.setattr(patience, "AGAIN", 0.02)
    monkeypatch.setattr(patience, "LAST", 0.1)
    place = Place(tmp_path)
    with Full("INSERT", "UPDATE", times=0) as disk, place.front() as front:
        order = place.order("halfway")
        traced = staged.trace

        def trace(folder: Path, what: str) -> None:
            traced(folder, what)
            disk.times = float("inf") if what == "note" else disk.times

        monkeypatch.setattr(staged, "trace", trace)
        with pytest.raises(Unreachable, match=r"is not cancelled: .*the disk is full.*`fletcher cancel halfway`"):
            front.run_here(place.parts, order, Interrupting())
    monkeypatch.undo()
    with place.front() as front:
        assert front.show("halfway").state == "running"
        front.cancel("halfway", order.person)
        assert front.go_on_here(place.parts, "halfway", order.person, Door()).state == "cancelled"
    assert place.text("app.env") == "VALUE=bad\n"


# --- the clock ------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_loses_nothing(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step prints then is shown like all else, once, and the run goes to its end."""
    real, late = time.time, list[bool]()
    monkeypatch.setattr(time, "time", lambda: real() - 3600 * bool((service / "noted").exists() or late))
    reply = fletcher("run", "mend.md", "livekit.log", "--yes")
    assert reply.out.count(f"| {service}\n") == 1
    assert "note: done" in reply.out
    assert (service / "app.env").read_text() == "VALUE=good\n"


def test_a_dispatch_is_another_fix_for_another_room_and_another_try() -> None:
    """What is sent into one room says nothing of the next, and the watcher counts its tries itself."""

    def fix(kind: str, **inputs: str) -> str:
        step = Step(name="s", kind=kind, line=1, heading="", does="", effect="change", timeout=1)
        return breaker.fix_of(Plan(runbook="r", title="", revision="", target="t", inputs=inputs, steps=(step,)))

    assert fix("dispatch", room="a") == fix("dispatch", room="a")
    assert fix("dispatch", room="a") != fix("dispatch", room="b")
    assert fix("dispatch", room="a", reason="try 1 of 3") != fix("dispatch", room="a", reason="try 2 of 3")
    assert fix("compose", room="a") == fix("compose", room="b")


@pytest.mark.parametrize(
    ("ago", "said"), [(-3600.0, "600 s, which are over in 600 s"), (60.0, "which are over in 540 s"), (601.0, "")]
)
def test_a_cooldown_is_never_longer_than_it_is(ago: float, said: str) -> None:
    """Also when the clock was set back since."""
    policy = Policy(cooldown=600.0, limit=Limit(5, 3600.0))
    stop = breaker.stops(policy, "mend", "fix", [Before("r1", "mend", "done", 5000.0 - ago, "other")], 5000.0)
    assert (said in stop, bool(stop)) == (True, bool(said))
