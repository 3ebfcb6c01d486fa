"""Draw what `fletcher demo` prints as docs/demo.svg: `python -m tests.picture` from the checkout."""

from __future__ import annotations

from html import escape
from pathlib import Path

from tests.fletcher import fletcher

PICTURE = Path(__file__).parent.parent / "docs" / "demo.svg"
_COLOURS = (
    ("CAUSE FOUND", "#ff7b72"),
    ("  What ", "#79c0ff"),
    ("      │", "#8b949e"),
    ("Note:", "#d2a8ff"),
    ("PLAN:", "#7ee787"),
    ("       -", "#ffa198"),
    ("       +", "#7ee787"),
)
_LAST = "Looked at:"


def lines() -> list[str]:
    """The demo's answer without its list of sources, and the plan up to its first diff."""
    out = fletcher("demo").out.splitlines()
    plan = next(number for number, line in enumerate(out) if line.startswith("PLAN:"))
    end = next(number for number, line in enumerate(out) if number > plan and line.startswith("    2. "))
    return [*out[: out.index(_LAST)], *out[plan:end]]


def svg(text: list[str]) -> str:
    """The lines as a terminal's picture."""
    height = 19 * len(text) + 40
    rows = []
    for number, line in enumerate(text):
        colour = next((c for start, c in _COLOURS if line.startswith(start)), "#e6edf3")
        rows.append(f'<text x="20" y="{32 + 19 * number}" fill="{colour}" xml:space="preserve">{escape(line)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1010 {height}" font-family="ui-monospace, monospace" '
        f'font-size="13.5">\n<rect width="1010" height="{height}" rx="10" fill="#0d1117"/>\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(svg(lines()), encoding="utf-8")
