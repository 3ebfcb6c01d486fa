"""A Docker engine, asked over a real socket: what it tells, what it keeps to itself, and why it cannot be asked."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import ssl
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.errors import Unreachable
from bot.evidence import docker
from bot.evidence.docker import connect
from bot.evidence.docker_lines import LONGEST, lines
from bot.evidence.ssh import command
from bot.redact import Redactor
from bot.settings import Target
from tests.doubles.engine import START, Engine, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.evidence.containers import Container

TLS = Path(__file__).parent / "doubles" / "tls"
SECRET = "a-very-long-and-secret-value"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


def seen(engine: Engine) -> tuple[Container, ...]:
    """The containers, as Fletcher is told of them."""
    with connect(Target(docker_host=engine.host)) as asked:
        return asked.containers()


def context(folder: Path, name: str, host: str, *, current: bool = False) -> None:
    """Make a context as `docker context create` does, and use it."""
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    told = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (meta / "meta.json").write_text(json.dumps(told))
    (folder / "config.json").write_text(json.dumps({"currentContext": name} if current else {}))


def ssh_program(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Put a program called ssh before all others."""
    folder.mkdir(exist_ok=True)
    program = folder / "ssh"
    program.write_text(f"#!{sys.executable}\n{body}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


# --- what it tells ---------------------------------------------------------------------------------------------------


def test_a_container_is_told_whole() -> None:
    """What the engine knows of a container arrives, times as seconds and "never" as None."""
    with Engine() as engine:
        engine.add(
            "livekit",
            image="livekit/livekit-server:v1.13.5",
            command=("/livekit-server", "--config", "/etc/livekit.yaml"),
            env={"LOG_LEVEL": "debug"},
            state="exited",
            health="unhealthy",
            exit_code=137,
            oom_killed=True,
            restarts=3,
            finished="2026-03-12T08:00:00.25Z",
            mounts=(("/srv/demo/livekit.yaml", "/etc/livekit.yaml"),),
            ports={"7880/tcp": ("127.0.0.1", 7999), "7882/udp": ("0.0.0.0", 7882), "7881/tcp": None},  # noqa: S104
        )
        engine.add("never", state="created", started="0001-01-01T00:00:00Z")
        engine.add("stranger", project="")
        livekit, never = seen(engine)
    assert (livekit.project, livekit.service, livekit.number, livekit.oneoff) == ("demo", "livekit", 1, False)
    assert (livekit.name, livekit.image) == ("demo-livekit-1", "livekit/livekit-server:v1.13.5")
    assert livekit.command == "/livekit-server --config /etc/livekit.yaml"
    assert (livekit.state, livekit.health, livekit.exit_code, livekit.oom_killed) == ("exited", "unhealthy", 137, True)
    assert (livekit.restarts, livekit.log_driver) == (3, "json-file")
    assert (livekit.created, livekit.finished) == (1773298800.5, 1773302400.25)
    assert livekit.mounts == (("/srv/demo/livekit.yaml", "/etc/livekit.yaml"),)
    assert livekit.ports == ((7880, "127.0.0.1", 7999),)
    assert (livekit.ips, livekit.network_mode) == (("172.18.0.2",), "demo_default")
    assert (livekit.working_dir, livekit.config_files) == ("/srv/demo", ("/srv/demo/docker-compose.yml",))
    assert not livekit.running
    assert (never.started, never.finished) == (None, None)


def test_secrets_of_a_container_are_kept_and_not_shown() -> None:
    """The keys are at hand for asking the server, and stand in nothing that can be printed."""
    shown = {
        "LIVEKIT_URL": "ws://livekit:7880",
        "LIVEKIT_API_KEY": "APIdemo1",
        "LIVEKIT_AGENT_NAME": "ann",
        "NUM_CPUS": "4",
    }
    with Engine() as engine:
        engine.add(
            "agent",
            command=("agent", "--api-secret", SECRET),
            env={
                **shown,
                "LIVEKIT_API_SECRET": SECRET,
                "OTHER_SECRET": f"line one\n{SECRET}",
                "DB": f"postgres://u:{SECRET}@db/x",
            },
        )
        (agent,) = seen(engine)
    assert SECRET not in f"{agent!r} {agent} {agent.env} {agent.command} {agent.sealed!r}"
    assert {name: agent.setting(name) for name in shown} == shown


HIDDEN: list[tuple[dict[str, str], tuple[str, ...]]] = [
    ({"LIVEKIT_API_SECRET": SECRET}, ()),
    ({"LIVEKIT_KEYS": f"APIdemo1: {SECRET}"}, ()),
    ({"DB": f"postgres://u:{SECRET}@db/x"}, ()),
    ({"OPENAI_API_KEY": SECRET}, ()),
    ({"OTHER_SECRET": f"line one\n{SECRET}"}, ()),
    ({"PASSWORD": f"two words {SECRET}"}, ()),  # known as a whole
    ({}, ("agent", "--api-secret", SECRET)),
    ({}, ("livekit-server", "--keys", f"APIdemo1: {SECRET}")),
]


@pytest.mark.parametrize(("env", "words"), HIDDEN)
def test_what_is_masked_can_be_masked_elsewhere(env: dict[str, str], words: tuple[str, ...]) -> None:
    """A secret that the engine tells is at hand, so that it is masked in a log, and what is no secret stays."""
    with Engine() as engine:
        engine.add("agent", command=words, env={**env, "LIVEKIT_URL": "ws://livekit:7880", "WORKDIR": "/usr/src/app"})
        (agent,) = seen(engine)
    redactor = Redactor.of(agent.secrets())
    said = env.get("PASSWORD", SECRET)
    assert SECRET not in redactor.text(f"it said {said}, and went on")
    harmless = "ws://livekit:7880 /usr/src/app livekit-server agent APIdemo1"
    assert redactor.text(harmless) == harmless


KEYS: list[tuple[dict[str, str], tuple[str, ...], tuple[tuple[str, str], ...]]] = [
    ({"LIVEKIT_KEYS": "devkey: abc"}, (), (("devkey", "abc"),)),
    ({"LIVEKIT_KEYS": "a: b\nc: 'd'\n"}, (), (("a", "b"), ("c", "d"))),
    ({"LIVEKIT_KEYS": '{"a": "b", c: d}'}, (), (("a", "b"), ("c", "d"))),
    ({}, ("livekit-server", "--keys", "k: s"), (("k", "s"),)),
    ({"LIVEKIT_KEYS": "a: b"}, ("livekit-server", "--keys=k: s"), (("k", "s"),)),
    ({}, ("livekit-server", "--dev"), (("devkey", "secret"),)),
    ({"LIVEKIT_KEYS": "a: b"}, ("livekit-server", "--dev"), (("a", "b"),)),
    ({}, ("livekit-server", "--config", "/etc/livekit.yaml"), ()),
]


@pytest.mark.parametrize(("env", "words", "keys"), KEYS)
def test_a_servers_keys_are_read(
    env: dict[str, str], words: tuple[str, ...], keys: tuple[tuple[str, str], ...]
) -> None:
    """Keys are taken from where the server takes them, in every way they are written, and never shown."""
    with Engine() as engine:
        engine.add("livekit", env=env, command=words)
        (livekit,) = seen(engine)
    assert livekit.server_keys() == keys
    assert {secret for _, secret in keys} <= livekit.secrets()


def test_a_container_that_vanishes_is_passed_over() -> None:
    """A container that is listed and then gone does not keep the others from being told."""
    with Engine() as engine:
        engine.add("gone", vanishes=True)
        engine.add("here")
        assert [one.service for one in seen(engine)] == ["here"]


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -7200.0])
def test_the_engines_clock_is_compared(ahead: float) -> None:
    """A clock that is wrong is told by how much; what asking took is no difference."""
    with Engine() as engine:
        engine.ahead = ahead
        with connect(Target(docker_host=engine.host)) as asked:
            info = asked.info()
    assert abs(info.skew - ahead) < 60
    assert (info.skew == 0) == (ahead == 0)
    assert (info.version, info.api_version) == ("20.10.24", "1.41")


