"""Scripts of a runbook and of a check, run by this machine's own interpreters."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import Unreachable
from bot.redact import Redactor
from bot.runbook import document as doc
from bot.steps import output as output_module
from bot.steps.check import ask
from bot.steps.output import Output
from bot.steps.shell import Shell
from tests.steps.doing import bench, script
from tests.world.marks import alive, marked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.steps.contract import Outcome, Task
    from tests.steps.doing import Bench

SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    """A bench."""
    with bench(tmp_path) as bench_:
        yield bench_


def perform(task: Task, at: Bench) -> Outcome:
    """Both halves of it."""
    kind = Shell()
    return kind.perform(task, kind.remember(task, at.doing), at.doing)


def test_it_runs_in_the_projects_folder_and_its_output_is_told_and_kept(at: Bench) -> None:
    """Line by line, and as a whole."""
    outcome = perform(script(at, "pwd\necho two >&2"), at)
    assert (outcome.state, outcome.says) == ("done", "run ended with exit code 0")
    assert at.told == [str(at.project), "two"]
    assert at.stored(outcome.output) == f"{at.project}\ntwo\n".encode()
    assert outcome.began_ns < outcome.ended_ns


@pytest.mark.parametrize(
    ("language", "text", "says"),
    [
        ("sh", "echo why\nfalse\necho never", "run ended with exit code 1: why"),
        ("sh", 'echo "$NOT_SET"', "run ended with exit code 2"),
        ("bash", "false | cat\necho never", "run ended with exit code 1"),
        ("python", "import sys; print('why'); sys.exit(9)", "run ended with exit code 9: why"),
        ("sh", "no-such-tool", "run ended with exit code 127"),
        ("sh", "kill -9 $$", "run was killed by signal 9"),
    ],
)
def test_the_first_command_that_fails_ends_it(at: Bench, language: doc.Language, text: str, says: str) -> None:
    """And the last line says why."""
    outcome = perform(script(at, text, language=language), at)
    assert outcome.state == "failed"
    assert outcome.says.startswith(says)
    assert "never" not in at.told


def test_what_is_secret_is_neither_told_nor_kept(at: Bench) -> None:
    """Not what looks so, nor what the run knows, nor the value of an input that was marked so, across lines too."""
    at.secrets = frozenset({"known-to-the-run"})
    text = 'echo "a $IN_PIN b"; printf "%s" "$IN_PIN" | cut -c1-9 | tr -d "\\n"; printf "%s\\n" "$IN_PIN" | cut -c10-; echo LIVEKIT_API_SECRET=Zq8rT1xW4bN6mK2pV7cL; echo known-to-the-run'
    outcome = perform(script(at, text, {"pin": SECRET}, hidden=frozenset({"pin"})), at)
    kept = at.stored(outcome.output).decode()
    for secret in (SECRET, "Zq8rT1xW4bN6mK2pV7cL", "known-to-the-run"):
        assert secret not in kept + "\n".join(at.told)
    assert "a [redacted] b" in at.told


def test_a_failure_does_not_tell_a_secret_either(at: Bench) -> None:
    """Its last line is in the outcome."""
    outcome = perform(script(at, 'echo "$IN_PIN"; exit 4', {"pin": SECRET}, hidden=frozenset({"pin"})), at)
    assert outcome.says == "run ended with exit code 4: [redacted]"


def test_a_timeout_ends_everything_and_keeps_what_was_said(at: Bench) -> None:
    """The sentence says how long it was given."""
    with marked() as mark:
        text = f"export MARK={mark}\necho begun; (setsid sh -c 'sleep 60' &); sleep 60"
        outcome = perform(script(at, text, timeout=0.3), at)
        assert outcome.state == "failed"
        assert outcome.says == "run was ended after 0.3 s, with everything that it had started"
        assert not alive(mark)
    assert at.stored(outcome.output).startswith(b"begun\n")


def test_a_run_that_is_stopped_ends_it(at: Bench) -> None:
    """As when the run is cancelled."""
    at.stop.set()
    assert "because the run was stopped" in perform(script(at, "sleep 60"), at).says


def test_each_attempt_keeps_its_own_output(at: Bench) -> None:
    """Nothing is written over."""
    first, second = (perform(script(at, "echo hi"), at).output for _ in range(2))
    assert first != second
    assert at.stored(first) == at.stored(second) == b"hi\n"


def test_much_is_kept_whole_and_told_in_part(at: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And beyond all measure it is cut, which is said."""
    outcome = perform(script(at, "seq 1 5000"), at)
    assert at.stored(outcome.output) == b"".join(b"%d\n" % n for n in range(1, 5001))
    assert len(at.told) == output_module.SHOWN + 1
    assert at.told[-1] == f"… the rest of the output is in {outcome.output}"
    monkeypatch.setattr(output_module, "STORED", 1 << 20)
    outcome = perform(script(at, "yes 'one of very many lines, all of them alike' | head -c 2000000"), at)
    assert (outcome.state, len(at.stored(outcome.output))) == ("done", 1 << 20)
    assert outcome.says.endswith("(only the first 1 MiB of its output were kept)")


