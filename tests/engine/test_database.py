"""FLETCHER_DATABASE as it is set: what is said where it is no address or nobody answers, and that no password is shown."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from bot.engine.front import Front
from bot.engine.postgres import shown, url_of
from bot.errors import Unreachable, UsageError
from tests.fletcher import fletcher

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://me:a-long-secret@db/fletcher", "has to be an address such as postgresql://"),
        ("/var/lib/fletcher.db", "has to be an address such as postgresql://"),
        ("postgresql://me:a-long-secret@db", "names no database"),
        ("postgresql://me:a-long-secret@db:port/fletcher", "cannot be read as an address"),
    ],
)
def test_what_is_no_address_is_said(here: Path, address: str, said: str) -> None:
    """With one that is, and without the password."""
    (here / ".env").write_text(f"FLETCHER_DATABASE={address}\n", encoding="utf-8")
    reply = fletcher("status")
    assert (reply.code, said in reply.err) == (2, True), reply.err
    assert "a-long-secret" not in reply.err
    with pytest.raises(UsageError):
        Front(here, None, address)


@pytest.mark.usefixtures("here")
def test_nobody_who_answers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As something to mend, with the address and no password."""
    with socket.socket() as free:  # bound and not listening
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}/fletcher"
        monkeypatch.setenv("FLETCHER_DATABASE", f"postgresql://me:a-long-secret@{place}?sslmode=disable")
        reply = fletcher("runs")
    assert reply.code == Unreachable.exit_code
    assert f"postgresql://me@{place} cannot be reached" in reply.err
    assert "see whether it runs, and the address in FLETCHER_DATABASE" in reply.err
    assert "a-long-secret" not in reply.err


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=8, max_size=30))
def test_no_password_is_shown(password: str) -> None:
    """Whatever is in it, as long as it is no part of the rest."""
    url = URL.create("postgresql", "me", password, "db.example", 5432, "fletcher", {"sslmode": "require"})
    told = shown(url_of(url.render_as_string(hide_password=False)))
    assert told == "postgresql://me@db.example:5432/fletcher"
