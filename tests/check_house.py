"""Checks of the house that no other tool makes: the locks satisfy pyproject.toml, and nothing is left for later.

Run by `make check` as a program; prints every problem and exits 1 if there is one.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LATER = re.compile(r"\b(?:to" + r"do|fix" + r"me|x" + r"xx)\b", re.IGNORECASE)
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?P<rest>(?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)
EVIDENCE = (
    "tests/recordings/",
    "runbooks/fixtures/",
    "bot/demo/",
    "examples/",
)  # kept as it was recorded, whatever its words


def main() -> int:
    """Print every problem of this checkout and return the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    tools = (ROOT / "tests" / "requirements.lock").read_text(encoding="utf-8")
    needed = project["dependencies"]
    problems = [
        *lock_problems("requirements.lock", runtime, needed),
        *lock_problems("tests/requirements.lock", tools, [*needed, *project["optional-dependencies"]["dev"]]),
        *disagreements(runtime, tools),
        *words_for_later(ROOT, tracked_files(ROOT)),
    ]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def pins(lock: str) -> dict[str, str]:
    """Read the versions that a lock pins, by normalised name."""
    return {canonicalize_name(pin["name"]): pin["version"] for pin in PIN.finditer(lock)}


def lock_problems(name: str, lock: str, needed: Iterable[str]) -> Iterator[str]:
    """Tell where a lock does not hold what is needed, pins without a hash, or names an address."""
    pinned = pins(lock)
    for requirement in map(Requirement, needed):
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None:
            yield f"{name}: {requirement.name} is missing; run make lock"
        elif not requirement.specifier.contains(version, prereleases=True):
            yield f"{name}: {requirement.name} {version} is not {requirement.specifier}; run make lock"
    for pin in PIN.finditer(lock):
        if "--hash=sha256:" not in pin["rest"]:
            yield f"{name}: {pin['name']} has no hash"
    for number, line in enumerate(lock.splitlines(), 1):
        if "://" in line or re.match(r"\s*(?:-i|-f|--(?:extra-)?index-url|--find-links)\b", line):
            yield f"{name}:{number}: a lock names no address"


def disagreements(runtime: str, tools: str) -> Iterator[str]:
    """Tell which packages would be tested in another version than they run in."""
    tested = pins(tools)
    for name, version in pins(runtime).items():
        if tested.get(name) != version:
            yield f"tests/requirements.lock: {name} is {tested.get(name)}, but {version} in requirements.lock"


def tracked_files(root: Path) -> list[str]:
    """List the files under version control, or all that are not hidden where git or its folder is missing."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        return [str(file) for file in files if not any(part[0] == "." or part == "__pycache__" for part in file.parts)]
    return [name for name in listed.stdout.split("\0") if name]


def words_for_later(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Tell which lines of text files put something off; whatever is left to do belongs into an issue."""
    for name in names:
        path = root / name
        if name.startswith(EVIDENCE) or not path.is_file():
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            if word := LATER.search(line):
                yield f"{name}:{number}: {word[0]!r} puts something off"


if __name__ == "__main__":
    sys.exit(main())
