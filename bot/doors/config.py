"""`fletcher config check` and `fletcher init`: what is set, from where, and the file to set it in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bot.errors import FletcherError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bot.report.template import Services
    from bot.settings import Target, Targets


def config_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher config`."""
    p.epilog = (
        "examples:\n"
        "  fletcher config check                 what is set here, and from where\n"
        "  fletcher config check deploy.toml     the same of another file\n"
        "  fletcher config check --json          for programs\n\n"
        "Values come from the environment, .env.local, .env and fletcher.toml; secrets are never shown."
    )
    p.add_argument("action", choices=["check"], metavar="check", help="read strictly, and tell what is set from where")
    p.add_argument("files", nargs="*", metavar="FILE", help="a fletcher.toml (default: the one in this folder)")
    p.add_argument("--json", action="store_true", help="the answer as JSON")


def init_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher init`."""
    p.epilog = (
        "examples:\n"
        "  fletcher init             writes fletcher.toml into this folder, from what is set around it\n"
        "  fletcher init --force     the same over one that is there\n\n"
        "It holds no secret: it names the environment variables that do."
    )
    p.add_argument("--force", action="store_true", help="write over a fletcher.toml that is there")


def config(args: argparse.Namespace) -> int:
    """Read all settings strictly and tell them; a document that is wrong is raised with all its problems."""
    import json
    from pathlib import Path

    from bot.settings import targets

    if len(args.files) > 1:
        raise UsageError(f"`fletcher config check` takes one file, and {args.files[1]!r} is a second")
    found = targets(os.environ, Path(), Path(args.files[0]) if args.files else None)
    rows = list(_chosen(found))
    file = str(found.document.path) if found.document else None
    probes = list(_probes(found, args.files[0] if args.files else ""))
    if args.json:
        told = [
            {"name": t.name, "taken": taken, "settings": [*_settings(t)], "notes": [*_notes(found, t)]}
            for t, taken in rows
        ]
        people = {"persons": [*_persons(found)], "policy": [*_policy(found)], "probes": probes}
        print(json.dumps({"file": file, "targets": told, **people}, indent=2, ensure_ascii=False))
        return 0
    print(f"{file} is right." if file else "No fletcher.toml here (`fletcher init` writes one).")
    for target, taken in rows:
        name = f"target {target.name}" if target.name else "the environment"
        print(f"\n{name}{' (taken without --target)' if taken and target.name else ''}")
        for row in _settings(target):
            print(f"  {row['name']:16} {row['value']}  ({row['from']})")
        if not target.origins:
            print("  sets nothing")
        for note in _notes(found, target):
            print(f"  note: {note}")
    for title, lines in (("persons", [*_persons(found)]), ("policy", [*_policy(found)]), ("probes", probes)):
        if lines:
            print(f"\n{title}")
        for line in lines:
            print(f"  {line}")
    return 0


def _chosen(found: Targets) -> Iterator[tuple[Target, bool]]:
    """Every target as a call would see it, and whether it is the one that a call without --target takes."""
    taken = None if found.undecided else found.choose()
    if taken is not None and not found.names:
        yield taken, True
    for name in found.names:
        if taken is not None and taken.name == name:
            yield taken, True
        else:
            yield found.choose(name), False


def _settings(target: Target) -> Iterator[dict[str, str]]:
    """What a target sets, in the order in which it is read; of a key and its secret only that they are set."""
    from bot.redact import redact
    from bot.settings import KEYS

    for name, origin in target.origins:
        yield {"name": name, "value": "set" if name in KEYS else redact(getattr(target, name)), "from": origin}


def _notes(found: Targets, target: Target) -> list[str]:
    """What a person should know of a target that is no mistake of the file."""
    return [f"nothing sets {variable}, which {place} names" for variable, place in found.unset(target.name)]


def _persons(found: Targets) -> Iterator[str]:
    for one in found.document.persons if found.document else ():
        accounts = ", ".join(f"{kind} {account}" for kind, account in one.accounts)
        yield f"{one.name}: {accounts or 'no account, so that nobody can be this person'}"


def _policy(found: Targets) -> Iterator[str]:
    """The rules that are in force, in words; what lowers them is called so."""
    from bot.spans import spoken

    rules = found.document.rules if found.document else None
    if rules is None:
        return
    for verb, lines in (("run", rules.run), ("approve", rules.approve)):
        for line in lines:
            parts = ((line.who, "anyone"), (line.runbooks, "every runbook"), (line.effects, "every effect"))
            who, what, effect = (", ".join(said) or every for said, every in parts)
            where = ", ".join((*(line.doors or ("every door",)), *line.channels))
            yield f"{verb}: {who} from {where}: {what}, {effect}"
    for effect_of, need in rules.effects.items():
        yield f"raised: {effect_of} asks for {need}"
    if rules.single_operator:
        yield "LOWERED by single-operator: the requester's own confirmation stands for a peer's"
    for runbook, times, within in rules.auto:
        yield f"LOWERED by auto: {runbook} goes unasked, at most {times} times in {spoken(within)}"
    for name, span in (("a question is open for", rules.expires), ("outputs are kept for", rules.keep)):
        if span is not None:
            yield f"{name} {spoken(span)}"


def _probes(found: Targets, config: str) -> Iterator[str]:
    """What looks by itself, with the runbooks read, and what is said of all probes."""
    from pathlib import Path

    from bot.spans import spoken

    if found.document is None:
        return
    if found.document.probes:
        from bot.probes.declared import told

        yield from told(found, Path(), config)
    rules = found.document.watch
    if rules.alert_in:
        yield f"people are told in {rules.alert_in}"
    if rules.ping_env:
        said = "" if rules.ping_env in found.environment else ", which nothing sets"
        yield f"the address in {rules.ping_env} is called while all is well{said}"
    for window in rules.quiet:
        which = ", ".join(window.probes) or "every probe"
        why = f": {window.why}" if window.why else ""
        yield f"nobody is told of {which} for {spoken(window.seconds)} from `{window.cron}` ({rules.zone}) on{why}"


def _running(target: Target) -> Services:
    """What a Docker engine shows of this target; nothing where none answers or several projects may be meant."""
    from pathlib import Path

    from bot.evidence.addresses import WORKER_PORT, worker_addresses
    from bot.evidence.live import Watched
    from bot.report.template import NO_SERVICES, Services

    with Watched(target, Path.cwd()) as watched:
        try:
            watched.attach()
        except UsageError as problem:
            print(f"Docker is left out: {problem}")
            return NO_SERVICES
        live = watched.seen()
    attached = live.attached
    if live.engine is None or attached is None:
        return NO_SERVICES
    services = [{c.service for c in found} for found in (attached.livekit, attached.agents)]
    server, agent = (min(names) if len(names) == 1 else "" for names in services)
    # A container's own address changes with every `up`, and several workers have no one address.
    lasts = [any(inner == WORKER_PORT and outer for inner, _, outer in c.ports) for c in attached.agents] == [True]
    endpoints = worker_addresses(target, attached, live.engine.address) if lasts else ()
    endpoint = next((address for address, _name in endpoints), "")
    return Services(attached.project, server, agent, endpoint, f"Docker at {live.engine.address}")


def init(args: argparse.Namespace) -> int:
    """Write a fletcher.toml into this folder, from what is set around it and what a Docker engine shows."""
    from pathlib import Path

    from bot.report.template import template, values_of
    from bot.settings import Targets, around
    from bot.settings_file import NAME

    path = Path(NAME)
    if os.path.lexists(path) and not args.force:
        raise UsageError(
            f"there is a {NAME} here already: `fletcher config check` tells what it sets, `fletcher init --force` writes over it"
        )
    known = around(os.environ, Path())
    target = Targets({name: value for name, value in known.items() if name != "FLETCHER_TARGET"}).choose()
    values = values_of(target, _running(target))
    try:
        with path.open("w" if args.force else "x", encoding="utf-8") as file:
            file.write(template(values))
    except OSError as problem:
        raise FletcherError(f"cannot write {NAME} into this folder: {problem.strerror}") from None
    print(f"Wrote {NAME}, which holds no secret. It sets:")
    for key, (text, origin) in values.items():
        print(f"  {key:16} {text}  (from {origin})")
    if not values:
        print(
            "  nothing yet: no LIVEKIT_URL, no keys and no compose project are set around here; its comments show how"
        )
    print("\nNext: fill in what is missing, run `fletcher config check`, then `fletcher doctor`.")
    return 0
