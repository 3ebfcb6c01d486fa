"""Files as people give them: what is no evidence is named in one sentence, and a worker's endpoint is asked."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fletcher import RECORDINGS, diagnose, evidence, fletcher

if TYPE_CHECKING:
    from collections.abc import Iterator

CASE = RECORDINGS / "inc-001"
LOG = CASE / "livekit.log"
NGINX = '127.0.0.1 - - [12/Mar/2026:07:20:00 +0000] "GET /health HTTP/1.1" 200 12 "-" "curl/8.5.0"\n' * 5
PROXY = "2026/03/12 07:20:00 [error] 29#29: *1 connect() failed (111: Connection refused) while connecting\n" * 5
POSTGRES = (
    "2026-03-12 07:20:00.123 UTC [71] LOG:  database system is ready to accept connections\n"
    '2026-03-12 07:20:01.123 UTC [71] FATAL:  password authentication failed for user "app"\n'
)
SYSTEM = "Mar 12 07:20:00 vm systemd[1]: Started Session 1 of user root.\nMar 12 07:20:00 vm sshd[99]: Accepted key\n"
REFUSED = '{"error": "no servers available (received 1 responses)", "jobType": "JT_ROOM", "agentName": "a"}\n'

Bad = tuple[str, bytes | str, str]
FILES: list[Bad] = [
    # flag, content, what the sentence says
    ("--server-log", b"", "is empty"),
    ("--server-log", b"\n \n\n", "no line of it"),
    ("--server-log", bytes(range(8)) * 400, "is a binary file"),
    ("--agent-log", b"\x7fELF\x02\x01\x01\0" + bytes(400), "is a binary file"),
    ("--server-log", NGINX, "no line of it is of a LiveKit server or an agents worker"),
    ("--agent-log", NGINX, "no line of it is of a LiveKit server or an agents worker"),
    ("--server-log", PROXY, "no line of it is of a LiveKit server or an agents worker"),
    ("--server-log", POSTGRES, "no line of it is of a LiveKit server or an agents worker"),
    ("--agent-log", POSTGRES, "no line of it is of a LiveKit server or an agents worker"),
    ("", SYSTEM, "no line of it is of a LiveKit server or an agents worker"),
    ("--server-log", gzip.compress(b""), "is empty"),
    ("--server-log", gzip.compress(LOG.read_bytes())[:6], "expected"),
    ("--server-log", b"\x1f\x8b" + b"no gzip after all " * 9, "cannot be decompressed"),
    ("--server-log", gzip.compress(NGINX.encode()), "no line of it"),
    ("--token", b"", "is empty"),
    ("--token", "hello", "is no token"),
    ("--token", "eyJhbGciOiJIUzI1NiJ9", "is no token"),
    ("--token", "eyJhbGciOiJIUzI1NiJ9.###.x", "is no readable token"),
    ("--token", "eyJhbGciOiJIUzI1NiJ9.aGVsbG8.x", "is no readable token"),
    ("--token", "[1, 2]", "is no token"),
    ("--token", '{"a": 1}', "holds no claims"),
    ("--token", '{"video": {"room": "x"', "is not whole JSON"),
    ("--worker-endpoint", "", "is empty"),
    ("--worker-endpoint", "<html>502 Bad Gateway</html>", "is no body of a worker's /worker endpoint"),
    ("--worker-endpoint", "[]", "is no body of a worker's /worker endpoint"),
    ("--worker-endpoint", '{"agent_name": "x"', "is not whole JSON"),
    ("--livekit-config", "", "is empty"),
    ("--livekit-config", "just some words\n", "the YAML configuration of a LiveKit server was expected"),
]


def told(*args: str | Path, code: int = 2, stdin: bytes = b"") -> str:
    """The one sentence with which a call ends that gives no answer."""
    reply = fletcher("diagnose", *args, stdin=stdin)
    assert (reply.code, reply.out) == (code, ""), reply
    assert reply.err.startswith("fletcher: ")
    assert reply.err.count("\n") == 1
    return reply.err.removeprefix("fletcher: ").rstrip("\n")


@pytest.mark.parametrize("bad", FILES, ids=lambda bad: f"{bad[0] or 'FILE'}, {bad[2][:30]}")
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_what_is_no_evidence_is_named_in_one_sentence(bad: Bad, more: list[str], tmp_path: Path) -> None:
    """An empty, binary or wrong file ends with code 2, its name, and what was expected; nothing is answered."""
    flag, content, expected = bad
    path = tmp_path / "given"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    sentence = told(*([flag] if flag else []), path, *more)
    assert str(path) in sentence
    assert expected in sentence


@pytest.mark.parametrize(
    "flag", ["--server-log", "--agent-log", "--livekit-config", "--token", "--worker-endpoint", ""]
)
def test_a_file_that_is_not_there_is_named(flag: str, tmp_path: Path) -> None:
    """A name without a file behind it is told as such, whatever the file should have been."""
    missing = tmp_path / "nothing.log"
    assert told(*([flag] if flag else []), missing) == f"{missing}: no such file"


@pytest.mark.parametrize("flag", ["--server-log", "--agent-log", "--livekit-config", "--token", "--worker-endpoint"])
def test_a_folder_is_no_file(flag: str, tmp_path: Path) -> None:
    """A folder where a file belongs is told, with the option that takes folders."""
    sentence = told(flag, tmp_path)
    assert sentence.startswith(f"{tmp_path} is a directory")
    assert "--project" in sentence


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="this system has no /proc")
def test_a_file_that_cannot_be_read_is_told_with_the_reason() -> None:
    """A file whose reading the system refuses is named, with the system's reason."""
    assert told("--server-log", "/proc/self/mem").startswith("/proc/self/mem cannot be read: ")


