"""A project's source and configuration: what registers as a worker, and every place that dispatches."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bot.errors import UsageError
from bot.evidence.project_files import Files, read_bytes, walk
from bot.livekit.setup import Dispatcher, EnvSetting, ServerSetup, Setup, Unread
from bot.redact import redact
from bot.source import dotenv, imports, settle, versions
from bot.source import yaml as config
from bot.source.edit import Edited
from bot.source.evaluate import Budget, Evaluator
from bot.source.surroundings import EnvFile, Service, Setting, Surroundings, normal
from bot.source.text import SourceText, source_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bot.livekit.setup import SdkVersion
    from bot.source.edit import Want
    from bot.source.found import Found, FoundDispatch

MAX_SOURCE = 1_000_000
MAX_LOCK = 64_000_000
_TYPESCRIPT = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
_PYTHON = (".py", ".pyw")
_BUNDLES = (".js", ".mjs", ".cjs", ".json")
_SHELL = (".sh", ".bash", ".zsh")
# A file is only parsed when it has one of these words; the second line also occurs in programs without LiveKit.
_SURE = re.compile(
    rb"RoomAgentDispatch|RoomConfiguration|rtc_session|[rR]oomConfig|room_config|ServerOptions|WorkerOptions"
    rb"|AgentDispatch|SipDispatchRule|SIPDispatchRule"
)
_MAYBE = re.compile(
    rb"AgentServer|runApp|run_app|AccessToken|createDispatch|create_dispatch|createRoom|create_room|CreateRoom"
    rb"|useSession|okenSource|agentName|agent_name"
)
_RULE = re.compile(rb'"(?:roomConfig|room_config)"')
# What a front end sees of its environment; these are the prefixes that build tools hand through.
_FRONT = re.compile(r"(?:NEXT_PUBLIC|VITE|PUBLIC|NUXT_PUBLIC|REACT_APP|EXPO_PUBLIC)_(?:\w+_)?AGENT_NAME")
_REPORTED = re.compile(r"LIVEKIT_\w+|LOG_LEVEL|NUM_CPUS")
_WHOLLY_SECRET = {"LIVEKIT_CONFIG", "LIVEKIT_CONFIG_BODY", "LIVEKIT_KEYS", "LIVEKIT_TOKEN", "LIVEKIT_WORKER_TOKEN"}


def read_project(path: Path) -> Setup:
    """What the source and the configuration in a folder (or one file) say.

    What cannot be read becomes an `unread` entry. Raises UsageError when there is no such path.
    """
    return open_project(path).setup


def open_project(path: Path) -> Project:
    """A folder (or one file) as a project that was read, and can say what an edit would make of each of its files.

    Raises UsageError when there is no such path.
    """
    if not path.exists():
        raise UsageError(f"there is no file or folder {path}: a folder with the source of a worker was expected")
    return Project(walk(path))


def read_livekit_config(path: Path) -> ServerSetup:
    """The configuration of a LiveKit server.

    Raises UsageError when the file cannot be read or holds no mapping.
    """
    raw = read_bytes(path, config.MAX_SIZE)
    if isinstance(raw, str):
        raise UsageError(f"{path} {raw}: the YAML configuration of a LiveKit server was expected")
    text = source_text(str(path), raw)
    documents = config.parse(text) if isinstance(text, SourceText) else text
    if isinstance(documents, Unread):
        at = f":{documents.line}" if documents.line else ""
        raise UsageError(f"{path}{at} {documents.why}: the YAML configuration of a LiveKit server was expected")
    found = config.read_server(documents)
    if found is None:
        raise UsageError(f"{path} holds no settings: the YAML configuration of a LiveKit server was expected")
    return found


def merge(setups: Iterable[Setup]) -> Setup:
    """Several setups as one, each entry once, in the order in which they came."""
    several = list(setups)
    merged: dict[str, tuple[object, ...]] = {}
    for one in fields(Setup):
        merged[one.name] = tuple(dict.fromkeys(item for setup in several for item in getattr(setup, one.name)))
    return Setup(**merged)  # type: ignore[arg-type]  # each field keeps its own kind of entries


@dataclass
class Project:
    """One project: its files as they were when they were read, and what they say."""

    files: Files
    unread: list[Unread] = field(default_factory=list)
    texts: dict[str, SourceText | None] = field(default_factory=dict)
    raws: dict[str, bytes] = field(default_factory=dict)
    modules: dict[str, Evaluator | None] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)
    versions: list[SdkVersion] = field(default_factory=list)
    servers: list[ServerSetup] = field(default_factory=list)
    dispatches: list[FoundDispatch] = field(default_factory=list)
    fronts: tuple[bytes, ...] = ()
    used: set[str] = field(default_factory=set)
    found: dict[str, Found] = field(default_factory=dict)
    around: Surroundings = field(default_factory=Surroundings)
    setup: Setup = field(default_factory=Setup)

    def __post_init__(self) -> None:
        self.unread.extend(self.files.unread)
        self.around = self._surroundings()
        fronts = {setting.name.encode() for setting in self.settings if _FRONT.fullmatch(setting.name)}
        self.fronts = tuple(sorted(fronts))
        self._sources(self.files.paths)
        if not any(one.workers or one.dispatches or one.tokens for one in self.found.values()):
            # Nothing in the sources: what is compiled, or lies among the tests, may be all there is.
            self._sources(self.files.second)
        self.setup = self._setup(list(self.found.values()))

    def edit(self, path: str, want: Want) -> Edited:
        """What a source file would become. Nothing is written."""
        module, raw = self._module(path), self.raws.get(path, b"")
        if module is not None and _speaks_python(path, module.text):
            from bot.source import python_edit
            from bot.source.python_values import PythonModule

            if isinstance(module, PythonModule):
                return python_edit.edit(module.text, raw, module, want, self.around)
        elif module is not None:
            from bot.source import typescript_edit
            from bot.source.typescript_values import TypeScriptModule

            if isinstance(module, TypeScriptModule):
                return typescript_edit.edit(module.text, raw, module, want, self.around)
        why = next((one.why for one in self.unread if one.source == path), "is no source")
        return Edited("refused", raw, f"the file {why}")

    def _sources(self, paths: Iterable[str]) -> None:
        for path in paths:
            one = self._source(path) if self._is_source(path) else None
            if one is not None:
                self.found[path] = one

    def _setup(self, several: Sequence[Found]) -> Setup:
        dispatches = [*(dispatch for one in several for dispatch in one.dispatches), *self.dispatches]
        asked = [one for dispatch in dispatches for one in settle.dispatchers(dispatch, self.around)]
        asked.extend(self._by_environment({one.name_variable for one in asked}))
        return Setup(
            workers=tuple(settle.worker(worker, self.around) for one in several for worker in one.workers),
            dispatchers=tuple(asked),
            token_makers=tuple(settle.token_maker(token) for one in several for token in one.tokens),
            server=tuple(self.servers),
            env=tuple(_reported(self.settings)),
            sdk_versions=tuple(self.versions),
            unread=tuple(dict.fromkeys(self.unread)),
        )

    def _by_environment(self, followed: set[str | None]) -> Iterable[Dispatcher]:
        """Agents that a front end gets from its environment, where its code could not be followed to a dispatch."""
        for setting in self.settings:
            if setting.name in self.used and setting.name not in followed and setting.value:
                note = f"`{setting.name}` is read by the front end; how it asks for the agent could not be followed"
                yield Dispatcher(setting.place, "env", setting.value, True, None, note, setting.name)

    # --- files -------------------------------------------------------------------------------

    def _text(self, path: str, limit: int = MAX_SOURCE) -> SourceText | None:
        if path not in self.texts:
            raw = self.files.read(path, limit)
            if raw == "is empty" and not self.files.single:
                raw = b""  # an empty module is a module, too
            if isinstance(raw, bytes):
                self.raws[path] = raw
            text = Unread(path, 0, raw) if isinstance(raw, str) else source_text(path, raw)
            if isinstance(text, Unread):
                self.unread.append(text)
                self.texts[path] = None
            else:
                self.texts[path] = text
        return self.texts[path]

    def _is_source(self, path: str) -> bool:
        suffix = PurePosixPath(path).suffix.lower()
        if suffix in _TYPESCRIPT or suffix in _PYTHON or suffix == ".json":
            return True
        return (
            (self.files.single or path in self.files.asked)
            and suffix not in {".yaml", ".yml", *_SHELL}
            and not is_dotenv(path)
        )

    def _source(self, path: str) -> Found | None:
        raw = self.files.read(path, MAX_SOURCE)
        if isinstance(raw, bytes):
            self.used.update(name.decode() for name in self.fronts if name in raw)
            if not self._relevant(path, raw):
                return None
        elif not self.files.single and (raw == "is empty" or PurePosixPath(path).suffix.lower() in _BUNDLES):
            return None  # a script that large is a bundle, or data
        module = self._module(path)
        if module is None:
            return None
        # Only what reads its language is loaded: half of the time that one file takes is loading.
        found: Found | None = None
        if _speaks_python(path, module.text):
            from bot.source import python
            from bot.source.python_values import PythonModule

            found = python.read(module) if isinstance(module, PythonModule) else None
        else:
            from bot.source import typescript
            from bot.source.typescript_values import TypeScriptModule

            found = typescript.read(module) if isinstance(module, TypeScriptModule) else None
        if found is not None:
            self.unread.extend(found.unread)
        return found

    def _relevant(self, path: str, raw: bytes) -> bool:
        if self.files.single or path in self.files.asked:
            return True
        if PurePosixPath(path).suffix.lower() == ".json":
            return len(raw) < 300_000 and _RULE.search(raw) is not None
        if _is_minified(raw):
            return False
        if _SURE.search(raw) is not None:
            return True
        return _MAYBE.search(raw) is not None and b"livekit" in raw.lower()

    def _module(self, path: str) -> Evaluator | None:
        if path not in self.modules:
            text = self._text(path)
            self.modules[path] = None
            if text is not None:
                # Each file has a budget of its own: one that is too involved does not cost the others theirs.
                if _speaks_python(path, text):
                    from bot.source import python

                    self.modules[path] = python.parse(text, self._load, Budget())
                else:
                    from bot.source import typescript

                    self.modules[path] = typescript.parse(text, self._load, Budget())
        return self.modules[path]

    def _load(self, source: str, spec: str) -> Evaluator | None:
        if self.files.single or len(self.modules) > 2000:
            return None
        target = (
            imports.python_target(source, spec, self.files.known, self.files.top)
            if PurePosixPath(source).suffix.lower() in _PYTHON
            else imports.typescript_targets(source, spec, self.files.known, self.files.roots, self.packages)
        )
        return self._module(target) if target is not None else None

    # --- what stands around ------------------------------------------------------------------

    def _surroundings(self) -> Surroundings:
        env_files: list[EnvFile] = []
        by_path: dict[str, tuple[Setting, ...]] = {}
        images: dict[str, tuple[Setting, ...]] = {}
        for path in self.files.paths:
            name, folder = PurePosixPath(path).name, str(PurePosixPath(path).parent)
            if is_dotenv(path):
                text = self._text(path)
                found = dotenv.read_dotenv(text) if text is not None else ()
                by_path[path] = found
                self.settings.extend(found)
                if name in {".env", ".env.local", ".envrc"}:
                    env_files.append(EnvFile(folder, {".env.local": 3, ".env": 2}.get(name, 1), found))
            elif name == "Dockerfile" or name.startswith("Dockerfile.") or name.endswith(".Dockerfile"):
                text = self._text(path)
                found = dotenv.read_dockerfile(text) if text is not None else ()
                images[folder] = (*images.get(folder, ()), *found)
                self.settings.extend(found)
            else:
                self._other(path, name)
        services = self._services(by_path, images)
        for path in self.files.installed:
            self._installed(path)
        return Surroundings(tuple(env_files), tuple(services), tuple(self.versions))

    def _other(self, path: str, name: str) -> None:
        suffix = PurePosixPath(path).suffix.lower()
        if name in versions.LOCKS:
            text = self._text(path, MAX_LOCK)
            if text is not None:
                self.versions.extend(versions.read_lock(text))
        elif name == "package.json":
            text = self._text(path)
            if text is not None:
                self.versions.extend(versions.read_package_json(text))
                self._package(path, text)
        elif name == "pyproject.toml" or (name.startswith("requirements") and suffix in {".txt", ".in"}):
            text = self._text(path)
            if text is not None:
                self.versions.extend(versions.read_requirements(text))
        elif suffix in _SHELL or name in {"Makefile", "justfile", "Justfile", "Taskfile.yml", "taskfile.yaml"}:
            text = self._text(path)
            if text is not None:
                from bot.source import shell  # most projects have no script that asks for an agent

                for line, words in text.joined(comments="between"):
                    self.dispatches.extend(shell.read_script(text, line, words))

    def _package(self, path: str, text: SourceText) -> None:
        name = versions.package_name(text)
        if name:
            self.packages.setdefault(name, str(PurePosixPath(path).parent))
        for line, command in versions.scripts(text):
            from bot.source import shell

            self.dispatches.extend(shell.read_script(text, line, command))
            self.settings.extend(dotenv.before_command(text, line, command))

    def _installed(self, path: str) -> None:
        if path.endswith("package.json"):
            text = self._text(path)
            if text is not None:
                self.versions.extend(versions.read_package_json(text))
        else:
            self.versions.extend(versions.installed(path))

    def _services(
        self, by_path: Mapping[str, tuple[Setting, ...]], images: Mapping[str, tuple[Setting, ...]]
    ) -> list[Service]:
        services: dict[tuple[str, str], Service] = {}
        for path in self.files.paths:
            suffix = PurePosixPath(path).suffix.lower()
            if suffix not in {".yaml", ".yml"} or PurePosixPath(path).name in versions.LOCKS:
                continue
            named = any(word in PurePosixPath(path).name.lower() for word in ("compose", "livekit", "taskfile"))
            raw = self.files.read(path, config.MAX_SIZE)
            if isinstance(raw, str) and named:
                self.unread.append(Unread(path, 0, raw))
            if isinstance(raw, str) or not config.may_matter(raw):
                continue
            text = self._text(path)
            documents = config.parse(text) if text is not None else Unread(path, 0, "")
            if isinstance(documents, Unread) or text is None:
                if text is not None and isinstance(documents, Unread) and (named or self.files.single):
                    self.unread.append(documents)
                continue
            if config.is_server_config(documents):
                server = config.read_server(documents)
                self.servers.extend([server] if server is not None else [])
            elif config.is_compose(documents):
                self._compose(path, documents, by_path, images, services)
        folders = {service.folder for service in services.values()}
        alone = [Service("Dockerfile", folder, found) for folder, found in images.items() if folder not in folders]
        return [*services.values(), *(service for service in alone if service.settings)]

    def _compose(
        self,
        path: str,
        documents: config.Documents,
        by_path: Mapping[str, tuple[Setting, ...]],
        images: Mapping[str, tuple[Setting, ...]],
        services: dict[tuple[str, str], Service],
    ) -> None:
        folder = str(PurePosixPath(path).parent)
        known = {
            setting.name: setting.value
            for name, found in by_path.items()
            if name == normal(PurePosixPath(folder) / ".env")
            for setting in found
        }
        compose = config.read_compose(documents, known)
        self.servers.extend(compose.servers)
        for index, service in enumerate(compose.services):
            files = [normal(PurePosixPath(name)) for at, name in compose.env_files if at == index]
            given = [setting for name in files for setting in by_path.get(name, ())]
            image = images.get(service.folder, ()) if service.folder is not None else ()
            self.settings.extend(service.settings)
            whole = Service(service.name, service.folder, (*image, *given, *service.settings))
            # An override file belongs to the file beside it: one service, the later settings win.
            key = (folder if "override" in path else path, service.name)
            base = next((one for one in services if one[1] == service.name and one[0].startswith(folder)), None)
            if "override" in PurePosixPath(path).name and base is not None:
                old = services[base]
                merged = (*old.settings, *whole.settings)
                services[base] = Service(old.name, old.folder or whole.folder, merged)
            else:
                services[key] = whole


def _reported(settings: list[Setting]) -> Iterable[EnvSetting]:
    for setting in settings:
        if setting.value is None or not _REPORTED.fullmatch(setting.name):
            continue
        shown = redact(f"{setting.name}={setting.value}").partition("=")[2]
        if setting.name in _WHOLLY_SECRET and setting.value:
            shown = "[redacted]"
        yield EnvSetting(setting.name, shown, setting.place)


def is_dotenv(path: str) -> bool:
    """Whether a file of this name holds the environment of a program."""
    name = PurePosixPath(path).name
    if name.rpartition(".")[2] in {"example", "sample", "template", "dist", "defaults", "schema", "md", "ts", "js"}:
        return False
    return name in {".env", ".envrc"} or name.startswith(".env.") or name.endswith(".env")


def _is_minified(raw: bytes) -> bool:
    lines = raw.count(b"\n") + 1
    return len(raw) > 20_000 and len(raw) / lines > 1_000


def _speaks_python(path: str, text: SourceText) -> bool:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in _PYTHON:
        return True
    if suffix in _TYPESCRIPT or suffix == ".json":
        return False
    # A file of another name: what parses is what it is.
    from bot.source.grammar import parser

    return not parser("python").parse(text.data).root_node.has_error
