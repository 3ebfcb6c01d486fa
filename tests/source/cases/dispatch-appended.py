from livekit import api


def token(transcribe: bool) -> api.AccessToken:
    agents = []
    agents.append(api.RoomAgentDispatch(agent_name="always"))
    if transcribe:
        agents.append(api.RoomAgentDispatch(agent_name="sometimes"))
    return api.AccessToken().with_room_config(api.RoomConfiguration(agents=agents))