def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    """A file that this user must not read is named as such."""
    path = tmp_path / "livekit.log"
    path.write_bytes(LOG.read_bytes())
    path.chmod(0)
    # Root may read everything until it gives that up: prctl(PR_CAPBSET_DROP) of the two rights that allow it.
    drop = (
        "import ctypes, os, sys\n"
        "for right in (1, 2): ctypes.CDLL(None).prctl(24, right, 0, 0, 0)\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    as_anybody = [sys.executable, "-c", drop] if os.geteuid() == 0 else []
    command = [*as_anybody, sys.executable, "-m", "bot", "diagnose", "--server-log", str(path)]
    reply = subprocess.run(command, cwd=RECORDINGS.parent.parent, capture_output=True, text=True, check=False)
    assert (reply.returncode, reply.stderr) == (2, f"fletcher: {path}: no permission to read it\n")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
@pytest.mark.parametrize("flag", ["--server-log", "--token", ""])
def test_a_device_is_told_and_not_read_for_ever(flag: str) -> None:
    """A device that never ends is refused; one that ends at once is empty."""
    assert "is a device without an end" in told(*([flag] if flag else []), "/dev/zero")
    assert "/dev/null is empty" in told(*([flag] if flag else []), "/dev/null")


def test_a_name_that_is_no_text_can_be_told(tmp_path: Path) -> None:
    """A file whose name has bytes of another encoding is named in an answer, as text and as JSON."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    log, source = folder / os.fsdecode(b"\xff.log"), folder / os.fsdecode(b"\xfe.py")
    log.write_bytes(LOG.read_bytes())
    source.write_text("from livekit.agents import *\ncli.run_app(WorkerOptions(agent_name='x', entrypoint_fnc=f))\n")
    args = ["--server-log", str(log), "--project", str(folder), "--room", os.fsdecode(b"\xfd")]
    assert any("caf\\udce9" in source["name"] for source in diagnose(*args).json["sources"])
    assert fletcher("diagnose", *args).code == 3


def test_a_link_in_a_circle_is_told(tmp_path: Path) -> None:
    """A link that leads nowhere but to itself is told, not followed for ever."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert str(loop) in told("--server-log", loop)


@pytest.mark.parametrize(
    ("data", "expected"), [(b"", "is empty"), (b" \n\n", "no line of it"), (bytes(900), "is a binary file")]
)
def test_standard_input_without_evidence_is_told(data: bytes, expected: str) -> None:
    """What is piped is named standard input in the sentence that says what is wrong with it."""
    sentence = told("-", stdin=data)
    assert sentence.startswith("standard input")
    assert expected in sentence


PACKED = {
    "gzip": gzip.compress(LOG.read_bytes()),
    "two pieces of gzip": b"".join(gzip.compress(part) for part in LOG.read_bytes().partition(b"\n")),
    "UTF-16": LOG.read_text("utf-8").encode("utf-16"),
    "UTF-16, the other way": b"\xfe\xff" + LOG.read_text("utf-8").encode("utf-16-be"),
    "UTF-16 in gzip": gzip.compress(LOG.read_text("utf-8").encode("utf-16")),
}


@pytest.mark.parametrize("packed", PACKED.values(), ids=list(PACKED))
@pytest.mark.parametrize("way", ["file", "standard input", "pipe"])
def test_a_packed_log_says_what_the_plain_one_says(packed: bytes, way: str, tmp_path: Path) -> None:
    """`cat livekit.log.gz | fletcher diagnose -` reads what the file would; so does a process substitution."""
    path = tmp_path / "given"
    if way == "file":
        path.write_bytes(packed)
    elif way == "pipe":
        os.mkfifo(path)
        threading.Thread(target=path.write_bytes, args=(packed,), daemon=True).start()
    reply = diagnose("-", stdin=packed) if way == "standard input" else diagnose(path)
    assert [row["summary"] for row in reply.json["rooms"]] == [row["summary"] for row in diagnose(LOG).json["rooms"]]


OTHERS = [
    (b"\x28\xb5\x2f\xfd" + bytes(80), "zstd", "zstd -dc"),
    (b"\xfd7zXZ\0" + bytes(80), "xz", "xz -dc"),
    (b"PK\x03\x04" + bytes(80), "zip", "unzip -p"),
    (b"BZh91AY&SY" + bytes(80), "bzip2", "bzip2 -dc"),
    (b"\x04\x22\x4d\x18" + bytes(80), "lz4", "lz4 -dc"),
    (b"7z\xbc\xaf\x27\x1c" + bytes(80), "7-Zip", "7z x -so"),
]


@pytest.mark.parametrize(("packed", "program", "command"), OTHERS, ids=[other[1] for other in OTHERS])
def test_another_packing_is_named_with_the_way_to_unpack_it(
    packed: bytes, program: str, command: str, tmp_path: Path
) -> None:
    """What is packed in a way that is not read is told as that, with the command that unpacks it."""
    path = tmp_path / "given"
    path.write_bytes(packed)
    for sentence in (told(path), told("--agent-log", path), told("-", stdin=packed)):
        assert f"is packed with {program}" in sentence
        assert f"{command} FILE | fletcher diagnose -" in sentence


@pytest.mark.parametrize("data", [b"\x1f\x8b", b"\x1f\x8b no gzip after all"])
def test_a_broken_packing_from_standard_input_is_told(data: bytes) -> None:
    """What only begins like gzip is not called empty."""
    assert "begins like gzip and cannot be decompressed" in told("-", stdin=data)


def test_a_packed_log_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """What stands before the cut is evidence, and the answer says that there is no more."""
    packed = gzip.compress(LOG.read_bytes())
    path = tmp_path / "livekit.log.gz"
    path.write_bytes(packed[: len(packed) * 2 // 3])
    for reply in (diagnose(path), diagnose("-", stdin=path.read_bytes())):
        (source,) = reply.json["sources"]
        assert "cut off" in source["note"]
        assert 0 < source["records"] < 101


def test_one_wrong_file_does_not_pass_for_evidence_among_right_ones(tmp_path: Path) -> None:
    """A missing file is told even where the other files would have an answer."""
    assert "no such file" in told(*evidence(CASE), "--agent-log", tmp_path / "agent.log")


SERVER_JSON = '{"level":"info","ts":%s,"logger":"livekit","caller":"a.go:1","msg":"%s"}\n'
NUMBERS: list[tuple[str, str]] = [
    ("--server-log", '{"level":"o","ts":..,"logger":"livekit","caller":"","msg":"'),
    ("--server-log", SERVER_JSON % ("9" * 400, "hello") + SERVER_JSON % ("1773300000.5", "hello")),
    ("--server-log", SERVER_JSON % ("1e999", "hello") + SERVER_JSON % ("NaN", "starting LiveKit server")),
    ("--server-log", SERVER_JSON % ("-1", "starting LiveKit server") + SERVER_JSON % ("9e99", "x")),
    ("--server-log", "2026-03-12T07:20:00.000+9999\tINFO\tlivekit\tservice/server.go:1\tstarting LiveKit server\t{}\n"),
    ("--server-log", "9999-12-31T23:59:59.999-2359\tINFO\tlivekit\tservice/server.go:1\tstarting LiveKit server\t{}\n"),
    ("--agent-log", '{"level":30,"time":%s,"msg":"received job request","jobId":"AJ_1"}\n' % ("9" * 400)),
    ("--worker-endpoint", f'{{"agent_name": "x", "worker_load": {"9" * 400}, "active_jobs": {"9" * 400}}}'),
    ("--worker-endpoint", '{"agent_name": "\\ud800", "worker_load": 1e999, "active_jobs": true}'),
    (
        "--token",
        '{"video": {"room": "\\ud800"}, "sub": "\\udfff", "roomConfig": {"agents": [{"agentName": "\\ud800"}]}}',
    ),
    (
        "--token",
        '{"video": {"room": "a"}, "api_calls": [{"call": "\\ud800CreateRoom", "time": "\\ud800", "request": {}}]}',
    ),
    ("--project", "import livekit\ncli.run_app(WorkerOptions(agent_name=['a'][1e999], entrypoint_fnc=f))\n"),
]


@pytest.mark.parametrize(("flag", "content"), NUMBERS)
@pytest.mark.parametrize("more", [[], ["--json"], ["--since", "02:46"], ["--since", "1h"]], ids=" ".join)
def test_a_number_or_sign_that_is_none_ends_no_diagnosis(
    flag: str, content: str, more: list[str], tmp_path: Path
) -> None:
    """Times beyond every calendar, numbers beyond every size and halves of characters are read like any other text."""
    path = tmp_path / ("given.py" if flag == "--project" else "given")
    path.write_text(content)
    assert fletcher("diagnose", flag, path, *more).code in {0, 1, 2, 3}


def test_a_log_without_a_line_feed_at_its_end_is_whole(tmp_path: Path) -> None:
    """The last line counts although no line feed follows it."""
    path = tmp_path / "pasted.log"
    path.write_text("failed to send job request " + REFUSED.rstrip("\n"))
    assert diagnose(path).row()["cause"] == "load-refused"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--since", "yesterday"], "--since yesterday: expected a time"),
        (["--until", "25:99"], "--until 25:99: expected a time"),
        (["--since", "2026-13-45"], "--since 2026-13-45: expected a time"),
        (["--since", ""], "expected a time"),
        (["--since", "2026-11-24", "--until", "2026-11-23"], "--since is later than --until"),
    ],
)
def test_a_window_that_is_none_is_told(args: list[str], expected: str) -> None:
    """A time that cannot be read ends with an example of one that can."""
    assert expected in told(*args, LOG)


def test_a_duration_needs_times_to_count_back_from() -> None:
    """An excerpt without times has no last record to count back from."""
    sentence = told("-", "--since", "15m", stdin=f"failed to send job request {REFUSED}".encode())
    assert "no record has a time to count back from" in sentence


def test_a_window_is_a_time_or_a_duration_back_from_the_last_record() -> None:
    """A date with zone, a clock of the log's day, and a duration mean the same moment."""
    last = diagnose(LOG).json["sources"][0]["last"]
    assert last.startswith("2026-11-23T02:48:")
    assert last.endswith("Z")
    since = ["2026-11-23T02:48:05.523Z", "2026-11-23 03:48:05.523+0100", "02:48:05.523", "10s", "0m10s"]
    rows = [diagnose(LOG, "--since", when).json["rooms"] for when in since]
    assert [row["room"] for row in rows[0]] == ["ganglia-d4c8d4"]
    assert rows == [rows[0]] * len(since)
    until = [diagnose(LOG, "--until", when).json["rooms"] for when in since]
    assert [row["room"] for row in until[0]] == [row["room"] for row in diagnose(LOG).json["rooms"]]
    assert until == [until[0]] * len(since)


# --- what a source is called -------------------------------------------------------------------------------------------

WHOLE_LOGS = sorted(
    path for path in RECORDINGS.glob("inc-*/*.log") if path.parent.name in {"inc-001", "inc-024", "inc-119", "inc-156"}
)


@pytest.mark.parametrize("log", WHOLE_LOGS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_log_from_a_pipe_is_called_what_the_file_is(log: Path) -> None:
    """`cat livekit.log | fletcher diagnose -` saw a log, however short; an excerpt is what a person pasted."""
    (piped,), (file,) = (diagnose("-", stdin=log.read_bytes()).json["sources"], diagnose(log).json["sources"])
    assert {key: piped[key] for key in ("kind", "note", "taken")} == {
        key: file[key] for key in ("kind", "note", "taken")
    }


def test_a_log_without_a_line_about_dispatch_is_a_log_and_no_prose() -> None:
    """Ordinary lines of the server are its log, though none of them is evidence."""
    lines = [
        f"2026-03-12T07:20:0{n}.000Z\tDEBUG\tlivekit\trtc/x.go:1\tsending offer\t{{}}\n".encode() for n in range(3)
    ]
    (source,) = diagnose("-", stdin=b"".join(lines)).json["sources"]
    assert (source["kind"], source["note"]) == ("server log", "")


def test_a_copy_of_a_log_is_read_once(tmp_path: Path) -> None:
    """The same log under several names, packed or not, adds no row and no record; the answer says which it equals."""
    logs = [CASE / "agent.log", CASE / "livekit.log"]
    copies = [tmp_path / "agent-copy.log", tmp_path / "livekit.log.gz", tmp_path / "again.log"]
    copies[0].write_bytes(logs[0].read_bytes())
    copies[1].write_bytes(gzip.compress(logs[1].read_bytes()))
    copies[2].write_bytes(logs[1].read_bytes())
    whole, alone = diagnose(*logs, *copies).json, diagnose(*logs).json
    assert whole["rooms"] == alone["rooms"]
    assert whole["workers"] == alone["workers"]
    notes = {s["name"]: (s["records"], s["note"]) for s in whole["sources"] if s["name"] not in map(str, logs)}
    assert notes == {
        str(copy): (0, f"the same lines as {log}: read once")
        for copy, log in zip(copies, (logs[0], logs[1], logs[1]), strict=True)
    }


def test_an_agents_log_and_its_copy_show_a_room_once(tmp_path: Path) -> None:
    """Without the server's log a job is known from the agent's alone, and is one job in two copies."""
    log = RECORDINGS / "inc-119" / "agent.log"
    copy = tmp_path / "agent.log"
    copy.write_bytes(log.read_bytes())
    assert diagnose("--agent-log", log, copy).json["rooms"] == diagnose("--agent-log", log).json["rooms"]


# --- a worker's endpoint ---------------------------------------------------------------------------------------------

NODE = {"agent_name": "front-desk", "agent_name_is_env": False, "deployment": "", "worker_type": "JT_ROOM"}
NODE |= {"active_jobs": 2, "sdk_version": "1.9.0", "project_type": "nodejs", "protocol_version": 1}
BODIES: list[tuple[str, dict[str, object], dict[str, object]]] = [
    ("agents-js", dict(NODE), {"name": "front-desk", "type": "JT_ROOM", "sdk": "1.9.0", "jobs": 2, "deployment": ""}),
    (
        "Python, with defaults left out",
        {"sdk_version": "1.8.9", "worker_load": 0.25},
        {"name": "", "type": "JT_ROOM", "sdk": "1.8.9", "jobs": 0, "deployment": ""},
    ),
    (
        "Python, names in the other style",
        {"agentName": "front-desk", "workerType": "JT_PUBLISHER", "activeJobs": 1, "sdkVersion": "1.8.9"},
        {"name": "front-desk", "type": "JT_PUBLISHER", "sdk": "1.8.9", "jobs": 1, "deployment": ""},
    ),
]
each_body = pytest.mark.parametrize(("body", "worker"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES])


@contextmanager
def serving(body: bytes, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A small HTTP server that answers every request so; its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@each_body
def test_a_running_worker_is_asked_over_http(body: dict[str, object], worker: dict[str, object]) -> None:
    """An address is asked for /worker once, and its answer is a worker like any other."""
    with serving(json.dumps(body, indent=2).encode()) as (url, asked):
        (row,) = diagnose("--worker-endpoint", url).json["workers"]
    assert asked == ["/worker"]
    assert row["seen_in"] == f"{url}/worker"
    assert {key: row[key] for key in worker} == worker


@each_body
@pytest.mark.parametrize("flag", ["--worker-endpoint", "--server-log", ""], ids=["as such", "as a log", "as a file"])
def test_a_saved_body_says_the_same(
    body: dict[str, object], worker: dict[str, object], flag: str, tmp_path: Path
) -> None:
    """A body saved to a file is recognised by its content, whatever it is given as."""
    path = tmp_path / "worker.json"
    path.write_text(json.dumps(body))
    (row,) = diagnose(*([flag] if flag else []), path).json["workers"]
    assert {key: row[key] for key in worker} == worker


def test_an_address_with_a_path_is_asked_as_it_is() -> None:
    """A proxy's path before /worker is kept."""
    with serving(json.dumps(NODE).encode()) as (url, asked):
        diagnose("--worker-endpoint", f"{url}/agents/one/worker")
    assert asked == ["/agents/one/worker"]


@pytest.mark.parametrize("status", [401, 404, 502, 503])
def test_an_endpoint_that_refuses_is_not_reachable(status: int) -> None:
    """An error of HTTP is told with its reason, code 4."""
    with serving(b"no", status) as (url, _):
        sentence = told("--worker-endpoint", url, code=4)
    assert url in sentence
    assert f"answers {status} {HTTPStatus(status).phrase}" in sentence


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://[::1", "Invalid IPv6 URL"),
        ("http://[::1]:x/", "port"),
        ("http://worker:99999", "port"),
        ("http://worker:8081x/worker", "port"),
        ("https://", "no host"),
        ("http:///worker", "no host"),
        ("http://:8081/", "no host"),
        ("http://a b/", "blank"),
        ("http://a\n/", "blank"),
        ("http://w\u00f6rker/w\u00f6rker", "letters"),
        ("http://user:hunter2@[::1/", "Invalid"),
    ],
)
def test_an_address_that_is_none_is_a_wrong_argument(url: str, what: str) -> None:
    """A malformed address is told with what is wrong with it, code 2: nobody was asked."""
    sentence = told("--worker-endpoint", url)
    assert "is no address" in sentence
    assert what in sentence.replace("Port", "port")
    assert "hunter2" not in sentence


def test_an_endpoint_of_another_program_is_a_wrong_document() -> None:
    """An answer that is no worker's is told as such, code 2."""
    with serving(b"<html>hello</html>") as (url, _):
        assert "is no body of a worker's /worker endpoint" in told("--worker-endpoint", url)


def test_an_endpoint_that_nobody_serves_is_told_when_it_is_all_there_is() -> None:
    """Without any other source an unreachable endpoint ends the call with code 4 and the usual port."""
    with serving(b"") as (url, _):
        pass
    sentence = told("--worker-endpoint", url, code=4)
    assert f"{url}/worker does not answer" in sentence
    assert "8081" in sentence


def test_an_endpoint_that_nobody_serves_is_evidence_beside_others() -> None:
    """Beside a log an unreachable endpoint is a note of the answer, not its end."""
    with serving(b"") as (url, _):
        pass
    answer = diagnose(*evidence(CASE), "--worker-endpoint", url).json
    assert answer["rooms"] == diagnose(*evidence(CASE)).json["rooms"]
    (note,) = [source["note"] for source in answer["sources"] if source["name"] == url]
    assert "does not answer" in note


# --- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--token", "--server-log", ""], ids=["as such", "as a log", "as a file"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["bare", "with a line end", "with Windows' line end"])
def test_a_jwt_asks_for_what_its_claims_ask_for(flag: str, end: str, tmp_path: Path) -> None:
    """A JWT as it comes from a backend is read without its key, and its room has a row."""
    path = tmp_path / "token"
    head, sign = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "c2lnbmF0dXJlLXRoYXQtaXMtbWFkZS11cC1oZXJl"
    claims = "eyJzdWIiOiAiZ3Vlc3QiLCAidmlkZW8iOiB7InJvb20iOiAibG9iYnkiLCAicm9vbUpvaW4iOiB0cnVlfSwgInJvb21Db25maWciOiB7ImFnZW50cyI6IFt7ImFnZW50TmFtZSI6ICJmcm9udC1kZXNrIn1dfX0"
    path.write_text(f"{head}.{claims}.{sign}{end}")
    answer = diagnose(*([flag] if flag else []), path).json
    assert [(d["agent"], d["via"]) for d in answer["dispatchers"]] == [("front-desk", "token")]
    assert [row["room"] for row in answer["rooms"]] == ["lobby"]


CLAIMS = {"video": {"room": "lobby"}, "sub": "guest", "roomConfig": {"agents": [{"agentName": "front-desk"}]}}


@pytest.mark.parametrize("flag", ["--token", ""], ids=["as such", "as a file"])
def test_a_token_itself_may_be_given_instead_of_its_file(flag: str) -> None:
    """A JWT on the command line is read where it stands, and is called the token given: it names no file."""
    body = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode().rstrip("=")
    jwt = f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJlLXRoYXQtaXMtbWFkZS11cC1oZXJl"
    reply = diagnose(*([flag] if flag else []), jwt)
    assert [(d["agent"], d["source"]) for d in reply.json["dispatchers"]] == [("front-desk", "the token given")]
    assert [s["name"] for s in reply.json["sources"]] == ["the token given"]
    assert body not in reply.out


def test_claims_themselves_may_be_given_instead_of_their_file() -> None:
    """So may the claims as JSON; two tokens are told apart."""
    other = {**CLAIMS, "video": {"room": "hall"}}
    answer = diagnose("--token", json.dumps(CLAIMS), "--token", json.dumps(other, indent=1)).json
    assert [s["name"] for s in answer["sources"]] == ["the token given", "the token given (2)"]
    assert sorted(row["room"] for row in answer["rooms"]) == ["hall", "lobby"]


def test_a_file_with_a_tokens_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What exists is read, whatever its name looks like."""
    monkeypatch.chdir(tmp_path)
    name = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"
    Path(name).write_text(json.dumps(CLAIMS))
    assert [row["room"] for row in diagnose("--token", name).json["rooms"]] == ["lobby"]


@pytest.mark.parametrize("given", ["eyJhbGciOiJIUzI1NiJ9.###.x", "eyJhbGciOiJIUzI1NiJ9.aGVsbG8.x", "{", '{"a": 1}'])
def test_what_is_given_as_a_token_and_is_none_is_told(given: str) -> None:
    """A token on the command line that cannot be read is told as one in a file."""
    assert told("--token", given).startswith("the token given ")


def test_a_room_that_is_asked_for_always_has_a_row() -> None:
    """A room that no log shows has a row that says so, with what would show it."""
    row = diagnose(LOG, "--room", "never heard of").row("never heard of")
    assert (row["verdict"], row["room_id"]) == ("inconclusive", None)
    assert row["missing"]
