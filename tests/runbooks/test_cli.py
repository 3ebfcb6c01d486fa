"""`fletcher runbooks`, as a person meets it from any folder."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from bot.livekit.remedies import REMEDY, RUNBOOK
from bot.runbook.document import Abandoned, Health, Joined
from bot.runbook.shelf import read, shelf, shipped
from tests.fletcher import Reply, fletcher

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("here")
SMALL = "---\nrunbook: 1\nid: {id}\ntitle: Small\n---\n\n# Small\n"
LOGGED = SMALL.format(id="logged") + (
    "\n```yaml { check name=deaf }\nlogs: {service: agent}\nrequire: [{regex: 'no audio', count: '>=2'}]\nforbid: [recovered]\n```\n"
)


def runbooks(*argv: str | Path) -> Reply:
    """One call."""
    return fletcher("runbooks", *argv)


def test_the_list_has_every_runbook_and_what_it_treats() -> None:
    """Without any argument all are listed, with what they treat, their gravest effect and whether they are tried."""
    reply = runbooks()
    assert reply.code == 0
    assert [" ".join(line.split()) for line in reply.out.splitlines()] == [
        "RUNBOOK EFFECT FIXTURES TITLE",
        "agent-never-joins change yes Agent registers but never joins a room",
        "treats dispatch-missing, worker-unnamed, name-mismatch, room-already-existed",
        "log-sweep read yes A new room lacks its agent",
        'no-servers-available disrupt yes Agent registers but dispatch fails with "no servers available"',
        "treats load-refused",
        "stack-health read no Something that runs is not well",
    ]
    rows = runbooks("list", "--json").json["runbooks"]
    assert [(row["kind"], row["id"], row["fixtures"]) for row in rows] == [
        ("runbook", "agent-never-joins", True),
        ("runbook", "log-sweep", True),
        ("runbook", "no-servers-available", True),
        ("runbook", "stack-health", False),
    ]


def test_each_cause_has_the_runbook_that_says_it_treats_it() -> None:
    """The answer of `diagnose` names the runbook whose checks ask for that cause, and no other is treated."""
    treated = {cause: entry.glance.id for entry in shelf().runbooks for cause in entry.glance.causes}
    assert treated == RUNBOOK
    assert set(treated) <= set(REMEDY)


def test_a_folder_is_added_to_the_shipped_ones(here: Path) -> None:
    """Runbooks of an added folder are listed beside the shipped ones, Markdown without `runbook: 1` as documentation."""
    (here / "more" / "deep").mkdir(parents=True)
    (here / "more" / "deep" / "small.md").write_text(SMALL.format(id="small"))
    (here / "more" / "README.md").write_text("# How we work\n\n```sh { step name=a }\nrm -rf /\n```\n")
    (here / "more" / "broken.md").write_text("---\nrunbook: 1\nid: [\n---\n")
    reply = runbooks("list", "--runbooks", "more")
    assert reply.code == 0
    assert "small " in reply.out
    assert "agent-never-joins" in reply.out
    assert "Documentation, which is never run:\n  more/README.md  How we work" in reply.out
    assert "[cannot be read: line 4 is not valid YAML" in reply.out
    told = runbooks("lint", "more/README.md")
    assert told.code == 2
    assert "is documentation" in told.out
    assert "begin it with the lines ---, runbook: 1" in told.out
    assert "never run" in runbooks("show", "more/README.md").err


def test_folders_of_the_settings_are_looked_through(here: Path) -> None:
    """`runbooks` of fletcher.toml adds folders, from where that file is; one that is not there is told."""
    (here / "deploy" / "mine").mkdir(parents=True)
    (here / "deploy" / "mine" / "own.md").write_text(LOGGED)
    settings = here / "deploy" / "fletcher.toml"
    settings.write_text('runbooks = ["mine"]\n')
    (here / "fletcher.toml").write_text('runbooks = ["deploy/mine"]\n')
    assert "\nlogged " in runbooks("list").out
    (here / "fletcher.toml").unlink()
    assert "\nlogged " not in runbooks("list").out
    log = here / "some.log"
    log.write_text("2026-11-23T01:00:00.000Z\tINFO\tlivekit\tserver/main.go:1\tstarting LiveKit server\t{}\n")
    assert fletcher("plan", "logged", log, "--config", settings, "--json").json["runbook"] == "logged"
    settings.write_text('runbooks = ["gone"]\n')
    reply = fletcher("plan", "logged", log, "--config", settings)
    assert (reply.code, "deploy/gone, which `runbooks` in" in reply.err) == (2, True), reply.err


def test_an_id_that_two_files_have_is_told(here: Path) -> None:
    """Neither of them is taken: list and lint tell both places, and by the file's name each can be meant."""
    (here / "more").mkdir()
    (here / "more" / "mine.md").write_text(SMALL.format(id="agent-never-joins"))
    assert "note: more/mine.md:1:1: the id `agent-never-joins` is taken by" in runbooks("--runbooks", "more").out
    reply = runbooks("show", "agent-never-joins", "--runbooks", "more")
    assert reply.code == 2
    assert "give one of them another, or name its file" in reply.err
    assert runbooks("show", "more/mine.md", "--runbooks", "more").code == 0
    assert runbooks("lint", "--runbooks", "more").code == 2


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["shwo"], "unknown action `shwo` (did you mean `show`?)"),
        (["show", "agent-never-join"], "no runbook `agent-never-join` (did you mean `agent-never-joins`?)"),
        (["show"], "takes one ID"),
        (["list", "x"], "takes no names"),
        (["lint", "gone.md"], "no such file: gone.md"),
        (["list", "--runbooks", "gone"], "no such folder: gone"),
        (["new", "Not OK"], "an id is small letters"),
        (["new", "a", "--runbooks", "b", "--runbooks", "c"], "writes into one folder"),
    ],
)
def test_a_wrong_call_is_told(argv: list[str], said: str) -> None:
    """Each mistake of a call ends with 2 and a sentence that says what would be right."""
    reply = runbooks(*argv)
    assert (reply.code, reply.out) == (2, "")
    assert said in reply.err


