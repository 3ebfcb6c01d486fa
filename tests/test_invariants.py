"""What must hold for any log: no bytes crash it, and neither form nor order nor neighbours change a verdict."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fletcher import RECORDINGS, Reply, diagnose, fletcher

CASES = ("inc-001", "inc-024", "inc-035", "inc-063", "inc-089", "inc-158")
quick = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
SOME_LINES = (RECORDINGS / "inc-063" / "livekit.log").read_bytes().splitlines()[:12] + (
    RECORDINGS / "inc-041" / "agent.log"
).read_bytes().splitlines()[:40]


def verdicts(reply: Reply) -> set[tuple[Any, ...]]:
    """Every room's verdict and cause, in no order."""
    return {(r["room"], r["room_id"], r["verdict"], r["cause"]) for r in reply.json["rooms"]}


def logs(case: str) -> list[Path]:
    """The logs of a recording."""
    return [*sorted((RECORDINGS / case).glob("livekit*.log")), *sorted((RECORDINGS / case).glob("agent*.log"))]


def mangled(data: st.DataObject) -> bytes:
    """Real lines, cut, doubled, out of order and with bytes that are no text."""
    picked = data.draw(st.lists(st.sampled_from(SOME_LINES), max_size=8))
    noise = data.draw(st.lists(st.binary(max_size=60), max_size=4))
    pieces = [line[: data.draw(st.integers(0, 600))] for line in picked] + noise
    return b"\n".join(data.draw(st.permutations(pieces)))


@quick
@given(st.data())
def test_any_bytes_give_an_answer_or_one_sentence(data: st.DataObject) -> None:
    """Whatever is pasted, the exit code is one of the promised ones and never that of a bug."""
    reply = fletcher("diagnose", "-", "--json", stdin=mangled(data))
    assert reply.code in {0, 1, 2, 3}, reply.err
    assert reply.err.count("\n") <= 1
    if reply.code != 2:
        json.loads(reply.out)


@quick
@given(st.binary(max_size=400))
def test_bytes_that_are_no_log_at_all_are_refused_or_left_undecided(raw: bytes) -> None:
    """Noise is never healthy and never has a cause."""
    assert fletcher("diagnose", "-", stdin=raw).code in {2, 3}


@pytest.mark.parametrize("case", CASES)
def test_splitting_a_log_over_files_changes_nothing(case: str, tmp_path: Path) -> None:
    """The pieces of a server's log, given in any order, say what the whole says."""
    whole = verdicts(diagnose(*logs(case)))
    server, *rest = logs(case)
    lines = server.read_bytes().splitlines(keepends=True)
    chance = random.Random(case)  # noqa: S311  # a test's choice of places
    for number in (2, 3):
        cuts = [0, *sorted(chance.sample(range(4, len(lines)), number - 1)), len(lines)]
        pieces = []
        for index, (begin, end) in enumerate(itertools.pairwise(cuts)):
            piece = tmp_path / f"{number}-{index}.log"
            piece.write_bytes(b"".join(lines[begin:end]))
            pieces.append(piece)
        chance.shuffle(pieces)
        assert verdicts(diagnose(*pieces, *rest)) == whole


FORMS = {
    "compose": lambda line: b"livekit-1  | " + line,
    "compose with times": lambda line: b"livekit-1  | 2026-11-23T10:00:00.000000000Z " + line,
    "docker": lambda line: b"2026-11-23T10:00:00.123456789Z " + line,
    "kubectl": lambda line: b"[pod/livekit-0/livekit] 2026-11-23T10:00:00.123456789Z " + line,
    "journalctl": lambda line: b"Nov 23 10:47:04 vm livekit-server[12369]: " + line,
    "CRI": lambda line: b"2026-11-23T10:00:00.123456789Z stderr F " + line,
    "json-file": lambda line: json.dumps({"log": line.decode() + "\n", "stream": "stderr"}).encode(),
    "an unknown program": lambda line: b"fly-42 app[2874] ams [info] " + line,
    "blanks for tabs": lambda line: line.replace(b"\t", b"  "),
    "single blanks": lambda line: line.replace(b"\t", b" "),
    "CR LF": lambda line: line + b"\r",
    "colours": lambda line: b"\x1b[36m" + line + b"\x1b[0m\x1b[K",
    "a quote": lambda line: b"> " + line,
}


