from livekit import api

dispatch = api.RoomAgentDispatch(agent_name="greeter")
config = api.RoomConfiguration(agents=[dispatch])

made = api.AccessToken().with_identity("me").with_room_config(config)
made.claims.room_config = config
print(made.to_jwt())
