"""Each file in `forms/` is a piece of a log in one form, beside the records that it holds."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bot.livekit.lines import Tally, records
from bot.livekit.skim import chunk_of

FORMS = Path(__file__).parent / "forms"
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['what']}")
    for path in sorted(FORMS.glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]


def read(lines: list[bytes]) -> list[dict[str, Any]]:
    """All records of these lines, with what a case says about them."""
    return [
        {"line": line, "kind": r.kind, "at": r.at, "level": r.level, "service": r.service, "fields": r.fields}
        for r, line, _offset in records([chunk_of(b"\n".join(lines))], Tally())
    ]


def lines_of(case: dict[str, Any]) -> list[bytes]:
    """The case's lines as bytes; `latin-1` lets a case hold bytes that are no UTF-8."""
    return [line.encode(case.get("encoding", "utf-8")) for line in case["lines"]]


def seconds(stamp: str | None) -> float | None:
    """The case's time in epoch seconds."""
    return None if stamp is None else datetime.fromisoformat(stamp).timestamp()


@pytest.mark.parametrize("case", CASES)
def test_a_form_gives_its_records(case: dict[str, Any]) -> None:
    """Kind, line, time, level, service and the named fields of every record are those of the case, and no other is read."""
    found = sorted(read(lines_of(case)), key=lambda record: record["line"])
    expected = case["records"]
    assert [(r["line"], r["kind"]) for r in found] == [(e["line"], e["kind"]) for e in expected]
    for record, wanted in zip(found, expected, strict=True):
        fields = {key: record["fields"].get(key) for key in wanted.get("fields", {})}
        assert fields == json_like(wanted.get("fields", {}))
        assert record["at"] == pytest.approx(seconds(wanted["at"]), abs=0.0015)
        assert (record["level"], record["service"]) == (wanted["level"], wanted.get("service", ""))


def json_like(fields: dict[str, Any]) -> dict[str, Any]:
    """A case's fields; the dispatches of a join are pairs of name and deployment."""
    agents = fields.get("agents")
    return fields | {"agents": tuple(map(tuple, agents))} if isinstance(agents, list) else fields


@pytest.mark.parametrize("case", CASES)
def test_a_line_feed_more_or_less_changes_no_record(case: dict[str, Any]) -> None:
    """Windows' line ends, and a blank line at the end, give the same records."""
    lines = lines_of(case)
    plain = read(lines)
    assert read([*lines, b""]) == plain
    assert read([line.removesuffix(b"\r") + b"\r" for line in lines]) == plain