def as_json(line: bytes) -> bytes:
    """A console line in the server's JSON layout."""
    time, level, logger, caller, message, *fields = line.split(b"\t", 5)
    from bot.livekit.forms import epoch

    when = epoch(time)
    assert when is not None
    head = {"level": level.decode().lower(), "ts": when[0], "logger": logger.decode(), "caller": caller.decode()}
    head |= {"msg": message.decode(), **(json.loads(fields[0]) if fields else {})}
    return json.dumps(head, separators=(",", ":")).encode()


@pytest.mark.parametrize("case", ["inc-001", "inc-089"])
def test_the_form_of_a_log_changes_nothing(case: str, tmp_path: Path) -> None:
    """Console or JSON, plain or behind any program's prefix, compressed or not: the same verdicts."""
    server, *rest = logs(case)
    whole = verdicts(diagnose(server, *rest))
    lines = server.read_bytes().splitlines()
    for name, form in {**FORMS, "JSON": as_json}.items():
        changed = tmp_path / "changed.log"
        changed.write_bytes(b"\n".join(form(line) for line in lines) + b"\n")
        assert verdicts(diagnose(changed, *rest)) == whole, name
    packed = tmp_path / "packed.log.gz"
    packed.write_bytes(gzip.compress(server.read_bytes()))
    assert verdicts(diagnose(packed, *rest)) == whole


@pytest.mark.parametrize("case", CASES)
def test_everything_in_one_file_says_the_same(case: str, tmp_path: Path) -> None:
    """A merged log of all services goes in once."""
    merged = tmp_path / "all.log"
    with merged.open("wb") as out:
        for number, log in enumerate(logs(case)):
            name = b"livekit-1  | " if log.name.startswith("livekit") else b"agent-%d  | " % number
            out.writelines(name + line.rstrip(b"\r\n") + b"\n" for line in log.read_bytes().splitlines())
    assert verdicts(diagnose(merged)) == verdicts(diagnose(*logs(case)))


@pytest.mark.parametrize("case", ["inc-001", "inc-041", "inc-053", "inc-158"])
def test_healthy_rooms_beside_it_change_no_verdict(case: str, tmp_path: Path) -> None:
    """More rooms that the same worker serves, in the same minute, leave every other room's verdict as it was."""
    server, *rest = logs(case)
    before = verdicts(diagnose(server, *rest))
    lines = server.read_bytes().splitlines(keepends=True)
    born = next(n for n, line in enumerate(lines) if b"starting RTC session" in line)
    registered = next(json.loads(line[line.index(b"{") :]) for line in lines if b"\tworker registered\t" in line)
    values = {b"AT": lines[born].split(b"\t")[0], b"NAME": registered["agentName"].encode()}
    values[b"WORKER"] = registered["workerID"].encode()
    added = []
    for number in range(3):
        for line in _HEALTHY:
            for key, value in {**values, b"ROOM": b"extra-%d" % number, b"N0": b"%012d" % number}.items():
                line = line.replace(key, value)  # noqa: PLW2901  # filled in step by step
            added.append(line)
    more = tmp_path / "more.log"
    more.write_bytes(b"".join([*lines[: born + 1], *added, *lines[born + 1 :]]))
    after = verdicts(diagnose(more, *rest))
    assert before <= after
    assert {v for r, _, v, _ in after if r and r.startswith("extra-")} == {"healthy"}


_HEALTHY = (
    (
        b'AT\tINFO\tlivekit\tservice/roommanager.go:433\tstarting RTC session\t{"room": "ROOM", "roomID": "RM_N0", '
        b'"participant": "u", "numParticipants": 0, "participantInit": {"CreateRoom": {"name": "ROOM", '
        b'"agents": [{"agentName": "NAME"}]}}}\n'
    ),
    (
        b'AT\tINFO\tlivekit.agents\tservice/agentservice.go:412\tassigned job to worker\t{"jobID": "AJ_N0", '
        b'"agentName": "NAME", "room": "ROOM", "roomID": "RM_N0", "workerID": "WORKER"}\n'
    ),
    (
        b'AT\tINFO\tlivekit\trtc/room.go:1283\tparticipant active\t{"room": "ROOM", "roomID": "RM_N0", '
        b'"participant": "agent-AJ_N0"}\n'
    ),
)


