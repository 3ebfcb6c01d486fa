"""What must hold for any evidence: an answer, the same answer for the same evidence, and no secret in it."""

from __future__ import annotations

import base64
import gzip
import json
import random
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from bot.evidence import files, look
from bot.livekit.lines import Tally, records
from bot.livekit.skim import chunk_of
from tests.fletcher import EXIT, Reply, diagnose, evidence, fletcher
from tests.variants import (
    CASES,
    LAYOUTS,
    LOG_FLAGS,
    PREFIXES,
    Rewrite,
    answer,
    donors,
    is_console,
    lines_of,
    pairs_of,
    rewritten,
    stays,
    times,
    to_console,
    to_json,
    verdicts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

STEADY = settings(deadline=None, derandomize=True)  # the same examples everywhere, so that CI is stable
WHOLE = settings(STEADY, phases=[Phase.explicit, Phase.generate])  # a whole log takes too long to be made smaller
NAMES = [case.name for case in CASES]
CASE = {case.name: case for case in CASES}
every_case = pytest.mark.parametrize("case", CASES, ids=NAMES)

# --- any bytes -------------------------------------------------------------------------------------------------------

LOGS = [path for case in CASES for path in sorted(case.glob("*.log"))]
FORMS = sorted((Path(__file__).parent / "forms").glob("*.json"))
LINES = [
    *[line[:3000] for path in LOGS for line in lines_of(path)],
    *[line.encode() for path in FORMS for case in json.loads(path.read_text("utf-8")) for line in case["lines"]],
]
WORDS = [
    b"{",
    b"}",
    b'"',
    b"\\",
    b"[",
    b"\0\0",
    b"\xff\xfe",
    b"\xe2\x80",
    b"\x1b[",
    b"\t",
    b"\\ud800",
    b"9" * 30,
    b"\r",
]
VALUES = [b"null", b"1", b"[]", b"{}", b'""', b"true", b"1e400", b"-5", b'"\\ud800"', b"[{}]"]


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A piece of a real log with some of its lines cut, doubled, overwritten or filled with what is no text."""
    start = draw(st.integers(0, len(LINES) - 1))
    lines = LINES[start : start + draw(st.integers(1, 15))]
    for _ in range(draw(st.integers(1, 8))):
        index = draw(st.integers(0, len(lines) - 1))
        line = lines[index]
        at = draw(st.integers(0, len(line)))
        end = draw(st.integers(at, len(line)))
        middle = draw(
            st.one_of(
                st.just(b""),
                st.just(line[at:end] * 2),
                st.sampled_from(WORDS),
                st.sampled_from(VALUES),
                st.binary(max_size=3),
            )
        )
        lines[index] = line[:at] + middle + line[end:]
    return b"\n".join(lines)


ANY = st.one_of(st.binary(max_size=300), spoilt(), spoilt(), spoilt())
FLAGS = ["--server-log", "--agent-log", "--token", "--worker-endpoint", "--livekit-config", ""]
MORE: list[list[str]] = [[], [], ["--room", "a"], ["--since", "1m"], ["--until", "2026-11-23T02:45:37Z"], ["--utc"]]


def check(reply: Reply, *, as_json: bool) -> None:
    """An answer whose code fits it, or one sentence and nothing else."""
    assert reply.code in {0, 1, 2, 3, 4}, reply.err
    if reply.code in {2, 4}:
        assert reply.out == ""
        assert reply.err.startswith("fletcher: ")
        assert reply.err.count("\n") == 1
    elif as_json:
        assert EXIT[reply.json["verdict"]] == reply.code
    else:
        assert reply.out


@given(data=ANY, flag=st.sampled_from(FLAGS), more=st.sampled_from(MORE), as_json=st.booleans())
@settings(STEADY, max_examples=200)
def test_any_bytes_in_a_file_give_an_answer_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, *, data: bytes, flag: str, more: list[str], as_json: bool
) -> None:
    """Whatever a file holds and whatever it is said to be, Fletcher neither crashes nor takes a crash for an answer."""
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    given_ = [flag, str(path)] if flag else [str(path)]
    check(fletcher("diagnose", *given_, *more, *(["--json"] if as_json else [])), as_json=as_json)


@given(data=ANY, more=st.sampled_from(MORE), as_json=st.booleans())
@settings(STEADY, max_examples=150)
def test_any_bytes_on_standard_input_give_an_answer_or_a_sentence(
    *, data: bytes, more: list[str], as_json: bool
) -> None:
    """The same for what is pasted or piped."""
    check(fletcher("diagnose", "-", *more, *(["--json"] if as_json else []), stdin=data), as_json=as_json)


# --- the same evidence, written another way --------------------------------------------------------------------------


def line_by_line(rewrite: Rewrite) -> Callable[[Sequence[bytes]], Iterable[bytes]]:
    """Apply a rewriting to every line with its time."""
    return lambda lines: map(rewrite, lines, times(lines))


@every_case
@pytest.mark.parametrize("name", [*PREFIXES, *LAYOUTS])
def test_what_other_programs_put_around_lines_changes_no_verdict(case: Path, name: str, tmp_path: Path) -> None:
    """Prefixes and layouts in which people have their logs lead to the verdicts of the plain log."""
    reply = diagnose(*rewritten(case, tmp_path, line_by_line((PREFIXES | LAYOUTS)[name]), LOG_FLAGS))
    assert verdicts(reply) == verdicts(answer(case))


@every_case
@pytest.mark.parametrize("flag", LOG_FLAGS)
def test_one_of_two_logs_may_have_another_form(case: Path, flag: str, tmp_path: Path) -> None:
    """A prefix on the server's log alone, or on the agent's alone, changes no verdict either."""
    rewrite = line_by_line(PREFIXES["kubectl logs --prefix --timestamps"])
    assert verdicts(diagnose(*rewritten(case, tmp_path, rewrite, [flag]))) == verdicts(answer(case))


@every_case
def test_the_servers_two_layouts_say_the_same(case: Path, tmp_path: Path) -> None:
    """A console log written as JSON, or the reverse, leads to the same verdicts."""
    convert = to_json if is_console(case) else to_console
    reply = diagnose(*rewritten(case, tmp_path, lambda lines: map(convert, lines), LOG_FLAGS[:1]))
    assert verdicts(reply) == verdicts(answer(case))


@pytest.mark.parametrize("case", [case for case in CASES if is_console(case)], ids=lambda case: case.name)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_quick_reader_and_the_thorough_one_agree(case: Path, layout: str) -> None:
    """The records of a console log are the same whether its TABs are kept, for which it is read quickly, or not."""
    lines = lines_of(case / "livekit.log")
    other = list(map(LAYOUTS[layout], lines, times(lines)))
    quick, thorough = Tally(), Tally()
    found = [(r, line) for r, line, _ in records([chunk_of(b"\n".join(lines))], quick)]
    again = [(r, line) for r, line, _ in records([chunk_of(b"\n".join(other))], thorough)]
    assert [(r.kind, r.at, r.level, line) for r, line in found] == [(r.kind, r.at, r.level, line) for r, line in again]
    for (record, _), (same, _) in zip(found, again, strict=True):  # of long records the quick reader takes what counts
        assert {key: value or same.fields.get(key, value) for key, value in record.fields.items()} == {
            key: same.fields.get(key, record.fields[key]) for key in record.fields
        }
    assert (quick.first, quick.last) == pytest.approx((thorough.first, thorough.last), abs=0.01)
    assert quick.zone == thorough.zone


@every_case
@pytest.mark.parametrize("size", [64, 1000, 1 << 14])
def test_where_a_log_is_cut_for_reading_changes_nothing(case: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in pieces of any size, a log has the same records on the same lines, and the verdicts are the same."""
    whole = [_found(path) for path in sorted(case.glob("*.log"))]
    expected = verdicts(answer(case))
    monkeypatch.setattr(files, "BLOCK", size)
    assert [_found(path) for path in sorted(case.glob("*.log"))] == whole
    assert verdicts(diagnose(*evidence(case))) == expected


def _found(path: Path) -> list[tuple[str, float | None, str, int, int]]:
    """Kind, time, service, line and byte of every record of a file."""
    log = files.open_log(str(path))
    found = [(r.kind, r.at, r.service, line, offset) for r, line, offset in records(log.chunks(), Tally())]
    log.close()
    return found


@every_case
def test_a_compressed_or_piped_log_reads_like_a_plain_one(case: Path, tmp_path: Path) -> None:
    """gzip, PowerShell's UTF-16 and standard input give the very answer of the plain file, line numbers included."""
    log = case / "livekit.log"
    packed, wide = tmp_path / "livekit.log.gz", tmp_path / "livekit.txt"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    wide.write_bytes(log.read_bytes().decode("utf-8", "replace").encode("utf-16"))
    for other in (str(packed), str(wide), "-"):
        given_ = [other if arg == str(log) else arg for arg in evidence(case)]
        reply = diagnose(*given_, stdin=log.read_bytes())
        rows = json.loads(json.dumps(reply.json["rooms"]).replace(json.dumps(other), json.dumps(str(log))))
        assert rows == answer(case).json["rooms"]


# One recording's server log holds the worker's lines as well; of a worker's lines the pieces are not yet told as one.
SERVERS_ALONE = [case.name for case in CASES if b'"pid":' not in (case / "livekit.log").read_bytes()]


@given(st.sampled_from(SERVERS_ALONE), st.data())
@settings(WHOLE, max_examples=60)
def test_a_servers_log_in_several_files_changes_no_verdict(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    """A log that was rotated at any line, its pieces given in any order, leads to the verdicts of the whole."""
    case, folder = CASE[name], tmp_path_factory.getbasetemp()
    lines = lines_of(case / "livekit.log")
    cuts = sorted(data.draw(st.sets(st.integers(1, len(lines) - 1), min_size=1, max_size=3)))
    pieces: list[tuple[str, str]] = []
    for number, (start, end) in enumerate(pairwise([0, *cuts, len(lines)])):
        piece = folder / f"livekit-{number}.log"
        piece.write_bytes(b"\n".join(lines[start:end]) + b"\n")
        pieces.append(("--server-log", str(piece)))
    rest = [(flag, str(path)) for flag, path in pairs_of(case) if path.name != "livekit.log"]
    args = [arg for pair in data.draw(st.permutations([*pieces, *rest])) for arg in pair]
    assert verdicts(diagnose(*args)) == verdicts(answer(case))


@given(st.sampled_from(NAMES), st.randoms(use_true_random=False))
@settings(WHOLE, max_examples=40)
def test_neither_order_nor_repetition_of_flags_matters(name: str, order: random.Random) -> None:
    """Sources in any order, some of them given twice, lead to the very same rows."""
    pairs = pairs_of(CASE[name])
    pairs += order.sample(pairs, order.randint(0, len(pairs)))
    order.shuffle(pairs)
    reply = diagnose(*[arg for flag, path in pairs for arg in (flag, str(path))])
    assert sorted(reply.json["rooms"], key=str) == sorted(answer(CASE[name]).json["rooms"], key=str)


@every_case
def test_a_files_kind_is_seen_from_its_content(case: Path) -> None:
    """Without any flag but that of the project the answer is the same."""
    args = [arg for flag, path in pairs_of(case) if flag == "--project" for arg in (flag, str(path))]
    args += [str(path) for flag, path in pairs_of(case) if flag != "--project"]
    assert diagnose(*args).json["rooms"] == answer(case).json["rooms"]


@every_case
def test_a_copy_of_a_source_changes_no_verdict(case: Path, tmp_path: Path) -> None:
    """The same log, token or endpoint under a second name is no second piece of evidence."""
    for flag, path in pairs_of(case):
        if flag == "--project":
            continue
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        found = verdicts(diagnose(*evidence(case), flag, str(copy)))
        assert {room: set(said) for room, said in found.items()} == {
            room: set(said) for room, said in verdicts(answer(case)).items()
        }


# --- windows and rooms -----------------------------------------------------------------------------------------------


@given(st.sampled_from(NAMES), st.data())
@settings(WHOLE, max_examples=60)
def test_until_is_the_log_as_it_was_at_that_time(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    """With --until a log says what the same log said when it ended there."""
    case, folder = CASE[name], tmp_path_factory.getbasetemp()
    dated = {path: lines_of(path) for flag, path in pairs_of(case) if flag in LOG_FLAGS and not _undated(path)}
    assume(case / "livekit.log" in dated)
    until = data.draw(st.sampled_from(sorted(set(times(dated[case / "livekit.log"])))[1:]))
    whole: list[str] = []
    cut: list[str] = []
    for flag, path in pairs_of(case):
        if flag not in LOG_FLAGS:
            whole += [flag, str(path)]
            cut += [flag, str(path)]
        elif path in dated:
            lines = [line for line, at in zip(dated[path], times(dated[path]), strict=True) if at <= until]
            whole += [flag, str(path)]
            if lines:
                shorter = folder / f"until-{path.name}"
                shorter.write_bytes(b"\n".join(lines) + b"\n")
                cut += [flag, str(shorter)]
    moment = until.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert verdicts(diagnose(*whole, "--until", moment)) == verdicts(diagnose(*cut))


def _undated(path: Path) -> bool:
    """Whether this is a developer's log whose lines have a clock and no date."""
    return path.read_bytes().startswith((b"[", b"\x1b", b"    "))


# Without dates only the order in which the files are given tells which of them goes on where another ends.
WORKERS_LOGS = [
    pytest.param(case, turned, id=f"{case.name}-{'turned' if turned else 'in order'}")
    for case in CASES
    if (case / "agent.log").exists()
    for turned in ((False,) if _undated(case / "agent.log") else (False, True))
]


@pytest.mark.parametrize(("case", "turned"), WORKERS_LOGS)
def test_a_workers_log_in_several_files_changes_no_verdict(case: Path, tmp_path: Path, *, turned: bool) -> None:
    """A worker's log that was rotated at any record says what the whole says, its files given in any order."""
    log = case / "agent.log"
    lines = lines_of(log)
    rest = [arg for flag, path in pairs_of(case) if path != log for arg in (flag, str(path))]
    ends = [n for n, line in enumerate(lines) if n and not line.startswith(b" ")]
    chance = random.Random(case.name)  # noqa: S311  # a test's choice of places
    for number in (1, 1, 1, 1, 2, 2, 3):
        cuts = sorted(chance.sample(ends, min(number, len(ends))))
        pieces = []
        for index, (start, end) in enumerate(pairwise([0, *cuts, len(lines)])):
            piece = tmp_path / f"agent-{number}-{index}.log"
            piece.write_bytes(b"\n".join(lines[start:end]) + b"\n")
            pieces.append(piece)
        args = [arg for piece in (pieces[::-1] if turned else pieces) for arg in ("--agent-log", str(piece))]
        assert verdicts(diagnose(*args, *rest)) == verdicts(answer(case)), cuts


@every_case
@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_room_that_is_asked_for_has_the_row_it_has_among_all(
    *, case: Path, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --room, by name or by id, a room's row is the one it has without, in files of any size."""
    if large:
        monkeypatch.setattr(look, "_LARGE", 0)
    for row in answer(case).json["rooms"]:
        for wanted in filter(None, (row["room"], row["room_id"])):
            rows = diagnose(*evidence(case), "--room", wanted).json["rooms"]
            mine = [other for other in rows if (other["room"], other["room_id"]) == (row["room"], row["room_id"])]
            if "ask again with --room" in str(row["missing"]):
                assert row["verdict"] == "inconclusive"  # nobody may have wanted an agent here; who asks does
                continue
            assert [other | {"story": []} for other in mine] == [row | {"story": []}]


@every_case
def test_a_log_that_begins_later_does_not_send_the_worker_elsewhere(case: Path, tmp_path: Path) -> None:
    """What a cut at the front takes away leaves a room open; it never proves that the worker is with another server."""
    lines = lines_of(case / "livekit.log")
    rest = [arg for flag, path in pairs_of(case) if path.name != "livekit.log" for arg in (flag, str(path))]
    known = {cause for said in verdicts(answer(case)).values() for _, cause in said}
    for start in range(len(lines) // 8, len(lines), max(1, len(lines) // 6)):
        later = tmp_path / "livekit.log"
        later.write_bytes(b"\n".join(lines[start:]) + b"\n")
        found = {cause for said in verdicts(diagnose("--server-log", later, *rest)).values() for _, cause in said}
        assert "worker-unreachable" not in found - known, start


# --- other rooms -----------------------------------------------------------------------------------------------------

SERVED = [case.name for case in CASES if is_console(case) and stays(case)]


@given(st.sampled_from(SERVED), st.data())
@settings(WHOLE, max_examples=60)
def test_rooms_that_are_fine_change_nothing_for_the_others(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    """More rooms that the same worker served, at any time of its life, are healthy and change no other room's verdict."""
    case = CASE[name]
    lines = lines_of(case / "livekit.log")
    agent, worker, start, end = data.draw(st.sampled_from(stays(case)))
    span = (end - start).total_seconds()
    assume(span > 2)
    grown = list(zip(times(lines), lines, strict=True))
    last = max(at for at, _ in grown)
    for number in range(data.draw(st.integers(1, 3))):
        donor = data.draw(st.sampled_from(donors()))
        born = start + timedelta(seconds=1 + data.draw(st.floats(0, span - 1)))
        more = donor.graft(number, agent, worker, born.replace(microsecond=born.microsecond // 1000 * 1000))
        grown += [(at, line) for at, line in zip(times(more), more, strict=True) if at <= last]
    path = tmp_path_factory.getbasetemp() / "grown.log"
    path.write_bytes(b"\n".join(line for _, line in sorted(grown, key=lambda pair: pair[0])) + b"\n")
    given_ = [str(path) if arg == str(case / "livekit.log") else arg for arg in evidence(case)]
    found = verdicts(diagnose(*given_))
    before = verdicts(answer(case))
    assert {room: found.get(room) for room in before} == before
    added = {room: said for room, said in found.items() if room not in before}
    assert all(said == [("healthy", None)] for said in added.values()), added


# --- secrets ---------------------------------------------------------------------------------------------------------

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
secrets = st.text(LETTERS, min_size=22, max_size=48)


@st.composite
def jwts(draw: st.DrawFn) -> str:
    """A token as LiveKit's SDKs make them, with any subject and any signature."""
    claims: dict[str, object] = {
        "sub": draw(st.text(max_size=12)),
        "iss": "API" + draw(st.text(LETTERS, min_size=8, max_size=12)),
    }
    claims["video"] = {"room": "desk 7", "roomJoin": True}
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}).encode(), json.dumps(claims).encode()]
    parts.append(draw(st.binary(min_size=32, max_size=32)))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def server_line(message: str, fields: dict[str, object], level: str = "INFO") -> str:
    """A line of the server's console layout."""
    return f"2026-03-12T07:20:00.123Z\t{level}\tlivekit\tservice/x.go:1\t{message}\t{json.dumps(fields)}\n"


def worker_lines(problem: str) -> list[str]:
    """A worker's lines in several layouts, each with an error that quotes a secret."""
    stamp = "2026-03-12T07:20:01.123456+00:00"
    return [
        json.dumps({"level": 40, "time": 1773300001123, "version": "1.9.0", "error": {"message": problem}})[:-1]
        + ',"msg":"failed to connect to LiveKit server (ws://livekit:7880), retrying in 2 seconds: (1/10)"}\n',
        json.dumps({"level": 50, "time": 1773300001123, "jobID": "AJ_1", "error": {"message": problem}})[:-1]
        + ',"msg":"error in entry function"}\n',
        json.dumps({"message": f"failed to connect to livekit, retrying in 2s: {problem}", "level": "WARNING"})[:-1]
        + f', "name": "livekit.agents", "timestamp": "{stamp}"}}\n',
        json.dumps({"message": "unhandled exception while running the job task", "exc_info": f"ValueError: {problem}"})[
            :-1
        ]
        + f', "level": "ERROR", "job_id": "AJ_1", "timestamp": "{stamp}"}}\n',
        f'[07:20:01.920] WARN (77): supervised process run failed\n    err: {{\n      "message": {json.dumps(problem)},\n    }}\n',
        f"Error: {problem}\n",
    ]


@given(jwts(), secrets, secrets, st.data())
@settings(STEADY, max_examples=80)
def test_no_secret_of_a_log_is_ever_told(
    tmp_path_factory: pytest.TempPathFactory, jwt: str, secret: str, password: str, data: st.DataObject
) -> None:
    """Tokens, API secrets, TURN and ICE passwords in the very lines that are quoted are in no answer."""
    folder = tmp_path_factory.getbasetemp()
    job = {"level": 30, "time": 1773300000100, "job": {"id": "AJ_1", "room": {"sid": "RM_1", "name": "desk 7"}}}
    job["turnPassword"] = password
    asked = json.dumps(job)[:-1] + ',"msg":"received job request"}\n'
    path = data.draw(st.sampled_from(["/agent", "/rtc", "/rtc/validate"]))
    refused = {"status": 401, "method": "GET", "path": path, "error": f"invalid token: {jwt}, error: signature"}
    session: dict[str, object] = {"room": "desk 7", "roomID": "RM_1", "participant": "guest", "numParticipants": 0}
    session["sdp"] = f"a=ice-ufrag:abcd\r\na=ice-pwd:{password}\r\n"
    session["participantInit"] = {"CreateRoom": {"agents": [{"agentName": "front-desk", "metadata": jwt}]}}
    silent: dict[str, object] = {"agentName": "front-desk", "jobType": "JT_ROOM", "room": "desk 7", "roomID": "RM_1"}
    server = folder / "secret-server.log"
    server.write_text(
        server_line("error handling request", dict(refused), "WARN")
        + server_line("starting RTC session", session)
        + server_line("not dispatching agent job since no worker is available", silent | {"token": jwt}),
        "utf-8",
    )
    problems = [f"401 for wss://u:{secret}@livekit:7880/agent?access_token={jwt}", f"LIVEKIT_API_SECRET={secret} {jwt}"]
    agent = folder / "secret-agent.log"
    agent.write_text(asked + data.draw(st.sampled_from(worker_lines(data.draw(st.sampled_from(problems))))), "utf-8")
    args = data.draw(st.sampled_from([["--server-log", str(server)], []]))
    untold(["--agent-log", str(agent), *args], jwt, secret, password)


@given(jwts(), secrets, secrets)
@settings(STEADY, max_examples=12)
def test_no_secret_of_a_project_is_ever_told(
    tmp_path_factory: pytest.TempPathFactory, jwt: str, secret: str, password: str
) -> None:
    """Secrets in source, settings, the server's configuration, tokens and endpoints are in no answer."""
    folder = tmp_path_factory.getbasetemp() / "project"
    folder.mkdir(exist_ok=True)
    (folder / "agent.ts").write_text(
        "import { cli, ServerOptions } from '@livekit/agents';\n"
        f"cli.runApp(new ServerOptions({{ agent: 'a', agentName: 'front-desk', apiKey: 'APIx', apiSecret: '{secret}' }}));\n"
    )
    (folder / "server.ts").write_text(
        f"const t = new AccessToken('APIabcdefgh123', '{secret}', {{ identity: 'a' }});\n"
        f"t.roomConfig = new RoomConfiguration({{ agents: [new RoomAgentDispatch({{ agentName: 'other', metadata: '{{\"password\":\"{password}\"}}' }})] }});\n"
        f"const c = new AgentDispatchClient('https://u:{password}@h', 'APIabcdefgh123', '{secret}');\n"
        f"await c.createDispatch('desk 7', 'third', {{ metadata: '{jwt}' }});\n"
    )
    (folder / ".env").write_text(
        f"LIVEKIT_URL=wss://u:{password}@livekit.example\nLIVEKIT_API_SECRET={secret}\nLIVEKIT_WORKER_TOKEN={jwt}\n"
    )
    config, token, endpoint = folder / "livekit.yaml", folder / "token.jwt", folder / "worker.json"
    config.write_text(f"port: 7880\nkeys:\n  APIabcdefgh123: {secret}\nredis:\n  password: {password}\n")
    token.write_text(jwt)
    endpoint.write_text(json.dumps({"agent_name": "front-desk", "sdk_version": "1.9.0", "api_secret": secret}))
    untold(["--project", str(folder)], jwt, secret, password)
    untold(["--token", str(token), "--worker-endpoint", str(endpoint), "--livekit-config", str(config)], jwt, secret)
    for path in (*sorted(folder.glob("*.ts")), folder / ".env", config):
        untold([str(path)], jwt, secret, password)


@given(jwts(), secrets, secrets)
@settings(STEADY, max_examples=12)
def test_no_secret_that_stands_where_a_name_belongs_is_told(
    tmp_path_factory: pytest.TempPathFactory, jwt: str, secret: str, password: str
) -> None:
    """Rooms, agents, identities and metadata that hold a secret, and secrets that only the surroundings give away."""
    folder = tmp_path_factory.getbasetemp() / "names"
    folder.mkdir(exist_ok=True)
    (folder / "compose.yaml").write_text(
        "services:\n  agent:\n    build: .\n    environment:\n"
        f"      LIVEKIT_API_SECRET: {secret}\n      OPENAI_API_KEY: '{password}'\n      AGENT_NAME: \"{jwt}\"\n"
        f"  other:\n    image: x\n    environment:\n      - DB_PASSWORD={password}\n"
    )
    (folder / "agent.py").write_text(
        f"from livekit.agents import cli, WorkerOptions\ncli.run_app(WorkerOptions(entrypoint_fnc=f, agent_name='{jwt}'))\n"
        f"RoomAgentDispatch(agent_name='x{secret}')\n"
    )
    token, endpoint, agent, server = (folder / name for name in ("t.json", "w.json", "a.log", "s.log"))
    asked = [{"agentName": f"x {jwt}", "metadata": f"api_secret={secret}"}, {"agentName": f"password={password}"}]
    token.write_text(
        json.dumps(
            {
                "claims": {
                    "sub": jwt,
                    "video": {"room": jwt},
                    "roomConfig": {
                        "metadata": f"plain {password}",
                        "agents": asked,
                        "egress": {"s3": {"secret": secret}},
                    },
                },
                "api_calls": [
                    {"call": "CreateRoom", "request": {"name": f"token={secret}", "agents": asked, "metadata": secret}},
                    {"call": "CreateDispatch", "request": {"room": jwt, "agentName": f"secret={secret}"}},
                ],
            }
        )
    )
    endpoint.write_text(
        json.dumps({"agent_name": f"a {jwt}", "deployment": f"api_secret={secret}", "x": f"password={password}"})
    )
    agent.write_text(
        json.dumps({"message": "registered worker", "id": "AW_1", "agent_name": jwt, "level": "INFO"})
        + "\n"
        + json.dumps({"message": "failed to connect to livekit, retrying in 2s", "error": f"no {secret} {password}"})
        + "\n"
    )
    room = {"room": jwt, "roomID": f"RM_{jwt}", "participant": f"guest {jwt}", "numParticipants": 0}
    server.write_text(
        server_line("starting RTC session", room)
        + server_line("assigned job to worker", {**room, "agentName": jwt, "jobID": jwt, "workerID": jwt})
        + server_line("worker registered", {"workerID": jwt, "agentName": f"password={password}", "jobType": "JT_ROOM"})
    )
    untold(["--token", str(token)], jwt, secret, password)
    untold(["--worker-endpoint", str(endpoint)], jwt, secret, password)
    untold(["--server-log", str(server)], jwt, password)
    untold(["--project", str(folder)], jwt, secret, password)
    untold([str(path) for path in (token, endpoint, agent, server, folder)], jwt, secret, password)


def test_rooms_whose_names_are_masked_stay_apart(tmp_path: Path) -> None:
    """Two rooms named by tokens have two names in the answer, and each is found by its own."""
    names = [
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJndWVzdCJ9.MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY{n}" for n in range(3)
    ]
    path = tmp_path / "livekit.log"
    rooms = [
        {"room": name, "roomID": f"RM_{n}", "participant": "guest", "numParticipants": 0}
        for n, name in enumerate(names)
    ]
    path.write_text("".join(server_line("starting RTC session", dict(room)) for room in [*rooms, rooms[0]]))
    shown = [row["room"] for row in diagnose(path).json["rooms"]]
    assert len(set(shown)) == len(shown) == len(names)
    assert not any(name in shown for name in names)
    for n, name in enumerate(names):
        assert [row["room_id"] for row in diagnose(path, "--room", name).json["rooms"] if row["room_id"]] == [f"RM_{n}"]


def untold(args: list[str], jwt: str, *others: str) -> None:
    """Ask for text and for JSON, with and without a room; neither may tell a secret or any part of a token."""
    for more in ([], ["--json"], ["--room", "desk 7", "--json"]):
        reply = fletcher("diagnose", *args, *more)
        assert reply.code in {0, 1, 2, 3}, reply.err
        for secret in (*jwt.split(".")[1:], *others):
            assert secret not in reply.out + reply.err