def test_one_projects_containers_are_asked_for() -> None:
    """With a project nothing is asked of the containers of others, and one without any is told with what there is."""
    with Engine() as engine:
        for project in ("demo", "other", "third"):
            engine.add("livekit", project=project)
        engine.add("shell", project="fourth", oneoff=True)
        with connect(Target(docker_host=engine.host)) as asked:
            engine.asked.clear()
            assert [one.project for one in asked.containers("other")] == ["other"]
            assert len(engine.asked) == 2
            assert len(asked.containers()) == 4
            with pytest.raises(Unreachable, match=r"project shop has no container.* one of: demo, other, third$"):
                asked.containers("shop")
        engine.boxes.clear()
        with connect(Target(docker_host=engine.host)) as asked, pytest.raises(Unreachable, match="nor has any other"):
            asked.containers("shop")


def test_many_containers_are_asked_over_few_connections() -> None:
    """A look at many containers does not knock at the engine's door for each of them."""
    with Engine() as engine:
        for number in range(20):
            engine.add("agent", number=number)
        with connect(Target(docker_host=engine.host)) as asked:
            before = engine.connections
            assert len(asked.containers()) == 20
            assert engine.connections - before <= 1


def test_a_full_queue_is_waited_for(tmp_path: Path) -> None:
    """A socket whose queue is full for a moment is no trouble: the engine behind it is asked a moment later."""
    with Engine() as engine, socket.socket(socket.AF_UNIX) as door, ExitStack() as stack:
        engine.add("livekit")
        path = str(tmp_path / "full.sock")
        door.bind(path)
        door.listen(3)
        for _ in range(4):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
        with socket.socket(socket.AF_UNIX) as one_more:
            one_more.setblocking(False)
            assert one_more.connect_ex(path) == errno.EAGAIN
        opens = threading.Timer(0.3, relay, (door, engine.socket))
        stack.callback(opens.join)  # it closes what it holds before anything else of the test goes
        stack.callback(door.shutdown, socket.SHUT_RDWR)
        opens.start()
        with connect(Target(docker_host=f"unix://{path}")) as asked:
            assert [one.service for one in asked.containers()] == ["livekit"]


