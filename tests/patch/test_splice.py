"""Items and statements taken out and put in: what stands beside them stays as it is."""

from __future__ import annotations

import pytest

from bot.source.cut import Cut
from bot.source.grammar import parser
from bot.source.splice import Listed, Splice, added, listed, spliced

# What is before, the numbers of the items that go, and what is left.
REMOVED = {
    "only": ("f({ b: 1 })", {0}, "f({})"),
    "only, in its own line": ("f({\n  b: 1, // why\n})", {0}, "f({})"),
    "only, below a comment": ("f({\n  // above\n  b: 1, // why\n})", {0}, "f({\n  // above\n})"),
    "first of a line": ("f({ b: 1, c: 2 })", {0}, "f({ c: 2 })"),
    "middle of a line": ("f({ a: 0, b: 1, c: 2 })", {1}, "f({ a: 0, c: 2 })"),
    "last of a line": ("f({ a: 0, b: 1 })", {1}, "f({ a: 0 })"),
    "last of a line with a comma": ("f({ a: 0, b: 1, })", {1}, "f({ a: 0, })"),
    "two of a line": ("f({ a: 0, b: 1, c: 2 })", {1, 2}, "f({ a: 0 })"),
    "all of a line": ("f({ a: 0, b: 1, c: 2 })", {0, 1, 2}, "f({})"),
    "without blanks": ("f({a:0,b:1,c:2})", {1}, "f({a:0,c:2})"),
    "own line": ("f({\n  a: 0,\n  b: 1,\n  c: 2,\n})", {1}, "f({\n  a: 0,\n  c: 2,\n})"),
    "own line, carriage returns": ("f({\r\n\ta: 0,\r\n\tb: 1, // b\r\n})", {1}, "f({\r\n\ta: 0,\r\n})"),
    "last without a comma": ("f({\n  a: 0, // a\n  b: 1 // b\n})", {1}, "f({\n  a: 0 // a\n})"),
    "last two without a comma": ("f({\n  a: 0,\n  b: 1,\n  c: 2\n})", {1, 2}, "f({\n  a: 0\n})"),
    "comment above stays": (
        "f({\n  // above\n  b: 1, /* b */ // why\n  c: 2,\n})",
        {0},
        "f({\n  // above\n  c: 2,\n})",
    ),
    "comment of the next stays": ("f({ b: 1, /* c */ c: 2 })", {0}, "f({ /* c */ c: 2 })"),
    "comment before the comma": ("f({\n  a: 0,\n  b: 1 /* b */,\n  c: 2\n})", {1}, "f({\n  a: 0,\n  c: 2\n})"),
    "several lines": ("f({\n  a: 0,\n  b: {\n    x: 1,\n  }, // b\n  c: 2\n})", {1}, "f({\n  a: 0,\n  c: 2\n})"),
    "comma first": ("f({\n  a: 0\n  , b: 1\n  , c: 2\n})", {1}, "f({\n  a: 0\n  , c: 2\n})"),
    "comma first, last": ("f({\n  a: 0\n  , b: 1\n})", {1}, "f({\n  a: 0\n})"),
    "comma first, first": ("f({\n  b: 1\n  , c: 2\n})", {0}, "f({\n  c: 2\n})"),
    "beside the bracket": ("f({ b: 1,\n    c: 2 })", {0}, "f({ c: 2 })"),
    "before the bracket": ("f({ a: 0,\n    b: 1 })", {1}, "f({ a: 0 })"),
    "ends its line": ("f({\n  a: 0, b: 1, // b\n  c: 2,\n})", {1}, "f({\n  a: 0,\n  c: 2,\n})"),
    "between empty lines": ("f({\n  a: 0,\n\n  b: 1,\n\n  c: 2,\n})", {1}, "f({\n  a: 0,\n\n  c: 2,\n})"),
    "last below an empty line": ("f({\n  a: 0,\n\n  b: 1,\n})", {1}, "f({\n  a: 0,\n})"),
    "comment between": ("f({ a: 0, // a\n    b: 1 })", {1}, "f({ a: 0 // a\n    })"),
    "multi-byte": ("f({\n  ä: 'ö', // ü\n  b: 'ß', // é\n  c: '…',\n})", {1}, "f({\n  ä: 'ö', // ü\n  c: '…',\n})"),
}
ADDED = {
    "line": ("f({ a: 0 })", "f({ a: 0, n: 1 })"),
    "line with a comma": ("f({ a: 0, })", "f({ a: 0, n: 1, })"),
    "empty": ("f({})", "f({ n: 1 })"),
    "empty, several lines": ("f({\n  // none\n})", "f({\n  // none\n  n: 1,\n})"),
    "lines": ("f({\n\ta: 0,\n})", "f({\n\ta: 0,\n\tn: 1,\n})"),
    "lines without a comma": ("f({\r\n  a: 0\r\n})", "f({\r\n  a: 0,\r\n  n: 1\r\n})"),
    "comment behind": ("f({\n  a: 0, // a\n})", "f({\n  a: 0, // a\n  n: 1,\n})"),
    "comment behind, no comma": ("f({\n  a: 0 // a\n})", "f({\n  a: 0, // a\n  n: 1\n})"),
    "last item of several lines": ("f({ a: {\n  b: 1 } })", "f({ a: {\n  b: 1 }, n: 1 })"),
    "before the bracket": ("f({ a: 0,\n    b: 1 })", "f({ a: 0,\n    b: 1,\n    n: 1 })"),
    "comma first": ("f({\n  a: 0\n  , b: 1\n})", "f({\n  a: 0\n  , b: 1\n  , n: 1\n})"),
    "line, then a comment": ("f({ a: 0 // a\n})", "f({ a: 0, n: 1 // a\n})"),
}
STATEMENTS = {
    "alone": ("a();\nX;\nb();\n", "a();\nb();\n"),
    "with a comment": ("a();\n  X; // why\nb();\n", "a();\nb();\n"),
    "between empty lines": ("a();\n\nX;\n\nb();\n", "a();\n\nb();\n"),
    "first of its block": ("{\n  X;\n\n  b();\n}", "{\n  b();\n}"),
    "last of its block": ("{\n  a();\n\n  X;\n}", "{\n  a();\n}"),
    "last without an end": ("a();\n\nX;", "a();"),
    "first of the file": ("X;\n\nb();\n", "b();\n"),
    "beside another": ("a(); X; b();\n", "a(); b();\n"),
    "behind another": ("a(); X; // why\nb();\n", "a();\nb();\n"),
    "before another": ("  X; b();\n", "  b();\n"),
    "below its comment": ("// about\nX;\nb();\n", "// about\nb();\n"),
}


