"""The command line as a person meets it: options, the text of an answer, the demo."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot import __version__
from tests.fletcher import RECORDINGS, Reply, evidence, fletcher

ROOT = Path(__file__).parent.parent
CASE = RECORDINGS / "inc-001"
LOG = str(CASE / "livekit.log")
ROOM = json.loads((CASE / "case.json").read_text())["room"]
SECRETS = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}|ice-pwd:\S|turnPassword\W+\w|[Ss]ecret\W+\w{16}")


def told(*argv: str) -> str:
    """The one sentence of a call that was used wrongly."""
    reply = fletcher(*argv)
    assert (reply.code, reply.out) == (2, "")
    assert reply.err.startswith("fletcher: ")
    assert reply.err.count("\n") == 1
    return reply.err


@pytest.mark.parametrize(
    ("argv", "near", "ask"),
    [
        (["diagnose", "--sever-log", LOG], "--server-log", "fletcher diagnose --help"),
        (["diagnose", "--agentlog", LOG], "--agent-log", "fletcher diagnose --help"),
        (["diagnose", "--worker-endpoints=x"], "--worker-endpoint", "fletcher diagnose --help"),
        (["diagnose", LOG, "--jsn"], "--json", "fletcher diagnose --help"),
        (["demo", "--utf"], "--utc", "fletcher demo --help"),
        (["--versoin"], "--version", "fletcher --help"),
        (["diagnos", LOG], "diagnose", "fletcher --help"),
        (["dmeo"], "demo", "fletcher --help"),
    ],
)
def test_a_slip_of_the_fingers_is_answered_with_the_nearest_name(argv: list[str], near: str, ask: str) -> None:
    """An unknown option or verb is named with the one that was meant, and where all of them are listed."""
    sentence = told(*argv)
    assert f"did you mean '{near}'?" in sentence
    assert f"`{ask}`" in sentence


@pytest.mark.parametrize(
    "argv", [["diagnose", "-x", LOG], ["diagnose", "--qqqqqqqq"], ["zzzz"], ["demo", "--server-log", LOG]]
)
def test_what_is_near_to_nothing_is_only_named(argv: list[str]) -> None:
    """An option or verb that resembles none is told without a guess that misleads."""
    assert re.search(r"unknown (option|verb) '", told(*argv))


@pytest.mark.parametrize("flag", ["--server-log", "--room", "--since", "--project", "--token"])
def test_an_option_without_its_value_is_told(flag: str) -> None:
    """An option at the end of the line asks for what it needs."""
    assert f"{flag}: expected one argument" in told("diagnose", flag)


@pytest.mark.parametrize("argv", [["diagnose"], ["diagnose", "--room", "x"], ["diagnose", "--json", "--since", "1m"]])
def test_nothing_to_look_at_is_told_with_what_there_could_be(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing runs and nothing was given a person learns what was looked for, and the three shortest ways on."""
    monkeypatch.chdir(tmp_path)
    reply = fletcher(*argv)
    assert (reply.code, reply.out) == (4, "")
    assert reply.err.startswith("fletcher: found nothing that runs to look at")
    for word in ("Docker: ", "LiveKit API: ", "project: ", "livekit.log", "`fletcher demo`", "--compose-project NAME"):
        assert word in reply.err


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["diagnose", "--help"], ["demo", "-h"], ["schema", "--help"]])
def test_help_is_printed_and_ends_well(argv: list[str]) -> None:
    """Help goes to standard output with code 0."""
    reply = fletcher(*argv)
    assert (reply.code, reply.err) == (0, "")
    assert reply.out.startswith("usage: fletcher")


def test_help_tells_what_every_exit_code_means() -> None:
    """The codes that a script sees are listed where a person looks first."""
    out = fletcher("--help").out
    for code in ("0 healthy", "1 cause", "2 wrong usage", "3 inconclusive", "4 ", "70 a bug"):
        assert code in out


def test_the_version_is_the_packages() -> None:
    """--version prints the one version there is."""
    assert fletcher("--version").out == f"fletcher {__version__}\n"


AGENT = str(CASE / "agent.log")
PROJECT = str(CASE / "agent")


@pytest.mark.parametrize(
    "argv",
    [
        [LOG, "--project", PROJECT, AGENT],
        ["--project", PROJECT, LOG, "--json", AGENT],
        ["--json", LOG, AGENT, "--project", PROJECT],
        [LOG, "--utc", AGENT, "--project", PROJECT, "--json"],
        ["--project", PROJECT, "--", LOG, AGENT],
        [LOG, "--project", PROJECT, "--", AGENT],
    ],
)
def test_files_may_stand_anywhere_between_options(argv: list[str]) -> None:
    """Sources are given in any order: a file behind an option's value is a file."""
    json_ = [] if "--json" in argv else ["--json"]
    reply = fletcher("diagnose", *json_, *argv)
    assert {source["name"] for source in reply.json["sources"]} == {LOG, AGENT, PROJECT}


