from livekit import api

AGENT = "greeter"
config = api.RoomConfiguration(
    empty_timeout=60,
    agents=[api.RoomAgentDispatch(agent_name=AGENT)] if AGENT else [],
)
print(api.AccessToken().with_identity("me").with_room_config(config).to_jwt())
