"""Workers, dispatches and tokens in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.evaluate import Budget
from bot.source.found import Found, FoundToken, FoundWorker
from bot.source.grammar import parser
from bot.source.python_calls import arguments
from bot.source.python_grants import GRANTS, given_to, not_joining
from bot.source.python_values import PythonModule
from bot.source.reading import CONFIG_KEYS, RULE_KEYS, TWIRP, Reading, why_unseen
from bot.source.values import ABSENT, Entry, Lit, Made, Ref, Table, Unknown, Value, each, field, made_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.livekit.setup import Via
    from bot.source.evaluate import Load
    from bot.source.text import SourceText, Spot

SUFFIXES = (".py", ".pyw")
_OPTIONS = ("WorkerOptions", "ServerOptions")
_RULES = ("CreateSIPDispatchRuleRequest", "SIPDispatchRuleInfo", "UpdateSIPDispatchRuleRequest")
_MADE = (
    *_OPTIONS,
    *_RULES,
    "AccessToken",
    "RoomConfiguration",
    "RoomAgentDispatch",
    "CreateAgentDispatchRequest",
    "CreateRoomRequest",
)
_CALLED = (
    *GRANTS,
    "run_app",
    "with_room_config",
    "add",
    "append",
    "extend",
    "MergeFrom",
)


def parse(text: SourceText, load: Load | None = None, budget: Budget | None = None) -> PythonModule:
    """The file as a module, ready to be read or to be imported from."""
    return PythonModule(text, parser("python").parse(text.data).root_node, load, budget or Budget())


def read(module: PythonModule) -> Found:
    """What one file says about workers, dispatches and tokens."""
    return _Reading(module).read()


class _Reading(Reading):
    """One pass over one Python file."""

    roots = frozenset({"agents", "livekit", "lk", "api", "lk_api", "livekit_api", "cli", "room", "agent_dispatch"})
    converters = frozenset({"ParseDict", "Parse"})

    def __init__(self, module: PythonModule) -> None:
        super().__init__(module)
        self.module = module

    def fields_of(self, made: Made) -> Value:
        """The named arguments that a message of the protocol is made with."""
        return made.named if made.named is not None else ABSENT

    def read(self) -> Found:
        module = self.module
        self.begin()
        aliases = list(self._aliases())
        made = self._calls(self.worth(_MADE, aliases))
        calls = self._calls(self.worth(_CALLED, aliases))
        for node in calls:
            self._run_app(node)
        for node in made:
            self._loose_options(node)
        self._sessions()
        for node in made:
            for token in self._made(node, "AccessToken"):
                self.tokens.setdefault(token.spot.key, FoundToken(token.spot))
        for node in calls:
            self._fill(node)
        for node in calls:
            self._room_config(node)
        for receiver in not_joining(module, calls):
            self.forbid_joining(receiver)
        for node in module.nodes("assignment"):
            self._assigned_config(node)
        for node in made:
            self._request(node)
        for node in module.nodes("pair"):
            self._config_pair(node)
        for node in calls:
            self._added(node)
        self._twirp()
        for name in ("RoomConfiguration", "RoomAgentDispatch"):
            for node in made:
                self._loose(node, name)
        return self.finish()

    def _calls(self, names: set[str]) -> list[Node]:
        module = self.module
        found = (node for name in names for node in module.calls_by_name.get(name, []) if module.sound(node))
        return sorted(found, key=lambda node: node.start_byte)

    def _aliases(self) -> Iterator[tuple[str, str]]:
        """Each name that gets another one: by an import, an assignment or a subclass."""
        module = self.module
        for node in module.nodes("aliased_import"):
            name = module.written(node.child_by_field_name("name")).rpartition(".")[2]
            yield name, module.written(node.child_by_field_name("alias"))
        for node in module.nodes("assignment"):
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is not None and right is not None and right.type in {"identifier", "attribute"}:
                yield module.last_name(right), module.written(left)
        for node in module.nodes("class_definition"):
            bases = node.child_by_field_name("superclasses")
            for base in bases.named_children if bases is not None else []:
                yield module.last_name(base), module.written(node.child_by_field_name("name"))

    def _made(self, node: Node, *names: str) -> list[Made]:
        """What a call makes, if its own name or an alias of it is one of these."""
        callee = node.child_by_field_name("function")
        if callee is None or callee.type not in {"identifier", "attribute"}:
            return []
        target = self.module.value(callee)
        if not any(isinstance(option, Ref) and option.name in names for option in each(target)):
            return []
        found = made_by(self.module.value(node), *names)
        return [made for made in found if self.is_livekit(made.callee) and made.spot.key == self.module.spot(node).key]

    # --- workers -----------------------------------------------------------------------------

    def _run_app(self, node: Node) -> None:
        callee = node.child_by_field_name("function")
        if callee is None or not self.module.written(callee).endswith("run_app"):
            return
        target = self.module.value(callee)
        if not isinstance(target, Ref) or target.name != "run_app" or not self.is_livekit(target):
            return
        args, _ = arguments(self.module, node.child_by_field_name("arguments"), {})
        spot = self.module.spot(node)
        for option in each(args[0] if args else ABSENT):
            if isinstance(option, Made) and option.callee.name in _OPTIONS:
                self._options(option, option.spot if option.spot.text is spot.text else spot)
            elif isinstance(option, Made) and option.callee.name == "AgentServer":
                continue  # its sessions are the workers
            elif not isinstance(option, Lit) and option is not ABSENT:
                self._unseen(option, spot)

    def _unseen(self, option: Value, spot: Spot) -> None:
        if isinstance(option, Ref) and b".rtc_session" in self.module.text.data:
            return  # a server that is imported from elsewhere; its sessions are registered here
        self.found.workers.append(FoundWorker("python", spot, None, why_unseen(option)))

    def _options(self, made: Made, spot: Spot) -> None:
        self.met.add(made.spot.key)
        named = made.named if made.named is not None else Table((), made.spot)
        # Values that are given without a name come in the order of the class's fields.
        order = ("entrypoint_fnc", "request_fnc", "prewarm_fnc", "load_fnc")
        positional = tuple(Entry(name, value, made.spot) for name, value in zip(order, made.args, strict=False))
        self.found.workers.append(FoundWorker("python", spot, Table((*positional, *named.entries), named.spot)))

    def _loose_options(self, node: Node) -> None:
        for made in self._made(node, *_OPTIONS):
            if made.spot.key in self.met:
                continue
            # The value of the variable it is put in has what is set on it afterwards.
            self._options(self._kept(node, made), made.spot)

    def _kept(self, node: Node, made: Made) -> Made:
        holder = node.parent
        if holder is None or holder.type != "assignment":
            return made
        left = holder.child_by_field_name("left")
        if left is None or left.type != "identifier" or self.module.root.children == []:
            return made
        found = self.module.scopes.find(self.module.written(left), left)
        value = self.module.defined(found, self.module.written(left), None, {}) if found else made
        same = [one for one in made_by(value, made.callee.name) if one.spot.key == made.spot.key]
        return same[0] if same else made

    def _sessions(self) -> None:
        own = self._has_own_server()
        for node in self.module.nodes("attribute"):
            if self.module.written(node.child_by_field_name("attribute")) != "rtc_session":
                continue
            if not self.module.sound(node):
                continue
            server = self.module.value(node.child_by_field_name("object"))
            servers = made_by(server, "AgentServer")
            others = [one for one in each(server) if not isinstance(one, Unknown | Made | Ref)]
            if not servers and (others or own):
                continue
            self._session(node, servers[0] if len(servers) == 1 else None)

    def _has_own_server(self) -> bool:
        """Whether this file has a class AgentServer of its own, as the SDK's source has, and so does not mean theirs."""
        found = self.module.scopes.scope(self.module.root).get("AgentServer", [])
        return bool(found) and all(one.kind == "class" and not self._extends(one.node, "AgentServer") for one in found)

    def _extends(self, cls: Node, name: str) -> bool:
        bases = cls.child_by_field_name("superclasses")
        return any(self.module.last_name(base) == name for base in (bases.named_children if bases is not None else []))

    def _session(self, node: Node, server: Made | None) -> None:
        call, named, spot = node.parent, None, self.module.spot(node)
        if call is not None and call.type == "call" and call.child_by_field_name("function") == node:
            _, named = arguments(self.module, call.child_by_field_name("arguments"), {})
            spot = self.module.spot(call)
        elif call is None or call.type != "decorator":
            return
        entries = server.named.entries if server is not None and server.named is not None else ()
        session = named.entries if named is not None else ()
        table = Table((*entries, *session), named.spot if named is not None else spot)
        self.found.workers.append(FoundWorker("python", spot, table))

    # --- tokens ------------------------------------------------------------------------------

    def _room_config(self, node: Node) -> None:
        callee = node.child_by_field_name("function")
        if callee is None or callee.type != "attribute" or self.module.last_name(callee) != "with_room_config":
            return
        conditional = self.module.scopes.guard(node)
        if self.config(given_to(self.module, node), "token", self.module.spot(node), conditional=conditional):
            self.mark(self.module.value(callee.child_by_field_name("object")), self._beside(node))

    def _beside(self, node: Node) -> list[Node]:
        """What is made in the same function."""
        function = self.module.function_at(node)
        return [call for call in self.module.nodes("call") if self.module.function_at(call) == function]

    def _assigned_config(self, node: Node) -> None:
        left = node.child_by_field_name("left")
        if left is None or left.type not in {"attribute", "subscript"}:
            return
        key = self.module.written(left.child_by_field_name("attribute"))
        if left.type == "subscript":
            key = self.module.written(left.child_by_field_name("subscript")).strip("\"'")
        if key not in CONFIG_KEYS or not self.module.sound(node):
            return
        config = self.module.value(node.child_by_field_name("right"))
        conditional = self.module.scopes.guard(node)
        if self.config(config, "token", self.module.spot(node), conditional=conditional):
            owner = left.child_by_field_name("object") or left.child_by_field_name("value")
            self.mark(self.module.value(owner), self._beside(node))

    # --- dispatches --------------------------------------------------------------------------

    def _request(self, node: Node) -> None:
        conditional = self.module.scopes.guard(node)
        for made in self._made(node, "CreateAgentDispatchRequest", "CreateRoomRequest"):
            if made.callee.name == "CreateAgentDispatchRequest":
                given: Value = made.named if made.named is not None else Unknown("the request is filled elsewhere")
                self.dispatch(given, "create-dispatch", made.spot, conditional=conditional)
            elif made.named is not None:
                self.agents(field(made.named, "agents"), "create-room", made.spot, conditional=conditional)
        for made in self._made(node, *_RULES):
            if made.named is not None:
                config = field(made.named, "room_config")
                self.config(config, "sip-rule", made.spot, conditional=conditional)

    def _config_pair(self, node: Node) -> None:
        """`"room_config": {"agents": […]}` in any dict: a request body, claims, options."""
        written = self.module.written(node.child_by_field_name("key")).strip("\"'")
        if written not in CONFIG_KEYS or not self.module.sound(node):
            return
        config = self.module.value(node.child_by_field_name("value"))
        if any(isinstance(option, Table | Made) for option in each(config)):
            conditional = self.module.scopes.guard(node)
            via: Via = "sip-rule" if self._in_rule(node) else "token"
            self.config(config, via, self.module.spot(node), conditional=conditional)

    def _in_rule(self, node: Node) -> bool:
        for up, _ in self.module.climb(node):
            if up.type == "dictionary":
                pairs = [child for child in up.named_children if child.type == "pair"]
                keys = {self.module.written(pair.child_by_field_name("key")).strip("\"'") for pair in pairs}
                if keys & RULE_KEYS:
                    return True
        return False

    def _twirp(self) -> None:
        if not any(path.encode() in self.module.text.data for path in TWIRP):
            return
        for node in self.module.nodes("string"):
            path = self.module.written(node)
            if not any(known in path for known in TWIRP) or not self.module.sound(node):
                continue
            call = next((up for up, _ in self.module.climb(node) if up.type == "call"), None)
            if call is not None:
                args, named = arguments(self.module, call.child_by_field_name("arguments"), {})
                values = [*args, *([] if named is None else [named])]
                self.twirp(values, path, self.module.spot(call), conditional=self.module.scopes.guard(call))

    def _via_filled(self, node: Node) -> Via:
        """What a dispatch is for that is appended to a message: a rule for calls, a new room, else a token."""
        call = next((up for up, _ in self.module.climb(node) if up.type == "call"), None)
        config = self._filling(call, "append", "extend") if call is not None else None
        if config is None:
            return "token"
        value = self.module.value(config)
        if config.type == "attribute":
            value = self.module.value(config.child_by_field_name("object"))
        if made_by(value, *_RULES):
            return "sip-rule"
        return "create-room" if made_by(value, "CreateRoomRequest") else "token"

    def _filling(self, node: Node, *methods: str) -> Node | None:
        """The configuration of which a call fills the agents: `config` in `config.agents.add(…)`."""
        callee = node.child_by_field_name("function")
        owner = callee.child_by_field_name("object") if callee is not None else None
        if callee is None or owner is None or owner.type != "attribute":
            return None
        if self.module.written(callee.child_by_field_name("attribute")) not in methods:
            return None
        if self.module.written(owner.child_by_field_name("attribute")) != "agents":
            return None
        return owner.child_by_field_name("object")

    def _fill(self, node: Node) -> None:
        config = self._filling(node, "add", "append", "extend", "MergeFrom")
        if config is not None:
            for made in made_by(self.module.value(config), "RoomConfiguration"):
                self.filled.add(made.spot.key)

    def _added(self, node: Node) -> None:
        """`config.agents.add(agent_name=…)`, as protobuf messages are filled."""
        if self._filling(node, "add") is None:
            return
        _, named = arguments(self.module, node.child_by_field_name("arguments"), {})
        if named is not None and field(named, "agent_name") is not ABSENT:
            conditional = self.module.scopes.guard(node)
            self.dispatch(named, "token", self.module.spot(node), conditional=conditional)

    def _loose(self, node: Node, name: str) -> None:
        """A configuration or dispatch that is made here and used where it cannot be followed."""
        conditional = self.module.scopes.guard(node)
        for made in self._made(node, name):
            if made.spot.key in self.met:
                continue
            if name == "RoomConfiguration":
                self.config(made, "token", made.spot, conditional=conditional)
            else:
                kept = self._kept(node, made)
                self.dispatches((kept,), self._via_filled(node), made.spot, conditional=conditional)