def relay(door: socket.socket, to: str) -> None:
    """Hand every connection on to the engine's socket, until the door is shut."""
    with ExitStack() as stack, suppress(OSError):
        while True:
            near = stack.enter_context(door.accept()[0])
            far = stack.enter_context(socket.socket(socket.AF_UNIX))
            far.connect(to)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=pump, args=(one, other), daemon=True).start()


def pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes one way until there are no more."""
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


# --- logs ------------------------------------------------------------------------------------------------------------


def log(
    engine: Engine, container: Container | None = None, since: int | None = None, tail: int | None = None
) -> list[bytes]:
    """The lines of the only container's log."""
    with connect(Target(docker_host=engine.host)) as asked:
        (only,) = asked.containers() if container is None else (container,)
        return list(asked.log(only, since_ns=since, tail=tail))


@pytest.mark.parametrize("chunk", [1, 7, 4096, None])
@pytest.mark.parametrize("tty", [False, True])
def test_lines_arrive_whole(chunk: int | None, tty: bool) -> None:  # noqa: FBT001
    """However the stream is cut, each line comes once, whole, with its time; what Docker has split is put together."""
    texts = ["first", "", "x" * 40_000, "y" * 16_384, "é" * 9_000, "last"]
    if chunk == 1:
        texts = [text[:40] for text in texts]
    with Engine() as engine:
        engine.chunk = chunk
        box = engine.add("livekit", tty=tty)
        for number, text in enumerate(texts):
            box.log(text, stream="stderr" if number % 2 else "stdout")
        expected = [stamp(START + number * 10**6) + b" " + text.encode() for number, text in enumerate(texts)]
        assert log(engine) == expected
        assert log(engine, tail=1) == expected[-1:]
        assert log(engine, since=START + 4 * 10**6) == expected[4:]
        assert log(engine, since=START + 4 * 10**6 + 1) == expected[5:]


