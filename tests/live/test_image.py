"""Fletcher's own image answers, as nobody in particular and without a right to anything."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.stack.stack import Stack

if TYPE_CHECKING:
    from tests.live.scenes import Scenes

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def image(scenes: Scenes) -> str:
    """Fletcher's image, made from this checkout and from base images that come from no registry."""
    return Stack(name=scenes.name).build_fletcher()


def run(image: str, *words: str, entry: str | None = None) -> str:
    """Run a container as the compose file does, and return what it prints."""
    shut = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"]
    other = ["--entrypoint", entry] if entry else []
    argv = ["docker", "run", "--rm", "--network", "none", *shut, *other, image, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_the_image_shows_what_fletcher_does(image: str) -> None:
    """The demonstration needs no network, no right, and no file but its own."""
    assert "dispatch-missing" in run(image, "demo")


def test_the_image_is_not_root_and_has_compose(image: str) -> None:
    """What will be mended is mended through compose, by somebody who is not root."""
    assert run(image, "-u", entry="id").strip() == "1000"
    assert "version" in run(image, "compose", "version", entry="docker")
