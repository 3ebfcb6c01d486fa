"""What comes from the machine's own distribution: engine, base files, compose plugin."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.stack.places import CACHE
from tests.stack.progress import Phase, StackError

# Bookworm has no compose plugin; trixie's needs nothing but a C library and runs on bookworm.
_COMPOSE_VERSION = "2.26.1-4"
_COMPOSE_DEB = "47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea"
_IN_PACKAGE = "usr/libexec/docker/cli-plugins/docker-compose"
PLUGIN = Path("/usr/local/lib/docker/cli-plugins/docker-compose")


def install_engine(phase: Phase) -> None:
    """Install the Docker engine and mmdebstrap, where they are missing."""
    wanted = {"dockerd": "docker.io", "mmdebstrap": "mmdebstrap"}
    missing = [package for program, package in wanted.items() if not shutil.which(program, path=_path())]
    if not missing:
        return
    _demand_root(f"to install {' and '.join(missing)}")
    phase.run("apt-get", "update", "-qq")
    phase.run(
        # Another apt-get, such as that of a machine which has just started, is waited for.
        *("apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "-qq", "--no-install-recommends", *missing),
        env={"DEBIAN_FRONTEND": "noninteractive"},
    )


def install_compose(phase: Phase) -> None:
    """Install the compose plugin, where `docker compose` is missing, without touching the machine's sources."""
    if compose_answers():
        return
    _demand_root("to install the compose plugin")
    apt = CACHE / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(_trixie(sources().read_text(encoding="utf-8")), encoding="utf-8")
    options = (
        *("-o", f"Dir::Etc::SourceList={apt / 'sources.list'}", "-o", "Dir::Etc::SourceParts=/dev/null"),
        *(
            "-o",
            f"Dir::State::Lists={apt / 'lists'}",
            "-o",
            f"Dir::Cache={apt / 'cache'}",
            "-o",
            "APT::Sandbox::User=root",
        ),
    )
    phase.run("apt-get", *options, "update", "-qq")
    phase.run("apt-get", *options, "download", f"docker-compose={_COMPOSE_VERSION}", cwd=apt)
    package = next(apt.glob("docker-compose_*.deb"))
    if hashlib.sha256(package.read_bytes()).hexdigest() != _COMPOSE_DEB:
        raise StackError(f"{package} is not the package that was pinned")
    phase.run("dpkg", "-x", package, apt / "tree")
    PLUGIN.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(apt / "tree" / _IN_PACKAGE, PLUGIN)
    if not compose_answers():
        raise StackError(f"docker does not find its compose plugin at {PLUGIN}")


def compose_answers() -> bool:
    """Tell whether this machine's docker knows compose."""
    try:
        return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0  # noqa: S607
    except OSError:
        return False


def sources() -> Path:
    """Find where the machine's packages come from."""
    for path in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")):
        if path.is_file() and path.read_text(encoding="utf-8").strip():
            return path
    raise StackError("this machine has no Debian sources; install Docker's engine and compose plugin yourself")


def codename() -> str:
    """The machine's release, such as `bookworm`."""
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    return settings.get("VERSION_CODENAME", "stable").strip('"')


def _trixie(own: str) -> str:
    """Derive trixie's sources from the machine's own: same mirror, same keyring."""
    mirror = keyring = None
    for line in own.splitlines():
        words = line.split()
        if words[:1] == ["URIs:"] and mirror is None:
            mirror = words[1]
        elif words[:1] == ["Signed-By:"] and keyring is None:
            keyring = words[1]
        elif words[:1] == ["deb"] and mirror is None:
            mirror = next(word for word in words[1:] if "://" in word)
    keyring = keyring or "/usr/share/keyrings/debian-archive-keyring.gpg"
    if mirror is None:
        raise StackError("the machine's Debian sources name no mirror")
    return f"deb [signed-by={keyring}] {mirror} trixie main\n"


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _demand_root(why: str) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise StackError(f"needs root on Debian {why}; or install Docker's engine and compose plugin yourself")