def test_a_file_may_have_an_options_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind `--` everything is a file."""
    monkeypatch.chdir(tmp_path)
    Path("--x.log").write_bytes(Path(LOG).read_bytes())
    reply = fletcher("diagnose", "--json", AGENT, "--", "--x.log")
    assert {source["name"] for source in reply.json["sources"]} == {"--x.log", AGENT}


@pytest.mark.parametrize(
    "argv", [["demo", "x.log"], ["schema", "a", "b"], ["demo", "--json", "--", "-"], ["--", "demo"]]
)
def test_a_file_for_a_verb_that_reads_none_is_told(argv: list[str]) -> None:
    """A word where none belongs is called an argument, not an option."""
    assert re.search(r"`fletcher( demo| schema)?` takes no files", told(*argv))


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJndWVzdCJ9.MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
MADE = "kF9sQ2vLw8XyRb3TnZ6mHc1JdPe4Ua7G"


@pytest.mark.parametrize(
    "argv",
    [
        [JWT],
        ["diagnose", "--server-log", JWT],
        ["diagnose", "--token", f"{JWT}\n{JWT}"],
        ["diagnose", "--livekit-config", f"{JWT}.yaml"],
        ["diagnose", "--since", JWT, LOG],
        ["diagnose", "--until", f"token={MADE}", LOG],
        ["diagnose", f"--api-secret={MADE}"],
        ["diagnose", LOG, f"--api_key={MADE}", "--json"],
        ["diagnose", f"api_secret={MADE}"],
        ["diagnose", "--worker-endpoint", f"http://user:{MADE}@[::1"],
        ["diagnose", "--worker-endpoint", f"http://[::1/?access_token={JWT}"],
        ["diagnose", "--token", f'{{"api_secret": "{MADE}"'],
        ["schema", JWT],
        ["demo", f"--token={MADE}"],
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(argv: list[str]) -> None:
    """What is typed where it does not belong is named without the secret in it: a terminal is recorded, a job's log kept."""
    sentence = told(*argv)
    assert JWT.rsplit(".", 1)[1] not in sentence
    assert MADE not in sentence


@pytest.mark.parametrize("argv", [["schema"], ["schema", "--json"]])
def test_the_schema_is_json_whether_asked_for_or_not(argv: list[str]) -> None:
    """`--json` is what the schema is anyway."""
    assert json.loads(fletcher(*argv).out)["$defs"]


# --- the text of an answer -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def text() -> Reply:
    """The text for one room of a recording."""
    return fletcher("diagnose", *evidence(CASE), "--room", ROOM)


def test_the_verdict_comes_first(text: Reply) -> None:
    """The first line has the verdict, the cause, the room with its id, and when it was born."""
    first = text.out.splitlines()[0]
    assert text.code == 1
    assert re.fullmatch(
        rf'CAUSE FOUND: room-already-existed  —  room "{ROOM}" \(RM_\w+\), 2026-11-23T02:4\d:\d\d\.\d{{3}}Z', first
    )


def test_the_parts_of_an_answer_stand_in_the_order_of_need(text: Reply) -> None:
    """After the verdict: what happened, which lines decided, what to do, and what was looked at."""
    parts = ["CAUSE FOUND", "\n  What happened\n", "\n  What decided\n", "\n  What to do\n", "\nLooked at:\n"]
    places = [text.out.index(part) for part in parts]
    assert places == sorted(places)


def test_what_decided_is_shown_with_file_and_line(text: Reply) -> None:
    """Below each `file:line` stands the line itself."""
    for path, number in re.findall(r"^    (\S+livekit\.log):(\d+)  \S", text.out, re.MULTILINE):
        line = Path(path).read_text("utf-8").splitlines()[int(number) - 1]
        assert line.split("\t")[0] in text.out
    assert text.out.count("      │ ") >= 2


def test_a_story_is_told_from_the_rooms_birth_on(text: Reply) -> None:
    """The events of the room stand in order of time, with their distance from its birth."""
    seconds = [
        float(at) for at in re.findall(r"^    \d\d:\d\d:\d\d\.\d{3}Z +([+-]\d+\.\d{3}) s  ", text.out, re.MULTILINE)
    ]
    assert seconds == sorted(seconds)
    assert 0.0 in seconds
    assert len(seconds) >= 3


def test_healthy_rooms_are_folded_into_a_count() -> None:
    """Without --room only the rooms that need a look are shown, the others counted."""
    out = fletcher("diagnose", *evidence(CASE)).out
    assert "3 other rooms healthy" in out
    assert out.count("CAUSE FOUND") == 1
    assert "HEALTHY" not in out


def test_a_healthy_room_that_is_asked_for_is_shown() -> None:
    """Who asks about a room that is fine sees that it is, and the lines that prove it, with code 0."""
    room = next(r["room"] for r in json.loads(fletcher("diagnose", LOG, "--json").out)["rooms"] if not r["cause"])
    reply = fletcher("diagnose", LOG, "--room", room)
    assert reply.code == 0
    assert reply.out.startswith(f'HEALTHY  —  room "{room}"')
    assert "What decided" in reply.out


