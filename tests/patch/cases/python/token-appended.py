from livekit import api

config = api.RoomConfiguration()
config.agents.append(api.RoomAgentDispatch(agent_name="greeter"))
config.empty_timeout = 60
print(api.AccessToken().with_identity("me").with_room_config(config).to_jwt())