def test_one_is_shown_with_what_each_step_does() -> None:
    """Sections and steps with effect, approval and timeout, as people and as programs get them."""
    reply = runbooks("show", "no-servers-available")
    assert reply.code == 0
    lines = [" ".join(line.split()) for line in reply.out.splitlines()]
    at = lines.index("Restart the server")
    assert lines[at + 1] == "restart-livekit compose disrupt peer 5m when want-target"
    assert lines[-1] == "lint: no problems; fixtures: yes"
    step = next(
        s for s in runbooks("show", "no-servers-available", "--json").json["steps"] if s["name"] == "rebuild-agent"
    )
    assert (step["kind"], step["section"], step["timeout"], step["when"]) == (
        "compose",
        "Rebuild and regenerate",
        300,
        ["!want-target"],
    )


def test_when_one_looks_by_itself_is_shown() -> None:
    """A schedule is told with the results in a row that it takes until that is told; without one nothing is."""
    assert (
        "every 1m once it is enabled as a probe; told after 2 bad results in a row or 2 good"
        in runbooks("show", "stack-health").out
    )
    assert "  schedule  every 5s once it is enabled as a probe\n" in runbooks("show", "log-sweep").out
    assert "schedule" not in runbooks("show", "no-servers-available").out


def test_a_broken_one_is_shown_as_its_problems(here: Path) -> None:
    """What cannot be read has nothing to show but what is wrong with it."""
    (here / "a.md").write_text(SMALL.format(id="Big"))
    reply = runbooks("show", "a.md")
    assert reply.code == 2
    assert "a.md:3:5: `id` must be small letters" in reply.out
    assert runbooks("show", "a.md", "--json").json["lint"][0]["line"] == 3


@pytest.mark.parametrize("folder", [[], ["--runbooks", "mine"]])
def test_a_new_one_lints_clean_and_is_never_written_over(here: Path, folder: list[str]) -> None:
    """`new` writes a runbook that is right at once, where it is asked to, and never a second time."""
    reply = runbooks("new", "agent-is-deaf", *folder)
    path = here / (folder[1] if folder else "runbooks") / "agent-is-deaf.md"
    assert reply.code == 0
    assert runbooks("lint", path).code == 0
    assert read(path).title == "Agent is deaf"
    path.write_text("mine now")
    again = runbooks("new", "agent-is-deaf", *folder)
    assert again.code == 2
    assert "is there already" in again.err
    assert path.read_text() == "mine now"
    assert "is taken by" in runbooks("new", "agent-never-joins", *folder).err


