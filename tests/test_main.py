"""Whatever happens behind the door, a person gets a sentence and an exit code that no diagnosis has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.doors import cli
from bot.errors import FletcherError, Unreachable, UsageError


def raising(problem: BaseException) -> object:
    """Make a door that fails."""

    def door(_argv: object) -> int:
        raise problem

    return door


def run(code: str, stdout: int, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `main` in a process of its own with a door whose body is `code`."""
    program = f"import sys\nfrom bot.doors import cli\ndef door(argv):\n {code}\ncli.main = door\n"
    program += "from bot.__main__ import main\nsys.exit(main([]))\n"
    return subprocess.run(
        [sys.executable, "-c", program],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
        check=False,
    )


@pytest.mark.parametrize(
    ("problem", "code"),
    [(UsageError("no such file: x"), 2), (Unreachable("no answer from y"), 4), (FletcherError("not allowed"), 4)],
)
def test_what_a_person_can_mend_is_one_sentence(
    problem: FletcherError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of the tree is its own sentence on standard error, with its own exit code."""
    monkeypatch.setattr(cli, "main", raising(problem))
    assert main([]) == code
    assert capsys.readouterr() == ("", f"fletcher: {problem}\n")


def test_a_bug_is_never_a_bare_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A bug says that it is one and where its trace is, in a file that only the user can read."""
    monkeypatch.setattr(cli, "main", raising(ZeroDivisionError("by nought")))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("FLETCHER_DEBUG", raising=False)
    assert main([]) == 70
    (trace,) = tmp_path.iterdir()
    said = capsys.readouterr().err
    assert "This is a bug in Fletcher" in said
    assert str(trace) in said
    assert "Traceback" not in said
    assert "ZeroDivisionError: by nought" in trace.read_text()
    assert trace.stat().st_mode & 0o077 == 0


def test_a_bug_shows_its_trace_when_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With FLETCHER_DEBUG=1 the trace is printed instead of kept."""
    monkeypatch.setattr(cli, "main", raising(ZeroDivisionError("by nought")))
    monkeypatch.setenv("FLETCHER_DEBUG", "1")
    assert main([]) == 70
    assert "ZeroDivisionError: by nought" in capsys.readouterr().err


def test_a_bug_is_told_where_no_file_can_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A trace that cannot be kept takes nothing from the sentence."""
    monkeypatch.setattr(cli, "main", raising(ZeroDivisionError("by nought")))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    monkeypatch.delenv("FLETCHER_DEBUG", raising=False)
    assert main([]) == 70
    assert "FLETCHER_DEBUG=1" in capsys.readouterr().err


def test_an_interruption_is_quiet() -> None:
    """Ctrl-C ends with the shell's own code and without a word."""
    done = run("raise KeyboardInterrupt", subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_memory_that_runs_out_is_no_bug() -> None:
    """Too little memory is the machine's trouble, and is told as such."""
    done = run("raise MemoryError", subprocess.PIPE)
    assert (done.returncode, done.stderr) == (4, "fletcher: the machine has not enough memory for this\n")


def test_a_reader_that_goes_away_is_quiet() -> None:
    """`fletcher … | head` ends as any program that loses its reader, whatever it had to say."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        for code in ("print('x' * 1_000_000)", "print('x')", "raise SystemExit(print('x'))"):
            done = run(code, writer)
            assert (done.returncode, done.stderr) == (141, "")
    finally:
        os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_answer_that_cannot_be_written_is_told() -> None:
    """A full disk under standard output is no healthy answer and no bug."""
    with Path("/dev/full").open("w") as full:
        done = run("print('x')", full.fileno())
    assert (done.returncode, done.stderr) == (4, "fletcher: cannot write the answer: No space left on device\n")


def test_any_character_can_be_told() -> None:
    """A terminal's narrow encoding does not turn an answer into a crash."""
    done = run("print('\\u2014'); return 0", subprocess.PIPE, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "\\u2014\n")


def test_help_and_usage_errors_have_their_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """--version succeeds; an unknown argument is a usage error."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("fletcher ")
    assert main(["--no-such-argument"]) == 2
