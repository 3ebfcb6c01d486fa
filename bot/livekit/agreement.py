"""A project without a server's log: do worker and dispatch agree, and what will the next new room experience."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.livekit.seen import Cite, Missing, Verdict
from bot.livekit.story import Room
from bot.livekit.words import deployed, hint, quote

if TYPE_CHECKING:
    from bot.livekit.case import Case
    from bot.livekit.setup import Dispatcher, WorkerSetup

_NEXT = "The next new room will have no agent"


@dataclass(frozen=True, slots=True)
class _Name:
    """One side's name as far as it is known: `sure` when nothing outside the project can change it."""

    name: str | None
    sure: bool
    variable: str | None
    cite: Cite
    deployment: str


def project(case: Case) -> list[Verdict]:
    """A row without a room where worker and dispatch disagree; of a project alone also that they agree, or why not told."""
    setup = case.seen.setup
    if case.seen.has_server_log or not (setup.workers or setup.dispatchers):
        return []
    row = _compare(case)
    alone = not case.story.logs and not case.seen.tokens
    return [row] if alone or row.verdict == "cause" else []


def _worker(w: WorkerSetup) -> _Name:
    name = w.agent_name if w.agent_name is not None else w.name_default
    says = (
        f"the worker registers as {quote(name)}" if name is not None else "the worker's name is only known at run time"
    )
    if w.agent_name is None and w.name_note:
        says += f" ({w.name_note})"
    return _Name(
        name, w.agent_name is not None, w.name_variable, Cite(says, place=w.name_place or w.place), w.deployment or ""
    )


def _dispatcher(d: Dispatcher) -> _Name:
    name = d.agent_name if d.agent_name is not None else d.name_default
    says = f"asks for {quote(name)}" if name is not None else "asks for a name that is only known at run time"
    if d.agent_name is None and d.note:
        says += f" ({d.note})"
    return _Name(
        name,
        d.agent_name is not None and not d.conditional,
        d.name_variable,
        Cite(says, place=d.place),
        d.deployment or "",
    )


def _compare(case: Case) -> Verdict:
    setup = case.seen.setup
    workers = [_worker(w) for w in setup.workers]
    presets = [d for s in setup.server for d in s.presets]
    asks = [_dispatcher(d) for d in (*setup.dispatchers, *presets)]
    nowhere = Room("", "", len(case.pool.group))
    cites = [n.cite for n in (*workers[:4], *asks[:4])]
    if not workers:
        names = ", ".join(dict.fromkeys(quote(a.name) if a.name else "a name known at run time only" for a in asks))
        missing = Missing(
            "the worker's source, its log or its /worker endpoint", "under which name the worker registers"
        )
        return case.open(nowhere, f"The project dispatches {names}; no worker is in it.", [missing], cites)
    if not asks:
        return _nobody_asks(case, nowhere, workers, cites)
    pairs = [(w, a) for w in workers for a in asks if _same(w, a)]
    if pairs:
        return _agree(case, nowhere, pairs, asks, cites)
    unknown = [n for n in (*workers, *asks) if n.name is None]
    unsure = [n for n in (*workers, *asks) if not n.sure]
    if unknown or unsure:
        side = (unknown or unsure)[0]
        where = f" (from {side.variable})" if side.variable else ""
        text = f"A name is only known at run time{where}, so worker and dispatch cannot be compared from the source."
        missing = Missing("agent log or the worker's /worker endpoint, and a join token", "which names are really used")
        return case.open(nowhere, text, [missing], cites)
    wanted = asks[0].name or ""
    if all(w.name == "" for w in workers):
        text = f"{_NEXT} where one is asked for by name: the dispatch asks for {quote(wanted)}, the worker has no name."
        return case.verdict(nowhere, "worker-unnamed", 0.8, text, cites, agent=wanted)
    named = next(w.name or "" for w in workers if w.name)
    asked = ", ".join(dict.fromkeys(quote(a.name or "") for a in asks))
    text = f"{_NEXT}: the dispatch asks for {asked}, the worker is named {quote(named)}.{hint(wanted, named)}"
    return case.verdict(nowhere, "name-mismatch", 0.8, text, cites, agent=wanted)


def _same(worker: _Name, ask: _Name) -> bool:
    if worker.variable and worker.variable == ask.variable and not (worker.sure or ask.sure):
        return True  # whatever the variable holds, it holds for both
    return worker.name is not None and worker.name == ask.name


def _agree(
    case: Case, nowhere: Room, pairs: list[tuple[_Name, _Name]], asks: list[_Name], cites: list[Cite]
) -> Verdict:
    worker, ask = pairs[0]
    apart = [(w, a) for w, a in pairs if w.deployment != a.deployment]
    if len(apart) == len(pairs):
        text = f"{_NEXT}: the names agree, but the worker's deployment is {deployed([worker.deployment])} and the dispatch's {deployed([ask.deployment])}."
        return case.verdict(nowhere, "deployment-mismatch", 0.7, text, cites, agent=worker.name)
    odd = [a for a in asks if a.name and not any(a is b for _, b in pairs)]
    also = f" Another place asks for {quote(odd[0].name or '')}, which no worker here is named." if odd else ""
    text = f"Worker and dispatch agree: the next new room should get its agent.{also} What happened to a room that is there, only logs show."
    missing = (Missing("server log", "what happened to a given room"),)
    return Verdict(None, None, "healthy", None, 0.6, text, (worker.cite, ask.cite, *(o.cite for o in odd[:2])), missing)


def _nobody_asks(case: Case, nowhere: Room, workers: list[_Name], cites: list[Cite]) -> Verdict:
    setup = case.seen.setup
    named = [w for w in workers if w.name]
    vague = [w for w in workers if w.name is None]
    if vague:
        missing = Missing("agent log or the worker's /worker endpoint", "under which name the worker registers")
        return case.open(
            nowhere, "The worker's name is only known at run time, and nothing here dispatches.", [missing], cites
        )
    if not named:
        text = (
            "Automatic dispatch: the worker has no name and nothing asks for one; every new room should get the agent."
        )
        return Verdict(
            None,
            None,
            "healthy",
            None,
            0.6,
            text,
            tuple(cites),
            (Missing("server log", "what happened to a given room"),),
        )
    name = named[0].name or ""
    makers = [m for m in setup.token_makers if not m.dispatches]
    told = any(t.agents or t.calls for t in case.seen.tokens)
    if makers and named[0].sure and len(named) == len(workers) and not told:
        text = f"{_NEXT}: the worker is named {quote(name)} and waits to be dispatched by name, and nothing in the project dispatches."
        cites = [*cites, *(Cite("makes join tokens without a dispatch", place=m.place) for m in makers[:2])]
        return case.verdict(nowhere, "dispatch-missing", 0.75, text, cites, agent=name)
    missing = Missing(
        "the code that makes join tokens or dispatches", f"whether anything asks for {quote(name)} by name"
    )
    text = f"The worker is named {quote(name)}, so it only gets rooms that ask for it; nothing at hand shows who asks."
    return case.open(nowhere, text, [missing], cites)
