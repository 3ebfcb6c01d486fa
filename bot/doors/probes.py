"""Verbs about probes, in the terminal and for every other door: how they stand, tell nobody for a while, somebody sees to it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from bot.doors import engine
from bot.doors.run import SERVE
from bot.errors import FletcherError, Unreachable, UsageError
from bot.redact import redact
from bot.spans import duration, spoken

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from bot.engine.front import Front
    from bot.engine.values import Person
    from bot.policy import Policy
    from bot.probes.values import Probe, Standing

ALL: Final = "all"
_LONGEST: Final = 30 * 86400.0  # seconds; who wants to hear nothing for longer takes the probe out of fletcher.toml
_HISTORY: Final = 20  # slots that are shown
_WAIT: Final = 0.2  # seconds between two looks whether a look has come to something
_GRACE: Final = 30.0  # seconds for which a look may wait for its turn
_WHY: Final = 300  # characters of a reason


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher probes`."""
    p.epilog = (
        "Exit codes: 1 where one is degraded, 3 where one is unknown, 4 where --now found nobody who looks, else 0.\n\n"
        "examples:\n"
        "  fletcher probes                     how each stands\n"
        "  fletcher probes log-sweep           one of them, with the lines that decided and its last looks\n"
        "  fletcher probes agent-canary --now  look now, and wait for what it comes to"
    )
    p.add_argument("files", nargs="*", metavar="NAME", help="only this probe, and all that is known of it")
    p.add_argument("--now", action="store_true", help="let it look now, or all of them, and wait for what they say")
    engine.options(p)


