from livekit import api

agents = [api.RoomAgentDispatch(agent_name=name) for name in names]
print(api.AccessToken().with_identity("me").with_room_config(api.RoomConfiguration(agents=agents)).to_jwt())