def test_two_streams_do_not_mix() -> None:
    """A long line of one stream is put together though the other one writes in between."""
    with Engine() as engine:
        box = engine.add("agent")
        box.log("a" * 20_000, 5)
        long = box.stored.copy()
        box.stored.clear()
        box.stored.append(long[0])
        box.log("between", 6, "stderr")
        box.stored.append(long[1])
        assert log(engine) == [stamp(6) + b" between", stamp(5) + b" " + b"a" * 20_000]


def test_a_line_without_an_end() -> None:
    """A line that is being written is left out until its program ends; started again, the program begins a new one."""
    with Engine() as engine:
        box = engine.add("agent", lines=["whole"])
        box.log("cut", ended=False)
        assert len(log(engine)) == 1
        box.state = "exited"
        assert log(engine)[1:] == [stamp(START + 10**6) + b" cut"]
        box.state = "running"
        box.log("again")
        assert log(engine)[1:] == [stamp(START + 10**6) + b" cut", stamp(START + 2 * 10**6) + b" again"]


def test_an_endless_line_is_cut() -> None:
    """What never ends a line does not fill the memory."""
    block = b"x" * 65_536
    (line,) = lines((block for _ in range(64)), tty=True, ended=True)
    assert len(line) == LONGEST


@pytest.mark.parametrize("driver", ["none", "syslog"])
def test_a_log_that_cannot_be_read(driver: str) -> None:
    """A driver that keeps no log for the engine is named, with what to set instead."""
    with Engine() as engine:
        engine.add("livekit", log_driver=driver)
        with pytest.raises(Unreachable, match=f"log driver is {driver}; set .* for the service livekit"):
            log(engine)


def test_a_container_that_is_gone_has_no_log() -> None:
    """A log is asked for after its container was removed: the sentence says so."""
    with Engine() as engine:
        box = engine.add("livekit")
        (container,) = seen(engine)
        engine.remove(box)
        with pytest.raises(Unreachable, match="demo-livekit-1 is gone"):
            log(engine, container)


def test_an_engine_that_goes_away_in_the_middle() -> None:
    """The lines that were whole are given, then it is said that the engine broke off."""
    with Engine() as engine:
        engine.add("livekit", lines=["one", "two", "three"])
        (container,) = seen(engine)
        engine.cut_after = 2 * (8 + 31 + 4) + 5
        with connect(Target(docker_host=engine.host)) as asked:
            reading = asked.log(container)
            assert [next(reading)[31:], next(reading)[31:]] == [b"one", b"two"]
            with pytest.raises(Unreachable, match="broke the connection off"):
                next(reading)


def test_the_engine_says_why_it_breaks_off() -> None:
    """What the engine writes of its own trouble into a log is no line of it."""
    with Engine() as engine:
        engine.add("livekit", lines=["one"]).log("Error grabbing logs: invalid character", stream="engine")
        with pytest.raises(Unreachable, match="Error grabbing logs"):
            log(engine)


# --- the ways to it --------------------------------------------------------------------------------------------------


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """DOCKER_HOST, a named context and the current one lead to the engine, in this order, and it is told which."""
    with Engine() as engine, Engine(tcp=True) as other:
        engine.add("of-the-context")
        other.add("of-the-host")
        context(tmp_path / "docker", "prod", engine.host, current=True)
        with connect(Target()) as asked:
            assert (asked.told, whose(asked)) == (f"context prod ({engine.host})", "of-the-context")
        (tmp_path / "docker" / "config.json").write_text("{}")
        monkeypatch.setenv("DOCKER_CONTEXT", "prod")
        with connect(Target()) as asked:
            assert whose(asked) == "of-the-context"
        monkeypatch.setenv("DOCKER_HOST", other.host)
        with connect(Target()) as asked:
            assert (asked.told, whose(asked)) == (other.host, "of-the-host")
        for target in (Target(docker_host=engine.host), Target(docker_context="prod")):
            with connect(target) as asked:
                assert whose(asked) == "of-the-context"
        with pytest.raises(Unreachable, match="no Docker context nosuch"), connect(Target(docker_context="nosuch")):
            pass


