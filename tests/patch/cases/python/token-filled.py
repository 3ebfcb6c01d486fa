from livekit import api

config = api.RoomConfiguration()
dispatch = config.agents.add()
dispatch.agent_name = name
print(api.AccessToken().with_identity("me").with_room_config(config).to_jwt())
