"""Two others that run a document step by step, installed into `build/peers` when they are first asked for.

Each runs its document of so many times `true` as a whole process, without writing anything down. Their own start, which a
document of one step shows, is taken off.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER: Final = Path(__file__).resolve().parent.parent / "build" / "peers"
ZX, RUNDOC = "zx@8.8.5", "rundoc==0.4.5"


def zx() -> Path | None:
    """The `zx` command; None where there is no npm, or it cannot reach its registry."""
    command = FOLDER / "node_modules" / ".bin" / "zx"
    if shutil.which("npm") and not command.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        done(["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(FOLDER), ZX])
    return command if command.exists() else None


def rundoc() -> Path | None:
    """The `rundoc` command; None where pip cannot reach its index."""
    command = FOLDER / "python" / "bin" / "rundoc"
    if not command.exists():
        done([sys.executable, "-m", "venv", str(FOLDER / "python")])
        done([str(command.with_name("pip")), "install", "--quiet", "--disable-pip-version-check", RUNDOC])
    return command if command.exists() else None


def done(words: list[str]) -> bool:
    """Run a command that says something only when it fails; whether it did not."""
    return subprocess.run(words, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == 0


def zx_words(command: Path, folder: Path, steps: int) -> list[str]:
    """The command for a script of so many steps."""
    script = folder / "steps.mjs"
    script.write_text("".join("await $`true`\n" for _ in range(steps)), encoding="utf-8")
    return [str(command), "--quiet", str(script)]


def rundoc_words(command: Path, folder: Path, steps: int) -> list[str]:
    """The command for a document of so many steps."""
    document = folder / "steps.md"
    document.write_text("".join("```sh\ntrue\n```\n\n" for _ in range(steps)), encoding="utf-8")
    return [str(command), "run", "-y", str(document)]


PEERS: Final[dict[str, tuple[Callable[[], Path | None], Callable[[Path, Path, int], list[str]]]]] = {
    ZX: (zx, zx_words),
    RUNDOC: (rundoc, rundoc_words),
}


def per_step(words: Callable[[Path, Path, int], list[str]], command: Path, steps: int) -> float:
    """Milliseconds for each step beyond the first one."""
    with tempfile.TemporaryDirectory() as folder:
        return (took(words(command, Path(folder), steps)) - took(words(command, Path(folder), 1))) / (steps - 1) * 1000


def took(words: list[str]) -> float:
    """Seconds that a command takes; it has to succeed."""
    began = time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return time.monotonic() - began
