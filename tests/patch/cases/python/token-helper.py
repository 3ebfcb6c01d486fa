from livekit import api


def room_config() -> api.RoomConfiguration:
    return api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="greeter")])


print(api.AccessToken().with_identity("me").with_room_config(room_config()).to_jwt())
