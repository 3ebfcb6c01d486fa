"""LiveKit's server configuration and compose files, read with the line of every node."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bot.livekit.setup import Dispatcher, ServerSetup, Unread
from bot.source.dotenv import expanded
from bot.source.surroundings import Service, Setting, normal
from bot.source.text import SourceText

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from yaml import Node

    from bot.livekit.setup import Place

MAX_SIZE = 400_000
MAX_LOOKUPS = 20_000
SERVER_KEYS = {
    "rtc",
    "keys",
    "key_file",
    "redis",
    "turn",
    "agents",
    "room",
    "webhook",
    "logging",
    "bind_addresses",
    "node_selector",
    "prometheus_port",
    "signal_relay",
    "ingress",
    "sip",
    "limit",
}
_SURE_KEYS = {"rtc", "keys", "key_file", "bind_addresses"}


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of one YAML file as nodes that know their lines."""

    text: SourceText
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compose:
    """What a compose file says; `env_files` pairs a service's index with the paths it names."""

    services: tuple[Service, ...] = ()
    env_files: tuple[tuple[int, str], ...] = ()
    servers: tuple[ServerSetup, ...] = ()


@dataclass
class _Doc:
    """A parsed document whose nodes are looked up by key, aliases and merge keys included."""

    text: SourceText
    shift: int = 0
    depth: int = 0
    lookups: int = 0

    def place(self, node: Node) -> Place:
        return self.text.place(node.start_mark.line + 1 + self.shift)

    def items(self, node: Node | None) -> Iterator[tuple[str, Node, Node]]:
        """Key, key node and value node of a mapping; merged mappings come first, so that own keys win."""
        from yaml import MappingNode, ScalarNode, SequenceNode

        # Merged mappings may be merged mappings themselves, many times over.
        self.lookups += 1
        if not isinstance(node, MappingNode) or self.depth > 8 or self.lookups > MAX_LOOKUPS:
            return
        self.depth += 1
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.tag == "tag:yaml.org,2002:merge":
                for part in value.value if isinstance(value, SequenceNode) else [value]:
                    yield from self.items(part)
        self.depth -= 1
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                yield str(key.value), key, value

    def get(self, node: Node | None, *path: str) -> Node | None:
        for step in path:
            found = None
            for key, _, value in self.items(node):
                if key == step:
                    found = value
            if found is None:
                return None
            node = found
        return node


_MAY_MATTER = re.compile(rb"(?m)^(?:services|configs|rtc|keys|key_file|port|redis|room|agents|logging|livekit)\s*:")


def may_matter(raw: bytes) -> bool:
    """Whether a YAML file has a top-level key of a compose file or a server's configuration."""
    return len(raw) <= MAX_SIZE and _MAY_MATTER.search(raw.removeprefix(b"\xef\xbb\xbf")) is not None


def parse(text: SourceText) -> Documents | Unread:
    """The documents of a YAML text as nodes, or why it cannot be read."""
    import yaml

    if len(text.data) > MAX_SIZE:
        return Unread(text.source, 0, "is too large for a configuration")
    documents: list[Node] = []
    try:
        # The loader in C has no limit to its recursion and would take the program down with it.
        for node in yaml.compose_all(text.data.decode("utf-8", "replace"), Loader=yaml.SafeLoader):
            if node is not None:
                documents.append(node)
            if len(documents) > 100:
                break
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        return Unread(text.source, line, f"is not valid YAML: {error.problem or error.context or 'unreadable'}")
    except (yaml.YAMLError, ValueError, RecursionError):
        return Unread(text.source, 0, "is not valid YAML")
    return Documents(text, tuple(documents))


def is_server_config(documents: Documents) -> bool:
    """Whether a YAML file looks like the configuration of a LiveKit server."""
    doc = _Doc(documents.text)
    for node in documents.nodes:
        keys = {key for key, _, _ in doc.items(node)}
        # The configurations of egress, ingress and SIP have an `api_key` and no `keys`.
        if keys & {"services", "apiVersion", "api_key", "ws_url"}:
            continue
        named = "livekit" in PurePosixPath(documents.text.source).name.lower() and bool(keys & (SERVER_KEYS | {"port"}))
        if named or (keys & _SURE_KEYS and len(keys & (SERVER_KEYS | {"port"})) > 1):
            return True
    return False


def read_server(documents: Documents) -> ServerSetup | None:
    """The configuration of a LiveKit server, or None when there is no mapping at all."""
    doc = _Doc(documents.text)
    for node in documents.nodes:
        inner = doc.get(node, "livekit")
        # A Helm chart keeps the server's configuration one level down.
        root = inner if inner is not None and doc.get(inner, "rtc") is not None else node
        if any(True for _ in doc.items(root)):
            return _server(doc, root)
    return None


def _server(doc: _Doc, root: Node) -> ServerSetup:
    target = doc.get(root, "agents", "target_load")
    level = _scalar(doc.get(root, "logging", "level")) or _scalar(doc.get(root, "log_level"))
    redis = doc.get(root, "redis")
    addresses = [doc.get(redis, key) for key in ("address", "sentinel_addresses", "cluster_addresses")]
    return ServerSetup(
        place=doc.place(target if target is not None else root),
        log_level=level.lower() if level else None,
        log_json=_truth(_scalar(doc.get(root, "logging", "json"))),
        target_load=_number(_scalar(target)),
        redis=any(_filled(address) for address in addresses),
        auto_create=_truth(_scalar(doc.get(root, "room", "auto_create"))),
        node_ip=_scalar(doc.get(root, "rtc", "node_ip")) or None,
        presets=tuple(_presets(doc, root)),
        port=_whole(_scalar(doc.get(root, "port"))),
        keys=tuple(dict.fromkeys(key for key, _, _ in doc.items(doc.get(root, "keys")))),
    )