def test_only_the_room_asked_for_is_read_in_full_from_a_large_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a large log leaves out of other rooms never changes the verdict of the one that was asked for."""
    from bot.evidence import look

    for case in ("inc-001", "inc-063", "inc-089"):
        truth = json.loads((RECORDINGS / case / "case.json").read_text())
        asked = verdicts(diagnose(*logs(case), "--room", truth["room"]))
        with monkeypatch.context() as patched:
            patched.setattr(look, "_LARGE", 0)
            assert verdicts(diagnose(*logs(case), "--room", truth["room"])) == asked


def test_a_log_until_a_time_is_the_log_cut_there(tmp_path: Path) -> None:
    """--until leaves out what came later, nothing else."""
    server = RECORDINGS / "inc-089" / "livekit.log"
    lines = server.read_bytes().splitlines(keepends=True)
    for at in (10, 20, 30):
        cut = tmp_path / "cut.log"
        cut.write_bytes(b"".join(lines[:at]))
        until = lines[at - 1].split(b"\t")[0].decode()
        kept = [line for line in lines if line.split(b"\t")[0].decode() <= until]
        cut.write_bytes(b"".join(kept))
        assert verdicts(diagnose(server, "--until", until)) == verdicts(diagnose(cut))


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ2aWRlbyI6eyJhZ2VudCI6dHJ1ZX0sImlzcyI6ImRldmtleSJ9.KaLfFrh15W-m8nVkcpZ9gXl"


def test_no_secret_is_told(tmp_path: Path) -> None:
    """Tokens, API secrets and ICE passwords of the evidence are in neither form of the answer."""
    secret = "Zq8" + "vT3nLw9RkXy2"
    config = tmp_path / "livekit.yaml"
    config.write_text(f"port: 7880\nkeys:\n  devkey: {secret}\n")
    log = tmp_path / "livekit.log"
    log.write_bytes(
        (RECORDINGS / "inc-035" / "livekit.log")
        .read_bytes()
        .replace(b"invalid API key: stagingkey", f"invalid token: {JWT}, secret {secret}".encode())
    )
    for extra in ([], ["--json"]):
        reply = fletcher("diagnose", log, config, *extra)
        assert reply.code == 1
        assert JWT not in reply.out
        assert JWT.split(".")[2] not in reply.out
        assert secret not in reply.out


def test_the_answer_follows_the_published_schema() -> None:
    """Every kind of answer is valid by what `fletcher schema` prints."""
    schema = json.loads(fletcher("schema").out)
    for case in CASES:
        jsonschema.validate(diagnose(*logs(case), "--project", RECORDINGS / case / "agent").json, schema)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["diagnose", "no-such.log"], 2, "no such file"),
        (["diagnose", "--server-log", "."], 2, "directory"),
        (["diagnose", "/dev/null"], 2, "empty"),
        (["diagnose", sys.executable], 2, "binary"),
        (["diagnose", "--token", "README.md"], 2, "token"),
        (["diagnose", "--since", "soon", str(RECORDINGS / "inc-063" / "livekit.log")], 2, "--since"),
        (["diagnose", "--rom", "x"], 2, "--room"),
        (["diagnoze"], 2, "diagnose"),
        (["diagnose", "--follow", "README.md"], 2, "--follow"),
        (["diagnose", "--worker-endpoint", "http://127.0.0.1:1"], 4, "does not answer"),
    ],
)
def test_bad_input_gets_one_sentence(words: list[str], code: int, says: str) -> None:
    """A wrong question names what is wrong with it, on stderr, and nothing else is printed."""
    reply = fletcher(*words)
    assert (reply.code, reply.out) == (code, "")
    assert says in reply.err
    assert reply.err.count("\n") == 1


def test_another_programs_log_is_named(tmp_path: Path) -> None:
    """The log of a web server is no evidence."""
    log = tmp_path / "access.log"
    log.write_text('10.0.0.1 - - [23/Nov/2026:10:00:00 +0000] "GET /agent HTTP/1.1" 200 5\n' * 5)
    reply = fletcher("diagnose", log)
    assert reply.code == 2
    assert "access.log" in reply.err


def test_python_m_bot_is_the_same() -> None:
    """`python -m bot` answers as `fletcher` does."""
    command = [sys.executable, "-m", "bot", "demo"]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "CAUSE FOUND: dispatch-missing" in done.stdout


def test_the_schema_in_the_documents_is_current() -> None:
    """docs/diagnose.schema.json is what `fletcher schema` prints."""
    written = Path(__file__).parent.parent / "docs" / "diagnose.schema.json"
    assert written.read_text(encoding="utf-8") == fletcher("schema").out
