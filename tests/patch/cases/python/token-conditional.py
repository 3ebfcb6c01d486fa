from livekit import api


def token(room: str, agent_name: str | None = None) -> str:
    made = api.AccessToken().with_grants(api.VideoGrants(room_join=True, room=room))
    if agent_name:
        made = made.with_room_config(
            api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=agent_name)]),
        )
    return made.to_jwt()
