"""The launcher, from its front door: a small checkout with the real launcher and installer, and a package to install.

The package index of these tests is a folder, so they need no network.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot import install

# Stands in for Fletcher: tells what it was given and which installed package it finds.
STAND_IN = """\
import json, os, sys, dep
print(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "file": __file__, "dep": dep.VERSION}))
sys.exit(3)
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A checkout, the folder that plays package index, and the PATH of a bare machine."""

    checkout: Path
    index: Path
    path: Path

    def start(
        self,
        *arguments: str,
        launcher: Path | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the launcher with an environment of PATH and the index alone."""
        return subprocess.run(
            [launcher or self.checkout / "fletcher", *arguments],
            cwd=cwd,
            env=self.environment() | dict(env or {}),
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        """All that a bare machine sets, and where the index is."""
        return {
            "PATH": str(self.path),
            "HOME": str(self.checkout.parent / "no-home"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.index.as_uri(),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def lock(self, version: str, sha256: str | None = None) -> None:
        """Publish a version of the package and pin it, later than any environment was made."""
        made = write_wheel(self.index, version)
        lock = self.checkout / "requirements.lock"
        before = lock.stat().st_mtime if lock.exists() else 0
        lock.write_text(f"dep=={version} --hash=sha256:{sha256 or made}\n")
        later = max(time.time(), before) + 5  # a fast machine installs within the second that a stamp is ahead
        os.utime(lock, (later, later))


def write_wheel(index: Path, version: str) -> str:
    """Write the smallest wheel there is into the index and return its SHA-256."""
    info = f"dep-{version}.dist-info"
    files = {
        "dep.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: dep\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},\n"
        for name, text in files.items()
    )
    wheel = index / f"dep-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def make_machine(folder: Path, real: Path) -> Machine:
    """Lay out a checkout with a blank in its path, an index, and a PATH that holds python3, sh and readlink."""
    machine = Machine(folder / "my checkout", folder / "index", folder / "bin")
    for made in (machine.checkout / "bot", machine.index, machine.path):
        made.mkdir(parents=True)
    for name in ("fletcher", "pyproject.toml", "bot/install.py"):
        shutil.copy2(real / name, machine.checkout / name)
    (machine.checkout / "bot" / "__init__.py").touch()
    (machine.checkout / "bot" / "__main__.py").write_text(STAND_IN)
    (machine.path / "python3").symlink_to(Path(sys.executable).resolve())
    for tool in ("sh", "readlink"):
        found = shutil.which(tool)
        assert found is not None
        (machine.path / tool).symlink_to(found)
    machine.lock("1.0")
    return machine


@pytest.fixture
def machine(tmp_path: Path, checkout: Path) -> Machine:
    """A machine on which nothing is installed yet."""
    return make_machine(tmp_path, checkout)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Machine:
    """A machine on which Fletcher has been started once."""
    machine = make_machine(tmp_path_factory.mktemp("ready"), checkout)
    cold = machine.start("cold")
    assert cold.returncode == 3, cold.stderr
    assert json.loads(cold.stdout)["argv"] == ["cold"]
    assert "first start" in cold.stderr
    assert "installed in" in cold.stderr
    return machine


def test_a_second_start_is_silent(ready: Machine) -> None:
    """What is installed is used as it is: arguments and exit code pass through, and nothing is said."""
    warm = ready.start("diagnose", "--room", "a b", "", "*")
    assert (warm.returncode, warm.stderr) == (3, "")
    assert json.loads(warm.stdout)["argv"] == ["diagnose", "--room", "a b", "", "*"]


def test_it_starts_through_links_from_any_folder(ready: Machine, tmp_path: Path) -> None:
    """Links, absolute and relative, lead to the checkout, and the caller's folder stays the current one."""
    (tmp_path / "one").symlink_to(ready.checkout / "fletcher")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "two").symlink_to("../one")
    warm = ready.start(launcher=tmp_path / "deep" / "two", cwd=tmp_path)
    assert (warm.returncode, warm.stderr) == (3, "")
    assert json.loads(warm.stdout)["cwd"] == str(tmp_path.resolve())


def test_it_starts_when_found_on_the_path(ready: Machine, tmp_path: Path) -> None:
    """A shell that finds the launcher on PATH, or is handed its bare name, starts the same Fletcher."""
    found = subprocess.run(
        ["sh", "-c", "fletcher"],  # noqa: S607
        env=ready.environment() | {"PATH": f"{ready.path}:{ready.checkout}"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    named = subprocess.run(
        ["sh", "fletcher"],  # noqa: S607
        env=ready.environment(),
        cwd=ready.checkout,
        capture_output=True,
        check=False,
    )
    assert (found.returncode, named.returncode) == (3, 3)


def test_another_bot_is_never_taken(ready: Machine, tmp_path: Path) -> None:
    """A folder `bot` where the caller stands, or on PYTHONPATH, is not Fletcher."""
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "__init__.py").write_text("raise SystemExit('the wrong bot')\n")
    warm = ready.start(cwd=tmp_path, env={"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nonexistent"})
    assert json.loads(warm.stdout)["file"] == str(ready.checkout / "bot" / "__main__.py")


def test_a_home_is_not_needed(ready: Machine) -> None:
    """Neither HOME nor PATH is needed once it is installed, and none was made up for the installation."""
    assert not (ready.checkout.parent / "no-home").exists()
    bare = subprocess.run([ready.checkout / "fletcher"], env={}, capture_output=True, text=True, check=False)
    assert (bare.returncode, bare.stderr) == (3, "")


def test_a_changed_lock_is_followed(machine: Machine) -> None:
    """After an update the next start installs what the new lock names, and the one after says nothing."""
    assert json.loads(machine.start().stdout)["dep"] == "1.0"
    machine.lock("2.0")
    followed = machine.start()
    assert json.loads(followed.stdout)["dep"] == "2.0"
    assert "first start" not in followed.stderr
    assert machine.start().stderr == ""


def test_an_unfinished_environment_is_not_taken_for_good(machine: Machine) -> None:
    """A failed installation is told in one sentence with exit code 4, and the next start begins anew."""
    machine.lock("1.0", sha256="0" * 64)
    failed = machine.start()
    assert (failed.returncode, failed.stdout) == (4, "")
    assert "pip could not install what Fletcher needs" in failed.stderr
    assert "Traceback" not in failed.stderr
    packages = install.site_packages(machine.checkout / ".venv")
    (packages / "dep.py").write_text("VERSION = 'half'\n")
    machine.lock("1.0")
    mended = machine.start()
    assert json.loads(mended.stdout)["dep"] == "1.0"
    assert "first start" in mended.stderr


def test_a_killed_installation_is_made_anew(machine: Machine) -> None:
    """Killed at any moment, it leaves nothing that the next start would trust, and no lock."""
    venv = machine.checkout / ".venv"
    # Moments are told by what the installation has done, not by a clock: how fast it is differs tenfold by machine.
    for moment in (venv / "unfinished", venv / "bin" / "python", install.site_packages(venv) / "dep.py"):
        with subprocess.Popen(
            [machine.checkout / "fletcher"],
            env=machine.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as started:
            while started.poll() is None and not moment.exists():
                time.sleep(0.002)
            with suppress(ProcessLookupError):  # a machine that stood still for a moment may find it done
                os.killpg(started.pid, 9)
    assert json.loads(machine.start().stdout)["dep"] == "1.0"


def test_first_starts_at_the_same_time(machine: Machine) -> None:
    """Several first starts do not break each other: one installs, the others wait, all answer."""
    starts = [
        subprocess.Popen(
            [machine.checkout / "fletcher", str(number)],
            env=machine.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [start.communicate() for start in starts]
    assert [json.loads(out)["argv"] for out, _ in said] == [["0"], ["1"], ["2"]]
    assert sum("installed in" in err for _, err in said) == 1


def test_a_copied_checkout_is_set_up_again(ready: Machine, tmp_path: Path) -> None:
    """An environment knows the folder it was made for, so a copy never runs the code of its original."""
    copy = tmp_path / "copy"
    shutil.copytree(ready.checkout, copy, symlinks=True)
    started = ready.start(launcher=copy / "fletcher")
    assert json.loads(started.stdout)["file"] == str(copy / "bot" / "__main__.py")


def test_no_python_is_told(machine: Machine) -> None:
    """Without python3 one sentence says what to install, with exit code 4."""
    (machine.path / "python3").unlink()
    missing = machine.start()
    assert (missing.returncode, missing.stdout, missing.stderr.count("\n")) == (4, "", 1)
    assert "apt-get install python3-venv" in missing.stderr


def test_an_old_python_is_told(machine: Machine) -> None:
    """A python3 that is too old is named with its version, with exit code 4."""
    python = machine.path / "python3"
    python.unlink()
    python.write_text('#!/bin/sh\n[ "$1" != --version ] || { echo Python 3.9.2; exit 0; }\nexit 1\n')
    python.chmod(0o755)
    old = machine.start()
    assert (old.returncode, old.stdout) == (4, "")
    assert old.stderr == f"fletcher: needs Python 3.11 or newer, and {python} is Python 3.9.2\n"


def test_neither_pip_nor_venv_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no pip can be found or made, the sentence names the package that brings one."""
    monkeypatch.setattr(install, "run", lambda command: subprocess.CompletedProcess(command, 1, stdout=""))
    with pytest.raises(install.CannotInstallError, match="apt-get install python3-venv"):
        install.find_pip(Path("python"))


def test_an_environment_is_made_without_the_venv_module(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where Python has pip and no venv module, the environment is laid out by hand and works as well."""
    really = install.run
    monkeypatch.setattr(
        install,
        "run",
        lambda command: really(["false"] if {"venv", "ensurepip"} & set(map(str, command)) else command),
    )
    for name, value in machine.environment().items():
        monkeypatch.setenv(name, value if name != "PATH" else os.environ["PATH"])
    venv = tmp_path / "by hand"
    venv.mkdir()
    install.make_venv(venv)
    assert install.interpreter(venv) == venv / "bin" / "python"
    base = [sys._base_executable, "-m", "pip", "--version"]  # type: ignore[attr-defined]
    if really(base).returncode != 0 and really([sys.executable, *base[1:]]).returncode != 0:
        pytest.skip("this machine has no pip outside the environment")
    install.pip_install(venv, machine.checkout / "requirements.lock")
    assert really([venv / "bin" / "python", "-c", "import dep"]).returncode == 0


def test_a_folder_that_may_not_be_written_is_told(machine: Machine) -> None:
    """Where the checkout cannot be written to, one sentence says so, with exit code 4."""
    (machine.checkout / ".venv.lock").mkdir()
    refused = machine.start()
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (4, "", 1)
    assert "cannot install into this checkout" in refused.stderr