def test_the_shipped_ones_come_to_what_their_fixtures_say() -> None:
    """Every case of the runbooks that come along is right, with one sick and one healthy where anything can be recorded."""
    reply = runbooks("test")
    assert reply.code == 0, reply.out
    told = runbooks("test", "--json").json["runbooks"]
    for row in told:
        looks = read(shelf().find(row["id"]).path).looks
        recorded = not all(isinstance(block.evidence, Abandoned | Health | Joined) for block in looks)
        assert {case["sick"] for case in row["cases"]} == ({True, False} if recorded else set())
        assert row["missing"] == []


def _case(here: Path, name: str, log: str | None, expected: str) -> None:
    folder = here / "fixtures" / "logged" / name
    folder.mkdir(parents=True)
    (folder / "expected.yaml").write_text(expected)
    if log is not None:
        (folder / "agent.log").write_text(log)


def test_log_checks_are_tried_on_the_logs_of_a_fixture(here: Path) -> None:
    """Required and forbidden lines give the four verdicts, and what comes out otherwise is told."""
    (here / "logged.md").write_text(LOGGED)
    assert "there is no sick case" in runbooks("test", "logged.md").out
    for name, log, word in (
        ("sick", "no audio\nno audio\n", "matched"),
        ("once", "no audio\n", "not-matched"),
        ("well-again", "no audio\nno audio\nrecovered\n", "contradicted"),
        ("silent", "", "inconclusive"),
        ("no-log", None, "inconclusive"),
    ):
        _case(here, name, log, f"checks: {{deaf: {word}}}\n")
    reply = runbooks("test", "logged.md")
    assert reply.code == 0, reply.out
    _case(here, "wrong", "all is well\n", "checks: {deaf: matched}\n")
    reply = runbooks("test", "logged.md")
    assert reply.code == 1
    assert "deaf: matched was expected, and it is not-matched (did not find what line" in reply.out


def test_a_case_that_says_nothing_right_is_a_problem(here: Path) -> None:
    """What a case expects is read as strictly as a runbook."""
    (here / "logged.md").write_text(LOGGED)
    _case(here, "sick", "no audio\n", "checks: {deef: matched, deaf: macthed}\nroms: x\n")
    reply = runbooks("test", "logged.md")
    assert reply.code == 2
    assert "no declarative check `deef` in the runbook (did you mean `deaf`?)" in reply.err
    assert "(did you mean `matched`?)" in reply.err
    assert "unknown key `roms`" in reply.err


def test_a_fixture_cannot_lead_out_of_its_folder(here: Path) -> None:
    """A check that names a file elsewhere finds none."""
    text = LOGGED.replace("{service: agent}", "{file: ../../../secret.txt}")
    (here / "logged.md").write_text(text)
    (here / "secret.txt").write_text("no audio\nno audio\n")
    _case(here, "sick", "", "checks: {deaf: inconclusive}\n")
    assert "ok     logged  sick" in runbooks("test", "logged.md").out


def test_what_a_file_holds_is_shown_without_its_secrets(here: Path) -> None:
    """A secret in a title or beside a mistake is masked, at a glance, in full and in a problem's line."""
    secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"
    (here / "a.md").write_text(f"---\nrunbook: 1\nid: a\ntitle: {secret}\nowner: [{secret}]\n---\n")
    for reply in (
        runbooks("--runbooks", "."),
        runbooks("--runbooks", ".", "--json"),
        runbooks("lint", "a.md"),
        runbooks("lint", "a.md", "--json"),
    ):
        assert "c2lnbmF0dXJl" not in reply.out + reply.err


def test_the_shipped_folder_may_lie_beside_the_package(here: Path) -> None:
    """The runbooks themselves are the same files wherever they were copied to."""
    shutil.copytree(shipped(), here / "copy")
    assert runbooks("lint", *sorted((here / "copy").glob("*.md"))).code == 0
