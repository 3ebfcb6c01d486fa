"""Workers, dispatches and tokens in TypeScript and JavaScript (also TSX, JSX, JSON)."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bot.source.evaluate import Budget
from bot.source.found import Found, FoundToken, FoundWorker
from bot.source.grammar import parser
from bot.source.reading import CONFIG_KEYS, RULE_KEYS, TWIRP, Reading, agent_name, more, why_unseen
from bot.source.text import SourceText, Spot
from bot.source.typescript_grants import OTHER_GRANTS, not_joining
from bot.source.typescript_scope import key_text, parameters
from bot.source.typescript_values import TypeScriptModule
from bot.source.values import (
    ABSENT,
    Either,
    Entry,
    Lit,
    Local,
    Made,
    Ref,
    Seq,
    Table,
    Unknown,
    Value,
    each,
    field,
    made_by,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.livekit.setup import Language, Via
    from bot.source.evaluate import Load
    from bot.source.grammar import Grammar

SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
_OPTIONS = ("ServerOptions", "WorkerOptions")
_MADE = (*_OPTIONS, "AgentServer", "Worker", "AccessToken", "RoomConfiguration", "RoomAgentDispatch")
_CALLED = (
    "runApp",
    "createDispatch",
    "createRoom",
    "createSipDispatchRule",
    "updateSipDispatchRule",
    "useSession",
    "fetch",
    "addGrant",
    "push",
    *OTHER_GRANTS,
)
# What reads a token, and what makes one.
_DECODERS = {"decodeJwt", "jwtDecode", "jwt_decode", "jwtVerify", "TokenVerifier"}
_MAKERS = {"AccessToken", "SignJWT", "sign"}


def parse(text: SourceText, load: Load | None = None, budget: Budget | None = None) -> TypeScriptModule:
    """The file as a module, ready to be read or to be imported from."""
    suffix = PurePosixPath(text.source).suffix.lower()
    if suffix == ".json":
        # A JSON text alone would be a block to the grammar; in parentheses it is an object.
        text = SourceText(text.source, b"(" + text.data + b"\n)", None if text.shift is None else text.shift - 1)
    grammars: tuple[Grammar, ...] = ("typescript",)
    if suffix in {".tsx", ".jsx"}:
        grammars = ("tsx",)
    elif suffix in {".js", ".mjs", ".cjs", ".json"}:
        grammars = ("javascript", "tsx")
    used = grammars[0]
    root = parser(used).parse(text.data).root_node
    for grammar in grammars[1:]:
        if root.has_error:
            other = parser(grammar).parse(text.data).root_node
            root, used = (root, used) if other.has_error else (other, grammar)
    return TypeScriptModule(text, root, used, load, budget or Budget())


def read(module: TypeScriptModule) -> Found:
    """What one file says about workers, dispatches and tokens."""
    return _Reading(module).read()


class _Reading(Reading):
    """One pass over one TypeScript or JavaScript file."""

    roots = frozenset({"agents", "livekit", "lk", "api", "sdk", "livekitServer", "livekitAgents", "cli"})
    converters = frozenset({"fromJson"})

    def __init__(self, module: TypeScriptModule) -> None:
        super().__init__(module)
        self.module = module
        self.makers: list[Node] = []
        suffix = PurePosixPath(module.text.source).suffix.lower()
        self.language: Language = "javascript" if suffix in {".js", ".jsx", ".mjs", ".cjs"} else "typescript"
        self.about_livekit = b"livekit" in module.text.data.lower()
        called = module.calls_by_name.keys()
        self.only_decodes = not called.isdisjoint(_DECODERS) and called.isdisjoint(_MAKERS)
        self.has_imports = bool(module.nodes("import_statement")) or b"require(" in module.text.data

    def read(self) -> Found:
        self.begin()
        aliases = list(self._aliases())
        calls = self._calls("call_expression", self.worth(_CALLED, aliases))
        made = self._calls("new_expression", self.worth(_MADE, aliases))
        for node in calls:
            self._worker(node)
        for node in made:
            self._started(node)
        for node in made:
            self._loose_options(node)
        for node in made:
            self._token(node)
        for node in calls:
            self._fill(node)
        assigned = self.module.nodes("assignment_expression")
        for node in assigned:
            self._fill_at_once(node)
        for node in assigned:
            self._assigned_config(node)
        for node in calls:
            self._dispatching_call(node)
        for receiver in not_joining(self.module, calls, assigned):
            self.forbid_joining(receiver)
        for node in self.module.nodes("pair"):
            self._config_property(node)
        self._twirp()
        for name in ("RoomConfiguration", "RoomAgentDispatch"):
            for node in made:
                self._loose_dispatch(node, name)
        return self.finish()

    def _calls(self, kind: str, names: set[str]) -> list[Node]:
        found = [
            node
            for name in names
            for node in self.module.calls_by_name.get(name, [])
            if node.type == kind and self.module.sound(node)
        ]
        return sorted(found, key=lambda node: node.start_byte)

    def _aliases(self) -> Iterator[tuple[str, str]]:
        """Each name that gets another one: by an import, a destructuring, an assignment or a subclass."""
        module = self.module
        for node in module.nodes("import_specifier"):
            alias = node.child_by_field_name("alias")
            if alias is not None:
                yield module.written(node.child_by_field_name("name")), module.written(alias)
        for node in module.nodes("pair_pattern"):
            key = key_text(node.child_by_field_name("key"), module.written)
            yield key or "", module.written(node.child_by_field_name("value"))
        for node in module.nodes("variable_declarator"):
            value = node.child_by_field_name("value")
            if value is not None and value.type in {"identifier", "member_expression"}:
                yield module.last_name(value), module.written(node.child_by_field_name("name"))
        for node in module.nodes("class_heritage"):
            base = module.written(node).removeprefix("extends").strip().rpartition(".")[2]
            owner = node.parent
            if owner is not None:
                yield base.partition("<")[0], module.written(owner.child_by_field_name("name"))

    def fields_of(self, made: Made) -> Value:
        """The object that a message of the protocol is made with."""
        return made.args[0] if made.args else ABSENT

    # --- workers -----------------------------------------------------------------------------

    def _worker(self, node: Node) -> None:
        callee = node.child_by_field_name("function")
        if callee is None or not self.module.written(callee).endswith("runApp"):
            return
        target = self.module.value(callee)
        if not isinstance(target, Ref) or target.name != "runApp" or not self.is_livekit(target):
            return
        if not target.module and target.path[-2:] != ("cli", "runApp"):
            return
        self._run(self.module.passed(node, 0), self.module.spot(node))

    def _started(self, node: Node) -> None:
        """`new AgentServer(options)` in a program that does without the CLI."""
        target = self.module.value(node.child_by_field_name("constructor"))
        if isinstance(target, Ref) and target.name in {"AgentServer", "Worker"} and "@livekit/agents" in target.module:
            self._run(self.module.passed(node, 0), self.module.spot(node))

    def _run(self, given: Value, spot: Spot) -> None:
        if given is ABSENT:
            return
        for option in each(given):
            if isinstance(option, Made) and option.callee.name in _OPTIONS:
                self.met.add(option.spot.key)
                where = option.spot if option.spot.text is spot.text else spot
                self._add_worker(where, option.args[0] if option.args else ABSENT)
            elif isinstance(option, Table):
                self._add_worker(spot, option)
            elif not isinstance(option, Lit):
                self.found.workers.append(FoundWorker(self.language, spot, None, why_unseen(option)))

    def _loose_options(self, node: Node) -> None:
        written = self.module.written(node.child_by_field_name("constructor")).rpartition(".")[2]
        value = self.module.value(node)
        for option in each(value):
            if not isinstance(option, Made) or option.callee.name not in _OPTIONS or option.spot.key in self.met:
                continue
            if not written or not self.is_livekit(option.callee) or option.spot.text is not self.module.text:
                continue
            self.met.add(option.spot.key)
            self._add_worker(option.spot, option.args[0] if option.args else ABSENT)

    def _add_worker(self, spot: Spot, options: Value) -> None:
        several = [option for option in each(options) if not isinstance(option, Lit)]
        if len(several) > 1:
            # Which object it is depends on a condition: as a spread, each option is asked one by one.
            options = Table((Entry(None, Either(tuple(several)), spot),), spot)
        elif several:
            options = several[0]
        if isinstance(options, Made) and options.callee.name in _OPTIONS and options.args:
            options = options.args[0]
        if isinstance(options, Table):
            self.found.workers.append(FoundWorker(self.language, spot, options))
        elif isinstance(options, Local) and options.kind == "instance":
            self.found.workers.append(FoundWorker(self.language, spot, Table((Entry(None, options, spot),), spot)))
        elif options is ABSENT:
            self.found.workers.append(FoundWorker(self.language, spot, Table((), spot)))
        else:
            self.found.workers.append(FoundWorker(self.language, spot, None, why_unseen(options)))

    # --- tokens ------------------------------------------------------------------------------

    def _token(self, node: Node) -> None:
        for option in each(self.module.value(node)):
            if isinstance(option, Made) and option.callee.name == "AccessToken" and self.is_livekit(option.callee):
                self.tokens.setdefault(option.spot.key, FoundToken(option.spot))
                self.makers.append(node)

    def _grant(self, receiver: Value, grant: Value) -> None:
        join = field(grant, "roomJoin") if isinstance(grant, Table) else Unknown("it is made elsewhere")
        agent = field(grant, "agent") if isinstance(grant, Table) else ABSENT
        if join is ABSENT or (isinstance(join, Lit) and not join.value) or (isinstance(agent, Lit) and agent.value):
            self.forbid_joining(receiver)

    def _beside(self, node: Node) -> list[Node]:
        """The tokens that are made in the same function."""
        function = self.module.function_at(node)
        return [maker for maker in self.makers if self.module.function_at(maker) == function]

    def _fill(self, node: Node) -> None:
        """`config.agents.push(…)`."""
        callee = node.child_by_field_name("function")
        owner = callee.child_by_field_name("object") if callee is not None else None
        if callee is None or owner is None or owner.type != "member_expression":
            return
        if self.module.written(callee.child_by_field_name("property")) != "push":
            return
        if self.module.written(owner.child_by_field_name("property")) == "agents":
            for made in made_by(self.module.value(owner.child_by_field_name("object")), "RoomConfiguration"):
                self.filled.add(made.spot.key)

    def _fill_at_once(self, node: Node) -> None:
        """`config.agents = […]`."""
        left = node.child_by_field_name("left")
        if left is None or left.type != "member_expression":
            return
        if self.module.written(left.child_by_field_name("property")) != "agents":
            return
        given = self.module.value(node.child_by_field_name("right"))
        if not (isinstance(given, Seq) and given.whole and not given.items):
            for made in made_by(self.module.value(left.child_by_field_name("object")), "RoomConfiguration"):
                self.filled.add(made.spot.key)

    # --- dispatches --------------------------------------------------------------------------

    def _assigned_config(self, node: Node) -> None:
        left = node.child_by_field_name("left")
        if left is None or left.type != "member_expression":
            return
        if self.module.written(left.child_by_field_name("property")) not in CONFIG_KEYS or not self.module.sound(node):
            return
        config = self.module.value(node.child_by_field_name("right"))
        conditional = self.module.scopes.guard(node)
        if self.config(config, "token", self.module.spot(node), conditional=conditional):
            self.mark(self.module.value(left.child_by_field_name("object")), self._beside(node))

    def _dispatching_call(self, node: Node) -> None:
        callee = node.child_by_field_name("function")
        if callee is None:
            return
        module, spot = self.module, self.module.spot(node)
        name = module.last_name(callee)
        if name not in _CALLED and callee.type == "member_expression":
            return
        conditional = module.scopes.guard(node)
        receiver = callee.child_by_field_name("object") if callee.type == "member_expression" else None
        if receiver is None:
            if name == "useSession" and self._front_end(module.value(callee)):
                self._fetch_options(module.passed(node, 1), spot, conditional=conditional)
            return
        if name in {"createDispatch", "createRoom"} and not self._is_service(receiver, name):
            return
        if name == "createDispatch":
            self._create_dispatch(node, spot, conditional=conditional)
        elif name == "createRoom":
            for option in each(module.passed(node, 0)):
                if isinstance(option, Table):
                    self.agents(field(option, "agents"), "create-room", spot, conditional=conditional)
        elif name in {"createSipDispatchRule", "updateSipDispatchRule"}:
            for index in range(3):
                for option in each(module.passed(node, index)):
                    if isinstance(option, Table):
                        self.config(field(option, "roomConfig"), "sip-rule", spot, conditional=conditional)
        elif name == "useSession" and self._front_end(module.value(callee)):
            self._fetch_options(module.passed(node, 1), spot, conditional=conditional)
        elif name == "fetch" and "okenSource" in module.written(receiver) and self.about_livekit:
            self._fetch_options(module.passed(node, 0), spot, conditional=conditional)
        elif name == "addGrant":
            self._grant(module.value(receiver), module.passed(node, 0))

    def _is_service(self, receiver: Node, name: str) -> bool:
        """Whether a method of this name is LiveKit's: other programs dispatch lorries and create rooms, too."""
        value = self.module.value(receiver)
        for option in each(value):
            if isinstance(option, Made) and option.callee.name in {"AgentDispatchClient", "RoomServiceClient"}:
                return self.is_livekit(option.callee)
            if isinstance(option, Local):
                return False
        written = self.module.written(receiver)
        if self.about_livekit:
            return written != "this" and (name != "createRoom" or b"agents" in self.module.text.data)
        return not self.has_imports and isinstance(value, Ref) and not value.module and written.isidentifier()

    def _front_end(self, target: Value) -> bool:
        return isinstance(target, Ref) and (
            "livekit" in target.module.lower() or (not target.module and not self.has_imports)
        )

    def _create_dispatch(self, node: Node, spot: Spot, *, conditional: bool | None) -> None:
        name = self.module.passed(node, 1)
        deployment: Value = ABSENT
        first, third = self.module.passed(node, 0), self.module.passed(node, 2)
        if name is ABSENT and isinstance(first, Table):
            name, deployment = agent_name(first), field(first, "deployment")
        if isinstance(third, Table):
            deployment = field(third, "deployment")
        if name is not ABSENT:
            self.add(spot, "create-dispatch", name, deployment, conditional=conditional)

    def _fetch_options(self, given: Value, spot: Spot, *, conditional: bool | None) -> None:
        several = [option for option in each(given) if not isinstance(option, Unknown)]
        for option in several:
            if not isinstance(option, Table):
                continue
            name = agent_name(option)
            if name is not ABSENT:
                # Without a name the token asks for nobody.
                maybe = more(conditional=conditional or None, also=len(several) > 1)
                self.add(spot, "token", name, field(option, "deployment"), conditional=maybe)

    def _config_property(self, node: Node) -> None:
        """`roomConfig: {agents: […]}` in any object: a request body, claims, options, a rule in JSON."""
        key = key_text(node.child_by_field_name("key"), self.module.written)
        if key not in CONFIG_KEYS or not self.module.sound(node):
            return
        config = self.module.value(node.child_by_field_name("value"))
        if self.only_decodes and all(agents is ABSENT for agents in _written_agents(config)):
            return
        if not any(isinstance(option, Table | Made) for option in each(config)):
            return
        via: Via = "sip-rule" if _in_rule(node, self.module) else "token"
        self.config(config, via, self.module.spot(node), conditional=self.module.scopes.guard(node))

    def _twirp(self) -> None:
        if not any(path.encode() in self.module.text.data for path in TWIRP):
            return
        for node in self.module.nodes("string", "template_string"):
            path = self.module.written(node)
            if not any(known in path for known in TWIRP) or not self.module.sound(node):
                continue
            call = next((up for up, _ in self.module.climb(node) if up.type == "call_expression"), None)
            if call is not None:
                args = [self.module.value(one) for one in parameters(call.child_by_field_name("arguments"))]
                self.twirp(args, path, self.module.spot(call), conditional=self.module.scopes.guard(call))

    def _loose_dispatch(self, node: Node, name: str) -> None:
        """A configuration or dispatch that is made here and used where it cannot be followed."""
        for option in made_by(self.module.value(node), name):
            if option.spot.key in self.met or not self.is_livekit(option.callee):
                continue
            conditional = self.module.scopes.guard(node)
            if name == "RoomConfiguration":
                self.config(option, "token", option.spot, conditional=conditional)
            else:
                via: Via = "create-room" if _in_room(node, self.module) else "token"
                self.dispatches((option,), via, option.spot, conditional=conditional)


def _in_room(node: Node, module: TypeScriptModule) -> bool:
    """Whether a dispatch stands in what a room is made with: beside the room's name."""
    owner = next((up for up, _ in module.climb(node) if up.type == "object"), None)
    keys = {
        module.written(one)
        if one.type == "shorthand_property_identifier"
        else key_text(one.child_by_field_name("key"), module.written)
        for one in parameters(owner)
    }
    return keys >= {"name", "agents"}


def _written_agents(config: Value) -> Iterator[Value]:
    """The lists of agents that a configuration is written with, ABSENT for one that is made from what is not known."""
    for option in each(config):
        inner = option.args[0] if isinstance(option, Made) and option.args else option
        yield field(inner, "agents") if isinstance(inner, Table) else ABSENT


def _in_rule(node: Node, module: TypeScriptModule) -> bool:
    for parent, _ in module.climb(node):
        if parent.type in {"call_expression", "new_expression"}:
            callee = parent.child_by_field_name("function") or parent.child_by_field_name("constructor")
            if "DispatchRule" in module.written(callee):
                return True
        if parent.type == "object":
            keys = {key_text(pair.child_by_field_name("key"), module.written) for pair in parameters(parent)}
            if keys & RULE_KEYS:
                return True
    return False
