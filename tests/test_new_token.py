"""A new token gets to who asked for it, and nowhere else: no store, log, audit, event or report has it."""

from __future__ import annotations

import io
import json
import re
import shutil
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from bot.doors import demo, engine, question
from bot.report.demo import FILES, ROOM, folder
from tests.fletcher import Reply, fletcher

if TYPE_CHECKING:
    from pathlib import Path

    from bot.engine.contract import Parts

JWT = re.compile(rb"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")


@pytest.fixture
def parts(here: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """The demo's stage in the current folder: its token script makes real claims, which nobody signed."""
    shutil.copytree(folder(), here, dirs_exist_ok=True)
    made = demo._parts(here, fix_fails=False)
    monkeypatch.setattr(engine, "acting", lambda _config: nullcontext(made))
    return made


def ordered(*argv: str) -> Reply:
    """`fletcher run` of the demo's remedy."""
    flags = {"server": "--server-log", "agent": "--agent-log", "livekit-config": "--livekit-config", "token": "--token"}
    files = [word for kind, name in FILES for word in ((flags[kind], name) if kind in flags else (name,))]
    return fletcher("run", "agent-never-joins", *files, "--room", ROOM, "--yes", "--allow-disrupt", *argv)


def kept(here: Path, *but: str) -> set[str]:
    """The files of the runs' folder that have a token in them."""
    home = here / ".fletcher"
    found = {str(p.relative_to(home)) for p in home.rglob("*") if p.is_file() and JWT.search(p.read_bytes())}
    return {name for name in found if name.rpartition("/")[2] not in but}


def everything_said() -> bytes:
    """All that any verb tells of the run."""
    [row] = json.loads(fletcher("runs", "--json").out)
    calls = (
        ("show", "--json"), ("report",), ("report", "--html"), ("report", "--markdown"), ("logs",), ("logs", "--json"), ("show", "--step", "new-token"),
    )  # fmt: skip
    told = [fletcher(verb, row["id"], *more).out for verb, *more in calls]
    return "".join([*told, fletcher("audit", "export").out]).encode()


def step() -> dict[str, Any]:
    """What was kept of the step."""
    [row] = json.loads(fletcher("runs", "--json").out)
    rows = json.loads(fletcher("show", row["id"], "--json").out)["steps"]
    found: dict[str, Any] = next(row for row in rows if row["name"] == "new-token")
    return found


@pytest.mark.usefixtures("parts")
def test_without_a_terminal_it_is_in_a_file(here: Path) -> None:
    """Which nobody else may read; its claims are kept and the room of the proof is made by them."""
    reply = ordered()
    assert reply.code == 0, reply.out + reply.err
    [file] = (here / ".fletcher" / "runs").glob("*/token")
    assert JWT.fullmatch(file.read_bytes().strip())
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"a new token is in {file}" in step()["says"]
    assert json.loads(step()["outcome"]["facts"]["claims"])["agents"] == []
    assert "the room is made as the new token makes it" in reply.out
    assert (kept(here, "token"), JWT.search(reply.out.encode()), JWT.search(everything_said())) == (set(), None, None)


@pytest.mark.usefixtures("parts")
def test_at_a_terminal_it_is_shown_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is in no file at all."""
    monkeypatch.setattr(question, "can_show", lambda: True)
    reply = ordered()
    assert (reply.code, len(JWT.findall(reply.out.encode()))) == (0, 1)
    assert "a new token was handed over" in step()["says"]
    assert (kept(here), JWT.search(everything_said())) == (set(), None)


@pytest.mark.usefixtures("parts")
def test_json_is_no_place_for_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where somebody sees it: what is printed so is for programs."""
    monkeypatch.setattr(question, "can_show", lambda: True)
    reply = ordered("--json")
    assert (reply.code, JWT.search(reply.out.encode()), kept(here, "token")) == (0, None, set())


def test_where_it_is_served_it_is_discarded(here: Path, parts: Parts) -> None:
    """The command that makes one is told instead, and the claims are kept all the same."""
    with engine.opened(None) as front:
        stop = threading.Event()
        thread = threading.Thread(target=front.serve, args=(parts, stop, "root", io.StringIO()))
        thread.start()
        try:
            while front.executor() is None:
                assert thread.is_alive()
            reply = ordered()
        finally:
            stop.set()
            thread.join()
    assert reply.code == 0, reply.out + reply.err
    says = step()["says"]
    assert "discarded, since nobody is here to take it. Make one with: " in says
    assert "generate-token.ts" in says
    assert json.loads(step()["outcome"]["facts"]["claims"])["room"] == ROOM
    assert (kept(here), JWT.search(reply.out.encode()), JWT.search(everything_said())) == (set(), None, None)


def test_nobody_gets_the_token_of_another(here: Path, parts: Parts) -> None:
    """Whoever carries out what somebody else ordered is handed nothing."""
    with engine.opened(None) as front:
        order = demo._order(here, engine.me(None))
        stranger = type(order.person)("mallory", "terminal")
        front.submit(order)
        shown = type("Shown", (), {"pause": lambda _: None, "take": lambda _, _event: None})()
        mallory = demo._Attendant(order.person, shown)
        run = front.go_on_here(parts, order.id, stranger, mallory)
    assert (run.state, mallory.tokens) == ("fixed", [])
    assert "discarded" in step()["says"]
