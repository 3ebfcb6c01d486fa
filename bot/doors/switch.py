"""`fletcher hold` and `fletcher release`: the kill switch over everything that changes something."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from bot.doors import engine

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bot.engine.front import Front
    from bot.engine.values import Person
    from bot.probes.values import Hold

_STEPS = 5  # steps in their middle that are named


def hold_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher hold`."""
    p.epilog = (
        "At once and for every process that works on these runs: no run begins to act, and no next step or undo of one begins.\n"
        "A step in its middle is let end. Looks, diagnoses and probes go on; approvals are taken, and what they start waits.\n\n"
        "examples:\n"
        "  fletcher hold\n"
        "  fletcher hold the cluster is being moved\n"
        "  fletcher release           everything goes on"
    )
    p.add_argument("files", nargs="*", metavar="WHY", help="why, for status and the audit")
    engine.options(p)


def hold(args: argparse.Namespace) -> int:
    """Let nothing begin that changes something, until it is released."""
    with engine.opened(args.config) as front:
        lines = list(held(front, engine.me(args.config), " ".join(args.files)))
        _tell(front, lines, args)
    return 0


def release(args: argparse.Namespace) -> int:
    """Let everything go on."""
    with engine.opened(args.config) as front:
        said = released(front, engine.me(args.config))
        _tell(front, [said], args)
    return 0


def _tell(front: Front, lines: list[str], args: argparse.Namespace) -> None:
    import msgspec

    if args.json:
        middle = [{"run": run, "step": step} for run, step in front.switch.in_the_middle()]
        told = {"hold": front.switch.held(), "in_the_middle": middle}
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
        return
    for line in lines:
        print(line)


# --- for every door ------------------------------------------------------------------------------


def held(front: Front, person: Person, why: str) -> Iterator[str]:
    """Hold, and say what that means now, for people at any door. Raises FletcherError."""
    began = time.time()
    found = front.switch.hold(person, why)
    yield line(found) if found.at >= began else f"It is held already. {line(found)}"
    middle = front.switch.in_the_middle()
    if middle:
        what = (
            "1 step is in its middle and is let end"
            if len(middle) == 1
            else f"{len(middle)} steps are in their middle and are let end"
        )
        named = ", ".join(f"{step} of run {run}" for run, step in middle[:_STEPS])
        more = f" and {len(middle) - _STEPS} more" if len(middle) > _STEPS else ""
        yield f"{what}: {named}{more}. `fletcher cancel RUN` breaks one off."
    yield "Looks, diagnoses and probes go on; an approval is taken, and what it starts waits. `fletcher release` ends it."


def released(front: Front, person: Person) -> str:
    """Release, and say what that ended, for people at any door. Raises FletcherError."""
    found = front.switch.release(person)
    if found is None:
        return "Nothing was held."
    return f"Released: what {_plain(found.by)} held since {_since(found)} goes on."


def line(found: Hold) -> str:
    """Who holds, for people at any door."""
    why = f": {_plain(found.why)}" if found.why else ""
    return f"HELD by {_plain(found.by)} ({found.door}) since {_since(found)}{why}. Nothing above read begins until `fletcher release`."


def waits(front: Front) -> str:
    """What to add where somebody approves while it is held, "" where it is not."""
    found = front.switch.held()
    return f" It waits, for {line(found)}" if found is not None else ""


def _since(found: Hold) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(found.at))


def _plain(said: str) -> str:
    from bot.report.safe import plain

    return plain(said)
