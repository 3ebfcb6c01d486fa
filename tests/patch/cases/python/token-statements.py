from livekit import api


def token(room):
    made = api.AccessToken()
    made.with_grants(api.VideoGrants(room_join=True, room=room))
    made.with_room_config(
        api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="greeter")])
    )  # asks for the agent
    return made.to_jwt()


def other(room):
    made = api.AccessToken(); made.with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="greeter")]))
    made = made.with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="greeter")]))
    return made.to_jwt()
