"""The part of finding dispatches and tokens that does not depend on the language."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bot.livekit.setup import Unread
from bot.source.found import Found, FoundDispatch, FoundToken
from bot.source.grammar import first_error
from bot.source.values import ABSENT, Either, Lit, Made, Or, Ref, Seq, Table, Unknown, Value, each, field, made_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from bot.livekit.setup import Via
    from bot.source.evaluate import Evaluator
    from bot.source.text import Spot

TWIRP = ("AgentDispatchService/CreateDispatch", "RoomService/CreateRoom")
# Keys beside a room configuration that make it that of a rule for telephone calls.
RULE_KEYS = frozenset(
    {
        "dispatch_rule",
        "dispatchRule",
        "trunk_ids",
        "trunkIds",
        "dispatchRuleIndividual",
        "dispatchRuleDirect",
        "dispatch_rule_individual",
        "dispatch_rule_direct",
        "rule",
    }
)
CONFIG_KEYS = frozenset({"roomConfig", "room_config"})


class Reading:
    """One pass over one file; remembers what was met so that nothing counts twice."""

    # The first part under which the SDK's names stand in a fragment that imports nothing.
    roots: ClassVar[frozenset[str]] = frozenset()
    # Calls that turn a plain object into a room configuration.
    converters: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.found = Found()
        self.met: set[tuple[str, int, int]] = set()
        self.tokens: dict[tuple[str, int, int], FoundToken] = {}
        # Configurations that get their agents after they are made, as in `config.agents.push(…)`.
        self.filled: set[tuple[str, int, int]] = set()

    def worth(self, names: Iterable[str], aliases: Iterable[tuple[str, str]]) -> set[str]:
        """The names under which the SDK's are called in this file: their own, and those they are renamed to.

        `aliases` pairs what is renamed with its new name. Only calls of these names are evaluated, for
        evaluating each call of a large file would take its time.
        """
        found = set(names)
        pairs = list(aliases)
        for _ in range(3):
            found.update(new for old, new in pairs if old in found)
        return found

    def fields_of(self, made: Made) -> Value:
        """The properties that a message of the protocol is made with, ABSENT when it is made empty."""
        raise NotImplementedError

    def begin(self) -> None:
        """Say what could not be parsed."""
        root, source = self.evaluator.root, self.evaluator.text.source
        if root.has_error:
            why = "does not parse here; that statement was not read"
            self.found.unread.append(Unread(source, first_error(root), why))

    def finish(self) -> Found:
        """All that was found, in the order of the text."""
        source = self.evaluator.text.source
        for key, token in self.tokens.items():
            if token.joins and key[0] == source:
                self.found.tokens.append(token)
        self.found.workers.sort(key=lambda worker: worker.spot.line)
        self.found.dispatches.sort(key=lambda dispatch: dispatch.spot.line)
        self.found.tokens.sort(key=lambda token: token.spot.line)
        return self.found

    def is_livekit(self, target: Ref) -> bool:
        """Whether a name is the SDK's; one that nothing defines counts, as in a fragment kept in notes."""
        if target.module:
            return "livekit" in target.module.lower()
        return len(target.path) == 1 or target.path[0] in self.roots

    # --- tokens ------------------------------------------------------------------------------

    def mark(self, receiver: Value, beside: Iterable[Node]) -> None:
        """A token that gets a room configuration; if it is not known which, those made beside it."""
        marked = False
        for made in made_by(receiver, "AccessToken"):
            if made.spot.key in self.tokens:
                self.tokens[made.spot.key].dispatches = marked = True
        for node in () if marked else beside:
            token = self.tokens.get(self.evaluator.spot(node).key)
            if token is not None:
                token.dispatches = True

    def forbid_joining(self, receiver: Value) -> None:
        """A token for calls of the API, or for the worker itself, lets nobody join."""
        for made in made_by(receiver, "AccessToken"):
            if made.spot.key in self.tokens:
                self.tokens[made.spot.key].joins = False

    # --- dispatches --------------------------------------------------------------------------

    def config(self, config: Value, via: Via, spot: Spot, *, conditional: bool | None) -> bool:
        """The dispatches of a room configuration; False when it certainly has none."""
        several = [option for option in each(config) if option is not ABSENT and not isinstance(option, Lit)]
        conditional = more(conditional=conditional, also=len(several) > 1 or isinstance(config, Either | Or))
        found = False
        for option in several:
            if isinstance(option, Made) and option.callee.name in self.converters and option.args:
                found = self.config(option.args[0], via, spot, conditional=conditional) or found
            elif isinstance(option, Made) and option.callee.name == "RoomConfiguration":
                if option.spot.key in self.met:
                    found = True
                    continue
                self.met.add(option.spot.key)
                found = found or option.spot.key in self.filled
                inner = self.fields_of(option)
                if isinstance(inner, Table):
                    found = self.agents(field(inner, "agents"), via, option.spot, conditional=conditional) or found
                else:
                    found = self.config(inner, via, option.spot, conditional=conditional) or found
            elif isinstance(option, Table):
                found = self.agents(field(option, "agents"), via, option.spot, conditional=conditional) or found
            else:
                self.unseen(option, "the room configuration is made elsewhere", via, spot, conditional=conditional)
                found = True
        return found

    def agents(self, agents: Value, via: Via, spot: Spot, *, conditional: bool | None) -> bool:
        """The dispatches in a list of agents; False when it is certainly empty."""
        several = [option for option in each(agents) if option is not ABSENT and not isinstance(option, Lit)]
        filled = [option for option in several if not (isinstance(option, Seq) and option.whole and not option.items)]
        conditional = more(conditional=conditional, also=len(several) > 1)
        for option in filled:
            if isinstance(option, Seq):
                self.dispatches(option.items, via, option.spot, conditional=conditional)
            else:
                self.unseen(option, "the list of agents is made elsewhere", via, spot, conditional=conditional)
        return bool(filled)

    def dispatches(self, items: tuple[Value, ...], via: Via, spot: Spot, *, conditional: bool | None) -> None:
        """The items of a list of agents."""
        # One `RoomAgentDispatch` in a loop stands for several; only later it counts as met.
        met: set[tuple[str, int, int]] = set()
        for item in items:
            several = [option for option in each(item) if not isinstance(option, Lit)]
            for option in several:
                maybe = more(conditional=conditional, also=len(list(each(item))) > 1)
                table: Value = option
                where = spot
                if isinstance(option, Made) and option.callee.name == "RoomAgentDispatch":
                    table, where = self.fields_of(option), option.spot
                elif isinstance(option, Table):
                    where = option.spot
                if where is not spot and where.key in self.met:
                    continue
                met.add(where.key)
                self.dispatch(table, via, where, conditional=maybe)
        self.met |= met

    def dispatch(self, table: Value, via: Via, spot: Spot, *, conditional: bool | None) -> None:
        """One dispatch, from the properties that it is made with."""
        if table is ABSENT or isinstance(table, Table):
            name = agent_name(table) if isinstance(table, Table) else ABSENT
            deployment = field(table, "deployment") if isinstance(table, Table) else ABSENT
            # A dispatch without a name asks for the workers that have none.
            self.add(spot, via, Lit("", spot) if name is ABSENT else name, deployment, conditional=conditional)
        else:
            self.unseen(table, "the dispatch is made elsewhere", via, spot, conditional=conditional)

    def twirp(self, values: Iterable[Value], path: str, spot: Spot, *, conditional: bool | None) -> None:
        """A call of the server's API without an SDK: the request stands among the arguments, or in their body."""
        for table in _tables(values, 0):
            if "CreateDispatch" in path and agent_name(table) is not ABSENT:
                self.dispatch(table, "create-dispatch", spot, conditional=conditional)
            elif "CreateRoom" in path and field(table, "agents") is not ABSENT:
                self.agents(field(table, "agents"), "create-room", spot, conditional=conditional)
            else:
                continue
            return
        if "CreateDispatch" in path:
            self.unseen(ABSENT, "the request is made elsewhere", "create-dispatch", spot, conditional=conditional)

    def unseen(self, value: Value, why: str, via: Via, spot: Spot, *, conditional: bool | None) -> None:
        """A dispatch of which nothing is known but that it is there."""
        what = value if isinstance(value, Unknown) and value is not ABSENT else Unknown(why)
        self.add(spot, via, what, ABSENT, conditional=conditional)

    def add(self, spot: Spot, via: Via, name: Value, deployment: Value, *, conditional: bool | None) -> None:
        """Note a dispatch."""
        self.found.dispatches.append(FoundDispatch(spot, via, name, conditional, deployment))


def _tables(values: Iterable[Value], depth: int) -> Iterator[Table]:
    for value in values:
        for option in each(value):
            if isinstance(option, Table):
                yield option
                if depth < 3:
                    yield from _tables((entry.value for entry in option.entries), depth + 1)
            elif isinstance(option, Made) and depth < 3:
                yield from _tables(option.args, depth + 1)
                if option.named is not None:
                    yield from _tables((option.named,), depth + 1)


def more(*, conditional: bool | None, also: bool) -> bool | None:
    """A condition together with another one."""
    return True if also else conditional


def agent_name(table: Table) -> Value:
    """The agent's name under either spelling."""
    name = field(table, "agentName")
    return field(table, "agent_name") if name is ABSENT else name


def why_unseen(options: Value) -> str:
    """Why a worker's options are not known."""
    if isinstance(options, Unknown):
        return options.why
    if isinstance(options, Ref):
        return f"the options `{'.'.join(options.path)}` are not defined in a file at hand"
    return "the options are made elsewhere"