def whose(asked: docker.Engine) -> str:
    """Which engine it is, by its only container."""
    (only,) = asked.containers()
    return only.service


@pytest.fixture
def secure() -> ssl.SSLContext:
    """What an engine with TLS asks of whoever connects: a certificate it knows."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    made.load_verify_locations(TLS / "ca.pem")
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def test_tls_leads_to_an_engine(secure: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Certificates are taken from DOCKER_CERT_PATH or the context, and what the web trusts does not matter here."""
    other = tmp_path / "web.pem"
    other.write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    with Engine(tcp=True, tls=secure) as engine:
        context(tmp_path / "docker", "prod", engine.host)
        folder = tmp_path / "docker" / "contexts" / "tls" / hashlib.sha256(b"prod").hexdigest() / "docker"
        shutil.copytree(TLS, folder)
        with connect(Target(docker_context="prod")) as asked:
            assert asked.info().version == "20.10.24"
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(TLS))
        with connect(Target(docker_host=engine.host)) as asked:
            assert asked.info().version == "20.10.24"
        # Another engine's certificate is refused.
        stranger = tmp_path / "stranger"
        shutil.copytree(TLS, stranger)
        shutil.copy(TLS / "stranger.pem", stranger / "ca.pem")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(stranger))
        with (
            pytest.raises(Unreachable, match=r"no secure connection .*; check DOCKER_CERT_PATH"),
            connect(Target(docker_host=engine.host)),
        ):
            pass


CARRY = """
import os, select, socket, sys
print(*sys.argv[1:], file=open(os.environ["ARGUMENTS"], "w"))
other = socket.socket(socket.AF_UNIX); other.connect(os.environ["ENGINE"])
ways = {0: other.fileno(), other.fileno(): 1}
while ways:
    for end in select.select(list(ways), [], [])[0]:
        data = os.read(end, 65536)
        if not data:
            sys.exit(0)
        os.write(ways[end], data)
"""


def test_ssh_leads_to_an_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An engine behind ssh is asked through the ssh program, as Docker's own client does it."""
    with Engine() as engine:
        engine.add("livekit", lines=["hello"])
        ssh_program(tmp_path / "bin", monkeypatch, CARRY)
        monkeypatch.setenv("ENGINE", engine.socket)
        monkeypatch.setenv("ARGUMENTS", str(tmp_path / "arguments"))
        with connect(Target(docker_host="ssh://ann@prod.example:2222")) as asked:
            assert asked.told == "ssh://ann@prod.example:2222"
            (container,) = asked.containers()
            assert [line[31:] for line in asked.log(container)] == [b"hello"]
        words = (tmp_path / "arguments").read_text().split()
    assert words[words.index("-l") :] == [
        "-l",
        "ann",
        "-p",
        "2222",
        "--",
        "prod.example",
        "docker",
        "system",
        "dial-stdio",
    ]
    assert "BatchMode=yes" in words


@pytest.fixture
def behind_ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Engine]:
    """An engine to which ssh://prod leads, while the file `down` is not there."""
    failing = f"import os, sys\nif os.path.exists({str(tmp_path / 'down')!r}): sys.exit('no route to prod')\n"
    ssh_program(tmp_path / "bin", monkeypatch, failing + CARRY)
    with Engine() as engine:
        engine.add("livekit")
        monkeypatch.setenv("ENGINE", engine.socket)
        monkeypatch.setenv("ARGUMENTS", str(tmp_path / "arguments"))
        yield engine