def _presets(doc: _Doc, root: Node) -> Iterator[Dispatcher]:
    from yaml import SequenceNode

    for holder in (doc.get(root, "room", "room_configurations"), doc.get(root, "room_configurations")):
        for _, _, preset in doc.items(holder):
            agents = doc.get(preset, "agents")
            for item in agents.value if isinstance(agents, SequenceNode) else []:
                name = doc.get(item, "agent_name")
                name = doc.get(item, "agentName") if name is None else name
                deployment = _scalar(doc.get(item, "deployment"))
                # A preset is only used by a token or a call that names it.
                yield Dispatcher(
                    doc.place(item), "preset", _scalar(name) or "", conditional=True, deployment=deployment
                )


def is_compose(documents: Documents) -> bool:
    """Whether a YAML file looks like a compose file."""
    doc = _Doc(documents.text)
    return any(any(True for _ in doc.items(doc.get(node, "services"))) for node in documents.nodes)


def read_compose(documents: Documents, known: Mapping[str, str | None]) -> Compose:
    """The services of a compose file; `known` is what the `.env` beside it sets."""
    doc = _Doc(documents.text)
    folder = PurePosixPath(documents.text.source).parent
    services: list[Service] = []
    env_files: list[tuple[int, str]] = []
    servers: list[ServerSetup] = []
    for node in documents.nodes:
        for name, _, service in doc.items(doc.get(node, "services")):
            # A service's own setting takes the place of one that is merged in.
            own = {setting.name: setting for setting in _environment(doc, doc.get(service, "environment"), known)}
            settings = tuple(own.values())
            at = len(services)
            env_files.extend((at, str(folder / path)) for path in _paths(doc, doc.get(service, "env_file")))
            services.append(Service(name, _built_from(doc, service, folder), settings))
        for holder in (doc.get(node, "services"), doc.get(node, "configs")):
            servers.extend(_embedded(doc, holder))
    return Compose(tuple(services), tuple(env_files), tuple(servers))


def _environment(doc: _Doc, node: Node | None, known: Mapping[str, str | None]) -> Iterator[Setting]:
    from yaml import ScalarNode, SequenceNode

    if isinstance(node, SequenceNode):
        for item in node.value:
            if isinstance(item, ScalarNode):
                name, equals, written = str(item.value).partition("=")
                given = expanded(_compose_text(written), known) if equals else known.get(name)
                yield Setting(name.strip(), given, doc.place(item))
        return
    for name, key, value in doc.items(node):
        if not isinstance(value, ScalarNode):
            continue
        empty = value.value in {"", "null", "~"} and value.tag == "tag:yaml.org,2002:null"
        given = known.get(name) if empty else expanded(_compose_text(str(value.value)), known)
        yield Setting(name, given, doc.place(key))


def _compose_text(value: str) -> str:
    return value.replace("$$", "\\$")


def _paths(doc: _Doc, node: Node | None) -> Iterator[str]:
    from yaml import MappingNode, ScalarNode, SequenceNode

    for item in node.value if isinstance(node, SequenceNode) else [node]:
        if isinstance(item, ScalarNode):
            yield str(item.value)
        elif isinstance(item, MappingNode):
            path = _scalar(doc.get(item, "path"))
            if path:
                yield path


def _built_from(doc: _Doc, service: Node, folder: PurePosixPath) -> str | None:
    from yaml import ScalarNode

    build = doc.get(service, "build")
    if build is None:
        return None
    context = str(build.value) if isinstance(build, ScalarNode) else _scalar(doc.get(build, "context")) or "."
    dockerfile = _scalar(doc.get(build, "dockerfile")) or ""
    # `context: .` with `dockerfile: apps/agent/Dockerfile` builds the program that lies beside it.
    inner = PurePosixPath(dockerfile).parent
    if "$" in context or "://" in context:
        return None
    return normal(folder / context / inner)


def _embedded(doc: _Doc, holder: Node | None) -> Iterator[ServerSetup]:
    """Server configurations that a compose file carries as a text (`LIVEKIT_CONFIG`, `configs: content:`)."""
    from yaml import ScalarNode

    for _, _, service in doc.items(holder):
        bodies = [doc.get(service, "content"), doc.get(service, "environment", "LIVEKIT_CONFIG")]
        for body in bodies:
            if not isinstance(body, ScalarNode) or "\n" not in str(body.value):
                continue
            inner = SourceText(doc.text.source, str(body.value).encode())
            documents = parse(inner)
            if isinstance(documents, Unread) or not is_server_config(documents):
                continue
            outer = _Doc(doc.text, body.start_mark.line + (1 if body.style in {"|", ">"} else 0))
            yield _server(outer, documents.nodes[0])


def _scalar(node: Node | None) -> str | None:
    from yaml import ScalarNode

    return str(node.value) if isinstance(node, ScalarNode) and node.tag != "tag:yaml.org,2002:null" else None


def _filled(node: Node | None) -> bool:
    from yaml import SequenceNode

    return bool(_scalar(node)) or (isinstance(node, SequenceNode) and bool(node.value))


def _truth(text: str | None) -> bool | None:
    if text is None:
        return None
    return {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(text.lower())


def _number(text: str | None) -> float | None:
    if text is None or not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return None
    return float(text)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,5}", text) else None
