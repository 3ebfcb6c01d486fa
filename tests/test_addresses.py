"""Where a container can be reached depends on where its engine is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bot.evidence.addresses import server_address, worker_addresses
from bot.evidence.attach import attach
from bot.evidence.docker import connect
from bot.settings import Target
from tests.doubles.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from bot.evidence.attach import Attached

LOCAL = "unix:///var/run/docker.sock"


def attached(here: Path, **box: Any) -> Attached:  # noqa: ANN401  # Box's fields
    """What is found of a server and a worker with these ports and networks."""
    with Engine() as engine:
        engine.add("livekit", image="livekit/livekit-server:v1.13.5", **box)
        engine.add("agent", env={"LIVEKIT_URL": "ws://livekit:7880"}, **box)
        with connect(Target(docker_host=engine.host)) as reached:
            return attach(reached.containers(), Target(), here)


def ports(host: str) -> dict[str, tuple[str, int]]:
    """Both ports, published on this address."""
    return {"7880/tcp": (host, 17880), "8081/tcp": (host, 18081)}


@pytest.mark.parametrize(
    ("engine", "box", "server", "worker"),
    [
        (LOCAL, {"ports": ports("0.0.0.0")}, "ws://127.0.0.1:17880", "http://127.0.0.1:18081"),  # noqa: S104  # as Docker writes it
        (LOCAL, {"ports": ports("127.0.0.1")}, "ws://127.0.0.1:17880", "http://127.0.0.1:18081"),
        (LOCAL, {"ports": ports("::1")}, "ws://[::1]:17880", "http://[::1]:18081"),
        (LOCAL, {"network_mode": "host", "ips": ()}, "ws://127.0.0.1:7880", "http://127.0.0.1:8081"),
        (LOCAL, {"ips": ("172.18.0.2",)}, "ws://172.18.0.2:7880", "http://172.18.0.2:8081"),
        (LOCAL, {"ips": ()}, "", ""),
        ("context prod (ssh://me@prod.example)", {"ports": ports("")}, "ws://prod.example:17880", "http://prod.example:18081"),
        ("tcp://10.1.2.3:2376", {"network_mode": "host", "ips": ()}, "ws://10.1.2.3:7880", "http://10.1.2.3:8081"),
        ("tcp://10.1.2.3:2376", {"ports": ports("127.0.0.1")}, "", ""),
        ("tcp://10.1.2.3:2376", {"ips": ("172.18.0.2",)}, "", ""),
        ("tcp://127.0.0.1:2375", {"ports": ports("")}, "ws://127.0.0.1:17880", "http://127.0.0.1:18081"),
    ],
)  # fmt: skip
def test_a_port_is_where_its_engine_is(
    tmp_path: Path, engine: str, box: dict[str, Any], server: str, worker: str
) -> None:
    """A port of an engine elsewhere is never asked on this machine, where somebody else may listen."""
    found = attached(tmp_path, **box)
    assert server_address(found, engine) == server
    assert [address for address, _ in worker_addresses(Target(), found, engine)] == ([worker] if worker else [])


def test_an_endpoint_that_is_set_is_the_one(tmp_path: Path) -> None:
    """What is set is asked, whatever containers there are."""
    found = attached(tmp_path, ports=ports(""))
    target = Target(worker_endpoint="http://here:1")
    assert worker_addresses(target, found, LOCAL) == (("http://here:1", ""),)


def test_inside_a_container_the_network_is_asked(tmp_path: Path) -> None:
    """Where Fletcher runs in a container of the same engine, 127.0.0.1 would be its own."""
    found = attached(tmp_path, ports=ports("127.0.0.1"), ips=("172.18.0.2",))
    assert server_address(found, LOCAL, inside=True) == "ws://172.18.0.2:7880"
