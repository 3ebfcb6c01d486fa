"""Ask a LiveKit server to do something: make a room, end one, send an agent into one; and who is in one, by one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from bot.evidence import api_failures
from bot.evidence.livekit_api import Heard, address, keys, participant, reached, waited

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from livekit.api import LiveKitAPI

    from bot.livekit.seen import ApiParticipant
    from bot.settings import Target

_T = TypeVar("_T")
TIMEOUT: Final = 6.0  # seconds; in a room that cannot be made, CreateDispatch takes 3 s and a 503 (run on 1.13.5)


def create_room(target: Target, name: str, *, agent: str | None, metadata: str, empty_timeout: int) -> None:
    """Make a room. A room that is there already stays as it is, and no agent is asked for (run on 1.13.5).

    Raises Unreachable when the server cannot be asked, or refuses.
    """

    async def call(api: LiveKitAPI) -> None:
        from livekit.api import CreateRoomRequest, RoomAgentDispatch

        asked = [] if agent is None else [RoomAgentDispatch(agent_name=agent, metadata=metadata)]
        await api.room.create_room(
            CreateRoomRequest(name=name, empty_timeout=empty_timeout, metadata=metadata, agents=asked)
        )

    _called(target, call)


def participants(target: Target, room: str) -> tuple[ApiParticipant, ...]:
    """Who is in a room; nobody in one that is not there (run on 1.13.5). Raises as `create_room`."""

    async def call(api: LiveKitAPI) -> tuple[ApiParticipant, ...]:
        from livekit.api import ListParticipantsRequest

        told = await api.room.list_participants(ListParticipantsRequest(room=room))
        return tuple(map(participant, told.participants))

    return _called(target, call)


def delete_room(target: Target, name: str) -> None:
    """End a room, if it is there. Raises Unreachable as `create_room`."""

    async def call(api: LiveKitAPI) -> None:
        from livekit.api import DeleteRoomRequest, ServerError

        try:
            await api.room.delete_room(DeleteRoomRequest(room=name))
        except ServerError as refusal:
            if refusal.code != "not_found":
                raise

    _called(target, call)


def create_dispatch(target: Target, room: str, agent: str, metadata: str) -> str:
    """Send an agent into a room; the dispatch's id. A room that is not there is made. Raises as `create_room`."""

    async def call(api: LiveKitAPI) -> str:
        from livekit.api import CreateAgentDispatchRequest

        asked = CreateAgentDispatchRequest(agent_name=agent, room=room, metadata=metadata)
        return (await api.agent_dispatch.create_dispatch(asked)).id

    return _called(target, call)


def _called(target: Target, call: Callable[[LiveKitAPI], Coroutine[object, object, _T]]) -> _T:
    url = address(target)
    keys(target)

    async def run() -> _T:
        import asyncio

        import aiohttp
        from google.protobuf.message import DecodeError
        from livekit.api import ServerError

        heard = Heard()
        try:
            async with reached(target, url, heard) as api, asyncio.timeout(TIMEOUT):
                return await call(api)
        except ServerError as refusal:
            raise api_failures.refusal(target, url, refusal.status, refusal.message or heard.text, heard.skew) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
            raise api_failures.no_answer(target, url, problem) from None
        except DecodeError:
            raise api_failures.no_livekit(target, url, "answers, but not as a LiveKit server does") from None

    return waited(target, url, run, TIMEOUT + 1.0)