def _spans(code: bytes, kind: str) -> list[tuple[int, int]]:
    found, left = [], [parser("javascript").parse(code).root_node]
    while left:
        node = left.pop()
        left += reversed(node.children)
        if node.type == kind:
            found.append((node.start_byte, node.end_byte))
    return found


def _object(code: bytes) -> tuple[Listed, list[tuple[int, int]]]:
    left = [parser("javascript").parse(code).root_node]
    while left:
        node = left.pop(0)
        if node.type == "object":
            return listed(node), _spans(code, "comment")
        left += node.children
    raise AssertionError(code)


@pytest.mark.parametrize("name", REMOVED)
def test_an_item_goes_with_its_comma_and_its_comment(name: str) -> None:
    """No hole, no stray comma, and every other comment stays."""
    before, which, after = REMOVED[name]
    code = before.encode()
    of, comments = _object(code)
    cut = Cut(code, comments)
    cut.items(of, which)
    assert spliced(code, cut.splices()).decode() == after


@pytest.mark.parametrize("name", ADDED)
def test_an_item_comes_in_the_style_of_its_neighbours(name: str) -> None:
    """Lines, indent and the comma at the end are as in the rest of the list."""
    before, after = ADDED[name]
    code = before.encode()
    of, comments = _object(code)
    splices = added(code, of, b"n: 1", comments, pad=b" ")
    assert spliced(code, splices).decode() == after


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_goes_with_its_line(name: str) -> None:
    """Its line goes when nothing else is in it, and no two empty lines are left where one was on each side."""
    before, after = STATEMENTS[name]
    code = before.encode()
    cut = Cut(code, _spans(code, "comment"))
    at = before.index("X;")
    cut.statement(at, at + 2)
    assert spliced(code, cut.splices()).decode() == after


def test_two_changes_of_the_same_text_are_a_mistake() -> None:
    """Splices that overlap are never put into a text."""
    with pytest.raises(ValueError, match="at byte 2"):
        spliced(b"abcdef", [Splice(0, 3, b""), Splice(2, 4, b"x")])
