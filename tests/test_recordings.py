"""Recorded incidents with known causes, asked through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fletcher import RECORDINGS, diagnose, evidence

CASES = sorted(p.parent for p in RECORDINGS.glob("inc-*/case.json"))
UNDECIDABLE = {"log-level-too-high", "window-too-short"}


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_a_recorded_incident_gets_its_cause(case: Path) -> None:
    """Every recording is named right, and the answer quotes a line that decides."""
    truth = json.loads((case / "case.json").read_text())
    row = diagnose(*evidence(case), "--room", truth["room"]).row(truth["room"])
    good = {truth["diagnosis"], *truth.get("also_acceptable", [])}
    if truth["diagnosis"] in UNDECIDABLE:
        assert row["verdict"] == "inconclusive"
        assert "level" in row["missing"][0]["would_settle"]
        return
    assert (row["cause"] or row["verdict"]) in good
    cited = {(Path(e["source"]).name, e["line"]) for e in row["evidence"]}
    assert cited & {(d["file"], d["line"]) for d in truth["decisive_lines"]}


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_the_same_room_is_named_without_asking_for_it(case: Path) -> None:
    """Without --room the room of the complaint is among the answers, with the same verdict."""
    truth = json.loads((case / "case.json").read_text())
    asked = diagnose(*evidence(case), "--room", truth["room"]).row(truth["room"])
    rows = [r for r in diagnose(*evidence(case)).json["rooms"] if r["room"] == truth["room"]]
    assert (asked["verdict"], asked["cause"]) in {(r["verdict"], r["cause"]) for r in rows}
