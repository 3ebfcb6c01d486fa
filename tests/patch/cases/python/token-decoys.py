from livekit import api

# .with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="in-a-comment")]))
HELP = 'token.with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="in-a-text")]))'
made = (
    api.AccessToken()
    .with_identity("me")
    # .with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="off")]))
    .with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="real")]))
)
