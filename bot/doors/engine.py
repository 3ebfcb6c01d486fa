"""The engine as doors open it: who is here, where runs are kept, by which policy, and with what is acted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager

    from bot.engine.contract import Parts
    from bot.engine.front import Front
    from bot.engine.values import Person, Run
    from bot.policy import Policy
    from bot.probes.values import Probe
    from bot.settings_file import Document
    from bot.settings_policy import Declared
    from bot.settings_probes import Rules


def options(p: argparse.ArgumentParser) -> None:
    """The options of every verb that works on runs which are there."""
    p.add_argument("--config", metavar="FILE", help="fletcher.toml, when it is not in this folder")
    p.add_argument("--json", action="store_true", help="the answer as JSON")


def one_options(p: argparse.ArgumentParser) -> None:
    """The options of a verb about one run."""
    p.add_argument("files", nargs="*", metavar="RUN", help="a run's id, or how only one begins")
    options(p)


def opened(config: str | None, vouching: tuple[str, ...] = ()) -> Front:
    """The runs that are kept for this folder, under the policy that its fletcher.toml declares; a context manager."""
    from bot.engine.front import Front

    return Front(folder(), policy(config, vouching), address())


def address() -> str:
    """FLETCHER_DATABASE, as it is set; "" where runs are kept in a file."""
    from bot.settings import around

    value = around(os.environ, Path()).get("FLETCHER_DATABASE")
    return value.text if value is not None else ""


def folder() -> Path:
    """FLETCHER_HOME, as it is set or found from here."""
    from bot.engine.home import home_of
    from bot.settings import around

    return home_of({name: value.text for name, value in around(os.environ, Path()).items()}, Path())


def acting(config: str | None, vouching: tuple[str, ...] = ()) -> AbstractContextManager[Parts]:
    """What an executor of this process acts with."""
    from bot.doors.parts import real

    return real(policy(config, vouching))


def policy(config: str | None, vouching: tuple[str, ...] = ()) -> Policy | None:
    """The policy that fletcher.toml declares, None where it declares none.

    `vouching` are the doors of this process that know who somebody is; the terminal only knows the machine's user.
    """
    from bot.policy import declared

    document = _document(config)
    return declared(document.rules, vouching) if document is not None and document.rules is not None else None


def persons(config: str | None) -> tuple[Declared, ...]:
    """The persons that fletcher.toml declares."""
    document = _document(config)
    return document.persons if document else ()


def alerted(config: str | None) -> tuple[str, ...]:
    """The channels in which fletcher.toml wants people to be told of probes."""
    document = _document(config)
    if document is None or not document.probes:
        return ()
    return tuple(dict.fromkeys(one.channel or document.watch.alert_in for one in document.probes if one.channel or document.watch.alert_in))  # fmt: skip


def me(config: str | None) -> Person:
    """Who is at this terminal, by the name that fletcher.toml declares."""
    from bot.engine.values import Person
    from bot.policy import name_of

    return Person(name_of(persons(config), "os", account()), "terminal")


def probes(config: str | None) -> tuple[tuple[Probe, ...], Rules]:
    """The probes that fletcher.toml declares, and what it says of all of them.

    Raises WrongDocument with every problem, and UsageError for a folder of runbooks that is not there.
    """
    from bot.settings import targets
    from bot.settings_probes import NO_RULES

    found = targets(os.environ, Path(), Path(config) if config else None)
    if found.document is None or not found.document.probes:
        return (), found.document.watch if found.document else NO_RULES
    from bot.probes.declared import probes as declared

    return declared(found, Path(), config or ""), found.document.watch


def listen(config: str | None) -> tuple[str, int] | None:
    """Where `serve` answers over HTTP, as FLETCHER_LISTEN says, else fletcher.toml; None for nowhere. Raises UsageError."""
    from bot.settings import targets
    from bot.settings_serve import address, listen_trouble

    found = targets(os.environ, Path(), Path(config) if config else None)
    said = found.environment.get("FLETCHER_LISTEN")
    if said is not None and (trouble := listen_trouble(said.text)):
        raise UsageError(f"FLETCHER_LISTEN ({said.origin}) {trouble}")
    text = said.text if said is not None else found.document.listen if found.document else ""
    return address(text) if text else None


def ping(config: str | None) -> str:
    """The address of the dead man's switch, whose variable fletcher.toml names; "" for none. Raises UsageError."""
    from bot.settings import targets
    from bot.settings_file import url_trouble

    found = targets(os.environ, Path(), Path(config) if config else None)
    name = found.document.watch.ping_env if found.document else ""
    if not name:
        return ""
    said = found.environment.get(name)
    if said is None:
        raise UsageError(
            f"nothing sets {name}, which `ping_env` of [probes] names for the address of the dead man's switch"
        )
    if trouble := url_trouble(said.text, ("http", "https")):
        raise UsageError(f"{name} ({said.origin}) {trouble}")
    return said.text


def account() -> str:
    """This process's user, as the machine knows it: not as a variable says."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user often has no name
        return f"uid {os.getuid()}"


def found(front: Front, asked: str) -> Run:
    """The run of this id, or of the only id that begins so. Raises UsageError where there is none."""
    if not asked:
        raise UsageError("which run? `fletcher runs` lists them")
    ids = [row.id for row in front.runs()]
    near = [asked] if asked in ids else [one for one in ids if one.startswith(asked)]
    if len(near) > 1:
        raise UsageError(f"{asked!r} may be {' or '.join(near[:5])}: write more of the run's id")
    return front.show(near[0] if near else asked)


def _document(config: str | None) -> Document | None:
    from bot.settings import targets

    return targets(os.environ, Path(), Path(config) if config else None).document


def one(args: argparse.Namespace) -> str:
    """The one run that a call is about, as it was typed; "" for none."""
    if len(args.files) > 1:
        raise UsageError(f"one run at a time, and {args.files[1][:40]!r} is a second")
    return args.files[0] if args.files else ""