def mute_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher mute`."""
    p.epilog = (
        "A probe that is muted looks as before, and what was told of it already is kept up to date. Nobody is told anew until\n"
        "the time is over; what is not healthy by then is told.\n\n"
        "examples:\n"
        "  fletcher mute log-sweep 1h the server is being moved\n"
        "  fletcher mute all 30m"
    )
    p.add_argument("files", nargs="*", metavar="NAME|all SPAN [WHY]", help="the probe, for how long (such as 30m or 1d), and why")  # fmt: skip
    engine.options(p)


def one_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher unmute` and `acknowledge`."""
    p.add_argument("files", nargs="*", metavar="NAME", help="a probe's name, as `fletcher probes` lists it")
    engine.options(p)


# --- in the terminal ------------------------------------------------------------------------------


def probes(args: argparse.Namespace) -> int:
    """How the probes stand, or one of them."""
    from bot.doors import terminal
    from bot.report import probes as made
    from bot.report.probed import shown
    from bot.report.probes_document import document

    name = _one(args.files, "probe") if args.files else ""
    with engine.opened(args.config) as front:
        looked = not args.now or _looked(front, name, args.config)
        now, hold, every = time.time(), front.switch.held(), _all(front, args.config)
        asked = found(every, name) if name else None
        listed = [one for one in shown(every) if asked is None or one.standing is asked]
        history = front.probing.history(name, most=_HISTORY) if name else ()
        if looked and any(one.since and one.enabled for one in every) and not _served(front):
            print("fletcher: nobody looks now, so that this is how it was; `fletcher serve` looks", file=sys.stderr)
        if args.json:
            sys.stdout.buffer.write(document(listed, now=now, due=due, hold=hold, history=history))
        elif name:
            told = made.whole(
                listed[0], now=now, due=due, history=history, width=terminal.width(), colour=terminal.colour()
            )
            print("\n".join(told))
        else:
            told = made.lines(every, now=now, due=due, hold=hold, width=terminal.width(), colour=terminal.colour())
            print("\n".join(told))
    return made.code(listed) if looked else 4


def _served(front: Front) -> bool:
    """Whether somebody looks: who only carries out one run does not."""
    return any(one.what == SERVE for one in front.executors())


def _all(front: Front, config: str | None) -> tuple[Standing, ...]:
    """How each probe stands, those too that fletcher.toml declares and nobody has taken up yet: `since` is 0 then."""
    from bot.probes.values import Standing

    there = front.probing.standings()
    try:
        declared, _ = engine.probes(config)
    except FletcherError:
        if there:  # whoever looks goes by the file as it was
            return there
        raise
    known = {one.probe.name: one for one in there}
    known |= {one.name: Standing(probe=one) for one in declared if one.name not in known or not known[one.name].enabled}
    return tuple(known[name] for name in sorted(known))


def _must_be_taken_up(front: Front, config: str | None, name: str) -> None:
    """Raises Unreachable for what is only declared, by its name or "all"."""
    every = _all(front, config)
    if not (said := [one for one in every if name in {one.probe.name, ALL}]) or any(one.since for one in said):
        return
    named = f"the probe {name} is" if name != ALL else "probes are"
    raise Unreachable(
        f"{named} declared in fletcher.toml, and nothing has looked yet: `fletcher serve` does, from its next start on"
    )


def _looked(front: Front, name: str, config: str | None) -> bool:
    """Let one look, or all, and wait until they have; False where nobody looks."""
    _must_be_taken_up(front, config, name or ALL)
    every = [one for one in front.probing.standings() if one.enabled]
    asked = [found(front.probing.standings(), name)] if name else every
    before = {one.probe.name: (one.slot, one.skipped) for one in asked}
    ordered = {name for name in before if front.probing.look_now(name)}
    if asked and not _served(front):
        print("fletcher: nobody looks here now; it is looked once `fletcher serve` runs", file=sys.stderr)
        return False
    until = time.monotonic() + max((one.probe.seconds for one in asked), default=0.0) + _GRACE
    while before and time.monotonic() < until:
        time.sleep(_WAIT)
        now = {one.probe.name: (one.slot, one.skipped) for one in front.probing.standings()}
        before = {name: slot for name, slot in before.items() if now.get(name) == slot}
        # Where a look went on, or there was one in this very second, that says something, or the next second does.
        ordered |= {name for name in before if name not in ordered and front.probing.look_now(name)}
    if before:
        print(f"fletcher: no word of {', '.join(sorted(before))} yet; what stands below is older", file=sys.stderr)
    return not before


def mute(args: argparse.Namespace) -> int:
    """Tell nobody of a probe for a while."""
    name, span, *why = (*args.files, "", "")[: max(len(args.files), 2)]
    return _told(args, lambda front, policy, who: muted(front, policy, (name, span, " ".join(why)), who))


def unmute(args: argparse.Namespace) -> int:
    """Tell of a probe again."""
    name = _one(args.files, "probe")
    return _told(args, lambda front, policy, who: unmuted(front, policy, name, who))


def acknowledge(args: argparse.Namespace) -> int:
    """Say that somebody sees to it."""
    name = _one(args.files, "probe")
    return _told(args, lambda front, policy, who: acknowledged(front, policy, name, who))


def _told(args: argparse.Namespace, do: Callable[[Front, Policy | None, Person], str]) -> int:
    import json

    with engine.opened(args.config) as front:
        _must_be_taken_up(front, args.config, "".join(args.files[:1]))
        says = do(front, engine.policy(args.config), engine.me(args.config))
    print(json.dumps({"says": says}) if args.json else says)
    return 0


def _one(names: list[str], what: str) -> str:
    if len(names) != 1:
        raise UsageError(f"which {what}? `fletcher probes` lists them" if not names else f"one {what} at a time, and {names[1][:40]!r} is a second")  # fmt: skip
    return names[0]


# --- at every door --------------------------------------------------------------------------------


def status_lines(front: Front) -> Iterator[str]:
    """What `status` says of the probes: each that is not healthy."""
    from bot.report.probes import status

    return status(front.probing.standings(), time.time())


def lines(front: Front, policy: Policy | None, name: str, person: Person, width: int) -> list[str]:
    """The probes, or one of them, for a door that shows text. Raises FletcherError where this person may not look."""
    from bot.report import probes as made
    from bot.report.probed import shown

    _may(policy, person)
    every, now = front.probing.standings(), time.time()
    if not name:
        return list(made.lines(every, now=now, due=due, hold=front.switch.held(), width=width))
    asked = found(every, name)
    one = next(one for one in shown(every) if one.standing is asked)
    return list(made.whole(one, now=now, due=due, history=front.probing.history(name, most=_HISTORY), width=width))


def muted(front: Front, policy: Policy | None, asked: tuple[str, str, str], person: Person) -> str:
    """Mute one probe, or all; `asked` is the name, for how long and why. What was done, as a sentence. Raises FletcherError."""
    from bot.probes.values import Mute

    name, span, why = asked
    _may(policy, person)
    if not name:
        raise UsageError("which probe, and for how long? `mute NAME 1h why`; `probes` lists them")
    seconds = duration(span) if span else "for how long? `mute NAME 1h` says it"
    if isinstance(seconds, str):
        raise UsageError(seconds)
    if not 1 <= seconds <= _LONGEST:
        raise UsageError(
            f"a probe is muted for a second at least and {spoken(_LONGEST)} at most, and {span} is neither"
        )
    names = _names(front, name)
    front.probing.mute(
        names, Mute(by=person.name, until=time.time() + seconds, why=redact(" ".join(why.split()))[:_WHY]), person
    )
    return f"{_listed(names)} muted for {spoken(seconds)}."


def unmuted(front: Front, policy: Policy | None, name: str, person: Person) -> str:
    """Tell of one probe again, or of all. What was done, as a sentence. Raises FletcherError."""
    _may(policy, person)
    names = _names(front, name)
    front.probing.unmute(names, person)
    return f"{_listed(names)} not muted any more."


def acknowledged(front: Front, policy: Policy | None, name: str, person: Person) -> str:
    """Say that this person sees to it; the first one counts. What was done, as a sentence. Raises FletcherError."""
    _may(policy, person)
    one = found(front.probing.standings(), name)
    first = one.acknowledged
    if not first and one.state in {"degraded", "unknown"}:
        if front.claim("probes", f"acknowledged {one.probe.name} {one.since:.3f}"):
            front.probing.acknowledge(name, person)
            return f"Probe {name} is acknowledged by {person.name}."
        first = found(front.probing.standings(), name).acknowledged or "somebody else"
    if first:
        raise Unreachable(f"{first} has acknowledged the probe {name} already.")
    front.probing.acknowledge(name, person)  # which says why that cannot be
    return ""


def found(standings: Iterable[Standing], name: str) -> Standing:
    """The one of this name. Raises UsageError where there is none."""
    from difflib import get_close_matches

    known = {one.probe.name: one for one in standings}
    if name in known:
        return known[name]
    near = get_close_matches(name, known, 1, 0.5)
    maybe = f"; did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"there is no probe {name[:60]!r}{maybe}; `fletcher probes` lists them, and how one is declared")


def due(probe: Probe) -> float | None:
    """When a probe looks next, in seconds since the epoch; None for never."""
    from datetime import UTC, datetime

    from bot.probes.slots import trigger

    at = trigger(probe).get_next_fire_time(None, datetime.now(UTC))
    return at.timestamp() if at is not None else None


def _names(front: Front, name: str) -> tuple[str, ...]:
    every = front.probing.standings()
    if name != ALL or any(one.probe.name == ALL for one in every):
        return (found(every, name).probe.name,)
    names = tuple(one.probe.name for one in every if one.enabled)
    if not names:
        raise UsageError("there is no probe to be muted; `fletcher probes` says how one is declared")
    return names


def _listed(names: tuple[str, ...]) -> str:
    return f"Probe {names[0]} is" if len(names) == 1 else f"The probes {', '.join(names)} are"


def _may(policy: Policy | None, person: Person) -> None:
    from bot.policy import why_not_look

    if trouble := why_not_look(policy, person):
        raise Unreachable(f"{trouble}.")