def test_an_open_answer_says_what_would_settle_it() -> None:
    """An inconclusive answer names the source that is missing, with code 3."""
    reply = fletcher("diagnose", LOG, "--room", "not there")
    assert reply.code == 3
    assert reply.out.startswith('INCONCLUSIVE  —  room "not there"')
    assert "What would settle it" in reply.out


def test_no_line_of_prose_is_wider_than_it_need_be(text: Reply) -> None:
    """Sentences are wrapped at the usual hundred columns; only quoted names and lines may be longer."""
    for line in text.out.splitlines():
        assert len(line) <= 120 or "livekit.log" in line or "/" in line


def test_output_that_is_no_terminal_has_no_colours(text: Reply) -> None:
    """A file or a pipe gets plain text."""
    assert "\x1b" not in text.out


def test_times_are_those_of_the_log_unless_utc_is_asked_for(tmp_path: Path) -> None:
    """A log of another zone keeps its clock with the offset; --utc gives every time in UTC."""
    path = tmp_path / "livekit.log"
    moved = re.sub(
        r"^(\S+T)(\d\d)(:\S+)Z\t",
        lambda m: f"{m[1]}{int(m[2]) + 5:02}{m[3]}+0500\t",
        Path(LOG).read_text("utf-8"),
        flags=re.MULTILINE,
    )
    path.write_text(moved, "utf-8")
    here = json.loads(fletcher("diagnose", path, "--json").out)["rooms"]
    utc = json.loads(fletcher("diagnose", path, "--json", "--utc").out)["rooms"]
    plain = json.loads(fletcher("diagnose", LOG, "--json").out)["rooms"]
    assert [row["at"] for row in utc] == [row["at"] for row in plain]
    assert all(row["at"].endswith("+05:00") and "T07:4" in row["at"] for row in here)


# --- the demo --------------------------------------------------------------------------------------------------------


def test_the_demo_shows_what_it_is_meant_to_show() -> None:
    """It ends with 0 and shows the cause in plain words, the story, the deciding lines, and what to do."""
    reply = fletcher("demo")
    assert (reply.code, reply.err) == (0, "")
    assert "A real incident, recorded on livekit-server" in reply.out
    assert "CAUSE FOUND: dispatch-missing" in reply.out
    assert "Nothing asked for an agent" in reply.out
    for part in ("What happened", "What decided", "What to do", "livekit.log:", "Looked at:"):
        assert part in reply.out


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (
            ["demo"],
            ["so the demo says yes", "unname-worker: done", "(staged)", "FIXED:", "[yes] assignment:", "[yes] agent:"],
        ),
        (
            ["demo", "--fix-fails"],
            ["rebuild-agent: failed", "ROLLED BACK:", "After it was taken back:", "[yes] registration:"],
        ),
    ],
)
def test_the_demo_goes_the_whole_way(argv: list[str], parts: list[str]) -> None:
    """It asks, patches, rebuilds and proves on its stage; where the fix fails, it is taken back. The shipped files stay."""
    before = {path: path.read_bytes() for path in (ROOT / "bot" / "demo").rglob("*") if path.is_file()}
    reply = fletcher(*argv)
    assert (reply.code, reply.err) == (0, "")
    for part in parts:
        assert part in reply.out
    assert before == {path: path.read_bytes() for path in (ROOT / "bot" / "demo").rglob("*") if path.is_file()}


def test_the_demo_tells_no_secret() -> None:
    """Neither text nor JSON of the demo holds a token or a password."""
    assert not SECRETS.search(fletcher("demo").out + fletcher("demo", "--json").out)


def test_the_demo_speaks_json_too() -> None:
    """With --json the demo prints the document alone."""
    reply = fletcher("demo", "--json")
    assert reply.code == 0
    assert [row["cause"] for row in reply.json["rooms"]] == ["dispatch-missing"]


@pytest.mark.parametrize(
    "argv", [["demo", "--json"], ["diagnose", LOG, "--room", ROOM], ["diagnose", "--nothing"], ["schema"]]
)
def test_the_module_is_the_same_command(argv: list[str]) -> None:
    """`python -m bot` prints and returns what `fletcher` does."""
    ran = subprocess.run(
        [sys.executable, "-m", "bot", *argv],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    reply = fletcher(*argv)
    assert (ran.returncode, ran.stdout, ran.stderr) == (reply.code, reply.out, reply.err)


def test_a_pipe_takes_everything_at_once() -> None:
    """`docker compose logs | fletcher diagnose -` needs no flag to tell the server's lines from the agent's."""
    log = (RECORDINGS / "inc-156" / "livekit.log").read_bytes()
    reply = fletcher("diagnose", "-", "--json", stdin=log)
    assert {worker["id"] for worker in reply.json["workers"]} == {"AW_L46VsgGQHWuo"}
    assert "init-timeout" in {row["cause"] for row in reply.json["rooms"]}
