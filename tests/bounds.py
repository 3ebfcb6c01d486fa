"""T26: Fletcher starts and works with the oldest and with the newest versions that pyproject.toml allows.

The lock says what is installed from a checkout; an installed wheel gets what the index has on that day. Each bound gets
an environment of its own below `build/bounds`, named by what is in it, and goes through the tests of each outside party.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
WORK: Final = ROOT / "build" / "bounds"
UV: Final = Path(sys.executable).with_name("uv")
BOUNDS: Final = {"oldest": "lowest-direct", "newest": "highest"}
#: What the tests need beside the package, in any version that goes with it.
JUDGES: Final = ("pytest", "pytest-timeout", "hypothesis", "jsonschema", "packaging")
#: The tests in which each library does its job.
TESTS: Final = (
    "tests/test_cli.py", "tests/test_docker.py", "tests/test_livekit_api.py", "tests/test_settings.py", "tests/test_patch.py",
    "tests/engine/test_runs.py", "tests/engine/test_store.py", "tests/slack/test_serving.py",
)  # fmt: skip


def main() -> int:
    """Go through both bounds at once and return how many do not work."""
    with ThreadPoolExecutor() as both:
        return sum(not works for works in both.map(_works, BOUNDS))


def _works(name: str) -> bool:
    resolution = BOUNDS[name]
    asked = ["pip", "compile", "--quiet", "--no-header", "--no-annotate", "--resolution", resolution, "pyproject.toml"]
    found = _uv(*asked).stdout
    folder = WORK / f"{name}-{sha256(found.encode()).hexdigest()[:12]}"
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "found.txt").write_text(found, encoding="utf-8")
        _uv("venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
        into = ["pip", "install", "--quiet", "--python", str(folder / "venv"), "--compile-bytecode"]
        _uv(*into, "--requirement", str(folder / "found.txt"), *JUDGES)
        (folder / "whole").touch()
    python = folder / "venv" / "bin" / "python"
    tests: list[str | Path] = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "filterwarnings=", *TESTS]
    done = subprocess.run(tests, cwd=ROOT, capture_output=True, text=True, check=False)
    print(f"the {name}: {', '.join(sorted(_direct(found)))}\n{done.stdout}{done.stderr}", flush=True)
    return done.returncode == 0


def _direct(found: str) -> set[str]:
    """Of what was found that which pyproject.toml names itself."""
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}
    return {line for line in found.splitlines() if canonicalize_name(line.split("==")[0].split("[")[0]) in named}


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([UV, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"uv {arguments[0]} {arguments[1]}: {done.stderr.strip()}")
    return done


if __name__ == "__main__":
    sys.exit(main())
