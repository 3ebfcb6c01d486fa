"""Set up a checkout: make its `.venv` from the locks and stamp it when it is whole.

`./fletcher` runs this file by itself when the stamp is missing or older than the lock; `make` runs it for the tools.
It imports nothing outside the standard library, because nothing else is there yet.

An environment without a stamp is never trusted. A marker stands in it from the first file to the stamp, so that one
that was interrupted is thrown away and made anew. The lock is the kernel's, which lets go of it when its holder dies.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME, TOOLS = "ready", "ready-tools"
LOCKS = {RUNTIME: "requirements.lock", TOOLS: "tests/requirements.lock"}
NOT_ALLOWED = 4

# Settings of a person's pip or python that would send the packages elsewhere than into the checkout.
MISLEADING = ("PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH")


class CannotInstallError(Exception):
    """The environment cannot be made; `str()` says why and what would help."""


def main(arguments: Sequence[str]) -> int:
    """Make the environment whole: `--tools` adds what the tests and checks need."""
    want = TOOLS if "--tools" in arguments else RUNTIME
    try:
        with sole(ROOT / ".venv.lock"):
            if not is_whole(ROOT, want):
                install(ROOT, want)
    except KeyboardInterrupt:
        return 130
    except CannotInstallError as problem:
        say(str(problem))
        return NOT_ALLOWED
    except OSError as problem:
        say(f"cannot install into this checkout: {problem.strerror}: {problem.filename or ROOT}")
        return NOT_ALLOWED
    return 0


@contextmanager
def sole(lock: Path) -> Iterator[None]:
    """Wait until no other start installs into this checkout, and keep others waiting meanwhile."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another start is installing into this checkout; waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        # A pip that outlives a killed installation keeps writing: it must keep the lock as well.
        os.set_inheritable(held.fileno(), True)
        yield


def is_whole(root: Path, want: str) -> bool:
    """Tell whether the stamp is there, of this checkout, and newer than what it was made from (as ./fletcher does)."""
    stamp = root / ".venv" / want
    try:
        return stamp.read_text() == f"{root}\n" and stamp.stat().st_mtime > newest(root, want)
    except OSError:
        return False


def newest(root: Path, want: str) -> float:
    """When the files that an environment is made from were last changed, in seconds since the epoch."""
    return max((root / name).stat().st_mtime for name in (LOCKS[want], "pyproject.toml"))


def install(root: Path, want: str) -> None:
    """Bring `.venv` to what the lock says and stamp it."""
    began = time.monotonic()
    venv, changed = root / ".venv", newest(root, want)
    marker, stamp = venv / "unfinished", venv / want
    if marker.exists() or interpreter(venv) is None:
        say(f"first start: making {venv} with Python {sys.version_info.major}.{sys.version_info.minor}")
        discard(venv)
        venv.mkdir()
        marker.touch()
        make_venv(venv)
    marker.touch()
    stamp.unlink(missing_ok=True)
    say(f"installing what {LOCKS[want]} names, checked by hash (about {60 if want == TOOLS else 10} s)")
    pip_install(venv, root / LOCKS[want])
    # The project itself is used where it lies, so that an edit is seen at the next start.
    (site_packages(venv) / "fletcher-checkout.pth").write_text(f"{root}\n")
    # Compiled now: where PYTHONDONTWRITEBYTECODE is set, each start would else compile all of it again.
    run([venv / "bin/python", "-m", "compileall", "-q", root / "bot"])
    stamp.write_text(f"{root}\n")
    stamped = max(time.time(), changed + 1)  # newer than the lock even where clocks differ or are coarse
    os.utime(stamp, (stamped, stamped))
    marker.unlink()
    say(f"installed in {time.monotonic() - began:.0f} s")


def discard(venv: Path) -> None:
    """Remove an environment that is not whole; by renaming first, so that no half-removed one is ever found."""
    grave = venv.with_name(".venv.unfinished")
    shutil.rmtree(grave, ignore_errors=True)
    if venv.is_symlink():
        venv.unlink()
    elif venv.exists():
        venv.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)


def interpreter(venv: Path) -> Path | None:
    """Find the environment's interpreter, if it starts, is new enough and finds the environment's packages."""
    python = venv / "bin" / "python"
    code = "import sys; sys.exit(sys.version_info < (3, 11) or sys.prefix == sys.base_prefix)"
    works = python.exists() and site_packages(venv).is_dir() and run([python, "-I", "-c", code]).returncode == 0
    return python if works else None


def site_packages(venv: Path) -> Path:
    """Where an environment of this Python keeps its packages."""
    return venv / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def make_venv(venv: Path) -> None:
    """Make an empty environment, even where Debian has left out what `python3 -m venv` needs."""
    # The interpreter's own name, `python3.11`: where `python3` becomes another version, the environment is seen to be
    # broken and made anew, instead of looking for its packages in the wrong folder.
    python = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # noqa: SLF001
    if run([python, "-I", "-m", "venv", "--without-pip", venv]).returncode == 0:
        return
    # No venv module at all. These three things are all that an environment is (PEP 405).
    (venv / "bin").mkdir(exist_ok=True)
    site_packages(venv).mkdir(parents=True, exist_ok=True)
    (venv / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
    for name in ("python", "python3"):
        (venv / "bin" / name).unlink(missing_ok=True)
        (venv / "bin" / name).symlink_to(python)


def pip_install(venv: Path, lock: Path) -> None:
    """Install what the lock names, each file checked by its hash."""
    python = venv / "bin" / "python"
    pip = find_pip(python)
    done = run([*pip, "install", "--no-user", "--no-input", "--require-hashes", "--requirement", lock])
    if done.returncode != 0:
        said = [line for line in done.stdout.splitlines() if line.strip()][-8:]
        problem = "pip could not install what Fletcher needs (is the package index reachable?). It said:"
        raise CannotInstallError("\n  ".join([problem, *said]))


def find_pip(python: Path) -> list[str | Path]:
    """Find a command that installs into the environment of `python`."""
    own: list[str | Path] = [python, "-I", "-m", "pip"]
    if run([*own, "--version"]).returncode == 0:
        return own
    for other in (sys.executable, sys._base_executable):  # type: ignore[attr-defined]  # noqa: SLF001
        outside: list[str | Path] = [other, "-m", "pip", "--python", python]
        if run([*outside, "--version"]).returncode == 0:
            return outside
    # Last, because it takes two seconds more than all the rest, and Debian leaves it out.
    if run([python, "-I", "-m", "ensurepip", "--default-pip"]).returncode == 0:
        return own
    raise CannotInstallError(
        f"{sys.executable} has neither pip nor a working venv, and Fletcher needs one of them; "
        "on Debian and Ubuntu: apt-get install python3-venv"
    )


def run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a command quietly, both its outputs kept together."""
    environment = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    if not Path(environment.get("HOME") or "/nonexistent").is_dir():
        environment["PIP_NO_CACHE_DIR"] = "1"  # else root's pip would make that folder
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        close_fds=False,
        check=False,
    )


def say(sentence: str) -> None:
    """Tell the person what is being done, beside the answer and not in it."""
    print(f"fletcher: {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
