from livekit import api
from livekit.protocol.agent_dispatch import CreateAgentDispatchRequest
from livekit.protocol.room import CreateRoomRequest, RoomAgentDispatch


async def start(lk: api.LiveKitAPI, room: str, agent_name: str = "by-default") -> None:
    await lk.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(agent_name="by-call", room=room, metadata="{}", deployment="blue")
    )
    request = CreateAgentDispatchRequest(agent_name=agent_name, room=room)
    await lk.agent_dispatch.create_dispatch(request)
    await lk.room.create_room(CreateRoomRequest(name=room, agents=[RoomAgentDispatch(agent_name="with-the-room")]))
    await lk.room.create_room(CreateRoomRequest(name="empty"))
