from livekit import api

config = api.RoomConfiguration(empty_timeout=60)
config.agents.add(agent_name="greeter")
print(api.AccessToken().with_identity("me").with_room_config(config).to_jwt())
