"""Programs, really started: what they get, what comes of them, and that nothing of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import Unreachable
from bot.world.contract import Ended
from bot.world.processes import Processes
from tests.world.marks import alive, marked, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """One keeper for all of these tests."""
    with Processes() as processes:
        yield processes


def run(
    processes: Processes, *argv: str, seconds: float = 20, cwd: str = "", **environment: str
) -> tuple[Ended, bytes]:
    """How a program ended, and what it said."""
    said: list[bytes] = []
    ended = processes.run(
        argv, cwd=cwd, environment=ENVIRONMENT | environment, seconds=seconds, tell=said.append, stop=threading.Event()
    )
    return ended, b"".join(said)


def test_both_streams_come_as_one_and_the_code_is_told(processes: Processes) -> None:
    """In the order in which they were written, whatever the bytes."""
    ended, said = run(processes, "sh", "-c", r"printf 'a\377'; printf 'b\0' >&2; printf c; exit 7")
    assert (ended, said) == (Ended(7), b"a\xffb\0c")


def test_standard_input_is_empty(processes: Processes) -> None:
    """A program that asks gets no answer, and does not wait for one."""
    assert run(processes, "cat") == (Ended(0), b"")


def test_it_gets_its_environment_and_nothing_of_ours(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a variable of the process that starts it."""
    monkeypatch.setenv("LIVEKIT_API_SECRET", "ours")
    _, said = run(processes, "env", IN_A="a b\n$(touch x)")
    assert b"LIVEKIT" not in said
    assert b"IN_A=a b\n$(touch x)\n" in said


def test_the_folder_is_the_commands(processes: Processes, tmp_path: Path) -> None:
    """Where it says none, it is no folder of a project."""
    assert run(processes, "pwd", cwd=str(tmp_path))[1].decode().strip() == str(tmp_path)
    assert run(processes, "pwd")[1] == b"/\n"


def test_a_signal_is_a_negative_code(processes: Processes) -> None:
    """As the contract says."""
    assert run(processes, "sh", "-c", "kill -9 $$")[0] == Ended(-signal.SIGKILL)


@pytest.mark.parametrize(
    ("argv", "cwd", "says"),
    [
        (("no-such-program",), "", "there is no program no-such-program on PATH"),
        (("sh",), "/nowhere", "sh cannot be started in /nowhere: that folder is not there"),
        (("sh", "-c", "#" * 200_000), "", "longer than the system takes"),
        (("sh", "-c", "\0"), "", "a NUL is in its arguments"),
        (("/etc/passwd",), "", "may not be executed"),
    ],
)
def test_what_cannot_be_started_says_why(processes: Processes, argv: Sequence[str], cwd: str, says: str) -> None:
    """With what to do about it."""
    with pytest.raises(Unreachable) as caught:
        run(processes, *argv, cwd=cwd)
    assert says in str(caught.value)


def test_what_it_leaves_running_goes_on_and_holds_nobody(processes: Processes) -> None:
    """As a shell has it; only a program that is ended takes everything with it."""
    with marked() as mark:
        ended, said = run(processes, "sh", "-c", "sleep 60 & echo started", MARK=mark)
        assert (ended, said) == (Ended(0), b"started\n")
        assert len(alive(mark)) == 1


def test_what_is_ended_does_not_go_on_to_its_next_command(processes: Processes, tmp_path: Path) -> None:
    """A script is ended before what it waits for."""
    for _ in range(5):
        ended, _ = run(processes, "sh", "-c", "sleep 60; touch next", seconds=0.05, cwd=str(tmp_path))
        assert ended == Ended(None, "timeout")
    assert not list(tmp_path.iterdir())


def test_when_telling_fails_everything_is_ended(processes: Processes) -> None:
    """Such as on a full disk; the error is the caller's."""

    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    with marked() as mark, pytest.raises(OSError, match="No space"):
        processes.run(
            ("sh", "-c", "sleep 60 & echo; sleep 60"), cwd="", environment=ENVIRONMENT | {"MARK": mark}, seconds=20,
            tell=full, stop=threading.Event(),
        )  # fmt: skip
    assert not alive(mark)


def test_several_at_once_know_nothing_of_each_other(processes: Processes) -> None:
    """One that is ended takes only what is its own."""
    with marked() as mark:
        stop, codes = threading.Event(), list[Ended]()
        other = threading.Thread(
            target=lambda: codes.append(
                processes.run(
                    ("sh", "-c", "sleep 60"), cwd="", environment=ENVIRONMENT | {"MARK": mark}, seconds=30,
                    tell=lambda _: None, stop=stop,
                )
            )
        )  # fmt: skip
        other.start()
        assert run(processes, "sh", "-c", "setsid sleep 60 & sleep 60", seconds=0.1)[0] == Ended(None, "timeout")
        assert wait_until(lambda: bool(alive(mark)))
        stop.set()
        other.join()
        assert codes == [Ended(None, "stopped")]


def test_a_keeper_that_was_killed_is_replaced() -> None:
    """Whoever kills it has killed nothing else."""
    with Processes() as processes:
        assert run(processes, "true")[0] == Ended(0)
        assert processes._keeper is not None
        processes._keeper.kill()
        processes._keeper.wait()
        assert run(processes, "true")[0] == Ended(0)


def test_nothing_is_left_when_it_is_closed() -> None:
    """No process, no thread, no descriptor."""
    before, threads = set(Path("/proc/self/fd").iterdir()), threading.active_count()
    with Processes() as processes:
        run(processes, "true")
        keeper = processes._keeper
        assert keeper is not None
    assert keeper.returncode == 0
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert threading.active_count() == threads


def test_killed_with_9_nothing_goes_on() -> None:
    """The program of a Fletcher that is not there any more is ended by its warden."""
    program = (
        "import threading, os; from bot.world.processes import Processes\n"
        "Processes().run(['sh', '-c', 'setsid sleep 60 & echo begun; sleep 60'], cwd='', seconds=60,"
        " environment=dict(os.environ), tell=lambda b: print(b.decode(), flush=True), stop=threading.Event())"
    )
    with marked() as mark:
        fletcher = subprocess.Popen(
            [sys.executable, "-c", program], env={**os.environ, "MARK": mark}, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )  # fmt: skip
        assert fletcher.stdout is not None
        assert fletcher.stdout.readline() == b"begun\n"
        fletcher.kill()
        fletcher.wait()
        fletcher.stdout.close()
        assert wait_until(lambda: not alive(mark))


WAYS = st.recursive(
    st.sampled_from(["sleep 60", "sh -c 'trap \"\" TERM; sleep 60; sleep 60'", "env -i MARK=$MARK sleep 60"]),
    lambda inner: st.one_of(
        inner.map(lambda text: f"(sh -c {_quoted(text)} &)"),
        inner.map(lambda text: f"(setsid sh -c {_quoted(text)} &)"),
        inner.map(lambda text: f"nohup sh -c {_quoted(text)} >/dev/null 2>&1 &"),
        st.tuples(inner, inner).map(lambda two: f"sh -c {_quoted(two[0])} & sh -c {_quoted(two[1])}"),
    ),
    max_leaves=3,
)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@settings(max_examples=8)
@given(WAYS, st.floats(0, 0.05))
def test_whatever_it_starts_is_ended_at_any_time(way: str, seconds: float) -> None:
    """In the background, in a session of its own, without a parent, deaf to SIGTERM."""
    with marked() as mark, Processes() as processes:
        ended, _ = run(processes, "sh", "-c", f"{way}\nsleep 60", seconds=seconds, MARK=mark)
        assert ended == Ended(None, "timeout")
        assert not alive(mark)
