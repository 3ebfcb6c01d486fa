"""The command line: arguments in, text or JSON and an exit code out."""

import argparse
from collections.abc import Sequence

from bot import __version__


def main(argv: Sequence[str]) -> int:
    """Answer one command line (without the program's name) and return the exit code."""
    parser = argparse.ArgumentParser(prog="fletcher", description="Says why a LiveKit room has no agent.")
    parser.add_argument("--version", action="version", version=f"fletcher {__version__}")
    parser.parse_args(argv)
    parser.print_help()
    return 0