def test_a_full_disk_keeps_no_step_from_its_end(at: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """To end it half-way would be worse than to lose what it says."""

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bot.steps.output.os.write", full)
    outcome = perform(script(at, "echo hi; touch done"), at)
    assert outcome.state == "done"
    assert "its output could not be kept: no space left on device" in outcome.says
    assert (at.project / "done").exists()
    assert at.told == ["hi"]


def test_after_a_crash_only_a_guard_can_tell(at: Bench) -> None:
    """A script of which nothing is known is not run twice."""
    kind, guard = Shell(), (doc.Reference("done"),)
    for task, settled in (
        (script(at, "true"), None),
        (script(at, "true", unless=guard), False),
        (script(at, "true", effect="read"), False),
    ):
        memory = kind.remember(task, at.doing)
        assert kind.settled(task, memory, at.doing) is settled
        assert kind.undo(task, memory, at.doing) is None


def test_a_folder_that_is_gone_is_an_error_and_nothing_was_run(at: Bench) -> None:
    """With the folder."""
    task = script(at, "true")
    at.project.rmdir()
    with pytest.raises(Unreachable, match="that folder is not there"):
        perform(task, at)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("exit 0", "matched"),
        ("echo no; exit 1", "not-matched"),
        ("exit 2", "inconclusive"),
        ("sleep 60", "inconclusive"),
    ],
)
def test_a_check_asks_its_script(at: Bench, text: str, result: str) -> None:
    """0 is yes, 1 is no, and all else says nothing."""
    block = doc.Check(name="c", line=1, text=text, evidence=doc.Shell("sh"), timeout=0.3 if "sleep" in text else 20)
    checked = ask(block, {}, (), str(at.project), at.doing)
    assert (checked.name, checked.result) == ("c", result)


def test_a_check_gets_its_inputs(at: Bench) -> None:
    """Those that it names, and the secret ones are hidden in what it says."""
    declared = (doc.Input(name="pin", line=1, secret=True), doc.Input(name="other", line=2))
    block = doc.Check(name="c", line=1, text='echo "$IN_PIN ${IN_OTHER-none}"; exit 1', evidence=doc.Shell("sh"))
    checked = ask(block, {"pin": SECRET, "other": "x"}, declared, str(at.project), at.doing)
    assert checked.says == "its script ended with 1: [redacted] x"


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=40), max_size=20), st.sampled_from([SECRET, "pässwört-übergeheim"]))
def test_any_bytes_are_kept_and_redacted(pieces: list[bytes], secret: str) -> None:
    """However they are cut: the file is what the whole text is without its secrets, and every line of it is told."""
    pieces = [piece if at % 3 else piece + secret.encode() for at, piece in enumerate(pieces)]
    whole = b"".join(pieces)
    redactor = Redactor.of({secret})
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as at:
        with Output(at.doing, "x", redactor) as output:
            for piece in pieces:
                output.feed(piece)
        kept = at.stored(output.path)
    text = whole.decode("utf-8", "surrogateescape")
    assert kept == redactor.text(text).encode("utf-8", "surrogateescape")
    assert secret.encode() not in kept
    if secret not in text:
        assert len(at.told) == kept.count(b"\n") + (not kept.endswith(b"\n") and bool(kept))
