"""Images without a registry: base images from the distribution's packages, the server's from its program.

Each carries a label that names what it was made from, and is made anew only when that has changed.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stack import debian
from tests.stack.places import DOCKER_CLI_IMAGE, LIVEKIT_IMAGE, NODE_IMAGE, PYTHON_IMAGE, digest
from tests.stack.progress import Phase, StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LABEL = "fletcher.made-from"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_COMMON = (
    *("base-files", "bash", "coreutils", "dash", "debianutils", "findutils", "grep", "gzip", "libc-bin", "libc6"),
    *("libgcc-s1", "libstdc++6", "sed", "tar", "zlib1g"),
)
_PYTHON = ("python3", "python3-pip", "python3-venv")
_ENV = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    f"ENV SSL_CERT_FILE={_CERTIFICATES} NODE_EXTRA_CA_CERTS={_CERTIFICATES} PIP_CERT={_CERTIFICATES}",
)
_USERS = "root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/home/node:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n"
_GROUPS = "root:x:0:\nnode:x:1000:\nnogroup:x:65534:\n"


def node(phase: Phase) -> None:
    """Make the base image of the voice agent: this machine's node and npm on the distribution's libraries."""
    program = shutil.which("node")
    if program is None:
        raise StackError("the voice agent needs Node 20 or newer on this machine")
    npm = Path(phase.run("npm", "root", "--global").strip()) / "npm"

    def finish(root: Path) -> None:
        shutil.copy2(Path(program).resolve(), root / "usr/local/bin/node")
        modules = root / "usr/local/lib/node_modules"
        modules.mkdir(parents=True)
        shutil.copytree(npm, modules / "npm", symlinks=True)
        for name in ("npm", "npx"):
            (root / "usr/local/bin" / name).symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")

    _base(phase, NODE_IMAGE, (), finish, phase.run("node", "--version"))


def python(phase: Phase) -> None:
    """Make the base image of Fletcher's image: the distribution's Python with pip and venv."""
    _base(phase, PYTHON_IMAGE, _PYTHON, lambda _: None)


def docker_cli(phase: Phase) -> None:
    """Make the image that docker and its compose plugin are copied from, laid out as the official one."""
    plugins = (debian.PLUGIN, Path("/usr/libexec/docker/cli-plugins/docker-compose"))
    compose = next((path for path in plugins if path.is_file()), None)
    docker = Path("/usr/bin/docker")  # the package's own; one elsewhere may be newer than the engine understands
    docker = docker if docker.is_file() else Path(shutil.which("docker") or "")
    if compose is None or not docker.is_file():
        raise StackError("docker or its compose plugin is not where Debian's packages put them")
    made_from = digest(docker, compose)
    if _is_made(DOCKER_CLI_IMAGE, made_from):
        return
    files = {"usr/local/bin/docker": docker, "usr/local/libexec/docker/cli-plugins/docker-compose": compose}
    _import(phase, DOCKER_CLI_IMAGE, made_from, _tar_of(phase, files), ())


def livekit(phase: Phase, version: str, program: Path) -> str:
    """Make the server's image with the official one's entrypoint, and return its name."""
    image, made_from = f"{LIVEKIT_IMAGE}:{version}", digest(program)
    if not _is_made(image, made_from):
        files = {"livekit-server": program, "etc/ssl/certs/ca-certificates.crt": _CERTIFICATES}
        _import(phase, image, made_from, _tar_of(phase, files), ('ENTRYPOINT ["/livekit-server"]',))
    return image


def _base(phase: Phase, image: str, packages: Iterable[str], finish: Callable[[Path], None], *more: str) -> None:
    wanted = sorted({*_COMMON, *packages})
    made_from = digest(Path(__file__), _CERTIFICATES, debian.codename(), *wanted, *more)
    if _is_made(image, made_from):
        return
    with tempfile.TemporaryDirectory(prefix="fletcher-stack-") as folder:
        root = Path(folder) / "root"
        # Only unpacked: no maintainer script runs, which takes a fraction of the time. What they would do follows.
        phase.run(
            *("mmdebstrap", "--quiet", "--mode=root", "--variant=extract", f"--include={','.join(wanted)}"),
            *(debian.codename(), root, debian.sources()),
        )
        _instead_of_scripts(phase, root)
        finish(root)
        packed = Path(folder) / "root.tar"
        phase.run("tar", "--directory", root, "--exclude=./dev/*", "--create", "--file", packed, ".")
        _import(phase, image, made_from, packed, _ENV)


def _instead_of_scripts(phase: Phase, root: Path) -> None:
    """Do what the packages' own scripts would have done, as far as these images need it."""
    etc = root / "etc"
    (etc / "passwd").write_text(_USERS, encoding="utf-8")
    (etc / "group").write_text(_GROUPS, encoding="utf-8")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n", encoding="utf-8")
    (etc / "ssl/certs").mkdir(parents=True, exist_ok=True)
    shutil.copy2(_CERTIFICATES, etc / "ssl/certs/ca-certificates.crt")
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    for folder, mode in (("tmp", 0o1777), ("root", 0o700), ("home/node", 0o755), ("usr/local/bin", 0o755)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder).chmod(mode)
    shutil.chown(root / "home/node", 1000, 1000)
    phase.run("/sbin/ldconfig", "-r", root)


def _tar_of(phase: Phase, files: dict[str, Path]) -> Path:
    packed = phase.log.with_suffix(".tar")
    with tarfile.open(packed, "w") as tar:
        for name, path in files.items():
            entry = tarfile.TarInfo(name)
            raw = path.read_bytes()
            entry.size, entry.mode = len(raw), 0o755
            tar.addfile(entry, io.BytesIO(raw))
    return packed


def _import(phase: Phase, image: str, made_from: str, packed: Path, changes: Iterable[str]) -> None:
    settings = [word for change in (*changes, f"LABEL {_LABEL}={made_from}") for word in ("--change", change)]
    phase.run("docker", "import", *settings, packed, image)
    packed.unlink()


def _is_made(image: str, made_from: str) -> bool:
    asked = subprocess.run(
        ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{_LABEL}"}}}}', image],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.returncode == 0 and asked.stdout.strip() == made_from
