"""A LiveKit server's API, asked once: which rooms are alive, who is in them, and which agents they were promised."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from bot.errors import Unreachable
from bot.evidence import api_failures
from bot.livekit.seen import ApiDispatch, ApiParticipant, ApiRoom, ApiSeen
from bot.livekit.setup import TEXT_LIMIT, Place
from bot.livekit.words import quote
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
    from types import SimpleNamespace

    from aiohttp import ClientSession, TraceConfig
    from livekit.api import LiveKitAPI
    from livekit.protocol.agent import JobState
    from livekit.protocol.agent_dispatch import AgentDispatch
    from livekit.protocol.models import ParticipantInfo
    from livekit.protocol.models import Room as RoomInfo

    from bot.settings import Target

_T = TypeVar("_T")
_NEWEST: Final = 20  # rooms that are looked into when none is asked for
_AT_ONCE: Final = 4  # calls: each leaves a line in the server's log
_NO_WORK: Final = 500_000_000  # nanoseconds for which no agent works that ends well
_CLOUD: Final = ".livekit.cloud"
_TICK: Final = 1.0  # seconds: the Date header tells no less
_RECENT: Final = 1e17  # 1973 in nanoseconds: dispatches are dated in them, rooms in milli- or whole seconds


def ask(
    target: Target, *, rooms: tuple[str, ...] | None = None, also: tuple[str, ...] = (), timeout: float = 4.0
) -> ApiSeen:
    """Ask once which rooms are alive; of `rooms` (names or ids) also who is in them and what they wait for.

    Without `rooms` it is the newest that are looked into, and `also`; with an empty tuple none.

    Takes at most twice `timeout` seconds. A call that fails beside others that work is told in `unread`.
    Raises Unreachable, with the remedy, when the server cannot be asked at all.

    Source: RoomService and AgentDispatchService of livekit-api 1.2.2; ListDispatch for a room that is not there takes
    3 s and a 503 (run on 1.13.5), so it is called for rooms that are listed only.
    """
    url = address(target)
    keys(target)
    return waited(target, url, lambda: _look(target, url, rooms, also, timeout), 2 * timeout + 1.0)


def waited(target: Target, url: str, asked: Callable[[], Coroutine[object, object, _T]], limit: float) -> _T:
    """What a server answers, or its error, within so many seconds. Raises Unreachable when there is none by then."""
    import asyncio
    import threading
    import warnings

    told: list[_T] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            told.append(asyncio.run(asked()))
        except BaseException as problem:  # noqa: BLE001  # it is raised where it can be caught
            problems.append(problem)

    # In a thread of its own: a name service that is slow cannot be interrupted, and asyncio waits for it.
    thread = threading.Thread(target=run, daemon=True)
    with warnings.catch_warnings():
        # PyJWT warns of short secrets, such as that of `livekit-server --dev`; whether it is too short the server says.
        warnings.filterwarnings("ignore", message="The HMAC key is")
        thread.start()
        thread.join(limit)
    if problems:
        raise problems[0]
    if not told:
        raise api_failures.no_answer(target, url, TimeoutError())
    return told[0]


def address(target: Target) -> str:
    """The server's address as http or https. Raises Unreachable for none and for what is none."""
    from urllib.parse import urlsplit

    if not target.livekit_url:
        raise Unreachable(
            "no LiveKit server to ask: set LIVEKIT_URL in the environment or in .env.local", kind="address"
        )
    url = target.livekit_url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"ws", "wss", "http", "https"} and parts.hostname and (parts.port or True)
    except ValueError:
        good = False
    if not good or any(c.isspace() for c in url):
        raise Unreachable(
            f"{redact(url)} is no address of a LiveKit server{api_failures.set_in(target, 'livekit_url')}: "
            "LIVEKIT_URL is such as ws://127.0.0.1:7880 or wss://project.livekit.cloud",
            kind="address",
        )
    return "http" + url[2:] if url[:2].lower() == "ws" else url


def keys(target: Target) -> None:
    """Raises Unreachable where the key or its secret is not set."""
    pairs = (("LIVEKIT_API_KEY", target.api_key), ("LIVEKIT_API_SECRET", target.api_secret))
    missing = [name for name, value in pairs if not value]
    if missing:
        raise Unreachable(
            f"the LiveKit API wants a key: set {' and '.join(missing)} in the environment or in .env.local "
            "(the pair that the server has under `keys`)",
            kind="keys",
        )


