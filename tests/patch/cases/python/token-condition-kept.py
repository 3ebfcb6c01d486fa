from livekit import api


def token(room: str, wants_agent: bool) -> str:
    made = api.AccessToken().with_grants(api.VideoGrants(room_join=True, room=room))
    if wants_agent:
        # The agent that greets.
        made.with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="greeter")]))
    else:
        made.with_metadata("alone")
    return made.to_jwt()
