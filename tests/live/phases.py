"""What each phase of a run took, and what of it was Fletcher's own, from what the run itself has written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]
Span = tuple[float, float]

LOADED = 6.0  # seconds after its registration from which on a worker's reported load is its own
SECOND = 1e9  # nanoseconds


def phases(run: Row, events: list[Row], rest: str) -> Iterator[str]:
    """A line for each phase between approval and proof, then the share that nothing else took, by what `rest` calls it."""
    decision = run["decision"]
    if decision is None or decision["kind"] != "yes":
        return
    began, ended = decision["at"], run["changed_at"]
    spans = {**_looked(events, began), **_steps(run, events), **_proven(run)}
    for name, (first, last) in spans.items():
        yield f"{name:24} {last - first:6.2f} s"
    others = [span for name, span in spans.items() if not name.startswith("own: ")]
    yield f"{'approval to end':24} {ended - began:6.2f} s"
    if (run["proof"] or {}).get("result") == "holds":
        yield f"{rest:24} {ended - began - covered(others, began, ended):6.2f} s"


def _looked(events: list[Row], began: float) -> dict[str, Span]:
    acts = next((e["at"] for e in events if e["kind"] == "run" and e["state"] == "running"), began)
    return {"own: look again": (began, acts)}


def _steps(run: Row, events: list[Row]) -> dict[str, Span]:
    """The steps that were done: what is not Fletcher's is what Docker and the project's token script took."""
    kinds = {step["name"]: step["kind"] for step in run["looked"]["plan"]["steps"]}
    spans = {}
    for row in run["steps"]:
        told = [e["at"] for e in events if e["kind"] == "step" and e["step"] == row["name"] and e["state"] != "undone"]
        for what, outcome in (("", row["outcome"]), ("undo of ", row["undo"])):
            if outcome is None:
                continue
            span = outcome["began_ns"] / SECOND, outcome["ended_ns"] / SECOND
            if kinds.get(row["name"]) in {"compose", "token"}:
                spans[f"{what}{row['name']}"] = span
            elif not what and told:
                spans[f"own: {row['name']}"] = told[0], told[-1]
    return spans


def _proven(run: Row) -> dict[str, Span]:
    """What a proof has to wait for: the worker, its first load, the agent in the room, and that it stays."""
    at = {point["name"]: point["at_ns"] / SECOND for point in (run["proof"] or {}).get("points", ()) if point["at_ns"]}
    done = [row["outcome"] for row in run["steps"] if row["outcome"]]
    built = [one["ended_ns"] / SECOND for one in done if "replaced_ns" in one["facts"]]
    asked = [one["ended_ns"] / SECOND for one in done if "dispatch" in one["facts"]]  # in the room that was there
    names = {step["name"] for step in run["looked"]["plan"]["verification"]}
    settle = max((b.get("settle", 0.0) for b in run["runbook"]["blocks"] if b["name"] in names), default=0.0)
    spans: dict[str, Span] = {}
    if "registration" in at and built and built[-1] < at["registration"]:
        spans["the worker registers"] = built[-1], at["registration"]
    if "registration" in at:
        spans["its first load"] = at["registration"], at["registration"] + LOADED
    if "agent" in at:
        spans["the agent comes"] = next(iter(asked), at.get("dispatch", at["agent"])), at["agent"]
        spans["it stays"] = at["agent"], at["agent"] + settle
    return spans


def covered(spans: list[Span], began: float, ended: float) -> float:
    """How many seconds between these two lie in at least one of the spans."""
    total, reached = 0.0, began
    for first, last in sorted(spans):
        total += max(0.0, min(last, ended) - max(first, reached))
        reached = max(reached, min(last, ended))
    return total