@dataclass(slots=True)
class Heard:
    """What an answer says besides its body: the library keeps neither the words of a refusal nor the server's clock."""

    text: str = ""
    skew: float | None = None

    def trace(self) -> TraceConfig:
        """The listener for a session."""
        import aiohttp

        async def begins(_session: ClientSession, ctx: SimpleNamespace, _: aiohttp.TraceRequestStartParams) -> None:
            ctx.begun = time.time()

        async def answers(_session: ClientSession, ctx: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
            ctx.refused = end.response.status >= 400
            if self.skew is None:
                self.skew = _skew(end.response.headers.get("Date", ""), (ctx.begun + time.time()) / 2)

        async def tells(
            _session: ClientSession, ctx: SimpleNamespace, got: aiohttp.TraceResponseChunkReceivedParams
        ) -> None:
            if ctx.refused:
                self.text = got.chunk[:2000].decode("utf-8", "replace").strip()

        config = aiohttp.TraceConfig()
        config.on_request_start.append(begins)
        config.on_request_end.append(answers)
        config.on_response_chunk_received.append(tells)
        return config


def _skew(date: str, asked: float) -> float | None:
    """By how many seconds the server's clock is ahead; what the header is too coarse to tell is 0."""
    from email.utils import parsedate_to_datetime

    try:
        ahead = parsedate_to_datetime(date).timestamp() + _TICK / 2 - asked
    except ValueError:
        return None
    return round(ahead, 1) if abs(ahead) > _TICK else 0.0


@asynccontextmanager
async def reached(target: Target, url: str, heard: Heard) -> AsyncIterator[LiveKitAPI]:
    """The API of a server, without the library's own retries; `heard` listens."""
    from urllib.parse import urlsplit

    import aiohttp
    from livekit.api import LiveKitAPI

    local = urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
    async with aiohttp.ClientSession(trace_configs=[heard.trace()], trust_env=not local) as session:
        yield LiveKitAPI(url, target.api_key, target.api_secret, session=session, failover=False)


async def _look(
    target: Target, url: str, rooms: tuple[str, ...] | None, also: tuple[str, ...], limit: float
) -> ApiSeen:
    from urllib.parse import urlsplit

    heard = Heard()
    async with reached(target, url, heard) as api:
        asked_at = time.time()
        listed = await _list(api, target, url, heard, limit)
        seen = ApiSeen(
            redact(url), asked_at, (), cloud=(urlsplit(url).hostname or "").endswith(_CLOUD), skew=heard.skew
        )
        asked = [r for i, r in enumerate(listed) if _asked(r, rooms, also, newest=i < _NEWEST)]
        return await _into(api, seen, listed, asked, limit)


def _asked(room: RoomInfo, rooms: tuple[str, ...] | None, also: tuple[str, ...], *, newest: bool) -> bool:
    """Whether this room is looked into."""
    named = also if rooms is None else rooms
    return room.name in named or room.sid in named or (rooms is None and newest)


async def _list(api: LiveKitAPI, target: Target, url: str, heard: Heard, limit: float) -> Sequence[RoomInfo]:
    """All rooms that are alive, the newest first. Raises Unreachable for whatever goes wrong."""
    import asyncio

    import aiohttp
    from google.protobuf.message import DecodeError
    from livekit.api import ListRoomsRequest, ServerError

    try:
        async with asyncio.timeout(limit):  # the library waits for ever: it puts None in place of the session's own
            found = (await api.room.list_rooms(ListRoomsRequest())).rooms
    except ServerError as refusal:
        raise api_failures.refusal(target, url, refusal.status, refusal.message or heard.text, heard.skew) from None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
        raise api_failures.no_answer(target, url, problem) from None
    except DecodeError:
        raise api_failures.no_livekit(target, url, "answers, but not as a LiveKit server does") from None
    return sorted(found, key=lambda r: (r.creation_time_ms, r.creation_time), reverse=True)


@dataclass(slots=True)
class _Inside:
    """What was told of one room; None where it was not asked or not told."""

    participants: tuple[ApiParticipant, ...] | None = None
    dispatches: tuple[ApiDispatch, ...] | None = None


async def _into(
    api: LiveKitAPI, seen: ApiSeen, listed: Sequence[RoomInfo], asked: Sequence[RoomInfo], limit: float
) -> ApiSeen:
    """Look into the rooms that are `asked` for; a few calls at a time, for `limit` seconds in all."""
    import asyncio

    found = {r.sid: _Inside() for r in asked}
    unread: list[str] = []
    few = asyncio.Semaphore(_AT_ONCE)

    async def call(what: str, put: Callable[[], Coroutine[object, object, None]]) -> None:
        async with few:
            problem = await _tried(put())
        if problem:
            unread.append(f"{what}: {problem}")

    tasks: dict[asyncio.Task[None], str] = {}
    for room in asked:
        for name, put in (("ListParticipants", _participants), ("ListDispatch", _dispatches)):
            what = f"{name} {quote(room.name)}"
            task = asyncio.create_task(call(what, lambda put=put, room=room: put(api, room.name, found[room.sid])))  # type: ignore[misc]
            tasks[task] = what
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=limit)
        for task in late:
            task.cancel()
            unread.append(f"{tasks[task]}: no answer in time")
        await asyncio.gather(*late, return_exceptions=True)
    told = tuple(_room(seen.url, r, found.get(r.sid, _Inside())) for r in listed)
    return replace(seen, rooms=told, unread=tuple(redact(u) for u in sorted(unread)))


