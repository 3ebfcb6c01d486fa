"""Workers and tokens written in many ways: what is wanted comes of each, and nothing else changes."""

from __future__ import annotations

import ast
import io
import tokenize

from hypothesis import given
from hypothesis import strategies as st

from bot.source.edit import Want
from tests.patch.edited import edited

_COMMENTS = st.sampled_from(["", "  # why", "  # ünï, (", '  # agent_name="no"'])
_NAMES = st.sampled_from(["greeter", "front desk", "grüße", "it's", 'a"b', "back\\slash"])
_WANTS = st.sampled_from(
    [
        Want(name=""),
        Want(name="new one", dispatch="new one"),
        Want(name="", dispatch=""),
        Want(dispatch="it's"),
        Want(load="zero"),
        Want(load="real"),
        Want(job_type="JT_PUBLISHER"),
        Want(job_type=""),
        Want(name="", load="zero", job_type="JT_PUBLISHER"),
    ]
)
# What an edit may change: these arguments, the function that gives 0, and imports.
_OPTIONS = {"agent_name", "load_fnc", "worker_type", "type", "agents"}


@st.composite
def _argument_lists(draw: st.DrawFn, required: str, optional: list[str]) -> str:
    """The arguments of a call in some order, in one line or in several, with comments and with a comma or without."""
    items = [required, *draw(st.permutations(draw(st.lists(st.sampled_from(optional), unique=True))))]
    last = "," if draw(st.booleans()) else ""
    if draw(st.booleans()):
        return ", ".join(items) + last
    indent = draw(st.sampled_from(["    ", "        ", "\t"]))
    lines = [f"{indent}{item}{',' if at < len(items) - 1 else last}{draw(_COMMENTS)}" for at, item in enumerate(items)]
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), f"{indent}# in between")
    return "\n" + "\n".join(lines) + "\n"


@st.composite
def _workers(draw: st.DrawFn) -> str:
    name = f"agent_name={draw(_NAMES)!r}"
    load = draw(st.sampled_from(["load_fnc=lambda: 0.0", "load_fnc=lambda *_: 0", "load_fnc=idle"]))
    head = "from livekit.agents import AgentServer, WorkerOptions, WorkerType, cli\n\ndef idle():\n    return 0\n\n"
    if draw(st.booleans()):
        of = draw(_argument_lists("entrypoint_fnc=main", [name, load, "worker_type=WorkerType.ROOM", "port=8081"]))
        made = f"WorkerOptions({of})"
        return head + draw(
            st.sampled_from(
                [f"cli.run_app({made})\n", f"opts = {made}\ncli.run_app(opts)\n", f"cli.run_app(\n{made}\n)\n"]
            )
        )
    server = draw(_argument_lists("port=8081", [load, "host='::'"]))
    session = draw(_argument_lists("on_request=check", [name, "type=WorkerType.PUBLISHER"]))
    decorator = draw(st.sampled_from([f"({session})", "()", ""]))
    function = "async def main(ctx):\n    await ctx.connect()\n"
    return (
        f"{head}server = AgentServer({server})\n\n\n@server.rtc_session{decorator}\n{function}\n\ncli.run_app(server)\n"
    )


@st.composite
def _tokens(draw: st.DrawFn) -> str:
    dispatch = f"api.RoomAgentDispatch(agent_name={draw(_NAMES)!r})"
    agents = draw(st.sampled_from([f"agents=[{dispatch}]", f"agents=[{dispatch},]", f"agents=[\n{dispatch}  # who\n]"]))
    config = f"api.RoomConfiguration({draw(_argument_lists(agents, ['empty_timeout=60', 'name=room']))})"
    links = [
        "with_identity('me')",
        "with_grants(api.VideoGrants(room_join=True, room=room))",
        f"with_room_config({config})",
    ]
    chosen = draw(st.permutations(draw(st.lists(st.sampled_from(links), unique=True))))
    head = "from livekit import api\n\n"
    match draw(st.sampled_from(["line", "brackets", "backslash", "statements"])):
        case "line":
            return f"{head}made = api.AccessToken(){''.join(f'.{link}' for link in chosen)}\n"
        case "brackets":
            lines = "".join(f"    .{link}{draw(_COMMENTS)}\n" for link in chosen)
            return f"{head}made = (\n    api.AccessToken()  # key\n{lines}    .to_jwt()\n)\n"
        case "backslash":
            lines = "".join(f" \\\n    .{link}" for link in chosen)
            return f"{head}made = api.AccessToken(){lines}\n"
    lines = "".join(draw(st.sampled_from([f"made.{link}\n", f"made = made.{link}\n"])) for link in chosen)
    return f"{head}made = api.AccessToken()\n{lines}print(made.to_jwt())\n"


class _Rest(ast.NodeTransformer):
    """Takes out of a tree what an edit may change."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A call without the options that may change, and a chain without the link that may come or go."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "with_room_config":
            return node.func.value
        node.keywords = [keyword for keyword in node.keywords if keyword.arg not in _OPTIONS]
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr == "rtc_session"
            and not node.keywords
            and not node.args
        ):
            return node.func
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """A statement that only was a link of a chain goes with it."""
        self.generic_visit(node)
        return None if isinstance(node.value, ast.Name) else node

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        """So does one that gives a name to itself."""
        self.generic_visit(node)
        return None if ast.dump(node.value).replace("Load", "Store") == ast.dump(node.targets[0]) else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
        """The functions that give 0 come and go."""
        return None if node.name in {"idle", "no_load"} else node

    def visit_ImportFrom(self, _: ast.ImportFrom) -> None:
        """Imports are added and dropped."""


def _rest(code: bytes) -> str:
    return ast.dump(_Rest().visit(ast.parse(code)))


def _comments(code: bytes) -> list[str]:
    return [one.string for one in tokenize.tokenize(io.BytesIO(code).readline) if one.type == tokenize.COMMENT]


@given(st.one_of(_workers(), _tokens()), _WANTS, st.booleans(), st.booleans())
def test_whatever_the_form_only_what_is_wanted_changes(code: str, want: Want, crlf: bool, bom: bool) -> None:  # noqa: FBT001  # drawn
    """Each of these is edited or needs nothing; the rest of its tree, and each comment on another line, stays."""
    raw = (b"\xef\xbb\xbf" if bom else b"") + (code.replace("\n", "\r\n") if crlf else code).encode()
    found = edited("agent.py", raw, want)
    assert found.outcome in {"edit", "unchanged"}, found.reason
    assert _rest(found.data) == _rest(raw)
    assert edited("agent.py", found.data, want).outcome == "unchanged"
    assert (b"\r\n" in found.data) == crlf
    assert found.data.count(b"\r\n") in {0, found.data.count(b"\n")}
    lines = found.data.splitlines()
    gone = b"\n".join(line for line in raw.splitlines() if line not in lines).decode()
    for comment in set(_comments(raw)) - set(_comments(found.data)):
        assert comment in gone


@given(st.one_of(_workers(), _tokens()), st.data())
def test_a_file_that_is_cut_off_is_refused_or_edited_but_never_broken(code: str, data: st.DataObject) -> None:
    """What does not parse is left as it is."""
    cut = code[: data.draw(st.integers(0, len(code)))].encode()
    found = edited("agent.py", cut, data.draw(_WANTS))
    if found.outcome == "edit":
        ast.parse(found.data)
    else:
        assert found.data == cut
