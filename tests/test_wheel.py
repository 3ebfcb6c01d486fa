"""The wheel holds all that Fletcher needs away from its checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(build, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("fletcher_bot-*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_code_data_and_runbooks_are_inside(wheel: Path, checkout: Path) -> None:
    """Every file of the package and every runbook is in the wheel; what sets up a checkout is not."""
    package = {path.relative_to(checkout) for path in (checkout / "bot").rglob("*") if path.is_file()}
    expected = {path for path in package if "__pycache__" not in path.parts} - {Path("bot/install.py")}
    runbooks = checkout / "runbooks"
    expected |= {
        Path("bot/_data/runbooks") / path.relative_to(runbooks) for path in runbooks.rglob("*") if path.is_file()
    }
    assert Path("bot/_data/runbooks/agent-never-joins.md") in expected
    inside = {path.relative_to(wheel) for path in wheel.rglob("*") if path.is_file()}
    assert expected - inside == set()
    assert {path for path in inside if ".dist-info" not in path.parts[0]} - expected == set()


def test_it_starts_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    """What was installed from the wheel starts where no checkout is, and has its runbooks and their fixtures."""
    code = "import bot, sys; print(bot.__file__); from bot.__main__ import main; main(['--version']); sys.exit(main(['runbooks', 'test']))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(wheel / "bot" / "__init__.py")
    assert "ok     agent-never-joins  healthy" in done.stdout