async def _tried(answer: Awaitable[None]) -> str:
    """Why a call failed; "" when it did not."""
    import aiohttp
    from google.protobuf.message import DecodeError
    from livekit.api import ServerError

    try:
        await answer
    except ServerError as refusal:
        return f"{refusal.status} {api_failures.short(refusal.message or refusal.code)}"
    except TimeoutError:
        return "no answer in time"
    except (aiohttp.ClientError, OSError, DecodeError) as problem:
        return api_failures.short(str(problem)) or type(problem).__name__
    return ""


async def _participants(api: LiveKitAPI, room: str, inside: _Inside) -> None:
    from livekit.api import ListParticipantsRequest

    people = (await api.room.list_participants(ListParticipantsRequest(room=room))).participants
    inside.participants = tuple(map(participant, people))


async def _dispatches(api: LiveKitAPI, room: str, inside: _Inside) -> None:
    inside.dispatches = tuple(map(_dispatch, await api.agent_dispatch.list_dispatch(room)))


def participant(p: ParticipantInfo) -> ApiParticipant:
    """One participant, as it is told."""
    from livekit.protocol.models import ParticipantInfo as Info

    state = Info.State.Name(p.state) if p.state in Info.State.values() else str(int(p.state))
    kind = Info.Kind.Name(p.kind) if p.kind in Info.Kind.values() else str(int(p.kind))
    return ApiParticipant(
        identity=p.identity, agent=p.kind == Info.Kind.AGENT, state=state, agent_name=p.attributes.get("lk.agent_name", ""),
        joined=_epoch(p.joined_at_ms or p.joined_at), kind=kind, hidden=p.permission.hidden,
    )  # fmt: skip


def _dispatch(d: AgentDispatch) -> ApiDispatch:
    errors = tuple(redact(job.state.error) for job in d.state.jobs if job.state.error)
    done = sum(_well(job.state) for job in d.state.jobs)
    return ApiDispatch(
        d.id, d.agent_name, d.deployment, _epoch(d.state.created_at), len(d.state.jobs), errors, d.metadata, done
    )


def _well(state: JobState) -> bool:
    """Whether a job ended well. A Python agent whose code fails at once says so, too (run on 1.11.0): after some 0.05 s."""
    from livekit.protocol.agent import JobStatus

    lasted = state.ended_at - state.started_at if state.started_at and state.ended_at else None
    return state.status == JobStatus.JS_SUCCESS and (lasted is None or lasted > _NO_WORK)


def _epoch(number: int) -> float | None:
    """Seconds, milliseconds or nanoseconds since 1970 → seconds; None for 0, which is how nothing is told."""
    if number <= 0:
        return None
    return number / 1e9 if number > _RECENT else number / 1e3 if number > _RECENT / 1e6 else float(number)


def _room(url: str, room: RoomInfo, inside: _Inside) -> ApiRoom:
    parts = [f"ListRooms: {room.name} {room.sid}, {room.num_participants} participant(s)"]
    if inside.participants is not None:
        agents_first = sorted(inside.participants, key=lambda p: not p.agent)
        who = ", ".join(f"{p.identity} {'AGENT' if p.agent else 'USER'} {p.state}" for p in agents_first)
        parts = [f"ListParticipants {room.name}: {who or 'nobody'}"]
    if inside.dispatches is not None:
        what = ", ".join(f"{quote(d.agent_name)} ({d.jobs} job{'s' * (d.jobs != 1)})" for d in inside.dispatches)
        parts.append(f"ListDispatch: {what or 'none'}")
    text = redact("; ".join(parts))
    place = Place(f"LiveKit API {url}", 1, text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…")
    created = _epoch(room.creation_time_ms or room.creation_time)
    return ApiRoom(
        room.name, room.sid, created, inside.participants, inside.dispatches, place, people=room.num_participants
    )
