"""Phases of the set-up: each says on one line what it took, and keeps what its programs wrote in a file of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_running: set[subprocess.Popen[str]] = set()
_lock = threading.Lock()


class StackError(Exception):
    """The stack cannot be made or used; `str()` says why, and where the whole log is."""


@dataclass(frozen=True)
class Phase:
    """One step of the set-up and the file that keeps what its programs write."""

    name: str
    log: Path

    def run(
        self, *argv: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, given: str | None = None
    ) -> str:
        """Run a program to its end and return its standard output.

        Both outputs are kept in the log. `env` is added to the environment, `given` is its standard input.

        Raises:
            StackError: it cannot be started, or failed.

        """
        words = [str(word) for word in argv]
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(words)}\n")
            log.flush()
            try:
                program = subprocess.Popen(
                    words,
                    cwd=cwd,
                    env={**os.environ, **(env or {})},
                    stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    errors="replace",
                )
            except OSError as error:
                raise StackError(f"{self.name}: cannot start {words[0]}: {error.strerror}") from error
            with _kept(program):
                out, _ = program.communicate(given)
            log.write(out)
        if program.returncode != 0:
            raise StackError(f"{self.name}: {words[0]} ended with {program.returncode}\n{self._end()}")
        return out

    def _end(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(["  " + line for line in lines[-12:]] + [f"  (whole log: {self.log})"])


@contextmanager
def _kept(program: subprocess.Popen[str]) -> Iterator[None]:
    """End the program when the wait for it is broken off, here or by `end_all`."""
    with _lock:
        _running.add(program)
    try:
        yield
    except BaseException:
        program.kill()
        program.wait()
        raise
    finally:
        with _lock:
            _running.discard(program)
        for pipe in (program.stdin, program.stdout):
            if pipe is not None:
                pipe.close()


def end_all() -> None:
    """End every program that a phase still waits for, after Ctrl-C: those of other threads too."""
    with _lock:
        for program in _running:
            program.kill()


@dataclass(frozen=True)
class Progress:
    """Where the logs of the phases lie, and the lines that tell of them."""

    folder: Path
    quiet: bool = False

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Do one step; say its name, its seconds, and whether it failed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"{name.replace(' ', '-')}.log"
        log.write_text("", encoding="utf-8")
        began = time.monotonic()
        try:
            yield Phase(name, log)
        except BaseException:
            self.say(f"{name}: failed after {time.monotonic() - began:.1f} s ({log})")
            raise
        self.say(f"{name}: {time.monotonic() - began:.1f} s")

    def say(self, sentence: str) -> None:
        """Tell the person."""
        if not self.quiet:
            print(f"stack: {sentence}", file=sys.stderr, flush=True)
