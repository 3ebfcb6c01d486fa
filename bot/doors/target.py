"""Which deployment is meant: the options that every verb has that looks at what runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from bot.settings import Target


def options(p: argparse.ArgumentParser) -> None:
    """Add them."""
    p.add_argument("--target", metavar="NAME", help="a target of fletcher.toml")
    p.add_argument("--config", metavar="FILE", help="fletcher.toml, when it is not in this folder")
    p.add_argument("--compose-project", metavar="NAME", help="the compose project to look at")
    p.add_argument("--livekit-service", metavar="NAME", help="the compose service of the LiveKit server")
    p.add_argument("--agent-service", metavar="NAME", help="the compose service of the worker")


def given(args: argparse.Namespace) -> bool:
    """Whether any of them is on the command line: then what runs is meant, also beside files."""
    return any((args.target, args.config, args.compose_project, args.livekit_service, args.agent_service))


def chosen(args: argparse.Namespace, **more: str | None) -> Target:
    """The target that these arguments, the environment and fletcher.toml name. Raises UsageError, WrongDocument."""
    from pathlib import Path

    from bot.settings import targets

    config = Path(args.config) if args.config else None
    return targets(os.environ, Path(), config).choose(
        args.target, compose_project=args.compose_project, livekit_service=args.livekit_service, agent_service=args.agent_service, **more
    )  # fmt: skip