def broken_off(engine: Engine, asked: docker.Engine) -> None:
    """Have the engine break off what is carried; a question that comes before that has shown may break off with it."""
    engine.restart()
    with pytest.raises(Unreachable):
        asked.containers()


def test_a_long_temporary_folder_is_no_trouble_for_ssh(
    behind_ssh: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A TMPDIR whose path a socket has no room for is not used for one."""
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with connect(Target(docker_host="ssh://prod")) as asked:
        assert whose(asked) == behind_ssh.boxes[0].service


@pytest.mark.usefixtures("behind_ssh")
def test_no_folder_for_ssh_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the socket cannot be made, the sentence says what to set."""
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    target = Target(docker_host="ssh://prod")
    with pytest.raises(Unreachable, match=r"ssh://prod needs a folder .*; set TMPDIR"), connect(target):
        pass


def test_ssh_that_fails_once_is_not_blamed_later(behind_ssh: Engine, tmp_path: Path) -> None:
    """What ssh said of one failure is told of that one; when it works again, another trouble has its own sentence."""
    with connect(Target(docker_host="ssh://prod")) as asked:
        assert whose(asked) == "livekit"
        (tmp_path / "down").touch()
        broken_off(behind_ssh, asked)
        with pytest.raises(Unreachable, match="ssh://prod cannot be reached: no route to prod"):
            asked.containers()
        (tmp_path / "down").unlink()
        assert whose(asked) == "livekit"
        behind_ssh.refusal = 403, "not for you"
        with pytest.raises(Unreachable, match="ssh://prod refuses: not for you"):
            asked.containers()
        behind_ssh.refusal = None
        (container,) = asked.containers()
        behind_ssh.cut_after = 1
        behind_ssh.boxes[0].log("one")
        with pytest.raises(Unreachable, match="broke the connection off"):
            list(asked.log(container))


def test_an_ssh_that_cannot_be_started_is_told(
    behind_ssh: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program that cannot be started does not leave later connections waiting, and they work once it can."""
    with connect(Target(docker_host="ssh://prod")) as asked:
        program = tmp_path / "bin" / "ssh"
        program.rename(tmp_path / "away")
        monkeypatch.setenv("PATH", str(program.parent))
        broken_off(behind_ssh, asked)
        with pytest.raises(Unreachable, match=r"ssh://prod cannot be reached: the program ssh cannot be started"):
            asked.containers()
        (tmp_path / "away").rename(program)
        assert whose(asked) == "livekit"


def test_no_address_becomes_an_option_or_a_command() -> None:
    """A host cannot pass for an option of ssh, and a path cannot end a word of the command there."""
    with pytest.raises(Unreachable, match="names no host"):
        command("ssh://-oProxyCommand=x", "/tmp/s")
    assert command("ssh://prod/run/my socket;id", "/tmp/s")[-4:-2] == ("--host", "'unix:///run/my socket;id'")


def _no_socket(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Target]:
    yield Target(docker_host=f"unix://{folder}/none.sock")


def _refused(_: Path, __: pytest.MonkeyPatch) -> Iterator[Target]:
    with Engine() as engine:
        engine.down()
        yield Target(docker_host=engine.host)


def _refused_port(_: Path, __: pytest.MonkeyPatch) -> Iterator[Target]:
    with Engine(tcp=True) as engine:
        engine.down()
        yield Target(docker_host=engine.host)


def _forbidden(_: Path, __: pytest.MonkeyPatch) -> Iterator[Target]:
    with Engine() as engine, ExitStack() as stack:
        engine.forbid()
        if os.geteuid() == 0:  # who may do everything is no witness
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)
        yield Target(docker_host=engine.host)


def _unknown_context(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Target]:
    context(folder / "docker", "prod", "unix:///x")
    yield Target(docker_context="staging")


def _broken_context(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Target]:
    context(folder / "docker", "prod", "unix:///x")
    next((folder / "docker").rglob("meta.json")).write_text("{")
    yield Target(docker_context="prod")


def _no_certificate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setenv("DOCKER_CERT_PATH", str(folder))
    yield Target(docker_host="tcp://127.0.0.1:1")


def _no_ssh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setenv("PATH", str(folder))
    yield Target(docker_host="ssh://prod")


def _failing_ssh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    ssh_program(folder / "bin", monkeypatch, 'import sys; sys.exit("ann@prod: Permission denied (publickey).")')
    yield Target(docker_host="ssh://ann@prod")


def _no_address(_: Path, __: pytest.MonkeyPatch) -> Iterator[Target]:
    yield Target(docker_host="prod")


def _other_system(_: Path, __: pytest.MonkeyPatch) -> Iterator[Target]:
    yield Target(docker_host="npipe:////./pipe/docker_engine")


def _too_old(_: Path, __: pytest.MonkeyPatch) -> Iterator[Target]:
    with Engine() as engine:
        engine.api_version = "1.12"
        yield Target(docker_host=engine.host)


def _refusing(_: Path, __: pytest.MonkeyPatch) -> Iterator[Target]:
    with Engine() as engine:
        engine.refusal = 403, f"authorization denied by plugin, token={SECRET}"
        yield Target(docker_host=engine.host)


def _silent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setattr(docker, "READ", 0.1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
        listener.listen()
        yield Target(docker_host=f"unix://{folder}/s")


FAILURES: list[tuple[Callable[[Path, pytest.MonkeyPatch], Iterator[Target]], str]] = [
    (_no_socket, r"no Docker engine at unix:///.*none.sock: there is no such socket; start Docker, or say where"),
    (_refused, r"no Docker engine at unix:///.*: the connection is refused; start Docker"),
    (_refused_port, r"no Docker engine at tcp://127.0.0.1:\d+: the connection is refused; start Docker"),
    (_forbidden, r"no permission for the Docker socket .*: add this user to the group \w+"),
    (_unknown_context, r"there is no Docker context staging; docker context ls shows"),
    (_broken_context, r"the Docker context prod cannot be read: .*; see docker context ls"),
    (_no_certificate, r"DOCKER_CERT_PATH holds no certificate for tcp://127.0.0.1:1"),
    (_no_ssh, r"ssh://prod needs the program ssh, which is not installed"),
    (
        _failing_ssh,
        r"ssh://ann@prod cannot be reached: .* denied \(publickey\)\.; try it by hand: docker --host ssh://ann@prod version",
    ),
    (_no_address, r"prod is no address of a Docker engine; expected unix:///PATH"),
    (_other_system, r"npipe:.* is no address of a Docker engine"),
    (_too_old, r"the Docker engine at unix:///.* is too old: .*; update Docker"),
    (_refusing, r"the Docker engine at unix:///.* refuses: authorization denied by plugin, token=\[redacted\]"),
    (_silent, r"the Docker engine at unix:///.* does not answer in time"),
]


@pytest.mark.parametrize(("failure", "sentence"), FAILURES, ids=[failure.__name__ for failure, _ in FAILURES])
def test_what_is_wrong_is_said_in_one_sentence(
    failure: Callable[[Path, pytest.MonkeyPatch], Iterator[Target]],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever keeps Fletcher from the engine is named in one line, with what to do about it."""
    with (
        contextmanager(failure)(tmp_path, monkeypatch) as target,
        pytest.raises(Unreachable, match=sentence) as told,
        connect(target) as asked,
    ):
        asked.containers()
    assert "\n" not in str(told.value)


def test_looking_changes_nothing() -> None:
    """Only questions are asked."""
    with Engine() as engine:
        box = engine.add("livekit", lines=["one"])
        before = replace(box, stored=list(box.stored))
        with connect(Target(docker_host=engine.host)) as asked:
            for container in asked.containers():
                list(asked.log(container))
        assert box == before
        assert {path.partition("?")[0].rpartition("/")[2] for path in engine.asked} == {"version", "json", "logs"}
