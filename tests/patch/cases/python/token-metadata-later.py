from livekit import api

dispatch = api.RoomAgentDispatch(agent_name="greeter")
dispatch.metadata = "{}"
config = api.RoomConfiguration(agents=[dispatch])
print(api.AccessToken().with_identity("me").with_room_config(config).to_jwt())
